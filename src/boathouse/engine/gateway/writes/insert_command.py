"""INSERT: into a Delta table its query's rows go like those of a DataFrame."""

from collections.abc import Sequence
from typing import Any

from boathouse.catalog.api import Privilege, SecurableNotFound, SecurableType
from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.messages.protocol import proto, sql_node
from boathouse.engine.gateway.messages.spark_types import Field, Struct, from_message, sql
from boathouse.engine.gateway.names.visit import Visit
from boathouse.engine.gateway.sql.inserts import Insert, read_insert, split
from boathouse.engine.gateway.sql.parameters import bind
from boathouse.engine.gateway.sql.path_names import is_path_name
from boathouse.engine.gateway.sql.statements import Edit, Statement, apply, parse
from boathouse.engine.gateway.sql.tokens import Kind, Token, closing, quote, tokenize
from boathouse.engine.gateway.writes.change import Change, nothing
from boathouse.engine.gateway.writes.delta_target import DeltaTarget, load
from boathouse.engine.gateway.writes.enforcement import Match, Rules, project
from boathouse.engine.gateway.writes.file_writes import require_other, require_other_folders
from boathouse.engine.gateway.writes.frame_writes import put, target_of
from boathouse.engine.gateway.writes.ingest import Matching, Mode, Plan, evolves, overwrite_mode
from boathouse.engine.write_errors import arity_mismatch, unknown_column

_LITERAL_WORDS = ("NULL", "TRUE", "FALSE", "DATE", "TIMESTAMP")


def insert(visit: Visit, command: Any, statement: Statement) -> Change | None:
    """Change an INSERT; None for one that is not into a Delta table."""
    found = read_insert(statement)
    if found is None:
        require_other_folders(visit, statement)
        return None
    node = sql_node(command.sql_command.input)
    if node is not None and (found.replace_where or found.replace_on) and bind(node):
        # The condition is evaluated beside the query, and each has parameters of its own.
        found = read_insert(parse(node.query)) or found
    target = insert_target(visit, found.name)
    if target is None:
        full = visit.session.qualify(found.name) if found.overwrite and not is_path_name(found.name) else None
        table = None if full is None else visit.access.table(visit.principal, ".".join(full))
        if table is not None:
            require_other(visit, table, overwrites=True)
        # The engine counts the rows, in a type that clients cannot read.
        return Change(nothing, is_sql=True)
    rows = proto().Relation()
    rows.CopyFrom(command.sql_command.input)
    node = sql_node(rows)
    if node is None:
        return None
    node.query, columns = _with_defaults(found, target)
    rules = Rules(
        Match.NAME if found.by_name else Match.POSITION,
        columns,
        evolve=found.evolve or evolves({}, visit.session),
    )
    plan = Plan(rules)
    if found.partition:
        rows, rules = _with_partition(visit, rows, found, target)
        plan = Plan(rules)
    if found.replace_where is not None:
        plan = Plan(rules, Mode.OVERWRITE, found.replace_where)
    elif found.replace_using or found.replace_on is not None:
        matching = Matching(found.replace_using, found.replace_on or "", found.alias, found.query_alias)
        plan = Plan(rules, Mode.OVERWRITE, matching=matching)
    elif found.overwrite:
        plan = _overwrite(visit, found, target, rules)
    return put(visit, command, target, rows, plan, is_sql=True)


def insert_target(visit: Visit, name: tuple[str, ...]) -> DeltaTarget | None:
    """The Delta table that a statement writes, or None where it is of another kind.

    Raises:
        SecurableNotFound: If there is no such table.
        PermissionDenied: Without MODIFY.
    """
    if is_path_name(name):
        return _noted(visit, load(name[1], f"delta.`{name[1]}`")) if name[0].lower() == "delta" else None
    if len(name) == 1 and visit.session.is_temporary(name[0]):
        return None
    full = visit.session.qualify(name)
    table = None if full is None else visit.access.table(visit.principal, ".".join(full), Privilege.MODIFY)
    if table is None:
        raise SecurableNotFound(SecurableType.TABLE, ".".join(full or name))
    return _noted(visit, target_of(table))


def _noted(visit: Visit, target: DeltaTarget | None) -> DeltaTarget | None:
    if target is not None:
        visit.effects.writes(target.folder, target.version)
    return target


def _overwrite(visit: Visit, found: Insert, target: DeltaTarget, rules: Rules) -> Plan:
    if not found.partition:
        return Plan(rules, overwrite_mode({}, visit.session))
    named = [f"{quote([name])} <=> {value}" for name, value in found.partition if value is not None]
    if len(named) == len(target.partition_by) or overwrite_mode({}, visit.session) is Mode.OVERWRITE:
        values = [tokenize(value) for _, value in found.partition if value is not None]
        return Plan(rules, Mode.OVERWRITE, " AND ".join(named) or None, names_partitions=all(map(_is_literal, values)))
    return Plan(rules, Mode.PARTITIONS)


def _is_literal(value: Sequence[Token]) -> bool:
    return all(
        token.kind is Kind.STRING
        or (token.kind is Kind.WORD and (token.value[0].isdigit() or token.value in _LITERAL_WORDS))
        or (token.kind is Kind.MARK and token.value in "+-.")
        for token in value
    )


def _with_partition(visit: Visit, rows: Any, found: Insert, target: DeltaTarget) -> tuple[Any, Rules]:
    """The rows with the values of the PARTITION clause, and how they match."""
    for name, _ in found.partition:
        if name.lower() not in {one.lower() for one in target.partition_by}:
            raise unknown_column(target.name, name, list(target.partition_by))
    given = {name.lower(): value for name, value in found.partition if value is not None}
    dynamic = [name for name, value in found.partition if value is None]
    source = from_message(visit.session.schema(rows))
    if not isinstance(source, Struct):
        raise TypeError
    if found.by_name:
        columns = source.names
    elif found.columns:
        columns = [*found.columns, *(name for name in dynamic if name not in found.columns)]
    else:
        # The query gives the other columns in their order, then those of the clause without a value.
        named = {name.lower() for name, _ in found.partition}
        columns = [one for one in target.schema.names if one.lower() not in named] + dynamic
    if len(columns) != len(source.fields):
        kind = "TOO_MANY" if len(source.fields) > len(columns) else "NOT_ENOUGH"
        raise arity_mismatch(target.name, kind, columns, source.names)
    renamed = proto().Relation()
    renamed.to_df.input.CopyFrom(rows)
    renamed.to_df.column_names.extend(columns)
    values = [(name, quote([name])) for name in columns]
    values += [(one.name, given[one.name.lower()]) for one in target.schema.fields if one.name.lower() in given]
    # Values are written as text or numbers whatever the column's type; they are cast as they would be in a comparison.
    types = {one.name.lower(): one for one in target.schema.fields}
    values = [
        (name, f"CAST({text} AS {sql(types[name.lower()].type)})" if name.lower() in given else text) for name, text in values
    ]
    return project(renamed, values), Rules(Match.NAME, (), evolve=False)


def _with_defaults(found: Insert, target: DeltaTarget) -> tuple[str, tuple[str, ...]]:
    """The query and its list of columns, with the word DEFAULT in a VALUES list replaced by what it stands for.

    Columns that the engine fills are left out where each row says DEFAULT.
    """
    tokens = tokenize(found.query)
    if not tokens or not tokens[0].is_word("VALUES") or not any(token.is_word("DEFAULT") for token in tokens):
        return found.query, found.columns
    names = list(found.columns) or target.schema.names
    written = split(tokens[1:])
    rows = [split(row[1:-1] if row and row[0].is_mark("(") else row) for row in written]
    fields = [target.schema.find(name) for name in names]
    filled = {
        index
        for index, one in enumerate(fields)
        if one is not None
        and (one.is_identity or one.generation is not None)
        and any(_says_default(row, index) for row in rows)
    }
    for index in filled:
        if not all(_says_default(row, index) for row in rows):
            message = (
                f"DEFAULT for the column {names[index]}, whose values the table makes itself, has to be said in each row of "
                "VALUES, or in none. Insert the others with a statement of their own."
            )
            raise StatementRefused(message)
    whole = all(row and row[0].is_mark("(") and closing(row, 0) == len(row) - 1 for row in written)
    if filled and len(filled) < len(names) and whole and all(len(row) == len(names) for row in rows):
        kept = [index for index in range(len(names)) if index not in filled]
        lists = [", ".join(_value(found.query, row[index], fields[index]) for index in kept) for row in rows]
        return "VALUES " + ", ".join(f"({one})" for one in lists), tuple(names[index] for index in kept)
    edits = [
        Edit(value[0].start, value[0].end, _value(found.query, value, fields[index] if index < len(fields) else None))
        for row in rows
        for index, value in enumerate(row)
        if _says_default(row, index)
    ]
    return apply(found.query, edits), found.columns


def _says_default(row: Sequence[Sequence[Token]], index: int) -> bool:
    return index < len(row) and len(row[index]) == 1 and row[index][0].is_word("DEFAULT")


def _value(sql_text: str, value: Sequence[Token], one: Field | None) -> str:
    """The text of a value of VALUES, or what DEFAULT stands for."""
    if len(value) == 1 and value[0].is_word("DEFAULT"):
        return "NULL" if one is None or one.default is None else f"({one.default})"
    return sql_text[value[0].start : value[-1].end] if value else ""
