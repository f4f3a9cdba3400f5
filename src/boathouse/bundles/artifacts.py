"""What is built before a deployment: wheels."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from boathouse.bundles.errors import BundleInvalid
from boathouse.bundles.loading import text_at
from boathouse.bundles.values import Value
from boathouse.workspace.runtime.packages import find_uv

_TAIL = 2000
_EPOCH = "1577836800"


def build(root: Value, folder: Path, say: Callable[[str], None]) -> None:
    """Run the build of every artifact, in its folder.

    Raises:
        BundleInvalid: If one fails; the end of its output is in the message.
    """
    for name, one in (root.get("artifacts") or Value({})).fields.items():
        own = one.get("path")
        place = own or one
        where = folder / PurePosixPath(place.at.file).parent / (text_at(one, "path") or ".")
        command = _command(one, where)
        if command is None:
            continue
        if not where.is_dir():
            raise BundleInvalid([(place.at, f"artifacts.{name}.path: the folder {where} is not there.")])
        say(f"Building {name} ...")
        # The same source gives the same wheel, so that a second deployment has nothing to upload.
        environment = {"SOURCE_DATE_EPOCH": _EPOCH, **os.environ}
        done = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            output = (done.stdout + done.stderr)[-_TAIL:]
            message = f"the build of the artifact {name} failed with status {done.returncode}:\n{output}"
            raise BundleInvalid([((one.get("build") or one).at, message)])


def are_built(root: Value) -> bool:
    """Whether there are artifacts that a build makes."""
    return any(
        text_at(one, "build") or text_at(one, "type") == "whl" for one in (root.get("artifacts") or Value({})).fields.values()
    )


def _command(one: Value, where: Path) -> list[str] | None:
    own = text_at(one, "build")
    if own is not None:
        return [text_at(one, "executable") or "sh", "-c", own]
    if text_at(one, "type") != "whl" or one.get("files") is not None:
        return None
    if not any((where / name).is_file() for name in ("pyproject.toml", "setup.py")):
        message = f"there is neither pyproject.toml nor setup.py in {where} to build a wheel from. Give path or build."
        raise BundleInvalid([(one.at, message)])
    uv = find_uv()
    if uv is not None:
        return [uv, "build", "--wheel", "--out-dir", "dist"]
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", "dist", "."]
    raise BundleInvalid([(one.at, "there is neither uv nor pip here to build a wheel with. Give build, or install uv.")])
