"""Tune a LightGBM classifier of "arrives 15 minutes late or more" with Optuna, each trial a nested MLflow run.

Trials learn from January to June and are judged on July and August, never on a random split: tomorrow is not among
yesterday's rows. The best parameters then learn from all eight months.
"""

import logging
from typing import Any

import lightgbm as lgb
import mlflow
import optuna
import pandas as pd
from flights import SCHEMA, Report, source_versions, spark_session, version_of
from mlflow.data.delta_dataset_source import DeltaDatasetSource
from mlflow.entities import Run
from mlflow.models import infer_signature
from point_in_time import ABOUT, FEATURES, training_set
from pyspark.sql import SparkSession
from sklearn.metrics import roc_auc_score

from boathouse.features.client import FeatureEngineeringClient

EXPERIMENT = "/flights/delay"
TRIALS = 8


def fit(rows: pd.DataFrame, parameters: dict[str, Any]) -> lgb.LGBMClassifier:
    """Train on some rows."""
    model = lgb.LGBMClassifier(**parameters, n_jobs=1, verbose=-1, random_state=7)
    return model.fit(rows[FEATURES], rows["late"])


def auc(model: lgb.LGBMClassifier, rows: pd.DataFrame) -> float:
    """Area under the ROC curve on some rows."""
    return float(roc_auc_score(rows["late"], model.predict_proba(rows[FEATURES])[:, 1]))


def log_dataset(rows: pd.DataFrame, version: int) -> None:
    """Tell MLflow which version of which table a run learns from."""
    source = DeltaDatasetSource(delta_table_name=f"{SCHEMA}.training_set", delta_table_version=version)
    mlflow.log_input(mlflow.data.from_pandas(rows[[*FEATURES, "late"]], source=source, name="training_set"), "training")
    mlflow.log_param("training_set_version", version)


def log_model(spark: SparkSession, model: lgb.LGBMClassifier, rows: pd.DataFrame, versions: dict[str, int]) -> Any:
    """Log the booster, whose prediction is the probability, with what it looks up: an endpoint is sent the rest."""
    sample = rows[FEATURES].head(100)
    return FeatureEngineeringClient().log_model(
        model=model.booster_,
        artifact_path="model",
        flavor=mlflow.lightgbm,
        training_set=training_set(spark, "true", versions, exclude=ABOUT),
        signature=infer_signature(sample, model.booster_.predict(sample)),
    )


def tuned(version: int) -> Run | None:
    """The run that tuned on this version of the training set to its end, if there is one."""
    query = f"tags.model_uri != '' AND params.training_set_version = '{version}'"
    runs = mlflow.search_runs(experiment_names=[EXPERIMENT], filter_string=query, output_format="list", max_results=1)
    return runs[0] if runs else None


def figures(run: Run, version: int) -> dict[str, Any]:
    """A tuning run's figures."""
    best = {name: value for name, value in run.data.params.items() if name.startswith("best_")}
    auc_found = round(run.data.metrics["auc_july_august"], 4)
    return {"trials": TRIALS, "auc_july_august": auc_found, "run_id": run.info.run_id, "training_set_version": version} | best


def main() -> None:
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    report, spark = Report(), spark_session()
    version = version_of(spark, f"{SCHEMA}.training_set")
    versions = source_versions(spark, f"{SCHEMA}.training_set")
    mlflow.set_experiment(EXPERIMENT)
    done = tuned(version)
    if done is not None:
        found = done.data.metrics["auc_july_august"]
        report.figures(f"tuned already: AUC {found:.3f} on July and August", **figures(done, version))
        return
    # What is learned depends on the order of the rows, and a table has none.
    rows = spark.table(f"{SCHEMA}.training_set").toPandas().sort_values("flight_id", ignore_index=True)
    learn, judge = rows[rows["month"] <= 6], rows[rows["month"] > 6]
    with mlflow.start_run(run_name="tune") as parent:
        log_dataset(rows, version)

        def trial_auc(trial: optuna.Trial) -> float:
            parameters = {
                "n_estimators": trial.suggest_int("n_estimators", 80, 240, step=40),
                "learning_rate": trial.suggest_float("learning_rate", 0.03, 0.15, log=True),
                "num_leaves": trial.suggest_int("num_leaves", 15, 63),
                "min_child_samples": trial.suggest_int("min_child_samples", 50, 500),
            }
            with mlflow.start_run(run_name=f"trial-{trial.number}", nested=True):
                mlflow.log_params(parameters)
                found = auc(fit(learn, parameters), judge)
                mlflow.log_metric("auc_july_august", found)
            report.progress("tune", trial.number + 1, TRIALS, "trials")
            return found

        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=7))
        study.optimize(trial_auc, n_trials=TRIALS)
        mlflow.log_params({f"best_{name}": value for name, value in study.best_params.items()})
        mlflow.log_metric("auc_july_august", study.best_value)
        model = log_model(spark, fit(rows, study.best_params), rows, versions)
        mlflow.set_tag("model_uri", model.model_uri)
    run = mlflow.get_run(parent.info.run_id)
    report.figures(f"best of {TRIALS} trials: AUC {study.best_value:.3f} on July and August", **figures(run, version))


if __name__ == "__main__":
    main()
