"""Studies of Optuna as runs of MLflow: the study is a run, and each trial is a run below it. There is no other state.

``mlflow.optuna.storage.MlflowStorage`` is the base, and what it writes is understood here and there. Added: trials whose process is
gone are known, a trial's run has its tags from the first moment, and what has ended is fetched once.
"""

import copy
import json
import os
import random
import socket
import threading
import time
import uuid
from collections.abc import Container, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psutil
from mlflow.entities import Metric, Param, Run, RunTag, ViewType
from mlflow.optuna.storage import (
    MlflowStorage,
    mlflow_optuna_status_map,  # pyright: ignore[reportUnknownVariableType]
    optuna_mlflow_status_map,  # pyright: ignore[reportUnknownVariableType]
)
from mlflow.tracking.context.registry import resolve_tags
from optuna.distributions import (
    BaseDistribution,
    check_distribution_compatibility,
    distribution_to_json,
    json_to_distribution,
)
from optuna.storages._heartbeat import BaseHeartbeat
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

LOST = "lost"
"""A trial's system attribute: why it was given up."""
BEAT_SECONDS = 10
STALE_SECONDS = 60
"""After this time without a beat a trial on another machine is given up."""
_ALIVE = "boathouse.trialProcess"
_STATE = "optuna.trial_state"
_DIRECTION = "optuna.study_direction"
_PARENT = "mlflow.parentRunId"
_INTERNAL = "param_internal_val_"
_PAGE = 1000


class RunStorage(MlflowStorage, BaseHeartbeat):
    """Keeps studies in an experiment.

    Args:
        experiment_id: The experiment.
        name: Taken and not used, as by MLflow's own.
        batch_flush_interval: Seconds after which intermediate values are sent at the latest.
        batch_size_threshold: So many of them are sent at once.
    """

    def __init__(
        self, experiment_id: str, name: str | None = None, batch_flush_interval: float = 1.0, batch_size_threshold: int = 100
    ) -> None:
        super().__init__(experiment_id, name, batch_flush_interval, batch_size_threshold)
        self._mine: dict[str, FrozenTrial] = {}
        self._ended: dict[str, FrozenTrial] = {}
        self._names: dict[str, str] = {}

    @property
    def _runs(self) -> Any:
        return self._mlflow_client

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> Any:
        """A run for a study, with what is told of any run that begins in this process."""
        name = study_name or f"study-{uuid.uuid4()}"
        tags: dict[str, str] = resolve_tags(
            {"mlflow.runName": name, _DIRECTION: ",".join(direction.name for direction in directions)}
        )
        return self._runs.create_run(self._experiment_id, tags=tags).info.run_id

    def create_new_trial(self, study_id: Any, template_trial: FrozenTrial | None = None) -> Any:
        """A run for a trial; it is one of the study from its first moment."""
        number = self._next_number(study_id)
        trial = template_trial or _fresh()
        # A process below the one that runs the notebook is known by its name.
        context: dict[str, str] = json.loads(os.environ.get("MLFLOW_RUN_CONTEXT") or "{}")
        tags = context | {
            "mlflow.runName": f"{self._name_of(study_id)} {number}",
            _PARENT: str(study_id),
            "numbers": str(number),
            _STATE: trial.state.name,
            **_distributions(trial.distributions),
            **{f"user_{name}": json.dumps(value) for name, value in trial.user_attrs.items()},
            **{f"sys_{name}": json.dumps(value) for name, value in trial.system_attrs.items()},
        }
        for name, value in trial.params.items():
            tags[f"{_INTERNAL}{name}"] = json.dumps(trial.distributions[name].to_internal_repr(value))
        if trial.state == TrialState.RUNNING:
            tags[_ALIVE] = _this_process()
        run_id: str = self._runs.create_run(self._experiment_id, tags=tags).info.run_id
        self._queue_batch_operation(run_id, params=[Param(name, str(value)) for name, value in trial.params.items()])
        for step, value in trial.intermediate_values.items():
            self.set_trial_intermediate_value(run_id, step, value)
        if trial.state.is_finished():
            self.set_trial_state_values(run_id, trial.state, trial.values)
        elif trial.state == TrialState.WAITING:
            self._flush_batch(run_id, raise_on_error=True)
            self._runs.update_run(run_id, status=optuna_mlflow_status_map[trial.state])
        else:
            mine = copy.deepcopy(trial)
            mine.number, mine._trial_id = number, run_id  # noqa: SLF001  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
            self._mine[run_id] = mine
        return run_id

    def _name_of(self, study_id: Any) -> str:
        if study_id not in self._names:
            self._names[study_id] = self.get_study_name_from_id(study_id)
        return self._names[study_id]

    def _next_number(self, study_id: Any) -> int:
        """The place of this trial in the order in which the server has heard of them."""
        token = float(random.getrandbits(52))
        self._runs.log_batch(study_id, metrics=[Metric("trial_id", token, int(time.time() * 1000), 1)], synchronous=True)
        return next(
            index for index, one in enumerate(self._runs.get_metric_history(study_id, "trial_id")) if one.value == token
        )

    def set_trial_param(
        self, trial_id: Any, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """A trial has a parameter."""
        trial = self._mine.get(trial_id)
        if trial is None:
            super().set_trial_param(trial_id, param_name, param_value_internal, distribution)
            return
        if param_name in trial.distributions:
            check_distribution_compatibility(trial.distributions[param_name], distribution)
        trial.params[param_name] = distribution.to_external_repr(param_value_internal)
        trial.distributions[param_name] = distribution
        tags = {f"{_INTERNAL}{param_name}": json.dumps(param_value_internal), **_distributions(trial.distributions)}
        self._queue_batch_operation(
            trial_id,
            params=[Param(param_name, str(trial.params[param_name]))],
            tags=[RunTag(key, value) for key, value in tags.items()],
        )

    def set_trial_intermediate_value(self, trial_id: Any, step: int, intermediate_value: float) -> None:
        """A trial has reported something."""
        super().set_trial_intermediate_value(trial_id, step, intermediate_value)
        if trial_id in self._mine:
            self._mine[trial_id].intermediate_values[step] = intermediate_value

    def set_trial_user_attr(self, trial_id: Any, key: str, value: Any) -> None:
        """Note something of a trial."""
        super().set_trial_user_attr(trial_id, key, value)
        if trial_id in self._mine:
            self._mine[trial_id].user_attrs[key] = value

    def set_trial_system_attr(self, trial_id: Any, key: str, value: Any) -> None:
        """Note something of a trial that Optuna knows."""
        super().set_trial_system_attr(trial_id, key, value)
        if trial_id in self._mine:
            self._mine[trial_id].system_attrs[key] = value

    def set_trial_state_values(self, trial_id: Any, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """End a trial, or begin one that waits; its run says so, too."""
        if state == TrialState.RUNNING:
            self.record_heartbeat(trial_id)
            if not super().set_trial_state_values(trial_id, state, values):
                return False
            self._runs.set_tag(trial_id, _STATE, state.name)
            self._mine[trial_id] = self._trial(self._runs.get_run(trial_id))
            return True
        names = ["value"] if values is None or len(values) == 1 else [f"value_{index}" for index in range(len(values))]
        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, 1) for name, value in zip(names, values or [], strict=False)]
        self._queue_batch_operation(trial_id, metrics=metrics, tags=[RunTag(_STATE, state.name)])
        # What a trial has found is there before its end is.
        self._flush_batch(trial_id, raise_on_error=True)
        self._mine.pop(trial_id, None)
        self._runs.set_terminated(trial_id, optuna_mlflow_status_map[state])
        return True

    def get_trial(self, trial_id: Any) -> FrozenTrial:
        """A trial as it is now."""
        known = self._mine.get(trial_id) or self._ended.get(trial_id)
        if known is not None:
            return copy.deepcopy(known)
        self._flush_batch(trial_id)
        return self._trial(self._runs.get_run(trial_id))

    def get_all_trials(
        self, study_id: Any, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """All trials of a study, by their numbers."""
        del deepcopy
        self.flush_all_batches()
        trials = [self._trial(run) for run in self._below(study_id)]
        return sorted((one for one in trials if states is None or one.state in states), key=lambda one: one.number)

    def get_n_trials(self, study_id: Any, states: Any = None) -> int:
        """How many trials a study has, of some states."""
        wanted = (states,) if isinstance(states, TrialState) else states
        return len(self.get_all_trials(study_id, states=wanted))

    def record_heartbeat(self, trial_id: Any) -> None:
        """Tell that this process is still at a trial."""
        self._runs.set_tag(trial_id, _ALIVE, _this_process())

    def _get_stale_trial_ids(self, study_id: Any) -> list[Any]:
        return [run.info.run_id for run in self._below(study_id, "RUNNING") if _is_gone(run.data.tags.get(_ALIVE))]

    def get_heartbeat_interval(self) -> int:
        """Seconds between two beats."""
        return BEAT_SECONDS

    def get_heartbeat_stale_trial_callback(self) -> Any:
        """Says of a trial that was given up why."""
        return lambda _, trial: self.give_up(trial._trial_id, "its process was gone")  # noqa: SLF001

    def give_up(self, trial_id: Any, why: str) -> None:
        """Mark a trial that nobody is at any more, and end it if that was not done."""
        self._runs.set_tag(trial_id, f"sys_{LOST}", json.dumps(why))
        self._ended.pop(trial_id, None)
        if self._runs.get_run(trial_id).info.status == "RUNNING":
            self.set_trial_state_values(trial_id, TrialState.FAIL)

    def log_error(self, trial: Trial, text: str) -> None:
        """Keep what a trial has failed with."""
        self._runs.log_text(trial._trial_id, text, "error_message.txt")  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

    @contextmanager
    def beating(self, trials: Sequence[Any]) -> Generator[None]:
        """Say of some trials that this process is at them, for as long as the block runs."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(BEAT_SECONDS):
                for one in trials:
                    self.record_heartbeat(one)

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _search_runs_by_name(self, run_name: str) -> Any:
        """Studies of a name; other runs of the experiment may have it too."""
        return [run for run in super()._search_runs_by_name(run_name) if _DIRECTION in run.data.tags]

    def _below(self, study_id: Any, status: str | None = None) -> list[Run]:
        query = f"tags.`{_PARENT}` = '{study_id}'" + ("" if status is None else f" and attributes.status = '{status}'")
        found: list[Run] = []
        token: str | None = None
        while True:
            page = self._runs.search_runs([self._experiment_id], query, ViewType.ACTIVE_ONLY, _PAGE, page_token=token)
            # The study's objective may have made runs of its own below it.
            found += [run for run in page if "param_directions" in run.data.tags]
            token = page.token
            if not token:
                return found

    def _trial(self, run: Run) -> FrozenTrial:
        known = self._mine.get(run.info.run_id) or self._ended.get(run.info.run_id)
        if known is not None:
            return copy.deepcopy(known)
        tags, metrics = run.data.tags, run.data.metrics
        distributions = {name: json_to_distribution(one) for name, one in json.loads(tags["param_directions"]).items()}
        values = [metrics["value"]] if "value" in metrics else None
        if "value_0" in metrics:
            values = [metrics[f"value_{index}"] for index in range(len(metrics)) if f"value_{index}" in metrics]
        steps = self._runs.get_metric_history(run.info.run_id, "intermediate_value") if "intermediate_value" in metrics else []
        trial = FrozenTrial(
            trial_id=run.info.run_id,  # pyright: ignore[reportArgumentType] - MLflow's identifiers are texts
            number=int(tags.get("numbers", 0)),
            state=mlflow_optuna_status_map[run.info.status],
            value=None,
            values=values,
            datetime_start=_moment(run.info.start_time),
            datetime_complete=_moment(run.info.end_time),
            params={
                name: one.to_external_repr(float(json.loads(tags[f"{_INTERNAL}{name}"])))
                for name, one in distributions.items()
                if f"{_INTERNAL}{name}" in tags
            },
            distributions={name: one for name, one in distributions.items() if f"{_INTERNAL}{name}" in tags},
            user_attrs={name[5:]: json.loads(value) for name, value in tags.items() if name.startswith("user_")},
            system_attrs={name[4:]: json.loads(value) for name, value in tags.items() if name.startswith("sys_")},
            intermediate_values={one.step: one.value for one in steps},
        )
        if trial.state.is_finished():
            self._ended[run.info.run_id] = trial
        return trial


def _fresh() -> FrozenTrial:
    return FrozenTrial(
        number=-1,
        state=TrialState.RUNNING,
        value=None,
        datetime_start=datetime.now(UTC).astimezone().replace(tzinfo=None),
        datetime_complete=None,
        params={},
        distributions={},
        user_attrs={},
        system_attrs={},
        intermediate_values={},
        trial_id=-1,
    )


def _distributions(found: Mapping[str, BaseDistribution]) -> dict[str, str]:
    return {"param_directions": json.dumps({name: distribution_to_json(one) for name, one in found.items()})}


def _moment(milliseconds: int | None) -> datetime | None:
    """Without a zone, as Optuna's are."""
    return None if not milliseconds else datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone().replace(tzinfo=None)


def _machine() -> str:
    return f"{socket.gethostname()}-{uuid.getnode():x}"


def _this_process() -> str:
    pid = os.getpid()
    return json.dumps({"at": time.time(), "machine": _machine(), "pid": pid, "began": _began(pid)})


def _began(pid: int) -> float | None:
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:  # a sandbox may hide others
        return None


def _is_gone(told: str | None) -> bool:
    """Whether the process that a trial names is there no more; one that names none is not ours to judge."""
    if told is None:
        return False
    said: dict[str, Any] = json.loads(told)
    if time.time() - said["at"] > STALE_SECONDS:
        return True
    if said["machine"] != _machine():
        return False
    try:
        os.kill(said["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    began = _began(said["pid"])
    return None not in (began, said["began"]) and began != said["began"]
