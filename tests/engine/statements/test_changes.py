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
