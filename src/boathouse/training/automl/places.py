"""Where a search is kept: an experiment, and a folder of the workspace with its notebooks."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow

from boathouse.training.automl.asked import Asked
from boathouse.training.problems import METRICS

_WORKSPACE = Path("/Workspace")


class Folder:
    """The folder of the workspace for the notebooks of an experiment.

    Args:
        workspace: The server's client.
        path: The folder.
    """

    def __init__(self, workspace: Any, path: str) -> None:
        self._workspace = workspace
        self._path = path

    def write(self, name: str, notebook: str) -> str:
        """Put a notebook there; its path."""
        from databricks.sdk.service.workspace import ImportFormat, Language  # noqa: PLC0415 - only where there is one

        path = f"{self._path}/{name}"
        self._workspace.mkdirs(path.rpartition("/")[0])
        self._workspace.upload(path, notebook.encode(), format=ImportFormat.SOURCE, language=Language.PYTHON, overwrite=True)
        return path


def experiment_of(asked: Asked, name: str) -> tuple[Any, Folder | None]:
    """The experiment, and the folder for its notebooks; None where there is no workspace."""
    short = asked.experiment_name or f"{asked.target}_{name.rpartition('.')[2]}-{time.strftime('%Y-%m-%d-%H-%M-%S')}"
    metric, direction = METRICS[asked.problem][asked.metric]
    tags = {
        "automl.problem": asked.problem,
        "automl.dataset": name,
        "automl.target": asked.target,
        "automl.metric": f"val_{metric}",
        "automl.direction": direction,
        "automl.minutes": f"{asked.minutes:g}",
    }
    if not _WORKSPACE.is_dir():
        return _made(f"{(asked.experiment_dir or 'databricks_automl').rstrip('/')}/{short}", tags), None
    from databricks.sdk import WorkspaceClient  # noqa: PLC0415 - only where there is one

    client = WorkspaceClient()
    parent = asked.experiment_dir or f"/Users/{client.current_user.me().user_name}/databricks_automl"
    path = f"{parent.removeprefix('/Workspace').rstrip('/')}/{short}"
    return _made(path, tags | _run_tags()), Folder(client.workspace, path)


def _run_tags() -> dict[str, str]:
    """The job's run that this is part of, by which the page finds it."""
    try:
        from databricks.sdk.runtime import dbutils  # noqa: PLC0415 - only where there is one

        mine: Any = dbutils
        context = mine.notebook.entry_point.getDbutils().notebook().getContext()
        run = context.currentRunId()
    except (ImportError, AttributeError, NotImplementedError, ValueError):
        return {}
    return {"automl.job_run": str(run.get())} if run.isDefined() else {}


def _made(name: str, tags: Mapping[str, str]) -> Any:
    existing = mlflow.get_experiment_by_name(name)
    if existing is None:
        return mlflow.get_experiment(mlflow.create_experiment(name, tags=dict(tags)))
    client = mlflow.MlflowClient()
    for key, value in tags.items():
        client.set_experiment_tag(existing.experiment_id, key, value)
    return existing
