"""Every query on data quality monitors and their results."""

from collections.abc import Iterable

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from boathouse.monitoring.models import QualityMonitorRow, QualityResultRow


class QualityRepository:
    """Monitors and results in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def monitor(self, schema_id: str) -> QualityMonitorRow | None:
        """The monitor of a schema."""
        return self._session.get(QualityMonitorRow, schema_id)

    def monitors(self) -> list[QualityMonitorRow]:
        """All monitors, by schema."""
        return list(self._session.scalars(select(QualityMonitorRow).order_by(QualityMonitorRow.schema_id)))

    def add(self, row: QualityMonitorRow | QualityResultRow) -> None:
        """Insert a row."""
        self._session.add(row)
        self._session.flush()

    def remove(self, row: QualityMonitorRow) -> None:
        """Delete a monitor; its results stay."""
        self._session.delete(row)
        self._session.flush()

    def results(self) -> list[QualityResultRow]:
        """All results, the newest first."""
        return list(self._session.scalars(select(QualityResultRow).order_by(QualityResultRow.id.desc())))

    def latest(self, table_ids: Iterable[str]) -> dict[str, QualityResultRow]:
        """The newest result of each of some tables."""
        newest = (
            select(func.max(QualityResultRow.id))
            .where(QualityResultRow.table_id.in_(list(table_ids)))
            .group_by(QualityResultRow.table_id)
        )
        rows = self._session.scalars(select(QualityResultRow).where(QualityResultRow.id.in_(newest)))
        return {row.table_id: row for row in rows}

    def forget_before(self, moment: int) -> None:
        """Delete the results from before a moment, in ms since the epoch."""
        self._session.execute(delete(QualityResultRow).where(QualityResultRow.event_time < moment))
