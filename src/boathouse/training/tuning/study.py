"""``tune``: a study that goes on where it was left, until it has so many trials."""

import json
import os
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import optuna
from mlflow import MlflowClient
from mlflow.entities import Metric, RunTag
from mlflow.tracking.fluent import _get_experiment_id  # pyright: ignore[reportPrivateUsage]
from optuna.distributions import BaseDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from boathouse.training.tuning.engine import run_round
from boathouse.training.tuning.processes import Processes, TrialFailed
from boathouse.training.tuning.storage import RunStorage
from boathouse.training.tuning.trials import QUIET, Objective, Work

Where = Literal["processes", "engine"]
Callback = Callable[[optuna.Study, FrozenTrial], None]
_DONE = (TrialState.COMPLETE, TrialState.PRUNED)
_LOOK_SECONDS = 1.0


def tune(
    objective: Objective,
    *,
    study_name: str,
    n_trials: int | None = None,
    timeout: float | None = None,
    n_jobs: int = 1,
    direction: str | None = None,
    directions: Sequence[str] | None = None,
    experiment: str | None = None,
    sampler: optuna.samplers.BaseSampler | None = None,
    pruner: optuna.pruners.BasePruner | None = None,
    catch: type[Exception] | Iterable[type[Exception]] = (),
    callbacks: Iterable[Callback] = (),
    on: Where = "processes",
    space: Mapping[str, BaseDistribution] | None = None,
) -> optuna.Study:
    """Search for the best parameters; a study of this name in the experiment goes on.

    The study is a run of MLflow and each trial a run below it, which is MLflow's active run while the objective is called.

    Args:
        objective: Takes an ``optuna.Trial``, gives the value (or values).
        study_name: Its name in the experiment, and the name of its run.
        n_trials: How many complete or pruned trials the study has at the end, those of earlier calls counted;
            trials that fail are done again, but one call begins about so many at most.
        timeout: Seconds of this call after which no trial is begun.
        n_jobs: So many trials at once; -1 is one for each processor. With 1 they run in this process.
        direction: ``minimize`` (default) or ``maximize``; of a study that is there it must be the same.
        directions: The same for several values.
        experiment: Name of the experiment; the current one by default.
        sampler: ``optuna.samplers.TPESampler`` by default.
        pruner: ``optuna.pruners.MedianPruner`` by default.
        catch: Exceptions of the objective after which the study goes on; any other ends it.
        callbacks: Called here with the study and each trial that has ended; ``study.stop()`` ends it.
        on: ``processes`` of this machine, or the workers of the ``engine`` by Spark, which need ``space``.
        space: Each parameter with its distribution.

    Raises:
        ValueError: If an argument is wrong; it is named.
        TrialFailed: If a trial has failed, and what it raised cannot be raised here.
    """
    wanted = _directions(direction, directions)
    require_end(n_trials, timeout)
    _check(n_trials, n_jobs, on, space)
    storage = RunStorage(_experiment(experiment))
    sampler, pruner = sampler or optuna.samplers.TPESampler(), pruner or optuna.pruners.MedianPruner()
    study = _study(study_name, storage, sampler, pruner, wanted)
    work = Work(objective, study_name, storage._experiment_id, sampler, pruner, classes(catch))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    search = Search(study, storage, work, tuple(callbacks))
    count = at_once(n_jobs)
    deadline = None if timeout is None else time.monotonic() + timeout
    with search.running():
        while not search.is_stopped:
            budget = None if n_trials is None else search.missing(n_trials, deadline)
            if budget == 0 or (deadline is not None and time.monotonic() >= deadline):
                break
            search.run(budget, deadline, count, space if on == "engine" else None)
            if search.attempts >= (n_trials or 0):
                break
    return study


class Search:
    """The trials of one call.

    Args:
        study: The study.
        storage: Where it is kept.
        work: What a trial needs.
        callbacks: Called after each.
    """

    def __init__(self, study: optuna.Study, storage: RunStorage, work: Work, callbacks: tuple[Callback, ...]) -> None:
        self._study = study
        self._storage = storage
        self._work = work
        self._callbacks = callbacks
        self.attempts = 0
        self.is_stopped = False

    def running(self) -> "_Status":
        """The study's run goes on for as long as the block does."""
        return _Status(self._study)

    def missing(self, n_trials: int, deadline: float | None) -> int:
        """How many trials are to be run; waits for those that another program is at, as these may be given up."""
        while True:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                optuna.storages.fail_stale_trials(self._study)
            trials = self._study.get_trials(deepcopy=False)
            done = sum(one.state in _DONE for one in trials)
            others = sum(one.state == TrialState.RUNNING for one in trials)
            if done + others < n_trials or others == 0:
                return max(0, n_trials - done - others)
            if deadline is not None and time.monotonic() >= deadline:
                return 0
            time.sleep(_LOOK_SECONDS)

    def run(
        self, budget: int | None, deadline: float | None, count: int, space: Mapping[str, BaseDistribution] | None = None
    ) -> None:
        """Run trials until there are so many more, or the time is up.

        Raises:
            Exception: What an objective has raised that was not to be caught.
        """
        if space is not None:
            self._on_engine(budget, deadline, count, space)
        elif count == 1 and self._work.is_active:
            self._here(budget, deadline)
        else:
            for ended in Processes(self._work, count, self._storage.give_up).run(budget, deadline):
                self._after(ended)

    def _here(self, budget: int | None, deadline: float | None) -> None:
        objective = self._work.wrapped()
        timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
        before = len(self._study.get_trials(deepcopy=False))
        try:
            self._study.optimize(
                objective, n_trials=budget, timeout=timeout, catch=self._work.catch, callbacks=list(self._callbacks)
            )
        finally:
            self.attempts += max(budget or 0, len(self._study.get_trials(deepcopy=False)) - before)
            self.is_stopped = bool(self._study._stop_flag)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

    def _on_engine(self, budget: int | None, deadline: float | None, count: int, space: Mapping[str, BaseDistribution]) -> None:
        from pyspark.sql import SparkSession  # noqa: PLC0415 - others do not need it

        spark = SparkSession.getActiveSession() or SparkSession.builder.getOrCreate()
        done = 0
        while (budget is None or done < budget) and (deadline is None or time.monotonic() < deadline) and not self.is_stopped:
            some = count if budget is None else min(count, budget - done)
            error = None
            for trial, failed in run_round(self._study, self._storage, self._work.objective, space, some, spark):
                error = error or (None if Exception in self._work.catch else failed)
                self._after(trial._trial_id)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            done += some
            if error is not None:
                raise TrialFailed(error)

    def _after(self, trial_id: Any) -> None:
        """A trial has ended elsewhere."""
        self.attempts += 1
        local: Any = self._study._thread_local  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - `study.stop` asks it
        local.cached_all_trials, local.in_optimize_loop = None, True
        try:
            for callback in self._callbacks:
                callback(self._study, self._storage.get_trial(trial_id))
        finally:
            local.in_optimize_loop = False
        self.is_stopped = self.is_stopped or bool(self._study._stop_flag)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


class _Status:
    """A study's run, which is running meanwhile and then says how it went, and what is best so far."""

    def __init__(self, study: optuna.Study) -> None:
        self._study = study
        self._run_id = str(study._study_id)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        self._quiet: str | None = None
        self._client = MlflowClient()

    def __enter__(self) -> None:
        self._quiet = os.environ.get(QUIET)
        os.environ[QUIET] = "true"
        self._client.update_run(self._run_id, status="RUNNING")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        os.environ.pop(QUIET)
        if self._quiet is not None:
            os.environ[QUIET] = self._quiet
        self._tell_best()
        how = "FINISHED" if kind is None else "FAILED" if issubclass(kind, Exception) else "KILLED"
        self._client.set_terminated(self._run_id, how)

    def _tell_best(self) -> None:
        """The best value and its trial: parameters as a tag, as MLflow's are not changed when a later trial is better."""
        if len(self._study.directions) > 1:
            return
        try:
            best = self._study.best_trial
        except ValueError:  # no trial is complete
            return
        tags = {
            "best_params": json.dumps(best.params, default=str),
            "best_trial": str(best.number),
            "best_run": str(best._trial_id),  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        }
        value = Metric("best_value", float(best.values[0]), int(time.time() * 1000), best.number)
        self._client.log_batch(self._run_id, metrics=[value], tags=[RunTag(*one) for one in tags.items()])


def _directions(direction: str | None, directions: Sequence[str] | None) -> list[StudyDirection] | None:
    if direction is not None and directions is not None:
        message = "direction and directions both say what is better; give one of them."
        raise ValueError(message)
    given = [direction] if direction is not None else directions
    if given is None:
        return None
    known = {"minimize": StudyDirection.MINIMIZE, "maximize": StudyDirection.MAXIMIZE}
    if not given or any(one not in known for one in given):
        message = f"direction is {given[0] if len(given) == 1 else list(given)!r}; it is minimize or maximize."
        raise ValueError(message)
    return [known[one] for one in given]


def require_end(n_trials: int | None, timeout: float | None) -> None:
    """Refuse a study that nothing ends.

    Raises:
        ValueError: If it is one.
    """
    if n_trials is None and timeout is None:
        message = "n_trials or timeout has to say when the study ends."
        raise ValueError(message)


def classes(catch: type[Exception] | Iterable[type[Exception]]) -> tuple[type[Exception], ...]:
    """The exceptions that are caught, of which one may stand by itself."""
    return (catch,) if isinstance(catch, type) else tuple(catch)


def at_once(n_jobs: int) -> int:
    """How many trials are run at once; one for each processor where that is not said."""
    return n_jobs if n_jobs > 0 else os.cpu_count() or 1


def _check(n_trials: int | None, n_jobs: int, on: str, space: Mapping[str, BaseDistribution] | None) -> None:
    if n_trials is not None and n_trials < 1:
        message = f"n_trials is {n_trials}; it is a number greater than 0."
        raise ValueError(message)
    if n_jobs < 1 and n_jobs != -1:
        message = f"n_jobs is {n_jobs}; it is a number greater than 0, or -1 for one trial a processor."
        raise ValueError(message)
    if on not in {"processes", "engine"}:
        message = f"on is {on!r}; it is processes or engine."
        raise ValueError(message)
    if (on == "engine") != (space is not None):
        message = "space and on='engine' go together: the engine's workers are given parameters that were chosen here."
        raise ValueError(message)


def _experiment(name: str | None) -> str:
    if name is None:
        return str(_get_experiment_id())  # where `start_run` would put it
    client = MlflowClient()
    found = client.get_experiment_by_name(name)
    return str(client.create_experiment(name) if found is None else found.experiment_id)


def _study(
    name: str,
    storage: RunStorage,
    sampler: optuna.samplers.BaseSampler,
    pruner: optuna.pruners.BasePruner,
    wanted: list[StudyDirection] | None,
) -> optuna.Study:
    if storage.get_study_id_by_name_if_exists(name) is None:
        return optuna.create_study(
            study_name=name, storage=storage, sampler=sampler, pruner=pruner, directions=wanted or [StudyDirection.MINIMIZE]
        )
    study = optuna.load_study(study_name=name, storage=storage, sampler=sampler, pruner=pruner)
    if wanted is not None and study.directions != wanted:
        there = ", ".join(one.name.lower() for one in study.directions)
        message = (
            f"the study {name!r} is there with direction {there}, and stays so. Leave direction out, or name another study."
        )
        raise ValueError(message)
    return study
