"""TPC-H on Delta tables through the gateway, against DuckDB and Apache Spark on the same files, in one run.

    python benchmarks/tpch.py [--scale 1] [--rounds 3] [--spark-jars FOLDER | --spark-remote sc://...] [--cache FOLDER] [--json FILE]

The data are generated once into the cache folder. The gateway loads them with CREATE TABLE AS SELECT into ``main.tpch``;
DuckDB reads the Parquet files that the Delta log lists, Apache Spark the same tables through delta-spark. All engines answer
each query in turns, the first of them another one in each round; the first pass is not counted. Results are compared
(rows, text, sums of numbers), and at scale factor 1 with what the specification prints. The result arrives as Arrow in the
client's process each time, so that parsing, planning, catalog and transfer count.

``--spark-jars`` starts ``local[*]`` from a folder with the jars of Spark with Connect and of Delta, with the JVM's own
compilers and collectors and 4 GB; ``--spark-remote`` takes a server that runs. ``--bare`` adds Sail without the gateway.
Times are wall seconds; a ratio is the gateway's time by the other's, the median over the rounds; below 1 the gateway is faster.
"""

import argparse
import json
import math
import os
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import psutil
import pyarrow as pa
import pyarrow.compute as pc
from common import ROOT, Lake, Peaks, bare_sail, environment, parse, report, server, session
from deltalake import DeltaTable
from pyspark.sql import SparkSession
from tpch_queries import PUBLISHED, QUERIES

TABLES = ("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier")
OURS, DUCKDB, SPARK, BARE = "gateway", "duckdb", "spark", "bare_sail"
BUDGET = 8 * 60
_OPENS = ("lang", "lang.invoke", "lang.reflect", "io", "net", "nio", "util", "util.concurrent", "util.concurrent.atomic")
_INNER = ("jdk.internal.ref", "sun.nio.ch", "sun.nio.cs", "sun.security.action", "sun.util.calendar")


@dataclass
class Times:
    """Seconds per query and engine, one for each counted round."""

    seconds: dict[int, dict[str, list[float]]] = field(default_factory=dict)

    def add(self, query: int, engine: str, seconds: float) -> None:
        """One run."""
        self.seconds.setdefault(query, {}).setdefault(engine, []).append(seconds)

    def median(self, query: int, engine: str) -> float:
        """Of the rounds."""
        return statistics.median(self.seconds[query][engine])

    def ratio(self, query: int, engine: str) -> float:
        """The gateway's time by the engine's."""
        runs = self.seconds[query]
        return statistics.median(ours / theirs for ours, theirs in zip(runs[OURS], runs[engine], strict=True))


def generate(cache: Path, scale: float) -> Path:
    """The folder of the data, one Parquet file for each table; made where it is not there."""
    folder = cache / f"sf{scale:g}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=cache))
        try:
            tool = Path(sys.executable).with_name("tpchgen-cli")
            command = [str(tool), "parquet", "--field-ids", "false", "--quiet", "-s", f"{scale:g}", "-o", str(fresh)]
            subprocess.run(command, check=True)
            fresh.rename(folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return folder


def load(lake: Lake, gateway: SparkSession, data: Path) -> dict[str, str]:
    """Make the Delta tables through the gateway; the folder of each."""
    gateway.sql("CREATE SCHEMA main.tpch")
    folders: dict[str, str] = {}
    with lake.client() as client:
        for table in TABLES:
            gateway.sql(f"CREATE TABLE main.tpch.{table} AS SELECT * FROM parquet.`{data / table}.parquet`")
            answer = client.get(f"/api/2.1/unity-catalog/tables/main.tpch.{table}").raise_for_status().json()
            folders[table] = answer["storage_location"].removeprefix("file://")
    return folders


def duck(connection: duckdb.DuckDBPyConnection, folders: dict[str, str]) -> None:
    """Views on the files of the Delta tables, without its extension for Delta, which would be a download."""
    for table, folder in folders.items():
        delta = DeltaTable(folder)
        assert not delta.metadata().partition_columns
        assert "delta.columnMapping.mode" not in delta.metadata().configuration
        files = [uri.removeprefix("file://") for uri in delta.file_uris()]
        connection.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet({files!r})")


@contextmanager
def java(jars: Path, folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Apache Spark's Connect server with Delta on all cores: its address and its process."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    conf = {
        "spark.ui.enabled": "false",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        # The defaults, 200 and 50, are for clusters; these are what suits one machine.
        "spark.sql.shuffle.partitions": str(os.cpu_count()),
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.local.dir": str(folder / "local"),
        "spark.sql.session.timeZone": "UTC",
    }
    opens = [f"--add-opens=java.base/java.{one}=ALL-UNNAMED" for one in _OPENS]
    opens += [f"--add-opens=java.base/{one}=ALL-UNNAMED" for one in _INNER]
    command = ["java", "-Xmx4g", *opens, "-Djdk.reflect.useDirectMethodHandle=false", "-cp", f"{jars.resolve()}/*"]
    command += ["org.apache.spark.deploy.SparkSubmit", "--class", "org.apache.spark.sql.connect.service.SparkConnectServer"]
    command += [
        "--master",
        "local[*]",
        *(part for pair in conf.items() for part in ("--conf", "=".join(pair))),
        "spark-internal",
    ]
    log = folder / "spark.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment(SPARK_LOCAL_IP="127.0.0.1", SPARK_HOME=str(folder), SPARK_CONNECT_AUTHENTICATE_TOKEN=token),
        )
    try:
        deadline = time.monotonic() + 120
        while not listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"Apache Spark did not start:\n{log.read_text()[-4000:]}")
            time.sleep(0.1)
        # With a token, the client wants TLS, except for this name.
        yield f"sc://localhost:{port}/;token={token}", psutil.Process(process.pid)
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def listens(port: int) -> bool:
    """Whether someone does on a port of loopback."""
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def on_files(stack: ExitStack, remote: str, folders: dict[str, str]) -> SparkSession:
    """A session of a Spark Connect server that reads the tables by their folders."""
    spark = stack.enter_context(session(remote))
    for table, folder in folders.items():
        spark.read.format("delta").load(folder).createOrReplaceTempView(table)
    return spark


def compare(query: int, engine: str, found: pa.Table, ours: pa.Table) -> None:
    """The same number of rows, the same text and dates, the same sums of numbers.

    Raises:
        SystemExit: They differ, so their times say nothing.
    """
    wrong = "" if found.shape == ours.shape else f"{found.shape} instead of {ours.shape} rows and columns"
    for number in range(0 if wrong else ours.num_columns):
        mine, other = ours.column(number), found.column(number)
        if mine.null_count != other.null_count:
            wrong = f"column {number} has another number of nulls"
        elif pa.types.is_decimal(mine.type) or pa.types.is_integer(mine.type) or pa.types.is_floating(mine.type):
            sums = [pc.sum(column.cast(pa.float64())).as_py() or 0.0 for column in (mine, other)]
            if not math.isclose(*sums, rel_tol=1e-5, abs_tol=1e-2):
                wrong = f"column {number} sums to {sums[1]} instead of {sums[0]}"
        elif sorted(map(str, mine.to_pylist())) != sorted(map(str, other.to_pylist())):
            wrong = f"column {number} has other values"
    if wrong:
        raise SystemExit(f"Query {query}: {engine} answers differently from the gateway: {wrong}")


def check_published(query: int, ours: pa.Table) -> None:
    """At scale factor 1, against the specification's own answer.

    Raises:
        SystemExit: It is another.
    """
    value = float(ours.column(0)[0].as_py())
    if not math.isclose(value, PUBLISHED[query], rel_tol=1e-4):
        raise SystemExit(f"Query {query} gives {value}; the specification says {PUBLISHED[query]}")


def run(engines: dict[str, Callable[[str], pa.Table]], peaks: Peaks, scale: float, rounds: int) -> tuple[Times, int]:
    """All queries on all engines in turns; the times, and how many rounds were counted."""
    times, begun, longest, done = Times(), time.monotonic(), 0.0, 0
    texts = {query: sql.replace("{fraction}", f"{0.0001 / scale:.10f}") for query, sql in QUERIES.items()}
    with peaks.watched():
        for query, sql in texts.items():
            answers = {name: ask(sql) for name, ask in engines.items()}
            if scale == 1 and query in PUBLISHED:
                check_published(query, answers[OURS])
            for name, answer in answers.items():
                compare(query, name, answer, answers[OURS])
    for turn in range(rounds):
        started = time.monotonic()
        if done and started + longest > begun + BUDGET:
            break
        for query, sql in texts.items():
            names = list(engines)
            at = (turn + query) % len(names)
            for name in names[at:] + names[:at]:
                start = time.perf_counter()
                engines[name](sql)
                times.add(query, name, time.perf_counter() - start)
        peaks.sample()
        longest = max(longest, time.monotonic() - started)
        done += 1
    return times, done


def geometric_mean(values: list[float]) -> float:
    """Of ratios."""
    return math.exp(statistics.fmean(map(math.log, values)))


def table(times: Times, peers: list[str]) -> str:
    """The figures as text."""
    lines = ["query " + "".join(f"{name:>12}" for name in (OURS, *peers)) + "".join(f"{'/ ' + name:>12}" for name in peers)]
    for query in times.seconds:
        seconds = "".join(f"{times.median(query, name) * 1000:9.0f} ms" for name in (OURS, *peers))
        lines.append(f"{query:5} {seconds}" + "".join(f"{times.ratio(query, name):12.2f}" for name in peers))
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="scale factor; 1 is 1 GB as text")
    parser.add_argument(
        "--rounds", type=int, default=3, help=f"none but the first starts that would end after {BUDGET // 60} minutes"
    )
    parser.add_argument("--cache", type=Path, default=ROOT / ".tools" / "tpch")
    parser.add_argument("--bare", action="store_true", help="Sail without the gateway, too")
    spark = parser.add_mutually_exclusive_group()
    spark.add_argument("--spark-jars", type=Path, help="start Apache Spark from the jars in this folder; needs Java 17")
    spark.add_argument("--spark-remote", help="an Apache Spark with delta-spark on this machine that runs already")
    asked = parse(parser)
    data = generate(asked.cache.resolve(), asked.scale)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        lake = stack.enter_context(server(folder))
        gateway = stack.enter_context(session(lake.remote()))
        start = time.perf_counter()
        folders = load(lake, gateway, data)
        loaded = time.perf_counter() - start
        gateway.sql("USE main.tpch")
        pid = gateway.sql("SELECT process_id FROM system.compute.sessions").collect()[0].process_id
        trees = {"gateway_engine": psutil.Process(pid), "gateway_server_and_engine": lake.process}
        connection = stack.enter_context(duckdb.connect())
        duck(connection, folders)
        engines: dict[str, Callable[[str], pa.Table]] = {
            OURS: lambda sql: gateway.sql(sql).toArrow(),
            DUCKDB: lambda sql: connection.sql(sql).to_arrow_table(),
        }
        if asked.bare:
            address, trees[BARE] = stack.enter_context(bare_sail())
            bare = on_files(stack, address, folders)
            engines[BARE] = lambda sql: bare.sql(sql).toArrow()
        remote = asked.spark_remote
        if asked.spark_jars:
            work = folder / "spark"
            work.mkdir()
            remote, trees[SPARK] = stack.enter_context(java(asked.spark_jars, work))
        if remote:
            apache = on_files(stack, remote, folders)
            engines[SPARK] = lambda sql: apache.sql(sql).toArrow()
        peaks = Peaks(trees, {})
        times, done = run(engines, peaks, asked.scale, asked.rounds)
        peers = [name for name in engines if name != OURS]
        figures: dict[str, Any] = {
            "scale": asked.scale,
            "rounds": done,
            "cores": os.cpu_count(),
            "load_s": round(loaded, 1),
            "total_s": {name: round(sum(times.median(query, name) for query in QUERIES), 2) for name in engines},
            "geometric_mean_of_ratios": {
                name: round(geometric_mean([times.ratio(query, name) for query in QUERIES]), 2) for name in peers
            },
            "peak_memory_mb": {name: round(most) for name, most in peaks.most.items()},
        }
    print(table(times, peers))
    print(json.dumps(figures, indent=2))
    figures["queries"] = {
        query: {
            "seconds": {name: round(times.median(query, name), 4) for name in engines},
            "ratio": {name: round(times.ratio(query, name), 3) for name in peers},
        }
        for query in QUERIES
    }
    report(figures, asked, printed=False)


if __name__ == "__main__":
    main()
