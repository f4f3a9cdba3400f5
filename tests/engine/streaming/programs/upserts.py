"""foreachBatch: each batch is merged into a table, with its number."""

from typing import Any

from pyspark.sql import DataFrame, SparkSession

from tests.engine.streaming.programs import Place

TABLES: dict[str, list[tuple[Any, ...]]] = {"customers": [(1, "Ann", 1), (2, "Bob", 0), (3, "Cem", 1)]}


def run(spark: SparkSession, place: Place) -> None:
    news, customers = place.table("news"), place.table("customers")
    spark.sql(f"CREATE TABLE {news} (id INT, name STRING)")
    spark.sql(f"CREATE TABLE {customers} (id INT, name STRING, batch BIGINT)")

    def upsert(batch: DataFrame, number: int) -> None:
        batch.createOrReplaceTempView("batch_of_news")
        batch.sparkSession.sql(
            f"MERGE INTO {customers} AS t USING batch_of_news AS n ON t.id = n.id "
            f"WHEN MATCHED THEN UPDATE SET t.name = n.name, t.batch = {number} "
            f"WHEN NOT MATCHED THEN INSERT (id, name, batch) VALUES (n.id, n.name, {number})"
        )

    for values in ("(1, 'ann'), (2, 'Bob')", "(1, 'Ann'), (3, 'Cem')"):
        spark.sql(f"INSERT INTO {news} VALUES {values}")
        writer = spark.readStream.table(news).writeStream.foreachBatch(upsert)
        writer = writer.option("checkpointLocation", f"{place.folder}/checkpoint").trigger(availableNow=True)
        assert writer.start().awaitTermination(240)
