"""Trials by Optuna, each a notebook that is run, until the time is up or nothing gets better."""

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from mlflow import MlflowClient

from boathouse.training.automl.asked import Asked
from boathouse.training.automl.families import Family
from boathouse.training.automl.notebook import code_cells
from boathouse.training.automl.places import Folder, status_of
from boathouse.training.automl.process import Worker
from boathouse.training.automl.summary import AutoMLSummary, TrialInfo
from boathouse.training.problems import METRICS, Problem

Write = Callable[[Family, Mapping[str, Any], int], str]
_PATIENCE = 12
"""Trials without a better one before a search ends, once each family was tried."""
_LEAST_GAIN = 1e-4


def check_metric_and_time(asked: Asked) -> None:
    """Refuse a metric that the problem has not, and a time in which nothing can be done.

    Raises:
        ValueError: Which names the argument.
    """
    metrics = METRICS[asked.problem]
    if asked.metric not in metrics:
        message = f"primary_metric is {asked.metric!r}; it is one of {', '.join(metrics)}."
        raise ValueError(message)
    if asked.minutes <= 0:
        message = f"timeout_minutes is {asked.minutes}; it is a number greater than 0."
        raise ValueError(message)


def tell_best(summary: AutoMLSummary) -> AutoMLSummary:
    """Print the best trial, for the person at the notebook."""
    best = summary.best_trial
    score = f"{summary.primary_metric} {best.evaluation_metric_score:.4f}"
    print(f"Best of {len(summary.trials)}: {best.model_description}, {score}")  # noqa: T201 - see above
    return summary


class Search:
    """The loop over trials.

    Args:
        asked: What is searched.
        experiment: Identifier of the experiment.
        data_run: The run that the data is an artifact of.
        write: Makes the source of a trial's notebook of a family, parameters and a number.
        chosen: The families.
        folder: For the notebooks; None where there is no workspace.
        place: A folder for files of this search.
        deadline: When it ends, by ``time.monotonic``.
    """

    def __init__(
        self,
        asked: Asked,
        experiment: str,
        data_run: str,
        write: Write,
        chosen: Sequence[Family],
        folder: Folder | None,
        place: Path,
        deadline: float,
    ) -> None:
        self._problem: Problem = asked.problem
        self._experiment = experiment
        self._data_run = data_run
        self._write = write
        self._chosen = {one.name: one for one in chosen}
        self._folder = folder
        self._deadline = deadline
        self._metric, direction = METRICS[asked.problem][asked.metric]
        self._sign = 1 if direction == "maximize" else -1
        self._client = MlflowClient()
        self._worker = Worker(place / "trials.log")
        self._log = place / "trials.log"
        self._failures: list[str] = []
        self._seen: dict[Any, float] = {}
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
        except BaseException as error:
            self._worker.stop()
            self._end_runs(status_of(error))
            raise
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
        parameters = family.space(trial, self._problem)
        same = (family.name, *sorted(parameters.items()))
        if same in self._seen:  # of what has few parameters, the sampler soon asks for the same
            self._study.tell(trial, self._seen[same])
            return None
        notebook = self._write(family, parameters, number)
        name = f"{number:03}-{family.name.split(' ')[0]}"
        answer = self._worker.run(name, code_cells(notebook), self._deadline)
        if "error" in answer:
            print(f"{number}. {family.name}: no model, {answer['error']}")  # noqa: T201 - as above
            self._failed(trial, str(answer["error"]))
            return None
        score = float(answer["metrics"][f"val_{self._metric}"])
        self._study.tell(trial, self._sign * score)
        self._seen[same] = self._sign * score
        run_id = str(answer["run_id"])
        self._client.log_text(run_id, notebook, f"notebooks/{name}.py")
        path = None if self._folder is None else self._folder.write(f"trials/{name}", notebook)
        if path is not None:
            self._client.set_tag(run_id, "automl.notebook", path)
        run = self._client.get_run(run_id)
        return TrialInfo(
            run_id,
            family.name,
            answer["metrics"],
            parameters,
            score,
            time.monotonic() - began,
            path,
            str(run.info.artifact_uri),
            f"runs:/{run_id}/model",
            "pyfunc" if self._problem == "forecast" else "sklearn",
        )

    def _failed(self, trial: Any, why: str) -> None:
        self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
        self._failures.append(why)
        self._end_runs("KILLED")

    def _end_runs(self, status: str) -> None:
        """Runs of this search that their process could not end are ended here."""
        query = f"tags.`automl.data_run` = '{self._data_run}' and attributes.status = 'RUNNING'"
        for run in self._client.search_runs([self._experiment], query):
            self._client.set_terminated(run.info.run_id, status)
