"""Every query on the workspace."""

from collections.abc import Collection, Sequence

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from boathouse.db.inserts import insert_of
from boathouse.kit.clock import now_ms
from boathouse.workspace.models import ObjectPermissionRow, ObjectRow, RepoRow


class WorkspaceRepository:
    """Objects and their permissions in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def at(self, path: str) -> ObjectRow | None:
        """The object at a path."""
        return self._session.scalar(select(ObjectRow).where(ObjectRow.path == path))

    def by_id(self, object_id: int) -> ObjectRow | None:
        """The object with an identifier."""
        return self._session.get(ObjectRow, object_id)

    def identified(self, paths: Collection[str], created_by: str | None = None) -> dict[str, ObjectRow]:
        """The objects at some paths; those that are new get an identifier."""
        found = self._at(paths)
        new = sorted(path for path in paths if path not in found)
        if not new:
            return found
        # Others may give one to the same at this moment.
        insert = insert_of(self._session.get_bind().dialect.name, ObjectRow)
        rows = [{"path": path, "created_at": now_ms(), "created_by": created_by} for path in new]
        self._session.execute(insert.on_conflict_do_nothing(index_elements=[ObjectRow.path]), rows)
        return found | self._at(new)

    def _at(self, paths: Collection[str]) -> dict[str, ObjectRow]:
        wanted = list(paths)
        found: dict[str, ObjectRow] = {}
        for first in range(0, len(wanted), 500):
            query = select(ObjectRow).where(ObjectRow.path.in_(wanted[first : first + 500]))
            found |= {row.path: row for row in self._session.scalars(query)}
        return found

    def forget(self, path: str) -> None:
        """Nothing is at a path and below it any more: its permissions and comments go with it."""
        gone = select(ObjectRow.id).where(_under(path))
        self.clear_under(path)
        self._session.execute(delete(RepoRow).where(RepoRow.object_id.in_(gone)))
        self._session.execute(delete(ObjectRow).where(_under(path)))

    def clear_under(self, path: str) -> None:
        """Take all levels away on what is at a path and below it."""
        under = select(ObjectRow.id).where(_under(path))
        self._session.execute(delete(ObjectPermissionRow).where(ObjectPermissionRow.object_id.in_(under)))

    def move(self, path: str, to: str) -> None:
        """What is at a path and below it is at another one now."""
        self.forget(to)
        moved = to + func.substr(ObjectRow.path, len(path) + 1)
        self._session.execute(update(ObjectRow).where(_under(path)).values(path=moved))

    # -------------------------------------------------------------------------------------------------- git folders

    def repo(self, object_id: int) -> tuple[RepoRow, str] | None:
        """The git folder with an identifier, and its path."""
        query = select(RepoRow, ObjectRow.path).join(ObjectRow, ObjectRow.id == RepoRow.object_id)
        found = self._session.execute(query.where(RepoRow.object_id == object_id)).first()
        return None if found is None else (found[0], found[1])

    def repos(self, path: str) -> list[tuple[RepoRow, str]]:
        """The git folders at and below a path, by theirs."""
        query = select(RepoRow, ObjectRow.path).join(ObjectRow, ObjectRow.id == RepoRow.object_id)
        rows = self._session.execute(query.where(_under(path)).order_by(ObjectRow.path))
        return [(row, found) for row, found in rows]

    def holds_repo(self, paths: Sequence[str]) -> bool:
        """Whether one of some paths is a git folder's."""
        query = select(RepoRow.object_id).join(ObjectRow, ObjectRow.id == RepoRow.object_id)
        return self._session.scalar(query.where(ObjectRow.path.in_(paths)).limit(1)) is not None

    def which_are_repos(self, object_ids: Sequence[int]) -> set[int]:
        """Those of some objects that are git folders."""
        found: set[int] = set()
        for first in range(0, len(object_ids), 500):
            query = select(RepoRow.object_id).where(RepoRow.object_id.in_(object_ids[first : first + 500]))
            found |= set(self._session.scalars(query))
        return found

    # ------------------------------------------------------------------------------------------------- permissions

    def granted(self, grantees: Sequence[str]) -> list[tuple[str, str]]:
        """Paths and levels that some grantees have."""
        query = select(ObjectRow.path, ObjectPermissionRow.level).join(ObjectRow, ObjectRow.id == ObjectPermissionRow.object_id)
        rows = self._session.execute(query.where(ObjectPermissionRow.grantee.in_(grantees)))
        return [(path, level) for path, level in rows]

    def permissions(self, paths: Sequence[str]) -> dict[str, list[ObjectPermissionRow]]:
        """The permissions on the objects at some paths, by path and grantee."""
        query = select(ObjectRow.path, ObjectPermissionRow).join(ObjectRow, ObjectRow.id == ObjectPermissionRow.object_id)
        found: dict[str, list[ObjectPermissionRow]] = {path: [] for path in paths}
        rows = self._session.execute(query.where(ObjectRow.path.in_(paths)).order_by(ObjectPermissionRow.grantee))
        for path, row in rows:
            found[path].append(row)
        return found

    def permit(self, row: ObjectPermissionRow) -> None:
        """Give a level."""
        self._session.merge(row)
        self._session.flush()

    def clear(self, object_id: int) -> None:
        """Take all levels on an object away."""
        self._session.execute(delete(ObjectPermissionRow).where(ObjectPermissionRow.object_id == object_id))

    def rename_principal(self, old: str, new: str) -> None:
        """A principal has a new name."""
        self._session.execute(update(ObjectPermissionRow).where(ObjectPermissionRow.grantee == old).values(grantee=new))

    def remove_permissions_of(self, name: str) -> None:
        """A principal is gone."""
        self._session.execute(delete(ObjectPermissionRow).where(ObjectPermissionRow.grantee == name))


def _under(path: str) -> ColumnElement[bool]:
    return or_(ObjectRow.path == path, ObjectRow.path.startswith(f"{path.rstrip('/')}/", autoescape=True))
