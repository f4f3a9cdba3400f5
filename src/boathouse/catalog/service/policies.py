"""Row filters and column masks."""

from boathouse.catalog.info import Policy, TableInfo, is_literal
from boathouse.catalog.models import SecurableRow
from boathouse.catalog.privileges import Privilege, SecurableType
from boathouse.catalog.service.functions import Functions
from boathouse.catalog.service.tables import Tables
from boathouse.catalog.type_text import fits
from boathouse.errors import InvalidParameterValue, InvalidState


class Policies(Functions, Tables):
    """Functions bound to tables, which hold for every reader."""

    def set_row_filter(self, full_name: str, policy: Policy | None) -> TableInfo:
        """Bind a function to a table that decides which rows are read, or take it off.

        Args:
            full_name: Of the table.
            policy: The function and the columns or literals that it gets; None takes the filter off.

        Raises:
            PrivilegeMissing: Without MANAGE on the table, or EXECUTE on the function.
            SecurableNotFound: If there is no such table or function.
            InvalidParameterValue: If function, arguments and table do not fit; a filter returns BOOLEAN.
            InvalidState: If it is a view.
        """
        row = self._guarded(full_name)
        details = {key: value for key, value in row.details.items() if key != "row_filter"}
        if policy is not None:
            details["row_filter"] = self._checked(row, policy)
        row.details = details
        self.touch(row)
        return self.table_of(row)

    def set_column_mask(self, full_name: str, column: str, policy: Policy | None) -> TableInfo:
        """Bind a function to a column that it is read through, or take it off.

        Args:
            full_name: Of the table.
            column: Of the table; the function's first argument.
            policy: The function and what it gets besides; None takes the mask off.

        Raises:
            PrivilegeMissing: Without MANAGE on the table, or EXECUTE on the function.
            SecurableNotFound: If there is no such table or function.
            InvalidParameterValue: If function, arguments and table do not fit; a mask returns what its column can hold.
            InvalidState: If it is a view.
        """
        row = self._guarded(full_name)
        masks = dict(row.details.get("column_masks", {}))
        if policy is None:
            masks = {name: mask for name, mask in masks.items() if name.lower() != column.lower()}
        else:
            name = self._column(row, column)
            masks[name] = self._checked(row, policy, masked=name)
        details = {key: value for key, value in row.details.items() if key != "column_masks"}
        row.details = details | ({"column_masks": masks} if masks else {})
        self.touch(row)
        return self.table_of(row)

    def _guarded(self, full_name: str) -> SecurableRow:
        row = self.find_row(SecurableType.TABLE, full_name)
        self.access.require(row, Privilege.MANAGE)
        if row.kind == "VIEW":
            message = f"'{row.full_name}' is a view: row filters and column masks are bound to the tables that it reads."
            raise InvalidState(message)
        return row

    def _column(self, row: SecurableRow, name: str) -> str:
        columns = [str(column["name"]) for column in self.table_of(row).columns]
        found = next((column for column in columns if column.lower() == name.strip("`").lower()), None)
        if found is None:
            message = f"Table '{row.full_name}' has no column '{name}'. Its columns: {', '.join(columns)}."
            raise InvalidParameterValue(message, field="column")
        return found

    def _checked(self, row: SecurableRow, policy: Policy, *, masked: str | None = None) -> dict[str, object]:
        function = self.get_function(policy.function_name)
        first = () if masked is None else (masked,)
        what = "row filter" if masked is None else "column mask"
        if function.is_table:
            message = f"Function '{function.full_name}' answers a table; a {what} needs one that answers a single value."
            raise InvalidParameterValue(message, field="function_name")
        if masked is None and function.return_type.upper() != "BOOLEAN":
            message = f"Function '{function.full_name}' returns {function.return_type}; a row filter has to return BOOLEAN."
            raise InvalidParameterValue(message, field="function_name")
        given, taken = len(policy.using) + len(first), len(function.parameters)
        if given != taken:
            message = f"Function '{function.full_name}' takes {taken} arguments; the {what} gives it {given}."
            raise InvalidParameterValue(message, field="using")
        using = [one.strip() if is_literal(one) else self._column(row, one) for one in policy.using]
        types = {str(column["name"]): str(column.get("type_text") or "") for column in self.table_of(row).columns}
        if masked is not None and not fits(function.return_type, types[masked]):
            message = (
                f"Function '{function.full_name}' returns {function.return_type.upper()}; a column mask of {masked} has to return what "
                f"fits into {types[masked].upper()}."
            )
            raise InvalidParameterValue(message, field="function_name")
        for name, parameter in zip([*first, *using], function.parameters, strict=True):
            if name in types and not fits(types[name], parameter.type_text):
                message = (
                    f"Column '{name}' is {types[name].upper()}; the parameter {parameter.name} of function '{function.full_name}', "
                    f"which gets it, is {parameter.type_text.upper()}."
                )
                raise InvalidParameterValue(message, field="using")
        return {"function_name": function.full_name, "using": using}
