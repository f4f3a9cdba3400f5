"""The methods that are tried, and what of them is searched for."""

from collections.abc import Sequence
from typing import Any

from boathouse.training.automl.families import Family, Parameters, chosen
from boathouse.training.problems import THEIRS, Problem, check_frameworks


def forecasting_families(excluded: Sequence[str], season: int, *, is_positive: bool) -> list[Family]:
    """Those that are installed and not excluded.

    Args:
        excluded: Frameworks: ``naive``, ``ets``, ``arima``, ``lightgbm``; those that only Databricks has may be named.
        season: Periods of a season.
        is_positive: Whether no value is 0 or less, as products need it.

    Raises:
        ValueError: If a name is none of a framework, or nothing is left.
    """
    check_frameworks("forecast", excluded)
    kinds = ["none", "add", "mul"] if is_positive else ["none", "add"]
    seasons = kinds if season > 1 else ["none"]

    def ets(trial: Any, problem: Problem) -> Parameters:
        del problem
        return {
            "error": trial.suggest_categorical("ets.error", kinds[1:]),
            "trend": trial.suggest_categorical("ets.trend", ["none", "add", "damped"]),
            "seasonal": trial.suggest_categorical("ets.seasonal", seasons),
        }

    def arima(trial: Any, problem: Problem) -> Parameters:
        del problem
        return {
            "p": trial.suggest_int("arima.p", 0, 4),
            "d": trial.suggest_int("arima.d", 0, 2),
            "q": trial.suggest_int("arima.q", 0, 4),
            "log": trial.suggest_categorical("arima.log", [False, True] if is_positive else [False]),
        }

    def trees(trial: Any, problem: Problem) -> Parameters:
        del problem
        return {
            "lags": trial.suggest_int("trees.lags", max(2, season), max(4, 3 * season), step=max(1, season)),
            "difference": trial.suggest_categorical("trees.difference", ["last", "season", "none"]),
            "n_estimators": trial.suggest_int("trees.n_estimators", 30, 500, log=True),
            "learning_rate": trial.suggest_float("trees.learning_rate", 0.02, 0.3, log=True),
            "num_leaves": trial.suggest_int("trees.num_leaves", 4, 64, log=True),
            "min_child_samples": trial.suggest_int("trees.min_child_samples", 2, 64, log=True),
        }

    found = [
        Family("Seasonal naive", "naive", "numpy", {}, _nothing, {}, {}),
        Family(
            "Exponential smoothing",
            "ets",
            "statsmodels",
            {},
            ets,
            {"ets.error": "add", "ets.trend": "damped", "ets.seasonal": seasons[min(1, len(seasons) - 1)]},
            {},
        ),
        Family(
            "LightGBM on lags",
            "lightgbm",
            "lightgbm",
            {},
            trees,
            {
                "trees.lags": max(2, season),
                "trees.difference": "season" if season > 1 else "last",
                "trees.n_estimators": 150,
                "trees.learning_rate": 0.06,
                "trees.num_leaves": 15,
                "trees.min_child_samples": 10,
            },
            {"random_state": 0, "deterministic": True, "force_row_wise": True, "verbose": -1},
        ),
        Family("ARIMA", "arima", "statsmodels", {}, arima, {"arima.p": 2, "arima.d": 1, "arima.q": 1, "arima.log": False}, {}),
    ]
    return chosen(found, [one for one in excluded if one not in THEIRS])


def _nothing(trial: Any, problem: Problem) -> Parameters:
    del trial, problem
    return {}
