"""Code for the older workspace registry: the registry URI `databricks`, models without a catalog, stages, and databricks-sdk."""

import json
import os
import sys
from pathlib import Path

import mlflow
import numpy as np
from databricks.sdk import WorkspaceClient
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sklearn.linear_model import LogisticRegression

NAME, OUT = sys.argv[1].split(".")[0], Path(sys.argv[2])
found = {}
rng = np.random.default_rng(0)
x = rng.random((60, 3))
model = LogisticRegression().fit(x, (x[:, 0] > 0.5).astype(int))
mlflow.set_tracking_uri("databricks")
mlflow.set_registry_uri("databricks")
client = MlflowClient()

mlflow.set_experiment(f"/Shared/{NAME}")
with mlflow.start_run():
    info = mlflow.sklearn.log_model(model, name="model", input_example=x[:2], registered_model_name=NAME)
first = client.get_model_version(NAME, "1")
found["registered"] = [first.name, first.version, first.current_stage]
moved = client.transition_model_version_stage(NAME, "1", "Production")
found["moved"] = [moved.version, moved.current_stage]
found["latest"] = [one.version for one in client.get_latest_versions(NAME, stages=["Production"])]
found["same"] = bool((mlflow.pyfunc.load_model(f"models:/{NAME}/Production").predict(x) == model.predict(x)).all())

mlflow.register_model(info.model_uri, NAME)
client.transition_model_version_stage(NAME, "2", "Production", archive_existing_versions=True)
found["archived"] = {one.version: one.current_stage for one in client.search_model_versions(f"name='{NAME}'")}
folder = Path(mlflow.artifacts.download_artifacts(f"models:/{NAME}/production"))
found["files"] = sorted(one.name for one in folder.iterdir() if one.name in {"MLmodel", "model.pkl"})
try:
    mlflow.pyfunc.load_model(f"models:/{NAME}/Staging")
except MlflowException as error:
    found["gone"] = "No versions of model" in error.message

sdk = WorkspaceClient()
known = sdk.model_registry.get_model(NAME).registered_model_databricks
found["sdk"] = [known.permission_level.value, sorted(one.current_stage for one in known.latest_versions)]

# One registry: a plain client loads by stage, one of the catalog by number and alias only.
os.environ["MLFLOW_TRACKING_TOKEN"] = os.environ["DATABRICKS_TOKEN"]
mlflow.set_tracking_uri(os.environ["DATABRICKS_HOST"])
mlflow.set_registry_uri(os.environ["DATABRICKS_HOST"])
found["plain"] = bool((mlflow.pyfunc.load_model(f"models:/{NAME}/Production").predict(x) == model.predict(x)).all())
mlflow.set_tracking_uri("databricks")
mlflow.set_registry_uri("databricks-uc")
try:
    MlflowClient().transition_model_version_stage(f"main.default.{NAME}", "1", "Production")
except MlflowException as error:
    found["catalog"] = [
        MlflowClient().get_model_version(f"main.default.{NAME}", "2").version,
        "is unsupported" in error.message,
    ]

sdk.model_registry.delete_model_version(NAME, "1")
sdk.model_registry.delete_model(NAME)
found["left"] = [one.name for one in sdk.model_registry.list_models() if NAME in one.name]
OUT.write_text(json.dumps(found))
