"""Commands that create, replace or write tables and files, and how each is changed for the engine."""

import shutil
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from boathouse.catalog.api import Privilege, SecurableNotFound, SecurableType
from boathouse.engine.errors import StatementRefused, TableAlreadyExists
from boathouse.engine.gateway.messages.protocol import empty_answer, proto, sql_node
from boathouse.engine.gateway.names.visit import Visit
from boathouse.engine.gateway.sql.key_clauses import Key, without_keys
from boathouse.engine.gateway.sql.path_names import is_path_name
from boathouse.engine.gateway.sql.statements import CreateTable, Edit, Statement, apply, parse, scratch_text
from boathouse.engine.gateway.sql.tokens import Kind, literal, quote
from boathouse.engine.gateway.writes.by_path import path_text
from boathouse.engine.gateway.writes.change import Change, nothing
from boathouse.engine.gateway.writes.check_clauses import with_checks
from boathouse.engine.gateway.writes.copy_into import copy_into
from boathouse.engine.gateway.writes.delta_target import load
from boathouse.engine.gateway.writes.frame_writes import target_of, write_v1, write_v2
from boathouse.engine.gateway.writes.insert_command import insert
from boathouse.engine.gateway.writes.new_tables import TableDraft, TableWriter, Target, default_properties, require_names
from boathouse.engine.gateway.writes.retry import Retry
from boathouse.engine.gateway.writes.row_changes import change_rows
from boathouse.engine.pool import SCRATCH_CATALOG
from boathouse.storage.paths import from_url, to_url
from boathouse.tables.api import STAGING, clustering_columns, make_empty, replace_by, replay, shown

_OWN_OF_A_TABLE = ("delta.constraints.", "delta.columnMapping.", "delta.feature.", "boathouse.")
"""Properties that belong to the columns of one table."""


def change_command(visit: Visit, request: Any) -> Change | None:
    """Change the request's command where the engine alone would do it wrongly; None where it is left as it is.

    Raises:
        BoathouseError: If it may not, or cannot, be done.
    """
    if not request.plan.HasField("command"):
        return None
    change = _changed(visit, request.plan.command)
    if change is not None:
        # What rows have to fulfil has come into the plan.
        visit.texts.put_doubles(request.plan)
    return change


def _changed(visit: Visit, command: Any) -> Change | None:
    match command.WhichOneof("command_type"):
        case "sql_command":
            node = sql_node(command.sql_command.input)
            statement = None if node is None else parse(node.query)
            if statement is None:
                return None
            return _sql(visit, command, statement)
        case "write_operation":
            return write_v1(visit, command)
        case "write_operation_v2":
            return write_v2(visit, command)
        case _:
            return None


# -------------------------------------------------------------------------------------------------------------- SQL


def _sql(visit: Visit, command: Any, statement: Statement) -> Change | None:
    if statement.create is not None:
        statement = with_checks(statement, statement.create, visit.session)
    if statement.create is not None:
        return _create_table(visit, command, statement, statement.create)
    match statement.verb[:2]:
        case ("COPY", "INTO"):
            return copy_into(visit, command, statement)
        case ("INSERT" | "WITH", *_):
            return insert(visit, command, statement)
        case ("MERGE" | "UPDATE" | "DELETE", *_):
            return change_rows(visit, command, statement)
        case _:
            return None


def _create_table(visit: Visit, command: Any, statement: Statement, create: CreateTable) -> Change | None:
    if is_path_name(create.name) and create.name[0].lower() == "delta":
        return _create_at_path(visit, command, statement, create)
    name = visit.session.qualify(create.name)
    if name is None:
        return None
    if name[0].lower() == SCRATCH_CATALOG:
        raise SecurableNotFound(SecurableType.CATALOG, name[0])
    writer = TableWriter(visit.access, visit.principal, visit.guard)
    existing = writer.existing(name)
    if existing is not None and create.if_not_exists:
        command.sql_command.input.CopyFrom(empty_answer())
        return Change()
    _require(create, existing is not None, ".".join(name))
    if existing is not None:
        visit.access.table(visit.principal, existing.full_name, Privilege.MANAGE)
    statement, keys = without_keys(statement, create)
    create = statement.create or create
    location = create.location.value if create.location is not None else None
    create = _like(visit, create)
    defaults = default_properties(visit.session) if create.format == "delta" else {}
    draft = TableDraft(name, create.partition_by, create.comment, create.properties, location, create.cluster_by, defaults)
    draft = replace(draft, constraints=_constraints(visit, keys, name[2]))
    if create.format != "delta" or not create.understood:
        return _create_natively(visit, command, statement, create, writer.target(draft, existing))
    query = _query_of(statement, create)
    if query is not None:
        return _create_from_query(visit, command, writer, writer.target(draft, existing), query)
    if create.columns_end is not None:
        require_names(_names_of(statement, create), draft)
        return _create_with_columns(visit, command, writer, writer.target(draft, existing), statement, create)
    if location is None:
        return _create_without_columns(command, writer, writer.target(draft, existing))
    # A Delta table is there already: only the catalog has to know.
    command.sql_command.input.CopyFrom(empty_answer())
    writer.finish(replace(writer.target(replace(draft, defaults={}), existing), beside=None), describe=False)
    return Change()


def _create_without_columns(command: Any, writer: TableWriter, target: Target) -> Change:
    """CREATE TABLE without columns: an empty table, whose columns come with the first rows (``mergeSchema``)."""
    draft = target.draft
    if target.existing is not None or draft.partition_by or draft.cluster_by:
        message = f"CREATE TABLE {draft.full_name} has no columns: give a list of columns, AS and a query, or a LOCATION."
        raise StatementRefused(message)
    command.sql_command.input.CopyFrom(empty_answer())

    def finish() -> None:
        make_empty(to_url(Path(target.folder)))
        writer.finish(target, describe=True)

    return Change(finish, lambda: writer.undo(target), is_sql=True)


def _constraints(visit: Visit, keys: Sequence[Key], table: str) -> tuple[dict[str, Any], ...]:
    def full_name(parts: tuple[str, ...]) -> str:
        return ".".join(visit.session.qualify(parts) or parts)

    return tuple(key.constraint(table, full_name) for key in keys)


def _like(visit: Visit, create: CreateTable) -> CreateTable:
    """CREATE TABLE LIKE: what the other table's log says besides its columns goes for the new one too."""
    full = visit.session.qualify(create.like) if create.like else None
    table = None if full is None else visit.access.table(visit.principal, ".".join(full), Privilege.SELECT)
    if table is None or table.is_view or table.data_source_format != "DELTA":
        return create
    state = replay(table.storage_location)
    kept = {key: value for key, value in shown(state.configuration).items() if not key.startswith(_OWN_OF_A_TABLE)}
    return replace(
        create,
        properties=kept | create.properties,
        partition_by=create.partition_by or tuple(state.partition_columns),
        cluster_by=create.cluster_by or tuple(clustering_columns(state)),
    )


def _require(create: CreateTable, there: bool, name: str) -> None:
    """Go on only if a table may be made where there is one, or none."""
    if there and not create.replace:
        raise TableAlreadyExists(name)
    if not there and create.must_exist:
        raise SecurableNotFound(SecurableType.TABLE, name)


def _create_at_path(visit: Visit, command: Any, statement: Statement, create: CreateTable) -> Change | None:
    """CREATE TABLE delta.`/path`: a Delta table that the catalog does not know."""
    path = create.name[1]
    existing = load(path, f"delta.`{path}`")
    if existing is not None and create.if_not_exists:
        command.sql_command.input.CopyFrom(empty_answer())
        return Change()
    _require(create, existing is not None, f"delta.`{path}`")
    retry = None if existing is None else Retry(existing, replaces=True)
    query = _query_of(statement, create)
    draft = TableDraft(
        ("", "", ""),
        create.partition_by,
        create.comment,
        create.properties,
        None,
        create.cluster_by,
        default_properties(visit.session),
    )
    writer = TableWriter(visit.access, visit.principal, visit.guard)
    target = writer.at_path(draft, path)

    def finish() -> None:
        writer.complete(target, describe=query is not None)

    def undo() -> None:
        writer.undo(target)

    if query is not None:
        rows = proto().Relation()
        rows.CopyFrom(command.sql_command.input)
        node = sql_node(rows)
        if node is None:
            return None
        node.query = query
        command.write_operation.CopyFrom(writer.command(target, rows, visit.session, {}))
        return Change(finish, undo, is_sql=True, retry=retry)
    if create.columns_end is None:
        message = f"CREATE TABLE delta.`{path}` has no columns: give a list of columns, or AS and a query."
        raise StatementRefused(message)
    require_names(_names_of(statement, create), draft)
    node = sql_node(command.sql_command.input)
    if node is not None:
        node.query = _with_columns(visit, statement, create, to_url(Path(target.folder)))
    return Change(finish, undo, is_sql=True, retry=retry)


def _create_from_query(visit: Visit, command: Any, writer: TableWriter, target: Target, query: str) -> Change | None:
    """CREATE TABLE AS: the query's rows are written to the target's path."""
    rows = proto().Relation()
    rows.CopyFrom(command.sql_command.input)
    node = sql_node(rows)
    if node is None:
        return None
    node.query = query
    command.write_operation.CopyFrom(writer.command(target, rows, visit.session, {}))
    there = target_of(target.existing)
    retry = None if there is None else Retry(there, replaces=True)
    return Change(lambda: writer.finish(target, describe=True), lambda: writer.undo(target), is_sql=True, retry=retry)


def _with_columns(visit: Visit, statement: Statement, create: CreateTable, location: str) -> str:
    """CREATE TABLE with columns as the engine writes a Delta log at a location for it."""
    if not visit.session.capabilities.knows_catalogs:
        return path_text(statement, create, str(from_url(location)))
    return scratch_text(statement, create, (SCRATCH_CATALOG, "default", uuid.uuid4().hex), location)


def _create_with_columns(
    visit: Visit, command: Any, writer: TableWriter, target: Target, statement: Statement, create: CreateTable
) -> Change:
    """CREATE TABLE with columns: a table of the scratch catalog makes the engine write the Delta log at the target's folder."""
    node = sql_node(command.sql_command.input)
    if node is not None and target_of(target.existing) is not None and not visit.session.capabilities.knows_catalogs:
        return _replace_by_path(visit, node, writer, target, statement, create)
    if node is not None:
        node.query = _with_columns(visit, statement, create, to_url(Path(target.folder)))
    return Change(lambda: writer.finish(target, describe=False), lambda: writer.undo(target), is_sql=True)


def _replace_by_path(
    visit: Visit, node: Any, writer: TableWriter, target: Target, statement: Statement, create: CreateTable
) -> Change:
    """CREATE OR REPLACE TABLE with columns: an engine that refuses another schema at a path makes an empty table beside it."""
    folder = from_url(target.location) / STAGING / uuid.uuid4().hex
    node.query = path_text(statement, create, str(folder))

    def discard() -> None:
        shutil.rmtree(folder, ignore_errors=True)

    def finish() -> None:
        replace_by(target.location, to_url(folder), visit.principal.name)
        discard()
        writer.finish(target, describe=False)

    return Change(finish, discard, is_sql=True)


def _names_of(statement: Statement, create: CreateTable) -> list[str]:
    """The quoted names in the list of columns: only such have characters that a table may not take."""
    end = create.columns_end or create.name_end
    return [token.value for token in statement.tokens if token.kind is Kind.NAME and create.name_end <= token.start < end]


def _query_of(statement: Statement, create: CreateTable) -> str | None:
    if create.query is not None:
        return statement.sql[create.query :].rstrip().rstrip(";")
    return f"SELECT * FROM {quote(create.like)} LIMIT 0" if create.like else None  # noqa: S608 - the name is quoted


def _create_natively(visit: Visit, command: Any, statement: Statement, create: CreateTable, target: Target) -> Change | None:
    """A table of another format: the engine makes it, at a location of ours."""
    if target.existing is not None:
        message = f"A {create.format} table cannot be replaced. Drop {target.draft.full_name} first, or make it a Delta table."
        raise StatementRefused(message)
    node = sql_node(command.sql_command.input)
    if node is None or create.location is not None:
        return None
    end = create.query if create.query is not None else len(statement.sql)
    before_as = statement.sql[:end].rstrip()
    if create.query is not None and before_as.upper().endswith("AS"):
        end = len(before_as) - 2
    elif statement.tokens:
        end = min(end, statement.tokens[-1].end)
    node.query = apply(statement.sql, [Edit(end, end, f" LOCATION {literal(target.location)} ")])
    return Change(nothing, lambda: TableWriter(visit.access, visit.principal, visit.guard).undo(target), is_sql=True)
