"""Queries with the pipe ``|>``."""

import re

import pytest
from pyspark.errors import ParseException, PySparkException
from pyspark.sql import SparkSession

from boathouse.engine.gateway.forms.pipes import with_pipes

PIPED = "AS `__bh_piped`"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "FROM t x |> WHERE x.a > 1 OR b |> JOIN u ON x.a = u.a |> WHERE u.b |> WHERE c |> SELECT x.a",
            "SELECT x.a FROM (SELECT * FROM t x WHERE (x.a > 1 OR b)) AS `x` JOIN u ON x.a = u.a WHERE (u.b) AND (c)",
        ),
        (
            "FROM t |> ORDER BY a |> LIMIT 3 OFFSET 1 |> WHERE b",
            "SELECT * FROM (SELECT * FROM t ORDER BY a LIMIT 3 OFFSET 1) AS `t` WHERE (b)",
        ),
        (
            "TABLE t |> AGGREGATE sum(v) AS s GROUP BY k, k2 + 1 AS g |> AS z |> EXTEND z.s + 1 AS n |> DROP s",
            (
                "SELECT * EXCEPT (s) FROM (SELECT *, z.s + 1 AS n FROM (SELECT * FROM (SELECT k, k2 + 1 AS g, sum(v) AS s FROM t "
                f"GROUP BY k, k2 + 1) {PIPED}) AS z) AS z"
            ),
        ),
        ("INSERT INTO x FROM t |> SELECT DISTINCT a", "INSERT INTO x SELECT DISTINCT a FROM t"),
        ("CREATE TABLE y AS TABLE t |> WHERE a = '|>'", "CREATE TABLE y AS SELECT * FROM t WHERE (a = '|>')"),
        (
            "WITH w AS (FROM t |> LIMIT 1) SELECT a FROM w |> UNION ALL (FROM r |> SELECT b)",
            f"WITH w AS (SELECT * FROM t LIMIT 1) SELECT * FROM (SELECT a FROM w) {PIPED} UNION ALL (SELECT b FROM r)",
        ),
        ("SELECT a || b, '|>' FROM t -- |>", "SELECT a || b, '|>' FROM t -- |>"),
    ],
)
def test_texts(text: str, wanted: str) -> None:
    assert with_pipes(text, lambda _: None) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("FROM t |> WHERE n > 1 |> SELECT k, n * 2 AS m |> ORDER BY m DESC", [("b", 6), ("a", 4)]),
        ("FROM t |> AGGREGATE sum(n) AS s, count(*) AS c GROUP BY k |> WHERE s > 2 |> ORDER BY k", [("a", 3, 2), ("b", 3, 1)]),
        ("FROM t |> AGGREGATE max(n)", [(3,)]),
        ("FROM t |> SET n = n + 10 |> EXTEND n - 1 AS o |> DROP k |> ORDER BY n |> LIMIT 1", [(11, 10)]),
        (
            "FROM t |> AS x |> JOIN (FROM t |> SELECT k AS l, n AS o) y ON x.n = y.o |> WHERE y.l = 'b' |> SELECT x.k, y.o",
            [("b", 3)],
        ),
        ("FROM t |> WHERE n = 1 |> UNION ALL TABLE t |> SELECT k |> ORDER BY k", [("a",), ("a",), ("a",), ("b",)]),
        ("FROM t |> ORDER BY n DESC |> LIMIT 2 |> AGGREGATE sum(n) AS s", [(5,)]),
        ("FROM t |> PIVOT (sum(n) FOR k IN ('a', 'b'))", [(3, 3)]),
        ("SELECT (FROM t |> AGGREGATE min(n)) AS least", [(1,)]),
    ],
)
def test_answers(spark: SparkSession, text: str, wanted: list[tuple[object, ...]]) -> None:
    spark.sql("SELECT * FROM VALUES ('a', 1), ('a', 2), ('b', 3) AS t(k, n)").createOrReplaceTempView("t")
    assert [tuple(row) for row in spark.sql(text).collect()] == wanted


def test_what_is_wrong_is_told(spark: SparkSession) -> None:
    spark.sql("SELECT 1 AS a").createOrReplaceTempView("one")
    for text, told in (
        ("FROM one |> CHOOSE a", "A pipe |> cannot be followed by CHOOSE. Valid: SELECT, EXTEND,"),
        ("FROM one |>", "cannot be followed by nothing"),
        ("FROM one |> SET b = 1", "there is no b. Columns: a"),
        ("FROM one |> SET b", "columns with their values"),
    ):
        with pytest.raises((ParseException, PySparkException), match=re.escape(told)):
            spark.sql(text).collect()
