"""Streaming programs as a user writes them: plain PySpark, without a word of which engine runs them.

Each module has a ``run`` and, in ``TABLES``, what its tables hold afterwards. ``tests/engine/streaming/test_programs.py`` runs
them on the embedded engine, ``tests/engine/spark/test_stream_programs.py`` on Apache Spark; both have to come to these tables.
A new module (a join of two streams, Kafka) is found by itself.
"""

import importlib
import pkgutil
from dataclasses import dataclass
from typing import Any, Protocol, cast

from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class Place:
    """Where a program works.

    Attributes:
        schema: Its schema, ``catalog.schema``.
        folder: A folder of its own, which the engine can read and write.
    """

    schema: str
    folder: str

    def table(self, name: str) -> str:
        """The full name of one of its tables."""
        return f"{self.schema}.{name}"

    def drain(self, stream: DataFrame, table: str, *, mode: str = "append", checkpoint: str | None = None) -> Any:
        """Write all that a stream has now to a table, and go on there the next time."""
        writer = stream.writeStream.option("checkpointLocation", f"{self.folder}/checkpoints/{checkpoint or table}")
        query = writer.outputMode(mode).trigger(availableNow=True).toTable(self.table(table))
        assert query.awaitTermination(240)
        return query


class Program(Protocol):
    """A module here."""

    TABLES: dict[str, list[tuple[Any, ...]]]

    def run(self, spark: SparkSession, place: Place) -> None:
        """Do it."""


def programs() -> dict[str, Program]:
    """All programs by their names."""
    names = sorted(one.name for one in pkgutil.iter_modules(__path__))
    return {name: cast("Program", importlib.import_module(f"{__name__}.{name}")) for name in names}


def rows(spark: SparkSession, table: str) -> list[tuple[Any, ...]]:
    """What a table holds, in an order of its own."""
    return sorted((tuple(row) for row in spark.table(table).collect()), key=repr)
