"""Sessions of a key under a watermark: they grow and swallow each other over batches, and are appended once they are complete."""

from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - its usual name

from tests.engine.streaming.programs import Place

TABLES: dict[str, list[tuple[Any, ...]]] = {
    "done": [
        ("12:00:00", "12:00:25", "a", 5, 1111, [0, 5, 8, 12, 15]),
        ("12:00:02", "12:00:22", "b", 2, 10, [2, 12]),
        ("12:00:40", "12:00:50", "b", 1, 9, [40]),
    ],
    "all": [("12:00:00", "12:00:25", "a", 11111), ("12:00:02", "12:00:22", "b", 10), ("12:00:40", "12:00:50", "b", 9)],
}
BATCHES = (
    # Two sessions of a, which touch neither each other nor that of b.
    [(0, "a", 1), (12, "a", 10), (2, "b", 7)],
    # One between them makes them one; one that begins when a session ends goes on with it.
    [(8, "a", 100), (15, "a", 0), (5, "a", 1000), (12, "b", 3)],
    # The watermark comes to 35 s: all before are complete.
    [(40, "b", 9)],
    # Too late for the session of a, which is complete.
    [(14, "a", 10_000), (70, "c", 1)],
)


def run(spark: SparkSession, place: Place) -> None:
    events = place.table("events")
    spark.sql(f"CREATE TABLE {events} (at TIMESTAMP, k STRING, n INT)")
    stream = spark.readStream.table(events)
    sessions = stream.withWatermark("at", "5 seconds").groupBy(F.session_window("at", "10 seconds"), "k")
    start, end = (F.date_format(f"session_window.{one}", "HH:mm:ss") for one in ("start", "end"))
    seconds = F.sort_array(F.collect_list(F.second("at"))).alias("seconds")
    done = sessions.agg(F.count("*").alias("rows"), F.sum("n").alias("n"), seconds)
    done = done.select(start.alias("start"), end.alias("end"), "k", "rows", "n", "seconds")
    every = (
        stream.groupBy("k", F.session_window("at", "10 seconds").alias("session")).agg(F.sum("n").alias("n")).where("k <> 'c'")
    )
    every = every.select(F.date_format("session.start", "HH:mm:ss"), F.date_format("session.end", "HH:mm:ss"), "k", "n")
    for batch in BATCHES:
        values = ", ".join(f"(TIMESTAMP'2026-01-01 12:00:00' + INTERVAL '{at}' SECOND, '{k}', {n})" for at, k, n in batch)
        spark.sql(f"INSERT INTO {events} VALUES {values}")
        place.drain(done, "done")
        place.drain(every.toDF("start", "end", "k", "n"), "all", mode="complete")
