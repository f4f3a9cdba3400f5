"""What the steps of the example share: stock clients from the environment, and a way to say how far they are."""

import json
import os
import sys
import time
import warnings
from collections.abc import Iterable, Iterator, Sized
from typing import Any, TypeVar

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import AlreadyExists, ResourceAlreadyExists, ResourceConflict
from pyspark.sql import DataFrame, SparkSession

warnings.filterwarnings("ignore", category=FutureWarning)

SCHEMA = "main.flights"
LANDING = "/Volumes/main/flights/landing"
CODE = "/Volumes/main/flights/code"
TAKEN = (AlreadyExists, ResourceAlreadyExists, ResourceConflict)
EXTRA_DAYS = int(os.environ.get("FLIGHTS_DAYS", "1"))
"""FLIGHTS_DAYS=9 takes only every 9th day of the year: the same loop on less data, for tests."""

T = TypeVar("T")


def spark_session() -> SparkSession:
    """A stock Spark Connect client."""
    return SparkSession.builder.remote(os.environ["SPARK_REMOTE"]).getOrCreate()


def workspace() -> WorkspaceClient:
    """A stock Databricks SDK client."""
    return WorkspaceClient(host=os.environ["DATABRICKS_HOST"], token=os.environ["DATABRICKS_TOKEN"])


def exists(table: str) -> bool:
    """Whether there is a table."""
    return workspace().tables.exists(table).table_exists is True


NO_ROWS = ("SET TBLPROPERTIES", "UNSET TBLPROPERTIES", "OPTIMIZE", "VACUUM START", "VACUUM END")
"""What leaves a table's rows as they are: to pin the versions that a model learned from sets a property, too."""


def version_of(spark: SparkSession, table: str) -> int:
    """The newest Delta version of a table that changed its rows."""
    history = spark.sql(f"DESCRIBE HISTORY {table}").collect()
    return max(int(row["version"]) for row in history if row["operation"] not in NO_ROWS)


def source_versions(spark: SparkSession, table: str) -> dict[str, int]:
    """The versions of the tables that a table was made from, as its properties ``source.<name>`` tell."""
    found = spark.sql(f"SHOW TBLPROPERTIES {table}").collect()
    return {row[0].removeprefix("source."): int(row[1]) for row in found if row[0].startswith("source.")}


def versions_of(spark: SparkSession, *names: str) -> dict[str, int]:
    """The newest versions of some tables of the schema, by name."""
    return {name: version_of(spark, f"{SCHEMA}.{name}") for name in names}


def up_to_date(spark: SparkSession, table: str, sources: dict[str, int]) -> bool:
    """Whether a table was made from just these versions, so that making it again would change nothing."""
    return exists(table) and source_versions(spark, table) == sources


def table_properties(spark: SparkSession, table: str, **properties: str) -> None:
    """Set properties of a table; ``quality`` says which stage of the way it belongs to."""
    pairs = ", ".join(f"'{key}' = '{value}'" for key, value in properties.items())
    spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ({pairs})")


def replace_table(
    spark: SparkSession, table: str, rows: DataFrame, sources: dict[str, int] | None = None, **properties: str
) -> None:
    """Write a table anew; its history keeps the versions before. What it was made from is noted last, when it is whole."""
    rows.write.mode("overwrite").option("overwriteSchema", "true").saveAsTable(table)
    note_sources(spark, table, sources or {}, **properties)


def note_sources(spark: SparkSession, table: str, sources: dict[str, int], **properties: str) -> None:
    """Note the versions of the tables that one was made from, beside other properties."""
    noted = properties | {f"source.{name}": str(version) for name, version in sources.items()}
    if noted:
        table_properties(spark, table, **noted)


class Report:
    """Tells what the step does: to the file that FLIGHTS_REPORT names, one JSON line an event, or to people."""

    def __init__(self) -> None:
        self._path = os.environ.get("FLIGHTS_REPORT")
        self._last = 0.0

    def progress(self, task: str, done: int, total: int, unit: str) -> None:
        """How far a task is; at most five times a second."""
        now = time.monotonic()
        if self._path and (done >= total or now - self._last > 0.2):
            self._last = now
            self._write({"event": "progress", "task": task, "done": done, "total": total, "unit": unit})

    def track(self, items: Iterable[T], task: str, unit: str, total: int | None = None) -> Iterator[T]:
        """The items, with the progress told after each."""
        count = total if total is not None else len(items) if isinstance(items, Sized) else 0
        for done, item in enumerate(items, 1):
            yield item
            self.progress(task, done, count, unit)

    def note(self, text: str) -> None:
        """A sentence worth showing."""
        self._write({"event": "note", "text": text}, text)

    def figures(self, headline: str, **figures: Any) -> None:
        """The step's figures, and the one that matters in a sentence."""
        self._write({"event": "figures", "headline": headline, "figures": figures}, f"{headline}\n{figures}")

    def _write(self, event: dict[str, Any], text: str = "") -> None:
        if self._path:
            with open(self._path, "a", encoding="utf-8") as file:  # noqa: PTH123
                file.write(json.dumps(event) + "\n")
        elif text:
            print(text)


def stop(message: str) -> None:
    """End the step with one clear message."""
    print(message, file=sys.stderr)
    raise SystemExit(1)
