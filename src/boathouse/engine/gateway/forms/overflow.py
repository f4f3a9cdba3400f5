"""Whole numbers that are added, subtracted or multiplied past the ends of their type are an error, as Spark has it; decimals have its digits.

The embedded engine wraps around. What its ``try_add`` and the like give is right or NULL, so such an operation becomes that, and an error
where it is NULL and no operand is. ``sum`` of BIGINT is made with decimals. How decimals are computed says ``sql/decimal_types``. Which types operands have only the engine knows: it is asked
for the plan of the same relation with a word beside each operand, and says there what is compared with that word.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from boathouse.engine.gateway.sql import common_types, typed_calls
from boathouse.engine.gateway.sql import decimal_types as decimals
from boathouse.engine.gateway.sql.decimal_types import Cast, Digits
from boathouse.engine.gateway.sql.operands import BOOLEAN, COMPARED, DATE, TEXT, TIMED, VOID, Node

_WIDTHS = {"tinyint": 0, "smallint": 1, "int": 2, "bigint": 3}
WIDER = {"tinyint": "INT", "smallint": "INT", "int": "BIGINT", "bigint": "DECIMAL(19, 0)"}
"""What holds whatever an operation on two numbers of a type gives; of decimals it is an error where it does not."""
_NAMES = {"+": "add", "-": "subtract", "*": "multiply"}
_TOLD = re.compile(r'Utf8\("([^"]*)"\) = Utf8\("__bh_type_(\d+)"\)')
T = TypeVar("T")


class Writer(Protocol[T]):
    """Writes expressions: as text or as messages."""

    def operand(self, node: Node) -> T:
        """An operand, with what is to be changed inside of it."""
        ...

    def number(self, value: int, kind: str) -> T:
        """A literal."""
        ...

    def cast(self, value: T, kind: str, *, tries: bool = False) -> T:
        """CAST, or TRY_CAST."""
        ...

    def operation(self, sign: str, *parts: T) -> T:
        """An operation."""
        ...

    def tried(self, name: str, *parts: T) -> T:
        """A function's call."""
        ...

    def unless_null(self, value: T, operands: Sequence[T], kind: str, message: str) -> T:
        """The value, or an error where it is NULL and none of the operands is."""
        ...


def mark(number: int) -> str:
    """The word beside an operand."""
    return f"__bh_type_{number}"


@dataclass
class Types:
    """The types of the operands of one plan.

    Attributes:
        units: Keys of what rows are grouped by; it has to stay one expression.
        known: The types of columns, by their names.
        others: The types of columns that hold no whole numbers, by their names.
        whole: Whether whole numbers are checked.
        tries: Whether a decimal of too many digits is NULL instead of an error.
        is_loose: Whether NULL stands for what is computed, as the engine does not compare, add, or the like, what Spark does.
        executes: Whether values are wanted, not types alone.
    """

    units: frozenset[Any] = frozenset()
    known: Mapping[str, str] = field(default_factory=dict[str, str])
    others: Mapping[str, str] = field(default_factory=dict[str, str])
    whole: bool = True
    tries: bool = False
    is_loose: bool = False
    executes: bool = True
    _numbers: dict[Any, int] = field(default_factory=dict[Any, int])
    _known: dict[int, set[str]] = field(default_factory=dict[int, set[str]])
    _digits: dict[int, tuple[Node, Digits | None]] = field(default_factory=dict[int, "tuple[Node, Digits | None]"])

    def ask(self, nodes: Iterable[Node]) -> None:
        """Take note of the operands of which the type has to be known."""
        stack = [(node, False) for node in nodes]
        while stack:
            node, matters = stack.pop()
            if node.sign:
                # A quotient is asked for where it can be one of decimals.
                matters = node.sign != "/" or not any(self._is_binary(part) for part in node.parts)
                stack += [(part, matters) for part in node.parts]
                continue
            if matters and node.number is None and node.kind is None and not self._is_other(node):
                self._numbers.setdefault(node.key, len(self._numbers))
            stack += [(one, False) for one in node.inner]
            if node.summed is not None:
                stack.append((node.summed, True))
            if node.choices and self._may_differ(node):
                stack += [(one, True) for one in node.choices]

    def _may_differ(self, node: Node) -> bool:
        if not node.call:
            return common_types.may_differ(node, self.known)
        return typed_calls.may_differ(node, common_types.kinds(node.choices, self.known), executes=self.executes)

    def _is_other(self, node: Node) -> bool:
        """Whether something is known to be no whole number."""
        if node.sign:
            return node.sign == "/" or any(self._is_other(part) for part in node.parts)
        return node.name in self.others or (node.summed is not None and self._is_other(node.summed))

    def _is_binary(self, node: Node) -> bool:
        """Whether something is known to be neither a whole number nor a decimal."""
        if node.sign:
            return any(self._is_binary(part) for part in node.parts)
        kind = node.kind or self.others.get(node.name)
        return kind is not None and decimals.digits(kind) is None

    def number(self, node: Node) -> int | None:
        """Of an operand whose type is asked for."""
        return None if node.number is not None or node.kind is not None else self._numbers.get(node.key)

    @property
    def are_asked(self) -> bool:
        """Whether there are any."""
        return bool(self._numbers)

    def is_marked(self, node: Node) -> bool:
        """Whether words stand beside an operand: those of strings only where the engine does not take them as they stand."""
        return self.number(node) is not None or (self.is_loose and node.kind == TEXT)

    def gives_way(self, node: Node) -> bool:
        """Whether NULL stands for an operation, or a call."""
        is_truth = node.function == COMPARED and any(one.kind == BOOLEAN for one in node.choices)
        return self.is_loose and bool(node.sign or is_truth or typed_calls.may_be_refused(node))

    def operands_of(self, node: Node) -> list[Node]:
        """The operands of an operation whose types are asked for; of an operand, itself."""
        if node.sign or self.gives_way(node):
            return [one for part in (*node.parts, *node.choices) for one in self.operands_of(part)]
        return [] if self.number(node) is None else [node]

    def learn(self, plan: str) -> None:
        """Take what a plan says."""
        for kind, number in _TOLD.findall(plan):
            self._known.setdefault(int(number), set()).add(kind)

    def kind(self, node: Node) -> str | None:
        """The type of a whole number; None for anything else."""
        if not node.sign:
            return self._kind_of_operand(node)
        kinds = [self.kind(part) for part in node.parts]
        if None in kinds and node.sign in _NAMES and any(kinds) and TEXT in (self._word(part) for part in node.parts):
            # A string beside a whole number is a BIGINT.
            return "bigint"
        if node.sign == "/" or None in kinds:
            return None
        if node.sign.upper() == "DIV":
            return "bigint"
        return max((kind for kind in kinds if kind is not None), key=_WIDTHS.__getitem__)

    def common(self, node: Node) -> str | None:
        """The type that the values of a call, a CASE or a comparison are cast to; None where the engine does as Spark does."""
        if not node.choices or node.call:
            return None
        words = [self._value_type(one) for one in node.choices if one.kind != VOID]
        return common_types.common(words, node.function)

    def pattern(self, node: Node) -> str | None:
        """What a call becomes for the types of its arguments; None where the engine does as Spark does."""
        return typed_calls.made(node, [self._value_type(one) for one in node.choices]) if node.call else None

    def _value_type(self, node: Node) -> str:
        """The type of a value; empty where it is not known."""
        if node.number is not None and node.kind in _WIDTHS:
            return node.kind or ""
        made = self.kind(node) or self._word(node)
        found = self.digits(node) if not made else None
        return made or (found.kind.lower() if found is not None else "")

    def _kind_of_operand(self, node: Node) -> str | None:
        made = self._made(node)
        if made is not None:
            return made if made in _WIDTHS else None
        kind = node.kind or self.others.get(node.name)
        if kind is not None:
            return kind if kind in _WIDTHS else None
        known = self._known.get(self._numbers.get(node.key, -1), set())
        if not known or not known <= _WIDTHS.keys():
            return None
        return max(known, key=_WIDTHS.__getitem__)

    def is_checked(self, node: Node) -> bool:
        """Whether an operation can overflow: literals only are taken for what they are."""
        if node.choices:
            return self.common(node) is not None or self.pattern(node) is not None
        if node.tried and _value(node) is None:
            return all(self._is_known(part) for part in node.parts)
        if node.sign not in _NAMES or self.kind(node) is None:
            return self.casts(node) is not None or self.operands(node) is not None or self.is_span(node)
        return (self.whole or self.has_text(node)) and _value(node) is None

    def _is_known(self, node: Node) -> bool:
        return bool(node.number is not None or self.kind(node) or self.digits(node) or self._word(node))

    def has_text(self, node: Node) -> bool:
        """Whether an operand is a string."""
        return any(self._word(part) == TEXT for part in node.parts)

    def operands(self, node: Node) -> tuple[str | None, ...] | None:
        """The types that operands of dates, times and strings are cast to; None where the engine does as Spark does."""
        words = [self._word(part) for part in node.parts]
        if node.sign in {"+", "-"} and set(words) == {DATE, TIMED}:
            return tuple("TIMESTAMP" if one == DATE else None for one in words)
        if node.sign == "-" and set(words) == {DATE, "timestamp"}:
            return tuple("TIMESTAMP" if one == DATE else None for one in words)
        if len(words) != 2 or words.count(TEXT) != 1 or not node.sign:
            return None
        other = node.parts[words[0] == TEXT]
        is_whole = self.kind(other) is not None or (other.number is not None and other.kind in _WIDTHS)
        if not is_whole and self.digits(other) is None and self._word(other) not in {"double", "float"}:
            return None
        kind = "BIGINT" if is_whole and node.sign != "/" else "DOUBLE"
        return tuple(kind if one == TEXT else None for one in words)

    def _made(self, node: Node) -> str | None:
        """The type of what its values are cast to."""
        return None if node.function == COMPARED else self.common(node)

    def is_span(self, node: Node) -> bool:
        """Whether an operation is the difference of two dates, which is an interval."""
        return node.sign == "-" and not node.is_number and [self._word(part) for part in node.parts] == [DATE, DATE]

    # ---------------------------------------------------------------------------------------------------------- decimals

    def digits(self, node: Node) -> Digits | None:
        """Those of a decimal or whole number; None for anything else."""
        known = self._digits.get(id(node))
        if known is None:
            # With the node, so that no other one has its number.
            known = self._digits[id(node)] = (node, self._digits_of(node))
        return known[1]

    def _digits_of(self, node: Node) -> Digits | None:
        if node.number is not None:
            return Digits(len(str(abs(node.number))), is_decimal=node.kind not in _WIDTHS)
        if node.sign in {"-_", "+_"}:
            return self.digits(node.parts[0])
        if node.sign:
            one, other = (self.digits(part) for part in node.parts)
            kind = self.kind(node)
            made = None if one is None or other is None else decimals.result(node.sign, one, other)
            return made if kind is None else decimals.digits(kind)
        kind = self._made(node) or node.kind or self.others.get(node.name)
        known = {kind} if kind is not None else self._known.get(self._numbers.get(node.key, -1), set())
        found = {decimals.digits(one) for one in known}
        if len(found) == 1:
            return found.pop()
        argument = None if node.summed is None or known else self.digits(node.summed)
        if argument is None or not argument.is_decimal:
            return None
        return decimals.total(argument) if node.function == "sum" else decimals.mean(argument)

    def casts(self, node: Node) -> Cast | None:
        """How an operation, a sum or a mean of decimals is made; None where the engine does as Spark does, and for anything else."""
        if node.sign:
            parts = [self.digits(part) for part in node.parts]
            one, other = parts if len(parts) == 2 else (None, None)
            make = decimals.tried if node.tried else decimals.casts
            return None if one is None or other is None else make(node.sign, one, other)
        argument = None if node.summed is None else self.digits(node.summed)
        if argument is None:
            is_text = node.function == "avg" and node.summed is not None and self._word(node.summed) == TEXT
            return Cast("DOUBLE", None, "DOUBLE") if is_text else None
        return decimals.summed(argument) if node.function == "sum" else decimals.averaged(argument)

    def _word(self, node: Node) -> str:
        """The type of an operand, so far as it is known."""
        if node.sign:
            words = [self._word(part) for part in node.parts]
            if "double" in words or "float" in words:
                return "double"
            if node.sign == "/" and all(self.kind(part) or part.number is not None for part in node.parts):
                return "double"
            # So many days after a date.
            is_date = node.sign in {"+", "-"} and words[0] == DATE and self.kind(node.parts[-1]) is not None
            return DATE if is_date else ""
        kind = None if node.sign else self._made(node) or node.kind or self.others.get(node.name)
        known = {kind} if kind else self._known.get(self._numbers.get(node.key, -1), set())
        return next(iter(known)) or "" if len(known) == 1 else ""

    def is_summed(self, node: Node) -> bool:
        """Whether something is a sum of BIGINT."""
        return self.whole and node.function == "sum" and node.summed is not None and self.kind(node.summed) == "bigint"


def _value(node: Node) -> int | None:
    """What literals come to, if that and all on the way to it fits."""
    if not node.sign:
        return node.number if node.number is not None and abs(node.number) < 2**31 else None
    values = [_value(part) for part in node.parts]
    if None in values or node.sign not in {*_NAMES, "-_", "+_"}:
        return None
    one, *others = (value for value in values if value is not None)
    match node.sign:
        case "+":
            made = one + others[0]
        case "-":
            made = one - others[0]
        case "*":
            made = one * others[0]
        case "-_":
            made = -one
        case _:
            made = one
    return made if abs(made) < 2**31 else None


def checked(node: Node, types: Types, writer: Writer[T]) -> T:
    """An operation as one that is right or an error."""
    if types.is_span(node):
        return writer.tried("make_dt_interval", writer.operation("-", *(writer.operand(part) for part in node.parts)))
    kind = types.kind(node)
    given = types.operands(node) if kind is None else None
    if given is not None:
        return writer.operation(node.sign, *_cast(node, given, writer))
    cast = types.casts(node)
    if cast is not None:
        parts = _cast(node, (cast.left, cast.right), writer)
        return writer.cast(writer.operation(node.sign, *parts), cast.made, tries=types.tries or node.tried)
    if kind is None:
        return writer.operation(node.sign, *(writer.operand(part) for part in node.parts))
    if node.tried:
        return _written(node, kind, types, writer, tries=True, is_first=True)
    operands: list[Node] = []
    _operands(node, types, operands, is_first=True)
    plain = all(one.is_plain for one in operands)
    made = _written(node, kind, types, writer, tries=plain, is_first=True)
    if not plain:
        return made
    values = [writer.operand(one) for one in operands if one.number is None]
    doing = {"+": "addition", "-": "subtraction", "*": "multiplication"}[node.sign]
    message = f"[ARITHMETIC_OVERFLOW] {kind} overflow in a{'n' if doing[0] == 'a' else ''} {doing}. Use 'try_{_NAMES[node.sign]}' to tolerate overflow and return NULL instead."
    return writer.unless_null(made, values, kind, message)


def _cast(node: Node, kinds: Sequence[str | None], writer: Writer[T]) -> list[T]:
    """The operands of an operation as values of some types."""
    parts = [writer.operand(part) for part in node.parts]
    return [one if to is None else writer.cast(one, to) for one, to in zip(parts, kinds, strict=True)]


def summed(node: Node, whole: T, types: Types, writer: Writer[T]) -> T:
    """A sum of BIGINT that was made with decimals, as a BIGINT; a sum or mean of decimals as one of its type."""
    cast = types.casts(node)
    if cast is not None:
        return writer.cast(whole, cast.made, tries=types.tries)
    operands: list[Node] = []
    if node.summed is not None:
        _operands(node.summed, types, operands, is_first=True)
    if not all(one.is_plain for one in operands):
        return writer.cast(whole, "BIGINT")
    message = "[ARITHMETIC_OVERFLOW] bigint overflow in a sum. Use 'try_sum' to tolerate overflow and return NULL instead."
    return writer.unless_null(writer.cast(whole, "BIGINT", tries=True), [whole], "bigint", message)


def _operands(node: Node, types: Types, found: list[Node], *, is_first: bool = False) -> None:
    if _is_opened(node, types, is_first=is_first):
        for part in node.parts:
            _operands(part, types, found)
    else:
        found.append(node)


def _is_opened(node: Node, types: Types, *, is_first: bool) -> bool:
    is_part = node.key not in types.units and not node.tried
    return bool(node.sign in {*_NAMES, "-_", "+_"} and (is_first or is_part))


def argument_kind(node: Node, types: Types) -> str:
    """The type that what is summed is cast to."""
    cast = types.casts(node)
    return (cast.left if cast is not None else None) or "DECIMAL(19, 0)"


def _written(node: Node, wanted: str, types: Types, writer: Writer[T], *, tries: bool, is_first: bool = False) -> T:
    """A part of such an operation as a value of a type."""
    kind = types.kind(node) or wanted
    if node.number is not None:
        return writer.number(node.number, wanted)
    if not _is_opened(node, types, is_first=is_first):
        made = writer.operand(node)
        if types.kind(node) is None:
            # A string.
            return writer.cast(made, wanted.upper())
    elif node.sign in {"-_", "+_"}:
        made = writer.operation(node.sign[0], _written(node.parts[0], kind, types, writer, tries=tries))
    elif tries and kind in {"int", "bigint"}:
        made = writer.tried(f"try_{_NAMES[node.sign]}", *(_written(one, kind, types, writer, tries=True) for one in node.parts))
    else:
        parts = [writer.cast(_written(one, kind, types, writer, tries=tries), WIDER[kind]) for one in node.parts]
        made = writer.cast(writer.operation(node.sign, *parts), kind.upper(), tries=tries)
    return made if kind == wanted else writer.cast(made, wanted.upper())


def edits(nodes: Iterable[Node], types: Types, change: Callable[[Node], None]) -> None:
    """Change the outermost of what is to be checked among some nodes and what is inside of them.

    Args:
        nodes: They.
        types: Of their operands.
        change: Is given each operation and each sum.
    """
    for node in nodes:
        if types.is_checked(node) or types.is_summed(node):
            change(node)
        else:
            edits((*node.parts, *node.inner), types, change)
