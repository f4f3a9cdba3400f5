"""Relations of a DataFrame that only the columns of their rows tell how to make: the last of what changes a plan."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from boathouse.engine.gateway.messages.walk import relations
from boathouse.engine.gateway.names import statistics
from boathouse.engine.gateway.names.cogroups import put_cogroups
from boathouse.engine.gateway.names.missing_values import put_names, put_replaced_nan
from boathouse.engine.gateway.names.pandas_calls import put_pandas_calls
from boathouse.engine.gateway.names.shapes import put_missing_columns, put_transposed
from boathouse.engine.gateway.paths.partitions import put_partitions
from boathouse.engine.gateway.session import EngineSession


def put_late_forms(session: EngineSession, root: Any, numbers: Iterator[int]) -> bool:
    """Have such relations of a plan made as the engine makes them, in place; whether there were any.

    Args:
        session: Of the request.
        root: The plan, whose names are governed.
        numbers: Numbers that are unique in the request.
    """
    changed = False
    for relation in reversed(relations(root)):
        put = _PUT.get(relation.WhichOneof("rel_type"))
        changed |= put is not None and put(session, relation, numbers)
    return changed


_PUT: Mapping[str | None, Callable[[EngineSession, Any, Iterator[int]], bool]] = {
    **statistics.PUT,
    "aggregate": put_pandas_calls,
    "co_group_map": lambda session, relation, _: put_cogroups(session, relation),
    "drop_na": lambda session, relation, _: put_names(session, relation.drop_na),
    "fill_na": lambda session, relation, _: put_names(session, relation.fill_na),
    "project": put_pandas_calls,
    "read": lambda _, relation, __: put_partitions(relation),
    "replace": lambda session, relation, _: put_replaced_nan(session, relation),
    "to_schema": lambda session, relation, _: put_missing_columns(session, relation),
    "transpose": put_transposed,
}
LOOKS: Mapping[str, Any] = {
    "spark.connect.Aggregate": statistics.look_at_aggregate,
    **{
        f"spark.connect.{kind}": lambda visit, _: visit.texts.look_at_late_form()
        for kind in (
            "StatApproxQuantile",
            "StatFreqItems",
            "StatCrosstab",
            "StatDescribe",
            "StatSummary",
            "NAReplace",
            "NAFill",
            "NADrop",
            "CoGroupMap",
            "Transpose",
            "ToSchema",
        )
    },
}
"""What is looked at in a plan, by the name of its message."""
