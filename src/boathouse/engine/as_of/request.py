"""What an as-of join asks for, as a client puts it beside its plan: which rows, and what is looked up in which tables."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

HINT, ROWS_HINT = "boathouse_as_of", "boathouse_as_of_rows"
"""Names of the hints around the join, and within it around the rows that features are added to."""


@dataclass(frozen=True)
class AsOfLookup:
    """Features of one table.

    Attributes:
        table: Full name.
        version: Delta version; None for the newest.
        table_keys: Its key columns, without the time.
        row_keys: The rows' columns for them, in this order.
        features: Column of the table -> column that is added.
        timeseries_key: Its column with the time from when on a row holds.
        available_at: Its column with the time from when on a row was known.
        time: The rows' column with the time to look up as of; None for the latest row of a key.
        lookback_micros: Age that a row may have, inclusive; None for any.
    """

    table: str
    version: int | None
    table_keys: tuple[str, ...]
    row_keys: tuple[str, ...]
    features: Mapping[str, str]
    timeseries_key: str | None = None
    available_at: str | None = None
    time: str | None = None
    lookback_micros: int | None = None


@dataclass(frozen=True)
class AsOfRequest:
    """Look-ups, one after the other.

    Attributes:
        columns: The rows' columns, in order; the features come after them.
        lookups: What is added.
    """

    columns: tuple[str, ...]
    lookups: tuple[AsOfLookup, ...]

    def dumps(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def loads(cls, text: str) -> "AsOfRequest":
        """From JSON.

        Raises:
            ValueError: If it is none, or has another form.
        """
        try:
            raw: dict[str, Any] = json.loads(text)
            found = cls(tuple(raw["columns"]), tuple(map(_lookup, raw["lookups"])))
        except (TypeError, KeyError) as error:
            message = f"The request of an as-of join has another form: {error}."
            raise ValueError(message) from None
        return found

    @property
    def outputs(self) -> tuple[str, ...]:
        """All columns of the result, in order."""
        return (*self.columns, *(name for one in self.lookups for name in one.features.values()))


def _lookup(raw: dict[str, Any]) -> AsOfLookup:
    told: dict[str, Any] = raw | {name: tuple(raw[name]) for name in ("table_keys", "row_keys")}
    for name in ("version", "lookback_micros"):
        if told.get(name) is not None and type(told[name]) is not int:
            raise TypeError(name)
    return AsOfLookup(**told)
