"""Checked arithmetic in SQL texts."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from boathouse.engine.gateway.forms.overflow import Types, argument_kind, checked, edits, mark, summed
from boathouse.engine.gateway.forms.relation_forms import NEW_EACH_TIME
from boathouse.engine.gateway.sql import typed_calls
from boathouse.engine.gateway.sql.common_types import malformed
from boathouse.engine.gateway.sql.operands import COMPARED, TEXT, VOID, Node
from boathouse.engine.gateway.sql.statements import Edit, apply
from boathouse.engine.gateway.sql.tokens import literal, tokenize

_SUFFIXES = {"int": "", "bigint": "L"}


@dataclass(frozen=True)
class TextWriter:
    """Writes expressions of a text.

    Attributes:
        sql: The text.
        types: Of its operands.
        binds: Whether the engine takes lambda functions in it.
    """

    sql: str
    types: Types
    binds: bool = True

    def operand(self, node: Node) -> str:
        """It, with what is inside of it changed."""
        start, end = node.source
        if node.sign:
            return f"({replaced(self.sql, start, end, self.changes((node,)))})"
        return replaced(self.sql, start, end, [self._sum(node)] if self._is_changed(node) else self.changes(node.inner))

    def changes(self, nodes: Iterable[Node]) -> list[Edit]:
        """What has to change in the text for some nodes."""
        found: list[Edit] = []
        edits(nodes, self.types, lambda node: found.append(self._change(node)))
        return found

    def _is_changed(self, node: Node) -> bool:
        types = self.types
        is_made = types.common(node) is not None or types.pattern(node) is not None
        return is_made or types.is_summed(node) or types.casts(node) is not None

    def _change(self, node: Node) -> Edit:
        if not node.sign:
            return self._sum(node)
        start, end = node.source
        return Edit(start, end, checked(node, self.types, self))

    def _inner(self, node: Node) -> str:
        """A value with what is inside of it changed."""
        if node.sign and self.types.is_checked(node):
            return checked(node, self.types, self)
        return replaced(self.sql, node.source[0], node.source[1], self.changes((node,)))

    def _choice(self, node: Node, kind: str) -> Edit:
        """Values as ones of a type."""
        found: list[Edit] = []
        for one in node.choices:
            inner = self._inner(one)
            # A string that is no number is an error where it is chosen, not wherever it stands.
            error = malformed(tokenize(inner)[0].value, kind) if one.kind == TEXT and one.name == "" else None
            if error is not None:
                inner = f"raise_error({literal(error)})"
            is_one = one.kind == VOID or (one.number is None and one.kind == kind.lower())
            start, end = one.source
            found.append(Edit(start, end, inner if is_one else f"CAST({inner} AS {kind})"))
        spans = [one.source for one in node.choices]
        others = [one for one in self.changes(node.inner) if not any(_within(one, span) for span in spans)]
        start, end = node.source
        return Edit(start, end, replaced(self.sql, start, end, [*found, *others]))

    def _call(self, node: Node, pattern: str) -> Edit:
        """A call by its pattern: an argument that may cost or give something else a second time is computed once."""
        start, end = node.source
        values = [self._inner(one) for one in node.choices]
        once = typed_calls.repeated(pattern, node)
        if not self.binds:
            if any(NEW_EACH_TIME.search(values[at]) is not None for at in once):
                return Edit(start, end, replaced(self.sql, start, end, self.changes(node.inner)))
            once = []
        names = {at: f"`__bh_bound{at}`" for at in once}
        made = re.sub(r"\{(\d+)\}", lambda one: names.get(int(one[1])) or f"({values[int(one[1])]})", pattern)
        for at, name in names.items():
            made = f"element_at(transform(array({values[at]}), {name} -> {made}), 1)"
        return Edit(start, end, made)

    def _sum(self, node: Node) -> Edit:
        pattern = self.types.pattern(node)
        if pattern is not None:
            return self._call(node, pattern)
        kind = self.types.common(node)
        if kind is not None:
            return self._choice(node, kind.upper())
        start, end = node.source
        argument = node.summed or node
        inside = self._inner(argument)
        first, last = argument.source
        others = [one for one in self.changes(node.inner) if one.end <= first or one.start >= last]
        whole = replaced(
            self.sql, start, end, [*others, Edit(first, last, f"CAST({inside} AS {argument_kind(node, self.types)})")]
        )
        return Edit(start, end, summed(node, whole, self.types, self))

    def number(self, value: int, kind: str) -> str:
        """A literal of a type."""
        if abs(value) > 2**31 - 1 + (2**63 - 2**31) * (kind == "bigint") or kind not in _SUFFIXES:
            return f"CAST({value} AS {kind.upper()})"
        return f"{value}{_SUFFIXES[kind]}" if value >= 0 else f"({value}{_SUFFIXES[kind]})"

    def cast(self, value: str, kind: str, *, tries: bool = False) -> str:
        """CAST, or TRY_CAST."""
        return f"{'TRY_' * tries}CAST({value} AS {kind})"

    def operation(self, sign: str, *parts: str) -> str:
        """An operation in brackets."""
        return f"({sign} {parts[0]})" if len(parts) == 1 else f"({parts[0]} {sign} {parts[1]})"

    def tried(self, name: str, *parts: str) -> str:
        """A function's call."""
        return f"{name}({', '.join(parts)})"

    def unless_null(self, value: str, operands: Sequence[str], kind: str, message: str) -> str:
        """The value, or an error where it is NULL and none of the operands is."""
        there = " AND ".join(f"{one} IS NOT NULL" for one in dict.fromkeys(operands)) or "TRUE"
        return f"coalesce({value}, CASE WHEN {there} THEN CAST(raise_error({literal(message)}) AS {kind.upper()}) END)"


def marked(sql: str, nodes: Iterable[Node], types: Types) -> str:
    """A text in which words stand beside the operands whose types are asked for."""
    return _marked(sql, [(node, False) for node in nodes], types, 0, len(sql))


def _marked(sql: str, nodes: Sequence[tuple[Node, bool]], types: Types, start: int, end: int) -> str:
    found: list[Edit] = []
    for node in _asked(nodes, types):
        first, last = node.source
        if types.is_loose:
            asked = [(one, _marked(sql, _inside(one), types, *one.source)) for one in types.operands_of(node)]
            words = " OR ".join(f"typeof({inside}) = '{mark(types.number(one) or 0)}'" for one, inside in asked)
            found.append(Edit(first, last, f"CASE WHEN {words or 'TRUE'} {_loosely(node, sql, types)} END"))
            continue
        inside = _marked(sql, _inside(node), types, first, last)
        word = mark(types.number(node) or 0)
        found.append(Edit(first, last, f"CASE WHEN typeof({sql[first:last]}) = '{word}' THEN NULL ELSE {inside} END"))
    return replaced(sql, start, end, found)


def items(sql: str, nodes: Iterable[Node], types: Types) -> list[tuple[Node, str]]:
    """The outermost operands among some nodes, each with words beside it and beside what is in it."""
    found: list[tuple[Node, str]] = []
    for node in _asked([(one, False) for one in nodes], types):
        inside = _marked(sql, [(node, True)], types, node.source[0], node.source[1])
        found.append((node, inside))
    return found


def _inside(node: Node) -> list[tuple[Node, bool]]:
    """What stands inside of an operand, and whether its type matters whatever it is."""
    values = [*node.choices, *([] if node.summed is None else [replace(node.summed, is_number=True)])]
    return [*((one, False) for one in node.inner), *((one, True) for one in values)]


def _asked(nodes: Iterable[tuple[Node, bool]], types: Types) -> list[Node]:
    """The outermost operands whose types are asked for."""
    found: dict[tuple[int, int], Node] = {}
    stack = list(nodes)
    while stack:
        node, matters = stack.pop()
        if types.gives_way(node):
            found[node.source] = node
        elif node.sign:
            stack += [(part, True) for part in node.parts]
        elif matters and types.is_marked(node):
            found[node.source] = node
        else:
            stack += _inside(node)
    # What is summed is also what is inside of the sum.
    return [one for span, one in found.items() if not any(_holds(other, span) for other in found)]


def _loosely(node: Node, sql: str, types: Types) -> str:
    """What stands for an operand, or an operation, in a question that is asked again: a number where one is summed."""
    if node.function == COMPARED and types.gives_way(node):
        return "THEN CAST(NULL AS BOOLEAN)"
    if types.gives_way(node) or node.kind == TEXT:
        return "THEN NULL"
    return "THEN 0" if node.is_number else f"THEN NULL ELSE {sql[node.source[0] : node.source[1]]}"


def _within(edit: Edit, span: tuple[int, int]) -> bool:
    return span[0] <= edit.start and edit.end <= span[1]


def _holds(outer: tuple[int, int], inner: tuple[int, int]) -> bool:
    return outer != inner and outer[0] <= inner[0] and inner[1] <= outer[1]


def replaced(sql: str, start: int, end: int, found: Sequence[Edit]) -> str:
    """A part of a text, with pieces of it replaced."""
    return apply(sql[start:end], [Edit(one.start - start, one.end - start, one.text) for one in found])
