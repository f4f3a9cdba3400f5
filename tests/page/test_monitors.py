"""A table's monitor on the page: made by the form, refreshed, its figures and its drift."""

import re

import pytest
from playwright.sync_api import Page, expect
from pyspark.sql.connect.session import SparkSession

from tests.conftest import Server

pytestmark = pytest.mark.page
LONG = "a_column_whose_name_is_far_too_long_for_any_table_on_a_page_that_has_other_columns_to_show_as_well"


def test_a_monitor_from_its_form_to_drift(page: Page, server: Server) -> None:
    spark: SparkSession = SparkSession.builder.remote(server.spark_remote().replace("127.0.0.1", "localhost")).create()
    try:
        spark.sql("CREATE SCHEMA main.watched").collect()
        # Four days; in the last two the numbers are others.
        spark.sql(
            "CREATE TABLE main.watched.sales AS SELECT date_trunc('DAY', now()) - make_interval(0, 0, 0, CAST(id % 4 AS INT)) AS at, "
            f"CASE WHEN id % 4 < 2 THEN 50.0 ELSE 0.0 END + (id % 37) AS price, CAST(id % 3 AS STRING) AS {LONG} FROM range(2000)"
        ).collect()
        spark.sql("CREATE TABLE main.watched.past AS SELECT * FROM main.watched.sales WHERE price < 40").collect()
    finally:
        spark.stop()
    page.goto("/catalog/main/watched/sales?tab=quality")
    form = page.get_by_role("region", name="Monitor this table")
    expect(form.get_by_role("button", name="Time series")).to_have_attribute("aria-pressed", "true")
    form.get_by_role("button", name="Inference log").click()
    expect(form.get_by_role("button", name="Create monitor")).to_be_disabled()
    form.get_by_role("button", name="Time series").click()
    page.get_by_label("Baseline table").fill("main.watched.nothing")
    form.get_by_role("button", name="Create monitor").click()
    expect(form.get_by_role("alert")).to_contain_text("baseline_table_name")
    page.get_by_label("Baseline table").fill("main.watched.past")
    form.get_by_role("button", name="Create monitor").click()
    monitor = page.get_by_role("region", name="Monitor")
    expect(monitor).to_contain_text("main.watched.sales_profile_metrics")
    expect(monitor.locator(".badge")).to_have_text("success", timeout=60_000)
    expect(page.get_by_role("img", name=re.compile("count of 4 windows"))).to_be_visible()
    drift = page.get_by_role("region", name="Drift")
    expect(drift.locator("tr.has-drifted")).to_have_count(1)
    expect(drift.locator("tr.has-drifted")).to_contain_text("drifted, 2 of 3 windows")
    expect(drift.locator("tr", has_text=LONG).first).to_contain_text("as before")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.set_viewport_size({"width": 420, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.once("dialog", lambda dialog: dialog.accept())
    monitor.get_by_role("button", name="Delete monitor").click()
    expect(form).to_be_visible()
