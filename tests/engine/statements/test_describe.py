"""DESCRIBE and SHOW: what they tell, and to whom."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import DataFrame, SparkSession

Location = Callable[[str], str]


def pairs(frame: DataFrame) -> dict[Any, Any]:
    return {row[0]: row[1] for row in frame.collect()}


class TestHistoryAndDetail:
    def test_history(self, spark: SparkSession, table: str, location: Location) -> None:
        spark.sql(f"OPTIMIZE {table}")
        spark.sql(f"DELETE FROM {table} WHERE id = 1")
        rows = spark.sql(f"DESCRIBE HISTORY {table}").collect()
        assert [row.version for row in rows] == [2, 1, 0]
        assert spark.sql(f"DESC HISTORY {table} LIMIT 1").collect()[0].operation == "DELETE"
        assert rows[1].operationMetrics["numOutputRows"] == "3"
        assert rows[0].__fields__ == [
            *("version", "timestamp", "userId", "userName", "operation", "operationParameters", "job", "notebook", "clusterId"),
            *("readVersion", "isolationLevel", "isBlindAppend", "operationMetrics", "userMetadata", "engineInfo"),
        ]
        for ref in (f"delta.`{location(table)}`", f"'{location(table)}'"):
            assert spark.sql(f"DESCRIBE HISTORY {ref}").count() == 3

    def test_detail(self, spark: SparkSession, schema: str) -> None:
        spark.sql(f"CREATE TABLE {schema}.p (a INT, p INT) PARTITIONED BY (p) COMMENT 'c' TBLPROPERTIES ('quality' = 'gold')")
        spark.sql(f"INSERT INTO {schema}.p VALUES (1, 1), (2, 2)")
        row = spark.sql(f"DESCRIBE DETAIL {schema}.p").collect()[0].asDict(recursive=True)
        assert row["partitionColumns"] == ["p"]
        assert (row["format"], row["name"], row["numFiles"], row["description"]) == ("delta", f"{schema}.p", 2, "c")
        assert (row["minReaderVersion"], row["minWriterVersion"]) == (1, 2)
        assert row["tableFeatures"] == ["appendOnly", "invariants"]
        assert (row["clusteringColumns"], row["properties"]) == ([], {"quality": "gold"})
        assert row["sizeInBytes"] > 0

    def test_what_is_wrong(
        self, spark: SparkSession, table: str, schema: str, user: tuple[str, SparkSession], location: Location
    ) -> None:
        with pytest.raises(AnalysisException, match="does not exist"):
            spark.sql(f"DESCRIBE HISTORY {schema}.nothing")
        with pytest.raises(ParseException, match="number of versions"):
            spark.sql(f"DESCRIBE HISTORY {table} LIMIT x")
        spark.sql(f"CREATE VIEW {schema}.v AS SELECT 1 AS a")
        with pytest.raises(AnalysisException, match="is a view"):
            spark.sql(f"DESCRIBE DETAIL {schema}.v")
        for statement in (f"DESCRIBE HISTORY {table}", f"DESCRIBE DETAIL delta.`{location(table)}`", f"DESCRIBE {table}"):
            with pytest.raises(AnalysisException, match=r"SELECT|USE SCHEMA|USE CATALOG"):
                user[1].sql(statement)


class TestTables:
    def test_describe(self, spark: SparkSession, schema: str) -> None:
        spark.sql(f"CREATE TABLE {schema}.d (a INT COMMENT 'the a', p STRING) PARTITIONED BY (p) COMMENT 'c'")
        rows = [tuple(row) for row in spark.sql(f"DESCRIBE TABLE {schema}.d").collect()]
        assert rows[:2] == [("a", "int", "the a"), ("p", "string", None)]
        assert ("# Partition Information", "", "") in rows
        found = pairs(spark.sql(f"DESCRIBE EXTENDED {schema}.d"))
        assert (found["Provider"], found["Type"], found["Comment"]) == ("delta", "MANAGED", "c")
        assert pairs(spark.sql(f"DESCRIBE FORMATTED {schema}.d"))["Catalog"] == "main"
        told = json.loads(spark.sql(f"DESCRIBE EXTENDED {schema}.d AS JSON").collect()[0][0])
        assert [column["name"] for column in told["columns"]] == ["a", "p"]
        assert pairs(spark.sql(f"DESCRIBE {schema}.d a")) == {"col_name": "a", "data_type": "int", "comment": "the a"}
        with pytest.raises(AnalysisException, match="`zz` is no column"):
            spark.sql(f"DESCRIBE {schema}.d zz")

    def test_temporary_views_are_the_engines(self, spark: SparkSession) -> None:
        spark.range(1).createOrReplaceTempView("a_temporary_view")
        assert spark.sql("DESCRIBE a_temporary_view").collect()[0][0] == "id"
        assert "a_temporary_view" in [row.tableName for row in spark.sql("SHOW TABLES IN main.default").collect()]
        spark.catalog.dropTempView("a_temporary_view")
        assert "a_temporary_view" not in [row.tableName for row in spark.sql("SHOW TABLES IN main.default").collect()]

    def test_show_create_table_makes_the_same(self, spark: SparkSession, schema: str) -> None:
        spark.sql(
            f"CREATE TABLE {schema}.a (id BIGINT GENERATED ALWAYS AS IDENTITY, n INT NOT NULL COMMENT 'it\\'s', "
            "st STRUCT<x: INT, y: ARRAY<STRING>>, p STRING) PARTITIONED BY (p) COMMENT 'c' TBLPROPERTIES ('quality' = 'gold')"
        )
        text = spark.sql(f"SHOW CREATE TABLE {schema}.a").collect()[0][0]
        assert "GENERATED ALWAYS AS IDENTITY" in text
        other = text.replace("`a` (", "`b` (", 1)
        other = re.sub(
            r"  'delta\.(minReader|minWriter|feature)[^\n]*?(,?)(\n|\))", lambda found: ")" if found[3] == ")" else "", other
        )
        spark.sql(re.sub(r",\s*\)\s*$", ")", other))
        assert spark.sql(f"SHOW CREATE TABLE {schema}.b").collect()[0][0].replace("`b` (", "`a` (") == text
        spark.sql(f"CREATE VIEW {schema}.v AS SELECT n FROM {schema}.a")
        assert spark.sql(f"SHOW CREATE TABLE {schema}.v").collect()[0][0].startswith("CREATE VIEW")

    def test_show(self, spark: SparkSession, table: str, schema: str, volume: Callable[[str, str], str]) -> None:
        spark.sql(f"CREATE VIEW {schema}.v AS SELECT 1 AS a")
        spark.sql(f"CREATE FUNCTION {schema}.f(x INT) RETURNS INT RETURN x + 1")
        volume(schema, "files")
        short = schema.split(".")[1]
        assert [tuple(row)[:2] for row in spark.sql(f"SHOW TABLES IN {schema}").collect() if not row.isTemporary] == [
            (short, "t"),
            (short, "v"),
        ]
        assert [row.tableName for row in spark.sql(f"SHOW TABLES IN {schema} LIKE 'v*'").collect()] == ["v"]
        assert [row.viewName for row in spark.sql(f"SHOW VIEWS IN {schema} 'v'").collect()] == ["v"]
        assert [tuple(row) for row in spark.sql(f"SHOW VOLUMES IN {schema}").collect()] == [(short, "files")]
        assert [row.function for row in spark.sql(f"SHOW USER FUNCTIONS IN {schema}").collect()] == [f"{schema}.f"]
        assert [row.col_name for row in spark.sql(f"SHOW COLUMNS IN {table}").collect()] == ["id", "s"]
        assert [row.col_name for row in spark.sql(f"SHOW COLUMNS IN t IN {schema}").collect()] == ["id", "s"]
        information = spark.sql(f"SHOW TABLE EXTENDED IN {schema} LIKE '*'").collect()[0].information
        assert " |-- id: int (nullable = true)" in information
        assert "Provider: delta" in information
        assert short in [row[0] for row in spark.sql(f"SHOW SCHEMAS IN main LIKE '{short[:4]}*'").collect()]
        with pytest.raises(ParseException, match="a pattern"):
            spark.sql(f"SHOW TABLES IN {schema} LIKE")

    def test_show_partitions_and_properties(self, spark: SparkSession, schema: str, table: str) -> None:
        spark.sql(f"CREATE TABLE {schema}.p (a INT, p INT, q STRING) PARTITIONED BY (p, q) TBLPROPERTIES ('quality' = 'gold')")
        spark.sql(f"INSERT INTO {schema}.p VALUES (1, 1, 'x'), (2, 2, NULL), (3, 1, 'x')")
        assert [tuple(row) for row in spark.sql(f"SHOW PARTITIONS {schema}.p").collect()] == [("1", "x"), ("2", None)]
        assert spark.sql(f"SHOW PARTITIONS {schema}.p PARTITION (p = 1)").count() == 1
        with pytest.raises(AnalysisException, match="NON_PARTITIONED_TABLE"):
            spark.sql(f"SHOW PARTITIONS {table}")
        found = pairs(spark.sql(f"SHOW TBLPROPERTIES {schema}.p"))
        assert (found["quality"], found["delta.minReaderVersion"]) == ("gold", "1")
        assert pairs(spark.sql(f"SHOW TBLPROPERTIES {schema}.p (quality)")) == {"quality": "gold"}
        assert "does not have" in pairs(spark.sql(f"SHOW TBLPROPERTIES {schema}.p ('x.y')"))["x.y"]


class TestOtherSecurables:
    def test_describe(self, spark: SparkSession, schema: str, volume: Callable[[str, str], str]) -> None:
        spark.sql(f"COMMENT ON SCHEMA {schema} IS 'the schema'")
        assert pairs(spark.sql(f"DESCRIBE SCHEMA {schema}"))["Comment"] == "the schema"
        assert pairs(spark.sql("DESCRIBE CATALOG EXTENDED main"))["Catalog Name"] == "main"
        volume(schema, "files")
        spark.sql(f"COMMENT ON VOLUME {schema}.files IS 'some files'")
        assert spark.sql(f"DESCRIBE VOLUME {schema}.files").collect()[0].comment == "some files"
        spark.sql(f"CREATE FUNCTION {schema}.f(x INT) RETURNS INT COMMENT 'adds' RETURN x + 1")
        lines = [row[0] for row in spark.sql(f"DESCRIBE FUNCTION EXTENDED {schema}.f").collect()]
        assert "Body:          x + 1" in lines
        with pytest.raises(AnalysisException, match="does not exist"):
            spark.sql(f"DESCRIBE VOLUME {schema}.nothing")

    def test_who_sees_what(
        self, spark: SparkSession, table: str, schema: str, grant: Callable[..., None], user: tuple[str, SparkSession]
    ) -> None:
        name, other = user
        with pytest.raises(AnalysisException, match="USE SCHEMA"):
            other.sql(f"DESCRIBE SCHEMA {schema}")
        spark.sql(f"CREATE TABLE {schema}.hidden (a INT)")
        grant("schema", schema, name, "USE SCHEMA")
        grant("table", table, name, "SELECT")
        assert [row.tableName for row in other.sql(f"SHOW TABLES IN {schema}").collect()] == ["t"]
        assert other.sql(f"SHOW COLUMNS IN {table}").count() == 2
        with pytest.raises(AnalysisException, match="SELECT"):
            other.sql(f"SHOW CREATE TABLE {schema}.hidden")
