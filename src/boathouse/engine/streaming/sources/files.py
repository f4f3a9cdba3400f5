"""Streams from files that come into a folder: each is read once, in the order in which they were written."""

import fnmatch
import glob
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from boathouse.engine.errors import PathRefused
from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.paths.guard import Use, split_pattern
from boathouse.engine.gateway.sql.path_names import SCHEME
from boathouse.engine.gateway.streams.hidden_columns import METADATA_OPTION
from boathouse.engine.streaming.checkpoint import read_json, write
from boathouse.engine.streaming.errors import StreamRefused
from boathouse.engine.streaming.source import Offset, ReadLimits, SourceContext, StreamSource
from boathouse.engine.streaming.sources.facts import Facts, union, with_facts
from boathouse.engine.streaming.sources.options import Options
from boathouse.history.api import TableRef

FORMATS = ("parquet", "json", "csv", "text", "avro")
_OWN = (
    "maxfilespertrigger",
    "maxbytespertrigger",
    "latestfirst",
    "filenameonly",
    "maxfileage",
    "cleansource",
    "pathglobfilter",
    "path",
    METADATA_OPTION.lower(),
)


_MOST_WITH_FACTS = 1000
"""Files of a batch at most, where facts about them are asked for and nothing else bounds it."""


def file_source(read: Any, context: SourceContext) -> "FileSource":
    """The source of a streaming read of files."""
    source = read.read.data_source
    paths = [*source.paths] or [path for path in (source.options.get("path"),) if path]
    if len(paths) != 1:
        message = f"A stream from {source.format} files needs one path: load('/path')."
        raise StreamRefused(message)
    return FileSource(context, source, paths[0])


@dataclass(frozen=True)
class _File:
    """A file that was found; times in ns since the epoch, sizes in bytes."""

    modified: int
    path: str
    size: int


class FileSource(StreamSource):
    """A streaming read of a folder, or of a pattern of files.

    Which files belong to which batch is written to the checkpoint before the batch; the offset is the number of that list.

    Args:
        context: What it works with.
        read: The ``Read.DataSource`` message.
        path: Where the files come.
    """

    def __init__(self, context: SourceContext, read: Any, path: str) -> None:
        self._context = context
        self._read = read
        self._path = path
        self._format = read.format.lower()
        options = Options(read.options, f"{read.format} files")
        for name, why in (
            ("latestFirst", "files are read in the order in which they were written."),
            ("fileNameOnly", "files are told apart by their whole paths."),
        ):
            options.refuse(name, why)
        if (options.text("cleanSource") or "off").lower() != "off":
            options.refuse("cleanSource", "files stay where they are.")
        self._most_files, self._most_bytes = options.number("maxFilesPerTrigger"), options.size("maxBytesPerTrigger")
        self._pattern = options.text("pathGlobFilter")
        if not read.schema and self._format not in {"text", "parquet"}:
            message = (
                "Schema must be specified when creating a streaming source DataFrame from files: use readStream.schema(...), or "
                "format('cloudFiles'), which infers it."
            )
            raise StreamRefused(message)
        if not read.schema and self._format == "parquet":
            message = (
                "Schema must be specified when creating a streaming source DataFrame from files: use readStream.schema(...)."
            )
            raise StreamRefused(message)
        self._metadata = options.flag(METADATA_OPTION)
        if self._metadata and self._most_files is None:
            # Each file is a relation of its own then.
            self._most_files = _MOST_WITH_FACTS
        self._folder = context.folder / "files"
        self._real()
        self._lists = self._known()
        self._seen = {file.path for files in self._lists.values() for file in files}
        self._schema = context.session.schema(self._of([]))
        self._left: list[_File] | None = None

    # ------------------------------------------------------------------------------------------------------ the seam

    def schema(self) -> Any:
        """The columns that were asked for."""
        return self._schema

    @property
    def reads(self) -> tuple[TableRef, ...]:
        """The folder."""
        return (TableRef(path=self._real(), kind="PATH"),)

    def latest(self, start: Offset | None, limits: ReadLimits) -> Offset | None:
        """The number of a new list of files, once it is written down."""
        done = _number(start)
        if max(self._lists, default=0) > done:
            # Written down before a crash, and never planned.
            return {"logOffset": max(self._lists)}
        new = self._new(limits)
        if not new:
            return None
        self._folder.mkdir(parents=True, exist_ok=True)
        write(self._folder / str(done + 1), json.dumps([[one.modified, one.path, one.size] for one in new]))
        self._lists[done + 1] = new
        self._seen.update(one.path for one in new)
        return {"logOffset": done + 1}

    def relation(self, start: Offset | None, end: Offset) -> Any:
        """The rows of the files in some lists."""
        self._real()
        return self._of(self._between(start, end))

    def rows(self, start: Offset | None, end: Offset) -> int | None:
        """How many rows Parquet files say that they have."""
        if self._format != "parquet":
            return None
        try:
            return sum(pq.read_metadata(one.path).num_rows for one in self._between(start, end))
        except (OSError, pa.ArrowException):
            return None

    def committed(self, end: Offset) -> None:
        """The lists stay: they say which files were read."""

    def close(self) -> None:
        """Nothing is held."""

    # --------------------------------------------------------------------------------------------------------- files

    def _real(self) -> str:
        """Where the files come, if the principal may still read there."""
        return self._context.guard.resolve(self._path, Use.READ)

    def _known(self) -> dict[int, list[_File]]:
        """The lists that were written down, by their numbers."""
        if not self._folder.is_dir():
            return {}
        numbers = [int(path.name) for path in self._folder.iterdir() if path.name.isdigit()]
        return {number: [_File(*one) for one in read_json(self._folder / str(number)) or []] for number in sorted(numbers)}

    def _between(self, start: Offset | None, end: Offset) -> list[_File]:
        """The files of some lists, if they still lie where the principal may read; it can write in the checkpoint."""
        places = [Path(os.path.realpath(place)) for place in glob.glob(self._real())]  # noqa: PTH207
        files = [one for number in range(_number(start) + 1, _number(end) + 1) for one in self._lists.get(number, ())]
        for one in files:
            real = Path(os.path.realpath(one.path))
            if not any(real.is_relative_to(place) for place in places):
                raise PathRefused(one.path, f"it does not lie in {self._path}, which the stream reads.")
        return files

    def _new(self, limits: ReadLimits) -> list[_File]:
        if self._left is None or not limits.available_now:
            self._left = sorted(
                (one for one in self._found() if one.path not in self._seen), key=lambda one: (one.modified, one.path)
            )
        taken: list[_File] = []
        size = 0
        for one in self._left:
            full = self._most_files is not None and len(taken) >= self._most_files
            full = full or (self._most_bytes is not None and size >= self._most_bytes)
            if full and not limits.once:
                break
            taken.append(one)
            size += one.size
        self._left = self._left[len(taken) :]
        return taken

    def _found(self) -> Iterator[_File]:
        for place in sorted(glob.glob(self._real())):  # noqa: PTH207
            if os.path.isdir(place):  # noqa: PTH112 - most of the time of a listing goes into making Path objects
                yield from self._inside(place)
            else:
                yield from self._file(place)

    def _inside(self, folder: str) -> Iterator[_File]:
        for root, folders, names in os.walk(folder):
            folders[:] = [name for name in folders if not name.startswith(("_", "."))]
            for name in names:
                if not name.startswith(("_", ".")):
                    yield from self._file(os.path.join(root, name))  # noqa: PTH118

    def _file(self, path: str) -> Iterator[_File]:
        if self._pattern is not None and not fnmatch.fnmatch(os.path.basename(path), self._pattern):  # noqa: PTH119
            return
        try:
            found = os.stat(path)  # noqa: PTH116
        except FileNotFoundError:
            return
        yield _File(found.st_mtime_ns, path, found.st_size)

    def _of(self, files: list[_File]) -> Any:
        """The rows of some files."""
        if not self._metadata:
            return self._rows([one.path for one in files])
        if not files:
            return with_facts(self._rows([]), Facts("", 0, 0))
        parts = [with_facts(self._rows([one.path]), Facts(self._shown(one.path), one.size, one.modified)) for one in files]
        return union(parts)

    def _shown(self, path: str) -> str:
        """A file's path as rows tell it: a URI under the name by which the folder was asked for."""
        asked = split_pattern(SCHEME.sub("", self._path))[0].rstrip("/")
        inside = path.removeprefix(split_pattern(self._real())[0].rstrip("/"))
        shown = f"dbfs:{asked}{inside}" if asked.startswith("/Volumes/") else f"file://{path}"
        return quote(shown, safe="/:=,+@!$&'()*;~-_.")

    def _rows(self, paths: list[str]) -> Any:
        relation = proto().Relation()
        source = relation.read.data_source
        source.CopyFrom(self._read)
        for key in list(source.options):
            if key.lower() in _OWN:
                del source.options[key]
        source.paths[:] = paths or [self._nothing()]
        if self._format == "text" and not source.schema:
            source.schema = "value STRING"
        return relation

    def _nothing(self) -> str:
        """A folder without files: the engine takes no empty list."""
        folder = self._context.scratch / "nothing"
        folder.mkdir(parents=True, exist_ok=True)
        return str(Path(folder))


def _number(offset: Offset | None) -> int:
    return 0 if offset is None else int(offset["logOffset"])
