"""What tests of statements look at besides rows: the table's log."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

Actions = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def actions(location: Callable[[str], str]) -> Actions:
    """The actions of a table's newest commit, or of one version, or only those of a kind."""

    def read(name: str, kind: str | None = None, version: int | None = None) -> list[dict[str, Any]]:
        log = Path(location(name)) / "_delta_log"
        path = max(log.glob("*.json")) if version is None else log / f"{version:020}.json"
        found = [json.loads(line) for line in path.read_text().splitlines()]
        return found if kind is None else [one[kind] for one in found if kind in one]

    return read


@pytest.fixture
def fields(actions: Actions) -> Callable[[str], list[dict[str, Any]]]:
    """The columns in the newest metadata that a table's newest commit wrote."""

    def read(name: str) -> list[dict[str, Any]]:
        return json.loads(actions(name, "metaData")[-1]["schemaString"])["fields"]

    return read


@pytest.fixture
def table(spark: SparkSession, schema: str) -> str:
    """A table of three rows in two commits: `id INT, s STRING`."""
    name = f"{schema}.t"
    spark.sql(f"CREATE TABLE {name} (id INT, s STRING)")
    spark.sql(f"INSERT INTO {name} VALUES (1, 'a'), (2, 'b'), (3, NULL)")
    return name
