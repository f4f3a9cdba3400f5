"""Comparisons of the asker's that a table with a policy may be read with, beside the policy.

Nothing of the asker's own is moved below a policy by the engine. But a comparison of a column with a literal of its type cannot
fail, and so cannot tell of a row by an error; said once more beside the row filter it lets the engine skip files and row groups.
The asker's own condition stays where it is.
"""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass

from boathouse.catalog.api import TableInfo
from boathouse.engine.gateway.sql.relations import RelationUse
from boathouse.engine.gateway.sql.tokens import Kind, Token, literal, quote, read_name, tokenize

_ENDS = frozenset(
    {"GROUP", "HAVING", "ORDER", "SORT", "CLUSTER", "DISTRIBUTE", "LIMIT", "OFFSET", "WINDOW", "QUALIFY"}
    | {"UNION", "EXCEPT", "MINUS", "INTERSECT"}
)
# With one of these at the level of the condition, its parts between the ANDs are not what holds for every row.
_UNCLEAR = ("OR", "XOR", "CASE", "BETWEEN")
OPERATORS = frozenset({"=", "==", "<", "<=", ">", ">="})
"""Of comparisons that can be said beside a policy."""
_INTEGER = re.compile(r"[0-9]{1,18}")
_STRING = re.compile(r"'[^'\\]*'")
MOST_VALUES = 100
"""Literals in one list."""
_KINDS = {"BYTE": "integer", "SHORT": "integer", "INT": "integer", "LONG": "integer", "STRING": "string", "DATE": "date"}


@dataclass(frozen=True)
class Comparison:
    """``column operator literal`` or ``column IN (literals)``.

    Attributes:
        column: Its name as written.
        kind: Of the literals: ``integer``, ``string`` or ``date``.
        text: What follows the column.
    """

    column: str
    kind: str
    text: str


def comparisons(tokens: Sequence[Token], use: RelationUse) -> tuple[Comparison, ...]:
    """What has to be true of every row of a relation that counts in a query: ``FROM name [AS alias] WHERE a = 1 AND ...``.

    Empty where the relation does not stand alone in its FROM, or where that cannot be told for sure.
    """
    first = next((index for index, token in enumerate(tokens) if token.start == use.start), 0)
    if first == 0 or not tokens[first - 1].is_word("FROM") or not use.name:
        return ()
    at = next((index for index, token in enumerate(tokens) if token.start >= use.clause_end), len(tokens))
    names: list[tuple[str, ...]] = [use.name[-length:] for length in range(1, len(use.name) + 1)]
    if use.has_alias or (at < len(tokens) and tokens[at].is_word("AS")):
        at += tokens[at].is_word("AS")
        if at >= len(tokens) or not tokens[at].is_identifier:
            return ()
        names = [(tokens[at].identifier,)]
        at += 1
    if at >= len(tokens) or not tokens[at].is_word("WHERE"):
        return ()
    parts = _conjuncts(tokens, at + 1)
    qualifiers = {tuple(part.lower() for part in name) for name in names}
    found = [_comparison(part, qualifiers) for part in parts]
    return tuple(one for one in found if one is not None)


def comparisons_in(text: str) -> list[Comparison]:
    """What has to be true of every row for which a condition by itself is true."""
    found = [_comparison(part, set()) for part in _conjuncts(tokenize(text), 0)]
    return [one for one in found if one is not None]


def beside(table: TableInfo, found: Sequence[Comparison]) -> list[str]:
    """Those comparisons that are of a column without a mask, with literals of its own type, as SQL texts."""
    columns = {column["name"].lower(): column for column in table.columns}
    masked = {name.lower() for name in table.column_masks}
    texts: list[str] = []
    for one in found:
        column = columns.get(one.column.lower())
        if column is None or one.column.lower() in masked or _KINDS.get(column["type_name"]) != one.kind:
            continue
        texts.append(f"{quote([column['name']])} {one.text}")
    return texts


def _conjuncts(tokens: Sequence[Token], at: int) -> list[list[Token]]:
    """What stands between the ANDs of a condition; none if something else holds it together."""
    parts: list[list[Token]] = [[]]
    depth, ended = 0, False
    for token in tokens[at:]:
        depth += token.is_mark("(") - token.is_mark(")")
        if depth < 0 or token.is_mark(";"):
            break
        if depth == 0 and token.is_word(*_UNCLEAR):
            return []
        # A column can have the name of a clause: then what follows is looked through all the same.
        ended = ended or (depth == 0 and token.kind is Kind.WORD and token.value in _ENDS)
        if ended:
            continue
        if depth == 0 and token.is_word("AND"):
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _comparison(part: list[Token], qualifiers: set[tuple[str, ...]]) -> Comparison | None:
    name, at = read_name(part, 0)
    if not name or (len(name) > 1 and tuple(one.lower() for one in name[:-1]) not in qualifiers):
        return None
    if at < len(part) and part[at].is_word("IN"):
        return _membership(name[-1], part[at + 1 :])
    operator = ""
    while at < len(part) and part[at].kind is Kind.MARK and part[at].value in "=<>":
        if operator and part[at].start != part[at - 1].end:
            return None
        operator += part[at].value
        at += 1
    value = _value(part[at:])
    if operator not in OPERATORS or value is None:
        return None
    kind, text = value
    return Comparison(name[-1], kind, f"{operator} {text}")


def _membership(column: str, rest: list[Token]) -> Comparison | None:
    if len(rest) < 3 or not rest[0].is_mark("(") or not rest[-1].is_mark(")"):
        return None
    values: list[tuple[str, str]] = []
    one: list[Token] = []
    for token in [*rest[1:-1], None]:
        if token is not None and not token.is_mark(","):
            one.append(token)
            continue
        value = _value(one)
        if value is None:
            return None
        values.append(value)
        one = []
    kinds = {kind for kind, _ in values}
    if len(kinds) != 1 or len(values) > MOST_VALUES:
        return None
    return Comparison(column, kinds.pop(), f"IN ({', '.join(text for _, text in values)})")


def _value(tokens: list[Token]) -> tuple[str, str] | None:
    """The kind of a plain literal, and the literal as SQL text; None for anything else."""
    match tokens:
        case [token] if token.kind is Kind.WORD and _INTEGER.fullmatch(token.raw):
            return "integer", token.raw
        case [sign, token] if sign.is_mark("-") and token.kind is Kind.WORD and _INTEGER.fullmatch(token.raw):
            return "integer", f"-{token.raw}"
        case [token] if token.kind is Kind.STRING and _STRING.fullmatch(token.raw):
            return "string", literal(token.value)
        case [word, token] if word.is_word("DATE") and token.kind is Kind.STRING and _STRING.fullmatch(token.raw):
            return _date(token.value)
        case _:
            return None


def _date(text: str) -> tuple[str, str] | None:
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        return None
    return "date", f"DATE '{day.isoformat()}'"
