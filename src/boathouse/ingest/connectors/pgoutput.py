"""PostgreSQL's messages of logical replication, version 1 of the plugin ``pgoutput``, as its documentation has them."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final


class _Unchanged:
    """The value of a column that was not sent: it is long, and was not changed."""

    def __repr__(self) -> str:
        return "UNCHANGED"


UNCHANGED: Final = _Unchanged()
Value = str | None | _Unchanged
"""A value as text."""


@dataclass(frozen=True)
class Relation:
    """A table: its columns in order, and those that its rows are told apart by."""

    oid: int
    schema: str
    name: str
    columns: tuple[str, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Commit:
    """A transaction begins; ``lsn`` is where it ends, which orders transactions."""

    lsn: int


@dataclass(frozen=True)
class Insert:
    """A new row."""

    oid: int
    new: Mapping[str, Value]


@dataclass(frozen=True)
class Update:
    """A changed row; ``old`` has the key, or the whole row, where that was sent."""

    oid: int
    old: Mapping[str, Value] | None
    new: Mapping[str, Value]


@dataclass(frozen=True)
class Delete:
    """A row that is gone, by its key or as a whole."""

    oid: int
    old: Mapping[str, Value]


@dataclass(frozen=True)
class Truncate:
    """Tables whose rows are gone."""

    oids: tuple[int, ...]


Message = Relation | Commit | Insert | Update | Delete | Truncate


class Decoder:
    """Reads messages one after the other; those of rows need the relations that came before."""

    def __init__(self) -> None:
        self.relations: dict[int, Relation] = {}

    def decode(self, data: bytes) -> Message | None:
        """One message; None for one that says nothing of rows."""
        reader = _Reader(data)
        match reader.byte():
            case "B":
                return Commit(reader.number("Q"))
            case "R":
                return self._relation(reader)
            case "I":
                relation = self._known(reader)
                reader.byte()
                return Insert(relation.oid, _named(relation, reader.row()))
            case "U":
                return self._update(reader)
            case "D":
                relation = self._known(reader)
                reader.byte()
                return Delete(relation.oid, _named(relation, reader.row()))
            case "T":
                count = reader.number("I")
                reader.number("B")
                return Truncate(tuple(reader.number("I") for _ in range(count)))
            case _:
                return None

    def _known(self, reader: "_Reader") -> Relation:
        return self.relations[reader.number("I")]

    def _relation(self, reader: "_Reader") -> Relation:
        oid, schema, name = reader.number("I"), reader.text() or "pg_catalog", reader.text()
        reader.byte()
        columns: list[str] = []
        keys: list[str] = []
        for _ in range(reader.number("H")):
            is_key = reader.number("B") & 1
            columns.append(reader.text())
            reader.number("I")
            reader.number("i")
            if is_key:
                keys.append(columns[-1])
        found = self.relations[oid] = Relation(oid, schema, name, tuple(columns), tuple(keys))
        return found

    def _update(self, reader: "_Reader") -> Update:
        relation = self._known(reader)
        old: Mapping[str, Value] | None = None
        if reader.byte() in {"K", "O"}:
            old = _named(relation, reader.row())
            reader.byte()
        return Update(relation.oid, old, _named(relation, reader.row()))


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, form: str) -> int:
        (value,) = struct.unpack_from(f">{form}", self._data, self._at)
        self._at += struct.calcsize(f">{form}")
        return int(value)

    def byte(self) -> str:
        self._at += 1
        return chr(self._data[self._at - 1])

    def text(self) -> str:
        end = self._data.index(b"\0", self._at)
        value = self._data[self._at : end].decode()
        self._at = end + 1
        return value

    def row(self) -> list[Value]:
        found: list[Value] = []
        for _ in range(self.number("H")):
            kind = self.byte()
            if kind == "t":
                length = self.number("I")
                found.append(self._data[self._at : self._at + length].decode())
                self._at += length
            else:
                found.append(None if kind == "n" else UNCHANGED)
        return found


def _named(relation: Relation, values: Sequence[Value]) -> dict[str, Value]:
    return dict(zip(relation.columns, values, strict=True))
