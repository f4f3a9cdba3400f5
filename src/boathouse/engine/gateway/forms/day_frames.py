"""Window frames of days: ``ORDER BY day RANGE BETWEEN INTERVAL 6 DAYS PRECEDING AND CURRENT ROW``.

The embedded engine takes what lies between dates for nothing, so that each frame has all rows before. Dates are therefore ordered
as timestamps where the frame is one of intervals, and as numbers of days where it is one of numbers.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.messages.spark_types import Atomic
from boathouse.engine.gateway.messages.walk import in_lists
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.sql.select_scopes import Schema, scopes
from boathouse.engine.gateway.sql.statements import Edit, apply
from boathouse.engine.gateway.sql.tokens import Token, is_inside, tokenize

WINDOW = "spark.connect.Expression.Window"
HAS_FRAME = re.compile(r"\brange\s+(between|interval|\d)", re.IGNORECASE)


def types_of(tables: Iterable[Sequence[Mapping[str, object]]]) -> dict[str, str]:
    """The types of the columns of tables, by their names in lower case; nothing where a name has several."""
    found: dict[str, str] = {}
    for columns in tables:
        for column in columns:
            name, kind = str(column["name"]).lower(), str(column["type_text"]).lower()
            found[name] = kind if found.get(name, kind) == kind else ""
    return found


def counts_days(window: Any) -> bool:
    """Whether the frame of a DataFrame's window may be one of numbers of days."""
    frame = window.frame_spec
    is_range = frame.frame_type == proto().Expression.Window.WindowFrame.FRAME_TYPE_RANGE
    return is_range and len(window.order_spec) == 1 and (frame.lower.HasField("value") or frame.upper.HasField("value"))


def put_days(session: EngineSession, root: Any) -> bool:
    """Have dates that windows of a plan are ordered by counted in days, in place; whether there were any."""
    changed = False
    for below, window in list(in_lists(root)):
        if window.DESCRIPTOR.full_name != WINDOW or not counts_days(window):
            continue
        key = window.order_spec[0].child
        if session.type_of(key, below) == Atomic("date"):
            days = proto().Expression()
            days.unresolved_function.function_name = "unix_date"
            days.unresolved_function.arguments.add().CopyFrom(key)
            key.CopyFrom(days)
            changed = True
    return changed


def with_day_frames(sql: str, columns: Mapping[str, str]) -> str:
    """A text whose dates are ordered as the engine has to have them.

    Args:
        sql: A statement or an expression.
        columns: What types names have, as far as that is known.
    """
    if HAS_FRAME.search(sql) is None:
        return sql
    tokens = tokenize(sql)
    edits = [edit for at, token in enumerate(tokens) if token.is_word("RANGE") for edit in _edits(tokens, at, columns)]
    return apply(sql, edits) if edits else sql


def with_days_counted(sql: str, schema: Schema) -> str:
    """A statement whose frames of numbers over dates are frames over numbers of days, whatever relation the dates are of.

    Args:
        sql: The statement, as it was asked.
        schema: Tells what a query gives that names what the statement can name.
    """
    if HAS_FRAME.search(sql) is None:
        return sql
    tokens = tokenize(sql)
    selects = list(scopes(sql, tokens))
    edits: list[Edit] = []
    for at, token in enumerate(tokens):
        frame = _frame(tokens, at) if token.is_word("RANGE") else ()
        key = _key(tokens, at) if frame else ()
        if not key or any(one.is_word("INTERVAL") for one in frame) or not any(one.raw.isdigit() for one in frame):
            continue
        scope = next((one for one in reversed(selects) if is_inside(tokens, one.items[0], at)), None)
        ordered = sql[key[0].start : key[-1].end]
        query = None if scope is None else scope.query(sql, tokens, f"{ordered} AS `c`")
        found = None if query is None else schema(query)
        if found is not None and found.fields[0].type == Atomic("date"):
            edits += [Edit(key[0].start, key[0].start, "unix_date("), Edit(key[-1].end, key[-1].end, ")")]
    return apply(sql, edits) if edits else sql


def _edits(tokens: Sequence[Token], at: int, columns: Mapping[str, str]) -> list[Edit]:
    frame = _frame(tokens, at)
    is_of_intervals = any(token.is_word("INTERVAL") for token in frame)
    key = _key(tokens, at)
    if not key or not (is_of_intervals or any(token.raw.isdigit() for token in frame)):
        return []
    is_name = all(token.is_identifier if number % 2 == 0 else token.is_mark(".") for number, token in enumerate(key))
    kind = columns.get(key[-1].identifier.lower(), "") if is_name else ""
    if kind == "date":
        before, after = ("CAST(", " AS TIMESTAMP_NTZ)") if is_of_intervals else ("unix_date(", ")")
    elif is_of_intervals and not kind:
        # For timestamps that is nothing.
        before, after = "CAST(", " AS TIMESTAMP)"
    else:
        return []
    return [Edit(key[0].start, key[0].start, before), Edit(key[-1].end, key[-1].end, after)]


def _frame(tokens: Sequence[Token], at: int) -> Sequence[Token]:
    depth = 0
    for end in range(at, len(tokens)):
        depth += tokens[end].is_mark("(") - tokens[end].is_mark(")")
        if depth < 0:
            return tokens[at:end]
    return tokens[at:at]


def _key(tokens: Sequence[Token], at: int) -> Sequence[Token]:
    """The one expression that the rows of a window are ordered by."""
    depth, end = 0, at
    while end > 0 and tokens[end - 1].is_word("ASC", "DESC", "NULLS", "FIRST", "LAST"):
        end -= 1
    for begin in range(end - 1, 0, -1):
        token = tokens[begin]
        if depth == 0 and (token.is_mark("(") or token.is_mark(",")):
            break
        if depth == 0 and token.is_word("BY") and tokens[begin - 1].is_word("ORDER", "SORT"):
            return tokens[begin + 1 : end]
        depth += token.is_mark(")") - token.is_mark("(")
    return tokens[at:at]
