"""Two queries at once over one table, watched and stopped through the session's query manager."""

from typing import Any

from pyspark.sql import SparkSession

from tests.engine.streaming.programs import Place

TABLES: dict[str, list[tuple[Any, ...]]] = {"even": [(2,), (4,)], "odd": [(1,), (3,)]}


def run(spark: SparkSession, place: Place) -> None:
    numbers = place.table("numbers")
    spark.sql(f"CREATE TABLE {numbers} (id INT)")
    spark.sql(f"INSERT INTO {numbers} VALUES (1), (2)")
    spark.streams.resetTerminated()
    queries: list[Any] = []
    for rest, name in enumerate(("even", "odd")):
        writer = spark.readStream.table(numbers).where(f"id % 2 = {rest}").writeStream.queryName(f"{place.schema}.{name}")
        writer = writer.option("checkpointLocation", f"{place.folder}/{name}")
        queries.append(writer.trigger(processingTime="1 second").toTable(place.table(name)))
    assert {query.name for query in spark.streams.active} == {f"{place.schema}.{name}" for name in ("even", "odd")}
    spark.sql(f"INSERT INTO {numbers} VALUES (3), (4)")
    for query in queries:
        query.processAllAvailable()
        assert query.isActive
        assert query.lastProgress.numInputRows > 0
    assert not spark.streams.awaitAnyTermination(0.1)
    for query in queries:
        query.stop()
        assert not query.isActive
        assert query.exception() is None
    assert spark.streams.active == []
    assert spark.streams.awaitAnyTermination(5)
