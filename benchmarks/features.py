"""The as-of join of training sets beside DuckDB, Polars, pandas and Feast, and reads of the online store, in one run.

    python benchmarks/features.py [--labels 1000000] [--rows 5000000] [--only WAY] [--server] [--feast PYTHON]

Labels and two feature tables of 10,000 keys are written as Parquet; four fifths of the rows are in the first table. Each way to join
runs in a process of its own, which reads and writes Parquet: ``local`` is what the server starts for ``create_training_set`` (the
feature tables are Delta there), ``engine`` is its plan on the embedded engine, without a gateway between; ``late`` is the same with
``available_at``. ``--only WAY`` runs one. ``--server`` makes training sets through a server in both forms, from tables into a table,
and counts the whole server's processor time. PYTHON is an interpreter that has ``feast[duckdb]``.
Prints wall and processor seconds, the peak of resident memory and the ratio of processor seconds to DuckDB's as JSON.
"""

import argparse
import datetime as dt
import io
import json
import os
import resource
import runpy
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import write_deltalake

KEYS, LOOKBACK = 10_000, 7 * 86_400
VIEWS = {"first": 4, "second": 3}
START = 1_700_000_000_000_000
_FEAST = """
import sys, time, resource, datetime as dt
from pathlib import Path
import pandas as pd, yaml
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
from feast.types import Float64
folder, views = Path(sys.argv[1]), {views}
(folder / "feature_store.yaml").write_text(yaml.safe_dump(dict(project="p", registry=str(folder / "r.db"), provider="local",
    offline_store=dict(type="duckdb"), online_store=dict(type="sqlite", path=str(folder / "o.db")), entity_key_serialization_version=3)))
store, entity = FeatureStore(str(folder)), Entity(name="k", join_keys=["k"], value_type=ValueType.INT64)
made = [FeatureView(name=view, entities=[entity], ttl=dt.timedelta(seconds={lookback}), online=False,
    schema=[Field(name=f"{{view}}_{{n}}", dtype=Float64) for n in range(count)],
    source=FileSource(path=str(folder / f"{{view}}.parquet"), timestamp_field="t")) for view, count in views.items()]
store.apply([entity, *made])
labels = pd.read_parquet(folder / "labels.parquet").rename(columns=dict(t="event_timestamp"))
names = [f"{{view}}:{{view}}_{{n}}" for view, count in views.items() for n in range(count)]
store.get_historical_features(labels, names).to_df().to_parquet(folder / "feast.parquet")
"""


def write(folder: Path, labels: int, rows: int) -> None:
    """The labels, and the feature tables; a row is available up to an hour after its time."""
    random = np.random.default_rng(1)

    def part(count: int) -> dict[str, Any]:
        times = START + random.integers(0, 365 * 86_400, count) * 1_000_000
        return {"k": random.integers(0, KEYS, count), "t": times}

    def save(name: str, columns: dict[str, Any]) -> None:
        kinds = {column: pa.array(columns[column], pa.timestamp("us", "UTC")) for column in ("t", "known") if column in columns}
        pq.write_table(pa.table({**columns, **kinds}), folder / f"{name}.parquet")

    def save_table(name: str) -> None:
        table = pq.read_table(folder / f"{name}.parquet")
        write_deltalake(folder / f"{name}_delta", table)

    save("labels", {"id": np.arange(labels), **part(labels), "y": random.random(labels)})
    for view, share in (("first", 4), ("second", 1)):
        columns = part(rows * share // 5)
        known = columns["t"] + random.integers(0, 3_600, len(columns["t"])) * 1_000_000
        values = {f"{view}_{number}": random.random(len(known)) for number in range(VIEWS[view])}
        save(view, {**columns, "known": known, **values})
        save_table(view)
    (folder / "rows").mkdir()
    (folder / "rows" / "0.parquet").hardlink_to(folder / "labels.parquet")


def by_local(folder: Path, *, late: bool = False, lookback: int | None = LOOKBACK) -> None:
    """The process that a server starts."""
    from boathouse.engine.as_of.request import AsOfLookup, AsOfRequest

    lookups, tables = list[AsOfLookup](), list[dict[str, Any]]()
    for view, count in VIEWS.items():
        names = {f"{view}_{number}": f"{view}_{number}" for number in range(count)}
        known, back = "known" if late else None, None if lookback is None else lookback * 1_000_000
        lookups.append(AsOfLookup(view, 0, ("k",), ("k",), names, "t", known, "t", back))
        rows = pq.read_metadata(folder / f"{view}.parquet").num_rows
        tables.append({"folder": str(folder / f"{view}_delta"), "version": 0, "rows": rows})
    shutil.rmtree(folder / "local", ignore_errors=True)
    order = {
        "request": AsOfRequest(("id", "k", "t", "y"), tuple(lookups)).dumps(),
        "rows": str(folder / "rows"),
        "result": str(folder / "local"),
        "budget": 1_500_000_000,
        "tables": tables,
    }
    sys.stdin = io.StringIO(json.dumps(order))
    runpy.run_module("boathouse.engine.as_of", run_name="__main__")


def by_engine(folder: Path, *, late: bool = False, lookback: int | None = LOOKBACK) -> None:
    """The plan of a training set."""
    from pysail.spark import SparkConnectServer
    from pyspark.sql import DataFrame, SparkSession

    from boathouse.features.client.as_of import FeatureRows, join_features
    from boathouse.features.client.training_set import in_order

    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    address = server.listening_address
    assert address is not None
    spark = SparkSession.builder.remote(f"sc://localhost:{address[1]}").getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")

    def joined(frame: DataFrame) -> DataFrame:
        for view, count in VIEWS.items():
            table = FeatureRows(spark.read.parquet(str(folder / f"{view}.parquet")), ["k"], "t", "known" if late else None)
            names = {f"{view}_{number}": f"{view}_{number}" for number in range(count)}
            frame = join_features(frame, ["k"], table, names, "t", lookback)
        return frame

    labels = spark.read.parquet(str(folder / "labels.parquet"))
    in_order(labels, joined).write.mode("overwrite").parquet(str(folder / "engine"))


def by_duckdb(folder: Path) -> None:
    """Its ASOF join; look-back by a condition on what was found. Ties are broken at random."""
    import duckdb

    text = f"SELECT l.* FROM '{folder}/labels.parquet' AS l"
    for view, count in VIEWS.items():
        fresh = f"l.t - {view}.t <= INTERVAL {LOOKBACK} SECONDS"
        names = ", ".join(f"CASE WHEN {fresh} THEN {view}_{number} END AS {view}_{number}" for number in range(count))
        text = text.replace("SELECT l.*", f"SELECT l.*, {names}", 1)
        text += f" ASOF LEFT JOIN '{folder}/{view}.parquet' AS {view} ON l.k = {view}.k AND l.t >= {view}.t"
    duckdb.sql(f"COPY ({text} ORDER BY l.id) TO '{folder}/duckdb.parquet'")


def by_polars(folder: Path) -> None:
    """Its ``join_asof`` with a tolerance."""
    import polars as pl

    frame = pl.scan_parquet(folder / "labels.parquet").sort("t")
    for view in VIEWS:
        its = pl.scan_parquet(folder / f"{view}.parquet").drop("known").sort("t")
        tolerance = dt.timedelta(seconds=LOOKBACK)
        frame = frame.join_asof(its, on="t", by="k", tolerance=tolerance, check_sortedness=False)
    frame.sort("id").collect().write_parquet(folder / "polars.parquet")


def by_pandas(folder: Path) -> None:
    """Its ``merge_asof`` with a tolerance."""
    import pandas as pd

    frame = pd.read_parquet(folder / "labels.parquet").sort_values("t")
    for view in VIEWS:
        its = pd.read_parquet(folder / f"{view}.parquet").drop(columns="known").sort_values("t")
        frame = pd.merge_asof(frame, its, on="t", by="k", tolerance=pd.Timedelta(seconds=LOOKBACK))
    frame.sort_values("id").to_parquet(folder / "pandas.parquet")


WAYS: dict[str, Callable[[Path], None]] = {
    "local": by_local,
    "local without look-back": lambda folder: by_local(folder, lookback=None),
    "local late": lambda folder: by_local(folder, late=True),
    "engine": by_engine,
    "engine without look-back": lambda folder: by_engine(folder, lookback=None),
    "engine late": lambda folder: by_engine(folder, late=True),
    "duckdb": by_duckdb,
    "polars": by_polars,
    "pandas": by_pandas,
}


def run(command: list[str]) -> dict[str, float]:
    """Run a process; its seconds and its peak in GB."""
    started = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = _wait(child)
    if status:
        sys.exit(f"{' '.join(command[:3])} ended with status {status}")
    return {
        "wall_s": round(time.perf_counter() - started, 1),
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "peak_gb": round(used.ru_maxrss / 1e6, 2),
    }


def _wait(child: subprocess.Popen[bytes]) -> tuple[int, int, resource.struct_rusage]:
    return os.wait4(child.pid, 0)


def online(folder: Path) -> dict[str, dict[str, float]]:
    """p50 and p99 in ms of reads in process, of 1 and of 100 keys in two tables."""
    from boathouse.features.online import OnlineMeta, OnlineReader, pack_key, pack_value
    from boathouse.features.online_lmdb import LmdbSource, LmdbTarget

    random, readers = np.random.default_rng(2), dict[str, OnlineReader]()
    for view, count in VIEWS.items():
        names = tuple(f"{view}_{number}" for number in range(count))
        meta = OnlineMeta(f"main.f.{view}", "id", 0, ("k",), ("integer",), "t", None, names)
        rows = ((pack_key([key]), START, 0, pack_value(random.random(count).tolist())) for key in range(KEYS))
        LmdbTarget(folder / f"{view}.mdb").write(meta, rows, replace=True)
        readers[view] = OnlineReader(LmdbSource(folder / f"{view}.mdb", view), view)
    found: dict[str, dict[str, float]] = {}
    for keys in (1, 100):
        seconds: list[float] = []
        for _ in range(2_000):
            asked = [[int(key)] for key in random.integers(0, KEYS, keys)]
            started = time.perf_counter()
            for view, reader in readers.items():
                reader.read(asked, [None] * keys, [f"{view}_{number}" for number in range(VIEWS[view])], LOOKBACK)
            seconds.append(time.perf_counter() - started)
        p50, p99 = np.percentile(seconds, [50, 99]) * 1_000
        found[f"{keys} keys"] = {"p50_ms": round(float(p50), 4), "p99_ms": round(float(p99), 4)}
    return found


def by_server(folder: Path) -> dict[str, dict[str, float]]:
    """Training sets of tables of the catalog, written into another, in both forms."""
    from common import Peaks, server, session
    from databricks.sdk import WorkspaceClient

    from boathouse.features.client import FeatureEngineeringClient, FeatureLookup, FeatureTables

    found: dict[str, dict[str, float]] = {}
    with server(folder) as lake, session(lake.remote()) as spark:
        fe = FeatureEngineeringClient(tables=FeatureTables(spark, WorkspaceClient(host=lake.url, token=lake.token)))
        spark.sql("CREATE SCHEMA main.f")
        for name in ("labels", *VIEWS):
            spark.read.parquet(str(folder / f"{name}.parquet")).write.saveAsTable(f"main.f.{name}")
        for view in VIEWS:
            for column in ("k", "t"):
                spark.sql(f"ALTER TABLE main.f.{view} ALTER COLUMN {column} SET NOT NULL")
            spark.sql(f"ALTER TABLE main.f.{view} ADD CONSTRAINT {view}_pk PRIMARY KEY (k, t TIMESERIES)")
        for form in ("local", "local", "engine"):
            spark.conf.set("spark.boathouse.asOfJoin", form)
            lookups = [
                FeatureLookup(
                    f"main.f.{view}",
                    "k",
                    feature_names=[f"{view}_{number}" for number in range(count)],
                    timestamp_lookup_key="t",
                    lookback_window=dt.timedelta(seconds=LOOKBACK),
                )
                for view, count in VIEWS.items()
            ]
            rows = fe.create_training_set(df=spark.table("main.f.labels"), feature_lookups=lookups, label="y").load_df()
            peaks, before, started = Peaks({"server": lake.process}, {}), _processor_seconds(lake.process), time.perf_counter()
            with peaks.watched():
                rows.write.mode("overwrite").saveAsTable("main.f.training")
            found[form] = {
                "wall_s": round(time.perf_counter() - started, 1),
                "cpu_s": round(_processor_seconds(lake.process) - before, 1),
                "peak_gb": round(peaks.most["server"] / 1e3, 2),
            }
    return found


def _processor_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    below = sum(sum(one.cpu_times()[:2]) for one in process.children(recursive=True))
    return times.user + times.system + times.children_user + times.children_system + below


def main() -> None:
    """Run all ways and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=int, default=1_000_000)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--feast")
    parser.add_argument("--only", action="append", choices=WAYS)
    parser.add_argument("--server", action="store_true")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way == "write":
        write(options.folder, options.labels, options.rows)
        return
    if options.way:
        WAYS[options.way](options.folder)
        os._exit(0)  # an engine within a process may not let go of it
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # In a process of its own: what starts from this one would have its peak for a least.
        run(
            [
                sys.executable,
                __file__,
                "--way",
                "write",
                "--folder",
                name,
                *map(str, ("--labels", options.labels, "--rows", options.rows)),
            ]
        )
        found = {way: run([sys.executable, __file__, "--way", way, "--folder", name]) for way in options.only or WAYS}
        if options.feast:
            script = folder / "feast_join.py"
            script.write_text(_FEAST.format(views=VIEWS, lookback=LOOKBACK))
            found["feast"] = run([options.feast, str(script), name])
        for one in found.values() if "duckdb" in found else ():
            one["cpu_to_duckdb"] = round(one["cpu_s"] / found["duckdb"]["cpu_s"], 2)
        through = by_server(folder) if options.server else {}
        print(json.dumps({"as_of": found, "server": through, "online": online(folder)}, indent=1))


if __name__ == "__main__":
    main()
