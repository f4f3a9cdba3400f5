"""What a DataFrame reads: tables by their names, files by their paths, streams, and changes; each becomes what its reader may see."""

import csv
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.names.pruning import Comparison
from boathouse.engine.gateway.names.references import Reader
from boathouse.engine.gateway.names.stream_reads import Look, look_at
from boathouse.engine.gateway.names.stream_tables import check_written, feed_bounds, passed_stream
from boathouse.engine.gateway.names.table_functions import Argument, change_feed
from boathouse.engine.gateway.paths import time_travel
from boathouse.engine.gateway.paths.guard import Use
from boathouse.engine.gateway.paths.open_tables import put_checked, require_closed
from boathouse.engine.gateway.paths.partitions import may_have_partitions
from boathouse.engine.gateway.sql.path_names import FILE_FORMATS
from boathouse.engine.gateway.sql.tokens import parts_of
from boathouse.engine.streaming.kafka.source import rows_now
from boathouse.engine.streaming.sources.appended import appended
from boathouse.storage.paths import to_url
from boathouse.tables.api import forget_checkpoint_hint

_READ_FILES = "read_files"
_RECORDS = ("mode", "columnNameOfCorruptRecord", "encoding", "charset", "modifiedAfter", "modifiedBefore", "badRecordsPath")
_OPTIONS: dict[str, tuple[str, ...]] = {
    "csv": (*_RECORDS, "rescuedDataColumn", "skipRows"),
    "json": (*_RECORDS, "rescuedDataColumn", "multiLine"),
    "text": ("encoding", "charset", "modifiedAfter", "modifiedBefore", "wholeText"),
    **dict.fromkeys(("parquet", "avro", "orc"), ("modifiedAfter", "modifiedBefore")),
}
"""By format, the options of readers that the embedded engine does not know."""
_BESIDE: dict[str, tuple[str, ...]] = {
    "csv": (
        *("header", "sep", "delimiter", "quote", "escape", "comment", "nullValue", "emptyValue", "nanValue", "positiveInf"),
        *("negativeInf", "ignoreLeadingWhiteSpace", "ignoreTrailingWhiteSpace", "multiLine", "dateFormat", "timestampFormat"),
        *("lineSep", "enforceSchema", "pathGlobFilter", "recursiveFileLookup", "ignoreMissingFiles", "ignoreCorruptFiles"),
    ),
    "json": (
        *("dateFormat", "timestampFormat", "lineSep", "pathGlobFilter", "recursiveFileLookup", "ignoreMissingFiles"),
        "ignoreCorruptFiles",
    ),
    "text": ("lineSep", "pathGlobFilter", "recursiveFileLookup", "ignoreMissingFiles", "ignoreCorruptFiles"),
    **dict.fromkeys(("parquet", "avro", "orc"), ("mergeSchema", "pathGlobFilter", "recursiveFileLookup")),
}
"""By format, the options that are handed on beside them."""
_UTF8 = frozenset({"utf-8", "utf8", "us-ascii"})
_CORRUPT = "_corrupt_record"
SHORT_ROWS = "allowTruncatedRows"
"""The embedded engine's option for CSV files in which rows have fewer fields than others: these are NULL then, as they are in Spark."""
_PLAIN = frozenset({".csv", ".tsv", ".txt", ""})
_LONGEST_HEADER = 1 << 16
_NO_RESCUED = "__bh_rescued"

if TYPE_CHECKING:
    from boathouse.engine.gateway.names.visit import Visit


def replace_streams(visit: "Visit", relation: Any) -> bool:
    """What only streams have, and reads from Kafka, in place; whether nothing is left to be done to the relation."""
    found = look_at(relation, visit.streams)
    visit.changed |= found is not Look.LEFT
    source = relation.read.data_source if relation.WhichOneof("rel_type") == "read" else None
    if found is Look.LEFT and visit.shared is None and source is not None and source.format.lower() == "kafka":
        rows = rows_now(dict(source.options), visit.access, visit.principal, executes=visit.executes)
        visit.replace(relation, rows, "kafka")
        return True
    return found is Look.GOVERNED


def read_table(visit: "Visit", relation: Any, said: Sequence[Comparison]) -> bool:
    """A table of a DataFrame; whether it was replaced by what the reader may see of it."""
    read = relation.read
    name = read.named_table.unparsed_identifier
    name, moment = (name, None) if read.is_streaming else time_travel.split_at(name)
    read.named_table.unparsed_identifier = visit.table_name(name, Use.READ)
    visit.look_at_options(read.named_table.options, "", Use.READ)
    if read.is_streaming:
        meant = passed_stream(visit, read)
        if meant is not None:
            visit.replace(relation, meant, parts_of(name)[-1])
        return meant is not None
    options = dict(read.named_table.options)
    feed = feed_bounds(options)
    if feed is not None:
        meant = visit.resolver.changes(parts_of(name), *feed)
        visit.replace(relation, meant, parts_of(name)[-1])
        return True
    parts, before = parts_of(name), visit.resolver.rows_of
    added = appended(options, visit.session.qualify(parts), visit.access.layout.run / "appended")
    visit.resolver.rows_of = added or before
    meant = visit.resolver.relation(parts, time_travel.moment_of(options, moment), None, options, said)
    visit.resolver.rows_of = before
    if added is not None:
        added.require_met()
    if meant is None:
        return False
    visit.replace(relation, meant, parts[-1])
    return True


def replace_files(visit: "Visit", relation: Any) -> bool:
    """Files that the engine does not read as they are asked for; whether they were replaced by what it does."""
    return _read_path_changes(visit, relation) or _read_by_options(visit, relation)


def _read_path_changes(visit: "Visit", relation: Any) -> bool:
    """The change data feed of a Delta table by its path; whether it was asked for."""
    source = relation.read.data_source
    path = next(iter(source.paths), None) or source.options.get("path")
    feed = None if relation.read.is_streaming or source.format.lower() != "delta" else feed_bounds(source.options)
    if feed is None or path is None:
        return False
    rows = change_feed(visit.session, visit.access, to_url(Path(visit.guard.resolve(path, Use.READ))), *feed)
    visit.replace(relation, rows, "changes")
    return True


def _read_by_options(visit: "Visit", relation: Any) -> bool:
    """Files with options that the embedded engine does not know, read by the server as ``read_files`` does; whether it is such a read."""
    source = relation.read.data_source
    file_format = source.format.lower()
    if visit.session.capabilities.reads_all_forms or relation.read.is_streaming or file_format not in _OPTIONS:
        return False
    given = {key.lower(): value for key, value in source.options.items()}
    asked = asks_server(file_format, given)
    paths = list(source.paths) or [given["path"]] * ("path" in given)
    asked = asked or (file_format in {"csv", "json"} and _CORRUPT in source.schema)
    if not asked and not (file_format == "csv" and _is_odd(visit, given, source.schema, paths)):
        return False
    if not paths or _READ_FILES not in visit.access.functions:
        return False
    rows, _ = read_by_server(visit, file_format, given, paths, source.schema)
    visit.replace(relation, rows, file_format)
    return True


def asks_server(file_format: str, given: Mapping[str, str]) -> bool:
    """Whether a reader has options that the embedded engine does not know; format and the options' keys in lower case."""
    names = _OPTIONS.get(file_format, ())
    return any(name.lower() in given and not _says_nothing(name, given[name.lower()]) for name in names)


def read_by_server(
    visit: "Visit", file_format: str, given: Mapping[str, str], paths: Sequence[str], schema: str = "", hidden: str = ""
) -> tuple[Any, list[str]]:
    """Files as the server reads them.

    Args:
        visit: The request.
        file_format: Of the files, in lower case.
        given: The reader's options, their keys in lower case; those that are not known are left out.
        paths: Of the files or folders.
        schema: Of the rows, in SQL; empty to infer it.
        hidden: A hidden column that the rows are to have; empty for none.

    Returns:
        The rows, and the names of their columns but for the hidden one, where there is one.
    """
    known = {name.lower(): name for name in (*_OPTIONS.get(file_format, ()), *_BESIDE.get(file_format, ()))}
    options = {known[key]: value for key, value in given.items() if key in known}
    infers = given.get("inferschema", "false") if file_format == "csv" else _opposite(given.get("primitivesasstring", "false"))
    if file_format not in {"text", "binaryfile"} and not schema:
        options = {"rescuedDataColumn": _NO_RESCUED, "inferColumnTypes": infers, **options}
    arguments = [Argument("format", file_format)]
    arguments += [Argument("schema", schema)] if schema and file_format != "text" else []
    arguments += [Argument(name, value) for name, value in options.items()]
    reader, shown = Reader(visit.principal, is_asker=True), frozenset({hidden} if hidden else ())
    read = [visit.resolver.called(_READ_FILES, [Argument("path", path), *arguments], reader, shown) for path in paths]
    rows = proto().Relation()
    rows.drop.input.CopyFrom(functools.reduce(_union, [relation for relation, _ in read]))
    rows.drop.column_names.append(_NO_RESCUED)
    names = dict.fromkeys(name for _, columns in read for name in columns if name != _NO_RESCUED)
    return rows, list(names)


def _union(left: Any, right: Any) -> Any:
    """The rows of two relations, by the names of their columns; what one of them lacks is NULL."""
    both = proto().Relation()
    both.set_op.left_input.CopyFrom(left)
    both.set_op.right_input.CopyFrom(right)
    both.set_op.set_op_type = proto().SetOperation.SET_OP_TYPE_UNION
    both.set_op.is_all = both.set_op.by_name = both.set_op.allow_missing_columns = True
    return both


def _is_odd(visit: "Visit", given: Mapping[str, str], schema: str, paths: Sequence[str]) -> bool:
    """Whether CSV files have separators of several characters, or a header with names that are none, or are there twice."""
    separator = given.get("sep", given.get("delimiter", ","))
    if len(separator) > 1 and not separator.startswith("\\"):
        return True
    if schema or given.get("header", "false").lower() != "true" or len(separator) != 1:
        return False
    names = _header(visit, paths, separator, given.get("quote", '"'))
    return not all(names) or len({name.lower() for name in names}) < len(names)


def _header(visit: "Visit", paths: Sequence[str], separator: str, quote: str) -> list[str]:
    """The names in the first line of the first file, where that is a plain one on this machine."""
    for path in paths:
        place = Path(visit.guard.resolve(path, Use.READ))
        files = [place] if place.is_file() else sorted(place.glob("[!._]*")) if place.is_dir() else []
        for file in files:
            if file.is_file() and file.suffix.lower() in _PLAIN:
                with file.open(encoding="utf-8-sig", errors="replace", newline="") as text:
                    line = text.readline(_LONGEST_HEADER)
                if line.strip():
                    return next(csv.reader([line], delimiter=separator, quotechar=quote[:1] or None), [])
    return []


def _says_nothing(name: str, value: str) -> bool:
    """Whether an option says what holds without it."""
    if name in {"encoding", "charset"}:
        return value.lower() in _UTF8
    return name in {"multiLine", "wholeText"} and value.lower() == "false"


def _opposite(flag: str) -> str:
    return "false" if flag.lower() == "true" else "true"


def look_at_read(visit: "Visit", read: Any) -> None:
    """Files that are read."""
    if not read.HasField("data_source"):
        return
    source = read.data_source
    if read.is_streaming:
        time_travel.refuse_moment(read, visit.guard)
        check_written(visit, source.options, source.paths)
        require_closed(visit, source)
    else:
        visit.changed |= time_travel.put_versions(source, visit.guard, visit.session)
    is_checked = not read.is_streaming and put_checked(visit, source)
    paths = list(source.paths) if is_checked else [visit.path(path, source.format, Use.READ) for path in source.paths]
    if paths != list(source.paths):
        source.paths[:] = paths
    visit.look_at_options(source.options, source.format, Use.READ)
    appended(source.options, None, visit.access.layout.run)
    if source.format.lower() == "delta" and any(key.lower() in time_travel.MOMENTS for key in source.options):
        for place in source.paths:
            forget_checkpoint_hint(to_url(Path(place)))
    if source.format.lower() == "csv" and not (read.is_streaming or visit.session.capabilities.reads_all_forms):
        source.options.setdefault(SHORT_ROWS, "true")
        visit.changed = True
    path = source.options.get("path")
    if path and not source.paths and source.format.lower() in FILE_FORMATS:
        # The engine does not look for the files of a reader there.
        source.paths.append(path)
        del source.options["path"]
        visit.changed = True
    if may_have_partitions(read):
        visit.texts.look_at_late_form()
