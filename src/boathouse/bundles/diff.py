"""What is different between two bodies, field by field."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from boathouse.bundles.values import KEYED

_BY_KEY = {**KEYED, "tags": "key", "permissions": "who", "grants": "principal"}


@dataclass(frozen=True)
class Change:
    """A field that is different; None is where it is not."""

    path: str
    old: Any
    new: Any

    @property
    def field(self) -> str:
        """The field of the body that it is in."""
        return self.path.partition(".")[0].partition("[")[0]


def changes(old: Any, new: Any, path: str = "") -> list[Change]:
    """The fields that are different; entries of lists with keys are compared by these."""
    return list(_changes(old, new, path, ""))


def _changes(old: Any, new: Any, path: str, name: str) -> Iterator[Change]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys((*old, *new)):
            yield from _changes(old.get(key), new.get(key), f"{path}.{key}" if path else str(key), str(key))
    elif isinstance(old, list) and isinstance(new, list):
        by = _BY_KEY.get(name)
        before, after = _keyed(old, by), _keyed(new, by)
        for key in dict.fromkeys((*before, *after)):
            yield from _changes(before.get(key), after.get(key), f"{path}[{key}]", "")
        if before.keys() == after.keys() and list(before) != list(after) and before == after:
            yield Change(path, list(before), list(after))
    elif old != new:
        yield Change(path, old, new)


def _keyed(entries: list[Any], by: str | None) -> dict[Any, Any]:
    keys = [one.get(by) if by and isinstance(one, Mapping) else None for one in entries]
    if None in keys or len(set(map(str, keys))) < len(keys):
        return dict(enumerate(entries))
    return dict(zip(keys, entries, strict=True))
