"""Every query on saved queries and alerts."""

from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, delete, or_, select, tuple_, update
from sqlalchemy.orm import Session

from boathouse.iam.api import Access, Principal
from boathouse.sql.models import (
    AlertEvaluationRow,
    AlertPermissionRow,
    AlertRow,
    QueryPermissionRow,
    QueryRow,
    SqlObjectRow,
    SqlPermissionRow,
)

MOST_EVALUATIONS = 100
"""That are remembered of one alert."""
Row = TypeVar("Row", bound=SqlObjectRow)


class SqlObjectRepository(Generic[Row]):
    """Objects of one kind and who may use them, in one transaction.

    Args:
        session: The transaction.
        row: The table of the objects.
        permission: The table of their permissions.
    """

    def __init__(self, session: Session, row: type[Row], permission: type[SqlPermissionRow]) -> None:
        self._session = session
        self._row = row
        self._permission = permission

    def add(self, row: Row) -> None:
        """Insert an object."""
        self._session.add(row)
        self._session.flush()

    def get(self, object_id: str, *, lock: bool = False) -> Row | None:
        """An object; with ``lock`` nobody else changes it before this transaction ends."""
        found = select(self._row).where(self._row.id == object_id)
        return self._session.scalar(found.with_for_update() if lock else found)

    def names_in(self, folder: str, but: str) -> set[str]:
        """The names of the objects of a folder, but for one's and the trashed ones'."""
        found = select(self._row.display_name).where(
            self._row.parent_path == folder, self._row.id != but, self._row.trashed_at.is_(None)
        )
        return set(self._session.scalars(found))

    def listed(
        self,
        principal: Principal,
        folders: Sequence[str],
        limit: int,
        after: tuple[int, str] | None,
        conditions: Sequence[ColumnElement[bool]] = (),
    ) -> list[Row]:
        """The objects that a principal may know of: in some folders, its own, and those that it was given; the oldest first."""
        row = self._row
        found = select(row).where(row.trashed_at.is_(None), *conditions)
        if not principal.is_admin:
            grantees = {principal.name, *principal.groups}
            given = select(self._permission.object_id).where(self._permission.grantee.in_(grantees))
            under = [
                or_(row.parent_path == one, row.parent_path.startswith(f"{one.rstrip('/')}/", autoescape=True))
                for one in folders
            ]
            found = found.where(or_(row.owner == principal.name, row.id.in_(given), *under))
        if after is not None:
            found = found.where(tuple_(row.created_at, row.id) > after)
        return list(self._session.scalars(found.order_by(row.created_at, row.id).limit(limit)))

    def purge(self, before: int) -> None:
        """Forget what was put into the trash before a moment."""
        for object_id in self._session.scalars(select(self._row.id).where(self._row.trashed_at < before)):
            self.remove(object_id)

    def remove(self, object_id: str) -> None:
        """Forget an object."""
        self._session.execute(delete(self._permission).where(self._permission.object_id == object_id))
        self._session.execute(delete(self._row).where(self._row.id == object_id))

    # ------------------------------------------------------------------------------------------------- permissions

    def access(self, object_id: str) -> tuple[Access, ...]:
        """Who was given what on an object."""
        row = self._permission
        found = select(row).where(row.object_id == object_id).order_by(row.grantee)
        return tuple(Access(one.grantee, one.kind, one.level) for one in self._session.scalars(found))

    def set_access(self, object_id: str, access: Iterable[Access]) -> None:
        """Give who was given before nothing, and others levels."""
        self._session.execute(delete(self._permission).where(self._permission.object_id == object_id))
        for one in access:
            self._session.add(self._permission(object_id=object_id, grantee=one.grantee, kind=one.kind, level=one.level))
        self._session.flush()

    def owned_by(self, name: str) -> list[Row]:
        """The objects that somebody owns."""
        found = select(self._row).where(self._row.owner == name, self._row.trashed_at.is_(None))
        return list(self._session.scalars(found))

    def rename(self, old: str, new: str) -> None:
        """A principal has a new name."""
        self._session.execute(update(self._permission).where(self._permission.grantee == old).values(grantee=new))
        self._session.execute(update(self._row).where(self._row.owner == old).values(owner=new))
        self._session.execute(update(self._row).where(self._row.modifier == old).values(modifier=new))

    def moved(self, path: str, to: str) -> None:
        """A folder of the workspace has another path."""
        under = or_(self._row.parent_path == path, self._row.parent_path.startswith(f"{path}/", autoescape=True))
        for row in self._session.scalars(select(self._row).where(under)):
            row.parent_path = to + row.parent_path.removeprefix(path)

    def forget(self, name: str) -> None:
        """A principal is gone."""
        self._session.execute(delete(self._permission).where(self._permission.grantee == name))


class QueryRepository(SqlObjectRepository[QueryRow]):
    """Saved queries."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, QueryRow, QueryPermissionRow)


class AlertRepository(SqlObjectRepository[AlertRow]):
    """Alerts and what their evaluations have found."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, AlertRow, AlertPermissionRow)

    def remove(self, object_id: str) -> None:
        """Forget an alert."""
        self._session.execute(delete(AlertEvaluationRow).where(AlertEvaluationRow.alert_id == object_id))
        super().remove(object_id)

    def owned_by(self, name: str) -> list[AlertRow]:
        """The alerts that somebody owns, or as whom they run."""
        theirs = or_(AlertRow.owner == name, AlertRow.run_as == name)
        return list(self._session.scalars(select(AlertRow).where(theirs, AlertRow.trashed_at.is_(None))))

    def rename(self, old: str, new: str) -> None:
        """A principal has a new name."""
        super().rename(old, new)
        self._session.execute(update(AlertRow).where(AlertRow.run_as == old).values(run_as=new))

    def add_evaluation(self, row: AlertEvaluationRow) -> None:
        """Remember an evaluation, and forget the oldest."""
        self._session.merge(row)
        self._session.flush()
        old: Any = (
            select(AlertEvaluationRow.run_id)
            .where(AlertEvaluationRow.alert_id == row.alert_id)
            .order_by(AlertEvaluationRow.evaluated_at.desc())
            .offset(MOST_EVALUATIONS)
        )
        for run_id in list(self._session.scalars(old)):
            self._session.execute(delete(AlertEvaluationRow).where(AlertEvaluationRow.run_id == run_id))

    def evaluations(self, alert_id: str, limit: int) -> list[AlertEvaluationRow]:
        """The last evaluations of an alert, the newest first."""
        row = AlertEvaluationRow
        found = select(row).where(row.alert_id == alert_id).order_by(row.evaluated_at.desc(), row.run_id.desc())
        return list(self._session.scalars(found.limit(limit)))
