"""How far two samples of a column lie apart. Each figure is for the sample that is looked at, ``current``, against one remembered.

Formulas: the two-sample Kolmogorov-Smirnov test (its p-value by M. Stephens' approximation, 1970), the Wasserstein distance of order 1, the
Jensen-Shannon distance to base e, total variation and the L-infinity distance as scipy has them; Pearson's chi-squared test of homogeneity (both samples are samples); the population
stability index over ten bins of the sample remembered.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc, kolmogorov, rel_entr

from boathouse.monitoring.profiles.values import Bins, Floats, Items

PSI_BINS = 10


@dataclass(frozen=True)
class Test:
    """A statistic, and how likely at least as great a one is where nothing has changed."""

    statistic: float
    pvalue: float


def of_numbers(base: Bins, current: Bins) -> Mapping[str, float | Test | None]:
    """The drift of a column of numbers.

    Args:
        base: What is remembered, in bins of its own.
        current: The sample that is looked at, in the same bins.
    """
    if base.total == 0 or current.total == 0:
        return {}
    return {
        "ks_test": ks_test(base, current),
        "wasserstein_distance": wasserstein(base, current),
        "population_stability_index": psi(*_tenths(base, current)),
    }


def ks_test(base: Bins, current: Bins) -> Test:
    """The greatest distance of the two distributions at an edge of a bin: between two edges it may be a bin's share greater."""
    n, m = base.total, current.total
    distance = float(np.abs(np.cumsum(base.counts) / n - np.cumsum(current.counts) / m).max())
    root = np.sqrt(n * m / (n + m))
    return Test(distance, float(kolmogorov((root + 0.12 + 0.11 / root) * distance)))


def wasserstein(base: Bins, current: Bins) -> float:
    """The distance where all that is in a bin lies at its mean, each sample's own."""
    at = np.concatenate([one.sums[one.counts > 0] / one.counts[one.counts > 0] for one in (base, current)])
    shares = [sign * one.counts[one.counts > 0] / one.total for one, sign in ((base, 1), (current, -1))]
    order = np.argsort(at, kind="stable")
    gaps = np.abs(np.cumsum(np.concatenate(shares)[order]))[:-1]
    return float((gaps * np.diff(at[order])).sum())


def _tenths(base: Bins, current: Bins) -> tuple[Floats, Floats]:
    """Bins put together until each has a tenth of the sample remembered."""
    enough = base.total / PSI_BINS
    counts: list[tuple[float, float]] = [(0.0, 0.0)]
    for one, other in zip(base.counts, current.counts, strict=True):
        is_full = counts[-1][0] >= enough * (1 - 1e-9) or (one >= enough and counts[-1][0] > 0)
        if is_full:
            counts.append((float(one), float(other)))
        else:
            counts[-1] = (counts[-1][0] + float(one), counts[-1][1] + float(other))
    if len(counts) > 1 and counts[-1][0] < enough / 2:
        # What is above the greatest value remembered is no bin by itself.
        last = counts.pop()
        counts[-1] = (counts[-1][0] + last[0], counts[-1][1] + last[1])
    return np.array([one for one, _ in counts]), np.array([other for _, other in counts])


def of_items(base: Items, current: Items) -> Mapping[str, float | Test | None]:
    """The drift of a column that is not of numbers."""
    if base.total == 0 or current.total == 0:
        return {}
    first, second = _aligned(base, current)
    p, q = first / first.sum(), second / second.sum()
    return {
        "chi_squared_test": chi_squared_test(first, second),
        "js_distance": float(np.sqrt(max(0.0, (rel_entr(p, (p + q) / 2) + rel_entr(q, (p + q) / 2)).sum() / 2))),
        "tv_distance": float(np.abs(p - q).sum() / 2),
        "l_infinity_distance": float(np.abs(p - q).max()),
        "population_stability_index": psi(first, second),
    }


def chi_squared_test(first: Floats, second: Floats) -> Test:
    """Whether two samples have the same shares."""
    both = np.stack([first, second])
    both = both[:, both.sum(axis=0) > 0]
    expected = both.sum(axis=0, keepdims=True) * both.sum(axis=1, keepdims=True) / both.sum()
    statistic = float(((both - expected) ** 2 / expected).sum())
    freedom = both.shape[1] - 1
    return Test(statistic, float(chdtrc(freedom, statistic)) if freedom > 0 else 1.0)


def psi(first: Floats, second: Floats) -> float:
    """The population stability index; a bin that one sample has nothing of counts as half a row of it."""
    is_there = first + second > 0
    p = np.maximum(first[is_there], 0.5) / first.sum()
    q = np.maximum(second[is_there], 0.5) / second.sum()
    return float(((q - p) * np.log(q / p)).sum())


def _aligned(base: Items, current: Items) -> tuple[Floats, Floats]:
    """Counts of the same values; those that are not remembered by name are one where the other has any of them."""
    if base.others:
        named = list(base.counts)
        first = [base.counts[name] for name in named]
        second = [current.counts.get(name, 0) for name in named]
        return np.array([*first, base.others], float), np.array([*second, current.total - sum(second)], float)
    names = [*base.counts, *(name for name in current.counts if name not in base.counts)]
    first = [base.counts.get(name, 0) for name in names]
    second = [current.counts.get(name, 0) for name in names]
    if current.others:
        first, second = [*first, 0], [*second, current.others]
    return np.array(first, float), np.array(second, float)
