"""Trials of a study on Spark's workers."""

import os
import uuid
from pathlib import Path
from typing import Any

import mlflow
import optuna
import pytest
from pyspark.sql import SparkSession

from boathouse.training.tuning import tune
from tests.conftest import Server

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")

SPACE = {"x": optuna.distributions.FloatDistribution(0.0, 4.0)}


def objective(offset: float) -> Any:
    """It takes its data along, and says where it ran."""

    def squared(trial: optuna.Trial) -> float:
        if trial.number == 1:
            raise KeyError(os.getpid())
        if trial.number == 2:
            raise optuna.TrialPruned
        return (trial.suggest_float("x", 0.0, 4.0) - 2) ** 2 + offset

    return squared


def test_trials_run_on_the_workers(server: Server, spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    assert spark.version.startswith("4.")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", server.token)
    name = f"/spark-{uuid.uuid4().hex[:8]}"
    study = tune(
        objective(1.0),
        study_name="wide",
        experiment=name,
        n_trials=4,
        n_jobs=2,
        on="engine",
        space=SPACE,
        catch=Exception,
        sampler=optuna.samplers.RandomSampler(seed=1),
    )
    states = [trial.state.name for trial in study.trials]
    # One call begins no more trials than it was asked for.
    assert states == ["COMPLETE", "FAIL", "PRUNED", "COMPLETE"]
    runs = {
        int(run.data.tags["numbers"]): run
        for run in mlflow.MlflowClient().search_runs([mlflow.MlflowClient().get_experiment_by_name(name).experiment_id])
        if "numbers" in run.data.tags
    }
    best = runs[study.best_trial.number]
    assert best.data.metrics["value"] == pytest.approx((float(best.data.params["x"]) - 2) ** 2 + 1.0) == study.best_value
    # What went wrong was raised by a process of Spark's.
    told = mlflow.MlflowClient().download_artifacts(runs[1].info.run_id, "error_message.txt")
    said = Path(told).read_text()
    assert "KeyError" in said
    assert f"KeyError: {os.getpid()}" not in said
