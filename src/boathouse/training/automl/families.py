"""The kinds of models that are tried, and what of them is searched for."""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from boathouse.training.problems import Problem, check_frameworks

Parameters = dict[str, Any]


@dataclass(frozen=True)
class Family:
    """A kind of model.

    Attributes:
        name: As the leaderboard shows it.
        framework: The package, by the name that ``exclude_frameworks`` has.
        flavor: The package's module.
        imports: By problem, the import and the class.
        space: Chooses values of a trial.
        start: The values to begin with.
        fixed: Values that are always so.
        is_linear: Whether it adds up features times coefficients; numbers have to be of one size then.
    """

    name: str
    framework: str
    flavor: str
    imports: Mapping[Problem, tuple[str, str]]
    space: Callable[[Any, Problem], Parameters]
    start: Parameters
    fixed: Mapping[str, Any]
    is_linear: bool = False

    @property
    def is_there(self) -> bool:
        """Whether its package is installed."""
        return importlib.util.find_spec(self.flavor) is not None


def _logistic(trial: Any, problem: Problem) -> Parameters:
    del problem
    return {
        "C": trial.suggest_float("linear.C", 1e-3, 1e2, log=True),
        "class_weight": trial.suggest_categorical("linear.class_weight", [None, "balanced"]),
    }


def _elastic_net(trial: Any, problem: Problem) -> Parameters:
    del problem
    return {
        "alpha": trial.suggest_float("linear.alpha", 1e-4, 1e2, log=True),
        "l1_ratio": trial.suggest_float("linear.l1_ratio", 0.0, 1.0),
    }


def _forest(trial: Any, problem: Problem) -> Parameters:
    del problem
    return {
        "n_estimators": trial.suggest_int("forest.n_estimators", 50, 400, step=50),
        "max_depth": trial.suggest_int("forest.max_depth", 4, 24),
        "min_samples_leaf": trial.suggest_int("forest.min_samples_leaf", 1, 32, log=True),
        "max_features": trial.suggest_float("forest.max_features", 0.1, 1.0),
    }


def _lightgbm(trial: Any, problem: Problem) -> Parameters:
    del problem
    return {
        "n_estimators": trial.suggest_int("lightgbm.n_estimators", 50, 800, log=True),
        "learning_rate": trial.suggest_float("lightgbm.learning_rate", 0.01, 0.3, log=True),
        "num_leaves": trial.suggest_int("lightgbm.num_leaves", 4, 256, log=True),
        "min_child_samples": trial.suggest_int("lightgbm.min_child_samples", 2, 128, log=True),
        "colsample_bytree": trial.suggest_float("lightgbm.colsample_bytree", 0.3, 1.0),
        "subsample": trial.suggest_float("lightgbm.subsample", 0.5, 1.0),
        "reg_lambda": trial.suggest_float("lightgbm.reg_lambda", 1e-3, 100.0, log=True),
    }


def _xgboost(trial: Any, problem: Problem) -> Parameters:
    del problem
    return {
        "n_estimators": trial.suggest_int("xgboost.n_estimators", 50, 800, log=True),
        "learning_rate": trial.suggest_float("xgboost.learning_rate", 0.01, 0.3, log=True),
        "max_depth": trial.suggest_int("xgboost.max_depth", 2, 12),
        "min_child_weight": trial.suggest_float("xgboost.min_child_weight", 0.1, 64.0, log=True),
        "colsample_bytree": trial.suggest_float("xgboost.colsample_bytree", 0.3, 1.0),
        "subsample": trial.suggest_float("xgboost.subsample", 0.5, 1.0),
        "reg_lambda": trial.suggest_float("xgboost.reg_lambda", 1e-3, 100.0, log=True),
    }


FAMILIES: Sequence[Family] = (
    # In the order in which they are tried first: what is quickest comes first, so that there is something soon.
    Family(
        "Logistic regression",
        "sklearn",
        "sklearn",
        {"classify": ("sklearn.linear_model", "LogisticRegression")},
        _logistic,
        {"linear.C": 1.0, "linear.class_weight": None},
        {"max_iter": 1000},
        is_linear=True,
    ),
    Family(
        "Elastic net",
        "sklearn",
        "sklearn",
        {"regress": ("sklearn.linear_model", "ElasticNet")},
        _elastic_net,
        {"linear.alpha": 0.01, "linear.l1_ratio": 0.1},
        {"max_iter": 1000},
        is_linear=True,
    ),
    Family(
        "LightGBM",
        "lightgbm",
        "lightgbm",
        {"classify": ("lightgbm", "LGBMClassifier"), "regress": ("lightgbm", "LGBMRegressor")},
        _lightgbm,
        {
            "lightgbm.n_estimators": 150,
            "lightgbm.learning_rate": 0.08,
            "lightgbm.num_leaves": 31,
            "lightgbm.min_child_samples": 20,
            "lightgbm.colsample_bytree": 0.8,
            "lightgbm.subsample": 0.8,
            "lightgbm.reg_lambda": 1.0,
        },
        {"subsample_freq": 1, "random_state": 0, "deterministic": True, "force_row_wise": True, "verbose": -1},
    ),
    Family(
        "Random forest",
        "sklearn",
        "sklearn",
        {
            "classify": ("sklearn.ensemble", "RandomForestClassifier"),
            "regress": ("sklearn.ensemble", "RandomForestRegressor"),
        },
        _forest,
        {"forest.n_estimators": 150, "forest.max_depth": 16, "forest.min_samples_leaf": 2, "forest.max_features": 0.5},
        {"random_state": 0, "n_jobs": -1},
    ),
    Family(
        "XGBoost",
        "xgboost",
        "xgboost",
        {"classify": ("xgboost", "XGBClassifier"), "regress": ("xgboost", "XGBRegressor")},
        _xgboost,
        {
            "xgboost.n_estimators": 150,
            "xgboost.learning_rate": 0.1,
            "xgboost.max_depth": 6,
            "xgboost.min_child_weight": 1.0,
            "xgboost.colsample_bytree": 0.8,
            "xgboost.subsample": 0.8,
            "xgboost.reg_lambda": 1.0,
        },
        {"random_state": 0, "tree_method": "hist"},
    ),
)


def families(problem: Problem, excluded: Sequence[str]) -> list[Family]:
    """Those for classes, or for numbers, that are installed and not excluded.

    Raises:
        ValueError: If a name is none of a framework, or nothing is left.
    """
    check_frameworks(problem, excluded)
    return chosen([one for one in FAMILIES if problem in one.imports], excluded)


def chosen(known: Sequence[Family], excluded: Sequence[str]) -> list[Family]:
    """Those of some that are installed and not excluded.

    Raises:
        ValueError: If nothing is left.
    """
    found = [one for one in known if one.framework not in excluded and one.is_there]
    if not found:
        message = (
            "exclude_frameworks leaves none of the frameworks that are installed: pip install 'boathouse[automl]' brings all."
        )
        raise ValueError(message)
    return found
