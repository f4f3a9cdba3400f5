"""`boathouse doctor` on a lake with a table whose last commit was cut off."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

from tests.conftest import Server, server_environment


def doctor(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "boathouse", "doctor", "--root", str(server.root), *arguments],
        capture_output=True,
        text=True,
        env=server_environment(server.config_dir, COLUMNS="400"),
        check=False,
    )


def test_a_damaged_commit_is_told_and_moved_aside(new_server: Callable[..., Server]) -> None:
    server = new_server()
    assert "newest commits of" in doctor(server).stdout
    spark = SparkSession.builder.remote(server.spark_remote()).create()
    try:
        spark.sql("CREATE TABLE main.default.t (a INT)")
        spark.sql("INSERT INTO main.default.t VALUES (1)")
        spark.sql("INSERT INTO main.default.t VALUES (2)")
        with server.client() as client:
            location = client.get("/api/2.1/unity-catalog/tables/main.default.t").json()["storage_location"]
        newest = Path(location.removeprefix("file://")) / "_delta_log" / f"{2:020}.json"
        newest.write_bytes(b"")
        with pytest.raises(AnalysisException, match="DELTA_TRUNCATED_LOG"):
            spark.sql("DESCRIBE HISTORY main.default.t")
        told = doctor(server)
        assert told.returncode == 1
        assert "main.default.t: its newest commit is empty or cut off" in told.stdout
        assert "--repair" in told.stdout
        assert "was moved aside" in doctor(server, "--repair").stdout
        assert newest.with_name(f"{newest.name}.damaged").exists()
        assert "newest commits of 5 Delta tables are whole" in doctor(server).stdout
        assert spark.table("main.default.t").count() == 1
    finally:
        spark.stop()
