"""The steps of a deployment job, as a job's file calls them; writes what came out as JSON."""

import contextlib
import json
import os
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.serving import AutoCaptureConfigInput, EndpointCoreConfigInput, ServedEntityInput
from mlflow.models import infer_signature
from pyspark.sql import SparkSession
from sklearn.linear_model import LinearRegression

from boathouse.deployment import steps

warnings.simplefilter("ignore")
name, out = sys.argv[1:3]
found: dict[str, Any] = {}
mlflow.set_experiment(f"/Users/{os.environ['AUTHOR']}/steps")

chance = np.random.default_rng(7)
rows = pd.DataFrame({"size": chance.uniform(0, 10, 200), "age": chance.uniform(0, 10, 200)})
rows["district"] = np.where(np.arange(200) % 2 == 0, "north", "south")
rows["price"] = 3 * rows["size"] - rows["age"] + 5
inputs = rows[["size", "age"]]
signature = infer_signature(inputs, rows["price"])


class Refuses(mlflow.pyfunc.PythonModel):
    """Loads, and answers nothing."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:  # noqa: ARG002
        if (model_input["size"] > 0).any():
            message = "out of order"
            raise ArithmeticError(message)
        return model_input["size"]


with mlflow.start_run():
    logged = {"signature": signature, "registered_model_name": name, "pip_requirements": []}
    some = rows.head(20)
    mlflow.sklearn.log_model(LinearRegression().fit(some[["size"]].assign(age=0), some["price"]), name="a", **logged)
    mlflow.sklearn.log_model(LinearRegression().fit(inputs, rows["price"]), name="b", **logged)
    mlflow.pyfunc.log_model(python_model=Refuses(), name="c", **logged)
    more = some[["size", "age"]].assign(extra=1.0)
    asks_for_more = LinearRegression().fit(more, some["price"])
    mlflow.sklearn.log_model(asks_for_more, name="d", **logged | {"signature": infer_signature(more, some["price"])})
mlflow.MlflowClient().set_registered_model_alias(name, "champion", "1")
mlflow.MlflowClient().set_registered_model_alias(name, "odd", "4")

# ------------------------------------------------------------------------------------------------------- evaluation

findings = steps.evaluate(
    name,
    "2",
    rows,
    target="price",
    thresholds=[steps.Threshold("mae", at_most=0.1, most_worse=0.0, slices=True), steps.Threshold("r2", at_least=0.99)],
    slices=["district"],
    fairness=[steps.Fairness("district", "mae", most_apart=0.1)],
    limits=steps.Limits(load_seconds=120, latency_p95_ms=5000, memory_mb=4000),
)
found["evaluation"] = {one.name: one.passed for one in findings}
quality = next(one for one in findings if one.name == "quality")
found["champion"] = [quality.details["champion_version"], quality.details["champion"]["mae"] > quality.metrics["mae"]]
found["nulls"] = next(one for one in findings if one.name == "nulls").details["columns"]["size"].split(":")[0]


def fails(given: pd.DataFrame, champion: str) -> str:
    """The names of the checks that fail."""
    # What this process holds is none of the model's memory.
    held = bytes(range(256)) * (3 * 2**20)
    worse, limits = steps.Threshold("mae", most_worse=0.0), steps.Limits(memory_mb=len(held) / 2**20)
    try:
        steps.evaluate(name, "2", given, target="price", thresholds=[worse], champion=champion, limits=limits)
    except steps.NotPassed as error:
        return str(error).partition(": ")[2].partition(" (")[0]
    return ""


found["unanswered"] = [fails(rows.assign(price=rows["price"].where(rows["size"] > 1)), "champion"), fails(rows, "odd")]

# --------------------------------------------------------------------------------------------------------- endpoint

client = WorkspaceClient()
endpoint = name.replace(".", "-")
catalog, schema, _ = name.split(".")
first = ServedEntityInput(entity_name=name, entity_version="1", workload_size="Small", scale_to_zero_enabled=False)
capture = AutoCaptureConfigInput(catalog_name=catalog, schema_name=schema, table_name_prefix="served", enabled=True)
client.serving_endpoints.create_and_wait(
    endpoint, config=EndpointCoreConfigInput(name=endpoint, served_entities=[first], auto_capture_config=capture)
)


def ask() -> Any:
    records = inputs.head(3).to_dict("records")
    return client.serving_endpoints.query(endpoint, dataframe_records=records).predictions


def serving() -> list[str]:
    return [str(one.entity_version) for one in client.serving_endpoints.get(endpoint).config.served_entities]


before = ask()
client.api_client.do("POST", f"/api/boathouse/v1/serving-endpoints/{endpoint}/flush")
payload = SparkSession.builder.remote(os.environ["SPARK"]).getOrCreate().table(f"{catalog}.{schema}.served_payload")
(_, answers) = steps.shadow(name, "2", payload)
found["shadow"] = [answers.name, answers.metrics["requests_rows"], answers.metrics["mean_difference"] > 0.1]

# ---------------------------------------------------------------------------------------------------------- rollout

done = threading.Event()


def traffic() -> None:
    while not done.is_set():
        with contextlib.suppress(Exception):  # some are to fail
            ask()


people = threading.Thread(target=traffic)
people.start()
try:
    canary = {"endpoint": endpoint, "canary_percent": 50, "watch_seconds": 60, "least_requests": 5}
    # Nothing moves towards an alias that would be refused, nor stays where it is refused in the end ("latest" is MLflow's own).
    for key, alias, wrong, words in (
        ("not approved", "guarded", steps.NotApproved, "wants it approved"),
        ("alias refused", "latest", steps.NotDeployed, "traffic went back to"),
    ):
        try:
            steps.deploy(name, "2", alias=alias, endpoint=endpoint, canary_percent=100)
        except wrong as error:
            found[key] = [words if words in str(error) else str(error), serving()]
    steps.deploy(name, "2", **canary)
    found["deployed"] = [serving(), mlflow.MlflowClient().get_model_version_by_alias(name, "champion").version]
    try:
        steps.deploy(name, "3", **canary)
    except steps.NotDeployed as error:
        found["taken back"] = ["requests failed" in str(error), serving()]
finally:
    done.set()
    people.join()
went = steps.roll_back(name, endpoint=endpoint, reason="for a test")
found["back"] = [went, serving(), bool(np.allclose(ask(), before))]
client.serving_endpoints.delete(endpoint)
Path(out).write_text(json.dumps(found))
