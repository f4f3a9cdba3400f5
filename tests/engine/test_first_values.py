"""A CASE that begins with a whole number is announced with the type of all its values, as in Spark."""

import pyarrow as pa
import pytest
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as sf

from boathouse.engine.gateway.forms.first_values import first_values


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("CASE WHEN a THEN 0 ELSE f END + if(a, -1, f) * IFF(a, 2, 2.5)", [0, -1, 2]),
        ("CASE WHEN a THEN 1 ELSE CASE WHEN b THEN 0 ELSE f END END", [1, 0]),
        ("CASE WHEN a THEN NULL WHEN b THEN 3 ELSE f END", [3]),
        ("CASE WHEN a THEN 1 ELSE 0 END, if(a, 1, 0), if(a, 1, NULL)", []),
        ("CASE WHEN a THEN f ELSE 0 END, CASE WHEN a THEN 1 + f ELSE f END, if(a, f, 0), if(a, 0D, f)", []),
        ("if(coalesce(a, b), 4, f), 'if(a, 5, f)' -- if(a, 6, f)", [4]),
        ("CASE WHEN a THEN 0 ELSE f", []),
    ],
)
def test_which_numbers_are_the_first_of_others(sql: str, values: list[int]) -> None:
    assert [one.value for one in first_values(sql)] == values


@pytest.fixture
def rows(spark: SparkSession) -> SparkSession:
    spark.createDataFrame([(1, 0.5, 2**40), (2, 1.5, 7)], "i INT, f DOUBLE, b BIGINT").createOrReplaceTempView("first_values")
    return spark


@pytest.mark.parametrize(
    ("expression", "kind", "values"),
    [
        ("CASE WHEN i = 1 THEN 0 ELSE f END", "double", [0.0, 1.5]),
        ("CASE WHEN i = 1 THEN -1 WHEN i = 7 THEN 0 ELSE f END", "double", [-1.0, 1.5]),
        ("if(i = 2, 0, b)", "bigint", [2**40, 0]),
        ("if(i = 2, 0, i)", "int", [1, 0]),
        ("sum(if(i = 1, 0, f)) OVER (PARTITION BY i)", "double", [0.0, 1.5]),
    ],
)
def test_its_type_is_what_it_gives(rows: SparkSession, expression: str, kind: str, values: list[float]) -> None:
    frame = rows.sql(f"SELECT {expression} AS x FROM first_values ORDER BY i")
    assert frame.schema["x"].dataType.simpleString() == kind
    assert frame.toArrow()["x"].to_pylist() == values
    as_text = sf.udf(lambda x: f"{x}")
    made = rows.table("first_values").withColumn("x", sf.expr(expression)).orderBy("i").select(as_text("x").alias("x"))
    assert [row.x for row in made.collect()] == [str(value) for value in values]


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (sf.when(sf.col("i") == 1, 0).otherwise(sf.col("f")), pa.float64()),
        (sf.when(sf.col("i") == 1, 0).when(sf.col("i") == 3, sf.col("b")), pa.int64()),
        (sf.when(sf.col("i") == 1, 1).otherwise(0), pa.int32()),
    ],
)
def test_of_data_frames(rows: SparkSession, made: Column, kind: pa.DataType) -> None:
    frame = rows.table("first_values").select(made.alias("x")).filter("x >= 0")
    assert frame.toArrow().schema.field("x").type == kind
    assert frame.groupBy().agg(sf.sum("x")).toArrow().num_rows == 1
