"""Every query on jobs and their runs."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, bindparam, delete, func, or_, select, update
from sqlalchemy.orm import Session

from boathouse.iam.api import Access, Principal
from boathouse.jobs.graph import State
from boathouse.jobs.models import (
    JobNoticeRow,
    JobPermissionRow,
    JobRepairRow,
    JobRow,
    JobRunRow,
    JobTaskRow,
    JobWorkerRow,
    NotificationDestinationRow,
)

Row = JobRow | JobPermissionRow | JobRunRow | JobRepairRow | JobTaskRow | JobWorkerRow | JobNoticeRow


@dataclass(frozen=True)
class Ahead:
    """When there is something to do next, in ms; None for never.

    Attributes:
        trigger: To look at a trigger.
        run: To look at a run.
        task: To carry out a task.
        notice: To send a notice.
        canceled: Whether a worker is to end a task.
    """

    trigger: int | None
    run: int | None
    task: int | None
    notice: int | None
    canceled: bool


class JobRepository:
    """Jobs, permissions, runs, task runs and workers in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, *rows: Row) -> None:
        """Insert rows."""
        self._session.add_all(rows)
        self._session.flush()

    def flush(self) -> None:
        """Write what has changed."""
        self._session.flush()

    # -------------------------------------------------------------------------------------------------------- jobs

    def job(self, job_id: int, *, lock: bool = False) -> JobRow | None:
        """A job; with ``lock`` nobody else changes it or begins a run of it before this transaction ends."""
        query = select(JobRow).where(JobRow.id == job_id)
        return self._session.scalar(query.with_for_update() if lock else query)

    def kept(self, keeper: str) -> JobRow | None:
        """The job that is kept for something; nobody else changes it before this transaction ends."""
        return self._session.scalar(select(JobRow).where(JobRow.keeper == keeper).with_for_update())

    def jobs(
        self, principal: Principal, name: str | None, limit: int, before: tuple[int, int] | None, offset: int
    ) -> list[JobRow]:
        """The jobs that a principal may know of, the newest first."""
        query = self._visible(select(JobRow).where(JobRow.keeper.is_(None)), JobRow.id, principal)
        if name is not None:
            query = query.where(func.lower(JobRow.name) == name.lower())
        if before is not None:
            at, job_id = before
            query = query.where(or_(JobRow.created_at < at, and_(JobRow.created_at == at, JobRow.id < job_id)))
        query = query.order_by(JobRow.created_at.desc(), JobRow.id.desc()).limit(limit).offset(offset)
        return list(self._session.scalars(query))

    def due(self, now: int, limit: int) -> list[JobRow]:
        """Jobs whose triggers are to be looked at."""
        return list(self._session.scalars(select(JobRow).where(JobRow.due_at <= now).order_by(JobRow.due_at).limit(limit)))

    def waiting_for(self, key: str) -> list[JobRow]:
        """Jobs whose triggers wait for an event; nobody else changes them or begins runs of them before this transaction ends."""
        return list(self._session.scalars(select(JobRow).where(JobRow.waits_for == key).order_by(JobRow.id).with_for_update()))

    def remove(self, row: JobRow) -> None:
        """Delete a job; its runs and who may see them stay."""
        self._session.delete(row)
        self._session.flush()

    @staticmethod
    def _visible(query: Select[Any], job_id: Any, principal: Principal) -> Select[Any]:
        if principal.is_admin:
            return query
        grantees = {principal.name, *principal.groups}
        return query.where(job_id.in_(select(JobPermissionRow.job_id).where(JobPermissionRow.grantee.in_(grantees))))

    # ------------------------------------------------------------------------------------------------- permissions

    def access(self, job_id: int) -> tuple[Access, ...]:
        """Who may what on a job, by grantee."""
        query = select(JobPermissionRow).where(JobPermissionRow.job_id == job_id).order_by(JobPermissionRow.grantee)
        return tuple(Access(one.grantee, one.kind, one.level) for one in self._session.scalars(query))

    def set_access(self, job_id: int, access: Iterable[Access]) -> None:
        """Say who may what on a job."""
        self._session.execute(delete(JobPermissionRow).where(JobPermissionRow.job_id == job_id))
        for one in access:
            self._session.add(JobPermissionRow(job_id=job_id, grantee=one.grantee, kind=one.kind, level=one.level))
        self._session.flush()

    def owned_by(self, name: str) -> list[JobRow]:
        """The jobs that somebody owns, or with whose rights they run."""
        of_owner = select(JobPermissionRow.job_id).where(JobPermissionRow.grantee == name, JobPermissionRow.level == "IS_OWNER")
        theirs = or_(JobRow.id.in_(of_owner), JobRow.run_as == name)
        return list(self._session.scalars(select(JobRow).where(JobRow.keeper.is_(None), theirs)))

    def rename_grantee(self, old: str, new: str) -> None:
        """A principal has a new name."""
        self._session.execute(update(JobPermissionRow).where(JobPermissionRow.grantee == old).values(grantee=new))
        for row in (JobRow, JobRunRow):
            self._session.execute(update(row).where(row.creator == old).values(creator=new))
            self._session.execute(update(row).where(row.run_as == old).values(run_as=new))

    def forget_grantee(self, name: str) -> None:
        """A principal is gone."""
        self._session.execute(delete(JobPermissionRow).where(JobPermissionRow.grantee == name))

    # -------------------------------------------------------------------------------------------------------- runs

    def run(self, run_id: int, *, lock: bool = False) -> JobRunRow | None:
        """A run; with ``lock`` nobody else changes it before this transaction ends."""
        query = select(JobRunRow).where(JobRunRow.id == run_id)
        return self._session.scalar(query.with_for_update() if lock else query)

    def run_with_token(self, token: str) -> JobRunRow | None:
        """The run that was asked for with an idempotency token."""
        return self._session.scalar(select(JobRunRow).where(JobRunRow.token == token))

    def runs(
        self,
        principal: Principal,
        conditions: Sequence[Any],
        limit: int,
        before: tuple[int, int] | None = None,
        offset: int = 0,
    ) -> list[JobRunRow]:
        """The runs that a principal may know of and for which some conditions hold, the newest first."""
        query = self._visible(select(JobRunRow).where(*conditions), JobRunRow.job_id, principal)
        if before is not None:
            at, run_id = before
            earlier = or_(JobRunRow.started_at < at, and_(JobRunRow.started_at == at, JobRunRow.id < run_id))
            query = query.where(JobRunRow.started_at <= at, earlier)
        query = query.order_by(JobRunRow.started_at.desc(), JobRunRow.id.desc()).limit(limit).offset(offset)
        return list(self._session.scalars(query))

    def ended_runs(self, job_id: int, beyond: int) -> list[JobRunRow]:
        """The runs of a job that have ended, but for so many of the newest."""
        query = select(JobRunRow).where(JobRunRow.job_id == job_id, JobRunRow.ended_at.is_not(None))
        return list(self._session.scalars(query.order_by(JobRunRow.started_at.desc()).offset(beyond)))

    def active_runs(self, job_id: int) -> list[JobRunRow]:
        """The runs of a job that have not ended, the oldest first."""
        query = select(JobRunRow).where(JobRunRow.job_id == job_id, JobRunRow.ended_at.is_(None))
        return list(self._session.scalars(query.order_by(JobRunRow.started_at, JobRunRow.number)))

    def oldest_queued(self, job_id: int) -> JobRunRow | None:
        """The run of a job that has waited longest."""
        query = select(JobRunRow).where(
            JobRunRow.job_id == job_id, JobRunRow.state == State.QUEUED, JobRunRow.ended_at.is_(None)
        )
        return self._session.scalar(query.order_by(JobRunRow.started_at, JobRunRow.number).limit(1))

    def running(self, job_id: int) -> int:
        """How many runs of a job are under way."""
        query = select(func.count()).where(
            JobRunRow.job_id == job_id, JobRunRow.ended_at.is_(None), JobRunRow.state != State.QUEUED
        )
        return int(self._session.scalar(query) or 0)

    def ahead(self, worker: str) -> Ahead:
        """What there is to do next, by the scheduler and by a worker: one statement, since it is asked for all the time."""
        times = (
            select(func.min(JobRow.due_at)),
            select(func.min(JobRunRow.wake_at)),
            select(func.min(JobTaskRow.ready_at)).where(JobTaskRow.state == State.PENDING),
            select(func.min(JobNoticeRow.due_at)),
        )
        canceled = select(JobTaskRow.id).where(*_to_cancel(worker)).exists()
        *found, ends = self._session.execute(select(*(one.scalar_subquery() for one in times), canceled)).one()
        trigger, run, task, notice = found
        return Ahead(trigger, run, task, notice, bool(ends))

    def awake(self, now: int, limit: int) -> list[int]:
        """The runs that the scheduler is to look at."""
        query = select(JobRunRow.id).where(JobRunRow.wake_at <= now).order_by(JobRunRow.wake_at).limit(limit)
        return list(self._session.scalars(query))

    def take_awake(self, now: int, limit: int) -> list[JobRunRow]:
        """The same, but for those that another looks at; nobody else changes them before this transaction ends."""
        query = select(JobRunRow).where(JobRunRow.wake_at <= now).order_by(JobRunRow.wake_at).limit(limit)
        return list(self._session.scalars(query.with_for_update(skip_locked=True)))

    def with_queued(self, job_ids: Collection[int]) -> list[int]:
        """Those of some jobs that have a run that waits for others to end."""
        query = select(JobRunRow.job_id).where(
            JobRunRow.job_id.in_(job_ids), JobRunRow.state == State.QUEUED, JobRunRow.ended_at.is_(None)
        )
        return list(self._session.scalars(query.distinct())) if job_ids else []

    def runs_by_id(self, run_ids: Collection[int]) -> list[JobRunRow]:
        """Some runs."""
        return list(self._session.scalars(select(JobRunRow).where(JobRunRow.id.in_(run_ids)))) if run_ids else []

    def wake(self, run_id: int, now: int) -> None:
        """Have the scheduler look at a run."""
        self._session.execute(update(JobRunRow).where(JobRunRow.id == run_id).values(wake_at=now))

    def wake_some(self, run_ids: Collection[int], now: int) -> None:
        """The same of some runs, in one order, so that no two who wake the same ones wait for each other."""
        query = update(JobRunRow).where(JobRunRow.id == bindparam("one")).values(wake_at=now)
        self._session.connection().execute(query, [{"one": run_id} for run_id in sorted(run_ids)])

    def wake_all(self, now: int) -> None:
        """Have the scheduler look at all runs that have not ended."""
        self._session.execute(update(JobRunRow).where(JobRunRow.ended_at.is_(None)).values(wake_at=now))

    def child_of(self, task_id: int) -> JobRunRow | None:
        """The run that a run-job task's attempt has started."""
        return self._session.scalar(select(JobRunRow).where(JobRunRow.parent_id == task_id))

    def remove_run(self, row: JobRunRow) -> None:
        """Delete a run with all that belongs to it."""
        self._session.execute(delete(JobTaskRow).where(JobTaskRow.run_id == row.id))
        self._session.execute(delete(JobNoticeRow).where(JobNoticeRow.run_id == row.id))
        self._session.execute(delete(JobRepairRow).where(JobRepairRow.run_id == row.id))
        self._session.delete(row)
        self._session.flush()

    def remove_ended_before(self, moment: int, limit: int) -> int:
        """Delete some of the runs that ended before a moment, with all that belongs to them; how many."""
        found = self._session.execute(
            select(JobRunRow.id, JobRunRow.job_id).where(JobRunRow.ended_at < moment).order_by(JobRunRow.ended_at).limit(limit)
        ).all()
        runs, jobs = [one.id for one in found], {one.job_id for one in found}
        for row in (JobTaskRow, JobNoticeRow, JobRepairRow):
            self._session.execute(delete(row).where(row.run_id.in_(runs)))
        self._session.execute(delete(JobRunRow).where(JobRunRow.id.in_(runs)))
        # Of runs that were submitted, and of jobs that are gone, nobody needs to know any more who may see them.
        left = select(JobRow.id).where(JobRow.id == JobPermissionRow.job_id).exists()
        seen = select(JobRunRow.id).where(JobRunRow.job_id == JobPermissionRow.job_id).exists()
        self._session.execute(delete(JobPermissionRow).where(JobPermissionRow.job_id.in_(jobs), ~left, ~seen))
        return len(runs)

    def repairs(self, run_id: int) -> list[JobRepairRow]:
        """The repairs of a run, the first execution among them, the oldest first."""
        query = select(JobRepairRow).where(JobRepairRow.run_id == run_id)
        return list(self._session.scalars(query.order_by(JobRepairRow.started_at, JobRepairRow.id)))

    def end_repairs(self, runs: Collection[JobRunRow]) -> None:
        """The repairs under way of some runs, or their first execution, have ended as they have."""
        if not runs:
            return
        fields = ("state", "result", "code", "message", "ended_at")
        query = update(JobRepairRow).where(JobRepairRow.id == bindparam("one"), JobRepairRow.ended_at.is_(None))
        values = [{"one": run.repair_id or run.id} | {name: getattr(run, name) for name in fields} for run in runs]
        self._session.connection().execute(query.values({name: bindparam(name) for name in fields}), values)

    # ------------------------------------------------------------------------------------------------------- tasks

    def task(self, task_id: int, *, lock: bool = False) -> JobTaskRow | None:
        """A task's run."""
        query = select(JobTaskRow).where(JobTaskRow.id == task_id)
        return self._session.scalar(query.with_for_update() if lock else query)

    def tasks(self, run_id: int) -> list[JobTaskRow]:
        """All attempts at the tasks of a run, iterations among them, in the order of the job and then of the attempts."""
        return self.tasks_of_all([run_id])

    def tasks_of_all(self, run_ids: Collection[int]) -> list[JobTaskRow]:
        """The same of some runs."""
        query = select(JobTaskRow).where(JobTaskRow.run_id.in_(run_ids))
        return list(self._session.scalars(query.order_by(JobTaskRow.position, JobTaskRow.attempt))) if run_ids else []

    def tasks_of(self, run_ids: Sequence[int]) -> list[JobTaskRow]:
        """The attempts at the tasks of some runs, iterations apart."""
        query = select(JobTaskRow).where(JobTaskRow.run_id.in_(run_ids), JobTaskRow.parent_id.is_(None))
        return list(self._session.scalars(query.order_by(JobTaskRow.position, JobTaskRow.attempt)))

    def claim(self, worker: str, now: int, limit: int) -> list[JobTaskRow]:
        """Take tasks that are ready, for a worker; nobody else can."""
        query = select(JobTaskRow).where(JobTaskRow.state == State.PENDING, JobTaskRow.ready_at <= now)
        found = list(self._session.scalars(query.order_by(JobTaskRow.ready_at).limit(limit).with_for_update(skip_locked=True)))
        for row in found:
            row.worker, row.state, row.executed_at = worker, State.RUNNING, now
        self._session.flush()
        return found

    def held_by(self, worker: str) -> list[JobTaskRow]:
        """The tasks that a worker carries out."""
        query = select(JobTaskRow).where(JobTaskRow.worker == worker, JobTaskRow.state == State.RUNNING)
        return list(self._session.scalars(query))

    def to_cancel(self, worker: str) -> list[int]:
        """The tasks that a worker carries out and is to end."""
        return list(self._session.scalars(select(JobTaskRow.id).where(*_to_cancel(worker))))

    def lock_tasks(self, task_ids: Collection[int]) -> list[JobTaskRow]:
        """Some attempts; nobody else changes them before this transaction ends."""
        query = select(JobTaskRow).where(JobTaskRow.id.in_(task_ids)).order_by(JobTaskRow.id)
        return list(self._session.scalars(query.with_for_update()))

    # ----------------------------------------------------------------------------------------------------- notices

    def tell(self, notices: Iterable[JobNoticeRow]) -> None:
        """Record notices, but for those that were recorded before."""
        found = [one for one in notices if self._session.get(JobNoticeRow, one.id) is None]
        if found:
            self._session.add_all(found)
            self._session.flush()

    def unsent(self, now: int, limit: int) -> list[JobNoticeRow]:
        """Notices that are to be sent, for this transaction alone."""
        query = select(JobNoticeRow).where(JobNoticeRow.due_at <= now).order_by(JobNoticeRow.due_at).limit(limit)
        return list(self._session.scalars(query.with_for_update(skip_locked=True)))

    def notice(self, notice_id: str) -> JobNoticeRow | None:
        """A notice."""
        return self._session.get(JobNoticeRow, notice_id)

    def destinations(self) -> set[str]:
        """The identifiers of the notification destinations."""
        return set(self._session.scalars(select(NotificationDestinationRow.id)))

    def destination(self, identifier: str) -> NotificationDestinationRow | None:
        """A notification destination."""
        return self._session.get(NotificationDestinationRow, identifier)

    # ----------------------------------------------------------------------------------------------------- workers

    def workers(self) -> list[JobWorkerRow]:
        """All workers, of which others look at none meanwhile."""
        return list(self._session.scalars(select(JobWorkerRow).with_for_update(skip_locked=True)))

    def see_worker(self, worker: str, now: int) -> bool:
        """Note that a worker lives; False if it was taken for dead."""
        found: Any = self._session.execute(update(JobWorkerRow).where(JobWorkerRow.id == worker).values(seen_at=now))
        return bool(found.rowcount)

    def remove_worker(self, worker: str) -> None:
        """A worker is gone."""
        self._session.execute(delete(JobWorkerRow).where(JobWorkerRow.id == worker))


def _to_cancel(worker: str) -> tuple[Any, ...]:
    return JobTaskRow.worker == worker, JobTaskRow.state == State.RUNNING, JobTaskRow.canceled.is_not(None)
