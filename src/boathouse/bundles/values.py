"""Values of a bundle's files, each with the place where it stands, so that every message can name file and line."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""Keys of mappings and numbers of list entries, from the root down."""

KEYED = {
    "tasks": "task_key",
    "job_clusters": "job_cluster_key",
    "environments": "environment_key",
    "parameters": "name",
    "clusters": "label",
}
"""Lists whose entries have a key, by which they are merged and compared."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: a file, relative to the project, and a line from 1; 0 is the file itself."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


NOWHERE = Place("databricks.yml")


@dataclass(frozen=True, slots=True)
class Value:
    """A value of YAML: a mapping or list of others, or a scalar with the text that it was written as."""

    data: Any
    at: Place = NOWHERE
    text: str | None = None

    @property
    def fields(self) -> Mapping[str, "Value"]:
        """Those of a mapping; none of anything else."""
        return self.data if isinstance(self.data, dict) else {}

    @property
    def entries(self) -> Sequence["Value"]:
        """Those of a list; none of anything else."""
        return self.data if isinstance(self.data, list) else ()

    def get(self, *path: str | int) -> "Value | None":
        """What is at a path below this."""
        found: Value | None = self
        for part in path:
            if found is None:
                return None
            if isinstance(found.data, dict):
                found = found.data.get(str(part))
            elif isinstance(found.data, list) and isinstance(part, int) and part < len(found.data):
                found = found.data[part]
            else:
                return None
        return found

    def plain(self) -> Any:
        """Without the places; what is null in a mapping is left out."""
        if isinstance(self.data, dict):
            return {key: one.plain() for key, one in self.fields.items() if one.data is not None}
        if isinstance(self.data, list):
            return [one.plain() for one in self.entries]
        return self.data

    def with_field(self, key: str, value: "Value") -> "Value":
        """A mapping with another field."""
        return replace(self, data={**self.fields, key: value})

    def without(self, *keys: str) -> "Value":
        """A mapping without some fields."""
        return replace(self, data={key: one for key, one in self.fields.items() if key not in keys})

    def set(self, path: Path, value: "Value") -> "Value":
        """With another value at a path, whose mappings are made where they are missing."""
        if not path:
            return value
        first, rest = path[0], path[1:]
        if isinstance(self.data, list) and isinstance(first, int):
            entries = [*self.entries]
            entries[first] = entries[first].set(rest, value)
            return replace(self, data=entries)
        below = self.fields.get(str(first), Value({}, value.at))
        return replace(self, data={**self.fields, str(first): below.set(rest, value)}, text=None)


def placed(plain: Any, at: Place = NOWHERE) -> Value:
    """A plain value as one that stands at a place."""
    if isinstance(plain, Mapping):
        return Value({str(key): placed(one, at) for key, one in plain.items()}, at)
    if isinstance(plain, list | tuple):
        return Value([placed(one, at) for one in plain], at)
    return Value(plain, at)


def walk(value: Value, path: Path = ()) -> Iterator[tuple[Path, Value]]:
    """A value and all below it."""
    yield path, value
    for key, one in value.fields.items():
        yield from walk(one, (*path, key))
    for number, one in enumerate(value.entries):
        yield from walk(one, (*path, number))


def mapped(value: Value, change: Callable[[Path, Value], Value], path: Path = ()) -> Value:
    """With every scalar changed."""
    if isinstance(value.data, dict):
        return replace(value, data={key: mapped(one, change, (*path, key)) for key, one in value.fields.items()})
    if isinstance(value.data, list):
        return replace(value, data=[mapped(one, change, (*path, at)) for at, one in enumerate(value.entries)])
    return change(path, value)


def merged(below: Value | None, above: Value | None, name: str = "") -> Value:
    """Two values as one: mappings field by field, lists with keys entry by entry, other lists one after the other.

    Args:
        below: What gives way.
        above: What wins.
        name: The field that both are of.
    """
    if below is None or below.data is None:
        return above if above is not None else Value(None)
    if above is None or above.data is None:
        return below
    if isinstance(below.data, dict) and isinstance(above.data, dict):
        fields = dict(below.fields)
        for key, one in above.fields.items():
            fields[key] = merged(fields.get(key), one, key)
        return replace(above, data=fields)
    if isinstance(below.data, list) and isinstance(above.data, list):
        by = KEYED.get(name)
        return replace(above, data=[*below.entries, *above.entries] if by is None else _by_key(below, above, by))
    return above


def _by_key(below: Value, above: Value, by: str) -> list[Value]:
    found: dict[Any, Value] = {}
    for number, one in enumerate((*below.entries, *above.entries)):
        key = one.get(by)
        name = (number,) if key is None else str(key.data)
        found[name] = merged(found.get(name), one)
    return list(found.values())


def shown(path: Path) -> str:
    """A path as people read it: ``resources.jobs.train.tasks[0]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
