"""Whole numbers past the ends of their type are an error, whatever says so: no sum or product is wrong without a word."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from pyspark.errors import (
    ArithmeticException,
    DateTimeException,
    NumberFormatException,
    PySparkException,
    SparkRuntimeException,
)
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as sf

from boathouse.engine.gateway.sql.arithmetic import Arithmetic
from boathouse.engine.gateway.sql.operands import Node
from boathouse.engine.gateway.sql.tokens import tokenize

MOST = 2**31 - 1
LARGEST = 2**63 - 1


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("SELECT a + b * -2 - (c - 1) FROM t", "[[a + [b * -2]] - [c - 1]]"),
        ("SELECT count(*), t.*, t.a*u.b, * FROM t", "[t.a * u.b]"),
        ("a->b, x -> x + 1, 1e-5, c[1]-2.5e-3, d::int+1", "[x + 1] [c[1] - 2.5e-3] [d::int + 1]"),
        (
            "CASE WHEN a THEN b ELSE c END % 2 + sum(d) OVER (ORDER BY e-1)",
            "[[CASE WHEN a THEN b ELSE c END % 2] + sum(d) OVER (ORDER BY e-1)]",
        ),
        (
            "d + INTERVAL '1' DAY - INTERVAL 2 HOURS, DATE'2024-01-01' - d",
            "[[d + INTERVAL '1' DAY] - INTERVAL 2 HOURS] [DATE'2024-01-01' - d]",
        ),
        ("f(a + 1) BETWEEN 1 AND b DIV 2 - 1 AND 'a+b' = `c+d`", "f(a + 1) BETWEEN 1 AND b DIV 2 - 1 'a+b' = `c+d`"),
        ("SELECT DISTINCT * EXCEPT (a) FROM t -- b + c", ""),
    ],
)
def test_what_is_joined(text: str, wanted: str) -> None:
    def shown(node: Node) -> str:
        start, end = node.source
        if not node.sign:
            return text[start:end]
        parts = [shown(part) for part in node.parts]
        return f"[{f' {node.sign} '.join(parts)}]" if len(parts) == 2 else f"{node.sign[0]}{parts[0]}"

    assert " ".join(map(shown, Arithmetic(tokenize(text), frozenset()).all())) == wanted


@pytest.fixture
def numbers(spark: SparkSession) -> DataFrame:
    rows = [(1, 3, 7, 2, 2, 1.5), (2, MOST, LARGEST, 32767, 127, 2.5)]
    frame = spark.createDataFrame(rows, "id INT, i INT, b BIGINT, s SMALLINT, y TINYINT, d DOUBLE")
    frame.createOrReplaceTempView("numbers")
    return frame


@pytest.mark.parametrize(
    "expression",
    [
        *(
            "i + 1",
            "1 + i",
            "i * 2",
            "-i - 2",
            "i + s + y",
            "s * s",
            "y + y",
            "b + 1",
            "b * id",
            "-2 - b",
            "i * CAST(i AS BIGINT) * i",
        ),
        *(
            "(i * i) / 2.0D",
            "abs(i + 1)",
            "CASE WHEN id = 2 THEN i + 1 ELSE 0 END",
            "IF(i > 5, b + b, 0)",
            "transform(array(i), x -> x + 1)[0]",
        ),
        *("aggregate(array(i, 1), 0, (a, x) -> a + x)", "greatest(0, i + id)", "named_struct('a', i + 1).a", "2147483647 + 1"),
    ],
)
def test_an_expression(numbers: DataFrame, spark: SparkSession, expression: str) -> None:
    for frame in (
        spark.sql(f"SELECT {expression} AS x FROM numbers"),
        spark.sql(f"WITH q AS (SELECT {expression} AS x FROM numbers) SELECT max(x) FROM q"),
        numbers.select(sf.expr(expression)),
        numbers.filter(f"({expression}) IS NOT NULL"),
    ):
        with pytest.raises(ArithmeticException, match="OVERFLOW"):
            frame.collect()


@pytest.mark.parametrize(
    "make",
    [
        lambda f: f.select(sf.col("i") + 1),
        lambda f: f.withColumn("x", 2 * sf.col("b")),
        lambda f: f.filter(sf.col("i") + sf.col("id") > 0),
        lambda f: f.groupBy("d").agg(sf.max(sf.col("i") * sf.col("i"))),
        lambda f: f.groupBy(sf.col("i") + 1).count(),
        lambda f: f.select(sf.transform(sf.array("i"), lambda x: x - -1)),
        lambda f: f.alias("l").join(f.alias("r"), sf.col("l.i") + 1 == sf.col("r.i")),
        lambda f: f.agg(sf.sum("b")),
        lambda f: f.groupBy().sum("b"),
        lambda f: f.select(sf.sum("b").over(Window.partitionBy(sf.lit(1)))),
        lambda f: f.selectExpr("sum(b) + 1"),
    ],
)
def test_a_data_frame(numbers: DataFrame, make: Callable[[DataFrame], DataFrame]) -> None:
    with pytest.raises(ArithmeticException, match=r"\[ARITHMETIC_OVERFLOW"):
        make(numbers).collect()
    few = numbers.sparkSession.createDataFrame([(1, 3, 7, 2, 2, 1.5), (2, 4, 1, 1, 1, 1.0)], numbers.schema)
    assert make(few).collect()


@pytest.mark.parametrize(
    "text",
    [
        "SELECT sum(b) FROM numbers",
        "SELECT sum(DISTINCT b) FROM numbers",
        "SELECT id, sum(b) OVER (ORDER BY id) FROM numbers",
        "SELECT sum(b) FILTER (WHERE id > 0) + 1 FROM numbers",
        "SELECT 1 FROM numbers HAVING sum(b) > 0",
        "SELECT sum(x) FROM (SELECT sum(i) * 30000000000 AS x FROM numbers)",
        "SELECT * FROM numbers WHERE id IN (SELECT i + 1 FROM numbers)",
        "SELECT id FROM numbers UNION ALL SELECT i + 1 FROM numbers",
        "SELECT id FROM numbers GROUP BY id, i + 1",
        "SELECT l.id FROM numbers l JOIN numbers r ON l.i + 1 = r.i",
    ],
)
def test_a_query(numbers: DataFrame, spark: SparkSession, text: str) -> None:
    with pytest.raises(ArithmeticException, match=r"\[ARITHMETIC_OVERFLOW"):
        spark.sql(text).collect()


@pytest.mark.parametrize("text", ["SELECT (SELECT max(i) + 1 FROM numbers)", "VALUES (1), (2147483647 + 1)"])
def test_a_query_without_rows_of_its_own(numbers: DataFrame, spark: SparkSession, text: str) -> None:
    """Spark folds these before it runs, and says so."""
    with pytest.raises(ArithmeticException, match=r"\[ARITHMETIC_OVERFLOW"):
        spark.sql(text).collect()


@pytest.mark.parametrize(
    ("expression", "kind", "value"),
    [
        ("i + 1", "int", 4),
        ("s + 1", "int", 3),
        ("y * y", "tinyint", 4),
        ("s - y", "smallint", 0),
        ("b * i + id", "bigint", 22),
        ("-i * (b - 1) % 4", "bigint", -2),
        ("i * d", "double", 4.5),
        ("i + NULL", "int", None),
        ("sum(b)", "bigint", 7),
        ("sum(b * 2) + sum(i)", "bigint", 17),
        ("sum(b) / 2", "double", 3.5),
        ("max(i + 1) - min(i)", "int", 1),
        ("DATE'2024-01-01' + 1 = DATE'2024-01-02'", "boolean", True),
        ("try_add(2147483647, 1)", "int", None),
    ],
)
def test_what_fits(numbers: DataFrame, spark: SparkSession, expression: str, kind: str, value: Any) -> None:
    frame = spark.sql(f"SELECT {expression} FROM numbers WHERE id = 1")
    assert frame.schema[0].dataType.simpleString() == kind
    table = frame.toArrow()
    assert table.column_names == frame.columns
    assert table.column(0).to_pylist() == [value]


def test_names_and_groups(numbers: DataFrame, spark: SparkSession) -> None:
    """What has no alias is named as before, and what rows are grouped by is one expression wherever it stands."""
    few = numbers.filter("id = 1")
    few.createOrReplaceTempView("few")
    one: Column = sf.col("i") + 1
    for frame, columns, row in (
        (few.select(one, "*"), ["(i + 1)", *numbers.columns], (4, 1, 3, 7, 2, 2, 1.5)),
        (few.groupBy(one).agg(sf.sum("b"), one * 2), ["(i + 1)", "sum(b)", "((i + 1) * 2)"], (4, 7, 8)),
        (
            spark.sql("SELECT i + 1, (i + 1) * 2, sum(b) FROM few GROUP BY i + 1"),
            ["(i + 1)", "((i + 1) * 2)", "sum(b)"],
            (4, 8, 7),
        ),
        (spark.sql("SELECT * FROM (SELECT i + 1, b AS c FROM few)"), ["(i + 1)", "c"], (4, 7)),
        (spark.sql("SELECT i + 1 AS n, n + 1 AS m FROM few GROUP BY ALL"), ["n", "m"], (4, 5)),
        (spark.sql("SELECT DISTINCT i + 1 AS n FROM few ORDER BY n"), ["n"], (4,)),
    ):
        assert [tuple(found) for found in frame.collect()] == [row]
        assert frame.toArrow().column_names == columns
    spark.sql("CREATE OR REPLACE TEMPORARY VIEW made AS SELECT i + 1, b FROM few")
    assert spark.table("made").columns == ["(i + 1)", "b"]


def test_what_types_are_known_of(spark: SparkSession, schema: str) -> None:
    """Columns of tables that are no whole numbers are not asked for; a name that stands for another thing is."""
    spark.sql(f"CREATE TABLE {schema}.t AS SELECT 1.5D AS f, {LARGEST} AS b, DATE'2024-01-01' AS d")
    fits = f"SELECT f + 1, sum(f * 2), d + 1 FROM {schema}.t GROUP BY f, d"
    assert [row[1] for row in spark.sql(fits).collect()] == [3.0]
    for text in (
        "SELECT f + 1 FROM (SELECT b AS f FROM {})",
        "SELECT sum(f) * 2 FROM (SELECT b f FROM {})",
        "WITH q (f) AS (SELECT b FROM {}) SELECT f + 1 FROM q",
        "SELECT q.f + 1 FROM (SELECT b FROM {}) AS q(f)",
        "SELECT f - b + b + b FROM (SELECT b + 0 AS f, b FROM {})",
    ):
        with pytest.raises(ArithmeticException, match=r"\[ARITHMETIC_OVERFLOW"):
            spark.sql(text.format(f"{schema}.t")).collect()


def test_changes_of_tables(spark: SparkSession, schema: str) -> None:
    spark.sql(f"CREATE TABLE {schema}.t (id INT, i INT, b BIGINT)")
    spark.sql(f"INSERT INTO {schema}.t VALUES (1, 3, 7), (2, {MOST}, {LARGEST})")
    spark.sql(f"CREATE VIEW {schema}.v AS SELECT i + 1 AS i FROM {schema}.t")
    for text in (
        f"INSERT INTO {schema}.t SELECT id, i + 1, b FROM {schema}.t",
        f"INSERT INTO {schema}.t (b, id) SELECT b + 1, id FROM {schema}.t",
        f"CREATE TABLE {schema}.u AS SELECT i + 1 AS i FROM {schema}.t",
        f"UPDATE {schema}.t SET i = i + 1",
        f"UPDATE {schema}.t SET i = 0 WHERE b + 1 > 0",
        f"DELETE FROM {schema}.t WHERE i + 1 > 0",
        f"MERGE INTO {schema}.t USING (SELECT 2 AS k) ON id = k WHEN MATCHED THEN UPDATE SET b = b + k",
        f"MERGE INTO {schema}.t x USING (SELECT i + 1 AS k FROM {schema}.t) s ON x.id = s.k WHEN MATCHED THEN DELETE",
        f"MERGE INTO {schema}.t x USING {schema}.t s ON x.id = s.id + 5 WHEN NOT MATCHED THEN INSERT (id) VALUES (s.i + 1)",
        f"SELECT * FROM {schema}.v",
    ):
        with pytest.raises(PySparkException, match="OVERFLOW"):
            spark.sql(text).collect()
    assert sorted(map(tuple, spark.table(f"{schema}.t").collect())) == [(1, 3, 7), (2, MOST, LARGEST)]
    spark.sql(f"UPDATE {schema}.t SET i = i + 1, b = b * 2 WHERE id - 1 = 0")
    spark.sql(
        f"MERGE INTO {schema}.t x USING (SELECT id + 1 AS id FROM {schema}.t) s ON x.id = s.id "
        "WHEN MATCHED THEN UPDATE SET i = x.i - s.id WHEN NOT MATCHED THEN INSERT (id, i) VALUES (s.id, s.id * 2)"
    )
    assert sorted(map(tuple, spark.table(f"{schema}.t").collect())) == [(1, 4, 14), (2, MOST - 2, LARGEST), (3, 6, None)]


def test_what_costs_is_computed_once(numbers: DataFrame, spark: SparkSession) -> None:
    """A function of Python is not called a second time to see whether it gave NULL."""
    told = sf.udf(lambda x: x, "int")
    assert [row[0] for row in numbers.filter("id = 1").select(told("i") + 1).collect()] == [4]
    with pytest.raises(ArithmeticException, match="OVERFLOW"):
        numbers.select(told("i") + 1).collect()


def test_errors_of_arithmetic_have_their_class(spark: SparkSession) -> None:
    for text, told in (
        ("SELECT CAST(3000000000 AS INT)", "CAST_OVERFLOW"),
        ("SELECT 1 / 0", "DIVIDE_BY_ZERO"),
        ("SELECT abs(CAST(-2147483648 AS INT))", "ARITHMETIC_OVERFLOW"),
    ):
        with pytest.raises(ArithmeticException, match=rf"\[{told}"):
            spark.sql(text).collect()


@pytest.mark.parametrize(
    ("text", "kind", "told"),
    [
        (
            "CAST('x y' AS INT)",
            NumberFormatException,
            '[CAST_INVALID_INPUT] The value \'x y\' of the type "STRING" cannot be cast to "INT"',
        ),
        ("CAST('x' AS DOUBLE)", NumberFormatException, "[CAST_INVALID_INPUT] The value 'x'"),
        ("CAST('x' AS DECIMAL(5, 2))", NumberFormatException, "[CAST_INVALID_INPUT] The value 'x'"),
        ("CAST('x' AS TIMESTAMP)", DateTimeException, "[CAST_INVALID_INPUT] The value 'x'"),
        ("CAST('x' AS BOOLEAN)", SparkRuntimeException, "[CAST_INVALID_INPUT] The value 'x'"),
        ("CAST(12345.678 AS DECIMAL(5, 2))", ArithmeticException, "[NUMERIC_VALUE_OUT_OF_RANGE"),
    ],
)
def test_values_that_a_type_does_not_hold(spark: SparkSession, text: str, kind: type[Exception], told: str) -> None:
    with pytest.raises(kind, match=re.escape(told)):
        spark.sql(f"SELECT {text}").collect()


def test_a_session_may_want_them_to_wrap_around(numbers: DataFrame, spark: SparkSession) -> None:
    spark.conf.set("spark.sql.ansi.enabled", "false")
    try:
        assert numbers.filter("id = 2").selectExpr("i + 1").collect()[0][0] == -(2**31)
    finally:
        spark.conf.set("spark.sql.ansi.enabled", "true")
    with pytest.raises(ArithmeticException, match="OVERFLOW"):
        numbers.selectExpr("i + 1").collect()


@pytest.fixture
def decimals(spark: SparkSession) -> SparkSession:
    rows = [(Decimal("2.00"), Decimal(3), 7, 2.0), (Decimal("5.00"), Decimal(-3), 7, 1.0)]
    frame = spark.createDataFrame(rows, "a DECIMAL(10, 2), b DECIMAL(38, 18), n INT, f DOUBLE")
    frame.createOrReplaceTempView("decimals")
    return spark


@pytest.mark.parametrize(
    ("expression", "kind", "values"),
    [
        ("a / 3", "decimal(14,6)", "0.666667 1.666667"),
        ("-a / 3", "decimal(14,6)", "-0.666667 -1.666667"),
        ("a / b", "decimal(38,12)", "0.666666666667 -1.666666666667"),
        ("a / n", "decimal(21,13)", "0.2857142857143 0.7142857142857"),
        ("2 / a", "decimal(14,11)", "1.00000000000 0.40000000000"),
        ("a / 1.5BD / 7", None, "0.19047614 0.47619043"),
        ("b / b", "decimal(38,6)", "1.000000 1.000000"),
        ("b * b", "decimal(38,6)", "9.000000 9.000000"),
        ("b + CAST(a AS DECIMAL(38, 2))", "decimal(38,6)", "5.000000 2.000000"),
        ("a / f", "double", "1.0 5.0"),
        ("avg(a / 3) OVER (ORDER BY a)", "decimal(18,10)", "0.6666670000 1.1666670000"),
        ("avg(b) OVER (ORDER BY a)", "decimal(38,22)", f"3.{'0' * 22} 0.{'0' * 22}"),
        ("sum(b) OVER (ORDER BY a)", "decimal(38,18)", f"3.{'0' * 18} 0.{'0' * 18}"),
        ("CAST(a AS DECIMAL(5, 1)) / (1 + 2)", None, None),
    ],
)
def test_decimals(decimals: SparkSession, expression: str, kind: str | None, values: str | None) -> None:
    """They have Spark's digits, rounded half up, in SQL and in DataFrames alike, and their columns keep their names."""
    plain = decimals.table("decimals").orderBy("a")
    frames = (
        decimals.sql(f"SELECT {expression} FROM decimals ORDER BY a"),
        plain.selectExpr(expression),
        plain.select(sf.expr(expression)),
    )
    for frame in frames:
        table = frame.toArrow()
        found = frame.schema[0].dataType.simpleString()
        assert table.schema.field(0).name == frame.columns[0]
        assert "CAST((" not in frame.columns[0]
        assert found == (kind or found)
        assert values is None or [_shown(row) for row in table.column(0).to_pylist()] == values.split()


def test_hours_of_a_date(spark: SparkSession) -> None:
    """A date and an interval of less than days are a timestamp."""
    made = (
        "d + INTERVAL 1 HOUR",
        "INTERVAL '30' MINUTE + d",
        "DATE'2024-03-01' - INTERVAL 1 DAY 1 SECOND",
        "d + INTERVAL 1 DAY",
        "d - INTERVAL 1 MONTH",
    )
    relation = "FROM VALUES (DATE'2024-01-31') AS t(d)"
    kinds = spark.sql(f"SELECT {', '.join(made)} {relation}").toArrow().schema.types
    assert [str(kind).partition("[")[0] for kind in kinds] == ["timestamp"] * 3 + ["date32"] * 2
    texts = ", ".join(f"CAST({one} AS STRING)" for one in made)
    assert list(spark.sql(f"SELECT {texts} {relation}").collect()[0]) == [
        *("2024-01-31 01:00:00", "2024-01-31 00:30:00", "2024-02-28 23:59:59"),
        *("2024-02-01", "2023-12-31"),
    ]


def _shown(value: Any) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def test_means_and_sums_of_decimals(decimals: SparkSession) -> None:
    row = decimals.sql(
        "SELECT sum(v) / count(*), avg(v), sum(v) / 3, avg(v) / 7.0, avg(DISTINCT v) FILTER (WHERE v > 2) FROM VALUES (1.5), (2.5), (3.1) AS t(v)"
    ).collect()[0]
    assert list(map(str, row)) == ["2.3666666666666666666667", "2.36667", "2.366667", "0.33809571", "2.80000"]
    frame = decimals.table("decimals")
    means = frame.groupBy("n").agg(sf.avg(sf.col("a") / sf.col("n")), sf.sum("a") / 3, sf.avg("b"))
    assert means.columns == ["n", "avg((a / n))", "(sum(a) / 3)", "avg(b)"]
    assert [_shown(value) for value in means.collect()[0]] == ["7", "0.50000000000000000", "2.333333", f"0.{'0' * 22}"]


@pytest.mark.parametrize(
    "query",
    [
        f"SELECT sum(v) FROM VALUES ({'9' * 38}), ({'9' * 38}) AS t(v)",
        f"SELECT sum(v) OVER (ORDER BY v) FROM VALUES ({'9' * 38}), ({'9' * 38}) AS t(v)",
        f"SELECT v + 1 FROM VALUES ({'9' * 38}), ({'9' * 38}) AS t(v)",
        f"SELECT v / 0.1 FROM VALUES ({'9' * 38}), ({'9' * 38}) AS t(v)",
    ],
)
def test_decimals_of_too_many_digits(spark: SparkSession, query: str) -> None:
    with pytest.raises(ArithmeticException, match="OUT_OF_RANGE"):
        spark.sql(query).collect()


def test_decimals_that_are_kept(spark: SparkSession, schema: str) -> None:
    spark.sql(f"CREATE TABLE {schema}.t AS SELECT CAST(2 AS DECIMAL(10, 2)) AS a, 3 AS n")
    spark.sql(f"CREATE TABLE {schema}.u AS SELECT a / n AS q, avg(a) / 3 AS m FROM {schema}.t GROUP BY a, n")
    assert [str(value) for value in spark.table(f"{schema}.u").collect()[0]] == ["0.6666666666667", "0.66666667"]
    spark.sql(f"UPDATE {schema}.t SET a = a / n")
    spark.sql(f"CREATE VIEW {schema}.v AS SELECT a, a / 7 AS q FROM {schema}.t")
    assert [str(value) for value in spark.table(f"{schema}.v").collect()[0]] == ["0.67", "0.095714"]
