"""The change data feed of a table that is inserted into, updated and deleted from."""

from typing import Any

from pyspark.sql import SparkSession

from tests.engine.streaming.programs import Place

TABLES: dict[str, list[tuple[Any, ...]]] = {
    "fed": [
        (1, "a", "delete", 3),
        (1, "a", "insert", 1),
        (2, "B", "update_postimage", 2),
        (2, "b", "insert", 1),
        (2, "b", "update_preimage", 2),
        (3, "c", "insert", 4),
    ]
}


def run(spark: SparkSession, place: Place) -> None:
    name = place.table("changing")
    spark.sql(f"CREATE TABLE {name} (id INT, v STRING) TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')")
    spark.sql(f"INSERT INTO {name} VALUES (1, 'a'), (2, 'b')")
    feed = spark.readStream.option("readChangeFeed", "true").option("startingVersion", 0).table(name)
    kept = feed.select("id", "v", "_change_type", "_commit_version")
    place.drain(kept, "fed")
    spark.sql(f"UPDATE {name} SET v = 'B' WHERE id = 2")
    spark.sql(f"DELETE FROM {name} WHERE id = 1")
    spark.sql(f"INSERT INTO {name} VALUES (3, 'c')")
    place.drain(kept, "fed")
