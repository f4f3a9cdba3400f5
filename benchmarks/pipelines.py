"""What expectations cost: the same pipeline with five expectations and without, and against the same rows written by hand.

    python benchmarks/pipelines.py [--rounds 5] [--rows 5000000] [--json FILE]

One materialized view over a Delta table of some columns, refreshed in turns, each first in every other round; a figure is the median
over the rounds of that round's ratio.

- ``warn``: five expectations that warn, over the view without them.
- ``drop``: five, two of which drop about 1 % of the rows, which nobody keeps, over the view without them.
- ``set_aside``: the same with the dropped rows kept in a quarantine table, which is a second table to write.
- ``three``: a pipeline of three tables, from Parquet files to bronze, to silver with the five expectations and quarantine, to a sum by
  region and day in gold, over the same pipeline without expectations.
- ``by_hand``: the view without expectations over ``saveAsTable`` of the same query by the same client.

Each ratio is there by the clock, and as ``..._cpu`` by the processor time of the server and its engines, which a busy machine changes less.
The counts are compared with those of a query.
"""

import argparse
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from common import parse, report, server, session

from boathouse.pipelines.source.sources import SourceFile
from boathouse.pipelines.testing import PipelineUnderTest

QUERY = "SELECT id, region, amount, amount * 1.2 AS gross, day, concat('order ', id) AS text FROM orders"
RULES = (
    ("has_region", "region IS NOT NULL"),
    ("known_region", "region IN ('r0', 'r1', 'r2', 'r3', 'r4', 'r5', 'r6')"),
    ("positive", "amount > 0"),
    ("sane", "amount < 990"),
    ("recent", "day >= DATE'2020-01-01'"),
)
DROPPING = ("positive", "sane")


def source(name: str) -> SourceFile:
    """The pipeline: without expectations, with some that warn, or with some of them dropping, into quarantine or not."""
    if name == "plain":
        return SourceFile("plain.sql", f"CREATE MATERIALIZED VIEW plain AS {QUERY}")
    drops = () if name == "warn" else DROPPING
    rules = ", ".join(
        f"CONSTRAINT {rule} EXPECT ({text}){' ON VIOLATION DROP ROW' if rule in drops else ''}" for rule, text in RULES
    )
    properties = " TBLPROPERTIES ('pipelines.quarantine' = 'false')" if name == "drop" else ""
    return SourceFile(f"{name}.sql", f"CREATE MATERIALIZED VIEW {name} ({rules}){properties} AS {QUERY}")


def three_tables(name: str, folder: str) -> SourceFile:
    """From files to bronze, silver and gold; silver with expectations, or without."""
    rules = ", ".join(
        f"CONSTRAINT {rule} EXPECT ({text}){' ON VIOLATION DROP ROW' if rule in DROPPING else ''}" for rule, text in RULES
    )
    expectations = f" ({rules})" if name == "three" else ""
    return SourceFile(
        f"{name}.sql",
        f"CREATE STREAMING TABLE {name}_bronze AS SELECT * FROM STREAM read_files('{folder}', format => 'parquet');\n"
        f"CREATE STREAMING TABLE {name}_silver{expectations} AS "
        f"{QUERY.replace('FROM orders', f'FROM STREAM {name}_bronze')};\n"
        f"CREATE MATERIALIZED VIEW {name}_gold AS SELECT region, day, sum(gross) AS gross, count(*) AS orders "
        f"FROM {name}_silver GROUP BY region, day",
    )


def used(tree: psutil.Process) -> float:
    """Processor seconds of a process and all below it."""
    times = [one.cpu_times() for one in (tree, *tree.children(recursive=True))]
    return sum(one.user + one.system for one in times)


def seconds(work: Callable[[], Any], tree: psutil.Process) -> tuple[float, float]:
    """What some work takes: by the clock, and of the processors."""
    before, started = used(tree), time.perf_counter()
    work()
    return time.perf_counter() - started, used(tree) - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parse(parser)
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as lake, session(lake.remote()) as spark:
        pipeline = PipelineUnderTest(spark, "main", f"bench_{uuid.uuid4().hex[:6]}")
        spark.sql(f"CREATE SCHEMA main.{pipeline.schema}").collect()
        spark.sql(
            f"CREATE TABLE {pipeline.name('orders')} AS SELECT id, concat('r', CAST(id % 8 AS STRING)) AS region, "
            f"CAST(id * 7919 % 1000 AS DOUBLE) - 5 AS amount, date_add(DATE'2021-01-01', CAST(id % 365 AS INT)) AS day "
            f"FROM range({arguments.rows})"
        ).collect()
        spark.sql(f"CREATE VOLUME {pipeline.name('landing')}").collect()
        landing = f"/Volumes/main/{pipeline.schema}/landing/orders"
        spark.table(pipeline.name("orders")).repartition(8).write.parquet(landing)
        spark.sql(f"USE SCHEMA main.{pipeline.schema}").collect()
        results: dict[str, Any] = {}

        def by_hand() -> None:
            frame = spark.sql(QUERY).write.format("delta").mode("overwrite").option("overwriteSchema", "true")
            frame.saveAsTable(pipeline.name("hand"))

        def refresh(name: str) -> Callable[[], None]:
            def work() -> None:
                file = three_tables(name, landing) if name.startswith("three") else source(name)
                results[name] = pipeline.run(file, full_refresh=True)

            return work

        ways = {name: refresh(name) for name in ("plain", "warn", "drop", "set_aside", "three_plain", "three")} | {
            "by_hand": by_hand
        }
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for number in range(arguments.rounds + 1):
            for name in ways if number % 2 else reversed(ways):
                took = seconds(ways[name], lake.process)
                if number:
                    taken[name].append(took)
        counted = ", ".join(f"count(CASE WHEN {text} THEN 1 END) AS {rule}" for rule, text in RULES)
        truth = spark.sql(f"SELECT {counted} FROM {pipeline.name('orders')}").collect()[0].asDict()
        for name, table in (("warn", "warn"), ("drop", "drop"), ("set_aside", "set_aside"), ("three", "three_silver")):
            found = results[name].expectations[table]
            assert {rule: counts.passed for rule, counts in found.items()} == truth, (found, truth)
        kept, aside = (spark.table(pipeline.name(name)).count() for name in ("set_aside", "set_aside_quarantine"))
        assert kept + aside == arguments.rows
        assert spark.table(pipeline.name("drop")).count() == kept == spark.table(pipeline.name("three_silver")).count()
        spark.sql("USE SCHEMA main.default").collect()

    def ratio(over: str, under: str, measure: int = 0) -> float:
        pairs = zip(taken[over], taken[under], strict=True)
        return round(statistics.median(one[measure] / other[measure] for one, other in pairs), 3)

    report(
        {
            "rows": arguments.rows,
            "dropped": aside,
            "warn_over_plain": ratio("warn", "plain"),
            "drop_over_plain": ratio("drop", "plain"),
            "set_aside_over_plain": ratio("set_aside", "plain"),
            "three_over_plain": ratio("three", "three_plain"),
            "three_over_plain_cpu": ratio("three", "three_plain", 1),
            "plain_over_by_hand": ratio("plain", "by_hand"),
            "warn_over_plain_cpu": ratio("warn", "plain", 1),
            "drop_over_plain_cpu": ratio("drop", "plain", 1),
            "set_aside_over_plain_cpu": ratio("set_aside", "plain", 1),
            "seconds": {name: round(statistics.median(one for one, _ in values), 2) for name, values in taken.items()},
        },
        arguments,
    )


if __name__ == "__main__":
    main()
