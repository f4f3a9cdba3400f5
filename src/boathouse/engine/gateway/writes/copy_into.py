"""COPY INTO: files into a Delta table, each of them once."""

import os
from dataclasses import replace
from typing import Any

import pyarrow as pa

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.messages.protocol import empty_answer, local_relation, proto
from boathouse.engine.gateway.names.reads import SHORT_ROWS, asks_server, read_by_server
from boathouse.engine.gateway.names.table_functions import METADATA, stars_beside
from boathouse.engine.gateway.names.visit import Visit
from boathouse.engine.gateway.paths.guard import Use
from boathouse.engine.gateway.sql.copy_statement import CopyInto, read_copy
from boathouse.engine.gateway.sql.statements import Statement, apply
from boathouse.engine.gateway.sql.tokens import tokenize
from boathouse.engine.gateway.writes import copy_log
from boathouse.engine.gateway.writes.change import Change
from boathouse.engine.gateway.writes.copy_files import find_files, without_corrupt
from boathouse.engine.gateway.writes.delta_target import DeltaTarget, load
from boathouse.engine.gateway.writes.enforcement import Match, Rules
from boathouse.engine.gateway.writes.ingest import Ingest, Plan, is_true, option
from boathouse.engine.gateway.writes.insert_command import insert_target
from boathouse.engine.gateway.writes.staging import Staging, adds_of, open_staging, publish, row_count
from boathouse.engine.write_errors import same_transaction
from boathouse.tables.api import Operation

_UNTYPED = frozenset({"csv", "text"})
_SOURCE = "__copy_source"
_SOURCE_PLAN_ID = 1 << 42


def copy_into(visit: Visit, command: Any, statement: Statement) -> Change:
    """Change a COPY INTO.

    Raises:
        StatementRefused: If it is not written as it has to be.
        WriteRefused: If the files' columns do not fit the table.
    """
    copy = read_copy(statement)
    target = insert_target(visit, copy.name)
    if target is None:
        message = f"COPY INTO loads into Delta tables; {'.'.join(copy.name)} is none."
        raise StatementRefused(message)
    place = visit.guard.resolve(copy.path, Use.READ)
    files = find_files(place, copy.files, copy.pattern)
    before = copy_log.last_load(target)
    if not is_true(option(copy.copy_options, "force")):
        known = copy_log.loaded(target)
        files = [path for path in files if path not in known]
    corrupt = 0
    if is_true(option(copy.format_options, "ignorecorruptfiles")):
        files, corrupt = without_corrupt(files, copy.file_format)
    if not files:
        command.sql_command.input.CopyFrom(_result(0, corrupt))
        return Change()
    rows = _rows(visit, command, copy, place, files)
    match = Match.POSITION if copy.by_position else Match.NAME
    parses = copy.file_format in _UNTYPED and not is_true(option(copy.format_options, "inferschema"))
    evolve = is_true(option(copy.copy_options, "mergeschema"))
    rules = Rules(match, copy.columns, evolve=evolve, parse=parses)
    if copy.validate is not None:
        write = Ingest(visit.session).command(target, rows, Plan(replace(rules, evolve=False)))
        command.sql_command.input.CopyFrom(_preview(visit, write.input, copy.validate) if write is not None else empty_answer())
        return Change()
    visit.paths_read.append(place)
    write = Ingest(visit.session).command(target, rows, Plan(rules))
    if write is None:
        raise TypeError
    target = load(str(target.folder), target.name) or target
    if not target.schema.fields:
        message = f"The files have no columns, and neither has {target.name}: a table gets its columns from files with a header or rows."
        raise StatementRefused(message)
    staging = open_staging(target)
    write.path = str(staging.folder)
    command.write_operation.CopyFrom(write)
    return _change(visit, staging, copy, files, corrupt, before)


def _change(visit: Visit, staging: Staging, copy: CopyInto, files: list[str], corrupt: int, before: int) -> Change:
    target = staging.target
    started = copy_log.begin(target, files)
    numbers: list[int] = []
    counted: list[int] = []
    parameters = {copy_log.PARAMETER: started.token, "fileFormat": copy.file_format, "numFiles": str(len(files))}

    def actions(now: DeltaTarget) -> list[dict[str, Any]]:
        last = copy_log.last_load(now)
        if last > before and not is_true(option(copy.copy_options, "force")) and copy_log.loaded(now, before) & set(files):
            raise same_transaction(now.name)
        numbers[:] = [last + 1]
        parameters["load"] = str(last + 1)
        return [copy_log.identifier(last + 1).action()]

    def finish() -> None:
        counted[:] = [row_count(adds_of(staging))]
        publish(staging, actions, Operation("COPY INTO", parameters, visit.principal.name))
        copy_log.settle(target, started, numbers[0])
        staging.discard()

    def undo() -> None:
        copy_log.give_up(target, started)
        staging.discard()

    return Change(finish, undo, is_sql=True, answer=lambda: _result(counted[0], corrupt))


def _rows(visit: Visit, command: Any, copy: CopyInto, place: str, files: list[str]) -> Any:
    """The rows of the files, or what a query makes of them."""
    text = None if copy.select is None else f"{copy.select[0]} {_SOURCE} {copy.select[1]}"
    hidden = METADATA if text is not None and METADATA in {token.identifier.lower() for token in tokenize(text)} else ""
    read, columns = _read(visit, copy, place, files, hidden)
    if text is not None and hidden:
        tokens = tokenize(text)
        start = next(token.start for token in tokens if token.identifier == _SOURCE)
        text = apply(text, stars_beside(tokens, start, columns))
    if text is None:
        return read
    rows = proto().Relation()
    given = command.sql_command.input
    if given.WhichOneof("rel_type") == "with_relations":
        rows.with_relations.CopyFrom(given.with_relations)
    else:
        rows.with_relations.root.sql.CopyFrom(given.sql)
    rows.with_relations.root.sql.query = text
    reference = rows.with_relations.references.add()
    reference.common.plan_id = _SOURCE_PLAN_ID
    reference.subquery_alias.alias = _SOURCE
    reference.subquery_alias.input.CopyFrom(read)
    return rows


def _read(visit: Visit, copy: CopyInto, place: str, files: list[str], hidden: str) -> tuple[Any, list[str]]:
    """The files as the engine reads them, or the server where they are to have a hidden column or options of its own; columns then."""
    options = {key: value for key, value in copy.format_options.items() if key.lower() != "ignorecorruptfiles"}
    lower, file_format = {key.lower(): value for key, value in options.items()}, copy.file_format.lower()
    if hidden or (asks_server(file_format, lower) and not visit.session.capabilities.reads_all_forms):
        asked = copy.path.rstrip("/")
        paths = [asked if path == place else f"{asked}/{os.path.relpath(path, place)}" for path in files]
        return read_by_server(visit, file_format, lower, paths, hidden=hidden)
    read = proto().Relation()
    read.read.data_source.format = copy.file_format
    read.read.data_source.paths.extend(files)
    read.read.data_source.options.update(options)
    if file_format == "csv":
        read.read.data_source.options[SHORT_ROWS] = "true"
    return read, []


def _preview(visit: Visit, rows: Any, most: int) -> Any:
    limited = proto().Relation()
    limited.limit.input.CopyFrom(rows)
    limited.limit.limit = most
    return local_relation(visit.session.rows(limited))


def _result(inserted: int, corrupt: int) -> Any:
    values = {"num_affected_rows": inserted, "num_inserted_rows": inserted, "num_skipped_corrupt_files": corrupt}
    return local_relation(pa.table({key: pa.array([value], pa.int64()) for key, value in values.items()}))
