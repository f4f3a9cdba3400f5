"""What the filters of a DataFrame say of every row of the table below them, to read that with: as ``pruning`` finds it in SQL."""

import datetime as dt
from typing import Any

from boathouse.engine.gateway.names.pruning import MOST_VALUES, OPERATORS, Comparison, comparisons_in
from boathouse.engine.gateway.sql.tokens import literal, parts_of

_EPOCH = dt.date(1970, 1, 1)
_INTEGERS = frozenset({"byte", "short", "integer", "long"})
_THROUGH = frozenset({"subquery_alias", "sort"})
"""Relations whose rows are those below them, so that a filter above them may as well stand below."""
_WHOLE = frozenset(f"spark.connect.{name}" for name in ("Filter", "SubqueryAlias", "Sort", "Project"))


def said_below(message: Any, said: tuple[Comparison, ...]) -> tuple[Comparison, ...]:
    """What holds for the rows that count of what lies inside of a message, if some comparisons do for those that it gives."""
    name = message.DESCRIPTOR.full_name
    if name != "spark.connect.Relation":
        return said if name in _WHOLE else ()
    kind = message.WhichOneof("rel_type")
    if kind == "filter":
        return (*said, *_comparisons(message.filter.condition))
    if kind == "project" and said:
        return _projected(message.project, said)
    return said if kind in _THROUGH else ()


def _projected(project: Any, said: tuple[Comparison, ...]) -> tuple[Comparison, ...]:
    """Those that speak of columns which are chosen as they are."""
    if not all(one.WhichOneof("expr_type") in {"unresolved_attribute", "unresolved_star"} for one in project.expressions):
        return ()
    if any(one.HasField("unresolved_star") for one in project.expressions):
        return said
    chosen = {name for one in project.expressions if (name := _column(one)) is not None}
    return tuple(one for one in said if one.column.lower() in chosen)


def _comparisons(condition: Any) -> list[Comparison]:
    """The comparisons of columns with literals that are joined by AND in a condition."""
    found: list[Comparison] = []
    stack = [condition]
    while stack:
        one = stack.pop()
        match one.WhichOneof("expr_type"):
            case "expression_string":
                found += comparisons_in(one.expression_string.expression)
            case "unresolved_function" if one.unresolved_function.function_name.lower() == "and":
                stack.extend(one.unresolved_function.arguments)
            case "unresolved_function":
                comparison = _comparison(one.unresolved_function)
                found += [] if comparison is None else [comparison]
            case _:
                pass
    return found


def _comparison(function: Any) -> Comparison | None:
    arguments = list(function.arguments)
    column = _column(arguments[0]) if len(arguments) > 1 else None
    values = [_value(one) for one in arguments[1:]]
    if column is None or None in values or len(values) > MOST_VALUES:
        return None
    kinds, texts = {value[0] for value in values if value}, [value[1] for value in values if value]
    operator = function.function_name.lower()
    if operator in OPERATORS and len(values) == 1:
        return Comparison(column, kinds.pop(), f"{operator} {texts[0]}")
    if operator == "in" and len(kinds) == 1:
        return Comparison(column, kinds.pop(), f"IN ({', '.join(texts)})")
    return None


def _column(expression: Any) -> str | None:
    """The name of a column as it stands, in lower case; None for anything else, a field of a column among it."""
    if expression.WhichOneof("expr_type") != "unresolved_attribute":
        return None
    parts = parts_of(expression.unresolved_attribute.unparsed_identifier)
    return parts[0].lower() if len(parts) == 1 else None


def _value(expression: Any) -> tuple[str, str] | None:
    """The kind of a literal, and the literal as SQL text; None for anything else."""
    if expression.WhichOneof("expr_type") != "literal":
        return None
    kind = expression.literal.WhichOneof("literal_type")
    if kind in _INTEGERS:
        return "integer", str(getattr(expression.literal, kind))
    if kind == "string" and not set(expression.literal.string) & set("'\\"):
        return "string", literal(expression.literal.string)
    if kind == "date" and 0 <= expression.literal.date < 1_000_000:
        return "date", f"DATE '{(_EPOCH + dt.timedelta(days=expression.literal.date)).isoformat()}'"
    return None
