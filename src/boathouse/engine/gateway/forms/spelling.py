"""Forms of Spark SQL that the embedded engine does not read, in forms that it does.

``SELECT a, b FROM t QUALIFY c`` is a query around one that has the condition as a column; what the query selects is packed into a
struct where its names are not in the text (``*``). ``GROUP BY ALL`` and ``ORDER BY ALL`` count the columns, and so does the ORDER BY of
a ``SELECT DISTINCT``, which knows no relation any more. ``PIVOT (... FOR a IN`` wants parentheses around the column, and ``UNPIVOT``
keeps NULLs, so those that are not asked for are left out around it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from boathouse.engine.gateway.forms.call_forms import with_calls
from boathouse.engine.gateway.forms.collations import without_collations
from boathouse.engine.gateway.forms.colon_paths import with_functions
from boathouse.engine.gateway.forms.common_rows import with_common_rows
from boathouse.engine.gateway.forms.day_frames import with_days_counted
from boathouse.engine.gateway.forms.pipes import with_pipes
from boathouse.engine.gateway.forms.pivoted import relation_before, with_optional_columns, with_selected_values
from boathouse.engine.gateway.forms.relation_forms import with_forms, with_quotes, with_select_first
from boathouse.engine.gateway.forms.select_lists import may_have_lists, with_lists
from boathouse.engine.gateway.sql.inserts import split
from boathouse.engine.gateway.sql.select_items import GROUPING, SETS, without_name
from boathouse.engine.gateway.sql.select_scopes import Schema
from boathouse.engine.gateway.sql.statements import Edit, apply
from boathouse.engine.gateway.sql.tokens import Kind, Token, after_parentheses, closing, quote, read_name, tokenize, words_of

_MAY_HAVE = re.compile(r"\b(qualify|by\s+all|(un)?pivot|select\s+distinct|rollup|cube|sets)\b", re.IGNORECASE)
_ENDS = frozenset(
    {"ORDER", "SORT", "CLUSTER", "DISTRIBUTE", "LIMIT", "OFFSET", "UNION", "EXCEPT", "MINUS", "INTERSECT", "WINDOW"}
)
_NULLS = frozenset({"INCLUDE", "EXCLUDE"})
_ORDERS = ("ASC", "DESC", "NULLS", "FIRST", "LAST")
_TARGET, _SOURCE = "__bh_target", "__bh_source"
_SETS_OF_GROUPS = ("ROLLUP", "CUBE", "SETS")
_ROW, _KEPT = "__bh_row", "__bh_kept"


def spell(sql: str, schema: Schema) -> str:
    """A text as the engine reads it.

    Args:
        sql: The text.
        schema: Tells what a query gives that names what the text can name.

    Raises:
        StatementRefused: If something in it cannot be said so that the engine reads it.
    """
    sql = with_quotes(sql)
    sql = with_calls(with_optional_columns(with_selected_values(with_pipes(without_collations(sql), schema))), schema)
    sql = with_days_counted(with_select_first(with_functions(sql)), schema)
    if may_have_lists(sql):
        sql = with_lists(sql, schema)
    sql = with_common_rows(with_forms(sql))
    if _MAY_HAVE.search(sql) is None:
        return sql
    sql = _unpivots(sql)
    while True:
        tokens = tokenize(sql)
        places = sorted(range(len(tokens) - 1, 0, -1), key=lambda at: tokens[at].is_word("QUALIFY"))
        edits = next((found for at in places if (found := _edits(sql, tokens, at))), None)
        if edits is None:
            return sql
        sql = apply(sql, edits)


def delete_as_merge(sql: str, tokens: list[Token], columns: Sequence[str]) -> str | None:
    """A DELETE whose condition has a query as a MERGE with the rows that it holds for; None for any other.

    Whether the condition holds is decided by those columns that it names, so rows that are equal in these are deleted together.

    Args:
        sql: The statement.
        tokens: Of the statement.
        columns: Of the table.
    """
    if not (len(tokens) > 3 and tokens[0].is_word("DELETE") and tokens[1].is_word("FROM")):
        return None
    name, after = read_name(tokens, 2)
    where = next((at for at in range(after, len(tokens)) if tokens[at].is_word("WHERE")), None)
    end = len(tokens) - tokens[-1].is_mark(";")
    if not name or where is None or where + 1 >= end or not any(token.is_word("SELECT") for token in tokens[where:]):
        return None
    named = {token.identifier.lower() for token in tokens[where:end] if token.is_identifier}
    keys = [quote([column]) for column in columns if column.lower() in named] or [quote([columns[0]])]
    found = f"SELECT DISTINCT {', '.join(keys)} {sql[tokens[1].start : tokens[end - 1].end]}"
    matched = " AND ".join(f"`{_TARGET}`.{key} <=> `{_SOURCE}`.{key}" for key in keys)
    target = sql[tokens[2].start : tokens[after - 1].end]
    return f"MERGE INTO {target} AS `{_TARGET}` USING ({found}) AS `{_SOURCE}` ON {matched} WHEN MATCHED THEN DELETE"


def _unpivots(sql: str) -> str:
    done = 0
    while True:
        tokens = tokenize(sql)
        places = [
            at for at, token in enumerate(tokens[:-2]) if token.is_word("UNPIVOT") and tokens[at + 1].value in {"(", *_NULLS}
        ]
        if done == len(places):
            return sql
        done += 1
        sql = apply(sql, _unpivot(tokens, places[-done]))


def _unpivot(tokens: list[Token], at: int) -> list[Edit]:
    said = tokens[at + 1] if tokens[at + 1].value in _NULLS else None
    words = [] if said is None else [Edit(said.start, tokens[at + 2].end, "")]
    begin, opening = relation_before(tokens, at), at + 1 + 2 * len(words)
    closed = closing(tokens, opening) if opening < len(tokens) and tokens[opening].is_mark("(") else None
    if begin is None or closed is None or (said is not None and said.value == "INCLUDE"):
        return words
    end = next((index for index in range(opening + 1, closed) if tokens[index].is_word("FOR")), opening + 1)
    values = [token for token in tokens[opening + 1 : end] if token.is_identifier]
    some = " OR ".join(f"{token.raw} IS NOT NULL" for token in values) or "TRUE"
    return [
        Edit(tokens[begin].start, tokens[begin].start, "(SELECT * FROM "),
        *words,
        Edit(tokens[closed].end, tokens[closed].end, f" WHERE {some})"),
    ]


def _edits(sql: str, tokens: list[Token], at: int) -> list[Edit]:
    """What is to be changed for the clause that begins at a token."""
    if tokens[at].is_word("QUALIFY"):
        return _qualify(sql, tokens, at)
    if tokens[at].is_word("HAVING"):
        return _having(sql, tokens, at)
    if tokens[at].is_word("PIVOT"):
        return _pivot(tokens, at)
    if tokens[at].is_word("ALL") and at > 1 and tokens[at - 1].is_word("BY"):
        if tokens[at - 2].is_word("ORDER"):
            return _order_by_all(tokens, at)
        if tokens[at - 2].is_word("GROUP"):
            return _group_by_all(tokens, at)
    if tokens[at].is_word("BY") and tokens[at - 1].is_word("ORDER"):
        return _order_of_distinct(tokens, at)
    return []


def _pivot(tokens: list[Token], at: int) -> list[Edit]:
    if at + 1 == len(tokens) or not tokens[at + 1].is_mark("("):
        return []
    for index in range(at + 2, after_parentheses(tokens, at + 1)):
        if tokens[index].is_word("FOR") and tokens[index - 1].value not in ".,":
            name, end = read_name(tokens, index + 1)
            if name and end < len(tokens) and tokens[end].is_word("IN"):
                return [
                    Edit(tokens[index + 1].start, tokens[index + 1].start, "("),
                    Edit(tokens[end - 1].end, tokens[end - 1].end, ")"),
                ]
    return []


def _qualify(sql: str, tokens: Sequence[Token], at: int) -> list[Edit]:
    first = _select_of(tokens, at)
    begin = None if first is None else _from_of(tokens, first, at)
    after = tokens[at + 1] if at + 1 < len(tokens) else None
    if first is None or begin is None or after is None or (after.kind is Kind.MARK and after.value in ",.)=<>!;"):
        return []
    items_at = first + 1 + tokens[first + 1].is_word("DISTINCT", "ALL")
    items = [_item(sql, part) for part in split(tokens[items_at:begin])]
    if any(item is None for item in items):
        return []
    known = [item for item in items if item is not None]
    end = _end_of(tokens, at + 1)
    # A condition on groups can call them by the name of their column, too.
    called = [item for item in known if item.is_windowed or (tokens[at].is_word("HAVING") and "(" in item.value)]
    condition = _with_aliases(sql, tokens[at + 1 : end], called)
    names = [item.name for item in known]
    if None in names or len({str(name).lower() for name in names}) < len(names):
        shown, inner = f"`{_ROW}`.*", f"struct({', '.join(item.text for item in known)}) AS `{_ROW}`"
    else:
        shown = ", ".join(quote([str(name)]) for name in names)
        inner = ", ".join(item.text for item in known)
    return [
        Edit(tokens[items_at].start, tokens[begin].start, f"{shown} FROM (SELECT {inner}, ({condition}) AS `{_KEPT}` "),
        Edit(tokens[at].start, tokens[end - 1].end, f") WHERE `{_KEPT}`"),
        *_ordered(tokens, end),
    ]


def _having(sql: str, tokens: Sequence[Token], at: int) -> list[Edit]:
    """A condition on groups of groups, which can name the columns that rows are grouped by."""
    first = _select_of(tokens, at)
    begin = None if first is None else _from_of(tokens, first, at)
    end = _end_of(tokens, at + 1)
    after = _end_of(tokens, end + 2) if end + 1 < len(tokens) and tokens[end].is_word("ORDER") else end
    is_order_of_calls = any(token.is_mark("(") for token in tokens[end:after])
    has_more = any(token.is_word("QUALIFY", "WINDOW") for token in tokens[at : end + 1])
    if begin is None or is_order_of_calls or has_more or not any(token.is_word(*_SETS_OF_GROUPS) for token in tokens[begin:at]):
        return []
    return _qualify(sql, tokens, at)


def _ordered(tokens: Sequence[Token], at: int) -> list[Edit]:
    """The columns of an ORDER BY behind QUALIFY without the names of their relations, which are not known around the query."""
    if not (at + 1 < len(tokens) and tokens[at].is_word("ORDER") and tokens[at + 1].is_word("BY")):
        return []
    edits: list[Edit] = []
    index, listed, end = at + 2, list(tokens), _end_of(tokens, at + 2)
    while index < end:
        parts, after = read_name(listed, index)
        if len(parts) > 1 and not (after < len(listed) and listed[after].is_mark("(")):
            edits.append(Edit(tokens[index].start, tokens[after - 1].end, quote([parts[-1]])))
        index = max(after, index + 1)
    return edits


def _counted(tokens: Sequence[Token], at: int) -> list[list[Token]]:
    """What is selected by the query of a clause; nothing where its columns cannot be counted."""
    first = _select_of(tokens, at, *SETS)
    begin = None if first is None else _from_of(tokens, first, at)
    if first is None or begin is None:
        return []
    parts = split(tokens[first + 1 : begin])
    return [] if any(part and part[-1].is_mark("*") for part in parts) else parts


def _group_by_all(tokens: Sequence[Token], at: int) -> list[Edit]:
    parts = _counted(tokens, at)
    if not parts:
        return []
    keys = [str(number) for number, part in enumerate(parts, 1) if not _aggregates(part)]
    if not keys:
        return [Edit(tokens[at - 2].start, tokens[at].end, "")]
    return [Edit(tokens[at].start, tokens[at].end, ", ".join(keys))]


def _aggregates(part: Sequence[Token]) -> bool:
    """Whether an expression has a call of an aggregate function."""
    return any(
        token.is_identifier and token.identifier.lower() in GROUPING and part[number + 1].is_mark("(")
        for number, token in enumerate(part[:-1])
    )


def _order_by_all(tokens: Sequence[Token], at: int) -> list[Edit]:
    parts = _counted(tokens, at)
    if not parts:
        return []
    end = at + 1
    while end < len(tokens) and tokens[end].is_word(*_ORDERS):
        end += 1
    order = " ".join(token.raw for token in tokens[at + 1 : end])
    numbers = ", ".join(f"{number} {order}".strip() for number in range(1, len(parts) + 1))
    return [Edit(tokens[at].start, tokens[end - 1].end, numbers)]


def _order_of_distinct(tokens: Sequence[Token], at: int) -> list[Edit]:
    """What the rows of a SELECT DISTINCT are ordered by, where it is a column of theirs, by its number."""
    first = _select_of(tokens, at, *SETS)
    begin = None if first is None else _from_of(tokens, first, at)
    if first is None or begin is None or not tokens[first + 1].is_word("DISTINCT"):
        return []
    items = split(tokens[first + 2 : begin])
    if any(not part or part[-1].is_mark("*") for part in items):
        return []
    columns = {words_of(without_name(part)): number for number, part in reversed(list(enumerate(items, 1)))}
    edits: list[Edit] = []
    for part in split(tokens[at + 1 : _end_of(tokens, at + 1)]):
        value = list(part)
        while value and value[-1].is_word(*_ORDERS):
            value.pop()
        number = columns.get(words_of(value))
        if number is not None and len(value) > 1:
            edits.append(Edit(value[0].start, value[-1].end, str(number)))
    return edits


# --------------------------------------------------------------------------------------------------------- the select list


@dataclass(frozen=True)
class _Item:
    """What is selected.

    Attributes:
        text: With its name, for a list.
        name: Its column's; None for a star.
        value: Without its name.
        is_windowed: Whether it has a window function.
    """

    text: str
    name: str | None
    value: str
    is_windowed: bool


def _item(sql: str, part: Sequence[Token]) -> _Item | None:
    if not part:
        return None
    text = sql[part[0].start : part[-1].end]
    windowed = any(token.is_word("OVER") for token in part)
    if part[-1].is_mark("*") and (len(part) == 1 or part[-2].is_mark(".")):
        return _Item(text, None, text, windowed)
    if all(token.is_identifier if number % 2 == 0 else token.is_mark(".") for number, token in enumerate(part)):
        return _Item(text, part[-1].identifier, text, windowed)
    if (value := without_name(part)) is not part:
        value_text = sql[part[0].start : value[-1].end]
        return _Item(f"{value_text} AS {quote([part[-1].identifier])}", part[-1].identifier, value_text, windowed)
    return _Item(f"{text} AS {quote([text])}", text, text, windowed)


def _with_aliases(sql: str, condition: Sequence[Token], items: Sequence[_Item]) -> str:
    """A condition with columns that it calls by their names, such as those of window functions, as what they are."""
    windows = {str(item.name).lower(): item.value for item in items if item.name is not None}
    begin = condition[0].start
    edits: list[Edit] = []
    for number, token in enumerate(condition):
        value = windows.get(token.identifier.lower()) if token.is_identifier else None
        before, after = condition[max(number - 1, 0) : number], condition[number + 1 : number + 2]
        is_part = any(one.is_mark(".") for one in (*before, *after))
        if value is not None and not is_part and not any(one.is_mark("(") for one in after):
            edits.append(Edit(token.start - begin, token.end - begin, f"({value})"))
    return apply(sql[begin : condition[-1].end], edits)


# --------------------------------------------------------------------------------------------------------------- where


def _select_of(tokens: Sequence[Token], at: int, *stops: str) -> int | None:
    """The SELECT that a clause belongs to."""
    depth = 0
    for index in range(at - 1, -1, -1):
        token = tokens[index]
        if token.is_mark("(") and depth == 0:
            return None
        depth += token.is_mark(")") - token.is_mark("(")
        if depth == 0 and token.is_word(*stops):
            return None
        if depth == 0 and token.is_word("SELECT"):
            return index
    return None


def _from_of(tokens: Sequence[Token], first: int, end: int) -> int | None:
    """The FROM of a SELECT."""
    depth = 0
    for index in range(first + 1, end):
        depth += tokens[index].is_mark("(") - tokens[index].is_mark(")")
        if depth == 0 and tokens[index].is_word("FROM") and not tokens[index - 1].is_word("DISTINCT"):
            return index
    return None


def _end_of(tokens: Sequence[Token], begin: int) -> int:
    """The index after a condition."""
    depth = 0
    for index in range(begin, len(tokens)):
        token = tokens[index]
        if depth == 0 and (token.is_mark(")") or token.is_mark(";") or token.is_word(*_ENDS)):
            return index
        depth += token.is_mark("(") - token.is_mark(")")
    return len(tokens)
