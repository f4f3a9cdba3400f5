"""Our own template: what it makes is a project that works as it is."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from boathouse.cli import app

CI = {"github": ".github/workflows/ci.yml", "gitlab": ".gitlab-ci.yml", "azure_devops": "azure-pipelines.yml", "none": None}


def made(folder: Path, **answers: Any) -> Path:
    file = folder / "answers.json"
    file.write_text(json.dumps(answers))
    done = CliRunner().invoke(app, ["init", "--config-file", str(file), "--output-dir", str(folder)])
    assert done.exit_code == 0, done.output
    return folder / answers["project_name"]


@pytest.mark.parametrize("ci", CI)
def test_files(tmp_path: Path, ci: str) -> None:
    project = made(tmp_path, project_name="heart", ci=ci)
    assert [name for name in CI.values() if name and (project / name).exists()] == [name for name in (CI[ci],) if name]
    for path in (path for path in project.rglob("*") if path.is_file()):
        text = path.read_text()
        assert "{{." not in text, path
        assert "my_project" not in text, path
        if path.suffix == ".yml":
            assert yaml.safe_load(text), path
        if path.suffix == ".py":
            ast.parse(text)
    jobs = yaml.safe_load((project / "resources/jobs.yml").read_text())["resources"]["jobs"]
    paths = [
        task["notebook_task"]["notebook_path"] for job in jobs.values() for task in job["tasks"] if "notebook_task" in task
    ]
    assert sorted((project / "resources" / path).resolve() for path in paths) == sorted((project / "src/notebooks").iterdir())


def test_a_name_that_python_has(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="random is the name of a module that Python has already"):
        made(tmp_path, project_name="random")


def test_ci_tests_pull_requests_and_deploys_merges_and_releases(tmp_path: Path) -> None:
    """Each platform has the same three stages with the same commands."""
    commands: dict[str, list[list[str]]] = {}
    for ci, name in CI.items():
        if name is None:
            continue
        (tmp_path / ci).mkdir()
        found = yaml.safe_load((made(tmp_path / ci, project_name="heart", ci=ci) / name).read_text())
        if ci == "gitlab":
            stages = [found[stage]["script"] for stage in ("test", "staging", "production")]
        else:
            parts = found["jobs"].values() if ci == "github" else [stage["jobs"][0] for stage in found["stages"]]
            key = "run" if ci == "github" else "script"
            stages = [[line for step in part["steps"] if key in step for line in step[key].splitlines()] for part in parts]
        commands[ci] = [[line for line in stage if not line.startswith("pip ")] for stage in stages]
    assert commands["github"] == [
        ["pytest", "boathouse bundle validate -t staging"],
        ["boathouse bundle deploy -t staging --auto-approve", "boathouse bundle run training -t staging"],
        ["boathouse bundle deploy -t prod --auto-approve"],
    ]
    assert commands["gitlab"] == commands["azure_devops"] == commands["github"]


def test_its_own_tests_pass(tmp_path: Path) -> None:
    project = made(tmp_path, project_name="heart")
    # As in CI: nothing of this run's pytest, and nothing of the machine's.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    command = [sys.executable, "-m", "pytest", "-q"]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
