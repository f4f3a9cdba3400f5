"""The life of a query: start, progress, waiting, failing, stopping, and going on from its checkpoint."""

import json
import threading
import uuid
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.errors import AnalysisException, StreamingQueryException
from pyspark.sql import SparkSession, functions
from pyspark.sql.streaming import StreamingQueryListener

from tests.conftest import Server
from tests.engine.streaming.conftest import Checkpoint, Drain


def rows(spark: SparkSession, table: str) -> list[tuple[Any, ...]]:
    return sorted((tuple(row) for row in spark.table(table).collect()), key=repr)


@pytest.fixture
def source(spark: SparkSession, schema: str) -> str:
    """A table `id INT, v STRING` with two rows."""
    name = f"{schema}.source"
    spark.sql(f"CREATE TABLE {name} (id INT, v STRING)")
    spark.sql(f"INSERT INTO {name} VALUES (1, 'a'), (2, 'b')")
    return name


def test_each_row_is_written_once(spark: SparkSession, schema: str, source: str, drain: Drain, location: Any) -> None:
    stream = spark.readStream.table(source).where("id <> 2").select("id", functions.upper("v").alias("big"))
    assert stream.isStreaming
    assert not spark.table(source).isStreaming
    assert stream.schema.simpleString() == "struct<id:int,big:string>"
    first = drain(stream, f"{schema}.target")
    spark.sql(f"INSERT INTO {source} VALUES (3, 'c'), (2, 'again')")
    second = drain(stream, f"{schema}.target")
    third = drain(stream, f"{schema}.target")
    assert rows(spark, f"{schema}.target") == [(1, "A"), (3, "C")]
    assert first.id == second.id == third.id
    assert len({first.runId, second.runId, third.runId}) == 3
    assert (first.lastProgress.batchId, first.lastProgress.numInputRows) == (0, 2)
    assert (second.lastProgress.batchId, second.lastProgress.numInputRows) == (1, 2)
    assert third.lastProgress is None
    target = DeltaTable(location(f"{schema}.target"))
    assert target.transaction_version(first.id) == 1
    newest = target.history(1)[0]
    assert newest["operation"] == "STREAMING UPDATE"
    assert newest["operationParameters"] == {"outputMode": "Append", "queryId": first.id, "epochId": "1"}


def test_each_version_has_its_user_and_its_cause(
    spark: SparkSession, server: Server, schema: str, source: str, checkpoint: Checkpoint
) -> None:
    session = SparkSession.builder.remote(f"{server.spark_remote()};x-boathouse-entity=JOB:42:7").create()
    try:
        writer = session.readStream.option("maxFilesPerTrigger", 1).table(source).writeStream
        query = writer.option("checkpointLocation", checkpoint()).toTable(f"{schema}.target")
        query.processAllAvailable()
        spark.sql(f"INSERT INTO {source} VALUES (3, 'c')")
        query.processAllAvailable()
    finally:
        session.stop()
    history = spark.sql(f"DESCRIBE HISTORY {schema}.target").where("operation = 'STREAMING UPDATE'").collect()
    assert len(history) == 2
    assert {(row.userName, row.job.jobId, row.job.runId) for row in history} == {("root@localhost", "42", "7")}


def test_the_checkpoint_has_the_shape_of_sparks(
    spark: SparkSession, schema: str, source: str, drain: Drain, checkpoint: Checkpoint
) -> None:
    query = drain(spark.readStream.table(source), f"{schema}.target")
    folder = Path(checkpoint())
    assert json.loads((folder / "metadata").read_text()) == {"id": query.id}
    version, said, offset = (folder / "offsets" / "0").read_text().splitlines()
    assert version == "v1"
    assert json.loads(said)["batchWatermarkMs"] == 0
    assert set(json.loads(offset)) == {"sourceVersion", "reservoirId", "reservoirVersion", "index", "isStartingVersion"}
    assert (folder / "commits" / "0").read_text().splitlines() == ["v1", '{"nextBatchWatermarkMs": 0}']


def test_a_batch_in_flight_is_done_again_and_not_twice(
    spark: SparkSession, schema: str, source: str, drain: Drain, checkpoint: Checkpoint
) -> None:
    stream = spark.readStream.table(source)
    drain(stream, f"{schema}.target")
    # As after a crash between the sink's commit and the checkpoint's.
    (Path(checkpoint()) / "commits" / "0").unlink()
    spark.sql(f"INSERT INTO {source} VALUES (3, 'c')")
    query = drain(stream, f"{schema}.target")
    assert [one.batchId for one in query.recentProgress] == [0, 1]
    assert rows(spark, f"{schema}.target") == [(1, "a"), (2, "b"), (3, "c")]


def test_a_running_query(spark: SparkSession, schema: str, source: str) -> None:
    name = f"q{uuid.uuid4().hex[:8]}"
    query = spark.readStream.table(source).writeStream.format("memory").queryName(name).start()
    query.processAllAvailable()
    assert rows(spark, name) == [(1, "a"), (2, "b")]
    spark.sql(f"INSERT INTO {source} VALUES (3, 'c')")
    query.processAllAvailable()
    assert rows(spark, name) == [(1, "a"), (2, "b"), (3, "c")]
    assert query.isActive
    assert query.name == name
    assert [one.name for one in spark.streams.active] == [name]
    found = spark.streams.get(query.id)
    assert found is not None
    assert found.runId == query.runId
    assert query.awaitTermination(0.05) is False
    assert spark.streams.awaitAnyTermination(0.05) is False
    with pytest.raises(AnalysisException, match="already active"):
        spark.readStream.table(source).writeStream.format("memory").queryName(name).start()
    query.explain()
    query.stop()
    assert not query.isActive
    assert query.status["message"] == "Stopped"
    assert query.exception() is None
    assert query.awaitTermination(5) is True
    assert spark.streams.awaitAnyTermination(5) is True
    assert spark.streams.active == []
    assert spark.streams.get(query.id) is None


def test_a_failing_query_tells_why_and_touches_no_other(spark: SparkSession, schema: str, source: str) -> None:
    stream = spark.readStream.table(source)
    other = spark.readStream.format("rate").load().writeStream.format("noop").start()
    query = stream.writeStream.format("noop").start()
    query.processAllAvailable()
    spark.sql(f"DELETE FROM {source} WHERE id = 1")
    with pytest.raises(StreamingQueryException, match="DELTA_SOURCE_TABLE_IGNORE_CHANGES"):
        query.awaitTermination()
    assert "DELTA_SOURCE_TABLE_IGNORE_CHANGES" in str(query.exception())
    with pytest.raises(StreamingQueryException, match=query.id):
        spark.streams.awaitAnyTermination()
    with pytest.raises(StreamingQueryException):
        query.processAllAvailable()
    assert other.isActive


def test_listeners(spark: SparkSession, schema: str, source: str) -> None:
    heard: list[tuple[str, Any]] = []
    ended = threading.Event()

    class Listener(StreamingQueryListener):
        def onQueryStarted(self, event: Any) -> None:  # noqa: N802 - the names are Spark's
            heard.append(("started", event))

        def onQueryProgress(self, event: Any) -> None:  # noqa: N802
            heard.append(("progress", event))

        def onQueryIdle(self, event: Any) -> None:  # noqa: N802
            heard.append(("idle", event))

        def onQueryTerminated(self, event: Any) -> None:  # noqa: N802
            heard.append(("terminated", event))
            ended.set()

    listener = Listener()
    spark.streams.addListener(listener)
    try:
        query = spark.readStream.table(source).writeStream.format("noop").queryName("heard").start()
        query.processAllAvailable()
        query.stop()
        assert ended.wait(20)
    finally:
        spark.streams.removeListener(listener)
    kinds = [kind for kind, _ in heard]
    assert kinds == ["started", "progress", "terminated"]
    started, progress, terminated = (event for _, event in heard)
    assert (str(started.id), str(started.runId), started.name) == (query.id, query.runId, "heard")
    assert progress.progress.numInputRows == 2
    assert progress.progress.sources[0].numInputRows == 2
    assert (str(terminated.runId), terminated.exception) == (query.runId, None)


def test_a_session_takes_its_queries_along(
    spark: SparkSession, connect: Any, schema: str, source: str, checkpoint: Checkpoint
) -> None:
    session = connect()
    stream = session.readStream.table(source)
    stream.writeStream.option("checkpointLocation", checkpoint()).toTable(f"{schema}.target").processAllAvailable()
    with pytest.raises(AnalysisException, match="CONCURRENT_QUERY"):
        spark.readStream.table(source).writeStream.option("checkpointLocation", checkpoint()).toTable(f"{schema}.target")
    session.stop()
    spark.sql(f"INSERT INTO {source} VALUES (3, 'c')")
    again = spark.readStream.table(source).writeStream.option("checkpointLocation", checkpoint()).toTable(f"{schema}.target")
    again.processAllAvailable()
    assert rows(spark, f"{schema}.target") == [(1, "a"), (2, "b"), (3, "c")]


class TestRefusals:
    """What cannot be, says what would be valid."""

    def test_streams_are_not_collected_nor_written_at_once(self, spark: SparkSession, schema: str, source: str) -> None:
        stream = spark.readStream.table(source)
        for action in (stream.collect, stream.count, lambda: stream.write.saveAsTable(f"{schema}.t")):
            with pytest.raises(AnalysisException, match=r"writeStream\.start"):
                action()
        with pytest.raises(AnalysisException, match="writeStream"):
            spark.table(source).writeStream.format("noop").start()

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda writer: writer.trigger(continuous="1 second"), "continuous.*Apache Spark"),
            (lambda writer: writer.trigger(processingTime="soon"), "processingTime 'soon'"),
            (lambda writer: writer.option("chekpointLocation", "/x"), "chekpointLocation.*Known"),
            (lambda writer: writer.outputMode("sideways"), "sideways.*append"),
            (lambda writer: writer.format("redis"), "redis.*Sinks here"),
            (lambda writer: writer.foreach(print), "foreach.*foreachBatch"),
            (lambda writer: writer.format("memory"), "queryName"),
            (lambda writer: writer.format("delta").option("path", "/tmp/x"), "checkpointLocation must be specified"),
        ],
    )
    def test_writers(self, spark: SparkSession, source: str, change: Any, message: str) -> None:
        with pytest.raises(AnalysisException, match=message):
            change(spark.readStream.table(source).writeStream.format("noop")).start()

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda stream: stream.select(functions.count("*")), "aggregate function"),
            (lambda stream: stream.orderBy("id"), "sort"),
            (lambda stream: stream.limit(1), "limit"),
            (lambda stream: stream.join(stream.select("id"), "id", "left_anti"), "left anti join of two streams"),
            (lambda stream: stream.intersect(stream), "intersect"),
        ],
    )
    def test_operators(self, spark: SparkSession, source: str, make: Any, message: str) -> None:
        with pytest.raises(AnalysisException, match=f"{message}.*Apache Spark"):
            make(spark.readStream.table(source)).writeStream.format("noop").start()

    def test_sources(self, spark: SparkSession, source: str) -> None:
        with pytest.raises(AnalysisException, match=r"socket.*Sources here.*rate"):
            spark.readStream.format("socket").option("host", "x").load().schema  # noqa: B018
        with pytest.raises(AnalysisException, match=r"maxFilePerTrigger.*Known.*maxFilesPerTrigger"):
            spark.readStream.option("maxFilePerTrigger", 1).table(source).writeStream.format("noop").start()


def test_the_server_tells_of_its_queries(
    spark: SparkSession, server: Server, schema: str, source: str, checkpoint: Checkpoint
) -> None:
    session = SparkSession.builder.remote(server.spark_remote()).create()
    place = checkpoint()
    stream = session.readStream.table(source)
    copying = stream.writeStream.option("checkpointLocation", place).queryName("copying").toTable(f"{schema}.copy")
    copying.processAllAvailable()
    failing = stream.selectExpr("raise_error('broken') AS x").writeStream.queryName("failing").format("memory").start()
    with pytest.raises(StreamingQueryException, match="broken"):
        failing.awaitTermination()

    def told() -> dict[str, dict[str, Any]]:
        found = server.client().get("/api/boathouse/v1/streams").json()["streams"]
        return {one["name"]: one for one in found if one["run_id"] in {copying.runId, failing.runId}}

    both = told()
    running = both["copying"]
    assert (running["state"], running["batch"], running["input_rows"], running["mode"]) == ("RUNNING", 0, 2, "append")
    assert running["rows_per_second"] > 0
    assert (running["target"].replace("`", ""), running["ended_at"]) == (f"{schema}.copy", None)
    assert Path(place).name == Path(running["checkpoint"]).name
    assert [source.rpartition(".")[2] in one or "Delta" in one for one in running["sources"]] == [True]
    assert both["failing"]["state"] == "FAILED"
    assert "broken" in both["failing"]["message"]
    copying.stop()
    session.stop()
    # Their session is gone, and what is known of them stays.
    assert {name: one["state"] for name, one in told().items()} == {"copying": "STOPPED", "failing": "FAILED"}
    assert server.client("").get("/api/boathouse/v1/streams").status_code == 401
    token = server.new_principal(f"nobody-{uuid.uuid4().hex[:6]}")
    assert server.client(token).get("/api/boathouse/v1/streams").json() == {"streams": []}
