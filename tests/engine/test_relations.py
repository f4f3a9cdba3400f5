"""Where the names of relations, and calls of functions, stand in a text."""

import pytest

from boathouse.engine.gateway.sql.relations import find_uses
from boathouse.engine.gateway.sql.select_items import standing
from boathouse.engine.gateway.sql.tokens import tokenize

NAMES = {
    "SELECT a, t.c FROM main.s.t, u v JOIN (SELECT * FROM w) x ON f(a, b) = 1, z WHERE a IN (SELECT b FROM q)": "main.s.t u w z q",
    "WITH k AS (SELECT * FROM k0), K2(a) AS (SELECT * FROM k) SELECT * FROM K2, k": "k0 (k) (K2) (k)",
    "WITH k AS (SELECT 1) SELECT * FROM (WITH j AS (SELECT 1) SELECT * FROM j, k) x, j": "(j) (k) j",
    "WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT * FROM r) SELECT * FROM r": "(r) (r)",
    "WITH k AS (SELECT * FROM k) SELECT * FROM k": "k (k)",
    "SELECT extract(YEAR FROM d), trim(BOTH 'x' FROM y) FROM t WHERE a IS NOT DISTINCT FROM b": "t",
    "MERGE INTO a.b t USING c.d AS s ON t.x = s.x WHEN MATCHED THEN UPDATE SET a = 1 WHEN NOT MATCHED THEN INSERT *": "c.d",
    "INSERT INTO t (a, b) SELECT * FROM x": "x",
    "INSERT INTO t TABLE s": "s",
    "INSERT INTO t AS k REPLACE ON k.a = s.a (SELECT * FROM u) AS s": "u",
    "INSERT INTO t REPLACE ON f(k.a) IS DISTINCT FROM b TABLE u": "u",
    "INSERT INTO t REPLACE USING (a, b) SELECT * FROM u, w": "u w",
    "INSERT OVERWRITE TABLE t PARTITION (a = 1) SELECT * FROM s": "s",
    "DELETE FROM t WHERE EXISTS (SELECT 1 FROM u)": "u",
    "UPDATE t SET a = (SELECT max(b) FROM u)": "u",
    "CREATE OR REPLACE TABLE x AS SELECT * FROM y": "y",
    "CREATE VIEW v AS WITH a AS (SELECT 1) SELECT * FROM a, b": "(a) b",
    "SELECT * FROM m LATERAL VIEW explode(z) q AS k, v JOIN r ON true": "m r",
    "SELECT * FROM (a JOIN b ON true) c": "a b",
    "SELECT * FROM ((SELECT * FROM a) UNION (SELECT * FROM b)) z": "a b",
    "TABLE t": "t",
    "(TABLE t) UNION ALL TABLE u": "t u",
    "SELECT * FROM VALUES (1) AS t(a)": "",
    "SELECT * FROM VALUES (a), (2) AS v(x), (t), u": "t u",
    "SELECT * FROM VALUES (1), (2), ((SELECT max(a) FROM s)) v, (SELECT * FROM w) x": "s w",
    "SELECT * FROM t PIVOT (sum(x) FOR y IN (1, 2)), b": "t b",
    "SELECT map(1, 2), reduce(x, 0, (a, b) -> a + b), array(SELECT a FROM u) FROM t": "u t",
    "EXPLAIN ANALYZE SELECT * FROM t": "t",
    "EXPLAIN EXTENDED WITH k AS (SELECT * FROM t) SELECT * FROM k": "t (k)",
    "SELECT * FROM a /* FROM b */ -- FROM c": "a",
    "SELECT 'FROM b' FROM a": "a",
    "SHOW TABLES FROM main.s": "",
    "SELECT * FROM a WHERE x = 1 GROUP BY y, z ORDER BY u, v": "a",
    "SELECT * FROM LATERAL (SELECT * FROM b)": "b",
    "SELECT * FROM STREAM t": "t",
}


@pytest.mark.parametrize("sql", NAMES)
def test_relations(sql: str) -> None:
    uses = find_uses(tokenize(sql), sql).relations
    found = [f"({use.expression})" if use.expression else ".".join(use.name) for use in uses]
    assert " ".join(found) == NAMES[sql]


@pytest.mark.parametrize(
    ("clause", "kind", "text"),
    [
        ("VERSION AS OF 3", "version", "3"),
        ("FOR SYSTEM_VERSION AS OF 3", "version", "3"),
        ("TIMESTAMP AS OF '2026-01-01'", "timestamp", "'2026-01-01'"),
        ("TIMESTAMP AS OF current_timestamp() - INTERVAL 1 DAY", "timestamp", "current_timestamp() - INTERVAL 1 DAY"),
        ("FOR TIMESTAMP AS OF date_sub(current_date(), 1)", "timestamp", "date_sub(current_date(), 1)"),
        ("@v3", "version", "3"),
        ("@20240131123456789", "timestamp", "'2024-01-31 12:34:56.789'"),
    ],
)
@pytest.mark.parametrize("alias", ["", " AS x", " x", " WHERE a = 1"])
def test_time_travel(clause: str, kind: str, text: str, alias: str) -> None:
    named = f"s.t{clause}" if clause[0] == "@" else f"s.t {clause}"
    sql = f"SELECT * FROM {named}{alias}"
    (use,) = find_uses(tokenize(sql), sql).relations
    assert use.moment is not None
    assert (use.moment.kind, use.moment.text, use.has_alias) == (kind, text, "x" in alias)
    assert sql[use.start : use.clause_end] == named


def test_calls() -> None:
    sql = "SELECT main.f.g(a, h(b, 'x,y')), count(*) FROM main.s.tf(1, [2, 3]) q WHERE c IN (1, 2)"
    calls = {".".join(call.name): call for call in find_uses(tokenize(sql), sql).calls}
    texts = {name: [sql[start:end] for start, end in call.arguments] for name, call in calls.items()}
    assert texts["main.f.g"] == ["a", "h(b, 'x,y')"]
    assert texts["h"] == ["b", "'x,y'"]
    assert texts["main.s.tf"] == ["1", "[2, 3]"]
    assert (calls["main.s.tf"].is_relation, calls["main.s.tf"].has_alias, calls["h"].is_relation) == (True, True, False)


def test_names_in_definitions_are_no_calls() -> None:
    sql = "CREATE TABLE main.s.t (id INT, n DECIMAL(10, 2)) USING delta"
    assert [".".join(call.name) for call in find_uses(tokenize(sql), sql).calls] == ["DECIMAL"]


def test_a_fragment_is_no_query_by_itself() -> None:
    sql = "a IN (SELECT b FROM t) AND extract(YEAR FROM c) > 1"
    assert [use.name for use in find_uses(tokenize(sql), sql, fragment=True).relations] == [("t",)]


@pytest.mark.parametrize(
    ("sql", "aggregated", "unnamed"),
    [
        ("SELECT f(a) FROM t", False, "f(a)"),
        ("SELECT DISTINCT f(a), b FROM t", False, "f(a)"),
        ("SELECT b, (f(a) + 1) * 2", False, "(f(a) + 1) * 2"),
        ("SELECT b, f(a).result FROM t", False, "f(a).result"),
        ("SELECT f(a) AS y FROM t", False, None),
        ("SELECT f(a) y FROM t", False, None),
        ("SELECT f(a) + 1 y, c FROM t", False, None),
        ("SELECT round(avg(x + f(a)), 2) FROM t", True, "round(avg(x + f(a)), 2)"),
        ("SELECT b, f(a) FROM t WHERE x IN (SELECT max(c) FROM u GROUP BY d) UNION SELECT 1, 2 GROUP BY e", False, "f(a)"),
        ("SELECT count(*), f(b) FROM t GROUP BY b", True, "f(b)"),
        ("SELECT count(*) FROM t GROUP BY f(b)", True, None),
        ("SELECT b FROM t GROUP BY b HAVING c > 0 AND f(b) > 1", True, None),
        ("SELECT b, count(*) FROM t WHERE f(b) > 1 GROUP BY b", False, None),
        ("SELECT avg(y) FROM (SELECT f(a) AS y FROM t) GROUP BY b", False, None),
        ("SELECT avg(y) FROM (SELECT f(a) FROM t) GROUP BY b", False, "f(a)"),
        ("INSERT INTO t SELECT f(a), extract(YEAR FROM b) FROM u", False, "f(a)"),
        ("UPDATE t SET a = f(a)", False, None),
        ("avg(f(a))", True, None),
        ("f(a)", False, None),
    ],
)
def test_where_a_call_stands_in_its_query(sql: str, aggregated: bool, unnamed: str | None) -> None:
    tokens = tokenize(sql)
    (call,) = (one for one in find_uses(tokens, sql).calls if one.name == ("f",))
    found = standing(tokens, call)
    named = None if found.unnamed is None else sql[slice(*found.unnamed)]
    assert (found.aggregated, named) == (aggregated, unnamed)
