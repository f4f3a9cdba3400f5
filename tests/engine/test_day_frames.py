"""Frames of days in windows over dates; the sums are Apache Spark's."""

import pytest
from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812

from boathouse.engine.gateway.forms.day_frames import with_day_frames


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
    assert with_day_frames(text, {"d": "date", "s": "timestamp"}) == wanted


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


@pytest.mark.filterwarnings("ignore:WARN WindowExpression")
def test_frames_of_days_of_dataframes(spark: SparkSession) -> None:
    days = spark.sql(
        "SELECT * FROM VALUES (1, DATE'2024-01-01'), (2, DATE'2024-01-02'), (4, DATE'2024-01-04'), (8, NULL) AS t(v, d)"
    )
    by_day, by_number = Window.orderBy("d"), Window.orderBy("v")
    windows = [
        (by_day.rangeBetween(-1, 0), [1, 3, 4, 8]),
        (by_day.rangeBetween(-2, -1), [None, 1, 2, 8]),
        (Window.orderBy(F.col("d").desc()).rangeBetween(Window.unboundedPreceding, -2), [4, 4, None, 15]),
        (by_day.rangeBetween(Window.unboundedPreceding, 0), [9, 11, 15, 8]),
        (by_number.rangeBetween(-2, 0), [1, 3, 6, 8]),
    ]
    for number, (window, wanted) in enumerate(windows):
        rows = days.select("v", F.sum("v").over(window).alias("s")).orderBy("v").collect()
        assert [row.s for row in rows] == wanted, number
        rows = days.withColumn("s", F.sum("v").over(window)).orderBy("v").collect()
        assert [row.s for row in rows] == wanted, number


@pytest.mark.parametrize(
    "text",
    [
        "SELECT v, sum(v) OVER (ORDER BY t.d RANGE BETWEEN 2 PRECEDING AND 1 PRECEDING) AS s FROM {days}",
        "SELECT v, sum(v) OVER (ORDER BY date_add(d, v - v) RANGE BETWEEN 2 PRECEDING AND 1 PRECEDING) AS s FROM {days}",
        "WITH x AS (SELECT * FROM {days}) SELECT v, sum(v) OVER w AS s FROM x WINDOW w AS (ORDER BY d RANGE BETWEEN 2 PRECEDING AND 1 PRECEDING)",
    ],
)
def test_frames_of_days_of_any_relation(spark: SparkSession, text: str) -> None:
    days = "(VALUES (1, DATE'2024-01-01'), (2, DATE'2024-01-02'), (4, DATE'2024-01-04'), (8, NULL)) AS t(v, d)"
    rows = sorted(spark.sql(text.format(days=days)).collect())
    assert [row.s for row in rows] == [None, 1, 2, 8]
