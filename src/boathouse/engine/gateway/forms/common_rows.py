"""``INTERSECT ALL``, of which the embedded engine keeps all rows of the left side that the right one has, however often.

A row that is m times left and n times right is in both min(m, n) = m - max(m - n, 0) times: what is left of the left side without what it
has more than the right one. ``EXCEPT ALL`` counts rightly.
"""

import re
from collections.abc import Sequence
from typing import Any

from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.messages.walk import walk
from boathouse.engine.gateway.sql.set_operations import HOW, term_begin, term_end
from boathouse.engine.gateway.sql.statements import Edit, apply
from boathouse.engine.gateway.sql.tokens import Token, tokenize

_MAY_HAVE = re.compile(r"\bintersect\s+all\b", re.IGNORECASE)


def with_common_rows(sql: str) -> str:
    """A text without ``INTERSECT ALL``."""
    while _MAY_HAVE.search(sql) is not None:
        tokens = tokenize(sql)
        edit = next((one for at in range(1, len(tokens) - 2) if (one := _edit(sql, tokens, at)) is not None), None)
        if edit is None:
            return sql
        sql = apply(sql, [edit])
    return sql


def has_common_rows(operation: Any) -> bool:
    """Whether a DataFrame's set operation is this one."""
    return operation.is_all and operation.set_op_type == proto().SetOperation.SET_OP_TYPE_INTERSECT


def put_common_rows(root: Any) -> bool:
    """Have the common rows of a plan's relations counted, in place; whether there were any to count."""
    changed = False
    for message in walk(root):
        if message.DESCRIPTOR.name == "SetOperation" and has_common_rows(message):
            message.set_op_type = proto().SetOperation.SET_OP_TYPE_EXCEPT
            more = proto().Relation()
            more.set_op.CopyFrom(message)
            message.right_input.CopyFrom(more)
            changed = True
    return changed


def _edit(sql: str, tokens: list[Token], at: int) -> Edit | None:
    if not (tokens[at].is_word("INTERSECT") and tokens[at + 1].is_word("ALL")):
        return None
    begin, end = _begin(tokens, at), term_end(tokens, at + 2)
    if begin is None or end == at + 2:
        return None
    left = _term(sql, tokens, begin, at)
    right = _term(sql, tokens, at + 2, end)
    return Edit(tokens[begin].start, tokens[end - 1].end, f"({left} EXCEPT ALL ({left} EXCEPT ALL {right}))")


def _term(sql: str, tokens: Sequence[Token], begin: int, end: int) -> str:
    text = sql[tokens[begin].start : tokens[end - 1].end]
    return f"({text})" if any(one.is_word("INTERSECT") for one in tokens[begin:end]) else text


def _begin(tokens: list[Token], at: int) -> int | None:
    """Where what stands left of a set operator begins: INTERSECT holds together more than the others, and from left to right."""
    begin = term_begin(tokens, at)
    while begin is not None and begin > 1:
        before = begin - 1 - tokens[begin - 1].is_word(*HOW)
        if not tokens[before].is_word("INTERSECT"):
            break
        begin = term_begin(tokens, before)
    return begin
