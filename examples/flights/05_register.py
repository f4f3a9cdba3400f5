"""Register the best model, judge it on September, ask for approval, and make it the champion.

September is later than everything that the model has seen. The model has to pass two thresholds: an AUC of its own, and a
lead over a plain baseline, the late rate of the flight's hour of the day.
"""

import logging
import os
from typing import Any

import mlflow
import pandas as pd
from flights import SCHEMA, Report, source_versions, spark_session, stop
from mlflow import MlflowClient
from mlflow.entities import Run
from point_in_time import FEATURES, examples
from sklearn.metrics import log_loss, roc_auc_score

MODEL = f"{SCHEMA}.delay"
LEAST_AUC = 0.65
LEAST_LEAD = 0.02


def best_run(client: MlflowClient) -> Run:
    """The newest finished tuning run that logged a model."""
    experiment = client.get_experiment_by_name("/flights/delay")
    runs = client.search_runs([experiment.experiment_id], "tags.model_uri != ''", order_by=["start_time DESC"], max_results=1)
    if not runs:
        stop("There is no tuned model yet: run 04_tune.py first.")
    return runs[0]


def register(client: MlflowClient, run: Run) -> str:
    """The model version of a run; a run is registered once."""
    try:
        for version in client.search_model_versions(f"name = '{MODEL}'"):
            if version.run_id == run.info.run_id:
                return str(version.version)
    except mlflow.MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
    return str(mlflow.register_model(run.data.tags["model_uri"], MODEL).version)


def champion(client: MlflowClient) -> int:
    """The version that is champion now; 0 where there is none. A later one, promoted by the monitor, stays."""
    return int(client.get_registered_model(MODEL).aliases.get("champion", 0))


def judge(model: Any, rows: pd.DataFrame, training: pd.DataFrame) -> dict[str, float]:
    """The model's figures and the baseline's on some rows."""
    by_hour = training.groupby("hour")["late"].mean()
    baseline = rows["hour"].map(by_hour).fillna(training["late"].mean())
    chance = model.predict(rows[FEATURES])
    return {
        "auc": round(float(roc_auc_score(rows["late"], chance)), 4),
        "log_loss": round(float(log_loss(rows["late"], chance)), 4),
        "baseline_auc": round(float(roc_auc_score(rows["late"], baseline)), 4),
        "baseline_log_loss": round(float(log_loss(rows["late"], baseline)), 4),
    }


def main() -> None:
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    report, spark, client = Report(), spark_session(), MlflowClient()
    run = best_run(client)
    version = register(client, run)
    report.progress("register", 1, 3, "checks")
    september = examples(spark, "month = 9", source_versions(spark, f"{SCHEMA}.training_set")).toPandas()
    training = spark.sql(f"SELECT hour, late FROM {SCHEMA}.training_set").toPandas()
    figures = judge(mlflow.lightgbm.load_model(f"models:/{MODEL}/{version}"), september, training)
    report.progress("register", 2, 3, "checks")
    for name, value in figures.items():
        client.log_metric(run.info.run_id, f"september_{name}", value)
        client.set_model_version_tag(MODEL, version, f"september_{name}", str(value))
    if figures["auc"] < LEAST_AUC or figures["auc"] < figures["baseline_auc"] + LEAST_LEAD:
        client.set_model_version_tag(MODEL, version, "approval", "rejected")
        stop(f"Version {version} does not pass: {figures}. It needs an AUC of {LEAST_AUC} and {LEAST_LEAD} over the baseline.")
    approve(client, version)
    if champion(client) < int(version):
        client.set_registered_model_alias(MODEL, "champion", version)
    report.progress("register", 3, 3, "checks")
    report.figures(
        f"{MODEL} version {version} is champion: AUC {figures['auc']:.3f} on September, baseline {figures['baseline_auc']:.3f}",
        model=MODEL,
        version=int(version),
        rows=len(september),
        **{f"september_{name}": value for name, value in figures.items()},
    )


def approve(client: MlflowClient, version: str) -> None:
    """Ask for approval; the demo gives it by itself, elsewhere a person does."""
    tags = client.get_model_version(MODEL, version).tags
    if tags.get("approval") == "approved":
        return
    client.set_model_version_tag(MODEL, version, "approval", "pending")
    if os.environ.get("FLIGHTS_APPROVE") != "1":
        stop(
            f"{MODEL} version {version} waits for approval. Look at it in MLflow, then set its tag approval to approved "
            "(or run this step with FLIGHTS_APPROVE=1)."
        )
    client.set_model_version_tag(MODEL, version, "approval", "approved")


if __name__ == "__main__":
    main()
