"""Streaming queries of a stock client."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

Checkpoint = Callable[..., str]
Drain = Callable[..., Any]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    """The folder of a checkpoint, by name."""
    return lambda name="checkpoint": str(tmp_path / name)


@pytest.fixture
def drain(checkpoint: Checkpoint) -> Drain:
    """Writes all that a stream has now to a table, and gives the query that did it."""

    def run(stream: DataFrame, table: str, name: str = "checkpoint", mode: str = "append", **options: str) -> Any:
        writer = stream.writeStream.option("checkpointLocation", checkpoint(name)).outputMode(mode).options(**options)
        query = writer.trigger(availableNow=True).toTable(table)
        assert query.awaitTermination(120)
        return query

    return run


@pytest.fixture(autouse=True)
def no_query_left(spark: SparkSession) -> Iterator[None]:
    """Queries of a test end with it."""
    yield
    for query in spark.streams.active:
        query.stop()
    spark.streams.resetTerminated()
