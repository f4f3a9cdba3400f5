"""AutoML: models for a table by the interface of ``databricks.automl``, each trial a notebook of its own.

It runs in the caller's process and one below it; where it looks and what it knows of the server is MLflow's tracking URI.
"""

from boathouse.training.automl.api import classify, forecast, regress
from boathouse.training.automl.summary import AutoMLSummary, TrialInfo

__all__ = ["AutoMLSummary", "TrialInfo", "classify", "forecast", "regress"]
