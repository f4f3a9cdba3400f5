"""Files into Delta tables: Auto Loader against DuckDB and Polars with delta-rs, discovery, and small increments.

    python benchmarks/ingest.py [--mb 100] [--rounds 3] [--files 100000] [--increments 200] [--step 50] [--json FILE]

The same files (JSON lines with nested fields, CSV, Parquet; ten files a format) go into a Delta table in three ways, in turns: a stock client's
``cloudFiles`` stream with ``availableNow`` (JSON and CSV also with all columns texts, which is its default), DuckDB's readers and Polars', both through
Arrow and ``write_deltalake``. Auto Loader infers the schema, keeps it, rescues, and writes its checkpoint in that time. A ratio is its
rate by the other's, the median over the rounds; above 1 Auto Loader is faster.

Discovery lists ``--files`` files in 100 folders, then ten new ones among them, in this process. An increment is one file of 100
rows into a table that has grown by as many; ``--increments 10000`` is the full size. Its seconds hold the start of the query.
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
from common import parse, report, server, session
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import SparkSession

from boathouse.ingest.discovery import Discovery
from boathouse.ingest.options import Options
from boathouse.ingest.paths import Place
from boathouse.ingest.state import FileLog

FORMATS = ("json", "csv", "parquet")
FILES = 10


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


def increments(spark: SparkSession, folder: Path, count: int, step: int) -> dict[str, float]:
    """Seconds of one file of a hundred rows, by how many the table has before it."""
    source = folder / "json"
    source.mkdir(parents=True)
    text = "".join(json.dumps(row) + "\n" for row in rows(100, 1))
    measured: dict[str, float] = {}
    done = 0
    while done < count:
        # Between two figures the table grows by a file a batch.
        grows = min(step, count - done) - 1
        for at in range(grows):
            (source / f"{done + at}.json").write_text(text)
        reader = spark.readStream.format("cloudFiles").option("cloudFiles.format", "json")
        reader = reader.option("cloudFiles.schemaLocation", str(folder / "state")).option("cloudFiles.maxFilesPerTrigger", "1")

        def run(reader: Any = reader) -> None:
            writer = reader.load(str(source)).writeStream.option("checkpointLocation", str(folder / "state"))
            writer.trigger(availableNow=True).toTable("main.bench.increments").awaitTermination()

        if grows:
            run()
        done += grows
        (source / f"{done}.json").write_text(text)
        measured[str(done)] = round(timed(run), 3)
        done += 1
    assert spark.table("main.bench.increments").count() == done * 100
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=int, default=100, help="megabytes of JSON")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--files", type=int, default=100_000, help="files to discover")
    parser.add_argument("--increments", type=int, default=200, help="files of one batch each")
    parser.add_argument("--step", type=int, default=50, help="files between two figures")
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
            figures["increment_s"] = increments(spark, folder / "increments", asked.increments, asked.step)
    report(figures, asked)


if __name__ == "__main__":
    main()
