"""Serve the champion, and send it October to December in order of time, an hour's flights a request.

The request carries keys and schedule; the endpoint looks up the features as of the prediction time in the online store.
Every request and answer lands in the inference table ``flight_delay_payload``. Hours that are in it already are not sent
again, so the step can be stopped and run again.
"""

import time
from contextlib import suppress
from typing import Any

import numpy as np
import requests
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import AlreadyExists, ResourceAlreadyExists, ResourceConflict
from databricks.sdk.service import ml
from databricks.sdk.service.serving import AutoCaptureConfigInput, EndpointCoreConfigInput, ServedEntityInput
from flights import SCHEMA, Report, exists, spark_session, stop, workspace
from mlflow import MlflowClient
from point_in_time import flights
from pyspark.sql import SparkSession

ENDPOINT = "flight-delay"
MODEL = f"{SCHEMA}.delay"
PAYLOAD = f"{SCHEMA}.flight_delay_payload"
TAKEN = (AlreadyExists, ResourceAlreadyExists, ResourceConflict)


def publish(w: WorkspaceClient) -> None:
    """Copy the feature tables into the online store, where the endpoint reads them."""
    with suppress(*TAKEN):
        w.feature_store.create_online_store(ml.OnlineStore(name="online", capacity="CU_1"))
    for table in ("weather_features", "delay_features"):
        spec = ml.PublishSpec(
            online_store="online",
            online_table_name=f"{SCHEMA}.{table}_online",
            publish_mode=ml.PublishSpecPublishMode.TRIGGERED,
        )
        w.feature_store.publish_table(f"{SCHEMA}.{table}", spec)


def deploy(w: WorkspaceClient) -> str:
    """The endpoint with the champion; made, updated or left as it is."""
    version = str(MlflowClient().get_model_version_by_alias(MODEL, "champion").version)
    entity = ServedEntityInput(entity_name=MODEL, entity_version=version, workload_size="Small", scale_to_zero_enabled=False)
    there = next((one for one in w.serving_endpoints.list() if one.name == ENDPOINT), None)
    if there is None:
        capture = AutoCaptureConfigInput(
            catalog_name="main", schema_name="flights", table_name_prefix="flight_delay", enabled=True
        )
        config = EndpointCoreConfigInput(name=ENDPOINT, served_entities=[entity], auto_capture_config=capture)
        w.serving_endpoints.create_and_wait(ENDPOINT, config=config)
    else:
        w.serving_endpoints.wait_get_serving_endpoint_not_updating(ENDPOINT)
        served = (w.serving_endpoints.get(ENDPOINT).config or there.config).served_entities or []
        if [one.entity_version for one in served] != [version]:
            w.serving_endpoints.update_config_and_wait(ENDPOINT, served_entities=[entity])
    return version


def hours(spark: SparkSession) -> list[tuple[str, list[dict[str, Any]]]]:
    """The flights of each scheduled hour of October to December, in order, as the endpoint takes them."""
    rows = flights(spark, "month >= 10").toPandas().sort_values(["sched_dep", "flight_id"])
    rows["time"] = rows["prediction_time"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    columns = ["flight_id", "origin", "carrier", "hour", "weekday", "distance", "time"]
    rows["slot"] = rows["sched_dep"].dt.strftime("%Y-%m-%dT%H:00Z")
    found = []
    for slot, group in rows.groupby("slot", sort=True):
        records = group[columns].rename(columns={"time": "prediction_time"}).to_dict("records")
        found.append((str(slot), records))
    return found


def flush(w: WorkspaceClient) -> None:
    """Wait until every answered request is in the inference table."""
    w.api_client.do("POST", f"/api/boathouse/v1/serving-endpoints/{ENDPOINT}/flush")


def sent(spark: SparkSession, w: WorkspaceClient) -> set[str]:
    """The hours that were answered before."""
    flush(w)
    if not exists(PAYLOAD):
        return set()
    rows = spark.sql(f"SELECT DISTINCT client_request_id FROM {PAYLOAD} WHERE status_code = 200").collect()
    return {row[0] for row in rows}


def main() -> None:
    report, spark, w = Report(), spark_session(), workspace()
    publish(w)
    version = deploy(w)
    done = sent(spark, w)
    todo = [(slot, records) for slot, records in hours(spark) if slot not in done]
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {w.config.token}"
    url = f"{w.config.host}/serving-endpoints/{ENDPOINT}/invocations"
    milliseconds: list[float] = []
    predictions = 0
    for slot, records in report.track(todo, "serve", "requests"):
        started = time.perf_counter()
        answer = session.post(url, json={"client_request_id": slot, "dataframe_records": records}, timeout=60)
        milliseconds.append((time.perf_counter() - started) * 1000)
        if answer.status_code != 200:
            stop(f"The endpoint refused the hour {slot} with {answer.status_code}: {answer.text[:500]}")
        predictions += len(answer.json()["predictions"])
    flush(w)
    kept, hours_kept = spark.sql(f"SELECT count(*), count(DISTINCT client_request_id) FROM {PAYLOAD}").collect()[0]
    p50, p99 = np.percentile(milliseconds, [50, 99]).round(2).tolist() if milliseconds else (None, None)
    report.figures(
        f"{len(todo):,} requests, {predictions:,} predictions" + (f", p50 {p50} ms, p99 {p99} ms" if milliseconds else ""),
        requests=len(todo),
        predictions=predictions,
        p50_ms=p50,
        p99_ms=p99,
        inference_rows=kept,
        hours=hours_kept,
        model_version=int(version),
    )


if __name__ == "__main__":
    main()
