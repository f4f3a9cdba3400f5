"""From the tables that a process reads to the inputs of the runs that it begins.

A run's inputs are the tables that its process has read before the run's end, each before its start in the version read last:
rows stay in memory, so what was loaded for one run is often trained on in the next.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Protocol

import structlog

from boathouse.db import Database
from boathouse.engine.api import TableRead
from boathouse.errors import BoathouseError
from boathouse.iam.api import IamService, Principal
from boathouse.storage.layout import Layout
from boathouse.training.code import CodeStore
from boathouse.training.errors import CodeMissing
from boathouse.training.evidence import CODE_TAG, ENVIRONMENT, ENVIRONMENT_TAG, digest, tags_of
from boathouse.training.repository import TrainingRepository
from boathouse.workspace.git.service import GitFolders

_REMEMBERED = 10_000
log = structlog.stdlib.get_logger(__name__)


class Runs(Protocol):
    """The tracking store, which is above; its methods block."""

    def add_inputs(self, run_id: str, tables: Sequence[TableRead]) -> None:
        """Record tables as inputs of a run."""
        ...

    def inputs_of(self, run_id: str) -> Sequence[tuple[str, int]]:
        """Name and version of each table that is an input of a run.

        Raises:
            NotFound: If there is no such run.
        """
        ...

    def end(self, principal: Principal, run_id: str, status: str) -> None:
        """End a run of the principal's.

        Raises:
            BoathouseError: If it cannot be.
        """
        ...

    def own_tags(self, principal: Principal, run_id: str) -> Mapping[str, str]:
        """The tags of a run that the principal may change.

        Raises:
            NotFound: If there is no such run.
            PermissionDenied: If it is somebody else's.
        """
        ...


class Training:
    """Knows the processes that train.

    Args:
        database: The metadata database.
        folders: The git folders of the workspace.
        layout: The lake's folders.

    Attributes:
        runs: Where inputs are recorded; whoever has it puts it here before the first request.
    """

    runs: Runs

    def __init__(self, database: Database, folders: GitFolders, layout: Layout) -> None:
        self._database = database
        self._folders = folders
        self._code = CodeStore(layout.training)
        self._known: OrderedDict[tuple[str, str], dict[str, TableRead]] = OrderedDict()
        self._lock = Lock()

    def tell(self, principal: Principal, source: str, facts: dict[str, object]) -> None:
        """Keep what a process tells of its code and environment."""
        with self._database.session(write=True) as session:
            TrainingRepository(session).tell(source, principal.id, facts)

    def evidence(self, principal: Principal, source: str) -> tuple[dict[str, str], dict[str, str]]:
        """The tags and the files that a run keeps of its process."""
        with self._database.session() as session:
            facts = TrainingRepository(session).facts(source, principal.id)
        if not facts:
            return {}, {}
        lock = str(facts.get("environment") or "")
        code = {key: value for key, value in facts.items() if key not in {"environment", "tags"}}
        found = {CODE_TAG: self._code.keep(code)} | tags_of(principal, facts, self._folders)
        return (found | {ENVIRONMENT_TAG: digest(lock)}, {ENVIRONMENT: lock}) if lock else (found, {})

    def code_of(self, principal: Principal, run_id: str) -> dict[str, object]:
        """What the process of a run of the principal's ran, and how.

        Raises:
            NotFound: If there is no such run, or its code is not recorded.
            PermissionDenied: If it is somebody else's.
        """
        name = self.runs.own_tags(principal, run_id).get(CODE_TAG)
        if name is None:
            raise CodeMissing
        return self._code.get(name)

    def read(self, principal: Principal, source: str, tables: Sequence[TableRead]) -> None:
        """A process has read tables: they are inputs of its runs that have not ended, and of those to come."""
        key = (principal.id, source)
        with self._lock:
            known = self._known.setdefault(key, {})
            self._known.move_to_end(key)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
            new = [table for table in tables if known.get(table.full_name) != table]
        if not new:
            # A run that has begun since has got it then.
            return
        with self._database.session(write=True) as session:
            repository = TrainingRepository(session)
            repository.read(source, principal.id, new)
            active = repository.active(source, principal.id)
        with self._lock:
            known.update({table.full_name: table for table in new})
        for run_id in active:
            self.runs.add_inputs(run_id, new)

    def begin(self, principal: Principal, run_id: str, source: str | None, parent: str | None) -> str | None:
        """A run has begun: what its process has read so far are its inputs.

        Args:
            principal: Whose run it is.
            run_id: The run.
            source: The process, as the run's tag names it.
            parent: The run that it is nested in: of a run without a tag, the process is that one's.

        Returns:
            The process.
        """
        with self._database.session(write=True) as session:
            repository = TrainingRepository(session)
            above = repository.run(parent) if parent is not None and source is None else None
            if above is not None and above.principal_id == principal.id:
                source = above.source
            if source is None:
                return None
            repository.begin(run_id, source, principal.id)
            tables = repository.reads(source, principal.id)
        if tables:
            self.runs.add_inputs(run_id, tables)
        return source

    def set_active(self, run_id: str, *, is_active: bool) -> None:
        """A run has ended, or goes on after it had."""
        with self._database.session(write=True) as session:
            TrainingRepository(session).set_active(run_id, is_active=is_active)

    def end_runs(self, principal: Principal, task: str, since: int, status: str) -> None:
        """A task has not succeeded: runs that its processes have begun and could not end have ended with it.

        Args:
            principal: Whose task it is.
            task: Its ``runId``.
            since: When its process began, in ms since the epoch.
            status: ``FAILED`` or ``KILLED``.
        """
        with self._database.session() as session:
            active = TrainingRepository(session).active_of_task(task, principal.id, since)
        for run_id in active:
            self._end(principal, run_id, status)

    def end_left(self, before: int) -> None:
        """A server has started: runs that tasks had begun before, and not ended, are killed, as those tasks were with the server.

        Args:
            before: When it started, in ms since the epoch.
        """
        with self._database.session() as session:
            left = TrainingRepository(session).active_of_tasks(before)
        for run_id, principal_id in left:
            try:
                with self._database.session() as session:
                    principal = IamService(session).get_principal(principal_id)
            except BoathouseError as error:
                log.warning("run_not_ended", run=run_id, reason=error.message)
                continue
            self._end(principal, run_id, "KILLED")

    def _end(self, principal: Principal, run_id: str, status: str) -> None:
        try:
            self.runs.end(principal, run_id, status)
        except BoathouseError as error:
            # It was deleted meanwhile, or MLflow is not there.
            log.warning("run_not_ended", run=run_id, reason=error.message)

    def versions_of(self, principal: Principal, run_id: str) -> Mapping[str, int]:
        """The version in which a run has read each of its tables: the newest, where it has read several."""
        del principal  # everybody may see runs, and nobody reads a table by that
        found: dict[str, int] = {}
        for name, version in self.runs.inputs_of(run_id):
            found[name] = max(version, found.get(name, version))
        return found


def forget_reads(database: Database, before: int) -> None:
    """Remove what processes have told and read before a moment; their runs keep it."""
    with database.session(write=True) as session:
        TrainingRepository(session).forget(before)
