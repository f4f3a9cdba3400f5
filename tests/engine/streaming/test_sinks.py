"""Where the rows of a stream go: tables, paths, views, functions."""

import uuid
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame, SparkSession

from tests.conftest import Server
from tests.engine.streaming.conftest import Checkpoint, Drain
from tests.engine.streaming.test_queries import rows, source

__all__ = ["source"]


class TestDelta:
    def test_partitions_properties_and_a_path(
        self, spark: SparkSession, source: str, tmp_path: Path, checkpoint: Checkpoint
    ) -> None:
        stream = spark.readStream.table(source)
        writer = stream.writeStream.partitionBy("v").option("checkpointLocation", checkpoint())
        writer.trigger(once=True).start(str(tmp_path / "out"), format="delta").awaitTermination(60)
        table = DeltaTable(tmp_path / "out")
        assert table.metadata().partition_columns == ["v"]
        assert table.transaction_version(table.history(1)[0]["operationParameters"]["queryId"]) == 0
        assert spark.read.format("delta").load(str(tmp_path / "out")).count() == 2

    def test_rows_have_to_fit(self, spark: SparkSession, schema: str, source: str, drain: Drain) -> None:
        spark.sql(f"CREATE TABLE {schema}.t (id INT)")
        with pytest.raises(StreamingQueryException, match="schema mismatch"):
            drain(spark.readStream.table(source), f"{schema}.t")
        assert spark.table(f"{schema}.t").count() == 0
        drain(spark.readStream.table(source), f"{schema}.t", mergeSchema="true")
        assert rows(spark, f"{schema}.t") == [(1, "a"), (2, "b")]

    def test_a_join_with_a_table_sees_its_newest_rows(
        self, spark: SparkSession, schema: str, source: str, drain: Drain
    ) -> None:
        spark.sql(f"CREATE TABLE {schema}.names (id INT, name STRING)")
        spark.sql(f"INSERT INTO {schema}.names VALUES (1, 'one')")
        stream = spark.readStream.table(source)
        joined = stream.join(spark.table(f"{schema}.names"), "id", "left").select("id", "name")
        drain(joined, f"{schema}.t")
        spark.sql(f"INSERT INTO {schema}.names VALUES (3, 'three')")
        spark.sql(f"INSERT INTO {source} VALUES (3, 'c')")
        drain(joined, f"{schema}.t")
        assert rows(spark, f"{schema}.t") == [(1, "one"), (2, None), (3, "three")]

    def test_sql_over_a_stream(self, spark: SparkSession, schema: str, source: str, drain: Drain) -> None:
        stream = spark.readStream.table(source)
        frame = spark.sql("SELECT id + 1 AS id, v || '!' AS v FROM {stream} WHERE id > 1", stream=stream)
        assert frame.isStreaming
        drain(frame, f"{schema}.t")
        assert rows(spark, f"{schema}.t") == [(3, "b!")]

    def test_a_union_of_streams(self, spark: SparkSession, schema: str, source: str, drain: Drain) -> None:
        stream = spark.readStream.table(source)
        drain(stream.union(stream.selectExpr("id * 10", "v")), f"{schema}.t")
        assert rows(spark, f"{schema}.t") == [(1, "a"), (10, "a"), (2, "b"), (20, "b")]


def test_the_console_is_the_engines_log(spark: SparkSession, server: Server, source: str) -> None:
    query = spark.readStream.table(source).writeStream.format("console").start()
    query.processAllAvailable()
    query.stop()
    (log,) = [path for path in (server.root / "logs").glob("engine-*.log") if "Batch: 0" in path.read_text()]
    assert "|  1|  a|" in log.read_text()


class TestForeachBatch:
    @staticmethod
    def run(stream: DataFrame, function: Any, checkpoint: str) -> Any:
        query = (
            stream.writeStream.foreachBatch(function)
            .option("checkpointLocation", checkpoint)
            .trigger(availableNow=True)
            .start()
        )
        query.awaitTermination(120)
        return query

    def test_rows_go_to_two_tables_and_are_merged(
        self, spark: SparkSession, schema: str, source: str, checkpoint: Checkpoint
    ) -> None:
        spark.sql(f"CREATE TABLE {schema}.latest (id INT, v STRING)")

        def both(frame: DataFrame, batch: int) -> None:
            frame.write.option("txnAppId", "both").option("txnVersion", batch).mode("append").saveAsTable(f"{schema}.all")
            frame.createOrReplaceTempView("news")
            frame.sparkSession.sql(
                f"MERGE INTO {schema}.latest AS t USING news AS n ON t.id = n.id "
                "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
            )
            assert frame.count() == len(frame.collect())
            assert frame.schema.simpleString() == "struct<id:int,v:string>"

        stream = spark.readStream.table(source)
        self.run(stream, both, checkpoint())
        spark.sql(f"INSERT INTO {source} VALUES (1, 'new'), (3, 'c')")
        self.run(stream, both, checkpoint())
        assert rows(spark, f"{schema}.all") == [(1, "a"), (1, "new"), (2, "b"), (3, "c")]
        assert rows(spark, f"{schema}.latest") == [(1, "new"), (2, "b"), (3, "c")]

    def test_an_error_in_it_ends_the_query_and_the_batch_is_done_again(
        self, spark: SparkSession, schema: str, source: str, checkpoint: Checkpoint
    ) -> None:
        def fails(frame: DataFrame, batch: int) -> None:
            message = f"batch {batch} is not to my taste"
            raise ValueError(message)

        stream = spark.readStream.table(source)
        with pytest.raises(StreamingQueryException, match=r"FOREACH_BATCH_USER_FUNCTION_ERROR.*batch 0 is not to my taste"):
            self.run(stream, fails, checkpoint())
        self.run(stream, lambda frame, batch: frame.write.saveAsTable(f"{schema}.t{batch}"), checkpoint())
        assert rows(spark, f"{schema}.t0") == [(1, "a"), (2, "b")]

    def test_it_is_shut_in_and_has_the_rights_of_who_started_it(
        self, spark: SparkSession, server: Server, schema: str, user: Any, grant: Any, volume: Any
    ) -> None:
        name, session = user
        grant("schema", schema, name, "USE_SCHEMA", "CREATE_TABLE")
        grant("catalog", "main", name, "USE_CATALOG")
        folder = volume(schema, "files")
        grant("volume", f"{schema}.files", name, "READ_VOLUME", "WRITE_VOLUME")
        spark.sql(f"CREATE TABLE {schema}.hidden AS SELECT 1 AS id")
        root = str(server.root)

        def looks(frame: DataFrame, batch: int) -> None:
            import os
            import socket

            found = [sorted(os.environ)]
            for attempt in (
                lambda: os.listdir(root),  # noqa: PTH208 - it is to fail
                lambda: socket.create_connection(("127.0.0.1", 1)),
                lambda: os.system("true"),  # noqa: S605
                lambda: frame.sparkSession.table(f"{schema}.hidden").collect(),
            ):
                try:
                    found.append([str(attempt())])
                except Exception as error:  # noqa: BLE001
                    found.append([type(error).__name__])
            told = [(str(one),) for one in found]
            frame.sparkSession.createDataFrame(told, "what STRING").write.saveAsTable(f"{schema}.found")

        stream = session.readStream.format("rate-micro-batch").option("rowsPerBatch", 1).load()
        self.run(stream, looks, f"{folder}/checkpoint-{uuid.uuid4().hex}")
        told = "\n".join(row.what for row in session.table(f"{schema}.found").collect())
        assert "['PermissionError']\n['PermissionError']" in told
        assert "['AnalysisException']" in told
        assert "TOKEN" not in told
