"""Sums of windows under a watermark: appended once a window is complete, late rows left out; counts of all, replaced each time."""

from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - its usual name

from tests.engine.streaming.programs import Place

TABLES: dict[str, list[tuple[Any, ...]]] = {
    "sums": [("12:00:00", "a", 13), ("12:00:10", "b", 107)],
    "counts": [("a", 4, 113), ("b", 3, 107), ("c", 1, 1)],
}
BATCHES = (
    [(1, "a", 1), (9, "a", 2), (12, "b", 3)],
    # The watermark is at 7 s: the first window is open, one comes late and is counted.
    [(3, "a", 10), (16, "b", 4)],
    # Now it is at 11 s: too late for the first window, in time for the second.
    [(5, "a", 100), (11, "b", 100), (40, "c", 1)],
)


def run(spark: SparkSession, place: Place) -> None:
    events = place.table("events")
    spark.sql(f"CREATE TABLE {events} (at TIMESTAMP, k STRING, n INT)")
    stream = spark.readStream.table(events)
    windows = stream.withWatermark("at", "5 seconds").groupBy(F.window("at", "10 seconds"), "k").agg(F.sum("n").alias("n"))
    sums = windows.select(F.date_format("window.start", "HH:mm:ss").alias("start"), "k", "n")
    counts = stream.groupBy("k").agg(F.count("*").alias("rows"), F.sum("n").alias("n"))
    for batch in BATCHES:
        values = ", ".join(f"(TIMESTAMP'2026-01-01 12:00:00' + INTERVAL '{at}' SECOND, '{k}', {n})" for at, k, n in batch)
        spark.sql(f"INSERT INTO {events} VALUES {values}")
        place.drain(sums, "sums")
        place.drain(counts, "counts", mode="complete")
