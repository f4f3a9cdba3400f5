"""What AutoML searches for, and by which metrics; apart from it, as the server needs no more than this."""

from collections.abc import Mapping, Sequence
from typing import Literal

Problem = Literal["classify", "regress", "forecast"]

METRICS: Mapping[Problem, Mapping[str, tuple[str, str]]] = {
    "classify": {
        "f1": ("f1_score", "maximize"),
        "log_loss": ("log_loss", "minimize"),
        "precision": ("precision_score", "maximize"),
        "accuracy": ("accuracy_score", "maximize"),
        "roc_auc": ("roc_auc", "maximize"),
    },
    "regress": {
        "r2": ("r2_score", "maximize"),
        "mae": ("mean_absolute_error", "minimize"),
        "rmse": ("root_mean_squared_error", "minimize"),
        "mse": ("mean_squared_error", "minimize"),
    },
    "forecast": {
        "smape": ("smape", "minimize"),
        "mse": ("mse", "minimize"),
        "rmse": ("rmse", "minimize"),
        "mae": ("mae", "minimize"),
        "mdape": ("mdape", "minimize"),
    },
}
"""By problem and the name that an argument has: MLflow's name, and which way is better. The first is the default."""
FRAMEWORKS: Mapping[Problem, tuple[str, ...]] = {
    "classify": ("sklearn", "lightgbm", "xgboost"),
    "regress": ("sklearn", "lightgbm", "xgboost"),
    "forecast": ("naive", "ets", "lightgbm", "arima"),
}
"""What may be excluded."""
THEIRS = ("prophet", "deepar")
"""Databricks' frameworks for forecasts that are none here: excluding them is no mistake."""
FREQUENCIES: Mapping[str, tuple[str, ...]] = {
    "YS": ("y", "ys", "year", "years"),
    "QS": ("q", "qs", "quarter", "quarters"),
    "MS": ("m", "ms", "month", "months"),
    "W": ("w", "week", "weeks"),
    "D": ("d", "day", "days"),
    "h": ("h", "hr", "hour", "hours"),
    "min": ("t", "min", "minute", "minutes"),
    "s": ("s", "sec", "second", "seconds"),
}
"""By pandas' name of a period, what it may be called."""


def check_frameworks(problem: Problem, excluded: Sequence[str]) -> None:
    """Go on only if frameworks are left.

    Raises:
        ValueError: If a name is none of a framework, or nothing is left.
    """
    known = FRAMEWORKS[problem]
    unknown = sorted(set(excluded) - {*known, *(THEIRS if problem == "forecast" else ())})
    if unknown:
        message = f"exclude_frameworks holds {', '.join(unknown)}; the frameworks are {', '.join(known)}."
        raise ValueError(message)
    if not set(known) - set(excluded):
        message = f"exclude_frameworks leaves none of the frameworks {', '.join(known)}."
        raise ValueError(message)


def frequency_of(given: str) -> str:
    """Pandas' name of a period.

    Raises:
        ValueError: If it is none of those that are known.
    """
    found = next((name for name, said in FREQUENCIES.items() if given.lower() in said), None)
    if found is None:
        message = f"frequency is {given!r}; it is one of {', '.join(names[-1] for names in FREQUENCIES.values())}."
        raise ValueError(message)
    return found
