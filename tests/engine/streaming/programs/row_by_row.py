"""Rows are filtered and changed one by one; the second run goes on from the checkpoint."""

from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - its usual name

from tests.engine.streaming.programs import Place

TABLES: dict[str, list[tuple[Any, ...]]] = {"big": [(2, 20.5, "B"), (3, 30.0, "C")]}


def run(spark: SparkSession, place: Place) -> None:
    orders = place.table("orders")
    spark.sql(f"CREATE TABLE {orders} (id INT, amount DOUBLE, who STRING)")
    spark.sql(f"INSERT INTO {orders} VALUES (1, 1.0, 'a'), (2, 20.5, 'b')")
    stream = spark.readStream.table(orders).where("amount > 10").withColumn("who", F.upper("who"))
    first = place.drain(stream, "big")
    spark.sql(f"INSERT INTO {orders} VALUES (3, 30.0, 'c'), (4, 4.0, 'd')")
    second = place.drain(stream, "big")
    assert first.id == second.id
    assert first.runId != second.runId
    third = place.drain(stream, "big").lastProgress
    assert third is None or third.numInputRows == 0
