"""delta-spark's own Spark Connect client, unchanged."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from delta.tables import DeltaTable
from deltalake import DeltaTable as Log
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession, functions

Location = Callable[[str], str]


def rows(frame: Any) -> list[tuple[Any, ...]]:
    return sorted((tuple(row) for row in frame.collect()), key=repr)


@pytest.fixture
def name(spark: SparkSession, schema: str) -> str:
    """A table with the rows (0, a), (1, b), (2, c)."""
    spark.sql(f"CREATE TABLE {schema}.t (id INT, v STRING)")
    spark.sql(f"INSERT INTO {schema}.t VALUES (0, 'a'), (1, 'b'), (2, 'c')")
    return f"{schema}.t"


@pytest.fixture(params=["name", "path"])
def table(request: pytest.FixtureRequest, spark: SparkSession, name: str, location: Location) -> DeltaTable:
    """The same table, by its name and by its path."""
    return DeltaTable.forName(spark, name) if request.param == "name" else DeltaTable.forPath(spark, location(name))


class TestReading:
    def test_rows_and_schema(self, table: DeltaTable) -> None:
        assert rows(table.toDF()) == [(0, "a"), (1, "b"), (2, "c")]
        assert table.toDF().columns == ["id", "v"]
        assert rows(table.alias("t").toDF().where("t.id > 0").select("t.v")) == [("b",), ("c",)]

    def test_is_delta_table(self, spark: SparkSession, name: str, location: Location, tmp_path: Path) -> None:
        assert DeltaTable.isDeltaTable(spark, location(name))
        assert not DeltaTable.isDeltaTable(spark, str(tmp_path))
        assert not DeltaTable.isDeltaTable(spark, str(tmp_path / "nowhere"))

    def test_history_and_detail(self, table: DeltaTable) -> None:
        assert [row.version for row in table.history().collect()] == [1, 0]
        assert [row.version for row in table.history(1).collect()] == [1]
        detail = table.detail().collect()[0]
        assert detail.format == "delta"
        assert detail.numFiles >= 1

    def test_what_is_not_there(self, spark: SparkSession, schema: str) -> None:
        with pytest.raises(AnalysisException):
            DeltaTable.forName(spark, f"{schema}.nothing").toDF().collect()


class TestChanges:
    def test_delete(self, table: DeltaTable) -> None:
        assert rows(table.delete("id = 1")) == [(1,)]
        assert rows(table.toDF()) == [(0, "a"), (2, "c")]
        assert rows(table.delete(functions.col("v") == "a")) == [(1,)]
        table.delete()
        assert rows(table.toDF()) == []

    def test_update(self, table: DeltaTable) -> None:
        table.update("id = 1", {"v": "concat(v, '!')"})
        table.update(
            condition=(functions.col("id") > 1) & functions.col("v").isin("c", "d"),
            set={"v": functions.lit("z"), "id": functions.col("id") * 10},
        )
        assert rows(table.toDF()) == [(0, "a"), (1, "b!"), (20, "z")]
        table.update(
            set={
                "v": functions.when(functions.col("id") == 0, functions.lit(None).cast("string")).otherwise(
                    functions.upper("v")
                )
            }
        )
        assert rows(table.toDF()) == [(0, None), (1, "B!"), (20, "Z")]

    def test_merge(self, spark: SparkSession, table: DeltaTable) -> None:
        source = spark.createDataFrame([(1, "new"), (2, "gone"), (3, "added")], "id INT, v STRING")
        done = (
            table.alias("t")
            .merge(source.alias("s"), "t.id = s.id")
            .whenMatchedDelete("s.v = 'gone'")
            .whenMatchedUpdate(set={"v": "s.v"})
            .whenNotMatchedInsert(values={"id": "s.id", "v": functions.col("s.v")})
            .whenNotMatchedBySourceUpdate("t.id = 0", {"v": "'kept'"})
            .execute()
        )
        assert done.columns[0] == "num_affected_rows"
        assert done.collect()[0].num_affected_rows == 4
        assert rows(table.toDF()) == [(0, "kept"), (1, "new"), (3, "added")]

    def test_merge_all_and_by_columns_of_frames(self, spark: SparkSession, table: DeltaTable) -> None:
        source = spark.createDataFrame([(1, "new"), (9, "added")], "id INT, v STRING")
        target = table.toDF()
        table.alias("t").merge(
            source.alias("s"), functions.col("t.id") == functions.col("s.id")
        ).whenMatchedUpdateAll().whenNotMatchedInsertAll("s.id < 100").whenNotMatchedBySourceDelete("t.id = 2").execute()
        assert rows(target) == [(0, "a"), (1, "new"), (9, "added")]

    def test_merge_of_a_source_without_alias(self, spark: SparkSession, table: DeltaTable) -> None:
        source = spark.range(1, 3).selectExpr("id AS key", "'x' AS w")
        table.merge(source, "id = key").whenMatchedUpdate(set={"v": "w"}).execute()
        assert rows(table.toDF()) == [(0, "a"), (1, "x"), (2, "x")]

    def test_merge_with_schema_evolution(self, spark: SparkSession, table: DeltaTable) -> None:
        source = spark.createDataFrame([(1, "new", 1.5), (9, "added", 2.5)], "id INT, v STRING, extra DOUBLE")
        builder = table.alias("t").merge(source.alias("s"), "t.id = s.id").withSchemaEvolution()
        builder.whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()
        assert rows(table.toDF()) == [(0, "a", None), (1, "new", 1.5), (2, "c", None), (9, "added", 2.5)]

    def test_a_wrong_condition_names_what_is_wrong(self, table: DeltaTable) -> None:
        with pytest.raises(AnalysisException, match="nope"):
            table.delete("nope = 1")


class TestMaintenance:
    def test_vacuum_optimize_restore(self, spark: SparkSession, name: str, location: Location, table: DeltaTable) -> None:
        spark.sql(f"INSERT INTO {name} VALUES (3, 'd')")
        assert table.optimize().executeCompaction().collect()[0].metrics.numFilesAdded == 1
        table.optimize().executeZOrderBy("id")
        table.restoreToVersion(1)
        assert rows(table.toDF()) == [(0, "a"), (1, "b"), (2, "c")]
        moment = Log(location(name)).history()[-3]["timestamp"] / 1000
        table.vacuum(1000)
        table.vacuum()
        table.restoreToTimestamp(dt.datetime.fromtimestamp(moment + 0.001, dt.UTC).strftime("%Y-%m-%d %H:%M:%S.%f"))
        assert table.toDF().count() in {3, 4}

    def test_protocol_and_features(self, table: DeltaTable, name: str, location: Location) -> None:
        table.upgradeTableProtocol(1, 3)
        table.addFeatureSupport("timestampNtz")
        assert "timestampNtz" in (Log(location(name)).protocol().writer_features or [])

    def test_manifests(self, table: DeltaTable, name: str, location: Location) -> None:
        table.generate("symlink_format_manifest")
        manifest = Path(location(name)) / "_symlink_format_manifest" / "manifest"
        assert {line.rpartition("/")[2] for line in manifest.read_text().split()} == {
            path.rpartition("/")[2] for path in Log(location(name)).file_uris()
        }
        with pytest.raises(AnalysisException, match="DELTA_MODE_NOT_SUPPORTED"):
            table.generate("a `mode`")

    def test_clone(self, spark: SparkSession, schema: str, name: str, volume: Callable[[str, str], str]) -> None:
        table = DeltaTable.forName(spark, name)
        assert rows(table.clone(f"{schema}.copied").toDF()) == rows(table.toDF())
        table.delete("id = 0")
        assert DeltaTable.forName(spark, f"{schema}.copied").toDF().count() == 3
        assert table.cloneAtVersion(1, f"{schema}.old", isShallow=False).toDF().count() == 3
        table.clone(f"{volume(schema, 'clones')}/one")
        assert DeltaTable.forPath(spark, f"/Volumes/{schema.replace('.', '/')}/clones/one").toDF().count() == 2

    def test_convert(self, spark: SparkSession, tmp_path: Path) -> None:
        path = str(tmp_path / "parquet")
        spark.range(5).write.parquet(path)
        converted = DeltaTable.convertToDelta(spark, f"parquet.`{path}`")
        assert converted.toDF().count() == 5
        assert DeltaTable.isDeltaTable(spark, path)


class TestBuilder:
    def test_create(self, spark: SparkSession, schema: str, location: Location) -> None:
        table = (
            DeltaTable.create(spark)
            .tableName(f"{schema}.made")
            .addColumn("id", "INT", nullable=False, comment="key")
            .addColumn("twice", "INT", generatedAlwaysAs="id * 2")
            .addColumn("day", "STRING")
            .partitionedBy("day")
            .comment("made by the builder")
            .property("quality", "gold")
            .execute()
        )
        spark.sql(f"INSERT INTO {schema}.made (id, day) VALUES (2, 'x')")
        assert rows(table.toDF()) == [(2, 4, "x")]
        log = Log(location(f"{schema}.made"))
        assert log.metadata().partition_columns == ["day"]
        assert log.metadata().description == "made by the builder"
        assert log.metadata().configuration["quality"] == "gold"
        assert log.schema().fields[0].nullable is False
        with pytest.raises(AnalysisException, match="ALREADY_EXISTS"):
            DeltaTable.create(spark).tableName(f"{schema}.made").addColumn("x", "INT").execute()
        DeltaTable.createIfNotExists(spark).tableName(f"{schema}.made").addColumn("x", "INT").execute()
        assert table.toDF().count() == 1
        replaced = DeltaTable.replace(spark).tableName(f"{schema}.made").addColumn("x", "INT").execute()
        assert replaced.toDF().columns == ["x"]
        again = DeltaTable.createOrReplace(spark).tableName(f"{schema}.other").addColumns(spark.range(1).schema).execute()
        assert again.toDF().columns == ["id"]

    def test_create_at_a_path(self, spark: SparkSession, tmp_path: Path) -> None:
        path = str(tmp_path / "made")
        table = DeltaTable.createOrReplace(spark).location(path).addColumn("id", "BIGINT").execute()
        spark.range(3).write.format("delta").mode("append").save(path)
        assert table.toDF().count() == 3


def test_grants_hold(
    spark: SparkSession, name: str, location: Location, user: tuple[str, SparkSession], grant: Callable[..., None]
) -> None:
    who, other = user
    calls: list[Callable[[DeltaTable], object]] = [
        lambda table: table.toDF().collect(),
        lambda table: table.delete("id = 0"),
        lambda table: table.update(set={"v": "'x'"}),
        lambda table: table.merge(other.range(1), "true").whenMatchedDelete().execute(),
        lambda table: table.history().collect(),
        lambda table: table.vacuum(),
        lambda table: table.restoreToVersion(0),
        lambda table: table.optimize().executeCompaction(),
    ]
    for table in (DeltaTable.forName(other, name), DeltaTable.forPath(other, location(name))):
        for call in calls:
            with pytest.raises(AnalysisException, match=r"PERMISSION|privilege|INSUFFICIENT|refused"):
                call(table)
    assert spark.table(name).count() == 3
    grant("catalog", "main", who, "USE_CATALOG")
    grant("schema", name.rpartition(".")[0], who, "USE_SCHEMA")
    grant("table", name, who, "SELECT")
    reader = DeltaTable.forName(other, name)
    assert reader.toDF().count() == 3
    with pytest.raises(AnalysisException, match="MODIFY"):
        reader.delete("id = 0")
