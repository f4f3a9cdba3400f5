"""JSON: each value keeps its text until the type of its column is known, so that what does not fit is rescued as it was written.

A piece of a file becomes one list of texts for each column, and these become columns all at once. Only pieces with unknown
fields or broken lines are read line by line, and only columns with values that do not fit value by value.
"""

import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from io import BytesIO
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.json as pj

from boathouse.engine.api import Array, Atomic, DataType, Field, Map, Struct
from boathouse.ingest.reading import Piece, Reading, json_text, text_pieces
from boathouse.ingest.types import LONG, STRING, VOID, compute, merge, to_arrow
from boathouse.ingest.values import Misfit, Notation, column_of, seconds_since_epoch, value_of

_BROKEN = (msgspec.MsgspecError, UnicodeDecodeError)
_MISSING = msgspec.Raw(b"")
_NULL = b"null"
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_VALUES = msgspec.json.Decoder(dict[str, Any])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)
_SCALARS: dict[type, DataType] = {str: STRING, float: Atomic("double"), bool: Atomic("boolean"), type(None): VOID}
_KINDS: dict[str, Any] = {
    "string": str | None,
    "long": int | None,
    "integer": int | None,
    "short": int | None,
    "byte": int | None,
    "double": float | None,
    "boolean": bool | None,
}
_PLACE = re.compile(r"at `\$\[\d+\]\.(.*)`$", re.DOTALL)
_AT_ONCE = frozenset({"string", "long", "integer", "short", "byte", "double", "boolean"})


def read(path: Path, shown: str, reading: Reading) -> Iterator[Piece]:
    """The rows of a file.

    Raises:
        RecordCorrupt: If a record is corrupt and that is not allowed.
    """
    if reading.options.multi_line:
        whole = b"".join(text_pieces(path, reading.options.encoding))
        records = _documents(whole)
        yield _piece(records, shown, reading)
        return
    rows_of = _Rows(reading.schema) if reading.options.case_sensitive else None
    line = 1
    separator = (reading.options.line_separator or "\n").encode()
    for text in text_pieces(path, reading.options.encoding, separator):
        if separator != b"\n":
            text = text.replace(separator, b"\n")  # noqa: PLW2901 - the same piece with other line ends
        rows = None if rows_of is None else rows_of.decode(text)
        if rows is None or rows_of is None:
            yield _piece(_lines(text, line), shown, reading)
        elif rows:
            piece = Piece([], len(rows))
            for at, one in enumerate(reading.schema.fields):
                values = list(map(attrgetter(f"_{at}"), rows))
                column = rows_of.column(at, values)
                piece.columns.append(_column(values, one, piece, reading) if column is None else column)
            # Only where it is read line by line is it known which record a row was.
            yield _piece(_lines(text, line), shown, reading) if reading.is_strict and piece.misfits else piece
        line += text.count(b"\n")


class _Rows:
    """Decodes pieces whose rows have no other fields than the schema: to values where a column has had no others, else to texts."""

    def __init__(self, schema: Struct) -> None:
        self._schema = schema
        self._kinds = [
            _KINDS.get(one.type.name, msgspec.Raw) if isinstance(one.type, Atomic) else msgspec.Raw for one in schema.fields
        ]

    def decode(self, text: bytes) -> list[Any] | None:
        """The rows, or None where they have to be looked at one by one."""
        while True:
            try:
                return _row_decoder(tuple(self._schema.names), tuple(self._kinds)).decode_lines(text)
            except msgspec.ValidationError as error:
                if not self._gives_way(str(error)):
                    return None
            except _BROKEN:
                return None

    def column(self, at: int, values: list[Any]) -> pa.Array | None:
        """Decoded values as a column; None for texts."""
        kind = self._kinds[at]
        if kind is msgspec.Raw:
            return None
        try:
            return pa.array(values, to_arrow(self._schema.fields[at].type))
        except (pa.ArrowInvalid, OverflowError):
            # A number that is too large: its text is needed, here and from now on.
            self._kinds[at] = msgspec.Raw
            values[:] = [_MISSING if value is None else msgspec.Raw(msgspec.json.encode(value)) for value in values]
            return None

    def _gives_way(self, error: str) -> bool:
        """Take texts from now on in the column that an error names; whether there is one."""
        found = _PLACE.search(error)
        named = "" if found is None else found[1]
        columns = [at for at, one in enumerate(self._schema.fields) if named == one.name and self._kinds[at] is not msgspec.Raw]
        for at in columns:
            self._kinds[at] = msgspec.Raw
        return bool(columns)


@cache
def _row_decoder(names: tuple[str, ...], kinds: tuple[Any, ...]) -> "msgspec.json.Decoder[Any]":
    fields: list[Any] = [
        (f"_{at}", kind, msgspec.field(name=name, default=_MISSING if kind is msgspec.Raw else None))
        for at, (name, kind) in enumerate(zip(names, kinds, strict=True))
    ]
    row = msgspec.defstruct("Row", fields, forbid_unknown_fields=True, gc=False)
    return msgspec.json.Decoder(row)


def _lines(text: bytes, first: int) -> Iterator[tuple[int, bytes]]:
    """Line numbers and lines."""
    for number, line in enumerate(text.splitlines(), first):
        stripped = line.strip()
        if stripped:
            yield number, stripped


def _documents(text: bytes) -> Iterator[tuple[int, bytes]]:
    """The line on which each document of a file begins, and its text; of an array each element, on the line of the array."""
    whole = text.strip()
    if not whole:
        return
    if whole.startswith(b"["):
        yield 1, whole
        return
    try:
        _OBJECT.decode(whole)
        yield 1, whole
    except _BROKEN:
        yield from _concatenated(text.decode(errors="replace"))


def _concatenated(text: str) -> Iterator[tuple[int, bytes]]:
    decoder, at, line, counted = json.JSONDecoder(), 0, 1, 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        line, counted = line + text.count("\n", counted, at), at
        try:
            _, end = decoder.raw_decode(text, at)
        except ValueError:
            end = len(text)
        yield line, text[at:end].encode()
        at = end


def _piece(records: Iterator[tuple[int, bytes]], shown: str, reading: Reading) -> Piece:
    """Rows of records one by one: with fields that the schema has not, and with broken ones."""
    slow = _Slow(reading)
    written: list[tuple[int, str]] = []
    for line, text in records:
        try:
            found = _LIST.decode(text) if text.startswith(b"[") else [text]
            objects = [(_OBJECT.decode(element), bytes(element)) for element in found]
        except _BROKEN as error:
            record = text.decode(errors="replace")
            if reading.takes_corrupt(shown, line, record, str(error)):
                slow.add_corrupt(record)
                written.append((line, record))
        else:
            for one, element in objects:
                slow.add(one)
                written.append((line, element.decode(errors="replace")))
    piece = _converted(slow.piece, slow.columns, reading)
    reading.judge(piece, shown, written)
    return piece


class _Slow:
    """Takes rows one by one."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._exact = reading.options.case_sensitive
        self._known = reading.known()
        self._taken = {one.name.lower() for one in reading.schema.fields}
        self.columns: list[list[Any]] = [[] for _ in reading.schema.fields]
        self.piece = Piece([], 0)

    def add(self, record: dict[str, Any]) -> None:
        """A row; what the schema has not is rescued."""
        for column in self.columns:
            column.append(_MISSING)
        for name, raw in record.items():
            at = self._known.get(name if self._exact else name.lower())
            if at is not None:
                self.columns[at][-1] = raw
                continue
            self.piece.rescue(self.piece.count, name, bytes(raw))
            if name.lower() not in self._taken:
                self.piece.meet(name, infer(bytes(raw), typed=self._reading.options.infer_column_types))
        self.piece.count += 1

    def add_corrupt(self, record: str) -> None:
        """A row in which only the text of a broken record stands."""
        self.add({})
        column = self._reading.corrupt_column
        if column is not None:
            self.columns[column][-1] = json_text(record)
        else:
            self.piece.rescue(self.piece.count - 1, self._reading.options.corrupt_column, json_text(record))


def _converted(piece: Piece, columns: Sequence[list[Any]], reading: Reading) -> Piece:
    for one, raws in zip(reading.schema.fields, columns, strict=True):
        piece.columns.append(_column(raws, one, piece, reading))
    return piece


def _column(raws: list[Any], one: Field, piece: Piece, reading: Reading) -> pa.Array:
    """Texts of values as a column of its type."""
    if not raws:
        return pa.array([], to_arrow(one.type))
    if isinstance(one.type, Atomic):
        # A NUL cannot stand in JSON.
        texts: Any = compute.split_pattern(pa.scalar(b"\x00".join(raws), pa.large_binary()), pattern="\x00").values
        texts = compute.if_else(
            compute.is_in(texts, pa.array([b"", _NULL], pa.large_binary())), pa.scalar(None, texts.type), texts
        )
        found = _atomic(texts, one.type, reading.how)
    else:
        found = _nested_at_once(raws, one.type)
    return found if found is not None else _one_by_one(raws, one, piece, reading)


def _atomic(texts: pa.Array, kind: Atomic, how: Notation) -> pa.Array | None:
    """A column all of whose texts fit, or None."""
    try:
        texts = compute.cast(texts, pa.string())
    except pa.ArrowInvalid:
        return None
    if kind.is_numeric:
        values, misfits = column_of(texts, kind, how) if not _any(compute.starts_with(texts, '"')) else (None, [0])
        return None if misfits else values
    quoted = compute.starts_with(texts, '"')
    if kind.name == "boolean":
        values, misfits = column_of(texts, kind, how) if not _any(quoted) else (None, [0])
        return None if misfits else values
    if kind.name != "string" and not _all(quoted):
        return None
    escaped = compute.and_(quoted, compute.match_substring(texts, "\\"))
    plain = compute.if_else(quoted, compute.utf8_slice_codeunits(texts, 1, -1), texts)
    if _any(escaped):
        decoded = [_TEXT.decode(text) for text in texts.filter(escaped).to_pylist()]
        plain = compute.replace_with_mask(plain, compute.fill_null(escaped, False), pa.array(decoded, pa.string()))  # noqa: FBT003
    if kind.name == "binary":
        return None
    values, misfits = column_of(plain, kind, how)
    return None if misfits else values


def _any(mask: pa.Array) -> bool:
    return bool(compute.any(mask, min_count=0).as_py())


def _all(mask: pa.Array) -> bool:
    return bool(compute.all(mask, min_count=0).as_py())


def _nested_at_once(raws: list[Any], data_type: DataType) -> pa.Array | None:
    """A column of structs or lists, if each of them fits in all its parts."""
    if not _is_simple(data_type):
        return None
    text = b'{"v":' + b'}\n{"v":'.join(raw or _NULL for raw in map(bytes, raws)) + b"}"
    schema = pa.schema([("v", to_arrow(data_type))])
    try:
        table = pj.read_json(
            BytesIO(text),
            read_options=pj.ReadOptions(use_threads=False, block_size=len(text) + 1),
            parse_options=pj.ParseOptions(schema, newlines_in_values=True, unexpected_field_behavior="error"),
        )
    except pa.ArrowInvalid:
        return None
    return table.column(0).combine_chunks() if table.num_rows == len(raws) else None


def _is_simple(data_type: DataType) -> bool:
    match data_type:
        case Struct(fields):
            return bool(fields) and all(_is_simple(one.type) for one in fields)
        case Array(element):
            return _is_simple(element)
        case Atomic(name):
            return name in _AT_ONCE
        case _:
            return False


def _one_by_one(raws: list[Any], one: Field, piece: Piece, reading: Reading) -> pa.Array:
    values: list[Any] = []
    for row, raw in enumerate(map(bytes, raws)):
        fitter = _Fitter(reading)
        value, residue = fitter.fit(raw, one.type) if raw else (None, None)
        values.append(value)
        if residue is not None:
            (piece.misfit if fitter.is_misfit else piece.rescue)(row, one.name, residue)
        if fitter.unknown:
            piece.meet(one.name, fitter.unknown[0])
    return pa.array(values, to_arrow(one.type))


class _Fitter:
    """Fits one value; ``unknown`` holds the type of what it has and its type has not, ``is_misfit`` whether a part is of another type."""

    def __init__(self, reading: Reading) -> None:
        self._exact = reading.options.case_sensitive
        self._typed = reading.options.infer_column_types
        self._how = reading.how
        self.unknown: list[DataType] = []
        self.is_misfit = False

    def fit(self, raw: bytes, data_type: DataType) -> tuple[Any, bytes | None]:
        """A value, and the part of its text that did not fit."""
        if raw == _NULL:
            return None, None
        try:
            match data_type:
                case Struct():
                    return self._struct(raw, data_type)
                case Array(element):
                    found = [self.fit(bytes(one), element) for one in _LIST.decode(raw)]
                    broken = any(residue is not None for _, residue in found)
                    return [value for value, _ in found], raw if broken else None
                case Map(_, value):
                    pairs = [(key, self.fit(bytes(one), value)) for key, one in _OBJECT.decode(raw).items()]
                    broken = any(residue is not None for _, (_, residue) in pairs)
                    return [(key, fitted) for key, (fitted, _) in pairs], raw if broken else None
                case Atomic():
                    return scalar(raw, data_type, self._how), None
        except (*_BROKEN, Misfit):
            self.is_misfit = True
            return None, raw

    def _struct(self, raw: bytes, struct: Struct) -> tuple[Any, bytes | None]:
        places = {one.name if self._exact else one.name.lower(): one for one in struct.fields}
        values: dict[str, Any] = {}
        residues: dict[str, bytes] = {}
        unknown: list[Field] = []
        for name, part in _OBJECT.decode(raw).items():
            one = places.get(name if self._exact else name.lower())
            if one is None:
                residues[name] = bytes(part)
                if struct.find(name) is None:
                    unknown.append(Field(name, infer(bytes(part), typed=self._typed)))
                continue
            before = len(self.unknown)
            values[one.name], residue = self.fit(bytes(part), one.type)
            if residue is not None:
                residues[name] = residue
            if len(self.unknown) > before:
                unknown.append(Field(one.name, self.unknown.pop()))
        if unknown:
            self.unknown.append(Struct(tuple(unknown)))
        return values, _object(residues) if residues else None


def _object(parts: dict[str, bytes]) -> bytes:
    return b"{" + b",".join(json_text(name) + b":" + text for name, text in parts.items()) + b"}"


def scalar(raw: bytes, kind: Atomic, how: Notation) -> Any:
    """The value of a JSON text without parts, as Spark reads it.

    Raises:
        Misfit: If it is none of the type.
    """
    is_text = raw.startswith(b'"')
    try:
        text = _TEXT.decode(raw) if is_text else raw.decode()
    except UnicodeDecodeError:
        # As Spark does it: bytes that are no UTF-8 become replacement characters.
        return scalar(raw.decode(errors="replace").encode(), kind, how)
    except msgspec.MsgspecError as error:
        raise Misfit(raw) from error
    if kind.name == "string":
        return text
    is_number = raw[:1] in b"-0123456789"
    if kind.name == "timestamp" and is_number:
        try:
            return seconds_since_epoch(int(text))
        except (ValueError, OverflowError) as error:
            raise Misfit(text) from error
    takes_text = kind.is_datetime or kind.name == "binary" or kind.name.startswith("decimal")
    special = is_text and kind.is_floating and text in how.special
    if (
        (takes_text and is_text)
        or special
        or (kind.is_numeric and is_number)
        or (kind.name == "boolean" and raw in {b"true", b"false"})
    ):
        return value_of(text, kind, how)
    raise Misfit(text)


def infer(raw: bytes, *, typed: bool) -> DataType:
    """The type of a JSON text; text without types."""
    return _type_of(msgspec.json.decode(raw)) if typed else STRING


def _type_of(value: Any) -> DataType:
    kind = _SCALARS.get(value.__class__)
    if kind is not None:
        return kind
    match value:
        case int():
            if -(1 << 63) <= value < 1 << 63:
                return LONG
            digits = len(str(abs(value)))
            return Atomic(f"decimal({digits},0)") if digits <= 38 else Atomic("double")
        case dict():
            return Struct(tuple(Field(name, _type_of(value[name])) for name in sorted(value)))
        case _:
            element: DataType = VOID
            for one in value:
                found = _type_of(one)
                element = element if found == element else merge(element, found)
            return Array(element)


def infer_file(path: Path, *, typed: bool, multi_line: bool, encoding: str, corrupt_column: str) -> Struct:
    """The columns of a file, by name."""
    found: dict[str, DataType] = {}
    seen: set[Any] = set()
    for text in text_pieces(path, encoding):
        for row in _decoded(text, typed=typed, multi_line=multi_line):
            for name, value in row.items():
                # Types are made only for what looks unlike all values before.
                look = (name, _look(value)) if typed else name
                if look not in seen:
                    seen.add(look)
                    kind = _type_of(value) if typed else STRING
                    found[name] = merge(found[name], kind) if name in found else kind
    found.pop(corrupt_column, None)
    return Struct(tuple(Field(name, found[name]) for name in sorted(found)))


def _look(value: Any) -> Any:
    """What the type of a value depends on."""
    kind = value.__class__
    if kind in _SCALARS:
        return kind
    if kind is int:
        return kind if -(1 << 63) <= value < 1 << 63 else len(str(abs(value)))
    if kind is dict:
        return tuple([(name, _look(one)) for name, one in value.items()])
    return frozenset([_look(one) for one in value])


def _decoded(text: bytes, *, typed: bool, multi_line: bool) -> Iterator[dict[str, Any]]:
    """The objects of a piece; broken ones are left out."""
    decoder = _VALUES if typed else _OBJECT
    if not multi_line:
        try:
            yield from decoder.decode_lines(text)
        except _BROKEN:
            text = text.decode(errors="replace").encode()
        else:
            return
    for _, record in _documents(text) if multi_line else _lines(text, 1):
        try:
            rows = _LIST.decode(record) if record.startswith(b"[") else [record]
            yield from [decoder.decode(row) for row in rows]
        except _BROKEN:
            continue
