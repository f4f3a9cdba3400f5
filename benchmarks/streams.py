"""What a stream's commit costs: a batch into a Delta table with a transaction identifier, by the ways that there are.

    python benchmarks/streams.py [--rows 2000000] [--rounds 3] [--json FILE]

The same rows (six columns, a third of them text) go from one Delta table into another, in turns: as one batch of a streaming query
(``stream``; its ``addBatch``), as a plain append of the same session without an identifier (``append``), as an append with
``txnAppId`` and ``txnVersion`` (``staged``: what the stream does, written beside the table and moved in), and as Arrow that a client
takes from the gateway and gives to ``write_deltalake`` with ``app_transactions`` (``arrow``). Ratios are to ``append``, medians over the rounds.
``state_ms`` is the ``triggerExecution`` of batches of one row into ``dropDuplicates``, by the number of keys that it remembers.
``increment_ms`` is the ``triggerExecution`` of batches of one row each, in milliseconds, the median of twenty.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import parse, report, server, session
from deltalake import CommitProperties, Transaction, write_deltalake
from pyspark.sql import SparkSession

ROWS = "SELECT id, id % 1000 AS k, id * 0.5 AS v, md5(CAST(id AS STRING)) AS a, concat('name ', id % 77) AS b, id % 2 = 0 AS c FROM range({n})"


def timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def stream(spark: SparkSession, source: str, target: str, checkpoint: Path) -> float:
    writer = spark.readStream.table(source).writeStream.option("checkpointLocation", str(checkpoint))
    query = writer.trigger(once=True).toTable(target)
    query.awaitTermination()
    return query.lastProgress.durationMs["addBatch"] / 1000


def round_of(spark: SparkSession, folder: Path, number: int) -> dict[str, float]:
    source, rows = "main.bench.rows", spark.table("main.bench.rows")
    for way in ("stream", "append", "staged"):
        spark.sql(f"CREATE TABLE main.bench.{way}{number} AS SELECT * FROM {source} LIMIT 0")
    staged = rows.write.mode("append").option("txnAppId", "bench").option("txnVersion", number)
    identifier = CommitProperties(app_transactions=[Transaction("bench", number)])
    place = folder / f"arrow{number}"
    return {
        "append": timed(lambda: rows.write.mode("append").saveAsTable(f"main.bench.append{number}")),
        "staged": timed(lambda: staged.saveAsTable(f"main.bench.staged{number}")),
        "stream": stream(spark, source, f"main.bench.stream{number}", folder / f"checkpoint{number}"),
        "arrow": timed(lambda: write_deltalake(place, rows.toArrow(), mode="append", commit_properties=identifier)),
    }


def increments(spark: SparkSession, folder: Path) -> float:
    spark.sql("CREATE TABLE main.bench.small (id INT)")
    for number in range(20):
        spark.sql(f"INSERT INTO main.bench.small VALUES ({number})")
    reader = spark.readStream.option("maxFilesPerTrigger", 1).table("main.bench.small")
    query = (
        reader.writeStream.option("checkpointLocation", str(folder / "small"))
        .trigger(availableNow=True)
        .toTable("main.bench.smaller")
    )
    query.awaitTermination()
    return statistics.median(one.durationMs["triggerExecution"] for one in query.recentProgress)


def states(spark: SparkSession, folder: Path) -> dict[str, float]:
    found: dict[str, float] = {}
    for keys in (10_000, 1_000_000):
        source = f"main.bench.keys{keys}"
        spark.sql(f"CREATE TABLE {source} AS SELECT id, md5(CAST(id AS STRING)) AS k FROM range({keys})")
        stream = spark.readStream.option("maxFilesPerTrigger", 1).table(source).dropDuplicates(["k"])
        writer = stream.writeStream.option("checkpointLocation", str(folder / f"keys{keys}")).trigger(availableNow=True)
        writer.toTable(f"{source}_once").awaitTermination()
        for number in range(8):
            spark.sql(f"INSERT INTO {source} VALUES ({number}, 'new {number}')")
        query = writer.toTable(f"{source}_once")
        query.awaitTermination()
        found[str(keys)] = statistics.median(one.durationMs["triggerExecution"] for one in query.recentProgress)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parse(parser)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with server(folder) as lake, session(lake.remote()) as spark:
            spark.sql("CREATE SCHEMA main.bench")
            spark.sql(f"CREATE TABLE main.bench.rows AS {ROWS.format(n=asked.rows)}")
            rounds = [round_of(spark, folder, number) for number in range(asked.rounds)]
            figures: dict[str, Any] = {
                "rows": asked.rows,
                "seconds": {way: round(statistics.median(one[way] for one in rounds), 3) for way in rounds[0]},
                "ratio_to_append": {
                    way: round(statistics.median(one[way] / one["append"] for one in rounds), 2) for way in rounds[0]
                },
                "increment_ms": increments(spark, folder),
                "state_ms": states(spark, folder),
            }
    report(figures, asked)


if __name__ == "__main__":
    main()
