"""``boathouse run`` against a running server."""

import base64
import uuid
from pathlib import Path

from tests.cli.test_up import boathouse
from tests.conftest import Server

SOURCE = """# Databricks notebook source
print("said by", dbutils.widgets.get("who"))
dbutils.notebook.exit(dbutils.widgets.get("who") + "=" + str(1 / int(dbutils.widgets.get("by"))))
"""


def test_run_notebook(server: Server, tmp_path: Path) -> None:
    path = f"/Shared/{uuid.uuid4().hex[:8]}"
    body = {"path": path, "format": "SOURCE", "language": "PYTHON", "content": base64.b64encode(SOURCE.encode()).decode()}
    with server.client() as admin:
        admin.post("/api/2.0/workspace/import", json=body).raise_for_status()
    command = ("run", "notebook", "--root", str(server.root))
    folder = server.config_dir.parent
    done = boathouse(folder, *command, path, "-p", "who=a=b", "-p", "by=2")
    assert (done.returncode, done.stdout) == (0, "said by a=b\na=b=0.5\n"), done.stderr
    failed = boathouse(folder, *command, path, "-p", "who=me", "-p", "by=0")
    assert failed.returncode == 1
    assert failed.stdout.startswith("said by me\n")
    assert "ZeroDivisionError: division by zero" in failed.stderr
    for arguments, told in (
        ((f"{path}/none",), f"Path ({path}/none) does not exist."),
        ((path, "-p", "who"), "-p who is not valid. Valid is name=value."),
    ):
        refused = boathouse(folder, *command, *arguments)
        assert refused.returncode == 1
        assert told in refused.stderr
    assert "boathouse up" in boathouse(tmp_path, "run", "notebook", "/x", "--root", str(tmp_path / "none")).stderr
