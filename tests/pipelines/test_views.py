"""Materialized views, temporary views and expectations, from Python and SQL sources to tables."""

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from boathouse.pipelines.errors import GraphInvalid
from boathouse.pipelines.events import UpdateState
from boathouse.pipelines.source.sources import SourceFile
from boathouse.pipelines.testing import Counts, PipelineUnderTest

SHOP = SourceFile(
    "/Workspace/shop/shop.py",
    """
from pyspark import pipelines as dp
from pyspark.sql import functions as F


@dp.materialized_view(comment="Every order", table_properties={"team": "shop"})
@dp.expect("has_customer", "customer IS NOT NULL")
@dp.expect_all_or_drop({"has_amount": "amount IS NOT NULL", "not_free": "amount > 0"})
def bronze():
    return spark.read.table("orders")


@dp.temporary_view
def by_customer():
    return spark.sql("SELECT customer, sum(amount) AS total FROM bronze GROUP BY customer")


@dp.materialized_view(name="gold", schema="customer STRING COMMENT 'who', total BIGINT", partition_cols=["customer"])
def _():
    view = spark.read.table("LIVE.by_customer")
    return view.where(F.col("total") > spark.conf.get("shop.least")).select("customer", view["total"])
""",
)
REPORT = SourceFile(
    "/Workspace/shop/report.sql",
    """
-- what the management reads
SET most = 1;
SET spark.sql.shuffle.partitions = 3;
CREATE OR REFRESH MATERIALIZED VIEW report (
  customer STRING NOT NULL,
  share DOUBLE COMMENT 'of all',
  CONSTRAINT sane EXPECT (share >= ${shop.least} AND share <= ${most}) ON VIOLATION FAIL UPDATE
)
COMMENT 'Shares'
TBLPROPERTIES ('quality' = 'gold')
AS WITH everything AS (SELECT sum(total) AS total FROM gold)
SELECT coalesce(gold.customer, "${shop.nobody}") AS customer, gold.total / everything.total AS share FROM gold CROSS JOIN everything;

CREATE PRIVATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM LIVE.bronze;
""",
)
ORDERS = [
    {"id": 1, "customer": "ann", "amount": 30},
    {"id": 2, "customer": "bob", "amount": 10},
    {"id": 3, "customer": None, "amount": 10},
    {"id": 4, "customer": None, "amount": None},
    {"id": 5, "customer": "bob", "amount": -5},
]


SETTINGS = SourceFile(
    "settings.py",
    """
from pyspark import pipelines as dp

QUERY = "SELECT current_timezone() AS zone, CAST('2020-01-01 00:00:00' AS TIMESTAMP) AS at, CAST(text AS INT) AS number FROM texts"


@dp.materialized_view(spark_conf={"spark.sql.session.timeZone": "Asia/Tokyo", "spark.sql.ansi.enabled": "false"})
def far():
    return spark.sql(QUERY)


@dp.materialized_view(spark_conf={"spark.sql.session.timeZone": "America/New_York", "spark.sql.ansi.enabled": "false"})
def near():
    return spark.sql(QUERY)


@dp.materialized_view(spark_conf={"spark.sql.ansi.enabled": "true"})
def strict():
    return spark.sql(QUERY)


@dp.materialized_view
def plain():
    return spark.sql("SELECT current_timezone() AS zone")
""",
)


def test_the_settings_of_a_flow_are_those_of_no_other(pipeline: PipelineUnderTest) -> None:
    pipeline.given("texts", [{"text": "x"}])
    zone = pipeline.spark.conf.get("spark.sql.session.timeZone")
    result = pipeline.run(SETTINGS, expect=UpdateState.FAILED)
    assert result.flows == {"far": "COMPLETED", "near": "COMPLETED", "plain": "COMPLETED", "strict": "FAILED"}
    assert any("strict" in one and "x" in one for one in result.errors)
    found = pipeline.spark.sql(
        f"SELECT zone, number, unix_timestamp(at) / 3600 % 24 AS hour FROM {pipeline.name('far')} "
        f"UNION ALL SELECT zone, number, unix_timestamp(at) / 3600 % 24 FROM {pipeline.name('near')} ORDER BY zone"
    )
    assert [tuple(row) for row in found.collect()] == [("America/New_York", None, 5), ("Asia/Tokyo", None, 15)]
    assert pipeline.rows("plain") == [{"zone": zone}]
    assert pipeline.spark.conf.get("spark.sql.session.timeZone") == zone
    bad = SourceFile("bad.py", SETTINGS.text.replace('"spark.sql.ansi.enabled": "true"', '"spark.sql.ansi.enabled": "maybe"'))
    refused = pipeline.run(bad, expect=UpdateState.FAILED)
    assert any("bad.py:17" in one for one in refused.errors)


def test_sources_become_tables(pipeline: PipelineUnderTest) -> None:
    pipeline.given("orders", ORDERS)
    result = pipeline.run(SHOP, REPORT, configuration={"shop.least": "0", "shop.nobody": "nobody", "most": "of SET"})

    assert [row["id"] for row in pipeline.rows("bronze", "id")] == [1, 2, 3]
    assert pipeline.rows("gold") == [
        {"customer": None, "total": 10},
        {"customer": "ann", "total": 30},
        {"customer": "bob", "total": 10},
    ]
    assert pipeline.rows("report") == [
        {"customer": "ann", "share": 0.6},
        {"customer": "bob", "share": 0.2},
        {"customer": "nobody", "share": 0.2},
    ]
    assert pipeline.rows("counted") == [{"n": 3}]
    assert result.expectations == {
        "bronze": {"has_customer": Counts(3, 2), "has_amount": Counts(4, 1), "not_free": Counts(3, 2)},
        "report": {"sane": Counts(3, 0)},
    }
    assert result.flows == dict.fromkeys(("bronze", "gold", "report", "counted"), "COMPLETED")
    states = [event.details["state"] for event in result.events if event.kind == "update_progress"]
    assert states == ["INITIALIZING", "SETTING_UP_TABLES", "RUNNING", "COMPLETED"]

    ignored = [event.message for event in result.events if event.level == "WARN"]
    assert all("The settings spark.sql.shuffle.partitions of the flow" in message for message in ignored)

    described = pipeline.spark.sql(f"DESCRIBE TABLE EXTENDED {pipeline.name('report')}").collect()
    assert [(row.col_name, row.data_type, row.comment) for row in described[:2]] == [
        ("customer", "string", None),
        ("share", "double", "of all"),
    ]
    detail = pipeline.spark.sql(f"DESCRIBE DETAIL {pipeline.name('gold')}").collect()[0]
    assert detail.partitionColumns == ["customer"]
    assert detail.properties["pipelines.type"] == "MATERIALIZED_VIEW"


def test_dropped_rows_are_set_aside_and_only_kept_ones_are_read(
    pipeline: PipelineUnderTest, location: Callable[[str], str]
) -> None:
    pipeline.given("orders", ORDERS)
    for anew in (False, True):
        pipeline.run(SHOP, configuration={"shop.least": "0"}, full_refresh=anew)
    aside = pipeline.rows("bronze_quarantine", "id")
    assert [(row["id"], row["_quarantine_reason"]) for row in aside] == [
        (4, "has_customer, has_amount, not_free"),
        (5, "not_free"),
    ]
    folder = location(f"main.{pipeline.schema}.bronze")
    kept = [
        {"id": 1, "customer": "ann", "amount": 30},
        {"id": 2, "customer": "bob", "amount": 10},
        {"id": 3, "customer": None, "amount": 10},
    ]
    assert DeltaTable(folder).to_pyarrow_table().sort_by("id").to_pylist() == kept
    assert pl.read_delta(folder).sort("id").to_dicts() == kept
    log = sorted((Path(folder) / "_delta_log").glob("*.json"))
    assert len(log) == 3, "created, and one commit an update"
    actions = [json.loads(line) for line in log[-1].read_text().splitlines()]
    assert {next(iter(action)) for action in actions} == {"add", "commitInfo", "remove"}
    stats = [json.loads(action["add"]["stats"]) for action in actions if "add" in action]
    assert sum(one["numRecords"] for one in stats) == 3
    assert all(set(one["nullCount"]) == {"id", "customer", "amount"} for one in stats)
    assert not list((Path(folder) / "_boathouse_staging").glob("*"))


def test_a_write_that_fails_leaves_nothing_beside_the_table(
    pipeline: PipelineUnderTest, location: Callable[[str], str]
) -> None:
    """The dropped rows are written after the kept ones: whichever of the two fails, the other ones are gone with it."""
    pipeline.given("orders", ORDERS)
    text = "CREATE MATERIALIZED VIEW broken (CONSTRAINT fine EXPECT (id < {}) ON VIOLATION DROP ROW) AS SELECT id, {} AS amount FROM orders"
    fails = "CASE WHEN id = 5 THEN CAST(raise_error('no such order') AS INT) ELSE amount END"
    pipeline.run(SourceFile("b.sql", text.format(5, "amount")))
    for least in (5, 9):
        result = pipeline.run(SourceFile("b.sql", text.format(least, fails)), expect=UpdateState.FAILED)
        assert "no such order" in result.errors[0]
        assert [row["id"] for row in pipeline.rows("broken")] == [1, 2, 3, 4]
    folder = location(f"main.{pipeline.schema}.broken")
    assert not list((Path(folder) / "_boathouse_staging").glob("*"))


def test_many_expectations(pipeline: PipelineUnderTest) -> None:
    pipeline.given("orders", ORDERS)
    rules = ", ".join(f"CONSTRAINT least_{number} EXPECT (id * 10 > {number})" for number in range(40))
    result = pipeline.run(SourceFile("m.sql", f"CREATE MATERIALIZED VIEW many ({rules}) AS SELECT id FROM orders"))
    wanted = {f"least_{number}": Counts(5 - number // 10, number // 10) for number in range(40)}
    assert result.expectations["many"] == wanted


def test_rows_are_dropped_alike_however_they_are_made(pipeline: PipelineUnderTest) -> None:
    rules = (
        "CONSTRAINT there EXPECT (total IS NOT NULL), CONSTRAINT big EXPECT (total > 10) ON VIOLATION DROP ROW, "
        "CONSTRAINT fine EXPECT (total > -100) ON VIOLATION FAIL UPDATE"
    )
    queries = {
        "row_by_row": "SELECT customer, amount + 1 AS total FROM orders WHERE id < 4",
        "grouped": "SELECT customer, sum(amount) + 1 AS total FROM orders WHERE id < 4 GROUP BY customer",
        "by_chance": "SELECT customer, amount + CAST(rand() * 0 AS INT) + 1 AS total FROM orders WHERE id < 4",
    }
    pipeline.given("orders", ORDERS)
    for kept in ("true", "false"):
        text = "".join(
            f"CREATE MATERIALIZED VIEW {name} ({rules}) PARTITIONED BY (customer) "
            f"TBLPROPERTIES ('pipelines.quarantine' = '{kept}') AS {query};"
            for name, query in queries.items()
        )
        result = pipeline.run(SourceFile("q.sql", text))
        for name in queries:
            assert pipeline.rows(name) == [
                {"customer": None, "total": 11},
                {"customer": "ann", "total": 31},
                {"customer": "bob", "total": 11},
            ]
            assert result.expectations[name] == {"there": Counts(3, 0), "big": Counts(3, 0), "fine": Counts(3, 0)}
        pipeline.given("orders", [{"id": 3, "customer": "eve", "amount": 1}, {"id": 2, "customer": "fay", "amount": None}])
        result = pipeline.run(
            SourceFile("q.sql", text.replace("fine EXPECT (total > -100)", "fine EXPECT (total > -100 OR total IS NULL)"))
        )
        for name in queries:
            assert result.expectations[name] == {"there": Counts(4, 1), "big": Counts(3, 2), "fine": Counts(5, 0)}, (name, kept)
            assert [row["customer"] for row in pipeline.rows(name)] == [None, "ann", "bob"]
            if kept == "true":
                reasons = {row["customer"]: row["_quarantine_reason"] for row in pipeline.rows(f"{name}_quarantine")}
                assert reasons == {"eve": "big", "fay": "there, big"}
        pipeline.spark.sql(f"DELETE FROM {pipeline.name('orders')} WHERE customer IN ('eve', 'fay')").collect()


def test_a_condition_by_chance_is_asked_once_of_a_row(pipeline: PipelineUnderTest) -> None:
    text = "CREATE MATERIALIZED VIEW lucky (CONSTRAINT lucky EXPECT (rand() < 0.5) ON VIOLATION DROP ROW) AS SELECT id FROM range(400)"
    counts = pipeline.run(SourceFile("l.sql", text)).expectations["lucky"]["lucky"]
    unlucky = pipeline.rows("lucky_quarantine")
    assert (len(pipeline.rows("lucky")), len(unlucky)) == (counts.passed, counts.failed)
    assert {row["_quarantine_reason"] for row in unlucky} == {"lucky"}
    assert 130 < counts.passed < 270, "half of them, by seven standard deviations"


def test_an_expectation_that_fails_the_update_leaves_the_table_as_it_was(pipeline: PipelineUnderTest) -> None:
    source = SourceFile(
        "/w/f.py",
        """
import dlt

@dlt.table
@dlt.expect_or_fail("small, (1 of 2) ones", "id < 4")
def strict():
    return dlt.read("orders")

@dlt.table
def after():
    return dlt.read("strict")

@dlt.table(temporary=True)
def beside():
    return spark.table("orders")
""",
    )
    pipeline.given("orders", ORDERS[:2])
    pipeline.run(source)
    pipeline.given("orders", ORDERS[2:])
    result = pipeline.run(source, expect=UpdateState.FAILED)
    assert result.flows == {"strict": "FAILED", "after": "SKIPPED", "beside": "COMPLETED"}
    assert result.expectations["strict"] == {"small, (1 of 2) ones": Counts(1, 2)}, "of the rows that are new"
    assert [row["id"] for row in pipeline.rows("strict", "id")] == [1, 2]
    assert [row["id"] for row in pipeline.rows("after", "id")] == [1, 2]
    assert len(pipeline.rows("beside")) == 5
    failed = next(event for event in result.events if event.level == "ERROR" and event.kind == "flow_progress")
    assert failed.error is not None
    assert failed.error["exceptions"][0]["stack"][0] == {
        "declaring_class": "",
        "method_name": "",
        "file_name": "/w/f.py",
        "line_number": 4,
    }


def test_the_columns_of_a_view_follow_its_query(pipeline: PipelineUnderTest) -> None:
    pipeline.given("orders", ORDERS)
    for columns in ("id, amount", "id, amount * 1.5 AS amount, customer"):
        text = (
            f"CREATE MATERIALIZED VIEW v (CONSTRAINT c EXPECT (id < 3) ON VIOLATION DROP ROW) AS SELECT {columns} FROM orders"
        )
        pipeline.run(SourceFile("v.sql", text))
    assert pipeline.rows("v") == [{"id": 1, "amount": 45.0, "customer": "ann"}, {"id": 2, "amount": 15.0, "customer": "bob"}]


def test_only_what_is_chosen_is_refreshed(pipeline: PipelineUnderTest) -> None:
    source = SourceFile(
        "a.sql",
        "CREATE MATERIALIZED VIEW a AS SELECT id FROM orders; CREATE MATERIALIZED VIEW b AS SELECT count(*) AS n FROM a;",
    )
    pipeline.given("orders", ORDERS[:1])
    pipeline.run(source)
    pipeline.given("orders", ORDERS[1:])
    result = pipeline.run(source, refresh_selection=["a"])
    assert result.flows == {"a": "COMPLETED", "b": "EXCLUDED"}
    assert (len(pipeline.rows("a")), pipeline.rows("b")) == (5, [{"n": 1}])
    refused = pipeline.run(source, refresh_selection=["c"], expect=UpdateState.FAILED)
    assert "refresh_selection names c" in refused.errors[0]
    assert pipeline.run(source, validate_only=True).flows == {}
    assert pipeline.rows("b") == [{"n": 1}]


def test_a_table_of_somebody_else_is_not_touched(pipeline: PipelineUnderTest) -> None:
    pipeline.given("orders", ORDERS)
    pipeline.given("mine", [{"x": 1}])
    result = pipeline.run(
        SourceFile("a.sql", "\nCREATE MATERIALIZED VIEW mine AS SELECT id FROM orders"), expect=UpdateState.FAILED
    )
    assert result.errors[0].startswith("a.sql:2: [TABLE_ALREADY_EXISTS]")
    assert pipeline.rows("mine") == [{"x": 1}]


def test_notebooks(pipeline: PipelineUnderTest) -> None:
    pipeline.given("orders", ORDERS)
    notebook = """# Databricks notebook source
# MAGIC %md
# MAGIC # Orders

# COMMAND ----------

from pyspark import pipelines as dp

# COMMAND ----------

# MAGIC %sql
# MAGIC CREATE OR REFRESH MATERIALIZED VIEW a
# MAGIC AS SELECT id FROM orders

# COMMAND ----------

@dp.materialized_view
def b():
    return dp.read("a")
"""
    cells = [
        {"cell_type": "markdown", "source": ["# hello"]},
        {"cell_type": "code", "source": ["%%sql\n", "CREATE MATERIALIZED VIEW c AS SELECT * FROM b"]},
        {"cell_type": "code", "source": "import dlt\n@dlt.view\ndef d():\n    return spark.table('c')"},
    ]
    jupyter = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    sql = "-- Databricks notebook source\nCREATE MATERIALIZED VIEW e AS SELECT count(*) AS n FROM d\n\n-- COMMAND ----------\n\n-- MAGIC %md done"
    plan = pipeline.plan(SourceFile("n", notebook), SourceFile("j.ipynb", jupyter), SourceFile("s", sql))
    assert [(one.name[-1], str(one.dataset.location)) for one in plan.datasets.values()] == [
        ("a", "n:12"),
        ("b", "n:17"),
        ("c", "j.ipynb:2"),
        ("d", "j.ipynb:2"),
        ("e", "s:2"),
    ]
    assert list(plan.explain())[-1] == f"MATERIALIZED_VIEW main.{pipeline.schema}.e (n bigint) <- d"
    with pytest.raises(GraphInvalid, match=r"n:4: \[UNSUPPORTED_MAGIC\].*%pip"):
        pipeline.plan(SourceFile("n", "# Databricks notebook source\n\n\n# MAGIC %pip install x\n"))
