"""Calls of DataFrames as the stock client makes them: what they give, and what their writes leave."""

from collections.abc import Callable
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

_MADE = "SELECT 1 AS a, 2 AS k, 3 AS z"
_PARTITIONED: dict[str, Callable[[SparkSession, str], object]] = {
    "saveAsTable": lambda spark, name: spark.sql(_MADE).write.partitionBy("k").saveAsTable(name),
    "writeTo": lambda spark, name: spark.sql(_MADE).writeTo(name).partitionedBy("k").create(),
    "CREATE": lambda spark, name: spark.sql(f"CREATE TABLE {name} PARTITIONED BY (k) COMMENT 'c' AS {_MADE}"),
}


@pytest.mark.parametrize("way", _PARTITIONED)
def test_columns_of_partitioned_tables_stand_as_they_were_given(spark: SparkSession, schema: str, way: str) -> None:
    name = f"{schema}.t"
    _PARTITIONED[way](spark, name)
    spark.sql(f"INSERT INTO {name} VALUES (10, 20, 30)")
    assert spark.table(name).columns == ["a", "k", "z"]
    assert sorted(tuple(row) for row in spark.table(name).collect()) == [(1, 2, 3), (10, 20, 30)]
    assert spark.sql(f"DESCRIBE HISTORY {name}").count() == 2
    spark.sql(_MADE).writeTo(name).partitionedBy("a").createOrReplace()
    assert spark.table(name).columns == ["a", "k", "z"]
    assert [tuple(row) for row in spark.table(name).collect()] == [(1, 2, 3)]


def test_columns_of_partitioned_tables_at_paths(spark: SparkSession, tmp_path: Path) -> None:
    writer = spark.sql(_MADE).write.format("delta").mode("overwrite")
    writer.partitionBy("k").save(str(tmp_path / "t"))
    assert spark.read.format("delta").load(str(tmp_path / "t")).columns == ["a", "k", "z"]
    writer.partitionBy("a").option("overwriteSchema", True).save(str(tmp_path / "t"))
    table = DeltaTable(tmp_path / "t")
    assert ([one.name for one in table.schema().fields], table.metadata().partition_columns) == (["a", "k", "z"], ["a"])
