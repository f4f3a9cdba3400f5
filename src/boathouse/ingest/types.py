"""Spark's types as Arrow's and the other way round."""

from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.types as pat

from boathouse.engine.api import Array, Atomic, DataType, Field, Map, Struct

compute: Any = pyarrow.compute
"""Arrow's functions, which are made when it is imported, so that no stub knows them."""

STRING = Atomic("string")
LONG = Atomic("long")
VOID = Atomic("void")
_ARROW: dict[str, pa.DataType] = {
    "string": pa.string(),
    "long": pa.int64(),
    "integer": pa.int32(),
    "short": pa.int16(),
    "byte": pa.int8(),
    "double": pa.float64(),
    "float": pa.float32(),
    "boolean": pa.bool_(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "timestamp_ntz": pa.timestamp("us"),
    "void": pa.string(),
}
_ATOMIC = {
    pa.int64(): "long",
    pa.int32(): "integer",
    pa.int16(): "short",
    pa.int8(): "byte",
    pa.uint8(): "short",
    pa.uint16(): "integer",
    pa.uint32(): "long",
    pa.uint64(): "decimal(20,0)",
    pa.float16(): "float",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.bool_(): "boolean",
    pa.date32(): "date",
    pa.date64(): "date",
}


def to_arrow(data_type: DataType) -> pa.DataType:
    """The Arrow type that holds a Spark type's values.

    Raises:
        NotImplementedError: If none does.
    """
    match data_type:
        case Struct(fields):
            return pa.struct([pa.field(one.name, to_arrow(one.type)) for one in fields])
        case Array(element):
            return pa.list_(to_arrow(element))
        case Map(key, value):
            return pa.map_(to_arrow(key), to_arrow(value))
        case Atomic(name) if name in _ARROW:
            return _ARROW[name]
        case Atomic(name) if (found := data_type.decimal) is not None and name.startswith("decimal"):
            return pa.decimal128(*found)
        case Atomic(name):
            raise NotImplementedError(name)


def arrow_schema(schema: Struct) -> pa.Schema:
    """A struct as the schema of a table."""
    return pa.schema([pa.field(one.name, to_arrow(one.type)) for one in schema.fields])


def from_arrow(arrow: pa.DataType) -> DataType:
    """The Spark type of an Arrow type's values; text for what Spark has no type for."""
    if pat.is_struct(arrow):
        return Struct(
            tuple(Field(arrow.field(index).name, from_arrow(arrow.field(index).type)) for index in range(arrow.num_fields))
        )
    if pat.is_map(arrow):
        return Map(from_arrow(arrow.key_type), from_arrow(arrow.item_type))
    if pat.is_list(arrow) or pat.is_large_list(arrow) or pat.is_fixed_size_list(arrow):
        return Array(from_arrow(arrow.value_type))
    if pat.is_dictionary(arrow):
        return from_arrow(arrow.value_type)
    if pat.is_timestamp(arrow):
        return Atomic("timestamp" if arrow.tz is not None else "timestamp_ntz")
    if pat.is_decimal(arrow):
        return Atomic(f"decimal({min(arrow.precision, 38)},{arrow.scale})")
    if pat.is_binary(arrow) or pat.is_large_binary(arrow) or pat.is_fixed_size_binary(arrow):
        return Atomic("binary")
    return Atomic(_ATOMIC.get(arrow, "string"))


def of_table(schema: pa.Schema) -> Struct:
    """The struct of a table's schema."""
    return Struct(tuple(Field(one.name, from_arrow(one.type)) for one in schema))


def merge(ours: DataType, theirs: DataType) -> DataType:
    """A type that holds the values of two, as schema inference takes it: wider numbers, more fields, else text."""
    if ours == theirs or theirs == Atomic("void"):
        return ours
    if ours == Atomic("void"):
        return theirs
    match ours, theirs:
        case Struct(), Struct():
            return merge_fields(ours, theirs)
        case Array(), Array():
            return Array(merge(ours.element, theirs.element))
        case Map(), Map():
            return Map(merge(ours.key, theirs.key), merge(ours.value, theirs.value))
        case Atomic(), Atomic():
            return _wider(ours, theirs)
        case _:
            return STRING


def merge_fields(ours: Struct, theirs: Struct) -> Struct:
    """The fields of two structs, new ones at the end."""
    found = {one.name: one for one in ours.fields}
    for one in theirs.fields:
        known = found.get(one.name)
        found[one.name] = one if known is None else Field(one.name, merge(known.type, one.type))
    return Struct(tuple(found.values()))


def _wider(ours: Atomic, theirs: Atomic) -> Atomic:
    if ours.is_numeric and theirs.is_numeric:
        if ours.bits and theirs.bits:
            return ours if ours.bits >= theirs.bits else theirs
        if ours.is_floating or theirs.is_floating:
            return Atomic("double")
        (precision, scale), (other, others_scale) = ours.decimal or (38, 0), theirs.decimal or (38, 0)
        wanted = max(scale, others_scale)
        whole = max(precision - scale, other - others_scale)
        return Atomic(f"decimal({whole + wanted},{wanted})") if whole + wanted <= 38 else Atomic("double")
    if {ours.name, theirs.name} <= {"date", "timestamp", "timestamp_ntz"}:
        return Atomic("timestamp" if "timestamp" in {ours.name, theirs.name} else "timestamp_ntz")
    return STRING


def without_void(data_type: DataType) -> DataType:
    """A type in which text stands where no value was seen."""
    match data_type:
        case Struct(fields):
            return Struct(tuple(Field(one.name, without_void(one.type)) for one in fields))
        case Array(element):
            return Array(without_void(element))
        case Map(key, value):
            return Map(without_void(key), without_void(value))
        case Atomic("void"):
            return STRING
        case _:
            return data_type


def to_message(data_type: DataType, message: Any) -> Any:
    """Write a type into a DataType message of Spark Connect, and answer the message."""
    match data_type:
        case Struct(fields):
            message.struct.SetInParent()
            for one in fields:
                field = message.struct.fields.add(name=one.name, nullable=one.nullable)
                to_message(one.type, field.data_type)
        case Array(element, contains_null):
            message.array.contains_null = contains_null
            to_message(element, message.array.element_type)
        case Map(key, value, contains_null):
            message.map.value_contains_null = contains_null
            to_message(key, message.map.key_type)
            to_message(value, message.map.value_type)
        case Atomic(name) if name.startswith("decimal"):
            message.decimal.precision, message.decimal.scale = data_type.decimal or (10, 0)
        case Atomic(name):
            getattr(message, name).SetInParent()
    return message
