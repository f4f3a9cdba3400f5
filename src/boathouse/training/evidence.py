"""What a run's tags tell of the process that began it."""

import hashlib
from collections.abc import Mapping
from typing import Any

from boathouse.errors import BoathouseError
from boathouse.iam.api import Principal
from boathouse.workspace.git.service import GitFolders

ENVIRONMENT = "boathouse/environment.txt"
"""Of a run's artifacts: the packages that its process could import."""
SOURCE_TAG, CODE_TAG, ENVIRONMENT_TAG, DIRTY_TAG = (
    f"boathouse.{name}" for name in ("source", "codeSha256", "environmentSha256", "gitDirty")
)
REPRODUCES_TAG = "boathouse.reproduces"
_OF_JOB = {"jobId": "jobID", "runId": "jobRunID", "taskKey": "jobTaskKey", "jobName": "jobName"}
_KINDS = {"notebook": "NOTEBOOK", "python": "JOB", "wheel": "JOB"}


def tags_of(principal: Principal, facts: Mapping[str, Any], folders: GitFolders) -> dict[str, str]:
    """The tags of a run, named as Databricks and MLflow name them, where they do."""
    kind, path, told = facts.get("kind", ""), facts.get("path", ""), facts.get("tags") or {}
    found: dict[str, str] = {}
    code = facts.get("files") or {}
    if kind in _KINDS:
        found |= {"mlflow.source.name": path, "mlflow.source.type": _KINDS[kind]}
    if kind == "notebook":
        found["mlflow.databricks.notebookPath"] = path
        if facts.get("main") in code:
            found["mlflow.databricks.notebookRevisionID"] = digest(code[facts["main"]])
    found |= {f"mlflow.databricks.{tag}": told[key] for key, tag in _OF_JOB.items() if told.get(key)}
    return found | _git(principal, path, told, folders)


def digest(text: str) -> str:
    """The SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def _git(principal: Principal, path: str, told: Mapping[str, str], folders: GitFolders) -> dict[str, str]:
    """Of a task that runs at a commit, that; of a file in a git folder, what is checked out there."""
    if told.get("gitCommit"):
        return _tags(told.get("gitUrl", ""), told.get("gitBranch"), told["gitCommit"]) | {DIRTY_TAG: "false"}
    try:
        repo = folders.around(principal, path.removeprefix("/Workspace"))
        if repo is None:
            return {}
        status = folders.status(principal, str(repo.id))
    except BoathouseError:
        # The folder is gone, or git cannot tell; the code is kept all the same.
        return {}
    return _tags(repo.url, status.branch, status.commit or "") | {DIRTY_TAG: str(bool(status.changes)).lower()}


def _tags(url: str, branch: str | None, commit: str) -> dict[str, str]:
    found = {"repoURL": url, "commit": commit, "branch": branch or ""}
    return {f"mlflow.source.git.{key}": value for key, value in found.items() if value}
