"""Calls and operators of which the engine gives another value than Spark, or that it has not: the values here are Apache Spark 4.2's."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as sf

A_DAY = timedelta(days=1)
T = "t(i, a, m, d, e, s, p, f)"
ROWS = (
    "(1, array(1, NULL), map('a', 1, 'b', 2), DATE'2024-03-01', DATE'2024-02-01', '5', CAST(1.5 AS DECIMAL(10, 2)), 2.5D)",
    "(2, array(3), map('c', 3), DATE'2024-03-02', DATE'2024-02-01', '7', CAST(2.25 AS DECIMAL(10, 2)), 0.5D)",
    "(25, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
)
FROM = f"FROM VALUES {', '.join(ROWS)} AS {T}"


@pytest.fixture
def rows(spark: SparkSession) -> DataFrame:
    return spark.sql(f"SELECT * {FROM}")


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("array_contains(a, 5)", [None, False, None]),
        ("array_contains(a, i)", [True, False, None]),
        ("array_contains(array(1, 2), nullif(i, 1))", [None, True, False]),
        ("transform_values(m, (k, v) -> v * i + length(k))", [{"a": 2, "b": 3}, {"c": 7}, None]),
        ("transform_keys(m, (k, v) -> concat(k, v))", [{"a1": 1, "b2": 2}, {"c3": 3}, None]),
        ("zip_with(a, array(i, i, i), (x, y) -> x + y)", [[2, None, None], [5, None, None], None]),
        ("zip_with(array('a', 'b'), array('c'), (x, y) -> concat(x, coalesce(y, '-')))", [["ac", "b-"]] * 3),
        ("map_zip_with(m, map('a', i), (k, x, y) -> x + y)", [{"a": 2, "b": None}, {"a": None, "c": None}, None]),
        (
            "transform_values(m, (k, v) -> size(transform_values(map(k, v), (q, w) -> w + v)))",
            [{"a": 1, "b": 1}, {"c": 1}, None],
        ),
        ("factorial(i)", [1, 2, None]),
        ("factorial(-i)", [None, None, None]),
        ("size(NULL)", [None, None, None]),
        ("try_to_date(concat('2024-0', s, '-01'))", [date(2024, 5, 1), date(2024, 7, 1), None]),
        ("try_to_date('x', 'yyyy')", [None, None, None]),
        ("left('abc', -i)", ["", "", ""]),
        ("substring('hello', -10, 3)", [""] * 3),
        ("substring('hello', -3, 2)", ["ll"] * 3),
        ("split('abc', '')", [["a", "b", "c"]] * 3),
        ("rint(2.5)", [2.0] * 3),
        ("unix_millis(timestamp_seconds(1.5))", [1500] * 3),
        ("datediff(d, e)", [29, 30, None]),
        ("d - e", [29 * A_DAY, 30 * A_DAY, None]),
        ("extract(DAY FROM d - e)", [29, 30, None]),
        ("CAST(d - e AS INT)", [29, 30, None]),
        ("d - e > INTERVAL 29 DAYS", [False, True, None]),
        ("d + 1 - e", [30 * A_DAY, 31 * A_DAY, None]),
        ("CAST(d AS TIMESTAMP) - e", [29 * A_DAY, 30 * A_DAY, None]),
        ("extract(HOUR FROM INTERVAL '3 04:05:06' DAY TO SECOND)", [4, 4, 4]),
        ("extract(MINUTE FROM TIMESTAMP'2024-05-17 10:11:12')", [11, 11, 11]),
        ("timestampdiff(DAY, TIMESTAMP'2024-05-17 23:00:00', TIMESTAMP'2024-05-18 01:00:00')", [0, 0, 0]),
        ("s + 1", [6, 8, None]),
        ("3 - s", [-2, -4, None]),
        ("s * p", [7.5, 15.75, None]),
        ("s + 0.5", [5.5, 7.5, None]),
        ("s % 4", [1, 3, None]),
        ("try_divide(p, f)", [0.6, 4.5, None]),
        ("try_divide(p, i - 1)", [None, Decimal("2.2500000000000"), None]),
        ("try_add(i, 2147483647)", [None, None, None]),
        ("try_add(CAST(i AS BIGINT), 9223372036854775806)", [9223372036854775807, None, None]),
        ("try_multiply(CAST(i AS TINYINT), CAST(100 AS TINYINT))", [100, None, None]),
        ("try_subtract(d, e)", [29 * A_DAY, 30 * A_DAY, None]),
        ("try_multiply(p, p)", [Decimal("2.2500"), Decimal("5.0625"), None]),
        ("try_multiply(CAST(p AS DECIMAL(38, 2)), CAST(9e35 AS DECIMAL(38, 0)))", [None, None, None]),
    ],
)
def test_an_expression(rows: DataFrame, spark: SparkSession, expression: str, wanted: list[Any]) -> None:
    found = spark.sql(f"SELECT {expression} AS v {FROM} ORDER BY i")
    assert [row.v for row in found.collect()] == wanted
    named = rows.orderBy("i").select(sf.expr(expression).alias("v"))
    assert [row.v for row in named.collect()] == wanted


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        (lambda: sf.array_contains("a", 5), [None, False, None]),
        (lambda: ~sf.array_contains("a", sf.col("i")), [False, True, None]),
        (lambda: sf.transform_values("m", lambda k, v: v * sf.col("i") + sf.length(k)), [{"a": 2, "b": 3}, {"c": 7}, None]),
        (lambda: sf.transform_keys("m", lambda k, v: sf.concat(k, v, sf.lit(""))), [{"a1": 1, "b2": 2}, {"c3": 3}, None]),
        (lambda: sf.zip_with("a", sf.array("i", "i", "i"), lambda x, y: x + y), [[2, None, None], [5, None, None], None]),
        (
            lambda: sf.map_zip_with("m", sf.create_map(sf.lit("a"), sf.col("i")), lambda k, x, y: x + y + sf.length(k) - 1),
            [{"a": 2, "b": None}, {"a": None, "c": None}, None],
        ),
        (lambda: sf.factorial("i"), [1, 2, None]),
        (lambda: sf.split("s", ""), [["5"], ["7"], None]),
        (lambda: sf.datediff("d", "e"), [29, 30, None]),
        (lambda: sf.col("d") - sf.col("e"), [29 * A_DAY, 30 * A_DAY, None]),
        (lambda: (sf.col("d") - sf.col("e")).cast("int"), [29, 30, None]),
        (lambda: sf.col("s") + 1, [6, 8, None]),
        (lambda: sf.col("s") * sf.col("p"), [7.5, 15.75, None]),
        (lambda: sf.try_divide("p", sf.col("i") - 1), [None, Decimal("2.2500000000000"), None]),
        (lambda: sf.try_add("i", sf.lit(2147483647)), [None, None, None]),
        (lambda: sf.try_subtract("d", "e"), [29 * A_DAY, 30 * A_DAY, None]),
        (lambda: sf.call_function("array_contains", sf.col("a"), sf.lit(7)), [None, False, None]),
        (lambda: sf.percentile_approx("i", 0.5).over(Window.partitionBy(sf.lit(1))), [2, 2, 2]),
    ],
)
def test_an_expression_of_a_data_frame(rows: DataFrame, expression: Callable[[], Column], wanted: list[Any]) -> None:
    assert [row.v for row in rows.orderBy("i").select(expression().alias("v")).collect()] == wanted


def test_names(rows: DataFrame, spark: SparkSession) -> None:
    """Columns keep the names of what was asked for."""
    found = rows.select(sf.array_contains("a", 5), sf.datediff("d", "e"), sf.col("s") + 1)
    assert found.columns == ["array_contains(a, 5)", "datediff(d, e)", "(s + 1)"]
    assert rows.agg(sf.percentile_approx("i", 0.5)).columns == ["percentile_approx(i, 0.5, 10000)"]
    assert spark.sql(f"SELECT array_contains(a, 5), s + 1, d - e {FROM}").columns == [
        "array_contains(a, 5)",
        "(s + 1)",
        "(d - e)",
    ]
    shown = spark.sql(
        "SELECT conv( '10',10, -2), trunc(DATE'2024-05-17','x'), regexp_replace('a1', '[\\\\d]{1}', '-'), left('abc', 1 + 1)"
    )
    assert shown.columns == [
        "conv(10, 10, -2)",
        "trunc(DATE '2024-05-17', x)",
        r"regexp_replace(a1, [\d]{1}, -)",
        "left(abc, 1 + 1)",
    ]
    typed = spark.sql(f"SELECT d - DATE'2024-01-01', s RLIKE '\\\\d', d - e = e - d AND s = 5 {FROM}")
    assert typed.columns[0] == "(d - DATE '2024-01-01')"
    assert typed.columns[1:] == [r"s RLIKE \d", "(((d - e) = (e - d)) AND (s = 5))"]
    assert spark.sql(f"SELECT d - e AS days {FROM}").schema["days"].dataType.simpleString() == "interval day to second"


def test_percentiles(rows: DataFrame, spark: SparkSession) -> None:
    """They are elements, of the type that these have, and of several percentages an array."""
    found = spark.sql(
        "SELECT g, percentile_approx(x, 0.5) AS m, approx_percentile(x, array(0, 0.9), 100) AS q, "
        "percentile_approx(x, 0.5) FILTER (WHERE x > 1) AS k, percentile_approx(d, 1.0) AS d "
        "FROM VALUES ('a', 1, DATE'2024-01-01'), ('a', 3, NULL), ('b', 7, NULL), ('b', NULL, NULL), ('c', NULL, NULL) AS t(g, x, d) "
        "GROUP BY g ORDER BY g"
    )
    assert [tuple(row) for row in found.collect()] == [
        ("a", 1, [1, 3], 3, date(2024, 1, 1)),
        ("b", 7, [7, 7], 7, None),
        ("c", None, None, None, None),
    ]
    assert found.schema["q"].dataType.simpleString() == "array<int>"
    several = rows.agg(sf.percentile_approx("i", [0.25, 0.75]).alias("q"), sf.percentile("i", 0.5).alias("p"))
    assert tuple(several.collect()[0]) == ([1, 25], 2.0)


def test_collected_over_a_window(spark: SparkSession) -> None:
    """Without NULLs, as in groups."""
    values = "FROM VALUES ('a', 1), ('a', NULL), ('b', NULL) AS t(g, x)"
    found = spark.sql(f"SELECT DISTINCT g, collect_list(x) OVER (PARTITION BY g) AS c {values} ORDER BY g")
    assert [row.c for row in found.collect()] == [[1], []]
    frame = spark.sql(f"SELECT * {values}").select("g", sf.collect_list("x").over(Window.partitionBy("g")).alias("c"))
    assert [row.c for row in frame.distinct().orderBy("g").collect()] == [[1], []]


def test_percentiles_with_frequencies(spark: SparkSession) -> None:
    values = "FROM VALUES ('a', 0, 1), ('a', 10, 3), ('a', NULL, 9), ('b', 4, 2), ('c', NULL, 1) AS t(g, x, n)"
    found = spark.sql(
        "SELECT g, percentile(x, 0.5, n), percentile(x, array(0.25, 1), n), percentile(x, 0, n) FILTER (WHERE x > 0) "
        f"{values} GROUP BY g ORDER BY g"
    )
    wanted = [("a", 10.0, [7.5, 10.0], 10.0), ("b", 4.0, [4.0, 4.0], 4.0), ("c", None, None, None)]
    assert [tuple(row) for row in found.collect()] == wanted
    frame = (
        spark.sql(f"SELECT * {values}").groupBy("g").agg(sf.percentile("x", [0.25, 1.0], sf.col("n")).alias("p")).orderBy("g")
    )
    assert [row.p for row in frame.collect()] == [one[2] for one in wanted]
    windowed = spark.sql(f"SELECT DISTINCT g, percentile(x, 0.25, n) OVER (PARTITION BY g) AS p {values} ORDER BY g")
    assert [row.p for row in windowed.collect()] == [7.5, 4.0, None]


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("conv('-10', 10, 2)", "1111111111111111111111111111111111111111111111111111111111110110"),
        ("conv('-10', 16, -10)", "-16"),
        ("conv(-1, 10, 16)", "FFFFFFFFFFFFFFFF"),
        ("conv('-10', 10, 10)", "18446744073709551606"),
        ("conv(' 12x ', 10, 16)", "C"),
        ("conv('zz', 16, 10)", "0"),
        ("conv('ff', 16, 10)", "255"),
        ("hash(NULL)", 42),
        ("right('abc', -1)", ""),
        (r"regexp_replace('café 12', '[\\W\\d]{2}', '-')", "caf--"),
        (r"regexp_extract('é1x', '(\\w)(\\w)', 1)", "1"),
        (r"'é' RLIKE '\\w' OR regexp_like('é', '^\\w$') OR 'é' REGEXP '\\w'", False),
        (r"regexp_replace('xé1', '\\w', '<$0_>', 2)", "xé<1_>"),
        (r"split('a1b22', '\\d+')", ["a", "b", ""]),
        ("regexp_replace('ab', '(a)', '$1x')", "axb"),
        ("regexp_replace('ab', '(a)', '$12{x}')", "a2{x}b"),
        ("regexp_replace('ab', 'a', '\\\\$1_')", "$1_b"),
        ("regexp_replace('aab', '(a)', '$1x', 2)", "aaxb"),
        ("regexp_replace('ab', '(a)(b)', '$2$1')", "ba"),
        ("hash(1, NULL)", -559580957),
        ("xxhash64(NULL)", 42),
        ("""json_array_length('{"a":1}')""", None),
        ("json_array_length(' [1,2]')", 2),
        ("json_array_length(NULL)", None),
        ("trunc(DATE'2024-05-17', 'unknown')", None),
        ("trunc(DATE'2024-05-17', 'day')", None),
        ("trunc(DATE'2024-05-17', 'MM')", date(2024, 5, 1)),
        ("date_trunc(NULL, TIMESTAMP'2024-05-17 10:11:12')", None),
        ("quote('Don\\'t')", r"'Don\'t'"),
        ("quote('a\"b')", "'a\"b'"),
        ("chr(300)", ","),
        ("chr(-1)", ""),
        ("try_aes_decrypt(unhex('00'), '0000111122223333')", None),
        ("CAST(aes_decrypt(aes_encrypt('Spark', '0000111122223333'), '0000111122223333') AS STRING)", "Spark"),
        ("to_json(named_struct('t', TIMESTAMP'2024-01-01 10:11:12.345678'))", '{"t":"2024-01-01T10:11:12.345Z"}'),
        ("to_json(struct(DATE'2024-01-02' AS d), map('dateFormat', 'dd/MM/yyyy'))", '{"d":"02/01/2024"}'),
        ("elt(2, 'a', 'b')", "b"),
        ("elt(CAST(NULL AS INT), 'a', 'b')", None),
        ("slice(array(1, 2, 3), -2, 2)", [2, 3]),
        ("slice(CAST(NULL AS ARRAY<INT>), size(array()), 1)", None),
        ("'true' = true", True),
        ("coalesce(NULL, 'yes', false)", True),
        ("greatest(DATE'2024-01-01', TIMESTAMP'2024-01-01 10:00:00')", datetime(2024, 1, 1, 10)),
        ("'it''s' || \"a\"\"b\" || 'c' 'd' || ''''", "it'sa\"bcd'"),
    ],
)
def test_a_value(spark: SparkSession, expression: str, wanted: Any) -> None:
    assert spark.sql(f"SELECT {expression} AS v").collect()[0].v == wanted
    assert spark.range(1).select(sf.expr(expression).alias("v")).collect()[0].v == wanted


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("elt(i, 'a', 'b')", "INVALID_ARRAY_INDEX"),
        ("slice(a, 0, 1)", "INVALID_PARAMETER_VALUE.START"),
        ("slice(a, 1, -i)", "INVALID_PARAMETER_VALUE.LENGTH"),
        ("aes_decrypt(unhex('00'), '0000111122223333')", "AES_CRYPTO_ERROR"),
        ("greatest('10', i)", "DATA_DIFF_TYPES"),
        ("least('10', 9)", "DATA_DIFF_TYPES"),
        ("""get_json_object('{"a":[]}', '$.a[*].b')""", "from_json"),
        ("to_json(struct(i), map('ignoreNullFields', 'false'))", "ignorenullfields"),
        ("true = 'x'", "CAST_INVALID_INPUT"),
        ("'abc' RLIKE 'a(?=b)'", "look-around"),
        (r"regexp_extract('aa', '(a)\\1', 0)", "back-reference"),
        ("split('abc', '(?<=a)')", "look-around"),
        ("regexp_replace('abc', concat('a(?', '=b)'), '')", "look-around"),
        ("'abc' RLIKE concat('(', i)", "no regular expression"),
    ],
)
def test_what_is_refused(rows: DataFrame, spark: SparkSession, expression: str, told: str) -> None:
    with pytest.raises(PySparkException, match=told):
        spark.sql(f"SELECT {expression} {FROM}").collect()
    with pytest.raises(PySparkException, match=told):
        rows.select(sf.expr(expression)).collect()


def test_calls_of_a_data_frame(spark: SparkSession) -> None:
    frame = spark.sql("SELECT 'true' AS s, TIMESTAMP'2024-01-01 10:11:12' AS t, '-10' AS n, 3 AS i")
    found = frame.select(
        (sf.col("s") == sf.lit(True)).alias("s"),  # noqa: FBT003
        sf.to_json(sf.struct("t")).alias("j"),
        sf.conv("n", 10, 16).alias("c"),
        sf.hash(sf.lit(None), "i").alias("h"),
        sf.trunc(sf.lit(date(2024, 5, 17)), "x").alias("d"),
    )
    assert tuple(found.collect()[0]) == (True, '{"t":"2024-01-01T10:11:12.000Z"}', "FFFFFFFFFFFFFFF6", -1823081949, None)
    with pytest.raises(PySparkException, match="INVALID_ARRAY_INDEX"):
        frame.select(sf.elt(sf.col("i"), sf.lit("a"), sf.lit("b"))).collect()
    with pytest.raises(PySparkException, match="from_json"):
        frame.select(sf.get_json_object("s", "$[*].a")).collect()


def test_doubled_quotes(spark: SparkSession, schema: str) -> None:
    """Of a quote in a string."""
    name = f"{schema}.quotes"
    spark.sql(f"CREATE TABLE {name} (s STRING COMMENT 'it''s') USING delta COMMENT 'who''s'")
    spark.sql(f"INSERT INTO {name} VALUES ('it''s'), ('its')")
    assert [row.s for row in spark.sql(f"SELECT s FROM {name} WHERE s = 'it''s'").collect()] == ["it's"]
    assert [row.s for row in spark.table(name).where("s = 'it''s'").collect()] == ["it's"]
    spark.sql(f"CREATE VIEW {name}_v AS SELECT s FROM {name} WHERE s LIKE '%''%'")
    assert [row.s for row in spark.table(f"{name}_v").collect()] == ["it's"]
    assert spark.catalog.listColumns(name)[0].description == "it's"


@pytest.mark.parametrize(
    ("statement", "wanted"),
    [
        ("UPDATE {t} SET k = k + 10 WHERE d = p", [2, 3, 4, 11]),
        ("UPDATE {t} SET k = CASE WHEN d > p THEN 0 ELSE k END, s = d > p", [0, 0, 0, 1]),
        ("UPDATE {t} SET k = 0 WHERE k = 1 AND s = true", [0, 2, 3, 4]),
        ("DELETE FROM {t} WHERE d IN (p, 7)", [2, 3, 4]),
        ("DELETE FROM {t} WHERE d > 0.1 * 3", [1]),
        ("DELETE FROM {t} WHERE p BETWEEN d AND 100D", [2, 3, 4]),
        ("MERGE INTO {t} t USING (SELECT * FROM {t}) s ON t.d = s.p WHEN MATCHED THEN UPDATE SET k = 9", [2, 3, 4, 9]),
        ("MERGE INTO {t} t USING (SELECT * FROM {t}) s ON t.k = s.k WHEN MATCHED AND t.d > s.p THEN DELETE", [1]),
        ("INSERT INTO {t} SELECT 5, d, p, s FROM {t} WHERE d = p", [1, 2, 3, 4, 5]),
    ],
)
def test_decimals_beside_doubles_in_commands(spark: SparkSession, schema: str, statement: str, wanted: list[int]) -> None:
    name = f"{schema}.mixed"
    spark.sql(f"CREATE TABLE {name} (k INT, d DOUBLE, p DECIMAL(20, 10), s STRING) USING delta")
    values = "(1, 0.1D, 0.1, 'true'), (2, 1e20, 5, 'no'), (3, double('NaN'), 3, NULL), (4, 0.30000000000000004D, 0.3, 't')"
    spark.sql(f"INSERT INTO {name} VALUES {values}")
    spark.sql(statement.format(t=name))
    assert sorted(row.k for row in spark.table(name).collect()) == wanted


def test_means_of_strings(rows: DataFrame, spark: SparkSession) -> None:
    assert spark.sql(f"SELECT avg(s) AS v, avg(s + 1) AS w {FROM}").collect()[0] == (6.0, 7.0)
    assert rows.agg(sf.avg("s").alias("v")).collect()[0].v == 6.0
    with pytest.raises(PySparkException, match="CAST_INVALID_INPUT"):
        spark.sql("SELECT x + 1 FROM VALUES ('a') AS t(x)").collect()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "SELECT * FROM VALUES (1, 'a', 10), (1, 'b', 20), (2, 'a', 5) AS t(g, k, v) PIVOT (sum(v) FOR k IN ('a', 'b')) ORDER BY g",
            [(1, 10, 20), (2, 5, None)],
        ),
        (
            "SELECT x FROM VALUES (1, 2), (NULL, 2), (5, 6) AS t(x, z) WHERE (x, z) NOT IN ((1, 2), (3, 4)) ORDER BY x",
            [(None,), (5,)],
        ),
        (
            "SELECT x FROM VALUES (1, 2), (NULL, 2), (5, 6) AS t(x, z) WHERE (x, t.z) IN ((1, 2), (5, 6)) ORDER BY x",
            [(1,), (5,)],
        ),
        (
            "SELECT * FROM VALUES (1, 10, 20), (2, NULL, 5) AS t(g, a, b) UNPIVOT (v FOR k IN (a AS `A1`, b)) ORDER BY g, k",
            [(1, "A1", 10), (1, "b", 20), (2, "b", 5)],
        ),
        (
            "SELECT regr_count(y, x) AS n, try_avg(p) AS a FROM VALUES (1, 2, 1.5), (2, NULL, 2.55) AS t(y, x, p)",
            [(1, Decimal("2.025000"))],
        ),
        ("SELECT (1, NULL) NOT IN ((1, 2)) AS v, (1, 2) IN ((1, 3), (1, 2)) AS w", [(True, True)]),
        ("SELECT x FROM VALUES (1, array(1, NULL)), (2, array(1, NULL)) AS t(x, a) WHERE NOT array_contains(a, x)", []),
    ],
)
def test_rows(spark: SparkSession, text: str, wanted: list[tuple[Any, ...]]) -> None:
    assert [tuple(row) for row in spark.sql(text).collect()] == wanted


@pytest.mark.parametrize(
    ("expression", "kind", "wanted"),
    [
        ("coalesce(p, f)", "double", [1.5, 2.25, None]),
        ("coalesce(f, p) + i", "double", [3.5, 2.5, None]),
        ("if(i > 1, p, f)", "double", [2.5, 2.25, None]),
        ("CASE WHEN i = 1 THEN p * 2 WHEN i = 2 THEN f END", "double", [3.0, 0.5, None]),
        ("CASE i WHEN 1 THEN p ELSE CAST(2 AS DECIMAL(10, 4)) END", "decimal(12,4)", [Decimal("1.5000"), 2, 2]),
        ("greatest(p, f)", "double", [2.5, 2.25, None]),
        ("array(p, f)", "array<double>", [[1.5, 2.5], [2.25, 0.5], [None, None]]),
        ("coalesce(i, 'none')", "bigint", [1, 2, 25]),
        ("nvl(s, i)", "bigint", [5, 7, 25]),
        ("coalesce(s, p)", "double", [5.0, 7.0, None]),
        ("CASE WHEN i > 99 THEN 'many' ELSE i END", "bigint", [1, 2, 25]),
        ("if(i > 1, i, CAST(3 AS BIGINT))", "bigint", [3, 2, 25]),
        ("CAST(0.3 AS DECIMAL(10, 2)) = f - 2.5D + 0.1D + 0.2D", "boolean", [False, False, None]),
        ("CAST(i + 0.5 AS DECIMAL(4, 1)) < f", "boolean", [True, False, None]),
        ("p IN (f, 1.5D)", "boolean", [True, False, None]),
        ("p BETWEEN f - 1 AND f", "boolean", [True, False, None]),
        ("sum(coalesce(p, f)) OVER (ORDER BY i)", "double", [1.5, 3.75, 3.75]),
    ],
)
def test_values_of_several_types(rows: DataFrame, spark: SparkSession, expression: str, kind: str, wanted: list[Any]) -> None:
    """Decimals beside floating-point numbers are such, and strings beside numbers are these."""
    for found in (
        spark.sql(f"SELECT {expression} AS v, i {FROM} ORDER BY i"),
        rows.select(sf.expr(expression).alias("v"), "i").orderBy("i"),
    ):
        assert found.schema["v"].dataType.simpleString() == kind
        assert [row.v for row in found.collect()] == wanted


def test_columns_of_several_types(rows: DataFrame, spark: SparkSession) -> None:
    """In DataFrames and in conditions of joins, too."""
    p, f, i, s = (sf.col(name) for name in "pfis")
    found = rows.orderBy("i").select(
        sf.coalesce(p, f),
        sf.when(i == 1, p).otherwise(f).alias("w"),
        (p < f).alias("l"),
        sf.coalesce(i, sf.lit("none")).alias("n"),
    )
    assert found.columns == ["coalesce(p, f)", "w", "l", "n"]
    assert [tuple(row) for row in found.collect()] == [(1.5, 1.5, True, 1), (2.25, 0.5, False, 2), (None, None, None, 25)]
    assert rows.select(sf.coalesce(s, i).alias("v")).schema["v"].dataType.simpleString() == "bigint"
    sides = (
        "(SELECT CAST(0.3 AS DECIMAL(10, 2)) AS a) AS l JOIN (SELECT 0.1D + 0.2D AS b UNION ALL SELECT 0.3D) AS r ON l.a = r.b"
    )
    assert [row.b for row in spark.sql(f"SELECT b FROM {sides}").collect()] == [0.3]
    with pytest.raises(PySparkException, match="CAST_INVALID_INPUT"):
        spark.sql("SELECT coalesce(x, 'none') FROM VALUES (1), (NULL) AS t(x)").collect()


def test_overflow_in_what_a_table_says(spark: SparkSession, schema: str) -> None:
    """Generated columns, CHECK constraints, WITH before INSERT and PIVOT are checked as other arithmetic is."""
    spark.sql(
        f"CREATE TABLE {schema}.made (i INT, j INT GENERATED ALWAYS AS (i + 1), k BIGINT GENERATED ALWAYS AS (CAST(i AS BIGINT) * 2))"
    )
    spark.sql(f"CREATE TABLE {schema}.told (i INT, CHECK (i * 2 < 100))")
    spark.sql(f"INSERT INTO {schema}.made (i) VALUES (1)")
    spark.sql(f"INSERT INTO {schema}.told VALUES (1)")
    for statement in (
        f"INSERT INTO {schema}.made (i) VALUES (2147483647)",
        f"INSERT INTO {schema}.told VALUES (2000000000)",
        f"UPDATE {schema}.made SET i = 2147483647",
        f"WITH x AS (SELECT 2147483647 AS n) INSERT INTO {schema}.made (i) SELECT n + 1 FROM x",
        "SELECT * FROM (SELECT 1 AS g, 2147483647 AS v) PIVOT (sum(v + 1) FOR g IN (1))",
        "SELECT * FROM (SELECT 1 AS g, 9223372036854775807 AS v UNION ALL SELECT 1, 5) PIVOT (sum(v), max(v) FOR g IN (1))",
    ):
        with pytest.raises(PySparkException, match="ARITHMETIC_OVERFLOW"):
            spark.sql(statement).collect()
    assert [tuple(row) for row in spark.table(f"{schema}.made").collect()] == [(1, 2, 2)]
    assert spark.table(f"{schema}.told").count() == 1
    spark.sql(f"WITH x AS (SELECT 5 AS n) INSERT INTO {schema}.made (i) SELECT n * 2 + 1 FROM x")
    assert {row.j for row in spark.table(f"{schema}.made").collect()} == {2, 12}
    pivoted = spark.sql("SELECT * FROM (SELECT 1 AS g, 5 AS v) PIVOT (sum(v + 1), max(v) FOR g IN (1 AS a))")
    assert pivoted.columns == ["a_sum((v + 1))", "a_max(v)"]
    assert tuple(pivoted.collect()[0]) == (6, 5)


@pytest.mark.parametrize("value", ["DATE'2026-05-17'", "TIMESTAMP'2026-05-17 10:11:12'", "'2026-05-17 10:11:12'"])
def test_a_truncated_date_is_a_timestamp(spark: SparkSession, value: str) -> None:
    for frame in (
        spark.sql(f"SELECT date_trunc('MONTH', {value}) AS a"),
        spark.sql(f"SELECT {value} AS x").select(sf.date_trunc("MONTH", "x").alias("a")),
    ):
        assert dict(frame.dtypes) == {"a": "timestamp"}
        assert frame.toArrow().column("a")[0].as_py().replace(tzinfo=None) == datetime(2026, 5, 1)
