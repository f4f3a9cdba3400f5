"""The schema of a stream, kept in versions: ``<schemaLocation>/_schemas/0``, ``1``, ..."""

import json
import os
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from boathouse.engine.api import Array, DataType, Field, Map, Struct, type_from_json, type_to_json
from boathouse.errors import InvalidState
from boathouse.ingest.errors import TypesDoNotMerge
from boathouse.ingest.types import merge_fields

_HEAD = "v1"
_FOLDER = "_schemas"


@dataclass(frozen=True)
class Columns:
    """A stream's columns.

    Attributes:
        data: Those that files have.
        partitions: Those that stand in their paths.
    """

    data: Struct
    partitions: Struct = field(default_factory=lambda: Struct(()))

    def row(self, rescued: str | None) -> Struct:
        """All columns of a row, the one for what did not fit at the end."""
        own = {one.name.lower() for one in self.partitions.fields}
        data = tuple(one for one in self.data.fields if one.name.lower() not in own)
        fields = (*data, *self.partitions.fields)
        if rescued is not None and all(one.name != rescued for one in fields):
            fields = (*fields, Field(rescued, type_from_json("string")))
        return Struct(fields)

    def grown(self, new: Struct) -> "Columns":
        """With new columns at the end, and new fields in structs."""
        return Columns(merge_fields(self.data, new), self.partitions)


class SchemaLog:
    """The versions of a schema.

    Args:
        location: The folder in which ``_schemas`` lies.
    """

    def __init__(self, location: Path) -> None:
        self._folder = location / _FOLDER

    def latest(self) -> tuple[int, Columns] | None:
        """The newest version and its number.

        Raises:
            InvalidState: If it cannot be read.
        """
        try:
            numbers = [int(entry.name) for entry in self._folder.iterdir() if entry.name.isdigit()]
        except FileNotFoundError:
            return None
        if not numbers:
            return None
        number = max(numbers)
        path = self._folder / str(number)
        try:
            head, _, body = path.read_text().partition("\n")
            values = json.loads(body)
            data, partitions = (type_from_json(json.loads(values[key])) for key in ("dataSchemaJson", "partitionSchemaJson"))
        except (ValueError, KeyError) as error:
            raise InvalidState(
                f"The schema in {path} cannot be read ({error}). Remove the file to go back a version."
            ) from error
        if head != _HEAD or not isinstance(data, Struct) or not isinstance(partitions, Struct):
            raise InvalidState(f"The schema in {path} is none of version {_HEAD}. Remove the file to go back a version.")
        return number, Columns(data, partitions)

    def append(self, number: int, columns: Columns) -> bool:
        """Write a version; False if somebody else has written one of this number."""
        self._folder.mkdir(parents=True, exist_ok=True)
        values = {
            "dataSchemaJson": json.dumps(type_to_json(columns.data)),
            "partitionSchemaJson": json.dumps(type_to_json(columns.partitions)),
        }
        written = self._folder / f".{uuid.uuid4().hex}"
        with written.open("w") as stream:
            stream.write(f"{_HEAD}\n{json.dumps(values)}")
            stream.flush()
            os.fsync(stream.fileno())
        try:
            # Unlike a renaming, a link never takes the place of another version.
            os.link(written, self._folder / str(number))
        except FileExistsError:
            return False
        finally:
            written.unlink()
        return True


def with_hints(columns: Columns, hints: list[tuple[list[str], DataType]]) -> Columns:
    """Columns with the types that hints give some of them; columns that are not there are added."""
    data, partitions = columns.data, columns.partitions
    for path, kind in hints:
        if len(path) == 1 and partitions.find(path[0]) is not None:
            partitions = _hinted(partitions, path, kind)
        else:
            data = _hinted(data, path, kind)
    return Columns(data, partitions)


def _hinted(struct: DataType, path: list[str], kind: DataType) -> Struct:
    fields = list(struct.fields) if isinstance(struct, Struct) else []
    known = next((at for at, one in enumerate(fields) if one.name.lower() == path[0].lower()), None)
    inner = kind if len(path) == 1 else _nested(None if known is None else fields[known].type, path, kind)
    if known is None:
        fields.append(Field(path[0], inner))
    else:
        fields[known] = Field(fields[known].name, inner)
    return Struct(tuple(fields))


def _nested(known: DataType | None, path: list[str], kind: DataType) -> DataType:
    rest = path[1:]
    match known, rest:
        case Array(), ["element"]:
            return Array(kind)
        case Array(element), ["element", *inner]:
            return Array(_hinted(element, inner, kind))
        case Map(key, _), ["value"]:
            return Map(key, kind)
        case Map(_, value), ["key"]:
            return Map(kind, value)
        case _:
            return _hinted(known if isinstance(known, Struct) else Struct(()), rest, kind)


def split_hints(text: str) -> list[tuple[list[str], str]]:
    """Hints as paths of names and texts of types.

    Raises:
        TypesDoNotMerge: If one has no type.
    """
    found: list[tuple[list[str], str]] = []
    for hint in _split(text, ","):
        hint = hint.strip()  # noqa: PLW2901
        if not hint:
            continue
        name, _, kind = _cut(hint)
        if not kind.strip():
            raise TypesDoNotMerge(hint)
        found.append(([part.strip().strip("`") for part in _split(name, ".")], kind.strip()))
    return found


def _cut(hint: str) -> tuple[str, str, str]:
    quoted = False
    for at, character in enumerate(hint):
        quoted ^= character == "`"
        if not quoted and (character.isspace() or character == ":"):
            return hint[:at], character, hint[at + 1 :]
    return hint, "", ""


def _split(text: str, mark: str) -> list[str]:
    parts, depth, quoted = [""], 0, False
    for character in text:
        quoted ^= character == "`"
        depth += (character in "<(") - (character in ">)")
        if character == mark and depth == 0 and not quoted:
            parts.append("")
        else:
            parts[-1] += character
    return parts
