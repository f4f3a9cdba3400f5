"""Which files a stream has found, durably: one row a file, numbered in the order in which they are read."""

import json
import sqlite3
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boathouse.errors import InvalidState

_SCHEMA = """
CREATE TABLE IF NOT EXISTS folders (
    id INTEGER PRIMARY KEY, parent INTEGER, path TEXT NOT NULL UNIQUE, modified_ns INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS folders_parent ON folders (parent);
CREATE TABLE IF NOT EXISTS files (
    number INTEGER PRIMARY KEY, folder INTEGER NOT NULL, name TEXT NOT NULL, modified_ns INTEGER NOT NULL, size INTEGER NOT NULL,
    found_ms INTEGER NOT NULL, committed_ms INTEGER, offered INTEGER NOT NULL DEFAULT 1, cleaned_ms INTEGER);
CREATE UNIQUE INDEX IF NOT EXISTS files_name ON files (folder, name, modified_ns);
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TEMP TABLE found (folder INTEGER, name TEXT, modified_ns INTEGER, size INTEGER);
"""
FILE_NAME = "files.db"


@dataclass(frozen=True)
class Found:
    """A file that was found.

    Attributes:
        number: Its place in the order in which files are read.
        path: Relative to the base.
        modified_ns: When it was last changed, nanoseconds since the epoch.
        size: In bytes.
    """

    number: int
    path: str
    modified_ns: int
    size: int


class FileLog:
    """The files of one source.

    Args:
        folder: The source's folder in the checkpoint; made if it is not there.

    Raises:
        InvalidState: If its database is a link to somewhere else.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / FILE_NAME).is_symlink():
            raise InvalidState(f"{folder / FILE_NAME} is a link. Remove it, or start with a new checkpoint.")
        # Methods are called on worker threads, one at a time.
        self._db = sqlite3.connect(folder / FILE_NAME, isolation_level=None, check_same_thread=False)
        # The principal can write in the folder, so the schema is not trusted either.
        self._db.execute("PRAGMA trusted_schema=OFF")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    @contextmanager
    def listing(self) -> Generator["Listing"]:
        """One listing: all of what it finds is kept, or nothing of it."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.execute("DELETE FROM found")
            yield Listing(self._db)
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    def last(self) -> int:
        """The highest number that was given."""
        return self._db.execute("SELECT COALESCE(MAX(number), 0) FROM files").fetchone()[0]

    def end(self, start: int, most: int | None, most_bytes: int | None, last: int) -> int:
        """The number of the last file of a batch after a number; the same number if there are none.

        Args:
            start: Files up to it were read before.
            most: Files of a batch.
            most_bytes: Bytes of a batch; at least one file is taken whatever its size.
            last: Not to go beyond.
        """
        rows = self._db.execute(
            "SELECT number, size FROM files WHERE number > ? AND number <= ? AND offered = 1 ORDER BY number LIMIT ?",
            (start, last, -1 if most is None else most),
        )
        end, total = start, 0
        for number, size in rows:
            if most_bytes is not None and end != start and total + size > most_bytes:
                break
            end, total = number, total + size
        return end

    def between(self, start: int, end: int) -> list[Found]:
        """The files after a number up to and with another one."""
        rows = self._db.execute(
            "SELECT number, path, name, files.modified_ns, size FROM files JOIN folders ON folders.id = folder "
            "WHERE number > ? AND number <= ? AND offered = 1 ORDER BY number",
            (start, end),
        )
        return [_found(row) for row in rows]

    def first(self, most: int) -> Iterator[Found]:
        """The first files, to infer a schema from."""
        rows = self._db.execute(
            "SELECT number, path, name, files.modified_ns, size FROM files JOIN folders ON folders.id = folder "
            "WHERE offered = 1 ORDER BY number LIMIT ?",
            (most,),
        )
        return (_found(row) for row in rows)

    def backlog(self, start: int) -> tuple[int, int]:
        """How many files, and bytes, were found and not read."""
        row = self._db.execute(
            "SELECT COUNT(*), COALESCE(SUM(size), 0) FROM files WHERE number > ? AND offered = 1", (start,)
        ).fetchone()
        return row[0], row[1]

    def committed(self, end: int, now_ms: int) -> None:
        """Note when files up to a number were committed."""
        self._db.execute(
            "UPDATE files SET committed_ms = ? WHERE number <= ? AND committed_ms IS NULL AND offered = 1", (now_ms, end)
        )

    def to_clean(self, before_ms: int, most: int) -> list[Found]:
        """Files that were committed before a moment and are still where they were found."""
        rows = self._db.execute(
            "SELECT number, path, name, files.modified_ns, size FROM files JOIN folders ON folders.id = folder "
            "WHERE committed_ms < ? AND cleaned_ms IS NULL ORDER BY number LIMIT ?",
            (before_ms, most),
        )
        return [_found(row) for row in rows]

    def cleaned(self, numbers: Iterable[int], now_ms: int) -> None:
        """Note that files were taken away."""
        self._db.executemany("UPDATE files SET cleaned_ms = ? WHERE number = ?", ((now_ms, number) for number in numbers))

    def note(self, name: str) -> str | None:
        """A note that was left."""
        row = self._db.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def leave(self, name: str, value: str) -> None:
        """Leave a note for later runs."""
        self._db.execute(
            "INSERT INTO notes VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value)
        )

    def rows(self) -> list[tuple[Any, ...]]:
        """All files: path, size, and when they were changed (ns), found, committed and taken away (ms)."""
        return rows_of(self._db)


def rows_of(database: sqlite3.Connection) -> list[tuple[Any, ...]]:
    """All files: path, size, and when they were changed (ns), found, committed and taken away (ms)."""
    return database.execute(
        "SELECT CASE path WHEN '' THEN name ELSE path || '/' || name END, size, files.modified_ns, found_ms, committed_ms, cleaned_ms "
        "FROM files JOIN folders ON folders.id = folder WHERE offered = 1 ORDER BY number"
    ).fetchall()


class Listing:
    """What one listing finds, until it ends."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._db = database

    def folder(self, path: str, parent: int | None) -> tuple[int, int]:
        """The number of a folder, and when it was last changed as far as its entries are known; 0 if they are not."""
        row = self._db.execute("SELECT id, modified_ns FROM folders WHERE path = ?", (path,)).fetchone()
        if row is not None:
            return row[0], row[1]
        made = self._db.execute("INSERT INTO folders (path, parent) VALUES (?, ?) RETURNING id", (path, parent)).fetchone()
        return made[0], 0

    def known(self, folder: int, modified_ns: int) -> None:
        """Note that all entries of a folder are known as of its last change, or with 0 that they are not."""
        self._db.execute("UPDATE folders SET modified_ns = ? WHERE id = ?", (modified_ns, folder))

    def folders(self, parent: int) -> list[str]:
        """Paths of the folders in a folder."""
        return [row[0] for row in self._db.execute("SELECT path FROM folders WHERE parent = ?", (parent,))]

    def forget(self, path: str) -> None:
        """A folder is gone; what was found in it stays known."""
        self._db.execute("UPDATE folders SET parent = NULL, modified_ns = 0 WHERE path = ?", (path,))

    def adopt(self, folder: int, parent: int) -> None:
        """A folder lies in another one."""
        self._db.execute("UPDATE folders SET parent = ? WHERE id = ? AND parent IS NOT ?", (parent, folder, parent))

    def unseen(self, folder: int, names: Sequence[str]) -> list[str]:
        """Those of a folder's names that were never found."""
        rows = self._db.execute(
            "SELECT value FROM json_each(?) WHERE NOT EXISTS (SELECT 1 FROM files WHERE folder = ? AND name = value)",
            (json.dumps(names), folder),
        )
        return [row[0] for row in rows]

    def is_known(self, folder: int, name: str, modified_ns: int) -> bool:
        """Whether a file was found as of a time of change."""
        query = "SELECT 1 FROM files WHERE folder = ? AND name = ? AND modified_ns = ?"
        return self._db.execute(query, (folder, name, modified_ns)).fetchone() is not None

    def add(self, folder: int, files: Sequence[tuple[str, int, int]]) -> None:
        """Files with their names, times in nanoseconds and sizes; those that are known at this time are left as they are."""
        self._db.executemany("INSERT INTO found VALUES (?, ?, ?, ?)", ((folder, *one) for one in files))

    def number(self, now_ms: int, *, offered: bool) -> int:
        """Give the new files their numbers, the oldest the lowest; how many there are."""
        return self._db.execute(
            "INSERT OR IGNORE INTO files (folder, name, modified_ns, size, found_ms, offered) "
            "SELECT folder, name, found.modified_ns, size, ?, ? FROM found JOIN folders ON folders.id = folder "
            "ORDER BY found.modified_ns, path, name",
            (now_ms, int(offered)),
        ).rowcount


def _found(row: tuple[Any, ...]) -> Found:
    number, folder, name, modified_ns, size = row
    return Found(number, f"{folder}/{name}" if folder else name, modified_ns, size)
