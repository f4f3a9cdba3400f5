"""The harness as a project of one's own uses it: what the guide shows, with the server that it starts by itself."""

import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import server_environment

GUIDE = (Path(__file__).parents[2] / "docs" / "pipelines.md").read_text()


def block(language: str, begin: str) -> str:
    """The first block of the guide in a language that has some text."""
    found = re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    return next(text for text in found if begin in text)


def test_the_guides_test(tmp_path: Path) -> None:
    files = {
        "conftest.py": block("python", "pytest_plugins"),
        "transformations/bronze.sql": block("sql", "MATERIALIZED VIEW bronze"),
        "transformations/gold.py": block("python", "def gold()"),
        "test_gold.py": block("python", "def test_gold(pipeline)"),
    }
    (tmp_path / "transformations").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'temp'}"]
    done = subprocess.run(
        command, cwd=tmp_path, env=server_environment(tmp_path), capture_output=True, text=True, timeout=150, check=False
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    # Its server has ended by itself and not been killed: then it takes away what says where it listens.
    assert list(tmp_path.glob("temp/**/metadata.db"))
    assert not list(tmp_path.glob("temp/**/server.json"))
