"""Join the outcomes as they become known, measure each month, raise alerts, retrain, and compare champion and challenger."""

import importlib
import json
import logging
import time
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from drift import Drift, measure
from flights import SCHEMA, Report, replace_table, spark_session, up_to_date, versions_of
from mlflow import MlflowClient
from point_in_time import FEATURES, examples
from pyspark.sql import SparkSession
from sklearn.metrics import log_loss, roc_auc_score

MODEL = f"{SCHEMA}.delay"
PREDICTIONS = f"{SCHEMA}.delay_predictions"
LEAST_AUC_DROP = 0.03
RETRAIN_THROUGH = 10
"""The last month that the challenger learns from; it is judged on the months after."""

WINDOW = "struct<start: timestamp, end: timestamp>"
PROFILE = f"""window {WINDOW}, log_type string, granularity string, model_id string, column_name string, data_type string,
  count long, num_nulls long, avg double, stddev double, min double, max double, percent_null double, log_loss double,
  roc_auc_score double"""
DRIFT = f"""window {WINDOW}, window_cmp {WINDOW}, drift_type string, granularity string, column_name string, data_type string,
  count_delta double, avg_delta double, percent_null_delta double, population_stability_index double, js_distance double,
  wasserstein_distance double, ks_test struct<statistic: double, pvalue: double>"""
ALERTS = """time_ms long, name string, message string, severity string, table_name string, metric string, value double,
  threshold double"""


def unpack(spark: SparkSession) -> pd.DataFrame:
    """One row a prediction from the inference table's one row a request; a request sent twice counts once."""
    logged = spark.sql(f"""
        SELECT client_request_id, timestamp_ms, request, response, request_metadata['model_version'] AS version
        FROM {SCHEMA}.flight_delay_payload
        WHERE status_code = 200 AND client_request_id IS NOT NULL ORDER BY timestamp_ms""").toPandas()
    rows: list[dict[str, Any]] = []
    for entry in logged.drop_duplicates("client_request_id").itertuples():
        records = json.loads(entry.request)["dataframe_records"]
        for record, chance in zip(records, json.loads(entry.response)["predictions"], strict=True):
            rows.append({"flight_id": record["flight_id"], "probability": float(chance), "model_version": entry.version})
    return pd.DataFrame(rows)


def join_outcomes(spark: SparkSession) -> None:
    """``delay_predictions``: each prediction with its outcome and the moment from which the outcome was known."""
    sources = versions_of(spark, "flight_delay_payload", "silver_flights")
    if up_to_date(spark, PREDICTIONS, sources):
        return
    spark.createDataFrame(unpack(spark)).createOrReplaceTempView("predictions")
    rows = spark.sql(f"""
        SELECT p.*, f.month, f.sched_dep, f.sched_dep - make_dt_interval(0, 2, 0, 0) AS prediction_time,
               f.known_at, CAST(f.late AS INT) AS late
        FROM predictions p JOIN {SCHEMA}.silver_flights f ON p.flight_id = f.flight_id""")
    replace_table(spark, PREDICTIONS, rows, sources)


def month_window(month: int) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Start and end of a month of 2013."""
    start = pd.Timestamp(2013, month, 1)
    return start.to_pydatetime(), (start + pd.offsets.MonthBegin(1)).to_pydatetime()


def profile_row(window: tuple[Any, Any], log_type: str, column: str, values: pd.Series) -> tuple[Any, ...]:
    """The profile of one column in one window."""
    numbers = values.astype(float)
    nulls = int(numbers.isna().sum())
    return (window, log_type, "1 month", "*", column, "double", len(numbers), nulls, float(numbers.mean()),
            float(numbers.std()), float(numbers.min()), float(numbers.max()), 100 * nulls / len(numbers), None, None)  # fmt: skip


def quality(rows: pd.DataFrame) -> dict[str, float]:
    """AUC and log loss of predictions with known outcomes, and the standard error of the AUC (Hanley and McNeil, 1982)."""
    auc = float(roc_auc_score(rows["late"], rows["probability"]))
    positives, negatives = int(rows["late"].sum()), int((1 - rows["late"]).sum())
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)
    return {
        "auc": auc,
        "error": float(np.sqrt(variance / (positives * negatives))),
        "log_loss": float(log_loss(rows["late"], rows["probability"])),
        "late_rate": float(rows["late"].mean()),
    }


def alert(name: str, message: str, severity: str, metric: str, value: float, threshold: float) -> tuple[Any, ...]:
    """A row of the table of alerts."""
    return (int(time.time() * 1000), name, message, severity, PREDICTIONS, metric, float(value), float(threshold))


def measure_months(report: Report, baseline: pd.DataFrame, current: pd.DataFrame, served: pd.DataFrame, expected: float) -> Any:
    """Profile, drift and quality of each month, and the alerts that they raise."""
    base_window = (month_window(1)[0], month_window(8)[1])
    profiles = [profile_row(base_window, "BASELINE", name, baseline[name]) for name in FEATURES]
    drifts: list[tuple[Any, ...]] = []
    alerts: list[tuple[Any, ...]] = []
    aucs: dict[int, float] = {}
    moved: dict[str, dict[int, Drift]] = {name: {} for name in FEATURES}
    months = sorted(served["month"].unique())
    for month in report.track(months, "monitor", "months"):
        window, rows = month_window(int(month)), current[current["month"] == month]
        for name in FEATURES:
            profiles.append(profile_row(window, "INPUT", name, rows[name]))
            found = moved[name][int(month)] = measure(baseline[name], rows[name])
            nulls = 100 * (rows[name].isna().mean() - baseline[name].isna().mean())
            drifts.append((window, base_window, "BASELINE", "1 month", name, "double", float(len(rows) - len(baseline)),
                           float(rows[name].mean() - baseline[name].mean()), float(nulls), found.psi, found.js,
                           found.wasserstein, found.ks))  # fmt: skip
        known = quality(served[(served["month"] == month) & served["late"].notna()].astype({"late": int}))
        aucs[int(month)] = round(known["auc"], 4)
        count = int((served["month"] == month).sum())
        profiles.append((window, "INPUT", "1 month", "*", ":table", None, count, 0, None, None, None, None, None,
                         known["log_loss"], known["auc"]))  # fmt: skip
        floor = expected - max(LEAST_AUC_DROP, 3 * known["error"])
        if known["auc"] < floor:
            text = f"AUC of {month}/2013 is {known['auc']:.3f}; September's was {expected:.3f}"
            alerts.append(alert("auc_drop", text, "critical", "roc_auc_score", known["auc"], floor))
    for name, by_month in moved.items():
        alarming = [month for month, found in by_month.items() if found.alarming]
        if len(alarming) >= 2:
            last = by_month[alarming[-1]]
            text = f"{name} has drifted from January-August in months {', '.join(map(str, alarming))}: PSI {last.psi:.2f}"
            alerts.append(
                alert(f"drift_{name}", text, "warning", "population_stability_index", last.psi, max(0.2, last.noise_floor))
            )
    return profiles, drifts, alerts, aucs, {name: round(max(d.psi for d in found.values()), 3) for name, found in moved.items()}


def retrain(report: Report, spark: SparkSession, client: MlflowClient, champion: str, rows: pd.DataFrame) -> dict[str, Any]:
    """Train a challenger on the later data too, and compare it with the champion on months that neither has seen."""
    tune = importlib.import_module("04_tune")
    learn, judge = rows[rows["month"] <= RETRAIN_THROUGH], rows[rows["month"] > RETRAIN_THROUGH]
    version = find_challenger(client, champion)
    if version is None:
        first = client.get_run(client.get_model_version(MODEL, champion).run_id)
        best = {
            name.removeprefix("best_"): float(value) for name, value in first.data.params.items() if name.startswith("best_")
        }
        whole = {name: int(value) if name != "learning_rate" else value for name, value in best.items()}
        mlflow.set_experiment(tune.EXPERIMENT)
        with mlflow.start_run(run_name="retrain"):
            mlflow.log_params(whole | {"months": f"1-{RETRAIN_THROUGH}"})
            info = tune.log_model(spark, tune.fit(learn, whole), learn, source_versions_of(spark))
            version = str(mlflow.register_model(info.model_uri, MODEL, tags={"challenges": champion}).version)
    report.progress("retrain", 1, 2, "models")
    client.set_registered_model_alias(MODEL, "challenger", version)
    chances = {}
    scores = {}
    for name, number in (("champion", champion), ("challenger", version)):
        chances[name] = mlflow.lightgbm.load_model(f"models:/{MODEL}/{number}").predict(judge[FEATURES])
        scores[f"{name}_auc"] = round(float(roc_auc_score(judge["late"], chances[name])), 4)
        client.set_model_version_tag(MODEL, number, "later_auc", str(scores[f"{name}_auc"]))
    report.progress("retrain", 2, 2, "models")
    lead, error = paired_lead(judge["late"].to_numpy(), chances["champion"], chances["challenger"])
    scores |= {"lead": round(lead, 4), "lead_error": round(error, 4)}
    better = lead > 2 * error
    if better:
        client.set_model_version_tag(MODEL, version, "approval", "approved")
        client.set_registered_model_alias(MODEL, "champion", version)
    return {"champion": int(champion), "new_version": int(version), "promoted": better} | scores


def paired_lead(late: np.ndarray, champion: np.ndarray, challenger: np.ndarray) -> tuple[float, float]:
    """How much higher the challenger's AUC is, and the standard error of that over bootstrap samples of the same flights."""
    random = np.random.default_rng(7)
    leads = []
    for _ in range(30):
        drawn = random.integers(0, len(late), len(late))
        leads.append(roc_auc_score(late[drawn], challenger[drawn]) - roc_auc_score(late[drawn], champion[drawn]))
    return float(roc_auc_score(late, challenger) - roc_auc_score(late, champion)), float(np.std(leads))


def skew(champion: str, current: pd.DataFrame, served: pd.DataFrame) -> float:
    """The largest difference between a prediction as it was served and as the offline features give it now."""
    model = mlflow.lightgbm.load_model(f"models:/{MODEL}/{champion}")
    offline = pd.Series(model.predict(current[FEATURES]), index=current["flight_id"])
    online = served.set_index("flight_id")["probability"]
    return float((online - offline.reindex(online.index)).abs().max(skipna=False))


def find_challenger(client: MlflowClient, champion: str) -> str | None:
    """The version that was trained to challenge this champion, if it was before."""
    versions = client.search_model_versions(f"name = '{MODEL}'")
    return next((str(one.version) for one in versions if one.tags.get("challenges") == champion), None)


def source_versions_of(spark: SparkSession) -> dict[str, int]:
    """The versions of the tables that the challenger learns from."""
    return versions_of(spark, "silver_flights", "weather_features", "delay_features")


def main() -> None:
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    report, spark, client = Report(), spark_session(), MlflowClient()
    join_outcomes(spark)
    served = spark.table(PREDICTIONS).toPandas()
    champion = str(served["model_version"].iloc[0])
    everything = examples(spark, "true").toPandas().sort_values("flight_id", ignore_index=True)
    baseline, current = everything[everything["month"] <= 8], everything[everything["month"] >= 10]
    expected = float(client.get_model_version(MODEL, champion).tags["september_auc"])
    profiles, drifts, alerts, aucs, psi = measure_months(report, baseline, current, served, expected)
    for name, rows, schema, stage in (
        ("delay_predictions_profile_metrics", profiles, PROFILE, "metrics"),
        ("delay_predictions_drift_metrics", drifts, DRIFT, "metrics"),
        ("alerts", alerts, ALERTS, "alerts"),
    ):
        replace_table(spark, f"{SCHEMA}.{name}", spark.createDataFrame(rows, schema), quality=stage)
    for one in alerts:
        report.note(f"{one[3]}: {one[2]}")
    outcome = retrain(report, spark, client, champion, everything)
    verdict = "promoted" if outcome["promoted"] else "not promoted, the lead is within chance"
    report.figures(
        f"{len(alerts)} alerts; challenger {outcome['challenger_auc']:.3f} against champion {outcome['champion_auc']:.3f}"
        f" on November and December: {verdict}",
        auc=round(quality(served.astype({"late": int}))["auc"], 4),
        auc_by_month=aucs,
        psi=psi,
        alerts=[one[1] for one in alerts],
        predictions=len(served),
        largest_skew=skew(champion, current, served),
        **outcome,
    )


if __name__ == "__main__":
    main()
