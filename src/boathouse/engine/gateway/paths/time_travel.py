"""What a time travel clause means."""

import datetime as dt
import re
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from grpc.aio import AioRpcError

from boathouse.engine.errors import PathMissing, StatementRefused, no_moment_of_stream
from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.messages.walk import walk
from boathouse.engine.gateway.paths.guard import PathGuard, Use
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.sql.path_names import is_path_name
from boathouse.engine.gateway.sql.relations import Moment, find_uses, moment_after_at
from boathouse.engine.gateway.sql.statements import Edit, apply
from boathouse.engine.gateway.sql.tokens import literal, parts_of, tokenize
from boathouse.storage.paths import to_url
from boathouse.tables.api import DeltaRefused, is_table, require_version, version_at

_SAID = re.compile(rb"@(?:[vV][0-9]|[0-9]{17})")
_TEXTS = {
    "spark.connect.SQL": "query",
    "spark.connect.SqlCommand": "sql",
    "spark.connect.Expression.ExpressionString": "expression",
}
MOMENTS = {"versionasof": "version", "timestampasof": "timestamp"}
"""A reader's options, in lower case -> the clause that they stand for."""


def moment_of(options: MutableMapping[str, str], said: Moment | None = None) -> Moment | None:
    """The moment that a reader's options name, which are taken out, or else the one that is said behind the table's name.

    Raises:
        StatementRefused: If there is one here and there, or a version is no number.
        DeltaRefused: If there are both a version and a time.
    """
    moment = said
    for key in [one for one in options if one.lower() in MOMENTS]:
        kind, value = MOMENTS[key.lower()], options.pop(key)
        if said is not None:
            message = f"A version is said twice: by the option {key}, and behind the table's name. Leave one out."
            raise StatementRefused(message)
        if moment is not None:
            message = "Give either the option versionAsOf or timestampAsOf, not both."
            raise DeltaRefused("INVALID_TIME_TRAVEL_SPEC", message)
        if kind == "version" and not value.strip().isdigit():
            message = f"'{value}' is no version: the option {key} takes a whole number, as DESCRIBE HISTORY shows them."
            raise StatementRefused(message)
        moment = Moment(kind, value if kind == "version" else literal(value))
    return moment


def spell_out(root: Any) -> bool:
    """Write ``t@v3`` in a plan's texts as ``t VERSION AS OF 3``, which engines understand, in place; whether there was one."""
    found = False
    for message in walk(root):
        field = _TEXTS.get(message.DESCRIPTOR.full_name)
        text = "" if field is None else getattr(message, field)
        if field is not None and _SAID.search(text.encode()):
            is_fragment = message.DESCRIPTOR.name == "ExpressionString"
            uses = find_uses(tokenize(text), text, fragment=is_fragment).relations
            edits = [
                Edit(use.end, use.clause_end, f" {use.moment.kind.upper()} AS OF {use.moment.text}")
                for use in uses
                if use.moment is not None and text[use.end] == "@"
            ]
            setattr(message, field, apply(text, edits))
            found |= bool(edits)
    return found


def says_behind(request: bytes) -> bool:
    """Whether something in a request may be a version behind a name."""
    return _SAID.search(request) is not None


def split_at(name: str) -> tuple[str, Moment | None]:
    """A name or path, and the moment that is said behind it: ``t@v12``, ``/path@20240131123000000``."""
    before, _, after = name.rpartition("@")
    moment = moment_after_at(after) if before else None
    return (name, None) if moment is None else (before, moment)


def read_by_path(read: Any) -> bool:
    """Have a reader of the table ``delta.`/path``` read the path, in place; whether it is one."""
    if read.is_streaming or not read.HasField("named_table"):
        return False
    parts = parts_of(read.named_table.unparsed_identifier)
    if not is_path_name(parts) or parts[0].lower() != "delta":
        return False
    source = proto().Read.DataSource(format="delta", paths=[parts[1]], options=dict(read.named_table.options))
    read.data_source.CopyFrom(source)
    return True


def path_and_moment(text: str, guard: PathGuard) -> tuple[str, Moment] | None:
    """The real path of a Delta table and the moment that is said behind it; None for a path without, which is a folder's as it is.

    Raises:
        PermissionDenied: Without SELECT on the table there.
    """
    path, moment = split_at(text)
    if moment is None:
        return None
    try:
        real = guard.resolve(path, Use.READ)
    except PathMissing:
        return None
    return (real, moment) if is_table(to_url(Path(real))) else None


def path_at(text: str, guard: PathGuard, session: EngineSession, said: Moment | None = None) -> tuple[str, int] | None:
    """The real path of a Delta table and its version, where a path or what stands beside it says a moment; else None.

    Raises:
        PermissionDenied: Without SELECT on the table there.
        DeltaRefused: If the table has no version that old or that young.
        StatementRefused: If both say one.
    """
    found = path_and_moment(text, guard)
    if found is not None and said is not None:
        message = f"A version is said twice: behind '{text}', and beside it. Leave one out."
        raise StatementRefused(message)
    if found is None and said is not None:
        found = guard.resolve(text, Use.READ), said
    if found is None or not found[0].startswith("/"):
        return None
    version = version_of(found[1], to_url(Path(found[0])), session)
    session.reading.note(found[0], version)
    return found[0], version


def put_versions(source: Any, guard: PathGuard, session: EngineSession) -> bool:
    """Have a reader of Delta tables by their paths read the version that is said behind one or by an option; whether one was.

    Raises:
        StatementRefused: If both say one.
        DeltaRefused: If the table has no version that old or that young.
    """
    if source.format.lower() != "delta":
        return False
    paths = list(source.paths) or [value for key, value in source.options.items() if key.lower() == "path"]
    options = dict(source.options)
    found = path_at(paths[0], guard, session, moment_of(options)) if len(paths) == 1 else None
    if found is None:
        return False
    for key in [one for one in source.options if one.lower() == "path" or one.lower() in MOMENTS]:
        del source.options[key]
    source.paths[:] = [found[0]]
    source.options["versionAsOf"] = str(found[1])
    return True


def refuse_moment(read: Any, guard: PathGuard) -> None:
    """Go on only if a streaming read of a Delta table names no version: it would go on from there.

    Raises:
        DeltaRefused: If it does.
    """
    if read.HasField("named_table"):
        name, options = read.named_table.unparsed_identifier, read.named_table.options
        parts = parts_of(name)
        is_path = is_path_name(parts)
        name = parts[1] if is_path else name
    else:
        options, is_path = read.data_source.options, True
        name = next(iter(read.data_source.paths), None) or options.get("path", "")
        if read.data_source.format.lower() not in {"", "delta"}:
            return
    by_name = path_and_moment(name, guard) is not None if is_path else split_at(name)[1] is not None
    if by_name or any(key.lower() in MOMENTS for key in options):
        raise no_moment_of_stream()


def version_of(moment: Moment, location: str, session: EngineSession) -> int:
    """The version of a table at a moment; an expression is evaluated by the engine.

    Raises:
        StatementRefused: If the expression has a query in it, or is no version.
        VersionUnavailable: If the table does not have the version.
        DeltaRefused: If the table has no version that old or that young, or it is no moment.
    """
    text = moment.text.strip()
    if moment.kind == "version" and text.strip("'\"").isdigit():
        return require_version(location, int(text.strip("'\"")))
    if any(token.is_word("SELECT", "FROM", "TABLE") for token in tokenize(text)):
        message = f"'{text}' cannot stand after AS OF: give a number, a time or an expression without a query."
        raise StatementRefused(message)
    if moment.kind == "version":
        try:
            version = int(session.value(f"CAST(({text}) AS BIGINT)"))
        except (AioRpcError, TypeError) as error:
            message = f"{text} is no version: give a whole number, as DESCRIBE HISTORY shows them."
            raise StatementRefused(message) from error
        return require_version(location, version)
    return version_at(location, time_of(text, session))


def time_of(expression: str, session: EngineSession) -> dt.datetime:
    """The moment that an expression without columns stands for, in the session's time zone.

    Raises:
        DeltaRefused: If it is none.
    """
    try:
        found = session.value(f"CAST(({expression}) AS TIMESTAMP)")
    except AioRpcError as error:
        raise _no_time(expression) from error
    if not isinstance(found, dt.datetime):
        raise _no_time(expression)
    return found if found.tzinfo is not None else found.replace(tzinfo=dt.UTC)


def _no_time(expression: str) -> DeltaRefused:
    message = f"The provided timestamp ({expression}) cannot be converted to a valid timestamp: write 'yyyy-MM-dd HH:mm:ss'."
    return DeltaRefused("DELTA_TIMESTAMP_INVALID", message)
