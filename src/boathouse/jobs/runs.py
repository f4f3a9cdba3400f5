"""The rules of runs in the database: who may start, see, cancel and repair them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from boathouse.errors import InvalidParameterValue
from boathouse.iam.api import Principal, runner_of
from boathouse.jobs import graph
from boathouse.jobs import settings as rules
from boathouse.jobs.errors import JobNotFound, RepairOutdated, RunActive, RunNotFound, SettingsInvalid, TaskValueNotFound
from boathouse.jobs.graph import PASSED, Result, State
from boathouse.jobs.info import LEVELS, require
from boathouse.jobs.kinds import Kinds
from boathouse.jobs.models import JobRepairRow, JobRunRow, JobTaskRow
from boathouse.jobs.repository import JobRepository
from boathouse.jobs.schemas import RepairBody, RunNowBody, SubmitBody
from boathouse.jobs.service import JobService
from boathouse.jobs.starting import KEPT_RUN, Asked, begin, new_attempt, new_run, parameters_of, record
from boathouse.kit.clock import now_ms
from boathouse.kit.ids import new_number

MOST_VALUE_BYTES = 48 * 1024


@dataclass(frozen=True)
class RunDetails:
    """A run with its attempts, and of an attempt the attempt itself.

    Attributes:
        run: The run.
        tasks: All attempts at its tasks, iterations among them.
        repairs: Of the run, the first execution among them, the oldest first.
        task: The attempt that was asked for; None for the whole run.
    """

    run: JobRunRow
    tasks: tuple[JobTaskRow, ...]
    repairs: tuple[JobRepairRow, ...] = ()
    task: JobTaskRow | None = None


@dataclass(frozen=True)
class Wanted:
    """Which runs are listed."""

    job_id: int | None = None
    active_only: bool = False
    completed_only: bool = False
    run_type: str | None = None
    started_from: int | None = None
    started_to: int | None = None


class RunService:
    """Runs for one principal in one transaction.

    Args:
        session: The transaction.
        principal: Who asks.
        kinds: The task kinds that the server knows.
    """

    def __init__(self, session: Session, principal: Principal, kinds: Kinds) -> None:
        self._session = session
        self._principal = principal
        self._kinds = kinds
        self._rows = JobRepository(session)

    # ---------------------------------------------------------------------------------------------------- starting

    def run_now(self, body: RunNowBody, trigger: str = "ONE_TIME") -> JobRunRow:
        """Start a run of a job, or give the one that was started with the same token.

        Args:
            body: Which job, and with what.
            trigger: What has started it, in the API's words.

        Raises:
            SettingsInvalid: If it is asked for parameters or tasks that the job has not.
        """
        job = self._rows.job(body.job_id, lock=True)
        if job is None or job.keeper is not None:
            raise JobNotFound(body.job_id)
        require(self._principal, job.id, self._rows.access(job.id), "CAN_MANAGE_RUN")
        token = _token(f"job:{job.id}", body.idempotency_token)
        known = None if token is None else self._rows.run_with_token(token)
        if known is not None:
            return known
        asked = Asked(
            trigger,
            self._principal.name,
            job_parameters=body.job_parameters or {},
            overrides=body.overrides(),
            only=body.only,
            queue=None if body.queue is None else body.queue.enabled,
            token=token,
        )
        return begin(self._rows, self._kinds, job, asked)

    def submit(self, body: SubmitBody) -> JobRunRow:
        """Start a run that is of no job, or give the one that was started with the same token.

        Raises:
            SettingsInvalid: If a field is not valid.
        """
        token = _token(f"user:{self._principal.id}", body.idempotency_token)
        known = None if token is None else self._rows.run_with_token(token)
        if known is not None:
            return known
        settings = rules.with_tasks({key: value for key, value in body.settings().items() if value is not None}, submitted=True)
        rules.check({**settings, "name": body.run_name}, self._kinds, self._principal, self._rows.destinations())
        asked_runner = body.run_as and (body.run_as.service_principal_name or body.run_as.user_name)
        runner = runner_of(self._session, self._principal, asked_runner, "a job")
        run = new_run(
            job_id=new_number(),
            name=body.run_name or "Untitled",
            run_type="SUBMIT_RUN",
            number=1,
            run_as=(runner.id, runner.name),
            settings=settings,
            parameters=parameters_of(settings, {}),
            asked=Asked("ONE_TIME", self._principal.name, token=token),
        )
        access = JobService(self._session, self._principal, self._kinds).access_of(body.access_control_list or ())
        self._rows.set_access(run.job_id, access)
        try:
            record(self._rows, self._kinds, run)
        except IntegrityError as error:
            message = f"idempotency_token '{body.idempotency_token}' was used at the same moment: ask again."
            raise InvalidParameterValue(message, field="idempotency_token") from error
        return run

    # ----------------------------------------------------------------------------------------------------- looking

    def _run(self, run_id: int, level: str, *, lock: bool = False) -> JobRunRow:
        run = self._rows.run(run_id, lock=lock)
        if run is None:
            task = self._rows.task(run_id)
            run = None if task is None else self._rows.run(task.run_id, lock=lock)
        if run is None:
            raise RunNotFound(run_id)
        require(self._principal, run.job_id, self._rows.access(run.job_id), level, run_id)
        return run

    def get(self, run_id: int) -> RunDetails:
        """A run by its id, or an attempt at a task by its own."""
        run = self._run(run_id, "CAN_VIEW")
        tasks = tuple(self._rows.tasks(run.id))
        task = next((one for one in tasks if one.id == run_id), None)
        return RunDetails(run, tasks, tuple(self._rows.repairs(run.id)), task)

    def listed(
        self, wanted: Wanted, limit: int, before: tuple[int, int] | None, offset: int, *, with_tasks: bool
    ) -> list[RunDetails]:
        """The runs that the asker may know of, the newest first."""
        conditions: list[Any] = []
        if wanted.job_id is not None:
            conditions.append(JobRunRow.job_id == wanted.job_id)
        else:
            conditions.append(JobRunRow.run_type != KEPT_RUN)
        if wanted.active_only:
            conditions.append(JobRunRow.ended_at.is_(None))
        if wanted.completed_only:
            conditions.append(JobRunRow.ended_at.is_not(None))
        if wanted.run_type is not None:
            conditions.append(JobRunRow.run_type == wanted.run_type)
        if wanted.started_from is not None:
            conditions.append(JobRunRow.started_at >= wanted.started_from)
        if wanted.started_to is not None:
            conditions.append(JobRunRow.started_at <= wanted.started_to)
        runs = self._rows.runs(self._principal, conditions, limit, before, offset)
        tasks: dict[int, list[JobTaskRow]] = {}
        for row in self._rows.tasks_of([run.id for run in runs]) if with_tasks else ():
            tasks.setdefault(row.run_id, []).append(row)
        return [RunDetails(run, tuple(tasks.get(run.id, ()))) for run in runs]

    def output(self, run_id: int) -> tuple[RunDetails, JobTaskRow]:
        """An attempt by its id, or the only one of a run's task.

        Raises:
            InvalidParameterValue: If the run has several tasks.
        """
        found = self.get(run_id)
        if found.task is not None:
            return found, found.task
        top = {one.key: one for one in found.tasks if one.parent_id is None}
        if len(top) != 1:
            message = (
                f"run_id {run_id} is a run of {len(top)} tasks, whose outputs are told apart: give the run_id of one of them, "
                "which runs/get has in tasks."
            )
            raise InvalidParameterValue(message, field="run_id")
        task = next(iter(top.values()))
        return RunDetails(found.run, found.tasks, found.repairs, task), task

    # ---------------------------------------------------------------------------------------------------- changing

    def cancel(self, run_id: int) -> None:
        """Have a run, or one task of it, end."""
        run = self._run(run_id, "CAN_MANAGE_RUN", lock=True)
        task = self._rows.task(run_id)
        if task is not None and task.state != State.TERMINATED:
            task.canceled = task.canceled or Result.CANCELED
        elif task is None and run.ended_at is None:
            run.canceled = run.canceled or Result.CANCELED
        if run.ended_at is None:
            run.wake_at = now_ms()

    def cancel_all(self, job_id: int | None, *, queued_only: bool) -> None:
        """Have all runs of a job end, or all that wait.

        Raises:
            SettingsInvalid: If no job is named, and not all that wait are meant.
        """
        if job_id is None and not queued_only:
            raise SettingsInvalid("job_id", "is missing; without it, all_queued_runs must be true.")
        conditions: list[Any] = [JobRunRow.ended_at.is_(None)]
        if job_id is not None:
            if self._rows.job(job_id) is None and not self._rows.access(job_id):
                raise JobNotFound(job_id)
            require(self._principal, job_id, self._rows.access(job_id), "CAN_MANAGE_RUN")
            conditions.append(JobRunRow.job_id == job_id)
        if queued_only:
            conditions.append(JobRunRow.state == State.QUEUED)
        for run in self._rows.runs(self._principal, conditions, 100_000):
            held = LEVELS.held(self._principal, self._rows.access(run.job_id))
            if not LEVELS.reaches(held, "CAN_MANAGE_RUN"):
                continue
            run.canceled, run.wake_at = run.canceled or Result.CANCELED, now_ms()

    def delete(self, run_id: int) -> int:
        """Forget a run that has ended; its id.

        Raises:
            RunActive: If it has not.
        """
        run = self._run(run_id, "CAN_MANAGE", lock=True)
        if run.ended_at is None:
            raise RunActive(run.id, "deleted")
        self._rows.remove_run(run)
        return run.id

    def repair(self, body: RepairBody) -> int:
        """Do some tasks of a run that has ended again; the repair's id.

        Raises:
            RunActive: If it has not ended.
            RepairOutdated: If it was repaired since the asker looked.
            SettingsInvalid: If no tasks are named, or such that it has not.
        """
        run = self._run(body.run_id, "CAN_MANAGE_RUN", lock=True)
        if run.ended_at is None:
            raise RunActive(run.id, "repaired")
        if body.latest_repair_id != run.repair_id:
            raise RepairOutdated(run.id, run.repair_id)
        top = {row.key: row for row in self._rows.tasks(run.id) if row.parent_id is None}
        again = self._again(run, top, body)
        now = now_ms()
        repair = JobRepairRow(
            id=new_number(),
            run_id=run.id,
            state=State.RUNNING,
            result=None,
            code=None,
            message="",
            started_at=now,
            ended_at=None,
        )
        attempts = [
            new_attempt(run, row.spec, row.kind, position=row.position, repair_id=repair.id, attempt=row.attempt + 1)
            for key, row in top.items()
            if key in again
        ]
        self._rows.add(repair, *attempts)
        if body.job_parameters:
            run.parameters = {**run.parameters, **parameters_of(run.settings, body.job_parameters)}
        run.overrides = {**run.overrides, **body.overrides()}
        run.trigger_info = {**run.trigger_info, "repairs": int(run.trigger_info.get("repairs", 0)) + 1}
        run.state, run.result, run.code, run.message, run.canceled = State.PENDING, None, None, "", None
        run.ended_at, run.executed_at, run.wake_at, run.repair_id = None, None, now, repair.id
        return repair.id

    def _again(self, run: JobRunRow, top: Mapping[str, JobTaskRow], body: RepairBody) -> set[str]:
        for number, key in enumerate(body.rerun_tasks or ()):
            if key not in top:
                raise SettingsInvalid(
                    f"rerun_tasks[{number}]", f"is '{key}', which is no task of the run. It has: {', '.join(top)}."
                )
        failed = {key for key, row in top.items() if row.result not in PASSED}
        again = set(body.rerun_tasks or ()) | (failed if body.rerun_all_failed_tasks else set[str]())
        if body.rerun_dependent_tasks:
            again |= graph.following(run.settings.get("tasks") or (), again)
        if not again:
            told = "no task of the run has failed" if body.rerun_all_failed_tasks else "none are named"
            raise SettingsInvalid("rerun_tasks", f"is empty: {told}. Name tasks, or set rerun_all_failed_tasks.")
        return again


def _token(scope: str, token: str | None) -> str | None:
    if not token:
        return None
    if any(ord(one) < 32 for one in token):
        raise SettingsInvalid("idempotency_token", "has control characters.")
    return f"{scope}:{token}"


def set_task_value(rows: JobRepository, task_id: int, key: str, value: Any) -> None:
    """Keep a value of a task.

    Raises:
        InvalidParameterValue: If it is no JSON, or too long.
    """
    try:
        text = json.dumps(value)
    except (TypeError, ValueError) as error:
        raise InvalidParameterValue(f"The task value '{key}' is no JSON: {error}.", field="value") from error
    if len(text.encode()) > MOST_VALUE_BYTES:
        message = f"The task value '{key}' has {len(text.encode())} bytes of JSON. At most {MOST_VALUE_BYTES} are kept."
        raise InvalidParameterValue(message, field="value")
    row = rows.task(task_id, lock=True)
    if row is not None:
        row.task_values = {**row.task_values, key: json.loads(text)}


def task_value(rows: JobRepository, run_id: int, task_key: str, key: str) -> Any:
    """A value that the latest attempt at a task of a run has set.

    Raises:
        TaskValueNotFound: If it has not.
    """
    found = [row for row in rows.tasks(run_id) if row.key == task_key]
    if not found or key not in found[-1].task_values:
        raise TaskValueNotFound(task_key, key)
    return found[-1].task_values[key]
