"""The server is killed while a query runs, at several points of a batch: nothing is lost, and nothing is there twice."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from tests.conftest import Server

FILES = 24


@pytest.mark.timeout(600)
def test_nothing_lost_and_nothing_twice(new_server: Callable[..., Server], tmp_path: Path) -> None:
    checkpoint, table = tmp_path / "checkpoint", tmp_path / "target"
    server = new_server()
    spark = SparkSession.builder.remote(server.spark_remote()).create()
    spark.sql("CREATE TABLE main.default.source (id INT, n INT)")
    for number in range(FILES):
        spark.sql(f"INSERT INTO main.default.source VALUES ({number}, 1), ({number}, 2)")

    def write(session: SparkSession) -> None:
        stream = session.readStream.option("maxFilesPerTrigger", 1).table("main.default.source")
        writer = stream.writeStream.option("checkpointLocation", str(checkpoint)).trigger(availableNow=True)
        query = writer.start(str(table), format="delta")
        while query.isActive and not wanted.exists():
            query.awaitTermination(0.01)

    # Written before a batch, by its commit, and after it.
    for wanted in (
        checkpoint / "offsets" / "3",
        table / "_delta_log" / f"{9:020}.json",
        checkpoint / "commits" / "14",
    ):
        write(spark)
        assert wanted.exists()
        spark.client.close()
        server.process.kill()
        server.process.wait()
        server = new_server()
        spark = SparkSession.builder.remote(server.spark_remote()).create()
    wanted = checkpoint / "never"
    write(spark)
    rows = sorted((row["id"], row["n"]) for row in DeltaTable(table).to_pyarrow_table().to_pylist())
    assert rows == [(number, n) for number in range(FILES) for n in (1, 2)]
    assert DeltaTable(table).version() == FILES
    deadline = time.monotonic() + 60
    while (server.root / "run" / "streams").exists() and any((server.root / "run" / "streams").iterdir()):
        assert time.monotonic() < deadline
    spark.stop()
