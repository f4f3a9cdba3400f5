"""Two browsers edit one notebook, each as its own user."""

import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.conftest import Server
from tests.workspace.lab.test_lab import SOURCE, permit
from tests.workspace.runtime.conftest import Person

FIRST = ".jp-Notebook .jp-Cell .cm-content >> nth=0"
SECONDS = 120_000


def signed_in(chromium: Browser, server: Server, who: Person, errors: list[str]) -> Page:
    context: BrowserContext = chromium.new_context(base_url=server.url, viewport={"width": 1280, "height": 800})
    context.set_default_timeout(SECONDS)
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(server.client(who.token).post("/api/boathouse/v1/sign-in-links").json()["url"])
    page.wait_for_selector(".strip")
    return page


def comment_together(hers: Page, his: Page, path: str) -> None:
    """He comments in JupyterLab, she answers on the page."""
    hers.goto(f"/workspace?path={path}&comments=all")
    hers.get_by_text("No comments yet").wait_for()
    his.locator(".jp-Notebook .jp-Cell .cm-content >> nth=1").click(button="right")
    his.get_by_text("Comment on the Cell").click()
    panel = his.locator("#boathouse-comments")
    panel.get_by_placeholder("Comment on cell 2").fill("Why one?")
    panel.get_by_placeholder("Comment on cell 2").press("Control+Enter")
    hers.get_by_role("region", name="Thread: Cell 2").get_by_text("Why one?").wait_for()
    hers.get_by_placeholder("Answer").fill("It begins there.")
    hers.get_by_role("button", name="Answer").click()
    panel.get_by_text("It begins there.").wait_for()
    # Where a cell comes before it, the thread stays at its cell, in both places.
    mark = his.locator(".jp-Notebook .jp-Cell:has(> .boathouse-mark)")
    expect(mark).to_contain_text("SELECT 1 AS one")
    his.locator(".jp-Notebook .jp-Cell .cm-content >> nth=0").click()
    his.keyboard.press("Escape")
    his.keyboard.press("a")
    hers.get_by_role("region", name="Thread: Cell 3").wait_for()
    panel.get_by_role("region", name="Thread: Cell 3").wait_for()
    expect(mark).to_contain_text("SELECT 1 AS one")
    expect(hers.locator(".cell:has(.mark.some)")).to_contain_text("SELECT 1 AS one")
    hers.get_by_role("button", name="Resolve").click()
    hers.get_by_text("All is resolved").wait_for()
    panel.get_by_text("All is resolved").wait_for()
    expect(mark).to_have_count(0)
    hers.get_by_role("button", name="Show resolved (1)").click()
    hers.get_by_text("It begins there.").wait_for()


def commit_in_jupyterlab(page: Page, server: Server, folder: Path) -> None:
    """A notebook of a git folder is changed, looked at and committed."""
    work, path = folder / "work", f"/Shared/{uuid.uuid4().hex}"

    def git(*command: str) -> str:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        return subprocess.run(["git", *who, *command], cwd=work, check=True, capture_output=True, text=True).stdout

    work.mkdir()
    (work / "train.py").write_text(SOURCE)
    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-qm", "begun")
    git("clone", "-q", "--bare", ".", str(folder / "remote.git"))
    body = {"url": str(folder / "remote.git"), "provider": "gitHub", "path": path}
    server.client().post("/api/2.0/repos", json=body).raise_for_status()
    page.goto(f"/jupyter/lab/tree{path}/train.ipynb", wait_until="commit")
    # JupyterLab opens again what was open, too.
    first = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell .cm-content").first
    first.wait_for()
    panel = page.locator("#boathouse-git")
    page.locator("[data-id='boathouse-git']").click()
    panel.get_by_text("nothing to commit").wait_for()
    first.click()
    page.keyboard.press("Control+End")
    page.keyboard.type("; changed = 1")
    panel.get_by_role("button", name="train.py").click()
    panel.get_by_text("+print('first'); changed = 1").wait_for()
    panel.get_by_placeholder("What the commit changes").fill("Changed in JupyterLab")
    panel.get_by_role("button", name="Commit only").click()
    panel.get_by_text("1 to push, nothing to commit").wait_for()


@pytest.mark.page
@pytest.mark.timeout(400)
def test_two_browsers_edit_one_notebook(browser: Browser, server: Server, person: Callable[[], Person], tmp_path: Path) -> None:
    ann, bob = person(), person()
    path = ann.put("shared", SOURCE)
    permit(server, ann, path, bob, "CAN_EDIT")
    errors: list[str] = []
    hers = signed_in(browser, server, ann, errors)

    # Where the extra is missing the page says how to add it.
    told = {"installed": False, "url": "/jupyter/lab", "install": "pip install 'boathouse[lab]'"}
    hers.route("**/api/boathouse/v1/lab", lambda route: route.fulfill(json=told))
    hers.goto(f"/workspace?path={path}")
    hers.get_by_text("Open in JupyterLab").click()
    expect(hers.get_by_text("pip install 'boathouse[lab]'")).to_be_visible()
    hers.unroute("**/api/boathouse/v1/lab")
    hers.reload()
    opened = hers.get_by_role("link", name="Open in JupyterLab").get_attribute("href")
    assert opened
    hers.goto(opened, wait_until="commit")
    hers.wait_for_selector(FIRST)
    his = signed_in(browser, server, bob, errors)
    his.goto(opened, wait_until="commit")
    his.wait_for_selector(FIRST)

    hers.click(FIRST)
    hers.keyboard.press("End")
    hers.keyboard.type("; print('from ann', 20 + 1)")
    his.wait_for_selector("text=from ann")
    his.click(FIRST)
    his.keyboard.press("Control+Home")
    his.keyboard.type("number = 5; ")
    hers.wait_for_selector("text=number = 5")
    # His kernel runs it, and she sees what it shows.
    his.wait_for_selector("text=Python | Idle")
    his.keyboard.press("Shift+Enter")
    for page in (his, hers):
        page.wait_for_selector(".jp-OutputArea-output >> text=from ann 21")
    on_disk = server.root / "workspace" / f"{path[1:]}.py"
    expect(hers.locator(FIRST)).to_have_text("number = 5; print('first'); print('from ann', 20 + 1)")
    hers.keyboard.press("Control+s")
    saved = "number = 5; print('first'); print('from ann', 20 + 1)"
    deadline = time.monotonic() + 60
    while saved not in on_disk.read_text() and time.monotonic() < deadline:
        hers.wait_for_timeout(100)
    assert saved in on_disk.read_text()
    comment_together(hers, his, path)
    commit_in_jupyterlab(his, server, tmp_path)
    hers.context.close()
    his.context.close()
    assert errors == []
