"""Rows that replace others, written beside their table first, where they have maps, or something inside that may not be NULL.

The embedded engine joins the new rows with those of the table's files that stay, and takes a map that a query makes for another type than
one that it reads. What it reads from a table beside has the right one. So it does with a struct in which a field may not be NULL: there
the table itself is a hidden one too, that knows of no such fields.
"""

import uuid
from typing import Any

from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.names.visit import Visit
from boathouse.engine.gateway.sql.tokens import quote
from boathouse.engine.gateway.writes.change import Change
from boathouse.engine.gateway.writes.delta_target import DeltaTarget
from boathouse.engine.gateway.writes.hidden_change import Said, change_hidden
from boathouse.engine.gateway.writes.ingest import option
from boathouse.engine.gateway.writes.retry import Retry, until_committed
from boathouse.engine.gateway.writes.staging import Staging, write_into
from boathouse.engine.gateway.writes.transactions import Identifier, note
from boathouse.storage.paths import to_url
from boathouse.tables.api import STAGING, State, is_table


def put_aside(
    visit: Visit, command: Any, target: DeltaTarget, write: Any, identifier: Identifier | None, *, is_sql: bool
) -> Change:
    """Turn a command into the write of its rows beside the table, which is followed by that into the table.

    Args:
        visit: The request.
        command: Is changed in place.
        target: The table.
        write: The write with a condition on the rows that are replaced.
        identifier: Of the write, if it has one.
        is_sql: Whether the client waits for a SQL command's result.
    """
    staging = Staging(target, target.folder / STAGING / uuid.uuid4().hex)
    staging.folder.parent.mkdir(parents=True, exist_ok=True)
    into, rows = proto().Command(), proto().Relation()
    into.write_operation.CopyFrom(write)
    rows.CopyFrom(write.input)
    source = into.write_operation.input
    source.Clear()
    source.read.data_source.format = "delta"
    source.read.data_source.paths.append(str(staging.folder))
    command.write_operation.CopyFrom(write_into(staging.folder, rows, ()))

    def into_hidden(hidden: DeltaTarget, _state: State) -> None:
        into.write_operation.path = str(hidden.folder)
        visit.session.run(into)

    def finish() -> None:
        try:
            if not is_table(to_url(staging.folder)):
                until_committed(Retry(target), lambda: visit.session.query(_deletion(target, write.options["replaceWhere"])))
            elif target.requires_inside:
                change_hidden(
                    target, into_hidden, Said(visit.principal.name, option(write.options, "usermetadata")), visit.session.run
                )
            else:
                until_committed(Retry(target), lambda: visit.session.run(into))
            if identifier is not None:
                note(target, identifier)
        finally:
            staging.discard()

    return Change(finish, staging.discard, is_sql=is_sql, queries=(rows,))


def _deletion(target: DeltaTarget, condition: str) -> str:
    """What is left to do where there are no new rows."""
    return f"DELETE FROM delta.{quote([str(target.folder)])} WHERE {condition}"  # noqa: S608 - the name is quoted
