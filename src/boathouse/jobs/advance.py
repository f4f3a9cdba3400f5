"""A step of runs: everything that follows from how their tasks are now, in one transaction.

It can be done at any time and any number of times. What it finds to do elsewhere it leaves as ``Followup``s, to be done after its
transaction, so that no two transactions wait for each other's runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy.orm import Session

from boathouse.errors import BoathouseError
from boathouse.iam.api import IamService
from boathouse.jobs import control, graph, notifications, value_references
from boathouse.jobs.attempts import Attempts, look_up
from boathouse.jobs.errors import JobNotFound, SettingsInvalid
from boathouse.jobs.graph import PASSED, Result, State
from boathouse.jobs.info import require
from boathouse.jobs.kinds import Kinds
from boathouse.jobs.models import JobRunRow, JobTaskRow
from boathouse.jobs.parameters import with_parameters
from boathouse.jobs.repository import JobRepository
from boathouse.jobs.starting import Asked, begin, new_attempt
from boathouse.kit.clock import now_ms

_AGAIN_MS = 10_000
"""How often a run looks at another that it waits for, should nobody have told it."""
_CODES = {
    Result.SUCCESS: "SUCCESS",
    Result.SUCCESS_WITH_FAILURES: "SUCCESS_WITH_FAILURES",
    Result.CANCELED: "USER_CANCELED",
    Result.TIMEDOUT: "RUN_EXECUTION_ERROR",
    Result.DISABLED: "DISABLED",
    Result.EXCLUDED: "SKIPPED",
    Result.UPSTREAM_FAILED: "SKIPPED",
    Result.UPSTREAM_CANCELED: "SKIPPED",
}
_MESSAGES = {
    Result.EXCLUDED: "The condition for it to run does not hold.",
    Result.DISABLED: "It is disabled.",
    Result.UPSTREAM_FAILED: "A task before it has failed.",
    Result.UPSTREAM_CANCELED: "A task before it was canceled.",
    Result.CANCELED: "Canceled.",
    Result.TIMEDOUT: "Its time was up.",
}


@dataclass(frozen=True)
class Followup:
    """What is to be done after a step.

    Attributes:
        what: ``wake`` or ``cancel`` a run, ``queued``: a job may have room for the next run, ``ended``: a run has.
        id: Of the run or the job.
    """

    what: Literal["wake", "cancel", "queued", "ended"]
    id: int


class Advance:
    """Steps of runs in one transaction.

    Args:
        session: The transaction.
        kinds: The task kinds that the server knows.
        url: Of the server, for references to it.

    Attributes:
        followups: What is to be done after the transaction.
        ready: Whether a worker may begin a task that it could not before.
    """

    def __init__(self, session: Session, kinds: Kinds, url: str) -> None:
        self.session = session
        self.rows = JobRepository(session)
        self.kinds = kinds
        self.url = url
        self.followups: list[Followup] = []
        self.ready = False

    def run(self, run_id: int) -> None:
        """Do what there is to do for a run."""
        run = self.rows.run(run_id, lock=True)
        self._take([] if run is None else [run])

    def awake(self, limit: int) -> int:
        """Do what there is to do for runs that are to be looked at, but for those that another looks at; for how many."""
        runs = self.rows.take_awake(now_ms(), limit)
        self._take(runs)
        return len(runs)

    def _take(self, runs: Sequence[JobRunRow]) -> None:
        # Of many small runs the statements are most of the work, so each is one for all runs where it can be.
        under_way = [run for run in runs if run.ended_at is None]
        tasks: dict[int, list[JobTaskRow]] = {run.id: [] for run in under_way}
        for row in self.rows.tasks_of_all(tasks):
            tasks[row.run_id].append(row)
        for run in runs:
            run.wake_at = None
        for run in under_way:
            if self._leaves_queue(run):
                _Step(self, run, Attempts(run, tasks[run.id])).take()
        self.rows.flush()
        ended = [run for run in under_way if run.ended_at is not None]
        self.rows.end_repairs(ended)
        self.followups += [Followup("queued", job_id) for job_id in self.rows.with_queued({run.job_id for run in ended})]

    def _leaves_queue(self, run: JobRunRow) -> bool:
        if run.state == State.QUEUED and not run.canceled:
            job = self.rows.job(run.job_id, lock=True)
            if job is not None and self.rows.running(job.id) >= int(job.settings.get("max_concurrent_runs", 1)):
                return False
        if run.executed_at is None:
            run.executed_at = now_ms()
        if run.state in {State.QUEUED, State.PENDING}:
            run.state = State.RUNNING
        return True


class _Step:
    """One step of one run."""

    def __init__(self, advance: Advance, run: JobRunRow, attempts: Attempts) -> None:
        self._advance = advance
        self._rows: JobRepository = advance.rows
        self._run = run
        self._attempts = attempts
        self._now = now_ms()
        self._changed = False
        self._wake: list[int] = []

    def take(self) -> None:
        """Do all that there is to do now."""
        run = self._run
        self._time_out_run()
        self._changed = True
        while self._changed:
            self._changed = False
            for row in list(self._attempts.top.values()):
                self._look_at(row)
        if all(self._attempts.ended(row) for row in self._attempts.top.values()):
            self._finish()
        else:
            run.state = State.TERMINATING if run.canceled else State.RUNNING
            run.wake_at = min(self._wake, default=None)
        self._rows.tell(notifications.notices(run))
        self._wake_when_late()
        for row in self._attempts.top.values():
            if row.state != State.TERMINATED or self._attempts.ended(row):
                self._rows.tell(notifications.notices(run, row))

    def _wake_when_late(self) -> None:
        """Have somebody look when a rule of health is broken by time alone."""
        run = self._run
        if run.ended_at is not None:
            return
        rows = [row for row in self._attempts.top.values() if row.state == State.RUNNING]
        late = [notifications.late_at(run.settings, run.executed_at)]
        late += [notifications.late_at(row.spec, row.executed_at) for row in rows]
        times = [at for at in late if at is not None and at > self._now]
        if times:
            run.wake_at = min(*times, run.wake_at or times[0], times[0])

    def _time_out_run(self) -> None:
        run, seconds = self._run, int(self._run.settings.get("timeout_seconds") or 0)
        if not seconds or run.canceled or run.executed_at is None:
            return
        if run.executed_at + seconds * 1000 <= self._now:
            run.canceled = Result.TIMEDOUT
        else:
            self._wake.append(run.executed_at + seconds * 1000)

    def _look_at(self, row: JobTaskRow) -> None:
        if row.state != State.TERMINATED and (self._run.canceled or row.canceled):
            self._cancel(row, Result(row.canceled or self._run.canceled or Result.CANCELED))
        if row.state == State.BLOCKED:
            self._unblock(row)
        elif row.state == State.WAITING:
            self._start_when_due(row)
        elif row.state == State.RUNNING and row.kind in control.CONTROL:
            self._time_out(row)
            if row.kind == control.FOR_EACH:
                self._iterate(row)
            else:
                self._watch_run(row)
        elif self._attempts.may_retry(row):
            self._retry(row)

    # ------------------------------------------------------------------------------------------------ beginning

    def _unblock(self, row: JobTaskRow) -> None:
        ended = self._attempts.outcomes()
        if not all(key in ended for key in graph.dependencies(row.spec)):
            return
        without = graph.decide(row.spec, ended)
        if without is None:
            self._start(row)
        else:
            self._end(row, without)

    def _start_when_due(self, row: JobTaskRow) -> None:
        if (row.ready_at or 0) <= self._now:
            self._start(row)
        else:
            self._wake.append(row.ready_at or 0)

    def _start(self, row: JobTaskRow) -> None:
        self._changed = True
        run = self._run
        try:
            spec = with_parameters(row.kind, row.spec[row.kind], run.overrides, run.parameters)
            nested = spec.pop("task", None) if row.kind == control.FOR_EACH else None
            row.resolved = value_references.resolve(
                spec,
                lambda name: look_up(run, self._attempts, row, name, url=self._advance.url),
            )
            if row.kind in control.CONTROL:
                row.executed_at, row.state = self._now, State.RUNNING
                self._control(row, row.resolved or {}, nested)
            else:
                row.state, row.ready_at = State.PENDING, self._now
                self._advance.ready = True
        except BoathouseError as error:
            self._end(row, Result.FAILED, error.message, "INVALID_RUN_CONFIGURATION")

    def _control(self, row: JobTaskRow, spec: dict[str, Any], nested: Any) -> None:
        if row.kind == control.CONDITION:
            row.output = {"outcome": str(control.holds(spec)).lower()}
            self._end(row, Result.SUCCESS)
        elif row.kind == control.RUN_JOB:
            row.output = {"run_job_output": {"run_id": self._run_job(row, spec)}}
        elif nested is not None:
            row.input = list(control.inputs_of(spec["inputs"]))

    def _run_job(self, row: JobTaskRow, spec: dict[str, Any]) -> int:
        job_id = int(spec["job_id"])
        job = self._rows.job(job_id, lock=True)
        if job is None:
            raise JobNotFound(job_id)
        runner = IamService(self._advance.session).get_principal(self._run.run_as_id)
        require(runner, job_id, self._rows.access(job_id), "CAN_MANAGE_RUN")
        if self._is_within(job_id):
            raise SettingsInvalid("run_job_task.job_id", f"is {job_id}, a run of which this one is a part of.")
        overrides = {key: value for key, value in spec.items() if key.endswith(("_params", "_commands")) and value}
        asked = Asked(
            "RUN_JOB_TASK",
            runner.name,
            job_parameters=spec.get("job_parameters") or {},
            overrides=overrides,
            parent_id=row.id,
        )
        begun = begin(self._rows, self._advance.kinds, job, asked)
        self._wake.append(self._now + _AGAIN_MS if begun.ended_at is None else self._now)
        return begun.id

    def _is_within(self, job_id: int) -> bool:
        """Whether this run is a part of one of a job."""
        run: JobRunRow | None = self._run
        while run is not None:
            if run.job_id == job_id:
                return True
            above = None if run.parent_id is None else self._rows.task(run.parent_id)
            run = None if above is None else self._rows.run(above.run_id)
        return False

    def _retry(self, row: JobTaskRow) -> None:
        wait = int(row.spec.get("min_retry_interval_millis") or 0)
        self._add(
            new_attempt(
                self._run,
                row.spec,
                row.kind,
                position=row.position,
                repair_id=row.repair_id,
                parent_id=row.parent_id,
                attempt=row.attempt + 1,
                retry=row.retry + 1,
                state=State.WAITING,
                ready_at=(row.ended_at or self._now) + wait,
                of_input=row.input if row.parent_id is not None else None,
            )
        )

    def _add(self, row: JobTaskRow) -> None:
        self._rows.add(row)
        self._attempts.put(row)
        self._changed = True

    # -------------------------------------------------------------------------------------------------- waiting

    def _time_out(self, row: JobTaskRow) -> None:
        """End a task that the scheduler itself carries out when its time is up."""
        seconds = int(row.spec.get("timeout_seconds") or 0)
        if not seconds or row.canceled or row.executed_at is None:
            return
        if row.executed_at + seconds * 1000 <= self._now:
            self._cancel(row, Result.TIMEDOUT)
        else:
            self._wake.append(row.executed_at + seconds * 1000)

    def _iterate(self, row: JobTaskRow) -> None:
        found = self._attempts.iterations(row)
        for one in list(found.values()):
            self._look_at(one)
        inputs: list[Any] = list(row.input or ())
        active = sum(not self._attempts.ended(one) for one in found.values())
        nested = row.spec[control.FOR_EACH]["task"]
        kind = self._advance.kinds.field_of(nested, row.key)
        while not row.canceled and len(found) < len(inputs) and active < int((row.resolved or {}).get("concurrency") or 1):
            position = len(found)
            begun = new_attempt(
                self._run,
                nested,
                kind,
                position=position,
                repair_id=row.repair_id,
                parent_id=row.id,
                state=State.WAITING,
                ready_at=self._now,
                of_input=inputs[position],
            )
            self._add(begun)
            self._look_at(begun)
            found = self._attempts.iterations(row)
            active += not self._attempts.ended(found[position])
        if active or (not row.canceled and len(found) < len(inputs)):
            return
        failed = [one for one in found.values() if one.result not in PASSED]
        if row.canceled:
            self._end(row, Result(row.canceled))
        elif failed:
            self._end(
                row,
                Result.FAILED,
                f"{len(failed)} of {len(inputs)} iterations have not succeeded. The first: {failed[0].message}",
            )
        else:
            self._end(row, Result.SUCCESS)

    def _watch_run(self, row: JobTaskRow) -> None:
        begun = self._rows.child_of(row.id)
        if begun is not None and begun.ended_at is None:
            self._wake.append(self._now + _AGAIN_MS)
        elif row.canceled:
            self._end(row, Result(row.canceled))
        elif begun is None:
            self._end(row, Result.FAILED, "The run that it has started was deleted.")
        elif begun.result in {Result.SUCCESS, Result.SUCCESS_WITH_FAILURES}:
            self._end(row, Result.SUCCESS)
        else:
            self._end(
                row, Result.FAILED, f"Run {begun.id} of job {begun.job_id} has ended as {begun.result}. {begun.message}".strip()
            )

    # --------------------------------------------------------------------------------------------------- ending

    def _cancel(self, row: JobTaskRow, why: Result) -> None:
        if row.state in {State.BLOCKED, State.PENDING, State.WAITING}:
            self._end(row, why)
        elif not row.canceled:
            row.canceled = why
            self._changed = True
        if row.state == State.RUNNING and row.kind == control.FOR_EACH:
            for one in list(self._attempts.iterations(row).values()):
                if one.state != State.TERMINATED:
                    self._cancel(one, why)
        elif row.state == State.RUNNING and row.kind == control.RUN_JOB:
            begun = self._rows.child_of(row.id)
            if begun is not None and begun.ended_at is None and not begun.canceled:
                self._advance.followups.append(Followup("cancel", begun.id))

    def _end(self, row: JobTaskRow, result: Result, message: str | None = None, code: str | None = None) -> None:
        row.state, row.result, row.ended_at = State.TERMINATED, result, self._now
        row.message = _MESSAGES.get(result, "") if message is None else message
        row.code = code or _CODES.get(result, "RUN_EXECUTION_ERROR")
        self._changed = True

    def _finish(self) -> None:
        run = self._run
        tasks = list(run.settings.get("tasks") or ())
        ended = self._attempts.outcomes()
        result = Result(run.canceled) if run.canceled else graph.result_of(tasks, ended)
        run.state, run.result, run.ended_at, run.wake_at = State.TERMINATED, result, self._now, None
        failed = [row for row in self._attempts.top.values() if row.result in {Result.FAILED, Result.TIMEDOUT}]
        run.message = _MESSAGES.get(result, "")
        if failed and not run.canceled:
            run.message = f"Task {failed[0].key} has failed: {failed[0].message}"
        run.code = failed[0].code if failed and result == Result.FAILED else _CODES.get(result, "RUN_EXECUTION_ERROR")
        followups = self._advance.followups
        if run.settings.get("continuous") is not None:
            followups.append(Followup("ended", run.id))
        if run.parent_id is not None:
            above = self._rows.task(run.parent_id)
            if above is not None:
                followups.append(Followup("wake", above.run_id))
