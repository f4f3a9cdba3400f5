"""DataFrameWriter and DataFrameWriterV2: which table or path is meant, and how its rows get there."""

import shutil
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from boathouse.catalog.api import Privilege, SecurableNotFound, SecurableType, TableInfo
from boathouse.engine.errors import StatementRefused, TableAlreadyExists
from boathouse.engine.gateway.messages.protocol import empty_answer, nullable_schema, proto
from boathouse.engine.gateway.messages.spark_types import from_message, has_map, names_in
from boathouse.engine.gateway.names.visit import Visit
from boathouse.engine.gateway.paths.guard import Use
from boathouse.engine.gateway.sql.expression_text import expression_text
from boathouse.engine.gateway.sql.path_names import is_path_name
from boathouse.engine.gateway.sql.statements import parse
from boathouse.engine.gateway.sql.tokens import parts_of
from boathouse.engine.gateway.writes.change import Change, nothing
from boathouse.engine.gateway.writes.delta_target import DeltaTarget, load
from boathouse.engine.gateway.writes.enforcement import Match, Rules
from boathouse.engine.gateway.writes.expectations import expected, put_expected
from boathouse.engine.gateway.writes.file_writes import put_files, require_other
from boathouse.engine.gateway.writes.ingest import (
    NUMBER,
    Ingest,
    Mode,
    Plan,
    evolves,
    forgets_number,
    is_true,
    matching_of,
    option,
    overwrite_mode,
    session_options,
)
from boathouse.engine.gateway.writes.new_tables import TableDraft, TableWriter, default_properties, require_names
from boathouse.engine.gateway.writes.put_aside import put_aside
from boathouse.engine.gateway.writes.replace_matching import put_matching
from boathouse.engine.gateway.writes.retry import Retry
from boathouse.engine.gateway.writes.staging import open_staging, publish
from boathouse.engine.gateway.writes.transactions import Identifier, identifier_of, note, was_done
from boathouse.engine.streaming.kafka.client import configuration, require_brokers
from boathouse.engine.streaming.kafka.sending import Sender
from boathouse.engine.write_errors import path_exists
from boathouse.tables.api import Operation


def delta_properties(options: Mapping[str, str]) -> dict[str, str]:
    """Those options that are properties of a Delta table."""
    return {key: value for key, value in options.items() if key.lower().startswith("delta.")}


def put(visit: Visit, command: Any, target: DeltaTarget, rows: Any, plan: Plan, *, is_sql: bool = False) -> Change:
    """Turn a command into the write of rows into a Delta table.

    Raises:
        WriteRefused: If the rows do not fit.
    """
    visit.effects.writes(target.folder, target.version)
    if plan.tells:
        require_readable(visit, target)
    given = plan.options
    plan = replace(plan, options=session_options(visit.session) | dict(given))
    identifier = identifier_of(plan.options)
    counts_once = identifier is not None and forgets_number(given, visit.session)
    if identifier is not None and was_done(target, identifier):
        if counts_once:
            visit.session.reset(NUMBER)
        return _nothing_to_do(command)
    change = _put(visit, command, target, rows, plan, identifier, is_sql=is_sql)
    if not counts_once:
        return change
    done = change.finish or nothing

    def finish() -> None:
        done()
        visit.session.reset(NUMBER)

    return replace(change, finish=finish)


def _put(
    visit: Visit, command: Any, target: DeltaTarget, rows: Any, plan: Plan, identifier: Identifier | None, *, is_sql: bool
) -> Change:
    said = expected(plan.options)
    if said is not None:
        return put_expected(visit, command, target, rows, plan, said, replaces=plan.mode is not Mode.APPEND)
    if plan.matching is not None:
        return put_matching(visit, command, target, rows, plan, identifier, is_sql=is_sql)
    write = Ingest(visit.session).command(target, rows, plan)
    if write is None:
        return _nothing_to_do(command)
    if (
        "replaceWhere" in write.options
        and (has_map(target.schema) or target.requires_inside)
        and not visit.session.capabilities.mixes_types
    ):
        return put_aside(visit, command, target, write, identifier, is_sql=is_sql)
    command.write_operation.CopyFrom(write)
    if identifier is None or plan.mode is not Mode.APPEND:
        finish = nothing if identifier is None else lambda: note(target, identifier)
        return Change(finish, is_sql=is_sql, retry=Retry(target))
    # Columns may have been added meanwhile.
    staging = open_staging(load(str(target.folder), target.name) or target)
    command.write_operation.path = str(staging.folder)

    append = visit.streams.operation or Operation("WRITE", {"mode": "Append"}, visit.principal.name)

    def finish_staged() -> None:
        publish(staging, lambda now: None if was_done(now, identifier) else [identifier.action()], append)
        staging.discard()

    return Change(finish_staged, staging.discard, is_sql=is_sql)


def _nothing_to_do(command: Any) -> Change:
    """A statement that does nothing takes the command's place."""
    command.sql_command.input.CopyFrom(empty_answer())
    return Change()


def target_of(table: TableInfo | None) -> DeltaTarget | None:
    """The Delta table of a table of the catalog, or None for one of another format."""
    if table is None or table.data_source_format != "DELTA":
        return None
    return load(table.storage_location, table.full_name)


# --------------------------------------------------------------------------------------------------------------- V1


def write_v1(visit: Visit, command: Any) -> Change | None:
    """DataFrameWriter."""
    write = command.write_operation
    if write.source.lower() == "kafka" and visit.shared is None:
        return _send_to_kafka(visit, write)
    if write.WhichOneof("save_type") == "table":
        parts = parts_of(write.table.table_name)
        if not is_path_name(parts):
            name = visit.session.qualify(parts)
            return None if name is None else _save_table(visit, command, name)
        write.table.table_name = visit.table_name(write.table.table_name, Use.WRITE)
        if parts[0].lower() != "delta":
            return None
        is_insert = write.table.save_method == proto().WriteOperation.SaveTable.TABLE_SAVE_METHOD_INSERT_INTO
        path = parts_of(write.table.table_name)[1]
        write.source = "delta"
        return _save_path(visit, command, path, Match.POSITION if is_insert else Match.NAME)
    before, asked = dict(write.options), write.path or option(write.options, "path") or ""
    if write.path:
        write.path = visit.path(write.path, write.source, Use.of_sink(write.source))
    visit.look_at_options(write.options, write.source, Use.of_sink(write.source))
    visit.changed |= before != dict(write.options)
    path = write.path or option(write.options, "path")
    if not path:
        return None
    return put_files(visit, write, path, asked) or _save_path(visit, command, path, Match.NAME, asked)


def _send_to_kafka(visit: Visit, write: Any) -> Change:
    """Rows for a topic: the engine writes them to files, and what lies there is sent."""
    options = dict(write.options)
    require_brokers(options, visit.access, visit.principal)
    sender = Sender(options, configuration(options, visit.guard))
    sender.require_columns(nullable_schema(visit.session.schema(write.input))[0])
    folder = visit.access.layout.run / "kafka" / uuid.uuid4().hex
    folder.mkdir(parents=True)
    write.source, write.path, write.mode = "parquet", str(folder), proto().WriteOperation.SAVE_MODE_OVERWRITE
    write.options.clear()
    visit.changed = True

    def discard() -> None:
        shutil.rmtree(folder, ignore_errors=True)

    def finish() -> None:
        try:
            sender.send(folder)
        finally:
            discard()

    return Change(finish, discard)


def _save_path(visit: Visit, command: Any, path: str, match: Match, asked: str = "") -> Change | None:
    """Rows for a path: where there is a Delta table, they have to fit."""
    write = command.write_operation
    modes = proto().WriteOperation
    if write.source.lower() not in {"", "delta"} or not path.startswith("/"):
        return None
    write.source = "delta"
    target = load(path, f"delta.`{path}`")
    options = dict(write.options)
    if target is not None and write.mode in {modes.SAVE_MODE_UNSPECIFIED, modes.SAVE_MODE_ERROR_IF_EXISTS}:
        raise path_exists(asked or path)
    if target is None or write.mode not in {modes.SAVE_MODE_APPEND, modes.SAVE_MODE_OVERWRITE}:
        visit.changed = True
        write.path = path
        return _new_at_path(visit, write, path, is_new=target is None)
    if write.mode == modes.SAVE_MODE_OVERWRITE and replaces_schema(options):
        if target.schema.fields:
            draft = TableDraft(("", "", ""), tuple(write.partitioning_columns))
            writer = TableWriter(visit.access, visit.principal, visit.guard)
            kept = {key: value for key, value in options.items() if key.lower() not in {"path", "overwriteschema"}}
            command.write_operation.CopyFrom(writer.rows_to(path, draft, write.input, visit.session, kept))
            return Change(lambda: writer.put_in_order(path), retry=Retry(target, replaces=True))
        return Change(nothing, retry=Retry(target, replaces=True))
    return put(visit, command, target, write.input, _plan(visit, write, Rules(match, strict=match is Match.NAME)))


def _new_at_path(visit: Visit, write: Any, path: str, *, is_new: bool) -> Change | None:
    """Rows for a path where no table is; with properties they are written beside it first, so that its first commit says all."""
    draft = TableDraft(
        ("", "", ""),
        tuple(write.partitioning_columns),
        properties=delta_properties(write.options),
        cluster_by=tuple(parts_of(one)[-1] for one in write.clustering_columns),
        defaults=default_properties(visit.session),
    )
    for key in draft.properties:
        del write.options[key]
    del write.clustering_columns[:]
    if not is_new:
        return None
    schema = visit.session.schema(write.input)
    require_names(names_in(from_message(schema)), draft)
    if not (draft.properties or draft.defaults or draft.cluster_by or draft.partition_by):
        return None
    writer = TableWriter(visit.access, visit.principal, visit.guard)
    target = writer.at_path(draft, path)
    writer.keep_order(target.folder, draft, schema)
    write.path = target.folder
    for key in [one for one in write.options if one.lower() == "path"]:
        del write.options[key]
    return Change(lambda: writer.complete(target, describe=True), lambda: writer.undo(target))


def replaces_schema(options: Mapping[str, str]) -> bool:
    """Whether an overwrite brings its own schema."""
    return is_true(option(options, "overwriteschema")) and option(options, "replacewhere") is None


def _plan(visit: Visit, write: Any, rules: Rules) -> Plan:
    options = dict(write.options)
    rules = Rules(rules.match, rules.columns, rules.strict, evolves(options, visit.session))
    alias = write.input.subquery_alias.alias if write.input.WhichOneof("rel_type") == "subquery_alias" else None
    mode, condition, matching = Mode.APPEND, None, matching_of(options, alias)
    if write.mode == proto().WriteOperation.SAVE_MODE_OVERWRITE:
        condition = option(options, "replacewhere")
        partial = condition is not None or matching is not None
        mode = Mode.OVERWRITE if partial else overwrite_mode(options, visit.session)
    elif matching is not None:
        message = "The options replaceUsing and replaceOn are for writes with the mode overwrite."
        raise StatementRefused(message)
    # The options' texts are evaluated where no name in them was looked at yet.
    if condition is not None:
        condition = visit.sql(parse(condition), None, fragment=True)
    if matching is not None:
        matching = replace(matching, condition=visit.sql(parse(matching.condition), None, fragment=True))
    return Plan(rules, mode, condition, options, tuple(write.partitioning_columns), matching)


def require_readable(visit: Visit, target: DeltaTarget) -> None:
    """Go on only if the principal may read all of a table: which of its rows are changed tells of what is in them.

    Raises:
        PermissionDenied: Without SELECT.
        PolicyInTheWay: If the table has a row filter or a column mask and the principal does not manage it.
    """
    parts = parts_of(target.name)
    if is_path_name(parts):
        real = visit.guard.resolve(parts[1], Use.READ)
        if visit.open_tables is not None:
            visit.open_tables.require_closed(real, "Changing rows")
        return
    table = visit.access.table(visit.principal, target.name, Privilege.SELECT)
    if table is not None:
        visit.access.require_whole(visit.principal, table)


def _save_table(visit: Visit, command: Any, name: tuple[str, str, str]) -> Change | None:
    """SaveAsTable and insertInto."""
    write = command.write_operation
    modes = proto().WriteOperation
    writer = TableWriter(visit.access, visit.principal, visit.guard)
    existing = writer.existing(name)
    is_insert = write.table.save_method == modes.SaveTable.TABLE_SAVE_METHOD_INSERT_INTO
    if is_insert or (existing is not None and write.mode == modes.SAVE_MODE_APPEND):
        if existing is None:
            raise SecurableNotFound(SecurableType.TABLE, ".".join(name))
        visit.require_modify(name)
        target = target_of(existing)
        if target is None:
            return require_other(visit, existing, overwrites=write.mode == modes.SAVE_MODE_OVERWRITE)
        rules = Rules(Match.POSITION if is_insert else Match.NAME)
        return put(visit, command, target, write.input, _plan(visit, write, rules))
    if existing is not None and write.mode == modes.SAVE_MODE_IGNORE:
        return _nothing_to_do(command)
    if existing is not None and write.mode != modes.SAVE_MODE_OVERWRITE:
        raise TableAlreadyExists(existing.full_name)
    options = dict(write.options)
    draft = TableDraft(
        name,
        tuple(write.partitioning_columns),
        None,
        delta_properties(options),
        option(options, "path"),
        tuple(parts_of(one)[-1] for one in write.clustering_columns),
        default_properties(visit.session) if write.source.lower() in {"", "delta"} and existing is None else {},
    )
    if write.source.lower() not in {"", "delta"}:
        if existing is not None:
            message = f"A {write.source} table cannot be replaced. Drop {existing.full_name} first, or write it as delta."
            raise StatementRefused(message)
        write.options["path"] = writer.target(draft, None).location
        return Change()
    target = writer.target(draft, existing)
    there = target_of(existing)
    if there is not None and there.schema.fields and not replaces_schema(options):
        return put(visit, command, there, write.input, _plan(visit, write, Rules()))
    said = expected(options)
    if said is not None and there is not None:
        plan = Plan(Rules(), Mode.OVERWRITE, None, options, tuple(write.partitioning_columns))
        return put_expected(visit, command, there, write.input, plan, said, replaces=True, schema_too=True)
    kept = {key: value for key, value in options.items() if key.lower() not in {"path", "overwriteschema"}}
    command.write_operation.CopyFrom(writer.command(target, write.input, visit.session, kept))
    retry = None if there is None else Retry(there, replaces=True)
    return Change(lambda: writer.finish(target, describe=True), lambda: writer.undo(target), retry=retry)


# --------------------------------------------------------------------------------------------------------------- V2


def write_v2(visit: Visit, command: Any) -> Change | None:
    """DataFrameWriterV2."""
    write = command.write_operation_v2
    modes = proto().WriteOperationV2
    parts = parts_of(write.table_name)
    creates = write.mode in {modes.MODE_CREATE, modes.MODE_REPLACE, modes.MODE_CREATE_OR_REPLACE}
    if is_path_name(parts):
        write.table_name = visit.table_name(write.table_name, Use.WRITE)
        target = None if parts[0].lower() != "delta" else load(parts_of(write.table_name)[1], write.table_name)
        return None if target is None or creates else _put_v2(visit, command, target)
    name = visit.session.qualify(parts)
    if name is None:
        return None
    if not creates:
        table = visit.access.table(visit.principal, ".".join(name), Privilege.MODIFY)
        if table is None:
            raise SecurableNotFound(SecurableType.TABLE, ".".join(name))
        target = target_of(table)
        return None if target is None else _put_v2(visit, command, target)
    return _create_v2(visit, command, name)


def _put_v2(visit: Visit, command: Any, target: DeltaTarget) -> Change:
    """Append, overwrite(condition) and overwritePartitions."""
    write = command.write_operation_v2
    modes = proto().WriteOperationV2
    options = dict(write.options)
    if matching_of(options) is not None:
        message = "writeTo takes no option replaceUsing or replaceOn: use write.mode('overwrite') with it, or MERGE INTO."
        raise StatementRefused(message)
    evolve = write.with_schema_evolution or evolves(options, visit.session)
    mode = {modes.MODE_APPEND: Mode.APPEND, modes.MODE_OVERWRITE_PARTITIONS: Mode.PARTITIONS}.get(write.mode, Mode.OVERWRITE)
    condition = expression_text(write.overwrite_condition) if write.mode == modes.MODE_OVERWRITE else None
    return put(visit, command, target, write.input, Plan(Rules(evolve=evolve), mode, condition, options))


def _create_v2(visit: Visit, command: Any, name: tuple[str, str, str]) -> Change:
    """Create, replace and createOrReplace."""
    write = command.write_operation_v2
    modes = proto().WriteOperationV2
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
        | delta_properties(write.options),
        option(write.options, "path") or write.table_properties.get("location"),
        tuple(parts_of(one)[-1] for one in write.clustering_columns),
        default_properties(visit.session),
    )
    target = writer.target(draft, existing)
    there = target_of(existing)
    options = {key: value for key, value in write.options.items() if key.lower() != "path"}
    command.write_operation.CopyFrom(writer.command(target, write.input, visit.session, options))
    retry = None if there is None else Retry(there, replaces=True)
    return Change(lambda: writer.finish(target, describe=True), lambda: writer.undo(target), retry=retry)


def _column(expression: Any) -> str:
    if expression.WhichOneof("expr_type") != "unresolved_attribute":
        message = "partitionedBy takes columns; transforms such as days() or bucket() are not supported by Delta tables."
        raise StatementRefused(message)
    return parts_of(expression.unresolved_attribute.unparsed_identifier)[-1]
