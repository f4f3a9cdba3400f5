"""A JSON Schema of ``databricks.yml`` for editors, made of the types that bundles are checked by."""

import dataclasses
import enum
import typing
from collections.abc import Mapping
from typing import Any, Literal

from boathouse.bundles import schema
from boathouse.bundles.checking import Fields, bare, fields_of

_REFERENCE = {"type": "string", "pattern": r"\$\{.+\}"}
_SCALARS: dict[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}


def json_schema(kinds: Mapping[str, Fields]) -> dict[str, Any]:
    """The schema, with the fields of every kind of resource.

    Args:
        kinds: Kinds of resources with their fields.
    """
    return _Writer(kinds).document()


class _Writer:
    """Writes each type once, under ``$defs``: some hold themselves."""

    def __init__(self, kinds: Mapping[str, Fields]) -> None:
        self._kinds = kinds
        self._definitions: dict[str, Any] = {}

    def document(self) -> dict[str, Any]:
        root = self._fields(fields_of(schema.Root))
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "databricks.yml",
            **root,
            "$defs": dict(sorted(self._definitions.items())),
        }

    def _of(self, kind: Any) -> dict[str, Any]:
        kind = bare(kind)
        if kind is Any:
            return {}
        if kind is schema.Resources:
            return self._defined("resources", self._resources)
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if origin is list:
            return _or_reference({"type": "array", "items": self._of(arguments[0])})
        if origin is dict:
            return _or_reference({"type": "object", "additionalProperties": self._of(arguments[1])})
        if origin is Literal:
            return _or_reference({"enum": list(arguments)})
        if isinstance(kind, type) and dataclasses.is_dataclass(kind):
            name = f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}"
            return self._defined(name, lambda: self._fields(fields_of(kind)))
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            return _or_reference({"enum": [one.value for one in kind]})
        return _or_reference({"type": _SCALARS[kind]}) if kind in _SCALARS else {}

    def _resources(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, fields in self._kinds.items():
            of_kind = self._defined(f"resources.{name}", lambda fields=fields: self._fields(fields))
            found[name] = {"type": "object", "additionalProperties": of_kind}
        return {"type": "object", "properties": found, "additionalProperties": False}

    def _fields(self, fields: Fields) -> dict[str, Any]:
        properties = {name: self._of(kind) for name, kind in fields.items()}
        # Keys that are none of these are told and left out, so an editor lets them be.
        return {"type": "object", "properties": properties}

    def _defined(self, name: str, make: typing.Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if name not in self._definitions:
            self._definitions[name] = {}
            self._definitions[name] = _or_reference(make())
        return {"$ref": f"#/$defs/{name}"}


def _or_reference(one: dict[str, Any]) -> dict[str, Any]:
    """What may also be a reference, or empty."""
    if one.get("type") == "string":
        return {"type": ["string", "number", "boolean", "null"]}
    return {"anyOf": [one, _REFERENCE, {"type": "null"}]}
