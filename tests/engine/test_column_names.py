"""Which names columns may have: with blanks and the like only where a table maps them to others."""

from collections.abc import Callable
from typing import Any

import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

from boathouse.engine.gateway.writes.delta_target import load

REFUSED = "DELTA_INVALID_CHARACTERS_IN_COLUMN_NAMES"
MAPPED = "'delta.columnMapping.mode' = 'name'"


@pytest.mark.parametrize("name", ["a b", "a,b", "a;b", "{a}", "a(b)", "a\nb", "a\tb", "a=b"])
def test_no_new_table_has_such_names(spark: SparkSession, schema: str, name: str) -> None:
    rows = spark.sql(f"SELECT 1 AS `{name}`")
    ways: list[Callable[[], Any]] = [
        lambda: spark.sql(f"CREATE TABLE {schema}.t (k INT, `{name}` INT NOT NULL COMMENT 'b')"),
        lambda: spark.sql(f"CREATE TABLE {schema}.t (s STRUCT<`{name}`: INT>)"),
        lambda: spark.sql(f"CREATE TABLE {schema}.t AS SELECT 1 AS `{name}`"),
        lambda: spark.sql(f"CREATE TABLE {schema}.t AS SELECT array(named_struct('{name}', 1)) AS a"),
        lambda: rows.write.saveAsTable(f"{schema}.t"),
        lambda: rows.writeTo(f"{schema}.t").create(),
    ]
    for way in ways:
        with pytest.raises(AnalysisException, match=REFUSED) as caught:
            way()
        assert f"'{name}'" in str(caught.value)
    assert not spark.catalog.tableExists(f"{schema}.t")


def test_no_table_gets_such_names(spark: SparkSession, schema: str) -> None:
    spark.sql(f"CREATE TABLE {schema}.t AS SELECT 1 AS a")
    rows = spark.sql("SELECT 1 AS a, 2 AS `b c`")
    ways: list[Callable[[], Any]] = [
        lambda: spark.sql(f"ALTER TABLE {schema}.t ADD COLUMN `b c` INT"),
        lambda: rows.write.mode("append").option("mergeSchema", "true").saveAsTable(f"{schema}.t"),
        lambda: rows.write.mode("overwrite").option("overwriteSchema", "true").saveAsTable(f"{schema}.t"),
        lambda: rows.writeTo(f"{schema}.t").createOrReplace(),
        lambda: spark.sql(f"CREATE OR REPLACE TABLE {schema}.t (`b c` INT)"),
        lambda: spark.sql(
            f"MERGE WITH SCHEMA EVOLUTION INTO {schema}.t USING (SELECT 1 AS a, 2 AS `b c`) s ON t.a = s.a "
            "WHEN NOT MATCHED THEN INSERT *"
        ),
    ]
    for way in ways:
        with pytest.raises(AnalysisException, match=REFUSED):
            way()
    assert spark.table(f"{schema}.t").collect() == [(1,)]


def test_a_path_has_no_such_names(spark: SparkSession, schema: str) -> None:
    spark.sql(f"CREATE VOLUME {schema}.v")
    path = f"/Volumes/{schema.replace('.', '/')}/v/t"
    with pytest.raises(AnalysisException, match=REFUSED):
        spark.sql("SELECT 1 AS `a b`").write.format("delta").save(path)
    with pytest.raises(AnalysisException, match=REFUSED):
        spark.sql(f"CREATE TABLE delta.`{path}` (`a b` INT)")
    spark.sql("SELECT 1 AS a, array(named_struct('b c', 1)) AS s").write.parquet(f"{path}-parquet")
    with pytest.raises(AnalysisException, match=f"{REFUSED}.*'b c'"):
        spark.sql(f"CONVERT TO DELTA parquet.`{path}-parquet`")
    spark.sql("SELECT 1 AS `a b`").write.format("delta").option("delta.columnMapping.mode", "name").save(path)
    assert spark.read.format("delta").load(path).columns == ["a b"]
    with pytest.raises(AnalysisException, match=rf"DELTA_PATH_EXISTS.* {path}: there is a Delta table"):
        spark.sql("SELECT 1 AS a").write.format("delta").save(path)
    spark.sql("SELECT 2 AS a").write.format("delta").mode("ignore").save(path)
    assert spark.read.format("delta").load(path).collect() == [(1,)]


def test_any_name_where_columns_are_mapped(spark: SparkSession, schema: str, location: Callable[[str], str]) -> None:
    name = f"{schema}.t"
    spark.sql(
        f"CREATE TABLE {name} (`id nr` INT NOT NULL, `v,x` STRING, `p;p` INT, s STRUCT<`in ner`: INT, b: INT>) "
        f"PARTITIONED BY (`p;p`) TBLPROPERTIES ({MAPPED})"
    )
    spark.sql(f"INSERT INTO {name} VALUES (1, 'a', 1, named_struct('in ner', 1, 'b', 1)), (2, 'b', 2, NULL)")
    spark.sql(f"UPDATE {name} SET `v,x` = 'z', s.`in ner` = 5 WHERE `id nr` = 1")
    spark.sql(
        f"MERGE INTO {name} t USING (SELECT 3 AS `id nr`, 'c' AS `v,x`, 1 AS `p;p`, NULL AS s) s ON t.`id nr` = s.`id nr` "
        "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
    )
    spark.sql(f"DELETE FROM {name} WHERE `id nr` = 2")
    spark.sql(f"ALTER TABLE {name} ADD COLUMN `new (one)` INT")
    spark.sql(f"ALTER TABLE {name} RENAME COLUMN `v,x` TO `v {{x}}`")
    spark.table(name).where("`id nr` = 3").write.mode("overwrite").option("replaceWhere", "`id nr` = 3").saveAsTable(name)
    found = spark.table(name).orderBy("`id nr`")
    assert found.columns == ["id nr", "v {x}", "p;p", "s", "new (one)"]
    assert [tuple(row) for row in found.collect()] == [(1, "z", 1, (5, 1), None), (3, "c", 1, None, None)]
    spark.sql(f"CREATE TABLE {name}2 TBLPROPERTIES ({MAPPED}) AS SELECT * FROM {name}")
    spark.sql(f"CREATE OR REPLACE TABLE {name}2 AS SELECT 1 AS `e f`")
    assert spark.table(f"{name}2").collect() == [(1,)]
    # What fields inside of columns say of themselves comes in another order each time: so writes were told that a table had changed.
    assert len({one.fingerprint for _ in range(20) if (one := load(location(name), name)) is not None}) == 1


def test_rows_of_a_table_come_back_to_it_with_a_new_column(spark: SparkSession, schema: str) -> None:
    # The table has the column before its own rows are read: they have to be those from before.
    name = f"{schema}.t"
    spark.sql(f"CREATE TABLE {name} (`a b` INT, s STRUCT<c: INT>) TBLPROPERTIES ({MAPPED})")
    spark.sql(f"INSERT INTO {name} VALUES (1, named_struct('c', 1))")
    rows = spark.table(name).selectExpr("*", "7 AS `new one`")
    rows.write.mode("append").option("mergeSchema", "true").saveAsTable(name)
    assert sorted((tuple(row) for row in spark.table(name).collect()), key=str) == [(1, (1,), 7), (1, (1,), None)]
    spark.sql(f"INSERT WITH SCHEMA EVOLUTION INTO {name} BY NAME SELECT *, 8 AS more FROM {name} WHERE `new one` = 7")
    assert spark.table(name).where("more = 8").count() == 1
