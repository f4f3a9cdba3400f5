"""What the Spark Connect gateway costs: the same stock client on bare Sail and through the gateway, in one run.

    python benchmarks/gateway.py [--json FILE]

Prints the median time of ``SELECT 1`` and the rate of a bulk result for both, and their ratios.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

QUERIES = 200
BULK_ROWS = 10_000_000
ROUNDS = 3


@contextmanager
def bare_sail() -> Iterator[str]:
    """Sail without anything before it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "boathouse.engine.sail_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "RUST_LOG": "error"},
    )
    if process.stdin is None or process.stdout is None:
        raise SystemExit(1)
    process.stdin.write(json.dumps({"parent": os.getpid(), "environment": {}}).encode() + b"\n")
    process.stdin.flush()
    port = json.loads(process.stdout.readline())["port"]
    try:
        yield f"sc://localhost:{port}"
    finally:
        process.stdin.close()
        process.wait()


@contextmanager
def gateway(folder: Path) -> Iterator[str]:
    """The whole server on a new lake."""
    root, config = folder / "lake", folder / "config"
    process = subprocess.Popen(
        [sys.executable, "-m", "boathouse", "up", "--root", str(root), "--port", "0", "--spark-port", "0", "--no-browser"],
        env={**os.environ, "BOATHOUSE_CONFIG_DIR": str(config), "BOATHOUSE_LOG_LEVEL": "error"},
        stdout=subprocess.DEVNULL,
    )
    info = root / "run" / "server.json"
    deadline = time.monotonic() + 60
    while not info.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            message = "boathouse up did not start"
            raise SystemExit(message)
        time.sleep(0.02)
    from boathouse.cli.profile import Profiles

    try:
        token = Profiles(config).token(root.resolve())
        yield f"{json.loads(info.read_text())['spark_remote']}/;token={token}"
    finally:
        process.terminate()
        process.wait()


def timed(action: Callable[[], Any]) -> float:
    """Seconds that an action takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def measure(remotes: dict[str, str]) -> dict[str, dict[str, float]]:
    """Both figures for each address, in turns so that a noisy moment hits all."""
    sessions = {name: SparkSession.builder.remote(remote).create() for name, remote in remotes.items()}
    first = {name: timed(lambda s=spark: s.sql("SELECT 1").collect()) for name, spark in sessions.items()}
    small: dict[str, list[float]] = {name: [] for name in sessions}
    bulk: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(QUERIES):
        for name, spark in sessions.items():
            small[name].append(timed(lambda s=spark: s.sql("SELECT 1").collect()))
    size = 0
    for _ in range(ROUNDS):
        for name, spark in sessions.items():
            rows = spark.range(BULK_ROWS).selectExpr("id", "id * 2 AS twice", "cast(id AS double) AS x")
            start = time.perf_counter()
            size = rows.toArrow().nbytes
            bulk[name].append(time.perf_counter() - start)
    for spark in sessions.values():
        spark.stop()
    return {
        name: {
            "first_query_seconds": round(first[name], 3),
            "select_1_p50_ms": round(statistics.median(small[name]) * 1000, 2),
            "bulk_mb_per_second": round(size / 1e6 / statistics.median(bulk[name]), 1),
        }
        for name in sessions
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, bare_sail() as bare, gateway(Path(folder)) as through:
        figures: dict[str, Any] = measure({"bare": bare, "gateway": through})
    figures["ratios"] = {
        key: round(figures["gateway"][key] / figures["bare"][key], 2) for key in ("select_1_p50_ms", "bulk_mb_per_second")
    }
    print(json.dumps(figures, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
