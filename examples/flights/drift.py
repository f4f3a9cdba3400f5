"""How far a column's values have moved, and how far chance alone moves them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from scipy.spatial.distance import jensenshannon

BINS = 10
LEAST_ROWS = 500
PSI_THRESHOLD, JS_THRESHOLD, WASSERSTEIN_THRESHOLD = 0.2, 0.1, 0.1


@dataclass(frozen=True)
class Drift:
    """Distances between a baseline and a window of one column.

    Attributes:
        psi: Population stability index over ten bins of the baseline's quantiles.
        js: Jensen-Shannon distance (base 2) over the same bins.
        wasserstein: Earth mover's distance, in standard deviations of the baseline.
        ks: Kolmogorov-Smirnov statistic and its p-value; reported, never alerted on: with many rows every p-value is small.
        noise_floor: The PSI that chance alone exceeds once in a thousand windows of this size.
    """

    psi: float
    js: float
    wasserstein: float
    ks: tuple[float, float]
    noise_floor: float
    rows: int

    @property
    def alarming(self) -> bool:
        """Whether the shift is large, and larger than chance makes it."""
        large = self.js >= JS_THRESHOLD or self.wasserstein >= WASSERSTEIN_THRESHOLD
        return self.rows >= LEAST_ROWS and self.psi >= max(PSI_THRESHOLD, self.noise_floor) and large


def edges(baseline: np.ndarray) -> np.ndarray:
    """Edges of the bins: quantiles, and around a value that fills more than a bin by itself, a bin of its own.

    Without that the quantiles of a column that is mostly zero (rain) fall together and its drift reads 0 for ever.
    """
    values, counts = np.unique(baseline, return_counts=True)
    masses = values[counts > len(baseline) / BINS]
    rest = baseline[~np.isin(baseline, masses)]
    cuts = np.quantile(rest, np.linspace(0, 1, BINS + 1)[1:-1]) if len(rest) else np.array([])
    around = np.concatenate([np.nextafter(masses, -np.inf), masses]) if len(masses) else np.array([])
    return np.unique(np.concatenate([cuts, around]))


def measure(baseline: pd.Series, window: pd.Series) -> Drift:
    """Compare a window with a baseline; nulls are left out (their share is a figure of its own)."""
    old, new = baseline.dropna().to_numpy(float), window.dropna().to_numpy(float)
    cuts = edges(old)
    p = np.bincount(np.searchsorted(cuts, old), minlength=len(cuts) + 1) + 0.5
    q = np.bincount(np.searchsorted(cuts, new), minlength=len(cuts) + 1) + 0.5
    p, q = p / p.sum(), q / q.sum()
    ks = stats.ks_2samp(old, new, method="asymp")
    return Drift(
        psi=float(np.sum((q - p) * np.log(q / p))),
        js=float(jensenshannon(p, q, base=2)),
        wasserstein=float(stats.wasserstein_distance(old, new) / (old.std() or 1.0)),
        ks=(float(ks.statistic), float(ks.pvalue)),
        noise_floor=float(stats.chi2.ppf(0.999, len(cuts)) * (1 / len(old) + 1 / len(new))),
        rows=len(new),
    )
