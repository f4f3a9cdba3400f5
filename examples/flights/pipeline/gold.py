"""Gold: what people ask. Delays by day and origin, and by month and carrier."""

from pyspark import pipelines as dp
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

spark = SparkSession.active()
GOLD = {"quality": "gold"}
RATE = "late_rate IS NULL OR late_rate BETWEEN 0 AND 1"


def delays_by(*keys: Column | str) -> DataFrame:
    """The figures of the flights of each group."""
    return (
        spark.read.table("silver_flights")
        .groupBy(*keys)
        .agg(
            F.count("*").alias("flights"),
            F.count_if("cancelled").alias("cancelled"),
            F.avg(F.col("late").cast("double")).alias("late_rate"),
            F.avg("arr_delay").alias("mean_arr_delay"),
        )
    )


@dp.materialized_view(table_properties=GOLD, comment="Delays by day and airport")
@dp.expect_or_fail("rate", RATE)
def gold_daily_delays() -> DataFrame:
    return delays_by(F.col("sched_dep").cast("date").alias("day"), "origin")


@dp.materialized_view(table_properties=GOLD, comment="Delays by month and carrier")
@dp.expect_or_fail("rate", RATE)
def gold_carrier_delays() -> DataFrame:
    return delays_by("month", "carrier")
