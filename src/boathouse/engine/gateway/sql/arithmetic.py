"""Arithmetic in a SQL text: what its signs join, so far as that can be told from the words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from boathouse.engine.gateway.sql import typed_calls
from boathouse.engine.gateway.sql.decimal_types import literal_kind
from boathouse.engine.gateway.sql.operands import (
    BOOLEAN,
    CAST,
    CHOICES,
    COMPARED,
    DATE,
    EXTREME,
    FUNCTIONS,
    JOINED,
    NO_OPERAND,
    NUMBERS,
    OTHER,
    TEXT,
    TIMED,
    TRIED,
    VOID,
    Node,
)
from boathouse.engine.gateway.sql.ordered_words import ordered
from boathouse.engine.gateway.sql.tokens import Kind, Token, closing, words_of

_UNITS = frozenset(
    f"{unit}{plural}"
    for unit in ("YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND", "MILLISECOND", "MICROSECOND")
    for plural in ("", "S")
)
_TIMES = tuple(unit for unit in sorted(_UNITS) if unit.startswith(("HOUR", "MINUTE", "SECOND", "MILLI", "MICRO")))
_TYPED = frozenset({"DATE", "TIMESTAMP", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIME"})
_AFTER_GROUPS = ("HAVING", "QUALIFY", "WINDOW", "ORDER", "SORT", "LIMIT", "OFFSET", "UNION", "EXCEPT", "MINUS", "INTERSECT")
_WHOLE = re.compile(r"(\d+)(L?)\Z", re.IGNORECASE)
_EXPONENT = re.compile(r"\d+E\Z", re.IGNORECASE)
_MOST_INT, _MOST_BIGINT = 2**31 - 1, 2**63 - 1
_WHOLE_TYPES = frozenset({"tinyint", "smallint", "int", "bigint"})
_COMPARING = ("<=>", "<>", "<=", ">=", "==", "!=", "=", "<", ">")


@dataclass
class Arithmetic:
    """Reads the expressions of a text.

    Args:
        tokens: Of the text.
        plain: Names of functions that give the same each time, in capitals.
        where: What tells this text from others.
        assigned: Which tokens are an ``=`` that is an assignment; where there are any, or the text is a command, queries in it stay as they are.
    """

    tokens: Sequence[Token]
    plain: frozenset[str]
    where: Any = None
    assigned: frozenset[int] | None = None
    _scopes: dict[int, int] = field(default_factory=dict[int, int])
    _grouped: set[Any] = field(default_factory=set[Any])
    _read: dict[int, tuple[Node, int] | None] = field(default_factory=dict[int, "tuple[Node, int] | None"])

    def all(self, begin: int = 0, end: int | None = None) -> list[Node]:
        """The operations and sums between two tokens, the outermost ones."""
        end = len(self.tokens) if end is None else end
        found: list[Node] = []
        at = begin
        while at < end:
            read = self._sum(at, end)
            if read is None:
                at += 1
                continue
            node, after = read
            read = self._comparison(node, at, after, end)
            node, at = (node, after) if read is None else read
            if node.holds:
                found.append(node)
        return found

    def _comparison(self, node: Node, begin: int, at: int, end: int) -> tuple[Node, int] | None:
        """``a = b``, ``a IN (b, c)`` or ``a BETWEEN b AND c``, of which the first has been read."""
        if begin and self.tokens[begin - 1].is_word("FOR"):
            # What is pivoted.
            return None
        if self.assigned is not None and (at in self.assigned or self._scope(begin) != -1):
            return None
        others: list[tuple[Node, int] | None]
        start = at + (at < end and self.tokens[at].is_word("NOT"))
        marks = "".join(token.value if token.kind is Kind.MARK else " " for token in self.tokens[at : min(at + 3, end)])
        sign = next((one for one in _COMPARING if marks.startswith(one)), "")
        if sign and not marks.startswith("=>"):
            others = [self._sum(at + len(sign), end)]
        elif start + 1 < end and self.tokens[start].is_word("BETWEEN"):
            first = self._sum(start + 1, end)
            has_second = first is not None and first[1] < end and self.tokens[first[1]].is_word("AND")
            others = [first, self._sum(first[1] + 1, end) if first is not None and has_second else None]
        elif start + 1 < end and self.tokens[start].is_word("IN") and self.tokens[start + 1].is_mark("("):
            after = self._past(start + 1, "(", ")")
            parts = self._listed_values(start + 2, after - 1)
            others = [(one, after) for one in parts]
        else:
            return None
        known = [one for one in others if one is not None]
        if not known or len(known) < len(others):
            return None
        after = known[-1][1]
        choices = (node, *(one for one, _ in known))
        inner = tuple(one for one in choices if one.holds)
        return Node(self._span(begin, after), inner=inner, function=COMPARED, choices=choices, is_plain=False), after

    def _listed_values(self, begin: int, end: int) -> tuple[Node, ...]:
        """What stands in a list, each as an operand; nothing where one is something else."""
        found: list[Node] = []
        at = begin
        while at < end:
            after = self._comma(at, end)
            read = self._sum(at, after)
            if read is not None and read[1] == after:
                found.append(read[0])
            elif self.tokens[at].is_word("SELECT", "WITH", "DISTINCT"):
                return ()
            else:
                found.append(Node(self._span(at, after), key=self._key(at, after), inner=tuple(self.all(at, after))))
            at = after + 1
        return tuple(found)

    def _comma(self, begin: int, end: int) -> int:
        """The next comma that is in no brackets, or the end."""
        depth = 0
        for at in range(begin, end):
            token = self.tokens[at]
            depth += (token.is_mark("(") or token.is_mark("[")) - (token.is_mark(")") or token.is_mark("]"))
            if depth == 0 and token.is_mark(","):
                return at
        return end

    def grouped(self) -> frozenset[Any]:
        """Keys of the operations that rows are grouped by."""
        found: set[Any] = set()
        for at in range(len(self.tokens) - 2):
            if self.tokens[at].is_word("GROUP") and self.tokens[at + 1].is_word("BY"):
                depth, end = 0, at + 2
                while end < len(self.tokens) and depth >= 0 and not (depth == 0 and self.tokens[end].is_word(*_AFTER_GROUPS)):
                    depth += self.tokens[end].is_mark("(") - self.tokens[end].is_mark(")")
                    end += 1
                stack = self.all(at + 2, end - (depth < 0))
                while stack:
                    node = stack.pop()
                    found |= {node.key} if node.sign else set()
                    self._grouped |= {node.key} if node.call else set()
                    stack += node.inner
        return frozenset(found)

    @cached_property
    def _ordered(self) -> frozenset[int]:
        return ordered(self.tokens)

    def _is_call(self, begin: int, end: int) -> bool:
        """Whether a call is made otherwise where it stands: the engine does not sort by what has the same twice.

        What rows are grouped by has to be found again in what they are ordered by.
        """
        return begin not in self._ordered or self._key(begin, end) in self._grouped

    # ------------------------------------------------------------------------------------------------------- operations

    def _sum(self, at: int, end: int) -> tuple[Node, int] | None:
        return self._operations(at, end, "+-", self._product)

    def _product(self, at: int, end: int) -> tuple[Node, int] | None:
        return self._operations(at, end, "*/%", self._signed)

    def _operations(self, at: int, end: int, signs: str, below: Any) -> tuple[Node, int] | None:
        left = below(at, end)
        while left is not None and left[1] < end:
            token = self.tokens[left[1]]
            if signs == "+-" and token.is_mark("|") and self._touches(left[1], "|"):
                right = below(left[1] + 2, end)
                if right is None:
                    break
                parts = (left[0], right[0])
                inner = tuple(one for one in parts if one.holds)
                span, key = self._span(at, right[1]), self._key(at, right[1])
                is_plain = all(one.is_plain for one in parts)
                made = Node(span, key=key, inner=inner, is_plain=is_plain, choices=parts, call=JOINED)
                left = made if self._is_call(at, right[1]) else replace(made, choices=(), call=""), right[1]
                continue
            is_word = signs != "+-" and token.is_word("DIV")
            if not (is_word or (token.kind is Kind.MARK and token.value in signs)) or self._is_arrow(left[1]):
                break
            right = below(left[1] + 1, end)
            if right is None:
                break
            parts = (left[0], right[0])
            left = Node(self._span(at, right[1]), token.value, parts, key=self._key(at, right[1])), right[1]
        return left

    def _signed(self, at: int, end: int) -> tuple[Node, int] | None:
        if at < end and self.tokens[at].kind is Kind.MARK and self.tokens[at].value in "+-" and not self._is_arrow(at):
            read = self._signed(at + 1, end)
            if read is None:
                return None
            node, after = read
            source, key = self._span(at, after), self._key(at, after)
            if node.number is not None and self.tokens[at].is_mark("-"):
                value = -node.number
                kind = "int" if value == -_MOST_INT - 1 and self.tokens[after - 1].raw.isdecimal() else node.kind
                return Node(source, number=value, kind=kind, key=key), after
            return Node(source, f"{self.tokens[at].value}_", (node,), key=key), after
        return self._with_suffixes(at, end)

    def _is_arrow(self, at: int) -> bool:
        return self.tokens[at].is_mark("-") and self._touches(at, ">")

    def _touches(self, at: int, mark: str) -> bool:
        """Whether a mark stands right behind a token."""
        following = self.tokens[at + 1] if at + 1 < len(self.tokens) else None
        return following is not None and following.is_mark(mark) and following.start == self.tokens[at].end

    # --------------------------------------------------------------------------------------------------------- operands

    def _with_suffixes(self, begin: int, end: int) -> tuple[Node, int] | None:
        read = self._primary(begin, end)
        if read is None:
            return None
        node, at = read
        inner = [node] if node.choices else list(node.inner)
        first = at
        while (after := self._suffix(at, end)) is not None:
            called = self._target(at + 2, after) if self.tokens[at].is_mark(":") else ""
            if called and self._is_call(begin, after):
                span, key = self._span(begin, after), self._key(begin, after)
                base = self._suffixed(node, begin, first, at, inner)
                inside = (base,) if base.holds else ()
                node = Node(span, key=key, inner=inside, is_plain=base.is_plain, choices=(base,), call=called)
                inner, at = [node], after
                first = at
                continue
            if not self.tokens[at].is_word("WITHIN"):
                inner += self.all(at + 1, after)
            at = after
        return self._suffixed(node, begin, first, at, inner), at

    def _target(self, begin: int, end: int) -> str:
        """What a cast to the type that stands between two tokens is called; empty where it is made as it stands."""
        return typed_calls.target("".join(token.raw for token in self.tokens[begin:end])) or ""

    def _suffixed(self, node: Node, begin: int, first: int, at: int, inner: Sequence[Node]) -> Node:
        """An operand with what stands behind it."""
        if at == first:
            return node
        summed = node.summed if self.tokens[first].is_word("FILTER", "OVER") else None
        function = node.function if summed is not None else ""
        is_plain = node.is_plain and not node.sign and not any(self.tokens[one].is_word("SELECT") for one in range(begin, at))
        key = self._key(begin, at)
        return Node(self._span(begin, at), key=key, inner=tuple(inner), summed=summed, function=function, is_plain=is_plain)

    def _suffix(self, at: int, end: int) -> int | None:
        """The end of what belongs to an operand and stands behind it: ``[1]``, ``.field``, ``::type``, ``OVER (...)``."""
        if at + 1 >= end:
            return None
        token, following = self.tokens[at], self.tokens[at + 1]
        if token.is_mark("["):
            return self._past(at, "[", "]")
        if token.is_mark(":") and following.is_mark(":") and following.start == token.end:
            is_sized = at + 3 < end and self.tokens[at + 3].is_mark("(")
            return self._past(at + 3, "(", ")") if is_sized else min(at + 3, end)
        if token.is_word("FILTER", "OVER") and following.is_mark("("):
            return self._past(at + 1, "(", ")")
        if token.is_word("WITHIN") and following.is_word("GROUP") and at + 2 < end and self.tokens[at + 2].is_mark("("):
            return self._past(at + 2, "(", ")")
        is_name = (token.is_mark(".") or token.is_word("OVER")) and following.is_identifier
        return at + 2 if is_name or (token.is_word("IGNORE", "RESPECT") and following.is_word("NULLS")) else None

    def _primary(self, at: int, end: int) -> tuple[Node, int] | None:
        if at >= end:
            return None
        # What is in brackets is read for the sake of what is around it, too.
        if at not in self._read:
            self._read[at] = self._read_primary(at, end)
        return self._read[at]

    def _read_primary(self, at: int, end: int) -> tuple[Node, int] | None:
        token = self.tokens[at]
        following = self.tokens[at + 1] if at + 1 < end else None
        if token.is_mark("("):
            return self._parentheses(at, end)
        if token.kind is Kind.STRING:
            return Node(self._span(at, at + 1), kind=TEXT), at + 1
        if (token.is_mark(":") and following is not None and following.is_identifier) or token.is_mark("?"):
            after = at + 1 + token.is_mark(":")
            return Node(self._span(at, after), key=self._key(at, after)), after
        if token.raw[0].isdigit() or (token.is_mark(".") and following is not None and following.raw[0].isdigit()):
            return self._number(at, end)
        if token.is_word("NULL", "TRUE", "FALSE"):
            return Node(self._span(at, at + 1), kind=VOID if token.is_word("NULL") else BOOLEAN), at + 1
        if token.is_word("CASE"):
            return self._case(at, end)
        if token.is_word("INTERVAL"):
            return self._interval(at, end)
        if token.is_word(*_TYPED) and following is not None and following.kind is Kind.STRING:
            kind = {"DATE": DATE, "TIMESTAMP": "timestamp"}.get(token.value, OTHER)
            return Node(self._span(at, at + 2), kind=kind), at + 2
        if not token.is_identifier or token.is_word(*NO_OPERAND):
            return None
        return self._name(at, end)

    def _parentheses(self, at: int, end: int) -> tuple[Node, int] | None:
        closed = closing(self.tokens, at)
        if closed is None or closed >= end:
            return None
        span, key = self._span(at, closed + 1), self._key(at, closed + 1)
        read = self._sum(at + 1, closed)
        if read is not None and read[1] == closed:
            return replace(read[0], source=span), closed + 1
        return Node(span, key=key, inner=tuple(self.all(at + 1, closed)), is_plain=False), closed + 1

    def _name(self, at: int, end: int) -> tuple[Node, int]:
        begin = at
        at += 1
        while at + 1 < end and self.tokens[at].is_mark(".") and self.tokens[at + 1].is_identifier:
            at += 2
        if at >= end or not self.tokens[at].is_mark("("):
            return Node(self._span(begin, at), key=self._key(begin, at), name=self.tokens[at - 1].identifier.lower()), at
        after = self._past(at, "(", ")")
        name = self.tokens[begin].value if at == begin + 1 and self.tokens[begin].kind is Kind.WORD else ""
        parts = self._tried(at + 1, after - 1) if name.lower() in TRIED else ()
        if parts:
            key = self._key(begin, after)
            return Node(self._span(begin, after), TRIED[name.lower()], parts, key=key, tried=True), after
        inner = self.all(at + 1, after - 1)
        end_of_value = next((one for one in range(after - 2, at, -1) if self.tokens[one].is_word("AS")), after - 1)
        if name in NUMBERS or (
            name in {"CAST", "TRY_CAST"} and self.tokens[min(end_of_value + 1, after - 1)].is_word(*NUMBERS)
        ):
            span = self._span(at + 1, max(end_of_value, at + 2))
            inner = [replace(one, is_number=one.source == span) for one in inner]
            kind = self.tokens[after - 2].value.lower() if end_of_value == after - 3 else name.lower()
            if kind in _WHOLE_TYPES:
                is_plain = all(self._is_plain_inside(one) for one in range(at + 1, after - 1))
                key, span = self._key(begin, after), self._span(begin, after)
                return Node(span, kind=kind, key=key, inner=tuple(inner), is_plain=is_plain), after
        is_plain = name in self.plain and all(self._is_plain_inside(one) for one in range(at + 1, after - 1))
        called = self._call(name, at, end_of_value, after)
        if called is not None and self._is_call(begin, after):
            key, span = self._key(begin, after), self._span(begin, after)
            return replace(called, source=span, key=key, inner=tuple(inner), is_plain=is_plain), after
        first = CHOICES.get(name.lower())
        if first is not None:
            choices = self._listed_values(at + 1, after - 1)[first:]
            function = EXTREME if name in {"GREATEST", "LEAST"} else ""
            key, span = self._key(begin, after), self._span(begin, after)
            made = Node(span, key=key, inner=tuple(inner), function=function, is_plain=is_plain, choices=choices)
            return made, after
        function = FUNCTIONS.get(name.lower(), "")
        summed = self._summed(at + 1, after - 1) if function else None
        key, span = self._key(begin, after), self._span(begin, after)
        return Node(span, key=key, inner=tuple(inner), summed=summed, function=function, is_plain=is_plain), after

    def _call(self, name: str, opening: int, named: int, after: int) -> Node | None:
        """A call or a cast that may have to be made otherwise, but for where it stands; None for any other."""
        if name in {"CAST", "TRY_CAST"}:
            call = self._target(named + 1, after - 1) if named < after - 1 else ""
            is_number = call.startswith(f"{CAST}decimal")
            choices = tuple(replace(one, is_number=is_number) for one in self._listed_values(opening + 1, named))
        else:
            choices = self._listed_values(opening + 1, after - 1) if name.lower() in typed_calls.ALL else ()
            call = typed_calls.named(name.lower(), len(choices))
        is_read = bool(call) and (len(choices) == 1 or not call.startswith(CAST))
        return Node(None, choices=choices, call=call, tried=name == "TRY_CAST") if is_read else None

    def _tried(self, begin: int, end: int) -> tuple[Node, ...]:
        """The two arguments of a call; none where there are not two that can be told."""
        first = self._sum(begin, end)
        if first is None or first[1] >= end or not self.tokens[first[1]].is_mark(","):
            return ()
        second = self._sum(first[1] + 1, end)
        return () if second is None or second[1] != end else (first[0], second[0])

    def _is_plain_inside(self, at: int) -> bool:
        token = self.tokens[at]
        if token.is_word("SELECT"):
            return False
        is_call = token.is_mark("(") and self.tokens[at - 1].is_identifier
        return not is_call or self.tokens[at - 1].value in self.plain | NO_OPERAND

    def _summed(self, begin: int, end: int) -> Node | None:
        begin += begin < end and self.tokens[begin].is_word("DISTINCT", "ALL")
        read = self._sum(begin, end)
        if read is not None and read[1] == end:
            return read[0]
        if any(self.tokens[at].is_mark(",") for at in range(begin, end)) or begin >= end:
            return None
        return Node(self._span(begin, end), key=self._key(begin, end), inner=tuple(self.all(begin, end)))

    def _case(self, at: int, end: int) -> tuple[Node, int] | None:
        depth, values = 0, list[tuple[int, int]]()
        first: int | None = None
        for index in range(at, end):
            token = self.tokens[index]
            depth += token.is_word("CASE") + token.is_mark("(") - token.is_word("END") - token.is_mark(")")
            if first is not None and ((depth == 1 and token.is_word("WHEN", "ELSE")) or depth == 0):
                values.append((first, index))
                first = None
            if depth == 1 and token.is_word("THEN", "ELSE"):
                first = index + 1
            if depth == 0:
                inner = tuple(self.all(at + 1, index))
                choices = [self._listed_values(*one) for one in values]
                key, span = self._key(at, index + 1), self._span(at, index + 1)
                is_known = all(len(one) == 1 for one in choices)
                listed = tuple(one[0] for one in choices) if is_known else ()
                return Node(span, key=key, inner=inner, is_plain=False, choices=listed), index + 1
        return None

    def _interval(self, begin: int, end: int) -> tuple[Node, int] | None:
        at = begin + 1
        while at + 1 < end:
            value = at + (self.tokens[at].kind is Kind.MARK and self.tokens[at].value in "+-")
            if self.tokens[value].is_mark("("):
                after = self._past(value, "(", ")")
            elif value < end and (self.tokens[value].kind is Kind.STRING or self.tokens[value].raw[0].isdigit()):
                read = self._number(value, end) if self.tokens[value].kind is not Kind.STRING else None
                after = value + 1 if read is None else read[1]
            else:
                break
            if after >= end or not self.tokens[after].is_word(*_UNITS):
                at = after if at == begin + 1 and self.tokens[value].kind is Kind.STRING else at
                break
            at = after + 1
            if at + 1 < end and self.tokens[at].is_word("TO") and self.tokens[at + 1].is_word(*_UNITS):
                at += 2
        if at == begin + 1:
            return self._name(begin, end)
        is_timed = any(token.is_word(*_TIMES) for token in self.tokens[begin:at])
        return Node(self._span(begin, at), kind=TIMED if is_timed else OTHER), at

    def _number(self, begin: int, end: int) -> tuple[Node, int]:
        at = begin + 1
        whole = _WHOLE.match(self.tokens[begin].raw)

        def touches(one: int) -> bool:
            return one < end and self.tokens[one].start == self.tokens[one - 1].end

        if self.tokens[begin].is_mark("."):
            whole, at = None, begin + 2
        elif touches(at) and self.tokens[at].is_mark("."):
            whole, at = None, at + 1
            at += touches(at) and self.tokens[at].raw[0].isdigit()
        if _EXPONENT.match(self.tokens[at - 1].raw) and touches(at) and self.tokens[at].value in ("+", "-") and touches(at + 1):
            at += 2
        if whole is None:
            span = self._span(begin, at)
            raw = "".join(token.raw for token in self.tokens[begin:at])
            return Node(span, kind=literal_kind(raw) or "double", key=self._key(begin, at)), at
        value = int(whole[1])
        kind = "bigint" if whole[2] or value > _MOST_INT else "int"
        return Node(self._span(begin, at), number=value, kind=kind if value <= _MOST_BIGINT + 1 else OTHER), at

    # ------------------------------------------------------------------------------------------------------------ places

    def _past(self, opening: int, opens: str, closes: str) -> int:
        depth = 0
        for at in range(opening, len(self.tokens)):
            depth += self.tokens[at].is_mark(opens) - self.tokens[at].is_mark(closes)
            if depth == 0:
                return at + 1
        return len(self.tokens)

    def _span(self, begin: int, end: int) -> tuple[int, int]:
        return self.tokens[begin].start, self.tokens[end - 1].end

    def _key(self, begin: int, end: int) -> tuple[Any, ...]:
        return self.where, self._scope(begin), words_of(self.tokens[begin:end])

    def _scope(self, at: int) -> int:
        """The SELECT of the innermost query around a token; -1 for none."""
        if not self._scopes:
            open_ones, current = list[int](), -1
            for index, token in enumerate(self.tokens):
                if token.is_mark("("):
                    open_ones.append(current)
                elif token.is_mark(")") and open_ones:
                    current = open_ones.pop()
                elif token.is_word("SELECT"):
                    current = index
                self._scopes[index] = current
        return self._scopes.get(at, -1)
