"""Where the files of tasks are: in the workspace, or in a repository at the commit of the run."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from boathouse.db import Database
from boathouse.errors import InvalidParameterValue
from boathouse.iam.api import Principal
from boathouse.jobs.api import SettingsInvalid, Task
from boathouse.storage.layout import Layout
from boathouse.workspace.errors import ObjectNotFound, TooLarge
from boathouse.workspace.git.snapshots import GitSource, Snapshots
from boathouse.workspace.paths import REPOS, parts_of
from boathouse.workspace.service import WorkspaceService
from boathouse.workspace.tree import Kind, Tree

WORKSPACE, GIT = "WORKSPACE", "GIT"
_INTERNAL = ".internal"
"""In Repos: the files of repositories while tasks run on them."""
_DAY_SECONDS = 24 * 3600
_OLD_SECONDS = 2 * _DAY_SECONDS


@dataclass(frozen=True)
class Laid:
    """A repository's files for one task.

    Attributes:
        path: Of its root, as the API and notebooks have paths.
        folder: On disk.
        source: Where it was cloned from, and what of it was asked for.
        commit: Whose files they are.
    """

    path: str
    folder: Path
    source: GitSource
    commit: str

    @property
    def tags(self) -> dict[str, str]:
        """What the process of the task is told of it."""
        branch = {"gitBranch": self.source.name} if self.source.reference == "git_branch" else {}
        return {"gitUrl": self.source.url, "gitCommit": self.commit, **branch}

    def at(self, path: str) -> str:
        """The path of something in it."""
        return f"{self.path}/{path}"


class Sources:
    """Files of tasks.

    Args:
        database: The metadata database.
        layout: The lake's folders.
    """

    def __init__(self, database: Database, layout: Layout) -> None:
        self._database = database
        self._layout = layout
        self._snapshots = Snapshots(database, layout)

    def sweep(self, now: int, unused_days: float) -> None:
        """Remove what servers that were killed have left, and repositories that no task has used for some days.

        Args:
            now: In ms since the epoch.
            unused_days: Those.
        """
        self._snapshots.sweep(now / 1000 - unused_days * _DAY_SECONDS)
        with contextlib.suppress(FileNotFoundError):
            for one in (self._layout.workspace / REPOS / _INTERNAL).iterdir():
                if one.stat().st_mtime < now / 1000 - _OLD_SECONDS:
                    shutil.rmtree(one, ignore_errors=True)

    @staticmethod
    def check(part: Mapping[str, Any], where: str) -> None:
        """Look at what says where a task's file is, when its job is made.

        Raises:
            SettingsInvalid: If it is not valid.
        """
        if part.get("source") not in {None, WORKSPACE, GIT}:
            raise SettingsInvalid(f"{where}.source", f"is {part['source']!r}. Valid: {WORKSPACE}, {GIT}.")

    @staticmethod
    def check_settings(settings: Mapping[str, Any], asker: Principal) -> None:
        """Look at ``git_source`` of a job, and at the tasks that need it.

        Raises:
            InvalidParameterValue: If something is not valid.
        """
        value = settings.get("git_source")
        if value is not None:
            GitSource.of(value, is_admin=asker.is_admin)
            return
        tasks: Sequence[Mapping[str, Any]] = settings.get("tasks") or ()
        for number, task in enumerate(tasks):
            for kind, part in task.items():
                inner = part.get("file") if isinstance(part, Mapping) and kind == "sql_task" else part
                if kind.endswith("_task") and isinstance(inner, Mapping) and inner.get("source") == GIT:
                    raise SettingsInvalid(f"tasks[{number}].{kind}.source", f"is {GIT}, but the job has no git_source.")

    @staticmethod
    def is_git(task: Task, part: Mapping[str, Any]) -> bool:
        """Whether a file is one of the run's repository."""
        source = part.get("source") or (GIT if task.settings.get("git_source") else WORKSPACE)
        return source == GIT

    async def _commit(self, task: Task) -> tuple[GitSource, str]:
        """The repository of a run and its commit, the same for all tasks."""
        value = task.settings.get("git_source")
        if value is None:
            raise SettingsInvalid("git_source", "is missing: a task of the job has source GIT.")
        source = GitSource.of(value, is_admin=task.principal.is_admin)
        pinned = (value.get("git_snapshot") or {}).get("used_commit")
        if pinned is None:
            found = await asyncio.to_thread(self._snapshots.commit, task.principal, source)
            pinned = await task.pin_commit(found)
        return source, str(pinned)

    async def read(self, task: Task, part: Mapping[str, Any], most: int) -> bytes:
        """The content of a file that a task is to run.

        Raises:
            TooLarge: If it has more bytes.
        """
        path = str(part["path"])
        if self.is_git(task, part):
            source, commit = await self._commit(task)
            inside = inside_of(path, "path")
            content = await asyncio.to_thread(self._snapshots.read, task.principal, source, commit, inside)
        else:
            content = await asyncio.to_thread(self._read, task.principal, path, most)
        if len(content) > most:
            raise TooLarge(path, len(content), most)
        return content

    def _read(self, principal: Principal, path: str, most: int) -> bytes:
        with self._database.session() as session:
            file = WorkspaceService(session, principal, self._layout).locate(path, "CAN_RUN")
        if Tree(self._layout.workspace).get(parts_of(path)).kind is not Kind.FILE:
            raise ObjectNotFound(path)
        with file.open("rb") as opened:
            return opened.read(most + 1)

    @asynccontextmanager
    async def laid_out(self, task: Task) -> AsyncGenerator[Laid]:
        """The files of the run's repository, for this attempt alone."""
        source, commit = await self._commit(task)
        top = f"{task.id}"
        above = self._layout.workspace / REPOS / _INTERNAL / top
        folder = above / source.folder
        try:
            await asyncio.to_thread(self._snapshots.lay_out, task.principal, source, commit, folder)
            yield Laid(f"/{REPOS}/{_INTERNAL}/{top}/{source.folder}", folder, source, commit)
        finally:
            await asyncio.to_thread(shutil.rmtree, above, ignore_errors=True)


def inside_of(path: str, field: str) -> str:
    """A path in a repository, which cannot lead out of it.

    Raises:
        InvalidParameterValue: If it is none.
    """
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or ".git" in parts:
        message = f"{field} is '{path}'. With source GIT it is a path in the repository, as 'notebooks/train'."
        raise InvalidParameterValue(message, field=field)
    return str(PurePosixPath(*parts))
