"""Calls that the embedded engine knows in fewer forms than Spark, or understands otherwise, as those that it has.

``log(x)`` is ``ln``, ``decode`` with values to compare is a ``CASE``, ``regexp_replace`` begins where it is told, the days of weeks
in ``extract`` are numbered from Sunday on, and ``weekday`` of a Sunday is 6. ``sum(CAST(a AS DOUBLE))`` has the engine's name of ``sum(a)``, so that both cannot stand
in one query: the cast becomes a part of another call. ``(a, b) NOT IN (SELECT ...)`` asks whether there is a row that is, or may be, equal.
"""

import re
from collections.abc import Sequence

from boathouse.engine.gateway.sql.inserts import split
from boathouse.engine.gateway.sql.relations import CallUse
from boathouse.engine.gateway.sql.select_items import standing
from boathouse.engine.gateway.sql.select_scopes import Schema
from boathouse.engine.gateway.sql.statements import Edit, apply
from boathouse.engine.gateway.sql.tokens import Kind, Token, closing, outside, quote, tokenize, words_of

_MAY_HAVE = re.compile(
    r"\b(?:extract|date_?part|weekday|log|decode|regexp_replace)\s*\(|\b(?:sum|avg|mean|min|max)\s*\(.*(?:\bcast\b|::|\b(?:double|string|bigint|float|int|date|timestamp)\s*\()"
    r"|\)\s*not\s+in\s*\(|\bnot\s*\(.*\)\s*in\s*\(",
    re.IGNORECASE | re.DOTALL,
)
_CASTS = frozenset({"DOUBLE", "FLOAT", "STRING", "BIGINT", "INT", "SMALLINT", "TINYINT", "DATE", "TIMESTAMP", "BOOLEAN"})
_AGGREGATES = ("SUM", "AVG", "MEAN", "MIN", "MAX")
_PARTS = {
    "DOW": "dayofweek({})",
    "DAYOFWEEK": "dayofweek({})",
    "DOW_ISO": "(pmod(weekday({}), 7) + 1)",
    "DAYOFWEEK_ISO": "(pmod(weekday({}), 7) + 1)",
    "YEAROFWEEK": "date_part('ISOYEAR', {})",
}


def with_calls(sql: str, schema: Schema | None = None) -> str:
    """A text with such calls as the engine reads them.

    Args:
        sql: The text.
        schema: Tells what a query gives; None where no query can be asked about.
    """
    if _MAY_HAVE.search(sql) is None:
        return sql
    done = len(sql)
    while True:
        tokens = tokenize(sql)
        # The innermost first, so that what is around it is written with what has come of it.
        places = (at for at in range(len(tokens) - 3, -1, -1) if tokens[at].start < done)
        found = next(((at, edit) for at in places if (edit := _edit(sql, tokens, at, schema)) is not None), None)
        if found is None:
            return sql
        at, edit = found
        done = tokens[at].start
        name = standing(tokens, CallUse((), edit.start, edit.end, ())).unnamed
        named = [] if name is None else [Edit(name[1], name[1], f" AS {quote([' '.join(sql[name[0] : name[1]].split())])}")]
        sql = apply(sql, [edit, *named])


def _edit(sql: str, tokens: Sequence[Token], at: int, schema: Schema | None) -> Edit | None:
    """How the call, or the comparison with the rows of a query, is to be written that begins at a token."""
    if tokens[at].is_mark("("):
        return _not_in(sql, tokens, at, schema)
    is_call = tokens[at].kind is Kind.WORD and tokens[at + 1].is_mark("(") and not (at and tokens[at - 1].is_mark("."))
    closed = closing(tokens, at + 1) if is_call else None
    if closed is None or closed == at + 2:
        return None
    parts = split(tokens[at + 2 : closed])
    if not all(parts):
        return None
    texts = [sql[part[0].start : part[-1].end] for part in parts]
    made = _call(tokens[at].value, parts, texts)
    if made is None and tokens[at].is_word(*_AGGREGATES) and len(parts) == 1:
        made = _aggregate(sql, tokens, at, parts[0])
    return None if made is None else Edit(tokens[at].start, tokens[closed].end, made)


def _call(name: str, parts: Sequence[Sequence[Token]], texts: Sequence[str]) -> str | None:
    match name, len(parts):
        case "WEEKDAY", 1:
            return f"pmod(weekday({texts[0]}), 7)"
        case "LOG", 1:
            return f"ln({texts[0]})"
        case "REGEXP_REPLACE", 4:
            value, pattern, new, begin = texts
            if begin == "1":
                return f"regexp_replace({value}, {pattern}, {new})"
            return f"concat(left({value}, {begin} - 1), regexp_replace(substring({value}, {begin}), {pattern}, {new}))"
        case "DECODE", count if count > 2:
            pairs = zip(texts[1 : count - 1 : 2], texts[2::2], strict=False)
            cases = " ".join(f"WHEN ({texts[0]}) <=> ({one}) THEN {value}" for one, value in pairs)
            return f"CASE {cases}{f' ELSE {texts[-1]}' if count % 2 == 0 else ''} END"
        case "EXTRACT", 1:
            part = parts[0]
            form = _PARTS.get(part[0].value) if len(part) > 2 and part[1].is_word("FROM") else None
            return None if form is None else form.format(texts[0][part[2].start - part[0].start :])
        case (("DATE_PART" | "DATEPART"), 2):
            form = _PARTS.get(texts[0].strip("'\"").upper()) if parts[0][0].kind is Kind.STRING else None
            return None if form is None else form.format(texts[1])
        case _:
            return None


def _aggregate(sql: str, tokens: Sequence[Token], at: int, part: Sequence[Token]) -> str | None:
    """An aggregate of a cast beside another one of the same that is not, or otherwise, cast."""
    inner = _uncast(part)
    words = words_of(part)
    if inner == words:
        return None
    calls = [one for one in range(len(tokens) - 2) if tokens[one].value == tokens[at].value and tokens[one + 1].is_mark("(")]
    arguments = [tokens[one + 2 : closing(tokens, one + 1)] for one in calls]
    same = [words_of(argument) for argument in arguments]
    if not any(
        argument and said != words and _uncast(argument) == inner for argument, said in zip(arguments, same, strict=True)
    ):
        return None
    # What is written in the same way stays the same, and differs from all else.
    nothing = ", NULL" * (1 + same.index(words))
    return f"{tokens[at].raw}(coalesce({sql[part[0].start : part[-1].end]}{nothing}))"


def _uncast(part: Sequence[Token]) -> tuple[str, ...]:
    """The words of an expression without the casts around it."""
    while True:
        end = len(part) - 1
        is_call = len(part) > 3 and part[1].is_mark("(") and closing(part, 1) == end
        if is_call and part[0].value in _CASTS:
            part = part[2:end]
        elif is_call and part[0].is_word("CAST", "TRY_CAST"):
            named = [index for index in outside(part, 2, end) if part[index].is_word("AS")]
            part = part[2 : named[-1] if named else end]
        elif len(part) > 3 and part[-2].is_mark(":") and part[-3].is_mark(":"):
            part = part[:-3]
        else:
            return words_of(part)


def _not_in(sql: str, tokens: Sequence[Token], at: int, schema: Schema | None) -> Edit | None:
    """``(a, b) NOT IN (SELECT ...)`` as ``NOT EXISTS``, where the query stands for itself."""
    closed = closing(tokens, at)
    if schema is None or closed is None or closed + 3 >= len(tokens):
        return None
    values = split(tokens[at + 1 : closed])
    is_denied = bool(at) and tokens[at - 1].is_word("NOT") and tokens[closed + 1].is_word("IN")
    opening = closed + 2 + (not is_denied)
    is_whole = is_denied or (tokens[closed + 1].is_word("NOT") and tokens[closed + 2].is_word("IN"))
    if (
        not is_whole
        or len(values) < 2
        or not all(values)
        or (at and tokens[at - 1].kind is Kind.WORD and not _begins(tokens, at))
    ):
        return None
    end = closing(tokens, opening) if opening + 1 < len(tokens) and tokens[opening].is_mark("(") else None
    if end is None or not tokens[opening + 1].is_word("SELECT", "WITH", "VALUES", "FROM", "TABLE"):
        return None
    query = sql[tokens[opening + 1].start : tokens[end - 1].end]
    if schema(query) is None:
        # It names columns of the query around it.
        return None
    names = [f"`__bh_in_{number}`" for number in range(len(values))]
    equal = " AND ".join(
        f"coalesce(({sql[part[0].start : part[-1].end]}) = {name}, TRUE)" for part, name in zip(values, names, strict=True)
    )
    text = f"NOT EXISTS (SELECT 1 FROM ({query}) AS `__bh_in`({', '.join(names)}) WHERE {equal})"  # noqa: S608 - pieces of the statement itself
    return Edit(tokens[at - is_denied].start, tokens[end].end, text)


def _begins(tokens: Sequence[Token], at: int) -> bool:
    """Whether a list in brackets stands behind a word that is no function's name."""
    return tokens[at - 1].is_word("WHERE", "AND", "OR", "NOT", "ON", "HAVING", "WHEN", "QUALIFY", "STRUCT", "ROW")
