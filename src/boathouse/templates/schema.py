"""``databricks_template_schema.json``: what a template asks before it is rendered."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from boathouse.templates.errors import AnswerInvalid, TemplateInvalid
from boathouse.templates.language import Value
from boathouse.templates.regexps import compiled

FILE = "databricks_template_schema.json"
_TYPES: dict[str, tuple[type, ...]] = {"string": (str,), "boolean": (bool,), "integer": (int,), "number": (int, float)}
_TRUTHS = {"true": True, "yes": True, "y": True, "false": False, "no": False, "n": False}


@dataclass(frozen=True)
class Property:
    """One question.

    Attributes:
        description: What is asked; a template itself.
        default: The answer of those who give none; a template itself if it is a text.
        skip_if: A JSON schema: answers so far that it holds for make the question needless.
    """

    name: str
    type: str = "string"
    description: str = ""
    order: int | None = None
    default: Value = None
    enum: tuple[Value, ...] = ()
    pattern: str | None = None
    pattern_message: str | None = None
    skip_if: dict[str, Any] | None = None

    def check(self, value: Value) -> None:
        """Refuse a value that is not valid.

        Raises:
            AnswerInvalid: It says what would be.
        """
        types = _TYPES[self.type]
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise AnswerInvalid(self.name, f"{json.dumps(value)} is no {self.type}.")
        if self.enum and value not in self.enum:
            valid = ", ".join(str(one) for one in self.enum)
            raise AnswerInvalid(self.name, f"{value!r} is not valid. Valid are: {valid}.")
        if self.pattern is not None and isinstance(value, str) and not compiled(self.pattern).search(value):
            raise AnswerInvalid(
                self.name, f"{value!r} is not valid. {self.pattern_message or f'It has to match {self.pattern}'}"
            )

    def typed(self, text: str) -> Value:
        """A text that somebody typed, as the property's type.

        Raises:
            AnswerInvalid: If it is none of that type.
        """
        try:
            match self.type:
                case "boolean":
                    return _TRUTHS[text.strip().lower()]
                case "integer":
                    return int(text)
                case "number":
                    return float(text)
                case _:
                    return text
        except (ValueError, KeyError):
            raise AnswerInvalid(self.name, f"{text!r} is no {self.type}.") from None


@dataclass(frozen=True)
class Schema:
    """All questions, in the order in which they are asked."""

    properties: tuple[Property, ...]
    welcome: str = ""
    success: str = ""


def read(folder: Path) -> Schema:
    """The questions of a template.

    Raises:
        TemplateInvalid: If it has none, or they are malformed.
    """
    path = folder / FILE
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise TemplateInvalid(str(folder), f"it has no {FILE}.") from None
    except ValueError as error:
        raise TemplateInvalid(str(folder), f"{FILE} is no JSON: {error}.") from None
    if not isinstance(found, dict) or not isinstance(cast("dict[str, Any]", found).get("properties", {}), dict):
        raise TemplateInvalid(str(folder), f"{FILE} is no JSON object with 'properties'.")
    given = cast("dict[str, Any]", found)
    properties = [_property(name, one, folder) for name, one in given.get("properties", {}).items()]
    # Those without a number come last, in the order of the file.
    properties.sort(key=lambda one: (one.order is None, one.order or 0))
    return Schema(tuple(properties), str(given.get("welcome_message", "")), str(given.get("success_message", "")))


def _property(name: str, given: Any, folder: Path) -> Property:
    def invalid(why: str) -> TemplateInvalid:
        return TemplateInvalid(str(folder), f"in {FILE}, {name}: {why}.")

    if not isinstance(given, dict):
        raise invalid("a property is an object")
    one = cast("dict[str, Any]", given)
    kind = one.get("type", "string")
    if kind not in _TYPES:
        raise invalid(f"type {kind!r} is not valid. Valid are {', '.join(_TYPES)}")
    pattern = one.get("pattern")
    if pattern is not None:
        try:
            compiled(str(pattern))
        except ValueError as error:
            raise invalid(f"pattern is no regular expression: {error}") from None
    skip_if = one.get("skip_prompt_if")
    if skip_if is not None:
        try:
            holds(skip_if, {})
        except ValueError as error:
            raise invalid(f"skip_prompt_if {error}") from None
    return Property(
        name=name,
        type=kind,
        description=str(one.get("description", "")),
        order=one.get("order"),
        default=one.get("default"),
        enum=tuple(one.get("enum", ())),
        pattern=pattern,
        pattern_message=one.get("pattern_match_failure_message"),
        skip_if=skip_if,
    )


def holds(schema: Any, value: Value) -> bool:
    """Whether a JSON schema holds for a value; of JSON schema it knows what conditions of prompts are made of.

    Raises:
        ValueError: If the schema has a keyword that is not known here.
    """
    if isinstance(schema, bool):
        return schema
    if not isinstance(schema, dict):
        message = "is no JSON schema"
        raise ValueError(message)  # noqa: TRY004 - one kind of error for a schema
    # Every keyword is looked at, so that an unknown one is told whatever the value is.
    held = [_keyword(name, given, value) for name, given in cast("dict[str, Any]", schema).items()]
    return all(held)


def _keyword(name: str, given: Any, value: Value) -> bool:
    match name:
        case "const":
            return type(value) is type(given) and value == given
        case "enum":
            return any(_keyword("const", one, value) for one in given)
        case "anyOf" | "oneOf" | "allOf":
            held = [holds(one, value) for one in given]
            return all(held) if name == "allOf" else any(held) if name == "anyOf" else held.count(True) == 1
        case "not":
            return not holds(given, value)
        case "required":
            return not isinstance(value, dict) or set(given) <= set(cast("dict[str, Any]", value))
        case "properties":
            there = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
            # A property that is not there fulfils every condition, as JSON schema has it.
            held = [holds(one, there.get(key)) or key not in there for key, one in given.items()]
            return all(held)
        case _:
            raise ValueError(f"has {name!r}. Known are: allOf, anyOf, const, enum, not, oneOf, properties, required")
