"""Tables made, replaced and changed through the gateway: what the Delta log then holds, and what others can read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import DataFrame, SparkSession

from tests.conftest import Server

Location = Callable[[str], str]


def rows(frame: DataFrame) -> list[tuple[Any, ...]]:
    return sorted(tuple(row) for row in frame.collect())


def assert_plain(folder: str) -> DeltaTable:
    """Any reader of Delta can read it: no catalog has to be asked for its commits."""
    table = DeltaTable(folder)
    protocol = table.protocol()
    assert protocol.min_reader_version == 1
    assert not protocol.writer_features or "catalogManaged" not in protocol.writer_features
    return table


class TestSql:
    def test_create_insert_change(self, spark: SparkSession, schema: str, location: Location) -> None:
        spark.sql(
            f"CREATE TABLE {schema}.t (id INT NOT NULL, s STRING COMMENT 'text') COMMENT 'c' TBLPROPERTIES ('quality'='silver')"
        )
        spark.sql(f"INSERT INTO {schema}.t VALUES (1, 'a'), (2, 'b'), (3, NULL)")
        spark.sql(f"UPDATE {schema}.t SET s = 'z' WHERE id = 1")
        spark.sql(f"DELETE FROM {schema}.t WHERE id = 2")
        merge = "USING (SELECT 3 AS id, 'm' AS s UNION ALL SELECT 4, 'n') s ON t.id = s.id"
        spark.sql(f"MERGE INTO {schema}.t t {merge} WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *")
        assert rows(spark.table(f"{schema}.t")) == [(1, "z"), (3, "m"), (4, "n")]
        assert rows(spark.sql(f"SELECT * FROM {schema}.t VERSION AS OF 1 WHERE s IS NOT NULL")) == [(1, "a"), (2, "b")]
        table = assert_plain(location(f"{schema}.t"))
        assert [(field.name, field.nullable) for field in table.schema().fields] == [("id", False), ("s", True)]
        assert table.metadata().configuration["quality"] == "silver"
        assert table.metadata().description == "c"
        assert table.schema().fields[1].metadata["comment"] == "text"

    def test_create_as_select_is_one_commit_with_nullable_columns(
        self, spark: SparkSession, schema: str, location: Location
    ) -> None:
        spark.sql(
            f"CREATE TABLE {schema}.t AS SELECT 1 AS i, 'k' AS s, timestamp'2024-01-02 03:04:05' AS ts, date'2024-01-02' AS d,"
            " array(1, 2) AS a, named_struct('x', 1) AS st, map('k', 1) AS m, cast(1.5 AS decimal(10, 2)) AS c"
        )
        table = assert_plain(location(f"{schema}.t"))
        assert table.version() == 0
        assert all(field.nullable for field in table.schema().fields)
        spark.sql(
            f"CREATE TABLE {schema}.more CLUSTER BY (i) COMMENT 'all' TBLPROPERTIES ('delta.appendOnly' = 'true', 'team' = 'blue',"
            f" 'delta.enableChangeDataFeed' = 'true') AS SELECT * FROM {schema}.t"
        )
        more = assert_plain(location(f"{schema}.more"))
        assert (more.version(), more.metadata().description, more.metadata().configuration["team"]) == (0, "all", "blue")
        assert [entry.name for entry in Path(location(f"{schema}.more")).glob("_boat*")] == []
        assert spark.sql(f"DESCRIBE DETAIL {schema}.more").collect()[0].clusteringColumns == ["i"]
        assert spark.sql(f"SELECT _change_type, i FROM table_changes('{schema}.more', 0)").collect() == [("insert", 1)]
        assert spark.sql(f"DESCRIBE HISTORY {schema}.more").collect()[0].userName is not None
        with pytest.raises(PySparkException, match="append"):
            spark.sql(f"DELETE FROM {schema}.more")
        spark.table(f"{schema}.t").writeTo(f"{schema}.made").tableProperty("team", "red").partitionedBy("s").create()
        assert assert_plain(location(f"{schema}.made")).version() == 0
        assert spark.table(f"{schema}.made").where("s = 'k'").count() == 1
        spark.sql(f"INSERT INTO {schema}.t SELECT {', '.join(f'NULL AS c{n}' for n in range(8))}")
        assert spark.table(f"{schema}.t").where("i IS NULL").count() == 1

    def test_a_new_table_is_one_commit_however_it_is_made(
        self, spark: SparkSession, schema: str, location: Location, tmp_path: Path
    ) -> None:
        said = "CLUSTER BY (k) COMMENT 'all' TBLPROPERTIES ('team' = 'blue', 'delta.appendOnly' = 'true')"
        frame = spark.sql("SELECT 1 AS k, 'a' AS s")
        writer = frame.write.format("delta").option("delta.appendOnly", "true").clusterBy("k")
        spark.sql(f"CREATE TABLE {schema}.columns (k INT NOT NULL COMMENT 'key', s STRING) {said}")
        spark.sql(f"CREATE TABLE delta.`{tmp_path}/columns` (k INT, s STRING) USING delta {said}")
        spark.sql(f"CREATE TABLE delta.`{tmp_path}/query` {said} AS SELECT 1 AS k, 'a' AS s")
        writer.save(f"{tmp_path}/frame")
        writer.option("path", f"{tmp_path}/option").save()
        frame.write.format("delta").option("delta.appendOnly", "true").partitionBy("k").save(f"{tmp_path}/parts")
        places = [
            location(f"{schema}.columns"),
            *(f"{tmp_path}/{name}" for name in ("columns", "query", "frame", "option", "parts")),
        ]
        for place in places:
            detail = spark.sql(f"DESCRIBE DETAIL delta.`{place}`").collect()[0]
            assert assert_plain(place).version() == 0, place
            assert detail.properties["delta.appendOnly"] == "true"
            assert detail.partitionColumns + detail.clusteringColumns == ["k"]
            assert [entry.name for entry in Path(place).glob("_boat*")] == []
            assert spark.read.format("delta").load(place).count() == (
                0 if place.endswith("columns") or place == places[0] else 1
            )
        spark.sql(f"INSERT INTO {schema}.columns VALUES (1, 'a')")
        assert spark.table(f"{schema}.columns").collect() == [(1, "a")]
        with pytest.raises(PySparkException, match="nope"):
            spark.sql(f"CREATE TABLE delta.`{tmp_path}/wrong` (k INT) USING delta CLUSTER BY (nope)")
        assert not (tmp_path / "wrong" / "_delta_log").exists()

    def test_replace_changes_schema_and_partitions_and_keeps_history(
        self, spark: SparkSession, schema: str, location: Location
    ) -> None:
        spark.sql(f"CREATE TABLE {schema}.t AS SELECT 1 AS a")
        before = location(f"{schema}.t")
        spark.sql(
            f"CREATE OR REPLACE TABLE {schema}.t PARTITIONED BY (p) TBLPROPERTIES ('quality'='gold') AS SELECT 'x' AS b, 2 AS p"
        )
        assert rows(spark.table(f"{schema}.t")) == [("x", 2)]
        assert location(f"{schema}.t") == before
        assert assert_plain(before).metadata().partition_columns == ["p"]
        assert rows(spark.sql(f"SELECT * FROM {schema}.t VERSION AS OF 0")) == [(1,)]
        spark.sql(f"CREATE OR REPLACE TABLE {schema}.t (z DOUBLE)")
        assert spark.table(f"{schema}.t").columns == ["z"]
        spark.sql(f"CREATE OR REPLACE TABLE {schema}.fresh (z DOUBLE)")
        assert spark.table(f"{schema}.fresh").count() == 0

    def test_if_not_exists_and_already_exists(self, spark: SparkSession, schema: str) -> None:
        spark.sql(f"CREATE TABLE IF NOT EXISTS {schema}.t AS SELECT 1 AS a")
        assert spark.sql(f"CREATE TABLE IF NOT EXISTS {schema}.t AS SELECT 2 AS a").collect() == []
        assert rows(spark.table(f"{schema}.t")) == [(1,)]
        with pytest.raises(AnalysisException, match="TABLE_OR_VIEW_ALREADY_EXISTS"):
            spark.sql(f"CREATE TABLE {schema}.t (a INT)")
        with pytest.raises(AnalysisException, match="SCHEMA_NOT_FOUND"):
            spark.sql("CREATE TABLE main.nowhere.t (a INT)")

    def test_a_failed_create_leaves_nothing(self, spark: SparkSession, server: Server, schema: str) -> None:
        with pytest.raises(Exception, match="boom"):
            spark.sql(f"CREATE TABLE {schema}.t AS SELECT CAST(raise_error('boom') AS INT) AS a FROM range(10)")
        assert spark.sql(f"SHOW TABLES IN {schema}").collect() == []
        folder = server.root / "tables" / schema.replace(".", "/")
        assert not folder.exists() or not list(folder.iterdir())

    def test_names_are_resolved_in_the_current_schema(self, spark: SparkSession, schema: str) -> None:
        catalog, short = schema.split(".")
        spark.sql(f"USE {schema}")
        try:
            spark.sql("CREATE TABLE here AS SELECT 1 AS a")
            spark.sql(f"INSERT INTO {short}.here VALUES (2)")
            assert rows(spark.sql("SELECT * FROM here")) == [(1,), (2,)]
            assert rows(spark.table(f"{catalog}.{short}.here")) == [(1,), (2,)]
            assert [row.tableName for row in spark.sql("SHOW TABLES").collect()] == ["here"]
            spark.sql("TRUNCATE TABLE here")
            assert spark.table("here").count() == 0
            spark.sql("DROP TABLE here")
            assert not spark.catalog.tableExists(f"{schema}.here")
        finally:
            spark.sql("USE main.default")

    def test_parameters_and_frames_in_create_as_select(self, spark: SparkSession, schema: str) -> None:
        spark.sql(f"CREATE TABLE {schema}.t AS SELECT id FROM range(10) WHERE id >= :low", args={"low": 7})
        assert spark.table(f"{schema}.t").count() == 3
        spark.sql(f"CREATE TABLE {schema}.u AS SELECT * FROM {{frame}}", frame=spark.range(4))
        assert spark.table(f"{schema}.u").count() == 4

    def test_describe(self, spark: SparkSession, schema: str) -> None:
        spark.sql(f"CREATE TABLE {schema}.t AS SELECT 1 AS a")
        spark.sql(f"INSERT INTO {schema}.t VALUES (2)")
        history = spark.sql(f"DESCRIBE HISTORY {schema}.t")
        assert [row.version for row in history.collect()] == [1, 0]
        assert history.where("version = 0").selectExpr("operationMetrics['numOutputRows']").collect()[0][0] == "1"
        assert spark.sql(f"DESCRIBE HISTORY {schema}.t LIMIT 1").count() == 1
        detail = spark.sql(f"DESCRIBE DETAIL {schema}.t").collect()[0]
        assert (detail.format, detail.numFiles, detail.name) == ("delta", 2, f"{schema}.t")
        assert [tuple(row)[:2] for row in spark.sql(f"DESCRIBE {schema}.t").collect()] == [("a", "int")]
        spark.sql(f"ALTER TABLE {schema}.t SET TBLPROPERTIES ('quality' = 'gold')")
        assert ("quality", "gold") in rows(spark.sql(f"SHOW TBLPROPERTIES {schema}.t"))
        with pytest.raises(AnalysisException, match="does not exist"):
            spark.sql(f"DESCRIBE HISTORY {schema}.nothing")

    def test_show(self, spark: SparkSession, schema: str) -> None:
        assert "main" in [row[0] for row in spark.sql("SHOW CATALOGS").collect()]
        assert schema.split(".")[1] in [row[0] for row in spark.sql("SHOW SCHEMAS IN main").collect()]
        spark.sql(f"CREATE TABLE {schema}.t (a INT)")
        with pytest.raises(AnalysisException, match="SCHEMA_NOT_EMPTY"):
            spark.sql(f"DROP SCHEMA {schema}")
        spark.sql(f"DROP SCHEMA {schema} CASCADE")


class TestFrames:
    def test_save_as_table(self, spark: SparkSession, schema: str, location: Location) -> None:
        frame = spark.range(3).selectExpr("id", "id * 2 AS y")
        frame.write.saveAsTable(f"{schema}.t")
        table = assert_plain(location(f"{schema}.t"))
        assert table.version() == 0
        assert all(field.nullable for field in table.schema().fields)
        with pytest.raises(AnalysisException, match="ALREADY_EXISTS"):
            frame.write.saveAsTable(f"{schema}.t")
        frame.write.mode("ignore").saveAsTable(f"{schema}.t")
        frame.write.mode("append").saveAsTable(f"{schema}.t")
        assert spark.table(f"{schema}.t").count() == 6
        frame.write.insertInto(f"{schema}.t")
        assert spark.table(f"{schema}.t").count() == 9
        frame.write.mode("append").saveAsTable(f"{schema}.appended")
        assert spark.table(f"{schema}.appended").count() == 3

    def test_overwrite_with_another_schema(self, spark: SparkSession, schema: str, location: Location) -> None:
        spark.range(3).write.saveAsTable(f"{schema}.t")
        other = spark.range(2).selectExpr("'a' AS z", "id AS p").write.mode("overwrite").partitionBy("p")
        other.option("overwriteSchema", "true").saveAsTable(f"{schema}.t")
        assert rows(spark.table(f"{schema}.t")) == [("a", 0), ("a", 1)]
        assert rows(spark.read.option("versionAsOf", 0).table(f"{schema}.t")) == [(0,), (1,), (2,)]
        assert assert_plain(location(f"{schema}.t")).metadata().partition_columns == ["p"]

    def test_overwriting_what_is_read(self, spark: SparkSession, schema: str) -> None:
        spark.range(3).write.saveAsTable(f"{schema}.t")
        spark.table(f"{schema}.t").where("id > 0").write.mode("overwrite").saveAsTable(f"{schema}.t")
        assert rows(spark.table(f"{schema}.t")) == [(1,), (2,)]

    def test_replace_where(self, spark: SparkSession, schema: str) -> None:
        spark.range(4).write.saveAsTable(f"{schema}.t")
        spark.range(2).write.mode("overwrite").option("replaceWhere", "id < 2").saveAsTable(f"{schema}.t")
        assert rows(spark.table(f"{schema}.t")) == [(0,), (1,), (2,), (3,)]

    def test_write_to(self, spark: SparkSession, schema: str, location: Location) -> None:
        frame = spark.range(3)
        frame.writeTo(f"{schema}.t").tableProperty("quality", "bronze").create()
        assert assert_plain(location(f"{schema}.t")).metadata().configuration["quality"] == "bronze"
        with pytest.raises(AnalysisException, match="ALREADY_EXISTS"):
            frame.writeTo(f"{schema}.t").create()
        frame.writeTo(f"{schema}.t").append()
        assert spark.table(f"{schema}.t").count() == 6
        spark.range(1).selectExpr("'x' AS s").writeTo(f"{schema}.t").createOrReplace()
        assert rows(spark.table(f"{schema}.t")) == [("x",)]
        with pytest.raises(AnalysisException, match="NOT_FOUND"):
            frame.writeTo(f"{schema}.nothing").replace()

    def test_nulls_fit_into_what_was_saved_without(self, spark: SparkSession, schema: str) -> None:
        spark.createDataFrame([(1, "a")], "id INT, s STRING").write.saveAsTable(f"{schema}.t")
        spark.createDataFrame([(None, None)], "id INT, s STRING").write.mode("append").saveAsTable(f"{schema}.t")
        assert spark.table(f"{schema}.t").where("s IS NULL").count() == 1

    def test_the_catalog_of_a_session(self, spark: SparkSession, schema: str) -> None:
        spark.range(1).write.saveAsTable(f"{schema}.t")
        assert spark.catalog.tableExists(f"{schema}.t")
        assert spark.catalog.databaseExists(schema)
        assert [table.name for table in spark.catalog.listTables(schema)] == ["t"]
        assert [column.name for column in spark.catalog.listColumns(f"{schema}.t")] == ["id"]

    def test_another_format(self, spark: SparkSession, schema: str) -> None:
        spark.range(2).write.format("parquet").saveAsTable(f"{schema}.p")
        assert spark.table(f"{schema}.p").count() == 2
        assert spark.sql(f"CREATE TABLE {schema}.q USING parquet AS SELECT 1 AS a").collect() == []
        assert rows(spark.table(f"{schema}.q")) == [(1,)]


def test_every_version_of_a_long_log_can_be_read(spark: SparkSession, schema: str) -> None:
    """The engine makes a checkpoint every ten commits and does not find older versions by itself."""
    spark.sql(f"CREATE TABLE {schema}.long (id BIGINT)")
    for _ in range(22):
        spark.range(1).write.insertInto(f"{schema}.long")
    for version in (0, 1, 3, 9, 10, 15, 19, 20, 22):
        assert spark.read.option("versionAsOf", version).table(f"{schema}.long").count() == version
        assert spark.sql(f"SELECT * FROM {schema}.long VERSION AS OF {version}").count() == version


def test_versions_behind_names_and_paths(
    spark: SparkSession,
    schema: str,
    location: Location,
    tmp_path: Path,
    user: tuple[str, SparkSession],
    grant: Callable[..., None],
) -> None:
    name = f"{schema}.t"
    spark.sql(f"CREATE TABLE {name} (id BIGINT)")
    spark.range(3).write.insertInto(name)
    spark.sql(f"DELETE FROM {name}")
    place = location(name)
    moment = spark.sql(f"DESCRIBE HISTORY {name}").where("version = 1").collect()[0].timestamp
    at = f"{moment:%Y%m%d%H%M%S}{moment.microsecond // 1000:03}"

    def counts(session: SparkSession, version: str) -> list[int]:
        frames = [
            session.sql(f"SELECT x.id FROM {name}@{version} AS x WHERE x.id >= 0"),
            session.sql(f"SELECT x.id FROM delta.`{place}@{version}` x JOIN {name}@v1 y ON x.id = y.id"),
            session.table(f"{name}@{version}"),
            session.read.table(f"{name}@{version}"),
            session.read.format("delta").load(f"{place}@{version}"),
            session.table(f"delta.`{place}@{version}`"),
        ]
        return [frame.count() for frame in frames]

    assert counts(spark, "v0") == [0] * 6
    assert counts(spark, "v1") == counts(spark, "V1") == counts(spark, at) == [3] * 6
    assert spark.read.option("versionAsOf", 1).table(f"delta.`{place}`").count() == 3
    assert spark.sql(f"SELECT x.id FROM delta.`{place}` TIMESTAMP AS OF '{moment}' AS x WHERE x.id > 0").count() == 2
    with pytest.raises(AnalysisException, match="EARLIER_THAN_COMMIT_RETENTION"):
        spark.sql(f"SELECT * FROM {name}@20100101000000000").collect()
    with pytest.raises(AnalysisException, match="EARLIER_THAN_COMMIT_RETENTION"):
        spark.read.format("delta").load(f"{place}@20100101000000000").collect()
    with pytest.raises(AnalysisException, match="said twice"):
        spark.read.option("versionAsOf", 1).table(f"{name}@v1").collect()
    with pytest.raises(AnalysisException, match="said twice"):
        spark.read.format("delta").option("versionAsOf", 1).load(f"{place}@v1").collect()
    with pytest.raises(AnalysisException, match="PATH_NOT_FOUND"):
        spark.read.format("delta").load(f"{tmp_path}/nothing@v1").collect()
    spark.range(2).write.format("delta").save(f"{tmp_path}/kept@v1")
    assert spark.sql(f"SELECT * FROM delta.`{tmp_path}/kept@v1`").count() == 2
    who, other = user
    grant("schema", schema, who, "USE SCHEMA")
    grant("table", name, who, "MODIFY")
    for read in (
        lambda: other.sql(f"SELECT * FROM {name}@v1").collect(),
        lambda: other.sql(f"SELECT * FROM delta.`{place}@v1`").collect(),
        lambda: other.table(f"{name}@v1").collect(),
        lambda: other.read.format("delta").load(f"{place}@v1").collect(),
        lambda: other.table(f"delta.`{place}@v1`").collect(),
        lambda: other.sql(f"SELECT * FROM delta.`{place}` VERSION AS OF 9").collect(),
        lambda: other.readStream.table(f"delta.`{place}@v1`").schema,
    ):
        with pytest.raises(AnalysisException, match="SELECT"):
            read()
    grant("table", name, who, "SELECT")
    assert counts(other, "v1") == [3] * 6


def test_versions_that_a_table_does_not_have(spark: SparkSession, schema: str, location: Location) -> None:
    name = f"{schema}.t"
    spark.sql(f"CREATE TABLE {name} AS SELECT 1 AS id")
    spark.sql(f"INSERT INTO {name} VALUES (2)")
    place = location(name)
    late = "2199-01-01 00:00:00"
    missing = r"DELTA_VERSION_NOT_FOUND. Cannot time travel Delta table to version 99. Available versions: \[0, 1\]"
    for says, statements in {
        missing: (
            f"SELECT * FROM {name} VERSION AS OF 99",
            f"SELECT * FROM {name}@v99",
            f"SELECT * FROM delta.`{place}` VERSION AS OF '99'",
            f"SELECT * FROM delta.`{place}@v99`",
            f"SELECT id FROM {name} WHERE id IN (SELECT id FROM delta.`{place}` FOR VERSION AS OF 100 - 1)",
            f"RESTORE TABLE {name} TO VERSION AS OF 99",
            f"RESTORE delta.`{place}` TO VERSION AS OF 99",
            f"CREATE TABLE {schema}.c SHALLOW CLONE {name} VERSION AS OF 99",
            f"CREATE TABLE {schema}.c DEEP CLONE delta.`{place}` VERSION AS OF 99",
            f"CREATE TABLE {schema}.c AS SELECT * FROM {name} VERSION AS OF 99",
            f"INSERT INTO {name} SELECT * FROM {name}@v99",
        ),
        "DELTA_TIMESTAMP_GREATER_THAN_COMMIT": (
            f"SELECT * FROM {name} TIMESTAMP AS OF '{late}'",
            f"SELECT * FROM {name}@21990101000000000",
            f"SELECT * FROM delta.`{place}` TIMESTAMP AS OF current_timestamp() + INTERVAL 9 HOURS",
            f"RESTORE TABLE {name} TO TIMESTAMP AS OF '{late}'",
            f"CREATE TABLE {schema}.c CLONE {name} TIMESTAMP AS OF '{late}'",
        ),
        "DELTA_TIMESTAMP_INVALID": (f"SELECT * FROM {name} TIMESTAMP AS OF 'soon'",),
        "is no version": (f"SELECT * FROM {name} VERSION AS OF 'soon'",),
        "DELTA_UNSUPPORTED_TIME_TRAVEL_VIEWS.*startingVersion": (
            f"SELECT * FROM STREAM {name}@v1",
            f"SELECT * FROM STREAM({name} VERSION AS OF 1)",
        ),
    }.items():
        for text in statements:
            with pytest.raises(AnalysisException, match=says):
                spark.sql(text).collect()
    for says, frames in {
        missing: (
            lambda: spark.read.option("versionAsOf", 99).table(name).schema,
            lambda: spark.read.table(f"{name}@v99").collect(),
            lambda: spark.table(f"delta.`{place}@v99`").collect(),
            lambda: spark.read.format("delta").option("versionAsOf", "99").load(place).schema,
            lambda: spark.read.format("delta").load(f"{place}@v99").collect(),
        ),
        "DELTA_TIMESTAMP_GREATER_THAN_COMMIT": (
            lambda: spark.read.option("timestampAsOf", late).table(name).collect(),
            lambda: spark.read.format("delta").option("timestampAsOf", late).load(place).collect(),
        ),
        "INVALID_TIME_TRAVEL_SPEC": (
            lambda: spark.read.format("delta").option("timestampAsOf", late).option("versionAsOf", 1).load(place).collect(),
        ),
        "takes a whole number": (lambda: spark.read.option("versionAsOf", "soon").table(name).collect(),),
        "DELTA_UNSUPPORTED_TIME_TRAVEL_VIEWS": (
            lambda: spark.readStream.table(f"{name}@v1").schema,
            lambda: spark.readStream.table(f"delta.`{place}@v1`").schema,
            lambda: spark.readStream.format("delta").load(f"{place}@v1").schema,
            lambda: spark.readStream.option("versionAsOf", 1).table(name).schema,
        ),
    }.items():
        for frame in frames:
            with pytest.raises(AnalysisException, match=says):
                frame()
    assert spark.table(name).count() == 2


def test_variants(spark: SparkSession, schema: str) -> None:
    name = f"{schema}.v"
    spark.sql(f"CREATE TABLE {name} (id INT, v VARIANT)")
    for text in ("1, parse_json('{\"a\": 1}')", "2, parse_json('{\"a\": 2}')", "3, NULL"):
        spark.sql(f"INSERT INTO {name} VALUES ({text})")
    found = f"SELECT id, v:a::int FROM {name} ORDER BY id"
    assert [tuple(row) for row in spark.sql(found).collect()] == [(1, 1), (2, 2), (3, None)]
    assert spark.sql(f"OPTIMIZE {name}").collect()[0].metrics.numFilesRemoved == 3
    spark.sql(f"UPDATE {name} SET id = 10 WHERE id = 1")
    spark.sql(f"DELETE FROM {name} WHERE {name}.id = 2")
    spark.sql(
        f"MERGE INTO {name} t USING (SELECT 3 AS id) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = parse_json('{{\"a\": 5}}')"
    )
    assert [tuple(row) for row in spark.sql(found).collect()] == [(3, 5), (10, 1)]
