"""What the Spark Connect gateway costs: the same stock client on bare Sail and through the gateway, on the same files.

    python benchmarks/gateway.py [--rounds 20] [--queries 10] [--rows 1000000] [--bulk-rows 10000000] [--json FILE]

The peer is Sail as it is installed, without catalog, grants or sandbox. Both are asked in turns; a figure is the median over
the rounds of that round's ratio and of that round's difference. The answers are compared. The queries also go to the peer
through a process in Python that passes every message on and looks at none: what a hop alone costs (``hop_ms``, ``hop_ratio``).

- ``select_1``: ``SELECT 1``.
- ``point``: one row by its key from a Delta table, each time another one. The bare engine has the same folder under a name.
- ``governed``: the same on a table with a row filter and a column mask; the bare engine gets both written out.
- ``bulk``: rows that the engine makes, as Arrow; ``bulk_table``: all rows of the Delta table; ``bulk_governed``: the same
  with the filter and the mask.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import Lake, bare_sail, parse, proxy, report, server, session
from pyspark.sql import SparkSession

TABLE = "main.bench.points"
GOVERNED = "main.bench.governed"


@dataclass(frozen=True)
class Case:
    """A query in the words of both.

    Attributes:
        name: Of the figure.
        gateway: The query through the gateway; ``{key}`` is the key of a row.
        bare: The same for the bare engine.
    """

    name: str
    gateway: str
    bare: str


WRITTEN_OUT = (
    "SELECT id, region, concat('***', right(email, 4)) AS email, amount, day FROM (SELECT * FROM points WHERE region <> 'r3')"
)
SMALL = (
    Case("select_1", "SELECT 1", "SELECT 1"),
    Case("point", f"SELECT * FROM {TABLE} WHERE id = {{key}}", "SELECT * FROM points WHERE id = {key}"),
    Case("governed", f"SELECT * FROM {GOVERNED} WHERE id = {{key}}", f"SELECT * FROM ({WRITTEN_OUT}) WHERE id = {{key}}"),
)
RANGE = "SELECT id, id * 2 AS twice, cast(id AS double) AS x FROM range({rows})"
BULK = (
    Case("bulk", RANGE, RANGE),
    Case("bulk_table", f"SELECT * FROM {TABLE}", "SELECT * FROM points"),
    Case("bulk_governed", f"SELECT * FROM {GOVERNED}", WRITTEN_OUT),
)


def prepare(lake: Lake, gateway: SparkSession, bare: Sequence[SparkSession], rows: int) -> None:
    """Make both tables through the gateway, the policies on one, and name the other's folder in sessions of the bare engine."""
    gateway.sql("CREATE SCHEMA main.bench")
    gateway.sql(
        f"CREATE TABLE {TABLE} AS SELECT id, concat('r', id % 8) AS region, concat('user', id, '@example.com') AS email, "
        f"cast(id AS double) / 7 AS amount, date_add(DATE '2026-01-01', cast(id % 365 AS int)) AS day FROM range({rows})"
    )
    gateway.sql(f"CREATE TABLE {GOVERNED} AS SELECT * FROM {TABLE}")
    gateway.sql("CREATE FUNCTION main.bench.not_r3(region STRING) RETURNS BOOLEAN RETURN region <> 'r3'")
    gateway.sql("CREATE FUNCTION main.bench.last_four(email STRING) RETURNS STRING RETURN concat('***', right(email, 4))")
    gateway.sql(f"ALTER TABLE {GOVERNED} SET ROW FILTER main.bench.not_r3 ON (region)")
    gateway.sql(f"ALTER TABLE {GOVERNED} ALTER COLUMN email SET MASK main.bench.last_four")
    with lake.client() as client:
        location = client.get(f"/api/2.1/unity-catalog/tables/{TABLE}").raise_for_status().json()["storage_location"]
    for one in bare:
        one.sql(f"CREATE TABLE points USING delta LOCATION '{location}'")


def timed(action: Callable[[], Any]) -> float:
    """Seconds that an action takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def compare(case: Case, sessions: dict[str, SparkSession], rows: int) -> None:
    """Both must answer alike, or what is timed is not the same.

    Raises:
        SystemExit: They do not.
    """
    key = rows // 2 + 1
    answers = [
        sorted(tuple(row) for row in sessions[name].sql(text.format(key=key, rows=1000)).collect())
        for name, text in (("gateway", case.gateway), ("bare", case.bare))
    ]
    if answers[0] != answers[1] or not answers[0]:
        raise SystemExit(f"{case.name}: the gateway and the bare engine answer differently, or nothing")


def small(case: Case, sessions: dict[str, SparkSession], rounds: int, queries: int, rows: int) -> dict[str, float]:
    """Medians in ms, the ratio, and what is added."""
    texts = {"gateway": case.gateway, "bare": case.bare, "proxy": case.bare}
    order = list(texts)
    medians: dict[str, list[float]] = {name: [] for name in texts}
    for turn in range(-1, rounds):
        seconds: dict[str, list[float]] = {name: [] for name in texts}
        for number in range(queries):
            # Spread over the table, and none of them in the third region, which the filter takes away.
            key = ((turn + 1) * queries + number) * 7919 * 8 % (rows // 8 * 8)
            order = [*order[1:], order[0]]
            for name in order:
                sql = texts[name].format(key=key)
                seconds[name].append(timed(lambda name=name, sql=sql: sessions[name].sql(sql).collect()))
        if turn >= 0:  # the first is not counted
            for name, values in seconds.items():
                medians[name].append(statistics.median(values) * 1000)
    pairs = list(zip(medians["gateway"], medians["bare"], strict=True))
    hops = zip(medians["proxy"], medians["bare"], strict=True)
    return {
        "gateway_p50_ms": round(statistics.median(medians["gateway"]), 2),
        "bare_p50_ms": round(statistics.median(medians["bare"]), 2),
        "ratio": round(statistics.median(ours / theirs for ours, theirs in pairs), 2),
        "added_ms": round(statistics.median(ours - theirs for ours, theirs in pairs), 2),
        "hop_ms": round(statistics.median(through - direct for through, direct in hops), 2),
    }


def bulk(case: Case, sessions: dict[str, SparkSession], rounds: int, rows: int) -> dict[str, float]:
    """Rates in MB/s of Arrow memory, and their ratios to the bare engine's."""
    texts = {"gateway": case.gateway, "bare": case.bare, "proxy": case.bare}
    rates: dict[str, list[float]] = {name: [] for name in texts}
    order = list(texts)
    for turn in range(-1, rounds):
        order = [*order[1:], order[0]]
        for name in order:
            start = time.perf_counter()
            size = sessions[name].sql(texts[name].format(rows=rows)).toArrow().nbytes
            if turn >= 0:
                rates[name].append(size / 1e6 / (time.perf_counter() - start))

    def ratio(name: str) -> float:
        return round(statistics.median(one / bare for one, bare in zip(rates[name], rates["bare"], strict=True)), 3)

    return {
        "gateway_mb_per_s": round(statistics.median(rates["gateway"]), 1),
        "bare_mb_per_s": round(statistics.median(rates["bare"]), 1),
        "ratio": ratio("gateway"),
        "hop_ratio": ratio("proxy"),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, help="of small queries; of bulk ones a quarter")
    parser.add_argument("--queries", type=int, default=10, help="of each kind in a round")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the Delta table")
    parser.add_argument("--bulk-rows", type=int, default=10_000_000)
    asked = parse(parser)
    figures: dict[str, Any] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        lake = stack.enter_context(server(folder))
        address, _ = stack.enter_context(bare_sail())
        sessions: dict[str, SparkSession] = {}
        peers = {"gateway": lake.remote(), "bare": address, "proxy": stack.enter_context(proxy(address))}
        for name, remote in peers.items():
            start = time.perf_counter()
            sessions[name] = stack.enter_context(session(remote))
            sessions[name].sql("SELECT 1").collect()
            figures[f"{name}_first_query_s"] = round(time.perf_counter() - start, 3)
        prepare(lake, sessions["gateway"], (sessions["bare"], sessions["proxy"]), asked.rows)
        for case in (*SMALL, *BULK):
            compare(case, sessions, asked.rows)
        for case in SMALL:
            figures[case.name] = small(case, sessions, asked.rounds, asked.queries, asked.rows)
        for case in BULK:
            figures[case.name] = bulk(case, sessions, max(1, asked.rounds // 4), asked.bulk_rows)
    report(figures, asked)


if __name__ == "__main__":
    main()
