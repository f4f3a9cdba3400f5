"""Streams from Delta tables: what is there first, then what is added; or the change data feed."""

import datetime as dt
import json
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from boathouse.catalog.api import SecurableNotFound, SecurableType
from boathouse.engine.gateway.effects import Effects
from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.names.resolver import Resolver
from boathouse.engine.gateway.names.stream_tables import streamed_table
from boathouse.engine.gateway.paths.guard import Use
from boathouse.engine.gateway.sql.tokens import parts_of
from boathouse.engine.streaming.checkpoint import read_json, write
from boathouse.engine.streaming.errors import StreamRefused
from boathouse.engine.streaming.source import Offset, ReadLimits, SourceContext, StreamSource
from boathouse.engine.streaming.sources.delta_log import WORKED_OUT, LogStream, Position, Rows, Tolerance
from boathouse.engine.streaming.sources.options import Options
from boathouse.engine.streaming.sources.shadow import shadow
from boathouse.errors import BoathouseError
from boathouse.history.api import TableRef
from boathouse.storage.paths import to_url
from boathouse.tables.api import Action, change_range, replay, write_changes
from boathouse.tables.versions import last_version

_KNOWN = (
    *("path", "startingVersion", "startingTimestamp", "ignoreChanges", "ignoreDeletes", "skipChangeCommits"),
    *("readChangeFeed", "readChangeData", "maxFilesPerTrigger", "maxBytesPerTrigger", "failOnDataLoss", "withEventTimeOrder"),
    *("excludeRegex", "schemaTrackingLocation"),
)
_DEFAULT_FILES = 1000
_FEED = {"_change_type": "string", "_commit_version": "long", "_commit_timestamp": "timestamp"}


def delta_source(read: Any, context: SourceContext) -> "DeltaSource":
    """The source of a streaming read of a table, a path or a change data feed."""
    if read.WhichOneof("rel_type") == "relation_changes":
        changes = read.relation_changes
        return DeltaSource(context, dict(changes.options), name=changes.unparsed_identifier, with_feed=True)
    if read.read.HasField("named_table"):
        table = read.read.named_table
        return DeltaSource(context, dict(table.options), name=table.unparsed_identifier)
    source = read.read.data_source
    path = next(iter(source.paths), None) or source.options.get("path")
    if not path:
        message = "A stream from Delta needs a path: load('/path') or readStream.table('catalog.schema.table')."
        raise StreamRefused(message)
    if source.schema:
        message = "[DELTA_UNSUPPORTED_SCHEMA_DURING_READ] Delta does not support specifying the schema at read time."
        raise StreamRefused(message)
    return DeltaSource(context, dict(source.options), path=path)


class DeltaSource(StreamSource):
    """A streaming read of one Delta table, by name or by path.

    Args:
        context: What it works with.
        options: Of the reader.
        name: Of the table; or else
        path: where it lies.
        with_feed: Whether the change data feed is read, whatever the options say.
    """

    def __init__(
        self,
        context: SourceContext,
        options: dict[str, str],
        *,
        name: str | None = None,
        path: str | None = None,
        with_feed: bool = False,
    ) -> None:
        self._context = context
        self._options = Options(options, "a Delta table")
        self._check_options()
        self._name, self._path = name, path
        self._with_feed = with_feed or self._options.flag("readChangeFeed") or self._options.flag("readChangeData")
        self._most_files = self._options.number("maxFilesPerTrigger")
        self._most_bytes = self._options.size("maxBytesPerTrigger")
        self._tolerance = Tolerance(
            self._options.flag("ignoreChanges"), self._options.flag("ignoreDeletes"), self._options.flag("skipChangeCommits")
        )
        shutil.rmtree(context.scratch, ignore_errors=True)
        location = self._location()
        self._log = LogStream(location, replay(location), self._tolerance, with_feed=self._with_feed)
        self._schema = context.session.schema(self._governed([]))
        self._until: int | None = None

    def _check_options(self) -> None:
        self._options.require_known(_KNOWN)
        self._options.refuse("withEventTimeOrder", "files are read in the order of their commits.")
        if self._options.text("excludeRegex") is not None:
            self._options.refuse("excludeRegex", "filter the rows instead.")
        if self._options.text("schemaTrackingLocation") is not None:
            self._options.refuse("schemaTrackingLocation", "restart the query after a column was added.")
        if self._options.text("startingVersion") is not None and self._options.text("startingTimestamp") is not None:
            message = "[DELTA_STARTING_VERSION_AND_TIMESTAMP_BOTH_SET] Please either provide 'startingVersion' or 'startingTimestamp'."
            raise StreamRefused(message)

    # ------------------------------------------------------------------------------------------------------ the seam

    def schema(self) -> Any:
        """The table's columns, without those that nobody may see of it."""
        return self._schema

    @property
    def reads(self) -> tuple[TableRef, ...]:
        """The table."""
        full = None if self._name is None else self._context.session.qualify(tuple(parts_of(self._name)))
        if full is not None and self._path is None and not _is_path(self._name):
            return (TableRef(full_name=".".join(full).lower()),)
        return (TableRef(path=str(self._log.folder), kind="PATH"),)

    def latest(self, start: Offset | None, limits: ReadLimits) -> Offset | None:
        """The position after as many files as one batch may take."""
        self._location()
        position = self._position(start)
        newest = last_version(self._log.location)
        if limits.available_now:
            self._until = newest if self._until is None else self._until
            newest = self._until
        end = self._admitted(position, newest, limits)
        return None if end == position else end.offset(self._log.table_id)

    def relation(self, start: Offset | None, end: Offset) -> Any:
        """The rows of the files between two positions, with the policies that hold now."""
        self._log.require_same(end)
        return self._governed(list(self._between(start, end)))

    def rows(self, start: Offset | None, end: Offset) -> int | None:
        """How many rows there are, as the log tells it."""
        total = 0
        for one in self._between(start, end):
            if one.file is None:
                continue
            if one.kind == WORKED_OUT:
                return None
            stats = one.file.get("stats")
            if not stats:
                return None
            vector = one.file.get("deletionVector") or {}
            total += int(json.loads(stats).get("numRecords", 0)) - int(vector.get("cardinality", 0))
        return total

    def committed(self, end: Offset) -> None:
        """Remove what was made for the batch."""
        del end
        shutil.rmtree(self._context.scratch, ignore_errors=True)

    def close(self) -> None:
        """Nothing is held."""

    # -------------------------------------------------------------------------------------------------------- places

    def _location(self) -> str:
        """Where the table lies, if the principal may still read it."""
        if self._path is not None:
            return to_url(Path(self._context.guard.resolve(self._path, Use.READ)))
        name = self._name or ""
        if _is_path(name):
            return to_url(Path(self._context.guard.resolve(parts_of(name)[1], Use.READ)))
        context = self._context
        return streamed_table(context.access, context.session, parts_of(name), with_feed=self._with_feed).storage_location

    # ----------------------------------------------------------------------------------------------------- positions

    def _position(self, offset: Offset | None) -> Position:
        if offset is None:
            return self._initial()
        self._log.require_same(offset)
        return Position.of(offset)

    def _initial(self) -> Position:
        """Where the stream begins; decided once, since the first batch must be the same when it is done again."""
        path = self._context.folder / "initial"
        known: Offset | None = read_json(path)
        if known is not None:
            self._log.require_same(known)
            return Position.of(known)
        position = self._asked_for()
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, json.dumps(position.offset(self._log.table_id)))
        return position

    def _asked_for(self) -> Position:
        version, moment = self._options.text("startingVersion"), self._options.text("startingTimestamp")
        newest = last_version(self._log.location)
        if version is not None and version.strip().lower() == "latest":
            return Position(newest + 1, 0, is_initial=False)
        if version is not None:
            wanted = self._options.number("startingVersion", least=0) or 0
            first = wanted if wanted == newest + 1 else change_range(self._log.location, wanted).first
            return Position(first, 0, is_initial=False)
        if moment is not None:
            return Position(change_range(self._log.location, moment).first, 0, is_initial=False)
        return Position(newest, 0, is_initial=True)

    def _admitted(self, start: Position, newest: int, limits: ReadLimits) -> Position:
        """How far one batch may go: never beyond a version that the stream stops at, while there is something before it."""
        most_files = self._most_files or (None if self._most_bytes is not None else _DEFAULT_FILES)
        if limits.once:
            most_files = most_bytes = None
        else:
            most_bytes = self._most_bytes
        end, files, size = start, 0, 0
        paths: set[tuple[str, str]] = set()
        whole = start
        try:
            for one in self._log.rows(start, newest):
                if one.file is None:
                    end = whole = one.after
                    continue
                path = (one.kind, one.file["path"])
                full = most_files is not None and files >= most_files
                full = full or (most_bytes is not None and size >= most_bytes)
                # A file can be in a shadow's log only once.
                if full or path in paths:
                    break
                paths.add(path)
                files, size = files + 1, size + int(one.file.get("size") or 0)
                end = one.after
        except BoathouseError:
            if end == start:
                raise
        if self._with_feed and whole != start and not end.is_initial:
            # What one commit has changed stays together.
            return whole
        return end

    def _between(self, start: Offset | None, end: Offset) -> Iterable[Rows]:
        position, stop = self._position(start), Position.of(end)
        if position == stop:
            return
        for one in self._log.rows(position, stop.version):
            yield one
            if one.after == stop:
                return

    # ----------------------------------------------------------------------------------------------------- relations

    def _governed(self, rows: list[Rows]) -> Any:
        """Some rows under the policies of their table, and under its name."""
        name = self._name
        if name is None or _is_path(name):
            return _aliased(self._rows(rows), None)
        parts = parts_of(name)
        session = self._context.session
        resolver = Resolver(self._context.access, self._context.principal, session, session.names.numbers, Effects())
        own = ".".join(session.qualify(tuple(parts)) or parts).lower()
        # What a policy's function reads is not the stream's.
        resolver.rows_of = lambda table: self._rows(rows) if table.full_name == own else None
        meant = resolver.relation(parts)
        if meant is None:
            raise SecurableNotFound(SecurableType.TABLE, name)
        return _aliased(meant, parts[-1])

    def _rows(self, rows: list[Rows]) -> Any:
        folder = self._context.scratch
        folder.mkdir(parents=True, exist_ok=True)
        state = self._log.state
        if not self._with_feed:
            files = [one.file for one in rows if one.file is not None]
            return shadow(folder / secrets.token_hex(8), self._log.folder, state.protocol, state.metadata, files)
        parts = [self._feed(kind, [one for one in rows if one.kind == kind and one.file is not None]) for kind in _kinds(rows)]
        parts += [self._worked_out(one.version) for one in rows if one.kind == WORKED_OUT]
        relation = parts[0]
        for part in parts[1:]:
            union = proto().Relation()
            union.set_op.left_input.CopyFrom(relation)
            union.set_op.right_input.CopyFrom(part)
            union.set_op.set_op_type = proto().SetOperation.SET_OP_TYPE_UNION
            union.set_op.is_all = True
            union.set_op.by_name = True
            union.set_op.allow_missing_columns = True
            relation = union
        return relation

    def _worked_out(self, version: int) -> Any:
        """What a version changed: the rows of its files that are not in both the old and the new ones."""
        relation = proto().Relation()
        relation.read.data_source.format = "parquet"
        folder = self._context.scratch / secrets.token_hex(8)
        relation.read.data_source.paths.extend(map(str, write_changes(self._log.location, version, version, folder)))
        return relation

    def _feed(self, kind: str, rows: list[Rows]) -> Any:
        """Changed rows of one kind: what the feed says of them is in the log like the values of partitions."""
        state = self._log.state
        schema = json.loads(state.metadata["schemaString"])
        schema["fields"] += [_column(name, kind, number) for number, (name, kind) in enumerate(_FEED.items())]
        partitions = [*state.partition_columns, "_commit_version", "_commit_timestamp"]
        if kind != "change":
            partitions.append("_change_type")
        metadata = {**state.metadata, "schemaString": json.dumps(schema), "partitionColumns": partitions}
        files = [_stamped(one) for one in rows]
        return shadow(self._context.scratch / secrets.token_hex(8), self._log.folder, state.protocol, metadata, files)


def _column(name: str, kind: str, number: int) -> Action:
    mapping = {"delta.columnMapping.id": 1_000_000 + number, "delta.columnMapping.physicalName": name}
    return {"name": name, "type": kind, "nullable": True, "metadata": mapping}


def _kinds(rows: list[Rows]) -> list[str]:
    found = list(dict.fromkeys(one.kind for one in rows if one.file is not None and one.kind != WORKED_OUT))
    return found or ["insert"]


def _stamped(rows: Rows) -> Action:
    moment = dt.datetime.fromtimestamp(rows.time_ms / 1000, dt.UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    values = {"_commit_version": str(rows.version), "_commit_timestamp": moment}
    if rows.kind != "change":
        values["_change_type"] = rows.kind
    file = rows.file or {}
    kept = {key: value for key, value in file.items() if key not in {"stats", "deletionTimestamp", "extendedFileMetadata"}}
    return {**kept, "partitionValues": {**(file.get("partitionValues") or {}), **values}}


def _aliased(relation: Any, alias: str | None) -> Any:
    if alias is None:
        return relation
    named = proto().Relation()
    named.subquery_alias.alias = alias
    named.subquery_alias.input.CopyFrom(relation)
    return named


def _is_path(name: str | None) -> bool:
    parts = parts_of(name or "")
    return len(parts) == 2 and parts[0].lower() == "delta" and "/" in parts[1]
