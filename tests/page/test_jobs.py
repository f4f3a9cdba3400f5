"""Jobs on the page: from none, over a run with other parameters, to a failed task that is repaired."""

import json
import subprocess
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from tests.conftest import Server

JOBS = "/api/2.2/jobs"


def equal(key: str, left: str, right: str, after: list[dict[str, str]] | None = None) -> dict[str, Any]:
    condition = {"op": "EQUAL_TO", "left": left, "right": right}
    return {"task_key": key, "condition_task": condition, "depends_on": after or []}


def test_from_no_job_to_a_repaired_run(page: Page, server: Server, tmp_path: Path) -> None:
    admin = server.client()
    for one in admin.get(f"{JOBS}/list").json().get("jobs", ()):  # of tests before
        admin.post(f"{JOBS}/delete", json={"job_id": one["job_id"]}).raise_for_status()
    page.get_by_role("link", name="Jobs", exact=True).click()
    expect(page.get_by_text("No job yet")).to_be_visible()
    inner = admin.post(f"{JOBS}/create", json={"name": "inner", "tasks": [equal("only", "1", "1")]}).json()["job_id"]
    tasks = [
        equal("chosen", "{{job.parameters.kind}}", "full"),
        equal("skipped", "1", "1", [{"task_key": "chosen", "outcome": "false"}]),
        {"task_key": "calls", "run_job_task": {"job_id": inner}, "depends_on": [{"task_key": "chosen", "outcome": "true"}]},
    ]
    schedule = {"quartz_cron_expression": "0 0 4 1 1 ?", "timezone_id": "UTC", "pause_status": "PAUSED"}
    parameters = [{"name": "kind", "default": "quick"}]
    made = admin.post(f"{JOBS}/create", json={"name": "outer", "tasks": tasks, "parameters": parameters, "schedule": schedule})
    assert made.status_code == 200, made.text
    page.reload()
    expect(page.get_by_text("0 0 4 1 1 ? (UTC), paused")).to_be_visible()
    page.get_by_role("link", name="outer").click()
    expect(page.get_by_text("Run now starts the first.")).to_be_visible()

    # The job that it calls goes away: the run fails, and a repair is a second attempt.
    page.get_by_role("button", name="Run with other parameters").click()
    page.get_by_label("kind").fill("full")
    admin.post(f"{JOBS}/delete", json={"job_id": inner}).raise_for_status()
    page.get_by_role("button", name="Run with these").click()
    expect(page.get_by_text("kind = full")).to_be_visible()
    expect(page.locator(".head .badge")).to_have_text("failed", timeout=20_000)
    expect(page.locator(".dag-node", has_text="skipped")).to_contain_text("excluded")
    page.locator(".dag-node", has_text="calls").click()
    expect(page.get_by_label("Task calls").get_by_role("alert")).to_contain_text(f"Job {inner} does not exist")
    page.get_by_role("button", name="Repair").click()
    expect(page.get_by_role("group", name="Attempts").get_by_role("button")).to_have_count(2, timeout=20_000)
    page.get_by_role("link", name="The job").click()
    expect(page.get_by_label("Runs").get_by_role("row")).to_have_count(2)

    # A script at a commit of a repository, started by an event: the page has its rows and says where it is from.
    place = tmp_path / "scripts"
    for command in (
        ["init", "-q", "-b", "main"],
        ["add", "-A"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"],
    ):
        place.mkdir(exist_ok=True)
        (place / "ask.sql").write_text("SELECT id, 'row ' || id AS said FROM range(3); SHOW CATALOGS")
        subprocess.run(["git", *command], cwd=place, check=True)
    warehouse = admin.get("/api/2.0/sql/warehouses").json()["warehouses"][0]["id"]
    ask = {"task_key": "ask", "sql_task": {"file": {"path": "ask.sql"}, "warehouse_id": warehouse}}
    source = {"git_url": str(place), "git_provider": "gitHub", "git_branch": "main"}
    body = {"name": "asks", "tasks": [ask], "git_source": source, "trigger": {"boathouse_event": {"name": "page.test"}}}
    asks = admin.post(f"{JOBS}/create", json=body).json()["job_id"]
    run_id = admin.post("/api/boathouse/v1/events/page.test", json={}).json()["jobs"][0]["run_id"]
    page.goto(f"/jobs/{asks}")
    expect(page.get_by_text("Runs when the event page.test is fired")).to_be_visible()
    page.goto(f"/jobs/{asks}/runs/{run_id}")
    expect(page.locator(".head .badge")).to_have_text("success", timeout=20_000)
    expect(page.get_by_text("Started by an event")).to_contain_text(f"{place} main at ")
    expect(page.get_by_label("Statement 1").get_by_role("row")).to_have_count(4)
    expect(page.get_by_label("Statement 1")).to_contain_text("row 2")
    page.goto("/jobs?tab=runs")
    expect(page.get_by_label("Runs").get_by_text("outer")).to_be_visible()
    page.goto("/jobs/1")
    expect(page.get_by_role("alert")).to_contain_text("does not exist")


def fill_in(page: Page) -> None:
    """The form of a new job, with one key that is not valid."""
    page.get_by_label("Name", exact=True).fill("made by hand")
    page.get_by_label("Key").fill("decide")
    page.get_by_label("Kind").select_option("Condition")
    page.get_by_label("Is", exact=True).fill("{{job.parameters.kind}}")
    page.get_by_label("Compared by").select_option("EQUAL_TO")
    page.get_by_label("With", exact=True).fill("full")
    page.get_by_role("button", name="Add a task").click()
    page.get_by_label("Key").fill("two words")
    page.get_by_label("Notebook").fill("/Shared/nothing")
    page.get_by_label("Values of its widgets").fill("env=dev\nwhere=a=b")
    page.get_by_role("button", name="decide").last.click()
    page.get_by_label("Outcome of decide").select_option("if true")
    page.get_by_text("When it runs, retries, limits").click()
    page.get_by_label("Retries, -1 for no end").fill("2")
    page.get_by_role("button", name="Add a parameter").click()
    page.get_by_label("Parameters").get_by_label("Name").fill("kind")
    page.get_by_label("Starts", exact=True).select_option("By the clock (Quartz)")
    page.get_by_label("Quartz expression").fill("0 0 6 * * *")
    expect(page.get_by_text("one of day of month and day of week must be ?")).to_be_visible()
    page.get_by_label("Quartz expression").fill("0 0 6 1 1 ?")
    expect(page.get_by_label("Next times")).to_contain_text("-01-01 06:00")
    page.get_by_label("Paused").check()


def test_a_job_is_made_changed_copied_and_deleted(page: Page, server: Server) -> None:
    admin = server.client()

    def settings(name: str) -> dict[str, Any]:
        (found,) = admin.get(f"{JOBS}/list", params={"name": name, "expand_tasks": "true"}).json()["jobs"]
        return found["settings"]

    page.goto("/jobs/new")
    fill_in(page)
    # What the server finds wrong stands at its field.
    page.get_by_role("button", name="Create job").click()
    expect(page.get_by_label("Tasks").get_by_role("alert")).to_contain_text("String should match pattern")
    page.get_by_label("Key").fill("load")
    page.get_by_role("button", name="Create job").click()
    expect(page.get_by_text("Run now starts the first.")).to_be_visible()
    first = settings("made by hand")
    condition = {"left": "{{job.parameters.kind}}", "op": "EQUAL_TO", "right": "full"}
    notebook = {"notebook_path": "/Shared/nothing", "base_parameters": {"env": "dev", "where": "a=b"}}
    after = [{"task_key": "decide", "outcome": "true"}]
    assert [{key: one[key] for key in one if key in {"task_key", "condition_task", "notebook_task", "depends_on", "max_retries"}}
            for one in first["tasks"]] == [
        {"task_key": "decide", "condition_task": condition},
        {"task_key": "load", "notebook_task": notebook, "depends_on": after, "max_retries": 2},
    ]  # fmt: skip
    assert first["schedule"] == {"quartz_cron_expression": "0 0 6 1 1 ?", "timezone_id": "UTC", "pause_status": "PAUSED"}
    assert first["parameters"] == [{"name": "kind", "default": ""}]

    # What the form does not show is there afterwards, as it was; the JSON has it.
    page.get_by_role("link", name="Edit").click()
    page.get_by_role("link", name="JSON").click()
    text = page.get_by_label("Everything, as the REST API has it")
    text.fill(json.dumps({**first, "tags": {"team": "a"}, "health": {"rules": []}}))
    page.get_by_role("link", name="Form").click()
    page.get_by_label("What it is for").fill("tried")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("tried")).to_be_visible()
    assert settings("made by hand") == {**first, "tags": {"team": "a"}, "health": {"rules": []}, "description": "tried"}

    page.get_by_role("link", name="Clone").click()
    expect(page.get_by_label("Name", exact=True).first).to_have_value("Copy of made by hand")
    page.get_by_role("button", name="Create job").click()
    expect(page.get_by_text("Run now starts the first.")).to_be_visible()
    assert settings("Copy of made by hand")["tags"] == {"team": "a"}
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete Copy of made by hand and cancel its runs").click()
    expect(page.get_by_role("link", name="made by hand")).to_be_visible()
    expect(page.get_by_role("link", name="Copy of made by hand")).to_have_count(0)
