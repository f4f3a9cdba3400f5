"""The figures of profiles, drift and model quality against scipy, scikit-learn and pandas."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon
from sklearn import metrics

from boathouse.monitoring.profiles import drift, model_quality
from boathouse.monitoring.profiles.columns import Column, profile_of
from boathouse.monitoring.profiles.findings import Sample, largest
from boathouse.monitoring.profiles.values import BINS, Items, Numbers, items_of, numbers_of


def numbers(values: Any) -> Numbers:
    return numbers_of(pa.chunked_array([pa.array(values, pa.float64())]))[0]


def shapes(n: int) -> dict[str, tuple[Any, Any]]:
    """Pairs of samples: alike, shifted, wider, with heavy tails, and with most of the values the same one."""
    chance = np.random.default_rng(7)
    rain = chance.gamma(0.3, 2.0, n) * (chance.random(n) < 0.08)
    wetter = chance.gamma(0.3, 2.0, n) * (chance.random(n) < 0.12)
    return {
        "alike": (chance.normal(0, 1, n), chance.normal(0, 1, n)),
        "shifted": (chance.normal(0, 1, n), chance.normal(0.15, 1, n)),
        "wider": (chance.normal(0, 1, n), chance.normal(0, 1.3, n)),
        "heavy": (chance.standard_t(2, n), chance.standard_t(2, n) * 1.1),
        "rain": (rain, wetter),
        "whole": (chance.poisson(3, n).astype(float), chance.poisson(4, n).astype(float)),
        "apart": (chance.normal(0, 1, n), chance.normal(50, 1, n)),
    }


@pytest.mark.parametrize("name", list(shapes(1)))
def test_bins_are_as_good_as_the_values(name: str) -> None:
    base, current = shapes(50_000)[name]
    own = numbers(base).own_bins()
    found = drift.of_numbers(own, numbers(current).in_bins(own.edges))
    exact = stats.ks_2samp(base, current, method="asymp")
    ks = found["ks_test"]
    assert isinstance(ks, drift.Test)
    assert abs(ks.statistic - exact.statistic) <= 0.0013
    assert ks.pvalue == pytest.approx(stats.kstwo.sf(ks.statistic, 25_000), abs=0.002)
    distance = stats.wasserstein_distance(base, current)
    assert abs(float(found["wasserstein_distance"]) - distance) <= 0.002 * np.std(base)  # type: ignore[arg-type]
    moved = float(found["population_stability_index"])  # type: ignore[arg-type]
    assert moved < 0.001 if name == "alike" else moved > 0.005, "rain too, although its deciles are one value"


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.one_of(st.integers(-5, 5).map(float), st.floats(-1e6, 1e6, width=32)), min_size=2, max_size=400),
    st.lists(st.one_of(st.integers(-5, 5).map(float), st.floats(-1e6, 1e6, width=32)), min_size=2, max_size=400),
)
def test_bins_lose_nothing_and_err_by_a_bin_at_most(base: list[float], current: list[float]) -> None:
    own = numbers(base).own_bins()
    other = numbers(current).in_bins(own.edges)
    assert own.counts.sum() == len(base)
    assert other.counts.sum() == len(current)
    assert other.sums.sum() == pytest.approx(sum(current), rel=1e-6, abs=1e-3)
    values, times = np.unique(base, return_counts=True)
    share = np.ceil(len(base) / BINS)
    # A bin of more than its share holds one value only.
    for low, high, count in zip([-np.inf, *own.edges], own.edges, own.counts[:-1], strict=False):
        if count > share:
            assert ((values > low) & (values <= high)).sum() == 1 or times[(values > low) & (values <= high)].max() <= share
    ks = drift.ks_test(own, other)
    exact = stats.ks_2samp(base, current, method="asymp").statistic
    within = max(np.max(other.counts) / len(current), np.max(own.counts) / len(base))
    assert ks.statistic <= exact + 1e-9
    assert exact - ks.statistic <= within + 1e-9


def test_numbers_of_a_column() -> None:
    values = [0.0, 1.5, None, float("nan"), -2.0, 1.5, 7.25, 0.0]
    found = profile_of(Column("x", "double"), pa.chunked_array([pa.array(values, pa.float64())])).metrics
    frame = pd.Series([0.0, 1.5, -2.0, 1.5, 7.25, 0.0])
    assert (found["count"], found["num_nulls"]) == (7, 1)
    assert (found["num_zeros"], found["num_nan"], found["distinct_count"]) == (2, 1, 5)
    assert (found["percent_null"], found["percent_nan"], found["percent_zeros"]) == (12.5, 12.5, 25.0)
    assert found["avg"] == pytest.approx(frame.mean())
    assert found["stddev"] == pytest.approx(frame.std())
    assert (found["min"], found["max"], found["median"]) == (-2.0, 7.25, frame.median())
    quantiles = found["quantiles"]
    assert quantiles[len(quantiles) // 2] == frame.median()
    assert quantiles == pytest.approx([frame.quantile(at) for at in np.linspace(0, 1, len(quantiles))])
    many = profile_of(Column("x", "decimal(9,2)"), pa.chunked_array([pa.array(range(5000))])).metrics
    assert len(many["quantiles"]) == 1001
    assert "num_nan" not in many
    empty = profile_of(Column("x", "int"), pa.chunked_array([pa.array([None, None], pa.int32())])).metrics
    assert (empty["count"], empty["distinct_count"], empty.get("avg")) == (0, 0, None)
    text = profile_of(Column("x", "string"), pa.chunked_array([pa.array(["b", "a", "ü…", None, "a"])])).metrics
    assert text["frequent_items"] == [{"item": "a", "count": 2}, {"item": "b", "count": 1}, {"item": "ü…", "count": 1}]
    assert (text["min_length"], text["max_length"], text["avg_length"], text["distinct_count"]) == (1.0, 2.0, 1.25, 3)


def test_items_apart() -> None:
    chance = np.random.default_rng(3)
    base, current = chance.choice(list("abcde"), 4000, p=[0.4, 0.3, 0.2, 0.1, 0]), chance.choice(list("abcde"), 3000)
    found = drift.of_items(items_of(pa.chunked_array([base])).kept(), items_of(pa.chunked_array([current])))
    p, q = (np.array([np.mean(one == name) for name in "abcde"]) for one in (base, current))
    table = np.array([[np.sum(one == name) for name in "abcde"] for one in (base, current)])
    exact = stats.chi2_contingency(table, correction=False)
    chi = found["chi_squared_test"]
    assert isinstance(chi, drift.Test)
    assert (chi.statistic, chi.pvalue) == pytest.approx((exact.statistic, exact.pvalue))
    assert found["js_distance"] == pytest.approx(jensenshannon(p, q))
    assert found["tv_distance"] == pytest.approx(np.abs(p - q).sum() / 2)
    assert found["l_infinity_distance"] == pytest.approx(np.abs(p - q).max())
    # Of too many values the rest counts as one.
    wide = Items({f"v{number}": 3 for number in range(1500)})
    assert wide.kept().total == wide.total
    same = drift.of_items(wide.kept(), wide)
    assert (same["tv_distance"], same["population_stability_index"]) == (0.0, pytest.approx(0.0))


def test_no_false_alarm_where_nothing_has_changed() -> None:
    """Both samples are samples: under no change p-values are even, whatever the number of classes."""
    chance = np.random.default_rng(11)
    for classes in (2, 100):
        found = []
        for _ in range(300):
            first, second = (chance.integers(0, classes, 2000) for _ in range(2))
            counts = [np.bincount(one, minlength=classes).astype(float) for one in (first, second)]
            found.append(drift.chi_squared_test(*counts).pvalue)
        assert np.mean(np.array(found) < 0.05) < 0.1


def column(values: Any) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values)])


def test_errors_of_a_regression() -> None:
    chance = np.random.default_rng(5)
    label = chance.normal(10, 3, 500)
    prediction = label + chance.normal(0.5, 1, 500)
    found = model_quality.of_regression(column([*prediction, 1.0, None]), column([*label, None, 2.0]))
    assert found == {
        "mean_squared_error": pytest.approx(metrics.mean_squared_error(label, prediction)),
        "root_mean_squared_error": pytest.approx(metrics.root_mean_squared_error(label, prediction)),
        "mean_average_error": pytest.approx(metrics.mean_absolute_error(label, prediction)),
        "mean_absolute_percentage_error": pytest.approx(metrics.mean_absolute_percentage_error(label, prediction)),
        "r2_score": pytest.approx(metrics.r2_score(label, prediction)),
    }
    assert model_quality.of_regression(column([1.0]), pa.chunked_array([pa.nulls(1, pa.float64())])) == {}


@pytest.mark.parametrize("classes", [2, 3])
def test_how_classes_fit(classes: int) -> None:
    chance = np.random.default_rng(9)
    names = [str(number) for number in range(classes)]
    proba = chance.dirichlet(np.ones(classes), 400)
    label = np.array([chance.choice(names, p=0.6 * one + 0.4 / classes) for one in proba])
    prediction = np.array(names)[proba.argmax(axis=1)]
    given_as = [float(one[1]) for one in proba] if classes == 2 else [dict(zip(names, one, strict=True)) for one in proba]
    found = model_quality.of_classification(column(prediction), column(label), column(given_as))
    assert found["accuracy_score"] == pytest.approx(metrics.accuracy_score(label, prediction))
    matrix = metrics.confusion_matrix(label, prediction, labels=names)
    counts = {(one["label"], one["prediction"]): one["count"] for one in found["confusion_matrix"]}
    assert [[counts.get((row, of), 0) for of in names] for row in names] == matrix.tolist()
    for name in ("precision", "recall", "f1"):
        of = getattr(metrics, f"{name}_score")
        told = found["f1_score" if name == "f1" else name]
        assert [dict(told["one_vs_all"])[one] for one in names] == pytest.approx(of(label, prediction, average=None))
        for average in ("macro", "weighted"):
            assert told[average] == pytest.approx(of(label, prediction, average=average))
    assert found["log_loss"] == pytest.approx(metrics.log_loss(label, proba, labels=names))
    area = metrics.roc_auc_score(
        label, proba[:, 1] if classes == 2 else proba, multi_class="ovr", average="macro", labels=names
    )
    assert found["roc_auc_score"]["macro"] == pytest.approx(area)
    # Whole numbers are the same classes, whatever type they came in.
    floats = model_quality.of_classification(
        column([float(one) for one in prediction]), column([int(one) for one in label]), None
    )
    assert floats["confusion_matrix"] == found["confusion_matrix"]


@pytest.mark.parametrize("rows", [200, 2000])
def test_chance_alone_is_no_drift(rows: int) -> None:
    chance = np.random.default_rng(rows)
    alarms = 0
    for _ in range(120):
        base, current = (profile_of(Column("x", "double"), pa.chunked_array([chance.normal(5, 2, rows)])) for _ in range(2))
        named, then = (
            profile_of(Column("s", "string"), pa.chunked_array([chance.choice(list("abcdefghij"), rows)])) for _ in range(2)
        )
        for one, other in ((base, current), (named, then)):
            samples = [Sample(rows, side.metrics.get("stddev"), side.metrics["distinct_count"]) for side in (one, other)]
            alarms += largest(other.drift_from(one.remembered()), *samples) is not None
    assert alarms <= 1
    moved = profile_of(Column("x", "double"), pa.chunked_array([chance.normal(8, 2, rows)]))
    assert largest(moved.drift_from(base.remembered()), Sample(rows, 2.0), Sample(rows, 2.0)) is not None
    assert largest(moved.drift_from(base.remembered()), Sample(rows, 2.0), Sample(30, 2.0)) is None, "too few rows"
