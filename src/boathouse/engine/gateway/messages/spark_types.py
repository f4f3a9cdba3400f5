"""Spark's data types as plain values: read from a plan's messages and from a Delta log, written as SQL and as a log's JSON.

pyspark has classes for the same, but importing them costs more than a second, and a write must not wait for it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

_SQL = {
    "byte": "TINYINT",
    "short": "SMALLINT",
    "integer": "INT",
    "long": "BIGINT",
    "void": "VOID",
}
_INTEGRAL_BITS = {"byte": 8, "short": 16, "integer": 32, "long": 64}
_DECIMAL = re.compile(r"decimal\((\d+),\s*(-?\d+)\)")
_DAY_TIME = ("day", "hour", "minute", "second")
_YEAR_MONTH = ("year", "month")


@dataclass(frozen=True)
class Atomic:
    """A type without parts, by its name in a Delta log: ``integer``, ``decimal(10,2)``, ``timestamp_ntz``."""

    name: str

    @property
    def bits(self) -> int | None:
        """Width of an integer type."""
        return _INTEGRAL_BITS.get(self.name)

    @property
    def decimal(self) -> tuple[int, int] | None:
        """Precision and scale of a decimal, or of the decimal that holds every value of an integer type."""
        found = _DECIMAL.fullmatch(self.name)
        if found is not None:
            return int(found[1]), int(found[2])
        return {8: (3, 0), 16: (5, 0), 32: (10, 0), 64: (20, 0)}.get(self.bits or 0)

    @property
    def is_numeric(self) -> bool:
        """Whether it is a number."""
        return self.decimal is not None or self.is_floating

    @property
    def is_floating(self) -> bool:
        """Whether it is a binary floating point number."""
        return self.name in {"float", "double"}

    @property
    def is_datetime(self) -> bool:
        """Whether it is a date or a point in time."""
        return self.name in {"date", "timestamp", "timestamp_ntz"}


@dataclass(frozen=True)
class Field:
    """A column, or a field of a struct."""

    name: str
    type: "DataType"
    nullable: bool = True
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any], compare=False, hash=False)

    @property
    def default(self) -> str | None:
        """The text of its default expression."""
        return self.metadata.get("CURRENT_DEFAULT")

    @property
    def generation(self) -> str | None:
        """The text of the expression that it is always generated from."""
        text = self.metadata.get("delta.generationExpression")
        if isinstance(text, str) and text.startswith('"') and text.endswith('"'):
            return str(json.loads(text))
        return text

    @property
    def is_identity(self) -> bool:
        """Whether the table counts it."""
        return "delta.identity.step" in self.metadata

    @property
    def is_always_identity(self) -> bool:
        """Whether nobody else may give its value."""
        return self.is_identity and not self.metadata.get("delta.identity.allowExplicitInsert")

    @property
    def is_filled(self) -> bool:
        """Whether the engine makes its value where none is given."""
        return self.is_identity or self.default is not None or self.generation is not None


@dataclass(frozen=True)
class Struct:
    """Fields in their order."""

    fields: tuple[Field, ...]

    def find(self, name: str) -> Field | None:
        """The field of a name, whatever its case."""
        lower = name.lower()
        return next((one for one in self.fields if one.name.lower() == lower), None)

    @property
    def names(self) -> list[str]:
        """The names of the fields."""
        return [one.name for one in self.fields]


@dataclass(frozen=True)
class Array:
    """A list."""

    element: "DataType"
    contains_null: bool = True


@dataclass(frozen=True)
class Map:
    """Keys and values."""

    key: "DataType"
    value: "DataType"
    value_contains_null: bool = True


DataType: TypeAlias = Atomic | Struct | Array | Map
VOID = Atomic("void")


def from_json(value: Any) -> DataType:
    """A type of a Delta log."""
    if isinstance(value, str):
        return Atomic(value.replace(" ", "") if value.startswith("decimal") else value)
    match value.get("type"):
        case "struct":
            return Struct(
                tuple(
                    Field(one["name"], from_json(one["type"]), bool(one.get("nullable", True)), one.get("metadata") or {})
                    for one in value["fields"]
                )
            )
        case "array":
            return Array(from_json(value["elementType"]), bool(value.get("containsNull", True)))
        case "map":
            return Map(from_json(value["keyType"]), from_json(value["valueType"]), bool(value.get("valueContainsNull", True)))
        case "udt":
            return from_json(value["sqlType"])
        case other:
            return Atomic(str(other))


def to_json(data_type: DataType) -> Any:
    """A type as a Delta log holds it."""
    match data_type:
        case Atomic(name):
            return name
        case Struct(fields):
            return {
                "type": "struct",
                "fields": [
                    {
                        "name": one.name,
                        "type": to_json(one.type),
                        "nullable": one.nullable,
                        "metadata": dict(one.metadata),
                    }
                    for one in fields
                ],
            }
        case Array(element, contains_null):
            return {"type": "array", "elementType": to_json(element), "containsNull": contains_null}
        case Map(key, value, contains_null):
            return {
                "type": "map",
                "keyType": to_json(key),
                "valueType": to_json(value),
                "valueContainsNull": contains_null,
            }


def from_message(message: Any) -> DataType:
    """The type that a DataType message of Spark Connect tells."""
    kind: str = message.WhichOneof("kind") or "null"
    value = getattr(message, kind)
    match kind:
        case "array":
            return Array(from_message(value.element_type), value.contains_null)
        case "map":
            return Map(from_message(value.key_type), from_message(value.value_type), value.value_contains_null)
        case "struct":
            return Struct(
                tuple(
                    Field(one.name, from_message(one.data_type), one.nullable, json.loads(one.metadata or "{}"))
                    for one in value.fields
                )
            )
        case "udt":
            return from_message(value.sql_type)
        case _:
            return _atomic(kind, value)


def _atomic(kind: str, value: Any) -> Atomic:
    match kind:
        case "null":
            return VOID
        case "decimal":
            return Atomic(f"decimal({value.precision if value.HasField('precision') else 10},{value.scale})")
        case "char" | "var_char":
            return Atomic("string")
        case "day_time_interval":
            return _interval(value, _DAY_TIME)
        case "year_month_interval":
            return _interval(value, _YEAR_MONTH)
        case "unparsed":
            return Atomic(value.data_type_string)
        case _:
            return Atomic(kind)


def _interval(value: Any, units: tuple[str, ...]) -> Atomic:
    first = units[value.start_field % len(units)] if value.HasField("start_field") else units[0]
    last = units[value.end_field % len(units)] if value.HasField("end_field") else units[-1]
    return Atomic(f"interval {first}" if first == last else f"interval {first} to {last}")


def sql(data_type: DataType) -> str:
    """A type as SQL writes it."""
    match data_type:
        case Atomic(name):
            return _SQL.get(name, name.upper())
        case Struct(fields):
            return f"STRUCT<{', '.join(f'{_quoted(one.name)}: {sql(one.type)}' for one in fields)}>"
        case Array(element):
            return f"ARRAY<{sql(element)}>"
        case Map(key, value):
            return f"MAP<{sql(key)}, {sql(value)}>"


def _quoted(name: str) -> str:
    return f"`{name.replace('`', '``')}`"


def nullable(data_type: DataType) -> DataType:
    """A type in which everything may be null, without metadata: what new columns of a table are."""
    match data_type:
        case Struct(fields):
            return Struct(tuple(Field(one.name, nullable(one.type)) for one in fields))
        case Array(element):
            return Array(nullable(element))
        case Map(key, value):
            return Map(nullable(key), nullable(value))
        case _:
            return data_type


def same(left: DataType, right: DataType) -> bool:
    """Whether two types are equal but for what may be null; names with their case, in their order."""
    match left, right:
        case Struct(ours), Struct(theirs):
            return len(ours) == len(theirs) and all(
                one.name == other.name and same(one.type, other.type) for one, other in zip(ours, theirs, strict=True)
            )
        case Array(ours), Array(theirs):
            return same(ours, theirs)
        case Map(), Map():
            return same(left.key, right.key) and same(left.value, right.value)
        case _:
            return left == right


def has_required(data_type: DataType) -> bool:
    """Whether something inside of it may not be null."""
    match data_type:
        case Struct(fields):
            return any(not one.nullable or has_required(one.type) for one in fields)
        case Array(element, contains_null):
            return not contains_null or has_required(element)
        case Map(_, value, contains_null):
            return not contains_null or has_required(value)
        case _:
            return False


def names_in(data_type: DataType) -> Iterator[str]:
    """The names of all fields of a type, at any depth."""
    match data_type:
        case Struct(fields):
            for one in fields:
                yield one.name
                yield from names_in(one.type)
        case Array(element):
            yield from names_in(element)
        case Map(key, value):
            yield from names_in(key)
            yield from names_in(value)
        case _:
            return


def has_map(data_type: DataType) -> bool:
    """Whether it is a map, or something inside of it is."""
    match data_type:
        case Struct(fields):
            return any(has_map(one.type) for one in fields)
        case Array(element):
            return has_map(element)
        case _:
            return isinstance(data_type, Map)


def has_variant(data_type: DataType) -> bool:
    """Whether it is VARIANT, or something inside of it is."""
    match data_type:
        case Struct(fields):
            return any(has_variant(one.type) for one in fields)
        case Array(element):
            return has_variant(element)
        case Map(_, value):
            return has_variant(value)
        case _:
            return data_type == Atomic("variant")
