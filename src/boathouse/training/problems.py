"""What AutoML searches for, and by which metrics; apart from it, as the server needs no more than this."""

from collections.abc import Mapping
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
