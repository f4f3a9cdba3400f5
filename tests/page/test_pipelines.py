"""Pipelines on the page: the graph with its figures, updates, events, and buttons that do what they say."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import Server

pytestmark = pytest.mark.page
CODE = "/Volumes/main/stock/code/tables.sql"
LONG = "orders_by_a_name_that_is_much_longer_than_any_box_of_the_graph_is_wide"
GOOD = f"""
CREATE MATERIALIZED VIEW {LONG} (
  CONSTRAINT even EXPECT (id % 2 = 0) ON VIOLATION DROP ROW,
  CONSTRAINT small EXPECT (id < 9)
) COMMENT 'What was sold' AS SELECT id FROM range(10);
CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM {LONG};
"""
BAD = GOOD + "CREATE MATERIALIZED VIEW lost AS SELECT nothing FROM counted;"
SECONDS = 90_000


class Stock:
    """A pipeline that can be given another source."""

    def __init__(self, server: Server) -> None:
        self.client = server.client()
        self.client.post("/api/2.1/unity-catalog/schemas", json={"name": "stock", "catalog_name": "main"}).raise_for_status()
        volume = {"name": "code", "catalog_name": "main", "schema_name": "stock", "volume_type": "MANAGED"}
        self.client.post("/api/2.1/unity-catalog/volumes", json=volume).raise_for_status()

    def declares(self, source: str) -> None:
        self.client.put(f"/api/2.0/fs/files{CODE}?overwrite=true", content=source.encode()).raise_for_status()

    def create(self, name: str) -> str:
        body = {"name": name, "catalog": "main", "schema": "stock", "libraries": [{"file": {"path": CODE}}]}
        made = self.client.post("/api/2.0/pipelines", json=body)
        made.raise_for_status()
        return str(made.json()["pipeline_id"])

    def clear(self) -> None:
        for one in self.client.get("/api/2.0/pipelines").json().get("statuses", []):
            self.client.delete(f"/api/2.0/pipelines/{one['pipeline_id']}").raise_for_status()


@pytest.fixture(scope="module")
def stock(server: Server) -> Iterator[Stock]:
    """A schema with the source of a pipeline."""
    stock = Stock(server)
    stock.declares(GOOD)
    yield stock
    stock.clear()
    stock.client.delete("/api/2.1/unity-catalog/schemas/main.stock", params={"force": True})
    stock.client.close()


@pytest.fixture
def no_pipelines(stock: Stock) -> None:
    """What other tests have made is gone."""
    stock.clear()


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def is_looked_at(page: Page) -> None:
    """Whether a table's data comes in time is on its page, once its schema's page has been told to look."""
    expect(page.locator("h1")).to_have_text(f"main.stock.{LONG}")
    page.goto("/catalog/main/stock")
    page.get_by_role("button", name="Enable monitoring").click()
    expect(page.get_by_role("button", name="Disable monitoring")).to_be_enabled()
    assert fits(page)
    page.goto(f"/catalog/main/stock/{LONG}")
    expect(page.get_by_role("group", name="Freshness and rows")).to_contain_text("goes back less than a week")


@pytest.mark.usefixtures("no_pipelines")
def test_from_no_pipeline_to_one_that_fails(page: Page, stock: Stock) -> None:
    page.goto("/pipelines")
    expect(page.locator("main")).to_contain_text("No pipeline yet")
    pipeline = stock.create("stock " + "of_a_name_that_does_not_end_" * 6)
    page.reload()
    page.get_by_label("Find by name").fill("stock of_a")
    page.get_by_role("link", name="stock of_a").click()
    expect(page.locator("main")).to_contain_text("never run")
    expect(page.get_by_role("button", name="Stop")).to_be_disabled()

    # Validate shows the graph and makes no table.
    page.get_by_role("button", name="Validate").click()
    node = page.locator(".dag-node", has_text="orders_by")
    expect(node).to_be_visible(timeout=SECONDS)
    expect(node).to_have_attribute("data-tone", "")
    expect(page.locator(".head .badge").first).to_have_text("completed", timeout=SECONDS)
    assert stock.client.get("/api/2.1/unity-catalog/tables/main.stock.counted").status_code == 404

    page.get_by_role("button", name="Start", exact=True).click()
    expect(node).to_have_attribute("data-tone", "good", timeout=SECONDS)
    expect(node).to_contain_text("5 rows · 5 dropped · 2/2 unmet")
    node.click()
    rules = page.get_by_role("table", name="Expectations").locator("tbody tr")
    expect(rules.nth(0)).to_have_text(re.compile(r"even.*id % 2 = 0.*drop the row.*5.*5.*50 %"))
    expect(rules.nth(1)).to_have_text(re.compile(r"small.*id < 9.*count.*9.*1.*90 %"))
    assert fits(page)

    # To the table, and from the table back to its pipeline.
    page.get_by_role("region", name="Dataset").get_by_role("link").first.click()
    is_looked_at(page)
    page.locator(".head").get_by_role("link", name="stock of_a").click()

    # A fault is told with file and line, and the graph that was planned before stays.
    stock.declares(BAD)
    page.get_by_role("button", name="Start", exact=True).click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(f"{CODE}:7", timeout=SECONDS)
    expect(alert).to_contain_text("nothing")
    expect(page.locator(".note.stale")).to_contain_text("The graph is of an update before")
    expect(page.locator(".dag-node")).to_have_count(2)
    stock.declares(GOOD)

    page.get_by_role("link", name="Updates", exact=True).click()
    expect(page.locator("table.data tbody tr")).to_have_count(3)
    expect(page.locator("table.data tbody tr").first).to_contain_text("failed")
    page.locator("table.data tbody tr").nth(1).get_by_role("link").first.click()
    expect(page.locator(".dag-node", has_text="counted")).to_have_attribute("data-tone", "good")
    page.get_by_role("link", name="Events", exact=True).click()
    page.get_by_role("button", name=re.compile("^update")).click()
    page.get_by_role("button", name="error", exact=True).click()
    expect(page.locator(".events li")).to_have_count(1)
    page.locator(".events summary").click()
    expect(page.locator(".events li")).to_contain_text(f"{CODE}:7")
    page.get_by_role("link", name="Settings", exact=True).click()
    expect(page.locator("main")).to_contain_text(CODE)
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        for tab in ("graph", "updates", "events", "settings"):
            page.goto(f"/pipelines/{pipeline}?tab={tab}")
            expect(page.locator(".tabs .active")).to_have_text(tab.title())
            assert fits(page), (width, tab)


def test_who_may_only_see_is_told_why(browser: Browser, server: Server, stock: Stock) -> None:
    pipeline, token = stock.create("of the viewer"), server.new_principal("viewer@example.com")
    context = browser.new_context(base_url=server.url, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(f"/sign-in?next=/pipelines/{pipeline}")
    page.fill("#token", token)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("Not found")
    access = {"access_control_list": [{"user_name": "viewer@example.com", "permission_level": "CAN_VIEW"}]}
    stock.client.patch(f"/api/2.0/permissions/pipelines/{pipeline}", json=access).raise_for_status()
    page.reload()
    expect(page.locator("main")).to_contain_text("To run it you need CAN_RUN")
    for name in ("Start", "Validate", "Full refresh", "Stop"):
        expect(page.get_by_role("button", name=name)).to_be_disabled()
    context.close()
    graph = f"/api/boathouse/v1/pipelines/{pipeline}/graph"
    with server.client(token) as viewer:
        assert viewer.get(graph).json() == {"level": "CAN_VIEW", "update": None, "planned_by": None, "nodes": []}
        assert viewer.get(f"{graph}?update_id=none").status_code == 404
    with server.client(server.new_principal("nobody@example.com")) as nobody:
        assert nobody.get(graph).status_code == nobody.get(graph.replace("graph", "updates")).status_code == 404
