"""What the readers of all formats share: the rows that they give, and what is to be done with what does not fit."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import msgspec
import pyarrow as pa

from boathouse.engine.api import DataType, Struct
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
    """

    columns: list[pa.Array]
    count: int
    residue: dict[int, dict[str, bytes]] = field(default_factory=dict[int, dict[str, bytes]])
    unknown: dict[str, DataType] = field(default_factory=dict[str, DataType])

    def rescue(self, row: int, name: str, text: bytes) -> None:
        """Keep what did not fit into a row."""
        self.residue.setdefault(row, {})[name] = text

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
