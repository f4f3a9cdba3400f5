"""WITH RECURSIVE, which the embedded engine does not read: its steps are queries of their own, until one gives no more rows.

What a step gives is kept beside and read by the next one, so each step is computed once. As in Spark there are at most a hundred
steps, unless ``MAX RECURSION LEVEL`` says otherwise, and a million rows.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.messages.protocol import local_relation, nullable_schema
from boathouse.engine.gateway.messages.spark_types import VOID, Struct, sql
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.sql.relations import find_uses
from boathouse.engine.gateway.sql.statements import Edit, apply
from boathouse.engine.gateway.sql.tokens import Token, closing, outside, quote, tokenize

_SAYS = re.compile(r"\bwith\s+recursive\b", re.IGNORECASE)
_LEVELS, _ROWS = 100, 1_000_000
_ENDS = ("ORDER", "LIMIT", "OFFSET", "SORT", "CLUSTER", "DISTRIBUTE")

Ask = Callable[[str, dict[str, Any]], Any]
"""The relation of a query of the asker's, its names governed, that can name some relations."""
Add = Callable[[Any], str]
"""Adds a relation that the statement can name; its name."""


class RecursionLimit(StatementRefused):
    """A recursion that goes on for too long."""

    error_code = "RECURSION_LEVEL_LIMIT_EXCEEDED"


@dataclass(frozen=True)
class _Expression:
    """A common table expression.

    Attributes:
        name: Its token.
        columns: Names of its columns, as tokens.
        levels: How many steps it may have.
        head: Where its name begins, in tokens.
        body: Where its query begins and ends, in tokens.
    """

    name: Token
    columns: tuple[Token, ...]
    levels: int
    head: int
    body: tuple[int, int]


def says_recursive(text: str) -> bool:
    """Whether a text may have WITH RECURSIVE."""
    return _SAYS.search(text) is not None


def without_recursion(text: str, session: EngineSession, ask: Ask, add: Add, *, executes: bool) -> str:
    """A statement whose recursive common table expressions read rows that were computed before.

    Args:
        text: The statement.
        session: The session of the request.
        ask: Makes the relation of a query.
        add: Makes a relation known to the statement.
        executes: Whether the rows are wanted, and not only their columns.

    Raises:
        StatementRefused: If an expression is none that can be computed in steps.
        RecursionLimit: If it has too many steps or rows.
        AioRpcError: If the engine refuses a query.
    """
    tokens = tokenize(text)
    edits: list[Edit] = []
    for at, token in enumerate(tokens[:-1]):
        if not (token.is_word("WITH") and tokens[at + 1].is_word("RECURSIVE")):
            continue
        edits.append(Edit(tokens[at + 1].start, tokens[at + 1].end, ""))
        before: list[str] = []
        for one in _expressions(tokens, at + 2):
            begin, end = one.body
            label = quote([one.name.identifier])
            columns = f"({', '.join(quote([column.identifier]) for column in one.columns)})" if one.columns else ""
            body = text[tokens[begin].start : tokens[end - 1].end]
            if _reads(body, one.name.identifier):
                name = add(_Recursion(session, ask, before, executes=executes).rows(text, tokens, one))
                body = f"SELECT * FROM {quote([name])}"  # noqa: S608 - a name of ours
                edits.append(Edit(tokens[one.head].start, tokens[end].start, f"{label} AS ({body}"))
                columns = ""
            elif one.levels != _LEVELS:
                edits.append(Edit(tokens[one.head].start, tokens[begin].start, f"{label}{columns} AS ("))
            before.append(f"{label}{columns} AS ({body})")
    return apply(text, edits)


def _reads(query: str, name: str) -> bool:
    """Whether a query reads a relation of a name in one part that it does not define itself."""
    uses = find_uses(tokenize(query), query).relations
    return any(len(use.name) == 1 and use.name[0].lower() == name.lower() and use.expression is None for use in uses)


def _expressions(tokens: Sequence[Token], at: int) -> list[_Expression]:
    """The common table expressions of the list that begins at a token."""
    found: list[_Expression] = []
    while at < len(tokens) and tokens[at].is_identifier:
        head, columns, levels = at, tuple[Token, ...](), _LEVELS
        at += 1
        if at < len(tokens) and tokens[at].is_mark("("):
            closed = closing(tokens, at) or at
            columns = tuple(token for token in tokens[at:closed] if token.is_identifier)
            at = closed + 1
        if (
            at + 3 < len(tokens)
            and tokens[at].is_word("MAX")
            and tokens[at + 1].is_word("RECURSION")
            and tokens[at + 3].raw.isdigit()
        ):
            levels, at = int(tokens[at + 3].raw), at + 4
        at += at < len(tokens) and tokens[at].is_word("AS")
        closed = closing(tokens, at) if at < len(tokens) and tokens[at].is_mark("(") else None
        if closed is None or closed == at + 1:
            break
        found.append(_Expression(tokens[head], columns, levels, head, (at + 1, closed)))
        at = closed + 1
        if at >= len(tokens) or not tokens[at].is_mark(","):
            break
        at += 1
    return found


class _Recursion:
    """Computes one expression."""

    def __init__(self, session: EngineSession, ask: Ask, before: Sequence[str], *, executes: bool) -> None:
        self._session, self._ask, self._before, self._executes = session, ask, before, executes

    def rows(self, text: str, tokens: Sequence[Token], one: _Expression) -> Any:
        """What the expression stands for, as a relation."""
        begin, end = one.body
        name = one.name.identifier
        unions = [at for at in outside(tokens, begin, end) if tokens[at].is_word("UNION", "EXCEPT", "INTERSECT", "MINUS")]
        if len(unions) != 1 or not (tokens[unions[0]].is_word("UNION") and tokens[unions[0] + 1].is_word("ALL")):
            message = f"The recursive query {name} has to be two queries with UNION ALL between them: one to begin with, and one that reads {name}."
            raise StatementRefused(message)
        if any(tokens[at].is_word(*_ENDS) for at in outside(tokens, unions[0] + 2, end)):
            message = f"The recursive query {name} cannot be ordered or limited inside: do that in the query that reads it."
            raise StatementRefused(message)
        first = text[tokens[begin].start : tokens[unions[0] - 1].end]
        step = text[tokens[unions[0] + 2].start : tokens[end - 1].end]
        if _reads(first, name):
            message = f"The first query of {name} cannot read {name}: it gives the rows to begin with."
            raise StatementRefused(message)
        shape = self._session.struct(self._ask(self._with(first), {}))
        if shape is None:
            # The engine says what is wrong with it.
            shape = Struct(())
            self._session.schema(self._ask(self._with(first), {}))
        names = [column.identifier for column in one.columns] or shape.names
        if len(names) != len(shape.fields):
            message = f"{name} names {len(names)} columns, and its first query gives {len(shape.fields)}."
            raise StatementRefused(message)
        types = ["STRING" if field.type == VOID else sql(field.type) for field in shape.fields]
        casts = ", ".join(f"CAST(`c{at}` AS {kind}) AS {quote([names[at]])}" for at, kind in enumerate(types))
        listed = ", ".join(f"`c{at}`" for at in range(len(names)))

        def fitting(query: str) -> str:
            return f"SELECT {casts} FROM ({query}) AS `__bh_step`({listed})"  # noqa: S608 - pieces of the statement

        anchor = self._ask(self._with(fitting(first)), {})
        if self._executes:
            return self._all(name, anchor, fitting(step), one.levels)
        return local_relation(nullable_schema(self._session.schema(anchor))[0].empty_table())

    def _with(self, query: str, *more: str) -> str:
        listed = [*self._before, *more]
        return f"WITH {', '.join(listed)} {query}" if listed else query

    def _all(self, name: str, anchor: Any, step: str, levels: int) -> Any:
        """The rows of all steps."""
        found = [self._session.rows(anchor)]
        count, level = found[0].num_rows, 0
        while found[-1].num_rows:
            level += 1
            if level > levels:
                message = (
                    f"The recursive query {name} has more than {levels} steps. End it by a condition, or say MAX RECURSION LEVEL n "
                    f"behind its name: WITH RECURSIVE {name} MAX RECURSION LEVEL {levels * 10} AS (...)."
                )
                raise RecursionLimit(message)
            text = self._with(step, f"{quote([name])} AS (SELECT * FROM `__bh_last`)")  # noqa: S608 - a name of ours
            found.append(self._session.rows(self._ask(text, {"__bh_last": local_relation(found[-1])})))
            count += found[-1].num_rows
            if count > _ROWS:
                message = f"The recursive query {name} has more than {_ROWS:,} rows. End it by a condition."
                raise RecursionLimit(message)
        whole = [one for one in found if one.num_columns]
        return local_relation(pa.concat_tables([one.cast(whole[0].schema) for one in whole])) if whole else anchor
