"""Maps that a DataFrame takes apart: ``explode`` of one ends the embedded engine's answer, so it becomes ``inline`` of the entries."""

import re
from collections.abc import Iterator
from typing import Any

from boathouse.engine.gateway.map_entries import of_entries, without_maps
from boathouse.engine.gateway.protocol import proto
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.spark_types import DataType, Map
from boathouse.engine.gateway.walk import children, may_have

_MAY_HAVE = re.compile(rb"explode", re.IGNORECASE)
_NAMES = frozenset({"explode", "explode_outer", "posexplode", "posexplode_outer"})


def put_entries(session: EngineSession, root: Any) -> bool:
    """Have the plan's calls take apart the entries of maps, in place; whether there were any.

    Raises:
        StatementRefused: If positions in a map are asked for.
    """
    if not may_have(root, _MAY_HAVE):
        return False
    changed = False
    for below, message in list(_calls(root)):
        if message.DESCRIPTOR.name == "ExpressionString":
            text = without_maps(message.expression, lambda one, below=below: _type_of_text(session, below, one))
            changed |= text != message.expression
            message.expression = text
        elif isinstance(_type(session, below, message.arguments[0]), Map):
            entries = proto().Expression()
            entries.unresolved_function.function_name = "map_entries"
            entries.unresolved_function.arguments.add().CopyFrom(message.arguments[0])
            message.function_name = of_entries(message.function_name)
            message.arguments[0].CopyFrom(entries)
            changed = True
    return changed


def _calls(root: Any) -> Iterator[tuple[Any, Any]]:
    """Calls, and texts that may have some, with the relation whose columns they speak of."""
    stack: list[tuple[Any, Any]] = [(root, None)]
    while stack:
        message, below = stack.pop()
        name = message.DESCRIPTOR.name
        if name in {"Project", "WithColumns"}:
            below = message.input
        if below is not None and name == "UnresolvedFunction" and message.function_name.lower() in _NAMES:
            if len(message.arguments) == 1:
                yield below, message
        elif below is not None and name == "ExpressionString" and "explode" in message.expression.lower():
            yield below, message
        stack += [(one, None if one.DESCRIPTOR.name == "Relation" else below) for one in children(message)]


def _type(session: EngineSession, below: Any, expression: Any) -> DataType | None:
    asked = proto().Relation()
    asked.project.input.CopyFrom(below)
    asked.project.expressions.add().CopyFrom(expression)
    found = session.struct(asked)
    return found.fields[0].type if found is not None and found.fields else None


def _type_of_text(session: EngineSession, below: Any, text: str) -> DataType | None:
    expression = proto().Expression()
    expression.expression_string.expression = text
    return _type(session, below, expression)
