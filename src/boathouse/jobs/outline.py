"""What slices above may know of jobs and runs that are part of something of theirs, whoever asks: no parameters, no outputs."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from boathouse.jobs.repository import JobRepository


@dataclass(frozen=True)
class TaskOutline:
    """A task of a run by its latest attempt; times in ms since the epoch.

    Attributes:
        run_id: Of the attempt.
    """

    key: str
    run_id: int
    attempt: int
    state: str
    result: str | None
    message: str
    started_at: int | None
    ended_at: int | None


@dataclass(frozen=True)
class RunOutline:
    """A run and its tasks, in the order in which they come; times in ms since the epoch."""

    id: int
    job_id: int
    state: str
    result: str | None
    message: str
    repair_id: int | None
    started_at: int
    ended_at: int | None
    tasks: tuple[TaskOutline, ...]


def job_parameters(session: Session, job_id: int) -> frozenset[str] | None:
    """The names of a job's parameters; None where there is no such job."""
    row = JobRepository(session).job(job_id)
    return None if row is None else frozenset(str(one["name"]) for one in row.settings.get("parameters") or ())


def run_outlines(session: Session, run_ids: Iterable[int]) -> dict[int, RunOutline]:
    """Runs by their ids; those that are gone are left out."""
    rows, found = JobRepository(session), dict[int, RunOutline]()
    for run_id in run_ids:
        run = rows.run(run_id)
        if run is None:
            continue
        latest = {row.key: row for row in rows.tasks(run_id) if row.parent_id is None}
        found[run_id] = RunOutline(
            id=run.id,
            job_id=run.job_id,
            state=run.state,
            result=run.result,
            message=run.message,
            repair_id=run.repair_id,
            started_at=run.started_at,
            ended_at=run.ended_at,
            tasks=tuple(
                TaskOutline(row.key, row.id, row.attempt, row.state, row.result, row.message, row.executed_at, row.ended_at)
                for row in sorted(latest.values(), key=lambda row: row.position)
            ),
        )
    return found
