"""The flights example as a pipeline, against the same tables written by hand in PySpark, here and on Apache Spark; and a file's way to gold.

    python benchmarks/flights.py [--rounds 3] [--days 20] [--every 1] [--spark-jars FOLDER] [--json FILE]

The files of ``examples/flights`` (a year, or every so many days of it) become bronze, silver and gold in turns:

- ``pipeline``: a full refresh of the example's pipeline from its start to its end, as its client sees it: checkpoints, rescued data, seven
  expectations, quarantine and event log.
- ``by_hand``: a script of a stock client that reads the files, filters, sets aside and saves the same tables; it keeps no account of files
  and expectations.
- ``spark``: that script on Apache Spark with delta-spark, ``local[*]``.

A ratio is the pipeline's time by the other's, the median over the rounds; below 1 the pipeline is faster. Row counts are compared. Then the
pipeline runs continuously; ``latency_s`` is the time from a new day's file in the landing volume until the day is in ``gold_daily_delays``.

``training_set`` is the example's: all flights with two tables' features as of two hours before departure, from tables into a table, by
``create_training_set``, against the same by hand in pandas on the files (``merge_asof``, ``write_deltalake``). Their values are compared.
"""

import argparse
import os
import runpy
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pyarrow.compute as pc
from common import ROOT, Lake, parse, report, server, session
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.pipelines import UpdateInfoState
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from tpch import java

EXAMPLE = ROOT / "examples" / "flights"
sys.path.insert(0, str(EXAMPLE))
POINT_IN_TIME = runpy.run_path(str(EXAMPLE / "point_in_time.py"))
WEATHER, DELAYS = POINT_IN_TIME["WEATHER"], POINT_IN_TIME["DELAYS"]
COUNTED = ("bronze_flights", "bronze_weather", "silver_flights", "silver_weather", "gold_daily_delays", "gold_carrier_delays")
PATIENCE = 60


def day_files(files: dict[str, bytes], every: int) -> dict[str, bytes]:
    """The files, with those of every so many days."""
    days = sorted(name for name in files if name.startswith("flights/"))
    left_out = set(days) - set(days[::every])
    return {name: content for name, content in files.items() if name not in left_out}


def write(landing: Path, files: dict[str, bytes]) -> None:
    """Files appear whole: they are written beside and moved in."""
    for name, content in files.items():
        (landing / name).parent.mkdir(parents=True, exist_ok=True)
        beside = landing / f".{Path(name).name}"
        beside.write_bytes(content)
        beside.rename(landing / name)


def minutes(column: Column) -> Column:
    """So many minutes, to be added to a moment."""
    return F.make_dt_interval(F.lit(0), F.lit(0), column, F.lit(0))


def by_hand(spark: SparkSession, landing: Path, schema: str) -> None:
    """Files to gold with what every client has."""

    def save(name: str, rows: DataFrame) -> DataFrame:
        rows.write.format("delta").mode("overwrite").option("overwriteSchema", "true").saveAsTable(f"{schema}.{name}")
        return spark.table(f"{schema}.{name}")

    def split(name: str, rows: DataFrame, keeps: Column) -> DataFrame:
        kept = F.coalesce(keeps, F.expr("false"))
        save(f"{name}_quarantine", rows.where(~kept))
        return save(name, rows.where(kept))

    csv = spark.read.option("header", "true").option("inferSchema", "true")
    flights = save("bronze_flights", spark.read.json(str(landing / "flights")))
    weather = save("bronze_weather", csv.csv(str(landing / "weather")))
    small = {name: save(f"bronze_{name}", csv.csv(str(landing / name))) for name in ("airports", "airlines", "planes")}

    zones = small["airports"].select(F.col("faa").alias("dest"), "tzone")
    hour = F.to_timestamp("time_hour")
    clock = F.make_timestamp(
        "year", "month", "day", F.floor(F.col("sched_arr_time") / 100), F.col("sched_arr_time") % 100, F.lit(0)
    )
    departed = hour + minutes(F.col("minute") + F.col("dep_delay"))
    arrival = F.to_utc_timestamp(clock, F.coalesce("tzone", F.lit("America/Puerto_Rico")))
    day_later = F.when(arrival <= hour + minutes(F.col("minute")), 1).otherwise(0)
    landed = arrival + F.make_dt_interval(day_later, F.lit(0), F.col("arr_delay"), F.lit(0))
    silver = flights.join(zones, "dest", "left").select(
        F.concat_ws("-", F.date_format(hour, "yyyyMMddHH"), "minute", "carrier", "flight", "origin").alias("flight_id"),
        (hour + minutes(F.col("minute"))).alias("sched_dep"),
        *("carrier", "flight", "tailnum", "origin", "dest", "month", "hour", "minute", "distance", "dep_delay", "arr_delay"),
        F.isnull("dep_time").alias("cancelled"),
        (F.col("arr_delay") >= 15).alias("late"),
        departed.alias("departed_at"),
        F.greatest(landed, departed + minutes(F.col("air_time"))).alias("known_at"),
    )
    known = F.col("origin").isin("EWR", "JFK", "LGA") & (F.col("cancelled") | F.col("arr_delay").isNotNull())
    silver = split("silver_flights", silver, known)
    columns = ("temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib")
    hours = weather.select("origin", hour.alias("time_hour"), *columns)
    split("silver_weather", hours, F.col("temp").isNotNull())
    copies = silver.groupBy("flight_id").agg(F.count("*").alias("copies")).where("copies > 1")
    save("silver_flights_copies", copies)

    for name, keys in (
        ("gold_daily_delays", (F.col("sched_dep").cast("date").alias("day"), F.col("origin"))),
        ("gold_carrier_delays", (F.col("month"), F.col("carrier"))),
    ):
        figures = (
            F.count("*").alias("flights"),
            F.count_if("cancelled").alias("cancelled"),
            F.avg(F.col("late").cast("double")).alias("late_rate"),
            F.avg("arr_delay").alias("mean_arr_delay"),
        )
        save(name, silver.groupBy(*keys).agg(*figures))


class Pipeline:
    """The example's pipeline on a server."""

    def __init__(self, lake: Lake) -> None:
        self._steps = runpy.run_path(str(EXAMPLE / "01_pipeline.py"))
        self._w = WorkspaceClient(host=lake.url, token=lake.token)
        self._steps["upload"](self._w, "pipeline")
        self._id = self._steps["declare"](self._w, self._steps["PYTHON"])

    def refresh(self) -> None:
        """All of it anew.

        Raises:
            SystemExit: It failed.
        """
        update = self._w.pipelines.start_update(self._id, full_refresh=True).update_id
        while (state := self._w.pipelines.get_update(self._id, update).update.state) not in self._steps["ENDED"]:
            time.sleep(0.05)
        if state is not UpdateInfoState.COMPLETED:
            raise SystemExit(f"The update is {state}")
        self._w.pipelines.wait_get_pipeline_idle(self._id)

    def go_on(self) -> None:
        """Run it continuously from now on."""
        declared = self._steps["PYTHON"]
        libraries = self._w.pipelines.get(self._id).spec.libraries
        self._w.pipelines.update(
            self._id, name=declared.name, catalog="main", schema=declared.schema, libraries=libraries, continuous=True
        )
        self._w.pipelines.start_update(self._id)

    def stop(self) -> None:
        """End it."""
        self._w.pipelines.stop_and_wait(self._id)


def folder_of(lake: Lake, route: str) -> Path:
    """Where a table or a volume lies."""
    with lake.client() as client:
        found = client.get(f"/api/2.1/unity-catalog/{route}").raise_for_status().json()
    return Path(found["storage_location"].removeprefix("file://"))


def latency(lake: Lake, pipeline: Pipeline, landing: Path, days: dict[str, bytes]) -> dict[str, float]:
    """Seconds from a day's file to the day's rows in gold, one file after another.

    Raises:
        SystemExit: A day does not come.
    """
    gold = DeltaTable(folder_of(lake, "tables/main.flights.gold_daily_delays"))

    def wait_for(day: str) -> float:
        began = time.perf_counter()
        while time.perf_counter() - began < PATIENCE:
            version = gold.version()
            gold.update_incremental()
            if gold.version() != version or version == first:
                found = gold.to_pyarrow_table(columns=["day"]).column("day")
                if pc.any(pc.equal(found.cast("string"), day)).as_py():
                    return time.perf_counter() - began
            time.sleep(0.02)
        raise SystemExit(f"{day} has not come to gold in {PATIENCE} s")

    first = gold.version()
    pipeline.go_on()
    spent: list[float] = []
    for number, (name, content) in enumerate(days.items()):
        write(landing, {name: content})
        took = wait_for(Path(name).stem)
        # The first one waits for the start as well.
        if number:
            spent.append(took)
    pipeline.stop()
    return {"median": round(statistics.median(spent), 2), "least": round(min(spent), 2), "most": round(max(spent), 2)}


def by_pandas(tables: dict[str, Path], target: Path) -> pd.DataFrame:
    """Flights with their features, by hand; written to a folder."""
    rows = DeltaTable(tables["silver_flights"]).to_pandas()
    rows = rows[~rows["cancelled"]].copy()
    rows["prediction_time"] = (rows["sched_dep"] - pd.Timedelta(hours=2)).astype("datetime64[us, UTC]")
    rows["weekday"] = rows["sched_dep"].dt.dayofweek.add(1).mod(7).add(1).astype("float64")
    rows = rows.astype({"hour": "float64", "distance": "float64", "late": "int32"}).sort_values(
        "prediction_time", kind="stable"
    )
    for table, keys, known in (
        ("weather_features", ["origin"], "available_at"),
        ("delay_features", ["origin", "carrier"], "time_hour"),
    ):
        features = (
            DeltaTable(tables[table])
            .to_pandas()
            .sort_values([known, "time_hour"])
            .rename(columns={"time_hour": "feature_time"})
        )
        found = pd.merge_asof(
            rows[[*keys, "prediction_time"]],
            features,
            left_on="prediction_time",
            right_on="feature_time" if known == "time_hour" else known,
            by=keys,
        )
        fresh = found["feature_time"] >= found["prediction_time"] - pd.Timedelta(hours=6)
        for name in WEATHER if table == "weather_features" else DELAYS:
            rows[name] = found[name].where(fresh).to_numpy()
    about = [
        "flight_id",
        "origin",
        "carrier",
        "month",
        "sched_dep",
        "prediction_time",
        "hour",
        "weekday",
        "distance",
        "known_at",
    ]
    whole = rows[[*about, *WEATHER, *DELAYS, "late"]]
    write_deltalake(target, whole, mode="overwrite")
    return whole


def training_sets(lake: Lake, spark: SparkSession, folder: Path, rounds: int) -> dict[str, Any]:
    """Seconds of both ways, and ours to pandas'.

    Raises:
        SystemExit: They differ.
    """
    os.environ |= {"SPARK_REMOTE": lake.remote(), "DATABRICKS_HOST": lake.url, "DATABRICKS_TOKEN": lake.token}
    runpy.run_path(str(EXAMPLE / "02_features.py"), run_name="__main__")
    examples: Callable[..., DataFrame] = POINT_IN_TIME["examples"]
    tables = {
        name: folder_of(lake, f"tables/main.flights.{name}")
        for name in ("silver_flights", "weather_features", "delay_features")
    }
    spent: dict[str, list[float]] = {"ours": [], "pandas": []}
    for turn in range(rounds + 1):
        began = time.perf_counter()
        examples(spark, "true").write.mode("overwrite").saveAsTable("main.flights.training_set")
        middle = time.perf_counter()
        theirs = by_pandas(tables, folder / "training_set")
        # The first turn warms everything up.
        if turn:
            spent["ours"].append(middle - began)
            spent["pandas"].append(time.perf_counter() - middle)
    ours = DeltaTable(folder_of(lake, "tables/main.flights.training_set")).to_pandas()
    columns = ["flight_id", "hour", "weekday", "distance", *WEATHER, *DELAYS, "late"]
    one, other = (rows[columns].sort_values("flight_id", ignore_index=True) for rows in (ours, theirs))
    try:
        pd.testing.assert_frame_equal(one, other, check_dtype=False)
    except AssertionError as error:
        raise SystemExit(f"The training sets differ: {error}") from None
    return {
        "rows": len(ours),
        "seconds": {name: round(statistics.median(values), 2) for name, values in spent.items()},
        "ours_to_pandas": round(statistics.median(a / b for a, b in zip(spent["ours"], spent["pandas"], strict=True)), 2),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--every", type=int, default=1, help="take every so many days of the year")
    parser.add_argument("--days", type=int, default=20, help="days that come while the pipeline runs continuously")
    parser.add_argument("--spark-jars", type=Path, help="start Apache Spark from the jars in this folder; needs Java 17")
    asked = parse(parser)
    files = day_files(runpy.run_path(str(EXAMPLE / "00_land.py"))["all_files"](), asked.every)
    late = {name: files.pop(name) for name in sorted(name for name in files if name.startswith("flights/"))[-asked.days - 1 :]}
    taken: dict[str, list[float]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        lake = stack.enter_context(server(folder))
        spark = stack.enter_context(session(lake.remote()))
        for statement in ("CREATE SCHEMA main.flights", "CREATE SCHEMA main.hand", "CREATE VOLUME main.flights.landing"):
            spark.sql(statement).collect()
        landing = folder_of(lake, "volumes/main.flights.landing")
        write(landing, files)
        raw = folder / "raw"
        shutil.copytree(landing, raw)
        pipeline = Pipeline(lake)
        ways: dict[str, Callable[[], None]] = {
            "pipeline": pipeline.refresh,
            "by_hand": lambda: by_hand(spark, landing, "main.hand"),
        }
        readers: dict[str, tuple[SparkSession, str]] = {
            "pipeline": (spark, "main.flights"),
            "by_hand": (spark, "main.hand"),
        }
        if asked.spark_jars:
            work = folder / "spark"
            work.mkdir()
            remote, _ = stack.enter_context(java(asked.spark_jars, work))
            apache = stack.enter_context(session(remote))
            ways["spark"] = lambda: by_hand(apache, raw, "default")
            readers["spark"] = (apache, "default")
        for turn in range(asked.rounds + 1):
            names = list(ways)
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                began = time.perf_counter()
                ways[name]()
                # The first turn warms everything up.
                if turn:
                    taken.setdefault(name, []).append(time.perf_counter() - began)
        rows = {
            name: {table: own.table(f"{schema}.{table}").count() for table in COUNTED}
            for name, (own, schema) in readers.items()
        }
        if any(found != rows["pipeline"] for found in rows.values()):
            raise SystemExit(f"The ways differ in their rows: {rows}")
        figures: dict[str, Any] = {
            "cores": psutil.cpu_count(),
            "rows": rows["pipeline"],
            "seconds": {name: round(statistics.median(spent), 2) for name, spent in taken.items()},
            "pipeline_to": {
                name: round(statistics.median(ours / other for ours, other in zip(taken["pipeline"], spent, strict=True)), 2)
                for name, spent in taken.items()
                if name != "pipeline"
            },
            "training_set": training_sets(lake, spark, folder, asked.rounds),
            "latency_s": latency(lake, pipeline, landing, late),
        }
    report(figures, asked)


if __name__ == "__main__":
    main()
