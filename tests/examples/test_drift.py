"""The example's drift measures against scipy, and where plain ones see nothing."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from scipy import stats

FLIGHTS = Path(__file__).parents[2] / "examples" / "flights"


@pytest.fixture
def drift() -> ModuleType:
    """The example's module."""
    spec = importlib.util.spec_from_file_location("drift", FLIGHTS / "drift.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules["drift"] = loaded
    spec.loader.exec_module(loaded)
    return loaded


def test_drift_against_scipy_and_on_point_masses(drift: ModuleType) -> None:
    random = np.random.default_rng(3)
    old, new = random.normal(0, 1, 5000), random.normal(0.5, 1, 3000)
    found = drift.measure(pd.Series(old), pd.Series(new))
    assert found.wasserstein == pytest.approx(stats.wasserstein_distance(old, new) / old.std())
    assert found.ks[0] == pytest.approx(stats.ks_2samp(old, new).statistic)
    assert found.alarming
    same = drift.measure(pd.Series(old), pd.Series(random.normal(0, 1, 3000)))
    assert same.psi < same.noise_floor
    assert not same.alarming
    # Rain: nine hours of ten are dry, then every second one is wet. Plain deciles fall together and would see nothing.
    dry = pd.Series(np.where(random.random(5000) < 0.95, 0.0, random.exponential(1, 5000)))
    wet = pd.Series(np.where(random.random(3000) < 0.5, 0.0, random.exponential(1, 3000)))
    assert drift.measure(dry, wet).psi > 0.5
