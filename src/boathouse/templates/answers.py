"""From questions to values: by a file, by asking, by defaults."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from boathouse.errors import InvalidParameterValue
from boathouse.templates.errors import AnswerInvalid
from boathouse.templates.language import Value
from boathouse.templates.schema import Property, Schema, holds

# Given a property, its question and its default (None without one): what somebody types.
Ask = Callable[[Property, str, Value], str]
# What a text with template actions says, given the answers so far.
Say = Callable[[str, str, Mapping[str, Value]], str]


def read(path: Path) -> dict[str, Value]:
    """The answers of a file.

    Raises:
        InvalidParameterValue: If it is no JSON object.
    """
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidParameterValue(f"--config-file {path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise InvalidParameterValue(f"--config-file {path} is no JSON: {error}.") from None
    if not isinstance(found, dict):
        raise InvalidParameterValue(f"--config-file {path} is no JSON object of answers by the names of properties.")
    return cast("dict[str, Value]", found)


def unknown(schema: Schema, given: Mapping[str, Value]) -> list[str]:
    """Names that the template does not ask for."""
    known = {one.name for one in schema.properties}
    return [name for name in given if name not in known]


def resolve(
    schema: Schema,
    given: Mapping[str, Value],
    say: Say,
    ask: Ask | None = None,
    refused: Callable[[AnswerInvalid], None] | None = None,
) -> dict[str, Value]:
    """The value of every property.

    Args:
        schema: The questions.
        given: Answers that are there already.
        say: Renders questions and defaults.
        ask: Asks for the others; without it, defaults are taken.
        refused: Told of each answer that was not valid, before it is asked for again.

    Raises:
        AnswerInvalid: If a value that was given is not valid, or one that is needed is missing.
    """
    values: dict[str, Value] = {}
    for one in schema.properties:
        if one.name in given:
            value = given[one.name]
            one.check(value)
            values[one.name] = value
            continue
        default = _default(one, say, values)
        if one.skip_if is not None and holds(one.skip_if, values):
            if default is not None:
                values[one.name] = default
        elif ask is not None:
            values[one.name] = _asked(one, default, say, ask, refused, values)
        elif default is None:
            raise AnswerInvalid(one.name, "no answer is given, and it has no default.")
        else:
            one.check(default)
            values[one.name] = default
    return values


def _default(one: Property, say: Say, values: Mapping[str, Value]) -> Value:
    if not isinstance(one.default, str):
        return one.default
    text = say(f"the default of {one.name}", one.default, values)
    return one.typed(text)


def _asked(
    one: Property,
    default: Value,
    say: Say,
    ask: Ask,
    refused: Callable[[AnswerInvalid], None] | None,
    values: Mapping[str, Value],
) -> Value:
    question = say(f"the description of {one.name}", one.description, values) or one.name
    while True:
        try:
            value = one.typed(ask(one, question, default))
            one.check(value)
        except AnswerInvalid as error:
            if refused is None:
                raise
            refused(error)
        else:
            return value
