"""What a join's condition says of how far apart the event times of its two sides can be."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from boathouse.engine.gateway.sql.tokens import Kind, Token, closing, parts_of, read_name, tokenize
from boathouse.engine.streaming.errors import StreamRefused
from boathouse.engine.streaming.intervals import milliseconds

_COMPARED = {"=": "=", "==": "=", "<": "<", "<=": "<=", ">": ">", ">=": ">=", "<=>": "="}
_TURNED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True)
class Linear:
    """A column and a span of time that is added to it, in ms."""

    column: str
    plus: int = 0


@dataclass(frozen=True)
class Comparison:
    """Two such times that are compared: ``left sign right``."""

    left: Linear
    sign: str
    right: Linear

    def turned(self) -> "Comparison":
        """The same with its sides exchanged."""
        return Comparison(self.right, _TURNED[self.sign], self.left)


def comparisons(condition: Any) -> Iterator[Comparison]:
    """Those comparisons of times in a condition that all its rows meet; whatever else it says is left out."""
    match condition.WhichOneof("expr_type"):
        case "unresolved_function":
            call = condition.unresolved_function
            name = call.function_name.lower()
            if name in {"and", "&"}:
                for argument in call.arguments:
                    yield from comparisons(argument)
            elif name in _COMPARED and len(call.arguments) == 2:
                yield from _compared(_linear(call.arguments[0]), _COMPARED[name], _linear(call.arguments[1]))
            elif name == "between" and len(call.arguments) == 3:
                time, low, high = map(_linear, call.arguments)
                yield from _compared(time, ">=", low)
                yield from _compared(time, "<=", high)
        case "expression_string":
            yield from _in_text(tokenize(condition.expression_string.expression))
        case "alias":
            yield from comparisons(condition.alias.expr)
        case _:
            pass


def _compared(left: Linear | None, sign: str, right: Linear | None) -> Iterator[Comparison]:
    if left is not None and right is not None:
        yield Comparison(left, sign, right)


def _linear(expression: Any) -> Linear | None:
    match expression.WhichOneof("expr_type"):
        case "unresolved_attribute":
            parts = parts_of(expression.unresolved_attribute.unparsed_identifier)
            return Linear(parts[0]) if len(parts) == 1 else None
        case "expression_string":
            return _linear_text(tokenize(expression.expression_string.expression))
        case "unresolved_function" if expression.unresolved_function.function_name in {"+", "-"}:
            call = expression.unresolved_function
            base, span = (_linear(call.arguments[0]), _span(call.arguments[1])) if len(call.arguments) == 2 else (None, None)
            if base is None or span is None:
                return None
            return Linear(base.column, base.plus + (span if call.function_name == "+" else -span))
        case _:
            return None


def _span(expression: Any) -> int | None:
    """A span of time in ms; None for anything else, and for spans of months."""
    kind = expression.WhichOneof("expr_type")
    if kind == "expression_string":
        return _span_text(tokenize(expression.expression_string.expression))
    if kind != "literal":
        return None
    match expression.literal.WhichOneof("literal_type"):
        case "day_time_interval":
            return expression.literal.day_time_interval // 1000
        case "calendar_interval" if not expression.literal.calendar_interval.months:
            given = expression.literal.calendar_interval
            return given.days * 86_400_000 + given.microseconds // 1000
        case _:
            return None


# -------------------------------------------------------------------------------------------------------------- texts


def _in_text(tokens: Sequence[Token]) -> Iterator[Comparison]:
    tokens = _bare(tokens)
    parts = _split(tokens)
    if len(parts) > 1:
        for part in parts:
            yield from _in_text(part)
        return
    depth = 0
    for at, token in enumerate(tokens):
        depth += token.is_mark("(") - token.is_mark(")")
        if depth:
            continue
        if token.is_word("OR", "NOT", "CASE"):
            return
        if token.is_word("BETWEEN"):
            middle = next(index for index in range(at, len(tokens)) if tokens[index].is_word("AND"))
            time = _linear_text(tokens[:at])
            yield from _compared(time, ">=", _linear_text(tokens[at + 1 : middle]))
            yield from _compared(time, "<=", _linear_text(tokens[middle + 1 :]))
            return
        if token.kind is Kind.MARK and token.value[0] in "<>=":
            end = at
            while end < len(tokens) and tokens[end].kind is Kind.MARK and tokens[end].value[0] in "<>=":
                end += 1
            sign = _COMPARED.get("".join(one.value for one in tokens[at:end]))
            if sign is not None:
                yield from _compared(_linear_text(tokens[:at]), sign, _linear_text(tokens[end:]))
            return


def _split(tokens: Sequence[Token]) -> list[Sequence[Token]]:
    """The parts between the words AND that do not belong to a BETWEEN."""
    parts: list[Sequence[Token]] = []
    depth = first = betweens = 0
    for at, token in enumerate(tokens):
        depth += token.is_mark("(") - token.is_mark(")")
        if depth:
            continue
        if token.is_word("OR"):
            return [tokens]
        if token.is_word("BETWEEN"):
            betweens += 1
        elif token.is_word("AND") and betweens:
            betweens -= 1
        elif token.is_word("AND"):
            parts.append(tokens[first:at])
            first = at + 1
    return [*parts, tokens[first:]]


def _bare(tokens: Sequence[Token]) -> Sequence[Token]:
    """Without parentheses around all of it."""
    while len(tokens) > 1 and tokens[0].is_mark("(") and closing(tokens, 0) == len(tokens) - 1:
        tokens = tokens[1:-1]
    return tokens


def _linear_text(tokens: Sequence[Token]) -> Linear | None:
    tokens = list(_bare(tokens))
    parts, end = read_name(tokens, 0)
    if len(parts) != 1:
        return None
    plus = 0
    while end < len(tokens):
        following = next(
            (at for at in range(end + 1, len(tokens)) if tokens[at].is_mark("+") or tokens[at].is_mark("-")), len(tokens)
        )
        span = _span_text(tokens[end + 1 : following])
        if span is None or not (tokens[end].is_mark("+") or tokens[end].is_mark("-")):
            return None
        plus += span if tokens[end].is_mark("+") else -span
        end = following
    return Linear(parts[0], plus)


def _span_text(tokens: Sequence[Token]) -> int | None:
    tokens = _bare(tokens)
    if len(tokens) < 2 or not tokens[0].is_word("INTERVAL"):
        return None
    if any(token.is_word("MONTH", "MONTHS", "YEAR", "YEARS", "TO") for token in tokens):
        return None
    try:
        return milliseconds(" ".join(token.value for token in itertools.islice(tokens, 1, None)).lower(), "An interval")
    except StreamRefused:
        return None
