"""Jobs that a slice above keeps for something of its own, an alert or the refresh of a dashboard.

They give it a schedule and runs as durable as any job's. Their keeper says what they do: they are in no list, and cannot be changed as jobs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from boathouse.iam.api import Access, Principal
from boathouse.jobs import triggers
from boathouse.jobs.graph import Result
from boathouse.jobs.kinds import Kinds
from boathouse.jobs.models import JobRow
from boathouse.jobs.repository import JobRepository
from boathouse.jobs.schedules import check_schedule
from boathouse.jobs.starting import Asked, begin
from boathouse.kit.clock import now_ms
from boathouse.kit.ids import new_number

MOST_ENDED = 20
"""Runs that are remembered of one."""


@dataclass(frozen=True)
class KeptJob:
    """What is to be done, and when.

    Attributes:
        keeper: For what: a name that nothing else has, e.g. ``alert:01ef``.
        name: For people.
        owner: Whose it is.
        runner: As whom it runs.
        task: The one task, with its kind's field.
        schedule: As a job has it, ``pause_status`` too; None for a job that is only started by hand.
    """

    keeper: str
    name: str
    owner: str
    runner: Principal
    task: Mapping[str, Any]
    schedule: Mapping[str, Any] | None


def keep(session: Session, kept: KeptJob) -> None:
    """Have a job; one of the keeper becomes as it is said.

    Raises:
        SettingsInvalid: If there is no such schedule.
    """
    if kept.schedule is not None:
        check_schedule(str(kept.schedule["quartz_cron_expression"]), str(kept.schedule["timezone_id"]), "schedule")
    task = {"task_key": "refresh", **kept.task}
    settings: dict[str, Any] = {"name": kept.name, "max_concurrent_runs": 1, "tasks": [task]}
    if kept.schedule is not None:
        settings["schedule"] = dict(kept.schedule)
    rows, now = JobRepository(session), now_ms()
    row = rows.kept(kept.keeper)
    if row is None:
        row = JobRow(
            id=new_number(),
            name=kept.name,
            creator=kept.owner,
            creator_id=kept.runner.id,
            run_as=kept.runner.name,
            run_as_id=kept.runner.id,
            settings=settings,
            runs=0,
            due_at=triggers.first_due(settings, now),
            trigger_state={},
            waits_for=None,
            keeper=kept.keeper,
            created_at=now,
            updated_at=now,
        )
        rows.add(row)
    else:
        if row.settings.get("schedule") != settings.get("schedule"):
            row.trigger_state, row.due_at = {}, triggers.first_due(settings, now)
        row.name, row.settings, row.updated_at = kept.name, settings, now
        row.run_as, row.run_as_id = kept.runner.name, kept.runner.id
    kind = "service_principal_name" if kept.runner.kind == "service_principal" else "user_name"
    rows.set_access(row.id, [Access(kept.runner.name, kind, "CAN_VIEW")])


def start(session: Session, kinds: Kinds, keeper: str, creator: str) -> int | None:
    """Begin a run of a job that is kept; its id, or None if there is no such job."""
    rows = JobRepository(session)
    row = rows.kept(keeper)
    return None if row is None else begin(rows, kinds, row, Asked("ONE_TIME", creator)).id


def let_go(session: Session, keeper: str) -> list[int]:
    """Keep a job no more: what runs of it is cancelled, what has run is forgotten; the runs whose logs are to go too."""
    rows = JobRepository(session)
    row = rows.kept(keeper)
    if row is None:
        return []
    for run in rows.active_runs(row.id):
        run.canceled, run.wake_at = run.canceled or Result.CANCELED, now_ms()
    forgotten = _forget(rows, row.id, 0)
    rows.remove(row)
    return forgotten


def prune(session: Session, job_id: int) -> list[int]:
    """Forget the old runs of a job, if it is kept; those whose logs are to go too."""
    rows = JobRepository(session)
    row = rows.job(job_id)
    return [] if row is None or row.keeper is None else _forget(rows, job_id, MOST_ENDED)


def _forget(rows: JobRepository, job_id: int, beyond: int) -> list[int]:
    ended = rows.ended_runs(job_id, beyond)
    for run in ended:
        rows.remove_run(run)
    return [run.id for run in ended]
