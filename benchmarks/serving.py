"""Overhead of an endpoint over HTTP, against ``mlflow models serve`` of the same model in the same run.

    python benchmarks/serving.py URL TOKEN [--requests 500] [--schema bench]

Makes a feature table, publishes it, registers a LightGBM model with a look-up, serves it, and sends requests of 1 and of 50
rows one after another. The same booster runs under ``mlflow models serve`` and is sent the looked-up columns themselves.
Prints p50 and p99 in ms and their ratios as JSON; trust the ratios on a noisy machine.
"""

import argparse
import datetime as dt
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import lightgbm
import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
from databricks.sdk import WorkspaceClient
from databricks.sdk.service import catalog, ml, serving
from deltalake import write_deltalake
from mlflow.models import infer_signature

FEATURES = [f"f{number}" for number in range(7)]
HOURS = 24 * 365


def measure(client: httpx.Client, path: str, body: dict[str, Any], requests: int) -> dict[str, float]:
    """p50 and p99 in ms of requests sent one after another."""
    content, seconds = json.dumps(body).encode(), []
    for number in range(requests + 20):
        started = time.perf_counter()
        client.post(path, content=content, headers={"content-type": "application/json"}).raise_for_status()
        if number >= 20:
            seconds.append(time.perf_counter() - started)
    p50, p99 = np.percentile(seconds, [50, 99]) * 1000
    return {"p50_ms": round(float(p50), 2), "p99_ms": round(float(p99), 2)}


def publish(client: WorkspaceClient, http: httpx.Client, schema: str, folder: Path) -> float:
    """Make and publish the feature table; the seconds that the publish took."""
    start = dt.datetime(2013, 1, 1, tzinfo=dt.UTC)
    times = [start + dt.timedelta(hours=hour) for hour in range(HOURS)]
    random = np.random.default_rng(0)
    columns: dict[str, Any] = {name: random.normal(size=3 * HOURS) for name in FEATURES}
    columns |= {"origin": np.repeat(["EWR", "JFK", "LGA"], HOURS), "time_hour": pa.array(times * 3, pa.timestamp("us", "UTC"))}
    write_deltalake(folder, pa.table(columns))
    body = {"catalog_name": "main", "schema_name": schema, "name": "weather", "table_type": "EXTERNAL"}
    body |= {"data_source_format": "DELTA", "storage_location": f"file://{folder}"}
    http.post("/api/2.1/unity-catalog/tables", json=body | {"columns": []}).raise_for_status()
    key = catalog.PrimaryKeyConstraint("keys", ["origin", "time_hour"], timeseries_columns=["time_hour"])
    client.table_constraints.create(f"main.{schema}.weather", catalog.TableConstraint(primary_key_constraint=key))
    client.feature_store.create_online_store(ml.OnlineStore(name=schema, capacity="CU_1"))
    spec = ml.PublishSpec(schema, f"main.{schema}.weather_online", ml.PublishSpecPublishMode.SNAPSHOT)
    started = time.perf_counter()
    client.feature_store.publish_table(f"main.{schema}.weather", spec)
    return round(time.perf_counter() - started, 2)


def log_model(schema: str, folder: Path) -> None:
    """Register the model, and save it for ``mlflow models serve``."""
    random = np.random.default_rng(1)
    frame = pd.DataFrame(random.normal(size=(5000, 8)), columns=["hour", *FEATURES])
    model = lightgbm.LGBMClassifier(n_estimators=200, verbose=-1).fit(frame, frame["f0"] + frame["hour"] > 0)
    signature = infer_signature(frame, model.booster_.predict(frame))
    lookup = {"table": f"main.{schema}.weather", "lookup_key": ["origin"], "timestamp_lookup_key": "at", "features": FEATURES}
    spec = {"inputs": ["hour"], "lookups": [lookup]}
    with mlflow.start_run():
        mlflow.lightgbm.log_model(
            model.booster_,
            name="model",
            signature=signature,
            registered_model_name=f"main.{schema}.model",
            metadata={"feature_spec": spec},
        )
    mlflow.lightgbm.save_model(model.booster_, folder, signature=signature)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("token")
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--schema", default="bench")
    given = parser.parse_args()
    os.environ |= {"MLFLOW_TRACKING_URI": given.url, "MLFLOW_REGISTRY_URI": given.url, "MLFLOW_TRACKING_TOKEN": given.token}
    client = WorkspaceClient(host=given.url, token=given.token)
    http = httpx.Client(base_url=given.url, headers={"Authorization": f"Bearer {given.token}"}, timeout=60)
    client.schemas.create(given.schema, "main")
    folder = Path(tempfile.mkdtemp(prefix="boathouse-bench-"))
    results: dict[str, Any] = {"publish_rows": 3 * HOURS, "publish_s": publish(client, http, given.schema, folder / "weather")}
    log_model(given.schema, folder / "model")
    entity = serving.ServedEntityInput(entity_name=f"main.{given.schema}.model", entity_version="1")
    capture = serving.AutoCaptureConfigInput(catalog_name="main", schema_name=given.schema, enabled=True)
    config = serving.EndpointCoreConfigInput(name=given.schema, served_entities=[entity], auto_capture_config=capture)
    started = time.perf_counter()
    client.serving_endpoints.create_and_wait(given.schema, config=config)
    results["create_s"] = round(time.perf_counter() - started, 1)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(folder / "model"), "-p", str(port)]
    # It starts uvicorn by name, from the PATH.
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    mlflow_serve = subprocess.Popen([*command, "--env-manager", "local"], start_new_session=True, env=environment)
    try:
        plain = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)
        for _ in range(600):
            try:
                if plain.get("/ping").status_code == 200:
                    break
            except httpx.TransportError:
                pass
            if mlflow_serve.poll() is not None:
                message = "mlflow models serve did not start"
                raise RuntimeError(message)
            time.sleep(0.1)
        ours = {"hour": 7.0, "origin": "EWR", "at": "2013-06-01T03:30:00Z"}
        theirs = dict.fromkeys(["hour", *FEATURES], 0.5)
        for rows in (1, 50):
            path = f"/serving-endpoints/{given.schema}/invocations"
            with_lookup = measure(http, path, {"dataframe_records": [ours] * rows}, given.requests)
            baseline = measure(plain, "/invocations", {"dataframe_records": [theirs] * rows}, given.requests)
            ratio = round(with_lookup["p50_ms"] / baseline["p50_ms"], 2)
            results[f"{rows}_rows"] = {"boathouse": with_lookup, "mlflow_models_serve": baseline, "p50_ratio": ratio}
    finally:
        os.killpg(mlflow_serve.pid, 15)
        mlflow_serve.wait()
        client.serving_endpoints.delete(given.schema)
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
