"""The workspace on the page: made, imported, changed, renamed, deleted, and seen on disk."""

import subprocess
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.conftest import Server


def test_from_an_empty_folder_to_a_changed_notebook(page: Page, server: Server, tmp_path: Path) -> None:
    disk = server.root / "workspace" / "Users" / "root@localhost"
    page.get_by_role("link", name="Workspace", exact=True).click()
    expect(page.get_by_role("heading", name="root@localhost")).to_be_visible()
    page.get_by_role("button", name="New folder").click()
    page.get_by_label("Name", exact=True).fill("a/b")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("heading", name="b", exact=True)).to_be_visible()
    expect(page.get_by_text("Nothing here yet")).to_be_visible()

    # A notebook, written in the page; what is in it is shown and does nothing.
    page.get_by_role("button", name="New notebook").click()
    page.get_by_label("Name", exact=True).fill("train")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_text("No cells yet")).to_be_visible()
    page.get_by_role("button", name="Edit").click()
    text = "# Databricks notebook source\n# MAGIC %md\n# MAGIC ## Plan <img src=x onerror=alert(1)>\n\n# COMMAND ----------\n\nprint(1)\n"
    page.get_by_label("Text", exact=True).fill(text)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Plan <img src=x onerror=alert(1)>")).to_be_visible()
    expect(page.get_by_text("print(1)")).to_be_visible()
    assert (disk / "a" / "b" / "train.py").read_text() == text
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Text", exact=True).fill("-- Databricks notebook source\nSELECT 1")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("by its first line")
    page.get_by_role("button", name="Discard").click()

    page.get_by_role("link", name="b", exact=True).click()
    bring_files(page, tmp_path / "lib.py")
    rename_and_delete(page, disk)
    page.goto("/workspace?path=/Users/nobody/x")
    expect(page.get_by_role("alert")).to_contain_text("does not exist")
    page.get_by_role("link", name="Your folder").click()
    expect(page.get_by_role("heading", name="root@localhost")).to_be_visible()


def bring_files(page: Page, file: Path) -> None:
    """Files from this machine; one that is there is asked about."""
    for content in ("RATE = 1", "RATE = 2"):
        file.write_text(content)
        page.get_by_label("Files to import").set_input_files(file)
        expect(page.get_by_role("link", name="lib.py")).to_be_visible()
    page.get_by_role("alertdialog", name="Replace lib.py").get_by_role("button", name="Replace it").click()
    expect(page.get_by_role("alertdialog")).to_have_count(0)
    page.get_by_role("link", name="lib.py").click()
    expect(page.get_by_text("RATE = 2")).to_be_visible()
    assert page.request.get(page.get_by_role("link", name="Download").get_attribute("href") or "").text() == "RATE = 2"

    page.get_by_role("link", name="b", exact=True).click()


def rename_and_delete(page: Page, disk: Path) -> None:
    """To a name that is taken, to one that is not, and away."""
    row = page.get_by_role("row").filter(has_text="lib.py")
    row.get_by_role("button", name="Rename").click()
    page.get_by_label("New name").fill("train")
    page.get_by_role("form", name="Rename lib.py").get_by_role("button", name="Rename").click()
    expect(page.get_by_role("alert")).to_contain_text("notebook already")
    page.get_by_label("New name").fill("rates.py")
    page.get_by_label("New name").press("Enter")
    expect(page.get_by_role("link", name="rates.py")).to_be_visible()
    row = page.get_by_role("row").filter(has_text="rates.py")
    row.get_by_role("button", name="Delete").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("link", name="rates.py")).to_have_count(0)
    assert not (disk / "a" / "b" / "rates.py").exists()


def test_a_git_folder_from_clone_to_push(page: Page, tmp_path: Path) -> None:
    bare = tmp_path / "churn.git"
    subprocess.run(["git", "init", "-q", "--bare", "--initial-branch=main", str(bare)], check=True)
    page.goto("/workspace")
    page.get_by_role("button", name="Clone a repository").click()
    page.get_by_label("Address").fill("ftp://x/churn.git")
    page.get_by_role("button", name="Clone", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("https://")
    page.get_by_label("Address").fill(str(bare))
    page.get_by_role("button", name="Clone", exact=True).click()
    git = page.get_by_role("region", name="Git")
    expect(git).to_contain_text("no commit yet")
    (tmp_path / "first.py").write_text("RATE = 1\n")
    page.get_by_label("Files to import").set_input_files(tmp_path / "first.py")
    git.get_by_role("button", name="first.py").click()
    expect(git).to_contain_text("+RATE = 1")
    git.get_by_label("Message").fill("First")
    git.get_by_role("button", name="Commit and push").click()
    expect(git).to_contain_text("nothing to commit")
    assert subprocess.run(["git", "log", "--format=%an %s", "main"], cwd=bare, capture_output=True, check=True).stdout == (
        b"root@localhost First\n"
    )
    git.get_by_role("button", name="New branch").click()
    git.get_by_label("Name of the branch").fill("a b")
    git.get_by_role("button", name="Begin it").click()
    expect(git.get_by_role("alert")).to_contain_text("git takes no such name")
    git.get_by_label("Name of the branch").fill("topic")
    git.get_by_role("button", name="Begin it").click()
    expect(git.get_by_label("Branch", exact=True)).to_have_value("topic")
    git.get_by_label("Branch", exact=True).select_option("main")
    expect(git.get_by_label("Branch", exact=True)).to_have_value("main")
