"""Calls and casts whose values depend on the types of their arguments: the values here are Apache Spark 4.2's."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession, Window, types
from pyspark.sql import functions as sf

ROWS = (
    "(1, 1e20, CAST(1.25 AS DECIMAL(5, 2)), ' 2024-01-05 ', '1e2', array(1), 1.005D, 'true')",
    "(2, NULL, NULL, NULL, NULL, array(2, NULL), 2.5D, NULL)",
    "(3, -1.5e-5D, CAST(1.35 AS DECIMAL(5, 2)), '2024-01-05T10:00:00Z', '5', NULL, -0.285D, 'no')",
)
FROM = f"FROM VALUES {', '.join(ROWS)} AS t(i, d, p, s, e, a, r, b)"
FIFTH = date(2024, 1, 5)


@pytest.fixture
def rows(spark: SparkSession) -> DataFrame:
    return spark.sql(f"SELECT * {FROM}")


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("CAST(d AS STRING)", ["1.0E20", None, "-1.5E-5"]),
        ("TRY_CAST(d AS STRING)", ["1.0E20", None, "-1.5E-5"]),
        ("d::string", ["1.0E20", None, "-1.5E-5"]),
        ("string(CAST(d AS FLOAT))", ["1.0E20", None, "-1.5E-5"]),
        ("d || ':' || i", ["1.0E20:1", None, "-1.5E-5:3"]),
        ("concat(i, '/', d)", ["1/1.0E20", None, "3/-1.5E-5"]),
        ("concat_ws('-', i, d)", ["1-1.0E20", "2", "3--1.5E-5"]),
        ("transform(array(d), x -> CAST(x AS STRING))", [["1.0E20"], [None], ["-1.5E-5"]]),
        ("CAST(d * 10 AS STRING)", ["1.0E21", None, "-1.5000000000000001E-4"]),
        ("CAST(element_at(array(9999999.5D, 0.001D, 0D), i) AS STRING)", ["9999999.5", "0.001", "0.0"]),
        ("CAST(double(element_at(array('inf', '-inf', 'nan'), i)) AS STRING)", ["Infinity", "-Infinity", "NaN"]),
        ("concat(i, sqrt(d))", ["11.0E10", None, "3NaN"]),
        ("CAST(rand(1) * 0 + 1e7 AS STRING)", ["1.0E7"] * 3),
        ("bround(p, 1)", [Decimal("1.2"), None, Decimal("1.4")]),
        ("bround(-p, 1)", [Decimal("-1.2"), None, Decimal("-1.4")]),
        ("bround(2.5)", [Decimal(2)] * 3),
        ("bround(p * 20, -1)", [Decimal(20), None, Decimal(30)]),
        ("round(r, 2)", [1.01, 2.5, -0.29]),
        ("round(CAST(r AS FLOAT), 2)", [1.0, 2.5, pytest.approx(-0.28)]),
        ("round(max(r) OVER (PARTITION BY i), 2)", [1.01, 2.5, -0.29]),
        ("CAST(s AS DATE)", [FIFTH, None, FIFTH]),
        ("s::date", [FIFTH, None, FIFTH]),
        ("to_date(s)", [FIFTH, None, FIFTH]),
        ("TRY_CAST(concat('x', s) AS DATE)", [None, None, None]),
        ("CAST(e AS DECIMAL(10, 1))", [Decimal("100.0"), None, Decimal("5.0")]),
        ("CAST(r AS DECIMAL(10, 2))", [Decimal("1.01"), Decimal("2.50"), Decimal("-0.29")]),
        ("CAST(r AS DECIMAL(38, 18))", [Decimal("1.005"), Decimal("2.5"), Decimal("-0.285")]),
        ("TRY_CAST(d AS DECIMAL(10, 2))", [None, None, Decimal("0.00")]),
        ("CAST(sqrt(-i) AS DECIMAL(10, 2))", [None, None, None]),
        ("TRY_CAST(concat(e, 'x') AS DECIMAL(10, 1))", [None, None, None]),
        ("CAST('1.25e-1' AS DECIMAL(10, 2))", [Decimal("0.13")] * 3),
        ("hash(p, i)", [-491767619, 1765031574, -1771218446]),
        ("xxhash64(CAST(1.5 AS DECIMAL(5, 2)))", [-6873856301616164681] * 3),
        ("array_except(a, array(1))", [[], [2, None], None]),
        ("array_union(array(2), a)", [[2, 1], [2, None], None]),
        ("array_intersect(a, array(1))", [[1], [], None]),
        ("arrays_overlap(a, array(i, 9))", [True, True, None]),
        ("concat(a, array(5L))", [[1, 5], [2, None, 5], None]),
        ("a || array(5L)", [[1, 5], [2, None, 5], None]),
        ("concat(array(1), array(0.5D), array(NULL))", [[1.0, 0.5, None]] * 3),
    ],
)
def test_an_expression(rows: DataFrame, spark: SparkSession, expression: str, wanted: list[Any]) -> None:
    found = spark.sql(f"SELECT {expression} AS v {FROM} ORDER BY i")
    assert [row.v for row in found.collect()] == wanted
    assert [row.v for row in rows.orderBy("i").select(sf.expr(expression).alias("v")).collect()] == wanted


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        (lambda: sf.col("d").cast("string"), ["1.0E20", None, "-1.5E-5"]),
        (lambda: sf.col("d").cast(types.StringType()), ["1.0E20", None, "-1.5E-5"]),
        (lambda: sf.concat("d", sf.lit("!")), ["1.0E20!", None, "-1.5E-5!"]),
        (lambda: sf.concat("i", sf.sqrt("d")), ["11.0E10", None, "3NaN"]),
        (lambda: (sf.rand(1) * 0 + 1e7).cast("string"), ["1.0E7"] * 3),
        (lambda: sf.transform(sf.array("d"), lambda x: x.cast("string")), [["1.0E20"], [None], ["-1.5E-5"]]),
        (lambda: sf.bround("p", 1), [Decimal("1.2"), None, Decimal("1.4")]),
        (lambda: sf.round("r", 2), [1.01, 2.5, -0.29]),
        (lambda: sf.round(sf.rand(1) * 0 + 1.005, 2), [1.01] * 3),
        (lambda: sf.col("s").cast("date"), [FIFTH, None, FIFTH]),
        (lambda: sf.col("s").try_cast(types.DateType()), [FIFTH, None, FIFTH]),
        (lambda: sf.col("e").cast(types.DecimalType(10, 1)), [Decimal("100.0"), None, Decimal("5.0")]),
        (lambda: sf.hash("p", "i"), [-491767619, 1765031574, -1771218446]),
        (lambda: sf.array_except("a", sf.array(sf.lit(1))), [[], [2, None], None]),
        (lambda: sf.concat("a", sf.array(sf.lit(0.5))), [[1.0, 0.5], [2.0, None, 0.5], None]),
    ],
)
def test_an_expression_of_a_data_frame(rows: DataFrame, expression: Callable[[], Column], wanted: list[Any]) -> None:
    assert [row.v for row in rows.orderBy("i").select(expression().alias("v")).collect()] == wanted


def test_names_and_types(rows: DataFrame, spark: SparkSession) -> None:
    texts = ("CAST(d AS STRING)", "bround(p, 1)", "round(r, 2)", "concat(a, array(CAST(5 AS BIGINT)))")
    found = spark.sql(f"SELECT {', '.join(texts)} {FROM}")
    assert [kind for _, kind in found.dtypes] == ["string", "decimal(5,1)", "double", "array<bigint>"]
    framed = rows.select(sf.col("d").cast("string"), sf.bround("p", 1), sf.round("r", 2))
    assert found.columns[1:] == list(texts[1:])
    assert framed.columns[1:] == list(texts[1:3])
    assert [kind for _, kind in framed.dtypes] == ["string", "decimal(5,1)", "double"]
    assert framed.collect()[0]["bround(p, 1)"] == Decimal("1.2")


def test_groups_and_conditions(spark: SparkSession) -> None:
    grouped = spark.sql(
        "SELECT CAST(x AS STRING), count(*) FROM VALUES (1e7D), (1e7D), (2D) t(x) GROUP BY CAST(x AS STRING) ORDER BY CAST(x AS STRING)"
    )
    assert [tuple(row) for row in grouped.collect()] == [("1.0E7", 2), ("2.0", 1)]
    found = spark.sql(
        "SELECT round(avg(x), 2) FROM VALUES (1.005D), (1.005D) t(x) HAVING CAST(sum(x) * 0 + 1e7 AS STRING) = '1.0E7'"
    )
    assert [row[0] for row in found.collect()] == [1.01]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id, round(id * 1.1D, 2) AS v FROM range(1000) ORDER BY round(id * 1.1D, 2) DESC LIMIT 1",
        "SELECT id % 7 AS k, round(avg(id * 1.1D), 2) AS v FROM range(1000) GROUP BY id % 7 ORDER BY round(avg(id * 1.1D), 2) DESC LIMIT 1",
        "SELECT round(id * 1.1D, 2) AS v FROM range(1000) GROUP BY round(id * 1.1D, 2) ORDER BY round(id * 1.1D, 2) DESC LIMIT 1",
        "SELECT DISTINCT round(id * 1.1D, 2) AS v FROM range(1000) ORDER BY round(id * 1.1D, 2) DESC LIMIT 1",
        "SELECT round(x, 2) AS v, rank() OVER (PARTITION BY x > 5 ORDER BY round(x, 2) DESC) FROM VALUES (1.005D), (2D) AS t(x)",
        "SELECT CAST(x AS STRING) AS v, row_number() OVER (ORDER BY x || '', CAST(x AS DECIMAL(10, 1))) FROM VALUES (1e8), (2D) AS t(x)",
        "SELECT round(avg(x), 1) AS v, rank() OVER (ORDER BY round(avg(x), 1)) FROM VALUES (1e8, 1), (2D, 2) AS t(x, k) GROUP BY k",
        "SELECT sum(x) OVER w AS v FROM VALUES (1e8), (2D) AS t(x) WINDOW w AS (PARTITION BY round(x, 1) ORDER BY CAST(x AS STRING))",
    ],
)
def test_what_rows_are_ordered_by(spark: SparkSession, query: str) -> None:
    """There calls stay as they are: the engine does not sort by what has the same twice."""
    found = [row.v for row in spark.sql(query).collect()]
    assert found in ([1098.9], [552.2], [2.0, 1.01], ["2.0", "1.0E8"], ["1.0E8", "2.0"], [2.0, 1e8], [1e8, 2.0])


def test_what_rows_of_a_data_frame_are_ordered_by(spark: SparkSession) -> None:
    frame = spark.range(1000).select((sf.col("id") * 1.1).alias("x"))
    rounded, text = sf.round("x", 2), sf.col("x").cast("string")
    assert frame.orderBy(rounded.desc(), text).select(rounded.alias("v")).first() == (1098.9,)
    window = Window.partitionBy(sf.col("x") > 500).orderBy(rounded, text)
    assert frame.select(sf.row_number().over(window).alias("n"), sf.round(sf.sum("x").over(window), 1)).count() == 1000
    grouped = frame.groupBy(rounded.alias("k")).agg(sf.round(sf.avg("x"), 1).alias("v")).orderBy(sf.round("v", 1).desc())
    assert grouped.first()["v"] == 1098.9


def test_what_a_table_says(spark: SparkSession, schema: str) -> None:
    name = f"{schema}.typed"
    spark.sql(f"CREATE TABLE {name} (d DOUBLE, s STRING, p DECIMAL(5, 2)) USING delta")
    spark.sql(f"INSERT INTO {name} SELECT 1e9D, CAST(1e9D AS STRING), bround(0.125, 2)")
    assert [tuple(row) for row in spark.table(name).collect()] == [(1e9, "1.0E9", Decimal("0.12"))]
    spark.sql(f"UPDATE {name} SET s = concat(d, '?') WHERE CAST(d AS STRING) = '1.0E9'")
    assert [row.s for row in spark.table(name).collect()] == ["1.0E9?"]
    spark.sql(f"UPDATE {name} SET s = CAST(sqrt(d * d) AS STRING)")
    assert [row.s for row in spark.table(name).collect()] == ["1.0E9"]
    spark.sql(f"DELETE FROM {name} WHERE round(d / 1e9 + 0.005D, 2) = 1.01D")
    assert spark.table(name).count() == 0


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("CAST(5 AS DATE)", "DATATYPE_MISMATCH"),
        ("TRY_CAST(d AS DATE)", "DATATYPE_MISMATCH"),
        ("hash(CAST(p AS DECIMAL(25, 2)))", "up to 18 digits"),
        ("CAST('x' AS DATE)", "CAST_INVALID_INPUT"),
        ("CAST('x' AS DECIMAL(10, 0))", '"DECIMAL"'),
    ],
)
def test_what_is_refused(spark: SparkSession, expression: str, told: str) -> None:
    with pytest.raises(PySparkException, match=told):
        spark.sql(f"SELECT {expression} {FROM}").collect()


def test_what_is_stored(spark: SparkSession, schema: str) -> None:
    """Numbers that are written to columns of strings and decimals."""
    name = f"{schema}.stored"
    spark.sql(f"CREATE TABLE {name} (s STRING, p DECIMAL(10, 2)) USING delta")
    spark.sql(f"INSERT INTO {name} VALUES (1e20, 1.005D)")
    spark.sql(f"INSERT INTO {name} SELECT CAST(1e-5D AS FLOAT), -0.285D")
    spark.sql("SELECT 1e7D AS s, 2.675D AS p").write.mode("append").saveAsTable(name)
    wanted = [("1.0E-5", Decimal("-0.29")), ("1.0E20", Decimal("1.01")), ("1.0E7", Decimal("2.68"))]
    assert sorted(tuple(row) for row in spark.table(name).collect()) == wanted
    spark.sql(f"UPDATE {name} SET s = 1e8D, p = 1.115D WHERE s = '1.0E7'")
    spark.sql(
        f"MERGE INTO {name} t USING (SELECT 1e9D AS x, 5.015D AS y) u ON t.s = '1.0E20' WHEN MATCHED THEN UPDATE SET s = u.x, p = u.y"
    )
    wanted = [("1.0E-5", Decimal("-0.29")), ("1.0E8", Decimal("1.12")), ("1.0E9", Decimal("5.02"))]
    assert sorted(tuple(row) for row in spark.table(name).collect()) == wanted
    with pytest.raises(PySparkException, match="CAST_OVERFLOW_IN_TABLE_INSERT"):
        spark.sql(f"INSERT INTO {name} VALUES ('a', 1e20)").collect()
