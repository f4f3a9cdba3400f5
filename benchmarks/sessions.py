"""What sessions of many principals cost: memory with 1, 10 and 50 engines, and how long a new one takes to answer.

    python benchmarks/sessions.py [--counts 1 10 50] [--json FILE]

Each principal is a user of its own with one open session that has run one query, an aggregation over a table that all may
read; each has an engine process of its own, which is what keeps them apart. Memory is the proportional set size of the
server's process tree, without that of the server before the first session. The client's memory does not count.

The start of a principal is from the opening of its session to the answer, as it waits for it. The peer is one bare Sail
process, started anew, with one session that runs the same query on the same files: its memory, and its start without and with
the import of what it needs.
"""

import argparse
import statistics
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psutil
from common import Lake, bare_sail, memory, parse, report, server, session

TABLE = "main.bench.orders"
QUERY = "SELECT kind, count(*) AS n, sum(amount) AS total FROM {table} GROUP BY kind ORDER BY kind"
ROWS = 100_000
_SETTLED = 0.02
_SETTLE_SECONDS = 20


def settled(lake: Lake) -> float:
    """Memory of the tree, MB, once two looks a second apart agree; what a start leaves behind is gone by then."""
    last, deadline = memory(lake.process), time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < deadline:
        time.sleep(1)
        now = memory(lake.process)
        if abs(now - last) < _SETTLED * last:
            return now
        last = now
    return last


def running(lake: Lake) -> list[str]:
    """Identifiers of the clusters that run, one for each principal."""
    with lake.client() as client:
        found = client.get("/api/2.1/clusters/list").raise_for_status().json().get("clusters", [])
    return [cluster["cluster_id"] for cluster in found if cluster["state"] == "RUNNING"]


def engines(lake: Lake) -> int:
    """How many processes of engines there are."""
    found = 0
    for one in lake.process.children(recursive=True):
        with suppress(psutil.Error):
            found += "boathouse.engine.sail_process" in one.cmdline()
    return found


def prepare(lake: Lake) -> str:
    """A table that every user may read; its folder. The admin's own engine is stopped afterwards."""
    with session(lake.remote()) as admin:
        admin.sql("CREATE SCHEMA main.bench")
        admin.sql(f"CREATE TABLE {TABLE} AS SELECT id, id % 7 AS kind, id * 1.5 AS amount FROM range({ROWS})")
        admin.sql("GRANT USE CATALOG ON CATALOG main TO `account users`")
        admin.sql("GRANT USE SCHEMA, SELECT ON SCHEMA main.bench TO `account users`")
    with lake.client() as client:
        location = client.get(f"/api/2.1/unity-catalog/tables/{TABLE}").raise_for_status().json()["storage_location"]
        for cluster in running(lake):
            client.post("/api/2.1/clusters/delete", json={"cluster_id": cluster}).raise_for_status()
    # The process that engines are forked from ends too, half a minute after the last of them.
    deadline = time.monotonic() + 60
    while engines(lake):
        if time.monotonic() > deadline:
            raise SystemExit("The admin's engine did not stop")
        time.sleep(0.1)
    return str(location)


def new_user(lake: Lake, number: int) -> str:
    """A user's token."""
    name = f"bench{number}@example.com"
    with lake.client() as client:
        client.post("/api/2.0/preview/scim/v2/Users", json={"userName": name}).raise_for_status()
        made = client.post("/api/2.0/token-management/on-behalf-of/tokens", json={"application_id": name})
        return str(made.raise_for_status().json()["token_value"])


def first_answer(stack: ExitStack, remote: str, table: str, location: str = "") -> float:
    """Open a session and run the query; the seconds. The session stays open until the stack closes."""
    start = time.perf_counter()
    spark = stack.enter_context(session(remote))
    if location:
        spark.sql(f"CREATE TABLE {table} USING delta LOCATION '{location}'")
    rows = spark.sql(QUERY.format(table=table)).collect()
    seconds = time.perf_counter() - start
    assert sum(row.n for row in rows) == ROWS
    return seconds


def bare(location: str) -> dict[str, float]:
    """The peer: one engine alone, with one session."""
    begun = time.perf_counter()
    with ExitStack() as stack:
        address, process = stack.enter_context(bare_sail())
        answer = first_answer(stack, address, "orders", location)
        figures = {"start_with_process_s": round(time.perf_counter() - begun, 2), "first_answer_s": round(answer, 2)}
        time.sleep(1)
        return figures | {"memory_mb": round(memory(process))}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 10, 50], help="principals with an open session")
    asked = parse(parser)
    with ExitStack() as stack:
        lake = stack.enter_context(server(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        location = prepare(lake)
        alone = settled(lake)
        starts: list[float] = []
        measured: dict[str, dict[str, float]] = {}
        for count in sorted(asked.counts):
            while len(starts) < count:
                token = new_user(lake, len(starts))
                starts.append(first_answer(stack, lake.remote(token), TABLE))
            with_all = settled(lake) - alone
            measured[str(count)] = {"memory_mb": round(with_all), "memory_mb_each": round(with_all / count, 1)}
        # An engine for each principal is what is measured; fewer would mean that some were stopped or shared.
        assert len(running(lake)) == len(starts)
        figures: dict[str, Any] = {"server_alone_mb": round(alone), "sessions": measured, "bare_sail": bare(location)}
    figures["start_s"] = {
        "first": round(starts[0], 2),
        "tenth": round(starts[9], 2) if len(starts) > 9 else None,
        "last": round(starts[-1], 2),
        "median": round(statistics.median(starts), 2),
        "max": round(max(starts), 2),
    }
    each = measured[str(max(asked.counts))]["memory_mb_each"]
    figures["ratios"] = {
        "memory_of_one_more_session_to_a_bare_sail": round(each / figures["bare_sail"]["memory_mb"], 2),
        "median_start_to_a_bare_sail": round(figures["start_s"]["median"] / figures["bare_sail"]["start_with_process_s"], 2),
    }
    report(figures, asked)


if __name__ == "__main__":
    main()
