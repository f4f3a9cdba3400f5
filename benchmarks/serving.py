"""Overhead of endpoints over HTTP, against ``mlflow models serve`` of the same model and a bare uvicorn in the same run.

    python benchmarks/serving.py [--requests 1000] [--json FILE]

Starts a server, makes a feature table, publishes it, and serves it twice: as a feature spec, and looked up by a LightGBM model. The
same booster runs under ``mlflow models serve`` and is sent the looked-up columns themselves; a uvicorn of ten lines answers a constant.
All are asked in turns, fifty requests one after another on one connection each, written and read on the socket: a client library would take
longer than what is measured. Prints p50 and p99 in ms and ratios of p50 as JSON; trust the ratios on a noisy machine.
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
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import lightgbm
import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
from common import Lake, parse, report, server, session
from databricks.sdk import WorkspaceClient
from databricks.sdk.service import catalog, ml, serving
from deltalake import write_deltalake
from mlflow.models import infer_signature

FEATURES = [f"f{number}" for number in range(7)]
HOURS = 24 * 365
IN_TURN = 50
TABLE, MODEL, SPEC = "main.bench.weather", "main.bench.model", "main.bench.near"
BARE = """
import sys, uvicorn
BODY = b'{"outputs": [{"f0": 0.5}]}'
async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})
uvicorn.run(app, port=int(sys.argv[1]), log_level="error", lifespan="off")
"""


class Asker:
    """One connection to a server.

    Args:
        port: Of 127.0.0.1.
        path: What is posted to.
        body: What is posted.
        token: The bearer token, if one is needed.
    """

    def __init__(self, port: int, path: str, body: Mapping[str, Any], token: str = "") -> None:
        content = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n"
        self._request = (head + (f"authorization: Bearer {token}\r\n" if token else "") + "\r\n").encode() + content
        self._connection = socket.create_connection(("127.0.0.1", port))
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.seconds: list[float] = []

    def ask(self) -> bytes:
        """Send the request, note how long the answer took, and return its body.

        Raises:
            SystemExit: The answer is not what was asked for.
        """
        started = time.perf_counter()
        self._connection.sendall(self._request)
        answer = b""
        while (end := answer.find(b"\r\n\r\n")) < 0 or len(answer) < end + 4 + _length(answer[:end]):
            more = self._connection.recv(1 << 20)
            if not more:
                break
            answer += more
        self.seconds.append(time.perf_counter() - started)
        if not answer.startswith(b"HTTP/1.1 200"):
            raise SystemExit(answer.decode(errors="replace"))
        return answer[end + 4 :]

    def figures(self) -> dict[str, float]:
        """p50 and p99 in ms."""
        p50, p99 = np.percentile(self.seconds, [50, 99]) * 1000
        return {"p50_ms": round(float(p50), 2), "p99_ms": round(float(p99), 2)}


def _length(head: bytes) -> int:
    return int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])


def publish(client: WorkspaceClient, lake: Lake, folder: Path) -> float:
    """Make and publish the feature table; the seconds that the publish took."""
    start = dt.datetime(2013, 1, 1, tzinfo=dt.UTC)
    times = [start + dt.timedelta(hours=hour) for hour in range(HOURS)]
    random = np.random.default_rng(0)
    columns: dict[str, Any] = {name: random.normal(size=3 * HOURS) for name in FEATURES}
    columns |= {"origin": np.repeat(["EWR", "JFK", "LGA"], HOURS), "time_hour": pa.array(times * 3, pa.timestamp("us", "UTC"))}
    rows, keys = pa.table(columns), ["origin", "time_hour"]
    write_deltalake(folder, rows.cast(pa.schema([field.with_nullable(field.name not in keys) for field in rows.schema])))
    body = {"catalog_name": "main", "schema_name": "bench", "name": "weather", "table_type": "EXTERNAL"}
    body |= {"data_source_format": "DELTA", "storage_location": f"file://{folder}"}
    with lake.client() as http:
        http.post("/api/2.1/unity-catalog/tables", json=body | {"columns": []}).raise_for_status()
    key = catalog.PrimaryKeyConstraint("keys", keys, timeseries_columns=["time_hour"])
    client.table_constraints.create(TABLE, catalog.TableConstraint(primary_key_constraint=key))
    client.feature_store.create_online_store(ml.OnlineStore(name="bench", capacity="CU_1"))
    spec = ml.PublishSpec("bench", f"{TABLE}_online", ml.PublishSpecPublishMode.SNAPSHOT)
    started = time.perf_counter()
    client.feature_store.publish_table(TABLE, spec)
    return round(time.perf_counter() - started, 2)


def log_model(folder: Path) -> None:
    """Register the model, and save it for ``mlflow models serve``."""
    random = np.random.default_rng(1)
    frame = pd.DataFrame(random.normal(size=(5000, 8)), columns=["hour", *FEATURES])
    model = lightgbm.LGBMClassifier(n_estimators=200, verbose=-1).fit(frame, frame["f0"] + frame["hour"] > 0)
    signature = infer_signature(frame, model.booster_.predict(frame))
    lookup = {"table": TABLE, "lookup_key": ["origin"], "timestamp_lookup_key": "at", "features": FEATURES}
    with mlflow.start_run():
        mlflow.lightgbm.log_model(
            model.booster_,
            name="model",
            signature=signature,
            registered_model_name=MODEL,
            metadata={"feature_spec": {"inputs": ["hour"], "lookups": [lookup]}},
        )
    mlflow.lightgbm.save_model(model.booster_, folder, signature=signature)


def make_spec(lake: Lake) -> None:
    """The same look-up as a feature spec."""
    from boathouse.features.client import FeatureEngineeringClient, FeatureLookup, FeatureTables

    with session(lake.remote()) as spark:
        fe = FeatureEngineeringClient(tables=FeatureTables(spark, WorkspaceClient(host=lake.url, token=lake.token)))
        fe.create_feature_spec(name=SPEC, features=[FeatureLookup(TABLE, "origin", timestamp_lookup_key="at")])


def serve(client: WorkspaceClient, name: str, entity: serving.ServedEntityInput) -> float:
    """Make an endpoint that logs its requests; the seconds until it was ready."""
    capture = serving.AutoCaptureConfigInput(catalog_name="main", schema_name="bench", enabled=True)
    config = serving.EndpointCoreConfigInput(name=name, served_entities=[entity], auto_capture_config=capture)
    started = time.perf_counter()
    client.serving_endpoints.create_and_wait(name, config=config)
    return round(time.perf_counter() - started, 2)


@contextmanager
def peer(*command: str) -> Generator[int]:
    """A server of somebody else's; its port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    # MLflow starts uvicorn by name, from the PATH.
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    arguments = [sys.executable, *(str(port) if one == "PORT" else one for one in command)]
    process = subprocess.Popen(
        arguments, start_new_session=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(1200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                if process.poll() is not None:
                    raise SystemExit(f"{' '.join(command)} did not start") from None
                time.sleep(0.1)
        yield port
    finally:
        os.killpg(process.pid, 15)
        process.wait()


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1000)
    asked = parse(parser)
    figures: dict[str, Any] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        lake = stack.enter_context(server(folder))
        os.environ |= {"MLFLOW_TRACKING_URI": lake.url, "MLFLOW_REGISTRY_URI": lake.url, "MLFLOW_TRACKING_TOKEN": lake.token}
        client = WorkspaceClient(host=lake.url, token=lake.token)
        client.schemas.create("bench", "main")
        figures |= {"publish_rows": 3 * HOURS, "publish_s": publish(client, lake, folder / "weather")}
        log_model(folder / "model")
        make_spec(lake)
        model = serving.ServedEntityInput(entity_name=MODEL, entity_version="1")
        alone = serving.ServedEntityInput(entity_name=MODEL, entity_version="1", environment_vars={"A": "b"})
        for name, entity in (("model", model), ("model_again", model), ("model_with_variables", alone)):
            figures[f"create_{name}_s"] = serve(client, name, entity)
        figures["create_spec_s"] = serve(client, "near", serving.ServedEntityInput(entity_name=SPEC))
        models = ["-m", "mlflow", "models", "serve", "-m", str(folder / "model"), "-p", "PORT", "--env-manager", "local"]
        theirs = stack.enter_context(peer(*models))
        bare = stack.enter_context(peer("-c", BARE, "PORT"))
        ours = int(lake.url.rsplit(":", 1)[1])
        key = {"origin": "EWR", "at": "2013-06-01T03:30:00Z"}
        columns = dict.fromkeys(["hour", *FEATURES], 0.5)
        for rows in (1, 50, 100):
            given: dict[str, Any] = {"dataframe_records": [key] * rows}
            askers = {
                "features": Asker(ours, "/serving-endpoints/near/invocations", given, lake.token),
                "model": Asker(
                    ours,
                    "/serving-endpoints/model/invocations",
                    {"dataframe_records": [key | {"hour": 7.0}] * rows},
                    lake.token,
                ),
                "mlflow_models_serve": Asker(theirs, "/invocations", {"dataframe_records": [columns] * rows}),
                "bare_uvicorn": Asker(bare, "/", given),
            }
            for number in range(-1, asked.requests // IN_TURN):
                for asker in askers.values():
                    for _ in range(IN_TURN):
                        asker.ask()
                    if number < 0:
                        asker.seconds.clear()
            found: dict[str, Any] = {name: asker.figures() for name, asker in askers.items()}
            found["model_to_mlflow"] = round(found["model"]["p50_ms"] / found["mlflow_models_serve"]["p50_ms"], 2)
            found["features_to_bare_uvicorn"] = round(found["features"]["p50_ms"] / found["bare_uvicorn"]["p50_ms"], 2)
            figures[f"{rows}_rows"] = found
    report(figures, asked)


if __name__ == "__main__":
    main()
