"""Streaming queries that Apache Spark runs, and what the gateway makes sure of."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.errors import PySparkException, StreamingQueryException
from pyspark.sql import SparkSession
from pyspark.sql.streaming import StreamingQueryListener

from tests.conftest import Server
from tests.engine.streaming.test_governed import (
    checkpoint_of,
    staff,
    test_a_view_is_no_stream,
    test_filters_and_masks_hold_in_each_batch,
    test_the_history_knows_what_a_stream_reads_and_writes,
    test_what_a_stream_may_not_touch,
)
from tests.engine.streaming.test_queries import rows

__all__ = [
    "staff",
    "test_a_view_is_no_stream",
    "test_filters_and_masks_hold_in_each_batch",
    "test_the_history_knows_what_a_stream_reads_and_writes",
    "test_what_a_stream_may_not_touch",
]


@pytest.fixture(autouse=True)
def no_query_left(spark: SparkSession) -> Iterator[None]:
    """Queries of a test end with it."""
    yield
    for query in spark.streams.active:
        query.stop()


def test_a_running_query(spark: SparkSession, schema: str, tmp_path: Path, location: Any) -> None:
    """Names, progress, listeners, its end, its commits."""
    heard: list[tuple[str, str]] = []

    class Ear(StreamingQueryListener):
        def onQueryStarted(self, event: Any) -> None:  # noqa: N802 - Spark's name
            heard.append(("started", str(event.runId)))

        def onQueryProgress(self, event: Any) -> None:  # noqa: N802 - Spark's name
            heard.append(("progress", str(event.progress.runId)))

        def onQueryTerminated(self, event: Any) -> None:  # noqa: N802 - Spark's name
            heard.append(("terminated", str(event.runId)))

    spark.sql(f"CREATE TABLE {schema}.s (id INT)")
    spark.sql(f"INSERT INTO {schema}.s VALUES (1), (2)")
    stream = spark.readStream.table(f"{schema}.s").where("id > 1")
    assert stream.isStreaming
    ear = Ear()
    spark.streams.addListener(ear)
    name = f"q{uuid.uuid4().hex[:8]}"
    writer = stream.writeStream.queryName(name).option("checkpointLocation", str(tmp_path / "c"))
    query = writer.trigger(processingTime="1 second").toTable(f"{schema}.t")
    query.processAllAvailable()
    assert rows(spark, f"{schema}.t") == [(2,)]
    assert [one.name for one in spark.streams.active] == [name]
    assert query.isActive
    assert query.recentProgress[0].numInputRows > 0
    query.stop()
    assert not query.isActive
    assert spark.streams.active == []
    assert query.exception() is None
    spark.streams.removeListener(ear)
    assert {what for what, run in heard if run == str(query.runId)} >= {"started", "progress"}
    history = spark.sql(f"DESCRIBE HISTORY {schema}.t").where("operation = 'STREAMING UPDATE'").collect()
    assert {row.userName for row in history} == {"root@localhost"}
    table = DeltaTable(location(f"{schema}.t"))
    assert table.transaction_version(query.id) is not None
    assert json.loads((tmp_path / "c" / "metadata").read_text())["id"] == query.id


def test_a_failing_query(spark: SparkSession, schema: str, tmp_path: Path) -> None:
    spark.sql(f"CREATE TABLE {schema}.t (v STRING)")
    spark.sql(f"INSERT INTO {schema}.t VALUES ('one')")
    spark.sql(f"CREATE TABLE {schema}.numbers (v INT)")
    stream = spark.readStream.table(f"{schema}.t").selectExpr("CAST(v AS INT) AS v")
    query = stream.writeStream.option("checkpointLocation", str(tmp_path)).toTable(f"{schema}.numbers")
    with pytest.raises(StreamingQueryException, match="TASK_WRITE_FAILED") as caught:
        query.awaitTermination(240)
    # A plan would tell of policies.
    assert "Logical Plan" not in str(caught.value)
    assert "TASK_WRITE_FAILED" in str(query.exception())
    with pytest.raises(PySparkException, match=r"writeStream\.start"):
        stream.collect()


def test_a_revoked_grant_ends_the_stream(
    spark: SparkSession, server: Server, schema: str, staff: str, user: tuple[str, SparkSession]
) -> None:
    name, session = user
    writer = session.readStream.table(staff).writeStream.format("memory").queryName("watched")
    query = writer.trigger(processingTime="1 second").start()
    query.processAllAvailable()
    assert rows(session, "watched") == [(1, "mine", 0)]
    body = {"changes": [{"principal": name, "remove": ["SELECT"]}]}
    server.client().patch(f"/api/2.1/unity-catalog/permissions/table/{staff}", json=body).raise_for_status()
    with pytest.raises(StreamingQueryException, match=r"PERMISSION_DENIED.*SELECT"):
        query.awaitTermination(240)
    assert not query.isActive
    assert spark.streams.active == []


def test_places_that_only_a_setting_or_an_option_names(schema: str, staff: str, user: tuple[str, SparkSession]) -> None:
    """What Spark would write beside the target and the checkpoint that the writer names."""
    _, session = user
    volume = checkpoint_of(schema)
    session.conf.set("spark.sql.streaming.checkpointLocation", "/tmp/elsewhere")
    stream = session.readStream.table(staff)
    try:
        with pytest.raises(PySparkException, match="PERMISSION"):
            stream.writeStream.queryName("named").toTable(f"{schema}.copy")
    finally:
        session.conf.unset("spark.sql.streaming.checkpointLocation")
    with pytest.raises(PySparkException, match="checkpointLocation must be specified"):
        stream.writeStream.toTable(f"{schema}.copy")
    for options in (
        {"cleanSource": "archive", "sourceArchiveDir": "/tmp/elsewhere"},
        {"schemaTrackingLocation": "/tmp/elsewhere"},
    ):
        writer = session.readStream.options(**options).schema("v STRING").text(volume).writeStream.format("noop")
        with pytest.raises(PySparkException, match="PERMISSION"):
            writer.start()
