"""Queries with the pipe, ``FROM t |> WHERE a |> SELECT b``, as queries in queries, which is all that the embedded engine reads.

What stands before a pipe becomes the FROM of what stands behind it. Conditions and joins are put beside one another as long as they can
be, so that the names of relations hold in what follows, as Spark has it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.sql.inserts import split
from boathouse.engine.gateway.sql.select_items import SETS, without_name
from boathouse.engine.gateway.sql.select_scopes import Schema
from boathouse.engine.gateway.sql.statements import Edit, apply
from boathouse.engine.gateway.sql.tokens import Token, outside, quote, read_name, tokenize

_PIPED = "`__bh_piped`"
_BEGINS = ("SELECT", "FROM", "TABLE", "VALUES", "WITH")
_JOINS = ("JOIN", "INNER", "CROSS", "LEFT", "RIGHT", "FULL", "OUTER", "SEMI", "ANTI", "NATURAL")
_ORDERS = ("ORDER", "SORT", "CLUSTER", "DISTRIBUTE")
_SHAPES = ("PIVOT", "UNPIVOT", "TABLESAMPLE")


def with_pipes(sql: str, schema: Schema) -> str:
    """A text without pipes.

    Args:
        sql: A statement.
        schema: Tells what a query gives, whose names are those of the statement.

    Raises:
        StatementRefused: If what follows a pipe is no operator.
    """
    while "|>" in sql:
        tokens = tokenize(sql)
        # The last one: what stands in brackets within it has none any more.
        last = next((at for at in range(len(tokens) - 2, 0, -1) if _is_pipe(tokens, at)), None)
        if last is None:
            return sql
        begin, end = _around(tokens, last)
        pipes = [at for at in outside(tokens, begin, end) if _is_pipe(tokens, at)]
        sql = apply(sql, [Edit(tokens[begin].start, tokens[end - 1].end, _query(sql, tokens, begin, [*pipes, end], schema))])
    return sql


def _is_pipe(tokens: Sequence[Token], at: int) -> bool:
    following = tokens[at + 1] if at + 1 < len(tokens) else None
    return tokens[at].is_mark("|") and following is not None and following.is_mark(">") and following.start == tokens[at].end


def _around(tokens: Sequence[Token], at: int) -> tuple[int, int]:
    """The query that a pipe belongs to."""
    depth, begin = 0, at
    while begin > 0:
        depth += tokens[begin - 1].is_mark(")") - tokens[begin - 1].is_mark("(")
        if depth < 0:
            break
        begin -= 1
    depth, end = 0, at
    while end < len(tokens) and not (depth == 0 and (tokens[end].is_mark(")") or tokens[end].is_mark(";"))):
        depth += tokens[end].is_mark("(") - tokens[end].is_mark(")")
        end += 1
    if begin == 0:
        begin = _query_begin(tokens, at)
    return begin, end


def _query_begin(tokens: Sequence[Token], end: int) -> int:
    """Where the query of a statement begins: ``INSERT INTO t`` and ``CREATE ... AS`` stand before it."""
    if tokens[0].is_word("INSERT"):
        words = [
            at
            for at in outside(tokens, 1, end)
            if tokens[at].is_word(*_BEGINS) and not tokens[at - 1].is_word("INTO", "OVERWRITE")
        ]
        return words[0] if words else 0
    if tokens[0].is_word("CREATE", "EXPLAIN", "CACHE"):
        for at in range(1, end):
            if tokens[at - 1].is_word("AS", "EXPLAIN", "EXTENDED", "FORMATTED") and (
                tokens[at].is_word(*_BEGINS) or tokens[at].is_mark("(")
            ):
                return at
    return 0


@dataclass
class _Piped:
    """What has been piped so far.

    Attributes:
        expressions: Common table expressions before it.
        source: What stands behind FROM.
        conditions: What stands behind WHERE.
        tail: ORDER BY and LIMIT.
        name: Of the relation, if it is one.
    """

    expressions: str
    source: str
    conditions: tuple[str, ...] = ()
    tail: str = ""
    name: str = _PIPED

    def select(self, items: str = "*", after: str = "") -> str:
        """A query of it."""
        where = f" WHERE {' AND '.join(f'({one})' for one in self.conditions)}" if self.conditions else ""
        return f"SELECT {items} FROM {self.source}{where}{after}{self.tail}"  # noqa: S608 - pieces of the statement itself

    def nested(self, query: str, name: str = _PIPED) -> "_Piped":
        """A query as what the next operator reads."""
        return _Piped(self.expressions, f"({query}) AS {name}", name=name)

    def plain(self) -> "_Piped":
        """It, with nothing behind FROM."""
        return self.nested(self.select(), self.name) if self.conditions or self.tail else self

    def ended(self) -> "_Piped":
        """It, without an order or a limit."""
        return self.nested(self.select(), self.name) if self.tail else self


def _query(sql: str, tokens: list[Token], begin: int, pipes: Sequence[int], schema: Schema) -> str:
    piped = _first(sql, tokens, begin, pipes[0])
    for at, end in pairwise(pipes):
        part = tokens[at + 2 : end]
        if not part:
            raise _refused("nothing")
        piped = _operated(sql, piped, part, schema)
    end = f") AS {piped.name}"
    is_bare = not piped.conditions and not piped.tail and piped.source.startswith("(") and piped.source.endswith(end)
    query = piped.source[1 : -len(end)] if is_bare else piped.select()
    return f"{piped.expressions}{query}"


def _first(sql: str, tokens: list[Token], begin: int, end: int) -> _Piped:
    """What stands before the first pipe."""
    first = begin
    if tokens[begin].is_word("WITH"):
        words = [at for at in outside(tokens, begin + 1, end) if tokens[at].is_word("SELECT", "FROM", "TABLE", "VALUES")]
        first = words[0] if words else begin
    expressions = sql[tokens[begin].start : tokens[first].start]
    text = sql[tokens[first].start : tokens[end - 1].end]
    if tokens[first].is_word("FROM", "TABLE"):
        return _Piped(expressions, sql[tokens[first + 1].start : tokens[end - 1].end], name=_name(tokens[first + 1 : end]))
    return _Piped(expressions, f"({text}) AS {_PIPED}")


def _operated(sql: str, piped: _Piped, part: Sequence[Token], schema: Schema) -> _Piped:
    word, rest = part[0], _rest(sql, part)
    if (columns := _columns(sql, piped, part, schema)) is not None:
        return piped.nested(columns, _PIPED if word.is_word("SELECT") else piped.name)
    if (rows := _rows(sql, piped, part)) is not None:
        return piped.nested(rows, rest if word.is_word("AS") else _PIPED)
    if word.is_word(*_JOINS) or (word.is_word("LATERAL") and len(part) > 1 and part[1].is_word("VIEW", "JOIN")):
        piped = piped.plain()
        return _Piped(piped.expressions, f"{piped.source} {word.raw} {rest}")
    if word.is_word("LIMIT", "OFFSET"):
        if any(f" {one} " in piped.tail for one in ("LIMIT", "OFFSET")):
            piped = piped.ended()
        return replace(piped, tail=f"{piped.tail} {word.value} {rest}")
    piped = piped.ended()
    if word.is_word("WHERE"):
        return replace(piped, conditions=(*piped.conditions, rest))
    if word.is_word(*_ORDERS):
        return replace(piped, tail=f" {word.raw} {rest}")
    raise _refused(word.raw)


def _rest(sql: str, part: Sequence[Token]) -> str:
    return sql[part[1].start : part[-1].end] if len(part) > 1 else ""


def _rows(sql: str, piped: _Piped, part: Sequence[Token]) -> str | None:
    """The query of an operator that gives other rows; None for another."""
    word, text = part[0], sql[part[0].start : part[-1].end]
    if word.is_word("AS"):
        return piped.select()
    if word.is_word("AGGREGATE"):
        return _aggregated(sql, piped.ended(), part[1:])
    if word.is_word(*SETS):
        return f"{piped.ended().select()} {text}"
    return f"SELECT * FROM ({piped.select()}) {text}" if word.is_word(*_SHAPES) else None  # noqa: S608 - pieces of the statement itself


def _columns(sql: str, piped: _Piped, part: Sequence[Token], schema: Schema) -> str | None:
    """The query of an operator on columns; None for another."""
    word, rest = part[0], _rest(sql, part)
    if word.is_word("SELECT"):
        # An order can be by what is not selected, but not by what was many rows.
        piped = piped.ended() if len(part) > 1 and part[1].is_word("DISTINCT") else piped
        return piped.select(rest)
    if word.is_word("EXTEND"):
        return piped.select(f"*, {rest}")
    if word.is_word("SET"):
        return piped.select(_changed(sql, piped, part[1:], schema))
    return piped.select(f"* EXCEPT ({rest})") if word.is_word("DROP") else None


def _changed(sql: str, piped: _Piped, part: Sequence[Token], schema: Schema) -> str:
    """The columns, of which some have other values."""
    values: dict[str, str] = {}
    for one in split(part):
        if len(one) < 3 or not one[0].is_identifier or not one[1].is_mark("="):
            message = "After |> SET stand columns with their values: |> SET a = a + 1, b = 2."
            raise StatementRefused(message)
        values[one[0].identifier.lower()] = sql[one[2].start : one[-1].end]
    struct = schema(f"{piped.expressions}{piped.select()}")
    if struct is None:
        message = "The columns before |> SET cannot be told: list them with |> SELECT."
        raise StatementRefused(message)
    names = [field.name for field in struct.fields]
    for name in values:
        if name not in {one.lower() for one in names}:
            message = (
                f"|> SET changes columns, and there is no {name}. Columns: {', '.join(names)}. A new one is made by |> EXTEND."
            )
            raise StatementRefused(message)
    shown = ((quote([one]), values.get(one.lower())) for one in names)
    return ", ".join(name if value is None else f"({value}) AS {name}" for name, value in shown)


def _aggregated(sql: str, piped: _Piped, part: Sequence[Token]) -> str:
    """Groups with their keys first."""
    at = next((one for one in outside(part, 0, len(part)) if part[one].is_word("GROUP")), len(part))
    made = sql[part[0].start : part[at - 1].end] if at else ""
    if at == len(part):
        return piped.select(made)
    keys = split(part[at + 2 :])
    shown = [sql[one[0].start : one[-1].end] for one in keys]
    plain = [sql[one[0].start : without_name(one)[-1].end] for one in keys]
    items = ", ".join([*shown, made] if made else shown)
    return piped.select(items, f" GROUP BY {', '.join(plain)}")


def _name(relation: Sequence[Token]) -> str:
    """The name that a FROM gives to its relation, if that is one with a plain name."""
    tokens = list(relation)
    parts, at = read_name(tokens, 0)
    if not parts or at < len(tokens) - 2 or (at == len(tokens) - 2 and not tokens[at].is_word("AS")):
        return _PIPED
    last = tokens[-1]
    return quote([parts[-1] if at == len(tokens) else last.identifier]) if last.is_identifier else _PIPED


def _refused(word: str) -> StatementRefused:
    operators = "SELECT, EXTEND, SET, DROP, AS, WHERE, AGGREGATE, ORDER BY, LIMIT, OFFSET, JOIN, UNION, EXCEPT, INTERSECT, PIVOT, UNPIVOT, TABLESAMPLE"
    return StatementRefused(f"A pipe |> cannot be followed by {word}. Valid: {operators}.")
