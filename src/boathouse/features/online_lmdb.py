"""Online tables in LMDB: one file an online table, one packed value a key and time, readers of other processes beside one writer.

A record's key is the packed key, the time and the time of its availability, both as what is left from there until ``FOREVER``, with the highest
byte first: so the rows of a key stand with the newest first. No packed key begins with another, nor as ``_META`` does.
"""

import hashlib
import struct
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import lmdb

from boathouse.errors import InvalidState
from boathouse.features.errors import OnlineTableNotFound, OnlineTableReplaced
from boathouse.features.online import ALWAYS, FOREVER, Asked, Bounds, OnlineMeta, OnlineRow, RowPlace, per_key

_META, _LONG = b"meta", b"#"
_LONGEST_KEY = 480
"""Bytes; LMDB takes 511."""
_MOST_BYTES = 64 << 30
"""Of a table: address space that is reserved for it, and no more than that until it is used."""
_MOST_READERS = 1024
_TIME_BYTES = 8
_LAST = b"\xff" * _TIME_BYTES
_NOTHING: tuple[bytes, None] = (b"\xff", None)
"""In a record's place behind the last one: its key is after all others."""
_two_numbers = struct.Struct(">QQ").pack
_number = struct.Struct(">Q").pack

_environments: dict[Path, lmdb.Environment] = {}
"""A process must not open a file twice."""
_opening = threading.Lock()


class TableTooBig(InvalidState):
    """More rows than an online table in the lake holds."""

    def __init__(self) -> None:
        super().__init__(
            f"An online table in the lake holds {_MOST_BYTES >> 30} GiB at most, and this one would have more. "
            "Publish it to a store in PostgreSQL or Redis (BOATHOUSE_ONLINE_STORES)."
        )


class LmdbTarget:
    """Writes one online table.

    Args:
        path: Its file; made where it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def _transaction(self) -> Generator[lmdb.Transaction, None, None]:
        try:
            with _environment(self._path, make=True).begin(write=True) as transaction:
                yield transaction
        except lmdb.MapFullError:
            raise TableTooBig from None

    def meta(self) -> OnlineMeta | None:
        """What is published now, or None."""
        if not self._path.exists():
            return None
        with _environment(self._path, make=True).begin() as transaction:
            text = transaction.get(_META)
        return None if text is None else OnlineMeta.known(bytes(text).decode())

    def write(self, meta: OnlineMeta, rows: Iterable[OnlineRow], *, replace: bool, gone: Sequence[RowPlace] = ()) -> int:
        """Publish rows at once; see ``OnlineTarget``."""
        with self._transaction() as transaction:
            if replace:
                _empty(self._path, transaction)
            for key, time, available in gone:
                transaction.delete(_record(key, time, available))
            with transaction.cursor() as cursor:
                cursor.putmulti((_record(key, time, available), value) for key, time, available, value in rows)
            transaction.put(_META, meta.dumps().encode())
            return int(transaction.stat()["entries"]) - 1

    def delete(self) -> None:
        """Remove the table's files."""
        if self._path.exists():
            # Who has the file open still sees by this that it is gone.
            with self._transaction() as transaction:
                _empty(self._path, transaction)
        with _opening:
            _environments.pop(self._path, None)
            for suffix in ("", "-lock"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)


class LmdbSource:
    """Reads one online table. Safe for threads.

    Args:
        path: The table's file.
        full_name: The table's name, for messages.
    """

    def __init__(self, path: Path, full_name: str) -> None:
        self._path = path
        self._full_name = full_name
        self._environment: lmdb.Environment | None = None
        self._seen: tuple[lmdb.Environment, int, OnlineMeta] | None = None
        """In which file, after which of its transactions, the table was seen to hold what."""

    def read(self, wanted: Callable[[OnlineMeta], Asked]) -> tuple[OnlineMeta, list[bytes | None]]:
        """What the table holds, and what is found; see ``OnlineSource``."""
        if self._environment is not None:
            found = self._read(self._environment, wanted)
            if found is not None:
                return found
        # A table that was deleted and published anew is another file under the same name.
        self._environment = self._opened()
        found = self._read(self._environment, wanted)
        if found is None:
            raise OnlineTableNotFound(self._full_name)
        return found

    def _opened(self) -> lmdb.Environment:
        if not self._path.exists():
            raise OnlineTableNotFound(self._full_name)
        with _opening:
            known = _environments.get(self._path)
            if known is not None and known is self._environment:
                del _environments[self._path]
        try:
            return _environment(self._path, make=False)
        except lmdb.ReadonlyError:
            # What LMDB calls a file that may not be opened.
            raise OnlineTableReplaced(self._full_name) from None
        except lmdb.Error:
            # It is being deleted.
            raise OnlineTableNotFound(self._full_name) from None

    def _read(
        self, environment: lmdb.Environment, wanted: Callable[[OnlineMeta], Asked]
    ) -> tuple[OnlineMeta, list[bytes | None]] | None:
        transaction = environment.begin()
        try:
            number, seen = transaction.id(), self._seen
            if seen is None or seen[0] is not environment or seen[1] != number:
                text = transaction.get(_META)
                meta = None if text is None else OnlineMeta.known(text.decode())
                if meta is None:
                    return None
                seen = self._seen = (environment, number, meta)
            return seen[2], _found(transaction.cursor(), wanted(seen[2]))
        finally:
            transaction.abort()


def _environment(path: Path, *, make: bool) -> lmdb.Environment:
    """The file, opened once in this process."""
    with _opening:
        found = _environments.get(path)
        if found is None:
            found = _environments[path] = lmdb.open(
                str(path), subdir=False, create=make, map_size=_MOST_BYTES, max_readers=_MOST_READERS, metasync=False
            )
            # Readers that were killed would keep old pages from being used again.
            found.reader_check()
        return found


def _empty(path: Path, transaction: lmdb.Transaction) -> None:
    transaction.drop(_environment(path, make=True).open_db(), delete=False)


def _record(key: bytes, time: int, available: int) -> bytes:
    return _prefix(key) + _two_numbers(FOREVER - time, FOREVER - available)


def _prefix(key: bytes) -> bytes:
    return key if len(key) <= _LONGEST_KEY else _LONG + hashlib.sha256(key).digest()


@lru_cache(1000)
def _encoded(bounds: Bounds) -> tuple[bytes, bytes, bytes | None]:
    """How the first and the last record within some bounds end, and the least of their last numbers; None for any."""
    latest, earliest, until = (_number(FOREVER - min(max(one, ALWAYS), FOREVER)) for one in bounds)
    return latest, earliest + _LAST, None if bounds[2] >= FOREVER else until


def _found(cursor: Any, asked: Asked) -> list[bytes | None]:
    """The value of each key's newest row within its bounds."""
    seek, item = cursor.set_range, cursor.item
    found: list[bytes | None] = []
    ends = [_encoded(one) for one in asked.bounds]
    for key, (begin, end, until) in per_key(asked.keys, ends):
        prefix = key if len(key) <= _LONGEST_KEY else _prefix(key)
        last = prefix + end
        record, value = item() if seek(prefix + begin) else _NOTHING
        if until is not None:
            while record <= last and record[-_TIME_BYTES:] < until:
                record, value = item() if cursor.next() else _NOTHING
        found.append(value if record <= last else None)
    return found
