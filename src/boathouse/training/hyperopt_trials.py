"""Hyperopt's ``SparkTrials`` where there is no SparkContext: its trials are processes beside the notebook, and runs of MLflow.

``fmin`` and all else of Hyperopt are its own. It hands a search over to the trials it is given, and these ask its algorithm for
points and tell it what came of them.
"""

import os
import time
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from functools import partial
from types import ModuleType
from typing import Any

import cloudpickle
import mlflow
from hyperopt.base import (
    JOB_STATE_CANCEL,
    JOB_STATE_DONE,
    JOB_STATE_ERROR,
    JOB_STATE_RUNNING,
    STATUS_FAIL,
    STATUS_OK,
    Domain,
    Trials,
    spec_from_misc,
)
from hyperopt.utils import coarse_utcnow
from joblib.externals.loky import ProcessPoolExecutor  # pyright: ignore[reportMissingImports]
from mlflow import MlflowClient
from mlflow.tracking.fluent import _get_experiment_id  # pyright: ignore[reportPrivateUsage]

_QUIET = "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"
"""MLflow prints two lines at each end of a run unless this is set."""
_MOST_PARALLEL = 128
_LOOK_SECONDS = 0.2
_SEEDS = 2**31 - 1


def use_processes(module: ModuleType) -> None:
    """Change the class in the module ``hyperopt``."""
    module.__dict__["SparkTrials"] = SparkTrials
    module.__dict__["spark"].SparkTrials = SparkTrials


class SparkTrials(Trials):
    """Trials at once in processes of this machine. Each is a run of MLflow below the active one, or below one that is begun for the search.

    Args:
        parallelism: So many at once, 128 at most; one for each processor by default.
        timeout: Seconds of a search; trials that are running then are given up.
        loss_threshold: A loss with which the search ends.
        spark_session: Is not needed.
        resource_profile: Is not heeded: there are no executors.
    """

    def __init__(
        self,
        parallelism: int | None = None,
        timeout: float | None = None,
        loss_threshold: float | None = None,
        spark_session: Any = None,  # noqa: ARG002 - Hyperopt's signature
        resource_profile: Any = None,  # noqa: ARG002
    ) -> None:
        super().__init__(exp_key=None, refresh=False)
        wanted = parallelism if parallelism is not None and parallelism > 0 else os.cpu_count() or 1
        self.parallelism = min(wanted, _MOST_PARALLEL)
        self.timeout, self.loss_threshold = timeout, loss_threshold
        self.refresh()

    def count_successful_trials(self) -> int:
        """Trials that gave something."""
        return int(self.count_by_state_unsynced(JOB_STATE_DONE))

    def count_failed_trials(self) -> int:
        """Trials that raised."""
        return int(self.count_by_state_unsynced(JOB_STATE_ERROR))

    def count_cancelled_trials(self) -> int:
        """Trials that were given up."""
        return int(self.count_by_state_unsynced(JOB_STATE_CANCEL))

    def count_total_trials(self) -> int:
        """Trials that have ended."""
        return int(self.count_by_state_unsynced([JOB_STATE_DONE, JOB_STATE_ERROR, JOB_STATE_CANCEL]))

    def trial_attachments(self, trial: Any) -> Any:
        """Are not kept.

        Raises:
            NotImplementedError: Always, as Hyperopt's own does.
        """
        message = "SparkTrials does not support trial attachments."
        raise NotImplementedError(message)

    def fmin(  # pyright: ignore[reportIncompatibleMethodOverride] - all are given by name
        self,
        fn: Callable[..., Any],
        space: Any,
        algo: Callable[..., Any],
        max_evals: int | None,
        timeout: float | None = None,
        loss_threshold: float | None = None,
        max_queue_len: int = 1,  # noqa: ARG002 - as many wait as are worked on
        rstate: Any = None,
        pass_expr_memo_ctrl: bool | None = None,
        early_stop_fn: Callable[..., Any] | None = None,
        return_argmin: bool = True,
        **_: Any,
    ) -> Any:
        """Search; ``hyperopt.fmin`` calls it.

        Raises:
            NotImplementedError: For ``pass_expr_memo_ctrl``, as Hyperopt's own does not support it.
            AllTrialsFailed: If no trial gave a loss and the best point is asked for.
        """
        if pass_expr_memo_ctrl:
            message = "SparkTrials does not support pass_expr_memo_ctrl."
            raise NotImplementedError(message)
        seconds = self.timeout if self.timeout is not None else timeout
        search = _Search(
            self,
            Domain(fn, space),
            lambda ids, domain: algo(ids, domain, self, _seed(rstate)),
            float("inf") if max_evals is None else max_evals,
            float("inf") if seconds is None else time.monotonic() + seconds,
            loss_threshold if loss_threshold is not None else self.loss_threshold,
            early_stop_fn,
        )
        search.run()
        return self.argmin if return_argmin else None


def _seed(rstate: Any) -> int:
    draw = rstate.integers if hasattr(rstate, "integers") else rstate.randint
    return int(draw(_SEEDS))


class _Search:
    """One search, from the first trial to the last."""

    def __init__(
        self,
        trials: SparkTrials,
        domain: Domain,
        ask: Callable[[list[int], Domain], list[dict[str, Any]]],
        most: float,
        deadline: float,
        threshold: float | None,
        early_stop: Callable[..., Any] | None,
    ) -> None:
        self._trials, self._domain, self._ask = trials, domain, ask
        self._most, self._deadline, self._threshold = most, deadline, threshold
        self._early_stop, self._early_stop_arguments = early_stop, ()
        self._work = cloudpickle.dumps(domain)
        self._client = MlflowClient()
        self._running: dict[Future[Any], dict[str, Any]] = {}
        self._runs: dict[int, str] = {}
        self._begun = len(trials.trials)
        self._is_over = False
        self._is_broken = False
        """Whether a process has ended by itself, which takes those beside it along."""

    def run(self) -> None:
        active = mlflow.active_run()
        parent = active or self._client.create_run(str(_get_experiment_id()), run_name="hyperopt")
        experiment, parent_id = parent.info.experiment_id, parent.info.run_id
        environment = {_QUIET: "true", "MLFLOW_TRACKING_URI": mlflow.get_tracking_uri(), "MLFLOW_EXPERIMENT_ID": experiment}
        status = "FAILED"
        pool = ProcessPoolExecutor(max_workers=self._trials.parallelism, env=environment)
        try:
            while not self._is_over and time.monotonic() < self._deadline:
                if self._is_broken:
                    pool.shutdown(wait=True, kill_workers=True)
                    pool, self._is_broken = ProcessPoolExecutor(max_workers=self._trials.parallelism, env=environment), False
                self._begin(pool, experiment, parent_id)
                if not self._running and not self._is_broken:
                    break
                done, _ = wait(self._running, timeout=_LOOK_SECONDS, return_when=FIRST_COMPLETED)
                for future in done:
                    self._ended(future)
            status = "FINISHED"
        finally:
            pool.shutdown(wait=True, kill_workers=True)
            for future in list(self._running):
                self._given_up(self._running.pop(future), future)
            self._trials.refresh()
            if active is None:
                self._client.set_terminated(parent_id, status)

    def _begin(self, pool: Any, experiment: str, parent: str) -> None:
        while len(self._running) < self._trials.parallelism and self._begun < self._most and not self._is_broken:
            docs = self._ask(self._trials.new_trial_ids(1), self._domain)
            if not docs:
                self._is_over = not self._running
                return
            self._begun += len(docs)
            self._trials.insert_trial_docs(docs)
            self._trials.refresh()
            for trial in self._trials.trials[-len(docs) :]:
                trial["state"], trial["book_time"] = JOB_STATE_RUNNING, coarse_utcnow()
                run = self._client.create_run(
                    experiment,
                    run_name=f"trial {trial['tid']}",
                    tags={"mlflow.parentRunId": parent, "hyperopt.tid": str(trial["tid"])},
                ).info.run_id
                self._runs[trial["tid"]] = run
                for name, values in trial["misc"]["vals"].items():
                    if values:
                        self._client.log_param(run, name, values[0])
                self._running[self._submitted(pool, partial(_evaluate, self._work, spec_from_misc(trial["misc"]), run))] = trial

    def _submitted(self, pool: Any, work: Callable[[], Any]) -> Future[Any]:
        try:
            submitted: Future[Any] = pool.submit(work)
        except BrokenExecutor as error:
            submitted = Future()
            submitted.set_exception(error)
        return submitted

    def _ended(self, future: Future[Any]) -> None:
        trial = self._running.pop(future)
        run = self._runs[trial["tid"]]
        trial["refresh_time"] = coarse_utcnow()
        error = future.exception()
        if error is None:
            result: Mapping[str, Any] = future.result()
            trial["state"], trial["result"] = JOB_STATE_DONE, result
            if result["status"] == STATUS_OK:
                self._client.log_metric(run, "loss", float(result["loss"]))
            self._client.set_terminated(run, "FINISHED" if result["status"] == STATUS_OK else "FAILED")
        else:
            self._is_broken |= isinstance(error, BrokenExecutor)
            trial["state"], trial["misc"]["error"] = JOB_STATE_ERROR, (str(type(error)), str(error))
            trial["result"] = {"status": STATUS_FAIL}
            self._client.log_text(run, "".join(traceback.format_exception(error)), "error_message.txt")
            self._client.set_terminated(run, "FAILED")
        self._trials.refresh()
        losses = [loss for loss in self._trials.losses() if loss is not None]
        self._is_over |= self._threshold is not None and min(losses, default=float("inf")) <= self._threshold
        if self._early_stop is not None and losses and not self._is_over:
            self._is_over, self._early_stop_arguments = self._early_stop(self._trials, *self._early_stop_arguments)

    def _given_up(self, trial: dict[str, Any], future: Future[Any]) -> None:
        future.cancel()
        trial["state"], trial["result"] = JOB_STATE_CANCEL, {"status": STATUS_FAIL}
        trial["misc"]["error"] = ("Cancelled", "the search was over")
        self._client.set_terminated(self._runs[trial["tid"]], "KILLED")


def _evaluate(work: bytes, point: Mapping[str, Any], run: str) -> dict[str, Any]:
    """What the objective gives, with the trial's run as MLflow's active one."""
    domain = cloudpickle.loads(work)
    mlflow.start_run(run_id=run)
    try:
        found: dict[str, Any] = domain.evaluate(point, ctrl=None, attach_attachments=False)
    finally:
        mlflow.end_run("RUNNING")
    found.pop("attachments", None)
    return found
