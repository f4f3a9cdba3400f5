"""Calls that the embedded engine knows in fewer forms than Spark, or understands otherwise, as those that it has.

``log(x)`` is ``ln``, ``decode`` with values to compare is a ``CASE``, ``regexp_replace`` begins where it is told, the days of weeks
in ``extract`` are numbered from Sunday on, and ``weekday`` of a Sunday is 6. ``sum(CAST(a AS DOUBLE))`` has the engine's name of ``sum(a)``, so that both cannot stand
in one query: the cast becomes a part of another call. ``(a, b) NOT IN (SELECT ...)`` asks whether there is a row that is, or may be, equal.
"""

import re
from collections.abc import Sequence

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.forms.calls import (
    FREQUENT,
    HIGHER,
    NAMES,
    PERCENTILE,
    PERCENTILES,
    Higher,
    Literal,
    is_percentile,
    pattern,
)
from boathouse.engine.gateway.forms.java_regexes import expression, replacement, shown
from boathouse.engine.gateway.sql.inserts import split
from boathouse.engine.gateway.sql.relations import CallUse
from boathouse.engine.gateway.sql.select_items import standing
from boathouse.engine.gateway.sql.select_scopes import Schema, common_before
from boathouse.engine.gateway.sql.statements import Edit, apply
from boathouse.engine.gateway.sql.tokens import Kind, Token, closing, literal, outside, quote, tokenize, words_of

_MAY_HAVE = re.compile(
    rf"\b(?:extract|date_?part|weekday|log|decode|regexp_replace|timestampdiff|collect_list|array_agg|{'|'.join(sorted(NAMES | PERCENTILES))}|percentile)\s*\(|\b(?:sum|avg|mean|min|max)\s*\(.*(?:\bcast\b|::|\b(?:double|string|bigint|float|int|date|timestamp)\s*\()"
    r"|\b(?:rlike|regexp)\b|\)\s*in\s*\(\s*\(|\)\s*not\s+in\s*\(|\bnot\s*\(.*\)\s*in\s*\(",
    re.IGNORECASE | re.DOTALL,
)
_CASTS = frozenset({"DOUBLE", "FLOAT", "STRING", "BIGINT", "INT", "SMALLINT", "TINYINT", "DATE", "TIMESTAMP", "BOOLEAN"})
_COLLECTING = ("COLLECT_LIST", "ARRAY_AGG")
_AGGREGATES = ("SUM", "AVG", "MEAN", "MIN", "MAX")
_WHOLES = {"HOUR": 24, "MINUTE": 60, "SECOND": 60}
"""How many of a part of a time make the next larger one."""
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
        places = (at for at in range(len(tokens) - 2, -1, -1) if tokens[at].start < done)
        found = next(((at, edit) for at in places if (edit := _edit(sql, tokens, at, schema)) is not None), None)
        if found is None:
            return sql
        at, edit = found
        done = tokens[at].start
        name = standing(tokens, CallUse((), edit.start, edit.end, ())).unnamed
        named = [] if name is None else [Edit(name[1], name[1], f" AS {quote([_named(tokens, *name)])}")]
        sql = apply(sql, [edit, *named])


def _named(tokens: Sequence[Token], begin: int, end: int) -> str:
    """How an expression between two offsets is shown: strings without their quotes, a blank behind commas."""
    made, last = "", None
    for token in tokens:
        if not (begin <= token.start and token.end <= end):
            continue
        if last is not None:
            is_apart = last.is_mark(",") or (token.start > last.end and not last.is_mark("("))
            made += " " if is_apart and not (token.is_mark(",") or token.is_mark(")")) else ""
        is_typed = last is not None and (
            last.is_word("DATE", "TIMESTAMP", "TIMESTAMP_NTZ", "INTERVAL") or token.raw[0] not in "'\""
        )
        if token.kind is Kind.STRING and last is not None and is_typed and last.kind is Kind.WORD and last.end == token.start:
            made += " "
        made += token.raw if token.kind is not Kind.STRING or is_typed else token.value
        last = token
    return made


def _edit(sql: str, tokens: Sequence[Token], at: int, schema: Schema | None) -> Edit | None:
    """How the call, or the comparison with the rows of a query, is to be written that begins at a token."""
    if tokens[at].is_word("RLIKE", "REGEXP") and tokens[at + 1].kind is Kind.STRING and not tokens[at + 1].opaque:
        made = expression(tokens[at + 1].value)
        return None if made is None else Edit(tokens[at + 1].start, tokens[at + 1].end, literal(made))
    if tokens[at].is_mark("("):
        return _not_in(sql, tokens, at, schema) or _in(sql, tokens, at)
    is_call = tokens[at].kind is Kind.WORD and tokens[at + 1].is_mark("(") and not (at and tokens[at - 1].is_mark("."))
    closed = closing(tokens, at + 1) if is_call else None
    if closed is None or closed == at + 2:
        return None
    parts = split(tokens[at + 2 : closed])
    if not all(parts):
        return None
    texts = [sql[part[0].start : part[-1].end] for part in parts]
    if is_percentile(tokens[at].value.lower(), [_literal(part) for part in parts]):
        return _percentile(sql, tokens, at, closed)
    if tokens[at].is_word(*_COLLECTING):
        return _collected(sql, tokens, at, closed)
    made = _call(tokens[at].value, parts, texts)
    if made is None:
        made = _patterned(sql, tokens[at], parts, texts)
    if made is None and tokens[at].is_word(*_AGGREGATES) and len(parts) == 1:
        made = _aggregate(sql, tokens, at, parts[0])
    return None if made is None else Edit(tokens[at].start, tokens[closed].end, made)


def _call(name: str, parts: Sequence[Sequence[Token]], texts: Sequence[str]) -> str | None:
    match name, len(parts):
        case "WEEKDAY", 1:
            return f"pmod(weekday({texts[0]}), 7)"
        case (("DATEDIFF" | "DATE_DIFF" | "TIMESTAMPDIFF"), 3) if parts[0][0].is_word("DAY"):
            # Of days the engine counts those that begin.
            return f"div(timestampdiff(HOUR, {texts[1]}, {texts[2]}), 24)"
        case "LOG", 1:
            return f"ln({texts[0]})"
        case "REGEXP_REPLACE", 4:
            return _replaced(parts, texts)
        case "DECODE", count if count > 2:
            pairs = zip(texts[1 : count - 1 : 2], texts[2::2], strict=False)
            cases = " ".join(f"WHEN ({texts[0]}) <=> ({one}) THEN {value}" for one, value in pairs)
            return f"CASE {cases}{f' ELSE {texts[-1]}' if count % 2 == 0 else ''} END"
        case "EXTRACT", 1:
            part = parts[0]
            if len(part) < 3 or not part[1].is_word("FROM"):
                return None
            return _part(part[0].value, texts[0][part[2].start - part[0].start :])
        case (("DATE_PART" | "DATEPART"), 2):
            return _part(texts[0].strip("'\"").upper(), texts[1]) if parts[0][0].kind is Kind.STRING else None
        case _:
            return None


def _replaced(parts: Sequence[Sequence[Token]], texts: Sequence[str]) -> str:
    """``regexp_replace`` from a place on."""
    value, pattern, new, begin = texts
    known, matched = (_literal(part) for part in (parts[2], parts[1]))
    if isinstance(known, str):
        new = shown(replacement(known, matched if isinstance(matched, str) else None) or new)
    if isinstance(matched, str):
        pattern = literal(expression(matched) or matched)
    if begin == "1":
        return f"regexp_replace({value}, {pattern}, {new})"
    return f"concat(left({value}, {begin} - 1), regexp_replace(substring({value}, {begin}), {pattern}, {new}))"


def _part(field: str, value: str) -> str | None:
    """A part of a time, or of an interval: the engine gives all of its hours, though a day has 24."""
    form = _PARTS.get(field)
    whole = _WHOLES.get(field.removesuffix("S"))
    if whole is None:
        return None if form is None else form.format(value)
    return f"mod(date_part('{field}', {value}), {whole})"


def _patterned(sql: str, name: Token, parts: Sequence[Sequence[Token]], texts: Sequence[str]) -> str | None:
    """A call by its pattern."""
    higher = HIGHER.get((name.value.lower(), len(parts)))
    element = f"`__bh_element_{name.start}`"
    if higher is not None:
        return _higher(higher, sql, parts[-1], texts, element)
    text = pattern(
        name.value.lower(), [_literal(part) for part in parts], [len(one) == 1 and one[0].is_word("NULL") for one in parts]
    )
    return None if text is None else _filled(text, texts, element)


def _filled(text: str, texts: Sequence[str], element: str, body: str = "") -> str:
    made = re.sub(r"\{(\w+)\}", lambda found: {"element": element, "body": body}.get(found[1]) or texts[int(found[1])], text)
    return shown(made)


def _literal(part: Sequence[Token]) -> Literal:
    """What a plain number or string is, or a map of strings."""
    if len(part) > 3 and part[0].is_word("MAP") and part[1].is_mark("(") and closing(part, 1) == len(part) - 1:
        values = [one[0].value for one in split(part[2:-1]) if len(one) == 1 and one[0].kind is Kind.STRING]
        return tuple(values) if len(values) == len(split(part[2:-1])) else None
    if len(part) == 1 and part[0].kind is Kind.STRING and not part[0].opaque:
        return part[0].value
    is_negative = len(part) == 2 and part[0].is_mark("-")
    return int(part[-1].raw) * (1 - 2 * is_negative) if len(part) == 1 + is_negative and part[-1].raw.isdecimal() else None


def _higher(higher: Higher, sql: str, function: Sequence[Token], texts: Sequence[str], element: str) -> str | None:
    """A call with a lambda function."""
    arrow = next((at for at in range(len(function) - 1) if function[at].is_mark("-") and function[at + 1].is_mark(">")), None)
    names = [] if arrow is None else [one.identifier.lower() for one in function[:arrow] if one.is_identifier]
    if arrow is None or len(names) != len(higher.parameters):
        return None
    values = {name: _filled(text, texts, element) for name, text in zip(names, higher.parameters, strict=True)}
    begin = function[arrow + 2].start
    edits: list[Edit] = []
    for at in range(arrow + 2, len(function)):
        token = function[at]
        is_part = function[at - 1].is_mark(".") or (at + 1 < len(function) and function[at + 1].is_mark("("))
        if token.is_identifier and token.identifier.lower() in values and not is_part:
            edits.append(Edit(token.start - begin, token.end - begin, values[token.identifier.lower()]))
    body = apply(sql[begin : function[-1].end], edits)
    return _filled(higher.pattern, texts, element, body)


def _percentile(sql: str, tokens: Sequence[Token], at: int, closed: int) -> Edit | None:
    """``percentile_approx`` of one percentage, or of several, with its FILTER and OVER."""
    parts = split(tokens[at + 2 : closed])
    if parts[0][0].is_word("DISTINCT"):
        return None
    end = closed
    while end + 2 < len(tokens) and tokens[end + 1].is_word("FILTER", "OVER"):
        after = closing(tokens, end + 2) if tokens[end + 2].is_mark("(") else end + 2
        if after is None:
            return None
        end = after
    suffix = f" {sql[tokens[closed].end : tokens[end].end].strip()}" if end > closed else ""
    value, given = (sql[part[0].start : part[-1].end] for part in parts[:2])
    listed = (
        parts[1][2:-1]
        if parts[1][0].is_word("ARRAY") and len(parts[1]) > 3 and closing(parts[1], 1) == len(parts[1]) - 1
        else None
    )
    percentages = [given] if listed is None else [sql[part[0].start : part[-1].end] for part in split(listed)]
    if tokens[at].is_word("PERCENTILE"):
        times = sql[parts[2][0].start : parts[2][-1].end]
        made = [_filled(_over(FREQUENT, suffix), (value, one, f"({times})"), "") for one in percentages]
    else:
        made = [_filled(_over(PERCENTILE, suffix), (value, one), "") for one in percentages]
    whole = made[0] if listed is None else f"if((count({value}){suffix} > 0), array({', '.join(made)}), NULL)"
    return Edit(tokens[at].start, tokens[end].end, whole)


def _collected(sql: str, tokens: Sequence[Token], at: int, closed: int) -> Edit | None:
    """``collect_list`` over a window without NULLs, which the engine leaves out of groups only."""
    end, is_over = closed, False
    while end + 2 < len(tokens) and tokens[end + 1].is_word("FILTER", "OVER"):
        is_over = is_over or tokens[end + 1].is_word("OVER")
        after = closing(tokens, end + 2) if tokens[end + 2].is_mark("(") else end + 2
        if after is None:
            return None
        end = after
    if not is_over:
        return None
    element = f"`__bh_element_{tokens[at].start}`"
    text = sql[tokens[at].start : tokens[end].end]
    return Edit(tokens[at].start, tokens[end].end, f"filter({text}, {element} -> isnotnull({element}))")


def _over(text: str, suffix: str) -> str:
    """A pattern of which the aggregates have what stands behind a call: FILTER and OVER."""
    if not suffix:
        return text
    while True:
        at = next((one.start() for one in re.finditer(r"\b(?:count|collect_list)\(", text)), None)
        if at is None:
            return text.replace("__bh_", "")
        end = _closed(text, text.index("(", at))
        text = f"{text[:at]}__bh_{text[at:end]}{suffix}{text[end:]}"


def _closed(text: str, opening: int) -> int:
    """Where the brackets end that open at a place."""
    depth = 0
    for at in range(opening, len(text)):
        depth += (text[at] == "(") - (text[at] == ")")
        if depth == 0:
            return at + 1
    return len(text)


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
    if end is not None and tokens[opening + 1].is_mark("("):
        return _in_list(sql, tokens, (at - is_denied, end), (values, split(tokens[opening + 1 : end])), denies=True)
    if end is None or not tokens[opening + 1].is_word("SELECT", "WITH", "VALUES", "FROM", "TABLE"):
        return None
    query = sql[tokens[opening + 1].start : tokens[end - 1].end]
    if any(token.is_mark(":") or token.is_mark("?") for token in tokens[opening:end]):
        # A parameter, of which nothing is known here.
        return None
    if schema(common_before(sql, tokens, opening + 1) + query) is None:
        message = (
            "(a, b) NOT IN (SELECT ...) of a query that names columns of the query around it, or something that is not there, is not "
            "supported by this engine: write NOT EXISTS (SELECT 1 FROM ... WHERE a = x AND b = y)."
        )
        raise StatementRefused(message)
    names = [f"`__bh_in_{number}`" for number in range(len(values))]
    equal = " AND ".join(
        f"coalesce(({sql[part[0].start : part[-1].end]}) = {name}, TRUE)" for part, name in zip(values, names, strict=True)
    )
    text = f"NOT EXISTS (SELECT 1 FROM ({query}) AS `__bh_in`({', '.join(names)}) WHERE {equal})"  # noqa: S608 - pieces of the statement itself
    return Edit(tokens[at - is_denied].start, tokens[end].end, text)


def _in(sql: str, tokens: Sequence[Token], at: int) -> Edit | None:
    """``(a, b) IN ((1, 2), ...)``, where the first is no function's arguments."""
    closed = closing(tokens, at)
    if closed is None or closed + 3 >= len(tokens) or not tokens[closed + 1].is_word("IN"):
        return None
    end = closing(tokens, closed + 2) if tokens[closed + 2].is_mark("(") and tokens[closed + 3].is_mark("(") else None
    values = split(tokens[at + 1 : closed])
    is_named = bool(at) and tokens[at - 1].is_identifier and not _begins(tokens, at)
    if end is None or is_named or len(values) < 2 or not all(values):
        return None
    return _in_list(sql, tokens, (at, end), (values, split(tokens[closed + 3 : end])))


def _in_list(
    sql: str,
    tokens: Sequence[Token],
    span: tuple[int, int],
    parts: tuple[Sequence[Sequence[Token]], Sequence[Sequence[Token]]],
    *,
    denies: bool = False,
) -> Edit | None:
    """``(a, b) IN ((1, 2), (3, 4))`` as comparisons; rows of which fields are NULL are equal, as structs are."""
    values, rows = parts
    found: list[str] = []
    for row in rows:
        listed = split(row[1:-1]) if len(row) > 2 and row[0].is_mark("(") and closing(row, 0) == len(row) - 1 else []
        if len(listed) != len(values) or not all(listed):
            return None
        pairs = zip(values, listed, strict=True)
        equal = (f"({sql[a[0].start : a[-1].end]}) <=> ({sql[b[0].start : b[-1].end]})" for a, b in pairs)
        found.append(f"({' AND '.join(equal)})")
    return Edit(tokens[span[0]].start, tokens[span[1]].end, f"{'NOT ' * denies}({' OR '.join(found)})")


def _begins(tokens: Sequence[Token], at: int) -> bool:
    """Whether a list in brackets stands behind a word that is no function's name."""
    return tokens[at - 1].is_word("WHERE", "AND", "OR", "NOT", "ON", "HAVING", "WHEN", "QUALIFY", "STRUCT", "ROW")
