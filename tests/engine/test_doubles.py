"""What texts have to say to the engine so that it gives Spark's values: decimal literals beside floating-point values, and frames of days. All values are Apache Spark's."""

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.functions import expr

from boathouse.engine.gateway.day_frames import with_day_frames
from boathouse.engine.gateway.doubles import Nature, with_doubles

COLUMNS = {"f": Nature.FLOATING, "d": Nature.DECIMAL, "i": Nature.WHOLE, "s": Nature.OTHER}
VALUES = (
    "(1, 1.5, 0.1, 1.5, 1), (2, double('NaN'), float('NaN'), 2.5, 2), (3, double('infinity'), 3.5, 0.1, 3), (4, 1e-20, 1e20, 4, 4), "
    "(5, NULL, NULL, NULL, NULL), (6, 0.30000000000000004, 2.5, -1.5, 6)"
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("SELECT * FROM t WHERE f > 0.5", "SELECT * FROM t WHERE f > 0.5D"),
        ("f > .5 AND d > 0.5 AND i > 0.5 AND s > 0.5", "f > .5D AND d > 0.5 AND i > 0.5 AND s > 0.5"),
        ("t.f NOT IN (0.5, -1.5) OR 0.5 < f", "t.f NOT IN (0.5D, -1.5D) OR 0.5D < f"),
        ("f NOT BETWEEN 0.1 AND 0.9 AND d BETWEEN 0.1 AND 0.2", "f NOT BETWEEN 0.1D AND 0.9D AND d BETWEEN 0.1 AND 0.2"),
        ("coalesce(f, 0.0) + nvl(d, 0.0)", "coalesce(f, 0.0D) + nvl(d, 0.0)"),
        ("CASE WHEN d > 0.1 THEN f ELSE 0.0 END > 1.5", "CASE WHEN d > 0.1 THEN f ELSE 0.0D END > 1.5D"),
        ("avg(f) > 1.5, avg(d) > 0.5, avg(i) > 0.5", "avg(f) > 1.5D, avg(d) > 0.5, avg(i) > 0.5D"),
        ("sum(i) / count(*) > 0.5", "sum(i) / count(*) > 0.5D"),
        ("1.1 + 2.2, i * 0.5, 0.5 = 0.5, 'f > 0.5'", "1.1 + 2.2, i * 0.5, 0.5 = 0.5, 'f > 0.5'"),
        ("CAST(s AS DOUBLE) > 0.5 AND s::double < 1.5", "CAST(s AS DOUBLE) > 0.5D AND s::double < 1.5D"),
        (
            "CAST(f AS DECIMAL(10, 2)) > 0.1 OR f > 1.5e3 OR f > 1.5D",
            "CAST(f AS DECIMAL(10, 2)) > 0.1 OR f > 1.5e3 OR f > 1.5D",
        ),
        ("sum(f) OVER (PARTITION BY i ORDER BY s) > 0.5", "sum(f) OVER (PARTITION BY i ORDER BY s) > 0.5D"),
        ("if(f > 0.1, f, 0.0), if(i > 1, 1, 2.5)", "if(f > 0.1D, f, 0.0D), if(i > 1, 1, 2.5)"),
        # Of what is not known: where it changes nothing beside a decimal, too.
        ("x > 0.5 AND x = 0.5 AND x > 0.1234567890123456", "x > 0.5D AND x = 0.5 AND x > 0.1234567890123456"),
        ("/* f > 0.5 */ f > (0.5) -- f > 0.5", "/* f > 0.5 */ f > (0.5D) -- f > 0.5"),
        ("(" * 500 + "f > 0.5" + ")" * 500, "(" * 500 + "f > 0.5" + ")" * 500),
    ],
)
def test_which_literals_become_doubles(text: str, wanted: str) -> None:
    assert with_doubles(text, COLUMNS) == wanted


def test_values_are_not_made_decimals_of(spark: SparkSession, schema: str) -> None:
    spark.sql(f"CREATE TABLE {schema}.t (id INT, f DOUBLE, g FLOAT, d DECIMAL(10, 2), i INT)")
    spark.sql(f"INSERT INTO {schema}.t VALUES {VALUES}")
    conditions = ("f <> 1.5", "f = 0.3", "f > 0.0", "f BETWEEN 0.1 AND 2.5", "f IN (1.5, 0.3)", "g = 0.1", "g > 0.1", "d > 0.1")
    found = {one: [row.id for row in spark.table(f"{schema}.t").filter(one).orderBy("id").collect()] for one in conditions}
    assert found == {
        "f <> 1.5": [2, 3, 4, 6],
        "f = 0.3": [],
        "f > 0.0": [1, 2, 3, 4, 6],
        "f BETWEEN 0.1 AND 2.5": [1, 6],
        "f IN (1.5, 0.3)": [1],
        "g = 0.1": [],
        "g > 0.1": [1, 2, 3, 4, 6],
        "d > 0.1": [1, 2, 4],
    }
    spark.sql(f"CREATE VIEW {schema}.v AS SELECT id, coalesce(f, 0.0) AS c FROM {schema}.t WHERE f IS NULL OR f < 1.5")
    assert spark.table(f"{schema}.v").dtypes == [("id", "int"), ("c", "double")]
    assert sorted(tuple(row) for row in spark.table(f"{schema}.v").collect()) == [
        (4, 1e-20),
        (5, 0.0),
        (6, 0.30000000000000004),
    ]
    shown = spark.table(f"{schema}.t").select("id", expr("CASE WHEN f > 0.5 THEN f ELSE 0.1 END AS c")).orderBy("id")
    assert [str(row.c) for row in shown.collect()] == ["1.5", "nan", "inf", "0.1", "0.1", "0.1"]
    assert spark.sql(f"UPDATE {schema}.t SET i = 0 WHERE f <> 1.5").collect()[0][0] == 4
    assert spark.sql(f"DELETE FROM {schema}.t WHERE f > 100.5 OR d < 0.5").collect()[0][0] == 3
    assert sorted(row.id for row in spark.table(f"{schema}.t").collect()) == [1, 4, 5]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "(ORDER BY t.d DESC RANGE BETWEEN 6 PRECEDING AND CURRENT ROW)",
            "(ORDER BY unix_date(t.d) DESC RANGE BETWEEN 6 PRECEDING AND CURRENT ROW)",
        ),
        ("(ORDER BY d RANGE INTERVAL 1 DAY PRECEDING)", "(ORDER BY CAST(d AS TIMESTAMP_NTZ) RANGE INTERVAL 1 DAY PRECEDING)"),
        ("(ORDER BY f(x) RANGE INTERVAL 1 DAY PRECEDING)", "(ORDER BY CAST(f(x) AS TIMESTAMP) RANGE INTERVAL 1 DAY PRECEDING)"),
        ("(ORDER BY s RANGE INTERVAL 1 DAY PRECEDING)", "(ORDER BY s RANGE INTERVAL 1 DAY PRECEDING)"),
        (
            "(ORDER BY d RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)",
            "(ORDER BY d RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)",
        ),
        ("SELECT * FROM range(3)", "SELECT * FROM range(3)"),
    ],
)
def test_what_dates_are_ordered_as(text: str, wanted: str) -> None:
    assert with_day_frames(text, {"d": Nature.DATE, "s": Nature.OTHER}) == wanted


def test_frames_of_days(spark: SparkSession, schema: str) -> None:
    spark.sql(f"CREATE TABLE {schema}.t (v INT, d DATE)")
    spark.sql(f"INSERT INTO {schema}.t VALUES (1, DATE'2024-01-01'), (2, DATE'2024-01-02'), (4, DATE'2024-01-04'), (8, NULL)")
    windows = {
        "ORDER BY d RANGE BETWEEN INTERVAL 1 DAY PRECEDING AND CURRENT ROW": [1, 3, 4, 8],
        "ORDER BY d RANGE BETWEEN 2 PRECEDING AND 1 PRECEDING": [None, 1, 2, 8],
        "ORDER BY date_add(d, 1) DESC RANGE BETWEEN INTERVAL '2' DAYS PRECEDING AND CURRENT ROW": [3, 6, 4, 8],
    }
    for window, wanted in windows.items():
        rows = spark.sql(f"SELECT v, sum(v) OVER ({window}) AS s FROM {schema}.t ORDER BY v").collect()
        assert [row.s for row in rows] == wanted, window
