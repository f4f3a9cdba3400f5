"""``${...}`` in texts: references to other values of the bundle, which may hold references themselves."""

import re
from collections.abc import Callable, Collection
from dataclasses import replace

from boathouse.bundles.errors import BundleInvalid
from boathouse.bundles.values import Path, Place, Value, mapped

_REFERENCE = re.compile(r"\$\{([a-zA-Z_][\w-]*(?:\.[\w-]+|\[\d+\])*)\}")
_PART = re.compile(r"[\w-]+|\[\d+\]")
ROOTS = ("bundle", "workspace", "var", "variables", "resources", "artifacts")
Later = Callable[[Path], bool]


def references(text: str) -> list[Path]:
    """The paths that a text refers to."""
    return [_path(one[1]) for one in _REFERENCE.finditer(text)]


def _path(text: str) -> Path:
    parts = [int(one[1:-1]) if one.startswith("[") else one for one in _PART.findall(text)]
    if parts[0] == "var":
        return ("variables", parts[1], "value", *parts[2:]) if len(parts) > 1 else ("variables",)
    return tuple(parts)


class Resolver:
    """Resolves references against a bundle.

    Args:
        root: The bundle.
        later: Which paths stay as they are for now.
    """

    def __init__(self, root: Value, later: Later = lambda _: False) -> None:
        self._root = root
        self._later = later
        self._done: dict[Path, Value] = {}

    def resolved(self, value: Value, path: Path = ()) -> Value:
        """A value whose references are what they refer to."""
        return mapped(value, lambda below, one: self._scalar(one, [(*path, *below)]))

    def _scalar(self, value: Value, trail: list[Path]) -> Value:
        text = value.data
        if not isinstance(text, str) or "${" not in text:
            return value
        whole = _REFERENCE.fullmatch(text)
        if whole is not None:
            path = _path(whole[1])
            if self._later(path):
                return value
            found = self._referred(path, whole[1], value.at, trail)
            return _moved(found, value.at)

        def inserted(match: re.Match[str]) -> str:
            path = _path(match[1])
            if self._later(path):
                return match[0]
            found = self._referred(path, match[1], value.at, trail)
            if isinstance(found.data, dict | list):
                what = "mapping" if isinstance(found.data, dict) else "list"
                message = f"${{{match[1]}}} is a {what}, which cannot stand inside a text: let it be the whole value."
                raise BundleInvalid([(value.at, message)])
            return "" if found.data is None else _text(found)

        return replace(value, data=_REFERENCE.sub(inserted, text), text=None)

    def _referred(self, path: Path, shown: str, at: Place, trail: list[Path]) -> Value:
        if path in trail:
            circle = " -> ".join(_shown(one) for one in (*trail[trail.index(path) :], path))
            raise BundleInvalid([(at, f"${{{shown}}} refers to itself: {circle}.")])
        if path in self._done:
            return self._done[path]
        found = self._found(path, shown, at, trail)
        resolved = mapped(found, lambda below, one: self._scalar(one, [*trail, (*path, *below)]))
        self._done[path] = resolved
        return resolved

    def _found(self, path: Path, shown: str, at: Place, trail: list[Path]) -> Value:
        """What is at a path; on the way there may be a reference that is all of a value."""
        value = self._root
        for number, part in enumerate(path):
            below = value.get(part)
            if below is None:
                valid = _valid(value, number)
                raise BundleInvalid([(at, f"${{{shown}}} refers to nothing.{valid}")])
            if isinstance(below.data, str) and number + 1 < len(path) and _REFERENCE.fullmatch(below.data):
                here = path[: number + 1]
                if here in trail:
                    raise BundleInvalid([(at, f"${{{shown}}} refers to itself.")])
                below = self._scalar(below, [*trail, here])
            value = below
        return value


def _valid(value: Value, depth: int) -> str:
    names: Collection[str] = [one for one in ROOTS if one != "variables"] if depth == 0 else list(value.fields)
    return f" Valid there: {', '.join(names)}." if names else ""


def _shown(path: Path) -> str:
    if len(path) > 2 and path[0] == "variables":
        path = ("var", path[1], *path[3:])
    return ".".join(str(part) for part in path)


def _text(value: Value) -> str:
    if isinstance(value.data, bool):
        return "true" if value.data else "false"
    return str(value.data) if value.text is None or isinstance(value.data, str) else value.text


def _moved(value: Value, at: Place) -> Value:
    """A value as if it stood where it is referred to: paths in it are relative to there."""
    if isinstance(value.data, dict):
        return Value({key: _moved(one, at) for key, one in value.fields.items()}, at)
    if isinstance(value.data, list):
        return Value([_moved(one, at) for one in value.entries], at)
    return replace(value, at=at)
