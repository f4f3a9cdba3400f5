"""The files of one batch, read and put down as Parquet files that the engine reads."""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.lib import ArrowException

from boathouse.engine.api import Atomic, DataType, Field, Struct
from boathouse.ingest import partitions
from boathouse.ingest.errors import FileGone
from boathouse.ingest.options import Options
from boathouse.ingest.paths import Place, inside
from boathouse.ingest.readers import columnar, csv, plain
from boathouse.ingest.readers import json as json_reader
from boathouse.ingest.reading import BadRecord, Piece, Reading, json_text
from boathouse.ingest.types import arrow_schema, merge, to_arrow, without_void
from boathouse.ingest.values import Misfit, Notation, value_of

METADATA = "_metadata"
_METADATA_TYPE = Struct(
    (
        Field("file_path", Atomic("string")),
        Field("file_name", Atomic("string")),
        Field("file_size", Atomic("long")),
        Field("file_block_start", Atomic("long")),
        Field("file_block_length", Atomic("long")),
        Field("file_modification_time", Atomic("timestamp")),
    )
)
_ALONE_BYTES = 64 << 20
"""A larger file gets a staged file of its own, so that nothing of it is left if its end is broken."""
_SPLIT_BYTES = 1 << 20
_READERS: dict[str, Callable[[Path, str, Reading], Iterator[Piece]]] = {
    "json": json_reader.read,
    "csv": csv.read,
    "parquet": columnar.read,
    "avro": columnar.read,
    "orc": columnar.read,
    "text": plain.read_text,
    "binaryFile": plain.read_binary,
}


@dataclass(frozen=True)
class FileRead:
    """A file of a batch: its path relative to the place, its time of change in nanoseconds, its size."""

    path: str
    modified_ns: int
    size: int


@dataclass
class Staged:
    """What a batch has become.

    Attributes:
        files: Paths of Parquet files with the rows.
        rows: How many.
        unknown: Columns that the schema has not, with a file that has them.
    """

    files: list[str] = field(default_factory=list[str])
    rows: int = 0
    unknown: dict[str, tuple[DataType, str]] = field(default_factory=dict[str, tuple[DataType, str]])
    bad: list[BadRecord] = field(default_factory=list[BadRecord])

    def new_columns(self) -> Struct:
        """The unknown columns, by name; of two that differ only in case, one."""
        found: dict[str, Field] = {}
        for name in sorted(self.unknown):
            found.setdefault(name.lower(), Field(name, without_void(self.unknown[name][0])))
        return Struct(tuple(found.values()))


@dataclass(frozen=True)
class Shape:
    """What rows look like.

    Attributes:
        place: Where the files lie.
        options: As asked for.
        how: How values are written.
        row: All columns.
        metadata: Whether the column of facts about the file is asked for.
    """

    place: Place
    options: Options
    how: Notation
    row: Struct
    metadata: bool = False

    @property
    def full(self) -> Struct:
        """All columns, with the hidden one if it is asked for."""
        return Struct((*self.row.fields, Field(METADATA, _METADATA_TYPE))) if self.metadata else self.row

    @property
    def data(self) -> Struct:
        """The columns that files may have."""
        return Struct(tuple(one for one in self.row.fields if one.name != self.options.rescued_column))

    def reading(self) -> Reading:
        """How files are read."""
        return Reading(self.data, self.options, self.how)


def stage(shape: Shape, files: Sequence[FileRead], folder: Path) -> Staged:
    """Read files and put their rows down in a folder, which is there afterwards with all of them or not at all.

    Raises:
        FileGone: If a file is not there any more.
        FileCorrupt: If one cannot be read.
        RecordCorrupt: If a record cannot be read and that is not allowed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.parent / f".{folder.name}-{uuid.uuid4().hex[:8]}"
    unfinished.mkdir()
    try:
        groups = _groups(files, os.cpu_count() or 1)
        work = [(shape, group, unfinished, number) for number, group in enumerate(groups)]
        if len(work) == 1:
            results = [_read_group(*work[0])]
        else:
            with ThreadPoolExecutor(len(work), thread_name_prefix="ingest") as threads:
                results = list(threads.map(lambda one: _read_group(*one), work))
        staged = _together(results)
        staged.files = [str(folder / name) for name in staged.files]
        with suppress(FileExistsError, OSError):
            # If somebody else was faster, theirs has the same rows in files of the same names.
            unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return staged


def _together(results: list[Staged]) -> Staged:
    whole = Staged()
    for one in results:
        whole.files += one.files
        whole.rows += one.rows
        whole.bad += one.bad
        for name, (kind, path) in one.unknown.items():
            known = whole.unknown.get(name)
            whole.unknown[name] = (kind, path) if known is None else (merge(known[0], kind), known[1])
    return whole


def _groups(files: Sequence[FileRead], most: int) -> list[list[FileRead]]:
    """Files in their order, in groups of about the same size."""
    total = sum(one.size for one in files)
    count = max(1, min(most, len(files), total // _SPLIT_BYTES))
    groups: list[list[FileRead]] = [[]]
    taken = 0
    for one in files:
        if groups[-1] and len(groups) < count and taken >= total * len(groups) / count:
            groups.append([])
        groups[-1].append(one)
        taken += one.size
    return groups


class _Writer:
    """Rows on their way into one staged file, which is made with the first of them."""

    def __init__(self, folder: Path, name: str, schema: pa.Schema) -> None:
        self._path = folder / name
        self.name = name
        self._schema = schema
        self._writer: pq.ParquetWriter | None = None
        self.rows = 0

    def write(self, tables: Sequence[pa.Table]) -> None:
        for table in tables:
            if table.num_rows == 0:
                continue
            if self._writer is None:
                # It is read once and removed: what makes files small costs more than it saves.
                self._writer = pq.ParquetWriter(
                    self._path, self._schema, compression="lz4", use_dictionary=False, write_statistics=False, version="2.6"
                )
            self._writer.write_table(table)
            self.rows += table.num_rows

    def close(self, *, keep: bool = True) -> bool:
        """End the file; whether there is one."""
        if self._writer is None:
            return False
        self._writer.close()
        if not keep:
            self._path.unlink()
        return keep


def _read_group(shape: Shape, files: Sequence[FileRead], folder: Path, number: int) -> Staged:
    schema = arrow_schema(shape.full)
    reading = shape.reading()
    staged = Staged(bad=reading.bad)
    writer = _Writer(folder, f"part-{number:03}.parquet", schema)
    for at, one in enumerate(files):
        reader = _FileReader(shape, reading, one, schema)
        if one.size < _ALONE_BYTES:
            tables = list(reader.tables())
            if reader.is_whole:
                writer.write(tables)
        else:
            alone = _Writer(folder, f"part-{number:03}-{at:05}.parquet", schema)
            for table in reader.tables():
                alone.write([table])
            if alone.close(keep=reader.is_whole):
                staged.files.append(alone.name)
                staged.rows += alone.rows
        for name, kind in reader.unknown.items():
            known = staged.unknown.get(name)
            staged.unknown[name] = (kind, reader.shown) if known is None else (merge(known[0], kind), known[1])
    if writer.close():
        staged.files.append(writer.name)
        staged.rows += writer.rows
    return staged


class _FileReader:
    """The rows of one file, with all columns.

    Attributes:
        is_whole: Whether the file could be read to its end.
        unknown: Columns that the schema has not.
    """

    def __init__(self, shape: Shape, reading: Reading, file: FileRead, schema: pa.Schema) -> None:
        self._shape = shape
        self._reading = reading
        self._file = file
        self._schema = schema
        self.shown = shape.place.shown(file.path)
        self.is_whole = True
        self.unknown: dict[str, DataType] = {}

    def tables(self) -> Iterator[pa.Table]:
        reader = _READERS[self._shape.options.file_format]
        try:
            path = inside(self._shape.place, self._file.path)
            for piece in reader(path, self.shown, self._reading):
                for name, kind in piece.unknown.items():
                    known = self.unknown.get(name)
                    self.unknown[name] = kind if known is None else merge(known, kind)
                yield self._table(piece)
        except FileNotFoundError as error:
            self.is_whole = False
            if not self._shape.options.ignore_missing:
                raise FileGone(self.shown) from error
        except (ArrowException, OSError, ValueError, EOFError, KeyError) as error:
            self.is_whole = False
            self._reading.corrupt_file(self.shown, f"{error}")

    def _table(self, piece: Piece) -> pa.Table:
        shape = self._shape
        fixed = partitions.values_of(self._file.path) if not shape.options.recursive else {}
        by_name = {one.name: column for one, column in zip(shape.data.fields, piece.columns, strict=True)}
        for one in shape.data.fields:
            if one.name in fixed and isinstance(one.type, Atomic):
                by_name[one.name] = self._constant(piece, one.name, one.type, fixed[one.name])
        if shape.options.rescued_column is not None:
            by_name[shape.options.rescued_column] = self._rescued(piece)
        if shape.metadata:
            by_name[METADATA] = pa.array([self._facts()] * piece.count, to_arrow(_METADATA_TYPE))
        return pa.Table.from_arrays([by_name[name] for name in self._schema.names], schema=self._schema)

    def _constant(self, piece: Piece, name: str, kind: Atomic, text: str | None) -> pa.Array:
        try:
            value = None if text is None else value_of(text, kind, self._shape.how)
        except Misfit:
            value = None
            for row in range(piece.count):
                piece.rescue(row, name, json_text(text or ""))
        return pa.array([value] * piece.count, to_arrow(kind))

    def _rescued(self, piece: Piece) -> pa.Array:
        if not piece.residue:
            return pa.nulls(piece.count, pa.string())
        end = b',"_file_path":' + json_text(self.shown) + b"}"
        texts: list[Any] = [None] * piece.count
        for row, parts in piece.residue.items():
            inner = b",".join(json_text(name) + b":" + text for name, text in parts.items())
            texts[row] = (b"{" + inner + end).decode(errors="replace")
        return pa.array(texts, pa.string())

    def _facts(self) -> dict[str, Any]:
        return {
            "file_path": self.shown,
            "file_name": self.shown.rpartition("/")[2],
            "file_size": self._file.size,
            "file_block_start": 0,
            "file_block_length": self._file.size,
            "file_modification_time": self._file.modified_ns // 1000,
        }


def direct_files(shape: Shape, files: Sequence[FileRead]) -> list[str] | None:
    """Paths of Parquet files that the engine can read where they lie, because they have just the schema's columns; else None."""
    if shape.options.file_format != "parquet" or shape.metadata:
        return None
    reading = shape.reading()
    found: list[str] = []
    for one in files:
        if not shape.options.recursive and partitions.values_of(one.path):
            return None
        try:
            path = inside(shape.place, one.path)
            theirs = columnar.schema_of(path, "parquet")
        except (ArrowException, OSError, ValueError):
            return None
        if not columnar.fits_as_it_is(theirs, reading):
            return None
        found.append(str(path))
    return found


def row_count(paths: Sequence[str]) -> int:
    """Rows of Parquet files."""
    return sum(pq.read_metadata(path).num_rows for path in paths)
