"""One refresh of a monitor against exact drift of the same rows by scipy and by Polars.

    python benchmarks/monitors.py [--rows 1000000] [--rounds 3] [--json FILE]

A table has 16 columns of numbers and 4 of texts and two days of ``--rows`` rows each. A refresh looks at the second day after it was appended, with the first
one for comparison: it reads through the gateway, computes profiles and drift, and writes both metric tables. ``computing`` is its own part of that
alone, on Arrow data that delta-rs has read. scipy and Polars compute the same distances between the two days from all values (no profiles, nothing
written), on data that is in memory. Ratios are to scipy's seconds, the median of the rounds, in turns; below 1 is faster.
"""

import argparse
import datetime as dt
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import polars as pl
import pyarrow as pa
from common import parse, report, server, session
from deltalake import DeltaTable, write_deltalake
from scipy import stats
from scipy.spatial.distance import jensenshannon

from boathouse.monitoring.profiles.columns import Column, profile_of
from boathouse.storage.paths import from_url

NUMBERS, TEXTS = 16, 4
TABLE = "main.default.watched"
DAY = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def day(number: int, rows: int) -> pa.Table:
    """A day's rows; those of another day are a little other."""
    chance = np.random.default_rng(number)
    at = pa.array([DAY - dt.timedelta(days=2 - number)]).cast(pa.timestamp("us", "UTC")).take(pa.array(np.zeros(rows, np.int8)))
    numbers = {f"x{index}": chance.normal(number * 0.05, 1 + index / 10, rows) for index in range(NUMBERS)}
    texts = {f"s{index}": chance.choice([f"value {at}" for at in range(5 + index * 40)], rows) for index in range(TEXTS)}
    return pa.table({"at": at, **numbers, **texts})


def exact_by_scipy(base: pa.Table, current: pa.Table) -> None:
    """All distances from all values."""
    for name in base.column_names[1:]:
        if name.startswith("x"):
            one, other = base[name].to_numpy(), current[name].to_numpy()
            stats.ks_2samp(one, other, method="asymp")
            stats.wasserstein_distance(one, other)
            edges = np.quantile(one, np.linspace(0.1, 0.9, 9))
            counts = [np.bincount(np.searchsorted(edges, side), minlength=10) for side in (one, other)]
        else:
            values, codes = np.unique(
                np.concatenate([base[name].to_numpy(zero_copy_only=False), current[name].to_numpy(zero_copy_only=False)]),
                return_inverse=True,
            )
            counts = [np.bincount(part, minlength=len(values)) for part in np.split(codes, [base.num_rows])]
            stats.chi2_contingency(np.stack(counts), correction=False)
            jensenshannon(counts[0], counts[1])
        p, q = (np.maximum(side, 0.5) / side.sum() for side in counts)
        _ = ((q - p) * np.log(q / p)).sum()


def exact_by_polars(base: pl.DataFrame, current: pl.DataFrame) -> None:
    """The same by sorting both together."""
    for name in base.columns[1:]:
        both = pl.concat(
            [
                base.select(v=name, one=pl.lit(1.0), other=pl.lit(0.0)),
                current.select(v=name, one=pl.lit(0.0), other=pl.lit(1.0)),
            ]
        )
        if name.startswith("x"):
            gap = pl.col("one").cum_sum() / base.height - pl.col("other").cum_sum() / current.height
            both.lazy().sort("v").select(
                ks=gap.abs().max(), wasserstein=(gap.abs() * (pl.col("v").shift(-1) - pl.col("v"))).sum()
            ).collect()
            edges = [base[name].quantile(at / 10) for at in range(1, 10)]
            counted = both.with_columns(v=pl.col("v").cut(edges)).group_by("v").agg(pl.col("one").sum(), pl.col("other").sum())
        else:
            counted = both.group_by("v").agg(pl.col("one").sum(), pl.col("other").sum())
        p, q = pl.col("one").clip(0.5) / base.height, pl.col("other").clip(0.5) / current.height
        middle = (p + q) / 2
        counted.select(
            psi=((q - p) * (q / p).log()).sum(),
            js=((p * (p / middle).log() + q * (q / middle).log()).sum() / 2).sqrt(),
            tv=(p - q).abs().sum() / 2,
        )


def by_profiles(base: pa.Table, current: pa.Table) -> None:
    """What a refresh computes of the two days."""
    for name in base.column_names[1:]:
        column = Column(name, "double" if name.startswith("x") else "string")
        remembered = profile_of(column, base[name]).remembered()
        now = profile_of(column, current[name])
        now.drift_from(remembered)
        now.remembered()


def refreshed(client: httpx.Client) -> None:
    """Wait for the newest refresh."""
    while True:
        newest = client.get(f"/api/2.1/unity-catalog/tables/{TABLE}/monitor/refreshes").json()["refreshes"][0]
        if newest["state"] not in {"PENDING", "RUNNING"}:
            assert newest["state"] == "SUCCESS", newest["message"]
            return
        time.sleep(0.02)


def timed(work: Callable[[], None]) -> float:
    """Seconds of some work."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parse(parser)
    seconds: dict[str, list[float]] = {name: [] for name in ("refresh", "computing", "scipy", "polars")}
    base, current = day(0, arguments.rows), day(1, arguments.rows)
    frames = [pl.DataFrame(pl.from_arrow(one)) for one in (base, current)]
    url = f"/api/2.1/unity-catalog/tables/{TABLE}/monitor"
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as lake, lake.client() as client:
        for _ in range(arguments.rounds):
            with session(lake.remote()) as spark:
                spark.sql(f"DROP TABLE IF EXISTS {TABLE}").collect()
                columns = ", ".join([*(f"x{at} DOUBLE" for at in range(NUMBERS)), *(f"s{at} STRING" for at in range(TEXTS))])
                spark.sql(f"CREATE TABLE {TABLE} (at TIMESTAMP, {columns})").collect()
            location = client.get(f"/api/2.1/unity-catalog/tables/{TABLE}").json()["storage_location"]
            write_deltalake(from_url(location), base, mode="append")
            body = {
                "output_schema_name": "main.default",
                "assets_dir": "/m",
                "time_series": {"timestamp_col": "at", "granularities": ["1 day"]},
            }
            client.post(url, json=body).raise_for_status()
            refreshed(client)
            write_deltalake(from_url(location), current, mode="append")

            def refresh() -> None:
                client.post(f"{url}/refreshes").raise_for_status()
                refreshed(client)

            seconds["refresh"].append(timed(refresh))
            read = DeltaTable(from_url(location)).to_pyarrow_table()
            assert read.num_rows == 2 * arguments.rows
            seconds["computing"].append(timed(lambda: by_profiles(base, current)))
            seconds["scipy"].append(timed(lambda: exact_by_scipy(base, current)))
            seconds["polars"].append(timed(lambda: exact_by_polars(*frames)))
    ratios = {
        f"{name} to scipy": statistics.median(one / other for one, other in zip(found, seconds["scipy"], strict=True))
        for name, found in seconds.items()
        if name != "scipy"
    }
    report(
        {
            "rows": arguments.rows,
            "seconds": {name: statistics.median(found) for name, found in seconds.items()},
            "ratios": ratios,
        },
        arguments,
    )


if __name__ == "__main__":
    main()
