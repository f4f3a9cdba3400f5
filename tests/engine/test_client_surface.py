"""What stock clients do beside queries: frames of pandas and Arrow, temporary views, spark.catalog."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, Observation, Row, SparkSession, functions
from pyspark.sql.types import LongType, StringType, StructType
from pyspark.storagelevel import StorageLevel

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


def test_dropping_a_view_that_is_not_there(spark: SparkSession) -> None:
    assert not spark.catalog.dropTempView("never_made")


def test_global_temporary_views(spark: SparkSession) -> None:
    spark.range(3).createOrReplaceGlobalTempView("everywhere")
    assert spark.table("global_temp.everywhere").count() == 3
    assert spark.catalog.dropGlobalTempView("everywhere")
    assert not spark.catalog.dropGlobalTempView("everywhere")


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


def test_namespace_of_a_table(spark: SparkSession, table: str) -> None:
    assert spark.catalog.getTable(table).namespace == [table.split(".")[1]]


def test_columns_of_a_table(spark: SparkSession, table: str) -> None:
    columns = spark.catalog.listColumns(table)
    assert [(column.name, column.dataType) for column in columns] == [("id", "bigint"), ("name", "string")]
    assert columns[0].description == "the key"
    spark.table(table).createOrReplaceTempView("passing")
    assert [(column.name, column.dataType) for column in spark.catalog.listColumns("passing")] == [
        ("id", "bigint"),
        ("name", "string"),
    ]


def test_functions(spark: SparkSession, schema: str) -> None:
    catalog = spark.catalog
    assert catalog.functionExists("abs")
    assert not catalog.functionExists("no_such_function")
    spark.sql(f"CREATE FUNCTION {schema}.twice(x INT) RETURNS INT COMMENT 'doubles' RETURN 2 * x")
    short = schema.split(".")[1]
    assert catalog.functionExists(f"{schema}.twice")
    assert not catalog.functionExists(f"{schema}.thrice")
    found = catalog.getFunction(f"{short}.twice")
    assert (found.name, found.catalog, found.namespace, found.description) == ("twice", "main", [short], "doubles")
    assert not found.isTemporary
    assert catalog.getFunction("abs").isTemporary
    with pytest.raises(AnalysisException, match="no_such_function"):
        catalog.getFunction("no_such_function")
    assert [one.name for one in catalog.listFunctions(schema, "tw*")] == ["twice"]
    assert [one.name for one in catalog.listFunctions(schema, "abs|twice")] == ["twice", "abs"]


def test_list_functions(spark: SparkSession) -> None:
    assert "abs" in [found.name for found in spark.catalog.listFunctions()]


def test_caching_tables(spark: SparkSession, table: str) -> None:
    catalog = spark.catalog
    assert not catalog.isCached(table)
    catalog.cacheTable(table)
    assert catalog.isCached(table)
    assert spark.table(table).count() == 2
    catalog.uncacheTable(table)
    assert not catalog.isCached(table)
    spark.sql(f"CACHE LAZY TABLE {table} OPTIONS ('storageLevel' 'DISK_ONLY')")
    spark.sql(f"CACHE TABLE kept AS SELECT * FROM {table} WHERE id = 1")
    assert [row.id for row in spark.table("kept").collect()] == [1]
    assert catalog.isCached(table)
    assert catalog.isCached("kept")
    spark.sql("UNCACHE TABLE kept")
    assert not catalog.isCached("kept")
    catalog.clearCache()
    assert not catalog.isCached(table)
    for attempt in (catalog.cacheTable, catalog.isCached, catalog.uncacheTable):
        with pytest.raises(AnalysisException, match="TABLE_OR_VIEW_NOT_FOUND"):
            attempt(f"{table}_missing")
    spark.sql(f"UNCACHE TABLE IF EXISTS {table}_missing")


def test_observations(spark: SparkSession, schema: str) -> None:
    table = f"{schema}.seen"
    spark.sql(f"CREATE TABLE {table} AS SELECT id, id % 3 AS g FROM range(10)")

    def observed(frame: DataFrame, act: Callable[[DataFrame], object]) -> dict[str, Any]:
        observation = Observation()
        metrics = (
            functions.count(functions.lit(1)).alias("rows"),
            functions.max("id").alias("most"),
            functions.sum(functions.expr("CAST(g AS DECIMAL(9, 2))")).alias("sum"),
            functions.sort_array(functions.collect_set("g")).alias("groups"),
            functions.max(functions.expr("named_struct('at', DATE'2024-01-31')")).alias("last"),
        )
        act(frame.observe(observation, *metrics))
        return observation.get

    whole = {"rows": 10, "most": 9, "sum": Decimal("9.00"), "groups": [0, 1, 2], "last": Row(at=dt.date(2024, 1, 31))}
    for act in (
        lambda frame: frame.collect(),
        lambda frame: frame.where("id > 7").groupBy("g").count().toPandas(),
        lambda frame: frame.alias("f").select("f.id", frame.g).toArrow(),
        lambda frame: frame.write.saveAsTable(f"{table}2"),
        lambda frame: frame.writeTo(f"{table}2").append(),
    ):
        assert observed(spark.table(table), act) == whole
    none = observed(spark.table(table).where("id < 0"), lambda frame: frame.count())
    assert none == {"rows": 0, "most": None, "sum": None, "groups": [], "last": None}
    assert spark.table(f"{table}2").count() == 20
    # Two of them, the outer one of rows that the inner one has seen before.
    inner, outer = Observation("inner"), Observation("outer")
    both = (
        spark.table(table)
        .observe(inner, functions.count("id").alias("n"))
        .where("id < 4")
        .observe(outer, functions.count("id").alias("n"))
    )
    assert both.columns == ["id", "g"]
    assert (both.count(), inner.get, outer.get) == (4, {"n": 10}, {"n": 4})
    spark.sql(f"CREATE FUNCTION {schema}.few(id BIGINT) RETURNS BOOLEAN RETURN id < 3")
    spark.sql(f"ALTER TABLE {table} SET ROW FILTER {schema}.few ON (id)")
    assert observed(spark.table(table), lambda frame: frame.collect())["rows"] == 3
    with pytest.raises(AnalysisException, match="UNRESOLVED_COLUMN"):
        observed(spark.range(3), lambda frame: frame.collect())
    for metric in (functions.col("id"), functions.col("id") + functions.max("id")):
        with pytest.raises(AnalysisException, match=r"INVALID_OBSERVED_METRICS.*wrong is no aggregate"):
            spark.range(3).observe(Observation("wrong"), metric).collect()
    plain = Observation("plain")
    assert (spark.range(3).observe(plain, functions.lit("x").alias("c")).count(), plain.get) == (3, {"c": "x"})


def test_caching_frames(spark: SparkSession, table: str) -> None:
    frame = spark.table(table)
    assert frame.storageLevel == StorageLevel.NONE
    assert frame.cache().count() == 2
    assert frame.storageLevel == spark.table(table).storageLevel == StorageLevel.MEMORY_AND_DISK_DESER
    assert frame.persist(StorageLevel.DISK_ONLY).storageLevel == StorageLevel.DISK_ONLY
    assert not frame.unpersist().is_cached
    frame.cache()
    spark.sql("CLEAR CACHE")
    assert not frame.is_cached


def test_what_a_frame_is(spark: SparkSession, table: str, location: Callable[[str], str]) -> None:
    frame = spark.table(table)
    assert not frame.isStreaming
    same = spark.table(table).filter(functions.col("id") == 1)
    assert frame.filter(frame.id == 1).sameSemantics(frame.filter(frame.id == 1))
    assert same.sameSemantics(spark.table(table).filter(functions.col("id") == 1))
    assert not same.sameSemantics(spark.table(table).filter(functions.col("id") == 2))
    assert same.semanticHash() == spark.table(table).filter(functions.col("id") == 1).semanticHash()
    files = sorted(DeltaTable(location(table)).file_uris())
    assert [one.removeprefix("file://") for one in frame.inputFiles()] == files
    assert [one.removeprefix("file://") for one in spark.read.format("delta").load(location(table)).inputFiles()] == files
    assert spark.range(3).inputFiles() == []
    assert frame.checkpoint().count() == frame.localCheckpoint().count() == 2


def test_refreshing(spark: SparkSession, table: str) -> None:
    spark.catalog.refreshTable(table)
    spark.catalog.refreshByPath("/tmp/x")
    spark.sql(f"REFRESH TABLE {table}")
    with pytest.raises(AnalysisException, match="TABLE_OR_VIEW_NOT_FOUND"):
        spark.catalog.refreshTable(f"{table}_missing")


def test_create_table_of_the_catalog(spark: SparkSession, schema: str) -> None:
    columns = StructType().add("id", LongType(), nullable=False).add("s", StringType(), metadata={"comment": "text"})
    spark.catalog.createTable(f"{schema}.made", source="delta", schema=columns, description="new")
    assert spark.catalog.getTable(f"{schema}.made").description == "new"
    found = spark.catalog.listColumns(f"{schema}.made")
    assert [(one.name, one.dataType, one.nullable, one.description) for one in found] == [
        ("id", "bigint", False, None),
        ("s", "string", True, "text"),
    ]
    with pytest.raises(AnalysisException, match="already exists"):
        spark.catalog.createTable(f"{schema}.made", schema=columns)
    spark.catalog.createTable(f"{schema}.other")
    assert spark.catalog.listColumns(f"{schema}.other") == []


def test_changes_of_the_catalog(spark: SparkSession, schema: str, table: str) -> None:
    catalog = spark.catalog
    catalog.createDatabase(f"{schema}_new", properties={"a": "b"})
    catalog.createDatabase(f"{schema}_new", ifNotExists=True)
    assert "(('a', 'b'),)" in [row[1] for row in spark.sql(f"DESCRIBE SCHEMA EXTENDED {schema}_new").collect()]
    with pytest.raises(AnalysisException, match="already exists"):
        catalog.createDatabase(f"{schema}_new")
    spark.range(1).write.saveAsTable(f"{schema}_new.t")
    with pytest.raises(AnalysisException, match="SCHEMA_NOT_EMPTY"):
        catalog.dropDatabase(f"{schema}_new")
    catalog.dropDatabase(f"{schema}_new", cascade=True)
    catalog.dropDatabase(f"{schema}_new", ifExists=True)

    spark.sql(f"CREATE VIEW {schema}.w AS SELECT * FROM {table}")
    assert [(one.name, one.tableType) for one in catalog.listViews(schema)] == [("w", "VIEW")]
    catalog.dropView(f"{schema}.w")
    catalog.dropView(f"{schema}.w", ifExists=True)
    assert catalog.listViews(schema, "w*") == []

    catalog.analyzeTable(table)
    catalog.truncateTable(table)
    assert spark.table(table).count() == 0
    assert catalog.getTableProperties(table)["delta.minWriterVersion"] == "2"
    assert catalog.getCreateTableString(table).startswith("CREATE TABLE `main`.")
    with pytest.raises(AnalysisException, match="nothing to recover"):
        catalog.recoverPartitions(table)
    spark.sql(f"CREATE TABLE {schema}.p PARTITIONED BY (x, y) AS SELECT 1 AS a, 2 AS x, 'b' AS y")
    assert [one.partition for one in catalog.listPartitions(f"{schema}.p")] == ["x=2/y=b"]
    catalog.dropTable(f"{schema}.p")
    catalog.dropTable(f"{schema}.p", ifExists=True)
    assert not catalog.tableExists(f"{schema}.p")


def test_a_catalog_made_a_moment_ago(spark: SparkSession, schema: str) -> None:
    name = schema.split(".")[1]
    spark.sql(f"CREATE CATALOG {name} COMMENT 'new'")
    try:
        spark.catalog.setCurrentCatalog(name)
        assert (spark.catalog.currentCatalog(), spark.catalog.currentDatabase()) == (name, "default")
        spark.sql("CREATE TABLE t AS SELECT 1 AS a")
        spark.sql("INSERT INTO t VALUES (2)")
        assert sorted(row.a for row in spark.table("t").collect()) == [1, 2]
        assert spark.sql("SELECT current_catalog(), current_schema()").first() == (name, "default")
        assert [one.description for one in spark.catalog.listCatalogs(name)] == ["new"]
        with pytest.raises(AnalysisException, match="not_there"):
            spark.catalog.setCurrentDatabase("not_there")
        with pytest.raises(AnalysisException, match="not_there"):
            spark.catalog.setCurrentCatalog("not_there")
    finally:
        spark.sql("USE main.default")
    with pytest.raises(AnalysisException):
        spark.sql(f"DROP CATALOG {name}")
    spark.sql(f"DROP CATALOG {name} CASCADE")
    assert not spark.catalog.databaseExists(f"{name}.default")


def test_samples_by_strata(spark: SparkSession) -> None:
    rows = spark.range(1000)
    odd = functions.col("id") % 2
    drawn = rows.sampleBy(odd, {0: 0.1, 1: 1.0}, seed=3)
    assert drawn.columns == ["id"]
    kept = [row.id for row in drawn.collect()]
    assert sum(one % 2 for one in kept) == 500
    assert 0 < sum(one % 2 == 0 for one in kept) < 250
    assert kept == [row.id for row in rows.sampleBy(odd, {0: 0.1, 1: 1.0}, seed=3).collect()]
    assert {row.id % 3 for row in drawn.sampleBy(functions.col("id") % 3, {2: 1.0}).collect()} == {2}


def test_statistics_of_frames(spark: SparkSession, schema: str) -> None:
    rows = [(1.0, "x", True), (2.0, "y", False), (2.0, None, True), (None, "z", True), (float("nan"), "x", True)]
    spark.createDataFrame(rows, "a DOUBLE, b STRING, t BOOLEAN").write.saveAsTable(f"{schema}.facts")
    frame = spark.table(f"{schema}.facts")
    assert frame.approxQuantile("a", [0.0, 0.5, 1.0], 0.0) == [1.0, 2.0, 2.0]
    assert frame.where("a > 100 AND NOT isnan(a)").approxQuantile(["a"], [0.5], 0.1) == [[]]
    with pytest.raises(AnalysisException, match="nix"):
        frame.approxQuantile("nix", [0.5], 0.0)
    found = frame.freqItems(["b", "t"], support=0.3)
    assert found.columns == ["b_freqItems", "t_freqItems"]
    assert [tuple(row) for row in found.collect()] == [(["x"], [True])]
    table = frame.crosstab("b", "t").toPandas().set_index("b_t").to_dict("index")
    assert table["x"] == {"false": 0, "true": 2}
    assert table["null"] == {"false": 0, "true": 1}
    assert [row.summary for row in frame.describe().collect()] == ["count", "mean", "stddev", "min", "max"]
    assert [tuple(row) for row in frame.where("a = 2").select("a").summary("max", "count").collect()] == [
        ("max", "2.0"),
        ("count", "2"),
    ]


def test_what_is_new_each_time(spark: SparkSession) -> None:
    assert len({row[0] for row in spark.range(5).select(functions.uuid()).collect()}) == 5
    shuffled = functions.shuffle(functions.array(functions.lit(1), functions.lit(2)))
    assert sorted(spark.range(1).select(shuffled.alias("a")).collect()[0].a) == [1, 2]


def test_replacing_nan(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(1, 2.5, "x"), (2, float("nan"), "y")], "a INT, v DOUBLE, b STRING")
    assert [tuple(row) for row in frame.replace(float("nan"), None).collect()] == [(1, 2.5, "x"), (2, None, "y")]
    assert [tuple(row) for row in frame.replace({float("nan"): 0.0, 1.0: 9.0}).collect()] == [(9, 2.5, "x"), (2, 0.0, "y")]
    assert frame.replace(float("nan"), 0.0, subset=["a"]).where("isnan(v)").count() == 1


def test_grouping_sets_of_frames(spark: SparkSession) -> None:
    frame = spark.createDataFrame([("x", 1, 2), ("y", 1, 3)], "a STRING, b INT, v INT")
    found = frame.groupingSets([["a"], [], ["a", "b"]], "a", "b").agg(functions.sum("v").alias("s"))
    assert found.columns == ["a", "b", "s"]
    wanted = {("x", None, 2), ("y", None, 3), (None, None, 5), ("x", 1, 2), ("y", 1, 3)}
    assert {tuple(row) for row in found.collect()} == wanted


@pytest.mark.filterwarnings("ignore")
def test_the_api_of_pandas(spark: SparkSession, schema: str) -> None:
    there = pd.DataFrame({"a": [1, 2, 2, 5], "b": ["x", "y", "x", "z"], "v": [1.5, None, 3.0, 4.0]})
    here = spark.createDataFrame(there).pandas_api()
    assert here.head(1).to_dict("records")[0] == there.to_dict("records")[0]
    for name in ("mean", "std", "var", "skew", "kurt", "sum"):
        assert getattr(here.a, name)() == pytest.approx(getattr(there.a, name)()), name
        assert getattr(here.v, name)() == pytest.approx(getattr(there.v, name)(), nan_ok=True), name
    assert here[["a", "v"]].cov().to_pandas().to_numpy() == pytest.approx(there[["a", "v"]].cov().to_numpy())
    assert here.groupby("b").a.std(ddof=0).sort_index().to_dict() == there.groupby("b").a.std(ddof=0).to_dict()
    assert here.a.shift(1).fillna(0).to_list() == there.a.shift(1).fillna(0).to_list()
    assert here.iloc[2].to_dict() == there.iloc[2].to_dict()
    here.to_table(f"{schema}.kept")
    assert spark.table(f"{schema}.kept").pandas_api().shape == (4, 3)
