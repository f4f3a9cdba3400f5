"""A dashboard on the page: its charts, its filters, what is wrong with a widget, and how it is changed and published."""

import json
import os
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.dashboards import Dashboard
from playwright.sync_api import Page, expect
from pyspark.sql.connect.session import SparkSession

from tests.conftest import Server
from tests.sql.documents import field, sales, text, widget

pytestmark = pytest.mark.page
LONG = "A widget whose title is far too long for the small place that it has on this page"


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def test_a_dashboard(page: Page, server: Server, tmp_path: Path) -> None:  # noqa: PLR0915 - one life, told in its order
    spark: SparkSession = SparkSession.builder.remote(server.spark_remote().replace("127.0.0.1", "localhost")).create()
    try:
        spark.sql("CREATE SCHEMA main.shown").collect()
        rows = "('north', DATE'2026-01-05', 10.5), ('north', DATE'2026-02-05', 20), ('south', DATE'2026-02-28', 5), (NULL, DATE'2026-03-01', 1)"
        spark.sql(f"CREATE TABLE main.shown.sales AS SELECT * FROM VALUES {rows} AS t(region, day, amount)").collect()
    finally:
        spark.stop()
    extra = (
        widget("broken", "counter", {"value": {"fieldName": "n"}}, field("n", "SUM(`nothing`)"), title=LONG, at=(0, 16, 2, 4)),
        widget("map", "choropleth-map", {}, title="Map", at=(2, 16, 2, 4)),
        widget("none", "bar", {}, field("region"), title="Nothing", at=(4, 16, 2, 4), dataset="empty"),
        text("end", "**The end**", at=(0, 20, 6, 1)),
    )
    document = json.loads(sales("main.shown.sales", *extra))
    document["datasets"].append({"name": "empty", "queryLines": ["SELECT * FROM main.shown.sales WHERE false"]})
    client = WorkspaceClient(host=server.url, token=server.token, auth_type="pat")
    made = client.lakeview.create(Dashboard(display_name="sales of all regions", serialized_dashboard=json.dumps(document)))
    page.goto("/dashboards")
    page.get_by_role("link", name="sales of all regions").click()
    part = lambda name: page.get_by_role("region", name=name, exact=True)  # noqa: E731
    expect(part("Total")).to_contain_text("36.5", timeout=30_000)
    for kind, name in (("bar", "bars"), ("line", "lines"), ("pie", "pie")):
        expect(page.get_by_role("img", name=f"{kind} of {name}").locator("svg")).to_be_visible(timeout=30_000)
    expect(part("rows").locator("tbody tr")).to_have_count(4)
    expect(part(LONG).get_by_role("alert")).to_contain_text("nothing")
    expect(part("Map")).to_contain_text("Widgets of the kind choropleth-map are not drawn here.")
    expect(part("Nothing")).to_contain_text("No rows.")
    expect(page.get_by_role("heading", name="Sales", exact=True)).to_be_visible()
    picture = os.environ.get("BOATHOUSE_PICTURES", str(tmp_path))
    page.screenshot(path=f"{picture}/dashboard.png", full_page=True)
    assert fits(page)

    part("regions").locator("summary").click()
    part("regions").get_by_label("south").check()
    expect(part("Total")).to_contain_text("5")
    expect(part("rows").locator("tbody tr")).to_have_count(1)
    page.reload()
    expect(part("rows").locator("tbody tr")).to_have_count(1, timeout=30_000)
    page.goto(f"/dashboards/{made.dashboard_id}")
    page.get_by_label("days from").fill("2026-02-01")
    page.get_by_label("days to").fill("2026-02-28")
    page.get_by_label("days to").blur()
    expect(part("Total")).to_contain_text("25", timeout=30_000)
    page.set_viewport_size({"width": 420, "height": 800})
    page.screenshot(path=f"{picture}/dashboard-narrow.png", full_page=True)
    assert fits(page)
    page.set_viewport_size({"width": 1280, "height": 800})

    page.get_by_label("with my credentials").check()
    page.get_by_role("button", name="Publish").click()
    page.get_by_role("link", name="Published").click()
    expect(part("Total")).to_contain_text("36.5", timeout=30_000)
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("The whole file").fill('{"pages": 1}')
    page.get_by_role("button", name="Save the file").click()
    expect(page.get_by_role("alert")).to_contain_text("serialized_dashboard.pages is not valid")
    page.get_by_label("Sales", exact=True).fill("SELECT *, :least FROM main.shown.sales WHERE region = 'north'")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("link", name="Draft").click()
    expect(part("Total")).to_contain_text("30.5", timeout=30_000)
    page.screenshot(path=f"{picture}/dashboard-draft.png", full_page=True)
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Trash").click()
    expect(page.get_by_text("No dashboard yet")).to_be_visible()
    page.goto(f"/dashboards/{made.dashboard_id}")
    page.get_by_role("button", name="Restore").click()
    expect(part("Total")).to_contain_text("30.5", timeout=30_000)
