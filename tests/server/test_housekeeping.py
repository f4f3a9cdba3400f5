"""What a server forgets by itself, at a clock that is moved."""

import os
from pathlib import Path

import pytest
from sqlalchemy import select

from boathouse.config import Settings
from boathouse.db import Database
from boathouse.iam.api import IamService
from boathouse.jobs.models import JobNoticeRow, JobPermissionRow, JobRunRow, JobTaskRow
from boathouse.jobs.starting import Asked, new_attempt, new_run
from boathouse.kit.clock import now_ms
from boathouse.server.housekeeping import EVERY_MS, chores, do_chores
from boathouse.sql.dashboards.documents import EMPTY
from boathouse.sql.dashboards.service import DashboardService
from boathouse.sql.models import DashboardRow, QueryRow
from boathouse.storage.layout import Layout
from boathouse.workspace.api import Sources
from tests.databases import new_postgresql, new_sqlite

DAY = 24 * 3600 * 1000
OWN = ["logs", "repositories"]


def add_run(database: Database, layout: Layout, name: str, job_id: int, ended: int | None) -> int:
    """A run with all that belongs to it; its id."""
    spec = {"task_key": "a", "nothing_task": {}}
    with database.session(write=True) as session:
        row = new_run(
            job_id=job_id,
            name=name,
            run_type="JOB_RUN",
            number=1,
            run_as=("0", "admin"),
            settings={"tasks": [spec]},
            parameters={},
            asked=Asked("ONE_TIME", "admin"),
        )
        row.ended_at, row.wake_at = ended, None
        session.add(row)
        session.flush()
        session.add(new_attempt(row, spec, "nothing_task", position=0, repair_id=row.id))
        notice = {"kind": "email", "address": "a@b", "body": {}, "tries": 0}
        session.add(JobNoticeRow(id=name, run_id=row.id, due_at=None, sent_at=None, error=None, **notice))
        session.merge(JobPermissionRow(job_id=job_id, grantee="admin", kind="user_name", level="IS_OWNER"))
        run_id = row.id
    log = layout.logs / "jobs" / str(run_id) / "1.log"
    log.parent.mkdir(parents=True)
    log.write_text("said")
    return run_id


def add_query(database: Database, name: str, trashed: int) -> None:
    """A query in the trash."""
    of = {"parent_path": "/", "owner": "admin", "modifier": "admin", "settings": {}, "created_at": 0, "updated_at": 0}
    with database.session(write=True) as session:
        session.add(QueryRow(id=name, display_name=name, trashed_at=trashed, **of))


def add_repository(layout: Layout, name: str, used: int) -> None:
    """What was fetched of a repository."""
    place = layout.git / "snapshots" / name
    place.mkdir(parents=True)
    os.utime(place, (used / 1000, used / 1000))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_one_of_two_servers_forgets_what_is_old(tmp_path: Path, kind: str, request: pytest.FixtureRequest) -> None:
    layout = Layout(tmp_path / "lake")
    layout.create()
    at = request.getfixturevalue("postgres_url") if kind == "postgresql" else None
    database = Database(new_sqlite(layout.metadata_db) if at is None else new_postgresql(at))
    now = now_ms()
    with database.session(write=True) as session:
        admin, _ = IamService(session).ensure_admin("admin")
    of_job = {"old": (1, now - 61 * DAY), "new": (1, now - 59 * DAY), "running": (2, None), "alone": (3, now - 70 * DAY)}
    runs = {name: add_run(database, layout, name, job, ended) for name, (job, ended) in of_job.items()}
    for name, days in (("old", 31), ("new", 29)):
        add_query(database, name, now - days * DAY)
        add_repository(layout, name, now - days * DAY)
    with database.session(write=True) as session:
        dashboards = DashboardService(session, admin, layout)
        dashboards.trash(dashboards.create("thrown away", "/Shared", EMPTY, None).id)
    settings = Settings(root=layout.root, run_retention_days=60, git_cache_days=30)
    work = chores(database, layout, admin, settings, Sources(database, layout))
    every = [one.name for one in work]
    try:
        assert do_chores(database, work, now) == every
        with database.session() as session:
            left = set(session.scalars(select(JobRunRow.id)))
            assert left == {runs["new"], runs["running"]}
            assert set(session.scalars(select(JobTaskRow.run_id))) == left
            assert set(session.scalars(select(JobNoticeRow.run_id))) == left
            assert set(session.scalars(select(JobPermissionRow.job_id))) == {1, 2}
            assert list(session.scalars(select(QueryRow.id))) == ["new"]
            assert len(list(session.scalars(select(DashboardRow)))) == 1
        assert {int(one.name) for one in (layout.logs / "jobs").iterdir()} == left
        assert [one.name for one in (layout.git / "snapshots").iterdir()] == ["new"]

        # Another server leaves what was done for all, for as long as that holds.
        assert do_chores(database, work, now + EVERY_MS - 1) == OWN
        assert do_chores(database, work, now + 2 * DAY) == every
        with database.session() as session:
            assert set(session.scalars(select(JobRunRow.id))) == {runs["running"]}
            assert list(session.scalars(select(QueryRow.id))) == []
            assert len(list(session.scalars(select(DashboardRow)))) == 1
        assert do_chores(database, work, now + 31 * DAY) == every
        with database.session() as session:
            assert list(session.scalars(select(DashboardRow))) == []
        assert list((layout.git / "snapshots").iterdir()) == []
    finally:
        database.dispose()
