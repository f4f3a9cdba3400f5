"""What the engine's own sources give: Delta tables and their change feed, files, rates."""

import datetime as dt
import json
import os
from pathlib import Path
from typing import Any

import pytest
from pyspark.errors import AnalysisException, StreamingQueryException
from pyspark.sql import SparkSession

from tests.engine.streaming.conftest import Drain
from tests.engine.streaming.test_queries import rows


class TestDelta:
    @pytest.fixture
    def source(self, spark: SparkSession, schema: str) -> str:
        """Three versions with rows: 1 to 3, one a version, partitioned."""
        name = f"{schema}.source"
        spark.sql(f"CREATE TABLE {name} (id INT, p STRING) PARTITIONED BY (p)")
        for number in (1, 2, 3):
            spark.sql(f"INSERT INTO {name} VALUES ({number}, 'p{number % 2}')")
        return name

    def test_batches_are_bounded(self, spark: SparkSession, schema: str, source: str, drain: Drain) -> None:
        query = drain(spark.readStream.option("maxFilesPerTrigger", 1).table(source), f"{schema}.t")
        assert [one.numInputRows for one in query.recentProgress] == [1, 1, 1]
        assert rows(spark, f"{schema}.t") == [(1, "p1"), (2, "p0"), (3, "p1")]

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({"startingVersion": "2"}, [2, 3]),
            ({"startingVersion": "latest"}, []),
            ({"startingTimestamp": "2020-01-01"}, [1, 2, 3]),
            ({"maxBytesPerTrigger": "1b"}, [1, 2, 3]),
        ],
    )
    def test_where_it_begins(
        self, spark: SparkSession, schema: str, source: str, drain: Drain, options: dict[str, str], expected: list[int]
    ) -> None:
        stream = spark.readStream.options(**options).table(source).select("id")
        drain(stream, f"{schema}.t")
        assert rows(spark, f"{schema}.t") == [(one,) for one in expected]
        spark.sql(f"INSERT INTO {source} VALUES (9, 'new')")
        drain(stream, f"{schema}.t")
        assert rows(spark, f"{schema}.t") == [(one,) for one in (*expected, 9)]

    def test_by_path(self, spark: SparkSession, schema: str, source: str, drain: Drain, location: Any) -> None:
        drain(spark.readStream.format("delta").load(location(source)), f"{schema}.t")
        drain(spark.readStream.load(location(source), format="delta"), f"{schema}.t", "second")
        assert [row[0] for row in rows(spark, f"{schema}.t")] == [1, 1, 2, 2, 3, 3]

    @pytest.mark.parametrize(
        ("option", "change", "expected"),
        [
            (None, "UPDATE {t} SET id = 20 WHERE id = 2", "DELTA_SOURCE_TABLE_IGNORE_CHANGES"),
            (None, "DELETE FROM {t} WHERE p = 'p0'", "DELTA_SOURCE_IGNORE_DELETE"),
            ("ignoreDeletes", "UPDATE {t} SET id = 20 WHERE id = 2", "DELTA_SOURCE_TABLE_IGNORE_CHANGES"),
            ("ignoreDeletes", "DELETE FROM {t} WHERE p = 'p0'", [1, 2, 3, 9]),
            ("skipChangeCommits", "UPDATE {t} SET id = 20 WHERE id = 2", [1, 2, 3, 9]),
            ("ignoreChanges", "UPDATE {t} SET id = 20 WHERE id = 2", [1, 2, 3, 9, 20]),
            (None, "OPTIMIZE {t}", [1, 2, 3, 9]),
        ],
    )
    def test_changes(
        self, spark: SparkSession, schema: str, source: str, drain: Drain, option: str | None, change: str, expected: Any
    ) -> None:
        reader = spark.readStream if option is None else spark.readStream.option(option, "true")
        stream = reader.table(source).select("id")
        drain(stream, f"{schema}.t")
        spark.sql(change.format(t=source))
        spark.sql(f"INSERT INTO {source} VALUES (9, 'p9')")
        if isinstance(expected, str):
            with pytest.raises(StreamingQueryException, match=expected):
                drain(stream, f"{schema}.t")
            expected = [1, 2, 3]
        else:
            drain(stream, f"{schema}.t")
        assert sorted(row[0] for row in rows(spark, f"{schema}.t")) == expected

    def test_deletion_vectors_and_odd_partitions(self, spark: SparkSession, schema: str, drain: Drain) -> None:
        name, on = f"{schema}.vectors", "TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')"
        spark.sql(f"CREATE TABLE {name} (a INT, p STRING) PARTITIONED BY (p) {on}")
        spark.sql(f"INSERT INTO {name} VALUES (1, 'x y/z'), (2, 'x y/z'), (3, NULL), (4, 'ä%')")
        spark.sql(f"DELETE FROM {name} WHERE a = 2")
        query = drain(spark.readStream.table(name), f"{schema}.t")
        assert rows(spark, f"{schema}.t") == [(1, "x y/z"), (3, None), (4, "ä%")]
        assert query.lastProgress.numInputRows == 3

    def test_mapped_columns(self, spark: SparkSession, schema: str, drain: Drain) -> None:
        name = f"{schema}.mapped"
        spark.sql(f"CREATE TABLE {name} (id INT, v STRING) TBLPROPERTIES ('delta.columnMapping.mode' = 'name')")
        spark.sql(f"INSERT INTO {name} VALUES (1, 'a'), (2, 'b')")
        spark.sql(f"ALTER TABLE {name} RENAME COLUMN v TO `new name`")
        spark.sql(f"INSERT INTO {name} VALUES (3, 'c')")
        drain(spark.readStream.table(name), f"{schema}.t", **{"delta.columnMapping.mode": "name"})
        assert rows(spark, f"{schema}.t") == [(1, "a"), (2, "b"), (3, "c")]

    def test_a_new_column_ends_the_query_and_is_there_at_the_next_start(
        self, spark: SparkSession, schema: str, source: str, drain: Drain
    ) -> None:
        query = spark.readStream.table(source).writeStream.format("noop").start()
        query.processAllAvailable()
        drain(spark.readStream.table(source), f"{schema}.t", mergeSchema="true")
        spark.sql(f"ALTER TABLE {source} ADD COLUMNS (more DOUBLE)")
        spark.sql(f"INSERT INTO {source} VALUES (4, 'p', 0.5)")
        with pytest.raises(StreamingQueryException, match=r"DELTA_SCHEMA_CHANGED_WITH_VERSION.*more"):
            query.processAllAvailable()
        drain(spark.readStream.table(source), f"{schema}.t", mergeSchema="true")
        assert (4, "p", 0.5) in rows(spark, f"{schema}.t")
        assert spark.table(f"{schema}.t").count() == 4

    def test_the_change_feed(self, spark: SparkSession, schema: str, drain: Drain) -> None:
        name = f"{schema}.fed"
        spark.sql(f"CREATE TABLE {name} (id INT, v STRING) TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')")
        spark.sql(f"INSERT INTO {name} VALUES (1, 'a'), (2, 'b')")
        stream = spark.readStream.option("readChangeFeed", "true").option("startingVersion", 0).table(name)
        assert stream.columns == ["id", "v", "_change_type", "_commit_version", "_commit_timestamp"]
        kept = stream.select("id", "v", "_change_type", "_commit_version")
        drain(kept, f"{schema}.t")
        spark.sql(f"DELETE FROM {name}")
        spark.sql(f"INSERT INTO {name} VALUES (3, 'c')")
        drain(kept, f"{schema}.t")
        assert rows(spark, f"{schema}.t") == [
            (1, "a", "delete", 2),
            (1, "a", "insert", 1),
            (2, "b", "delete", 2),
            (2, "b", "insert", 1),
            (3, "c", "insert", 3),
        ]

    def test_a_table_that_was_replaced(self, spark: SparkSession, schema: str, source: str, drain: Drain) -> None:
        drain(spark.readStream.table(source), f"{schema}.t")
        spark.sql(f"DROP TABLE {source}")
        spark.sql(f"CREATE TABLE {source} (id INT, p STRING)")
        spark.sql(f"INSERT INTO {source} VALUES (7, 'x')")
        with pytest.raises(StreamingQueryException, match="DIFFERENT_DELTA_TABLE"):
            drain(spark.readStream.table(source), f"{schema}.t")


class TestFiles:
    @pytest.mark.parametrize(
        ("kind", "first", "second"),
        [
            ("json", '{"id": 1, "v": "a"}\n{"id": 2}\n', '{"v": "c", "id": 3, "more": 1}\n'),
            ("csv", "1,a\n2,\n", "3,c\n"),
        ],
    )
    def test_each_file_once(
        self, spark: SparkSession, schema: str, drain: Drain, tmp_path: Path, kind: str, first: str, second: str
    ) -> None:
        folder = tmp_path / "in"
        folder.mkdir()
        (folder / "1").write_text(first)
        (folder / "_not").write_text("nonsense")
        stream = spark.readStream.format(kind).schema("id INT, v STRING").load(str(folder))
        assert drain(stream, f"{schema}.t").lastProgress.numInputRows == 2
        assert drain(stream, f"{schema}.t").lastProgress is None
        (folder / "2").write_text(second)
        assert drain(stream, f"{schema}.t").lastProgress.numInputRows == 1
        assert rows(spark, f"{schema}.t") == [(1, "a"), (2, None), (3, "c")]

    def test_in_the_order_of_their_times(self, spark: SparkSession, schema: str, drain: Drain, tmp_path: Path) -> None:
        folder = tmp_path / "in"
        folder.mkdir()
        for number, age in ((1, 10), (2, 30), (3, 20)):
            (folder / f"{number}.txt").write_text(f"{number}\n")
            os.utime(folder / f"{number}.txt", (1e9 - age, 1e9 - age))
        (folder / "4.log").write_text("4\n")
        stream = spark.readStream.option("maxFilesPerTrigger", 1).option("pathGlobFilter", "*.txt").text(str(folder))
        query = drain(stream, f"{schema}.t")
        assert len(query.recentProgress) == 3
        lists = sorted((tmp_path / "checkpoint" / "sources" / "0" / "files").iterdir())
        assert [Path(json.loads(one.read_text())[0][1]).name for one in lists] == ["2.txt", "3.txt", "1.txt"]
        assert rows(spark, f"{schema}.t") == [("1",), ("2",), ("3",)]

    def test_parquet_counts_its_rows(self, spark: SparkSession, schema: str, drain: Drain, tmp_path: Path) -> None:
        spark.range(1000).write.parquet(str(tmp_path / "in"))
        query = drain(spark.readStream.schema("id BIGINT").parquet(str(tmp_path / "in")), f"{schema}.t")
        assert query.lastProgress.numInputRows == 1000
        assert spark.table(f"{schema}.t").count() == 1000

    def test_a_schema_is_needed(self, spark: SparkSession, tmp_path: Path) -> None:
        with pytest.raises(AnalysisException, match="Schema must be specified"):
            spark.readStream.json(str(tmp_path)).writeStream.format("noop").start()

    def test_a_list_in_the_checkpoint_leads_nowhere_else(
        self, spark: SparkSession, schema: str, drain: Drain, tmp_path: Path
    ) -> None:
        folder = tmp_path / "in"
        folder.mkdir()
        (folder / "1").write_text("mine\n")
        (tmp_path / "other").write_text("not mine\n")
        stream = spark.readStream.text(str(folder))
        drain(stream, f"{schema}.t")
        (tmp_path / "checkpoint" / "commits" / "0").unlink()
        listed = tmp_path / "checkpoint" / "sources" / "0" / "files" / "1"
        listed.write_text(json.dumps([[0, str(tmp_path / "other"), 9]]))
        with pytest.raises(StreamingQueryException, match="does not lie in"):
            drain(stream, f"{schema}.t")


class TestRates:
    def test_rows_a_second(self, spark: SparkSession) -> None:
        stream = spark.readStream.format("rate").option("rowsPerSecond", 5).load()
        assert stream.schema.simpleString() == "struct<timestamp:timestamp,value:bigint>"
        query = stream.writeStream.format("memory").queryName("rate_rows").start()
        while not query.recentProgress:
            query.awaitTermination(0.2)
        query.stop()
        found = spark.table("rate_rows").orderBy("value").collect()
        assert [row.value for row in found] == list(range(len(found)))
        assert len(found) % 5 == 0
        assert found[1].timestamp - found[0].timestamp == dt.timedelta(milliseconds=200)

    def test_rows_a_batch(self, spark: SparkSession, schema: str, drain: Drain) -> None:
        reader = spark.readStream.format("rate-micro-batch").option("rowsPerBatch", 3).option("startTimestamp", 1_000_000)
        drain(reader.load(), f"{schema}.t")
        drain(reader.load(), f"{schema}.t")
        found = [(row.timestamp.timestamp(), row.value) for row in spark.table(f"{schema}.t").orderBy("value").collect()]
        assert found == [(1000.0, 0), (1000.0, 1), (1000.0, 2), (1001.0, 3), (1001.0, 4), (1001.0, 5)]
