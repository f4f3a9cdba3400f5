"""Tables that are read as streams: which may be, and how the read goes to an engine that has streams of its own."""

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

from boathouse.catalog.api import Privilege, SecurableNotFound, SecurableType, TableInfo
from boathouse.engine.catalog_access import CatalogAccess
from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.paths.guard import Use
from boathouse.engine.gateway.paths.time_travel import refuse_moment
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.sql.tokens import parts_of
from boathouse.tables.api import Bound

if TYPE_CHECKING:
    from boathouse.engine.gateway.names.visit import Visit

_WRITTEN = frozenset({"schematrackinglocation", "schemalocation", "sourcearchivedir"})
"""Options of a streaming read that name a place which it writes to."""


def streamed_table(access: CatalogAccess, session: EngineSession, name: Sequence[str], *, with_feed: bool) -> TableInfo:
    """The table that a streaming read of its principal names.

    Raises:
        PermissionDenied: Without SELECT on it.
        PolicyInTheWay: If the change data feed is asked for, which a policy hides a part of.
        StatementRefused: If it is no Delta table.
    """
    full = session.qualify(tuple(name))
    table = None if full is None else access.table(session.principal, ".".join(full), Privilege.SELECT)
    if table is None:
        raise SecurableNotFound(SecurableType.TABLE, ".".join(full or name))
    if table.is_view:
        message = f"{table.full_name} is a view. Only tables can be read as a stream; read what the view reads."
        raise StatementRefused(message)
    if table.data_source_format != "DELTA":
        kind = table.data_source_format
        message = (
            f"{table.full_name} is a {kind} table. Only Delta tables can be read as a stream by their name; "
            f"use readStream.format('{kind.lower()}') and a path."
        )
        raise StatementRefused(message)
    if with_feed:
        access.require_whole(session.principal, table)
    return table


def passed_stream(visit: "Visit", read: Any) -> Any | None:
    """A streaming read of a table as a streaming read of its files, under its policies; None for a temporary view.

    Raises:
        BoathouseError: If its principal may not read it, or it cannot be read as a stream.
    """
    parts = parts_of(read.named_table.unparsed_identifier)
    if len(parts) == 1 and visit.session.is_temporary(parts[0]):
        visit.effects.temporary.add(parts[0].lower())
        return None
    refuse_moment(read, visit.guard)
    check_written(visit, read.named_table.options)
    options = dict(read.named_table.options)
    if len(parts) == 2 and "/" in parts[1]:
        real = visit.guard.resolve(parts[1], Use.READ)
        if visit.open_tables is not None and parts[0].lower() == "delta":
            visit.open_tables.require_closed(real, "A stream")
        files = proto().Relation()
        files.read.is_streaming = True
        files.read.data_source.format = parts[0]
        files.read.data_source.paths.append(real)
        files.read.data_source.options.update(options)
        return files
    table = streamed_table(visit.access, visit.session, parts, with_feed=False)
    return visit.resolver.stream(table, parts, options)


def feed_bounds(options: Mapping[str, str]) -> tuple[Bound, Bound | None] | None:
    """The bounds of the change data feed that a reader's options ask for, or None."""
    given = {key.lower(): value for key, value in options.items()}
    if given.get("readchangefeed", given.get("readchangedata", "false")).lower() != "true":
        return None

    def bound(side: str) -> Bound | None:
        version, time = given.get(f"{side}version"), given.get(f"{side}timestamp")
        return int(version) if version is not None and version.isdigit() else version or time

    start = bound("starting")
    if start is None:
        message = "readChangeFeed needs startingVersion or startingTimestamp."
        raise StatementRefused(message)
    return start, bound("ending")


def check_written(visit: "Visit", options: MutableMapping[str, str], paths: Iterable[str] = ()) -> None:
    """Go on only if its principal may write where a streaming read of files does: a log of schemas, files moved or deleted."""
    given = {key.lower(): key for key in options}
    for key in _WRITTEN & set(given):
        options[given[key]] = visit.guard.resolve(options[given[key]], Use.WRITE)
        visit.changed = True
    if "cleansource" in given and options[given["cleansource"]].lower() != "off":
        for path in paths:
            visit.guard.resolve(path, Use.FILES)
