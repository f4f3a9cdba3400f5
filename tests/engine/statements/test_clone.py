"""CREATE TABLE ... SHALLOW | DEEP CLONE."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

Actions = Callable[..., list[dict[str, Any]]]
Location = Callable[[str], str]


@pytest.mark.parametrize(("depth", "links"), [("SHALLOW", 2), ("DEEP", 1)])
def test_a_copy_goes_its_own_way(
    spark: SparkSession, table: str, schema: str, depth: str, links: int, actions: Actions, location: Location
) -> None:
    copy = f"{schema}.copy"
    row = spark.sql(f"CREATE TABLE {copy} {depth} CLONE {table}").collect()[0]
    assert (row.source_num_of_files, row.num_removed_files) == (1, 0)
    assert (row.num_linked_files, row.num_copied_files) == ((1, 0) if depth == "SHALLOW" else (0, 1))
    info = actions(copy, "commitInfo")[0]
    assert info["operation"] == "CLONE"
    assert info["operationParameters"] == {"source": table, "sourceVersion": "1", "isShallow": str(depth == "SHALLOW").lower()}
    added = actions(copy, "add")[0]
    assert not added["path"].startswith(("/", "file:"))
    assert (Path(location(copy)) / added["path"]).stat().st_nlink == links
    spark.sql(f"DELETE FROM {copy} WHERE id = 1")
    spark.sql(f"INSERT INTO {table} VALUES (4, 'd')")
    assert sorted(row[0] for row in spark.table(copy).collect()) == [2, 3]
    assert sorted(row[0] for row in spark.table(table).collect()) == [1, 2, 3, 4]
    spark.sql(f"DROP TABLE {table}")
    assert spark.table(copy).count() == 2


def test_versions_properties_and_replacement(
    spark: SparkSession, table: str, schema: str, actions: Actions, location: Location
) -> None:
    spark.sql(f"UPDATE {table} SET s = 'new'")
    spark.sql(f"CREATE TABLE {schema}.copy SHALLOW CLONE {table} VERSION AS OF 1 TBLPROPERTIES ('quality' = 'test')")
    assert sorted(spark.table(f"{schema}.copy").collect()) == [(1, "a"), (2, "b"), (3, None)]
    assert actions(f"{schema}.copy", "metaData")[0]["configuration"]["quality"] == "test"
    assert spark.sql(f"CREATE TABLE IF NOT EXISTS {schema}.copy CLONE {table}").collect()[0].source_num_of_files == 0
    with pytest.raises(AnalysisException, match="ALREADY_EXISTS"):
        spark.sql(f"CREATE TABLE {schema}.copy CLONE {table}")
    before = location(f"{schema}.copy")
    row = spark.sql(f"CREATE OR REPLACE TABLE {schema}.copy DEEP CLONE {table}").collect()[0]
    assert row.num_removed_files == 1
    assert location(f"{schema}.copy") == before
    assert len(actions(f"{schema}.copy", "remove")) == 1
    assert {row.s for row in spark.table(f"{schema}.copy").collect()} == {"new"}
    assert spark.sql(f"SELECT s FROM {schema}.copy VERSION AS OF 0 WHERE id = 1").collect() == [("a",)]
    moment = spark.sql(f"DESCRIBE HISTORY {table}").where("version = 1").collect()[0].timestamp
    spark.sql(f"CREATE TABLE {schema}.then CLONE {table} TIMESTAMP AS OF '{moment:%Y-%m-%d %H:%M:%S.%f}'")
    assert spark.table(f"{schema}.then").where("s = 'a'").count() == 1


def test_partitions_and_deletion_vectors(spark: SparkSession, schema: str) -> None:
    name = f"{schema}.p"
    spark.sql(
        f"CREATE TABLE {name} (a INT, p STRING) PARTITIONED BY (p) TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')"
    )
    spark.sql(f"INSERT INTO {name} VALUES (1, 'x y/z'), (2, 'x y/z'), (3, NULL), (4, 'ä%')")
    spark.sql(f"DELETE FROM {name} WHERE a = 2")
    spark.sql(f"CREATE TABLE {schema}.copy SHALLOW CLONE {name}")
    expected = [(1, "x y/z"), (3, None), (4, "ä%")]
    assert sorted(spark.table(f"{schema}.copy").collect()) == expected
    spark.sql(f"OPTIMIZE {schema}.copy FULL")
    assert sorted(spark.table(f"{schema}.copy").collect()) == expected


def test_what_cannot_be_cloned(
    spark: SparkSession, table: str, schema: str, grant: Callable[..., None], user: tuple[str, SparkSession]
) -> None:
    for statement, says in {
        f"CREATE TABLE {schema}.c SHALLOW CLONE {schema}.nothing": "does not exist",
        f"CREATE TABLE {schema}.c SHALLOW {table}": "expected CLONE",
        f"CREATE OR REPLACE TABLE {table} CLONE {table}": "RESTORE TABLE",
        f"CREATE TABLE {schema}.c CLONE {table} VERSION AS OF 9": "DELTA_VERSION_NOT_FOUND",
    }.items():
        with pytest.raises(AnalysisException, match=says):
            spark.sql(statement)
    name, other = user
    grant("schema", schema, name, "USE SCHEMA", "CREATE TABLE")
    with pytest.raises(AnalysisException, match="SELECT"):
        other.sql(f"CREATE TABLE {schema}.c CLONE {table}")
    grant("table", table, name, "SELECT")
    other.sql(f"CREATE TABLE {schema}.c CLONE {table}")
    assert other.table(f"{schema}.c").count() == 3


def test_folders_of_parquet_files(
    spark: SparkSession,
    schema: str,
    volume: Callable[[str, str], str],
    tmp_path: Path,
    actions: Actions,
    location: Location,
    grant: Callable[..., None],
    user: tuple[str, SparkSession],
) -> None:
    for folder, number in (("p=7/d=2024-02-29/x=a%20b c", 1), ("p=8/d=__HIVE_DEFAULT_PARTITION__/x=1", 2)):
        (tmp_path / "sold" / folder).mkdir(parents=True)
        pq.write_table(pa.table({"id": pa.array([number], pa.int32()), "s": ["x"]}), tmp_path / "sold" / folder / "a.parquet")
    copy, source = f"{schema}.copy", f"parquet.`{tmp_path}/sold`"
    row = spark.sql(f"CREATE TABLE {copy} DEEP CLONE {source} TBLPROPERTIES ('team' = 'blue')").collect()[0]
    assert (row.source_num_of_files, row.num_copied_files, row.num_linked_files) == (2, 2, 0)
    assert row.source_table_size == row.copied_files_size > 0
    assert [one["operation"] for one in actions(copy, "commitInfo", 0)] == ["CLONE"]
    assert actions(copy, "metaData")[0]["configuration"] == {"team": "blue"}
    assert spark.table(copy).dtypes == [("id", "int"), ("s", "string"), ("p", "int"), ("d", "date"), ("x", "string")]
    leap = dt.date(2024, 2, 29)
    assert spark.sql(f"SELECT * FROM {copy} ORDER BY id").collect() == [(1, "x", 7, leap, "a b c"), (2, "x", 8, None, "1")]
    assert DeltaTable(location(copy)).to_pyarrow_table().sort_by("id").column("x").to_pylist() == ["a b c", "1"]
    spark.sql(f"DELETE FROM {copy} WHERE p = 7")
    spark.sql(f"INSERT INTO {copy} VALUES (3, 'y', 9, NULL, NULL)")
    assert spark.sql(f"SELECT id, p FROM {copy} ORDER BY id").collect() == [(2, 8), (3, 9)]
    assert len(list(tmp_path.glob("sold/*/*/*/*.parquet"))) == 2
    assert spark.sql(f"CREATE TABLE IF NOT EXISTS {copy} CLONE {source}").collect()[0].source_num_of_files == 0
    assert spark.sql(f"CREATE OR REPLACE TABLE {copy} CLONE {source}").collect()[0].num_removed_files > 0
    assert sorted(row.id for row in spark.table(copy).collect()) == [1, 2]
    spark.sql(f"CREATE TABLE {schema}.named USING parquet AS SELECT 5 AS five")
    spark.sql(f"CREATE TABLE {schema}.of_a_table CLONE {schema}.named")
    assert spark.table(f"{schema}.of_a_table").collect() == [(5,)]
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.parquet").symlink_to(next(Path(location(f"{schema}.named")).glob("*.parquet")))
    (tmp_path / "empty").mkdir()
    for statement, says in {
        f"CREATE TABLE {schema}.c SHALLOW CLONE {source}": "in place",
        f"CREATE TABLE {schema}.c CLONE {source} VERSION AS OF 0": "has none",
        f"CREATE TABLE {schema}.c CLONE parquet.`{location(copy)}`": "is a Delta table",
        f"CREATE TABLE {schema}.c CLONE parquet.`{tmp_path}/out`": "link to a file outside",
        f"CREATE TABLE {schema}.c CLONE parquet.`{tmp_path}/empty`": "No Parquet file",
        f"CREATE TABLE {schema}.c CLONE parquet.`{tmp_path}/nothing`": "PATH_NOT_FOUND",
    }.items():
        with pytest.raises(AnalysisException, match=says):
            spark.sql(statement)
    path = f"{volume(schema, 'files')}/sold"
    spark.range(2).write.parquet(path)
    source = f"parquet.`{path}`"
    name, other = user
    grant("schema", schema, name, "USE SCHEMA", "CREATE TABLE")
    with pytest.raises(AnalysisException, match=r"READ.VOLUME"):
        other.sql(f"CREATE TABLE {schema}.c CLONE {source}")
    grant("volume", f"{schema}.files", name, "READ VOLUME")
    other.sql(f"CREATE TABLE {schema}.c CLONE {source}")
    assert other.table(f"{schema}.c").count() == 2
