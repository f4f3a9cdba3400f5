"""Tuning: studies of Optuna whose state is runs of MLflow, so that they go on after a crash, with trials at once."""

from boathouse.training.tuning.processes import TrialFailed
from boathouse.training.tuning.storage import RunStorage
from boathouse.training.tuning.study import tune

__all__ = ["RunStorage", "TrialFailed", "tune"]
