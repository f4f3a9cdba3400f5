"""COPY INTO: each file once, whatever happens in between."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import DataFrame, SparkSession

Location = Callable[[str], str]


def rows(frame: DataFrame) -> list[tuple[Any, ...]]:
    return sorted((tuple(row) for row in frame.collect()), key=repr)


def inserted(frame: DataFrame) -> int:
    row = frame.collect()[0].asDict()
    assert row.keys() == {"num_affected_rows", "num_inserted_rows", "num_skipped_corrupt_files"}
    return int(row["num_inserted_rows"])


@pytest.fixture
def table(spark: SparkSession, schema: str) -> str:
    name = f"{schema}.t"
    spark.sql(f"CREATE TABLE {name} (id INT, v STRING, day DATE)")
    return name


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with two CSV files of two rows each."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number in (1, 2):
        add(folder, f"{number}.csv", number)
    return folder


def add(folder: Path, name: str, number: int) -> None:
    lines = ["id,v,day", f"{number},00{number},2024-01-0{number}", f"{number + 10},,"]
    (folder / name).write_text("\n".join(lines) + "\n")


CSV = "FILEFORMAT = CSV FORMAT_OPTIONS ('header' = 'true')"


def test_columns_come_with_the_first_files(spark: SparkSession, schema: str, files: Path) -> None:
    name = f"{schema}.loaded"
    spark.sql(f"CREATE TABLE IF NOT EXISTS {name} COMMENT 'what comes' TBLPROPERTIES ('team' = 'a')")
    assert (spark.table(name).columns, spark.table(name).count()) == ([], 0)
    copy = f"COPY INTO {name} FROM '{files}' {CSV}"
    with pytest.raises(AnalysisException, match=r"does not have: `id`, `v`, `day`"):
        spark.sql(copy)
    assert inserted(spark.sql(f"{copy} COPY_OPTIONS ('mergeSchema' = 'true')")) == 4
    assert inserted(spark.sql(f"{copy} COPY_OPTIONS ('mergeSchema' = 'true')")) == 0
    assert rows(spark.sql(f"SELECT id, v FROM {name} WHERE v IS NOT NULL")) == [("1", "001"), ("2", "002")]
    (files / "empty.csv").write_text("")
    spark.sql(f"CREATE TABLE {schema}.none")
    with pytest.raises(AnalysisException, match=r"The files have no columns, and neither has .*none"):
        spark.sql(f"COPY INTO {schema}.none FROM '{files}/empty.csv' {CSV} COPY_OPTIONS ('mergeSchema' = 'true')")
    (files / "short.csv").write_text("id,v,day\n7\n")
    assert inserted(spark.sql(f"COPY INTO {name} FROM '{files}/short.csv' {CSV}")) == 1
    assert rows(spark.sql(f"SELECT id, v, day FROM {name} WHERE id = '7'")) == [("7", None, None)]
    detail = spark.sql(f"DESCRIBE DETAIL {name}").collect()[0]
    assert (detail.description, detail.properties["team"]) == ("what comes", "a")
    with pytest.raises(AnalysisException, match="has no columns"):
        spark.sql(f"CREATE OR REPLACE TABLE {name}")
    spark.sql(f"CREATE TABLE {schema}.appended")
    spark.sql("SELECT 1 AS a").write.mode("append").option("mergeSchema", "true").saveAsTable(f"{schema}.appended")
    assert rows(spark.table(f"{schema}.appended")) == [(1,)]


def test_each_file_is_loaded_once(spark: SparkSession, table: str, files: Path, location: Location) -> None:
    copy = f"COPY INTO {table} FROM '{files}' {CSV}"
    assert inserted(spark.sql(copy)) == 4
    assert inserted(spark.sql(copy)) == 0
    add(files, "3.csv", 3)
    (files / "_hidden.csv").write_text("x")
    assert inserted(spark.sql(copy)) == 2
    expected = [(1, "001"), (2, "002"), (3, "003"), (11, None), (12, None), (13, None)]
    assert sorted((row.id, row.v) for row in spark.table(table).collect()) == expected
    assert spark.table(table).where("day = DATE'2024-01-03'").count() == 1
    folder = Path(location(table))
    log = DeltaTable(folder)
    assert log.version() == 2
    assert log.history(1)[0]["operation"] == "COPY INTO"
    last = (folder / "_delta_log" / f"{2:020}.json").read_text().splitlines()
    assert {key for line in last for key in json.loads(line)} == {"commitInfo", "txn", "add"}
    assert inserted(spark.sql(f"{copy} COPY_OPTIONS ('force' = 'true')")) == 6
    assert spark.table(table).count() == 12


def test_a_stop_between_commit_and_list_loads_nothing_twice(
    spark: SparkSession, table: str, files: Path, location: Location
) -> None:
    copy = f"COPY INTO {table} FROM '{files}' {CSV}"
    assert inserted(spark.sql(copy)) == 4
    folder = Path(location(table))
    kept = folder / "_delta_log" / "_copy_into_log" / f"{1:020}.json"
    token = DeltaTable(folder).history(1)[0]["operationParameters"]["copyIntoLog"]
    kept.rename(kept.parent / f"{token}.json")
    assert inserted(spark.sql(copy)) == 0
    assert kept.exists()
    # A list without a commit says nothing.
    (kept.parent / "0123.json").write_text(json.dumps({"files": [str(files / "9.csv")]}))
    add(files, "9.csv", 9)
    assert inserted(spark.sql(copy)) == 2


def test_files_and_pattern(spark: SparkSession, table: str, files: Path) -> None:
    (files / "sub").mkdir()
    add(files / "sub", "7.csv", 7)
    assert inserted(spark.sql(f"COPY INTO {table} FROM '{files}' FILEFORMAT = CSV FILES = ('1.csv') {CSV[17:]}")) == 2
    assert inserted(spark.sql(f"COPY INTO {table} FROM '{files}' FILEFORMAT = CSV PATTERN = 'sub/{{6,7}}.c*' {CSV[17:]}")) == 2
    assert inserted(spark.sql(f"COPY INTO {table} FROM '{files}' {CSV}")) == 2
    for text, word in (
        ("FILEFORMAT = CSV FILES = ('../x.csv')", "lie"),
        ("FILEFORMAT = CSV FILES = ('nowhere.csv')", "nowhere.csv"),
        ("FILEFORMAT = EXCEL", "EXCEL"),
        ("PATTERN = '*'", "FILEFORMAT"),
        ("FILEFORMAT = CSV WITH (CREDENTIAL x)", "WITH"),
    ):
        with pytest.raises(AnalysisException, match=f"(?i){word}"):
            spark.sql(f"COPY INTO {table} FROM '{files}' {text}")


def test_a_query_over_the_files(spark: SparkSession, table: str, files: Path) -> None:
    query = f"(SELECT CAST(id AS INT) AS id, upper(v) AS v, CAST(day AS DATE) AS day FROM '{files}' WHERE v IS NOT NULL)"
    assert inserted(spark.sql(f"COPY INTO {table} FROM {query} {CSV}")) == 2
    assert [row.id for row in spark.table(table).orderBy("id").collect()] == [1, 2]


def test_a_query_tells_where_rows_are_from(spark: SparkSession, schema: str, files: Path) -> None:
    name = f"{schema}.told"
    spark.sql(f"CREATE TABLE {name} (id INT, v STRING, day DATE, file STRING, size BIGINT)")
    query = f"(SELECT *, _metadata.file_name AS file, _metadata.file_size AS size FROM '{files}')"
    assert inserted(spark.sql(f"COPY INTO {name} FROM {query} {CSV}")) == 4
    told = rows(spark.sql(f"SELECT file, min(size), count(*), count(day) FROM {name} GROUP BY file ORDER BY file"))
    assert told == [(one, (files / one).stat().st_size, 2, 1) for one in ("1.csv", "2.csv")]
    assert inserted(spark.sql(f"COPY INTO {name} FROM {query} {CSV}")) == 0
    with pytest.raises(AnalysisException, match=r"_metadata.*nothing"):
        spark.sql(
            f"COPY INTO {name} FROM (SELECT id, _metadata.nothing AS file FROM '{files}') {CSV} COPY_OPTIONS ('force' = 'true')"
        )


def test_formats(spark: SparkSession, schema: str, tmp_path: Path) -> None:
    for name in ("json", "parquet", "text", "bin"):
        (tmp_path / name).mkdir()
    (tmp_path / "json" / "a.json").write_text('{"a": 1, "s": {"x": "k"}}\n{"a": 2}\n')
    pq.write_table(pa.table({"a": pa.array([1, 2], pa.int32())}), tmp_path / "parquet" / "a.parquet")
    (tmp_path / "text" / "a.txt").write_text("one\ntwo\n")
    (tmp_path / "bin" / "a.bin").write_bytes(b"\0\1")
    spark.sql(f"CREATE TABLE {schema}.j (a BIGINT, s STRUCT<x: STRING>)")
    assert inserted(spark.sql(f"COPY INTO {schema}.j FROM '{tmp_path}/json' FILEFORMAT = JSON")) == 2
    spark.sql(f"CREATE TABLE {schema}.p (a BIGINT)")
    assert inserted(spark.sql(f"COPY INTO {schema}.p FROM '{tmp_path}/parquet/a.parquet' FILEFORMAT = PARQUET")) == 2
    spark.sql(f"CREATE TABLE {schema}.x (value STRING)")
    assert inserted(spark.sql(f"COPY INTO {schema}.x FROM '{tmp_path}/text' FILEFORMAT = TEXT")) == 2
    spark.sql(f"CREATE TABLE {schema}.b (content BINARY, length BIGINT)")
    text = f"COPY INTO {schema}.b FROM (SELECT content, length FROM '{tmp_path}/bin') FILEFORMAT = BINARYFILE"
    assert inserted(spark.sql(text)) == 1


def test_long_rows(spark: SparkSession, schema: str, tmp_path: Path) -> None:
    (tmp_path / "long.csv").write_text("id,v\n1,a\n2,b,more\n3\n")
    for mode, loaded in (("PERMISSIVE", [(1, "a"), (2, "b"), (3, None)]), ("DROPMALFORMED", [(1, "a")])):
        name = f"{schema}.{mode.lower()}"
        spark.sql(f"CREATE TABLE {name} (id INT, v STRING)")
        copy = f"COPY INTO {name} FROM '{tmp_path}' FILEFORMAT = CSV FORMAT_OPTIONS ('header' = 'true'"
        with pytest.raises(PySparkException, match="Line 3 of a CSV file has 3 fields where 2 are expected"):
            spark.sql(f"{copy})").collect()
        assert spark.sql(f"{copy}, 'mode' = '{mode}')").collect()[0].num_inserted_rows == len(loaded)
        assert sorted(tuple(row) for row in spark.table(name).collect()) == loaded
        query = copy.replace(f"'{tmp_path}'", f"(SELECT id::INT + 10 AS id, v FROM '{tmp_path}')")
        spark.sql(f"{query}, 'mode' = '{mode}') COPY_OPTIONS ('force' = 'true')").collect()
        assert spark.table(name).where("id > 10").count() == len(loaded)


def test_corrupt_files(spark: SparkSession, schema: str, tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1, 2]}), tmp_path / "good.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"nothing")
    spark.sql(f"CREATE TABLE {schema}.p (a BIGINT)")
    copy = f"COPY INTO {schema}.p FROM '{tmp_path}' FILEFORMAT = PARQUET"
    with pytest.raises(PySparkException):
        spark.sql(copy)
    done = spark.sql(f"{copy} FORMAT_OPTIONS ('ignoreCorruptFiles' = 'true')").collect()[0]
    assert (done.num_inserted_rows, done.num_skipped_corrupt_files) == (2, 1)


def test_columns(spark: SparkSession, table: str, files: Path, tmp_path: Path, location: Location) -> None:
    wide = tmp_path / "wide"
    wide.mkdir()
    (wide / "w.csv").write_text("id,v,more\n5,x,y\n")
    with pytest.raises(AnalysisException, match="more"):
        spark.sql(f"COPY INTO {table} FROM '{wide}' {CSV}")
    assert inserted(spark.sql(f"COPY INTO {table} FROM '{wide}' {CSV} COPY_OPTIONS ('mergeSchema' = 'true')")) == 1
    assert rows(spark.table(table).select("id", "v", "more")) == [(5, "x", "y")]
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "b.csv").write_text("id,v\nfive,x\n")
    version = DeltaTable(location(table)).version()
    with pytest.raises(PySparkException, match="CAST_INVALID_INPUT"):
        spark.sql(f"COPY INTO {table} FROM '{bad}' {CSV}")
    assert DeltaTable(location(table)).version() == version
    assert not list(Path(location(table), "_boathouse_staging").glob("*"))
    (bad / "b.csv").write_text("id,v\n6,x\n")
    assert inserted(spark.sql(f"COPY INTO {table} FROM '{bad}' {CSV}")) == 1


def test_validate_writes_nothing(spark: SparkSession, table: str, files: Path) -> None:
    shown = spark.sql(f"COPY INTO {table} FROM '{files}' {CSV} VALIDATE 3 ROWS")
    assert shown.columns == ["id", "v", "day"]
    assert len(shown.collect()) == 3
    assert spark.table(table).count() == 0


def test_constraints_hold(spark: SparkSession, schema: str, files: Path) -> None:
    name = f"{schema}.c"
    spark.sql(
        f"CREATE TABLE {name} (id INT NOT NULL, twice INT GENERATED ALWAYS AS (id * 2), v STRING, day DATE) PARTITIONED BY (id) "
        "TBLPROPERTIES ('delta.constraints.small' = 'id < 12')"
    )
    with pytest.raises(PySparkException, match="small"):
        spark.sql(f"COPY INTO {name} FROM '{files}' {CSV}")
    assert inserted(spark.sql(f"COPY INTO {name} FROM '{files}' FILEFORMAT = CSV FILES = ('1.csv') {CSV[17:]}")) == 2
    assert rows(spark.table(name).select("id", "twice")) == [(1, 2), (11, 22)]


def test_grants(
    spark: SparkSession,
    schema: str,
    table: str,
    files: Path,
    volume: Callable[[str, str], str],
    user: tuple[str, SparkSession],
    grant: Callable[..., None],
) -> None:
    who, other = user
    path = volume(schema, "in")
    spark.sql("SELECT 1 AS id, 'x' AS v").coalesce(1).write.mode("overwrite").parquet(f"{path}/p")
    grant("catalog", "main", who, "USE_CATALOG")
    grant("schema", schema, who, "USE_SCHEMA")
    copy = f"COPY INTO {table} FROM '{path}/p' FILEFORMAT = PARQUET"
    with pytest.raises(AnalysisException, match="MODIFY"):
        other.sql(copy)
    grant("table", table, who, "MODIFY")
    with pytest.raises(AnalysisException, match=r"READ.VOLUME"):
        other.sql(copy)
    grant("volume", f"{schema}.in", who, "READ_VOLUME")
    with pytest.raises(AnalysisException, match="refused"):
        other.sql(f"COPY INTO {table} FROM '{files}' {CSV}")
    assert inserted(other.sql(copy)) == 1
    meta = f"COPY INTO {table} FROM (SELECT id, _metadata.file_name AS v FROM '{path}/p') FILEFORMAT = PARQUET COPY_OPTIONS ('force' = 'true')"
    assert inserted(other.sql(meta)) == 1
    assert spark.table(table).where("v LIKE '%.parquet'").count() == 1
