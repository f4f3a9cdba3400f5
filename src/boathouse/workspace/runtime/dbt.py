"""Runs dbt on a project, as commands of the dbt that the task's environment brings."""

import importlib.util
import json
import os
import shlex
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

from boathouse.workspace.runtime.assignment import Result
from boathouse.workspace.runtime.below import run_shown
from boathouse.workspace.runtime.outputs import Outputs
from boathouse.workspace.runtime.session import Session

ARCHIVE = "dbt.tar.gz"
_MISSING = (
    "dbt is not there: name it in the task's environment, or in its libraries, "
    "as dependencies: ['dbt-spark<1.11', 'dbt-core<1.11']."
)
_MODULE = "dbt.cli.main"


def run_dbt(session: Session, outputs: Outputs, folder: str) -> Result:
    """Run the commands of the assignment one after the other, until one fails.

    Args:
        session: The surroundings.
        outputs: What is shown.
        folder: For files of the run.
    """
    assignment = session.assignment
    if not _is_there():
        return Result(error=_MISSING)
    project = Path(session.places.real(f"/Workspace{assignment.path}"))
    if not (project / "dbt_project.yml").is_file():
        return Result(error=f"{assignment.path} has no dbt_project.yml, so it is no project of dbt.")
    target = Path(folder) / "dbt"
    environment = {
        **os.environ,
        "DBT_PROFILES_DIR": str(_profiles(project, Path(folder), assignment.parameters)),
        "DBT_TARGET_PATH": str(target / "target"),
        "DBT_LOG_PATH": str(target / "logs"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_USE_COLORS": "false",
        "PYTHONUNBUFFERED": "1",
    }
    try:
        for command in assignment.arguments:
            print(f"$ {command}", flush=True)  # noqa: T201 - the log of the task
            status = run_shown([sys.executable, "-m", _MODULE, *shlex.split(command)[1:]], environment, project)
            if status:
                why = _why(target / "target" / "run_results.json")
                return Result(error=outputs.secrets.redact(f"'{command}' has ended with status {status}.{why}"))
    finally:
        if target.is_dir() and assignment.outputs is not None:
            with tarfile.open(Path(assignment.outputs) / ARCHIVE, "w:gz") as archive:
                archive.add(target, arcname=".")
    return Result()


def _is_there() -> bool:
    try:
        return importlib.util.find_spec(_MODULE) is not None
    except ModuleNotFoundError:
        return False


def _profiles(project: Path, folder: Path, given: Mapping[str, str]) -> Path:
    """The folder of the profile: the project's own, or one that is made here."""
    if "schema" not in given:
        return project / given.get("profiles", ".")
    import yaml  # noqa: PLC0415 - dbt brings it

    name = yaml.safe_load((project / "dbt_project.yml").read_text(encoding="utf-8")).get("profile") or "default"
    output = {"type": "spark", "method": "session", "host": "NA", "schema": given["schema"], "threads": 4}
    made = folder / "profiles"
    made.mkdir(exist_ok=True)
    (made / "profiles.yml").write_text(json.dumps({name: {"target": "boathouse", "outputs": {"boathouse": output}}}), "utf-8")
    return made


def _why(results: Path) -> str:
    """What of a command has failed, by dbt's own account."""
    try:
        found = json.loads(results.read_text(encoding="utf-8"))["results"]
    except (OSError, ValueError, KeyError):
        return " Its log tells more."
    failed = [
        f"{one['unique_id']}: {str(one.get('message') or one['status']).strip()}"
        for one in found
        if one["status"] in {"error", "fail"}
    ]
    return "".join(f"\n{one[:500]}" for one in failed[:5]) or " Its log tells more."
