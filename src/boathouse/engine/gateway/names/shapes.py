"""Frames in another shape: transposed, or with the columns of a schema."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from grpc.aio import AioRpcError

from boathouse.engine.errors import QueryRefused
from boathouse.engine.gateway.messages.protocol import local_relation, proto
from boathouse.engine.gateway.messages.spark_types import Atomic, Field, Struct, from_message, sql
from boathouse.engine.gateway.messages.storing import may_store
from boathouse.engine.gateway.names.missing_values import unresolved
from boathouse.engine.gateway.names.references import References
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.sql.tokens import quote

_MOST = "spark.sql.transposeMaxValues"
_MOST_BY_DEFAULT = 500
_NUMBERS = frozenset({"byte", "short", "integer", "long", "float", "double"})


def put_transposed(session: EngineSession, relation: Any, numbers: Iterator[int]) -> bool:
    """Make a transposed frame of its rows, in place: they are its columns, so they have to be known. True, as it always is made.

    Args:
        session: Of the request.
        relation: The transposition, whose names are governed.
        numbers: Numbers that are unique in the request.

    Raises:
        QueryRefused: If its values have no type in common, for a key that is no plain value, and for too many rows.
    """
    asked = relation.transpose
    given = proto().Relation()
    given.CopyFrom(asked.input)
    struct = from_message(session.schema(given))
    if not isinstance(struct, Struct) or not struct.fields:
        relation.CopyFrom(given)
        return True
    index = asked.index_columns[0].unresolved_attribute.unparsed_identifier if asked.index_columns else quote(struct.names[:1])
    key = struct.find(index.strip("`")) if asked.index_columns else struct.fields[0]
    if key is None or not isinstance(key.type, Atomic):
        what = "it is no column of the frame" if key is None else "it should be of an atomic type"
        message = f"Invalid index column for TRANSPOSE because: {what}: {index}."
        raise QueryRefused("TRANSPOSE_INVALID_INDEX_COLUMN", "42804", message)
    others = [one for one in struct.fields if one is not key]
    shared = _common(session, given, key, others)
    most = int(session.setting(_MOST) or _MOST_BY_DEFAULT)
    name = quote([key.name])
    listed = ", ".join(
        [
            f"CAST({name} AS STRING) AS k",
            *(f"CAST({quote([one.name])} AS {shared}) AS v{number}" for number, one in enumerate(others)),
        ]
    )
    references = References(numbers)
    rows = quote([references.add("rows", given)])
    asking = proto().Relation()
    asking.sql.query = f"SELECT {listed} FROM {rows} WHERE {name} IS NOT NULL ORDER BY {name} LIMIT {most + 1}"  # noqa: S608 - quoted
    references.wrap(asking)
    found = session.rows(asking)
    if found.num_rows > most:
        message = f"Number of rows exceeds the allowed limit of {most} for TRANSPOSE. If this was intended, set {_MOST} to at least the current row count."
        raise QueryRefused("TRANSPOSE_EXCEED_ROW_LIMIT", "54006", message)
    columns = [pa.array([one.name for one in others], pa.string())]
    kind = found.schema.field(1).type if others else pa.string()
    values = [found.column(number + 1).to_pylist() for number in range(len(others))]
    columns += [pa.array([one[row] for one in values], kind) for row in range(found.num_rows)]
    relation.CopyFrom(local_relation(pa.Table.from_arrays(columns, names=["key", *found.column(0).to_pylist()])))
    return True


def _common(session: EngineSession, given: Any, key: Field, others: list[Field]) -> str:
    """The type that the values of some columns have together, as SQL."""
    if not others:
        return "STRING"
    listed = proto().Relation()
    listed.unpivot.input.CopyFrom(given)
    listed.unpivot.ids.add().unresolved_attribute.unparsed_identifier = quote([key.name])
    for one in others:
        listed.unpivot.values.values.add().unresolved_attribute.unparsed_identifier = quote([one.name])
    listed.unpivot.variable_column_name, listed.unpivot.value_column_name = "__bh_name", "__bh_value"
    try:
        found = from_message(session.schema(listed))
    except AioRpcError:
        found = None
    value = found.find("__bh_value") if isinstance(found, Struct) else None
    if value is None:
        first = others[0]
        other = next((one for one in others if one.type != first.type and not _are_numbers(one, first)), first)
        message = (
            "Transpose requires non-index columns to share a least common type, but "
            f'"{sql(first.type)}" and "{sql(other.type)}" do not.'
        )
        raise QueryRefused("TRANSPOSE_NO_LEAST_COMMON_TYPE", "42K09", message)
    return sql(value.type)


def _are_numbers(*fields: Field) -> bool:
    return all(isinstance(one.type, Atomic) and one.type.name in _NUMBERS for one in fields)


def put_missing_columns(session: EngineSession, relation: Any) -> bool:
    """Give a frame that takes the shape of a schema the columns that it has not, as NULL, and the schema's letters; whether it changed.

    Args:
        session: Of the request.
        relation: The frame in the shape of the schema, whose names are governed.

    Raises:
        QueryRefused: If a column may be NULL, or is not there, that must not be NULL, or is of a type that is not stored as the wanted one.
    """
    asked = relation.to_schema
    wanted, given = from_message(asked.schema), session.struct(asked.input)
    if not isinstance(wanted, Struct) or given is None:
        return False
    missing, renamed = list[Field](), dict[str, str]()
    for one in wanted.fields:
        found = given.find(one.name)
        if found is not None:
            _require_fitting(one, found)
            renamed |= {found.name: one.name} if found.name != one.name else {}
        elif one.nullable:
            missing.append(one)
        else:
            raise unresolved(one.name, given)
    if renamed:
        inner = proto().Relation()
        inner.with_columns_renamed.input.CopyFrom(asked.input)
        for old, new in renamed.items():
            inner.with_columns_renamed.renames.add(col_name=old, new_col_name=new)
        asked.input.CopyFrom(inner)
    if missing:
        inner = proto().Relation()
        inner.with_columns.input.CopyFrom(asked.input)
        for one in missing:
            alias = inner.with_columns.aliases.add()
            alias.name.append(one.name)
            alias.expr.cast.expr.literal.null.SetInParent()
            alias.expr.cast.type_str = sql(one.type)
        asked.input.CopyFrom(inner)
    return bool(missing or renamed)


def _require_fitting(wanted: Field, given: Field) -> None:
    name = quote([wanted.name])
    if given.nullable and not wanted.nullable:
        message = f"Column or field {name} is nullable while it's required to be non-nullable."
        raise QueryRefused("NULLABLE_COLUMN_OR_FIELD", "42000", message)
    if isinstance(given.type, Atomic) and isinstance(wanted.type, Atomic) and not may_store(given.type, wanted.type):
        message = f'Column or field {name} is of type "{sql(given.type)}" while it\'s required to be "{sql(wanted.type)}".'
        raise QueryRefused("INVALID_COLUMN_OR_FIELD_DATA_TYPE", "42000", message)
