"""Maps that a DataFrame takes apart: ``explode`` of one ends the embedded engine's answer, so it becomes ``inline`` of the entries."""

import re
from collections.abc import Iterator
from typing import Any

from boathouse.engine.gateway.forms.map_entries import has_positions, of_entries, without_maps
from boathouse.engine.gateway.messages.protocol import function_call, proto, text_literal
from boathouse.engine.gateway.messages.spark_types import DataType, Map
from boathouse.engine.gateway.messages.walk import in_lists, may_have
from boathouse.engine.gateway.session import EngineSession

_MAY_HAVE = re.compile(rb"explode", re.IGNORECASE)
_NAMES = frozenset({"explode", "explode_outer", "posexplode", "posexplode_outer"})


def put_entries(session: EngineSession, root: Any) -> bool:
    """Have the plan's calls take apart the entries of maps, in place; whether there were any."""
    if not may_have(root, _MAY_HAVE):
        return False
    changed = False
    for below, message in list(_calls(root)):
        if message.DESCRIPTOR.name == "ExpressionString":
            text = without_maps(message.expression, lambda one, below=below: _type_of_text(session, below, one))
            changed |= text != message.expression
            message.expression = text
        elif isinstance(session.type_of(message.arguments[0], below), Map):
            entries = function_call("map_entries", message.arguments[0])
            if has_positions(message.function_name):
                entries = function_call("transform", entries, _with_position())
            message.function_name = of_entries(message.function_name)
            message.arguments[0].CopyFrom(entries)
            changed = True
    return changed


def _with_position() -> Any:
    """``(entry, number) -> named_struct('pos', number, 'key', entry.key, 'value', entry.value)``."""
    made = proto().Expression()
    entry, number = (made.lambda_function.arguments.add() for _ in range(2))
    entry.name_parts.append("entry")
    number.name_parts.append("number")
    position = proto().Expression()
    position.unresolved_named_lambda_variable.CopyFrom(number)
    parts = [text_literal("pos"), position]
    for key in ("key", "value"):
        part = proto().Expression()
        part.unresolved_extract_value.child.unresolved_named_lambda_variable.CopyFrom(entry)
        part.unresolved_extract_value.extraction.CopyFrom(text_literal(key))
        parts += [text_literal(key), part]
    made.lambda_function.function.CopyFrom(function_call("named_struct", *parts))
    return made


def _calls(root: Any) -> Iterator[tuple[Any, Any]]:
    """Calls, and texts that may have some, with the relation whose columns they speak of."""
    for below, message in in_lists(root):
        name = message.DESCRIPTOR.name
        if name == "UnresolvedFunction" and message.function_name.lower() in _NAMES:
            if len(message.arguments) == 1:
                yield below, message
        elif name == "ExpressionString" and "explode" in message.expression.lower():
            yield below, message


def _type_of_text(session: EngineSession, below: Any, text: str) -> DataType | None:
    expression = proto().Expression()
    expression.expression_string.expression = text
    return session.type_of(expression, below)
