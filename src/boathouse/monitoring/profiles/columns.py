"""The columns of a monitored table: how each is read, and what is told of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from boathouse.engine.gateway.sql.tokens import quote
from boathouse.monitoring.profiles import drift
from boathouse.monitoring.profiles.values import Bins, Items, Numbers, items_of, numbers_of

pc: Any = pyarrow.compute

QUANTILES = 1001
FREQUENT = 100
_NUMBERS = ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal")
_LENGTHS = ("array", "map")


class Kind(Enum):
    """What can be told of a column."""

    NUMBER = "number"
    TEXT = "text"
    ITEM = "item"
    """Of few values, like a boolean."""
    MOMENT = "moment"
    LENGTH = "length"
    """Only how many elements each value has."""
    PRESENCE = "presence"
    """Only whether there is a value."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: Its name.
        type_text: Its type, as ``data_type`` has it in the metric tables.
    """

    name: str
    type_text: str

    @property
    def kind(self) -> Kind:
        """What can be told of it."""
        kinds = {"string": Kind.TEXT, "boolean": Kind.ITEM, "date": Kind.MOMENT, "timestamp": Kind.MOMENT}
        begin = self.type_text.partition("(")[0].partition("<")[0].partition("_")[0]
        if begin in _NUMBERS:
            return Kind.NUMBER
        if begin in _LENGTHS:
            return Kind.LENGTH
        return Kind.TEXT if begin in {"varchar", "char"} else kinds.get(begin, Kind.PRESENCE)

    @property
    def sql(self) -> str:
        """What is read of it."""
        name = quote([self.name])
        if self.kind is Kind.LENGTH:
            return f"CASE WHEN {name} IS NULL THEN NULL ELSE size({name}) END"
        if self.kind is Kind.PRESENCE:
            return f"CASE WHEN {name} IS NULL THEN NULL ELSE 1 END"
        return name


@dataclass(frozen=True)
class Remembered:
    """What is kept of a column of one window for a comparison with another: its metrics, and its values as bins or counts."""

    metrics: Mapping[str, Any]
    bins: Bins | None = None
    items: Items | None = None


@dataclass(frozen=True)
class Profile:
    """A column in one window: its metrics, by their names in the metric table, and its values."""

    metrics: Mapping[str, Any]
    numbers: Numbers | None = None
    items: Items | None = None

    def remembered(self) -> Remembered:
        """What is kept of it."""
        bins = None if self.numbers is None else self.numbers.own_bins()
        return Remembered(self.metrics, bins, None if self.items is None else self.items.kept())

    def drift_from(self, base: Remembered) -> dict[str, Any]:
        """How it differs from another window."""
        found: dict[str, Any] = {}
        if self.numbers is not None and base.bins is not None:
            found.update(drift.of_numbers(base.bins, self.numbers.in_bins(base.bins.edges)))
        if self.items is not None and base.items is not None:
            found.update(drift.of_items(base.items, self.items))
        told = {name: vars(value) if isinstance(value, drift.Test) else value for name, value in found.items()}
        return told | deltas(base.metrics, self.metrics)


def deltas(base: Mapping[str, Any], current: Mapping[str, Any]) -> dict[str, float]:
    """The differences of plain metrics."""
    names = ("count", "avg", "percent_null", "percent_zeros", "percent_distinct")
    both = [name for name in names if base.get(name) is not None and current.get(name) is not None]
    return {f"{name}_delta": float(current[name] - base[name]) for name in both}


def profile_of(column: Column, values: pa.ChunkedArray) -> Profile:
    """Look at the values of a column in one window."""
    rows = len(values)
    nulls = values.null_count
    metrics: dict[str, Any] = {
        "data_type": column.type_text,
        "count": rows - nulls,
        "num_nulls": nulls,
        "percent_null": _percent(nulls, rows),
    }
    match column.kind:
        case Kind.NUMBER:
            numbers, nan = numbers_of(values)
            return Profile(metrics | _of_numbers(numbers, nan, rows, column.type_text), numbers)
        case Kind.TEXT | Kind.ITEM:
            items = items_of(values)
            metrics |= _distinct(len(items.counts), rows) | {"frequent_items": _frequent(items)}
            if column.kind is Kind.TEXT:
                metrics |= _lengths(pc.utf8_length(values))
            return Profile(metrics, items=items)
        case Kind.MOMENT:
            return Profile(metrics | _distinct(int(pc.count_distinct(values).as_py()), rows))
        case Kind.LENGTH:
            return Profile(metrics | _lengths(values))
        case _:
            return Profile(metrics)


def _of_numbers(numbers: Numbers, nan: int, rows: int, type_text: str) -> dict[str, Any]:
    values = numbers.values
    zeros = int(np.searchsorted(values, 0.0, side="right") - np.searchsorted(values, 0.0, side="left"))
    found: dict[str, Any] = {"num_zeros": zeros, "percent_zeros": _percent(zeros, rows)}
    if type_text in {"float", "double"}:
        found |= {"num_nan": nan, "percent_nan": _percent(nan, rows)}
    changes = int((np.diff(values) != 0).sum()) if values.size else -1
    found |= _distinct(changes + 1 + (nan > 0), rows)
    if not values.size:
        return found
    # Odd, so that the one in the middle is the median.
    points = QUANTILES if values.size >= QUANTILES else values.size | 1
    quantiles = np.quantile(values, np.linspace(0, 1, points))
    return found | {
        "avg": float(values.mean()),
        "min": float(values[0]),
        "max": float(values[-1]),
        "stddev": float(values.std(ddof=1)) if values.size > 1 else None,
        "median": float(quantiles[points // 2]),
        "quantiles": quantiles.tolist(),
    }


def _frequent(items: Items) -> list[dict[str, Any]]:
    return [{"item": name, "count": count} for name, count in list(items.counts.items())[:FREQUENT]]


def _lengths(lengths: pa.ChunkedArray) -> dict[str, Any]:
    if lengths.null_count == len(lengths):
        return {}
    ends = pc.min_max(lengths).as_py()
    return {
        "min_length": float(ends["min"]),
        "max_length": float(ends["max"]),
        "avg_length": float(pc.mean(lengths).as_py()),
    }


def _distinct(count: int, rows: int) -> dict[str, Any]:
    return {"distinct_count": count, "percent_distinct": _percent(count, rows)}


def _percent(part: int, whole: int) -> float | None:
    return 100.0 * part / whole if whole else None
