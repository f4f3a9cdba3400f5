"""Which columns of a relation are event times with a watermark, followed through the relations that rename or window them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.messages.walk import inputs
from boathouse.engine.gateway.sql.tokens import parts_of, quote, read_name, tokenize


@dataclass(frozen=True)
class EventTime:
    """A column with a watermark.

    Attributes:
        name: Of the column.
        is_window: Whether it is a window of such a time; its end tells how old a row is.
    """

    name: str
    is_window: bool = False

    def of(self, column: str) -> str:
        """The time as SQL, where the column has another name."""
        return f"{quote([column])}.end" if self.is_window else quote([column])


Times = Mapping[str, EventTime]
"""By their names in lower case."""


def event_times(relation: Any, known: Mapping[str, Times]) -> dict[str, EventTime]:
    """The columns of a relation that are event times.

    Args:
        relation: Of a numbered plan.
        known: Those of the references in it.
    """
    kind = relation.WhichOneof("rel_type")
    if kind == "cached_remote_relation":
        return dict(known.get(relation.cached_remote_relation.relation_id, {}))
    below: dict[str, EventTime] = {}
    for one in reversed(inputs(relation)):
        below.update(event_times(one, known))
    match kind:
        case "with_watermark":
            name = parts_of(relation.with_watermark.event_time)[-1]
            window = below.get(name.lower())
            below[name.lower()] = EventTime(name, is_window=window is not None and window.is_window)
        case "project":
            return _projected(relation.project.expressions, below)
        case "with_columns":
            made = _projected([_holding(alias) for alias in relation.with_columns.aliases], below)
            replaced = {alias.name[0].lower() for alias in relation.with_columns.aliases}
            return {key: time for key, time in below.items() if key not in replaced} | made
        case "with_columns_renamed":
            _rename(relation.with_columns_renamed, below)
        case "drop":
            named = [one.unresolved_attribute.unparsed_identifier for one in relation.drop.columns]
            for name in [*relation.drop.column_names, *(parts_of(one)[-1] for one in named if one)]:
                below.pop(name.lower(), None)
        case _:
            pass
    return below


def _rename(given: Any, below: dict[str, EventTime]) -> None:
    pairs = [(one.col_name, one.new_col_name) for one in given.renames]
    for old, new in [*pairs, *given.rename_columns_map.items()]:
        time = below.pop(old.lower(), None)
        if time is not None:
            below[new.lower()] = EventTime(new, time.is_window)


def _holding(alias: Any) -> Any:
    """An alias as an expression."""
    expression = proto().Expression()
    expression.alias.CopyFrom(alias)
    return expression


def _projected(expressions: Any, below: Times) -> dict[str, EventTime]:
    found: dict[str, EventTime] = {}
    for expression in expressions:
        inner, name = unaliased(expression)
        kind = inner.WhichOneof("expr_type")
        if kind == "unresolved_star":
            found.update(below)
            continue
        if kind == "expression_string" and inner.expression_string.expression.strip() == "*":
            found.update(below)
            continue
        time = time_of(inner, below)
        if time is not None:
            name = name or time.name
            found[name.lower()] = EventTime(name, time.is_window)
    return found


def unaliased(expression: Any) -> tuple[Any, str | None]:
    """An expression without its alias, and that."""
    if expression.WhichOneof("expr_type") == "alias":
        return expression.alias.expr, expression.alias.name[0]
    return expression, None


def time_of(expression: Any, below: Times) -> EventTime | None:
    """What event time an expression is, under the name that it has without an alias."""
    match expression.WhichOneof("expr_type"):
        case "unresolved_attribute":
            return _named(parts_of(expression.unresolved_attribute.unparsed_identifier), below)
        case "expression_string":
            tokens = tokenize(expression.expression_string.expression)
            parts, end = read_name(tokens, 0)
            if end == len(tokens):
                return _named(tuple(parts), below)
            alias, after = read_name(tokens, end + 1) if tokens[end].is_word("AS") else ([], 0)
            time = _named(tuple(parts), below)
            return (
                EventTime(alias[0], time.is_window) if time is not None and len(alias) == 1 and after == len(tokens) else None
            )
        case "unresolved_function":
            call = expression.unresolved_function
            name = call.function_name.lower()
            time = time_of(call.arguments[0], below) if call.arguments else None
            if time is None:
                return None
            if name in {"window", "session_window"}:
                return EventTime(name, is_window=True)
            return EventTime("window_time") if name == "window_time" and time.is_window else None
        case _:
            return None


def _named(parts: tuple[str, ...], below: Times) -> EventTime | None:
    for index, part in enumerate(parts):
        time = below.get(part.lower())
        rest = parts[index + 1 :]
        if time is not None and not rest:
            return EventTime(part, time.is_window)
        if time is not None and time.is_window and len(rest) == 1 and rest[0].lower() == "end":
            return EventTime("end")
    return None
