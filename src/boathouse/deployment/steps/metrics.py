"""Metrics of predictions; the formulas are scikit-learn's."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

from boathouse.deployment.steps.arguments import require_one_of

KINDS = ("regressor", "classifier")
LEAST_ROWS = 30
"""Rows of a slice or group below which nothing is said of it."""
Better = Literal["higher", "lower", "zero"]
"""Which of two values of a metric is the better one; with ``zero`` the one that is nearer to 0."""
BETTER: Mapping[str, Better] = {
    **dict.fromkeys(("mae", "mse", "rmse", "mape", "median_ae", "max_error", "false_positive_rate"), "lower"),
    **dict.fromkeys(("r2", "accuracy", "balanced_accuracy", "f1", "precision", "recall", "true_positive_rate"), "higher"),
    "mean_error": "zero",
}
RATES = ("selection_rate", "true_positive_rate", "false_positive_rate")
"""Metrics that are about one label."""

Metric = Callable[[Any, Any], float]
"""From what is true and what was predicted, row by row."""


def _regression() -> dict[str, Metric]:
    from sklearn import metrics  # noqa: PLC0415 - only where models are judged

    return {
        "mae": metrics.mean_absolute_error,
        "mse": metrics.mean_squared_error,
        "rmse": metrics.root_mean_squared_error,
        "mape": metrics.mean_absolute_percentage_error,
        "median_ae": metrics.median_absolute_error,
        "max_error": metrics.max_error,
        "r2": metrics.r2_score,
        "mean_error": lambda truth, found: float((found - truth).mean()),
    }


def _classification(positive: Any) -> dict[str, Metric]:
    from sklearn import metrics  # noqa: PLC0415 - only where models are judged

    def rate(found: Any) -> float:
        """The share of rows that are predicted positive."""
        return float((found == positive).mean()) if len(found) else math.nan

    return {
        "accuracy": metrics.accuracy_score,
        "balanced_accuracy": metrics.balanced_accuracy_score,
        "f1": lambda truth, found: metrics.f1_score(truth, found, average="macro"),
        "precision": lambda truth, found: metrics.precision_score(truth, found, average="macro"),
        "recall": lambda truth, found: metrics.recall_score(truth, found, average="macro"),
        "selection_rate": lambda _truth, found: rate(found),
        "true_positive_rate": lambda truth, found: rate(found[truth == positive]),
        "false_positive_rate": lambda truth, found: rate(found[truth != positive]),
    }


def metrics_of(kind: str, positive: Any, extra: Mapping[str, Metric] | None = None) -> dict[str, Metric]:
    """The metrics of a kind of model, and the caller's own.

    Args:
        kind: ``regressor`` or ``classifier``.
        positive: The label that rates are about.
        extra: By their names.

    Raises:
        ValueError: If there is no such kind.
    """
    require_one_of("kind", kind, KINDS)
    return {**(_regression() if kind == "regressor" else _classification(positive)), **(extra or {})}


def judged(metrics: Mapping[str, Metric], truth: Any, found: Any) -> dict[str, float]:
    """All metrics of some rows; those that cannot be said of them are left out."""
    values: dict[str, float] = {}
    for name, metric in metrics.items():
        try:
            value = float(metric(truth, found))
        except ValueError:
            continue
        if math.isfinite(value):
            values[name] = value
    return values
