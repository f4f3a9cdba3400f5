"""What stock clients do beside queries: frames of pandas and Arrow, temporary views, spark.catalog."""

import datetime as dt
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

_DAY = dt.date(2024, 1, 2)
_MOMENT = dt.datetime(2024, 1, 2, 3, 4, 5)


@pytest.fixture
def table(spark: SparkSession, schema: str) -> str:
    spark.sql(f"CREATE TABLE {schema}.t (id BIGINT COMMENT 'the key', name STRING) USING DELTA COMMENT 'a table'")
    spark.sql(f"INSERT INTO {schema}.t VALUES (1, 'a'), (2, 'b')")
    return f"{schema}.t"


def test_pandas_there_and_back(spark: SparkSession) -> None:
    frame = pd.DataFrame({"i": [1, 2], "s": ["a", None], "f": [0.5, 1.5], "t": pd.to_datetime(["2024-01-02", "2024-01-03"])})
    back = spark.createDataFrame(frame).toPandas()
    pd.testing.assert_frame_equal(back, frame, check_dtype=False)
    assert list(spark.createDataFrame(frame[["i", "s"]], "a int, b string").toPandas().columns) == ["a", "b"]
    empty = spark.createDataFrame(frame.head(0), "i bigint, s string, f double, t timestamp").toPandas()
    assert (len(empty), list(empty.columns)) == (0, ["i", "s", "f", "t"])


def test_arrow_there_and_back(spark: SparkSession) -> None:
    table = pa.table(
        {
            "i": pa.array([1, None], pa.int64()),
            "l": pa.array([[1, 2], None], pa.list_(pa.int32())),
            "m": pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int64())),
            "r": pa.array([{"x": 1, "y": "z"}, None], pa.struct([("x", pa.int32()), ("y", pa.string())])),
            "d": pa.array([Decimal("1.50"), None], pa.decimal128(10, 2)),
            "day": pa.array([_DAY, None], pa.date32()),
            "b": pa.array([b"\x00", None], pa.binary()),
        }
    )
    back = spark.createDataFrame(table).toArrow()
    assert back.column_names == table.column_names
    assert back.to_pylist() == table.to_pylist()
    assert spark.range(3).toArrow().to_pydict() == {"id": [0, 1, 2]}


def test_rows_there_and_back(spark: SparkSession) -> None:
    rows = [(1, "a", _DAY, _MOMENT, Decimal("1.5"), [1], {"k": 2}), (2, None, None, None, None, None, None)]
    schema = "i int, s string, d date, t timestamp, n decimal(10, 1), l array<int>, m map<string, int>"
    assert [tuple(row) for row in spark.createDataFrame(rows, schema).collect()] == rows
    assert spark.createDataFrame([{"a": 1, "b": "x"}]).collect()[0].asDict() == {"a": 1, "b": "x"}


def test_a_large_frame(spark: SparkSession) -> None:
    frame = pd.DataFrame({"i": range(300_000), "s": ["some text"] * 300_000})
    assert spark.createDataFrame(frame).agg({"i": "sum"}).collect()[0][0] == sum(range(300_000))


def test_temporary_views(spark: SparkSession) -> None:
    spark.range(3).createOrReplaceTempView("passing")
    assert spark.table("passing").count() == 3
    with pytest.raises(AnalysisException):
        spark.range(3).createTempView("passing")
    spark.range(4).createOrReplaceTempView("passing")
    assert spark.sql("SELECT count(*) FROM passing").collect()[0][0] == 4
    assert spark.catalog.dropTempView("passing")
    with pytest.raises(AnalysisException):
        spark.table("passing").collect()


@pytest.mark.xfail(reason="the engine raises where Spark answers False")
def test_dropping_a_view_that_is_not_there(spark: SparkSession) -> None:
    assert not spark.catalog.dropTempView("never_made")


def test_global_temporary_views(spark: SparkSession) -> None:
    spark.range(3).createOrReplaceGlobalTempView("everywhere")
    assert spark.table("global_temp.everywhere").count() == 3
    assert spark.catalog.dropGlobalTempView("everywhere")


def test_views_are_of_their_session(spark: SparkSession, user: tuple[str, SparkSession]) -> None:
    spark.range(3).createOrReplaceTempView("mine_alone")
    with pytest.raises(AnalysisException):
        user[1].table("mine_alone").collect()
    spark.catalog.dropTempView("mine_alone")


def test_catalogs_and_databases(spark: SparkSession, schema: str) -> None:
    catalog, name = schema.split(".")
    assert catalog in [found.name for found in spark.catalog.listCatalogs()]
    assert spark.catalog.currentCatalog() == catalog
    spark.catalog.setCurrentCatalog(catalog)
    before = spark.catalog.currentDatabase()
    try:
        spark.catalog.setCurrentDatabase(name)
        assert spark.catalog.currentDatabase() == name
    finally:
        spark.catalog.setCurrentDatabase(before)


@pytest.mark.xfail(reason="the engine names databases with their catalog: main.default")
def test_names_of_databases(spark: SparkSession, schema: str) -> None:
    name = schema.split(".")[1]
    assert name in [found.name for found in spark.catalog.listDatabases()]
    assert name in [found.name for found in spark.catalog.listDatabases(f"{name[:4]}*")]
    assert spark.catalog.getDatabase(schema).name == name


def test_databases_by_name(spark: SparkSession, schema: str) -> None:
    assert spark.catalog.databaseExists(schema)
    assert not spark.catalog.databaseExists("main.missing")


def test_tables_of_the_catalog(spark: SparkSession, table: str) -> None:
    schema, short = table.rsplit(".", 1)
    assert [found.name for found in spark.catalog.listTables(schema)] == [short]
    assert spark.catalog.tableExists(table)
    assert not spark.catalog.tableExists(f"{schema}.missing")
    found = spark.catalog.getTable(table)
    assert (found.name, found.catalog, found.isTemporary) == (short, "main", False)
    assert found.description == "a table"


@pytest.mark.xfail(reason="the engine puts the catalog into the namespace: ['main', 'default']")
def test_namespace_of_a_table(spark: SparkSession, table: str) -> None:
    assert spark.catalog.getTable(table).namespace == [table.split(".")[1]]


def test_columns_of_a_table(spark: SparkSession, table: str) -> None:
    columns = spark.catalog.listColumns(table)
    assert [(column.name, column.dataType) for column in columns] == [("id", "bigint"), ("name", "string")]
    assert columns[0].description == "the key"


@pytest.mark.xfail(reason="the engine has no functionExists")
def test_functions(spark: SparkSession) -> None:
    assert spark.catalog.functionExists("abs")
    assert not spark.catalog.functionExists("no_such_function")


def test_list_functions(spark: SparkSession) -> None:
    assert "abs" in [found.name for found in spark.catalog.listFunctions()]


@pytest.mark.xfail(reason="the engine has no cacheTable")
def test_caching_tables(spark: SparkSession, table: str) -> None:
    spark.catalog.cacheTable(table)
    spark.catalog.uncacheTable(table)


def test_caching_frames(spark: SparkSession, table: str) -> None:
    assert spark.table(table).cache().count() == 2


@pytest.mark.xfail(reason="the engine has no refreshTable")
def test_refreshing(spark: SparkSession, table: str) -> None:
    spark.catalog.refreshTable(table)


def test_create_table_of_the_catalog(spark: SparkSession, schema: str) -> None:
    from pyspark.sql.types import LongType, StructType

    spark.catalog.createTable(f"{schema}.made", source="delta", schema=StructType().add("id", LongType()))
    assert spark.catalog.tableExists(f"{schema}.made")
