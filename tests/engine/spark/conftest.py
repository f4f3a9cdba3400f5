"""The suites of the engine, with Apache Spark behind the gateway."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.conftest import Server, running_server
from tests.engine.spark.gaps import GAPS
from tests.engine.spark.runtime import connect_server

HERE = Path(__file__).parent
QUICK = frozenset(
    {
        "test_spark_engine.py",
        "test_training.py",
        "test_ai_query.py::test_every_statement_can_ask",
        "test_governed.py::TestPolicies",
        "test_streams.py::test_a_running_query",
        "test_streams.py::test_a_revoked_grant_ends_the_stream",
        "test_stream_programs.py::test_program[upserts]",
    }
)
"""What always runs: a test of each kind. The others take an hour and run with SPARK_TESTS=all."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder, and what is known to fail."""
    for item in items:
        if not item.path.is_relative_to(HERE):
            continue
        item.add_marker("spark")
        name = "::".join([item.path.name, *item.nodeid.split("::")[1:]])
        if os.environ.get("SPARK_TESTS") != "all" and not {item.path.name, name, name.rpartition("::")[0]} & QUICK:
            item.add_marker(pytest.mark.skip(reason="takes long on Spark: set SPARK_TESTS=all"))
        gap = GAPS.get(name) or GAPS.get(name.split("[")[0])
        if gap is not None:
            item.add_marker(pytest.mark.xfail(strict=True, reason=f"{gap[0]}: {gap[1]}"))


@pytest.fixture(scope="session")
def spark_connect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Spark Connect server that a whole test run shares; SPARK_TESTS_REMOTE names one that runs already."""
    if os.environ.get("SPARK_TESTS_REMOTE"):
        yield os.environ["SPARK_TESTS_REMOTE"]
        return
    with connect_server(tmp_path_factory.mktemp("spark"), token="of-the-tests") as address:
        yield address


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, spark_connect: str) -> Iterator[Server]:
    """`boathouse up` over that server."""
    with running_server(tmp_path_factory.mktemp("over_spark"), BOATHOUSE_ENGINE=spark_connect) as running:
        yield running


@pytest.fixture(scope="session")
def connect(server: Server) -> Iterator[Callable[..., SparkSession]]:
    """Opens sessions of this server; the fixture of the same name has those of another."""
    opened: list[SparkSession] = []

    def new(token: str | None = None) -> SparkSession:
        opened.append(SparkSession.builder.remote(server.spark_remote(token)).create())
        return opened[-1]

    yield new
    for session in opened:
        session.stop()


@pytest.fixture(scope="session")
def admin_session(connect: Callable[..., SparkSession]) -> SparkSession:
    """The session behind `spark`."""
    return connect()
