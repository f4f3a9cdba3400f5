"""A stream joined with a table, whose newest rows count in each batch."""

from typing import Any

from pyspark.sql import SparkSession

from tests.engine.streaming.programs import Place

TABLES: dict[str, list[tuple[Any, ...]]] = {"named": [(1, "one"), (2, None), (3, "three")]}


def run(spark: SparkSession, place: Place) -> None:
    facts, names = place.table("facts"), place.table("names")
    spark.sql(f"CREATE TABLE {facts} (id INT)")
    spark.sql(f"CREATE TABLE {names} (id INT, name STRING)")
    spark.sql(f"INSERT INTO {facts} VALUES (1), (2)")
    spark.sql(f"INSERT INTO {names} VALUES (1, 'one')")
    joined = spark.readStream.table(facts).join(spark.table(names), "id", "left").select("id", "name")
    place.drain(joined, "named")
    spark.sql(f"INSERT INTO {names} VALUES (3, 'three')")
    spark.sql(f"INSERT INTO {facts} VALUES (3)")
    place.drain(joined, "named")
