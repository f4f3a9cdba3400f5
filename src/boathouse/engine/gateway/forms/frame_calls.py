"""The calls in expressions of DataFrames that the embedded engine knows otherwise than Spark, as those of ``calls``."""

import re
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

from boathouse.engine.gateway.forms.calls import (
    ELEMENT,
    FREQUENT,
    HIGHER,
    NAMES,
    PERCENTILE,
    PERCENTILES,
    SEQUENCE,
    Literal,
    is_percentile,
    pattern,
)
from boathouse.engine.gateway.forms.java_regexes import shown as bare
from boathouse.engine.gateway.messages.protocol import function_call, proto
from boathouse.engine.gateway.messages.walk import children, may_have, relations, walk
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.sql.tokens import Kind, Token, tokenize

_COLLECTING = frozenset({"collect_list", "array_agg"})
_KNOWN = NAMES | PERCENTILES | _COLLECTING | {"percentile"}
_SIGNS = frozenset("+-*/%")
_MAY_HAVE = re.compile(rf"\b(?:{'|'.join(sorted(_KNOWN))})\b".encode(), re.IGNORECASE)


def put_calls(session: EngineSession, root: Any) -> bool:
    """Have the calls of a plan made as the engine has them, in place; whether there were any."""
    if not may_have(root, _MAY_HAVE):
        return False
    numbers = count()
    changed = False
    for relation in relations(root):
        slots = _slots(relation)
        before = [one.SerializeToString(deterministic=True) for one in slots]
        copy = proto().Relation()
        copy.CopyFrom(relation)
        if not _put(_own(relation), numbers):
            continue
        changed = True
        is_named = [one.WhichOneof("expr_type") == "alias" for one in slots]
        unnamed = [
            at for at, one in enumerate(slots) if not is_named[at] and one.SerializeToString(deterministic=True) != before[at]
        ]
        if unnamed:
            _name(session, copy, slots, unnamed)
    return changed


def _own(relation: Any) -> list[Any]:
    """The expressions of a relation, without those of relations below it, the outermost first."""
    found: list[Any] = []
    stack = children(relation)
    while stack:
        message = stack.pop()
        if message.DESCRIPTOR.name == "Relation":
            continue
        if message.DESCRIPTOR.full_name == "spark.connect.Expression":
            found.append(message)
        stack.extend(children(message))
    return found


def _slots(relation: Any) -> list[Any]:
    match relation.WhichOneof("rel_type"):
        case "project":
            return list(relation.project.expressions)
        case "aggregate":
            return list(relation.aggregate.aggregate_expressions)
        case _:
            return []


def _name(session: EngineSession, before: Any, slots: Sequence[Any], unnamed: Sequence[int]) -> None:
    """Give columns the names that they had, in place."""
    struct = session.struct(before)
    old = _slots(before)
    # Of an aggregation what rows are grouped by stands before the others.
    first = 0 if struct is None else len(struct.fields) - len(slots)
    has_stars = any(one.WhichOneof("expr_type") in {"unresolved_star", "unresolved_regex"} for one in old)
    for at in unnamed:
        name = shown(old[at]) if struct is None or has_stars or first < 0 else struct.fields[first + at].name
        inside = proto().Expression()
        inside.CopyFrom(slots[at])
        slots[at].alias.expr.CopyFrom(inside)
        slots[at].alias.name.append(name)


def shown(expression: Any) -> str:
    """How Spark would name a column that is an expression."""
    kind = expression.WhichOneof("expr_type")
    value = getattr(expression, kind)
    match kind:
        case "unresolved_attribute":
            return str(value.unparsed_identifier)
        case "literal":
            held = value.WhichOneof("literal_type")
            return "NULL" if held == "null" else str(getattr(value, held)) if held != "decimal" else value.decimal.value
        case "unresolved_function" if value.function_name in _SIGNS and len(value.arguments) == 2:
            return f"({shown(value.arguments[0])} {value.function_name} {shown(value.arguments[1])})"
        case "unresolved_function":
            return f"{value.function_name}({', '.join(map(shown, value.arguments))})"
        case "call_function":
            return f"{value.function_name}({', '.join(map(shown, value.arguments))})"
        case "lambda_function":
            return "lambdafunction()"
        case "window":
            return f"{shown(value.window_function)} OVER ()"
        case "cast" | "alias":
            return shown(value.expr)
        case _:
            return "value"


def _put(expressions: Sequence[Any], numbers: Iterator[int]) -> bool:
    """Have the calls among some expressions made otherwise, in place; whether there were any."""
    windows = [
        one for one in expressions if one.WhichOneof("expr_type") == "window" and _is_percentile(one.window.window_function)
    ]
    # What is made of these has several windows.
    inside = {id(one.window.window_function) for one in windows}
    changed = False
    for expression in reversed(expressions):
        if id(expression) in inside:
            continue
        if _is_collected(expression):
            # Over a window the engine collects NULLs, too.
            whole = proto().Expression()
            whole.CopyFrom(expression)
            element = f"__bh_element_{next(numbers)}"
            expression.CopyFrom(Pattern("filter({0}, {element} -> isnotnull({element}))", element, [whole]).made())
            changed = True
            continue
        window = expression.window if any(one is expression for one in windows) else None
        call = _call(expression if window is None else window.window_function)
        made = None if call is None else _made(call.function_name.lower(), list(call.arguments), window, numbers)
        if made is not None:
            expression.CopyFrom(made)
            changed = True
    return changed


def _call(expression: Any) -> Any | None:
    kind = expression.WhichOneof("expr_type")
    return getattr(expression, kind) if kind in {"unresolved_function", "call_function"} else None


def _is_collected(expression: Any) -> bool:
    call = _call(expression.window.window_function) if expression.WhichOneof("expr_type") == "window" else None
    return call is not None and call.function_name.lower() in _COLLECTING


def _is_percentile(expression: Any) -> bool:
    call = _call(expression)
    return call is not None and is_percentile(call.function_name.lower(), [_literal(one) for one in call.arguments])


def _made(name: str, arguments: Sequence[Any], window: Any | None, numbers: Iterator[int]) -> Any | None:
    """What a call becomes; None where the engine does as Spark does."""
    if name not in _KNOWN:
        return None
    if name == SEQUENCE:
        return _sequence()
    if is_percentile(name, [_literal(one) for one in arguments]):
        return _percentile(name, arguments, window)
    if name in PERCENTILES:
        return None
    element = f"__bh_element_{next(numbers)}"
    higher = HIGHER.get((name, len(arguments)))
    if higher is None:
        nulls = [
            one.WhichOneof("expr_type") == "literal" and one.literal.WhichOneof("literal_type") == "null" for one in arguments
        ]
        text = pattern(name, [_literal(one) for one in arguments], nulls)
        return None if text is None else Pattern(text, element, arguments).made()
    function = arguments[-1].lambda_function
    if len(function.arguments) != len(higher.parameters):
        return None
    values = {
        tuple(parameter.name_parts): Pattern(text, element, arguments).made()
        for parameter, text in zip(function.arguments, higher.parameters, strict=True)
    }
    body = proto().Expression()
    body.CopyFrom(function.function)
    for one in list(walk(body)):
        if one.DESCRIPTOR.full_name == "spark.connect.Expression":
            known = values.get(tuple(one.unresolved_named_lambda_variable.name_parts))
            if known is not None:
                one.CopyFrom(known)
    return Pattern(higher.pattern, element, arguments, body).made()


def _sequence() -> Any:
    """The place of each row, from 0: by partitions, and in these as they come."""
    number, first = proto().Expression(), proto().Expression()
    window = number.cast.expr.window
    window.window_function.CopyFrom(function_call("row_number"))
    order = window.order_spec.add()
    order.child.CopyFrom(function_call("monotonically_increasing_id"))
    order.direction = proto().Expression.SortOrder.SORT_DIRECTION_ASCENDING
    order.null_ordering = proto().Expression.SortOrder.SORT_NULLS_FIRST
    number.cast.type_str = "BIGINT"
    first.literal.long = 1
    return function_call("-", number, first)


def _literal(expression: Any) -> Literal:
    """What a plain number or string is, or a map of strings."""
    call = _call(expression)
    if call is not None and call.function_name.lower() in {"map", "create_map"}:
        values = [one.literal.string for one in call.arguments if one.literal.HasField("string")]
        return tuple(values) if len(values) == len(call.arguments) else None
    if expression.WhichOneof("expr_type") != "literal":
        return None
    kind = expression.literal.WhichOneof("literal_type")
    return getattr(expression.literal, kind) if kind in {"string", "byte", "short", "integer", "long"} else None


def _percentile(name: str, arguments: Sequence[Any], window: Any | None) -> Any | None:
    """``percentile_approx``, or ``percentile`` with frequencies, of one percentage, or of several."""
    call = _call(arguments[1])
    listed = list(call.arguments) if call is not None and call.function_name.lower() == "array" else None
    text = FREQUENT if name == "percentile" else PERCENTILE
    others = arguments[2:3] if name == "percentile" else []
    made = [_windowed(Pattern(text, "", [arguments[0], one, *others]).made(), window) for one in (listed or [arguments[1]])]
    if listed is None:
        return made[0]
    there = Pattern("(count({0}) > 0)", "", arguments).made()
    nothing = proto().Expression()
    nothing.literal.null.SetInParent()
    return function_call("if", _windowed(there, window), function_call("array", *made), nothing)


def _windowed(expression: Any, window: Any | None) -> Any:
    """With the aggregates in it over a window."""
    if window is None:
        return expression
    for one in reversed(list(walk(expression))):
        call = _call(one) if one.DESCRIPTOR.full_name == "spark.connect.Expression" else None
        if call is not None and call.function_name in {"count", "collect_list"}:
            inside = proto().Expression()
            inside.CopyFrom(one)
            one.window.CopyFrom(window)
            one.window.window_function.CopyFrom(inside)
    return expression


class Pattern:
    """Reads a pattern as an expression.

    Args:
        text: The pattern.
        element: The name of the parameter of its lambda function.
        arguments: Of the call.
        body: What the call's lambda function gives.
    """

    def __init__(self, text: str, element: str, arguments: Sequence[Any], body: Any | None = None) -> None:
        for at in range(len(arguments)):
            text = text.replace(f"{{{at}}}", f"__bh_{at}")
        self._tokens = tokenize(text.replace(ELEMENT, element or "__bh_element").replace("{body}", "__bh_body"))
        self._element = element
        self._known: dict[str, Any] = {f"__bh_{at}": one for at, one in enumerate(arguments)}
        if body is not None:
            self._known["__bh_body"] = body
        self._at = 0

    def made(self) -> Any:
        """The expression."""
        token = self._next()
        following = self._tokens[self._at] if self._at < len(self._tokens) else None
        if token.is_mark("("):
            left, sign = self.made(), self._next().value
            if sign in {"<", ">", "!"} and self._tokens[self._at].value in {"=", ">"}:
                sign = (sign + self._next().value).replace("<>", "!=")
            sign = "==" if sign == "=" else sign
            right = self.made()
            self._next()
            return function_call(sign.lower(), left, right)
        if token.identifier == self._element and self._element:
            return self._parameter(following)
        if token.identifier in self._known:
            return self._known[token.identifier]
        if following is not None and following.is_mark("("):
            self._next()
            return self._cast(token) if token.is_word("CAST", "TRY_CAST") else function_call(token.identifier, *self._list())
        made = proto().Expression()
        if token.is_word("NULL"):
            made.literal.null.SetInParent()
        elif token.kind is Kind.STRING:
            made.literal.string = bare(token.value)
        elif token.is_mark("-"):
            made.literal.integer = -int(self._next().raw)
        elif token.is_word("TRUE", "FALSE"):
            made.literal.boolean = token.is_word("TRUE")
        else:
            made.literal.integer = int(token.raw)
        return made

    def _next(self) -> Token:
        self._at += 1
        return self._tokens[self._at - 1]

    def _list(self) -> list[Any]:
        found: list[Any] = []
        while not self._tokens[self._at].is_mark(")"):
            found.append(self.made())
            if self._tokens[self._at].is_mark(","):
                self._next()
        self._next()
        return found

    def _cast(self, word: Token) -> Any:
        made = proto().Expression()
        if word.is_word("TRY_CAST"):
            made.cast.eval_mode = made.cast.EVAL_MODE_TRY
        made.cast.expr.CopyFrom(self.made())
        self._next()
        depth, words = 0, list[str]()
        while depth or not self._tokens[self._at].is_mark(")"):
            word = self._next()
            depth += word.is_mark("(") - word.is_mark(")")
            words.append(word.raw)
        made.cast.type_str = "".join(words)
        self._next()
        return made

    def _parameter(self, following: Token | None) -> Any:
        """The lambda function that begins with its parameter, or a use of that."""
        made = proto().Expression()
        if following is not None and following.is_mark("-"):
            self._at += 2
            made.lambda_function.arguments.add().name_parts.append(self._element)
            made.lambda_function.function.CopyFrom(self.made())
        elif following is not None and following.is_mark("."):
            self._next()
            value = made.unresolved_extract_value
            value.child.unresolved_named_lambda_variable.name_parts.append(self._element)
            value.extraction.literal.string = self._next().identifier
        else:
            made.unresolved_named_lambda_variable.name_parts.append(self._element)
        return made
