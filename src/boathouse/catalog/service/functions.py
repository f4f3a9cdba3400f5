"""Functions in SQL and Python."""

from collections.abc import Sequence
from typing import Any

from boathouse.catalog.errors import InvalidName, SecurableExists
from boathouse.catalog.info import FEATURE_SPEC, TABLE_TYPE, FunctionInfo, Parameter, function_info
from boathouse.catalog.models import SecurableRow
from boathouse.catalog.privileges import Privilege, SecurableType
from boathouse.catalog.service.containers import Containers
from boathouse.catalog.type_text import check_type
from boathouse.errors import InvalidParameterValue
from boathouse.kit.python_body import check_source

LANGUAGES = ("SQL", "PYTHON", FEATURE_SPEC)


class Functions(Containers):
    """Functions."""

    def create_function(
        self,
        full_name: str,
        *,
        parameters: Sequence[Parameter],
        return_type: str,
        return_columns: Sequence[tuple[str, str]] = (),
        language: str,
        body: str,
        is_deterministic: bool = False,
        comment: str | None = None,
        replace: bool = False,
    ) -> FunctionInfo:
        """Make a function, or replace one that is there; its grants, tags and owner then stay.

        Args:
            full_name: ``catalog.schema.function``.
            parameters: In order.
            return_type: SQL text of the type, or ``TABLE_TYPE``.
            return_columns: Name and type of each column, where the return type is ``TABLE_TYPE``.
            language: ``SQL``, ``PYTHON`` or ``FEATURE_SPEC``.
            body: An expression or query in SQL, Python source, or the JSON of a feature spec.
            is_deterministic: Whether the same arguments always give the same value.
            comment: For people.
            replace: Whether a function of this name may be there already.

        Raises:
            PrivilegeMissing: Without CREATE FUNCTION on the schema, or MANAGE on the function to replace.
            SecurableExists: If the name is taken.
            FunctionInUse: If a policy of a table would no longer fit the new function.
            InvalidParameterValue: If language, body, parameters or return type are not valid.
        """
        parts = full_name.split(".")
        if len(parts) != 3 or not all(parts):
            raise InvalidName(full_name, "a function is named catalog.schema.function.")
        parent = self.container_of(full_name, Privilege.CREATE_FUNCTION)
        details = _details(parameters, return_type, return_columns, language, body, is_deterministic=is_deterministic)
        if self.rows.find(SecurableType.MODEL, full_name) is not None:
            raise SecurableExists(SecurableType.MODEL, full_name.lower())
        there = self.rows.find(SecurableType.FUNCTION, full_name)
        if there is None:
            return function_info(
                self.new_row(SecurableType.FUNCTION, parent, parts[2], comment=comment, details=details, properties={})
            )
        if not replace:
            raise SecurableExists(SecurableType.FUNCTION, there.full_name)
        self.access.require(there, Privilege.MANAGE)
        if _signature(there.details) != _signature(details):
            self._refuse_if_bound(there)
        there.details, there.comment = details, comment
        self.touch(there)
        return function_info(there)

    @staticmethod
    def check_function(
        *,
        parameters: Sequence[Parameter],
        return_type: str,
        return_columns: Sequence[tuple[str, str]],
        language: str,
        body: str,
    ) -> None:
        """Go on only if language, parameters and types are valid, and a body in Python is Python.

        Raises:
            InvalidParameterValue: If they are not; it names the field.
        """
        details = _details(parameters, return_type, return_columns, language, body, is_deterministic=False)
        if details["language"] == "PYTHON":
            try:
                check_source("function", tuple(one.name for one in parameters), body)
            except SyntaxError as error:
                message = f"routine_definition is no valid Python: {error.msg} (line {(error.lineno or 2) - 1})."
                raise InvalidParameterValue(message, field="routine_definition") from error

    def get_function(self, full_name: str, privilege: Privilege | None = Privilege.EXECUTE) -> FunctionInfo:
        """A function, if the principal has a privilege on it; with None, if it may know of it.

        Raises:
            SecurableNotFound: If the function, its schema or its catalog does not exist.
            PrivilegeMissing: If the privilege is missing.
        """
        return function_info(self.reach(SecurableType.FUNCTION, full_name, privilege))

    def list_functions(self, catalog: str, schema: str, *, browse: bool = True) -> list[FunctionInfo]:
        """The functions of a schema that the principal may know of, by name; ``browse``: whether BROWSE is enough."""
        parent = self.reach(SecurableType.SCHEMA, f"{catalog}.{schema}", None)
        rows = self.access.visible(parent, self.rows.children(parent.id, SecurableType.FUNCTION), browse=browse)
        return [function_info(row) for row in rows]

    def all_functions(self) -> list[FunctionInfo]:
        """Every function of the lake that the principal may know of."""
        visibility = self.access.visibility()
        return [function_info(row) for row in self.rows.of_type(SecurableType.FUNCTION) if visibility.shows(row)]

    def delete_function(self, full_name: str) -> None:
        """Delete a function.

        Raises:
            PrivilegeMissing: Without MANAGE.
            FunctionInUse: If a table's row filter or column mask is this function.
        """
        row = self.find_row(SecurableType.FUNCTION, full_name)
        self.access.require(row, Privilege.MANAGE)
        self._refuse_if_bound(row)
        self.unbind_dropped([row.full_name])
        self.rows.remove(row)

    def _refuse_if_bound(self, function: SecurableRow) -> None:
        self.refuse_if_bound_outside([function.full_name], inside="")


def _signature(details: dict[str, Any]) -> tuple[object, ...]:
    types = [one["type_text"].lower() for one in details["parameters"]]
    return types, details["return_type"].lower(), details["return_columns"]


def _details(
    parameters: Sequence[Parameter],
    return_type: str,
    return_columns: Sequence[tuple[str, str]],
    language: str,
    body: str,
    *,
    is_deterministic: bool,
) -> dict[str, Any]:
    language, return_type = language.upper(), return_type.strip()
    if language not in LANGUAGES:
        message = f"language '{language}' is not valid. Valid: {', '.join(LANGUAGES)}."
        raise InvalidParameterValue(message, field="language")
    if not body.strip():
        message = "The function has no body: give an expression or a query in SQL, or Python source."
        raise InvalidParameterValue(message, field="routine_definition")
    return_type = TABLE_TYPE if return_type.upper() in {TABLE_TYPE, "TABLE"} else return_type
    if not return_type:
        message = f"The return type is missing: give the SQL text of a type, or {TABLE_TYPE}."
        raise InvalidParameterValue(message, field="data_type")
    if return_columns and return_type != TABLE_TYPE:
        message = f"return_params belong to a function that answers a table: its data_type is {TABLE_TYPE}."
        raise InvalidParameterValue(message, field="return_params")
    if language != FEATURE_SPEC:
        for parameter in parameters:
            check_type(parameter.type_text, "type_text")
        for _, type_text in return_columns:
            check_type(type_text, "type_text")
        if return_type != TABLE_TYPE:
            check_type(return_type, "data_type")
    names = [parameter.name.lower() for parameter in parameters]
    if len(set(names)) != len(names) or not all(names):
        message = f"The parameters ({', '.join(names)}) are not valid: each needs a name that no other has."
        raise InvalidParameterValue(message, field="input_params")
    return {
        "parameters": [
            {"name": one.name, "type_text": one.type_text, "default": one.default, "comment": one.comment} for one in parameters
        ],
        "return_type": return_type,
        "return_columns": [[name, type_text] for name, type_text in return_columns],
        "language": language,
        "body": body,
        "is_deterministic": is_deterministic,
    }
