"""Checked arithmetic in the expressions of DataFrames."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from boathouse.engine.gateway.forms.frame_calls import Pattern
from boathouse.engine.gateway.forms.overflow import Types, argument_kind, checked, edits, mark, summed
from boathouse.engine.gateway.messages.protocol import function_call, proto
from boathouse.engine.gateway.messages.spark_types import from_message
from boathouse.engine.gateway.messages.spark_types import sql as type_name
from boathouse.engine.gateway.messages.walk import children
from boathouse.engine.gateway.sql import typed_calls
from boathouse.engine.gateway.sql.common_types import malformed
from boathouse.engine.gateway.sql.operands import (
    BOOLEAN,
    CHOICES,
    COMPARED,
    DATE,
    EXTREME,
    FUNCTIONS,
    NUMBERS,
    OTHER,
    TEXT,
    TRIED,
    VOID,
    Node,
    without_calls,
)

_SIGNS = frozenset("+-*/%")
_KINDS = {
    "byte": "tinyint",
    "short": "smallint",
    "integer": "int",
    "long": "bigint",
    "string": TEXT,
    "date": DATE,
    "boolean": BOOLEAN,
    "null": VOID,
    "double": "double",
    "float": "float",
}
_COMPARING = frozenset({"==", "!=", "<", ">", "<=", ">=", "<=>", "in"})
_PLAIN = frozenset({"unresolved_attribute", "unresolved_named_lambda_variable"})


def read(expression: Any, where: Any, plain: frozenset[str]) -> Node | None:
    """An expression's operation or operand; None for what is no value, such as a star."""
    kind = expression.WhichOneof("expr_type")
    key = (where, expression.SerializeToString(deterministic=True))
    if kind == "literal":
        name = expression.literal.WhichOneof("literal_type")
        number = int(getattr(expression.literal, name)) if name in {"integer", "long"} else None
        decimal = expression.literal.decimal
        digits = (
            f"decimal({decimal.precision},{decimal.scale})" if name == "decimal" and decimal.HasField("precision") else None
        )
        return Node(expression, number=number, kind=digits or _KINDS.get(name, OTHER), key=key)
    if kind == "unresolved_function":
        call = expression.unresolved_function
        name, arguments = call.function_name, call.arguments
        is_tried = name in TRIED and len(arguments) == 2
        is_operation = is_tried or (name in _SIGNS and len(arguments) == 2) or (name == "negative" and len(arguments) == 1)
        if is_operation:
            parts = [read(one, where, plain) for one in arguments]
            if None not in parts:
                sign = "-_" if name == "negative" else str(TRIED.get(name, name))
                return Node(expression, sign, tuple(part for part in parts if part is not None), key=key, tried=is_tried)
    if kind in {None, "unresolved_star", "unresolved_regex", "expression_string", "lambda_function", "sort_order"}:
        return None
    call = _sum_in(expression)
    summed = None if call is None else read(call.arguments[0], where, plain)
    inner = _in_window(expression.window, call, where, plain) if kind == "window" else list(found(expression, where, plain))
    if kind == "cast" and _is_number(expression.cast):
        inner = [replace(one, is_number=one.source is expression.cast.expr) for one in inner]
    function = "" if call is None or summed is None else FUNCTIONS[call.function_name]
    is_plain = _is_plain(expression, plain)
    made = Node(expression, key=key, inner=tuple(inner), summed=summed, function=function, is_plain=is_plain)
    return _with_arguments(made, where, plain)


def _in_window(window: Any, call: Any | None, where: Any, plain: frozenset[str]) -> list[Node]:
    """What is inside of a function over a window, and of what it is ordered and parted by: there calls stay as they are."""
    # Not the call itself: what it gives is made one with its window.
    inner = [read(window.window_function, where, plain)] if call is None else list(found(call, where, plain))
    parted = [read(one, where, plain) for one in window.partition_spec]
    ordered = [node for one in window.order_spec for node in found(one, where, plain)]
    inner += [without_calls(one) for one in (*parted, *ordered) if one is not None]
    return [one for one in inner if one is not None and one.holds]


def _with_arguments(node: Node, where: Any, plain: frozenset[str]) -> Node:
    """A call or a cast with those of its arguments whose types matter."""
    expression = node.source
    called, is_cast = _called(expression), expression.WhichOneof("expr_type") == "cast"
    values: list[Node | None] = []
    if called:
        values = [read(one, where, plain) for one in _arguments(expression)]
        is_number = is_cast and _is_number(expression.cast)
        node = replace(node, call=called, tried=is_cast and expression.cast.eval_mode == expression.cast.EVAL_MODE_TRY)
        values = [None if one is None else replace(one, is_number=is_number) for one in values]
    elif expression.WhichOneof("expr_type") == "unresolved_function":
        name = expression.unresolved_function.function_name.lower()
        function = COMPARED if name in _COMPARING else EXTREME if name in {"greatest", "least"} else node.function
        node = replace(node, function=function)
        values = [read(expression.unresolved_function.arguments[at], where, plain) for at in _chosen(expression)]
    if None in values:
        return replace(node, call="")
    return replace(node, choices=tuple(one for one in values if one is not None))


def _called(expression: Any) -> str:
    """What a call or cast may be made otherwise as; empty where it is made as it stands."""
    kind = expression.WhichOneof("expr_type")
    if kind == "unresolved_function":
        return typed_calls.named(expression.unresolved_function.function_name.lower(), len(_arguments(expression)))
    if kind != "cast":
        return ""
    cast = expression.cast
    return typed_calls.target(cast.type_str or type_name(from_message(cast.type))) or ""


def _arguments(expression: Any) -> list[Any]:
    """Those of a call, or what is cast."""
    if expression.WhichOneof("expr_type") == "cast":
        return [expression.cast.expr]
    return list(expression.unresolved_function.arguments)


def _chosen(expression: Any) -> list[int]:
    """Which arguments of a call have to be of one type."""
    name, count = expression.unresolved_function.function_name.lower(), len(expression.unresolved_function.arguments)
    if name == "when":
        return [*range(1, count, 2), *([count - 1] if count % 2 else [])]
    first = 0 if name in _COMPARING else CHOICES.get(name, count)
    return list(range(first, count))


def _is_number(cast: Any) -> bool:
    return cast.type_str.upper() in NUMBERS or cast.type.WhichOneof("kind") in {*_KINDS, "double", "float", "decimal"} - {
        "string",
        "date",
    }


def found(message: Any, where: Any, plain: frozenset[str]) -> Iterator[Node]:
    """The operations and sums inside of a message, but for those of other relations in it."""
    for one in children(message):
        if one.DESCRIPTOR.name == "Relation":
            continue
        node = read(one, where, plain) if one.DESCRIPTOR.full_name == "spark.connect.Expression" else None
        if node is None:
            yield from found(one, where, plain)
        elif node.holds:
            yield node


def _sum_in(expression: Any) -> Any | None:
    if expression.WhichOneof("expr_type") == "window":
        expression = expression.window.window_function
    call = expression.unresolved_function
    is_sum = expression.WhichOneof("expr_type") == "unresolved_function" and call.function_name in FUNCTIONS
    return call if is_sum and len(call.arguments) == 1 else None


def _is_plain(expression: Any, plain: frozenset[str]) -> bool:
    kind = expression.WhichOneof("expr_type")
    if kind in _PLAIN or kind == "literal":
        return True
    if kind == "unresolved_function":
        call = expression.unresolved_function
        is_known = call.function_name.upper() in plain or call.function_name in _SIGNS
        return is_known and all(_is_plain(one, plain) for one in call.arguments)
    return kind in {"cast", "alias"} and _is_plain(getattr(expression, kind).expr, plain)


def change(nodes: Iterable[Node], types: Types) -> bool:
    """Change the messages of what has to be checked, in place; whether there were any."""
    changed: list[Node] = []

    def one(node: Node) -> None:
        node.source.CopyFrom(_changed(node, types))
        changed.append(node)

    edits(nodes, types, one)
    return bool(changed)


def _changed(node: Node, types: Types) -> Any:
    writer = _Writer(types)
    if node.sign:
        return checked(node, types, writer)
    pattern = types.pattern(node)
    if pattern is not None:
        return _patterned(node, pattern, types, writer)
    kind = types.common(node)
    if kind is not None:
        keys = {one.key for one in node.choices}
        change([one for one in node.inner if one.key not in keys], types)
        made = _copy(node.source)
        for at, one in zip(_chosen(node.source), node.choices, strict=True):
            is_one = one.kind == VOID or (one.number is None and one.kind == kind)
            value = writer.operand(one)
            error = malformed(one.source.literal.string, kind) if one.kind == TEXT else None
            if error is not None:
                # A string that is no number is an error where it is chosen, not wherever it stands.
                told = proto().Expression()
                told.literal.string = error
                value = function_call("raise_error", told)
            made.unresolved_function.arguments[at].CopyFrom(value if is_one else writer.cast(value, kind.upper()))
        return made
    argument = node.summed or node
    change([one for one in node.inner if one.key != argument.key], types)
    made = _copy(node.source)
    inside = checked(argument, types, writer) if types.is_checked(argument) else writer.operand(argument)
    call = _sum_in(made)
    if call is not None:
        call.arguments[0].CopyFrom(writer.cast(inside, argument_kind(node, types)))
    return summed(node, made, types, writer)


def _patterned(node: Node, pattern: str, types: Types, writer: "_Writer") -> Any:
    """A call by its pattern: an argument that may cost or give something else a second time is computed once."""
    keys = {one.key for one in node.choices}
    change([one for one in node.inner if one.key not in keys], types)
    values = [writer.operand(one) for one in node.choices]
    listed, once = list(values), typed_calls.repeated(pattern, node)
    for at in once:
        bound = proto().Expression()
        bound.unresolved_named_lambda_variable.name_parts.append(f"__bh_bound{at}")
        listed[at] = bound
    made = Pattern(pattern, "", listed).made()
    for at in once:
        made = Pattern(
            "element_at(transform(array({0}), {element} -> {body}), 1)", f"__bh_bound{at}", [values[at]], made
        ).made()
    return made


@dataclass(frozen=True)
class _Writer:
    """Writes messages."""

    types: Types
    _made: dict[int, Any] = field(default_factory=dict[int, Any])

    def operand(self, node: Node) -> Any:
        # What is inside is changed in place, so once.
        if id(node) not in self._made:
            self._made[id(node)] = self._operand(node)
        return self._made[id(node)]

    def _operand(self, node: Node) -> Any:
        types = self.types
        is_made = types.common(node) is not None or types.pattern(node) is not None
        if not node.sign and (is_made or types.is_summed(node) or types.casts(node) is not None):
            return _changed(node, self.types)
        if self.types.is_checked(node):
            return checked(node, self.types, self)
        change((*node.parts, *node.inner), self.types)
        return _copy(node.source)

    def number(self, value: int, kind: str) -> Any:
        made = proto().Expression()
        if kind in {"int", "bigint"}:
            setattr(made.literal, "integer" if kind == "int" else "long", value)
            return made
        made.literal.long = value
        return self.cast(made, kind.upper())

    def cast(self, value: Any, kind: str, *, tries: bool = False) -> Any:
        made = proto().Expression()
        made.cast.expr.CopyFrom(value)
        made.cast.type_str = kind
        if tries:
            made.cast.eval_mode = made.cast.EVAL_MODE_TRY
        return made

    def operation(self, sign: str, *parts: Any) -> Any:
        return function_call("negative" if len(parts) == 1 and sign == "-" else sign, *parts)

    def tried(self, name: str, *parts: Any) -> Any:
        return function_call(name, *parts)

    def unless_null(self, value: Any, operands: Sequence[Any], kind: str, message: str) -> Any:
        told = proto().Expression()
        told.literal.string = message
        error = self.cast(function_call("raise_error", told), kind.upper())
        there = [function_call("isnotnull", one) for one in operands]
        if not there:
            return function_call("coalesce", value, error)
        condition = there[0]
        for one in there[1:]:
            condition = function_call("and", condition, one)
        return function_call("coalesce", value, function_call("when", condition, error))


def put_marks(nodes: Iterable[tuple[Node, bool]], types: Types) -> None:
    """Put words beside the operands whose types are asked for, in place."""
    for node, matters in nodes:
        if types.gives_way(node):
            asked = types.operands_of(node)
            put_marks([pair for one in asked for pair in _inside(one)], types)
            condition, nothing = _told(asked, [_copy(one.source) for one in asked], types)
            node.source.CopyFrom(function_call("when", condition, _false(nothing) if node.function == COMPARED else nothing))
            continue
        if node.sign:
            put_marks([(part, True) for part in node.parts], types)
            continue
        whole = _copy(node.source)
        put_marks(_inside(node), types)
        if matters and types.is_marked(node):
            condition, nothing = _told(types.operands_of(node), [whole], types)
            values = [nothing, _copy(node.source)]
            if types.is_loose and (node.is_number or node.kind == TEXT):
                zero = proto().Expression()
                zero.literal.integer = 0
                values = [zero] if node.is_number else [nothing]
            node.source.CopyFrom(function_call("when", condition, *values))


def _inside(node: Node) -> list[tuple[Node, bool]]:
    """What stands inside of an operand, and whether its type matters whatever it is."""
    values = [*node.choices, *([] if node.summed is None else [replace(node.summed, is_number=True)])]
    # These may be operations that are inside of it as well.
    keys = {one.key for one in values}
    return [*((one, False) for one in node.inner if one.key not in keys), *((one, True) for one in values)]


def _false(nothing: Any) -> Any:
    """NULL as what is neither true nor false."""
    made = proto().Expression()
    made.cast.expr.CopyFrom(nothing)
    made.cast.type_str = "BOOLEAN"
    return made


def _told(nodes: Sequence[Node], values: Sequence[Any], types: Types) -> tuple[Any, Any]:
    """A condition with the words of some operands, and NULL."""
    nothing, condition = proto().Expression(), proto().Expression()
    nothing.literal.null.SetInParent()
    condition.literal.boolean = False
    for node, value in zip(nodes, values, strict=False):
        word = proto().Expression()
        word.literal.string = mark(types.number(node) or 0)
        told = function_call("==", function_call("typeof", value), word)
        condition = told if node is nodes[0] else function_call("or", condition, told)
    return condition, nothing


def _copy(message: Any) -> Any:
    made = type(message)()
    made.CopyFrom(message)
    return made
