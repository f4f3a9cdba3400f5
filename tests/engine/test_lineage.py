"""What was read and written is known without anyone doing anything."""

import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - its usual name

from boathouse.engine.gateway.column_lineage import Link, links
from tests.conftest import Server

User = tuple[str, SparkSession]


def eventually(work: Callable[[], list[Any]]) -> list[Any]:
    """What comes at the latest a few seconds after the statement: lineage is asked for behind its back."""
    deadline = time.monotonic() + 15
    while not (found := work()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


@pytest.fixture
def sales(spark: SparkSession, schema: str) -> str:
    spark.sql(f"CREATE TABLE {schema}.sales (id INT, amount INT, region STRING)")
    spark.sql(f"INSERT INTO {schema}.sales VALUES (1, 10, 'EU'), (2, 20, 'US')")
    return f"{schema}.sales"


def columns_of(spark: SparkSession, target: str) -> set[tuple[str, str, str]]:
    query = (
        "SELECT DISTINCT source_table_full_name, source_column_name, target_column_name "
        f"FROM system.access.column_lineage WHERE target_table_full_name = '{target}'"
    )
    return {tuple(row) for row in eventually(lambda: spark.sql(query).collect())}


class TestLineage:
    def test_of_sql(self, spark: SparkSession, schema: str, sales: str) -> None:
        spark.sql(
            f"CREATE TABLE {schema}.totals AS SELECT region, sum(amount) AS total, max(id) + 1 AS next, 'x' AS fixed "
            f"FROM {sales} WHERE id > 0 GROUP BY region"
        )
        expected = {(sales, "region", "region"), (sales, "amount", "total"), (sales, "id", "next")}
        assert columns_of(spark, f"{schema}.totals") == expected
        spark.sql(f"INSERT INTO {schema}.totals SELECT region, amount, id, region FROM {sales} AS s")
        query = (
            f"SELECT source_table_full_name FROM system.access.table_lineage WHERE target_table_full_name = '{schema}.totals'"
        )
        assert {row[0] for row in spark.sql(query).collect()} == {sales}

    def test_of_frames_and_views(self, spark: SparkSession, schema: str, sales: str) -> None:
        spark.sql(f"CREATE VIEW {schema}.eu AS SELECT id, amount AS euros FROM {sales} WHERE region = 'EU'")
        frame = spark.table(f"{schema}.eu").join(spark.table(sales).withColumnRenamed("amount", "all"), "id")
        frame.select(F.col("euros"), (F.col("all") * 2).alias("double")).write.saveAsTable(f"{schema}.both")
        expected = {(sales, "amount", "euros"), (sales, "amount", "double")}
        assert columns_of(spark, f"{schema}.both") == expected
        query = f"SELECT DISTINCT source_table_full_name FROM system.access.table_lineage WHERE target_table_full_name = '{schema}.both'"
        assert {row[0] for row in spark.sql(query).collect()} == {sales, f"{schema}.eu"}

    def test_what_caused_it(self, spark: SparkSession, server: Server, schema: str, sales: str) -> None:
        remote = f"{server.spark_remote()};x-boathouse-entity=JOB:42:7"
        session = SparkSession.builder.remote(remote).create()
        try:
            session.sql(f"CREATE TABLE {schema}.by_job AS SELECT * FROM {sales}")
        finally:
            session.stop()
        query = f"SELECT entity_type, entity_id, entity_run_id FROM system.access.table_lineage WHERE target_table_full_name = '{schema}.by_job'"
        assert eventually(lambda: spark.sql(query).collect()) == [Row(entity_type="JOB", entity_id="42", entity_run_id="7")]


class TestHistory:
    def test_queries_and_audit(self, spark: SparkSession, user: User, sales: str) -> None:
        name, session = user
        mark = uuid.uuid4().hex
        spark.sql(f"SELECT '{mark}' AS mark, id FROM {sales}").collect()
        with pytest.raises(AnalysisException, match="INSUFFICIENT_PERMISSIONS"):
            session.sql(f"SELECT '{mark}' AS mark FROM {sales}").collect()
        with pytest.raises(AnalysisException):
            spark.sql(f"SELECT '{mark}' AS mark, nothing FROM {sales}").collect()
        history = (
            "SELECT executed_by, execution_status, statement_type FROM system.query.history "
            f"WHERE statement_text LIKE '%{mark}%' AND statement_text NOT LIKE '%system.query%'"
        )
        expected = {
            ("root@localhost", "FINISHED", "SELECT"),
            (name, "FAILED", "SELECT"),
            ("root@localhost", "FAILED", "SELECT"),
        }
        assert {tuple(row) for row in spark.sql(history).collect()} == expected
        audit = (
            "SELECT user_identity.email, response.status_code FROM system.access.audit "
            f"WHERE action_name = 'executePlan' AND request_params['statement'] LIKE '%{mark}%FROM {sales}%' ORDER BY 2"
        )
        found = {tuple(row) for row in spark.sql(audit).collect() if row[1] != 400}
        assert {("root@localhost", 200), (name, 403)} <= found

    def test_only_admins_read_it(self, user: User) -> None:
        _, session = user
        for table in ("access.audit", "access.table_lineage", "access.column_lineage", "query.history"):
            with pytest.raises(AnalysisException, match="INSUFFICIENT_PERMISSIONS"):
                session.table(f"system.{table}").count()

    def test_nobody_writes_it(self, spark: SparkSession) -> None:
        for text in (
            "DELETE FROM system.access.audit",
            "INSERT INTO system.access.audit SELECT * FROM system.access.audit",
            "DROP TABLE system.access.audit",
            "CREATE OR REPLACE TABLE system.access.audit AS SELECT 1 AS a",
        ):
            with pytest.raises(AnalysisException):
                spark.sql(text)
        assert spark.table("system.access.audit").count() > 0


def test_links_of_a_plan() -> None:
    plan = """== Parsed Logical Plan ==
Projection: t.#0 AS #4, upper(CAST(t.#1 AS Utf8)) AS u AS #5, (<subquery>) AS m AS #6
  Subquery:
    Projection: max(o.#2) AS #3
      Aggregate: groupBy=[[]], aggr=[[max(o.#2)]]
        SubqueryAlias: __bh2
          Projection: ?table?.x AS #2
            TableScan: ?table?
  SubqueryAlias: t
    SubqueryAlias: __bh1
      Projection: ?table?.a AS #0, ?table?.b AS #1
        TableScan: ?table?

== Physical Plan ==
ProjectionExec: expr=[#4@0 as a, #5@1 as u, #6@2 as m]
"""
    assert links(plan, {"__bh1": "c.s.one", "__bh2": "c.s.two"}) == [
        Link("a", "c.s.one", "a"),
        Link("u", "c.s.one", "b"),
        Link("m", "c.s.two", "x"),
    ]
