"""A version's stage on the page: asked for, commented, approved, moved."""

from playwright.sync_api import Browser, Page, expect

from tests.conftest import Server
from tests.deployment.conftest import Shop, shop, told
from tests.page.test_deployment import signed_in

__all__ = ["shop"]


def test_a_stage_is_asked_for_and_given(shop: Shop, browser: Browser, server: Server) -> None:
    told(shop.admin.put(f"{shop.url}/policy", json={"four_eyes": True, "reason_required": True}))
    version = shop.version()
    where = f"/models/{shop.name}/versions/{version}"

    reader = signed_in(browser, server, shop.reader)
    cannot_decide(shop, reader, where)
    stage, comments = reader.get_by_label("Stage", exact=True).first, reader.get_by_label("Comments")
    expect(stage).to_contain_text("in no stage")
    expect(comments).to_contain_text("Nobody has said anything yet.")
    stage.get_by_text("Ask for a stage").click()
    expect(stage.get_by_role("button", name="Move to")).to_have_count(0)
    stage.get_by_label("Stage").select_option("Production")
    stage.get_by_label("Comment").fill("it beats the <b>champion</b>")
    stage.get_by_role("button", name="Ask for Production").click()
    requests = reader.get_by_label("Requests")
    expect(requests).to_contain_text("it beats the <b>champion</b>")
    expect(requests.get_by_role("button")).to_have_text(["Take back"])
    comments.get_by_label("Say something").fill("looked at\nthe slices")
    comments.get_by_role("button", name="Comment").click()
    comments.get_by_role("button", name="Change").click()
    comments.get_by_label("Comment", exact=True).fill("looked at all slices")
    comments.get_by_role("button", name="Save").click()
    expect(comments).to_contain_text("looked at all slices")
    expect(comments).to_contain_text(", changed")

    reviewer = signed_in(browser, server, shop.reviewer)
    reviewer.goto(where)
    expect(reviewer.get_by_label("Comments").get_by_role("button", name="Delete")).to_have_count(0)
    asked = reviewer.get_by_label("Requests")
    asked.get_by_role("button", name="Approve").click()
    expect(asked.get_by_role("alert")).to_contain_text("comment is missing")
    asked.get_by_label("Comment").fill("two looked at it")
    asked.get_by_role("button", name="Approve").click()
    stage = reviewer.get_by_label("Stage", exact=True).first
    stage.get_by_text("What became of its stage (2)").click()
    expect(stage).to_contain_text("two looked at it")
    expect(stage.get_by_text("Production", exact=True).first).to_be_visible()
    expect(asked).to_have_count(0)

    author = signed_in(browser, server, shop.author)
    can_reject(author, where)
    stage = author.get_by_label("Stage", exact=True).first
    stage.get_by_text("Change the stage").click()
    stage.get_by_label("Stage").select_option("Staging")
    stage.get_by_label("Comment").fill("back")
    stage.get_by_role("button", name="Move to Staging").click()
    expect(stage.get_by_role("alert")).to_contain_text("who has registered it")
    stage.get_by_label("Stage").select_option("Archived")
    stage.get_by_role("button", name="Move to Archived").click()
    expect(stage.get_by_text("What became of its stage (3)")).to_be_visible()
    author.goto(f"/models/{shop.name}")
    expect(author.get_by_role("cell", name="Archived")).to_be_visible()
    for page in (reader, reviewer, author):
        page.context.close()


def cannot_decide(shop: Shop, reader: Page, where: str) -> None:
    """Who may only load a version has no button that would be refused."""
    told(shop.alias(where.rpartition("/")[2], "tried"))
    reader.goto(where)
    decision = reader.get_by_label("Decision")
    expect(decision).to_contain_text("cannot be approved or rejected by who has neither APPLY TAG nor MANAGE on the model")
    expect(decision.get_by_role("button", disabled=True)).to_have_text(["Approve", "Reject"])
    expect(reader.get_by_label("Deployed")).to_contain_text("tried")
    expect(reader.get_by_text("Roll back")).to_have_count(0)


def can_reject(author: Page, where: str) -> None:
    """Whose version it is rejects it and goes back, where the policy says that another one approves."""
    author.goto(where)
    expect(author.get_by_text("Roll back")).to_be_visible()
    expect(author.get_by_label("Decision").get_by_role("button", disabled=True)).to_have_text(["Approve"])
