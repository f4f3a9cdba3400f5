"""What the benchmarks share: a server on a new lake, the bare engine beside it, memory, and figures as JSON."""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from pyspark.sql import SparkSession

ROOT = Path(__file__).parents[1]
_UNWANTED = ("BOATHOUSE_", "DATABRICKS_", "MLFLOW_", "SPARK_", "UNITY_", "SAIL_")
_START_SECONDS = 120
_BARE = """
import os, sys
from pysail.spark import SparkConnectServer
server = SparkConnectServer("127.0.0.1", 0)
server.start(background=True)
print(server.listening_address[1], flush=True)
sys.stdin.read()
os._exit(0)
"""

_PROXY = """
import asyncio, sys, grpc.aio
OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
STREAMS = {"ExecutePlan", "ReattachExecute"}

async def main(port):
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=OPTIONS)

    def handler(path):
        if path.rsplit("/", 1)[1] in STREAMS:
            call = channel.unary_stream(path)

            async def stream(request, context):
                async for answer in call(request):
                    yield answer

            return grpc.unary_stream_rpc_method_handler(stream)
        call = channel.unary_unary(path)

        async def unary(request, context):
            return await call(request)

        return grpc.unary_unary_rpc_method_handler(unary)

    class Routes(grpc.GenericRpcHandler):
        known = {}

        def service(self, details):
            if details.method not in self.known:
                self.known[details.method] = handler(details.method)
            return self.known[details.method]

    server = grpc.aio.server(options=OPTIONS)
    server.add_generic_rpc_handlers((Routes(),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    await server.start()
    await asyncio.to_thread(sys.stdin.read)

asyncio.run(main(int(sys.argv[1])))
"""


@dataclass(frozen=True)
class Lake:
    """A running server on a new lake.

    Attributes:
        url: Of its REST API.
        spark: Its Spark Connect address without a token.
        token: The admin's.
        process: The server; its engines are below it.
        seconds: From its start until it listened.
    """

    url: str
    spark: str
    token: str
    process: psutil.Process
    seconds: float

    def remote(self, token: str | None = None) -> str:
        """What ``SparkSession.builder.remote`` takes, for the admin or another token's owner."""
        return f"{self.spark}/;token={token or self.token}"

    def client(self) -> httpx.Client:
        """An HTTP client of the admin."""
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.token}"}, timeout=60)


def environment(**extra: str) -> dict[str, str]:
    """The environment of a process that knows nothing of this machine's own settings."""
    return {key: value for key, value in os.environ.items() if not key.startswith(_UNWANTED)} | extra


@contextmanager
def server(folder: Path) -> Iterator[Lake]:
    """A server on a new lake in a folder, until the block ends."""
    command = [sys.executable, "-m", "boathouse", "up", "--no-browser", "--root", str(folder / "lake")]
    started = time.perf_counter()
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--port", "0", "--spark-port", "0"],
            env=environment(BOATHOUSE_CONFIG_DIR=str(folder / "config")),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        info = folder / "lake" / "run" / "server.json"
        while not info.exists():
            if process.poll() is not None or time.perf_counter() - started > _START_SECONDS:
                raise SystemExit("The server did not start:\n" + (folder / "server.log").read_text())
            time.sleep(0.005)
        seconds = time.perf_counter() - started
        found = json.loads(info.read_text())
        token = (folder / "config" / "databrickscfg").read_text().split("token = ")[1].split()[0]
        yield Lake(found["base_url"], found["spark_remote"], token, psutil.Process(process.pid), seconds)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


@contextmanager
def bare_sail() -> Iterator[tuple[str, psutil.Process]]:
    """Sail as it is installed, with nothing before it: its address and its process. It ends when its input does."""
    process = subprocess.Popen(
        [sys.executable, "-c", _BARE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(RUST_LOG="error")
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield f"sc://127.0.0.1:{int(process.stdout.readline())}", psutil.Process(process.pid)
    finally:
        process.stdin.close()
        process.wait()


@contextmanager
def proxy(address: str) -> Iterator[str]:
    """A Spark Connect address that leads to another through a Python process which only passes messages on."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PROXY, address.rsplit(":", 1)[1]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield f"sc://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.stdin.close()
        process.wait()


@contextmanager
def session(remote: str) -> Iterator[SparkSession]:
    """A session of its own, closed where the block ends well; else its server may be gone, and closing would try for minutes."""
    spark = SparkSession.builder.remote(remote).create()
    yield spark
    spark.stop()


def memory(process: psutil.Process) -> float:
    """Proportional set size of a process and all below it, MB."""
    total = 0
    try:
        tree = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    for one in tree:
        try:
            info = one.memory_full_info()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        # Only Linux knows the proportional size; elsewhere pages that are shared do not count.
        total += getattr(info, "pss", info.uss)
    return total / 1e6


@dataclass
class Peaks:
    """The most memory of some process trees, MB by name."""

    trees: dict[str, psutil.Process]
    most: dict[str, float]

    def sample(self) -> None:
        """Look once."""
        for name, process in self.trees.items():
            self.most[name] = max(self.most.get(name, 0.0), memory(process))

    @contextmanager
    def watched(self, every: float = 0.2) -> Iterator[None]:
        """Look again and again while the block runs."""
        ended = threading.Event()

        def look() -> None:
            while not ended.wait(every):
                self.sample()

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The arguments, ``--json`` among them. A SIGTERM from here on ends what was started, as Ctrl-C does."""
    parser.add_argument("--json", type=Path, help="write the figures to this file")

    def last() -> None:
        # A client that tries again and again would not let the exception through for ten minutes.
        for child in psutil.Process().children():
            child.terminate()
        os._exit(143)

    def end(*_: object) -> None:
        late = threading.Timer(20, last)
        late.daemon = True
        late.start()
        sys.exit(143)

    signal.signal(signal.SIGTERM, end)
    return parser.parse_args()


def report(figures: dict[str, Any], asked: argparse.Namespace, *, printed: bool = True) -> None:
    """Print figures as JSON, and write them where asked."""
    text = json.dumps(figures, indent=2)
    if printed:
        print(text)
    if asked.json:
        asked.json.write_text(text + "\n")
