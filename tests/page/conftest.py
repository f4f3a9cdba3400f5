"""A headless Chromium on the real server's page, and a lake with something in it."""

from collections.abc import Iterator

import pyarrow as pa
import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from boathouse.tables.api import append
from tests.conftest import Server, running_server

UC = "/api/2.1/unity-catalog"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose counts nobody else changes."""
    with running_server(tmp_path_factory.mktemp("page")) as running:
        yield running


@pytest.fixture
def stranger(browser: Browser, server: Server) -> Iterator[Page]:
    """A page of nobody's; script errors fail the test."""
    context: BrowserContext = browser.new_context(base_url=server.url, viewport={"width": 1280, "height": 800})
    context.set_default_timeout(120_000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


@pytest.fixture
def page(stranger: Page, server: Server) -> Page:
    """A page that the admin has signed in on."""
    link = server.client().post("/api/boathouse/v1/sign-in-links").json()["url"]
    stranger.goto(link)
    stranger.wait_for_selector(".strip")
    return stranger


@pytest.fixture(scope="session")
def lake(server: Server) -> str:
    """A schema with a table of two versions and a volume; gives the schema's name."""
    admin = server.client()
    admin.post(f"{UC}/schemas", json={"name": "pages", "catalog_name": "main"}).raise_for_status()
    name = "orders_with_a_name_that_is_much_longer_than_any_column_of_the_page_is_wide_and_then_some"
    parent = {"catalog_name": "main", "schema_name": "pages", "name": name}
    location = admin.post(f"{UC}/staging-tables", json=parent).json()["staging_location"]
    rows = {"id": [1, 2, 3], "text": ["ä" * 500, None, ""], "nested": [{"a": [1]}, None, {"a": []}]}
    for version in (1, 2):
        append(location, pa.table(rows), app_id="test", app_version=version)
    body = parent | {"table_type": "MANAGED", "storage_location": location, "properties": {"quality": "silver"}}
    admin.post(f"{UC}/tables", json=body).raise_for_status()
    volume = {"name": "files", "catalog_name": "main", "schema_name": "pages", "volume_type": "MANAGED"}
    admin.post(f"{UC}/volumes", json=volume).raise_for_status()
    admin.put("/api/2.0/fs/files/Volumes/main/pages/files/a folder/one file.txt", content=b"hello").raise_for_status()
    return name
