"""MLflow's tracking through our server, against ``mlflow server`` by itself in the same run.

    python benchmarks/tracking.py [--runs 10000] [--rounds 5] [--seconds 5] [--json FILE]

Both keep their runs in a SQLite file of their own, into which the same runs are put before the measurement, and both are asked in turns by the
same requests, with connections that stay open. ``mlflow server`` is started as it comes, with its four workers.

- ``log_batch``: batches of 100 metrics, 10 parameters and 5 tags a second, from one client and from four.
- ``search``: p50 of a page of 100 runs of all, by a condition on a metric and a parameter, in the order of a metric.

Ratios are above 1 where ours is faster.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from common import environment, parse, report, server
from sqlalchemy import create_engine, insert

API = "/api/2.0/mlflow"
METRICS, PARAMS, TAGS = 100, 10, 5
SEARCH = {
    "filter": "metrics.m0 > 0.5 and params.p0 = '3'",
    "order_by": ["metrics.m1 DESC"],
    "max_results": 100,
}


@dataclass(frozen=True)
class Peer:
    """A tracking server.

    Attributes:
        url: Of it.
        headers: Who asks.
        database: The SQLite file of its runs.
        artifacts: Where its artifacts are, as a URI.
    """

    url: str
    headers: dict[str, str]
    database: Path
    artifacts: str

    def client(self) -> httpx.Client:
        """A connection of its own."""
        return httpx.Client(base_url=self.url, headers=self.headers, timeout=120)


@contextmanager
def alone(folder: Path) -> Iterator[Peer]:
    """``mlflow server`` on a SQLite file."""
    database, port = folder / "mlflow.db", free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{database}", "--port", str(port)]
    with (folder / "mlflow.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--artifacts-destination", str(folder / "artifacts")],
            env=environment(MLFLOW_DISABLE_TELEMETRY="true", MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false"),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        peer = Peer(f"http://127.0.0.1:{port}", {}, database, "mlflow-artifacts:/0")
        wait_for(peer)
        yield peer
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    """A port that nobody listens on."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(peer: Peer) -> None:
    """Wait until it answers for its runs."""
    deadline = time.monotonic() + 180
    with peer.client() as client:
        while time.monotonic() < deadline:
            try:
                if client.post(f"{API}/runs/search", json={"experiment_ids": ["0"]}).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.2)
    raise SystemExit(f"{peer.url} did not answer")


def fill(peer: Peer, runs: int) -> None:
    """Put runs into its database, each with metrics, parameters and tags."""
    from mlflow.store.tracking.dbmodels.models import SqlLatestMetric, SqlMetric, SqlParam, SqlRun, SqlTag

    names = [f"{number:032x}" for number in range(runs)]
    many: list[tuple[Any, list[dict[str, Any]]]] = [
        (
            SqlRun,
            [
                {
                    "run_uuid": name,
                    "name": f"run {number}",
                    "source_type": "UNKNOWN",
                    "user_id": "bench",
                    "status": "FINISHED",
                    "start_time": 1_700_000_000_000 + number,
                    "end_time": 1_700_000_001_000 + number,
                    "lifecycle_stage": "active",
                    "artifact_uri": f"{peer.artifacts}/{name}/artifacts",
                    "experiment_id": 0,
                }
                for number, name in enumerate(names)
            ],
        )
    ]
    values = [
        {
            "run_uuid": name,
            "key": f"m{key}",
            "value": (number * (7 + key) % 1000) / 1000,
            "timestamp": 1,
            "step": 0,
            "is_nan": False,
        }
        for number, name in enumerate(names)
        for key in range(10)
    ]
    params = [
        {"run_uuid": name, "key": f"p{key}", "value": str(number % 10)} for number, name in enumerate(names) for key in range(5)
    ]
    tags = [{"run_uuid": name, "key": "mlflow.runName", "value": f"run {number}"} for number, name in enumerate(names)]
    many += [(SqlMetric, values), (SqlLatestMetric, values), (SqlParam, params), (SqlTag, tags)]
    engine = create_engine(f"sqlite:///{peer.database}")
    with engine.begin() as connection:
        for model, rows in many:
            connection.execute(insert(model), rows)
    engine.dispose()


def new_run(client: httpx.Client) -> str:
    """A run in the default experiment."""
    answer = client.post(f"{API}/runs/create", json={"experiment_id": "0"})
    answer.raise_for_status()
    return str(answer.json()["run"]["info"]["run_id"])


def batches(peer: Peer, clients: int, seconds: float) -> float:
    """Batches a second that some clients log at once, each into runs of its own."""
    counts = [0] * clients
    ready, ends = threading.Barrier(clients), time.perf_counter() + seconds

    def work(number: int) -> None:
        with peer.client() as client:
            run, step = new_run(client), 0
            ready.wait()
            while time.perf_counter() < ends:
                body = {
                    "run_id": run,
                    "metrics": [
                        {"key": f"m{key}", "value": step + key, "timestamp": step, "step": step} for key in range(METRICS)
                    ],
                    "params": [{"key": f"p{step}.{key}", "value": "x"} for key in range(PARAMS)],
                    "tags": [{"key": f"t{key}", "value": str(step)} for key in range(TAGS)],
                }
                client.post(f"{API}/runs/log-batch", json=body).raise_for_status()
                counts[number] += 1
                step += 1

    began = time.perf_counter()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - began)


def searches(client: httpx.Client, rounds: int) -> list[float]:
    """Seconds of each search."""
    taken: list[float] = []
    for _ in range(rounds):
        began = time.perf_counter()
        answer = client.post(f"{API}/runs/search", json={"experiment_ids": ["0"], **SEARCH})
        taken.append(time.perf_counter() - began)
        if len(answer.raise_for_status().json().get("runs", ())) != SEARCH["max_results"]:
            raise SystemExit("A search has found too little")
    return taken


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Of the medians."""
    return round(statistics.median(ours) / statistics.median(theirs), 3)


def main() -> None:
    """Measure in turns, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0)
    asked = parse(parser)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        lake = stack.enter_context(server(folder))
        header = {"Authorization": f"Bearer {lake.token}"}
        ours = Peer(lake.url, header, folder / "lake" / "mlflow.db", "mlflow-artifacts:/0")
        wait_for(ours)
        theirs = stack.enter_context(alone(folder))
        for peer in (ours, theirs):
            fill(peer, asked.runs)
        figures: dict[str, Any] = {"runs": asked.runs}
        taken: tuple[list[float], list[float]] = ([], [])
        with ours.client() as one, theirs.client() as other:
            for client in (one, other):
                searches(client, 2)
            for _ in range(asked.rounds):
                for client, found in zip((one, other), taken, strict=True):
                    found.extend(searches(client, 5))
        figures["search_ms"] = {
            "boathouse": round(statistics.median(taken[0]) * 1000, 1),
            "mlflow_server": round(statistics.median(taken[1]) * 1000, 1),
            "ratio": ratio(taken[1], taken[0]),
        }
        for clients in (1, 4):
            rates: tuple[list[float], list[float]] = ([], [])
            for _ in range(asked.rounds):
                for peer, found in zip((ours, theirs), rates, strict=True):
                    found.append(batches(peer, clients, asked.seconds))
            figures[f"log_batch_{clients}"] = {
                "boathouse": round(statistics.median(rates[0]), 1),
                "mlflow_server": round(statistics.median(rates[1]), 1),
                "ratio": ratio(*rates),
            }
        report(figures, asked)


if __name__ == "__main__":
    main()
