"""AutoML on the page: what is wrong is said, a search is started on a table, watched and stopped."""

import re

import pytest
from playwright.sync_api import Page, expect
from pyspark.sql.connect.session import SparkSession

from tests.conftest import Server

pytestmark = pytest.mark.page
URL = "/api/boathouse/v1/training/automl"
LONG = "a_column_whose_name_is_far_too_long_for_any_table_on_a_page_that_has_other_columns_to_show_as_well"


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


@pytest.fixture(scope="module")
def table(server: Server) -> str:
    spark: SparkSession = SparkSession.builder.remote(server.spark_remote().replace("127.0.0.1", "localhost")).create()
    try:
        spark.sql("CREATE SCHEMA main.searched").collect()
        spark.sql(
            f"CREATE TABLE main.searched.sales AS SELECT id AS number, CAST(id % 11 AS DOUBLE) AS {LONG}, CAST(id % 7 AS DOUBLE) AS other, "
            "(id % 11) * 2.0 + (id % 7) AS price, CAST(id % 11 > 5 AS STRING) AS is_dear FROM range(300)"
        ).collect()
        spark.sql(
            "CREATE TABLE main.searched.shops (shop BIGINT NOT NULL, at TIMESTAMP NOT NULL, size DOUBLE, CONSTRAINT k PRIMARY KEY (shop, at TIMESERIES))"
        ).collect()
        spark.sql(
            "CREATE TABLE main.searched.days AS SELECT *, timestamp_seconds(number * 86400) AS at, array(number) AS parts FROM main.searched.sales"
        ).collect()
    finally:
        spark.stop()
    return "main.searched.sales"


def test_what_is_wrong_with_a_search_is_named(server: Server, table: str) -> None:
    admin, table = server.client(), table.replace("sales", "days")
    usual = {"problem": "regress", "dataset": table, "target_col": "price"}
    forecast = {"problem": "forecast", "time_col": "At"}
    shops = {"table_name": "main.searched.SHOPS", "lookup_key": "NUMBER", "timestamp_lookup_key": "AT"}
    for change, status, message in (
        ({"dataset": "main.searched.none"}, 404, "main.searched.none' does not exist"),
        ({"target_col": "cost"}, 400, "target_col names 'cost', which is no column"),
        ({"primary_metric": "f1"}, 400, "of regress it is one of r2, mae, rmse, mse"),
        ({"problem": "group"}, 400, "problem: Input should be 'classify', 'regress' or 'forecast'"),
        ({"problem": "forecast"}, 400, "time_col is missing"),
        ({"horizon": 3}, 400, "horizon does not belong to regress"),
        ({"pos_label": "x"}, 400, "pos_label does not belong to regress"),
        ({"timeout_minutes": 0}, 400, "timeout_minutes"),
        ({"time": "x"}, 400, "time"),
        ({"exclude_frameworks": ["prophet"]}, 400, "the frameworks are sklearn, lightgbm, xgboost"),
        ({"exclude_frameworks": ["lightgbm", "sklearn", "xgboost"]}, 400, "leaves none of the frameworks"),
        ({"target_col": "is_dear"} | {"exclude_cols": ["IS_DEAR"]}, 400, "exclude_cols names the target, 'is_dear'"),
        ({"target_col": "AT"}, 400, "target_col names 'at', which is of type TIMESTAMP: it has to be a number"),
        ({"problem": "classify", "target_col": "PARTS"}, 400, "which is of type ARRAY"),
        (
            {"sample_weight_col": "is_dear"},
            400,
            "sample_weight_col names 'is_dear', which is of type STRING: it has to be a number",
        ),
        ({"split_col": "nothing"}, 400, "split_col names 'nothing', which is no column"),
        ({"split_col": "is_dear", "time_col": "at"}, 400, "both say how rows are split"),
        ({"imputers": {"nothing": "mean"}}, 400, "imputers names 'nothing', which is no column"),
        (
            forecast | {"time_col": "number"},
            400,
            "time_col names 'number', which is of type LONG: it has to be a date or timestamp",
        ),
        ({"feature_store_lookups": [{"table_name": "main.searched.days", "lookup_key": "number"}]}, 400, "has no primary key"),
        ({"feature_store_lookups": [{"table_name": "main.searched.none", "lookup_key": "number"}]}, 404, "does not exist"),
        (
            {"feature_store_lookups": [shops | {"lookup_key": ["number", "other"]}]},
            400,
            "feature_store_lookups[0].lookup_key has 2 columns; main.searched.shops has the key shop",
        ),
        (
            {"feature_store_lookups": [shops, shops | {"timestamp_lookup_key": "then"}]},
            400,
            "feature_store_lookups[1].timestamp_lookup_key names 'then', which is no column of main.searched.days",
        ),
        ({"feature_store_lookups": [{"table_name": "main.searched.shops"}]}, 400, "lookup_key"),
        (forecast | {"feature_store_lookups": [shops]}, 400, "feature_store_lookups does not belong to forecast"),
        (forecast | {"imputers": {"price": "mean"}}, 400, "imputers does not belong to forecast"),
        (forecast | {"frequency": "fortnight"}, 400, "frequency is 'fortnight'; it is one of years, quarters"),
        (forecast | {"exclude_frameworks": ["prophet", "foo"]}, 400, "holds foo; the frameworks are naive, ets"),
        (forecast | {"identity_col": ["price"]}, 400, "are different columns"),
        (forecast | {"output_database": "main.nowhere"}, 404, "Schema 'main.nowhere' does not exist"),
    ):
        answer = admin.post(URL, json=usual | change)
        assert answer.status_code == status, change
        assert message in answer.json()["message"]
    assert server.client("").post(URL, json=usual).status_code == 401
    # Columns are found in any case, as in SQL, and written as the table has them.
    changes = {"target_col": "PRICE", "exclude_cols": ["Number", "SIZE"], "imputers": {"OTHER": "mean"}}
    begun = admin.post(URL, json=usual | changes | {"feature_store_lookups": [shops]})
    assert begun.status_code == 201
    admin.post("/api/2.2/jobs/runs/cancel", json={"run_id": begun.json()["run_id"]}).raise_for_status()
    export = admin.get("/api/2.0/workspace/export", params={"path": begun.json()["notebook_path"], "direct_download": "true"})
    lookups = "[{'table_name': 'main.searched.shops', 'lookup_key': ['number'], 'timestamp_lookup_key': 'at'}]"
    excluded = "exclude_cols=['number', 'size']"
    for argument in ("target_col='price'", excluded, "imputers={'other': 'mean'}", f"feature_store_lookups={lookups}"):
        assert argument in export.text
    other = server.client(server.new_principal("searches@example.com"))
    assert other.post(URL, json=usual).status_code in {403, 404}


def test_a_search_from_its_form_to_its_end(page: Page, server: Server, table: str) -> None:
    page.goto("/automl")
    form = page.get_by_role("region", name="Find a model")
    form.get_by_label("Table").fill("main.searched.none")
    form.get_by_label("Table").press("Enter")
    expect(form.get_by_role("alert")).to_contain_text("main.searched.none' does not exist")
    form.get_by_label("Table").fill(table)
    form.get_by_label("Table").press("Enter")
    form.get_by_role("button", name="Forecast").click()
    form.get_by_label("Target").select_option("price")
    expect(form.get_by_role("button", name="Start")).to_have_attribute("title", "Choose the column of time.")
    form.get_by_label("Time", exact=True).select_option("number")
    form.get_by_role("button", name="Start").click()
    # A column of numbers is no time.
    expect(form.get_by_role("alert")).to_contain_text("time_col names 'number', which is of type LONG")

    page.goto(f"/automl?table={table}")
    form.get_by_label("Target").select_option("is_dear")
    form.get_by_label("Minutes at most").fill("5")
    form.get_by_role("button", name="Start").click()
    board = page.get_by_role("region", name="Leaderboard")
    expect(board.locator("tr", has_text="LightGBM").locator(".badge").first).to_have_text("finished", timeout=90_000)
    warnings = page.get_by_role("region", name="Warnings")
    expect(warnings).to_contain_text("number numbers the rows and is left out")
    expect(warnings).to_contain_text("leak")
    expect(board.get_by_role("link", name="run").first).to_have_attribute(
        "href", re.compile(r"^/mlflow/#/experiments/\d+/runs/\w+$")
    )
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("header .badge")).to_have_text("canceled", timeout=30_000)
    expect(board.locator(".badge", has_text="running")).to_have_count(0)
    assert fits(page)
    page.set_viewport_size({"width": 420, "height": 800})
    assert fits(page)
    board.get_by_role("link", name="notebook").first.click()
    expect(page.get_by_text("This is all that was done in this trial")).to_be_visible()
    page.goto("/automl")
    row = page.get_by_role("region", name="Searches").locator("tr", has_text="is_dear_sales")
    expect(row).to_contain_text(table)
    assert fits(page)
    row.get_by_role("link").click()
    expect(page.locator("header .badge")).to_have_text("canceled")
