"""Files into Delta tables: Auto Loader against DuckDB and Polars with delta-rs, discovery, and small increments.

    python benchmarks/ingest.py [--mb 100] [--rounds 3] [--files 100000] [--sizes 1 10 100 1000 10000] [--json FILE]

The same files (JSON lines with nested fields, CSV, Parquet; ten files a format) go into a Delta table in three ways, in turns: a stock client's
``cloudFiles`` stream with ``availableNow`` (JSON and CSV also with all columns texts, which is its default), DuckDB's readers and Polars', both through
Arrow and ``write_deltalake``. Auto Loader infers the schema, keeps it, rescues, and writes its checkpoint in that time. A ratio is its
rate by the other's, the median over the rounds; above 1 Auto Loader is faster.

Discovery lists ``--files`` files in 100 folders, then ten new ones among them, in this process. An increment is one file of 100
rows into a table of ``--sizes`` files, from a source whose checkpoint knows as many. Its seconds, the median of five, hold the start of the query.
"""

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
from common import Lake, parse, report, server, session
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import SparkSession

from boathouse.ingest.discovery import Discovery
from boathouse.ingest.options import Options
from boathouse.ingest.paths import Place
from boathouse.ingest.state import FileLog

FORMATS = ("json", "csv", "parquet")
FILES = 10
AGAIN = 5


def rows(count: int, seed: int) -> list[dict[str, Any]]:
    """Orders with an address and tags."""
    chance = random.Random(seed)  # noqa: S311 - made-up data
    return [
        {
            "id": seed * 10_000_000 + at,
            "customer": f"customer {chance.randint(1, 5000)}",
            "price": round(chance.random() * 1000, 2),
            "quantity": chance.randint(1, 9),
            "at": f"2026-01-{chance.randint(10, 28)}T03:04:05.678Z",
            "country": chance.choice(["DE", "US", "FR"]),
            "paid": chance.random() < 0.5,
            "note": 'some "quoted" text' if at % 10 == 0 else "a plain text here",
            "address": {"street": "Main St", "zip": str(10000 + at % 999)},
            "tags": ["a", "b"],
        }
        for at in range(count)
    ]


def generate(folder: Path, megabytes: int) -> dict[str, float]:
    """Files of each format with the same rows; their megabytes."""
    each = megabytes * 1_000_000 // 250 // FILES
    for name in FORMATS:
        (folder / name).mkdir()
    for number in range(FILES):
        made = rows(each, number)
        (folder / "json" / f"{number}.json").write_text("".join(json.dumps(row) + "\n" for row in made))
        pq.write_table(pa.Table.from_pylist(made), folder / "parquet" / f"{number}.parquet")
        flat = [{key: value for key, value in row.items() if key not in {"address", "tags"}} for row in made]
        pcsv.write_csv(pa.Table.from_pylist(flat), folder / "csv" / f"{number}.csv")
    return {name: sum(path.stat().st_size for path in (folder / name).iterdir()) / 1e6 for name in FORMATS}


def auto_loader(spark: SparkSession, source: Path, state: Path, table: str, *, typed: bool) -> None:
    """All files of a folder, by a stock client."""
    file_format = source.name
    reader = spark.readStream.format("cloudFiles").option("cloudFiles.format", file_format)
    reader = reader.option("cloudFiles.schemaLocation", str(state)).option("cloudFiles.inferColumnTypes", str(typed).lower())
    if file_format == "csv":
        reader = reader.option("header", "true")
    writer = reader.load(str(source)).writeStream.option("checkpointLocation", str(state)).trigger(availableNow=True)
    query = writer.toTable(table)
    query.awaitTermination()


def with_duckdb(source: Path, target: Path) -> None:
    """All files of a folder with DuckDB and delta-rs."""
    reader = {"json": "read_json", "csv": "read_csv", "parquet": "read_parquet"}[source.name]
    with duckdb.connect() as connection:
        write_deltalake(target, connection.sql(f"SELECT * FROM {reader}('{source}/*')").to_arrow_reader(100_000))


def with_polars(source: Path, target: Path) -> None:
    """All files of a folder with Polars and delta-rs."""
    scan: Any = {"json": pl.scan_ndjson, "csv": pl.scan_csv, "parquet": pl.scan_parquet}[source.name]
    write_deltalake(target, scan(f"{source}/*").collect().to_arrow())


def timed(work: Callable[[], None]) -> float:
    """Wall seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def rates(spark: SparkSession, data: Path, scratch: Path, megabytes: dict[str, float], rounds: int) -> dict[str, Any]:
    """MB/s of each way and the ratios, by format."""
    seconds: dict[str, dict[str, list[float]]] = {}
    expected: dict[str, int] = {}
    for turn in range(rounds + 1):
        for name in FORMATS:
            source = data / name
            place = scratch / f"{name}-{turn}"
            ways: dict[str, Callable[[], None]] = {
                "auto_loader": lambda s=source, p=place, n=name, t=turn: auto_loader(
                    spark, s, p / "state", f"main.bench.{n}_{t}", typed=True
                ),
                "duckdb": lambda s=source, p=place: with_duckdb(s, p / "duckdb"),
                "polars": lambda s=source, p=place: with_polars(s, p / "polars"),
            }
            if name != "parquet":
                ways["auto_loader_texts"] = lambda s=source, p=place, n=name, t=turn: auto_loader(
                    spark, s, p / "texts", f"main.bench.{n}_{t}_texts", typed=False
                )
            place.mkdir()
            order = list(ways)
            for way in order[turn % len(order) :] + order[: turn % len(order)]:
                spent = timed(ways[way])
                # The first turn warms everything up.
                if turn:
                    seconds.setdefault(name, {}).setdefault(way, []).append(spent)
            count = DeltaTable(place / "duckdb").to_pyarrow_dataset().count_rows()
            expected.setdefault(name, count)
            assert count == expected[name] == spark.table(f"main.bench.{name}_{turn}").count()
            shutil.rmtree(place)
    figures: dict[str, Any] = {}
    for name, ways_of in seconds.items():
        figures[name] = {
            "mb_per_s": {way: round(megabytes[name] / statistics.median(spent), 1) for way, spent in ways_of.items()},
            "ratio": {
                f"{ours} to {peer}": round(
                    statistics.median(theirs / own for own, theirs in zip(ways_of[ours], ways_of[peer], strict=True)), 2
                )
                for ours in ways_of
                if ours.startswith("auto_loader")
                for peer in ("duckdb", "polars")
            },
        }
    return figures


def discovery(folder: Path, count: int) -> dict[str, float]:
    """Seconds to find files, and a few new ones among them."""
    source = folder / "many"
    for at in range(100):
        (source / f"{at:03}").mkdir(parents=True)
    for at in range(count):
        (source / f"{at % 100:03}" / f"{at}.json").write_text("{}\n")
    long_ago = time.time() - 3600
    for at in range(100):
        os.utime(source / f"{at:03}", (long_ago, long_ago))
    log = FileLog(folder / "state")
    finder = Discovery(Place(str(source), source), Options("json"), log)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    first = timed(finder.list)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    nothing = timed(finder.list)
    for at in range(10):
        (source / f"{at:03}" / f"new-{at}.json").write_text("{}\n")
    some = timed(finder.list)
    full = timed(Discovery(Place(str(source), source), Options("json", incremental_listing="false"), log).list)
    assert log.last() == count + 10
    log.close()
    return {
        "files": count,
        "first_listing_s": round(first, 2),
        "memory_mb": round(grown, 1),
        "nothing_new_s": round(nothing, 4),
        "ten_new_s": round(some, 4),
        "all_folders_again_s": round(full, 3),
    }


def grow(place: Path, size: int) -> None:
    """Add files to a Delta table until it has so many, each by a commit of its own, and a checkpoint at the end as writers make them.

    The commits are written here: through a writer, ten thousand of them take an hour.
    """
    table = DeltaTable(place)
    some = pa.table(table.get_add_actions(flatten=True)).to_pylist()[0]
    for number in range(table.version() + 1, table.version() + 1 + size - len(table.file_uris())):
        copied = f"copy-{number}.parquet"
        os.link(place / some["path"], place / copied)
        add = {
            "path": copied,
            "partitionValues": {},
            "size": some["size_bytes"],
            "modificationTime": int(time.time() * 1000),
            "dataChange": True,
            "stats": json.dumps({"numRecords": some["num_records"]}),
        }
        (place / "_delta_log" / f"{number:020}.json").write_text(json.dumps({"add": add}) + "\n")
    DeltaTable(place).create_checkpoint()


def increments(spark: SparkSession, lake: Lake, folder: Path, sizes: list[int]) -> dict[str, float]:
    """Median seconds of one file of a hundred rows, by how many files the table has, the source and the checkpoint know before it."""
    source, state, table = folder / "json", folder / "state", "main.bench.increments"
    source.mkdir(parents=True)
    text = "".join(json.dumps(row) + "\n" for row in rows(100, 1))
    landed = 0

    def land(count: int) -> None:
        nonlocal landed
        for _ in range(count):
            (source / f"{landed}.json").write_text(text)
            landed += 1

    def run() -> None:
        reader = spark.readStream.format("cloudFiles").option("cloudFiles.format", "json")
        reader = reader.option("cloudFiles.schemaLocation", str(state)).option("cloudFiles.maxFilesPerTrigger", "100000")
        writer = reader.load(str(source)).writeStream.option("checkpointLocation", str(state))
        writer.trigger(availableNow=True).toTable(table).awaitTermination()

    land(1)
    run()
    with lake.client() as client:
        found = client.get(f"/api/2.1/unity-catalog/tables/{table}").raise_for_status().json()
    place = Path(found["storage_location"].removeprefix("file://"))
    measured: dict[str, float] = {}
    for size in sizes:
        # The source grows by one batch, the table by commits of one file each.
        if size > landed + 1:
            land(size - landed - 1)
            run()
            grow(place, size - 1)
        spent: list[float] = []
        for _ in range(AGAIN):
            land(1)
            spent.append(timed(run))
        measured[str(size)] = round(statistics.median(spent), 3)
    per_file = spark.sql(f"SELECT count(*) FROM cloud_files_state('{state}') WHERE commit_time IS NOT NULL").collect()[0][0]
    assert per_file == landed
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=int, default=100, help="megabytes of JSON")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--files", type=int, default=100_000, help="files to discover")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[1, 10, 100, 1000, 10_000], help="of the table, in files, for increments"
    )
    asked = parse(parser)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        figures: dict[str, Any] = {"cores": os.cpu_count(), "discovery": discovery(folder / "discovery", asked.files)}
        data = folder / "data"
        data.mkdir()
        megabytes = generate(data, asked.mb)
        with server(folder) as lake, session(lake.remote()) as spark:
            spark.sql("CREATE SCHEMA main.bench")
            scratch = folder / "scratch"
            scratch.mkdir()
            figures["mb"] = {name: round(size, 1) for name, size in megabytes.items()}
            figures["rates"] = rates(spark, data, scratch, megabytes, asked.rounds)
            figures["increment_s"] = increments(spark, lake, folder / "increments", sorted(asked.sizes))
    report(figures, asked)


if __name__ == "__main__":
    main()
