"""Whether values are what their types say: unknown keys are told and left out, wrong types are errors with what is valid.

A type is a dataclass (the bundle's own, or one of databricks-sdk's), a mapping of fields, or what their annotations hold. A text with
``${`` in it may become anything, so it is let pass; the whole is checked again once references are resolved.
"""

import dataclasses
import enum
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cache
from typing import Any, Literal, TypeAlias, Union

from boathouse.bundles import schema
from boathouse.bundles.errors import BundleInvalid
from boathouse.bundles.values import Path, Place, Value, shown

Fields: TypeAlias = Mapping[str, Any]
"""The fields of a mapping with their types."""


@dataclass
class Problems:
    """What was found; errors keep a bundle from going on, warnings are told."""

    errors: list[tuple[Place, str]] = field(default_factory=list[tuple[Place, str]])
    warnings: list[tuple[Place, str]] = field(default_factory=list[tuple[Place, str]])

    def error(self, at: Place, text: str) -> None:
        """Note an error once."""
        if (at, text) not in self.errors:
            self.errors.append((at, text))

    def warn(self, at: Place, text: str) -> None:
        """Note a warning once."""
        if (at, text) not in self.warnings:
            self.warnings.append((at, text))

    def raise_errors(self) -> None:
        """Stop here if there are errors.

        Raises:
            BundleInvalid: With all of them.
        """
        if self.errors:
            raise BundleInvalid(self.errors)


@dataclass(frozen=True)
class _ByKey:
    """Resources of one kind."""

    fields: Fields


@cache
def fields_of(kind: type) -> Fields:
    """The fields of a dataclass."""
    return typing.get_type_hints(kind)


class Checker:
    """Checks values.

    Args:
        kinds: Kinds of resources with their fields.
        problems: Where to note what is found.
    """

    def __init__(self, kinds: Mapping[str, Fields], problems: Problems) -> None:
        self._kinds = kinds
        self._problems = problems

    def checked(self, value: Value, kind: Any, path: Path = ()) -> Value:
        """The value, its scalars of the types that they should have, without what is unknown."""
        if value.data is None or kind is Any or _may_become_anything(value):
            return value
        kind = bare(kind)
        if kind is schema.Resources:
            return self._resources(value, path)
        if isinstance(kind, _ByKey):
            return self._mapping(value, path, lambda _: kind.fields)
        origin = typing.get_origin(kind)
        if origin is list:
            return self._list(value, typing.get_args(kind)[0], path)
        if origin is dict:
            inner = typing.get_args(kind)[1]
            return self._mapping(value, path, lambda _: inner)
        if origin is Literal:
            return self._one_of(value, [str(one) for one in typing.get_args(kind)], path, certain=True)
        if isinstance(kind, Mapping):
            return self._with_fields(value, typing.cast("Fields", kind), path)
        if isinstance(kind, type) and dataclasses.is_dataclass(kind):
            return self._with_fields(value, fields_of(kind), path)
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            return self._one_of(value, [str(one.value) for one in kind], path, certain=False)
        return self._scalar(value, kind, path)

    def _resources(self, value: Value, path: Path) -> Value:
        def of_kind(name: str) -> Any:
            found = self._kinds.get(name)
            # Kinds that are none of these are refused later, by name.
            return Any if found is None else _ByKey(found)

        return self._mapping(value, path, of_kind)

    def _mapping(self, value: Value, path: Path, kind_of: typing.Callable[[str], Any]) -> Value:
        if not isinstance(value.data, dict):
            self._wrong(value, path, "a mapping")
            return value
        return replace(value, data={key: self.checked(one, kind_of(key), (*path, key)) for key, one in value.fields.items()})

    def _with_fields(self, value: Value, fields: Fields, path: Path) -> Value:
        if not isinstance(value.data, dict):
            self._wrong(value, path, "a mapping")
            return value
        known: dict[str, Value] = {}
        for key, one in value.fields.items():
            if key in fields:
                known[key] = self.checked(one, fields[key], (*path, key))
                continue
            near = get_close_matches(key, fields, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            where = f" in {shown(path)}" if path else ""
            self._problems.warn(one.at, f"unknown key '{key}'{where}; it is left out.{hint}")
        return replace(value, data=known)

    def _list(self, value: Value, inner: Any, path: Path) -> Value:
        if not isinstance(value.data, list):
            self._wrong(value, path, "a list")
            return value
        return replace(value, data=[self.checked(one, inner, (*path, at)) for at, one in enumerate(value.entries)])

    def _one_of(self, value: Value, valid: list[str], path: Path, *, certain: bool) -> Value:
        text = _text(value)
        if isinstance(value.data, dict | list):
            self._wrong(value, path, "one of " + ", ".join(valid))
        elif text not in valid:
            told = f"{shown(path)} is '{text}'. Valid: {', '.join(valid)}."
            (self._problems.error if certain else self._problems.warn)(value.at, told)
        return replace(value, data=text) if not isinstance(value.data, dict | list) else value

    def _scalar(self, value: Value, kind: Any, path: Path) -> Value:
        words = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
        data = value.data
        if kind not in words:
            return value
        if isinstance(data, dict | list):
            self._wrong(value, path, words[kind])
            return value
        text = _text(value)
        if kind is str:
            return replace(value, data=text)
        if kind is bool and text.lower() in {"true", "false"}:
            return replace(value, data=text.lower() == "true")
        if kind in {int, float} and not isinstance(data, bool):
            try:
                return replace(value, data=kind(text) if isinstance(data, str) else kind(data) if kind(data) == data else data)
            except ValueError:
                pass
        self._wrong(value, path, words[kind])
        return value

    def _wrong(self, value: Value, path: Path, wanted: str) -> None:
        words = {dict: "a mapping", list: "a list", str: f"the text '{value.data}'"}
        found = words.get(type(value.data), f"{_written(value.data)}")
        self._problems.error(value.at, f"{shown(path) or 'the file'} is {found}. Valid: {wanted}.")


def _text(value: Value) -> str:
    """A scalar as a text: a number as it was written."""
    if isinstance(value.data, str) or value.text is None:
        return _written(value.data)
    return value.text


def _written(data: Any) -> str:
    return ("true" if data else "false") if isinstance(data, bool) else str(data)


def _may_become_anything(value: Value) -> bool:
    return isinstance(value.data, str) and "${" in value.data


def bare(kind: Any) -> Any:
    """A type without None."""
    if typing.get_origin(kind) in {Union, types.UnionType}:
        rest = [one for one in typing.get_args(kind) if one is not type(None)]
        return rest[0] if len(rest) == 1 else Any
    return kind
