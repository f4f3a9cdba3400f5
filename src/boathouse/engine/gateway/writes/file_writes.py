"""Rows for files that are no Delta table, where the embedded engine would lose some, or leave nothing to read."""

import csv
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
from grpc.aio import AioRpcError

from boathouse.catalog.api import TableInfo
from boathouse.engine.errors import QueryRefused, StatementRefused
from boathouse.engine.gateway.messages.protocol import function_call, nullable_schema, proto, text_literal
from boathouse.engine.gateway.messages.spark_types import Atomic
from boathouse.engine.gateway.paths.partitions import NO_VALUE
from boathouse.engine.gateway.sql.statements import Statement
from boathouse.engine.gateway.sql.tokens import parts_of, quote
from boathouse.engine.gateway.writes.change import Change
from boathouse.engine.gateway.writes.ingest import is_true, option

_FORMATS_OF = {"date": "dateformat", "timestamp": "timestampformat", "timestamp_ntz": "timestampntzformat"}
"""Types -> the option in lower case that says how their values are written."""
_PASSED_OVER = {
    "csv": {
        "quoteAll": ("false",),
        "emptyValue": ("",),
        "lineSep": ("\n",),
        "encoding": ("utf-8", "utf8"),
        "charset": ("utf-8", "utf8"),
    },
    "json": {"ignoreNullFields": ("true",), "lineSep": ("\n",), "encoding": ("utf-8", "utf8"), "charset": ("utf-8", "utf8")},
}
"""Options of writers that the engine passes over, and the values with which it does as they say."""

if TYPE_CHECKING:
    from boathouse.engine.gateway.names.visit import Visit

_FORMATS = frozenset({"csv", "json", "parquet", "text"})


def put_files(visit: "Visit", write: Any, path: str, asked: str) -> Change | None:
    """Look at a write of files; None where the engine does all of it.

    Args:
        visit: The request, whose names are governed.
        write: The command; it is changed in place.
        path: Where the files are to lie.
        asked: The same as the client has written it.

    Raises:
        QueryRefused: If what would be overwritten is read.
    """
    if visit.session.capabilities.reads_all_forms or write.source.lower() not in _FORMATS:
        return None
    if write.mode == proto().WriteOperation.SAVE_MODE_OVERWRITE:
        _require_apart(visit, write.input, path, asked)
    _require_known(write)
    formatted = _formatted(visit, write)
    if formatted is not None:
        write.input.CopyFrom(formatted)
        visit.changed = True
    if write.partitioning_columns:
        write.input.CopyFrom(_with_partitions(write.input, write.partitioning_columns))
        visit.changed = True
    if not path.startswith("/"):
        return None
    rows, header = proto().Relation(), is_true(option(write.options, "header"))
    rows.CopyFrom(write.input)
    source, separator = write.source.lower(), option(write.options, "sep") or option(write.options, "delimiter") or ","
    return Change(lambda: _write_empty(visit, rows, Path(path), source, separator if header else None))


def require_other(visit: "Visit", table: TableInfo, *, overwrites: bool) -> None:
    """Go on only if a table whose files the engine writes is not read where it overwrites them.

    Raises:
        QueryRefused: If it is.
    """
    if (
        overwrites
        and not visit.session.capabilities.reads_all_forms
        and any(one.id == table.id for one in visit.resolver.reads.values())
    ):
        message = (
            f"Can't overwrite the target that is also being read from. The target table is {table.full_name}: its files would be gone "
            "before they are read. Make it a Delta table, or write to another one."
        )
        raise QueryRefused("UNSUPPORTED_OVERWRITE.TABLE", "42902", message)


def require_other_folders(visit: "Visit", statement: Statement) -> None:
    """Go on only if INSERT OVERWRITE DIRECTORY names no folder that its query reads.

    Args:
        visit: The request, whose names are governed.
        statement: The same; its paths are real.

    Raises:
        QueryRefused: If it does.
    """
    if visit.session.capabilities.reads_all_forms:
        return
    for use in statement.paths:
        if use.writes and use.of_files:
            _require_apart(visit, None, use.token.value, "that of the DIRECTORY")


def _require_apart(visit: "Visit", rows: Any | None, path: str, asked: str) -> None:
    """Go on only if no rows of what is overwritten are read."""
    target = path.rstrip("/")
    places = [one.removeprefix("file://").rstrip("/") for one in (*visit.paths_read, *visit.resolver.paths)]
    if any(one == target or one.startswith(f"{target}/") for one in places) or (
        rows is not None and _reads(visit, rows, target)
    ):
        message = (
            f"Can't overwrite the target that is also being read from. The target path is {asked}: its files would be gone before "
            "they are read. Write to another path, or checkpoint() the rows first."
        )
        raise QueryRefused("UNSUPPORTED_OVERWRITE.PATH", "42902", message)


def _reads(visit: "Visit", rows: Any, target: str) -> bool:
    """Whether the engine would read files there, as of a temporary view."""
    if not Path(target).exists():
        return False
    try:
        return f"{target.removeprefix('/')}/" in visit.session.explain(rows)
    except AioRpcError:
        return False


def _require_known(write: Any) -> None:
    """Go on only with options that the engine does not pass over."""
    for name, plain in _PASSED_OVER.get(write.source.lower(), {}).items():
        value = option(write.options, name.lower())
        if value is not None and value.lower() not in plain:
            message = (
                f"The option {name} of a {write.source} writer is not there with the embedded engine, which would write without it. "
                "Leave it out, or use Apache Spark as the engine."
            )
            raise StatementRefused(message)


def _formatted(visit: "Visit", write: Any) -> Any | None:
    """The rows with their dates and times as the writer's options want them; None where these say nothing of it."""
    if write.source.lower() not in _PASSED_OVER:
        return None
    wanted = {kind: text for kind, name in _FORMATS_OF.items() if (text := option(write.options, name)) is not None}
    struct = visit.session.struct(write.input) if wanted else None
    if struct is None:
        return None
    partitions = {parts_of(name)[-1].lower() for name in write.partitioning_columns}
    made = proto().Relation()
    made.with_columns.input.CopyFrom(write.input)
    for one in struct.fields:
        text = wanted.get(one.type.name) if isinstance(one.type, Atomic) else None
        if text is None or one.name.lower() in partitions:
            continue
        column = proto().Expression()
        column.unresolved_attribute.unparsed_identifier = quote([one.name])
        alias = made.with_columns.aliases.add()
        alias.name.append(one.name)
        alias.expr.CopyFrom(function_call("date_format", column, text_literal(text)))
    return made if made.with_columns.aliases else None


def _with_partitions(rows: Any, names: Sequence[str]) -> Any:
    """Rows whose partitions without a value are called as Spark calls them: the engine would write false, 0 or nothing."""
    made = proto().Relation()
    made.with_columns.input.CopyFrom(rows)
    for name in names:
        column = proto().Expression()
        column.cast.expr.unresolved_attribute.unparsed_identifier = quote(parts_of(name))
        column.cast.type_str = "STRING"
        alias = made.with_columns.aliases.add()
        alias.name.append(parts_of(name)[-1])
        alias.expr.CopyFrom(
            function_call("coalesce", function_call("nullif", column, text_literal("")), text_literal(NO_VALUE))
        )
    return made


def _write_empty(visit: "Visit", rows: Any, folder: Path, source: str, separator: str | None) -> None:
    """Leave a file that says what the columns are, where there were no rows: the engine leaves none."""
    if folder.is_file() or any(one.is_file() and not one.name.startswith(("_", ".")) for one in folder.rglob("*")):
        return
    folder.mkdir(parents=True, exist_ok=True)
    schema, _ = nullable_schema(visit.session.schema(rows))
    file = folder / f"part-00000-{uuid.uuid4()}.{source}"
    if source == "parquet":
        pq.write_table(schema.empty_table(), file)
    elif separator is not None and source == "csv":
        with file.open("w", newline="") as text:
            csv.writer(text, delimiter=separator, lineterminator="\n").writerow(schema.names)
    else:
        file.touch()
