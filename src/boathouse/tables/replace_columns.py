"""ALTER TABLE ... REPLACE COLUMNS: other columns in another order, those of a name that is there with the values that they have."""

import copy
from collections.abc import Sequence
from typing import Any

from boathouse.tables import fields
from boathouse.tables.alter import Edit, alter, require_mapping, require_unused, wider
from boathouse.tables.errors import DeltaRefused
from boathouse.tables.log import Operation


def replace_columns(location: str, columns: Sequence[fields.Field], user: str | None) -> None:
    """Have a table with other columns. Those of a name that was there keep their values, fields inside of them too.

    Raises:
        DeltaRefused: If a column would have to be dropped without column mapping, or changed in its type.
    """

    def work(edit: Edit) -> None:
        edit.schema["fields"] = _replaced(edit, [], edit.columns, columns)
        edit.map_new_columns()
        edit.check_types()

    alter(location, Operation("REPLACE COLUMNS", {"columns": str([dict(one) for one in columns])}, user), work)


def _replaced(edit: Edit, path: Sequence[str], before: fields.Fields, wanted: Sequence[fields.Field]) -> fields.Fields:
    """The fields of the table, or of a struct in it, in the place of those that were there."""
    after: fields.Fields = []
    for one in wanted:
        place = [*path, one["name"]]
        if not fields.exists(before, one["name"]):
            if not one["nullable"]:
                message = f"REPLACE COLUMNS with the new column {'.'.join(place)} NOT NULL is not allowed."
                raise DeltaRefused("DELTA_ADD_NOT_NULL_COLUMN", message)
            after.append(copy.deepcopy(one))
            continue
        known = before[fields.index_of(before, [one["name"]])]
        comment = {key: value for key, value in one["metadata"].items() if key == "comment"}
        kind = _type(edit, place, known["type"], one["type"])
        nullable = one["nullable"] or known["nullable"]
        after.append(known | {"type": kind, "nullable": nullable, "metadata": known["metadata"] | comment})
    for gone in before:
        if not fields.exists(after, gone["name"]):
            _require_droppable(edit, [*path, gone["name"]])
    return after


def _type(edit: Edit, path: Sequence[str], before: Any, after: Any) -> Any:
    if not (isinstance(before, dict) and isinstance(after, dict) and before["type"] == after["type"]):
        return wider(path, before, after)
    if before["type"] == "struct":
        return before | {"fields": _replaced(edit, path, before["fields"], after["fields"])}
    inner = ("elementType",) if before["type"] == "array" else ("keyType", "valueType")
    return before | {key: _type(edit, [*path, key.removesuffix("Type")], before[key], after[key]) for key in inner}


def _require_droppable(edit: Edit, path: Sequence[str]) -> None:
    name = ".".join(path)
    require_mapping(edit, "DELTA_UNSUPPORTED_DROP_COLUMN", f"REPLACE COLUMNS without the column {name}")
    if len(path) == 1 and path[0] in edit.partition_columns:
        message = f"Dropping partition columns ({name}) is not allowed."
        raise DeltaRefused("DELTA_UNSUPPORTED_DROP_PARTITION_COLUMN", message)
    require_unused(edit, path, "drop")
