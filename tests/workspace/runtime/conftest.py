"""A user of its own with a home, volumes and secrets, and what it needs to run notebooks."""

import base64
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service import jobs as api
from databricks.sdk.service import workspace

from tests.conftest import Server
from tests.engine.conftest import grant

__all__ = ["grant"]
NOTEBOOKS = Path(__file__).parent / "notebooks"


@pytest.fixture(scope="session")
def server(shared_server: Server) -> Server:
    """Processes of tasks do not ask the database."""
    return shared_server


@dataclass
class Ran:
    """How a task has ended."""

    state: str
    result: str | None
    error: str
    trace: str
    log: str
    run_id: int


@dataclass
class Person:
    """A user with a home in the workspace."""

    name: str
    token: str
    client: WorkspaceClient

    @property
    def home(self) -> str:
        """Its folder."""
        return f"/Users/{self.name}"

    def put(self, path: str, text: str, language: str | None = "PYTHON") -> str:
        """Write a notebook, or without a language a file, into its home; the path."""
        whole = f"{self.home}/{path}"
        self.client.workspace.mkdirs(whole.rpartition("/")[0])
        self.client.workspace.import_(
            whole,
            content=base64.b64encode(text.encode()).decode(),
            format=workspace.ImportFormat.SOURCE if language else workspace.ImportFormat.AUTO,
            language=workspace.Language(language) if language else None,
            overwrite=True,
        )
        return whole

    def run(self, *tasks: dict[str, Any]) -> list[Ran]:
        """Submit a run and wait for its end."""
        body = [api.SubmitTask.from_dict({"task_key": f"t{index}", **task}) for index, task in enumerate(tasks)]
        run_id = self.client.jobs.submit(run_name="of a test", tasks=body).response.run_id
        return self.ended(run_id)

    def ended(self, run_id: int) -> list[Ran]:
        """Wait for the end of a run; its tasks."""
        deadline = time.monotonic() + 150
        while time.monotonic() < deadline:
            run = self.client.jobs.get_run(run_id)
            if (
                run.state
                and run.state.life_cycle_state
                and run.state.life_cycle_state.value in {"TERMINATED", "INTERNAL_ERROR"}
            ):
                return [self._ran(task) for task in run.tasks or []]
            time.sleep(0.05)
        message = f"Run {run_id} has not ended."
        raise AssertionError(message)

    def _ran(self, task: api.RunTask) -> Ran:
        assert task.run_id
        assert task.state
        told = self.client.jobs.get_run_output(task.run_id)
        result = told.notebook_output.result if told.notebook_output else None
        state = task.state.result_state.value if task.state.result_state else str(task.state)
        return Ran(state, result, told.error or "", told.error_trace or "", told.logs or "", task.run_id)


@pytest.fixture
def person(server: Server) -> Callable[[], Person]:
    """Makes users."""

    def make() -> Person:
        name = f"u{uuid.uuid4().hex[:8]}@example.com"
        token = server.new_principal(name)
        return Person(name, token, WorkspaceClient(host=server.url, token=token, auth_type="pat"))

    return make


@pytest.fixture
def user(person: Callable[[], Person]) -> Person:
    """A user who is no admin."""
    return person()
