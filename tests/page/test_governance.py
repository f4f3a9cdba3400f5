"""Governance on the page: policies, keys, tags, grants, lineage, search, dropped tables."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from pyspark.sql.connect.session import SparkSession

from tests.conftest import Server

pytestmark = pytest.mark.page
HERE = "/catalog/main/shop"
STATEMENTS = [
    "CREATE SCHEMA main.shop COMMENT 'What was sold'",
    "CREATE TABLE main.shop.customers (id BIGINT NOT NULL, card STRING COMMENT 'Of the customer', tags MAP<STRING, STRING>)",
    "ALTER TABLE main.shop.customers ADD CONSTRAINT pk PRIMARY KEY (id)",
    "INSERT INTO main.shop.customers VALUES (1, '4111', map('a', 'x'))",
    "CREATE TABLE main.shop.orders (id BIGINT, customer BIGINT)",
    "ALTER TABLE main.shop.orders ADD CONSTRAINT fk FOREIGN KEY (customer) REFERENCES main.shop.customers (id)",
    "CREATE VIEW main.shop.cards AS SELECT id, card FROM main.shop.customers",
    "CREATE FUNCTION main.shop.hide(card STRING) RETURNS STRING RETURN '*'",
    "CREATE FUNCTION main.shop.net(gross DOUBLE, rate DOUBLE DEFAULT 0.19) RETURNS DOUBLE RETURN gross / (1 + rate)",
    "CREATE TABLE main.shop.counted AS SELECT id AS customer, count(*) AS n FROM main.shop.customers GROUP BY id",
    "ALTER TABLE main.shop.customers ALTER COLUMN card SET MASK main.shop.hide",
    "ALTER TABLE main.shop.customers ALTER COLUMN card SET TAGS ('pii' = 'card')",
    "ALTER TABLE main.shop.customers SET TAGS ('domain' = 'sales')",
    "CREATE TABLE main.shop.gone AS SELECT 1 AS id",
    "DROP TABLE main.shop.gone",
    "GRANT USE SCHEMA ON SCHEMA main.shop TO `ann@example.com`",
    "GRANT SELECT ON SCHEMA main.shop TO `ann@example.com`",
]


@pytest.fixture(scope="module")
def ann(server: Server) -> Iterator[str]:
    """A user who may read the schema `shop`; gives its token."""
    token = server.new_principal("ann@example.com")
    spark: SparkSession = SparkSession.builder.remote(server.spark_remote().replace("127.0.0.1", "localhost")).create()
    try:
        for statement in STATEMENTS:
            spark.sql(statement).collect()
    finally:
        spark.stop()
    yield token
    with server.client() as admin:
        admin.delete("/api/2.1/unity-catalog/schemas/main.shop", params={"force": True})


@pytest.fixture
def reader(browser: Browser, server: Server, ann: str) -> Iterator[Page]:
    """A page that Ann has signed in on."""
    context = browser.new_context(base_url=server.url, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto("/sign-in")
    page.fill("#token", ann)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_selector(".shell")
    yield page
    context.close()


def test_columns_show_keys_masks_and_tags(page: Page, ann: str) -> None:
    page.goto(f"{HERE}/customers")
    card = page.locator("table.data tbody tr", has_text="Of the customer")
    expect(card).to_contain_text("masked by main.shop.hide")
    expect(card.locator(".tag")).to_have_text("piicard")
    expect(page.locator(".head .tag")).to_have_text("domainsales")
    expect(page.locator("table.data tbody tr").first).to_contain_text("primary key")
    page.goto(f"{HERE}/orders")
    page.get_by_role("link", name="customers.id").click()
    expect(page.locator("h1")).to_have_text("main.shop.customers")


def test_a_table_with_a_mask_says_how_to_read_it(reader: Page, page: Page) -> None:
    reader.goto(f"{HERE}/customers?tab=sample")
    expect(reader.locator(".note")).to_contain_text("a mask on card")
    expect(reader.locator(".note pre")).to_have_text("SELECT * FROM main.shop.customers LIMIT 50")
    expect(reader.get_by_role("alert")).to_have_count(0)
    page.goto(f"{HERE}/customers?tab=sample")
    expect(page.locator("main")).to_contain_text("what lies in its files")
    expect(page.locator("table.data tbody td").last).to_have_text('{"a":"x"}')


def test_a_view_and_a_function_show_how_they_are_made(page: Page, ann: str) -> None:
    page.goto(HERE)
    page.get_by_role("link", name="view cards").click()
    expect(page.locator("table.data tbody tr")).to_have_count(2)
    expect(page.get_by_role("link", name="Sample")).to_have_count(0)
    page.get_by_role("link", name="Definition").click()
    expect(page.locator("pre").first).to_contain_text("CREATE VIEW main.shop.cards AS\nSELECT id, card FROM")
    page.get_by_role("link", name="function net").click()
    expect(page).to_have_url(re.compile(r"net\?kind=function$"))
    expect(page.locator("pre").first).to_have_text("net(gross DOUBLE, rate DOUBLE DEFAULT 0.19) RETURNS DOUBLE")
    expect(page.locator("pre").nth(1)).to_have_text("gross / (1 + rate)")


def test_grants_come_and_go(page: Page, reader: Page) -> None:
    page.goto(f"{HERE}/orders?tab=permissions")
    inherited = page.locator("tbody tr", has_text="SELECT")
    expect(inherited).to_contain_text("schema main.shop")
    page.get_by_label("User, group or service principal").fill("nobody@example.com")
    page.get_by_role("button", name="Grant").click()
    expect(page.get_by_role("alert")).to_contain_text("nobody@example.com")
    page.get_by_label("User, group or service principal").fill("ann@example.com")
    page.get_by_label("Privilege", exact=True).select_option("MODIFY")
    page.get_by_role("button", name="Grant").click()
    row = page.locator("tbody tr", has_text="MODIFY")
    expect(row).to_contain_text("granted here")
    reader.goto(f"{HERE}/orders?tab=permissions")
    expect(reader.locator("tbody tr", has_text="MODIFY")).to_be_visible()
    expect(reader.get_by_role("button", name="Grant")).to_have_count(0)
    page.get_by_role("button", name="Revoke MODIFY from ann@example.com").click()
    expect(row).to_have_count(0)
    inherited.get_by_role("link", name="main.shop").click()
    expect(page).to_have_url(re.compile(f"{HERE}\\?tab=permissions$"))


def test_lineage_leads_on(page: Page, ann: str) -> None:
    page.goto(f"{HERE}/counted?tab=lineage")
    page.get_by_label("Column", exact=True).select_option("customer")
    expect(page).to_have_url(re.compile("column=customer"))
    expect(page.get_by_label("Made of")).to_contain_text("main.shop.customers")
    expect(page.locator(".dag-node[aria-pressed=true]")).to_contain_text("counted")
    page.locator(".dag-node", has_text="customers").click()
    expect(page).to_have_url(re.compile("node=table%3Amain.shop.customers"))
    expect(page.get_by_label("Chosen").get_by_label("Goes to")).to_contain_text("main.shop.counted")
    page.get_by_role("button", name="Show all around it").click()
    expect(page.locator(".dag-node", has_text="cards")).to_be_visible()
    page.goto(f"{HERE}/counted?tab=lineage")
    page.get_by_label("Comes from").get_by_role("link", name="main.shop.customers").click()
    expect(page.locator("h1")).to_have_text("main.shop.customers")
    expect(page.get_by_label("Goes to")).to_contain_text("main.shop.counted")


def test_search_finds_what_one_may_see(page: Page, reader: Page) -> None:
    page.get_by_label("Search the catalog").first.fill("pii")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/catalog\?q=pii$"))
    expect(page.locator(".results tbody tr")).to_have_count(1)
    page.get_by_role("button", name="functions").click()
    expect(page).to_have_url(re.compile("types=function"))
    expect(page.locator(".note")).to_contain_text("Nothing was found")
    reader.goto("/catalog?q=hide")
    expect(reader.locator(".note")).to_contain_text("Nothing was found")
    page.goto("/catalog?q=hide")
    page.get_by_role("link", name="main.shop.hide").click()
    expect(page.locator("h1")).to_have_text("main.shop.hide")


def test_a_dropped_table_comes_back(page: Page, ann: str) -> None:
    page.goto(f"{HERE}?tab=dropped")
    page.get_by_role("button", name="Undrop main.shop.gone").click()
    expect(page.get_by_role("status")).to_contain_text("The table is back")
    expect(page.locator("main")).to_contain_text("No dropped tables")
    page.get_by_role("link", name="main.shop.gone").click()
    expect(page.locator("h1")).to_have_text("main.shop.gone")


@pytest.mark.parametrize("path", [f"{HERE}/customers", f"{HERE}/counted?tab=lineage", f"{HERE}/orders?tab=permissions"])
def test_it_fits_a_narrow_screen(page: Page, ann: str, path: str) -> None:
    page.set_viewport_size({"width": 375, "height": 800})
    page.goto(path)
    expect(page.locator(".panel").last).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_token_is_made_and_revoked(page: Page) -> None:
    page.get_by_label("Access tokens").click()
    page.get_by_label("What it is for").fill("a short task")
    page.get_by_label("sql").check()
    page.get_by_role("button", name="Make a token").click()
    expect(page.get_by_role("status").locator("pre")).to_have_text(re.compile("^bhp_"))
    expect(page.locator("tbody tr", has_text="a short task")).to_contain_text("in 90 days")
    page.get_by_role("button", name="Revoke a short task").click()
    page.get_by_role("button", name="Really revoke a short task").click()
    expect(page.locator("tbody tr", has_text="a short task")).to_have_count(0)
