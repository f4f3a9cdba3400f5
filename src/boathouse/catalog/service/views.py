"""Views."""

from collections.abc import Sequence
from typing import Any

from boathouse.catalog.errors import InvalidName, SecurableExists
from boathouse.catalog.info import VIEW, TableInfo
from boathouse.catalog.privileges import Privilege, SecurableType
from boathouse.catalog.service.tables import Tables
from boathouse.errors import InvalidParameterValue


class Views(Tables):
    """Views: named queries, listed among the tables."""

    def create_view(
        self,
        full_name: str,
        *,
        definition: str,
        columns: Sequence[dict[str, Any]],
        comment: str | None = None,
        properties: dict[str, str] | None = None,
        replace: bool = False,
    ) -> TableInfo:
        """Make a view, or replace the query of one that is there; its grants, tags and owner then stay.

        Args:
            full_name: ``catalog.schema.view``.
            definition: The query, as SQL text with full names.
            columns: What the query answers, in the form of ``TableInfo.columns``.
            comment: For people.
            properties: Free.
            replace: Whether a view of this name may be there already.

        Raises:
            PrivilegeMissing: Without CREATE TABLE on the schema, or MANAGE on the view to replace.
            SecurableExists: If the name is taken by a table, or by a view and replace is not set.
            InvalidParameterValue: If the definition is empty.
        """
        parts = full_name.split(".")
        if len(parts) != 3 or not all(parts):
            raise InvalidName(full_name, "a view is named catalog.schema.view.")
        parent = self.container_of(full_name, Privilege.CREATE_TABLE)
        if not definition.strip():
            message = "view_definition is empty: give the query of the view as SQL."
            raise InvalidParameterValue(message, field="view_definition")
        there = self.rows.find(SecurableType.TABLE, full_name)
        if there is None:
            row = self.new_row(
                SecurableType.TABLE,
                parent,
                parts[2],
                kind=VIEW,
                columns=list(columns),
                comment=comment,
                properties=properties or {},
                details={"view_definition": definition},
            )
            return self.table_of(row)
        if not replace or there.kind != VIEW:
            raise SecurableExists(SecurableType.TABLE, there.full_name)
        self.access.require(there, Privilege.MANAGE)
        there.details = {**there.details, "view_definition": definition}
        there.columns = list(columns)
        there.comment = comment
        there.properties = properties or {}
        self.touch(there)
        return self.table_of(there)
