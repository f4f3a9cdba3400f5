"""Decimal literals beside floating-point numbers become doubles, as Spark has it.

The embedded engine makes decimals with fifteen places of both: ``f = 0.3`` holds for 0.1 + 0.2, ``coalesce(f, 0.0)`` cuts values
off, and NaN, infinity and large numbers are errors. Which types stand beside a literal only the engine knows, so it is asked for
its plan, and only of a text with a literal in such a place; where nothing in the plan is cast like that, the text stays.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from boathouse.engine.gateway.messages.protocol import proto, sql_node
from boathouse.engine.gateway.messages.walk import TEXTS, inputs, may_have, walk
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.sql.select_items import SETS
from boathouse.engine.gateway.sql.statements import Edit, apply, parse
from boathouse.engine.gateway.sql.tokens import Kind, Token

_LITERAL = re.compile(r"(?<![\w.`'\"])(?:\d+\.\d*|\.\d+)(?![\w.])")
_MAY_HAVE = re.compile(rb"\d\.|\.\d")
_MOST_DIGITS = 15
"""So many of a decimal number a double keeps whatever they are."""
_CAST = re.compile(r" AS Decimal128\((\d+), (\d+)\)\)")
_FLOAT, _DOUBLE = (14, 7), (30, 15)
"""What the engine takes a number for that is binary: at least so many digits, so many of them after the point."""
_COMPARED = frozenset("=<>")
_ARITHMETIC = frozenset("+-*/%&|^~:.[")
_CHOOSING = frozenset({"COALESCE", "GREATEST", "LEAST", "NVL2", "PMOD", "IF", "IFF"})
_BEFORE = ("AND", "OR", "NOT", "BETWEEN", "WHEN", "THEN", "ELSE", "SELECT", "ALL", "DISTINCT", "WHERE", "ON", "HAVING")
_CHANGES = frozenset({"INSERT", "MERGE", "UPDATE", "DELETE"})


@dataclass(frozen=True)
class Literals:
    """Where the decimal literals of a text end that stand beside something of which the type is not known.

    Attributes:
        compared: Those that are compared.
        chosen: Those that are one of several values, of which the result is one.
    """

    compared: tuple[int, ...] = ()
    chosen: tuple[int, ...] = ()


@dataclass
class _Text:
    """A text of a plan with such literals."""

    message: Any
    name: str
    literals: Literals
    begin: int = 0

    @property
    def text(self) -> str:
        return str(getattr(self.message, self.name))

    def put(self, ends: Sequence[int]) -> None:
        setattr(self.message, self.name, _put(self.text, ends))


@dataclass
class Doubles:
    """Looks at the texts of one request.

    Attributes:
        session: Of the request.
        decided: Texts that are as they should be.
    """

    session: EngineSession
    decided: set[str] = field(default_factory=set[str])

    def put(self, root: Any) -> bool:
        """Make doubles of decimal literals in a plan whose names are governed, in place; whether there were any."""
        changed = [self._put(relation) for relation in inputs(root)] if may_have(root, _MAY_HAVE) else []
        return any(changed)

    def _put(self, relation: Any) -> bool:
        found = [one for one in _texts(relation) if one.text not in self.decided]
        if not found:
            return False
        changed = self._decide(relation, found)
        self.decided.update(one.text for one in found)
        return changed

    def _decide(self, relation: Any, found: Sequence[_Text]) -> bool:
        node = sql_node(relation)
        statement = None if node is None else parse(node.query)
        if statement is not None and not statement.is_query and statement.create is None:
            # What it writes becomes what its target's columns are.
            for one in found:
                one.put(sorted((*one.literals.compared, *one.literals.chosen)))
            return True
        asked = proto().Relation()
        changed = False
        for ends in ("compared", "chosen"):
            chosen = [(one, getattr(one.literals, ends)) for one in found if getattr(one.literals, ends)]
            if not chosen:
                continue
            asked.CopyFrom(relation)
            inner = sql_node(asked)
            if inner is not None and statement is not None and statement.create is not None:
                inner.query = inner.query[statement.create.query :]
            if not self._makes_decimals(asked):
                break
            for one, offsets in chosen:
                one.put(offsets)
                # The others have moved.
                one.literals = literals(one.text, one.begin)
            changed = True
        return changed

    def _makes_decimals(self, relation: Any) -> bool:
        plan = self.session.optimised(relation)
        if plan is None:
            # As it stands it is refused: a function in Python, for one, that is given what a CASE of both makes. Doubles may do.
            return True
        casts = {(int(digits), int(places)) for digits, places in _CAST.findall(plan)}
        return any(
            (digits >= _DOUBLE[0] and places >= _DOUBLE[1]) or (digits >= _FLOAT[0] and places == _FLOAT[1])
            for digits, places in casts
        )


def condition_with_doubles(session: EngineSession, condition: str) -> str:
    """A condition on which the engine cannot be asked: what is compared in it with a decimal of so few digits may be one all the same."""
    if session.capabilities.mixes_types:
        return condition
    return _put(condition, literals(condition).compared)


def _put(text: str, ends: Sequence[int]) -> str:
    return apply(text, [Edit(end, end, "D") for end in ends])


def _texts(relation: Any) -> Iterator[_Text]:
    for message in walk(relation):
        name = TEXTS.get(message.DESCRIPTOR.name)
        if name is None:
            continue
        begin = 0 if name == "expression" else _begin(getattr(message, name))
        found = Literals() if begin is None else literals(getattr(message, name), begin)
        if begin is not None and (found.compared or found.chosen):
            yield _Text(message, name, found, begin)


def _begin(sql: str) -> int | None:
    """Where the part of a statement begins in which a number is an operand; None where there is none."""
    if _LITERAL.search(sql) is None:
        return None
    statement = parse(sql)
    if statement.create is not None:
        return statement.create.query
    return 0 if statement.is_query or (statement.verb and statement.verb[0] in _CHANGES | {"WITH"}) else None


def literals(sql: str, begin: int = 0) -> Literals:
    """The decimal literals of a text, from an offset on, of which the types of what is beside them decide."""
    spans = [found.span() for found in _LITERAL.finditer(sql, begin)]
    if not spans:
        return Literals()
    tokens = parse(sql).tokens
    at = {token.start: index for index, token in enumerate(tokens)}
    has_sets = any(token.is_word(*SETS) for token in tokens)
    compared: list[int] = []
    chosen: list[int] = []
    for start, end in spans:
        digits = sql[start:end].replace(".", "").lstrip("0")
        if start not in at or len(digits) > _MOST_DIGITS:
            continue
        first = at[start]
        after = next((index for index in range(first, len(tokens)) if tokens[index].start >= end), len(tokens))
        match _standing(tokens, first, after):
            case "compared":
                compared.append(end)
            case "chosen":
                chosen.append(end)
            case "item" if has_sets:
                chosen.append(end)
            case _:
                pass
    return Literals(tuple(compared), tuple(chosen))


def _standing(tokens: Sequence[Token], first: int, after: int) -> str | None:
    """What a literal is: compared, one of several values, an item of a SELECT; None for anything else."""
    before, after = _around(tokens, first - 1, after)
    left = tokens[before] if before >= 0 else None
    right = tokens[after] if after < len(tokens) else None
    if any(one is not None and (one.is_word("DIV") or _is_mark(one, _ARITHMETIC)) for one in (left, right)):
        return None
    if right is not None and (right.is_word("BETWEEN") or _compares(tokens, after)):
        return "compared"
    if left is None:
        return None
    if left.is_word("BETWEEN", "AND", "WHEN") or _compares(tokens, before):
        return "compared"
    if left.is_word("THEN", "ELSE"):
        return "chosen"
    if left.is_mark("(") or left.is_mark(","):
        return _in_list(tokens, before)
    return "item" if left.is_word("SELECT", "ALL", "DISTINCT") else None


def _around(tokens: Sequence[Token], before: int, after: int) -> tuple[int, int]:
    """Before and after a number with its sign and with brackets that hold nothing else."""
    if before >= 0 and tokens[before].kind is Kind.MARK and tokens[before].value in "+-" and _begins(tokens, before):
        before -= 1
    while before >= 0 and after < len(tokens) and tokens[before].is_mark("(") and tokens[after].is_mark(")"):
        if not _begins(tokens, before):
            break
        before, after = before - 1, after + 1
    return before, after


def _in_list(tokens: Sequence[Token], at: int) -> str | None:
    """What an item is of the list in which a bracket or comma stands."""
    depth = 0
    for index in range(at, -1, -1):
        token = tokens[index]
        if token.is_mark(")"):
            depth += 1
        elif token.is_mark("(") and depth == 0:
            named = tokens[index - 1] if index else None
            if named is None or named.kind is not Kind.WORD:
                return None
            if named.value in {"IN", "NULLIF"}:
                return "compared"
            return "chosen" if named.value in _CHOOSING else None
        elif token.is_mark("("):
            depth -= 1
        elif depth == 0 and token.is_word("SELECT"):
            return "item"
    return None


def _begins(tokens: Sequence[Token], at: int) -> bool:
    """Whether an operand begins at a token: nothing stands to its left that it could belong to."""
    left = tokens[at - 1] if at else None
    return left is None or left.is_word(*_BEFORE) or (left.kind is Kind.MARK and left.value in "(,=<>")


def _compares(tokens: Sequence[Token], at: int) -> bool:
    """Whether a mark belongs to a comparison: not to an arrow, a named argument or a shift."""
    if not _is_mark(tokens[at], _COMPARED):
        return False
    first = last = at
    while first > 0 and tokens[first - 1].end == tokens[first].start and _is_mark(tokens[first - 1], _COMPARED | {"!", "-"}):
        first -= 1
    while last + 1 < len(tokens) and tokens[last + 1].start == tokens[last].end and _is_mark(tokens[last + 1], _COMPARED):
        last += 1
    text = "".join(token.value for token in tokens[first : last + 1])
    return text in {"=", "==", "<", ">", "<=", ">=", "<>", "!=", "<=>"}


def _is_mark(token: Token, marks: frozenset[str]) -> bool:
    return token.kind is Kind.MARK and token.value in marks
