"""Processes below this one: Python that user code starts (workers of joblib, scripts of ``!python``) finds the files of the lake too.

They are told by the environment: ``PYTHONPATH`` has a ``sitecustomize`` that puts the functions of ``patches`` in place.
"""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from boathouse.workspace.runtime import patches
from boathouse.workspace.runtime.assignment import Assignment
from boathouse.workspace.runtime.places import Places

VARIABLE = "BOATHOUSE_PLACES"
_CUSTOMIZE = """try:
    from boathouse.workspace.runtime.below import enter
except ImportError:
    pass  # another Python, without Boathouse
else:
    enter()
"""


def tell(folder: str, assignment: Assignment, temporary: str | None) -> None:
    """Tell the processes below this one where the files are."""
    own = Path(folder) / "below"
    own.mkdir(exist_ok=True)
    (own / "sitecustomize.py").write_text(_CUSTOMIZE, encoding="utf-8")
    told = (assignment.workspace, assignment.dbfs, dict(assignment.volumes), temporary, assignment.packages)
    (own / "places.json").write_text(json.dumps(told), encoding="utf-8")
    os.environ[VARIABLE] = str(own / "places.json")
    os.environ["PYTHONPATH"] = os.pathsep.join(one for one in (str(own), os.environ.get("PYTHONPATH", "")) if one)


def untold() -> dict[str, str]:
    """The environment without that, for a process that is told in another way."""
    return {key: value for key, value in os.environ.items() if key not in {VARIABLE, "PYTHONPATH"}}


def run_shown(command: Sequence[str], environment: Mapping[str, str], folder: Path | None = None) -> int:
    """Run a program, and show what it prints as it comes; its exit status."""
    with subprocess.Popen(
        list(command),
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        for text in process.stdout or ():
            sys.stdout.write(text)
    return process.returncode


def enter() -> None:
    """Do what this process was told."""
    told = os.environ.get(VARIABLE)
    if told is None:
        return
    with open(told, encoding="utf-8") as opened:
        workspace, dbfs, volumes, temporary, packages = json.load(opened)
    patches.install(Places(workspace, dbfs, volumes, _refused, temporary, packages))


def _refused(name: str, path: str) -> OSError:
    return PermissionError(errno.EACCES, f"The files of the volume {name} cannot be opened", path)
