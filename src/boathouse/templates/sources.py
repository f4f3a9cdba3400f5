"""Where templates are: in the package, in a folder, in a git repository."""

import os
import re
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from boathouse.errors import InvalidParameterValue
from boathouse.templates.errors import TemplateNotFound
from boathouse.templates.schema import FILE

BUILT_IN = Path(__file__).parent / "builtin"
DEFAULT = "default"
_KNOWN = {"mlops-stacks": "https://github.com/databricks/mlops-stacks"}
_ADDRESS = re.compile(r"(?:https?|ssh|git|file)://|[\w.-]+@[\w.-]+:")


def built_in() -> list[str]:
    """The names of the package's own templates."""
    return sorted(path.parent.name for path in BUILT_IN.glob(f"*/{FILE}"))


@contextmanager
def opened(template: str, *, version: str | None = None, folder: str | None = None) -> Generator[Path, None, None]:
    """The folder of a template, for as long as the block runs.

    Args:
        template: A name, a folder or the address of a git repository.
        version: Branch or tag of the repository.
        folder: The template's folder in what ``template`` says.

    Raises:
        TemplateNotFound: If nothing is there.
        InvalidParameterValue: If a version is given for what is no repository.
    """
    address = _KNOWN.get(template) or (template if _ADDRESS.match(template) else None)
    if address is not None:
        with tempfile.TemporaryDirectory(prefix="boathouse-template-") as held:
            _clone(address, version, Path(held))
            yield _inside(Path(held), folder, template)
        return
    if version is not None:
        raise InvalidParameterValue(f"{template} is no address of a git repository, so --branch and --tag say nothing here.")
    if template in built_in():
        yield _inside(BUILT_IN / template, folder, template)
        return
    path = Path(template).expanduser()
    if not path.is_dir():
        names = ", ".join([*built_in(), *_KNOWN])
        raise TemplateNotFound(
            f"There is no template {template!r}. Valid are a folder, the address of a git repository, or: {names}."
        )
    yield _inside(path, folder, template)


def _inside(base: Path, folder: str | None, template: str) -> Path:
    found = (base / (folder or "")).resolve()
    if not found.is_relative_to(base.resolve()) or not found.is_dir():
        raise TemplateNotFound(f"There is no folder {folder!r} in {template}.")
    return found


def _clone(address: str, version: str | None, into: Path) -> None:
    named = [] if version is None else ["--branch", version]
    command = ["git", "-c", "core.hooksPath=/dev/null", "-c", "core.symlinks=false", "-c", "protocol.ext.allow=never"]
    command += ["clone", "--quiet", "--depth", "1", *named, "--", address, str(into)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
    except FileNotFoundError:
        raise TemplateNotFound(f"{address} cannot be fetched: git is not installed. Install it, or give a folder.") from None
    if done.returncode:
        # An address may hold a token.
        shown = re.sub(r"://[^@/]*@", "://", address)
        said = re.sub(r"://[^@/\s]*@", "://", done.stderr.strip())
        raise TemplateNotFound(f"{shown} cannot be fetched: {said}")
