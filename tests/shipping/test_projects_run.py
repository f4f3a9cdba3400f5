"""What `boathouse ship` and `boathouse init` make, on a server."""

import contextlib
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from boathouse.cli import app
from tests.conftest import Server

NOTEBOOKS = Path(__file__).parent / "notebooks"


@pytest.mark.timeout(500)
def test_a_shipped_notebook_runs_and_measures_what_it_did(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOATHOUSE_CONFIG_DIR", str(server.config_dir))
    folder = Path(shutil.copytree(NOTEBOOKS, tmp_path / "notebooks"))
    run("ship", folder / "Bike rentals.ipynb", "--output-dir", tmp_path, "--name", "bikes", "--yes")
    bundle = ("--project", tmp_path / "bikes", "--root", server.root)
    run("bundle", "deploy", "--auto-approve", *bundle)
    assert "Succeeded" in run("bundle", "run", "training", *bundle)
    with server.client() as admin:
        assert measured(log_of(admin, "bikes training", "validate")) == measured(alone(folder, monkeypatch))
        catalog = "/api/2.1/unity-catalog"
        schemas = [one["name"] for one in admin.get(f"{catalog}/schemas?catalog_name=main").json()["schemas"]]
        schema = next(name for name in schemas if name.endswith("_bikes_dev"))
        versions = admin.get(f"{catalog}/models/main.{schema}.model/versions").json()["model_versions"]
        assert [one["version"] for one in versions] == [1]


def test_our_own_template_is_deployed_as_it_is(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its training and scoring take a minute, so they are run by hand; here the server takes all of it, twice."""
    monkeypatch.setenv("BOATHOUSE_CONFIG_DIR", str(server.config_dir))
    (tmp_path / "answers.json").write_text('{"project_name": "heart"}')
    run("init", "--config-file", tmp_path / "answers.json", "--output-dir", tmp_path)
    bundle = ("--project", tmp_path / "heart", "--root", server.root)
    assert "Resources: 6," in run("bundle", "validate", "-t", "prod", *bundle)
    run("bundle", "deploy", "--auto-approve", *bundle)
    assert "Nothing to do" in run("bundle", "plan", *bundle)


def run(*arguments: object) -> str:
    done = CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def log_of(admin: httpx.Client, name: str, key: str) -> str:
    """The log of a task of a job's last run."""
    listed: dict[str, Any] = admin.get("/api/2.2/jobs/runs/list", params={"expand_tasks": "true"}).json()
    ran = next(one for one in listed["runs"] if name in one["run_name"])
    task = next(one for one in ran["tasks"] if one["task_key"] == key)
    return str(admin.get("/api/2.2/jobs/runs/get-output", params={"run_id": task["run_id"]}).json()["logs"])


def measured(text: str) -> list[str]:
    found = re.findall(r"^(?:mae|r2) .*$", text, re.MULTILINE)
    assert len(found) == 2, text
    return found


def alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the notebook prints when its cells run one after the other in one process."""
    monkeypatch.chdir(folder)
    cells = json.loads((folder / "Bike rentals.ipynb").read_text())["cells"]
    code = "".join(f"{''.join(cell['source'])}\n" for cell in cells if cell["cell_type"] == "code")
    said, names = io.StringIO(), dict[str, Any]()
    with contextlib.redirect_stdout(said):
        exec(code.replace("%matplotlib inline", "").replace("%time ", ""), names)  # noqa: S102 - the notebook of this test
    return said.getvalue()
