"""The open client's own program, `spark-pipelines`, against the gateway."""

import subprocess
import sys
from pathlib import Path

from databricks.sdk import WorkspaceClient
from pyspark.sql import SparkSession

from tests.conftest import Server, server_environment

SPEC = """
name: shop
storage: file://{storage}
catalog: main
schema: {schema}
configuration:
  shop.least: "2"
libraries:
  - glob:
      include: transformations/**
"""
PYTHON = """
from pyspark import pipelines as dp
from pyspark.sql import SparkSession

spark = SparkSession.active()


@dp.materialized_view(comment="Numbers", schema="id BIGINT NOT NULL")
def numbers():
    return spark.range(5)


@dp.temporary_view
def large():
    return spark.sql("SELECT * FROM numbers WHERE id > 2")


@dp.materialized_view
def counted():
    return spark.read.table("large").groupBy().count()
"""


def program(server: Server, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pyspark.pipelines.cli", *arguments],
        cwd=folder,
        env=server_environment(folder, SPARK_REMOTE=server.spark_remote()),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def test_a_project_of_the_open_client(server: Server, spark: SparkSession, schema: str, tmp_path: Path) -> None:
    short = schema.removeprefix("main.")
    sources = tmp_path / "transformations"
    sources.mkdir()
    (tmp_path / "spark-pipeline.yml").write_text(SPEC.format(storage=tmp_path / "storage", schema=short))
    (sources / "numbers.py").write_text(PYTHON)
    (sources / "more.sql").write_text("CREATE MATERIALIZED VIEW more AS\nSELECT count + 1 AS more FROM counted")

    dry = program(server, tmp_path, "dry-run")
    assert dry.returncode == 0, dry.stderr
    assert not spark.catalog.tableExists(f"{schema}.numbers")

    done = program(server, tmp_path, "run")
    assert done.returncode == 0, done.stderr
    assert f"Flow 'main.{short}.more' has COMPLETED: 1 rows." in done.stdout + done.stderr
    assert [row.more for row in spark.table(f"{schema}.more").collect()] == [3]
    assert spark.catalog.getTable(f"{schema}.numbers").description == "Numbers"

    only = program(server, tmp_path, "run", "--refresh", "counted")
    assert only.returncode == 0, only.stderr
    assert f"Flow 'main.{short}.more' is EXCLUDED." in only.stdout + only.stderr
    assert spark.sql(f"DESCRIBE HISTORY {schema}.more").count() == 2
    # What it reads is as it was, so nothing was written.
    assert spark.sql(f"DESCRIBE HISTORY {schema}.counted").count() == 2

    # It is a pipeline like any other: one, whose updates and events are there.
    client = WorkspaceClient(host=server.url, token=server.token, auth_type="pat")
    (pipeline,) = client.pipelines.list_pipelines(filter=f"name LIKE 'spark-pipelines {schema}%'")
    assert [one.state.value for one in pipeline.latest_updates or () if one.state] == ["COMPLETED"] * 3
    assert len(list(client.pipelines.list_pipeline_events(str(pipeline.pipeline_id), filter="event_type='create_update'"))) == 3

    (sources / "more.sql").write_text(
        "CREATE MATERIALIZED VIEW more AS\nSELECT nope FROM counted;\nCREATE MATERIALIZED VIEW more AS SELECT 1"
    )
    failed = program(server, tmp_path, "run")
    assert failed.returncode != 0
    assert "transformations/more.sql:3: [DUPLICATE_DATASET]" in failed.stderr
