"""Every query on what processes have read, and on the runs that they have begun."""

from collections.abc import Sequence

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from boathouse.engine.api import TableRead
from boathouse.kit.clock import now_ms
from boathouse.training.models import ReadRow, RunRow, SourceRow


class TrainingRepository:
    """Processes, reads and runs in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def tell(self, source: str, principal_id: str, facts: dict[str, object]) -> None:
        """Keep what a process has told, instead of what it has told before."""
        self._session.merge(SourceRow(source=source, principal_id=principal_id, facts=facts, told_at=now_ms()))

    def facts(self, source: str, principal_id: str) -> dict[str, object]:
        """What a process has told; nothing of one that has told nothing."""
        row = self._session.get(SourceRow, (source, principal_id))
        return {} if row is None else row.facts

    def read(self, source: str, principal_id: str, tables: Sequence[TableRead]) -> None:
        """A process has read tables, just now."""
        for table in tables:
            self._session.merge(
                ReadRow(
                    source=source,
                    principal_id=principal_id,
                    full_name=table.full_name,
                    version=table.version,
                    location=table.location,
                    is_sure=table.is_sure,
                    read_at=now_ms(),
                )
            )

    def reads(self, source: str, principal_id: str) -> list[TableRead]:
        """What a process has read: each table in the version that it has read last."""
        query = select(ReadRow).where(ReadRow.source == source, ReadRow.principal_id == principal_id)
        last = {row.full_name: row for row in self._session.scalars(query.order_by(ReadRow.read_at, ReadRow.version))}
        return [TableRead(row.full_name, row.location, row.version, is_sure=row.is_sure) for _, row in sorted(last.items())]

    def run(self, run_id: str) -> RunRow | None:
        """A run that a process has begun."""
        return self._session.get(RunRow, run_id)

    def begin(self, run_id: str, source: str, principal_id: str) -> None:
        """A process has begun a run."""
        row = RunRow(run_id=run_id, source=source, principal_id=principal_id, is_active=True, started_at=now_ms())
        self._session.merge(row)

    def set_active(self, run_id: str, *, is_active: bool) -> None:
        """A run has ended, or goes on."""
        self._session.execute(update(RunRow).where(RunRow.run_id == run_id).values(is_active=is_active))

    def active(self, source: str, principal_id: str) -> list[str]:
        """The runs of a process that have not ended."""
        mine = RunRow.source == source, RunRow.principal_id == principal_id, RunRow.is_active
        return list(self._session.scalars(select(RunRow.run_id).where(*mine)))

    def active_of_task(self, task: str, principal_id: str, since: int) -> list[str]:
        """The runs that have not ended, of the processes of a task, and were begun since a moment."""
        query = (
            select(RunRow.run_id)
            .join(SourceRow, (SourceRow.source == RunRow.source) & (SourceRow.principal_id == RunRow.principal_id))
            .where(RunRow.started_at >= since, RunRow.is_active, RunRow.principal_id == principal_id)
            .where(SourceRow.facts["tags"]["runId"].as_string() == task)
        )
        return list(self._session.scalars(query))

    def active_of_tasks(self, before: int) -> list[tuple[str, str]]:
        """The runs that have not ended, of the processes of all tasks, and were begun before a moment: each with its principal's identifier."""
        query = (
            select(RunRow.run_id, RunRow.principal_id)
            .join(SourceRow, (SourceRow.source == RunRow.source) & (SourceRow.principal_id == RunRow.principal_id))
            .where(RunRow.started_at < before, RunRow.is_active)
            .where(SourceRow.facts["tags"]["runId"].as_string().is_not(None))
        )
        return [(run_id, principal_id) for run_id, principal_id in self._session.execute(query)]

    def forget(self, before: int) -> None:
        """Remove what is older than a moment."""
        self._session.execute(delete(SourceRow).where(SourceRow.told_at < before))
        self._session.execute(delete(ReadRow).where(ReadRow.read_at < before))
        self._session.execute(delete(RunRow).where(RunRow.started_at < before))
