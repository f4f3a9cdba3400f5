"""Joins of two streams, and several operators with a memory in one query."""

from pathlib import Path
from typing import Any

import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession, functions

from tests.engine.streaming.conftest import Checkpoint, Drain
from tests.engine.streaming.test_queries import rows
from tests.engine.streaming.test_state import add, second


@pytest.fixture
def ads(spark: SparkSession, schema: str) -> tuple[str, str]:
    """Tables of impressions and of clicks, `at TIMESTAMP, k STRING, n INT` both."""
    names = f"{schema}.impressions", f"{schema}.clicks"
    for name in names:
        spark.sql(f"CREATE TABLE {name} (at TIMESTAMP, k STRING, n INT)")
    return names


def sides(spark: SparkSession, ads: tuple[str, str]) -> tuple[Any, Any]:
    impressions = (
        spark.readStream.table(ads[0]).withWatermark("at", "10 seconds").select(functions.col("at").alias("shown"), "k", "n")
    )
    clicks = spark.readStream.table(ads[1]).withWatermark("at", "20 seconds").withColumnsRenamed({"at": "clicked", "n": "c"})
    return impressions, clicks


WITHIN = "clicked >= shown AND clicked <= shown + INTERVAL 1 MINUTE"


def test_each_pair_comes_once(
    spark: SparkSession, schema: str, ads: tuple[str, str], drain: Drain, checkpoint: Checkpoint
) -> None:
    impressions, clicks = sides(spark, ads)
    matches = (impressions.k == clicks.k) & functions.expr(WITHIN)
    joined = impressions.join(clicks, matches).select(impressions.k, "shown", clicks["clicked"], "n", "c")
    add(spark, ads[0], (0, "a", 1), (5, "b", 2))
    add(spark, ads[1], (3, "a", 10), (70, "b", 11))
    drain(joined, f"{schema}.t")

    def result() -> list[tuple[Any, ...]]:
        return sorted(
            (row.k, second(row.shown), second(row.clicked), row.n, row.c) for row in spark.table(f"{schema}.t").collect()
        )

    # b was clicked 65 seconds after it was shown.
    assert result() == [("a", 0, 3, 1, 10)]
    # A click for what was shown before, and something shown for a click that was there before.
    add(spark, ads[1], (50, "b", 12))
    add(spark, ads[0], (60, "b", 3), (90, "d", 4))
    drain(joined, f"{schema}.t")
    expected = [("a", 0, 3, 1, 10), ("b", 5, 50, 2, 12), ("b", 60, 70, 3, 11)]
    assert result() == expected
    # The batch is done again.
    last = max(int(path.name) for path in (Path(checkpoint()) / "commits").iterdir())
    (Path(checkpoint()) / "commits" / str(last)).unlink()
    drain(joined, f"{schema}.t")
    assert result() == expected
    # Watermarks: 300 - 10 and 400 - 20, of which the lesser holds. What is older is too late, and forgotten.
    add(spark, ads[0], (300, "e", 5))
    add(spark, ads[1], (400, "f", 13))
    drain(joined, f"{schema}.t")
    add(spark, ads[0], (280, "g", 6), (295, "g", 7))
    add(spark, ads[1], (296, "g", 14), (310, "e", 15))
    query = drain(joined, f"{schema}.t")
    assert result() == sorted([*expected, ("g", 295, 296, 7, 14), ("e", 300, 310, 5, 15)])
    assert query.lastProgress.stateOperators[0].operatorName == "symmetricHashJoin"
    # Shown at 280 was too late; 300 and 295, and of the clicks 400, 296 and 310.
    assert query.recentProgress[0].stateOperators[0].numRowsTotal == 5


def test_outer_and_semi_joins(spark: SparkSession, schema: str, ads: tuple[str, str], drain: Drain) -> None:
    impressions, clicks = sides(spark, ads)
    condition = functions.expr(f"i.k = c.k AND ({WITHIN})")
    streams = {
        "left": impressions.alias("i").join(clicks.alias("c"), condition, "left").select("i.k", "n", "c.c"),
        "right": clicks.alias("c").join(impressions.alias("i"), condition, "right").select("i.k", "n", "c.c"),
        "full": impressions.alias("i").join(clicks.alias("c"), condition, "full").select("i.k", "n", "c.c"),
        "semi": impressions.alias("i").join(clicks.alias("c"), condition, "left_semi").selectExpr("i.k", "n", "0 AS c"),
        "using": impressions.join(clicks.withColumnRenamed("clicked", "shown"), ["k", "shown"]).select("k", "n", "c"),
    }

    def drained() -> dict[str, list[tuple[Any, ...]]]:
        for name, stream in streams.items():
            drain(stream, f"{schema}.{name}", name)
        return {name: rows(spark, f"{schema}.{name}") for name in streams}

    add(spark, ads[0], (0, "a", 1), (5, "b", 2), (6, "c", 3))
    add(spark, ads[1], (3, "a", 10), (4, "a", 11), (6, "c", 12), (5, "x", 9))
    first = drained()
    assert first["left"] == first["right"] == first["full"] == [("a", 1, 10), ("a", 1, 11), ("c", 3, 12)]
    assert first["semi"] == [("a", 1, 0), ("c", 3, 0)]
    assert first["using"] == [("c", 3, 12)]
    # The watermark comes to 70 s: b, shown at 5 s, can be clicked no more. d can.
    add(spark, ads[0], (80, "d", 4))
    add(spark, ads[1], (100, "e", 13), (5, "a", 14))
    second = drained()
    assert second["left"] == second["right"] == [("a", 1, 10), ("a", 1, 11), ("a", 1, 14), ("b", 2, None), ("c", 3, 12)]
    # Clicked at 5 s, e could have been shown until now.
    assert second["full"] == [*second["left"][:4], ("c", 3, 12), (None, None, 9)]
    assert second["semi"] == first["semi"]
    assert second["using"] == first["using"]


def test_operators_follow_each_other(spark: SparkSession, schema: str, ads: tuple[str, str], drain: Drain) -> None:
    impressions, clicks = sides(spark, ads)
    counted = (
        impressions.dropDuplicates(["k", "shown"])
        .join(clicks, (impressions.k == clicks.k) & functions.expr("clicked BETWEEN shown AND shown + INTERVAL '10' SECOND"))
        .groupBy(functions.window("shown", "10 seconds"), impressions.k)
        .agg(functions.sum("c").alias("c"))
        .select("window.start", "k", "c")
    )
    twice = (
        spark.readStream.table(ads[0])
        .withWatermark("at", "10 seconds")
        .groupBy(functions.window("at", "5 seconds"))
        .count()
        .withColumn("time", functions.window_time("window"))
        .groupBy(functions.window("time", "10 seconds").alias("both"))
        .agg(functions.max("count").alias("most"))
        .select("both.start", "most")
    )
    add(spark, ads[0], (0, "a", 1), (0, "a", 1), (3, "b", 2), (7, "b", 2), (12, "a", 3))
    add(spark, ads[1], (1, "a", 1), (2, "a", 2), (8, "b", 4), (20, "a", 8))
    for _ in range(2):
        drain(counted, f"{schema}.counted", "counted")
        drain(twice, f"{schema}.twice", "twice")
        # The watermark comes to 30 s, the join's rows can be ten seconds behind it.
        add(spark, ads[0], (40, "z", 0))
        add(spark, ads[1], (50, "z", 0))
    drain(counted, f"{schema}.counted", "counted")
    found = sorted((second(row.start), row.k, row.c) for row in spark.table(f"{schema}.counted").collect())
    assert found == [(0, "a", 3), (0, "b", 8)]
    assert sorted((second(row.start), row.most) for row in spark.table(f"{schema}.twice").collect()) == [(0, 3), (10, 1)]


def test_what_is_refused(spark: SparkSession, ads: tuple[str, str]) -> None:
    impressions, clicks = sides(spark, ads)
    aggregate = impressions.groupBy("k").count()
    for frame, mode, message in (
        (impressions.join(clicks, "k", "left_anti"), "append", "left anti.*Apache Spark"),
        (impressions.join(clicks, "k", "full"), "append", "FullOuter.*watermark"),
        (impressions.join(clicks, "k", "left"), "append", "LeftOuter.*watermark"),
        (impressions.join(clicks, "k").groupBy("k").count(), "complete", "only in Append"),
        (aggregate.groupBy("count").count(), "complete", "may follow an aggregation"),
        (impressions.join(clicks, functions.col("k") == functions.col("k")), "append", "AMBIGUOUS_REFERENCE"),
    ):
        with pytest.raises(AnalysisException, match=message):
            frame.writeStream.format("noop").outputMode(mode).start()
