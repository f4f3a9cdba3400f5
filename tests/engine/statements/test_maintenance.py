"""RESTORE, OPTIMIZE, VACUUM, TRUNCATE, ANALYZE, CONVERT TO DELTA."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import SparkSession

Actions = Callable[..., list[dict[str, Any]]]
Location = Callable[[str], str]


class TestRestore:
    def test_to_a_version(self, spark: SparkSession, table: str, actions: Actions) -> None:
        spark.sql(f"DELETE FROM {table} WHERE id = 1")
        spark.sql(f"ALTER TABLE {table} ADD COLUMN x INT")
        answer = spark.sql(f"RESTORE TABLE {table} TO VERSION AS OF 1").collect()[0].asDict()
        assert answer.keys() == {
            "table_size_after_restore",
            "num_of_files_after_restore",
            "num_removed_files",
            "num_restored_files",
            "removed_files_size",
            "restored_files_size",
        }
        assert (answer["num_of_files_after_restore"], answer["num_removed_files"], answer["num_restored_files"]) == (1, 1, 1)
        info = actions(table, "commitInfo")[0]
        assert (info["operation"], info["operationParameters"]) == ("RESTORE", {"version": "1"})
        assert info["operationMetrics"]["numRestoredFiles"] == "1"
        assert len(actions(table, "add")) == len(actions(table, "remove")) == len(actions(table, "metaData")) == 1
        assert sorted(spark.table(table).collect()) == [(1, "a"), (2, "b"), (3, None)]

    def test_to_a_moment(self, spark: SparkSession, table: str) -> None:
        versions = spark.sql(f"DESCRIBE HISTORY {table}").collect()
        first, last = versions[-1].timestamp, versions[0].timestamp
        assert first < last
        spark.sql(f"RESTORE {table} TO TIMESTAMP AS OF '{first:%Y-%m-%d %H:%M:%S.%f}'")
        assert spark.table(table).count() == 0
        with pytest.raises(
            AnalysisException, match=r"DELTA_TIMESTAMP_EARLIER_THAN_COMMIT_RETENTION.*before the earliest version"
        ):
            spark.sql(f"RESTORE {table} TO TIMESTAMP AS OF '2001-01-01'")
        with pytest.raises(AnalysisException, match="DELTA_TIMESTAMP_GREATER_THAN_COMMIT"):
            spark.sql(f"RESTORE {table} TO TIMESTAMP AS OF current_timestamp() + INTERVAL 1 DAY")
        with pytest.raises(AnalysisException, match="DELTA_TIMESTAMP_INVALID"):
            spark.sql(f"RESTORE {table} TO TIMESTAMP AS OF 'yesterday'")
        with pytest.raises(AnalysisException, match="without a query"):
            spark.sql(f"RESTORE {table} TO TIMESTAMP AS OF (SELECT max(x) FROM y)")

    def test_what_cannot_be_restored(
        self, spark: SparkSession, table: str, location: Location, grant: Callable[..., None], user: tuple[str, SparkSession]
    ) -> None:
        with pytest.raises(AnalysisException, match=r"DELTA_VERSION_NOT_FOUND.*\[0, 1\]"):
            spark.sql(f"RESTORE TABLE {table} TO VERSION AS OF 7")
        with pytest.raises(ParseException, match="VERSION AS OF"):
            spark.sql(f"RESTORE TABLE {table} TO 1")
        spark.sql(f"TRUNCATE TABLE {table}")
        name, other = user
        grant("schema", table.rsplit(".", 1)[0], name, "USE SCHEMA", "SELECT")
        with pytest.raises(AnalysisException, match="MODIFY"):
            other.sql(f"RESTORE TABLE {table} TO VERSION AS OF 1")
        for path in Path(location(table)).glob("*.parquet"):
            path.unlink()
        with pytest.raises(AnalysisException, match="DELTA_CANNOT_RESTORE_MISSING_FILES"):
            spark.sql(f"RESTORE TABLE {table} TO VERSION AS OF 1")


class TestOptimize:
    def test_small_files_become_one(self, spark: SparkSession, table: str, actions: Actions, location: Location) -> None:
        for number in range(4, 8):
            spark.sql(f"INSERT INTO {table} VALUES ({number}, 'x')")
        before = sorted(spark.table(table).collect())
        row = spark.sql(f"OPTIMIZE {table}").collect()[0]
        assert (row.metrics.numFilesAdded, row.metrics.numFilesRemoved, row.metrics.filesAdded.totalFiles) == (1, 5, 1)
        info = actions(table, "commitInfo")[0]
        assert (info["operation"], info["operationMetrics"]["numRemovedFiles"]) == ("OPTIMIZE", "5")
        assert {one["dataChange"] for kind in ("add", "remove") for one in actions(table, kind)} == {False}
        assert '"numRecords":7' in actions(table, "add")[0]["stats"].replace(" ", "")
        assert sorted(spark.table(table).collect()) == before
        assert not list(Path(location(table)).glob("_boathouse*"))
        again = spark.sql(f"OPTIMIZE {table}").collect()[0]
        assert (again.metrics.numFilesAdded, again.metrics.numFilesRemoved) == (0, 0)
        assert actions(table, "commitInfo")[0]["readVersion"] == info["readVersion"]

    def test_partitions(self, spark: SparkSession, schema: str, actions: Actions) -> None:
        name = f"{schema}.p"
        spark.sql(f"CREATE TABLE {name} (a INT, d DATE, p STRING) PARTITIONED BY (d, p)")
        for number in range(3):
            spark.sql(f"INSERT INTO {name} VALUES ({number}, DATE'2024-01-01', 'x y'), ({number}, DATE'2024-02-01', NULL)")
        row = spark.sql(f"OPTIMIZE {name} WHERE d >= DATE'2024-01-15' AND p IS NULL").collect()[0]
        assert (row.metrics.numFilesAdded, row.metrics.numFilesRemoved) == (1, 3)
        assert {one["partitionValues"]["d"] for one in actions(name, "remove")} == {"2024-02-01"}
        assert spark.sql(f"OPTIMIZE {name} WHERE p = 'x y'").collect()[0].metrics.numFilesRemoved == 3
        assert spark.table(name).count() == 6
        assert spark.table(name).where("p IS NULL").count() == 3
        for clause, says in {
            "WHERE a > 1": "DELTA_NON_PARTITION_COLUMN_REFERENCE",
            "WHERE p IN (SELECT 1)": "without a query",
            "ZORDER BY (p)": "DELTA_ZORDERING_ON_PARTITION_COLUMN",
            "ZORDER BY (zz)": "DELTA_COLUMN_NOT_FOUND_IN_SCHEMA",
            "ZORDER (a)": "expected BY",
        }.items():
            with pytest.raises(AnalysisException, match=says):
                spark.sql(f"OPTIMIZE {name} {clause}")

    def test_z_order(self, spark: SparkSession, table: str, actions: Actions) -> None:
        spark.sql(f"INSERT INTO {table} VALUES (0, 'x')")
        row = spark.sql(f"OPTIMIZE {table} ZORDER BY (id, s)").collect()[0]
        assert row.metrics.zOrderStats.zOrderBy == ["id", "s"]
        assert actions(table, "commitInfo")[0]["operationParameters"]["zOrderBy"] == '["id", "s"]'
        assert spark.table(table).count() == 4

    def test_tables_that_delta_rs_cannot_write(self, spark: SparkSession, schema: str) -> None:
        name = f"{schema}.g"
        spark.sql(f"CREATE TABLE {name} (id BIGINT GENERATED ALWAYS AS IDENTITY, a INT)")
        for number in range(3):
            spark.sql(f"INSERT INTO {name} (a) VALUES ({number})")
        assert spark.sql(f"OPTIMIZE {name}").collect()[0].metrics.numFilesRemoved == 3
        spark.sql(f"INSERT INTO {name} (a) VALUES (9)")
        assert len({row.id for row in spark.table(name).collect()}) == 4

    def test_privilege(self, table: str, grant: Callable[..., None], user: tuple[str, SparkSession]) -> None:
        name, other = user
        grant("schema", table.rsplit(".", 1)[0], name, "USE SCHEMA", "SELECT")
        for statement in (
            f"OPTIMIZE {table}",
            f"VACUUM {table}",
            f"TRUNCATE TABLE {table}",
            f"ANALYZE TABLE {table} COMPUTE STATISTICS",
        ):
            with pytest.raises(AnalysisException, match="MODIFY"):
                other.sql(statement)


class TestVacuum:
    @pytest.fixture
    def old(self, spark: SparkSession, table: str, location: Location) -> str:
        """The table with one file out of use, and one that nobody knows, both old."""
        spark.sql(f"UPDATE {table} SET s = 'z'")
        folder = Path(location(table))
        (folder / "unknown.parquet").write_bytes(b"x")
        (folder / "_kept").mkdir()
        (folder / "_kept" / "file").write_bytes(b"x")
        past = time.time() - 30 * 86400
        for path in folder.rglob("*"):
            if path.is_file() and "_delta_log" not in path.parts:
                os.utime(path, (past, past))
        return table

    def test_the_default_keeps_a_week(self, spark: SparkSession, old: str, location: Location, actions: Actions) -> None:
        listed = [Path(row.path).name for row in spark.sql(f"VACUUM {old} DRY RUN").collect()]
        assert listed == ["unknown.parquet"]
        assert (Path(location(old)) / "unknown.parquet").exists()
        assert spark.sql(f"VACUUM {old}").collect()[0].path.endswith(location(old).rsplit("/", 1)[-1])
        assert not (Path(location(old)) / "unknown.parquet").exists()
        assert (Path(location(old)) / "_kept" / "file").exists()
        info = actions(old, "commitInfo")[0]
        assert (info["operation"], info["operationMetrics"]["numDeletedFiles"]) == ("VACUUM END", "1")
        assert spark.sql(f"SELECT count(*) FROM {old} VERSION AS OF 1").collect() == [(3,)]

    def test_a_short_time(self, spark: SparkSession, old: str) -> None:
        with pytest.raises(AnalysisException, match=r"DELTA_VACUUM_RETENTION_PERIOD_TOO_SHORT.*168 hours"):
            spark.sql(f"VACUUM {old} RETAIN 100 HOURS")
        with pytest.raises(AnalysisException, match="RETAIN -1 HOURS is not valid"):
            spark.sql(f"VACUUM {old} RETAIN -1 HOURS")
        spark.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")
        try:
            assert spark.sql(f"VACUUM {old} LITE RETAIN 0 HOURS DRY RUN").count() == 1
            assert spark.sql(f"VACUUM {old} RETAIN 0 HOURS DRY RUN").count() == 2
            spark.sql(f"VACUUM {old} RETAIN 0 HOURS")
        finally:
            spark.conf.unset("spark.databricks.delta.retentionDurationCheck.enabled")
        assert spark.table(old).count() == 3
        with pytest.raises(AnalysisException, match="DELTA_CANNOT_RESTORE_MISSING_FILES"):
            spark.sql(f"RESTORE {old} TO VERSION AS OF 1")

    def test_the_tables_own_time(self, spark: SparkSession, old: str) -> None:
        spark.sql(f"ALTER TABLE {old} SET TBLPROPERTIES ('delta.deletedFileRetentionDuration' = 'interval 1 hours')")
        assert spark.sql(f"VACUUM {old} RETAIN 2 HOURS DRY RUN").count() == 1
        with pytest.raises(ParseException, match="RETAIN or DRY or LITE"):
            spark.sql(f"VACUUM {old} NOW")

    def test_deletion_vectors_stay(self, spark: SparkSession, schema: str) -> None:
        name = f"{schema}.dv"
        spark.sql(f"CREATE TABLE {name} (a INT) TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
        spark.sql(f"INSERT INTO {name} VALUES (1), (2), (3)")
        spark.sql(f"DELETE FROM {name} WHERE a = 2")
        spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ('delta.deletedFileRetentionDuration' = 'interval 0 hours')")
        spark.sql(f"VACUUM {name}")
        assert sorted(row.a for row in spark.table(name).collect()) == [1, 3]


def test_truncate_and_analyze(spark: SparkSession, table: str, actions: Actions) -> None:
    spark.sql(f"ANALYZE TABLE {table} COMPUTE STATISTICS FOR ALL COLUMNS")
    spark.sql(f"ANALYZE TABLE {table} COMPUTE DELTA STATISTICS")
    assert spark.sql(f"TRUNCATE TABLE {table}").collect() == []
    assert actions(table, "commitInfo")[0]["operation"] == "TRUNCATE"
    assert len(actions(table, "remove")) == 1
    assert spark.table(table).count() == 0
    with pytest.raises(AnalysisException, match="DELETE FROM"):
        spark.sql(f"TRUNCATE TABLE {table} PARTITION (p = 1)")
    with pytest.raises(AnalysisException, match="does not exist"):
        spark.sql(f"TRUNCATE TABLE {table}x")


class TestConvert:
    def test_a_folder(self, spark: SparkSession, tmp_path: Path) -> None:
        for part in ("1", "2"):
            folder = tmp_path / "data" / f"p={part}"
            folder.mkdir(parents=True)
            pq.write_table(pa.table({"a": [1, 2]}), folder / "f.parquet")
        path = tmp_path / "data"
        with pytest.raises(AnalysisException, match="DELTA_UNEXPECTED_NUM_PARTITION_COLUMNS_FROM_FILE_NAME"):
            spark.sql(f"CONVERT TO DELTA parquet.`{path}`")
        spark.sql(f"CONVERT TO DELTA parquet.`{path}` PARTITIONED BY (p INT)")
        assert DeltaTable(path).metadata().partition_columns == ["p"]
        assert sorted(spark.read.format("delta").load(str(path)).collect()) == [(1, 1), (1, 2), (2, 1), (2, 2)]
        spark.sql(f"CONVERT TO DELTA parquet.`{path}`")
        assert DeltaTable(path).version() == 0

    def test_a_table(self, spark: SparkSession, schema: str) -> None:
        spark.range(3).write.format("parquet").saveAsTable(f"{schema}.q")
        spark.sql(f"CONVERT TO DELTA {schema}.q")
        spark.sql(f"INSERT INTO {schema}.q VALUES (7)")
        assert spark.table(f"{schema}.q").count() == 4
        assert spark.sql(f"DESCRIBE DETAIL {schema}.q").collect()[0].format == "delta"

    def test_what_is_wrong(self, spark: SparkSession, tmp_path: Path, user: tuple[str, SparkSession]) -> None:
        with pytest.raises(AnalysisException, match="DELTA_CONVERSION_NO_FILES"):
            spark.sql(f"CONVERT TO DELTA parquet.`{tmp_path}`")
        with pytest.raises(AnalysisException, match="refused"):
            user[1].sql(f"CONVERT TO DELTA parquet.`{tmp_path}`")


def test_files_that_are_missing(spark: SparkSession, table: str, location: Location, actions: Actions) -> None:
    spark.sql(f"INSERT INTO {table} VALUES (4, 'd')")
    missing = actions(table, "add")[0]["path"]
    (Path(location(table)) / missing).unlink()
    assert [row.dataFilePath for row in spark.sql(f"FSCK REPAIR TABLE {table} DRY RUN").collect()] == [missing]
    spark.sql(f"FSCK REPAIR TABLE {table}")
    assert actions(table, "commitInfo")[0]["operation"] == "FSCK"
    assert spark.table(table).count() == 3
    spark.sql(f"GENERATE symlink_format_manifest FOR TABLE {table}")
    assert (Path(location(table)) / "_symlink_format_manifest" / "manifest").exists()
    with pytest.raises(AnalysisException, match="DELTA_MODE_NOT_SUPPORTED"):
        spark.sql(f"GENERATE list FOR TABLE {table}")
    with pytest.raises(AnalysisException, match="OPTIMIZE"):
        spark.sql(f"REORG TABLE {table} APPLY (PURGE)")
