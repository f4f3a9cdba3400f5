"""Names in a list of SELECT that an expression before them in the list defines: they stand for that expression."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.forms.repeatable import BEFORE_BRACKET, REPEATABLE
from boathouse.engine.gateway.sql.select_items import GROUPING, is_alias
from boathouse.engine.gateway.sql.select_scopes import Schema, Scope, past_query
from boathouse.engine.gateway.sql.statements import Edit, apply
from boathouse.engine.gateway.sql.tokens import Kind, Token

_NO_NAMES = frozenset(
    {
        "ALL",
        "AND",
        "ANY",
        "ARRAY",
        "AS",
        "ASC",
        "BETWEEN",
        "BY",
        "CASE",
        "CAST",
        "CROSS",
        "CURRENT",
        "CURRENT_DATE",
        "CURRENT_TIME",
    }
    | {
        "CURRENT_TIMESTAMP",
        "CURRENT_USER",
        "DATE",
        "DAY",
        "DAYS",
        "DESC",
        "DISTINCT",
        "DIV",
        "DOW",
        "DOY",
        "ELSE",
        "END",
        "ESCAPE",
    }
    | {
        "EXISTS",
        "FALSE",
        "FILTER",
        "FIRST",
        "FOLLOWING",
        "FOR",
        "FROM",
        "HOUR",
        "HOURS",
        "ILIKE",
        "IN",
        "INTERVAL",
        "IS",
        "LAST",
    }
    | {
        "LIKE",
        "MAP",
        "MICROSECOND",
        "MILLISECOND",
        "MINUTE",
        "MINUTES",
        "MONTH",
        "MONTHS",
        "NOT",
        "NULL",
        "NULLS",
        "OR",
        "ORDER",
    }
    | {
        "OVER",
        "PARTITION",
        "PRECEDING",
        "QUARTER",
        "RANGE",
        "REGEXP",
        "RLIKE",
        "ROW",
        "ROWS",
        "SECOND",
        "SECONDS",
        "SOME",
        "STRUCT",
    }
    | {"THEN", "TIMESTAMP", "TO", "TRUE", "UNBOUNDED", "USER", "WEEK", "WEEKS", "WHEN", "WITHIN", "YEAR", "YEARS"}
)
"""Words that are something else than a name in an expression: as the name of an expression they stand for nothing here."""
_SAME_EACH_TIME = (
    REPEATABLE
    | GROUPING
    | {
        *("row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead", "nth_value", "first_value"),
        *("last_value", "current_date", "current_timestamp", "now", "current_user", "current_catalog", "current_schema"),
    }
)
"""Functions that give the same value wherever they stand in one query."""


@dataclass(frozen=True)
class _Part:
    """One expression of a list: where it begins, where its value ends, where it ends, and the name that it is given."""

    begin: int
    value: int
    end: int
    name: str | None


def lateral_aliases(sql: str, tokens: Sequence[Token], scope: Scope, schema: Schema) -> list[Edit]:
    """What stands in the places of such names in one list; nothing for those that a column of its relations has.

    Raises:
        StatementRefused: If an expression may have another value each time.
    """
    defined: dict[str, _Part] = {}
    twice: set[str] = set()
    places: dict[int, _Part] = {}
    for part in _parts(tokens, scope.items):
        for index in _names(tokens, part.begin, part.value):
            meant = defined.get(tokens[index].identifier.lower())
            if meant is not None:
                places[index] = meant
        if part.name is not None:
            twice |= {part.name} & defined.keys()
            defined[part.name] = part
    places = {index: part for index, part in places.items() if part.name not in twice}
    if not places:
        return []
    query = scope.query(sql, tokens, "*")
    found = None if query is None else schema(query)
    if query is not None and found is None:
        return []
    known = set() if found is None else {one.lower() for one in found.names}
    places = {index: part for index, part in places.items() if part.name not in known}
    for part in set(places.values()):
        _require_repeatable(sql, tokens, part)
    return [Edit(tokens[at].start, tokens[at].end, f"({_value(sql, tokens, part, places)})") for at, part in places.items()]


def _value(sql: str, tokens: Sequence[Token], part: _Part, places: Mapping[int, _Part]) -> str:
    """The text of an expression, in which names stand for what they mean."""
    begin = tokens[part.begin].start
    inner = [
        Edit(tokens[at].start - begin, tokens[at].end - begin, f"({_value(sql, tokens, one, places)})")
        for at, one in places.items()
        if part.begin <= at < part.value
    ]
    return apply(sql[begin : tokens[part.value - 1].end], inner)


def _require_repeatable(sql: str, tokens: Sequence[Token], part: _Part) -> None:
    """Go on only if an expression has the same value wherever it stands.

    Raises:
        StatementRefused: If it has not, or calls a function that is not known here.
    """
    for index in range(part.begin, part.value - 1):
        token = tokens[index]
        called = token.is_identifier and tokens[index + 1].is_mark("(") and not token.is_word(*BEFORE_BRACKET)
        if called and token.identifier.lower() not in _SAME_EACH_TIME:
            text = sql[tokens[part.begin].start : tokens[part.value - 1].end]
            message = (
                f"`{part.name}` in the list of SELECT stands for {text}, and {token.identifier} may give another value each time. "
                "Define it in a subquery, and use it outside of that."
            )
            raise StatementRefused(message)


def _parts(tokens: Sequence[Token], items: tuple[int, int]) -> list[_Part]:
    found: list[_Part] = []
    begin, depth = items[0], 0
    for index in range(items[0], items[1] + 1):
        token = tokens[index] if index < items[1] else None
        if token is not None:
            depth += token.is_mark("(") + token.is_mark("[") - token.is_mark(")") - token.is_mark("]")
        if token is None or (depth == 0 and token.is_mark(",")):
            if begin < index:
                found.append(_part(tokens[begin:index], begin))
            begin = index + 1
    return found


def _part(tokens: Sequence[Token], begin: int) -> _Part:
    end = begin + len(tokens)
    if len(tokens) > 1 and is_alias(tokens):
        name = tokens[-1].identifier.lower()
        is_name = tokens[-1].kind is Kind.NAME or tokens[-1].value not in _NO_NAMES
        return _Part(begin, end - (2 if tokens[-2].is_word("AS") else 1), end, name if is_name else None)
    return _Part(begin, end, end, None)


def _names(tokens: Sequence[Token], begin: int, end: int) -> Iterator[int]:
    """Where names of one part stand that can be columns, but not in queries of their own."""
    variables = _variables(tokens, begin, end)
    index = begin
    while (index := past_query(tokens, index)) < end:
        token, before = tokens[index], tokens[index - 1]
        after = tokens[index + 1] if index + 1 < len(tokens) else None
        index += 1
        if not token.is_identifier or token.identifier.lower() in variables or before.is_word("AS", "INTERVAL"):
            continue
        is_cast = index + 1 < len(tokens) and tokens[index].is_mark(":") and tokens[index + 1].is_mark(":")
        if (index > begin + 1 and (before.is_mark(".") or before.is_mark(":"))) or (
            after is not None and _is_no_column(after) and not is_cast
        ):
            continue
        named = after is not None and after.is_mark("=") and index + 1 < len(tokens) and tokens[index + 1].is_mark(">")
        if not (named and after is not None and after.end == tokens[index + 1].start):
            yield index - 1


def _is_no_column(after: Token) -> bool:
    """Whether what stands before a token is a function, a relation, a field of a type or the kind of a literal."""
    return after.kind is Kind.STRING or (after.kind is Kind.MARK and after.value in "(.:")


def _variables(tokens: Sequence[Token], begin: int, end: int) -> set[str]:
    """The parameters of the lambda functions in a range."""
    found: set[str] = set()
    for index in range(begin + 1, end - 1):
        if tokens[index].is_mark("-") and tokens[index + 1].is_mark(">") and tokens[index].end == tokens[index + 1].start:
            at = index - 1
            while at >= begin and not tokens[at].is_mark("("):
                if tokens[at].is_identifier:
                    found.add(tokens[at].identifier.lower())
                elif not (tokens[at].is_mark(",") or tokens[at].is_mark(")")):
                    break
                at -= 1
    return found
