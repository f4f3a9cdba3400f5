"""What all use cases of the catalog share: names, look-ups and new rows."""

import re
import shutil
from functools import partial
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from boathouse.catalog.access import Access
from boathouse.catalog.errors import InvalidName, PrivilegeMissing, SecurableExists, SecurableNotFound, term
from boathouse.catalog.info import SecurableInfo, securable_info
from boathouse.catalog.models import METASTORE_ID, SecurableRow
from boathouse.catalog.privileges import Privilege, SecurableType
from boathouse.catalog.repository import CatalogRepository
from boathouse.errors import InvalidParameterValue
from boathouse.iam.api import IamService, Principal
from boathouse.iam.errors import PrincipalNotFound
from boathouse.kit.clock import now_ms
from boathouse.kit.ids import new_id
from boathouse.storage.layout import Layout
from boathouse.storage.paths import from_url

_FORBIDDEN = re.compile(r"[./\s\x00-\x1f\x7f`'\"\\]")
_LEVELS = {
    SecurableType.METASTORE: 0,
    SecurableType.CATALOG: 1,
    SecurableType.EXTERNAL_LOCATION: 1,
    SecurableType.STORAGE_CREDENTIAL: 1,
    SecurableType.CONNECTION: 1,
    SecurableType.SCHEMA: 2,
}


class CatalogBase:
    """A principal's view of the securables in one transaction."""

    def __init__(self, session: Session, principal: Principal, layout: Layout) -> None:
        self.session = session
        self.principal = principal
        self.layout = layout
        self.rows = CatalogRepository(session)
        self.access = Access(self.rows, principal)

    def find_row(self, kind: SecurableType, full_name: str) -> SecurableRow:
        """The row of a name.

        Raises:
            SecurableNotFound: If there is none; it names the first part of the path that is missing.
        """
        row = self.rows.metastore() if kind is SecurableType.METASTORE else self.rows.find(kind, full_name)
        if row is not None and not self.access.hides(row.full_name):
            return row
        parts = full_name.split(".")
        levels = _LEVELS.get(kind, 3)
        if len(parts) != levels or not all(parts):
            shape = "name" if levels == 1 else ".".join(("catalog", "schema", "name")[:levels])
            raise InvalidName(full_name, f"a {term(kind)} is named {shape}.")
        for level, parent in ((1, SecurableType.CATALOG), (2, SecurableType.SCHEMA)):
            if level < levels and self.rows.find(parent, ".".join(parts[:level])) is None:
                raise SecurableNotFound(parent, ".".join(parts[:level]))
        raise SecurableNotFound(kind, full_name)

    def kind_of(self, text: str, full_name: str) -> SecurableType:
        """The kind that a word names; a registered model goes by ``function`` too, as in Unity Catalog.

        Raises:
            InvalidParameterValue: If there is no such kind.
        """
        kind = SecurableType.parse(text)
        if kind is None:
            message = f"The securable type '{text}' is not valid. Valid: {', '.join(kind.value for kind in SecurableType)}."
            raise InvalidParameterValue(message, field="securable_type")
        is_model = kind is SecurableType.FUNCTION and self.rows.find(SecurableType.FUNCTION, full_name) is None
        return SecurableType.MODEL if is_model and self.rows.find(SecurableType.MODEL, full_name) is not None else kind

    def reach(self, kind: SecurableType, full_name: str, privilege: Privilege | None) -> SecurableRow:
        """The row of a name, if the principal has a privilege on it; without one, if it may know of it at all."""
        row = self.find_row(kind, full_name)
        if privilege is not None:
            self.access.require(row, privilege)
        elif row.parent_id is not None:
            parent = self.rows.by_id(row.parent_id)
            if parent is not None and not self.access.visible(parent, [row]):
                use = {SecurableType.CATALOG: Privilege.USE_CATALOG, SecurableType.SCHEMA: Privilege.USE_SCHEMA}
                missing = self.access.missing_use(parent)
                needed, on = missing or (use.get(kind, Privilege.BROWSE), row)
                raise PrivilegeMissing(self.principal.name, needed, SecurableType(on.type), on.full_name)
        return row

    @staticmethod
    def check_name(name: str) -> str:
        """A name in lower case, if it is one.

        Raises:
            InvalidName: If it is empty, too long, or has a character that names cannot have.
        """
        name = name.lower()
        if not name or len(name) > 255 or _FORBIDDEN.search(name) or not name.isprintable():
            raise InvalidName(
                name, "use 1 to 255 characters without dots, slashes, blanks, quotes and characters that are not shown."
            )
        return name

    def new_row(
        self, securable: SecurableType, parent: SecurableRow, name: str, *, row_id: str | None = None, **values: Any
    ) -> SecurableRow:
        """Insert a securable that the principal owns.

        Raises:
            InvalidName: If the name is empty, too long, or has a character that names cannot have.
            SecurableExists: If the name is taken.
        """
        name = self.check_name(name)
        full_name = name if parent.id == METASTORE_ID else f"{parent.full_name}.{name}"
        if self.rows.find(securable, full_name) is not None:
            raise SecurableExists(securable, full_name)
        now = now_ms()
        defaults: dict[str, Any] = {
            "comment": None,
            "properties": {},
            "kind": None,
            "format": None,
            "location": None,
            "details": {},
        }
        row = SecurableRow(
            id=row_id or new_id(),
            parent_id=parent.id,
            type=securable.value,
            name=name,
            full_name=full_name,
            owner=self.principal.name,
            created_at=now,
            created_by=self.principal.name,
            updated_at=now,
            updated_by=self.principal.name,
            **({"columns": []} | defaults | values),
        )
        self.rows.add(row)
        return row

    def grantee(self, name: str) -> str:
        """The name of whom a grant or an owner means, as it is written here: case does not matter.

        Raises:
            PrincipalNotFound: If there is nobody of the name.
        """
        found = IamService(self.session).grantee(name)
        if found is None:
            raise PrincipalNotFound(name)
        return found

    def touch(self, row: SecurableRow) -> None:
        """Note who changed a securable, and when."""
        row.updated_at, row.updated_by = now_ms(), self.principal.name

    def change(
        self,
        row: SecurableRow,
        *,
        owner: str | None = None,
        comment: str | None = None,
        properties: dict[str, str] | None = None,
    ) -> SecurableInfo:
        """Change what every securable has; what is None stays.

        Raises:
            PrivilegeMissing: Without MANAGE.
            PrincipalNotFound: If the new owner is nobody.
        """
        self.access.require(row, Privilege.MANAGE)
        if owner is not None:
            row.owner = self.grantee(owner)
        if comment is not None:
            row.comment = comment
        if properties is not None:
            row.properties = properties
        self.touch(row)
        return securable_info(row)

    def after_commit(self, action: Any) -> None:
        """Do something to files once the transaction has been committed, and not at all if it is not."""
        event.listen(self.session, "after_commit", lambda _session: action(), once=True)

    def remove_files(self, location: str) -> None:
        """Remove a managed folder of the lake once the transaction has been committed."""
        self.after_commit(partial(shutil.rmtree, from_url(location), ignore_errors=True))
