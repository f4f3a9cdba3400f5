"""Silver: one row a flight and one an hour of weather, with moments in UTC, and what a row has to be like.

Rows that do not meet a dropping expectation go to ``<table>_quarantine`` with the reason; those of a warning are counted.
"""

from pyspark import pipelines as dp
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

spark = SparkSession.active()
SILVER = {"quality": "silver"}


def minutes(column: Column) -> Column:
    """So many minutes, to be added to a moment."""
    return F.make_dt_interval(F.lit(0), F.lit(0), column, F.lit(0))


# A flight's outcome is known when it has arrived. The file tells the scheduled arrival by the clock of the destination, so it is
# turned to UTC by the airport's time zone; the four airports that the file of airports lacks are in Puerto Rico and the Virgin
# Islands.
@dp.temporary_view
def flights_in_utc() -> DataFrame:
    zones = spark.read.table("bronze_airports").select(F.col("faa").alias("dest"), "tzone")
    hours, rest = F.floor(F.col("sched_arr_time") / 100), F.col("sched_arr_time") % 100
    clock = F.make_timestamp("year", "month", "day", hours, rest, F.lit(0))
    hour = F.to_timestamp("time_hour")
    return (
        spark.readStream.table("bronze_flights")
        .join(zones, "dest", "left")
        .withColumn("hour_utc", hour)
        .withColumn("sched_dep", hour + minutes(F.col("minute")))
        .withColumn("departed_at", hour + minutes(F.col("minute") + F.col("dep_delay")))
        .withColumn("arrival", F.to_utc_timestamp(clock, F.coalesce("tzone", F.lit("America/Puerto_Rico"))))
    )


@dp.table(table_properties=SILVER, comment="One row a flight; late is 15 minutes or more")
@dp.expect_or_drop("fits", "_rescued_data IS NULL")
@dp.expect_or_drop("known_origin", "_rescued_data IS NOT NULL OR origin IN ('EWR', 'JFK', 'LGA')")
# A diverted flight has no arrival delay: it is neither late nor on time, so it is no example of either.
@dp.expect_or_drop("has_outcome", "cancelled OR arr_delay IS NOT NULL")
@dp.expect("has_tailnum", "tailnum IS NOT NULL")
@dp.expect("plausible_delay", "arr_delay IS NULL OR arr_delay BETWEEN -120 AND 720")
def silver_flights() -> DataFrame:
    name = F.concat_ws("-", F.date_format("hour_utc", "yyyyMMddHH"), "minute", "carrier", "flight", "origin")
    day_later = F.when(F.col("arrival") <= F.col("sched_dep"), 1).otherwise(0)
    landed = F.col("arrival") + F.make_dt_interval(day_later, F.lit(0), F.col("arr_delay"), F.lit(0))
    return spark.readStream.table("flights_in_utc").select(
        name.alias("flight_id"),
        *("sched_dep", "carrier", "flight", "tailnum", "origin", "dest"),
        *("month", "hour", "minute", "distance", "dep_delay", "arr_delay"),
        F.isnull("dep_time").alias("cancelled"),
        (F.col("arr_delay") >= 15).alias("late"),
        "departed_at",
        # A few rows contradict themselves: no flight has arrived before it left and flew.
        F.greatest(landed, F.col("departed_at") + minutes(F.col("air_time"))).alias("known_at"),
        *("_rescued_data", "_file"),
    )


@dp.table(table_properties=SILVER, comment="One row an airport and hour")
@dp.expect_or_drop("fits", "_rescued_data IS NULL")
@dp.expect_or_drop("has_temperature", "temp IS NOT NULL")
@dp.expect("plausible_wind", "wind_speed IS NULL OR wind_speed < 100")
@dp.expect("has_pressure", "pressure IS NOT NULL")
def silver_weather() -> DataFrame:
    return spark.readStream.table("bronze_weather").select(
        "origin",
        F.to_timestamp("time_hour").alias("time_hour"),
        *("temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"),
        *("_rescued_data", "_file"),
    )


@dp.materialized_view(comment="Flights that silver has more than once: a file came twice, under two names")
@dp.expect("once", "copies = 1")
def silver_flights_copies() -> DataFrame:
    copies = spark.read.table("silver_flights").groupBy("flight_id").agg(F.count("*").alias("copies"))
    return copies.where("copies > 1")
