"""Where a statement reads: each place in its text where a table, view or table function stands, common table expressions told apart.

The places are found by one pass over the tokens that keeps, for each level of parentheses, whether it is a query and whether
a list of relations goes on there. What this pass should miss is no hole: the engine cannot resolve a governed name by itself.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from boathouse.engine.gateway.sql.tokens import Kind, Token, after_parentheses, read_name

_QUERIES = ("SELECT", "WITH", "FROM", "VALUES", "TABLE", "MAP", "REDUCE")
_READING = (*_QUERIES, "INSERT", "MERGE", "UPDATE", "DELETE", "CREATE", "REPLACE", "CACHE")
_ENDS_FROM = frozenset(
    {"SELECT", "WHERE", "GROUP", "HAVING", "ORDER", "SORT", "CLUSTER", "DISTRIBUTE", "LIMIT", "OFFSET", "WINDOW"}
    | {"UNION", "EXCEPT", "MINUS", "INTERSECT", "QUALIFY", "WHEN", "SET"}
)
_NOT_ALIASES = (
    *_ENDS_FROM,
    *("JOIN", "INNER", "CROSS", "LEFT", "RIGHT", "FULL", "OUTER", "SEMI", "ANTI", "NATURAL", "ON", "USING", "LATERAL"),
    *("TABLESAMPLE", "PIVOT", "UNPIVOT", "SELECT"),
)
_AFTER_AT = re.compile(r"[vV](?P<version>[0-9]+)|(?P<time>[0-9]{17})")
_TRAVEL = {"VERSION": "version", "SYSTEM_VERSION": "version", "TIMESTAMP": "timestamp", "SYSTEM_TIME": "timestamp"}


@dataclass(frozen=True)
class Moment:
    """A version or time to which a table is read: ``kind`` is ``version`` or ``timestamp``, ``text`` a SQL expression."""

    kind: str
    text: str


def moment_after_at(text: str) -> Moment | None:
    """The moment that stands behind a name's ``@``: ``v12`` or ``yyyyMMddHHmmssSSS``; None for anything else."""
    found = _AFTER_AT.fullmatch(text)
    if found is None:
        return None
    if found["version"] is not None:
        return Moment("version", found["version"])
    year, rest = found["time"][:4], found["time"][4:]
    month, day, hour, minute, second = (rest[index : index + 2] for index in range(0, 10, 2))
    return Moment("timestamp", f"'{year}-{month}-{day} {hour}:{minute}:{second}.{rest[10:]}'")


@dataclass(frozen=True)
class RelationUse:
    """A name in a place where a relation is read.

    Attributes:
        name: Its parts as written.
        start: Offset of the name.
        end: Offset after the name.
        clause_end: Offset after its time travel clause, if it has one, else after the name.
        moment: What that clause says.
        has_alias: Whether an alias follows.
        expression: The common table expression that it is, in the spelling of its definition; None for anything else.
    """

    name: tuple[str, ...]
    start: int
    end: int
    clause_end: int
    moment: Moment | None = None
    has_alias: bool = False
    expression: str | None = None


@dataclass(frozen=True)
class CallUse:
    """A function with a name of several parts, or a table function: its name, offsets, and the texts of its arguments."""

    name: tuple[str, ...]
    start: int
    end: int
    arguments: tuple[tuple[int, int], ...]
    is_relation: bool = False
    has_alias: bool = False


@dataclass(frozen=True)
class Uses:
    """Everything that a text names: relations, calls of functions, and at which tokens the word STREAM stands before a relation."""

    relations: tuple[RelationUse, ...]
    calls: tuple[CallUse, ...]
    streams: tuple[int, ...] = ()


@dataclass
class _Level:
    """One level of parentheses."""

    is_query: bool
    in_from: bool = False
    expects: bool = False
    in_values: bool = False
    lateral_names: bool = False
    with_names: bool = False
    recursive: bool = False
    pending: str | None = None
    expressions: dict[str, str] = field(default_factory=dict[str, str])


def find_uses(tokens: Sequence[Token], sql: str, *, fragment: bool = False) -> Uses:
    """What a statement, or with ``fragment`` a piece of an expression, names."""
    return _Scan(list(tokens), sql, fragment=fragment).run()


class _Scan:
    def __init__(self, tokens: list[Token], sql: str, *, fragment: bool) -> None:
        self.tokens = tokens
        self.sql = sql
        self.at = 0
        first = 0
        if not fragment and tokens and tokens[0].is_word("EXPLAIN"):
            while first < len(tokens) and not tokens[first].is_word(*_READING) and not tokens[first].is_mark("("):
                first += 1
        reads = first < len(tokens) and (tokens[first].is_word(*_READING) or tokens[first].is_mark("("))
        self.statement = "" if fragment or first >= len(tokens) else tokens[first].value
        query = fragment and bool(tokens) and tokens[0].is_word(*_QUERIES)
        self.levels = [_Level(is_query=query or (reads and not fragment))]
        self.defining = self.statement in {"CREATE", "REPLACE"}
        self.relations: list[RelationUse] = []
        self.calls: list[CallUse] = []
        self.streams: list[int] = []

    def run(self) -> Uses:
        while self.at < len(self.tokens):
            self._step(self.tokens[self.at])
        return Uses(tuple(self.relations), tuple(self.calls), tuple(self.streams))

    def _step(self, token: Token) -> None:
        level = self.levels[-1]
        if token.is_mark("("):
            self._open(level)
        elif token.is_mark(")"):
            if len(self.levels) > 1:
                self.levels.pop()
                self._close(self.levels[-1])
            self.at += 1
        elif token.is_mark(","):
            level.expects = level.in_from and not level.lateral_names and not (level.in_values and self._begins_row())
            self.at += 1
        elif level.with_names and token.is_identifier and not token.is_word("RECURSIVE"):
            level.pending, level.with_names = token.identifier, False
            if level.recursive:
                level.expressions[level.pending.lower()] = level.pending
            self.at += 1
        elif token.kind is Kind.WORD and self._word(token, level):
            self.at += 1
        elif token.is_identifier:
            level.in_values = False
            self._name(level)
        else:
            level.expects = False
            self.at += 1

    def _open(self, level: _Level) -> None:
        following = self.tokens[self.at + 1] if self.at + 1 < len(self.tokens) else None
        is_query = following is not None and following.is_word(*_QUERIES) and not self._names_call(self.at + 1)
        nested = following is not None and following.is_mark("(") and (level.expects or self._query_inside(self.at + 1))
        opened = _Level(is_query=is_query or (nested and not level.expects))
        if level.expects and not is_query:
            opened.is_query = opened.in_from = opened.expects = True
        level.expects = False
        self.levels.append(opened)
        self.at += 1

    def _begins_row(self) -> bool:
        """Whether another row of VALUES follows a comma: after an alias, a relation does."""
        before, following = self.tokens[self.at - 1], self.tokens[self.at + 1 : self.at + 2]
        return before.is_mark(")") and bool(following) and following[0].is_mark("(")

    def _query_inside(self, at: int) -> bool:
        while at < len(self.tokens) and self.tokens[at].is_mark("("):
            at += 1
        return at < len(self.tokens) and self.tokens[at].is_word("SELECT", "WITH", "VALUES", "FROM")

    def _names_call(self, at: int) -> bool:
        """Whether a word such as MAP or TABLE begins a call: ``map(...)``."""
        token = self.tokens[at]
        follows = at + 1 < len(self.tokens) and self.tokens[at + 1].is_mark("(")
        return token.is_word("MAP", "REDUCE", "TABLE", "VALUES") and follows and not token.is_word("VALUES")

    def _close(self, level: _Level) -> None:
        """After the parentheses of a common table expression's query it can be read; a comma begins the next one."""
        if level.pending is None:
            return
        following = self.tokens[self.at + 1] if self.at + 1 < len(self.tokens) else None
        if following is not None and following.is_word("AS"):
            return
        level.expressions[level.pending.lower()] = level.pending
        level.pending = None
        level.with_names = following is not None and following.is_mark(",")

    def _word(self, token: Token, level: _Level) -> bool:  # noqa: C901, PLR0912 - one case for each word of the grammar
        """Take note of a word of the grammar; whether it was one."""
        before = self.tokens[self.at - 1] if self.at else None
        following = self.tokens[self.at + 1] if self.at + 1 < len(self.tokens) else None
        if before is not None and before.is_mark("."):
            return False
        if token.is_word("AS", "SELECT", "WITH"):
            self.defining = False
        if token.is_word("WITH") and level.is_query and following is not None and following.is_identifier:
            level.with_names = True
        elif token.is_word("RECURSIVE") and level.with_names:
            level.recursive = True
        elif token.is_word("FROM"):
            if not level.is_query or self._is_distinct_from():
                return True
            if before is not None and before.is_word("DELETE"):
                self._skip_target()
                return True
            level.in_from = level.expects = True
            level.lateral_names = False
        elif token.is_word("JOIN"):
            level.in_from = level.expects = True
            level.lateral_names = False
        elif token.is_word("USING"):
            level.expects = self.statement == "MERGE" and len(self.levels) == 1
        elif self._precedes_target(token, level) or (self.defining and token.is_word("REFERENCES")):
            self._skip_target()
        elif token.is_word("TABLE") and level.is_query and self._reads_table(before):
            level.expects = True
        elif token.is_word("LATERAL"):
            level.lateral_names = following is not None and following.is_word("VIEW")
        elif token.is_word("STREAM") and level.expects and following is not None:
            if following.is_mark("(") or (following.is_identifier and not following.is_word("AS", *_NOT_ALIASES)):
                self.streams.append(self.at)
                return True
            return False
        elif token.is_word("VALUES") and level.expects:
            level.expects, level.in_values = False, True
        elif token.value in _ENDS_FROM:
            level.in_from = level.expects = level.lateral_names = False
        else:
            return token.value in _NOT_ALIASES
        return True

    def _is_distinct_from(self) -> bool:
        at = self.at - 1
        return at >= 1 and self.tokens[at].is_word("DISTINCT") and self.tokens[at - 1].is_word("IS", "NOT")

    def _reads_table(self, before: Token | None) -> bool:
        """Whether the word TABLE begins a query, ``TABLE t``, and is not part of DDL."""
        if self.statement in {"CREATE", "REPLACE", "CACHE"} and len(self.levels) == 1:
            return before is not None and before.is_word("AS")
        if self.statement == "INSERT" and len(self.levels) == 1:
            return True
        after_query = ("AS", "UNION", "ALL", "EXCEPT", "INTERSECT")
        return before is None or before.is_mark("(") or before.is_mark(")") or before.is_word(*after_query)

    def _precedes_target(self, token: Token, level: _Level) -> bool:
        if token.is_word("UPDATE"):
            return self.statement == "UPDATE" and len(self.levels) == 1
        return token.is_word("INTO", "OVERWRITE") and level.is_query and not level.in_from

    def _skip_target(self) -> None:
        """Go to the last token of the name of the table that is written."""
        at = self.at + 1
        while at < len(self.tokens) and self.tokens[at].is_word("INTO", "TABLE"):
            at += 1
        _, end = read_name(self.tokens, at)
        self.at = max(end, at) - 1
        self.levels[-1].expects = False

    def _name(self, level: _Level) -> None:
        first = self.at
        parts, end = read_name(self.tokens, self.at)
        expects, level.expects = level.expects, False
        called = end < len(self.tokens) and self.tokens[end].is_mark("(")
        # REPLACE ON t.a = s.a (SELECT ...) AS s
        called = called and not (len(parts) > 1 and self._query_inside(end + 1))
        self.at = end
        if called and not (self.defining and len(self.levels) == 1):
            self._call(tuple(parts), first, end, is_relation=expects)
        elif expects:
            self._relation(tuple(parts), first, end)

    def _relation(self, name: tuple[str, ...], first: int, end: int) -> None:
        moment, after = self._moment(end)
        expression = None
        if len(name) == 1 and moment is None:
            for level in reversed(self.levels):
                if name[0].lower() in level.expressions:
                    expression = level.expressions[name[0].lower()]
                    break
        start, stop = self.tokens[first].start, self.tokens[end - 1].end
        clause_end = self.tokens[after - 1].end
        self.relations.append(RelationUse(name, start, stop, clause_end, moment, self._has_alias(after), expression))
        self.at = after

    def _has_alias(self, at: int) -> bool:
        return at < len(self.tokens) and starts_alias(self.tokens[at])

    def _moment(self, at: int) -> tuple[Moment | None, int]:
        """The time travel clause at a token, and the index after it."""
        tokens = self.tokens
        if at + 1 < len(tokens) and tokens[at].is_mark("@") and tokens[at].start == tokens[at - 1].end:
            moment = moment_after_at(tokens[at + 1].raw)
            if moment is not None:
                return moment, at + 2
        begin = at + 1 if at < len(tokens) and tokens[at].is_word("FOR") else at
        if begin + 3 >= len(tokens) or tokens[begin].value not in _TRAVEL or tokens[begin].kind is not Kind.WORD:
            return None, at
        if not (tokens[begin + 1].is_word("AS") and tokens[begin + 2].is_word("OF")):
            return None, at
        end = self._end_of_operand(begin + 3)
        while end + 1 < len(tokens) and (tokens[end].is_mark("-") or tokens[end].is_mark("+")):
            end = self._end_of_operand(end + 1)
        text = self.sql[tokens[begin + 3].start : tokens[end - 1].end]
        return Moment(_TRAVEL[tokens[begin].value], text), end

    def _end_of_operand(self, at: int) -> int:
        tokens = self.tokens
        if tokens[at].is_word("INTERVAL", "TIMESTAMP", "DATE") and at + 1 < len(tokens) and not tokens[at + 1].is_mark("("):
            return min(len(tokens), at + (3 if tokens[at].is_word("INTERVAL") else 2))
        if tokens[at].is_identifier:
            _, at = read_name(tokens, at)
        elif not tokens[at].is_mark("("):
            return at + 1
        return after_parentheses(tokens, at) if at < len(tokens) and tokens[at].is_mark("(") else at

    def _call(self, name: tuple[str, ...], first: int, at: int, *, is_relation: bool) -> None:
        """A call: note it, and go on inside its parentheses, where queries may stand."""
        end = after_parentheses(self.tokens, at)
        call = CallUse(
            name,
            self.tokens[first].start,
            self.tokens[end - 1].end,
            _arguments(self.tokens, at, end),
            is_relation,
            is_relation and self._has_alias(end),
        )
        self.calls.append(call)


def starts_alias(token: Token) -> bool:
    """Whether a token after a relation begins its alias."""
    return token.is_identifier and not token.is_word(*_NOT_ALIASES)


def _arguments(tokens: Sequence[Token], at: int, end: int) -> tuple[tuple[int, int], ...]:
    """Offsets of the arguments between the parentheses."""
    found: list[tuple[int, int]] = []
    depth, first = 0, at + 1
    for index in range(at, end):
        token = tokens[index]
        depth += (token.is_mark("(") or token.is_mark("[")) - (token.is_mark(")") or token.is_mark("]"))
        closes = depth == 0 and index == end - 1
        if closes or (depth == 1 and token.is_mark(",")):
            if index > first:
                found.append((tokens[first].start, tokens[index - 1].end))
            first = index + 1
    return tuple(found)
