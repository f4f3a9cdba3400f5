"""Functions of Spark's that only its API of pandas calls, of columns of a DataFrame: ``pandas_product`` and ``pandas_mode``."""

from collections.abc import Iterator
from typing import Any

from boathouse.engine.gateway.messages.protocol import function_call, proto
from boathouse.engine.gateway.messages.spark_types import Atomic
from boathouse.engine.gateway.messages.walk import children
from boathouse.engine.gateway.names.references import References
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.sql.tokens import quote

PRODUCT, MODE = "pandas_product", "pandas_mode"
NAMES = frozenset({PRODUCT, MODE})


def put_pandas_calls(session: EngineSession, relation: Any, numbers: Iterator[int]) -> bool:
    """Have these functions in the columns of a relation made of what the engine has, in place; whether there were any.

    Args:
        session: Of the request.
        relation: A projection or aggregation, whose names are governed.
        numbers: Numbers that are unique in the request.
    """
    kind = relation.WhichOneof("rel_type")
    below = getattr(relation, kind).input
    columns = list(relation.project.expressions if kind == "project" else relation.aggregate.aggregate_expressions)
    if kind == "project" and columns and all(_is(_unaliased(one), MODE) for one in columns):
        _modes(relation, columns, numbers)
        return True
    changed = False
    for one in columns:
        changed |= _products(session, one, below)
    return changed


def _is(expression: Any, *names: str) -> bool:
    return expression.WhichOneof("expr_type") == "unresolved_function" and expression.unresolved_function.function_name in names


def _unaliased(expression: Any) -> Any:
    return expression.alias.expr if expression.WhichOneof("expr_type") == "alias" else expression


def _products(session: EngineSession, column: Any, below: Any) -> bool:
    """Products in a column; those of whole numbers are whole numbers, and that of none is 1."""
    found: list[Any] = []
    stack = [column]
    while stack:
        message = stack.pop()
        if message.DESCRIPTOR.name == "Relation":
            continue
        if message.DESCRIPTOR.full_name == "spark.connect.Expression":
            over = message.WhichOneof("expr_type") == "window" and _is(message.window.window_function, PRODUCT)
            if over or _is(message, PRODUCT):
                found.append(message)
                continue
        stack.extend(children(message))
    for message in found:
        window = message.window if message.WhichOneof("expr_type") == "window" else None
        call = (message if window is None else window.window_function).unresolved_function
        value, skips_nulls = call.arguments[0], call.arguments[1].literal.boolean
        kind = session.type_of(value, below)
        made = _over(function_call("product", value), window)
        made = function_call("coalesce", made, _literal(double=1.0))
        if not skips_nulls:
            counts = [_over(function_call("count", one), window) for one in (value, _literal(integer=1))]
            made = function_call("if", function_call("==", *counts), made, _literal())
        if isinstance(kind, Atomic) and kind.bits is not None:
            whole = proto().Expression()
            whole.cast.expr.CopyFrom(made)
            whole.cast.type_str = "BIGINT"
            made = whole
        message.CopyFrom(made)
    return bool(found)


def _over(call: Any, window: Any | None) -> Any:
    """An aggregate over the window that another one had."""
    if window is None:
        return call
    made = proto().Expression()
    made.window.CopyFrom(window)
    made.window.window_function.CopyFrom(call)
    return made


def _literal(**value: Any) -> Any:
    made = proto().Expression()
    if value:
        for name, one in value.items():
            setattr(made.literal, name, one)
    else:
        made.literal.null.SetInParent()
    return made


def _modes(relation: Any, columns: list[Any], numbers: Iterator[int]) -> None:
    """The values that are most frequent in each column, in a list; the columns are counted each by itself."""
    given = proto().Relation()
    given.project.input.CopyFrom(relation.project.input)
    parts: list[str] = []
    references = References(numbers)
    for number, column in enumerate(columns):
        value = given.project.expressions.add().alias
        value.name.append(f"v{number}")
        value.expr.CopyFrom(_unaliased(column).unresolved_function.arguments[0])
    rows = quote([references.add("rows", given)])
    for number, column in enumerate(columns):
        name = column.alias.name[0] if column.WhichOneof("expr_type") == "alias" else MODE
        drops = _unaliased(column).unresolved_function.arguments[1].literal.boolean
        condition = f" WHERE v{number} IS NOT NULL" if drops else ""
        counted = f"SELECT v{number} AS v, count(*) AS c FROM {rows}{condition} GROUP BY v{number}"  # noqa: S608 - names of ours
        # A list leaves NULL out, which is a value here.
        listed = f"transform(collect_list(struct(v)), one -> one.v) AS {quote([name])}"
        most = f"SELECT v, c, max(c) OVER () AS m FROM ({counted})"  # noqa: S608 - see above
        parts.append(f"(SELECT {listed} FROM ({most}) WHERE c = m) AS t{number}")  # noqa: S608 - see above
    relation.ClearField("project")
    relation.sql.query = f"SELECT * FROM {' CROSS JOIN '.join(parts)}"  # noqa: S608 - see above
    references.wrap(relation)
