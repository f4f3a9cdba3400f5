"""A version's way to production, clicked: approved, rejected, rolled back; and what it holds."""

import json

import httpx
import pyarrow as pa
from playwright.sync_api import Browser, Page, expect

from boathouse.tables.api import append
from tests.conftest import Server
from tests.deployment.conftest import MLFLOW, UC, UC_REST, Shop, shop, told

__all__ = ["shop"]


def signed_in(browser: Browser, server: Server, client: httpx.Client) -> Page:
    """A page of a client's owner."""
    page = browser.new_context(base_url=server.url, viewport={"width": 1280, "height": 900}).new_page()
    page.goto(client.post("/api/boathouse/v1/sign-in-links").json()["url"])
    page.wait_for_selector(".strip")
    return page


def table_of(shop: Shop) -> str:
    """A table of two versions that the author owns."""
    catalog, schema = shop.schema.split(".")
    parent = {"catalog_name": catalog, "schema_name": schema, "name": "trained_on"}
    location = shop.author.post(f"{UC}/staging-tables", json=parent).json()["staging_location"]
    for version in (1, 2):
        append(location, pa.table({"id": [version]}), app_id="test", app_version=version)
    told(shop.author.post(f"{UC}/tables", json=parent | {"table_type": "MANAGED", "storage_location": location}))
    return f"{shop.schema}.trained_on"


def version_trained_on(shop: Shop, table: str, table_version: int) -> str:
    """A version whose run says what it has read."""
    run = told(shop.author.post(f"{MLFLOW}/runs/create", json={"experiment_id": "0"}))["run"]["info"]["run_id"]
    source = json.dumps({"delta_table_name": table, "delta_table_version": table_version})
    dataset = {"name": table, "digest": "d1", "source_type": "delta_table", "source": source}
    told(shop.author.post(f"{MLFLOW}/runs/log-inputs", json={"run_id": run, "datasets": [{"dataset": dataset}]}))
    return shop.version(run_id=run)


def shows_what_it_holds(shop: Shop, author: Page, first: str, table: str) -> None:
    """A version's page leads to what it was trained on and to its run, and the table's page back."""
    author.goto(f"/models/{shop.name}/versions/{first}")
    held = author.get_by_label("Trained on")
    expect(held.get_by_role("row").nth(1)).to_contain_text("trained_on")
    held.get_by_role("link", name=table).click()
    author.wait_for_url("**version=0")
    author.goto(f"/catalog/{table.replace('.', '/')}?tab=history")
    expect(author.get_by_role("columnheader", name="Held by")).to_be_visible()
    author.get_by_role("link", name=f"{shop.name} {first}").click()
    author.wait_for_url(f"**/models/{shop.name}/versions/{first}")
    expect(author.get_by_label("About").get_by_role("link")).to_be_visible()


def leaves_nothing_out(shop: Shop, author: Page, first: str) -> None:
    """A long alias does not widen the page, and the model's page leaves nothing out beside a description."""
    long = "alias_" + "x" * 83
    told(shop.alias(first, long))
    told(shop.author.patch(f"{UC_REST}/registered-models/update", json={"name": shop.name, "description": "prices"}))
    told(shop.author.post(f"{MLFLOW}/registered-models/set-tag", json={"name": shop.name, "key": "team", "value": "ops"}))
    tag = {"name": shop.name, "version": first, "key": "approval_check", "value": "pending"}
    told(shop.reviewer.post(f"{MLFLOW}/model-versions/set-tag", json=tag))
    for at in (f"/models/{shop.name}/versions/{first}", f"/models/{shop.name}"):
        author.goto(at)
        expect(author.get_by_text(long).first).to_be_visible()
        assert author.evaluate("document.documentElement.scrollWidth") <= 1280
    for text in ("prices", f"Owner: {shop.author_name}", "approval_check"):
        expect(author.get_by_text(text).first).to_be_visible()
    expect(author.get_by_label("Tags").first).to_contain_text("team")
    expect(author.get_by_label("Permissions").get_by_role("row").first).to_be_visible()


def test_a_version_is_approved_rejected_and_rolled_back(shop: Shop, browser: Browser, server: Server) -> None:
    told(
        shop.admin.put(
            f"{shop.url}/policy", json={"four_eyes": True, "reason_required": True, "protected_aliases": ["champion"]}
        )
    )
    told(
        shop.author.patch(
            f"{UC_REST}/registered-models/update", json={"name": shop.name, "deployment_job_id": shop.approving_job()}
        )
    )
    table = table_of(shop)
    first, second = version_trained_on(shop, table, 0), shop.version()
    for version in (first, second):
        shop.at(version, "APPROVAL")

    author = signed_in(browser, server, shop.author)
    author.goto(f"/models/{shop.name}/versions/{first}")
    expect(author.get_by_text("waits for approval").first).to_be_visible()
    expect(author.get_by_text("who has registered it")).to_be_visible()
    expect(author.get_by_role("button", name="Approve")).to_be_disabled()

    reviewer = signed_in(browser, server, shop.reviewer)
    reviewer.goto(f"/models/{shop.name}/versions/{first}")
    decision = reviewer.get_by_label("Decision")
    decision.get_by_role("button", name="Approve").click()
    expect(decision.get_by_role("alert")).to_contain_text("reason is missing")
    decision.get_by_label("Reason").fill("<b>looked</b> at the slices")
    decision.get_by_role("button", name="Approve").click()
    expect(reviewer.get_by_label("History")).to_contain_text("<b>looked</b> at the slices")
    expect(reviewer.get_by_role("heading", name="Approved")).to_be_visible()
    shop.at(first, "SUCCEEDED")

    reviewer.goto(f"/models/{shop.name}/versions/{second}")
    decision.get_by_label("Reason").fill("too slow")
    decision.get_by_role("button", name="Reject").click()
    expect(reviewer.get_by_label("History").get_by_text("too slow")).to_be_visible()
    expect(decision.get_by_role("heading", name="Rejected")).to_be_visible()
    expect(decision).to_contain_text(f"approval was rejected by {shop.reviewer_name}: too slow")
    expect(reviewer.get_by_label("About")).to_contain_text("x double")
    assert shop.alias(second).status_code == 400
    decision.get_by_label("Reason").fill("faster now")
    decision.get_by_role("button", name="Approve").click()
    expect(reviewer.get_by_label("History").get_by_text("faster now")).to_be_visible()

    for version in (first, second):
        told(shop.alias(version))
    author.goto(f"/models/{shop.name}/versions/{second}")
    used = author.get_by_label("Deployed")
    used.get_by_text("Roll back").click()
    used.get_by_label("Reason").fill("errors")
    used.get_by_role("button", name="Roll champion back").click()
    expect(author.get_by_label("History")).to_contain_text("champion goes back to version 1")
    answer = shop.author.get(f"{MLFLOW}/registered-models/alias", params={"name": shop.name, "alias": "champion"})
    assert told(answer)["model_version"]["version"] == first

    shows_what_it_holds(shop, author, first, table)
    leaves_nothing_out(shop, author, first)
    for page in (author, reviewer):
        page.context.close()
