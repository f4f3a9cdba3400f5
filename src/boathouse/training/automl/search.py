"""The search: trials by Optuna, each a notebook that is run, until the time is up or nothing gets better."""

import itertools
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mlflow
import optuna
import pandas as pd
from mlflow import MlflowClient

from boathouse.training.automl.asked import Asked
from boathouse.training.automl.columns import Problem, Profile, profile, splits
from boathouse.training.automl.families import Family, families
from boathouse.training.automl.notebook import Setting, code_cells, exploration_notebook, trial_notebook
from boathouse.training.automl.process import Worker
from boathouse.training.automl.summary import AutoMLSummary, TrialInfo

METRICS: Mapping[Problem, Mapping[str, tuple[str, str]]] = {
    "classify": {
        "f1": ("f1_score", "maximize"),
        "log_loss": ("log_loss", "minimize"),
        "precision": ("precision_score", "maximize"),
        "accuracy": ("accuracy_score", "maximize"),
        "roc_auc": ("roc_auc", "maximize"),
    },
    "regress": {
        "r2": ("r2_score", "maximize"),
        "mae": ("mean_absolute_error", "minimize"),
        "rmse": ("root_mean_squared_error", "minimize"),
        "mse": ("mean_squared_error", "minimize"),
    },
}
MOST_ROWS = 500_000
"""More rows than these are sampled: a trial has to fit into memory several times."""
_SPLIT = "_automl_split"
_PATIENCE = 12
"""Trials without a better one before a search ends, once each family was tried."""
_LEAST_GAIN = 1e-4
_WORKSPACE = Path("/Workspace")
_IMPUTERS: Mapping[str, Mapping[str, Any]] = {
    "mean": {"strategy": "mean"},
    "median": {"strategy": "median"},
    "most_frequent": {"strategy": "most_frequent"},
}


def search(data: pd.DataFrame, asked: Asked, name: str) -> AutoMLSummary:
    """Try models on a data set.

    Args:
        data: One row an example.
        asked: What for.
        name: What the data set is called, for the experiment's name.

    Raises:
        ValueError: If an argument is wrong; it is named.
        RuntimeError: If no trial ended well.
    """
    began = time.monotonic()
    _check(asked, data)
    chosen = families(asked.excluded_frameworks)
    sampled = len(data) > MOST_ROWS
    found = profile(
        data.sample(MOST_ROWS, random_state=0) if sampled else data,
        asked.target,
        asked.problem,
        excluded=asked.excluded,
        kept=[one for one in (asked.split_column, asked.weight_column) if one],
    )
    if sampled:
        found.warn("rows", None, f"{MOST_ROWS:,} of {len(data):,} rows were drawn to train with.")
    for warning in found.warnings:
        print(f"{warning.kind}: {warning.message}")  # noqa: T201 - for the person at the notebook
    found.rows[_SPLIT] = splits(
        found.rows, asked.target, asked.problem, time_column=asked.time_column, split_column=asked.split_column
    )
    experiment, folder = _experiment(asked, name)
    with tempfile.TemporaryDirectory() as place:
        setting = _store(found, asked, experiment.experiment_id, folder, Path(place))
        run = _Search(asked, setting, chosen, folder, Path(place), began + asked.minutes * 60)
        trials = run.trials()
    conversions: dict[str, list[str]] = {}
    for column, kind in found.conversions.items():
        conversions.setdefault(kind, []).append(column)
    summary = AutoMLSummary(experiment, trials, METRICS[asked.problem][asked.metric][0], tuple(found.warnings), conversions)
    best = summary.best_trial
    print(f"Best of {len(trials)}: {best.model_description}, {summary.primary_metric} {best.evaluation_metric_score:.4f}")  # noqa: T201
    return summary


def _check(asked: Asked, data: pd.DataFrame) -> None:
    metrics = METRICS[asked.problem]
    if asked.metric not in metrics:
        message = f"primary_metric is {asked.metric!r}; it is one of {', '.join(metrics)}."
        raise ValueError(message)
    if asked.minutes <= 0:
        message = f"timeout_minutes is {asked.minutes}; it is a number greater than 0."
        raise ValueError(message)
    columns = {
        "exclude_cols": asked.excluded,
        "imputers": asked.imputers,
        "time_col": [asked.time_column],
        "split_col": [asked.split_column],
        "sample_weight_col": [asked.weight_column],
    }
    for argument, names in columns.items():
        unknown = [one for one in names if one is not None and one not in data.columns]
        if unknown:
            message = f"{argument} names {', '.join(map(repr, unknown))}, which is no column of the dataset."
            raise ValueError(message)
    if asked.time_column is not None and asked.split_column is not None:
        message = "time_col and split_col both say how rows are split; give one of them."
        raise ValueError(message)


def _imputer(column: str, given: Any) -> Mapping[str, Any]:
    """How a missing value is filled in: a name, or ``{"strategy": "constant", "fill_value": ...}``."""
    how = {"strategy": given} if isinstance(given, str) else dict(given)
    if how.get("strategy") == "constant" and how.keys() == {"strategy", "fill_value"}:
        return how
    known = _IMPUTERS.get(str(how.get("strategy")))
    if known is None or len(how) != 1:
        message = (
            f"imputers[{column!r}] is {given!r}; it is one of {', '.join(_IMPUTERS)}, or "
            "{'strategy': 'constant', 'fill_value': ...}."
        )
        raise ValueError(message)
    return known


class _Folder:
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


def _experiment(asked: Asked, name: str) -> tuple[Any, _Folder | None]:
    """The experiment, and the folder for its notebooks; None where there is no workspace."""
    short = asked.experiment_name or f"{asked.target}_{name}-{time.strftime('%Y-%m-%d-%H-%M-%S')}"
    if not _WORKSPACE.is_dir():
        return _made(f"{(asked.experiment_dir or 'databricks_automl').rstrip('/')}/{short}"), None
    from databricks.sdk import WorkspaceClient  # noqa: PLC0415 - only where there is one

    client = WorkspaceClient()
    parent = asked.experiment_dir or f"/Users/{client.current_user.me().user_name}/databricks_automl"
    path = f"{parent.removeprefix('/Workspace').rstrip('/')}/{short}"
    return _made(path), _Folder(client.workspace, path)


def _made(name: str) -> Any:
    existing = mlflow.get_experiment_by_name(name)
    return existing or mlflow.get_experiment(mlflow.create_experiment(name))


def _store(found: Profile, asked: Asked, experiment: str, folder: _Folder | None, place: Path) -> Setting:
    """Keep the rows as an artifact, from which every trial reads them."""
    path = place / "rows.parquet"
    found.rows.to_parquet(path, index=False)
    client = MlflowClient()
    run = client.create_run(experiment, run_name="Data of the trials", tags={"automl.target": asked.target})
    positive = None
    if asked.problem == "classify":
        classes = sorted(found.rows[asked.target].unique(), key=str)
        positive = _positive(asked, classes)
    setting = Setting(
        asked.problem,
        asked.target,
        found.kinds,
        experiment,
        run.info.run_id,
        positive,
        asked.weight_column,
        {column: _imputer(column, given) for column, given in asked.imputers.items()},
    )
    client.log_artifact(run.info.run_id, str(path), "data")
    client.log_dict(run.info.run_id, {"warnings": [vars(one) for one in found.warnings]}, "warnings.json")
    notebook = exploration_notebook(setting, found.warnings)
    client.log_text(run.info.run_id, notebook, "notebooks/data_exploration.py")
    client.set_terminated(run.info.run_id)
    if folder is not None:
        folder.write("data_exploration", notebook)
    return setting


def _positive(asked: Asked, classes: Sequence[Any]) -> Any:
    """Which of two classes is looked for: the named one, or the last by order (1, True, yes)."""
    if asked.positive is not None and asked.positive not in classes:
        message = f"pos_label is {asked.positive!r}; the values of {asked.target} are {', '.join(map(repr, classes[:10]))}."
        raise ValueError(message)
    if len(classes) != 2:
        return None
    chosen = classes[-1] if asked.positive is None else asked.positive
    return chosen.item() if hasattr(chosen, "item") else chosen


class _Search:
    """The loop over trials."""

    def __init__(
        self, asked: Asked, setting: Setting, chosen: Sequence[Family], folder: _Folder | None, place: Path, deadline: float
    ) -> None:
        self._setting = setting
        self._chosen = {one.name: one for one in chosen}
        self._folder = folder
        self._deadline = deadline
        self._metric, direction = METRICS[asked.problem][asked.metric]
        self._sign = 1 if direction == "maximize" else -1
        self._client = MlflowClient()
        self._worker = Worker(place / "trials.log")
        self._log = place / "trials.log"
        self._failures: list[str] = []
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
        for family in chosen:
            self._study.enqueue_trial({"family": family.name, **family.start})

    def trials(self) -> list[TrialInfo]:
        """Those that ended well, the best first.

        Raises:
            RuntimeError: If none did.
        """
        found: list[TrialInfo] = []
        since = 0
        try:
            for number in itertools.count(1):
                tried = number > len(self._chosen)
                if time.monotonic() >= self._deadline or (tried and since >= _PATIENCE):
                    break
                best = max((self._sign * one.evaluation_metric_score for one in found), default=float("-inf"))
                trial = self._trial(number)
                if trial is None:
                    since += 1
                    continue
                found.append(trial)
                gained = self._sign * trial.evaluation_metric_score > best + _LEAST_GAIN * max(1.0, abs(best))
                since = 0 if gained or len(found) == 1 else since + 1
                print(f"{number}. {trial.model_description}: {self._metric} {trial.evaluation_metric_score:.4f}")  # noqa: T201
        finally:
            self._worker.stop()
        if not found:
            log = self._log.read_text("utf-8", "replace")[-2000:] if self._log.exists() else ""
            message = (
                f"no trial ended well within timeout_minutes: {'; '.join(self._failures[:3]) or 'the time was up'}.\n{log}"
            )
            raise RuntimeError(message)
        return sorted(found, key=lambda one: -self._sign * one.evaluation_metric_score)

    def _trial(self, number: int) -> TrialInfo | None:
        began = time.monotonic()
        trial = self._study.ask()
        family = self._chosen[trial.suggest_categorical("family", list(self._chosen))]
        parameters = family.space(trial, self._setting.problem)
        notebook = trial_notebook(self._setting, family, parameters, number)
        name = f"{number:03}-{family.name.split(' ')[0]}"
        answer = self._worker.run(name, code_cells(notebook), self._deadline)
        if "error" in answer:
            self._failed(trial, number, str(answer["error"]))
            return None
        score = float(answer["metrics"][f"val_{self._metric}"])
        self._study.tell(trial, self._sign * score)
        run_id = str(answer["run_id"])
        self._client.log_text(run_id, notebook, f"notebooks/{name}.py")
        run = self._client.get_run(run_id)
        return TrialInfo(
            run_id,
            family.name,
            answer["metrics"],
            parameters,
            score,
            time.monotonic() - began,
            None if self._folder is None else self._folder.write(f"trials/{name}", notebook),
            str(run.info.artifact_uri),
            f"runs:/{run_id}/model",
        )

    def _failed(self, trial: Any, number: int, why: str) -> None:
        """A run that its process could not end is ended here."""
        self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
        self._failures.append(why)
        query = f"tags.`automl.trial` = '{number}' and attributes.status = 'RUNNING'"
        for run in self._client.search_runs([self._setting.experiment], query):
            self._client.set_terminated(run.info.run_id, "KILLED")
