"""The values of one column in one window: what is kept of them, so that a later window can be compared with it.

Numbers are kept as some 200 quantile bins with counts and sums. A value that alone would fill a bin has one of its own, so that columns
whose quantiles coincide (rain, that mostly does not fall) can be compared too. Other values are kept as their counts.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

pc: Any = pyarrow.compute

Floats: TypeAlias = npt.NDArray[np.float64]

BINS = 200
_TAIL = np.array([0.0002, 0.0005, 0.001, 0.002])
_LEVELS = np.unique(np.concatenate([np.arange(1, BINS + 1) / BINS, _TAIL, 1 - _TAIL]))
"""Finer at both ends, where the values of heavy tails lie far apart."""
KEPT_ITEMS = 1000
"""So many of the most frequent values of a column are remembered by themselves, the others together."""


@dataclass(frozen=True)
class Bins:
    """Counts and sums of numbers in bins.

    Attributes:
        edges: The upper edges, ascending; a bin has what is above the edge before it up to its own. Below the first and above the last
            the first bin and one more go on.
        counts: Of each bin; one more than there are edges.
        sums: Of the values in each bin.
    """

    edges: Floats
    counts: Floats
    sums: Floats

    @property
    def total(self) -> float:
        """How many numbers there are."""
        return float(self.counts.sum())


@dataclass(frozen=True)
class Numbers:
    """All numbers of a column in a window, ascending, without nulls and NaN."""

    values: Floats

    def own_bins(self) -> Bins:
        """Bins of about as many values each."""
        values = self.values
        if values.size == 0:
            return Bins(np.empty(0), np.zeros(1), np.zeros(1))
        at = np.maximum(np.ceil(_LEVELS * values.size - 1e-9).astype(np.int64) - 1, 0)
        quantiles, times = np.unique(values[at], return_counts=True)
        # A value that is there twice among the quantiles fills a bin by itself.
        masses = quantiles[times > 1]
        return self.in_bins(np.union1d(quantiles, np.nextafter(masses, -np.inf)))

    def in_bins(self, edges: Floats) -> Bins:
        """Counted in the bins of other numbers."""
        ends = np.concatenate([[0], np.searchsorted(self.values, edges, side="right"), [self.values.size]])
        counts = np.diff(ends).astype(np.float64)
        until = np.concatenate([[0.0], np.cumsum(self.values)])
        return Bins(edges, counts, np.diff(until[ends]))


@dataclass(frozen=True)
class Items:
    """The values of a column and how often each is there, the most frequent first.

    Attributes:
        counts: By value, as text.
        others: How many rows have a value that is not named.
        other_values: How many such values there are.
    """

    counts: dict[str, int]
    others: int = 0
    other_values: int = 0

    @property
    def total(self) -> int:
        """How many rows have a value."""
        return sum(self.counts.values()) + self.others

    def kept(self) -> "Items":
        """What is remembered for a comparison with a later window."""
        if len(self.counts) <= KEPT_ITEMS:
            return self
        names = list(self.counts)
        rest = names[KEPT_ITEMS:]
        others = sum(self.counts[name] for name in rest)
        return Items({name: self.counts[name] for name in names[:KEPT_ITEMS]}, others, len(rest))


def numbers_of(column: pa.ChunkedArray | pa.Array) -> tuple[Numbers, int]:
    """The numbers of a column, and how many of its values are NaN."""
    found = pc.cast(column, pa.float64(), safe=False).drop_null()
    values = np.asarray(found.to_numpy(), dtype=np.float64)
    is_nan = np.isnan(values)
    nan = int(is_nan.sum())
    return Numbers(np.sort(values[~is_nan] if nan else values)), nan


def items_of(column: pa.ChunkedArray | pa.Array) -> Items:
    """The values of a column that is not of numbers, as texts; of equally frequent ones the lesser comes first."""
    texts = pc.cast(column, pa.string()) if not pa.types.is_string(column.type) else column
    counted = texts.drop_null().value_counts()
    pairs = zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True)
    return Items(dict(sorted(pairs, key=lambda pair: (-pair[1], pair[0]))))
