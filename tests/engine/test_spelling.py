"""Forms of queries that the engine does not read itself."""

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession, functions

from boathouse.engine.gateway.forms.colon_paths import PATH
from boathouse.engine.gateway.forms.spelling import spell


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "SELECT a, b + 1 AS c FROM t QUALIFY rank() OVER (ORDER BY a) = 1 ORDER BY a",
            "SELECT `a`, `c` FROM (SELECT a, b + 1 AS `c`, (rank() OVER (ORDER BY a) = 1) AS `__bh_kept` FROM t ) WHERE `__bh_kept` ORDER BY a",
        ),
        (
            "SELECT *, rank() OVER w r FROM t WINDOW w AS (ORDER BY a) QUALIFY r = 1",
            (
                "SELECT `__bh_row`.* FROM (SELECT struct(*, rank() OVER w AS `r`) AS `__bh_row`, ((rank() OVER w) = 1) AS `__bh_kept` "
                "FROM t WINDOW w AS (ORDER BY a) ) WHERE `__bh_kept`"
            ),
        ),
        ("SELECT qualify, t.qualify FROM t WHERE qualify = 1", "SELECT qualify, t.qualify FROM t WHERE qualify = 1"),
        ("SELECT 'x QUALIFY y' FROM t -- QUALIFY z", "SELECT 'x QUALIFY y' FROM t -- QUALIFY z"),
        (
            "SELECT k, sum(v), 1 FROM t GROUP BY ALL ORDER BY ALL DESC",
            "SELECT k, sum(v), 1 FROM t GROUP BY 1, 3 ORDER BY 1 DESC, 2 DESC, 3 DESC",
        ),
        ("SELECT count(*) FROM t GROUP BY ALL", "SELECT count(*) FROM t "),
        (
            "SELECT DISTINCT a + 1, t.b AS c, upper(d) FROM t ORDER BY UPPER(d) DESC NULLS LAST, c, t.b, A+1",
            "SELECT DISTINCT a + 1, t.b AS c, upper(d) FROM t ORDER BY 3 DESC NULLS LAST, c, 2, 1",
        ),
        *(
            (text, text)
            for text in (
                "SELECT DISTINCT *, a + 1 FROM t ORDER BY a + 1",
                "SELECT DISTINCT a, rank() OVER (ORDER BY a + 1) FROM (SELECT a + 1 FROM t ORDER BY a + 1) ORDER BY a, b + 1",
            )
        ),
        ("SELECT * FROM t PIVOT (sum(v) FOR t.k IN ('x'))", "SELECT * FROM t PIVOT (sum(v) FOR (t.k) IN ('x'))"),
        (
            "SELECT * FROM a JOIN t UNPIVOT EXCLUDE NULLS (m FOR k IN (x)) AS u",
            "SELECT * FROM a JOIN (SELECT * FROM t UNPIVOT  (m FOR k IN (x)) WHERE m IS NOT NULL) AS u",
        ),
        ("SELECT * FROM t ORDER BY ALL", "SELECT * FROM t ORDER BY ALL"),
        (
            "SELECT t.d:a.b[0].c::int, d:x y FROM t WHERE d:`a b`['c.d'] IS NOT NULL",
            (
                "SELECT get_json_object(t.d, '$.a.b[0].c')::int AS `c`, get_json_object(d, '$.x') y FROM t "
                r"WHERE get_json_object(d, '$[\'a b\'][\'c.d\']') IS NOT NULL"
            ),
        ),
        (
            "SELECT from_json(f(d):a, 'struct<a:int>'), '{}':b, (x):c FROM t GROUP BY d:a",
            (
                "SELECT from_json(get_json_object(f(d), '$.a'), 'struct<a:int>'), get_json_object('{}', '$.b') AS `b`, "
                "get_json_object((x), '$.c') AS `c` FROM t GROUP BY get_json_object(d, '$.a')"
            ),
        ),
        (
            "SELECT parse_json(d):a.b::decimal(5,2), parse_json(d):a FROM t",
            (
                "SELECT variant_get(parse_json(d), '$.a.b', 'decimal(5,2)') AS `b`, variant_get(parse_json(d), '$.a') AS `a` FROM t"
            ),
        ),
        *(
            (text, text)
            for text in (
                "SELECT a::int, CAST(x AS STRUCT<a:INT,b:ARRAY<STRUCT<c:int>>>), :p, f(n => :q) FROM t WHERE a=:p LIMIT :n",
                "CREATE TABLE t (a STRUCT<b:INT>, c MAP<STRING,STRUCT<d:STRING>>)",
                "SELECT 'a:b', \"c:d\", `e:f` -- g:h",
                "lbl:BEGIN END",
            )
        ),
    ],
)
def test_texts(text: str, wanted: str) -> None:
    assert spell(text, lambda _: None).replace(PATH, "") == wanted


def test_qualify_and_all(spark: SparkSession, schema: str) -> None:
    spark.sql(f"CREATE TABLE {schema}.t (id INT, n INT, v INT, k STRING)")
    spark.sql(f"INSERT INTO {schema}.t VALUES (1, 1, 10, 'a'), (1, 2, 11, 'b'), (2, 1, NULL, 'c')")
    latest = f"SELECT * FROM {schema}.t QUALIFY row_number() OVER (PARTITION BY id ORDER BY n DESC) = 1"

    def rows(text: str) -> list[tuple[object, ...]]:
        return sorted(tuple(row) for row in spark.sql(text).collect())

    assert rows(latest) == [(1, 2, 11, "b"), (2, 1, None, "c")]
    assert spark.sql(latest).columns == ["id", "n", "v", "k"]
    assert rows(
        f"SELECT id, v + 1, row_number() OVER (PARTITION BY id ORDER BY n) rn FROM {schema}.t QUALIFY rn = 1 AND v > 1"
    ) == [(1, 11, 1)]
    assert rows(
        f"WITH c AS ({latest}) SELECT c.id, t.v FROM c JOIN {schema}.t ON c.id = t.id QUALIFY count(*) OVER (PARTITION BY c.id) > 1"
    ) == [(1, 10), (1, 11)]
    assert rows(f"SELECT DISTINCT id FROM {schema}.t QUALIFY count(*) OVER (PARTITION BY id) > 1") == [(1,)]
    assert rows(
        f"SELECT id, sum(v) AS s FROM {schema}.t GROUP BY ALL QUALIFY rank() OVER (ORDER BY sum(v) NULLS LAST) = 1"
    ) == [(1, 21)]
    found = spark.sql(f"SELECT id % 2 AS odd, count(*) FROM {schema}.t GROUP BY ALL ORDER BY ALL DESC").collect()
    assert [tuple(row) for row in found] == [(1, 2), (0, 1)]
    spark.sql(f"CREATE VIEW {schema}.w AS {latest}")
    spark.sql(f"CREATE TABLE {schema}.c AS {latest}")
    spark.sql(f"INSERT INTO {schema}.c {latest} UNION ALL SELECT 3, 3, 3, 'd'")
    assert rows(f"SELECT count(*), (SELECT count(*) FROM {schema}.w) FROM {schema}.c") == [(5, 2)]
    assert "QUALIFY" in spark.sql(f"SHOW CREATE TABLE {schema}.w").collect()[0][0]
    assert rows(f"SELECT * FROM {schema}.t PIVOT (sum(v) FOR k IN ('a' AS x, 'b')) WHERE id = 1") == [
        (1, 1, 10, None),
        (1, 2, None, 11),
    ]
    assert rows(f"SELECT n, m FROM {schema}.t UNPIVOT (m FOR name IN (id, v)) WHERE name = 'v'") == [(1, 10), (2, 11)]
    assert rows(f"SELECT count(*), count(m) FROM {schema}.t UNPIVOT INCLUDE NULLS (m FOR name IN (id, v)) AS u") == [(6, 5)]
    assert rows(f"SELECT t.id FROM {schema}.t TABLESAMPLE (100 PERCENT) WHERE t.n = 2") == [(1,)]
    assert rows(f"SELECT s.id FROM {schema}.t TABLESAMPLE (100 PERCENT) AS s WHERE s.n = 2") == [(1,)]
    with pytest.raises(PySparkException, match="nope"):
        spark.sql(f"SELECT id FROM {schema}.t QUALIFY nope = 1").collect()


def test_delete_with_queries(spark: SparkSession, schema: str) -> None:
    spark.sql(f"CREATE TABLE {schema}.t (id INT, n INT, m MAP<STRING, INT>)")
    spark.sql(f"INSERT INTO {schema}.t SELECT id, id % 3, map('a', 1) FROM range(10) UNION ALL SELECT NULL, NULL, NULL")
    spark.sql(f"CREATE TABLE {schema}.u (k INT)")
    spark.sql(f"INSERT INTO {schema}.u VALUES (1), (3), (NULL)")

    def left() -> list[int | None]:
        return [row.id for row in spark.table(f"{schema}.t").orderBy("id").collect()]

    assert spark.sql(f"DELETE FROM {schema}.t WHERE id IN (SELECT k FROM {schema}.u)").collect()[0].num_affected_rows == 2
    assert left() == [None, 0, 2, 4, 5, 6, 7, 8, 9]
    spark.sql(f"DELETE FROM {schema}.t WHERE id NOT IN (SELECT k FROM {schema}.u)")
    assert len(left()) == 9
    spark.sql(f"DELETE FROM {schema}.t AS x WHERE EXISTS (SELECT 1 FROM {schema}.u WHERE u.k * 2 = x.id) AND x.n < 5")
    assert left() == [None, 0, 4, 5, 7, 8, 9]
    spark.sql(f"DELETE FROM {schema}.t WHERE id NOT IN (SELECT k + 4 FROM {schema}.u WHERE k IS NOT NULL)")
    assert left() == [None, 5, 7]
    spark.sql(f"DELETE FROM {schema}.t WHERE id > (SELECT max(k) + 3 FROM {schema}.u)")
    assert left() == [None, 5]
    spark.sql(f"DELETE FROM {schema}.t WHERE (SELECT count(*) FROM {schema}.u) = 3")
    assert left() == []


def test_paths_into_json(spark: SparkSession, schema: str) -> None:
    spark.sql(f'CREATE TABLE {schema}.said AS SELECT 1 AS id, \'{{"a":{{"b":[7,{{"c d":"x"}}]}}}}\' AS raw')
    rows = spark.sql(f"SELECT raw:a.b[0]::int, raw:a.b[1].`c d`, raw:a.nope, raw:a.b[0]::int + 1 AS n FROM {schema}.said")
    assert rows.columns[1:] == ["c d", "nope", "n"]
    assert [tuple(row) for row in rows.collect()] == [(7, "x", None, 8)]
    table = spark.table(f"{schema}.said")
    assert table.where("raw:a.b[0] = '7'").selectExpr("raw:a.b[1]['c d'] AS found").first() == ("x",)
    with pytest.raises(PySparkException, match=r"raw:a.b\[\*\]: a path into JSON takes a name in quotes or a number"):
        spark.sql(f"SELECT raw:a.b[*] FROM {schema}.said")
    spark.sql(f'CREATE TABLE {schema}.kept AS SELECT parse_json(\'{{"a":{{"b":5}}}}\') AS v')
    both = spark.sql(f"SELECT v:a.b::int, raw:a.b[0]::int AS n FROM {schema}.kept JOIN {schema}.said WHERE v:a.b::int = 5")
    assert (both.columns, both.first()) == (["b", "n"], (5, 7))
    with pytest.raises(PySparkException, match="For a VARIANT use variant_get"):
        spark.sql(f"SELECT x:a FROM (SELECT v AS x FROM {schema}.kept)").collect()


@pytest.mark.parametrize(
    ("query", "condition", "told"),
    [
        ("SELECT nope FROM {t}", "UNRESOLVED_COLUMN.WITHOUT_SUGGESTION", "name `nope` cannot be resolved"),
        ("SELECT t.`no``pe` FROM {t} AS t", "UNRESOLVED_COLUMN.WITHOUT_SUGGESTION", "name `t`.`no``pe` cannot be resolved"),
        ("SELECT id FROM {t} AS a JOIN {t} AS b ON a.id = b.id", "AMBIGUOUS_REFERENCE", "Reference `id` is ambiguous"),
        ("SELECT nowhere(id) FROM {t}", "UNRESOLVED_ROUTINE", "Cannot resolve routine `nowhere`"),
        ("SELECT 1 % nullif(0, id) FROM {t}", "REMAINDER_BY_ZERO", "Use try_mod"),
        ("SELECT element_at(array(id), -4) FROM {t}", "INVALID_ARRAY_INDEX_IN_ELEMENT_AT", "try_element_at"),
        ("SELECT element_at(array(id), 0) FROM {t}", "INVALID_INDEX_OF_ZERO", "The index 0 is invalid"),
        ("SELECT (SELECT id FROM {t}) AS x", "SCALAR_SUBQUERY_TOO_MANY_ROWS", "More than one row"),
        ("SELECT to_date(CAST(id AS STRING), 'yyyy-MM-dd') FROM {t}", "CANNOT_PARSE_TIMESTAMP", "try_to_date"),
        ("SELECT next_day(DATE'2024-05-17', 'bogus')", "ILLEGAL_DAY_OF_WEEK", "bogus"),
        ("SELECT n + n FROM VALUES ('1') AS t(n)", "DATATYPE_MISMATCH.BINARY_OP_WRONG_TYPE", "STRING + STRING"),
        (
            "SELECT id FROM {t} AS t WHERE nullif(id, 9) NOT IN (SELECT a FROM VALUES (1, 2), (NULL, 2) AS u(a, b) WHERE u.b = t.id)",
            "UNSUPPORTED_FEATURE.CORRELATED_NOT_IN",
            "write NOT EXISTS",
        ),
        ("SELECT id FROM {t} WHERE id", "DATATYPE_MISMATCH.FILTER_NOT_BOOLEAN", 'is of type "BIGINT". It must be "BOOLEAN"'),
    ],
)
def test_what_the_engine_says_is_said_in_sparks_words(spark: SparkSession, query: str, condition: str, told: str) -> None:
    with pytest.raises(PySparkException) as error:
        spark.sql(query.format(t="range(3)")).collect()
    assert error.value.getCondition() == condition
    assert told in str(error.value)


STAR = "(SELECT * FROM VALUES (1, 2, 'x'), (3, 4, 'y') AS t(a, b, c)) AS t"
LISTS = "(SELECT * FROM VALUES (1, array(1, 5)), (2, array()), (3, NULL) AS t(i, a)) AS t"
MAPS = "(SELECT * FROM VALUES (1, map('k', 7)), (2, map()) AS t(i, m)) AS t"
ROWS = {
    # What is left out of a star.
    f"SELECT * EXCEPT (B) FROM {STAR}": [(1, "x"), (3, "y")],
    f"SELECT t.* EXCEPT (a, t.c), a + 1 AS n FROM {STAR} WHERE b > 2": [(4, 4)],
    f"WITH p AS (SELECT * EXCEPT (c) FROM {STAR}), q AS (SELECT * EXCEPT (b) FROM p) SELECT * FROM q": [(1,), (3,)],
    f"SELECT t.* EXCEPT (c), u.* EXCEPT (a) FROM {STAR} JOIN (SELECT 3 AS a, 9 AS z) AS u ON t.a = u.a": [(3, 4, 9)],
    f"SELECT count(* EXCEPT (c)), count_if(b > 2) FROM {STAR}": [(2, 1)],
    f"SELECT a FROM {STAR} EXCEPT (SELECT 1)": [(3,)],
    # What is of the first relation after USING.
    f"SELECT t.*, t.a AS k, u.z FROM {STAR} LEFT JOIN (SELECT 3 AS a, 9 AS z) AS u USING (a) WHERE b > 0": [
        (1, 2, "x", 1, None),
        (3, 4, "y", 3, 9),
    ],
    f"SELECT s.* FROM (SELECT a, struct(b, c) AS s FROM {STAR}) AS q JOIN (SELECT 3 AS a) AS u USING (a)": [(4, "y")],
    # A text that is executed.
    "EXECUTE IMMEDIATE 'SELECT ? + :n, :n::string' USING (1 + 1), 5 AS n": [(7, "5")],
    "DESCRIBE QUERY SELECT 1 AS a, map('k', 2L) AS m": [("a", "int", None), ("m", "map<string,bigint>", None)],
    # Names that the list itself defines.
    f"SELECT a + 1 AS x, x * 2 AS y, y - x AS z FROM {STAR}": [(2, 4, 2), (4, 8, 4)],
    f"SELECT a * 10 AS b, b + 1 AS n FROM {STAR}": [(10, 3), (30, 5)],
    f"SELECT sum(a) AS s, s / 2 AS h, s::string || '!' AS t FROM {STAR}": [(4, 2.0, "4!")],
    "SELECT 1 AS x, transform(array(5), x -> x + 1) AS y, named_struct('x', 3).x AS z": [(1, [6], 3)],
    f"SELECT a AS k, (SELECT max(k) FROM VALUES (8) AS v(k)) AS m FROM {STAR}": [(1, 8), (3, 8)],
    # Generators: rows without elements are left out but by outer joins, and conditions know what comes of them.
    f"SELECT i, x FROM {LISTS}, LATERAL explode(a) AS e(x)": [(1, 1), (1, 5)],
    f"SELECT i, x FROM {LISTS} JOIN LATERAL explode(a) AS e(x) WHERE x > 1 OR i = 2": [(1, 5)],
    f"SELECT i, x FROM {LISTS} LEFT JOIN LATERAL explode(a) AS e(x)": [(1, 1), (1, 5), (2, None), (3, None)],
    f"SELECT i, x FROM {LISTS} LATERAL VIEW explode(a) e AS x WHERE e.x > 1": [(1, 5)],
    f"SELECT i, x, z FROM {LISTS}, (SELECT 7 AS z) AS w LATERAL VIEW explode(a) e AS x WHERE x < z AND i < z": [
        (1, 1, 7),
        (1, 5, 7),
    ],
    f"SELECT i, p, x FROM {LISTS} LATERAL VIEW OUTER posexplode(a) e AS p, x WHERE i <> 3": [
        (1, 0, 1),
        (1, 1, 5),
        (2, None, None),
    ],
    "SELECT i, x FROM VALUES (1, array(4)), (2, array()) t(i, a), LATERAL explode(a) e(x), LATERAL explode(array(x)) f(y)": [
        (1, 4)
    ],
    # Maps taken apart.
    f"SELECT i, explode(m) FROM {MAPS}": [(1, "k", 7)],
    f"SELECT i, explode_outer(m) AS (k, v) FROM {MAPS}": [(1, "k", 7), (2, None, None)],
    f"SELECT i, k, v FROM {MAPS} LATERAL VIEW explode(m) e AS k, v WHERE v > 0": [(1, "k", 7)],
    f"SELECT i, k, v FROM {MAPS}, LATERAL explode(m) AS e(k, v)": [(1, "k", 7)],
    f"SELECT i, posexplode(m) FROM {MAPS}": [(1, 0, "k", 7)],
    f"SELECT i, p, v FROM {MAPS} LATERAL VIEW OUTER posexplode(m) e AS p, k, v": [(1, 0, 7), (2, None, None)],
    # Other forms.
    f"SELECT count(*) FROM {STAR} TABLESAMPLE (1 ROWS)": [(1,)],
    f"SELECT s.a FROM {STAR} TABLESAMPLE (5 ROWS) AS s": [(1,), (3,)],
    f"SELECT * FROM (SELECT a, b FROM {STAR}) AS q PIVOT (sum(b) FOR a IN (1, 3))": [(2, 4)],
    f"FROM {STAR} SELECT a, b WHERE a > 1": [(3, 4)],
    f"SELECT max(a) FROM (FROM {STAR} SELECT a)": [(3,)],
    "SELECT 'abc' LIKE ALL ('a%', '%c'), 'abc' NOT LIKE ANY ('a%', '%c'), upper('abc') LIKE ANY ('A%', 'x')": [
        (True, False, True)
    ],
    f"SELECT a FROM {STAR} WHERE NOT c || 'z' ILIKE SOME ('XZ', 'q') AND c LIKE ALL ('y', '%')": [(3,)],
}


@pytest.mark.parametrize("text", ROWS)
def test_rows(spark: SparkSession, text: str) -> None:
    assert sorted((tuple(row) for row in spark.sql(text).collect()), key=repr) == ROWS[text]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (f"SELECT * EXCEPT (z) FROM {STAR}", "there are `a`, `b`, `c`"),
        (f"SELECT * EXCEPT (a, A) FROM {STAR}", "twice"),
        (f"SELECT * EXCEPT (a, b, c) FROM {STAR}", "no column"),
        (f"SELECT * EXCEPT (c) FROM {STAR} JOIN {STAR.replace('AS t', 'AS u')} ON t.a = u.a", "several of that name"),
        (f"SELECT t.* EXCEPT (c) FROM {STAR} JOIN (SELECT 1 AS a) AS u USING (a)", "join ON"),
        (f"SELECT rand() AS r, r + 1 AS s FROM {STAR}", "another value each time"),
        (
            f"SELECT i, x FROM {LISTS} RIGHT JOIN (SELECT 1 AS z) AS u ON i = z, LATERAL explode(a) AS e(x)",
            "subquery of its own",
        ),
        (f"SELECT u.* FROM {STAR} JOIN (SELECT 1 AS a) AS u USING (a)", "only of the first relation"),
        (f"SELECT t.* FROM {STAR} FULL JOIN (SELECT 1 AS a) AS u USING (a)", "not beside RIGHT or FULL"),
        ("EXECUTE IMMEDIATE 'SELECT ?'", "more parameters than USING"),
        ("EXECUTE IMMEDIATE 'SELECT 1' USING 2", "gives 1 values"),
        ("EXECUTE IMMEDIATE 'SELECT :n' USING 2 AS m", "parameter :n has no value"),
        ("EXECUTE IMMEDIATE text", "VARIABLE_NOT_FOUND"),
        ("EXECUTE IMMEDIATE upper('SELECT 1')", "joined by"),
    ],
)
def test_what_cannot_be_said(spark: SparkSession, text: str, word: str) -> None:
    with pytest.raises(PySparkException, match=word):
        spark.sql(text).collect()


def test_lists_of_tables_and_views(spark: SparkSession, schema: str) -> None:
    spark.sql(f"CREATE TABLE {schema}.t AS SELECT 1 AS a, 2 AS b, map('k', 3) AS m")
    spark.sql(f"CREATE VIEW {schema}.v AS SELECT * EXCEPT (m), a + b AS s, s + 1 AS n FROM {schema}.t")
    spark.sql(f"CREATE TABLE {schema}.u AS SELECT * EXCEPT (a) FROM {schema}.v")
    spark.sql(f"EXECUTE IMMEDIATE 'INSERT INTO {schema}.u FROM {schema}.v SELECT * EXCEPT (a)'")
    assert [tuple(row) for row in spark.sql(f"TABLE {schema}.u").collect()] == [(2, 3, 4)] * 2
    assert spark.table(f"{schema}.v").columns == ["a", "b", "s", "n"]
    frame = spark.sql("SELECT * EXCEPT (b) FROM {frame} WHERE a = :a", args={"a": 1}, frame=spark.table(f"{schema}.t"))
    assert frame.columns == ["a", "m"]
    for exploded in (frame.select("a", functions.explode("m").alias("k", "v")), frame.selectExpr("a", "explode(m) AS (k, v)")):
        assert exploded.collect() == [(1, "k", 3)]


MANY = "(VALUES (1), (1), (2), (NULL), (NULL), (NULL)) AS a(x)"
FEW = "(VALUES (1), (NULL), (NULL), (3)) AS b(x)"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f"SELECT * FROM {MANY} INTERSECT ALL SELECT * FROM {FEW}", [None, None, 1]),
        (f"SELECT * FROM {FEW} INTERSECT ALL SELECT * FROM {MANY} ORDER BY x DESC LIMIT 2", [None, 1]),
        (
            f"SELECT 9 UNION ALL SELECT x FROM {MANY} INTERSECT ALL SELECT x FROM {FEW} UNION ALL SELECT 9",
            [None, None, 1, 9, 9],
        ),
        (f"SELECT x FROM {MANY} INTERSECT SELECT x FROM {MANY} INTERSECT ALL SELECT * FROM {FEW}", [None, 1]),
        (f"SELECT x FROM {MANY} INTERSECT ALL SELECT x FROM {MANY} INTERSECT ALL (SELECT * FROM {FEW})", [None, None, 1]),
        (f"WITH w AS (SELECT * FROM {FEW} INTERSECT ALL SELECT * FROM {MANY}) SELECT count(*) FROM w", [3]),
        ("VALUES (1), (1) INTERSECT ALL VALUES (1), (1), (1), (2)", [1, 1]),
        ("SELECT 'SELECT 1 INTERSECT ALL SELECT 2'", ["SELECT 1 INTERSECT ALL SELECT 2"]),
    ],
)
def test_rows_in_common_are_counted(spark: SparkSession, text: str, wanted: list[object]) -> None:
    found = [row[0] for row in spark.sql(text).collect()]
    assert sorted(found, key=lambda one: (one is not None, one)) == wanted


def test_rows_in_common_of_frames_are_counted(spark: SparkSession) -> None:
    many, few = spark.sql(f"SELECT * FROM {MANY}"), spark.sql(f"SELECT * FROM {FEW}")
    assert sorted(row.x or 0 for row in many.intersectAll(few).collect()) == [0, 0, 1]
    assert many.intersectAll(many).filter(many.x.isNull()).count() == 3
    assert many.intersect(few).count() == 2


def test_distinct_rows_are_ordered_by_what_they_are_of(spark: SparkSession) -> None:
    found = spark.sql(
        "SELECT DISTINCT upper(a), length(a) AS n FROM (VALUES ('x'), ('yy'), ('x')) t(a) ORDER BY length(a) DESC, upper(a)"
    )
    assert [tuple(row) for row in found.collect()] == [("YY", 2), ("X", 1)]


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        (
            "extract(DOW FROM DATE'2024-05-17'), date_part('dayofweek', DATE'2024-05-18'), extract(dow_iso FROM DATE'2024-05-19')",
            [(6, 7, 7)],
        ),
        ("weekday(DATE'2024-05-19'), weekday(DATE'2024-05-20') + 1", [(6, 1)]),
        ("extract(YEAROFWEEK FROM DATE'2024-12-30'), extract(YEAR FROM DATE'2024-12-30')", [(2025, 2024)]),
        ("log(x), log(2, 8), log(log(1D + x)) IS NULL FROM VALUES (1D) AS t(x)", [(0.0, 3.0, False)]),
        (
            "decode(x, 1, 'a', NULL, 'b', 'z'), decode(x, 2, 'c') FROM VALUES (1), (NULL), (2) AS t(x)",
            [("a", None), ("b", None), ("z", "c")],
        ),
        ("regexp_replace('aaa', 'a', 'b', 2), regexp_replace('aaa', 'a', 'b', 1)", [("abb", "bbb")]),
        ("sum(a), sum(double(a)), sum(CAST(a AS STRING)), sum(a) FROM VALUES (1), (2) AS t(a)", [(3, 3.0, 3.0, 3)]),
        (
            "max(a), max(string(a)) AS m, max(a::double) FROM VALUES (9), (10) AS t(a) HAVING max(string(a)) = '9'",
            [(10, "9", 10.0)],
        ),
        ("x, grouping(x) AS g FROM VALUES (1), (2) AS t(x) GROUP BY ROLLUP (x) HAVING g = 1", [(None, 1)]),
        (
            "x, count(*) AS n FROM VALUES (1), (2) AS t(x) GROUP BY CUBE (x) HAVING x IS NULL OR x > 1 ORDER BY n",
            [(2, 1), (None, 2)],
        ),
    ],
)
def test_calls_in_forms_that_the_engine_does_not_have(spark: SparkSession, query: str, rows: list[tuple[object, ...]]) -> None:
    assert [tuple(row) for row in spark.sql(f"SELECT {query}").collect()] == rows


def test_calls_keep_their_columns_names(spark: SparkSession) -> None:
    assert spark.sql("SELECT log(2D), extract(DOW FROM DATE'2024-05-17') AS d").columns == ["log(2D)", "d"]
    assert spark.range(1).selectExpr("log(id + 1D) AS x").collect()[0][0] == 0.0
    days = spark.range(1).select(functions.weekday(functions.lit("2024-05-19").cast("date")).alias("d"))
    assert [days.columns, days.collect()[0][0]] == [["d"], 6]


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [("(1, 2)", [3, 5]), ("(1, NULL)", [3, 5]), ("(NULL, NULL)", []), ("(9, 9), (5, 6)", [1, None, 3])],
)
def test_lists_that_are_not_in_a_query(spark: SparkSession, rows: str, wanted: list[int | None]) -> None:
    """What may be equal, for all that is known, is not kept."""
    query = (
        "SELECT a FROM VALUES (1, 2), (NULL, 2), (3, NULL), (5, 6) AS t(a, b) WHERE {} (SELECT x, y FROM VALUES {} AS u(x, y))"
    )
    for condition in ("(a, b) NOT IN", "NOT (a, b) IN", "true AND (t.a, b) NOT IN"):
        assert [row[0] for row in spark.sql(query.format(condition, rows)).collect()] == wanted


def test_lists_that_are_not_in_a_query_of_another(spark: SparkSession) -> None:
    """The query may name common table expressions, and no columns of the one around it."""
    base = "FROM VALUES (1, 2), (NULL, 2), (5, 6) AS t(a, b) WHERE (a, b) NOT IN"
    found = spark.sql(f"WITH u AS (SELECT * FROM VALUES (1, NULL) AS u(x, y)) SELECT a {base} (SELECT x, y FROM u)")
    assert [row.a for row in found.collect()] == [5]
    with pytest.raises(PySparkException, match="write NOT EXISTS"):
        spark.sql(f"SELECT a {base} (SELECT x, y FROM VALUES (1, 2) AS u(x, y) WHERE u.x = t.a)").collect()
