"""Auto Loader: new files of a folder as the micro-batches of a stream, each file in one batch."""

import hashlib
import shutil
import time
from pathlib import Path
from typing import Any

from boathouse.engine.api import (
    METADATA_OPTION,
    Offset,
    ReadLimits,
    SourceContext,
    StreamSchemaChanged,
    StreamSource,
    Use,
    proto,
)
from boathouse.errors import InvalidState
from boathouse.history.api import TableRef
from boathouse.ingest import partitions
from boathouse.ingest.aside import write_bad
from boathouse.ingest.asked import hints_of, local, notation_of, place_of, sample_of, schema_of
from boathouse.ingest.batch import FileRead, Shape, Staged, direct_files, row_count, stage
from boathouse.ingest.cleaning import clean
from boathouse.ingest.discovery import Discovery, find
from boathouse.ingest.errors import NewColumns, NothingToInfer, OptionMissing, OptionNotBuilt
from boathouse.ingest.inference import infer
from boathouse.ingest.options import FIXED, FORMATS, Evolution, Options, sql_options, stream_options
from boathouse.ingest.paths import Place, place_in_store
from boathouse.ingest.readers import plain
from boathouse.ingest.relations import parquet_relation, staged_relation
from boathouse.ingest.schema_log import Columns, SchemaLog, with_hints
from boathouse.ingest.state import FileLog
from boathouse.ingest.stores import STORES, Bucket, at_hand
from boathouse.ingest.types import to_message

_KEY = "seqNum"


def cloud_files(data_source: Any, context: SourceContext) -> StreamSource:
    """The source of ``readStream.format("cloudFiles")``; an inferred schema is kept in the checkpoint if no option says where.

    Raises:
        InvalidParameterValue: If an option is not valid.
        PathRefused: If the principal may not read the path.
    """
    given = dict(data_source.options)
    metadata = given.pop(METADATA_OPTION, "") == "true"
    options = stream_options(given, has_schema=bool(data_source.schema))
    return CloudFiles(_path(data_source), data_source.schema, options, context, keeps_schema=context.folder, metadata=metadata)


def read_files_stream(data_source: Any, context: SourceContext) -> StreamSource:
    """The source of ``STREAM read_files(...)``: its arguments are the options; its schema is kept in the checkpoint.

    Raises:
        InvalidParameterValue: If an argument is not valid.
        PathRefused: If the principal may not read the path.
    """
    given = dict(data_source.options)
    metadata = given.pop(METADATA_OPTION, "") == "true"
    file_format, schema = _taken(given, "format"), data_source.schema or _taken(given, "schema")
    if not file_format:
        raise OptionMissing("format", f"it is one of {', '.join(FORMATS)}")
    options = sql_options(given, file_format, has_schema=bool(schema), is_stream=True)
    return CloudFiles(_path(data_source), schema, options, context, keeps_schema=context.folder, metadata=metadata)


def _taken(given: dict[str, str], name: str) -> str:
    key = next((one for one in given if one.lower() == name), None)
    return "" if key is None else given.pop(key)


def _path(data_source: Any) -> str:
    paths = [*data_source.paths] or [value for key, value in data_source.options.items() if key.lower() == "path"]
    if len(paths) != 1:
        raise OptionMissing(
            "path", "Auto Loader reads one path; a pattern as /Volumes/c/s/v/{a,b}/*.json names several folders"
        )
    return str(paths[0])


class CloudFiles(StreamSource):
    """One stream over the files of a place.

    Args:
        path: As the client names it.
        schema: The text of the schema that the client gives, JSON or DDL; empty where it is to be inferred.
        options: Checked.
        context: What it works with.
        keeps_schema: Where an inferred schema is kept if no option says it.
        metadata: Whether there is a column of facts about each row's file.
    """

    def __init__(
        self,
        path: str,
        schema: str,
        options: Options,
        context: SourceContext,
        *,
        keeps_schema: Path,
        metadata: bool = False,
    ) -> None:
        self._metadata = metadata
        self._options = options
        self._context = context
        self._bucket: Bucket | None = None
        self._place = self._store(path) if path.lower().startswith(STORES) else place_of(path, context.guard)
        self._log: FileLog | None = None
        self._end: int | None = None
        self._counted: tuple[Offset, int] | None = None
        self._how = notation_of(options, context.session)
        self._bad = None if options.bad_records is None else local(context.guard, options.bad_records, Use.WRITE)
        self._clean_to = self._cleaning()
        self._schemas = self._schema_log(keeps_schema) if not schema and options.file_format not in FIXED else None
        self._columns = Columns(schema_of(schema, context.session)) if schema else self._inferred()
        self._row = self._columns.row(options.rescued_column)

    @property
    def _shape(self) -> Shape:
        return Shape(self._place, self._options, self._how, self._row, self._metadata)

    # ------------------------------------------------------------------------------------------------------- the seam

    def schema(self) -> Any:
        """The rows' schema."""
        return to_message(self._shape.full, proto().DataType())

    def latest(self, start: Offset | None, limits: ReadLimits) -> Offset | None:
        """The number of the last file of the next batch."""
        log, options = self._files, self._options
        begin = 0 if start is None else int(start[_KEY])
        most, size = (None, None) if limits.once else (options.max_files, options.max_bytes)
        if self._end is None or not (limits.available_now or limits.once):
            waiting, _ = log.backlog(begin)
            fixed = limits.available_now or limits.once
            # What is known already is read first; folders are listed when that ends.
            if fixed or most is None or waiting < most:
                Discovery(self._place, options, log).list(settle=fixed)
            self._end = log.last()
        end = log.end(begin, most, size, self._end)
        return None if end == begin else {_KEY: end}

    def relation(self, start: Offset | None, end: Offset) -> Any:
        """The rows of the files of a batch."""
        begin, last = 0 if start is None else int(start[_KEY]), int(end[_KEY])
        files = [FileRead(one.path, one.modified_ns, one.size) for one in self._files.between(begin, last)]
        if self._bucket is not None:
            self._bucket.bring(self._place, [one.path for one in files])
        shape = self._shape
        direct = direct_files(shape, files)
        if direct is not None:
            self._counted = (end, row_count(direct))
            return parquet_relation(direct, self._row, self._options.rescued_column)
        folder = self._context.scratch / str(last)
        staged = stage(shape, files, folder)
        if self._bad is not None:
            stream = hashlib.sha256(str(self._context.folder).encode()).hexdigest()[:8]
            write_bad(staged.bad, self._bad / f"{stream}-{last:012}")
        self._evolve(staged, folder)
        self._counted = (end, staged.rows)
        return staged_relation(staged, shape.full)

    def rows(self, start: Offset | None, end: Offset) -> int | None:
        """How many rows the last batch had."""
        del start
        return self._counted[1] if self._counted is not None and self._counted[0] == end else None

    @property
    def reads(self) -> tuple[TableRef, ...]:
        """The folder."""
        return (TableRef(path=str(self._place.base) if self._bucket is None else self._place.shown(""), kind="PATH"),)

    @property
    def description(self) -> str:
        """What a query's progress calls it."""
        return f"CloudFilesSource[{self._place.asked}]"

    def committed(self, end: Offset) -> None:
        """Note that the files up to an end are in the sink, and remove what was put down for them."""
        last = int(end[_KEY])
        self._files.committed(last, int(time.time() * 1000))
        shutil.rmtree(self._context.scratch / str(last), ignore_errors=True)
        if self._bucket is not None:
            shutil.rmtree(self._place.base, ignore_errors=True)
        if self._options.clean != "OFF":
            clean(self._files, self._place, self._options, self._clean_to)

    def close(self) -> None:
        """Close the list of files."""
        if self._log is not None:
            self._log.close()
            self._log = None

    # -------------------------------------------------------------------------------------------------------- the rest

    @property
    def _files(self) -> FileLog:
        if self._log is None:
            self._log = FileLog(self._context.folder)
            base = self._place.shown("")
            known = self._log.note("base")
            if known not in {None, base}:
                raise InvalidState(
                    f"The checkpoint is of a stream that reads {known}, not {base}. Give this one a checkpoint of its own."
                )
            self._log.leave("base", base)
        return self._log

    def _store(self, path: str) -> Place:
        def remote(url: str) -> Bucket:
            self._bucket = Bucket(url, self._context.access, self._context.principal)
            return self._bucket

        return place_in_store(path, self._context.scratch / "objects", remote)

    def _cleaning(self) -> Path | None:
        options, guard = self._options, self._context.guard
        if options.clean == "OFF":
            return None
        if self._bucket is not None:
            raise OptionNotBuilt("cleanSource of an object store", "leave it out; the store's own lifecycle rules do that")
        guard.resolve(self._place.asked, Use.WRITE)
        return None if options.clean_destination is None else local(guard, options.clean_destination, Use.WRITE)

    def _schema_log(self, otherwise: Path) -> SchemaLog:
        location = self._options.schema_location
        return SchemaLog(otherwise if location is None else local(self._context.guard, location, Use.WRITE))

    def _inferred(self) -> Columns:
        options = self._options
        if options.file_format in FIXED:
            names = [path for path, _, _ in find(self._place, options)[:1000]]
            return Columns(plain.COLUMNS[options.file_format], partitions.infer(names, options))
        assert self._schemas is not None  # noqa: S101 - set for every format that is inferred
        hints = hints_of(options, self._context.session)
        while True:
            known = self._schemas.latest()
            if known is not None:
                return with_hints(known[1], hints)
            files = at_hand(self._place, ((path, size) for path, _, size in find(self._place, options)))
            columns = infer(self._place, files, options, self._how, sample_of(self._context.session))
            if columns is None:
                raise NothingToInfer(self._place.asked, options.file_format)
            self._schemas.append(0, with_hints(columns, hints))

    def _evolve(self, staged: Staged, folder: Path) -> None:
        """Go on, fail, or fail once and know more at the next start, where files have columns that the schema has not."""
        mode = self._options.evolution
        if not staged.unknown or mode in {Evolution.RESCUE, Evolution.NONE}:
            return
        shutil.rmtree(folder, ignore_errors=True)
        names = sorted(staged.unknown)
        if mode is Evolution.FAIL or self._schemas is None:
            raise NewColumns(names, next(iter(staged.unknown.values()))[1])
        known = self._schemas.latest()
        number, columns = known if known is not None else (-1, self._columns)
        grown = columns.grown(staged.new_columns())
        self._schemas.append(number + 1, with_hints(grown, hints_of(self._options, self._context.session)))
        raise StreamSchemaChanged(
            f"[UNKNOWN_FIELD_EXCEPTION.NEW_FIELDS_IN_FILE] Encountered unknown fields during parsing: {', '.join(names)}, which can be "
            "fixed by an automatic retry: true. The schema has them now; start the query again."
        )
