"""Environments of recorded packages: made by uv once, and kept for the next time."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import boathouse
from boathouse.errors import InvalidState
from boathouse.training.evidence import digest
from boathouse.workspace.runtime.packages import find_uv
from boathouse.workspace.runtime.training import environment

_OWN = "boathouse"


class EnvironmentNotMade(InvalidState):
    """The recorded packages cannot be installed."""

    def __init__(self, why: str) -> None:
        super().__init__(f"The environment of the run cannot be made again: {why}")


def python_with(lock: str, version: str, folder: Path) -> str:
    """The Python that has the packages of a lock.

    Args:
        lock: The packages, as ``environment`` writes them.
        version: Python's own.
        folder: Where environments are kept.

    Raises:
        EnvironmentNotMade: If uv is missing, or a package cannot be had any more.
    """
    if lock == environment():
        return sys.executable
    made = folder / digest(f"{version}\n{lock}")[:32]
    python = made / "bin" / "python"
    if (made / "complete").is_file():
        return str(python)
    uv = find_uv()
    if uv is None:
        raise EnvironmentNotMade(
            "it needs uv, beside Boathouse or on the PATH. See https://docs.astral.sh/uv/ for how to install it."
        )
    shutil.rmtree(made, ignore_errors=True)
    made.parent.mkdir(parents=True, exist_ok=True)
    requirements = made.with_suffix(".txt")
    requirements.write_text("".join(f"{line}\n" for line in _installable(lock)), encoding="utf-8")
    try:
        _run([uv, "venv", "--quiet", "--python", version, str(made)], made.parent)
        _run([uv, "pip", "install", "--quiet", "--no-deps", "--python", str(python), "-r", str(requirements)], made)
    finally:
        requirements.unlink()
    # The runtime that runs the code is this Boathouse's, whichever was there then.
    (packages,) = made.glob("lib/python*/site-packages")
    (packages / "boathouse.pth").write_text(f"{Path(boathouse.__file__).parents[1]}\n", encoding="utf-8")
    (made / "complete").touch()
    return str(python)


def _installable(lock: str) -> list[str]:
    lines = [line.strip() for line in lock.splitlines() if line.strip()]
    kept = [
        line for line in lines if line.partition("==")[0] != _OWN and not line.endswith(f"# {_OWN}=={boathouse.__version__}")
    ]
    editable = next((line for line in kept if line.startswith("-e ")), None)
    if editable is not None:
        raise EnvironmentNotMade(
            f"{editable[3:]} was installed from a folder that changes. Install it from a wheel or a commit."
        )
    return kept


def _run(command: list[str], folder: Path) -> None:
    # In a folder of its own: where the command was given may be a project, whose overrides of versions uv would follow.
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, cwd=folder, check=False)
    if done.returncode != 0:
        raise EnvironmentNotMade(done.stderr.strip()[-2000:] or f"{command[1]} has ended with status {done.returncode}")
