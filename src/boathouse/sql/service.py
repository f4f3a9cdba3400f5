"""The rules of saved queries: who may see, run, change and manage them.

A query lies in a folder of the workspace and has the levels of permission that the folder gives, its owner's, and those that are given
on itself.
"""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from boathouse.iam.api import Access, AccessBody, IamService, Principal, access_of
from boathouse.kit.clock import now_ms
from boathouse.kit.ids import new_id
from boathouse.sql.errors import QueryExists, QueryInvalid, QueryNotFound, QueryPermissionMissing
from boathouse.sql.models import QueryRow
from boathouse.sql.parameters import check_parameters
from boathouse.sql.repository import QueryRepository
from boathouse.sql.schemas import ChangedQuery, NewQuery, QueryParameterBody
from boathouse.storage.layout import Layout
from boathouse.workspace.api import LEVELS, WorkspaceService

TRASH_MS = 30 * 24 * 3_600_000
"""How long a query stays in the trash."""


class QueryService:
    """Saved queries for one principal in one transaction.

    Args:
        session: The transaction.
        principal: Who asks.
        layout: The lake's folders.
    """

    def __init__(self, session: Session, principal: Principal, layout: Layout) -> None:
        self._session = session
        self._principal = principal
        self._rows = QueryRepository(session)
        self._workspace = WorkspaceService(session, principal, layout)

    def get(self, query_id: str, level: str = "CAN_READ", *, lock: bool = False) -> QueryRow:
        """A query.

        Raises:
            QueryNotFound: If there is none, or none that the asker may know of.
            QueryPermissionMissing: If the asker's level is lower.
        """
        row = self._rows.get(query_id, lock=lock)
        held = None if row is None else self._held(row)
        if row is None or held is None:
            raise QueryNotFound(query_id)
        if not LEVELS.reaches(held, level):
            raise QueryPermissionMissing(self._principal.name, query_id, level)
        return row

    def _held(self, row: QueryRow) -> str | None:
        if row.owner == self._principal.name:
            return LEVELS.names[-1]
        levels = (LEVELS.held(self._principal, self._rows.access(row.id)), self._workspace.level(row.parent_path))
        held = [one for one in levels if one is not None]
        return max(held, key=LEVELS.names.index) if held else None

    def listed(self, limit: int, after: tuple[int, str] | None) -> list[QueryRow]:
        """The queries that the asker may know of and that are not in the trash, the oldest first."""
        return self._rows.listed(self._principal, self._workspace.roots(), limit, after)

    def create(self, body: NewQuery, *, resolve_name: bool) -> QueryRow:
        """Keep a new query, which is the asker's.

        Raises:
            ObjectNotFound: If there is no such folder.
            ObjectPermissionMissing: If the asker may not add to it.
            QueryExists: If another one of the folder has the name.
        """
        check_parameters(body.parameters or ())
        folder = self._workspace.require_folder(body.parent_path or self._workspace.home_path)
        now = now_ms()
        row = QueryRow(
            id=new_id(),
            display_name=body.display_name or "New query",
            parent_path=folder,
            owner=self._principal.name,
            modifier=self._principal.name,
            settings=body.settings(),
            trashed_at=None,
            created_at=now,
            updated_at=now,
        )
        row.display_name = self._name(row, resolve=resolve_name)
        self._rows.add(row)
        return row

    def update(self, query_id: str, mask: str, body: ChangedQuery, *, resolve_name: bool) -> QueryRow:
        """Change the fields of a query that a mask names.

        Raises:
            QueryInvalid: If the mask names none, or one that is not valid.
            QueryExists: If another one of the folder has the name.
        """
        row = self.get(query_id, "CAN_EDIT", lock=True)
        known = {field.alias or name for name, field in ChangedQuery.model_fields.items()}
        wanted = {one.strip() for one in mask.split(",") if one.strip()}
        if wanted == {"*"}:
            wanted = known - ({"owner_user_name"} if body.owner_user_name is None else set())
        if not wanted or not wanted <= known:
            problem = f"is '{mask}'. Valid: * or, with commas, {', '.join(sorted(known))}."
            raise QueryInvalid("update_mask", problem)
        check_parameters(body.parameters or ())
        if "owner_user_name" in wanted:
            self.get(query_id, "CAN_MANAGE")
            row.owner = IamService(self._session).get_principal(body.owner_user_name or "").name
        if "display_name" in wanted:
            if not body.display_name:
                raise QueryInvalid("query.display_name", "is missing.")
            row.display_name = body.display_name
            row.display_name = self._name(row, resolve=resolve_name)
        given = body.settings()
        kept = {key: value for key, value in row.settings.items() if key not in wanted}
        row.settings = kept | {key: value for key, value in given.items() if key in wanted}
        row.modifier, row.updated_at = self._principal.name, max(now_ms(), row.updated_at + 1)
        return row

    def _name(self, row: QueryRow, *, resolve: bool) -> str:
        taken, name, number = self._rows.names_in(row.parent_path, row.id), row.display_name, 1
        while name in taken:
            if not resolve:
                raise QueryExists(name, row.parent_path)
            name, number = f"{row.display_name} ({number})", number + 1
        return name

    def trash(self, query_id: str) -> None:
        """Put a query into the trash, where it cannot be run and is forgotten after 30 days."""
        row = self.get(query_id, "CAN_MANAGE", lock=True)
        row.trashed_at = row.trashed_at or now_ms()
        self._rows.purge(now_ms() - TRASH_MS)

    def to_run(self, query_id: str) -> QueryRow:
        """A query that the asker is about to run.

        Raises:
            QueryNotFound: If it is in the trash, too.
        """
        row = self.get(query_id, "CAN_RUN")
        if row.trashed_at is not None:
            raise QueryNotFound(query_id)
        return row

    def access(self, query_id: str) -> list[Access]:
        """Who was given what on a query, its owner first."""
        row = self.get(query_id)
        return self._told_access(row)

    def _told_access(self, row: QueryRow) -> list[Access]:
        kind = "user_name"
        if IamService(self._session).get_principal(row.owner).kind == "service_principal":
            kind = "service_principal_name"
        given = [one for one in self._rows.access(row.id) if one.grantee != row.owner]
        return [Access(row.owner, kind, LEVELS.names[-1]), *given]

    def set_access(self, query_id: str, changes: Sequence[AccessBody], *, replace: bool) -> list[Access]:
        """Give levels on a query; with ``replace``, those that are not named go.

        Raises:
            InvalidParameterValue: If a level is none, or an entry names nobody.
            PrincipalNotFound: If a grantee is nobody.
        """
        row = self.get(query_id, "CAN_MANAGE", lock=True)
        held = () if replace else self._rows.access(query_id)
        wanted = {one.grantee: one for one in (*held, *access_of(self._session, LEVELS, changes))}
        self._rows.set_access(query_id, wanted.values())
        return self._told_access(row)


def parameters_of(row: QueryRow) -> list[QueryParameterBody]:
    """The parameters of a query."""
    return [QueryParameterBody.model_validate(one) for one in row.settings.get("parameters") or ()]
