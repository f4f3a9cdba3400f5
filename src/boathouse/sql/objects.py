"""What holds for saved queries and for alerts: who may see, run, change and manage them.

Each lies in a folder of the workspace and has the levels of permission that the folder gives, its owner's, and those that are given
on itself.
"""

from collections.abc import Sequence
from typing import Any, Generic

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from boathouse.iam.api import Access, AccessBody, IamService, Principal, access_of
from boathouse.kit.clock import now_ms
from boathouse.kit.ids import new_id
from boathouse.sql.errors import ObjectExists, ObjectInvalid, ObjectNotFound, ObjectPermissionMissing
from boathouse.sql.repository import Row, SqlObjectRepository
from boathouse.storage.layout import Layout
from boathouse.workspace.api import LEVELS, WorkspaceService

TRASH_MS = 30 * 24 * 3_600_000
"""How long one stays in the trash."""


class SqlObjects(Generic[Row]):
    """Objects of one kind for one principal in one transaction.

    Args:
        session: The transaction.
        principal: Who asks.
        layout: The lake's folders.
        rows: Of the kind.
        noun: What one is called.
    """

    def __init__(
        self, session: Session, principal: Principal, layout: Layout, rows: SqlObjectRepository[Row], noun: str
    ) -> None:
        self._session = session
        self._principal = principal
        self._objects = rows
        self._noun = noun
        self._workspace = WorkspaceService(session, principal, layout)

    def get(self, object_id: str, level: str = "CAN_READ", *, lock: bool = False) -> Row:
        """An object.

        Raises:
            ObjectNotFound: If there is none, or none that the asker may know of.
            ObjectPermissionMissing: If the asker's level is lower.
        """
        row = self._objects.get(object_id, lock=lock)
        held = None if row is None else self.level(row)
        if row is None or held is None:
            raise ObjectNotFound(self._noun, object_id)
        if not LEVELS.reaches(held, level):
            raise ObjectPermissionMissing(self._principal.name, self._noun, object_id, level)
        return row

    def level(self, row: Row) -> str | None:
        """The asker's level on an object."""
        if row.owner == self._principal.name:
            return LEVELS.names[-1]
        levels = (LEVELS.held(self._principal, self._objects.access(row.id)), self._workspace.level(row.parent_path))
        held = [one for one in levels if one is not None]
        return max(held, key=LEVELS.names.index) if held else None

    def listed(self, limit: int, after: tuple[int, str] | None, conditions: Sequence[ColumnElement[bool]] = ()) -> list[Row]:
        """The objects that the asker may know of and that are not in the trash, the oldest first."""
        return self._objects.listed(self._principal, self._workspace.roots(), limit, after, conditions)

    def new(self, parent_path: str | None, name: str, settings: dict[str, Any]) -> dict[str, Any]:
        """The columns of a new object, which is the asker's.

        Raises:
            ObjectNotFound: If there is no such folder.
            ObjectPermissionMissing: If the asker may not add to it.
        """
        now, asker = now_ms(), self._principal.name
        return {
            "id": new_id(),
            "display_name": name,
            "parent_path": self._workspace.require_folder(parent_path or self._workspace.home_path),
            "owner": asker,
            "modifier": asker,
            "settings": settings,
            "trashed_at": None,
            "created_at": now,
            "updated_at": now,
        }

    def masked(self, mask: str, known: set[str], unless: set[str]) -> set[str]:
        """The fields that a mask names; ``*`` names all but some.

        Raises:
            ObjectInvalid: If it names none, or one that is not valid.
        """
        wanted = {one.strip() for one in mask.split(",") if one.strip()}
        if wanted == {"*"}:
            return known - unless
        if not wanted or not wanted <= known:
            raise ObjectInvalid("update_mask", f"is '{mask}'. Valid: * or, with commas, {', '.join(sorted(known))}.")
        return wanted

    def set_owner(self, row: Row, name: str | None) -> None:
        """Give an object to somebody (CAN_MANAGE)."""
        self.get(row.id, "CAN_MANAGE")
        row.owner = IamService(self._session).get_principal(name or "").name

    def set_name(self, row: Row, name: str | None, *, resolve: bool) -> None:
        """Give an object a name that no other one of its folder has.

        Raises:
            ObjectInvalid: If it is none.
            ObjectExists: If another one has it, and none like it is to be found.
        """
        if not name:
            raise ObjectInvalid(f"{self._noun}.display_name", "is missing.")
        taken, found, number = self._objects.names_in(row.parent_path, row.id), name, 1
        while found in taken:
            if not resolve:
                raise ObjectExists(self._noun, name, row.parent_path)
            found, number = f"{name} ({number})", number + 1
        row.display_name = found

    def changed(self, row: Row, wanted: set[str], given: dict[str, Any]) -> None:
        """Record that the asker has changed some settings of an object."""
        kept = {key: value for key, value in row.settings.items() if key not in wanted}
        row.settings = kept | {key: value for key, value in given.items() if key in wanted}
        row.modifier, row.updated_at = self._principal.name, max(now_ms(), row.updated_at + 1)

    def trash(self, object_id: str) -> None:
        """Put an object into the trash, where it cannot be run and is forgotten after 30 days."""
        row = self.get(object_id, "CAN_MANAGE", lock=True)
        row.trashed_at = row.trashed_at or now_ms()
        self._objects.purge(now_ms() - TRASH_MS)

    def to_run(self, object_id: str) -> Row:
        """An object that the asker is about to run.

        Raises:
            ObjectNotFound: If it is in the trash, too.
        """
        row = self.get(object_id, "CAN_RUN")
        if row.trashed_at is not None:
            raise ObjectNotFound(self._noun, object_id)
        return row

    def access(self, object_id: str) -> list[Access]:
        """Who was given what on an object, its owner first."""
        return self._told_access(self.get(object_id))

    def _told_access(self, row: Row) -> list[Access]:
        kind = "user_name"
        if IamService(self._session).get_principal(row.owner).kind == "service_principal":
            kind = "service_principal_name"
        given = [one for one in self._objects.access(row.id) if one.grantee != row.owner]
        return [Access(row.owner, kind, LEVELS.names[-1]), *given]

    def set_access(self, object_id: str, changes: Sequence[AccessBody], *, replace: bool) -> list[Access]:
        """Give levels on an object; with ``replace``, those that are not named go.

        Raises:
            InvalidParameterValue: If a level is none, or an entry names nobody.
            PrincipalNotFound: If a grantee is nobody.
        """
        row = self.get(object_id, "CAN_MANAGE", lock=True)
        held = () if replace else self._objects.access(object_id)
        wanted = {one.grantee: one for one in (*held, *access_of(self._session, LEVELS, changes))}
        self._objects.set_access(object_id, wanted.values())
        return self._told_access(row)
