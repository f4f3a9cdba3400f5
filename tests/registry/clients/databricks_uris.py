"""MLflow with the tracking URI `databricks` and the registry URI `databricks-uc`, and databricks-sdk."""

import io
import json
import os
import sys
from pathlib import Path

import mlflow
import numpy as np
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sklearn.linear_model import LogisticRegression

SCHEMA, OUT = sys.argv[1], Path(sys.argv[2])
NAME = f"{SCHEMA}.delay"


def refused(call, *arguments):
    try:
        call(*arguments)
    except (MlflowException, DatabricksError) as error:
        return [error.error_code, str(error)]
    return None


found = {}
rng = np.random.default_rng(0)
x = rng.random((60, 3))
model = LogisticRegression().fit(x, (x[:, 0] > 0.5).astype(int))
mlflow.set_tracking_uri("databricks")
mlflow.set_registry_uri("databricks-uc")
client = MlflowClient()

mlflow.set_experiment(f"/Shared/{SCHEMA}")
with mlflow.start_run() as run:
    mlflow.log_metric("auc", 0.7)
    mlflow.log_text("hello", "notes/a.txt")
    Path("large.bin").write_bytes(bytes(60 * 1024 * 1024))
    mlflow.log_artifact("large.bin")
    info = mlflow.sklearn.log_model(model, name="model", input_example=x[:2], registered_model_name=NAME)
found["artifact_uri"] = run.info.artifact_uri
found["user"] = client.get_run(run.info.run_id).info.user_id
found["text"] = mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/notes/a.txt")
found["large"] = Path(mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/large.bin")).stat().st_size
version = mlflow.register_model(info.model_uri, NAME)
found["version"] = [version.version, version.status, version.model_id == info.model_id, version.run_id == run.info.run_id]
client.set_registered_model_alias(NAME, "champion", version.version)
found["same"] = bool((mlflow.pyfunc.load_model(f"models:/{NAME}@champion").predict(x) == model.predict(x)).all())
found["versions"] = [[one.version, one.status] for one in client.search_model_versions(f"name='{NAME}'")]
found["models"] = [one.name for one in client.search_registered_models()]
client.set_registered_model_tag(NAME, "team", "ops")
client.set_model_version_tag(NAME, "1", "approval", "rejected")
client.update_model_version(NAME, "1", "the first")
client.update_registered_model(NAME, "late flights")
found["described"] = [client.get_registered_model(NAME).description, client.get_registered_model(NAME).tags]
found["refused"] = {
    "two levels": refused(client.create_registered_model, "main.delay"),
    "no schema": refused(client.create_registered_model, f"{SCHEMA.split('.')[0]}.nowhere.delay"),
    "taken": refused(client.create_registered_model, NAME),
    "unknown": refused(client.get_registered_model, f"{SCHEMA}.unknown"),
    "no version": refused(mlflow.pyfunc.load_model, f"models:/{NAME}/99"),
    "no model": refused(mlflow.pyfunc.load_model, f"models:/{SCHEMA}.unknown/1"),
    "rejected": refused(client.set_registered_model_alias, NAME, "champion", "1"),
}

sdk = WorkspaceClient()
parts = SCHEMA.split(".")
MODELS = "/api/2.1/unity-catalog/models"
got = sdk.registered_models.get(NAME, include_aliases=True)
found["sdk"] = {
    "models": [one.full_name for one in sdk.registered_models.list(catalog_name=parts[0], schema_name=parts[1])],
    "comment": got.comment,
    "aliases": [[one.alias_name, one.version_num] for one in got.aliases],
    "listed aliases": [
        [alias["alias_name"], alias["version_num"]]
        for one in sdk.api_client.do(
            "GET", MODELS, query=dict(zip(("catalog_name", "schema_name"), parts, strict=True)) | {"include_aliases": "true"}
        )["registered_models"]
        for alias in one["aliases"]
    ],
    "alias": sdk.registered_models.set_alias(NAME, "challenger", 2).version_num,
    "by_alias": sdk.model_versions.get_by_alias(NAME, "challenger").version,
    "versions": [one.version for one in sdk.model_versions.list(NAME)],
    "first": [sdk.model_versions.get(NAME, 1).comment, sdk.model_versions.get(NAME, 1).status.value],
    "updated": sdk.registered_models.update(NAME, comment="later").comment,
    "version updated": sdk.model_versions.update(NAME, 1, comment="one").comment,
    "file": sdk.files.download(f"/Models/{NAME.replace('.', '/')}/2/MLmodel").contents.read(16).decode(),
    "final": refused(sdk.files.upload, f"/Models/{NAME.replace('.', '/')}/2/more.txt", io.BytesIO(b"x")),
}
sdk.registered_models.delete_alias(NAME, "challenger")

# A stock client loads what was uploaded through the Files API, and the other way round: there is one registry.
os.environ["MLFLOW_TRACKING_TOKEN"] = os.environ["DATABRICKS_TOKEN"]
mlflow.set_tracking_uri(os.environ["DATABRICKS_HOST"])
mlflow.set_registry_uri(os.environ["DATABRICKS_HOST"])
found["stock"] = bool((mlflow.pyfunc.load_model(f"models:/{NAME}@champion").predict(x) == model.predict(x)).all())
stock = mlflow.register_model(info.model_uri, NAME)
mlflow.set_tracking_uri("databricks")
mlflow.set_registry_uri("databricks-uc")
found["back"] = bool((mlflow.pyfunc.load_model(f"models:/{NAME}/{stock.version}").predict(x) == model.predict(x)).all())
client.delete_model_version(NAME, "1")
sdk.registered_models.delete(NAME)
found["left"] = [one.full_name for one in sdk.registered_models.list(catalog_name=parts[0], schema_name=parts[1])]
OUT.write_text(json.dumps(found))
