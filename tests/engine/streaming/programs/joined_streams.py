"""Two streams joined within a watermark; a row waits for its partner from a later run."""

from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - its usual name

from tests.engine.streaming.programs import Place

TABLES: dict[str, list[tuple[Any, ...]]] = {"paid": [(1, 10), (2, 20), (3, 30)]}


def run(spark: SparkSession, place: Place) -> None:
    orders, payments = place.table("orders"), place.table("payments")
    spark.sql(f"CREATE TABLE {orders} (id INT, at TIMESTAMP)")
    spark.sql(f"CREATE TABLE {payments} (ordered INT, amount INT, paid TIMESTAMP)")
    left = spark.readStream.table(orders).withWatermark("at", "1 minute")
    right = spark.readStream.table(payments).withWatermark("paid", "1 minute")
    near = "id = ordered AND paid >= at AND paid <= at + INTERVAL 1 MINUTE"
    joined = left.join(right, F.expr(near)).select("id", "amount")
    spark.sql(f"INSERT INTO {orders} VALUES (1, TIMESTAMP'2026-01-01 12:00:00'), (2, TIMESTAMP'2026-01-01 12:00:10')")
    spark.sql(f"INSERT INTO {payments} VALUES (1, 10, TIMESTAMP'2026-01-01 12:00:05'), (3, 30, TIMESTAMP'2026-01-01 12:00:40')")
    place.drain(joined, "paid")
    spark.sql(f"INSERT INTO {orders} VALUES (3, TIMESTAMP'2026-01-01 12:00:20'), (4, TIMESTAMP'2026-01-01 12:00:20')")
    spark.sql(f"INSERT INTO {payments} VALUES (2, 20, TIMESTAMP'2026-01-01 12:00:30'), (4, 40, TIMESTAMP'2026-01-01 12:05:00')")
    place.drain(joined, "paid")
