"""New runs in the database, whoever asks for them: people, triggers, run-job tasks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from boathouse.jobs import graph, notifications
from boathouse.jobs.errors import SettingsInvalid
from boathouse.jobs.graph import Result, State
from boathouse.jobs.kinds import Kinds
from boathouse.jobs.models import JobRepairRow, JobRow, JobRunRow, JobTaskRow
from boathouse.jobs.repository import JobRepository
from boathouse.kit.clock import now_ms
from boathouse.kit.ids import new_number

KEPT_RUN = "KEPT_RUN"
"""The type of runs that no list shows unless it is asked for those of their job: see ``kept``."""


@dataclass(frozen=True)
class Asked:
    """What a run of a job is asked for.

    Attributes:
        trigger: In the API's words, e.g. ``ONE_TIME``.
        creator: Name of who asked.
        job_parameters: Other values of the job's parameters.
        overrides: Parameters by the kind of task.
        only: Keys of the tasks to run; None for all.
        queue: Whether it waits while too many run; None for what the job says.
        token: Under which the same run is found again.
        parent_id: The run-job task's run that asked.
        info: What references to ``job.trigger`` stand for.
    """

    trigger: str
    creator: str
    job_parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    overrides: Mapping[str, Any] = field(default_factory=dict[str, Any])
    only: Sequence[str] | None = None
    queue: bool | None = None
    token: str | None = None
    parent_id: int | None = None
    info: Mapping[str, Any] = field(default_factory=dict[str, Any])


def begin(rows: JobRepository, kinds: Kinds, job: JobRow, asked: Asked) -> JobRunRow:
    """Record a run of a job, whose row is locked: it runs, waits, or has ended because too many run.

    Raises:
        SettingsInvalid: If it is asked for parameters or tasks that the job has not.
    """
    settings: dict[str, Any] = dict(job.settings)
    if asked.only is not None:
        settings["tasks"] = _only(settings.get("tasks") or (), asked.only)
    job.runs += 1
    run = new_run(
        job_id=job.id,
        name=job.name,
        run_type="JOB_RUN" if job.keeper is None else KEPT_RUN,
        number=job.runs,
        run_as=(job.run_as_id, job.run_as),
        settings=settings,
        parameters=parameters_of(settings, asked.job_parameters),
        asked=asked,
    )
    most = int(job.settings.get("max_concurrent_runs", 1))
    waits = asked.queue if asked.queue is not None else bool((job.settings.get("queue") or {}).get("enabled"))
    if rows.running(job.id) >= most or (waits and rows.oldest_queued(job.id) is not None):
        if waits and most > 0:
            run.state = State.QUEUED
        else:
            run.state, run.result, run.code = (
                State.TERMINATED,
                Result.MAXIMUM_CONCURRENT_RUNS_REACHED,
                "MAX_CONCURRENT_RUNS_EXCEEDED",
            )
            run.message = f"The job has {most} runs under way already, which is its max_concurrent_runs."
            run.ended_at, run.wake_at = run.started_at, None
            rows.add(run)
            rows.tell(notifications.notices(run))
            return run
    record(rows, kinds, run)
    return run


def new_run(
    *,
    job_id: int,
    name: str,
    run_type: str,
    number: int,
    run_as: tuple[str, str],
    settings: Mapping[str, Any],
    parameters: Mapping[str, str],
    asked: Asked,
) -> JobRunRow:
    """A run that the scheduler is to look at, not recorded yet."""
    now, (run_as_id, run_as_name) = now_ms(), run_as
    return JobRunRow(
        id=new_number(),
        job_id=job_id,
        name=name,
        run_type=run_type,
        trigger=asked.trigger,
        trigger_info={"time": now, **asked.info},
        number=number,
        creator=asked.creator,
        run_as=run_as_name,
        run_as_id=run_as_id,
        settings=dict(settings),
        parameters=dict(parameters),
        overrides=dict(asked.overrides),
        state=State.PENDING,
        result=None,
        code=None,
        message="",
        canceled=None,
        token=asked.token,
        parent_id=asked.parent_id,
        repair_id=None,
        started_at=now,
        executed_at=None,
        ended_at=None,
        wake_at=now,
    )


def record(rows: JobRepository, kinds: Kinds, run: JobRunRow) -> None:
    """Insert a run with its tasks, none of which has begun."""
    first = JobRepairRow(
        id=run.id, run_id=run.id, state=run.state, result=None, code=None, message="", started_at=run.started_at, ended_at=None
    )
    tasks: list[JobTaskRow] = []
    by_key = {one["task_key"]: one for one in run.settings.get("tasks") or ()}
    for position, key in enumerate(graph.order(list(by_key.values())) or ()):
        task = by_key[key]
        kind = kinds.field_of(task, f"tasks.{key}")
        tasks.append(new_attempt(run, task, kind, position=position, repair_id=run.id))
    rows.add(run, first, *tasks)


def new_attempt(
    run: JobRunRow,
    spec: Mapping[str, Any],
    kind: str,
    *,
    position: int,
    repair_id: int,
    parent_id: int | None = None,
    attempt: int = 0,
    retry: int = 0,
    state: State = State.BLOCKED,
    ready_at: int | None = None,
    of_input: Any = None,
) -> JobTaskRow:
    """An attempt at a task that has not begun, not recorded yet."""
    return JobTaskRow(
        id=new_number(),
        run_id=run.id,
        job_id=run.job_id,
        repair_id=repair_id,
        parent_id=parent_id,
        position=position,
        key=spec["task_key"],
        kind=kind,
        attempt=attempt,
        retry=retry,
        spec=dict(spec),
        resolved=None,
        input=of_input,
        state=state,
        result=None,
        code=None,
        message="",
        error_trace=None,
        output={},
        task_values={},
        canceled=None,
        worker=None,
        process=None,
        started_at=now_ms(),
        ready_at=ready_at,
        executed_at=None,
        ended_at=None,
        cpu_seconds=0.0,
        peak_bytes=0,
    )


def parameters_of(settings: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """The values of a job's parameters in a run.

    Raises:
        SettingsInvalid: If one is given that the job has not.
    """
    declared = {one["name"]: one.get("default", "") for one in settings.get("parameters") or ()}
    for name in given:
        if name not in declared:
            raise SettingsInvalid(
                f"job_parameters.{name}", f"is no parameter of the job. It has: {', '.join(declared) or 'none'}."
            )
    return {**declared, **given}


def _only(tasks: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> list[dict[str, Any]]:
    known = [task["task_key"] for task in tasks]
    for number, key in enumerate(keys):
        if key not in known:
            raise SettingsInvalid(f"only[{number}]", f"is '{key}', which is no task of the job. It has: {', '.join(known)}.")
    return [
        {**task, "depends_on": [one for one in task.get("depends_on") or () if one["task_key"] in keys]}
        for task in tasks
        if task["task_key"] in keys
    ]
