"""CSV: read by Arrow as texts, then each column becomes its type; what Arrow would read otherwise than Spark is read exactly."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pcsv

from boathouse.engine.api import Atomic, DataType, Field, Struct
from boathouse.ingest.options import Options
from boathouse.ingest.readers.csv_records import Record, records
from boathouse.ingest.reading import Piece, Reading, json_text, text_pieces
from boathouse.ingest.types import STRING, compute, merge, to_arrow
from boathouse.ingest.values import Misfit, Notation, column_of, value_of

_GUESSES = ("integer", "long", "double", "boolean", "date", "timestamp")


@dataclass(frozen=True)
class _Layout:
    """How the columns of one file lie.

    Attributes:
        names: Their names.
        first: The line on which the records begin.
    """

    names: list[str]
    first: int


def read(path: Path, shown: str, reading: Reading) -> Iterator[Piece]:
    """The rows of a file.

    Raises:
        RecordCorrupt: If a record is corrupt and that is not allowed.
    """
    options = reading.options
    layout: _Layout | None = None
    line = 1
    for given in _pieces(path, options):
        text = given
        if layout is None:
            layout, text, line = _layout(given, options, reading.schema)
        found = _at_once(text, layout, options)
        piece = None if found is None else _of_columns(found[0], layout, reading)
        judged = (
            found is not None
            and piece is not None
            and ((reading.is_strict and piece.misfits) or (reading.counts_values and found[1]))
        )
        if found is None or piece is None or judged:
            # Only where records are read one by one is it known on which line each of them stands.
            rows = records(text.decode(errors="replace"), options.csv, multi_line=options.multi_line, first=line)
            yield _of_records(rows, layout, shown, reading)
        else:
            if piece.count:
                yield piece
            if odd := found[1]:
                # Records with fewer or more values than there are columns.
                yield _of_records(iter(odd), layout, shown, reading)
        line += text.count(b"\n")


def _pieces(path: Path, options: Options) -> Iterator[bytes]:
    """Whole records: all of a file where they may go over several lines."""
    separator = options.line_separator
    pieces = text_pieces(path, options.encoding, (separator or "\n").encode())
    if separator not in {None, "\n"}:
        pieces = (piece.replace((separator or "").encode(), b"\n") for piece in pieces)
    return iter([b"".join(pieces)]) if options.multi_line else pieces


def _layout(text: bytes, options: Options, schema: Struct) -> tuple[_Layout, bytes, int]:
    """The columns of a file, the text after its head, and on which line that begins."""
    begin = 0
    for _ in range(options.csv.skip_rows):
        end = text.find(b"\n", begin)
        begin = len(text) if end < 0 else end + 1
    line = 1 + text.count(b"\n", 0, begin)
    if not options.csv.header:
        names = [f"_c{at}" for at in range(_width(text[begin:], options))]
        # Without a header columns go by their place.
        given = schema.names
        return _Layout([*given[: len(names)], *names[len(given) :]] if given else names, line), text[begin:], line
    while True:
        end = text.find(b"\n", begin)
        head = text[begin:] if end < 0 else text[begin:end]
        is_comment = options.csv.comment and head.startswith(options.csv.comment.encode())
        if end < 0 or (head.strip() and not is_comment):
            break
        begin, line = end + 1, line + 1
    if options.multi_line:
        # A name may go over several lines.
        whole = next(records(text[begin:].decode(errors="replace"), options.csv, multi_line=True), None)
        head = b"" if whole is None else whole.text.encode()
        end = begin + len(head) + (text[begin + len(head) : begin + len(head) + 1] == b"\r")
    first = next(records(head.decode(errors="replace"), options.csv, multi_line=options.multi_line), None)
    names = _unique([value or f"_c{at}" for at, value in enumerate(first.values)] if first else [])
    rest = b"" if end < 0 else text[end + 1 :]
    return _Layout(names, line + 1), rest, line + head.count(b"\n") + 1


def _width(text: bytes, options: Options) -> int:
    first = next(records(text[: 1 << 20].decode(errors="replace"), options.csv, multi_line=options.multi_line), None)
    return 0 if first is None else len(first.values)


def _unique(names: list[str]) -> list[str]:
    """Names of which there are several get their place behind them, as in Spark."""
    lower = [name.lower() for name in names]
    return [f"{name}{at}" if lower.count(name.lower()) > 1 else name for at, name in enumerate(names)]


def _at_once(text: bytes, layout: _Layout, options: Options) -> tuple[pa.Table, list[Record]] | None:
    """All records as a table of texts, and those with another number of values; None where they have to be read exactly."""
    csv = options.csv
    quote, escape = csv.quote, csv.escape
    if not text.strip() or not layout.names:
        return pa.table({name: pa.array([], pa.string()) for name in layout.names}), []
    if len(csv.sep) != 1 or csv.comment or csv.empty_value or (csv.trim_left or csv.trim_right):
        return None
    if quote and escape and escape != quote and (f"{escape}{quote}".encode() in text or f"{escape}{escape}".encode() in text):
        return None
    odd: list[Record] = []

    def other(row: pcsv.InvalidRow) -> str:
        odd.extend(records(row.text, csv, multi_line=True))
        return "skip"

    try:
        table = pcsv.read_csv(
            BytesIO(text),
            read_options=pcsv.ReadOptions(
                use_threads=False, column_names=[str(at) for at in range(len(layout.names))], block_size=len(text) + 1
            ),
            parse_options=pcsv.ParseOptions(
                delimiter=csv.sep,
                quote_char=quote or False,
                double_quote=bool(quote),
                escape_char=False,
                newlines_in_values=options.multi_line,
                invalid_row_handler=other,
            ),
            convert_options=pcsv.ConvertOptions(
                column_types={str(at): pa.string() for at in range(len(layout.names))},
                null_values=sorted({"", csv.null_value}),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid:
        return None
    if not options.multi_line and quote and any(_any_line_end(column) for column in table.columns):
        return None
    if odd and any("\n" in record.text for record in odd) and not options.multi_line:
        return None
    return table, odd


def _any_line_end(column: pa.ChunkedArray) -> bool:
    return bool(compute.any(compute.match_substring(column, "\n"), min_count=0).as_py())


def _of_columns(table: pa.Table, layout: _Layout, reading: Reading) -> Piece:
    texts = [column.combine_chunks() for column in table.columns]
    return _converted(Piece([], table.num_rows), texts, layout.names, reading)


def _of_records(rows: Iterator[Record], layout: _Layout, shown: str, reading: Reading) -> Piece:
    names = layout.names
    columns: list[list[str | None]] = [[] for _ in names]
    piece = Piece([], 0)
    corrupt: dict[int, str] = {}
    written: list[tuple[int, str]] = []
    for record in rows:
        values = [] if record.reason else record.values
        reason = record.reason or _miscounted(record, len(names), reading)
        if reason:
            if not reading.takes_corrupt(shown, record.line, record.text, reason):
                continue
            corrupt[piece.count] = record.text
        for at, column in enumerate(columns):
            column.append(values[at] if at < len(values) else None)
        for at, value in enumerate(values[len(names) :], len(names)):
            if value is not None:
                piece.rescue(piece.count, f"_c{at}", json_text(value))
        written.append((record.line, record.text))
        piece.count += 1
    _converted(piece, [pa.array(column, pa.string()) for column in columns], names, reading)
    place = reading.corrupt_column
    if place is not None and corrupt:
        piece.columns[place] = pa.array([corrupt.get(row) for row in range(piece.count)], pa.string())
    elif place is None:
        for row, text in corrupt.items():
            piece.rescue(row, reading.options.corrupt_column, json_text(text))
    reading.judge(piece, shown, written)
    return piece


def _miscounted(record: Record, expected: int, reading: Reading) -> str:
    """What is wrong with the number of a record's values, if that matters."""
    given = len(record.values)
    return f"it has {given} fields where {expected} are expected" if given != expected and reading.counts_values else ""


def _converted(piece: Piece, texts: Sequence[pa.Array], names: list[str], reading: Reading) -> Piece:
    """Columns of texts as the schema's; those that it has not are rescued."""
    exact = reading.options.case_sensitive
    places = {name if exact else name.lower(): at for at, name in enumerate(names)}
    for one in reading.schema.fields:
        at = places.pop(one.name if exact else one.name.lower(), None)
        kind = one.type
        if at is None or not isinstance(kind, Atomic):
            piece.columns.append(pa.nulls(piece.count, to_arrow(kind)))
            if at is not None:
                _rescue(piece, one.name, texts[at])
            continue
        column, misfits = column_of(texts[at], kind, reading.how)
        piece.columns.append(column)
        for row in misfits:
            piece.misfit(row, one.name, json_text(texts[at][row].as_py()))
    for at in places.values():
        _rescue(piece, names[at], texts[at])
        if reading.schema.find(names[at]) is None:
            piece.meet(names[at], _type_of(texts[at], reading.how) if reading.options.infer_column_types else STRING)
    return piece


def _rescue(piece: Piece, name: str, texts: pa.Array) -> None:
    for row, text in enumerate(texts.to_pylist()):
        if text is not None:
            piece.rescue(row, name, json_text(text))


def _type_of(texts: pa.Array, how: Notation) -> DataType:
    """The narrowest type that all texts of a column are values of."""
    given = texts.drop_null()
    if len(given) == 0:
        return Atomic("void")
    for name in _GUESSES:
        kind = Atomic(name)
        try:
            value_of(given[0].as_py(), kind, how)
        except Misfit:
            continue
        if not column_of(given, kind, how)[1]:
            return kind
    return STRING


def infer_file(path: Path, options: Options, how: Notation) -> Struct:
    """The columns of a file."""
    found: Struct | None = None
    layout: _Layout | None = None
    reading = Reading(Struct(()), options, how)
    for given in _pieces(path, options):
        text = given
        if layout is None:
            layout, text, _ = _layout(given, options, Struct(()))
        if not options.infer_column_types:
            return Struct(tuple(Field(name, STRING) for name in layout.names))
        table = _at_once(text, layout, options)
        if table is None or table[1]:
            rows = list(records(text.decode(errors="replace"), options.csv, multi_line=options.multi_line))
            columns = [
                pa.array([row.values[at] if at < len(row.values) and not row.reason else None for row in rows], pa.string())
                for at in range(len(layout.names))
            ]
        else:
            columns = [column.combine_chunks() for column in table[0].columns]
        types = [_type_of(column, reading.how) for column in columns]
        fields = tuple(Field(name, kind) for name, kind in zip(layout.names, types, strict=True))
        found = (
            Struct(fields)
            if found is None
            else Struct(
                tuple(Field(one.name, merge(one.type, other.type)) for one, other in zip(found.fields, fields, strict=True))
            )
        )
    return found or Struct(())
