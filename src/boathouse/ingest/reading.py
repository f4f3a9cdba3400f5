"""What the readers of all formats share: the rows that they give, and what is to be done with what does not fit."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import msgspec
import pyarrow as pa

from boathouse.engine.api import DataType, Struct, type_sql
from boathouse.ingest.errors import FileCorrupt, RecordCorrupt
from boathouse.ingest.options import Options
from boathouse.ingest.types import merge
from boathouse.ingest.values import Notation

PIECE_BYTES = 8 << 20
"""About how much of a file is in memory at a time."""


@dataclass(frozen=True)
class BadRecord:
    """A record that was set aside.

    Attributes:
        line: The line on which it begins, from 1 on; 0 where the whole file is meant.
    """

    path: str
    line: int
    record: str
    reason: str


@dataclass
class Piece:
    """Some rows of one file.

    Attributes:
        columns: The schema's columns, in its order.
        count: How many rows.
        residue: By row and name, what did not fit, as JSON.
        unknown: Columns, or structs with the fields, that the schema has not.
        misfits: By row, the first column whose value is not of its type.
    """

    columns: list[pa.Array]
    count: int
    residue: dict[int, dict[str, bytes]] = field(default_factory=dict[int, dict[str, bytes]])
    unknown: dict[str, DataType] = field(default_factory=dict[str, DataType])
    misfits: dict[int, str] = field(default_factory=dict[int, str])

    def rescue(self, row: int, name: str, text: bytes) -> None:
        """Keep what did not fit into a row."""
        self.residue.setdefault(row, {})[name] = text

    def misfit(self, row: int, name: str, text: bytes) -> None:
        """Keep a value that is not of the type of its column."""
        self.rescue(row, name, text)
        self.misfits.setdefault(row, name)

    def meet(self, name: str, data_type: DataType) -> None:
        """Note a column that the schema has not."""
        known = self.unknown.get(name)
        self.unknown[name] = data_type if known is None else merge(known, data_type)


@dataclass
class Reading:
    """How the files of a batch are read.

    Attributes:
        schema: The columns that files have: neither partition columns nor the rescued one.
        options: As asked for.
        how: How values are written.
        bad: Records that were set aside.
    """

    schema: Struct
    options: Options
    how: Notation
    bad: list[BadRecord] = field(default_factory=list[BadRecord])

    @property
    def corrupt_column(self) -> int | None:
        """The place of the column for corrupt records in the schema, if it has one."""
        return next((at for at, one in enumerate(self.schema.fields) if one.name == self.options.corrupt_column), None)

    def known(self) -> Mapping[str, int]:
        """The places of the columns by name, in lower case if that is how names are matched."""
        exact = self.options.case_sensitive
        return {one.name if exact else one.name.lower(): at for at, one in enumerate(self.schema.fields)}

    def takes_corrupt(self, path: str, line: int, record: str, reason: str) -> bool:
        """Decide about a corrupt record; whether it becomes a row in which only it itself stands.

        Raises:
            RecordCorrupt: If that is what the options ask for.
        """
        if self.options.bad_records is not None:
            self.bad.append(BadRecord(path, line, record, reason))
            return False
        if self.options.mode == "FAILFAST":
            raise RecordCorrupt(path, line, reason)
        return self.options.mode == "PERMISSIVE"

    @property
    def is_strict(self) -> bool:
        """Whether a record with a value that is not of its type is a corrupt one: no column takes what does not fit, but something does."""
        options = self.options
        takes = options.bad_records is not None or options.mode != "PERMISSIVE" or self.corrupt_column is not None
        return takes and options.rescued_column is None

    @property
    def counts_values(self) -> bool:
        """Whether a record with fewer or more values than there are columns is a corrupt one."""
        return self.options.mode != "PERMISSIVE"

    def judge(self, piece: Piece, path: str, records: Sequence[tuple[int, str]]) -> None:
        """Decide about rows with values that are not of their types, where those are corrupt records.

        Args:
            piece: The rows.
            path: Of their file.
            records: Of each row, the line on which it begins, and its text.

        Raises:
            RecordCorrupt: If that is what the options ask for.
        """
        if not (self.is_strict and piece.misfits):
            return
        kept = [True] * piece.count
        texts: dict[int, str] = {}
        kinds = {one.name: one.type for one in self.schema.fields}
        for row, name in sorted(piece.misfits.items()):
            line, text = records[row]
            reason = f"the value of {name} is no {type_sql(kinds[name])}"
            kept[row] = self.takes_corrupt(path, line, text, reason)
            texts[row] = text
        if self.corrupt_column is not None:
            had = piece.columns[self.corrupt_column].to_pylist()
            piece.columns[self.corrupt_column] = pa.array([texts.get(row, had[row]) for row in range(piece.count)], pa.string())
        if not all(kept):
            mask = pa.array(kept)
            piece.columns = [column.filter(mask) for column in piece.columns]
            piece.count, piece.residue, piece.misfits = sum(kept), {}, {}

    def corrupt_file(self, path: str, reason: str) -> None:
        """Decide about a file that cannot be read.

        Raises:
            FileCorrupt: If it is not to be left out.
        """
        if self.options.bad_records is not None:
            self.bad.append(BadRecord(path, 0, "", reason))
        elif not self.options.ignore_corrupt:
            raise FileCorrupt(path, self.options.file_format, reason)


def json_text(text: str) -> bytes:
    """A text as JSON."""
    return msgspec.json.encode(text)


def open_text(path: Path) -> IO[bytes]:
    """A file's bytes, unpacked if its name says that it is packed (``.gz``, ``.bz2``, ``.zst``, ``.lz4``)."""
    return pa.input_stream(str(path), compression="detect")


def text_pieces(path: Path, encoding: str, separator: bytes = b"\n") -> Iterator[bytes]:
    """A file in pieces of whole lines, in UTF-8.

    Raises:
        UnicodeDecodeError: If it is not in its encoding.
        OSError: If it cannot be unpacked.
    """
    if encoding not in {"utf-8", "utf8", "us-ascii"}:
        with open_text(path) as stream:
            yield stream.read().decode(encoding).encode()
        return
    rest = b""
    first = True
    with open_text(path) as stream:
        while block := stream.read(PIECE_BYTES):
            if first:
                block, first = block.removeprefix(b"\xef\xbb\xbf"), False
            end = block.rfind(separator)
            if end < 0:
                rest += block
                continue
            yield rest + block[: end + len(separator)]
            rest = block[end + len(separator) :]
    if rest:
        yield rest
