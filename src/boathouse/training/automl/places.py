"""Where a search is kept: an experiment, and a folder of the workspace with its notebooks."""

import time
from pathlib import Path
from typing import Any

import mlflow

from boathouse.training.automl.asked import Asked

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
    short = asked.experiment_name or f"{asked.target}_{name}-{time.strftime('%Y-%m-%d-%H-%M-%S')}"
    if not _WORKSPACE.is_dir():
        return _made(f"{(asked.experiment_dir or 'databricks_automl').rstrip('/')}/{short}"), None
    from databricks.sdk import WorkspaceClient  # noqa: PLC0415 - only where there is one

    client = WorkspaceClient()
    parent = asked.experiment_dir or f"/Users/{client.current_user.me().user_name}/databricks_automl"
    path = f"{parent.removeprefix('/Workspace').rstrip('/')}/{short}"
    return _made(path), Folder(client.workspace, path)


def _made(name: str) -> Any:
    existing = mlflow.get_experiment_by_name(name)
    return existing or mlflow.get_experiment(mlflow.create_experiment(name))
