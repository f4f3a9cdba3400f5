"""Rows that come again within the watermark are left out; after it they are new ones."""

from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - its usual name

from tests.engine.streaming.programs import Place

TABLES: dict[str, list[tuple[Any, ...]]] = {"once": [("a", 0), ("a", 25), ("b", 30)], "first": [("a",), ("b",), ("c",)]}
BATCHES = ([(0, "a")], [(5, "a"), (30, "b")], [(25, "a"), (15, "c")])


def run(spark: SparkSession, place: Place) -> None:
    events = place.table("events")
    spark.sql(f"CREATE TABLE {events} (at TIMESTAMP, k STRING)")
    stream = spark.readStream.table(events)
    once = stream.withWatermark("at", "10 seconds").dropDuplicatesWithinWatermark(["k"]).select("k", F.second("at").alias("s"))
    for batch in BATCHES:
        values = ", ".join(f"(TIMESTAMP'2026-01-01 12:00:00' + INTERVAL '{at}' SECOND, '{k}')" for at, k in batch)
        spark.sql(f"INSERT INTO {events} VALUES {values}")
        place.drain(once, "once")
        place.drain(stream.select("k").dropDuplicates(["k"]), "first")
