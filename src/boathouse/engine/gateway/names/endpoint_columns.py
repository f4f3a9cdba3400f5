"""Where ``ai_query`` stands in a DataFrame: whether in an aggregation, and in which column that has no name yet.

The engine would name such a column after the function that stands in the place of the call, whose name says nothing and changes.
"""

from collections.abc import Callable
from typing import Any

from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.sql.relations import find_uses
from boathouse.engine.gateway.sql.select_items import unnamed
from boathouse.engine.gateway.sql.tokens import parts_of, tokenize
from boathouse.engine.streaming.operators import AGGREGATES

_SIGNS = frozenset({"+", "-", "*", "/", "%", "=", "<", "<=", ">", ">=", "<=>"})
_COLUMNS = {
    "spark.connect.Project": ("expressions",),
    "spark.connect.Aggregate": ("grouping_expressions", "aggregate_expressions"),
}


def aggregates(message: Any, name: str, *, inside: bool) -> bool:
    """Whether what lies inside of a message stands in an aggregation.

    Args:
        message: Of a plan.
        name: Of its kind.
        inside: Whether the message does.
    """
    match name:
        case "spark.connect.Relation":
            return False
        case "spark.connect.Aggregate":
            return True
        case "spark.connect.Expression.UnresolvedFunction":
            return inside or message.function_name.lower() in AGGREGATES
        case _:
            return inside


def name_columns(message: Any, name: str, asks: Callable[[str], bool]) -> bool:
    """Give the columns of a relation that ask endpoints the names that they have as they are written; whether there were any.

    Args:
        message: The relation's own message; is changed in place.
        name: Of its kind.
        asks: Whether a function of a name asks an endpoint.
    """
    changed = False
    for field in _COLUMNS.get(name, ()):
        for expression in getattr(message, field):
            if expression.WhichOneof("expr_type") == "alias" or not _asks(expression, asks):
                continue
            written = _written(expression)
            if written is not None:
                alias = proto().Expression()
                alias.alias.expr.CopyFrom(expression)
                alias.alias.name.append(written)
                expression.CopyFrom(alias)
                changed = True
    return changed


def _asks(expression: Any, asks: Callable[[str], bool]) -> bool:
    kind = expression.WhichOneof("expr_type")
    if kind == "expression_string":
        text = expression.expression_string.expression
        called = find_uses(tokenize(text), text, fragment=True).calls if "(" in text else ()
        return any(len(call.name) == 1 and asks(call.name[0]) for call in called)
    return kind == "unresolved_function" and any(_asks(one, asks) for one in expression.unresolved_function.arguments)


def _written(expression: Any) -> str | None:
    """An expression in Spark's words; None where it has no name of its own, or has a name already."""
    match expression.WhichOneof("expr_type"):
        case "expression_string":
            text = expression.expression_string.expression
            tokens = tokenize(text)
            whole = unnamed(tokens, 0)
            if whole is None or whole[1] < tokens[-1].end:
                return None
            return " ".join(text[whole[0] : whole[1]].split())
        case "unresolved_attribute":
            return parts_of(expression.unresolved_attribute.unparsed_identifier)[-1]
        case "literal":
            kind = expression.literal.WhichOneof("literal_type")
            return str(getattr(expression.literal, kind)) if kind in {"integer", "long", "double", "string"} else None
        case "unresolved_function":
            function = expression.unresolved_function
            arguments = [_written(one) for one in function.arguments]
            texts = [one for one in arguments if one is not None]
            if len(texts) < len(arguments):
                return None
            if function.function_name in _SIGNS and len(texts) == 2:
                return f"({texts[0]} {function.function_name} {texts[1]})"
            return f"{function.function_name}({'DISTINCT ' if function.is_distinct else ''}{', '.join(texts)})"
        case _:
            return None
