"""The page as a person uses it."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import Server

pytestmark = pytest.mark.page


def test_a_link_signs_in_once(stranger: Page, server: Server) -> None:
    link = server.client().post("/api/boathouse/v1/sign-in-links").json()["url"]
    stranger.goto(link)
    expect(stranger.locator(".strip")).to_be_visible()
    assert "code=" not in stranger.url
    stranger.context.clear_cookies()
    stranger.goto(link)
    expect(stranger.get_by_role("alert")).to_contain_text("boathouse status --link")


def test_a_token_signs_in_and_a_wrong_one_says_what_to_do(stranger: Page, server: Server) -> None:
    stranger.goto("/")
    expect(stranger).to_have_url(re.compile("/sign-in"))
    stranger.fill("#token", "bhp_wrong")
    stranger.click("text=Sign in")
    expect(stranger.get_by_role("alert")).to_contain_text("boathouse token")
    stranger.fill("#token", f"  {server.token} ")
    stranger.click("text=Sign in")
    expect(stranger.locator(".strip")).to_be_visible()
    assert stranger.evaluate("document.cookie") == ""


def test_a_stranger_comes_back_to_where_it_was(stranger: Page, server: Server, lake: str) -> None:
    stranger.goto(f"/catalog/main/pages/{lake}?tab=sample")
    expect(stranger).to_have_url(re.compile("/sign-in"))
    stranger.fill("#token", server.token)
    stranger.click("text=Sign in")
    expect(stranger).to_have_url(re.compile(f"/catalog/main/pages/{lake}\\?tab=sample$"))
    expect(stranger.locator("table.data tbody tr")).to_have_count(6)


def test_signing_out_ends_it(page: Page) -> None:
    page.get_by_label("Sign out").click()
    expect(page).to_have_url(re.compile("/sign-in"))
    page.goto("/models")
    expect(page).to_have_url(re.compile("/sign-in"))


def test_home_counts_what_is_there(page: Page, lake: str) -> None:
    page.goto("/")
    silver = page.locator("[data-stage=silver]")
    expect(silver.locator(".value")).to_have_text("6")
    expect(silver.locator(".detail")).to_contain_text("1 table")
    expect(page.locator("[data-stage=raw] .value")).not_to_have_text("0")
    expect(page.locator(".feed")).to_contain_text(lake)


def test_from_the_tree_to_a_tables_rows_and_history(page: Page, lake: str) -> None:
    page.goto("/catalog")
    page.get_by_role("button", name="pages", exact=True).click()
    page.get_by_role("link", name=lake).click()
    expect(page.locator("h1")).to_have_text(f"main.pages.{lake}")
    expect(page.locator("table.data tbody tr")).to_have_count(3)
    page.get_by_role("link", name="Sample").click()
    expect(page.locator("table.data tbody tr").first.locator("td").last).to_have_text('{"a":[1]}')
    expect(page.locator(".null", has_text="null").first).to_be_visible()
    page.get_by_role("link", name="History").click()
    expect(page.locator("table.data tbody tr")).to_have_count(2)
    page.get_by_role("link", name="Details").click()
    expect(page.locator("dl.facts").last).to_contain_text("quality")
    page.get_by_role("link", name="Permissions").click()
    expect(page.locator("main")).to_contain_text("USE CATALOG")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_long_value_opens_in_full(page: Page, lake: str) -> None:
    page.goto(f"/catalog/main/pages/{lake}?tab=sample")
    page.get_by_role("button", name="ää").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("500 characters")
    expect(dialog.locator("pre")).to_have_text("ä" * 500)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_history_leads_to_the_rows_of_a_version(page: Page, lake: str) -> None:
    page.goto(f"/catalog/main/pages/{lake}?tab=history")
    page.get_by_role("link", name="0", exact=True).click()
    expect(page).to_have_url(re.compile("tab=sample&version=0"))
    expect(page.locator("table.data tbody tr")).to_have_count(3)
    page.get_by_role("link", name="Show the newest").click()
    expect(page.locator("table.data tbody tr")).to_have_count(6)


def test_the_tree_stays_open_on_the_way(page: Page, lake: str) -> None:
    page.goto("/catalog")
    page.get_by_role("button", name="default", exact=True).click()
    page.get_by_role("button", name="pages", exact=True).click()
    page.get_by_role("link", name=lake).click()
    expect(page.locator("h1")).to_have_text(f"main.pages.{lake}")
    expect(page.get_by_role("button", name="default", exact=True)).to_have_attribute("aria-expanded", "true")


def test_figures_that_cannot_be_refreshed_say_so(page: Page) -> None:
    page.route("**/api/boathouse/v1/home", lambda route: route.abort())
    expect(page.get_by_role("status")).to_contain_text("does not answer", timeout=20_000)
    expect(page.locator(".strip")).to_be_visible()
    page.unroute("**/api/boathouse/v1/home")
    expect(page.get_by_role("status")).to_have_count(0, timeout=20_000)


def test_the_tree_filters(page: Page, lake: str) -> None:
    page.goto("/catalog")
    page.get_by_label("Filter by name").fill("ORDERS_with")
    expect(page.get_by_role("link", name=lake)).to_be_visible()
    page.get_by_label("Filter by name").fill("no such thing")
    expect(page.get_by_text("No match").first).to_be_visible()


def test_a_volumes_files(page: Page, lake: str) -> None:
    page.goto("/catalog/main/pages/files?kind=volume")
    page.get_by_role("link", name="a folder").click()
    expect(page).to_have_url(re.compile("path=a"))
    with page.expect_download() as download:
        page.get_by_role("link", name="one file.txt").click()
    assert download.value.path().read_text() == "hello"


def test_what_is_missing_says_so(page: Page) -> None:
    page.goto("/catalog/main/pages/nothing_here")
    expect(page.get_by_role("alert")).to_contain_text("does not exist")
    page.goto("/no/such/page")
    expect(page.locator("h1")).to_have_text("No such page")
    page.goto("/serving/none")
    expect(page.get_by_role("alert")).to_contain_text("none")


@pytest.mark.parametrize("path", ["/", "/catalog", "/streams", "/models", "/serving"])
def test_a_narrow_screen_does_not_scroll_sideways(page: Page, lake: str, path: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(path)
    expect(page.locator("h1")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_table_on_a_narrow_screen_comes_first(page: Page, lake: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"/catalog/main/pages/{lake}?tab=sample")
    expect(page.locator("table.data")).to_be_visible()
    expect(page.get_by_label("Filter by name")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("link", name="All of main.pages").click()
    expect(page.get_by_role("link", name=lake)).to_be_visible()


def test_the_theme_is_kept(page: Page) -> None:
    before = page.evaluate("document.documentElement.dataset.theme")
    page.get_by_label("Switch between light and dark").click()
    page.reload()
    expect(page.locator("h1")).to_be_visible()
    assert page.evaluate("document.documentElement.dataset.theme") != before
