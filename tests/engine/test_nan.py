"""NaN stays NaN, and is larger than all other numbers, whatever the statistics of files and logs say."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import SparkSession

NAN = float("nan")
KINDS = "id INT, f DOUBLE, s STRUCT<x: FLOAT>"
CONDITIONS = (
    "isnan({0})",
    "{0} > 100",
    "{0} = double('NaN')",
    "{0} < 100",
    "NOT {0} < 100",
    "{0} BETWEEN 50 AND double('NaN')",
)


def rows_of(values: list[float], first: int = 0) -> str:
    return ", ".join(
        f"({number}, double('{value}'), struct(float('{value}') AS x))" for number, value in enumerate(values, first)
    )


def found(spark: SparkSession, relation: str, column: str = "f") -> tuple[Any, ...]:
    """A column's values, how many of them conditions hold for, and its ends."""
    counts = ", ".join(f"(SELECT count(*) FROM {relation} WHERE {one.format(column)})" for one in CONDITIONS)
    ends = f"(SELECT string(min({column})) FROM {relation}), (SELECT string(max({column})) FROM {relation})"
    last = f"(SELECT string({column}) FROM {relation} ORDER BY {column} DESC LIMIT 1)"
    values = [row[0] for row in spark.sql(f"SELECT string({column}) FROM {relation} ORDER BY id").collect()]
    told = list(spark.sql(f"SELECT {counts}, {ends}, {last}").collect()[0])
    return values, told[: len(CONDITIONS)], told[len(CONDITIONS) :]


def expected(values: list[float]) -> tuple[Any, ...]:
    numbers = sorted(one for one in values if one == one)  # noqa: PLR0124 - NaN is not itself
    texts = ["NaN" if one not in numbers else str(one) for one in values]
    nans = texts.count("NaN")
    return texts, [nans, nans, nans, len(numbers), nans, nans], [str(numbers[0]) if numbers else "NaN", "NaN", "NaN"]


# Without the NaN all values of the first are equal, and with them the bounds in the statistics.
@pytest.mark.parametrize("values", [[1.5, NAN], [1.5, NAN, 2.5], [-0.0, NAN, NAN]], ids=["equal", "different", "zero"])
def test_it_is_read_as_it_was_written(
    spark: SparkSession, schema: str, location: Callable[[str], str], values: list[float]
) -> None:
    want = expected(values)
    spark.sql(f"CREATE TABLE {schema}.t ({KINDS})")
    spark.sql(f"INSERT INTO {schema}.t VALUES {rows_of(values)}")
    spark.table(f"{schema}.t").createOrReplaceTempView("kept")
    assert found(spark, "kept") == want
    assert found(spark, f"{schema}.t") == want
    assert found(spark, f"{schema}.t", "s.x") == want
    spark.sql(f"CREATE TABLE {schema}.selected COMMENT 'c' AS SELECT id, float(f) AS f FROM {schema}.t")
    assert found(spark, f"{schema}.selected") == want
    spark.table("kept").write.partitionBy("id").saveAsTable(f"{schema}.saved")
    assert found(spark, f"{schema}.saved") == want

    # By others, who are not the server: the log has their statistics when the table is read next.
    folder = Path(location(f"{schema}.selected"))
    more = pa.table({"id": pa.array(range(len(values), 2 * len(values)), pa.int32()), "f": pa.array(values, pa.float32())})
    write_deltalake(folder, more, mode="append")
    assert found(spark, f"{schema}.selected") == expected([*values, *values])
    assert found(spark, f"{schema}.selected VERSION AS OF 0") == want
    assert found(spark, f"delta.`{folder}`") == expected([*values, *values])
    DeltaTable(folder).create_checkpoint()
    assert found(spark, f"{schema}.selected") == expected([*values, *values])
    assert spark.sql(f"SELECT id FROM {schema}.selected WHERE id = 1").count() == 1


def test_it_is_changed_as_what_it_is(spark: SparkSession, schema: str, location: Callable[[str], str]) -> None:
    spark.sql(f"CREATE TABLE {schema}.t ({KINDS})")
    spark.sql(f"INSERT INTO {schema}.t VALUES {rows_of([1.5, NAN, 1.5])}")
    # What is not assigned is copied, and was copied as 1.5.
    spark.sql(f"UPDATE {schema}.t SET id = 10 WHERE id = 0")
    assert found(spark, f"{schema}.t")[0] == ["NaN", "1.5", "1.5"]
    merge = f"MERGE INTO {schema}.t t USING (SELECT {{}}) s ON t.{{}} WHEN MATCHED THEN {{}}"
    spark.sql(merge.format("2 AS id, 9.5D AS g", "id = s.id", "UPDATE SET f = g"))
    assert found(spark, f"{schema}.t") == expected([NAN, 9.5, 1.5])
    spark.sql(merge.format("double('NaN') AS g", "f = s.g", "UPDATE SET f = 7"))
    assert found(spark, f"{schema}.t")[0] == ["7.0", "9.5", "1.5"]
    write_deltalake(
        location(f"{schema}.t"),
        pa.table(
            {
                "id": pa.array([20, 21], pa.int32()),
                "f": [8.5, NAN],
                "s": pa.array([None, None], pa.struct({"x": pa.float32()})),
            }
        ),
        mode="append",
    )
    spark.sql(f"UPDATE {schema}.t SET id = id + 1 WHERE id >= 20")
    assert found(spark, f"{schema}.t")[0] == ["7.0", "9.5", "1.5", "8.5", "NaN"]
    spark.sql(f"DELETE FROM {schema}.t WHERE f > 100")
    assert found(spark, f"{schema}.t")[0] == ["7.0", "9.5", "1.5", "8.5"]


def test_it_is_read_in_parquet_files_and_partitions(spark: SparkSession, schema: str) -> None:
    spark.sql(f"CREATE VOLUME {schema}.v")
    place = "/Volumes/" + schema.replace(".", "/") + "/v"
    spark.sql(f"SELECT * FROM VALUES {rows_of([1.5, NAN])} AS t(id, f, s)").coalesce(1).write.parquet(f"{place}/p")
    assert found(spark, f"parquet.`{place}/p`") == expected([1.5, NAN])
    spark.sql(f"SELECT * FROM VALUES {rows_of([1.5, NAN])} AS t(id, f, s)").coalesce(1).write.format("delta").save(f"{place}/d")
    assert found(spark, f"delta.`{place}/d`") == expected([1.5, NAN])
    spark.sql(f"CREATE TABLE {schema}.parted (id INT, f DOUBLE) PARTITIONED BY (f)")
    spark.sql(f"INSERT INTO {schema}.parted VALUES (0, 1.5), (1, double('NaN'))")
    assert found(spark, f"{schema}.parted") == expected([1.5, NAN])


def test_other_bounds_and_the_files_stay(spark: SparkSession, schema: str, location: Callable[[str], str]) -> None:
    spark.sql(f"CREATE TABLE {schema}.t ({KINDS})")
    spark.sql(f"INSERT INTO {schema}.t VALUES {rows_of([1.5, NAN])}")
    adds = pa.table(DeltaTable(location(f"{schema}.t")).get_add_actions(flatten=True)).to_pylist()
    assert [(add["min.id"], add["max.id"], add["null_count.f"], add.get("min.f")) for add in adds] == [(0, 1, 0, None)]
    (file,) = Path(location(f"{schema}.t")).glob("*.parquet")
    assert pq.read_metadata(file).row_group(0).column(1).statistics.max == 1.5
