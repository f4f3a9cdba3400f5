"""Files whose values have types of their own: Parquet, ORC, Avro. What is not of the schema's type, and cannot become it whole, is rescued."""

from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Any

import fastavro
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import orc

from boathouse.engine.api import Array, Atomic, DataType, Field, Map, Struct, type_sql
from boathouse.ingest.errors import ColumnMismatch
from boathouse.ingest.reading import Piece, Reading
from boathouse.ingest.types import STRING, compute, from_arrow, of_table, to_arrow

_ROWS = 64 * 1024
_AVRO = {
    "null": "void",
    "boolean": "boolean",
    "int": "integer",
    "long": "long",
    "float": "float",
    "double": "double",
    "bytes": "binary",
    "string": "string",
    "fixed": "binary",
    "enum": "string",
}
_AVRO_LOGICAL = {
    "date": "date",
    "timestamp-millis": "timestamp",
    "timestamp-micros": "timestamp",
    "local-timestamp-millis": "timestamp_ntz",
    "local-timestamp-micros": "timestamp_ntz",
}


def schema_of(path: Path, file_format: str) -> Struct:
    """The columns of a file.

    Raises:
        ArrowException: If it is no file of the format.
        ValueError: Likewise.
    """
    match file_format:
        case "parquet":
            return of_table(pq.read_schema(path))
        case "orc":
            return of_table(orc.ORCFile(path).schema)
        case _:
            with path.open("rb") as stream:
                return _avro_struct(fastavro.reader(stream).writer_schema)


def read(path: Path, shown: str, reading: Reading) -> Iterator[Piece]:
    """The rows of a file.

    Raises:
        ArrowException: If it is no whole file of the format.
        ValueError: Likewise.
        ColumnMismatch: If a column is of another type, and nothing takes what does not fit.
    """
    for table in _tables(path, reading.options.file_format):
        piece = _fitted(table, reading)
        for name in piece.misfits.values() if reading.options.rescued_column is None else ():
            types = [one.type for struct in (of_table(table.schema), reading.schema) if (one := struct.find(name)) is not None]
            raise ColumnMismatch(shown, name, *map(type_sql, types))
        yield piece


def _tables(path: Path, file_format: str) -> Iterator[pa.Table]:
    match file_format:
        case "parquet":
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(_ROWS):
                    yield pa.Table.from_batches([batch])
        case "orc":
            file = orc.ORCFile(path)
            for stripe in range(file.nstripes):
                yield pa.Table.from_batches([file.read_stripe(stripe)])
        case _:
            yield from _avro_tables(path)


def _avro_tables(path: Path) -> Iterator[pa.Table]:
    with path.open("rb") as stream:
        reader = fastavro.reader(stream)
        struct = _avro_struct(reader.writer_schema)
        schema = pa.schema([(one.name, to_arrow(one.type)) for one in struct.fields])
        rows: list[Any] = []
        for row in reader:
            rows.append(row)
            if len(rows) == _ROWS:
                yield pa.Table.from_pylist(rows, schema)
                rows = []
        yield pa.Table.from_pylist(rows, schema)


def _avro_struct(schema: Any) -> Struct:
    found = _avro_type(schema, {})
    return found if isinstance(found, Struct) else Struct((Field("value", found),))


def _avro_type(schema: Any, named: dict[str, DataType]) -> DataType:
    """The type of an Avro schema, as spark-avro has it."""
    if isinstance(schema, list):
        return _avro_union([one for one in schema if one != "null"], named)
    if isinstance(schema, str):
        return Atomic(_AVRO[schema]) if schema in _AVRO else named[schema]
    kind, logical = schema["type"], schema.get("logicalType")
    if isinstance(kind, (list, dict)):
        return _avro_type(kind, named)
    match kind:
        case "record":
            found: DataType = Struct(tuple(Field(one["name"], _avro_type(one["type"], named)) for one in schema["fields"]))
        case "array":
            found = Array(_avro_type(schema["items"], named))
        case "map":
            found = Map(STRING, _avro_type(schema["values"], named))
        case _ if logical == "decimal":
            found = Atomic(f"decimal({schema['precision']},{schema.get('scale', 0)})")
        case _:
            found = Atomic(_AVRO_LOGICAL.get(logical, _AVRO[kind]))
    if "name" in schema:
        named[schema["name"]] = found
    return found


def _avro_union(kinds: list[Any], named: dict[str, DataType]) -> DataType:
    types = {_avro_type(one, named) for one in kinds}
    match types:
        case _ if len(types) == 1:
            return types.pop()
        case _ if types == {Atomic("integer"), Atomic("long")}:
            return Atomic("long")
        case _ if types == {Atomic("float"), Atomic("double")}:
            return Atomic("double")
        case _:
            message = f"a union of {', '.join(str(one) for one in kinds)} has no type in Spark"
            raise ValueError(message)


def fits_as_it_is(theirs: Struct, reading: Reading) -> bool:
    """Whether all columns of a file are the schema's, so that it can be read where it lies."""
    return all((one := reading.schema.find(other.name)) is not None and one == other for other in theirs.fields)


def _fitted(table: pa.Table, reading: Reading) -> Piece:
    exact = reading.options.case_sensitive
    places = {name if exact else name.lower(): at for at, name in enumerate(table.column_names)}
    piece = Piece([], table.num_rows)
    for one in reading.schema.fields:
        at = places.pop(one.name if exact else one.name.lower(), None)
        if at is None:
            piece.columns.append(pa.nulls(piece.count, to_arrow(one.type)))
            continue
        column = table.column(at).combine_chunks()
        fitting = _Fitted(column, one.type)
        piece.columns.append(fitting.column)
        for row, value in enumerate(fitting.residue.to_pylist() if fitting.residue is not None else ()):
            if value is not None:
                text = msgspec.json.encode(value, enc_hook=str)
                (piece.misfit if fitting.is_misfit else piece.rescue)(row, one.name, text)
        if (new := _new_fields(one.type, from_arrow(column.type))) is not None:
            piece.meet(one.name, new)
    for at in places.values():
        name = table.column_names[at]
        _rescue(piece, name, table.column(at).combine_chunks())
        if reading.schema.find(name) is None:
            piece.meet(name, from_arrow(table.schema.field(at).type))
    return piece


class _Fitted:
    """A column in the schema's type, and what does not fit; of a struct, its fields one by one.

    Attributes:
        column: The values.
        residue: What is not in them: values of another type, fields that the type has not.
        is_misfit: Whether values of another type are among that.
    """

    def __init__(self, column: pa.Array, wanted: DataType) -> None:
        self.residue: pa.Array | None = None
        self.is_misfit = False
        cast = _cast(column, wanted)
        if cast is not None:
            self.column = cast
        elif isinstance(wanted, Struct) and pa.types.is_struct(column.type):
            self.column = self._struct(column, wanted)
        else:
            self.column = pa.nulls(len(column), to_arrow(wanted))
            self.residue = column
            self.is_misfit = column.null_count < len(column)

    def _struct(self, column: pa.Array, wanted: Struct) -> pa.Array:
        theirs: dict[str, pa.Array] = dict(zip(column.type.names, column.flatten(), strict=True))
        left = {name: child for name, child in theirs.items() if wanted.find(name) is None}
        parts: list[pa.Array] = []
        for one in wanted.fields:
            if one.name not in theirs:
                parts.append(pa.nulls(len(column), to_arrow(one.type)))
                continue
            part = _Fitted(theirs[one.name], one.type)
            parts.append(part.column)
            self.is_misfit = self.is_misfit or part.is_misfit
            if part.residue is not None:
                left[one.name] = part.residue
        left = {name: child for name, child in left.items() if child.null_count < len(child)}
        if left:
            nothing = reduce(compute.and_, (child.is_null() for child in left.values()))
            self.residue = pa.StructArray.from_arrays(list(left.values()), names=list(left), mask=nothing)
        fields = to_arrow(wanted)
        return pa.StructArray.from_arrays(parts, fields=list(fields), mask=column.is_null())


def _cast(column: pa.Array, wanted: DataType) -> pa.Array | None:
    """A column in the schema's type, if nothing of it is lost; None if something is."""
    theirs = from_arrow(column.type)
    if not _widens(theirs, wanted):
        return None
    try:
        return compute.cast(column, to_arrow(wanted))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def _widens(theirs: DataType, ours: DataType) -> bool:
    """Whether all values of one type are values of another one."""
    match theirs, ours:
        case Struct(), Struct():
            return theirs.names == ours.names and all(
                _widens(one.type, other.type) for one, other in zip(theirs.fields, ours.fields, strict=True)
            )
        case Array(), Array():
            return _widens(theirs.element, ours.element)
        case Map(), Map():
            return _widens(theirs.key, ours.key) and _widens(theirs.value, ours.value)
        case Atomic(), Atomic():
            return theirs == ours or theirs.name == "void" or _is_wider(theirs, ours)
        case _:
            return False


def _is_wider(theirs: Atomic, ours: Atomic) -> bool:
    if theirs.bits and ours.bits:
        return theirs.bits <= ours.bits
    if theirs.is_floating:
        return ours.name == "double"
    if theirs.bits and ours.is_floating:
        return theirs.bits <= (32 if ours.name == "double" else 16)
    if theirs.decimal and ours.decimal and ours.name.startswith("decimal"):
        (precision, scale), (other, others_scale) = theirs.decimal, ours.decimal
        return others_scale >= scale and other - others_scale >= precision - scale
    return theirs.name == "date" and ours.name in {"timestamp", "timestamp_ntz"}


def _new_fields(ours: DataType, theirs: DataType) -> Struct | None:
    if not isinstance(ours, Struct) or not isinstance(theirs, Struct):
        return None
    new = tuple(one for one in theirs.fields if ours.find(one.name) is None)
    return Struct(new) if new else None


def _rescue(piece: Piece, name: str, column: pa.Array) -> None:
    for row, value in enumerate(column.to_pylist()):
        if value is not None:
            piece.rescue(row, name, msgspec.json.encode(value, enc_hook=str))
