"""SCIM's PATCH (RFC 7644, 3.5.2) on a resource's document."""

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from boathouse.iam.errors import ScimInvalid
from boathouse.iam.scim_filter import Filter, matches, parse

_PATH = re.compile(r"^(?P<attribute>[A-Za-z$][\w$-]*)(?:\[(?P<filter>.+)\])?(?:\.(?P<part>[A-Za-z$][\w$-]*))?$")
_LISTS = frozenset({"members", "emails", "roles", "entitlements"})
_READ_ONLY = frozenset({"id", "groups", "meta", "schemas"})
_REQUIRED = frozenset({"active", "userName", "applicationId"})


@dataclass(frozen=True)
class Operation:
    """One of a PATCH: ``op`` is add, remove or replace, in any case."""

    op: str
    path: str | None
    value: Any


@dataclass(frozen=True)
class _Target:
    attribute: str
    only: Filter | None
    part: str | None


def apply(document: Mapping[str, Any], operations: list[Operation], attributes: frozenset[str]) -> dict[str, Any]:
    """A document after all operations; it itself stays as it is.

    Args:
        document: The resource, with attributes as SCIM writes them.
        operations: In their order.
        attributes: The names that the resource may have.

    Raises:
        ScimInvalid: If an operation, a path or a value is not valid, or a path finds nothing to replace.
    """
    changed = copy.deepcopy(dict(document))
    for operation in operations:
        _apply(changed, operation, attributes)
    return changed


def _apply(document: dict[str, Any], operation: Operation, attributes: frozenset[str]) -> None:
    op = operation.op.lower()
    if op not in {"add", "remove", "replace"}:
        raise ScimInvalid("invalidSyntax", f"The operation '{operation.op}' is not valid. Valid: add, remove, replace.", "op")
    if operation.path:
        _at(document, op, _target(operation.path, attributes), operation.value)
        return
    if op == "remove":
        raise ScimInvalid("noTarget", "The operation remove needs a path.", "path")
    if not isinstance(operation.value, dict):
        raise ScimInvalid("invalidValue", "An operation without a path needs an object of attributes as its value.", "value")
    for name, value in operation.value.items():
        if name in {"id", "schemas", "meta"}:
            continue
        _at(document, op, _target(name, attributes), value)


def _target(path: str, attributes: frozenset[str]) -> _Target:
    if path.lower().startswith("urn:"):
        head, _, rest = path.partition("[")
        path = head.rsplit(":", 1)[-1] + (f"[{rest}" if rest else "")
    found = _PATH.match(path.strip())
    if found is None:
        raise ScimInvalid("invalidPath", f"The path '{path}' is not valid. Example: members[value eq \"id\"].", "path")
    names = {name.lower(): name for name in attributes | _READ_ONLY}
    attribute = names.get(found["attribute"].lower())
    if attribute is None:
        raise ScimInvalid(
            "invalidPath", f"The path '{path}' names no attribute. Valid: {', '.join(sorted(attributes))}.", "path"
        )
    if attribute in _READ_ONLY:
        raise ScimInvalid("mutability", f"The attribute '{attribute}' cannot be changed here.", "path")
    only = None if found["filter"] is None else parse(found["filter"])
    if only is not None and attribute not in _LISTS:
        raise ScimInvalid("invalidPath", f"The attribute '{attribute}' is no list: its path takes no filter.", "path")
    return _Target(attribute, only, found["part"])


def _at(document: dict[str, Any], op: str, target: _Target, value: Any) -> None:
    if target.attribute in _LISTS:
        _in_list(document, op, target, value)
    elif target.part is not None:
        _in_object(document, op, target, value)
    elif target.attribute in _REQUIRED and (op == "remove" or value is None):
        raise ScimInvalid("mutability", f"The attribute '{target.attribute}' cannot be removed: give another value.", "path")
    elif op == "remove":
        document.pop(target.attribute, None)
    elif isinstance(value, list):
        document[target.attribute] = _single(target.attribute, value)
    elif op == "add" and isinstance(value, dict) and isinstance(document.get(target.attribute), dict):
        document[target.attribute] = document[target.attribute] | value
    else:
        document[target.attribute] = value


def _single(attribute: str, values: list[Any]) -> Any:
    """The value of a list of one, as Databricks' own example has it: ``"path": "active", "value": [{"value": "false"}]``."""
    if len(values) != 1 or not isinstance(values[0], dict) or "value" not in values[0]:
        raise ScimInvalid("invalidValue", f"The attribute '{attribute}' has one value, no list.", "value")
    return values[0]["value"]


def _in_object(document: dict[str, Any], op: str, target: _Target, value: Any) -> None:
    inner = document.setdefault(target.attribute, {})
    if not isinstance(inner, dict) or target.part is None:
        raise ScimInvalid("invalidPath", f"The attribute '{target.attribute}' has no parts.", "path")
    if op == "remove":
        inner.pop(target.part, None)
    else:
        inner[target.part] = value


def _in_list(document: dict[str, Any], op: str, target: _Target, value: Any) -> None:
    items: list[dict[str, Any]] = document.get(target.attribute) or []
    if target.only is None:
        if target.part is not None:
            raise ScimInvalid("invalidPath", f"The path to a part of '{target.attribute}' needs a filter.", "path")
        document[target.attribute] = _whole_list(target.attribute, op, items, value)
        return
    chosen = [item for item in items if matches(target.only, item)]
    if op == "remove" and target.part is None:
        document[target.attribute] = [item for item in items if item not in chosen]
        return
    if not chosen:
        if op == "remove":
            return
        raise ScimInvalid("noTarget", f"No value of '{target.attribute}' passes the filter.", "path")
    for item in chosen:
        if target.part is not None:
            if op == "remove":
                item.pop(target.part, None)
            else:
                item[target.part] = value
        elif isinstance(value, dict):
            item.update(value)
        else:
            raise ScimInvalid("invalidValue", f"A value of '{target.attribute}' is an object.", "value")


def _whole_list(attribute: str, op: str, items: list[dict[str, Any]], value: Any) -> list[dict[str, Any]]:
    if value is None and op in {"remove", "replace"}:
        return []
    given = _values(attribute, value)
    if op == "replace":
        return given
    named = {item.get("value") for item in given}
    if op == "remove":
        return [item for item in items if item.get("value") not in named]
    return [item for item in items if item.get("value") not in named] + given


def _values(attribute: str, value: Any) -> list[dict[str, Any]]:
    given = value if isinstance(value, list) else [value]
    found = [{"value": item} if isinstance(item, str) else item for item in given]
    if not all(isinstance(item, dict) for item in found):
        raise ScimInvalid("invalidValue", f"The values of '{attribute}' are objects with a value.", "value")
    return found
