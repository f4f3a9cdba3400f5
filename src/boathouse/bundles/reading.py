"""YAML as values with places: anchors and merge keys, and the scalars of YAML 1.2, as other readers of bundles have them.

PyYAML parses; its nodes know their lines. What a scalar means is decided here: ``yes`` and ``12:30`` are texts.
"""

import re
from collections.abc import Callable
from typing import Any

import yaml

from boathouse.bundles.errors import BundleInvalid
from boathouse.bundles.values import Place, Value

_MERGE = "<<"
_SCALARS: tuple[tuple[re.Pattern[str], Callable[[str], Any]], ...] = (
    (re.compile(r"~|null|Null|NULL|"), lambda _: None),
    (re.compile(r"true|True|TRUE"), lambda _: True),
    (re.compile(r"false|False|FALSE"), lambda _: False),
    (re.compile(r"[-+]?(0|[1-9][0-9]*)"), int),
    (re.compile(r"0o[0-7]+"), lambda text: int(text, 0)),
    (re.compile(r"0x[0-9a-fA-F]+"), lambda text: int(text, 0)),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), float),
)


class _Loader(yaml.SafeLoader):
    """Composes nodes; plain scalars are resolved here and not by PyYAML's rules, which are of YAML 1.1."""

    yaml_implicit_resolvers: Any = {}  # noqa: RUF012 - the base class's own form


def read(text: str, file: str) -> Value:
    """The one document of a text.

    Raises:
        BundleInvalid: If it is no YAML, or has a key twice, or an anchor that holds itself.
    """
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        told = f"is no valid YAML: {error.problem or error}"
        raise BundleInvalid([(Place(file, mark.line + 1 if mark else 0), told)]) from None
    except yaml.YAMLError as error:
        raise BundleInvalid([(Place(file), f"is no valid YAML: {error}")]) from None
    return Value({}, Place(file, 1)) if node is None else _value(node, file, ())


def _value(node: yaml.Node, file: str, inside: tuple[yaml.Node, ...]) -> Value:
    at = Place(file, node.start_mark.line + 1)
    if any(one is node for one in inside):
        raise BundleInvalid([(at, "holds itself by its own anchor.")])
    if isinstance(node, yaml.ScalarNode):
        return Value(_scalar(node), at, str(node.value))
    if isinstance(node, yaml.SequenceNode):
        return Value([_value(one, file, (*inside, node)) for one in node.value], at)
    return Value(_fields(node, file, inside), at)


def _fields(node: yaml.Node, file: str, inside: tuple[yaml.Node, ...]) -> dict[str, Value]:
    own: dict[str, Value] = {}
    below: dict[str, Value] = {}
    for key_node, value_node in node.value:
        at = Place(file, key_node.start_mark.line + 1)
        if not isinstance(key_node, yaml.ScalarNode):
            raise BundleInvalid([(at, "has a key that is no text.")])
        key = str(key_node.value)
        value = _value(value_node, file, (*inside, node))
        if key == _MERGE and key_node.style is None:
            for one in reversed(value.entries or (value,)):
                if not isinstance(one.data, dict):
                    raise BundleInvalid([(at, "has a merge key << whose value is no mapping.")])
                below |= one.fields
        elif key in own:
            raise BundleInvalid([(at, f"has the key '{key}' a second time; the first is in line {own[key].at.line}.")])
        else:
            own[key] = value if isinstance(value.data, dict | list) else Value(value.data, at, value.text)
    return below | own


def _scalar(node: yaml.ScalarNode) -> Any:
    text = str(node.value)
    if node.style is not None or node.tag == "!":
        return text
    for pattern, meaning in _SCALARS:
        if pattern.fullmatch(text):
            return meaning(text)
    return text
