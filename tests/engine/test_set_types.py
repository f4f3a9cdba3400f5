"""Columns of UNION, EXCEPT and INTERSECT have the type that holds the values of all their queries, in what is told of them and in their rows."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import SparkSession

from boathouse.engine.gateway.sql.set_operations import chains
from boathouse.engine.gateway.sql.tokens import tokenize

FIVE = 5_000_000_000


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("SELECT * EXCEPT (a) FROM t UNION SELECT b FROM u", ["SELECT * EXCEPT (a) FROM t|SELECT b FROM u"]),
        (
            "SELECT 1 UNION ALL (SELECT 2 EXCEPT VALUES (3)) INTERSECT SELECT 4 ORDER BY 1",
            ["SELECT 1|(SELECT 2 EXCEPT VALUES (3))|SELECT 4", "SELECT 2|VALUES (3)"],
        ),
        ("WITH x AS (SELECT 1 UNION SELECT 2) SELECT * FROM x", ["SELECT 1|SELECT 2"]),
        ("SELECT a FROM t WHERE b IN (SELECT c MINUS SELECT d) LIMIT 3", ["SELECT c|SELECT d"]),
    ],
)
def test_reading(text: str, wanted: list[str]) -> None:
    tokens = list(tokenize(text))
    found = [
        "|".join(text[tokens[first].start : tokens[end - 1].end] for first, end in chain.branches) for chain in chains(tokens)
    ]
    assert found == wanted


@pytest.mark.parametrize(
    ("query", "kind", "values"),
    [
        (f"SELECT 1 a UNION ALL SELECT {FIVE}", "bigint", [1, FIVE]),
        ("SELECT NULL a UNION ALL SELECT 5", "int", [None, 5]),
        ("SELECT 1 a UNION ALL SELECT CAST(5.5 AS DOUBLE)", "double", [1.0, 5.5]),
        ("SELECT CAST(0.5 AS FLOAT) a UNION ALL SELECT 7", "double", [0.5, 7.0]),
        (
            "SELECT CAST(1.25 AS DECIMAL(10,2)) a UNION ALL SELECT CAST(1.23456 AS DECIMAL(20,5))",
            "decimal(20,5)",
            [Decimal("1.25000"), Decimal("1.23456")],
        ),
        ("SELECT 1 a UNION SELECT 2.5", "decimal(11,1)", [Decimal("1.0"), Decimal("2.5")]),
        ("SELECT 1 a UNION ALL SELECT '7'", "bigint", [1, 7]),
        (
            "SELECT DATE'2026-01-01' a UNION ALL SELECT TIMESTAMP'2026-01-01 05:00:00'",
            "timestamp",
            [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 5, tzinfo=UTC)],
        ),
        (f"SELECT array(1) a UNION ALL SELECT array({FIVE})", "array<bigint>", [[1], [FIVE]]),
        ("SELECT map('k', 1) a UNION ALL SELECT map('k', 2.5)", "map<string,decimal(11,1)>", [[("k", Decimal("1.0"))], [("k", Decimal("2.5"))]]),
        ("SELECT 1 a INTERSECT SELECT 1.0", "decimal(11,1)", [Decimal("1.0")]),
        ("SELECT 1 a EXCEPT SELECT 2.5", "decimal(11,1)", [Decimal("1.0")]),
        (f"WITH x AS (SELECT 1 a UNION ALL SELECT {FIVE}) SELECT a + 1 AS a FROM x", "bigint", [2, FIVE + 1]),
        (f"SELECT a * 2 AS a FROM (SELECT 1 a UNION ALL SELECT {FIVE}) WHERE a > 1", "bigint", [2 * FIVE]),
        (f"(SELECT 1 a UNION ALL SELECT 2) UNION ALL (SELECT {FIVE} ORDER BY 1 LIMIT 1) UNION ALL VALUES (2.5)", "decimal(21,1)", None),
        (f"SELECT 1 a, 'x' b UNION ALL SELECT 2, 'y' UNION ALL SELECT {FIVE}, 'z' ORDER BY a DESC, b LIMIT 1", "bigint", [FIVE]),
    ],
)  # fmt: skip
def test_a_query(spark: SparkSession, query: str, kind: str, values: list[Any] | None) -> None:
    frame = spark.sql(query)
    assert frame.schema["a"].dataType.simpleString() == kind
    table = frame.toArrow()
    if values is not None:
        assert sorted(table.column("a").to_pylist(), key=repr) == sorted(values, key=repr)
    assert frame.toPandas().shape[0] == len(table)


def test_what_is_no_number_is_an_error(spark: SparkSession) -> None:
    with pytest.raises(PySparkException, match="CAST_INVALID_INPUT"):
        spark.sql("SELECT 1 a UNION ALL SELECT 'x'").collect()


@pytest.mark.parametrize(
    ("query", "condition"),
    [
        ("SELECT 1 a UNION ALL SELECT DATE'2026-01-01'", "INCOMPATIBLE_COLUMN_TYPE"),
        ("SELECT 'x' a, true b INTERSECT SELECT 'y', 1", "INCOMPATIBLE_COLUMN_TYPE"),
        ("SELECT 1 a UNION SELECT 1, 2", "NUM_COLUMNS_MISMATCH"),
    ],
)
def test_what_does_not_fit(spark: SparkSession, query: str, condition: str) -> None:
    with pytest.raises(AnalysisException) as caught:
        spark.sql(query).collect()
    assert caught.value.getCondition() == condition


def test_frames_that_do_not_fit(spark: SparkSession) -> None:
    with pytest.raises(AnalysisException, match="NUM_COLUMNS_MISMATCH"):
        spark.range(1).union(spark.sql("SELECT 1, 2")).collect()
    with pytest.raises(AnalysisException, match='first column of the second table is "BOOLEAN"'):
        spark.range(1).union(spark.sql("SELECT true")).collect()


def test_data_frames(spark: SparkSession) -> None:
    small, large = spark.sql("SELECT 1 AS a, 'x' AS b"), spark.sql(f"SELECT {FIVE} AS a, 'y' AS b")
    for frame in (small.union(large), small.union(small).union(large), small.unionByName(large.select("b", "a"))):
        assert frame.schema["a"].dataType.simpleString() == "bigint"
        assert set(frame.toPandas()["a"]) == {1, FIVE}
        assert {row[0] for row in frame.select(frame.a + 1).collect()} == {2, FIVE + 1}
    fewer = small.unionByName(large.drop("b"), allowMissingColumns=True)
    assert sorted(map(tuple, fewer.collect())) == [(1, "x"), (FIVE, None)]
    assert small.intersect(spark.sql("SELECT CAST(1 AS BIGINT) AS a, 'x' AS b")).schema["a"].dataType.simpleString() == "bigint"


def test_data_frames_of_chosen_columns(spark: SparkSession) -> None:
    given = spark.sql("SELECT 1 AS id, '7' AS k, 2.5D AS v")
    assert sorted(row.id for row in given.select("id").union(given.select("v")).collect()) == [1.0, 2.5]
    assert sorted(row.id for row in given.select("id").unionByName(given.selectExpr("v AS id")).collect()) == [1.0, 2.5]


def test_tables_and_views(spark: SparkSession, schema: str) -> None:
    union = f"SELECT NULL AS a UNION ALL SELECT 1 UNION ALL SELECT {FIVE}"
    spark.sql(f"CREATE TABLE {schema}.made AS {union}")
    spark.sql(f"CREATE VIEW {schema}.shown AS {union}")
    spark.sql(f"CREATE OR REPLACE TEMP VIEW kept AS {union}")
    spark.sql(f"INSERT INTO {schema}.made {union}")
    for name, count in ((f"{schema}.made", 2), (f"{schema}.shown", 1), ("kept", 1)):
        frame = spark.sql(f"SELECT a FROM {name}")
        assert frame.schema["a"].dataType.simpleString() == "bigint"
        assert sorted(value or 0 for value in frame.toArrow().column("a").to_pylist()) == sorted([0, 1, FIVE] * count)


def test_values_in_place_of_signs(spark: SparkSession) -> None:
    frame = spark.sql("SELECT :one AS a UNION ALL SELECT :other", args={"one": 1, "other": FIVE})
    assert sorted(frame.toPandas()["a"]) == [1, FIVE]
