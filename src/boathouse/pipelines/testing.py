"""For tests of pipelines: run one on small inputs, in the test's own process, against a server that the tests share.

    pytest_plugins = ["boathouse.pipelines.testing"]

    def test_gold(pipeline):
        pipeline.given("orders", [{"id": 1, "amount": 5}, {"id": 2, "amount": None}])
        result = pipeline.run("transformations/gold.py")
        assert pipeline.rows("gold") == [{"id": 1, "amount": 5}]
        assert result.expectations["gold"]["amount_there"].failed == 1

Every test gets a schema of its own. The fixture ``spark`` is a session with a server on a new lake, which the first test starts and
which ends after the last one. A fixture of that name in the project's ``conftest.py`` takes its place: a session with a server that
runs already, for example.
"""

import configparser
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from boathouse.engine.capabilities import SAIL
from boathouse.engine.gateway.sql.tokens import quote
from boathouse.pipelines.events import Event, UpdateState
from boathouse.pipelines.planning.plan import Plan
from boathouse.pipelines.running.options import Options
from boathouse.pipelines.running.session import Session
from boathouse.pipelines.running.state import MemoryState
from boathouse.pipelines.running.update import Update, declare_sources
from boathouse.pipelines.source.sources import SourceFile

_START_SECONDS = 60
_STOP_SECONDS = 20


class Counts(NamedTuple):
    """How many rows met an expectation, and how many did not."""

    passed: int
    failed: int


class ServerFailed(RuntimeError):
    """The server of the tests did not start."""


class UpdateFailed(AssertionError):
    """The update of a test did not complete."""


@dataclass(frozen=True)
class Result:
    """What an update did.

    Attributes:
        state: How it ended.
        events: All that it told.
    """

    state: UpdateState
    events: Sequence[Event]

    @property
    def errors(self) -> list[str]:
        """The messages of the errors."""
        return [one["message"] for event in self.events if event.error for one in event.error["exceptions"]]

    @property
    def flows(self) -> dict[str, str]:
        """How each flow ended, by the last part of its name."""
        told = [event for event in self.events if event.kind == "flow_progress" and event.flow is not None]
        return {str(event.flow).rsplit(".", 1)[-1]: str(event.details["status"]) for event in told}

    @property
    def expectations(self) -> dict[str, dict[str, Counts]]:
        """Counts of all flows of a dataset, by the last part of its name and the expectation's."""
        found: dict[str, dict[str, Counts]] = {}
        for event in self.events:
            for one in event.details.get("data_quality", {}).get("expectations", []):
                of_dataset = found.setdefault(one["dataset"].rsplit(".", 1)[-1], {})
                before = of_dataset.get(one["name"], Counts(0, 0))
                of_dataset[one["name"]] = Counts(before.passed + one["passed_records"], before.failed + one["failed_records"])
        return found


@dataclass
class PipelineUnderTest:
    """A pipeline in a schema of its own.

    Attributes:
        spark: A Spark Connect session.
        catalog: Where its schema is.
        schema: Its schema.
        state: What it remembers from one update to the next.
        storage: Folder of its checkpoints.
        dbutils: What stands for ``dbutils`` in its sources: something with ``secrets.get(scope, key)``, for example.
    """

    spark: Any
    catalog: str
    schema: str
    state: MemoryState = field(default_factory=MemoryState)
    storage: str = ""
    dbutils: Any = None

    def name(self, table: str) -> str:
        """The full name of a table of the schema, in backticks."""
        return quote((self.catalog, self.schema, table))

    def given(self, table: str, rows: Any, schema: StructType | str | None = None) -> None:
        """Make a table of rows: a list of dictionaries or tuples, a pandas or a Spark DataFrame. Given again, the rows are added."""
        frame = rows if hasattr(rows, "write") else self.spark.createDataFrame(rows, schema)
        frame.write.format("delta").mode("append").saveAsTable(self.name(table))

    def rows(self, table: str, *order_by: str) -> list[dict[str, Any]]:
        """The rows of a table, sorted by some columns, else by all."""
        frame = self.spark.table(self.name(table))
        return [row.asDict(recursive=True) for row in frame.orderBy(*(order_by or frame.columns)).collect()]

    def run(
        self,
        *sources: str | Path | SourceFile,
        configuration: Mapping[str, str] | None = None,
        full_refresh: bool = False,
        full_refresh_selection: Sequence[str] = (),
        refresh_selection: Sequence[str] = (),
        validate_only: bool = False,
        expect: UpdateState | None = UpdateState.COMPLETED,
    ) -> Result:
        """Run one update.

        Args:
            sources: Paths of files, or files with their text.
            configuration: The pipeline's.
            full_refresh: Whether everything is done anew.
            full_refresh_selection: Names of the tables that are done anew.
            refresh_selection: Names of the tables that are brought up to date.
            validate_only: Whether to plan only.
            expect: How it has to end; None for any way.

        Raises:
            UpdateFailed: If it ends otherwise.
        """
        events: list[Event] = []
        options = Options(
            pipeline_id=f"test-{self.schema}",
            update_id=str(uuid.uuid4()),
            full_refresh=full_refresh,
            full_refresh_selection=tuple(full_refresh_selection),
            refresh_selection=tuple(refresh_selection),
            validate_only=validate_only,
            storage=lambda: self.storage,
            heeded=self._heeded(),
        )
        session = Session(self.spark)
        update = Update(session, self.catalog, self.schema, options, self.state, events.append)
        result = Result(update.run(self._declare(session, sources, configuration)), events)
        if expect is not None and result.state is not expect:
            told = "\n".join(result.errors)
            raise UpdateFailed(f"The update is {result.state.value}, not {expect.value}:\n{told}")
        return result

    def plan(self, *sources: str | Path | SourceFile, configuration: Mapping[str, str] | None = None) -> Plan:
        """Plan only.

        Raises:
            GraphInvalid: If the pipeline cannot be run.
        """
        session = Session(self.spark)
        options = Options("test", "test", validate_only=True, heeded=self._heeded())
        update = Update(session, self.catalog, self.schema, options, self.state, lambda _: None)
        return update.plan(self._declare(session, sources, configuration))

    def _heeded(self) -> tuple[str, ...] | None:
        """The settings that the engine knows: of the embedded one those of its capabilities, and of Apache Spark, whose sessions are an application's, all."""
        settings = SAIL.settings if self.spark.conf.get("spark.app.id", None) is None else None
        return None if settings is None else tuple(sorted(settings))

    def _declare(
        self, session: Session, sources: Sequence[str | Path | SourceFile], configuration: Mapping[str, str] | None
    ) -> Any:
        files = [one if isinstance(one, SourceFile) else SourceFile(str(one), Path(one).read_text("utf-8")) for one in sources]
        return declare_sources(session, files, configuration or {}, self.dbutils)


@contextmanager
def _server(folder: Path) -> Generator[str]:
    """A server on a new lake in a folder; what ``SparkSession.builder.remote`` takes to be its admin."""
    lake, config, log = folder / "lake", folder / "config", folder / "server.log"
    command = [sys.executable, "-m", "boathouse", "up", "--root", str(lake), "--port", "0", "--spark-port", "0", "--no-browser"]
    # What is set for the person's own lake is not for this one.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("BOATHOUSE_")}
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**environment, "BOATHOUSE_CONFIG_DIR": str(config)},
        )
    try:
        remote = _listening(process, lake / "run" / "server.json", log)
        profiles = configparser.ConfigParser(interpolation=None)
        profiles.read(config / "databrickscfg")
        yield f"{remote}/;token={profiles['DEFAULT']['token']}"
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listening(process: "subprocess.Popen[bytes]", info: Path, log: Path) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(FileNotFoundError, json.JSONDecodeError):
            return str(json.loads(info.read_text())["spark_remote"])
        time.sleep(0.02)
    raise ServerFailed(f"boathouse up did not start:\n{log.read_text(errors='replace')[-4000:]}")


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A session with a server that all tests of a run share, each process of pytest-xdist its own."""
    main: Any = sys.modules["__main__"]
    if not hasattr(main, "__file__"):
        # pyspark takes a process without a main file, as pytest-xdist's are, for a run of its own doctests.
        main.__file__ = __file__
    with _server(tmp_path_factory.mktemp("boathouse")) as remote:
        session = SparkSession.builder.remote(remote).getOrCreate()
        yield session
        session.stop()


@pytest.fixture
def pipeline(spark: Any) -> Iterator[PipelineUnderTest]:
    """A pipeline in a new schema of the catalog ``main``, which is dropped afterwards."""
    with tempfile.TemporaryDirectory(prefix="pipeline-", ignore_cleanup_errors=True) as storage:
        under_test = PipelineUnderTest(spark, "main", f"pipeline_{uuid.uuid4().hex[:12]}", storage=storage)
        spark.sql(f"CREATE SCHEMA {quote((under_test.catalog, under_test.schema))}").collect()
        yield under_test
    with suppress(Exception):
        spark.sql("USE SCHEMA main.default").collect()
        spark.sql(f"DROP SCHEMA {quote((under_test.catalog, under_test.schema))} CASCADE").collect()
