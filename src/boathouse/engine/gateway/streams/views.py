"""Temporary views over streams. The engine knows them without rows; what they mean stands here, as the client sent it."""

from collections.abc import Mapping
from typing import Any

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.messages.walk import walk
from boathouse.engine.gateway.names.stream_reads import streaming_reads
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.sql.relations import find_uses
from boathouse.engine.gateway.sql.statements import Edit, apply, parse
from boathouse.engine.gateway.sql.tokens import parts_of, quote, tokenize
from boathouse.engine.gateway.streams.texts import Text, reference_name, texts_of


def defined_view(command: Any, session: EngineSession) -> tuple[str, Any] | None:
    """The temporary view over a stream that a command makes: its name and its rows; None for other commands.

    Raises:
        StatementRefused: If it is to be one of all sessions, or is there already and not to be replaced.
    """
    found = _defined(command)
    if found is None or not streaming_reads(found[1]):
        return None
    name, rows, replaces = found
    if not replaces and session.is_temporary(name):
        message = (
            f"[TEMP_TABLE_OR_VIEW_ALREADY_EXISTS] The temporary view `{name}` is there already. Replace it, or drop it first."
        )
        raise StatementRefused(message)
    return name, rows


def _defined(command: Any) -> tuple[str, Any, bool] | None:
    """The temporary view that a command makes: its name, its rows, and whether it may take the place of another."""
    match command.WhichOneof("command_type"):
        case "create_dataframe_view":
            given = command.create_dataframe_view
            if given.is_global and streaming_reads(given.input):
                message = "A stream has no global temporary view: it belongs to a session. Use createOrReplaceTempView."
                raise StatementRefused(message)
            return given.name.lower(), given.input, given.replace
        case "sql_command" if command.sql_command.input.WhichOneof("rel_type") == "with_relations":
            return _of_text(command.sql_command.input)
        case _:
            return None


def _of_text(holder: Any) -> tuple[str, Any, bool] | None:
    """The view that CREATE TEMPORARY VIEW ... AS makes."""
    statement = parse(holder.with_relations.root.sql.query)
    if not statement.temporary_views:
        return None
    begin = next((token.end for token in statement.tokens if token.is_word("AS")), None)
    if begin is None:
        return None
    rows = proto().Relation()
    rows.CopyFrom(holder)
    rows.with_relations.root.sql.query = statement.sql[begin:]
    return statement.temporary_views[0], rows, statement.verb[1:3] == ("OR", "REPLACE")


def expand_views(root: Any, session: EngineSession) -> bool:
    """Put what views over streams mean in the place of their names, in place; whether there was one."""
    session_id = session.request.session_id
    views = {name: rows for (owner, name), rows in session.names.streams.items() if owner == session_id}
    if not views:
        return False
    known = _Known(views, session)
    found = False
    for text in texts_of(root):
        found |= _expand_text(text, known)
    for message in walk(root):
        if message.DESCRIPTOR.full_name == "spark.connect.Relation" and message.WhichOneof("rel_type") == "read":
            found |= _expand_read(message, known)
    return found


class _Known:
    """Those of a session that are still there: the engine, which knows their names, may have dropped one."""

    def __init__(self, views: Mapping[str, Any], session: EngineSession) -> None:
        self._views = views
        self._session = session

    def of(self, name: tuple[str, ...]) -> Any | None:
        rows = self._views.get(name[0].lower()) if len(name) == 1 else None
        return rows if rows is not None and self._session.is_temporary(name[0]) else None


def _expand_read(relation: Any, known: _Known) -> bool:
    if not relation.read.HasField("named_table"):
        return False
    parts = parts_of(relation.read.named_table.unparsed_identifier)
    rows = known.of(parts)
    if rows is None:
        return False
    meant = proto().Relation()
    meant.common.CopyFrom(relation.common)
    meant.subquery_alias.alias = parts[0]
    meant.subquery_alias.input.CopyFrom(rows)
    relation.CopyFrom(meant)
    return True


def _expand_text(text: Text, known: _Known) -> bool:
    query = text.relation.sql.query
    edits: list[Edit] = []
    references: list[tuple[str, Any]] = []
    for use in find_uses(tokenize(query), query).relations:
        rows = None if use.expression is not None else known.of(use.name)
        if rows is None:
            continue
        name = reference_name()
        references.append((name, rows))
        edits.append(Edit(use.start, use.end, name if use.has_alias else f"{name} AS {quote((use.name[0],))}"))
    if references:
        text.refer(apply(query, edits), references)
    return bool(references)
