"""Where a search is kept: an experiment, and a folder of the workspace with its notebooks."""

import time
import uuid
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.tracking.context.registry import resolve_tags

from boathouse.training.automl.asked import Asked
from boathouse.training.automl.columns import Warning_
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
    begun = f"{time.strftime('%Y-%m-%d-%H-%M-%S')}-{uuid.uuid4().hex[:6]}"
    short = asked.experiment_name or f"{asked.target}_{name.rpartition('.')[2]}-{begun}"
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


@contextmanager
def data_run(experiment: str, asked: Asked) -> Generator[str]:
    """The run that the data of a search is kept with, which ends with the block; its identifier, which the trials name."""
    client = mlflow.MlflowClient()
    tags = resolve_tags({"automl.target": asked.target})
    run_id = client.create_run(experiment, run_name="Data of the trials", tags=tags).info.run_id
    try:
        yield run_id
    except BaseException as error:
        client.set_terminated(run_id, status_of(error))
        raise
    client.set_terminated(run_id)


def status_of(error: BaseException) -> str:
    """How a run ends in which something was raised."""
    return "FAILED" if isinstance(error, Exception) else "KILLED"


def keep_data(
    run_id: str, rows: pd.DataFrame, warnings: Sequence[Warning_], notebook: str, folder: Folder | None, place: Path
) -> None:
    """Keep the rows as an artifact, from which every trial reads them, with what was found in them.

    Args:
        run_id: The run.
        rows: As trials read them.
        warnings: What was found.
        notebook: The source of a notebook that looks at them.
        folder: For the notebook; None where there is no workspace.
        place: A folder for files of the search.
    """
    path = place / "rows.parquet"
    rows.to_parquet(path, index=False)
    client = mlflow.MlflowClient()
    client.log_artifact(run_id, str(path), "data")
    client.log_dict(run_id, {"warnings": [vars(one) for one in warnings]}, "warnings.json")
    client.log_text(run_id, notebook, "notebooks/data_exploration.py")
    if folder is not None:
        folder.write("data_exploration", notebook)


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
