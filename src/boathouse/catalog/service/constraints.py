"""Primary and foreign keys and named constraints. They inform; nothing checks the rows against them."""

from collections.abc import Mapping, Sequence
from typing import Any

from boathouse.catalog.delta_schema import type_name_of
from boathouse.catalog.errors import ColumnInUse, ConstraintExists, ConstraintInUse, ConstraintNotFound
from boathouse.catalog.info import TableInfo
from boathouse.catalog.models import SecurableRow
from boathouse.catalog.privileges import Privilege, SecurableType
from boathouse.catalog.renames import COLUMN
from boathouse.catalog.service.tables import Tables
from boathouse.errors import InvalidParameterValue, InvalidState

_NO_KEYS = frozenset({"ARRAY", "MAP", "STRUCT", "VARIANT"})
"""Types whose columns cannot be in a primary key."""

PRIMARY, FOREIGN, NAMED = "primary_key_constraint", "foreign_key_constraint", "named_table_constraint"


def constraint_name(constraint: Mapping[str, Any]) -> str:
    """The name of a constraint of any kind."""
    return str(next(iter(constraint.values()))["name"])


class Constraints(Tables):
    """Constraints of tables."""

    def create_constraint(self, full_name: str, constraint: Mapping[str, Any]) -> dict[str, Any]:
        """Add a constraint to a table.

        Args:
            full_name: Of the table.
            constraint: One of ``{"primary_key_constraint": {"name", "child_columns", "timeseries_columns"}}``,
                ``{"foreign_key_constraint": {"name", "child_columns", "parent_table", "parent_columns"}}`` and
                ``{"named_table_constraint": {"name"}}``.

        Returns:
            The constraint as it is recorded, in the same form.

        Raises:
            PrivilegeMissing: Without MANAGE on the table, or SELECT on the table that a foreign key points to.
            ConstraintExists: If the name is taken, or there is a primary key already.
            InvalidParameterValue: If a column does not exist, one of a primary key may be NULL or is of a type that has no
                equality, the other table has no such primary key, or the types of a foreign key are others than its.
            InvalidState: If it is a view.
        """
        row = self._constrained(full_name)
        given = {kind: value for kind, value in constraint.items() if value is not None}
        if len(given) != 1 or not set(given) <= {PRIMARY, FOREIGN, NAMED}:
            message = f"constraint is not valid: give one of {PRIMARY}, {FOREIGN} and {NAMED}."
            raise InvalidParameterValue(message, field="constraint")
        kind, value = next(iter(given.items()))
        there = list(row.details.get("constraints", ()))
        name = str(value.get("name") or "")
        if not name:
            message = "The constraint has no name."
            raise InvalidParameterValue(message, field="name")
        if any(constraint_name(one).lower() == name.lower() for one in there):
            raise ConstraintExists(row.full_name, name)
        primary = next((constraint_name(one) for one in there if PRIMARY in one), None)
        if kind == PRIMARY and primary is not None:
            raise ConstraintExists(row.full_name, primary)
        check = {PRIMARY: self._primary, FOREIGN: self._foreign, NAMED: self._named}[kind]
        made = {kind: {"name": name, **check(row, value)}}
        row.details = {**row.details, "constraints": [*there, made]}
        self.touch(row)
        return made

    def delete_constraint(self, full_name: str, name: str, *, cascade: bool = False) -> None:
        """Take a constraint off a table; with cascade, the foreign keys that point to it too.

        Raises:
            PrivilegeMissing: Without MANAGE on the table.
            ConstraintNotFound: If there is none of the name.
            ConstraintInUse: If foreign keys point to it and cascade is not set.
        """
        row = self._constrained(full_name)
        there = list(row.details.get("constraints", ()))
        found = next((one for one in there if constraint_name(one).lower() == name.lower()), None)
        if found is None:
            raise ConstraintNotFound(row.full_name, name, [constraint_name(one) for one in there])
        if PRIMARY in found:
            users = self._referring_to(row)
            if users and not cascade:
                raise ConstraintInUse(row.full_name, name, [user.full_name for user in users])
            self._release(row, users)
        row.details = {**row.details, "constraints": [one for one in row.details["constraints"] if one != found]}
        self.touch(row)

    def replace_constraints(self, full_name: str, constraints: Sequence[Mapping[str, Any]]) -> None:
        """Give a table these constraints in place of those that it has; foreign keys that pointed to it go with its primary key.

        Raises:
            PrivilegeMissing: Without MANAGE on the table.
            InvalidParameterValue: If one is not valid.
        """
        row = self._constrained(full_name)
        if not constraints and not row.details.get("constraints"):
            return
        self._release(row, self._referring_to(row))
        row.details = {**row.details, "constraints": []}
        self.touch(row)
        for constraint in constraints:
            self.create_constraint(row.full_name, constraint)

    def release_foreign_keys(self, row: SecurableRow) -> None:
        """Take off the foreign keys that point to a table that goes."""
        self._release(row, self._referring_to(row))

    def rename_column(self, full_name: str, old: str, new: str) -> TableInfo:
        """Let policies, constraints and tags follow a column's new name; the Delta log is changed by who calls this.

        Raises:
            PrivilegeMissing: Without MODIFY on the table.
        """
        row = self.reach(SecurableType.TABLE, full_name, Privilege.MODIFY)
        self.rows.note_rename(COLUMN, f"{row.full_name}.{old}", f"{row.full_name}.{new}")
        details = dict(row.details)

        def follow(names: Sequence[str]) -> list[str]:
            return [new if name.lower() == old.lower() else name for name in names]

        def policy(recorded: Mapping[str, Any]) -> dict[str, Any]:
            return {**recorded, "using": follow(recorded["using"])}

        if "row_filter" in details:
            details["row_filter"] = policy(details["row_filter"])
        if "column_masks" in details:
            masks: dict[str, Any] = details["column_masks"]
            details["column_masks"] = {follow([column])[0]: policy(mask) for column, mask in masks.items()}
        if "constraints" in details:
            details["constraints"] = [
                {
                    kind: {
                        key: follow(names) if key in {"child_columns", "timeseries_columns"} else names
                        for key, names in value.items()
                    }
                    for kind, value in one.items()
                }
                for one in details["constraints"]
            ]
        for user in self._referring_to(row):
            user.details = {
                **user.details,
                "constraints": [
                    {FOREIGN: {**one[FOREIGN], "parent_columns": follow(one[FOREIGN]["parent_columns"])}}
                    if one.get(FOREIGN, {}).get("parent_table") == row.full_name
                    else one
                    for one in user.details["constraints"]
                ],
            }
        row.details = details
        row.columns = [column | {"name": follow([column["name"]])[0]} for column in row.columns]
        for tagged in list(self.rows.column_tags_on(row.id)):
            if tagged.lower() == old.lower():
                self.rows.move_column_tags(row.id, tagged, new)
        self.touch(row)
        return self.table_of(row)

    def drop_column(self, full_name: str, column: str) -> TableInfo:
        """Let a column's tags go with it; the Delta log is changed by who calls this, afterwards.

        Raises:
            PrivilegeMissing: Without MODIFY on the table.
            ColumnInUse: If a row filter, column mask or key needs the column.
        """
        row = self.reach(SecurableType.TABLE, full_name, Privilege.MODIFY)
        info = self.table_of(row)
        name = column.lower()
        uses = [] if info.row_filter is None else [("the row filter", info.row_filter.using)]
        uses += [(f"the mask of {masked}", (masked, *mask.using)) for masked, mask in info.column_masks.items()]
        uses += [
            (f"the constraint {constraint_name(one)}", tuple(value.get("child_columns", ())))
            for one in info.constraints
            for value in one.values()
        ]
        for what, names in uses:
            if name in {used.lower() for used in names}:
                raise ColumnInUse(row.full_name, column, what)
        for tagged in list(self.rows.column_tags_on(row.id)):
            if tagged.lower() == name:
                self.rows.move_column_tags(row.id, tagged, None)
        row.columns = [one for one in row.columns if str(one["name"]).lower() != name]
        self.touch(row)
        return self.table_of(row)

    def _constrained(self, full_name: str) -> SecurableRow:
        row = self.find_row(SecurableType.TABLE, full_name)
        self.access.require(row, Privilege.MANAGE)
        if row.kind == "VIEW":
            message = f"'{row.full_name}' is a view; constraints belong to tables."
            raise InvalidState(message)
        return row

    def require_nullable(self, full_name: str, column: str) -> None:
        """Go on only if a column may be NULL: not one of the primary key.

        Raises:
            ColumnInUse: If it is.
        """
        row = self.find_row(SecurableType.TABLE, full_name)
        for one in row.details.get("constraints", ()):
            if PRIMARY in one and column.lower() in {name.lower() for name in one[PRIMARY]["child_columns"]}:
                raise ColumnInUse(row.full_name, column, f"the primary key {constraint_name(one)}")

    def _types(self, row: SecurableRow, names: Sequence[str]) -> list[str]:
        known = {str(column["name"]).lower(): column for column in self.table_of(row).columns}
        return [str(known[name.lower()].get("type_text") or "").lower() for name in names]

    def _columns(self, row: SecurableRow, names: Sequence[str], field: str) -> list[str]:
        columns = {str(column["name"]).lower(): str(column["name"]) for column in self.table_of(row).columns}
        missing = [name for name in names if name.lower() not in columns]
        if missing or not names or len({name.lower() for name in names}) != len(names):
            wrong = f"'{missing[0]}' is not a column of '{row.full_name}'" if missing else "name each column once"
            message = f"{field} is not valid: {wrong}. Its columns: {', '.join(columns.values())}."
            raise InvalidParameterValue(message, field=field)
        return [columns[name.lower()] for name in names]

    def _primary(self, row: SecurableRow, value: Mapping[str, Any]) -> dict[str, Any]:
        columns = self._columns(row, value.get("child_columns") or (), "child_columns")
        times: Sequence[str] = value.get("timeseries_columns") or ()
        found = self._columns(row, times, "timeseries_columns") if times else []
        if len(found) > 1 or not set(found) <= set(columns):
            message = "timeseries_columns is not valid: at most one, and it is one of child_columns."
            raise InvalidParameterValue(message, field="timeseries_columns")
        self._refuse_as_key(row, columns, str(value["name"]))
        return {"child_columns": columns, **({"timeseries_columns": found} if found else {}), **_rely(value)}

    def _refuse_as_key(self, row: SecurableRow, columns: Sequence[str], name: str) -> None:
        """Go on only if no column of a primary key may be NULL, and all have a type whose values can be told apart."""
        known = {str(column["name"]): column for column in self.table_of(row).columns}
        types = dict(zip(columns, self._types(row, columns), strict=True))
        wrong = [f"{column} ({text})" for column, text in types.items() if type_name_of(text) in _NO_KEYS]
        if wrong:
            message = (
                f"child_columns is not valid: {', '.join(wrong)} cannot be in a primary key, nor can other nested columns."
            )
            raise InvalidParameterValue(message, field="child_columns")
        nullable = [column for column in columns if known[column].get("nullable", True)]
        if nullable:
            message = (
                f"Cannot create the primary key '{name}' because its child column(s) {', '.join(nullable)} may be NULL. "
                f"Change that first: ALTER TABLE {row.full_name} ALTER COLUMN {nullable[0]} SET NOT NULL."
            )
            raise InvalidParameterValue(message, field="child_columns")

    def _foreign(self, row: SecurableRow, value: Mapping[str, Any]) -> dict[str, Any]:
        columns = self._columns(row, value.get("child_columns") or (), "child_columns")
        parent = self.reach(SecurableType.TABLE, str(value.get("parent_table") or ""), Privilege.SELECT)
        key = next((one[PRIMARY]["child_columns"] for one in parent.details.get("constraints", ()) if PRIMARY in one), None)
        if key is None:
            message = f"Table '{parent.full_name}' has no primary key that a foreign key could point to."
            raise InvalidParameterValue(message, field="parent_table")
        given: Sequence[str] = value.get("parent_columns") or key
        if [name.lower() for name in given] != [name.lower() for name in key] or len(columns) != len(key):
            message = f"parent_columns is not valid: the primary key of '{parent.full_name}' is ({', '.join(key)})."
            raise InvalidParameterValue(message, field="parent_columns")
        for column, own, other, text in zip(columns, self._types(row, columns), key, self._types(parent, key), strict=True):
            if own != text:
                message = (
                    f"child_columns is not valid: {column} is {own.upper()}, and {other} of '{parent.full_name}', which it points to, "
                    f"is {text.upper()}."
                )
                raise InvalidParameterValue(message, field="child_columns")
        return {"child_columns": columns, "parent_table": parent.full_name, "parent_columns": key, **_rely(value)}

    def _named(self, _row: SecurableRow, _value: Mapping[str, Any]) -> dict[str, Any]:
        return {}

    def _referring_to(self, row: SecurableRow) -> list[SecurableRow]:
        return [
            other
            for other in self.rows.with_foreign_keys()
            if any(one.get(FOREIGN, {}).get("parent_table") == row.full_name for one in other.details["constraints"])
        ]

    def _release(self, row: SecurableRow, users: Sequence[SecurableRow]) -> None:
        for user in users:
            kept = [one for one in user.details["constraints"] if one.get(FOREIGN, {}).get("parent_table") != row.full_name]
            user.details = {**user.details, "constraints": kept}
            self.touch(user)


def _rely(value: Mapping[str, Any]) -> dict[str, bool]:
    return {"rely": True} if value.get("rely") else {}
