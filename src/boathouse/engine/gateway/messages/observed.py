"""``DataFrame.observe`` on an engine that does not do it: its metrics are taken out of a plan, and computed of the same rows before it.

An ``Observation`` of the client's gets them in the answer, as from an engine that computes them while the rows pass.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.types as kinds
from grpc.aio import AioRpcError

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.messages.walk import walk
from boathouse.engine.gateway.messages.wire import encoded

_RELATION = "spark.connect.Relation"
_TAG = encoded(29, b"")[:-1]
"""How the field ``collect_metrics`` of a Relation begins on the wire."""

_NO_AGGREGATE = re.compile(r'No field named "?#\d+')
"""What the embedded engine says of a column outside of all aggregates."""

Rows = Callable[[Any], Awaitable[pa.Table]]
"""Computes a relation."""


@dataclass(frozen=True)
class Observed:
    """Metrics of rows.

    Attributes:
        name: Of the observation.
        plan_id: Of the relation that is observed.
        relation: One row, with a column for each metric.
    """

    name: str
    plan_id: int
    relation: Any


def may_observe(request: bytes) -> bool:
    """Whether there may be something observed in a request; quicker than to look."""
    return _TAG in request


def take_observed(plan: Any) -> list[Observed]:
    """Take what is observed out of a plan, in place; the rows stay."""
    relations = [one for one in walk(plan) if one.DESCRIPTOR.full_name == _RELATION]
    found: list[Observed] = []
    # The innermost first: those around it read its rows alone then.
    for relation in reversed([one for one in relations if one.WhichOneof("rel_type") == "collect_metrics"]):
        asked = proto().CollectMetrics()
        asked.CopyFrom(relation.collect_metrics)
        metrics = proto().Relation()
        metrics.aggregate.input.CopyFrom(asked.input)
        metrics.aggregate.group_type = proto().Aggregate.GROUP_TYPE_GROUPBY
        metrics.aggregate.aggregate_expressions.extend(asked.metrics)
        # Without an aggregate the engine would want none of them.
        metrics.aggregate.aggregate_expressions.add().expression_string.expression = "count(1)"
        found.append(Observed(asked.name, relation.common.plan_id, metrics))
        relation.project.input.CopyFrom(asked.input)
        relation.project.expressions.add().unresolved_star.SetInParent()
    return found


async def told(request: Any, observed: Sequence[Observed], rows: Rows) -> bytes:
    """The message that tells a client of metrics.

    Args:
        request: The ExecutePlanRequest.
        observed: What is observed, all of whose names are resolved.
        rows: Computes it.

    Raises:
        StatementRefused: If a metric is a column and no aggregate of it.
        AioRpcError: If the engine cannot compute one.
    """
    response = proto().ExecutePlanResponse(
        session_id=request.session_id,
        server_side_session_id=request.session_id,
        operation_id=request.operation_id,
    )
    for one in observed:
        try:
            table = await rows(one.relation)
        except AioRpcError as error:
            if _NO_AGGREGATE.search(error.details() or "") is None:
                raise
            message = f"[INVALID_OBSERVED_METRICS] A metric of the observation {one.name} is no aggregate: give each column in one, as in max(id)."
            raise StatementRefused(message) from error
        metrics = response.observed_metrics.add(name=one.name, plan_id=one.plan_id)
        for name, column in zip(table.column_names[:-1], table.columns[:-1], strict=True):
            metrics.keys.append(name)
            _fill(metrics.values.add(), column[0])
    return response.SerializeToString()


def _fill(literal: Any, value: Any) -> None:
    """Put a value of Arrow's into a literal of Spark Connect."""
    from pyspark.sql.connect.expressions import LiteralExpression  # noqa: PLC0415 - heavy
    from pyspark.sql.connect.types import pyspark_types_to_proto_types  # noqa: PLC0415
    from pyspark.sql.pandas.types import from_arrow_type  # noqa: PLC0415

    kind: Any = from_arrow_type(value.type)
    if not value.is_valid:
        literal.null.CopyFrom(pyspark_types_to_proto_types(kind))
    elif kinds.is_struct(value.type):
        literal.struct.struct_type.CopyFrom(pyspark_types_to_proto_types(kind))
        for index in range(value.type.num_fields):
            _fill(literal.struct.elements.add(), value[index])
    elif kinds.is_map(value.type):
        literal.map.key_type.CopyFrom(pyspark_types_to_proto_types(kind.keyType))
        literal.map.value_type.CopyFrom(pyspark_types_to_proto_types(kind.valueType))
        for entry in value.values:
            _fill(literal.map.keys.add(), entry[0])
            _fill(literal.map.values.add(), entry[1])
    elif kinds.is_list(value.type) or kinds.is_large_list(value.type):
        literal.array.element_type.CopyFrom(pyspark_types_to_proto_types(kind.elementType))
        for element in value.values:
            _fill(literal.array.elements.add(), element)
    else:
        session: Any = None
        literal.CopyFrom(LiteralExpression(value.as_py(), kind).to_plan(session).literal)
