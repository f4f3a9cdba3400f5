"""What is remembered of a table between extractions."""

import base64
import datetime as dt
import decimal
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from boathouse.ingest.connectors.columns import text_of


@dataclass
class Progress:
    """How far a table is.

    Attributes:
        generation: How often everything was brought anew.
        batch: Number of the next extraction.
        cursor: Greatest value of the cursor column so far, encoded; None before the first row.
        seen: Digests of the rows that have it, each with how many there were: rows that come later can have the same value.
        columns: Name and type of all columns that there ever were.
        keys: Columns that say which row is meant.
        settings: What it was brought with.
    """

    generation: int = 0
    batch: int = 0
    cursor: list[Any] | None = None
    seen: dict[str, int] = field(default_factory=dict[str, int])
    columns: list[list[str]] = field(default_factory=list[list[str]])
    keys: list[str] = field(default_factory=list[str])
    settings: dict[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    def of(cls, remembered: Mapping[str, Any] | None) -> "Progress":
        """From what was remembered."""
        return cls(**remembered) if remembered else cls()

    def to_json(self) -> dict[str, Any]:
        """To be remembered."""
        return dict(vars(self))

    def anew(self) -> "Progress":
        """The state at the beginning of a full refresh."""
        return Progress(generation=self.generation + 1)


class Watermark:
    """The greatest value of a cursor column, over the rows of one extraction.

    Rows are read from the last value on, that value included, since others with the same value may have come after it was read.
    Those that were brought already are left out, each as often as it was.

    Args:
        column: The cursor column.
        progress: How far the table is.
    """

    def __init__(self, column: str, progress: Progress) -> None:
        self._column = column
        self._value = None if progress.cursor is None else decoded(progress.cursor)
        self._start = self._value
        self._left = Counter(progress.seen)
        self._seen = Counter(progress.seen)

    @property
    def value(self) -> Any:
        """Where to read on; None for the beginning."""
        return self._start

    def new(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        """The rows that are new; those without a value in the cursor column are none."""
        for row in rows:
            value = row.get(self._column)
            if value is None or (self._start is not None and value < self._start):
                continue
            if self._start is not None and value == self._start:
                digest = _digest(row)
                if self._left[digest] > 0:
                    self._left[digest] -= 1
                    continue
            if self._value is None or value > self._value:
                self._value, self._seen = value, Counter[str]()
            if value == self._value:
                self._seen[_digest(row)] += 1
            yield row

    def into(self, progress: Progress) -> None:
        """Note how far the table is now."""
        progress.cursor = None if self._value is None else encoded(self._value)
        progress.seen = dict(self._seen)


def _digest(row: Mapping[str, Any]) -> str:
    text = json.dumps({key: row[key] for key in sorted(row)}, default=text_of, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def encoded(value: Any) -> list[Any]:
    """A value as JSON that keeps its type."""
    match value:
        case dt.datetime():
            return ["datetime", value.isoformat()]
        case dt.date():
            return ["date", value.isoformat()]
        case decimal.Decimal():
            return ["decimal", str(value)]
        case bytes():
            return ["bytes", base64.b64encode(value).decode()]
        case bool() | int() | float() | str():
            return ["plain", value]
        case _:
            message = f"A cursor column cannot be of the type {type(value).__name__}."
            raise TypeError(message)


def decoded(pair: list[Any]) -> Any:
    """The value again."""
    kind, text = pair
    match kind:
        case "datetime":
            return dt.datetime.fromisoformat(text)
        case "date":
            return dt.date.fromisoformat(text)
        case "decimal":
            return decimal.Decimal(text)
        case "bytes":
            return base64.b64decode(text)
        case _:
            return text
