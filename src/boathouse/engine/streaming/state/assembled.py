"""The operators with a memory of a plan, made one after the other: each has to know the columns that those below hand on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from boathouse.engine.gateway.messages.protocol import local_relation, proto
from boathouse.engine.gateway.messages.spark_types import from_message
from boathouse.engine.gateway.messages.walk import inputs
from boathouse.engine.streaming.state.aggregate import Aggregate
from boathouse.engine.streaming.state.deduplicate import Deduplicate
from boathouse.engine.streaming.state.event_time import Times, event_times
from boathouse.engine.streaming.state.join import Join
from boathouse.engine.streaming.state.names import rename
from boathouse.engine.streaming.state.operator import Operator
from boathouse.engine.streaming.state.sessions import without_sessions
from boathouse.engine.streaming.state.shape import (
    Watermark,
    output_id,
    remembering,
    require_one_watermark,
    require_time,
    watermark_of,
    watermarks,
)

Schemas: TypeAlias = Callable[[Any, Mapping[str, Any]], Any]
"""Gives the schema of a relation, as a message, where some relations stand for its references."""


@dataclass(frozen=True)
class Assembled:
    """A plan taken apart.

    Attributes:
        plan: With references in the operators' places.
        operators: The innermost first, and how far behind the watermark the rows can be that each gets, in ms.
        marks: Its watermarks.
    """

    plan: Any
    operators: list[tuple[Operator, int]]
    marks: list[Watermark]


def assembled(plan: Any, mode: str, nothing: Mapping[str, Any], schema: Schemas) -> Assembled:
    """Make the operators of a numbered plan.

    Args:
        plan: The plan.
        mode: The output mode of its query.
        nothing: What stands for the plan's streams, without rows.
        schema: Asks the engine.

    Raises:
        NotOnThisEngine: If there is no such operator here.
        StreamRefused: If one cannot be part of such a query.
    """
    copy = proto().Relation()
    copy.CopyFrom(plan)
    made, marks = list[tuple[Operator, int]](), list[Watermark]()
    known, times, lags = dict(nothing), dict[str, Times](), dict[str, int]()

    def mark(relation: Any) -> Watermark:
        """The watermark that a relation sets on one of its columns, which has to be a time."""
        found = watermark_of(relation)
        require_time(found.column, from_message(schema(found.rows, known)))
        return found

    nodes = remembering(copy)
    for index, relation in enumerate(nodes):
        node = proto().Relation()
        node.CopyFrom(relation)
        below = inputs(node)
        lag = max((lags.get(one, 0) for one in _references(node)), default=0)
        operator = _operator(node, below, mode if index == len(nodes) - 1 else "append", times, lambda one: schema(one, known))
        reference = output_id(index)
        relation.cached_remote_relation.relation_id = reference
        rename(copy, operator.scopes)
        known[reference] = local_relation(operator.schema.empty_table())
        times[reference], lags[reference] = operator.times, lag + operator.lag_ms
        marks += [mark(one) for one in watermarks(node)]
        made.append((operator, lag))
    marks += [mark(one) for one in watermarks(copy)]
    return Assembled(copy, made, marks)


def _operator(node: Any, below: list[Any], mode: str, times: Mapping[str, Times], schema: Callable[[Any], Any]) -> Operator:
    match node.WhichOneof("rel_type"):
        case "aggregate":
            typed = proto().Relation()
            typed.CopyFrom(node)
            without_sessions(typed.aggregate)
            return Aggregate(node, schema(typed), event_times(below[0], times), mode)
        case "deduplicate":
            watermark = require_one_watermark(node) if node.deduplicate.within_watermark else None
            return Deduplicate(node, schema(node), event_times(below[0], times), watermark, mode)
        case _:
            sides = node.join.left, node.join.right
            left, right = (event_times(one, times) for one in sides)
            return Join(node, (schema(sides[0]), schema(sides[1])), (left, right))


def _references(node: Any) -> list[str]:
    """The references in a relation."""
    if node.WhichOneof("rel_type") == "cached_remote_relation":
        return [node.cached_remote_relation.relation_id]
    return [found for one in inputs(node) for found in _references(one)]
