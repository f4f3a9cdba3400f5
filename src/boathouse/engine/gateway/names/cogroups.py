"""Groups of two frames, as groups of one with the rows of both: the embedded engine's own way takes no rows with NULL."""

from collections.abc import Sequence
from typing import Any

from boathouse.engine.cogroups import KEY, LEFT, RIGHT, Cogrouped
from boathouse.engine.gateway.messages.protocol import function_call, proto
from boathouse.engine.gateway.messages.spark_types import Struct, sql
from boathouse.engine.gateway.session import EngineSession

_KINDS = {206: True, 210: False}
"""Spark's numbers of the kinds of functions over the groups of two frames -> whether they take frames of pandas."""
_GROUPED = 209
"""That of a function that takes and gives a table of Arrow for each group."""


def put_cogroups(session: EngineSession, relation: Any) -> bool:
    """Have the rows of both frames below each other, and grouped together, in place; whether it was done.

    Args:
        session: Of the request.
        relation: The groups of two frames, whose names are governed.
    """
    asked = relation.co_group_map
    kind = asked.func.python_udf.eval_type
    left, right = session.struct(asked.input), session.struct(asked.other)
    is_sorted = bool(asked.input_sorting_expressions or asked.other_sorting_expressions)
    if kind not in _KINDS or is_sorted or left is None or right is None:
        return False
    rows = proto().Relation()
    both = rows.set_op
    both.left_input.CopyFrom(_side(asked.input, asked.input_grouping_expressions, [_whole(left, LEFT), _nothing(right, RIGHT)]))
    both.right_input.CopyFrom(
        _side(asked.other, asked.other_grouping_expressions, [_nothing(left, LEFT), _whole(right, RIGHT)])
    )
    both.set_op_type = proto().SetOperation.SET_OP_TYPE_UNION
    both.is_all = True
    keys = [f"{KEY}{number}" for number in range(len(asked.input_grouping_expressions))]
    made = proto().GroupMap()
    made.input.CopyFrom(rows)
    made.grouping_expressions.extend(_attribute(name) for name in keys)
    made.func.CopyFrom(asked.func)
    del made.func.arguments[:]
    made.func.arguments.extend(_attribute(name) for name in (*keys, LEFT, RIGHT))
    zone = session.setting("spark.sql.session.timeZone") or "UTC"
    function = Cogrouped(asked.func.python_udf.command, len(keys), is_pandas=_KINDS[kind], time_zone=zone)
    made.func.python_udf.command = function.pickled()
    made.func.python_udf.eval_type = _GROUPED
    relation.group_map.CopyFrom(made)
    return True


def _side(rows: Any, keys: Sequence[Any], sides: Sequence[Any]) -> Any:
    """The keys of one frame's rows, with these in one column and an empty one for the other's."""
    made = proto().Relation()
    made.project.input.CopyFrom(rows)
    for number, key in enumerate(keys):
        alias = made.project.expressions.add().alias
        alias.expr.CopyFrom(key.alias.expr if key.WhichOneof("expr_type") == "alias" else key)
        alias.name.append(f"{KEY}{number}")
    made.project.expressions.extend(sides)
    return made


def _whole(struct: Struct, name: str) -> Any:
    # Fields that are never NULL would be others than those of the empty column.
    star, made = proto().Expression(), proto().Expression()
    star.unresolved_star.SetInParent()
    made.alias.expr.cast.expr.CopyFrom(function_call("struct", star))
    made.alias.expr.cast.type_str = sql(struct)
    made.alias.name.append(name)
    return made


def _nothing(struct: Struct, name: str) -> Any:
    made = proto().Expression()
    made.alias.expr.cast.expr.literal.null.SetInParent()
    made.alias.expr.cast.type_str = sql(struct)
    made.alias.name.append(name)
    return made


def _attribute(name: str) -> Any:
    made = proto().Expression()
    made.unresolved_attribute.unparsed_identifier = name
    return made
