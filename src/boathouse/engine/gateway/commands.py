"""Commands that create, replace or write tables and files, and how each is changed for the engine."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from boathouse.catalog.api import Privilege, SecurableNotFound, SecurableType
from boathouse.engine.errors import StatementRefused, TableAlreadyExists
from boathouse.engine.gateway.paths import FILE_FORMATS, Use, looks_absolute
from boathouse.engine.gateway.protocol import empty_answer, proto, sql_node
from boathouse.engine.gateway.sql_tokens import literal, quote, read_name, tokenize
from boathouse.engine.gateway.statements import CreateTable, Edit, Statement, apply, parse, read_properties, scratch_text
from boathouse.engine.gateway.visit import Visit
from boathouse.engine.gateway.writes import TableDraft, TableWriter, Target, set_properties
from boathouse.engine.pool import SCRATCH_CATALOG
from boathouse.storage.paths import from_url


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Change:
    """What was done to a command.

    Attributes:
        finish: What is left to do once the engine has succeeded, or None.
        undo: What is to be done when it fails.
        is_sql: Whether the client waits for a SQL command's result, which the changed command does not give.
    """

    finish: Callable[[], None] | None = None
    undo: Callable[[], None] = _nothing
    is_sql: bool = False


def change_command(visit: Visit, request: Any) -> Change | None:
    """Change the request's command where the engine alone would do it wrongly; None where it is left as it is.

    Raises:
        BoathouseError: If it may not, or cannot, be done.
    """
    if not request.plan.HasField("command"):
        return None
    command = request.plan.command
    match command.WhichOneof("command_type"):
        case "sql_command":
            node = sql_node(command.sql_command.input)
            statement = None if node is None else parse(node.query)
            if statement is None:
                return None
            if statement.verb[:2] == ("ALTER", "TABLE"):
                return _alter_table(visit, command, statement)
            return None if statement.create is None else _create_table(visit, command, statement, statement.create)
        case "write_operation":
            return _write(visit, command)
        case "write_operation_v2":
            return _write_v2(visit, command)
        case _:
            return None


# -------------------------------------------------------------------------------------------------------------- SQL


def _create_table(visit: Visit, command: Any, statement: Statement, create: CreateTable) -> Change | None:
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
    if existing is not None and not create.replace:
        raise TableAlreadyExists(existing.full_name)
    if existing is None and create.must_exist:
        raise SecurableNotFound(SecurableType.TABLE, ".".join(name))
    location = create.location.value if create.location is not None else None
    draft = TableDraft(name, create.partition_by, create.comment, create.properties, location)
    if create.format != "delta" or not create.understood:
        return _create_natively(visit, command, statement, create, writer.target(draft, existing))
    query = _query_of(statement, create)
    if query is not None:
        return _create_from_query(visit, command, writer, writer.target(draft, existing), query)
    if create.columns_end is not None:
        return _create_with_columns(command, writer, writer.target(draft, existing), statement, create)
    if location is None:
        message = f"CREATE TABLE {'.'.join(create.name)} has no columns: give a list of columns, AS and a query, or a LOCATION."
        raise StatementRefused(message)
    # A Delta table is there already: only the catalog has to know.
    command.sql_command.input.CopyFrom(empty_answer())
    writer.finish(writer.target(draft, existing), describe=False)
    return Change()


def _create_from_query(visit: Visit, command: Any, writer: TableWriter, target: Target, query: str) -> Change | None:
    """CREATE TABLE AS: the query's rows are written to the target's path."""
    rows = proto().Relation()
    rows.CopyFrom(command.sql_command.input)
    node = sql_node(rows)
    if node is None:
        return None
    node.query = query
    command.write_operation.CopyFrom(writer.command(target, rows, visit.session, {}))
    return Change(lambda: writer.finish(target, describe=True), lambda: writer.undo(target), is_sql=True)


def _create_with_columns(
    command: Any, writer: TableWriter, target: Target, statement: Statement, create: CreateTable
) -> Change:
    """CREATE TABLE with columns: a table of the scratch catalog makes the engine write the Delta log at the target's path."""
    node = sql_node(command.sql_command.input)
    if node is not None:
        node.query = scratch_text(statement, create, (SCRATCH_CATALOG, "default", uuid.uuid4().hex), target.location)
    return Change(lambda: writer.finish(target, describe=False), lambda: writer.undo(target), is_sql=True)


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
    return Change(_nothing, lambda: TableWriter(visit.access, visit.principal, visit.guard).undo(target), is_sql=True)


def _alter_table(visit: Visit, command: Any, statement: Statement) -> Change | None:
    """ALTER TABLE ... SET | UNSET TBLPROPERTIES, which the engine cannot do with a table of a catalog."""
    tokens = list(statement.tokens)
    parts, at = read_name(tokens, 2)
    if at + 1 >= len(tokens) or not (tokens[at].is_word("SET") and tokens[at + 1].is_word("TBLPROPERTIES")):
        return None
    name = visit.session.qualify(parts)
    table = None if name is None else visit.access.table(visit.principal, ".".join(name), Privilege.MODIFY)
    if table is None:
        raise SecurableNotFound(SecurableType.TABLE, ".".join(name or parts))
    set_properties(table.storage_location, read_properties(tokens, at + 2))
    command.sql_command.input.CopyFrom(empty_answer())
    return Change()


# ------------------------------------------------------------------------------------------------------- DataFrames


def _name_of(text: str) -> tuple[str, ...]:
    parts, _ = read_name(tokenize(text), 0)
    return tuple(parts)


def _path_name(parts: tuple[str, ...]) -> bool:
    return len(parts) == 2 and parts[0].lower() in FILE_FORMATS and (looks_absolute(parts[1]) or "/" in parts[1])


def _option(options: Any, key: str) -> str | None:
    return next((value for name, value in options.items() if name.lower() == key), None)


def _delta_properties(options: Any) -> dict[str, str]:
    return {key: value for key, value in options.items() if key.lower().startswith("delta.")}


def _write(visit: Visit, command: Any) -> Change | None:
    """DataFrameWriter."""
    write = command.write_operation
    if write.WhichOneof("save_type") == "table":
        parts = _name_of(write.table.table_name)
        if not _path_name(parts):
            name = visit.session.qualify(parts)
            return None if name is None else _save_table(visit, command, name)
        write.table.table_name = visit.table_name(write.table.table_name, Use.WRITE)
        return None
    if write.path:
        write.path = visit.path(write.path, write.source, Use.WRITE)
    before = dict(write.options)
    visit.look_at_options(write.options, write.source, Use.WRITE)
    visit.changed |= before != dict(write.options)
    return None


def _save_table(visit: Visit, command: Any, name: tuple[str, str, str]) -> Change | None:
    """SaveAsTable and insertInto."""
    write = command.write_operation
    modes = proto().WriteOperation
    writer = TableWriter(visit.access, visit.principal, visit.guard)
    existing = writer.existing(name)
    is_insert = write.table.save_method == modes.SaveTable.TABLE_SAVE_METHOD_INSERT_INTO
    if is_insert or (existing is not None and write.mode == modes.SAVE_MODE_APPEND):
        visit.require_modify(name)
        return None
    if existing is not None and write.mode == modes.SAVE_MODE_IGNORE:
        return None
    if existing is not None and write.mode != modes.SAVE_MODE_OVERWRITE:
        raise TableAlreadyExists(existing.full_name)
    options = dict(write.options)
    draft = TableDraft(name, tuple(write.partitioning_columns), None, _delta_properties(options), _option(options, "path"))
    if write.source.lower() not in {"", "delta"}:
        if existing is not None:
            message = f"A {write.source} table cannot be replaced. Drop {existing.full_name} first, or write it as delta."
            raise StatementRefused(message)
        write.options["path"] = writer.target(draft, None).location
        return Change()
    target = writer.target(draft, existing)
    if existing is not None and _option(options, "replacewhere") is not None:
        write.path = str(from_url(target.location))
        write.source = "delta"
        return Change()
    kept = {key: value for key, value in options.items() if key.lower() not in {"path", "overwriteschema"}}
    command.write_operation.CopyFrom(writer.command(target, write.input, visit.session, kept))
    return Change(lambda: writer.finish(target, describe=True), lambda: writer.undo(target))


def _write_v2(visit: Visit, command: Any) -> Change | None:
    """DataFrameWriterV2."""
    write = command.write_operation_v2
    modes = proto().WriteOperationV2
    parts = _name_of(write.table_name)
    if _path_name(parts):
        write.table_name = visit.table_name(write.table_name, Use.WRITE)
        return None
    name = visit.session.qualify(parts)
    if name is None:
        return None
    if write.mode not in {modes.MODE_CREATE, modes.MODE_REPLACE, modes.MODE_CREATE_OR_REPLACE}:
        visit.access.table(visit.principal, ".".join(name), Privilege.MODIFY)
        return None
    if write.provider.lower() not in {"", "delta"}:
        message = f"writeTo().using('{write.provider}') is not supported. Leave it out, or say delta."
        raise StatementRefused(message)
    writer = TableWriter(visit.access, visit.principal, visit.guard)
    existing = writer.existing(name)
    if existing is None and write.mode == modes.MODE_REPLACE:
        raise SecurableNotFound(SecurableType.TABLE, ".".join(name))
    if existing is not None and write.mode == modes.MODE_CREATE:
        raise TableAlreadyExists(existing.full_name)
    draft = TableDraft(
        name,
        tuple(_column(expression) for expression in write.partitioning_columns),
        write.table_properties.get("comment"),
        {key: value for key, value in write.table_properties.items() if key not in {"comment", "location"}}
        | _delta_properties(write.options),
        _option(write.options, "path") or write.table_properties.get("location"),
    )
    target = writer.target(draft, existing)
    options = {key: value for key, value in write.options.items() if key.lower() != "path"}
    command.write_operation.CopyFrom(writer.command(target, write.input, visit.session, options))
    return Change(lambda: writer.finish(target, describe=True), lambda: writer.undo(target))


def _column(expression: Any) -> str:
    if expression.WhichOneof("expr_type") != "unresolved_attribute":
        message = "partitionedBy takes columns; transforms such as days() or bucket() are not supported by Delta tables."
        raise StatementRefused(message)
    parts = _name_of(expression.unresolved_attribute.unparsed_identifier)
    return parts[-1]
