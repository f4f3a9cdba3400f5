"""A stock MLflow client: MLFLOW_TRACKING_URI=http://... and MLFLOW_TRACKING_TOKEN, nothing else."""

import json
import sys
from pathlib import Path

import lightgbm
import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sklearn.linear_model import LogisticRegression

SCHEMA, OUT = sys.argv[1], Path(sys.argv[2])
NAME = f"{SCHEMA}.delay"


def refused(call, *arguments):
    try:
        call(*arguments)
    except MlflowException as error:
        return [error.error_code, error.message]
    return None


found = {}
rng = np.random.default_rng(0)
x = rng.random((60, 3))
y = (x[:, 0] > 0.5).astype(int)
client = MlflowClient()

mlflow.set_experiment(f"/Shared/{SCHEMA}")
with mlflow.start_run(run_name="parent", tags={"mlflow.user": "mallory"}) as run:
    for step in range(100):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
    mlflow.log_params({"depth": 3, "rate": 0.1})
    mlflow.set_tag("mlflow.user", "mallory")
    mlflow.log_text("hello", "notes/a.txt")
    with mlflow.start_run(nested=True) as child:
        mlflow.log_metric("loss", 0.5)
    sklearn = mlflow.sklearn.log_model(
        LogisticRegression().fit(x, y), name="linear", input_example=x[:2], registered_model_name=NAME
    )
    boosted = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1, min_child_samples=5).fit(x, y)
    info = mlflow.lightgbm.log_model(boosted, name="boosted", input_example=x[:2])
version = mlflow.register_model(info.model_uri, NAME)
found["status"] = version.status
client.set_registered_model_alias(NAME, "champion", version.version)

logged = client.get_run(run.info.run_id)
found["user"] = [logged.info.user_id, logged.data.tags["mlflow.user"]]
found["last_loss"] = logged.data.metrics["loss"]
found["history"] = len(client.get_metric_history(run.info.run_id, "loss"))
found["parent"] = client.get_run(child.info.run_id).data.tags["mlflow.parentRunId"] == run.info.run_id
found["runs"] = len(mlflow.search_runs(filter_string="metrics.loss < 1"))
found["text"] = mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/notes/a.txt")

found["champion"] = client.get_model_version_by_alias(NAME, "champion").version
loaded = mlflow.pyfunc.load_model(f"models:/{NAME}@champion")
found["same"] = bool((loaded.predict(x) == boosted.predict(x)).all())
found["first"] = mlflow.sklearn.load_model(f"models:/{NAME}/1").predict(x[:2]).shape
found["versions"] = [one.version for one in client.search_model_versions(f"name='{NAME}'")]
found["models"] = [one.name for one in client.search_registered_models()]
copied = client.copy_model_version(f"models:/{NAME}@champion", f"{SCHEMA}.copy")
found["copied"] = mlflow.pyfunc.load_model(f"models:/{SCHEMA}.copy/{copied.version}").predict(x[:2]).shape

# A version's files are its own: they outlive the run's and do not change with them.
client.delete_run(run.info.run_id)
client.delete_logged_model(info.model_id)
found["after_deletion"] = mlflow.pyfunc.load_model(f"models:/{NAME}@champion").predict(x[:2]).shape

client.set_model_version_tag(NAME, "1", "approval", "pending")
found["refused"] = {
    "two levels": refused(client.create_registered_model, "main.delay"),
    "no schema": refused(client.create_registered_model, f"{SCHEMA.split('.')[0]}.nowhere.delay"),
    "taken": refused(client.create_registered_model, NAME),
    "unknown": refused(client.get_registered_model, f"{SCHEMA}.unknown"),
    "pending": refused(client.set_registered_model_alias, NAME, "champion", "1"),
    "stage": refused(client.transition_model_version_stage, NAME, "1", "Production"),
    "rename": refused(client.rename_registered_model, NAME, "main.default.other"),
    "file source": refused(client.create_model_version, NAME, "file:///etc"),
    "traversal": refused(client.create_model_version, NAME, "mlflow-artifacts:/../../etc"),
    "s3 source": refused(client.create_model_version, NAME, "s3://bucket/model"),
    "artifact location": refused(client.create_experiment, f"e-{SCHEMA}", "file:///etc"),
}
client.set_model_version_tag(NAME, "1", "approval", "approved")
client.set_registered_model_alias(NAME, "champion", "1")
found["approved"] = client.get_model_version_by_alias(NAME, "champion").version
client.transition_model_version_stage(NAME, "2", "staging")
client.transition_model_version_stage(NAME, "1", "Staging", archive_existing_versions=True)
found["stages"] = {one.version: one.current_stage for one in client.search_model_versions(f"name='{NAME}'")}
found["latest"] = [one.version for one in client.get_latest_versions(NAME, stages=["Staging"])]
found["staging"] = mlflow.pyfunc.load_model(f"models:/{NAME}/Staging").predict(x[:2]).shape
client.delete_registered_model(f"{SCHEMA}.copy")
OUT.write_text(json.dumps(found))
