"""INSERT ... REPLACE USING and REPLACE ON: the rows that match one of the new ones are taken out in the commit that adds those.

The new rows are written beside the table first, so that a query that gives other rows each time is evaluated once. A MERGE then
takes them twice: as they are, which match nothing and are inserted, and as what finds the rows to delete. It reads and writes
only files in which there are such rows, and settles races as any other MERGE does.
"""

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from boathouse.engine.gateway.messages.protocol import proto, sql_node
from boathouse.engine.gateway.messages.spark_types import VOID, DataType, Field, sql
from boathouse.engine.gateway.names.visit import Visit
from boathouse.engine.gateway.sql.path_names import is_path_name
from boathouse.engine.gateway.sql.statements import apply
from boathouse.engine.gateway.sql.tokens import parts_of, quote, tokenize
from boathouse.engine.gateway.writes.by_path import shortened
from boathouse.engine.gateway.writes.change import Change
from boathouse.engine.gateway.writes.delta_target import DeltaTarget
from boathouse.engine.gateway.writes.enforcement import Fit, omitted_value, project
from boathouse.engine.gateway.writes.hidden_change import Said, change_hidden, next_value
from boathouse.engine.gateway.writes.ingest import Ingest, Matching, Plan, option
from boathouse.engine.gateway.writes.retry import Retry, until_committed
from boathouse.engine.gateway.writes.staging import Staging, write_into
from boathouse.engine.gateway.writes.transactions import Identifier, note
from boathouse.engine.write_errors import unknown_column
from boathouse.storage.paths import to_url
from boathouse.tables.api import STAGING, State, is_table, replay

_FINDS = "__bh_finds"
"""The column that tells rows which find what is deleted from those that are inserted."""
_NEW, _OWN = "__bh_new", "__bh_own"


def put_matching(
    visit: Visit, command: Any, target: DeltaTarget, rows: Any, plan: Plan, identifier: Identifier | None, *, is_sql: bool
) -> Change:
    """Turn a command into the write of rows that take the place of those that match them.

    Args:
        visit: The request.
        command: Is changed in place.
        target: The table.
        rows: The new rows.
        plan: How they are written; says which rows they replace.
        identifier: Of the write, if it has one.
        is_sql: Whether the client waits for a SQL command's result.

    Raises:
        WriteRefused: If the rows do not fit, or a column that has to match is not one of the table.
    """
    matching = plan.matching or Matching()
    merge = proto().Command()
    if command.HasField("sql_command"):
        # What the condition refers to is beside the statement.
        merge.sql_command.input.CopyFrom(command.sql_command.input)
    else:
        merge.sql_command.input.sql.SetInParent()
    source, found, target = Ingest(visit.session).fitted(target, rows, plan)
    words = {token.identifier.lower() for token in tokenize(matching.condition) if token.is_identifier}
    own = {index: one for index, one in enumerate(source.fields) if one.name.lower() in words}
    staging = Staging(target, target.folder / STAGING / uuid.uuid4().hex)
    node = sql_node(merge.sql_command.input)
    if node is None:
        raise TypeError
    node.query = _merge(target, matching, found, own, staging.folder)
    note_of_user = option(plan.options, "usermetadata")
    counted = tuple(one.name for one in found.omitted if one.is_identity)
    said = Said(visit.principal.name, note_of_user, counted)

    def run_hidden(hidden: DeltaTarget, state: State) -> None:
        made = {name: _next(*next_value(state, name)) for name in counted}
        node.query = _merge(hidden, matching, found, own, staging.folder, made)
        visit.session.run(merge)

    staging.folder.parent.mkdir(parents=True, exist_ok=True)
    command.write_operation.CopyFrom(write_into(staging.folder, _staged(rows, found, own), ()))
    retry = Retry(target)

    def finish() -> None:
        try:
            location = to_url(staging.folder)
            if is_table(location) and replay(location).files:
                is_hidden = target.requires_inside and not visit.session.capabilities.mixes_types
                if note_of_user is None and not (is_hidden or any(one.is_identity for one in target.schema.fields)):
                    until_committed(retry, lambda: visit.session.run(merge))
                else:
                    change_hidden(target, run_hidden, said, visit.session.run)
            if identifier is not None:
                note(target, identifier)
        finally:
            staging.discard()

    return Change(finish, staging.discard, is_sql=is_sql, queries=(_staged(rows, found, {}),))


def _staged(rows: Any, found: Fit, own: Mapping[int, Field]) -> Any:
    """What is written beside the table: the rows as the table has them, and their own columns that the condition speaks of."""
    renamed = proto().Relation()
    renamed.to_df.input.CopyFrom(rows)
    renamed.to_df.column_names.extend(found.renamed)
    # Of no type, a column cannot be written.
    more = [(f"{_OWN}{index}", f"CAST(`__c{index}` AS {_type(one.type)})") for index, one in own.items()]
    given = [*found.values, *more]
    fitting = project(renamed, given)
    made = [(one.name, f"CAST({omitted_value(one, found.schema)} AS {sql(one.type)})") for one in found.omitted]
    return project(fitting, [*((name, quote([name])) for name, _ in given), *made]) if made else fitting


def _next(first: int, step: int) -> str:
    """The values of an identity column for the new rows."""
    return f"CAST({first} + {step} * (row_number() OVER (ORDER BY NULL) - 1) AS BIGINT)"


def _merge(
    target: DeltaTarget,
    matching: Matching,
    found: Fit,
    own: Mapping[int, Field],
    folder: Path,
    made: Mapping[str, str] | None = None,
) -> str:
    """The statement that takes the rows out and puts the new ones in, with values that are made for some columns."""
    names = [*(name for name, _ in found.values), *(one.name for one in found.omitted)]
    keys = [target.schema.find(name) for name in matching.using]
    for name, key in zip(matching.using, keys, strict=True):
        if key is None:
            raise unknown_column(target.name, name, target.schema.names)
    using = [names.index(key.name) for key in keys if key is not None]
    table = matching.alias or ("__bh_table" if is_path_name(parts_of(target.name)) else target.name.split(".")[-1])
    rows = matching.query_alias or "__bh_rows"
    given = made or {}
    inserted = [f"{given.get(name, quote([name]))} AS `{_NEW}{index}`" for index, name in enumerate(names)]
    types = {one.name: sql(one.type) for one in found.schema.fields}
    finding = [
        f"{quote([name]) if index in using else f'CAST(NULL AS {types[name]})'} AS `{_NEW}{index}`"
        for index, name in enumerate(names)
    ]
    shown = [f"`{_OWN}{index}` AS {quote([one.name])}" for index, one in own.items()]
    staged = f"delta.{quote([str(folder)])}"
    condition = matching.condition or " AND ".join(
        f"{quote([table, names[index]])} = {quote([rows, f'{_NEW}{index}'])}" for index in using
    )
    if matching.alias is None and not is_path_name(parts_of(target.name)):
        condition = _shortened(condition, target.name.split("."))
    columns = ", ".join(quote([name]) for name in names)
    values = ", ".join(quote([rows, f"{_NEW}{index}"]) for index in range(len(names)))
    return (
        f"MERGE INTO delta.{quote([str(target.folder)])} AS {quote([table])} USING ("  # noqa: S608 - names are quoted
        f"SELECT false AS `{_FINDS}`, {', '.join([*inserted, *shown])} FROM {staged} UNION ALL "
        f"SELECT DISTINCT true AS `{_FINDS}`, {', '.join([*finding, *shown])} FROM {staged}"
        f") AS {quote([rows])} ON {quote([rows, _FINDS])} AND ({condition}) WHEN MATCHED THEN DELETE "
        f"WHEN NOT MATCHED AND NOT {quote([rows, _FINDS])} THEN INSERT ({columns}) VALUES ({values})"
    )


def _type(kind: DataType) -> str:
    return "STRING" if kind == VOID else sql(kind)


def _shortened(condition: str, name: Sequence[str]) -> str:
    """A condition with the last part of the table's name where the whole of it, or of its schema's, stands before a column."""
    for length in (3, 2):
        condition = apply(condition, shortened(tokenize(condition), tuple(name[-length:])))
    return condition
