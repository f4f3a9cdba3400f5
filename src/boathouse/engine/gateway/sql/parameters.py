"""Parameters: those of a SQL text put in their places for engines that do not bind them, and those of the catalog's functions."""

from collections.abc import Callable, Sequence
from typing import Any

from boathouse.catalog.api import FunctionInfo
from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.sql.expression_text import expression_text, literal_text
from boathouse.engine.gateway.sql.statements import Edit, apply
from boathouse.engine.gateway.sql.tokens import tokenize


def bind(node: Any) -> bool:
    """Write a SQL message's parameters into its text; whether it had any.

    Raises:
        StatementRefused: If one is missing, or cannot be written as text.
    """
    named = {key: literal_text(value) for key, value in node.args.items()}
    named |= {key: expression_text(value) for key, value in node.named_arguments.items()}
    listed = [literal_text(value) for value in node.pos_args] + [expression_text(value) for value in node.pos_arguments]
    if not named and not listed:
        return False
    tokens = tokenize(node.query)
    edits: list[Edit] = []
    for index, token in enumerate(tokens):
        before = tokens[index - 1] if index else None
        after = tokens[index + 1] if index + 1 < len(tokens) else None
        if token.is_mark("?") and listed:
            edits.append(Edit(token.start, token.end, listed.pop(0)))
        elif token.is_mark(":") and named and after is not None and after.is_identifier and after.start == token.end:
            if before is not None and before.is_identifier and before.end == token.start:
                # A field of a variant: column:field.
                continue
            if after.identifier not in named:
                message = f"The parameter :{after.identifier} has no value. Given: {', '.join(sorted(named))}."
                raise StatementRefused(message)
            edits.append(Edit(token.start, after.end, named[after.identifier]))
    node.query = apply(node.query, edits)
    for field in ("args", "named_arguments", "pos_args", "pos_arguments"):
        node.ClearField(field)
    return True


def given(function: FunctionInfo, arguments: Sequence[str], governed: Callable[[str], str]) -> dict[str, str]:
    """The arguments of a call by the names of the function's parameters, each cast to its type.

    Args:
        function: What is called.
        arguments: Texts with governed names: values in the order of the parameters, then ``name => value``.
        governed: Makes the text of a default one with governed names.

    Raises:
        StatementRefused: If they are too few or too many, or a name is no parameter's or has a value twice.
    """
    named = [_named(text) for text in arguments]
    listed = next((index for index, (name, _) in enumerate(named) if name is not None), len(named))
    texts = dict(zip((one.name.lower() for one in function.parameters), (value for _, value in named[:listed]), strict=False))
    for name, value in named[listed:]:
        if name is None:
            message = f"{function.full_name}: values without a name stand before those with one, as in f(1, y => 2)."
            raise StatementRefused(message)
        if not any(one.name.lower() == name.lower() for one in function.parameters):
            known = ", ".join(one.name for one in function.parameters) or "none"
            message = f"{function.full_name} has no parameter {name}. It has: {known}."
            raise StatementRefused(message)
        if name.lower() in texts:
            message = f"{function.full_name}: the parameter {name} has been given a value twice."
            raise StatementRefused(message)
        texts[name.lower()] = value
    values: dict[str, str] = {}
    for parameter in function.parameters:
        name = parameter.name.lower()
        default = parameter.default if name not in texts else None
        text = texts.get(name) if default is None else governed(default)
        if text is not None:
            values[name] = f"CAST({text} AS {parameter.type_text})"
    if len(values) != len(function.parameters) or len(arguments) > len(function.parameters):
        wanted = ", ".join(f"{one.name} {one.type_text}" for one in function.parameters)
        message = f"{function.full_name} takes ({wanted}); it was called with {len(arguments)} arguments."
        raise StatementRefused(message)
    return values


def _named(argument: str) -> tuple[str | None, str]:
    """The name before ``=>`` and the value of an argument; no name where it has none."""
    tokens = tokenize(argument)
    if len(tokens) < 4 or not (tokens[0].is_identifier and tokens[1].is_mark("=") and tokens[2].is_mark(">")):
        return None, argument
    return (None, argument) if tokens[1].end != tokens[2].start else (tokens[0].identifier, argument[tokens[3].start :])
