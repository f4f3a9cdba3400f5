"""MERGE, UPDATE and DELETE: done by the engine, again when their commit loses, with new columns added first where that is asked."""

from typing import Any

from boathouse.engine.gateway.change import Change, nothing
from boathouse.engine.gateway.counts import counted
from boathouse.engine.gateway.delta_target import DeltaTarget, load
from boathouse.engine.gateway.evolution import add_columns
from boathouse.engine.gateway.frame_writes import name_of
from boathouse.engine.gateway.insert_command import insert_target
from boathouse.engine.gateway.protocol import proto, sql_node
from boathouse.engine.gateway.retry import Retry
from boathouse.engine.gateway.spark_types import Field, Struct, from_message, nullable
from boathouse.engine.gateway.sql_tokens import Token, read_name
from boathouse.engine.gateway.statements import Edit, Statement, apply
from boathouse.engine.gateway.visit import Visit
from boathouse.engine.write_errors import ConcurrentModification

_ATTEMPTS = 5


def change_rows(visit: Visit, command: Any, statement: Statement) -> Change | None:
    """SQL's MERGE, UPDATE and DELETE; None where they are not for a Delta table."""
    if not statement.targets:
        return None
    target = insert_target(visit, statement.targets[0])
    if target is None:
        return None
    if statement.verb[:1] == ("MERGE",):
        target = _evolve_merge(visit, command, statement, target)
    return Change(nothing, is_sql=True, retry=Retry(target), answer=lambda: counted(target, statement.verb[0]))


def merge_frame(visit: Visit, command: Any) -> Change | None:
    """A DataFrame's mergeInto."""
    merge = command.merge_into_table_command
    target = insert_target(visit, name_of(merge.target_table_name))
    if target is None:
        return None
    if merge.with_schema_evolution:
        source = from_message(visit.session.schema(merge.source_table_plan))
        if isinstance(source, Struct):
            target = evolve(target, source)
        merge.with_schema_evolution = False
    return Change(retry=Retry(target))


def evolve(target: DeltaTarget, source: Struct) -> DeltaTarget:
    """The table, with those columns of a source that it has not."""
    for attempt in range(_ATTEMPTS):
        new = tuple(Field(one.name, nullable(one.type)) for one in source.fields if target.schema.find(one.name) is None)
        if not new:
            break
        try:
            add_columns(target, Struct((*target.schema.fields, *new)))
        except ConcurrentModification:
            if attempt + 1 == _ATTEMPTS:
                raise
        target = load(str(target.folder), target.name) or target
    return target


def _evolve_merge(visit: Visit, command: Any, statement: Statement, target: DeltaTarget) -> DeltaTarget:
    """MERGE WITH SCHEMA EVOLUTION: add the columns and leave the words out. The engine alone would drop each NOT NULL."""
    tokens = list(statement.tokens)
    words = [token.value for token in tokens[1:4]]
    if words != ["WITH", "SCHEMA", "EVOLUTION"]:
        return target
    node = sql_node(command.sql_command.input)
    source = _source_of(statement.sql, tokens)
    if node is None or source is None:
        return target
    asked = proto().Relation()
    asked.CopyFrom(command.sql_command.input)
    inner = sql_node(asked)
    if inner is not None:
        inner.query = f"SELECT * FROM {source}"  # noqa: S608 - a piece of the statement itself
    schema = from_message(visit.session.schema(asked))
    if isinstance(schema, Struct):
        target = evolve(target, schema)
    node.query = apply(statement.sql, [Edit(tokens[1].start, tokens[3].end, "")])
    return target


def _source_of(sql: str, tokens: list[Token]) -> str | None:
    """The text between USING and ON, without an alias."""
    depth = 0
    for index, token in enumerate(tokens):
        depth += token.is_mark("(") - token.is_mark(")")
        if depth == 0 and token.is_word("USING"):
            begin = index + 1
            if begin < len(tokens) and tokens[begin].is_mark("("):
                end = _closing(tokens, begin)
                return f"{sql[tokens[begin].start : tokens[end].end]} AS source"
            parts, after = read_name(tokens, begin)
            return sql[tokens[begin].start : tokens[after - 1].end] if parts else None
    return None


def _closing(tokens: list[Token], at: int) -> int:
    depth = 0
    for index in range(at, len(tokens)):
        depth += tokens[index].is_mark("(") - tokens[index].is_mark(")")
        if depth == 0:
            return index
    return len(tokens) - 1
