"""The server is killed while it takes files in: afterwards each file's rows are in the table, once.

``BOATHOUSE_KILLS=50`` makes it fifty times instead of two.
"""

import json
import os
import random
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from tests.conftest import Server

KILLS = int(os.environ.get("BOATHOUSE_KILLS", "2"))
FILES, ROWS = 6, 50


def test_killed_at_random_points(new_server: Callable[..., Server], tmp_path: Path) -> None:
    source, state = tmp_path / "in", tmp_path / "state"
    source.mkdir()
    chance = random.Random(1)  # noqa: S311 - when to kill
    written = 0

    def start(server: Server, **trigger: Any) -> tuple[SparkSession, Any]:
        spark = SparkSession.builder.remote(server.spark_remote()).create()
        reader = spark.readStream.format("cloudFiles").option("cloudFiles.format", "json")
        reader = reader.option("cloudFiles.maxFilesPerTrigger", "1").option("cloudFiles.schemaLocation", str(state))
        writer = reader.load(str(source)).writeStream.option("checkpointLocation", str(state)).trigger(**trigger)
        return spark, writer.toTable("main.default.bronze")

    for _ in range(KILLS):
        for _ in range(FILES):
            rows = (json.dumps({"file": written, "row": row}) for row in range(ROWS))
            (source / f"{written}.json").write_text("\n".join(rows) + "\n")
            written += 1
        server = new_server()
        spark, _ = start(server, processingTime="0 seconds")
        try:
            server.process.wait(chance.uniform(0.2, 4))
        except subprocess.TimeoutExpired:
            for child in server.children():
                child.kill()
            server.process.send_signal(signal.SIGKILL)
            server.process.wait()
        # It would look for its server for ten minutes before it ended.
        spark.client.set_retry_policies([])
        spark.stop()
    server = new_server()
    spark, query = start(server, availableNow=True)
    query.awaitTermination(300)
    found = spark.sql("SELECT file, count(*) AS n, count(DISTINCT row) AS d FROM main.default.bronze GROUP BY file").collect()
    assert sorted((int(row.file), row.n, row.d) for row in found) == [(number, ROWS, ROWS) for number in range(written)]
    listed = spark.sql(f"SELECT path FROM cloud_files_state('{state}') WHERE commit_time IS NOT NULL").collect()
    assert sorted(row.path for row in listed) == sorted(f"{number}.json" for number in range(written))
    spark.stop()
