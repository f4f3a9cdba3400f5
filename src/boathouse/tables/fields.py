"""Changes of a Delta schema, as its JSON: columns found by their path, added, renamed, moved, dropped.

A path goes through structs by name, through arrays by ``element`` and through maps by ``key`` and ``value``. Names are
compared without case, as Spark compares them.
"""

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from boathouse.tables.errors import DeltaRefused

Field = dict[str, Any]
Fields = list[Field]

MAPPING_ID, PHYSICAL = "delta.columnMapping.id", "delta.columnMapping.physicalName"
_VARIANT = {
    "type": "struct",
    "fields": [{"name": name, "type": "binary", "nullable": False, "metadata": {}} for name in ("metadata", "value")],
}
"""What a variant is in the files."""
DEFAULT, GENERATED = "CURRENT_DEFAULT", "delta.generationExpression"


def new_field(name: str, kind: Any, *, nullable: bool = True, comment: str | None = None, default: str | None = None) -> Field:
    """A column."""
    metadata = ({"comment": comment} if comment is not None else {}) | ({DEFAULT: default} if default is not None else {})
    return {"name": name, "type": kind, "nullable": nullable, "metadata": metadata}


def names(fields: Fields) -> list[str]:
    """The names of some columns."""
    return [field["name"] for field in fields]


def not_found(path: Sequence[str], fields: Fields) -> DeltaRefused:
    """That a column is not there."""
    valid = ", ".join(f"`{name}`" for name in names(fields))
    return DeltaRefused(
        "DELTA_COLUMN_NOT_FOUND_IN_SCHEMA", f"Unable to find the column `{'.'.join(path)}`. Columns there: {valid or 'none'}."
    )


def _inner(kind: Any, step: str) -> tuple[dict[str, Any], str] | None:
    """Where in an array or map type a step leads: the type that holds it, and its key."""
    if isinstance(kind, dict):
        key = {"array": {"element": "elementType"}, "map": {"key": "keyType", "value": "valueType"}}
        found = key.get(kind["type"], {}).get(step.lower())
        if found is not None:
            return kind, found
    return None


def struct_at(schema: dict[str, Any], path: Sequence[str]) -> Fields:
    """The fields of the struct that a path leads to; of the schema itself for an empty path.

    Raises:
        DeltaRefused: If there is no such column, or it is no struct.
    """
    kind: Any = schema
    for position, step in enumerate(path):
        inner = _inner(kind, step)
        if inner is not None:
            kind = inner[0][inner[1]]
        elif isinstance(kind, dict) and kind["type"] == "struct":
            kind = kind["fields"][index_of(kind["fields"], path[: position + 1])]["type"]
        else:
            raise _no_struct(path[:position], kind)
    if not (isinstance(kind, dict) and kind["type"] == "struct"):
        raise _no_struct(path, kind)
    return kind["fields"]


def _no_struct(path: Sequence[str], kind: Any) -> DeltaRefused:
    shown = kind if isinstance(kind, str) else kind["type"]
    name = ".".join(path)
    message = f"`{name}` is of the type {shown}, not a struct. Name a column in an array by `{name}.element`, in a map by `{name}.value`."
    return DeltaRefused("DELTA_UNSUPPORTED_ALTER_TABLE_CHANGE_COL_OP", message)


def index_of(fields: Fields, path: Sequence[str]) -> int:
    """The position of a path's last part among some fields.

    Raises:
        DeltaRefused: If it is not there.
    """
    wanted = path[-1].lower()
    for position, field in enumerate(fields):
        if field["name"].lower() == wanted:
            return position
    raise not_found(path, fields)


def field_at(schema: dict[str, Any], path: Sequence[str]) -> Field:
    """The column at a path.

    Raises:
        DeltaRefused: If it is not there.
    """
    fields = struct_at(schema, path[:-1])
    return fields[index_of(fields, path)]


def exists(fields: Fields, name: str) -> bool:
    """Whether there is a column of a name."""
    return any(field["name"].lower() == name.lower() for field in fields)


def place(fields: Fields, field: Field, after: str | None, *, first: bool) -> None:
    """Put a column first, after another, or last.

    Raises:
        DeltaRefused: If the other is not there.
    """
    position = 0 if first else len(fields) if after is None else index_of(fields, [after]) + 1
    fields.insert(position, field)


def walk(kind: Any) -> Iterator[Field]:
    """Every field of a type, structs in structs among them."""
    if not isinstance(kind, dict):
        return
    match kind["type"]:
        case "struct":
            for field in kind["fields"]:
                yield field
                yield from walk(field["type"])
        case "array":
            yield from walk(kind["elementType"])
        case "map":
            yield from walk(kind["keyType"])
            yield from walk(kind["valueType"])
        case _:
            pass


def primitive_types(kind: Any) -> Iterator[str]:
    """The names of all primitive types in a type."""
    if isinstance(kind, str):
        yield kind
        return
    match kind["type"]:
        case "struct":
            for field in kind["fields"]:
                yield from primitive_types(field["type"])
        case "array":
            yield from primitive_types(kind["elementType"])
        case _:
            yield from primitive_types(kind["keyType"])
            yield from primitive_types(kind["valueType"])


def map_new(fields: Fields, next_id: int, physical: Callable[[str], str]) -> int:
    """Give physical names to columns that have none; the next free identifier."""
    for field in fields:
        for one in (field, *walk(field["type"])):
            metadata = one.setdefault("metadata", {})
            if PHYSICAL not in metadata:
                metadata[MAPPING_ID] = next_id
                metadata[PHYSICAL] = physical(one["name"])
                next_id += 1
    return next_id


def random_physical(_: str) -> str:
    """A physical name for a new column."""
    return f"col-{uuid.uuid4()}"


def same_physical(name: str) -> str:
    """A physical name for a column whose files were written under its own name."""
    return name


def physical_name(field: Field) -> str:
    """The name of a column in the files."""
    return field.get("metadata", {}).get(PHYSICAL, field["name"])


def as_in_files(kind: Any) -> Any:
    """A type with the names that columns have in the files, and nothing else about them; variants as the structs that they are there."""
    if kind == "variant":
        return _VARIANT
    if not isinstance(kind, dict):
        return kind
    match kind["type"]:
        case "struct":
            return {"type": "struct", "fields": [_field_in_files(field) for field in kind["fields"]]}
        case "array":
            return kind | {"elementType": as_in_files(kind["elementType"])}
        case _:
            return kind | {"keyType": as_in_files(kind["keyType"]), "valueType": as_in_files(kind["valueType"])}


def _field_in_files(field: Field) -> Field:
    # Nullable, for what is checked when rows are written has been checked.
    return {"name": physical_name(field), "type": as_in_files(field["type"]), "nullable": True, "metadata": {}}


def text(schema: dict[str, Any]) -> str:
    """A schema as ``schemaString``."""
    return json.dumps(schema, separators=(",", ":"), ensure_ascii=False)
