"""Every query on monitors of tables and their refreshes."""

from collections.abc import Iterable

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from boathouse.kit.clock import now_ms
from boathouse.monitoring.models import MonitorRefreshRow, TableMonitorRow

KEPT_REFRESHES = 100


class ProfileRepository:
    """Monitors and refreshes in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def monitor(self, table_id: str, *, lock: bool = False) -> TableMonitorRow | None:
        """The monitor of a table."""
        return self._session.get(TableMonitorRow, table_id, with_for_update=lock or None)

    def monitors(self) -> list[TableMonitorRow]:
        """All monitors."""
        return list(self._session.scalars(select(TableMonitorRow).order_by(TableMonitorRow.table_id)))

    def due(self, now: int) -> list[TableMonitorRow]:
        """The monitors whose time has come."""
        query = select(TableMonitorRow).where(TableMonitorRow.due_at <= now).with_for_update(skip_locked=True)
        return list(self._session.scalars(query))

    def is_anything_to_do(self, now: int) -> bool:
        """Whether a monitor is due or a refresh waits."""
        due = select(TableMonitorRow.table_id).where(TableMonitorRow.due_at <= now).limit(1)
        waiting = select(MonitorRefreshRow.id).where(MonitorRefreshRow.state == "PENDING").limit(1)
        return self._session.scalar(due) is not None or self._session.scalar(waiting) is not None

    def add(self, row: TableMonitorRow | MonitorRefreshRow) -> None:
        """Insert a row. A refresh has a number that none has had, also of a monitor that is gone: its process may still run."""
        if isinstance(row, MonitorRefreshRow) and self._session.get_bind().dialect.name == "sqlite":
            # SQLite would give the last one's again once that is deleted.
            last = self._session.scalar(select(func.max(MonitorRefreshRow.id))) or 0
            row.id = max(last + 1, now_ms())
        self._session.add(row)
        self._session.flush()

    def remove(self, row: TableMonitorRow) -> None:
        """Delete a monitor with its refreshes."""
        self._session.delete(row)
        self._session.flush()

    def refresh(self, refresh_id: int) -> MonitorRefreshRow | None:
        """A refresh by its number."""
        return self._session.get(MonitorRefreshRow, refresh_id)

    def refreshes(self, table_id: str, limit: int = KEPT_REFRESHES) -> list[MonitorRefreshRow]:
        """The refreshes of a table's monitor, the newest first."""
        query = select(MonitorRefreshRow).where(MonitorRefreshRow.table_id == table_id)
        return list(self._session.scalars(query.order_by(MonitorRefreshRow.id.desc()).limit(limit)))

    def waiting_of(self, table_id: str) -> MonitorRefreshRow | None:
        """The refresh of a monitor that has not begun yet."""
        query = select(MonitorRefreshRow).where(MonitorRefreshRow.table_id == table_id, MonitorRefreshRow.state == "PENDING")
        return self._session.scalar(query.limit(1))

    def claim(self, worker: str, limit: int) -> list[MonitorRefreshRow]:
        """Take the oldest refreshes that can begin: of a monitor no other one runs."""
        busy = select(MonitorRefreshRow.table_id).where(MonitorRefreshRow.running.is_(True))
        query = (
            select(MonitorRefreshRow)
            .where(MonitorRefreshRow.state == "PENDING", MonitorRefreshRow.table_id.not_in(busy))
            .order_by(MonitorRefreshRow.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        rows = list(self._session.scalars(query))
        for row in rows:
            row.state, row.running, row.worker = "RUNNING", True, worker
        self._session.flush()
        return rows

    def running(self) -> Iterable[MonitorRefreshRow]:
        """The refreshes that run, wherever."""
        return list(self._session.scalars(select(MonitorRefreshRow).where(MonitorRefreshRow.running.is_(True))))

    def give_up(self, refresh_id: int, now: int) -> bool:
        """Cancel a refresh that has not begun; whether there was one."""
        query = (
            update(MonitorRefreshRow)
            .where(MonitorRefreshRow.id == refresh_id, MonitorRefreshRow.state == "PENDING")
            .values(state="CANCELED", ended_at=now, message="Canceled before it began.")
        )
        return bool(self._session.connection().execute(query).rowcount)
