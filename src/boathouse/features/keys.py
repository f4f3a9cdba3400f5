"""The keys of a feature table: its primary key, the time in it, and since when a row is available."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from boathouse.features.errors import KeysUndeclared

AVAILABLE_AT = "available_at"
"""Table property that names the column with the time from when on a row was known."""


@dataclass(frozen=True)
class FeatureKeys:
    """The keys of a feature table.

    Attributes:
        primary_keys: Columns that say which entity is meant, without the time.
        timeseries_key: Column with the time from when on a row holds.
        available_at: Column with the time from when on a row was known.
    """

    primary_keys: tuple[str, ...]
    timeseries_key: str | None
    available_at: str | None

    @property
    def columns(self) -> frozenset[str]:
        """All of them: the other columns of the table are its features."""
        return frozenset(filter(None, (*self.primary_keys, self.timeseries_key, self.available_at)))

    def spelled(self, columns: Sequence[str]) -> "FeatureKeys":
        """The same, as the columns of a table are spelled."""
        there = {name.lower(): name for name in columns}
        time, available = (
            (None if name is None else there.get(name.lower(), name)) for name in (self.timeseries_key, self.available_at)
        )
        return FeatureKeys(tuple(there.get(name.lower(), name) for name in self.primary_keys), time, available)


def feature_keys(
    full_name: str, columns: Sequence[str], constraints: Sequence[Mapping[str, Any]], properties: Mapping[str, str]
) -> FeatureKeys:
    """The keys that a table declares.

    Args:
        full_name: Its name, for messages.
        columns: Names of its columns.
        constraints: Its constraints, in the wire form of Unity Catalog.
        properties: Its table properties.

    Raises:
        KeysUndeclared: If it has no primary key, one of a time alone, or names a column that it does not have.
    """
    primary = next((one["primary_key_constraint"] for one in constraints if one.get("primary_key_constraint")), None)
    if primary is None:
        raise KeysUndeclared(full_name, "has no primary key")
    times = {name.lower() for name in primary.get("timeseries_columns") or ()}
    names = [str(name) for name in primary["child_columns"]]
    entity = tuple(name for name in names if name.lower() not in times)
    if not entity:
        raise KeysUndeclared(full_name, "has a primary key of its time alone; name the columns of the entity in it too")
    available = properties.get(AVAILABLE_AT, "").strip() or None
    if available is not None and available.lower() not in {name.lower() for name in columns}:
        raise KeysUndeclared(full_name, f"names '{available}' in its property {AVAILABLE_AT}, which is no column of it")
    return FeatureKeys(entity, next((name for name in names if name.lower() in times), None), available).spelled(columns)
