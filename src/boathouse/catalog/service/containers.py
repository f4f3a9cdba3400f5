"""Catalogs and schemas."""

from collections.abc import Mapping, Sequence
from typing import Any

from boathouse.catalog.errors import FunctionInUse, InvalidName, NotEmpty, SecurableNotFound
from boathouse.catalog.info import SecurableInfo, securable_info, table_info, with_policies
from boathouse.catalog.models import METASTORE_ID, SecurableRow
from boathouse.catalog.private import PREFIX
from boathouse.catalog.privileges import Privilege, SecurableType
from boathouse.catalog.service.base import CatalogBase
from boathouse.iam.api import ACCOUNT_USERS
from boathouse.kit.clock import now_ms

DEFAULT_CATALOG = "main"
DEFAULT_SCHEMA = "default"
RESERVED = {SecurableType.CATALOG: "system", SecurableType.SCHEMA: "information_schema"}
"""Names whose contents the server itself answers."""


def check_reserved(kind: SecurableType, name: str) -> None:
    """Go on only with a name that is not the server's own.

    Raises:
        InvalidName: If it is.
    """
    if RESERVED.get(kind) == name.lower() or (kind is SecurableType.SCHEMA and name.lower().startswith(PREFIX)):
        raise InvalidName(name, f"the {kind.value} of this name is the server's own. Choose another.")


class Containers(CatalogBase):
    """What holds other securables."""

    def ensure_defaults(self) -> None:
        """Make the metastore and the catalog ``main`` of a new lake; all users may enter it."""
        if self.rows.metastore() is not None:
            return
        now, name = now_ms(), self.principal.name
        root = SecurableRow(
            id=METASTORE_ID,
            parent_id=None,
            type=SecurableType.METASTORE.value,
            name="metastore",
            full_name="metastore",
            owner=name,
            comment=None,
            properties={},
            kind=None,
            format=None,
            location=None,
            columns=[],
            details={},
            created_at=now,
            created_by=name,
            updated_at=now,
            updated_by=name,
        )
        self.rows.add(root)
        catalog = self.new_row(SecurableType.CATALOG, root, DEFAULT_CATALOG, comment="The first catalog")
        self.new_row(SecurableType.SCHEMA, catalog, DEFAULT_SCHEMA, comment="Where unqualified names go")
        self.rows.add_grant(catalog.id, ACCOUNT_USERS, Privilege.USE_CATALOG.value)

    def create_catalog(
        self, name: str, *, comment: str | None = None, properties: dict[str, str] | None = None
    ) -> SecurableInfo:
        """Make a catalog with its schema ``default``. Needs CREATE CATALOG on the metastore."""
        root = self.find_row(SecurableType.METASTORE, "metastore")
        self.access.require(root, Privilege.CREATE_CATALOG)
        check_reserved(SecurableType.CATALOG, name)
        row = self.new_row(SecurableType.CATALOG, root, name, comment=comment, properties=properties or {})
        self.new_row(SecurableType.SCHEMA, row, DEFAULT_SCHEMA)
        return securable_info(row)

    def create_schema(
        self, catalog: str, name: str, *, comment: str | None = None, properties: dict[str, str] | None = None
    ) -> SecurableInfo:
        """Make a schema. Needs CREATE SCHEMA on its catalog; for what is private to the pipeline itself, USE CATALOG."""
        own = self.access.is_own(f"{catalog}.{name}".lower())
        parent = self.reach(SecurableType.CATALOG, catalog, Privilege.USE_CATALOG if own else Privilege.CREATE_SCHEMA)
        if not own:
            check_reserved(SecurableType.SCHEMA, name)
        row = self.new_row(SecurableType.SCHEMA, parent, name, comment=comment, properties=properties or {})
        return securable_info(row)

    def get_container(self, kind: SecurableType, full_name: str) -> SecurableInfo:
        """A catalog or schema that the principal may know of."""
        return securable_info(self.reach(kind, full_name, None))

    def list_catalogs(self, *, browse: bool = True) -> list[SecurableInfo]:
        """The catalogs that the principal may know of; ``browse``: whether BROWSE is enough."""
        root = self.find_row(SecurableType.METASTORE, "metastore")
        rows = self.rows.children(root.id, SecurableType.CATALOG)
        return [securable_info(row) for row in self.access.visible(root, rows, browse=browse)]

    def list_schemas(self, catalog: str, *, browse: bool = True) -> list[SecurableInfo]:
        """The schemas of a catalog that the principal may know of; ``browse``: whether BROWSE is enough."""
        parent = self.reach(SecurableType.CATALOG, catalog, None)
        rows = self.rows.children(parent.id, SecurableType.SCHEMA)
        return [securable_info(row) for row in self.access.visible(parent, rows, browse=browse)]

    def metastore(self) -> SecurableInfo:
        """The root of all securables; everybody may know of it."""
        return securable_info(self.find_row(SecurableType.METASTORE, "metastore"))

    def browse_only(self, kind: SecurableType, full_name: str, infos: Sequence[SecurableInfo]) -> set[str]:
        """Identifiers of those securables in a container that the principal may know of by BROWSE alone."""
        if self.principal.is_admin or not infos:
            return set()
        rows = [row for info in infos if (row := self.rows.by_id(info.id)) is not None]
        return self.access.browse_only(self.find_row(kind, full_name), rows)

    def update(
        self,
        kind: SecurableType,
        full_name: str,
        *,
        owner: str | None = None,
        comment: str | None = None,
        properties: dict[str, str] | None = None,
    ) -> SecurableInfo:
        """Change a securable's owner, comment or properties. Needs MANAGE; None leaves a value as it is."""
        row = self.find_row(kind, full_name)
        return self.change(row, owner=owner, comment=comment, properties=properties)

    def delete_container(self, kind: SecurableType, full_name: str, *, force: bool = False) -> None:
        """Delete a catalog or schema; with force, all that is in it too, its managed files included.

        Raises:
            NotEmpty: If it holds something and force is not set.
            FunctionInUse: If a function in it is a row filter or column mask of a table elsewhere.
            PrivilegeMissing: Without MANAGE.
        """
        row = self.find_row(kind, full_name)
        self.access.require(row, Privilege.MANAGE)
        contents = self.rows.descendants(row)
        holding = [item for item in contents if item.full_name != f"{row.full_name}.{DEFAULT_SCHEMA}"]
        if kind is SecurableType.SCHEMA:
            holding = contents
        if holding and not force:
            raise NotEmpty(kind, row.full_name, len(holding))
        functions = [item.full_name for item in contents if item.type == SecurableType.FUNCTION]
        self.refuse_if_bound_outside(functions, inside=row.full_name)
        self.unbind_dropped(functions)
        self._release_keys_to(row, contents)
        for item in contents:
            if item.kind == "MANAGED" and item.location:
                self.remove_files(item.location)
            if item.type == SecurableType.MODEL:
                self.rows.note_model_change(item.full_name, None)
        schemas = [item.id for item in [row, *contents] if item.type == SecurableType.SCHEMA]
        for dropped in self.rows.dropped_in(schemas):
            if dropped.snapshot["kind"] == "MANAGED":
                self.remove_files(dropped.snapshot["location"])
        self.rows.remove(row)

    def _release_keys_to(self, container: SecurableRow, contents: Sequence[SecurableRow]) -> None:
        """Take off the foreign keys elsewhere that point to tables that go with their container."""
        gone = {item.full_name for item in contents if item.type == SecurableType.TABLE}
        for other in self.rows.with_foreign_keys() if gone else ():
            kept = [
                one
                for one in other.details["constraints"]
                if one.get("foreign_key_constraint", {}).get("parent_table") not in gone
            ]
            if len(kept) != len(other.details["constraints"]) and not other.full_name.startswith(f"{container.full_name}."):
                other.details = {**other.details, "constraints": kept}
                self.touch(other)

    def refuse_if_bound_outside(self, functions: Sequence[str], *, inside: str) -> None:
        """Go on only if no row filter or column mask of a table elsewhere is one of some functions.

        Args:
            functions: Full names.
            inside: Full name of the container whose tables do not count; empty: all count.

        Raises:
            FunctionInUse: If one is.
        """
        gone = set(functions)
        for row in self.rows.with_policies() if gone else ():
            table = table_info(row)
            policies = [*table.column_masks.values(), *([table.row_filter] if table.row_filter else [])]
            used = next((policy.function_name for policy in policies if policy.function_name in gone), None)
            if used is not None and not (inside and row.full_name.startswith(f"{inside}.")):
                raise FunctionInUse(used, table.full_name)

    def unbind_dropped(self, functions: Sequence[str]) -> None:
        """Let policies of dropped tables name no function that is gone: another of its name must not take its place.

        A table that comes back is not read until its policy is taken off or bound anew.
        """
        gone = set(functions)

        def policy(recorded: Mapping[str, Any]) -> dict[str, Any]:
            name = recorded["function_name"]
            return {**recorded, "function_name": f"{name} (dropped)" if name in gone else name}

        for dropped in self.rows.all_dropped() if gone else ():
            details = with_policies(dropped.snapshot["details"], policy)
            if details != dropped.snapshot["details"]:
                dropped.snapshot = {**dropped.snapshot, "details": details}

    def delete_private(self) -> None:
        """Delete what is private to the pipeline that the principal acts for, in every catalog."""
        for row in self.rows.of_type(SecurableType.SCHEMA):
            if self.access.is_own(row.full_name):
                self.delete_container(SecurableType.SCHEMA, row.full_name, force=True)

    def container_of(self, full_name: str, privilege: Privilege) -> SecurableRow:
        """The schema that a three-level name lies in, if the principal has a privilege on it.

        Raises:
            SecurableNotFound: If the catalog or the schema is missing.
        """
        catalog, _, rest = full_name.partition(".")
        schema, _, _ = rest.partition(".")
        if self.rows.find(SecurableType.CATALOG, catalog) is None:
            raise SecurableNotFound(SecurableType.CATALOG, catalog)
        return self.reach(SecurableType.SCHEMA, f"{catalog}.{schema}", privilege)
