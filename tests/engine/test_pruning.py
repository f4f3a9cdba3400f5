"""Which comparisons of a query hold for every row of a relation that counts in it."""

import datetime as dt
from typing import Any

import pytest
from pyspark.sql.connect import functions as F  # noqa: N812 - its usual name

from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.names.frame_filters import said_below
from boathouse.engine.gateway.names.pruning import Comparison, comparisons
from boathouse.engine.gateway.sql.relations import find_uses
from boathouse.engine.gateway.sql.tokens import tokenize


def found(sql: str) -> list[str]:
    """The comparisons beside the first relation of a text."""
    tokens = tokenize(sql)
    use = find_uses(tokens, sql).relations[0]
    return [f"{one.column} {one.text}" for one in comparisons(tokens, use)]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT * FROM t WHERE id = 5", ["id = 5"]),
        (
            "SELECT * FROM a.b.t WHERE id == -5 AND b.t.x<='q' AND a.b.t.y > DATE '2026-01-02';",
            ["id == -5", "x <= 'q'", "y > DATE '2026-01-02'"],
        ),
        ("SELECT * FROM t AS k WHERE k.id = 5 AND t.id = 6 ORDER BY id", ["id = 5"]),
        ("SELECT * FROM t k WHERE k.`i d` IN (1, 2, -3) AND f(k.x) GROUP BY k.id HAVING count(*) > 1", ["i d IN (1, 2, -3)"]),
        ("SELECT * FROM t VERSION AS OF 3 WHERE id = 5 LIMIT 1", ["id = 5"]),
        ("SELECT * FROM (SELECT * FROM t WHERE id = 5) WHERE x = 6 OR y = 7", ["id = 5"]),
        ("SELECT * FROM t WHERE id = 5 AND (a = 1 OR b = 2) AND NOT c = 3 AND d IS NULL", ["id = 5"]),
        ("WITH w AS (SELECT * FROM t WHERE id = 5) SELECT * FROM w", ["id = 5"]),
    ],
)
def test_comparisons_with_literals_are_found(sql: str, expected: list[str]) -> None:
    assert found(sql) == expected


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM t",
        "SELECT * FROM t WHERE id = 5 OR true",
        "SELECT * FROM t WHERE id = 5 AND x = 1 OR true",
        "SELECT * FROM t WHERE x BETWEEN 1 AND id = 5",
        "SELECT * FROM t WHERE CASE WHEN a AND id = 5 AND b THEN c END",
        "SELECT * FROM t WHERE id = 5 AND order = 3 OR true",
        "SELECT * FROM t, u WHERE id = 5",
        "SELECT * FROM t JOIN u ON a = b WHERE id = 5",
        "SELECT * FROM t LEFT JOIN u ON a = b WHERE id = 5",
        "SELECT * FROM u LEFT JOIN t ON a = b AND id = 5",
        "SELECT * FROM t TABLESAMPLE (5 ROWS) WHERE id = 5",
        "SELECT * FROM t LATERAL VIEW explode(x) AS y WHERE id = 5",
        "SELECT * FROM t k WHERE t.id = 5",
        "SELECT * FROM t WHERE o.id = 5",
        "SELECT * FROM t WHERE id = 5 + x",
        "SELECT * FROM t WHERE id + 1 = 5",
        "SELECT * FROM t WHERE id = 5.5",
        "SELECT * FROM t WHERE id <> 5",
        "SELECT * FROM t WHERE id = x",
        "SELECT * FROM t WHERE id = 5 IS NULL",
        "SELECT * FROM t WHERE NOT id = 5",
        "SELECT * FROM t WHERE id = '\\u0041'",
        "SELECT * FROM t WHERE id = r'x'",
        "SELECT * FROM t WHERE d = DATE 'today'",
        "SELECT * FROM t WHERE id IN (1, x)",
        "SELECT * FROM t WHERE id IN (SELECT 1)",
        "SELECT * FROM t WHERE id IN ()",
        "SELECT * FROM t WHERE s.f.id = 5",
        "SELECT * FROM t HAVING id = 5",
    ],
)
def test_what_need_not_hold_or_could_fail_is_not(sql: str) -> None:
    assert found(sql) == []


def below(condition: Any, said: tuple[Comparison, ...] = ()) -> list[str]:
    """What a filter of a DataFrame says of the rows below it."""
    relation = proto().Relation()
    relation.filter.condition.CopyFrom(condition.to_plan(None))
    return sorted(f"{one.column} {one.text}" for one in said_below(relation, said))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (F.col("id") == 5, ["id == 5"]),
        ((F.col("Id") > -5) & F.col("`x y`").isin("a", "b") & (F.col("z") + 1 == 2), ["id > -5", "x y IN ('a', 'b')"]),
        (F.col("d").between(dt.date(2026, 1, 2), dt.date(2026, 1, 3)), ["d <= DATE '2026-01-03'", "d >= DATE '2026-01-02'"]),
        (F.expr("id = 5 AND f(x) AND d < DATE '2026-01-02'"), ["d < DATE '2026-01-02'", "id = 5"]),
        (F.expr("id = 5 OR true"), []),
        ((F.col("id") == 5) | (F.col("x") == 1), []),
        (~(F.col("id") == 5), []),
        (F.col("id") != 5, []),
        (F.col("s.id") == 5, []),
        (F.col("id") == F.col("x"), []),
        (F.col("id") == 5.5, []),
        (F.col("id").isin(1, "a"), []),
        (F.col("s") == "it's", []),
        (F.lit(5) == F.col("id"), []),
        (F.col("id").eqNullSafe(5), []),
    ],
)
def test_what_the_filter_of_a_frame_says(condition: Any, expected: list[str]) -> None:
    assert below(condition) == expected


def test_what_is_said_through_other_relations() -> None:
    said = (Comparison("id", "integer", "= 5"), Comparison("x", "integer", "= 6"))
    assert below(F.col("y") == 7, said) == ["id = 5", "x = 6", "y == 7"]
    relation = proto().Relation()
    relation.subquery_alias.alias = "k"
    assert said_below(relation, said) == said
    assert said_below(relation.subquery_alias, said) == said
    relation.project.expressions.add().CopyFrom(F.col("ID").to_plan(None))
    assert said_below(relation, said) == said[:1]
    relation.project.expressions.add().CopyFrom(F.col("*").to_plan(None))
    assert said_below(relation, said) == said
    relation.project.expressions.add().CopyFrom(F.col("y").alias("x").to_plan(None))
    assert said_below(relation, said) == ()
    for kind in ("join", "limit", "sample", "aggregate", "with_columns", "set_op", "to_df"):
        getattr(relation, kind).SetInParent()
        assert said_below(relation, said) == ()
        assert said_below(getattr(relation, kind), said) == ()
