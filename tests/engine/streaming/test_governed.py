"""A stream sees what its principal may see, at each batch."""

from collections.abc import Callable
from typing import Any

import pytest
from pyspark.errors import AnalysisException, PySparkException, StreamingQueryException
from pyspark.sql import SparkSession

from tests.conftest import Server
from tests.engine.streaming.test_queries import rows

Grant = Callable[..., None]


@pytest.fixture
def staff(spark: SparkSession, schema: str, user: tuple[str, SparkSession], grant: Grant, volume: Any) -> str:
    """A table with a filter and a mask that a user may read, and a volume for its checkpoints."""
    name = user[0]
    spark.sql(f"CREATE TABLE {schema}.staff (id INT, team STRING, salary INT)")
    spark.sql(f"INSERT INTO {schema}.staff VALUES (1, 'mine', 10), (2, 'theirs', 20)")
    spark.sql(f"CREATE FUNCTION {schema}.ours(t STRING) RETURNS BOOLEAN RETURN t = 'mine' OR is_account_group_member('admins')")
    spark.sql(
        f"CREATE FUNCTION {schema}.less(s INT) RETURNS INT RETURN CASE WHEN is_account_group_member('admins') THEN s ELSE 0 END"
    )
    spark.sql(f"ALTER TABLE {schema}.staff SET ROW FILTER {schema}.ours ON (team)")
    spark.sql(f"ALTER TABLE {schema}.staff ALTER COLUMN salary SET MASK {schema}.less")
    grant("catalog", "main", name, "USE_CATALOG")
    grant("schema", schema, name, "USE_SCHEMA", "CREATE_TABLE")
    grant("table", f"{schema}.staff", name, "SELECT")
    volume(schema, "files")
    grant("volume", f"{schema}.files", name, "READ_VOLUME", "WRITE_VOLUME")
    return f"{schema}.staff"


def checkpoint_of(schema: str) -> str:
    return f"/Volumes/{schema.replace('.', '/')}/files/checkpoint"


def test_filters_and_masks_hold_in_each_batch(spark: SparkSession, schema: str, staff: str, user: Any) -> None:
    _, session = user

    def run() -> None:
        writer = session.readStream.table(staff).writeStream.option("checkpointLocation", checkpoint_of(schema))
        writer.trigger(availableNow=True).toTable(f"{schema}.copy").awaitTermination(60)

    run()
    spark.sql(f"INSERT INTO {staff} VALUES (3, 'mine', 30), (4, 'theirs', 40)")
    run()
    assert rows(session, f"{schema}.copy") == [(1, "mine", 0), (3, "mine", 0)]
    listed = session.read.format("binaryFile").option("recursiveFileLookup", "true").load(checkpoint_of(schema))
    assert not [row.path for row in listed.select("path").collect() if "_delta_log" in row.path or "/data/" in row.path]


def test_a_revoked_grant_ends_the_stream(spark: SparkSession, server: Server, schema: str, staff: str, user: Any) -> None:
    name, session = user
    query = session.readStream.table(staff).writeStream.format("memory").queryName("watched").start()
    query.processAllAvailable()
    assert rows(session, "watched") == [(1, "mine", 0)]
    body = {"changes": [{"principal": name, "remove": ["SELECT"]}]}
    server.client().patch(f"/api/2.1/unity-catalog/permissions/table/{staff}", json=body).raise_for_status()
    spark.sql(f"INSERT INTO {staff} VALUES (5, 'mine', 50)")
    with pytest.raises(StreamingQueryException, match=r"PERMISSION_DENIED.*SELECT"):
        query.awaitTermination(60)
    assert rows(session, "watched") == [(1, "mine", 0)]


def test_what_a_stream_may_not_touch(spark: SparkSession, schema: str, staff: str, user: Any, location: Any) -> None:
    _, session = user
    spark.sql(f"CREATE TABLE {schema}.closed AS SELECT 1 AS id")
    rates = session.readStream.format("rate").load()
    checkpoint = checkpoint_of(schema)
    attempts = (
        lambda: session.readStream.table(f"{schema}.closed").writeStream.format("noop").start(),
        lambda: session.readStream.format("delta").load(location(staff)).writeStream.format("noop").start(),
        lambda: session.readStream.text("/etc").writeStream.format("noop").start(),
        lambda: rates.writeStream.option("checkpointLocation", checkpoint).toTable(f"{schema}.closed"),
        lambda: rates.writeStream.option("checkpointLocation", "/tmp/elsewhere").toTable(f"{schema}.mine"),
        lambda: rates.writeStream.option("checkpointLocation", checkpoint).start("/tmp/elsewhere"),
        lambda: session.readStream.option("readChangeFeed", "true").option("startingVersion", 0).table(staff).schema,
    )
    for attempt in attempts:
        with pytest.raises(PySparkException, match=r"PERMISSION_DENIED|INSUFFICIENT_PERMISSIONS|POLICY"):
            attempt()


def test_a_view_is_no_stream(spark: SparkSession, schema: str) -> None:
    spark.sql(f"CREATE VIEW {schema}.v AS SELECT 1 AS id")
    with pytest.raises(AnalysisException, match="is a view"):
        spark.readStream.table(f"{schema}.v").writeStream.format("noop").start()


def test_the_history_knows_what_a_stream_reads_and_writes(spark: SparkSession, server: Server, schema: str) -> None:
    spark.sql(f"CREATE TABLE {schema}.a AS SELECT 1 AS id, 'x' AS v")
    stream = spark.readStream.table(f"{schema}.a").selectExpr("id * 2 AS twice")
    writer = stream.writeStream.option("checkpointLocation", str(server.root.parent / f"ck-{schema}"))
    writer.trigger(availableNow=True).toTable(f"{schema}.b").awaitTermination(60)
    asked = f"""SELECT source_table_full_name, target_table_full_name FROM system.access.table_lineage
                WHERE target_table_full_name = '{schema}.b' AND source_table_full_name IS NOT NULL"""
    found: set[tuple[str, str]] = set()
    for _ in range(50):
        found = {tuple(row) for row in spark.sql(asked).collect()}
        if found:
            break
    assert found == {(f"{schema}.a", f"{schema}.b")}
