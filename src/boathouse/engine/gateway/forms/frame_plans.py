"""Relations of DataFrames that the embedded engine has not, or not in all of Spark's forms, as others that it has."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from boathouse.engine.errors import QueryRefused, StatementRefused
from boathouse.engine.gateway.messages.protocol import function_call, proto, text_literal
from boathouse.engine.gateway.messages.spark_types import Struct, from_message, sql
from boathouse.engine.gateway.messages.walk import walk
from boathouse.engine.streaming.errors import NotOnThisEngine
from boathouse.engine.streaming.state.event_time import unaliased
from boathouse.engine.streaming.state.sessions import NAME as SESSION_WINDOW
from boathouse.engine.streaming.state.sessions import session_of

_GENERATORS = frozenset(
    {
        "explode",
        "explode_outer",
        "inline",
        "inline_outer",
        "json_tuple",
        "posexplode",
        "posexplode_outer",
        "stack",
    }
)
_OF_COLLECTIONS = frozenset({"explode", "inline", "posexplode"})
_PARTITIONING = frozenset({"repartition", "repartition_by_range"})
_TEXT = "__bh_text"
_PARSERS = {"PARSE_FORMAT_JSON": "from_json", "PARSE_FORMAT_CSV": "from_csv", "PARSE_FORMAT_XML": "from_xml"}
"""Formats of the texts of a frame -> the function that reads one."""
_DRAWN, _DRAWS = "__bh_drawn", 1_000_000_007
_KEY, _START, _END, _BEGINS, _NUMBER, _SESSION = (
    f"__bh_session_{one}" for one in ("key", "start", "end", "begins", "number", "window")
)


def put_plan(relation: Any) -> bool:
    """Make of a relation one that the engine has, in place; whether it was another.

    Args:
        relation: Its columns keep the number by which the client refers to them.

    Raises:
        QueryRefused: If it takes or leaves fewer than no rows.
        StatementRefused: If the gap of a session window is not written out.
    """
    kind = relation.WhichOneof("rel_type")
    put = _PUT.get(kind)
    return put is not None and put(relation)


def look_at_checkpoint(visit: Any, command: Any) -> None:
    """Rows that are kept are computed at once, wherever they are to lie: the engine keeps them in its own folder."""
    if visit.session.capabilities.reads_all_forms or (command.eager and not command.HasField("storage_level")):
        return
    command.eager = True
    command.ClearField("storage_level")
    visit.changed = True


def _parsed(relation: Any) -> bool:
    """Texts of a frame that are read as records of a format: with a schema, as the function does it that reads one text."""
    asked = relation.parse
    name = _PARSERS.get(proto().Parse.ParseFormat.Name(asked.format))
    if name is None:
        return False
    schema = from_message(asked.schema) if asked.HasField("schema") else None
    if not isinstance(schema, Struct):
        kind = name.removeprefix("from_")
        message = f"Give the schema of a DataFrame's texts: spark.read.schema('a INT, b STRING').{kind}(df). It is inferred of files only."
        raise StatementRefused(message)
    text, options = proto().Expression(), proto().Expression()
    text.unresolved_attribute.unparsed_identifier = _TEXT
    arguments = [text, text_literal(sql(schema))]
    if asked.options:
        options.CopyFrom(function_call("map", *(text_literal(one) for pair in asked.options.items() for one in pair)))
        arguments.append(options)
    made, rows = proto().Project(), proto().Relation()
    rows.project.input.to_df.input.CopyFrom(asked.input)
    rows.project.input.to_df.column_names.append(_TEXT)
    record = rows.project.expressions.add().alias
    record.expr.CopyFrom(function_call(name, *arguments))
    record.name.append(_TEXT)
    made.input.CopyFrom(rows)
    made.expressions.add().unresolved_star.unparsed_target = f"{_TEXT}.*"
    relation.project.CopyFrom(made)
    return True


def _counted(relation: Any) -> bool:
    kind = relation.WhichOneof("rel_type")
    count = getattr(relation, kind).offset if kind == "offset" else getattr(relation, kind).limit
    if count < 0:
        message = (
            f'The limit like expression "{count}" is invalid. The {kind} expression must be equal to or greater than 0, but got '
            f"{count}."
        )
        raise QueryRefused("INVALID_LIMIT_LIKE_EXPRESSION.IS_NEGATIVE", "42K0E", message)
    return False


def _created(relation: Any) -> bool:
    """What the client has of a table that it has made is that table; making it is a statement of its own, done before."""
    asked = relation.catalog
    kind = asked.WhichOneof("cat_type")
    if kind not in {"create_table", "create_external_table"}:
        return False
    relation.read.named_table.unparsed_identifier = getattr(asked, kind).table_name
    return True


def _formatted(relation: Any) -> bool:
    """A read that names no format is one of Delta, as on Databricks."""
    read = relation.read
    if read.WhichOneof("read_type") != "data_source" or read.data_source.format:
        return False
    read.data_source.format = "delta"
    return True


def _lateral(relation: Any) -> bool:
    """A lateral join without a condition is one whose condition always holds; with a table function it is a column that makes rows."""
    join = relation.lateral_join
    modes = proto().Join
    call = join.right.unresolved_table_valued_function
    name = call.function_name.lower()
    if name in _GENERATORS and not join.HasField("join_condition"):
        keeps = join.join_type == modes.JOIN_TYPE_LEFT_OUTER and name in _OF_COLLECTIONS
        made = proto().Project()
        made.input.CopyFrom(join.left)
        made.expressions.add().unresolved_star.SetInParent()
        made.expressions.add().CopyFrom(_call(f"{name}_outer" if keeps else name, [_inner(one) for one in call.arguments]))
        relation.project.CopyFrom(made)
        return True
    if join.HasField("join_condition") or join.join_type in {
        modes.JOIN_TYPE_INNER,
        modes.JOIN_TYPE_CROSS,
        modes.JOIN_TYPE_UNSPECIFIED,
    }:
        return False
    join.join_condition.literal.boolean = True
    return True


def _generated(relation: Any) -> bool:
    """A table function that makes rows of its arguments is a column of one row."""
    call = relation.unresolved_table_valued_function
    name = call.function_name.lower()
    if name not in _GENERATORS:
        return False
    made = proto().Project()
    made.input.range.start, made.input.range.end, made.input.range.step = 0, 1, 1
    made.expressions.add().CopyFrom(_call(name, call.arguments))
    relation.project.CopyFrom(made)
    return True


def _call(name: str, arguments: Sequence[Any]) -> Any:
    """A function that makes rows, whose columns have the names that it gives as a table function."""
    call = function_call(name, *arguments)
    if name != "json_tuple":
        return call
    made = proto().Expression()
    made.alias.expr.CopyFrom(call)
    made.alias.name.extend(f"c{number}" for number in range(len(arguments) - 1))
    return made


def _inner(expression: Any) -> Any:
    """An expression whose columns of a relation around it are those of the one below it."""
    made = proto().Expression()
    made.CopyFrom(expression)
    for one in list(walk(made)):
        if one.DESCRIPTOR.full_name == "spark.connect.Expression" and one.WhichOneof("expr_type") == "lazy_expression":
            child = proto().Expression()
            child.CopyFrom(one.lazy_expression.child)
            one.CopyFrom(child)
    return made


def _hinted(relation: Any) -> bool:
    """A hint that names columns to partition by."""
    hint = relation.hint
    given = list(hint.parameters)
    columns = [one for one in given if _column(one) is not None]
    if hint.name.lower() not in _PARTITIONING or not columns:
        return False
    counts = [one.literal.integer for one in given if one.WhichOneof("expr_type") == "literal" and _column(one) is None]
    made = proto().RepartitionByExpression()
    made.input.CopyFrom(hint.input)
    if counts:
        made.num_partitions = counts[0]
    for one in columns:
        made.partition_exprs.add().CopyFrom(_column(one))
    relation.repartition_by_expression.CopyFrom(made)
    return True


def _column(parameter: Any) -> Any | None:
    """The column that a hint's parameter names; None of a number."""
    if parameter.WhichOneof("expr_type") != "literal":
        return parameter
    if parameter.literal.WhichOneof("literal_type") != "string":
        return None
    made = proto().Expression()
    made.unresolved_attribute.unparsed_identifier = parameter.literal.string
    return made


def _sampled(relation: Any) -> bool:
    """Rows that are drawn with a seed: the engine would draw those at the same places of every batch of rows, which are no sample of all."""
    asked = relation.sample
    lower, upper = asked.lower_bound, asked.upper_bound
    if asked.with_replacement or asked.deterministic_order or not asked.HasField("seed") or not 0 <= lower <= upper <= 1:
        return False
    drawn = f"pmod(xxhash64(monotonically_increasing_id(), CAST({asked.seed} AS BIGINT)), {_DRAWS}) / {_DRAWS}.0D"
    rows = proto().Relation()
    rows.filter.input.CopyFrom(_with(asked.input, {_DRAWN: _text(drawn)}))
    rows.filter.condition.CopyFrom(_text(f"{_DRAWN} >= {lower!r}D AND {_DRAWN} < {upper!r}D"))
    relation.drop.input.CopyFrom(rows)
    relation.drop.column_names.append(_DRAWN)
    return True


def _sessions(relation: Any) -> bool:
    """Have the rows of session windows numbered, and grouped by the windows that they are in."""
    aggregate = relation.aggregate
    keys = list(aggregate.grouping_expressions)
    at = next((number for number, one in enumerate(keys) if _is_session(one)), None)
    if at is None:
        return False
    try:
        found = session_of(keys[at])
    except NotOnThisEngine:
        message = "The gap of session_window has to be written out here, as '5 minutes': one that is computed needs Apache Spark as the engine."
        raise StatementRefused(message) from None
    if found is None or aggregate.group_type != proto().Aggregate.GROUP_TYPE_GROUPBY:
        message = "session_window stands in groupBy only: of rollup, cube and grouping sets, group by it first."
        raise StatementRefused(message)
    time, gap_ms = found
    others = {f"{_KEY}{number}": unaliased(one)[0] for number, one in enumerate(keys) if number != at}
    seconds, rest = divmod(gap_ms, 1000)
    within = f"PARTITION BY {', '.join(others)}" if others else ""
    order = f"{within} ORDER BY {_START} ROWS BETWEEN UNBOUNDED PRECEDING AND"
    numbered = f"PARTITION BY {', '.join([*others, _NUMBER])}"
    rows = _with(aggregate.input, {_START: time, **others})
    there = proto().Relation()
    there.filter.input.CopyFrom(rows)
    there.filter.condition.CopyFrom(_text(f"{_START} IS NOT NULL"))
    rows = _with(there, {_END: _text(f"{_START} + INTERVAL '{seconds}.{rest:03}' SECOND")})
    rows = _with(rows, {_BEGINS: _text(f"CASE WHEN {_START} <= max({_END}) OVER ({order} 1 PRECEDING) THEN 0 ELSE 1 END")})
    rows = _with(rows, {_NUMBER: _text(f"sum({_BEGINS}) OVER ({order} CURRENT ROW)")})
    bounds = f"'start', min({_START}) OVER ({numbered}), 'end', max({_END}) OVER ({numbered})"
    rows = _with(rows, {_SESSION: _text(f"named_struct({bounds})")})
    aggregate.input.CopyFrom(rows)
    key = aggregate.grouping_expressions[at]
    names = list(key.alias.name) if key.WhichOneof("expr_type") == "alias" else [SESSION_WINDOW]
    key.Clear()
    key.alias.name.extend(names)
    key.alias.expr.unresolved_attribute.unparsed_identifier = _SESSION
    return True


def _is_session(expression: Any) -> bool:
    inner = unaliased(expression)[0]
    return (
        inner.WhichOneof("expr_type") == "unresolved_function"
        and inner.unresolved_function.function_name.lower() == SESSION_WINDOW
    )


def _with(rows: Any, columns: Mapping[str, Any]) -> Any:
    made = proto().Relation()
    made.with_columns.input.CopyFrom(rows)
    for name, expression in columns.items():
        alias = made.with_columns.aliases.add()
        alias.name.append(name)
        alias.expr.CopyFrom(expression)
    return made


def _text(sql: str) -> Any:
    made = proto().Expression()
    made.expression_string.expression = sql
    return made


_PUT: Mapping[str | None, Callable[[Any], bool]] = {
    "aggregate": _sessions,
    "catalog": _created,
    "hint": _hinted,
    "lateral_join": _lateral,
    "limit": _counted,
    "offset": _counted,
    "parse": _parsed,
    "read": _formatted,
    "sample": _sampled,
    "tail": _counted,
    "unresolved_table_valued_function": _generated,
}
