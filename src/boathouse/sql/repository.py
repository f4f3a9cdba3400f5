"""Every query on saved queries."""

from collections.abc import Iterable, Sequence

from sqlalchemy import delete, or_, select, tuple_, update
from sqlalchemy.orm import Session

from boathouse.iam.api import Access, Principal
from boathouse.sql.models import QueryPermissionRow, QueryRow


class QueryRepository:
    """Saved queries and who may use them in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, row: QueryRow) -> None:
        """Insert a query."""
        self._session.add(row)
        self._session.flush()

    def get(self, query_id: str, *, lock: bool = False) -> QueryRow | None:
        """A query; with ``lock`` nobody else changes it before this transaction ends."""
        found = select(QueryRow).where(QueryRow.id == query_id)
        return self._session.scalar(found.with_for_update() if lock else found)

    def names_in(self, folder: str, but: str) -> set[str]:
        """The names of the queries of a folder, but for one's and the trashed ones'."""
        found = select(QueryRow.display_name).where(
            QueryRow.parent_path == folder, QueryRow.id != but, QueryRow.trashed_at.is_(None)
        )
        return set(self._session.scalars(found))

    def listed(self, principal: Principal, folders: Sequence[str], limit: int, after: tuple[int, str] | None) -> list[QueryRow]:
        """The queries that a principal may know of: in some folders, its own, and those that it was given; the oldest first."""
        found = select(QueryRow).where(QueryRow.trashed_at.is_(None))
        if not principal.is_admin:
            grantees = {principal.name, *principal.groups}
            given = select(QueryPermissionRow.query_id).where(QueryPermissionRow.grantee.in_(grantees))
            under = [
                or_(QueryRow.parent_path == one, QueryRow.parent_path.startswith(f"{one.rstrip('/')}/", autoescape=True))
                for one in folders
            ]
            found = found.where(or_(QueryRow.owner == principal.name, QueryRow.id.in_(given), *under))
        if after is not None:
            found = found.where(tuple_(QueryRow.created_at, QueryRow.id) > after)
        return list(self._session.scalars(found.order_by(QueryRow.created_at, QueryRow.id).limit(limit)))

    def purge(self, before: int) -> None:
        """Forget what was put into the trash before a moment."""
        old = select(QueryRow.id).where(QueryRow.trashed_at < before)
        self._session.execute(delete(QueryPermissionRow).where(QueryPermissionRow.query_id.in_(old)))
        self._session.execute(delete(QueryRow).where(QueryRow.trashed_at < before))

    # ------------------------------------------------------------------------------------------------- permissions

    def access(self, query_id: str) -> tuple[Access, ...]:
        """Who was given what on a query."""
        found = select(QueryPermissionRow).where(QueryPermissionRow.query_id == query_id).order_by(QueryPermissionRow.grantee)
        return tuple(Access(one.grantee, one.kind, one.level) for one in self._session.scalars(found))

    def set_access(self, query_id: str, access: Iterable[Access]) -> None:
        """Give who was given before nothing, and others levels."""
        self._session.execute(delete(QueryPermissionRow).where(QueryPermissionRow.query_id == query_id))
        for one in access:
            self._session.add(QueryPermissionRow(query_id=query_id, grantee=one.grantee, kind=one.kind, level=one.level))
        self._session.flush()

    def owned_by(self, name: str) -> list[QueryRow]:
        """The queries that somebody owns."""
        found = select(QueryRow).where(QueryRow.owner == name, QueryRow.trashed_at.is_(None))
        return list(self._session.scalars(found))

    def rename(self, old: str, new: str) -> None:
        """A principal has a new name."""
        self._session.execute(update(QueryPermissionRow).where(QueryPermissionRow.grantee == old).values(grantee=new))
        self._session.execute(update(QueryRow).where(QueryRow.owner == old).values(owner=new))
        self._session.execute(update(QueryRow).where(QueryRow.modifier == old).values(modifier=new))

    def moved(self, path: str, to: str) -> None:
        """A folder of the workspace has another path."""
        under = or_(QueryRow.parent_path == path, QueryRow.parent_path.startswith(f"{path}/", autoescape=True))
        for row in self._session.scalars(select(QueryRow).where(under)):
            row.parent_path = to + row.parent_path.removeprefix(path)

    def forget(self, name: str) -> None:
        """A principal is gone."""
        self._session.execute(delete(QueryPermissionRow).where(QueryPermissionRow.grantee == name))
