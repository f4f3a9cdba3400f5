"""A decimal literal beside a floating-point number is one too; beside a decimal it stays."""

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as sf

from boathouse.engine.gateway.forms.decimal_literals import literals
from tests.conftest import Server

SUM = 0.1 + 0.2
VALUES = (SUM, 0.3, 1e-20, 1e25, float("nan"), float("-inf"), None)


@pytest.mark.parametrize(
    ("sql", "compared", "chosen"),
    [
        ("f = 0.3 AND 0.5 <= f OR f<>-.5", "0.3 0.5 .5", ""),
        ("f BETWEEN -0.5 AND 1.5 AND f IN (0.1, g, 0.2)", "0.5 1.5 0.1 0.2", ""),
        ("0.5 BETWEEN f AND g OR f > (0.1) OR (0.2) < f AND round(0.3)", "0.5 0.1 0.2", ""),
        (
            "coalesce(f, -0.5), greatest(0.1, f + 0.2), if(f > 1.5, 2.5, f), round(f, 3.5), nullif(f, 4.5)",
            "1.5 4.5",
            "0.5 0.1 2.5",
        ),
        ("CASE WHEN f > 0.5 THEN 1.5 ELSE 2.5 END, CASE f WHEN 3.5 THEN 4.5 END", "0.5 3.5", "1.5 2.5 4.5"),
        ("SELECT f FROM t UNION ALL SELECT -0.5", "", "0.5"),
        ("SELECT 0.5 AS half, f FROM t", "", ""),
        ("f > 0.5 * g AND f < g - 0.5 AND f > 1.5::double AND f = 0.5D AND f = 1.5e3 AND f = 0.5BD", "", ""),
        ("f >> 0.5, transform(a, x -> 0.5), sequence(start => 0.5)", "", ""),
        ("s = 'f > 0.5' /* f > 0.5 */ AND `f > 0.5` = 1 -- > 0.5", "", ""),
        ("f > 0.1234567890123456 AND t1.a = 1", "", ""),
        ("UPDATE t SET f = 0.5 WHERE g > 1.5", "0.5 1.5", ""),
    ],
)
def test_which_literals_stand_beside_something_else(sql: str, compared: str, chosen: str) -> None:
    found = literals(sql)

    def ends(ends: tuple[int, ...]) -> list[str]:
        return [max((sql[start:end] for start in range(end) if _is_number(sql[start:end])), key=len) for end in ends]

    assert ends(found.compared) == compared.split()
    assert ends(found.chosen) == chosen.split()


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()


@pytest.fixture
def doubles(spark: SparkSession) -> SparkSession:
    rows = [(number, value, Decimal("0.30"), number) for number, value in enumerate(VALUES)]
    spark.createDataFrame(rows, "id INT, f DOUBLE, d DECIMAL(10, 2), n BIGINT").createOrReplaceTempView("doubles")
    return spark


@pytest.mark.parametrize(
    ("condition", "ids"),
    [
        ("f = 0.3", [1]),
        ("f > 0.3", [0, 3, 4]),
        ("0.3 < f", [0, 3, 4]),
        ("f <> 1.5", [0, 1, 2, 3, 4, 5]),
        ("f BETWEEN 0.0 AND 0.3", [1, 2]),
        ("f NOT IN (0.3, 0.5)", [0, 2, 3, 4, 5]),
        ("float(f) = 0.3", []),
        ("float(f) > 0.3", [0, 1, 3, 4]),
        ("d = 0.3 AND d BETWEEN 0.25 AND 0.305 AND n >= 4.5", [5, 6]),
    ],
)
def test_comparisons(doubles: SparkSession, condition: str, ids: list[int]) -> None:
    assert [row.id for row in doubles.sql(f"SELECT id FROM doubles WHERE {condition} ORDER BY id").collect()] == ids
    assert [row.id for row in doubles.table("doubles").filter(condition).orderBy("id").collect()] == ids
    joined = f"SELECT count(*) FROM (SELECT id AS a FROM doubles) JOIN doubles ON a = id AND {condition}"
    assert doubles.sql(joined).collect()[0][0] == len(ids)


@pytest.mark.parametrize(
    ("expression", "kind", "value"),
    [
        ("coalesce(f, 0.0)", "double", SUM),
        ("greatest(f, 0.0)", "double", SUM),
        ("least(f, 0.5)", "double", SUM),
        ("nullif(f, 0.3)", "double", SUM),
        ("CASE WHEN id = 7 THEN 0.0 ELSE f END", "double", SUM),
        ("if(f = 0.3, 0.5, f)", "double", SUM),
        ("coalesce(d, 0.0)", "decimal(10,2)", Decimal("0.30")),
        ("CASE WHEN d > 0.5 THEN d ELSE 0.1 END", "decimal(10,2)", Decimal("0.10")),
        ("d * 0.1", "decimal(12,3)", Decimal("0.030")),
        ("0.1", "decimal(1,1)", Decimal("0.1")),
        ("f * 0.1", "double", SUM * 0.1),
    ],
)
def test_values(doubles: SparkSession, schema: str, expression: str, kind: str, value: Any) -> None:
    frame = doubles.sql(f"SELECT {expression} AS x FROM doubles WHERE id = 0")
    assert frame.schema["x"].dataType.simpleString() == kind
    assert [row.x for row in frame.collect()] == [value]
    made = doubles.table("doubles").filter("id = 0").select(sf.expr(expression).alias("x"))
    assert [row.x for row in made.collect()] == [value]
    doubles.sql(f"CREATE TABLE {schema}.made TBLPROPERTIES (a = 0.5) AS SELECT {expression} AS x FROM doubles WHERE id = 0")
    assert doubles.table(f"{schema}.made").schema["x"].dataType.simpleString() == kind
    assert [row.x for row in doubles.table(f"{schema}.made").collect()] == [value]


def test_in_what_is_kept_and_in_changes(spark: SparkSession, schema: str) -> None:
    """Views, conditions of changes and of what is replaced: each of them with NaN, which is no decimal."""
    spark.sql(f"CREATE TABLE {schema}.t (id INT, f DOUBLE)")
    rows = [(0, SUM), (1, 0.3), (2, math.nan), (3, None)]
    spark.createDataFrame(rows, "id INT, f DOUBLE").write.mode("append").saveAsTable(f"{schema}.t")
    spark.sql(f"CREATE VIEW {schema}.v AS SELECT id, coalesce(f, 0.5) AS g FROM {schema}.t WHERE f <> 0.3 OR f IS NULL")
    assert dict(spark.table(f"{schema}.v").filter("id <> 2").collect()) == {0: SUM, 3: 0.5}
    spark.sql(f"UPDATE {schema}.t SET f = coalesce(f, 0.5) WHERE f <> 0.3 OR f IS NULL")
    spark.sql(f"DELETE FROM {schema}.t WHERE f = 0.3")
    spark.sql(
        f"MERGE INTO {schema}.t USING (SELECT 0 AS id) s ON s.id = t.id AND t.f > 0.3 WHEN MATCHED THEN UPDATE SET f = f + 0.1"
    )
    left = dict(spark.table(f"{schema}.t").collect())
    assert math.isnan(left.pop(2))
    assert left == {0: SUM + 0.1, 3: 0.5}
    spark.range(1).selectExpr("7 AS id", "9.0D AS f").write.mode("overwrite").option("replaceWhere", "f > 0.45").saveAsTable(
        f"{schema}.t"
    )
    assert dict(spark.table(f"{schema}.t").filter("id = 7 OR f < 0.45").collect()) == {0: SUM + 0.1, 7: 9.0}


def test_a_filter_of_rows(
    spark: SparkSession, schema: str, server: Server, grant: Callable[..., None], location: Callable[[str], str]
) -> None:
    """Policies are texts of their own."""
    spark.sql(f"CREATE TABLE {schema}.t AS SELECT id, IF(id = 0, double('NaN'), id / 10) AS f FROM range(5)")
    spark.sql(f"CREATE FUNCTION {schema}.large(f DOUBLE) RETURNS BOOLEAN RETURN f > 0.25")
    spark.sql(f"ALTER TABLE {schema}.t SET ROW FILTER {schema}.large ON (f)")
    assert sorted(row.id for row in spark.table(f"{schema}.t").collect()) == [0, 3, 4]


def test_what_a_function_in_python_gets(doubles: SparkSession) -> None:
    twice = sf.udf(lambda x: None if x is None else x * 2, "double")
    frame = doubles.table("doubles").filter("id < 2").orderBy("id").select(sf.expr("if(id = 7, 0.0, f)").alias("x"))
    assert [row[0] for row in frame.select(twice("x")).collect()] == [2 * SUM, 0.6]
