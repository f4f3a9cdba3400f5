"""Rows written to files that are no Delta table."""

from pathlib import Path

import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession


@pytest.mark.parametrize("source", ["parquet", "csv", "json"])
def test_partitions_without_a_value(spark: SparkSession, tmp_path: Path, source: str) -> None:
    given = spark.sql("SELECT * FROM VALUES (1, TRUE, 7, 'x'), (2, NULL, NULL, ''), (3, FALSE, 0, NULL) AS t(i, b, n, s)")
    for column, kept in (("b", {"true", "false"}), ("n", {"7", "0"}), ("s", {"x"})):
        folder = tmp_path / column
        given.select("i", column).write.partitionBy(column).format(source).save(str(folder))
        names = {one.name.partition("=")[2] for one in folder.iterdir() if one.is_dir()}
        assert names == kept | {"__HIVE_DEFAULT_PARTITION__"}
        found = spark.read.format(source).option("inferSchema", "true").load(str(folder))
        assert {str(row[0]).lower() for row in found.select(column).collect()} == kept | {"none"}
        assert found.count() == 3


@pytest.mark.parametrize("source", ["parquet", "csv"])
def test_no_rows_leave_their_columns(spark: SparkSession, tmp_path: Path, source: str) -> None:
    folder, nothing = str(tmp_path / "out"), spark.sql("SELECT 1 AS i, 'x' AS s WHERE FALSE")
    nothing.write.format(source).option("header", "true").save(folder)
    reader = spark.read.format(source).option("header", "true")
    assert (reader.load(folder).columns, reader.load(folder).count()) == (["i", "s"], 0)
    spark.sql("SELECT 5 AS i, 'y' AS s").write.mode("append").format(source).option("header", "true").save(folder)
    nothing.write.mode("append").format(source).option("header", "true").save(folder)
    assert [(int(row.i), row.s) for row in reader.load(folder).collect()] == [(5, "y")]


def test_what_is_read_is_not_overwritten(spark: SparkSession, tmp_path: Path) -> None:
    folder = str(tmp_path / "own")
    spark.range(3).write.parquet(folder)
    read = spark.read.parquet(folder)
    for rows in (
        read.where("id > 0"),
        spark.read.parquet(f"{folder}/*.parquet"),
        spark.sql(f"SELECT * FROM parquet.`{folder}`"),
    ):
        with pytest.raises(AnalysisException, match=r"UNSUPPORTED_OVERWRITE.PATH.*The target path is .*own"):
            rows.write.mode("overwrite").parquet(folder)
    assert read.count() == 3
    read.where("id > 0").localCheckpoint().write.mode("overwrite").parquet(folder)
    assert spark.read.parquet(folder).count() == 2
    spark.read.parquet(folder).write.mode("append").parquet(folder)
    assert spark.read.parquet(folder).count() == 4


@pytest.mark.parametrize("source", ["csv", "json"])
def test_how_dates_and_times_are_written(spark: SparkSession, tmp_path: Path, source: str) -> None:
    given = spark.sql("SELECT DATE '2026-03-01' AS d, TIMESTAMP '2026-03-01 10:11:12' AS t, 'x' AS s")
    writer = given.write.format(source).option("dateFormat", "dd/MM/yyyy").option("timestampFormat", "yyyy-MM-dd HH'h'")
    writer.save(str(tmp_path / "out"))
    (line,) = [row.value for row in spark.read.text(str(tmp_path / "out")).collect()]
    wanted = {"csv": "01/03/2026,2026-03-01 10h,x", "json": '{"d":"01/03/2026","t":"2026-03-01 10h","s":"x"}'}
    assert line == wanted[source]


@pytest.mark.parametrize(("source", "option", "value"), [("csv", "quoteAll", "true"), ("json", "ignoreNullFields", "false")])
def test_options_are_not_passed_over(spark: SparkSession, tmp_path: Path, source: str, option: str, value: str) -> None:
    with pytest.raises(AnalysisException, match=f"The option {option} of a {source} writer is not there"):
        spark.range(1).write.format(source).option(option, value).save(str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_tables_of_files_are_not_overwritten_by_themselves(spark: SparkSession, schema: str, tmp_path: Path) -> None:
    spark.sql(f"CREATE TABLE {schema}.files USING parquet AS SELECT id FROM range(3)")
    spark.sql(f"CREATE VIEW {schema}.some AS SELECT id FROM {schema}.files WHERE id > 0")
    told = r"UNSUPPORTED_OVERWRITE.TABLE.*The target table is .*files"
    with pytest.raises(AnalysisException, match=told):
        spark.sql(f"INSERT OVERWRITE {schema}.files SELECT * FROM {schema}.some")
    with pytest.raises(AnalysisException, match=told):
        spark.table(f"{schema}.files").write.insertInto(f"{schema}.files", overwrite=True)
    assert spark.table(f"{schema}.files").count() == 3
    spark.sql(f"INSERT OVERWRITE {schema}.files SELECT id FROM range(5)")
    assert spark.table(f"{schema}.files").count() == 5
    folder = str(tmp_path / "own")
    spark.range(3).write.parquet(folder)
    with pytest.raises(AnalysisException, match=r"UNSUPPORTED_OVERWRITE.PATH"):
        spark.sql(f"INSERT OVERWRITE DIRECTORY '{folder}' USING parquet SELECT * FROM parquet.`{folder}` WHERE id > 0")
    assert spark.read.parquet(folder).count() == 3
