"""table_changes() on what the engine wrote."""

from collections.abc import Callable
from typing import Any

import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

Actions = Callable[..., list[dict[str, Any]]]


def test_what_the_engine_changed(spark: SparkSession, table: str, schema: str) -> None:
    spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES (delta.enableChangeDataFeed = true)")
    spark.sql(f"INSERT INTO {table} VALUES (4, 'd')")
    spark.sql(f"UPDATE {table} SET s = 'z' WHERE id = 1")
    spark.sql(f"DELETE FROM {table} WHERE id = 2")
    source = "(SELECT 4 AS id, 'm' AS s UNION ALL SELECT 5, 'n')"
    spark.sql(
        f"MERGE INTO {table} t USING {source} s ON t.id = s.id WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
    )
    found = spark.sql(f"SELECT id, s, _change_type, _commit_version FROM table_changes('{table}', 3)").collect()
    assert sorted(tuple(row) for row in found) == [
        (1, "a", "update_preimage", 4),
        (1, "z", "update_postimage", 4),
        (2, "b", "delete", 5),
        (4, "d", "insert", 3),
        (4, "d", "update_preimage", 6),
        (4, "m", "update_postimage", 6),
        (5, "n", "insert", 6),
    ]
    with pytest.raises(AnalysisException, match="DELTA_MISSING_CHANGE_DATA"):
        spark.sql(f"SELECT * FROM table_changes('{table}', 0)").collect()
    spark.sql(f"CREATE TABLE {schema}.other (a INT)")
    with pytest.raises(AnalysisException, match="DELTA_MISSING_CHANGE_DATA"):
        spark.sql(f"SELECT * FROM table_changes('{schema}.other', 0)").collect()


def test_by_path(spark: SparkSession, table: str, location: Callable[[str], str], user: tuple[str, SparkSession]) -> None:
    spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES (delta.enableChangeDataFeed = true)")
    spark.sql(f"UPDATE {table} SET s = 'z' WHERE id = 1")
    text = f"SELECT id, s, _change_type FROM table_changes_by_path('{location(table)}', 3)"
    assert sorted(tuple(row) for row in spark.sql(text).collect()) == [
        (1, "a", "update_preimage"),
        (1, "z", "update_postimage"),
    ]
    with pytest.raises(AnalysisException, match="INSUFFICIENT_PERMISSIONS"):
        user[1].sql(text).collect()


def test_with_deletion_vectors(spark: SparkSession, schema: str) -> None:
    name = f"{schema}.dv"
    spark.sql(f"CREATE TABLE {name} (a INT) TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
    spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES (delta.enableChangeDataFeed = true)")
    spark.sql(f"INSERT INTO {name} VALUES (1), (2), (3)")
    spark.sql(f"DELETE FROM {name} WHERE a = 2")
    spark.sql(f"DELETE FROM {name} WHERE a = 3")
    found = spark.sql(
        f"SELECT a, _change_type, _commit_version FROM table_changes('{name}', 2) WHERE _commit_version > 2"
    ).collect()
    assert sorted(tuple(row) for row in found) == [(2, "delete", 3), (3, "delete", 4)]


def test_a_table_made_with_the_feed(spark: SparkSession, schema: str) -> None:
    name = f"{schema}.made"
    spark.sql(f"CREATE TABLE {name} TBLPROPERTIES (delta.enableChangeDataFeed = true) AS SELECT 1 AS a")
    spark.sql(f"INSERT INTO {name} VALUES (2)")
    assert [row.a for row in spark.sql(f"SELECT a FROM table_changes('{name}', 1)").collect()] == [2]


def test_who_may_ask(spark: SparkSession, table: str, user: tuple[str, SparkSession]) -> None:
    spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES (delta.enableChangeDataFeed = true)")
    with pytest.raises(AnalysisException, match=r"USE|SELECT"):
        user[1].sql(f"SELECT * FROM table_changes('{table}', 2)").collect()


def test_what_was_added_is_asked_of_tables_by_their_versions(
    spark: SparkSession, schema: str, location: Callable[[str], str], user: tuple[str, SparkSession], grant: Callable[..., None]
) -> None:
    """The option that pipelines refresh views by: a client can name it too."""
    name, who = f"{schema}.grown", user[0]
    spark.sql(f"CREATE TABLE {name} (a INT)")
    spark.sql(f"CREATE TABLE {schema}.allowed (a INT)")
    for number in (1, 2, 3):
        spark.sql(f"INSERT INTO {name} VALUES ({number})")
    spark.sql(f"CREATE VIEW {schema}.seen AS SELECT a FROM {name}")

    def read(session: SparkSession, table: str, after: str, **options: str) -> list[int]:
        reader = session.read.option("boathouse.appendedAfter", after).options(**options)
        rows = reader.format("delta").load(table) if table.startswith("/") else reader.table(table)
        return sorted(row.a for row in rows.collect())

    assert read(spark, name, "1", versionAsOf="3") == [2, 3]
    assert read(spark, name, "3", versionAsOf="3") == []
    bad = [("x", "3"), ("-1", "3"), ("", "3"), ("\u00b2", "3"), ("1", ""), ("3", "1"), ("1", "3.0"), ("1", "9" * 30)]
    for after, until in bad:
        with pytest.raises(AnalysisException, match="takes the number of a version"):
            read(spark, name, after, versionAsOf=until)
    with pytest.raises(AnalysisException, match="takes the number of a version"):
        read(spark, name, "1")
    for until in ("4", "9" * 18):
        with pytest.raises(AnalysisException, match="the log does not have version 4"):
            read(spark, name, "1", versionAsOf=until)
    for other in (f"{schema}.seen", location(name)):
        with pytest.raises(AnalysisException, match="is for Delta tables of the catalog by their names"):
            read(spark, other, "1", versionAsOf="3")
    for kind, of in (("catalog", "main"), ("schema", schema)):
        grant(kind, of, who, f"USE_{kind.upper()}")
    with pytest.raises(AnalysisException, match="INSUFFICIENT_PERMISSIONS"):
        read(user[1], name, "1", versionAsOf="3")

    # What a filter's function reads is read as it is now, not as it was between those versions.
    spark.sql(f"INSERT INTO {schema}.allowed VALUES (1), (2), (3)")
    spark.sql(f"CREATE FUNCTION {schema}.may(v INT) RETURNS BOOLEAN RETURN v IN (SELECT a FROM {schema}.allowed)")
    spark.sql(f"ALTER TABLE {name} SET ROW FILTER {schema}.may ON (a)")
    grant("table", name, who, "SELECT")
    assert read(user[1], name, "1", versionAsOf="3") == [2, 3]
    spark.sql(f"DELETE FROM {schema}.allowed WHERE a > 2")
    assert read(user[1], name, "1", versionAsOf="3") == [2]
    spark.sql(f"DELETE FROM {name} WHERE a = 1")
    with pytest.raises(AnalysisException, match="DELTA"):
        read(spark, name, "1", versionAsOf=str(spark.sql(f"DESCRIBE HISTORY {name} LIMIT 1").collect()[0].version))
