"""Values of a DataFrame that are missing: ``fillna``, ``dropna`` and NaN that is replaced."""

import math
from typing import Any

from boathouse.engine.errors import QueryRefused
from boathouse.engine.gateway.messages.protocol import function_call, proto
from boathouse.engine.gateway.messages.spark_types import Atomic, Struct
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.sql.tokens import parts_of, quote


def put_names(session: EngineSession, asked: Any) -> bool:
    """Call the columns that something is done to as the frame calls them, in place; whether it changed. The engine passes over others.

    Args:
        session: Of the request.
        asked: What is done, whose names are governed: it has ``input`` and ``cols``.

    Raises:
        QueryRefused: If a column is not there.
    """
    struct = session.struct(asked.input) if asked.cols else None
    if struct is None:
        return False
    before = list(asked.cols)
    for place, name in enumerate(before):
        parts = parts_of(name)
        found = struct.find(name) or (struct.find(parts[0]) if len(parts) == 1 else None)
        if found is None:
            raise unresolved(name, struct)
        asked.cols[place] = found.name
    return list(asked.cols) != before


def unresolved(name: str, given: Struct) -> QueryRefused:
    """What Spark says of a column that a frame does not have."""
    listed = ", ".join(quote([one]) for one in given.names)
    message = f"A column, variable, or function parameter with name {quote([name])} cannot be resolved. Did you mean one of the following? [{listed}]."
    return QueryRefused("UNRESOLVED_COLUMN.WITH_SUGGESTION", "42703", message)


def put_replaced_nan(session: EngineSession, relation: Any) -> bool:
    """Have NaN replaced in columns of floating-point numbers: the engine would compare whole numbers with it, too."""
    given = relation.replace
    news = [one.new_value for one in given.replacements if math.isnan(getattr(one.old_value, "double", 0.0))]
    struct = session.struct(given.input) if news else None
    if struct is None:
        return False
    others = [one for one in given.replacements if not math.isnan(getattr(one.old_value, "double", 0.0))]
    wanted = {name.lower() for name in given.cols}
    made = proto().WithColumns()
    if others:
        inner = made.input.replace
        inner.input.CopyFrom(given.input)
        inner.cols.extend(given.cols)
        inner.replacements.extend(others)
    else:
        made.input.CopyFrom(given.input)
    for one in struct.fields:
        if (wanted and one.name.lower() not in wanted) or not (isinstance(one.type, Atomic) and one.type.is_floating):
            continue
        column, new = proto().Expression(), proto().Expression()
        column.unresolved_attribute.unparsed_identifier = quote([one.name])
        new.cast.expr.literal.CopyFrom(news[0])
        new.cast.type_str = one.type.name
        alias = made.aliases.add()
        alias.name.append(one.name)
        alias.expr.CopyFrom(function_call("if", function_call("isnan", column), new, column))
    if made.aliases:
        relation.with_columns.CopyFrom(made)
    else:
        left = proto().Relation()
        left.CopyFrom(made.input)
        relation.CopyFrom(left)
    return True
