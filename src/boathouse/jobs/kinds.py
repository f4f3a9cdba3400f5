"""The seam of task kinds: what a slice above gives so that jobs can have tasks of a kind of its own.

A slice registers its kinds with ``Jobs.kinds`` in the server's lifespan, before jobs are started::

    state.jobs.kinds.register(NotebookKind(...))

A kind checks its part of a task when a job is made, and runs attempts. Everything else, from dependencies over retries and time limits
to permissions, is the scheduler's. An attempt is cancelled by asyncio's cancellation, when somebody cancels the run, when its time is up, or when
the server stops; the scheduler knows which.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from boathouse.iam.api import Principal
from boathouse.jobs.errors import KindTaken, KindUnknown, SettingsInvalid
from boathouse.kit.children import Child, Started

TOKEN_SECONDS = 24 * 3600.0
ARCHIVE_SUFFIX = ".tar.gz"
"""Of what a kind leaves beside the log for people to take away."""


@dataclass(frozen=True)
class Output:
    """How an attempt ended.

    Attributes:
        parts: Of the answer of ``runs/get-output``, e.g. ``{"notebook_output": {"result": "..."}}``.
        error: Why it has failed, for people; None if it has not.
        error_trace: Where, e.g. a traceback.
    """

    parts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    error: str | None = None
    error_trace: str | None = None


class Hands(Protocol):
    """What the scheduler does for an attempt; kinds use it by the methods of ``Task``."""

    async def token(self, seconds: float) -> str:
        """A token that acts for the run."""
        ...

    async def set_value(self, key: str, value: Any) -> None:
        """Keep a task value."""
        ...

    async def value(self, task_key: str, key: str) -> Any:
        """A task value."""
        ...

    async def pin_commit(self, commit: str) -> str:
        """The commit of the run's repository."""
        ...

    def child(
        self,
        command: Sequence[str],
        assignment: Mapping[str, Any],
        *,
        environment: Mapping[str, str] | None,
        folder: Path | None,
        grace_seconds: float,
        started: Started | None,
    ) -> AbstractAsyncContextManager[Child]:
        """A child process of the attempt."""
        ...


@dataclass(frozen=True)
class Task:
    """One attempt at a task, as its kind sees it.

    Attributes:
        id: Of the task's run: each attempt has one of its own.
        run_id: Of the job's run.
        job_id: Of the job; of a run that was submitted, of the job that stands for it.
        job_name: Of the job, or of the run.
        key: ``task_key``.
        attempt: Of this task in this run, from 0.
        spec: The task as it was declared, its ``{{...}}`` references resolved and the parameters of the run put in.
        settings: Of the job as they were when the run began: ``environments``, ``git_source``, ``job_clusters`` and so on.
        parameters: Of the job, by name, as they are in this run.
        principal: As whom it runs.
        log: Where its output goes to; ``child`` sees to that. A kind may leave a page for ``runs/export`` beside it, with the suffix
            ``.html``, and an archive that ``dbt_output`` links to, with ``ARCHIVE_SUFFIX``.
    """

    id: int
    run_id: int
    job_id: int
    job_name: str
    key: str
    attempt: int
    spec: Mapping[str, Any]
    settings: Mapping[str, Any]
    parameters: Mapping[str, str]
    principal: Principal
    log: Path
    hands: Hands = field(repr=False)

    @property
    def entity(self) -> str:
        """What ``x-boathouse-entity`` says to the gateway; queries with the task's token are told as this run's without it too."""
        return f"JOB:{self.job_id}:{self.run_id}"

    async def token(self, seconds: float = TOKEN_SECONDS) -> str:
        """A token with which the attempt acts as its principal for the run; it is revoked when the attempt ends."""
        return await self.hands.token(seconds)

    async def set_value(self, key: str, value: Any) -> None:
        """Set a task value.

        Raises:
            InvalidParameterValue: If the value is no JSON or more than 48 KiB of it.
        """
        await self.hands.set_value(key, value)

    async def value(self, task_key: str, key: str) -> Any:
        """A value that a task of this run has set.

        Raises:
            TaskValueNotFound: If it has not.
        """
        return await self.hands.value(task_key, key)

    async def pin_commit(self, commit: str) -> str:
        """Have all tasks of the run work at a commit of ``git_source``, unless one has named another: the one that holds."""
        return await self.hands.pin_commit(commit)

    def child(
        self,
        command: Sequence[str],
        assignment: Mapping[str, Any],
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        grace_seconds: float = 0.0,
        started: Started | None = None,
    ) -> AbstractAsyncContextManager[Child]:
        """A child process of the attempt: it logs to ``log``, is measured, and never works beside another attempt at the same task.

        See ``kit.children.start_child`` for the arguments.
        """
        return self.hands.child(
            command, assignment, environment=environment, folder=folder, grace_seconds=grace_seconds, started=started
        )


class TaskKind(Protocol):
    """One kind of task.

    Attributes:
        field: Its field of a task, e.g. ``notebook_task``.
        resumes: Whether an attempt whose server died is run again as the same attempt. True only where that does no harm;
            otherwise the attempt has failed, and is tried again if the task has retries left.
    """

    @property
    def field(self) -> str:
        """See the class."""
        ...

    @property
    def resumes(self) -> bool:
        """See the class."""
        ...

    def check(self, spec: Mapping[str, Any], where: str, asker: Principal) -> None:
        """Look at a task's part of this kind when a job is made; values may still have ``{{...}}`` references.

        Args:
            spec: The part, e.g. the value of ``notebook_task``.
            where: Of that part in the request, e.g. ``tasks[0].notebook_task``.
            asker: Who makes the job.

        Raises:
            SettingsInvalid: If it is not valid; it names the field.
        """
        ...

    async def run(self, task: Task) -> Output:
        """Make one attempt; whatever is raised is how it has failed."""
        ...


SettingsCheck: TypeAlias = Callable[[Mapping[str, Any], Principal], None]
"""Looks at the settings of a job, for who makes it; raises what is wrong with them."""


class Kinds:
    """The task kinds that this server knows.

    Attributes:
        checks: What other slices have to look at in the settings of a job beside its tasks.
    """

    def __init__(self) -> None:
        self._kinds: dict[str, TaskKind] = {}
        self.checks: list[SettingsCheck] = []

    def register(self, kind: TaskKind) -> None:
        """Add a kind.

        Raises:
            KindTaken: If its field is another kind's.
        """
        if kind.field in self._kinds:
            raise KindTaken(kind.field)
        self._kinds[kind.field] = kind

    @property
    def fields(self) -> list[str]:
        """The fields of all kinds."""
        return sorted(self._kinds)

    def get(self, name: str) -> TaskKind:
        """The kind of a field.

        Raises:
            KindUnknown: If there is none.
        """
        kind = self._kinds.get(name)
        if kind is None:
            raise KindUnknown(name, self.fields)
        return kind

    def field_of(self, task: Mapping[str, Any], where: str) -> str:
        """The field that says what kind a task is of.

        Raises:
            SettingsInvalid: If there is none, or more than one.
            KindUnknown: If it is of no kind that this server knows.
        """
        found = [key for key, value in task.items() if key.endswith("_task") and value is not None]
        if len(found) != 1:
            told = "has no kind" if not found else f"has {' and '.join(sorted(found))}"
            raise SettingsInvalid(where, f"{told}. It needs exactly one of: {', '.join(self.fields)}.")
        if found[0] not in self._kinds:
            raise KindUnknown(f"{where}.{found[0]}", self.fields)
        return found[0]
