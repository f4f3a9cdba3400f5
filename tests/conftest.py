"""A real server for the tests: `boathouse up` on a lake of its own, in a process of its own."""

import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from xdist.scheduler import LoadFileScheduling

import boathouse.server
from boathouse.kit.loading import loading
from tests.postgres import binaries, create_database, postgres
from tests.prepared import Forked, nursery

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_SECONDS = 90
STOP_SECONDS = 60

# What trains would wait for its other threads by spinning, on cores that other tests' processes need.
os.environ.setdefault("OMP_NUM_THREADS", "1")
if not hasattr(sys.modules["__main__"], "__file__"):
    # pyspark takes a process without a main file, as pytest-xdist's workers are, for a run of its own doctests.
    sys.modules["__main__"].__file__ = __file__


class _Scheduling(LoadFileScheduling):
    """A file's tests run in one process, and all tests of Apache Spark in one, so that they share its server."""

    def _split_scope(self, nodeid: str) -> str:
        return "spark" if nodeid.startswith("tests/engine/spark/") else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    return _Scheduling(config, log)


LONG = (
    "tests/examples/",
    "tests/engine/spark/",
    "tests/engine/test_concurrency.py",
    "tests/engine/test_pool.py",
    "tests/engine/streaming/test_crashes.py",
    "tests/clients/",
    "tests/cli/test_up.py",
    "tests/pipelines/test_ingestion",
    "tests/registry/test_clients.py",
    "tests/iam/test_single_sign_on.py",
    "tests/server/test_mlflow.py",
    "tests/server/test_every_route.py",
    "tests/jobs/test_crashes.py",
    "tests/workspace/runtime/",
)
"""What takes minutes comes first, or one worker is still at it when the other has nothing left to do."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long ones first."""
    items.sort(key=lambda item: next((at for at, begin in enumerate(LONG) if item.nodeid.startswith(begin)), len(LONG)))


class _TellsAtOnce:
    """Says how a test failed when it fails, so that a run that is cut off has said it."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if report.outcome in ("failed", "rerun") and terminal is not None:
            end = report.longreprtext.splitlines()[-25:]
            word = "FAILED" if report.failed else "FAILED, IS RUN AGAIN"
            terminal.write_line("")
            terminal.write_line(f"{word} {report.nodeid} ({report.when}, {report.duration:.0f} s)", red=True)
            for line in end:
                terminal.write_line(f"  {line}")


class _NewServers:
    """Gives a test that is run again new servers: what it made in a shared one would be in its own way."""

    def __init__(self) -> None:
        self._shared: list[pytest.FixtureDef[Any]] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
        made = yield
        if isinstance(made, Server) and fixturedef.scope != "function" and fixturedef not in self._shared:
            self._shared.append(fixturedef)
        return made

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if getattr(item, "execution_count", 1) > 1:
            for one in self._shared:
                one.finish(item._request)  # type: ignore[attr-defined]


class _Loading:
    """Loads the tests, and what they import, without looking through it all for garbage; a worker's part of a run is minutes long."""

    def __init__(self) -> None:
        self._block = loading()
        self._block.__enter__()

    def pytest_collection_finish(self) -> None:
        self._block.__exit__(None, None, None)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_Loading(), "loading")
    config.pluginmanager.register(_NewServers(), "new-servers")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_TellsAtOnce(config), "tells-at-once")


@cache
def tls() -> ssl.SSLContext:
    """What clients trust: to read it anew for each of the thousands that tests make takes minutes in all."""
    return httpx.create_ssl_context()


@dataclass
class Server:
    """A running `boathouse up`.

    Attributes:
        url: Of the REST API, without a slash at its end.
        spark: Of the gateway, `sc://127.0.0.1:PORT`.
        token: The admin's.
        root: The lake.
        database_url: Of the metadata database.
    """

    url: str
    spark: str
    token: str
    root: Path
    database_url: str
    config_dir: Path
    process: subprocess.Popen[bytes] | Forked
    log: Path
    clients: list[httpx.Client] = field(default_factory=list)

    def spark_remote(self, token: str | None = None) -> str:
        """What `SparkSession.builder.remote` takes."""
        return f"{self.spark}/;token={token or self.token}"

    def client(self, token: str | None = None) -> httpx.Client:
        """An HTTP client of the admin, or of another token's owner; "" is nobody's."""
        headers = {} if token == "" else {"Authorization": f"Bearer {token or self.token}"}
        client = httpx.Client(base_url=self.url, headers=headers, timeout=60, verify=tls())
        self.clients.append(client)
        return client

    def new_principal(self, name: str, groups: tuple[str, ...] = ()) -> str:
        """Make a user and return a token of it."""
        with self.client() as admin:
            body = {"userName": name, "groups": [{"display": group} for group in groups]}
            created = admin.post("/api/2.0/preview/scim/v2/Users", json=body)
            created.raise_for_status()
            token = admin.post("/api/2.0/token-management/on-behalf-of/tokens", json={"application_id": name})
            token.raise_for_status()
            return str(token.json()["token_value"])

    def children(self) -> list[psutil.Process]:
        """All processes below the server."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self, how: signal.Signals = signal.SIGINT) -> float:
        """Stop the server and wait for it; the seconds that it took.

        Raises:
            AssertionError: If it does not stop; then it and all below it are killed, so that no later test runs beside them.
        """
        started = time.monotonic()
        for client in self.clients:
            client.close()
        if self.process.poll() is None:
            tree = [*self.children(), psutil.Process(self.process.pid)]
            self.process.send_signal(how)
            try:
                self.process.wait(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                kill(tree)
                self.process.wait()
                message = f"boathouse up did not stop within {STOP_SECONDS} seconds:\n{tail(self.log)}"
                raise AssertionError(message) from None
        return time.monotonic() - started


def kill(processes: list[psutil.Process]) -> None:
    """Kill what is left of some processes and wait for their end."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=10)


def tail(log: Path, lines: int = 40) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def server_environment(config_dir: Path, **extra: str) -> dict[str, str]:
    """The environment of a server that knows nothing of this machine's own settings."""
    unwanted = ("BOATHOUSE_", "DATABRICKS_", "MLFLOW_", "SPARK_", "UNITY_", "SAIL_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(unwanted)}
    return kept | {"BOATHOUSE_CONFIG_DIR": str(config_dir), **extra}


def start(root: Path, config_dir: Path, *arguments: str, prepared: bool = True, **environment: str) -> Server:
    """Start `boathouse up` and wait until it says where it listens.

    Args:
        root: The lake.
        config_dir: For the profiles.
        arguments: More of the command line.
        prepared: Whether it may be a fork of a process that has imported all; see `tests.prepared`.
        environment: More of the environment.
    """
    log = root.parent / f"{root.name}.out"
    given = ["up", "--root", str(root), "--port", "0", "--spark-port", "0", *arguments]
    variables = server_environment(config_dir, **environment)
    with log.open("ab") as out:
        process = (
            nursery().start(given, variables, out)
            if prepared
            else subprocess.Popen(
                [sys.executable, "-m", "boathouse", *given],
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=variables,
            )
        )
    info_file = root / "run" / "server.json"
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            info: dict[str, Any] = json.loads(info_file.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            time.sleep(0.02)
            continue
        if info["pid"] == process.pid:
            break
        time.sleep(0.02)
    else:
        ended = process.poll()
        if ended is None:
            kill([*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)])
        how = f"did not start within {START_SECONDS} seconds" if ended is None else f"ended with status {ended}"
        message = f"boathouse up {how}:\n{tail(log)}"
        raise AssertionError(message)
    from boathouse.cli.profile import Profiles

    token = Profiles(config_dir).token(root.resolve())
    assert token
    database_url = environment.get("BOATHOUSE_DATABASE_URL") or f"sqlite:///{root.resolve() / 'metadata.db'}"
    return Server(info["base_url"], info["spark_remote"], token, root, database_url, config_dir, process, log)


@contextmanager
def running_server(folder: Path, *arguments: str, prepared: bool = True, **environment: str) -> Iterator[Server]:
    """A server on a new lake for as long as the block runs; nothing of it is left running after."""
    server = start(folder / "lake", folder / "config", *arguments, prepared=prepared, **environment)
    children: list[psutil.Process] = []
    try:
        yield server
        if server.process.poll() is None:
            children = server.children()
    finally:
        server.stop()
    _, alive = psutil.wait_procs(children, timeout=10)
    kill(alive)
    assert not alive, f"left running: {alive}"


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that a whole test run shares."""
    with running_server(tmp_path_factory.mktemp("shared"), BOATHOUSE_ENGINE_IDLE_SECONDS="150") as running:
        yield running


@pytest.fixture(scope="session")
def server(shared_server: Server) -> Server:
    """The shared server, where a folder of tests has no other; tests make catalogs, schemas and users of their own in it."""
    return shared_server


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The one Chromium of a test run, where it is installed and the page is built: a process can drive only one at a time."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not installed on this machine")
    if not (Path(boathouse.server.__file__).parent / "page" / "index.html").is_file():
        pytest.skip("the page is not built: make web")
    expect.set_options(timeout=60_000)  # its own are 5 seconds, which two busy cores may need for a page
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server that a whole test run shares."""
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed on this machine")
    with postgres() as url:
        yield url


@pytest.fixture(scope="session")
def server_on_postgres(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A second shared server, over PostgreSQL."""
    with running_server(tmp_path_factory.mktemp("postgresql"), BOATHOUSE_DATABASE_URL=create_database(postgres_url)) as running:
        yield running


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def server_on_each_database(request: pytest.FixtureRequest) -> Server:
    """The shared server over SQLite, then the one over PostgreSQL; folders of tests take it as their `server`."""
    return request.getfixturevalue("shared_server" if request.param == "sqlite" else "server_on_postgres")


@pytest.fixture
def new_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers on the test's own lake, for tests that stop or break them."""
    started: list[Server] = []

    def make(*arguments: str, prepared: bool = True, **environment: str) -> Server:
        started.append(start(tmp_path / "lake", tmp_path / "config", *arguments, prepared=prepared, **environment))
        return started[-1]

    yield make
    for one in started:
        one.stop()
