"""Every query on pipelines."""

from collections.abc import Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from boathouse.pipelines.models import PipelineEventRow, PipelinePermissionRow, PipelineRow, PipelineUpdateRow

Row = PipelineRow | PipelineUpdateRow | PipelineEventRow | PipelinePermissionRow


class PipelineRepository:
    """Pipelines, updates, events and permissions in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, row: Row) -> None:
        """Insert a row."""
        self._session.add(row)
        self._session.flush()

    def by_id(self, pipeline_id: str) -> PipelineRow | None:
        """The pipeline with an identifier."""
        return self._session.get(PipelineRow, pipeline_id)

    def all(self) -> list[PipelineRow]:
        """All pipelines, by name."""
        return list(self._session.scalars(select(PipelineRow).order_by(PipelineRow.name, PipelineRow.id)))

    def named(self, name: str) -> list[PipelineRow]:
        """The pipelines with a name."""
        return list(self._session.scalars(select(PipelineRow).where(PipelineRow.name == name)))

    def remove(self, row: PipelineRow) -> None:
        """Delete a pipeline with all that belongs to it."""
        for kind in (PipelineEventRow, PipelineUpdateRow, PipelinePermissionRow):
            self._session.execute(delete(kind).where(kind.pipeline_id == row.id))
        self._session.delete(row)
        self._session.flush()

    # ----------------------------------------------------------------------------------------------------- updates

    def update(self, update_id: str) -> PipelineUpdateRow | None:
        """The update with an identifier."""
        return self._session.get(PipelineUpdateRow, update_id)

    def active(self, pipeline_id: str | None = None) -> list[PipelineUpdateRow]:
        """The updates that run, of one pipeline or of all."""
        query = select(PipelineUpdateRow).where(PipelineUpdateRow.active.is_(other=True))
        if pipeline_id is not None:
            query = query.where(PipelineUpdateRow.pipeline_id == pipeline_id)
        return list(self._session.scalars(query))

    def updates(self, pipeline_id: str, limit: int, offset: int = 0) -> list[PipelineUpdateRow]:
        """Updates of a pipeline, the newest first."""
        query = select(PipelineUpdateRow).where(PipelineUpdateRow.pipeline_id == pipeline_id)
        query = query.order_by(PipelineUpdateRow.created_at.desc(), PipelineUpdateRow.id)
        return list(self._session.scalars(query.limit(limit).offset(offset)))

    # ------------------------------------------------------------------------------------------------------ events

    def events(
        self, conditions: Sequence[ColumnElement[bool]], limit: int, *, newest_first: bool = True
    ) -> list[PipelineEventRow]:
        """Events for which some conditions hold."""
        order = PipelineEventRow.sequence
        query = select(PipelineEventRow).where(*conditions).order_by(order.desc() if newest_first else order)
        return list(self._session.scalars(query.limit(limit)))

    def sequence_of(self, event_id: str) -> int | None:
        """Sequence number of an event."""
        return self._session.scalar(select(PipelineEventRow.sequence).where(PipelineEventRow.id == event_id))

    def last_sequence(self, pipeline_id: str) -> int:
        """Sequence number of a pipeline's newest event."""
        query = select(func.max(PipelineEventRow.sequence)).where(PipelineEventRow.pipeline_id == pipeline_id)
        return int(self._session.scalar(query) or 0)

    # ------------------------------------------------------------------------------------------------- permissions

    def permissions(self, pipeline_id: str) -> list[PipelinePermissionRow]:
        """The permissions on a pipeline, by grantee."""
        query = select(PipelinePermissionRow).where(PipelinePermissionRow.pipeline_id == pipeline_id)
        return list(self._session.scalars(query.order_by(PipelinePermissionRow.grantee)))

    def clear_permissions(self, pipeline_id: str, grantee: str | None = None) -> None:
        """Delete the permissions on a pipeline, of one grantee or all."""
        query = delete(PipelinePermissionRow).where(PipelinePermissionRow.pipeline_id == pipeline_id)
        if grantee is not None:
            query = query.where(PipelinePermissionRow.grantee == grantee)
        self._session.execute(query)
