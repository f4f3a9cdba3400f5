"""Jobs without the rest of a server, with a kind of task whose attempts do what they are told."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from boathouse.db import Database
from boathouse.errors import InvalidState
from boathouse.iam.api import Authenticator, IamService, Principal
from boathouse.jobs import views
from boathouse.jobs.api import Jobs, Output, Senders, SettingsInvalid, Task
from boathouse.jobs.runs import RunDetails
from boathouse.jobs.schemas import CreateBody, RepairBody, RunNowBody, SubmitBody
from boathouse.kit.clock import now_ms
from boathouse.storage.layout import Layout
from tests.databases import new_sqlite

SECONDS = 60
T = TypeVar("T")


class Act:
    """`act_task`: says what it got, sets values, waits, fails for its first attempts."""

    field = "act_task"
    resumes = False

    def __init__(self) -> None:
        self.began: list[tuple[str, int, Mapping[str, Any]]] = []
        self.at_once, self.most_at_once = 0, 0
        self.tokens: list[str] = []
        self.gate = threading.Event()
        self.canceled: list[str] = []

    def check(self, spec: Mapping[str, Any], where: str, asker: Principal) -> None:  # noqa: ARG002
        if "bad" in spec:
            raise SettingsInvalid(f"{where}.bad", "is bad.")

    async def run(self, task: Task) -> Output:
        spec = task.spec["act_task"]
        self.began.append((task.key, task.attempt, dict(spec)))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            for key, value in (spec.get("values") or {}).items():
                await task.set_value(key, value)
            if spec.get("token"):
                self.tokens.append(await task.token())
            if spec.get("wait"):
                await asyncio.to_thread(self.gate.wait, SECONDS)
            if "pause" in spec:
                await asyncio.sleep(spec["pause"])
            if task.attempt < spec.get("failures", 0):
                raise InvalidState(f"failure {task.attempt}")
        except asyncio.CancelledError:
            await asyncio.sleep(spec.get("ends_in", 0))
            self.canceled.append(task.key)
            raise
        finally:
            self.at_once -= 1
        return Output({"notebook_output": {"result": spec.get("say", ""), "truncated": False}}, error=spec.get("error"))


class Harness:
    """Jobs that run in a thread's event loop."""

    def __init__(self, folder: Path, url: str | None = None, slots: int = 8, senders: Senders | None = None) -> None:
        self.layout = Layout(folder)
        self.layout.create()
        self.database = Database(url or new_sqlite(self.layout.metadata_db))
        with self.database.session(write=True) as session:
            self.admin, _ = IamService(session).ensure_admin("admin")
        self.authenticator = Authenticator(self.database)
        self.act = Act()
        self._slots, self._senders = slots, senders
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.jobs: Jobs = self.do(self._start())

    async def _start(self) -> Jobs:
        jobs = Jobs(self.database, self.layout, self.authenticator, "http://here", self._slots, self._senders)
        jobs.kinds.register(self.act)
        await jobs.start()
        return jobs

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(SECONDS)

    def stop(self) -> None:
        self.do(self.jobs.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.database.dispose()

    def user(self, name: str) -> Principal:
        with self.database.session(write=True) as session:
            IamService(session).create_principal(name, "user")
        with self.database.session() as session:
            return IamService(session).get_principal(name)

    def create(self, *tasks: Mapping[str, Any], by: Principal | None = None, **settings: Any) -> int:
        body = CreateBody.model_validate({"name": "job", "tasks": list(tasks), **settings})
        return self.do(self.jobs.manage(by or self.admin, lambda service: service.create(body))).id

    def start(self, job_id: int, by: Principal | None = None, **asked: Any) -> int:
        body = RunNowBody.model_validate({"job_id": job_id, **asked})
        return self.do(self.jobs.manage_runs(by or self.admin, lambda service: service.run_now(body))).id

    def submit(self, *tasks: Mapping[str, Any], **settings: Any) -> int:
        body = SubmitBody.model_validate({"tasks": list(tasks), **settings})
        return self.do(self.jobs.manage_runs(self.admin, lambda service: service.submit(body))).id

    def repair(self, run_id: int, **asked: Any) -> int:
        body = RepairBody.model_validate({"run_id": run_id, **asked})
        return self.do(self.jobs.manage_runs(self.admin, lambda service: service.repair(body)))

    def cancel(self, run_id: int) -> None:
        self.do(self.jobs.manage_runs(self.admin, lambda service: service.cancel(run_id)))

    def details(self, run_id: int) -> RunDetails:
        return self.do(self.jobs.manage_runs(self.admin, lambda service: service.get(run_id), write=False))

    def view(self, run_id: int, **options: bool) -> dict[str, Any]:
        return views.run(self.details(run_id), "http://here", now_ms(), **options)

    def ended(self, run_id: int, **options: bool) -> dict[str, Any]:
        """The run once it has ended."""
        until(lambda: self.details(run_id).run.ended_at is not None, f"the run has not ended: {self.view(run_id)}")
        return self.view(run_id, **options)

    def run(self, *tasks: Mapping[str, Any], **settings: Any) -> dict[str, Any]:
        """A run of a new job, once it has ended."""
        return self.ended(self.start(self.create(*tasks, **settings)), resolved=True)


def until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.01)
    raise AssertionError(what)


@contextmanager
def harness(folder: Path, url: str | None = None, slots: int = 8, senders: Senders | None = None) -> Iterator[Harness]:
    running = Harness(folder, url, slots, senders)
    try:
        yield running
    finally:
        running.stop()


def act(key: str, *after: str, run_if: str | None = None, task: Mapping[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """A task that comes after others."""
    depends_on = [
        {"task_key": one.partition("=")[0]} | ({"outcome": one.partition("=")[2]} if "=" in one else {}) for one in after
    ]
    return {
        "task_key": key,
        "act_task": spec,
        "depends_on": depends_on,
        **({"run_if": run_if} if run_if else {}),
        **(task or {}),
    }


def results(run: Mapping[str, Any]) -> dict[str, str]:
    """How the tasks of a run have ended."""
    return {one["task_key"]: one["state"].get("result_state", "") for one in run["tasks"]}
