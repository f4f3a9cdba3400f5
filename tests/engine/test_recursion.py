"""WITH RECURSIVE, COLLATE and ORDER BY behind QUALIFY on the embedded engine."""

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

NUMBERS = "r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5)"
EDGES = "e AS (SELECT * FROM VALUES ('a', 'b'), ('b', 'c'), ('c', 'd'), ('x', 'y') AS e(s, t))"
ROWS = {
    f"WITH RECURSIVE {NUMBERS} SELECT sum(n), count(*) FROM r": [(15, 5)],
    f"WITH RECURSIVE {EDGES}, p AS (SELECT s, t, 1 AS d FROM e WHERE s = 'a' UNION ALL SELECT p.s, e.t, d + 1 FROM p JOIN e ON p.t = e.s) "
    "SELECT t, d FROM p": [("b", 1), ("c", 2), ("d", 3)],
    f"SELECT * FROM (WITH RECURSIVE {NUMBERS} SELECT n FROM r WHERE n > 3)": [(4,), (5,)],
    "WITH RECURSIVE f(a, b, i) AS (SELECT 0L, 1L, 1 UNION ALL SELECT b, a + b, i + 1 FROM f WHERE i < 50) SELECT max(a) FROM f": [
        (7778742049,)
    ],
    "WITH RECURSIVE r(n) MAX RECURSION LEVEL 200 AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 150) SELECT max(n) FROM r": [
        (150,)
    ],
    f"WITH RECURSIVE {NUMBERS}, q AS (SELECT n * 2 AS m FROM r) SELECT max(m) FROM q": [(10,)],
    "WITH RECURSIVE r AS (SELECT 1 AS n) SELECT * FROM r": [(1,)],
    "WITH RECURSIVE r(n) AS (SELECT 1 WHERE false UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r": [(0,)],
    "SELECT 'a' COLLATE UTF8_BINARY AS a": [("a",)],
    "SELECT t.a FROM VALUES (2, 'x'), (1, 'x'), (3, 'y') AS t(a, b) QUALIFY row_number() OVER (PARTITION BY b ORDER BY a) = 1 ORDER BY t.a DESC": [
        (1,),
        (3,),
    ],
}
WRONG = {
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT * FROM r": "more than 100 steps",
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION SELECT n + 1 FROM r) SELECT * FROM r": "UNION ALL",
    "WITH RECURSIVE r(n) AS (SELECT n FROM r UNION ALL SELECT 1) SELECT * FROM r": "rows to begin with",
    "WITH RECURSIVE r(n, m) AS (SELECT 1 UNION ALL SELECT n FROM r) SELECT * FROM r": "2 columns",
    "WITH RECURSIVE r(n) AS (SELECT nothing UNION ALL SELECT n FROM r) SELECT * FROM r": "nothing",
    "SELECT 'a' COLLATE UTF8_LCASE": "collation UTF8_LCASE is not supported",
    "CREATE TABLE t (a STRING COLLATE UNICODE_CI)": "collation UNICODE_CI",
}


@pytest.mark.parametrize("text", ROWS)
def test_rows(spark: SparkSession, text: str) -> None:
    assert sorted(map(tuple, spark.sql(text).collect())) == ROWS[text]


@pytest.mark.parametrize("text", WRONG)
def test_what_is_refused(spark: SparkSession, text: str) -> None:
    with pytest.raises(PySparkException, match=WRONG[text]):
        spark.sql(text).collect()


def test_recursion_in_views_and_writes(spark: SparkSession, schema: str) -> None:
    spark.sql(f"CREATE TABLE {schema}.t AS WITH RECURSIVE {NUMBERS} SELECT n, 'x' AS s FROM r")
    spark.sql(f"INSERT INTO {schema}.t WITH RECURSIVE {NUMBERS} SELECT n * 10, 'y' FROM r")
    assert spark.sql(f"SELECT sum(n) FROM {schema}.t").collect() == [(165,)]
    frame = spark.sql(
        f"WITH RECURSIVE r AS (SELECT min(n) AS n FROM {schema}.t UNION ALL SELECT n + 1 FROM r WHERE n < 4) SELECT * FROM r"
    )
    assert frame.columns == ["n"]
    spark.sql(f"DELETE FROM {schema}.t WHERE n < 3")
    assert sorted(row.n for row in frame.collect()) == [3, 4]


def test_recursion_reads_what_its_asker_may(spark: SparkSession, schema: str, user: tuple[str, SparkSession]) -> None:
    spark.sql(f"CREATE TABLE {schema}.t AS SELECT 1 AS n")
    for query in (
        f"SELECT n FROM {schema}.t UNION ALL SELECT n + 1 FROM r WHERE n < 3",
        f"SELECT 1 UNION ALL SELECT t.n + 1 FROM r JOIN {schema}.t ON r.n = t.n",
    ):
        with pytest.raises(PySparkException, match=r"(?i)privilege|permission|USE SCHEMA"):
            user[1].sql(f"WITH RECURSIVE r(n) AS ({query}) SELECT * FROM r").collect()
