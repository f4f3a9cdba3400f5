"""What the scheduler of jobs costs, beside what would be there without it.

    python benchmarks/jobs.py [--rounds 20] [--tasks 1000] [--runs 10000] [--database-url URL] [--json FILE]

- ``start``: from ``run-now`` of a job of one task, a Python process, to that process's first line, in turns with a Python
  process that is started by itself and imports the same. A figure is the median of the rounds.
- ``file``, ``notebook``: the same of a Python file and of a notebook of one cell, to the first line of a user, which prints the time; in turns. Each
  process confines itself, as the server's do.
- ``tiny``: so many tasks that do nothing, of one for-each task: tasks a second, beside huey on SQLite, whose queue is
  a file of its own.
- ``apart``: so many tasks that do nothing, each of a run of its own.
- ``list``: a page of 25 runs where there are so many, to the same where there are a hundred.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common import parse, report
from huey import SqliteHuey
from huey.consumer import Consumer
from sqlalchemy import select

from boathouse.db import Database
from boathouse.db.database import sqlite_url
from boathouse.iam.api import Authenticator, IamService, Principal
from boathouse.jobs.api import Jobs, Output, Task
from boathouse.jobs.graph import Result, State
from boathouse.jobs.models import JobRunRow
from boathouse.jobs.runs import Wanted
from boathouse.jobs.schemas import CreateBody, RunNowBody
from boathouse.jobs.starting import Asked, new_run
from boathouse.storage.layout import Layout
from boathouse.workspace.api import Sources
from boathouse.workspace.tasks import NotebookTask, PythonTask, Surroundings

PAUSE_SECONDS = 0.5
"""Between tasks, so that what one leaves under way is not the next one's delay."""
USER_LINE = "import time; print(time.time())\n"
FIRST_LINE = "import time; from boathouse.kit.wire import Wire, read_assignment"
CHILD = f"{FIRST_LINE}; a = read_assignment(); w = Wire(a['descriptor']); w.send(at=time.time())"


class Python:
    """A task that is a process, and tells when its first line ran."""

    field = "python_task"
    resumes = False

    def __init__(self) -> None:
        self.at = 0.0

    def check(self, spec: Mapping[str, Any], where: str, asker: Principal) -> None:
        """All are valid."""

    async def run(self, task: Task) -> Output:
        """Start the process."""
        async with task.child([sys.executable, "-c", CHILD], {}) as child:
            async for message in child.messages():
                self.at = message["at"]
            await child.wait()
        return Output()


class Nothing:
    """A task that does nothing."""

    field = "nothing_task"
    resumes = False

    def check(self, spec: Mapping[str, Any], where: str, asker: Principal) -> None:
        """All are valid."""

    async def run(self, task: Task) -> Output:  # noqa: ARG002
        """Do nothing."""
        return Output()


class Bench:
    """Jobs on a database of their own."""

    def __init__(self, root: Path, url: str | None) -> None:
        self.layout = Layout(root)
        self.layout.create()
        self.database = Database(url or sqlite_url(self.layout.metadata_db))
        self.database.migrate()
        with self.database.session(write=True) as session:
            self.admin, _ = IamService(session).ensure_admin("admin")
        self.python = Python()

    async def start(self) -> None:
        """Begin."""
        self.jobs = Jobs(self.database, self.layout, Authenticator(self.database), "http://here", slots=8)
        self.jobs.kinds.register(self.python)
        self.jobs.kinds.register(Nothing())
        sources = Sources(self.database, self.layout)
        self.here = here = Surroundings(
            self.database, self.layout, sources, "http://127.0.0.1:9", "sc://127.0.0.1:9", "sandboxed"
        )
        self.jobs.kinds.register(NotebookTask(here))
        self.jobs.kinds.register(PythonTask(here))
        shared = self.layout.workspace / "Shared"
        shared.mkdir(exist_ok=True)
        (shared / "file.py").write_text(USER_LINE, encoding="utf-8")
        (shared / "notebook.py").write_text(f"# Databricks notebook source\n{USER_LINE}", encoding="utf-8")
        await self.jobs.start()

    async def create(self, *tasks: Mapping[str, Any], **settings: Any) -> int:
        """A new job."""
        body = CreateBody.model_validate({"name": "bench", "tasks": list(tasks), **settings})
        return (await self.jobs.manage(self.admin, lambda service: service.create(body))).id

    async def run_now(self, job_id: int) -> int:
        """A new run."""
        return (await self.jobs.manage_runs(self.admin, lambda service: service.run_now(RunNowBody(job_id=job_id)))).id

    async def ended(self, run_id: int) -> None:
        """Wait for its end."""
        while not await asyncio.to_thread(self._has_ended, run_id):  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    def _has_ended(self, run_id: int) -> bool:
        # Not by the API: its answer has all tasks, and to make it again and again would be a part of what is measured.
        with self.database.session() as session:
            return session.scalar(select(JobRunRow.ended_at).where(JobRunRow.id == run_id)) is not None


async def start(bench: Bench, rounds: int) -> dict[str, float]:
    job_id = await bench.create({"task_key": "a", "python_task": {}})
    ours: list[float] = []
    bare: list[float] = []
    for _ in range(rounds):
        began = time.time()
        run_id = await bench.run_now(job_id)
        await bench.ended(run_id)
        ours.append(bench.python.at - began)
        began = time.time()
        code = f"{FIRST_LINE}; print(time.time())"
        answer = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code], capture_output=True, check=True)
        bare.append(float(answer.stdout) - began)
    return {
        "start_ms": 1000 * statistics.median(ours),
        "start_bare_ms": 1000 * statistics.median(bare),
        "start_ratio": statistics.median(a / b for a, b in zip(ours, bare, strict=True)),
    }


async def user_code(bench: Bench, rounds: int) -> dict[str, float]:
    parts: dict[str, dict[str, Any]] = {
        "file": {"spark_python_task": {"python_file": "/Shared/file.py"}},
        "notebook": {"notebook_task": {"notebook_path": "/Shared/notebook"}},
    }
    jobs = {name: await bench.create({"task_key": "a", **part}) for name, part in parts.items()}
    took: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(rounds):
        for name, job_id in jobs.items():
            began = time.time()
            run_id = await bench.run_now(job_id)
            await bench.ended(run_id)
            (log,) = (bench.layout.logs / "jobs" / str(run_id)).glob("*.log")
            took[name].append(float(log.read_text(encoding="utf-8")) - began)
            await asyncio.sleep(PAUSE_SECONDS)
    return {f"{name}_ms": 1000 * statistics.median(times) for name, times in took.items()}


async def tiny(bench: Bench, tasks: int, folder: Path) -> dict[str, float]:
    inputs = str(list(range(tasks)))
    nested = {"task_key": "n", "nothing_task": {}}
    job_id = await bench.create({"task_key": "e", "for_each_task": {"inputs": inputs, "concurrency": 100, "task": nested}})
    began = time.monotonic()
    await bench.ended(await bench.run_now(job_id))
    ours = tasks / (time.monotonic() - began)
    huey = by_huey(tasks, folder)
    apart = await bench.create({"task_key": "n", "nothing_task": {}}, max_concurrent_runs=1000)
    began = time.monotonic()
    runs = [await bench.run_now(apart) for _ in range(tasks)]
    for run_id in runs:
        await bench.ended(run_id)
    return {"tiny_per_second": ours, "apart_per_second": tasks / (time.monotonic() - began), "huey_per_second": huey}


def by_huey(tasks: int, folder: Path) -> float:
    """Tasks a second, put into the queue and done."""
    queue, done = SqliteHuey(filename=str(folder / "huey.db")), []

    @queue.task()
    def nothing() -> None:
        done.append(1)

    began = time.monotonic()
    for _ in range(tasks):
        nothing()
    consumer = Consumer(queue, workers=8, periodic=False, initial_delay=0.01, max_delay=0.1)
    consumer.start()
    while len(done) < tasks:
        time.sleep(0.005)
    took = time.monotonic() - began
    consumer.stop()
    return tasks / took


def fill(bench: Bench, job_id: int, runs: int) -> None:
    """Runs that have ended."""
    who = (bench.admin.id, bench.admin.name)
    with bench.database.session(write=True) as session:
        for number in range(runs):
            row = new_run(
                job_id=job_id,
                name="bench",
                run_type="JOB_RUN",
                number=number,
                run_as=who,
                settings={"tasks": [{"task_key": "n", "nothing_task": {}}]},
                parameters={},
                asked=Asked("ONE_TIME", who[1]),
            )
            row.state, row.result, row.code = State.TERMINATED, Result.SUCCESS, "SUCCESS"
            row.executed_at, row.ended_at, row.wake_at = row.started_at, row.started_at, None
            session.add(row)


async def listing(bench: Bench, runs: int) -> dict[str, float]:
    job_id = await bench.create({"task_key": "n", "nothing_task": {}})
    few, many = 100, runs
    found: dict[int, float] = {}
    have = 0
    for many_runs in (few, many):
        await asyncio.to_thread(fill, bench, job_id, many_runs - have)
        have = many_runs
        times: list[float] = []
        for _ in range(30):
            began = time.perf_counter()
            await bench.jobs.manage_runs(
                bench.admin, lambda service: service.listed(Wanted(), 26, None, 0, with_tasks=False), write=False
            )
            times.append(time.perf_counter() - began)
        found[many_runs] = statistics.median(times)
    return {"list_ms": 1000 * found[many], "list_ratio": found[many] / found[few]}


async def run(arguments: argparse.Namespace, folder: Path) -> dict[str, float]:
    bench = Bench(folder / "lake", arguments.database_url)
    await bench.start()
    try:
        return {
            **await start(bench, arguments.rounds),
            **await user_code(bench, arguments.rounds),
            **await tiny(bench, arguments.tasks, folder),
            **await listing(bench, arguments.runs),
        }
    finally:
        await bench.jobs.stop()
        bench.here.spare.stop()
        bench.database.dispose()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--database-url", default=None)
    arguments = parse(parser)
    with tempfile.TemporaryDirectory() as folder:
        report(asyncio.run(run(arguments, Path(folder))), arguments)


if __name__ == "__main__":
    main()
