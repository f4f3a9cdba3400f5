"""Every setting, command and public path is in the reference, and what the documentation names exists."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from boathouse.cli import app
from boathouse.cli.main import COMMANDS
from boathouse.config import Settings

ROOT = Path(__file__).parents[1]
REFERENCE = (ROOT / "docs" / "reference.md").read_text()


def test_every_setting_is_in_the_reference() -> None:
    named = set(re.findall(r"BOATHOUSE_[A-Z_]+", REFERENCE))
    assert named == {f"BOATHOUSE_{name.upper()}" for name in Settings.model_fields}


def test_every_command_is_in_the_reference() -> None:
    named = set(re.findall(r"^\| `boathouse (\w+)`", REFERENCE, re.MULTILINE))
    group: Any = typer.main.get_command(app)
    context = group.make_context("boathouse", ["version"])
    assert named == set(group.list_commands(context))
    for name, said in COMMANDS.items():
        assert (group.get_command(context, name).help or "").split("\n")[0] == said


def test_help_imports_no_server() -> None:
    code = "import sys; from boathouse.cli import app; app(['--help'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert "bundle" in done.stdout
    assert not {"sqlalchemy", "pyarrow", "fastapi", "boathouse.config"} & set(done.stdout.split())


def test_every_rest_prefix_is_in_the_reference(tmp_path: Path) -> None:
    from boathouse.server.app import Addresses, create_app

    boathouse = create_app(Settings(root=tmp_path), Addresses("http://127.0.0.1:1", "sc://localhost:1"))
    boathouse.database.dispose()
    prefixes = re.findall(r"`(/[^`{]*)", REFERENCE)
    paths = boathouse.api.openapi()["paths"]
    missing = [path for path in paths if path.startswith("/api") and not path.startswith(tuple(prefixes))]
    assert missing == []


@pytest.mark.parametrize(
    "page", sorted(path.relative_to(ROOT) for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
)
def test_links_lead_somewhere(page: Path) -> None:
    text = (ROOT / page).read_text()
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if not target.startswith("http"):
            assert ((ROOT / page).parent / target).exists(), f"{page} links to {target}"


def test_the_tutorials_files_exist() -> None:
    text = (ROOT / "docs" / "tutorial.md").read_text() + (ROOT / "docs" / "models.md").read_text()
    for name in re.findall(r"examples/flights/[\w.]+", text):
        assert (ROOT / name).exists(), name
