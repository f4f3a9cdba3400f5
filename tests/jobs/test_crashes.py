"""Servers that are killed in the middle: no task is lost, and none is done by two at once.

`BOATHOUSE_TEST_KILLS=50` kills more often than the few times of an ordinary run.
"""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from boathouse.db import Database
from boathouse.db.database import sqlite_url
from boathouse.iam.api import IamService
from boathouse.jobs import control
from boathouse.jobs.kinds import Kinds
from boathouse.jobs.models import JobRunRow, JobTaskRow, JobWorkerRow
from boathouse.jobs.runs import RunService
from boathouse.jobs.schemas import CreateBody, RunNowBody
from boathouse.jobs.service import JobService
from boathouse.kit.clock import now_ms
from tests.jobs.crash_server import Held
from tests.postgres import create_database

KILLS = int(os.environ.get("BOATHOUSE_TEST_KILLS", "3"))
SECONDS = 90
RUNS = 3


def started(root: Path, url: str) -> subprocess.Popen[bytes]:
    with (root.parent / "servers.out").open("ab") as log:
        return subprocess.Popen([sys.executable, "-m", "tests.jobs.crash_server", str(root), url], stdout=log, stderr=log)


def a_job(folder: Path) -> dict[str, Any]:
    """Tasks after, beside and within each other, all of which are tried again for ever."""

    def held(name: str, *after: str) -> dict[str, Any]:
        spec = {"folder": str(folder), "name": name, "seconds": 0.15}
        return {"task_key": name.partition(".")[0], "held_task": spec, "max_retries": -1} | (
            {"depends_on": [{"task_key": one} for one in after]} if after else {}
        )

    nested = held("one.{{input}}")
    each = {"task_key": "each", "for_each_task": {"inputs": json.dumps(list("abcd")), "concurrency": 2, "task": nested}}
    return {"name": "crashing", "tasks": [held("first"), held("second", "first"), each, held("last", "second", "each")]}


@pytest.mark.parametrize("servers", [pytest.param(1, id="sqlite"), pytest.param(2, id="postgresql")])
def test_servers_are_killed(servers: int, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    root = tmp_path / "lake"
    root.mkdir()
    url = sqlite_url(root / "m.db") if servers == 1 else create_database(request.getfixturevalue("postgres_url"))
    database = Database(url)
    database.migrate()
    kinds = Kinds()
    control.register(kinds)
    kinds.register(Held())
    with database.session(write=True) as session:
        admin, _ = IamService(session).ensure_admin("admin")
        inner = JobService(session, admin, kinds).create(
            CreateBody.model_validate({**a_job(tmp_path), "max_concurrent_runs": 10})
        )
        body = a_job(tmp_path)
        body["tasks"].append({"task_key": "call", "run_job_task": {"job_id": inner.id}, "max_retries": -1})
        job = JobService(session, admin, kinds).create(CreateBody.model_validate({**body, "max_concurrent_runs": 10}))
        runs = [RunService(session, admin, kinds).run_now(RunNowBody(job_id=job.id)).id for _ in range(RUNS)]
    processes = [started(root, url) for _ in range(servers)]
    chance = random.Random(KILLS)  # noqa: S311 - the same moments each time
    try:
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.2, 3.5))
            victim = chance.randrange(servers)
            processes[victim].kill()
            processes[victim].wait()
            processes[victim] = started(root, url)
        wait_for(database, runs, root.parent / "servers.out")
    finally:
        for process in processes:
            process.kill()
            process.wait()
    check(database, runs, tmp_path)
    database.dispose()


def wait_for(database: Database, runs: list[int], log: Path) -> None:
    deadline = time.monotonic() + SECONDS + 5 * KILLS
    while time.monotonic() < deadline:
        with database.session() as session:
            found = [session.get(JobRunRow, one) for one in runs]
            if all(one is not None and one.ended_at is not None for one in found):
                return
        time.sleep(0.1)
    with database.session() as session:
        left = [(one.key, one.state, one.worker, one.attempt) for one in session.query(JobTaskRow) if one.state != "TERMINATED"]
        workers = [(one.id, one.pid, now_ms() - one.seen_at) for one in session.query(JobWorkerRow)]
    raise AssertionError(f"runs have not ended: {left}, workers {workers}\n{log.read_text()[-2000:]}")


def check(database: Database, runs: list[int], folder: Path) -> None:
    book = (folder / "book").read_text().splitlines()
    assert not [line for line in book if line.startswith("TWICE")]
    with database.session() as session:
        assert [(session.get_one(JobRunRow, one).result) for one in runs] == ["SUCCESS"] * RUNS
        tasks = list(session.query(JobTaskRow).filter(JobTaskRow.run_id.in_(runs)))
        lost = {one.message for one in tasks if one.result == "FAILED" and one.kind == "held_task"}
    done = [(one.run_id, one.key, one.position if one.parent_id else 0) for one in tasks if one.result == "SUCCESS"]
    assert len(done) == len(set(done)) == RUNS * (5 + 4)
    # What a task's process has used is known.
    used = [(one.cpu_seconds, one.peak_bytes) for one in tasks if one.kind == "held_task" and one.result == "SUCCESS"]
    assert all(cpu > 0 and peak > 5_000_000 for cpu, peak in used)
    assert lost <= {"The server was stopped while the task ran."}
