"""databricks/mlops-stacks: rendered, deployed and run here, with not one line of its notebooks changed.

What its README leaves to the person is done here: catalog and schema are made, its sample of taxi trips is put where its notebooks look, the table
to score is made, and the monitor is switched on in `databricks.yml` once there are predictions.
"""

import hashlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from databricks.sdk import WorkspaceClient
from databricks.sdk.service import jobs
from deltalake import write_deltalake
from pyspark.sql import SparkSession, functions

from tests.conftest import Server
from tests.engine.conftest import connect
from tests.templates.mlops_stacks import render_mlops_stacks, unpack

__all__ = ["connect"]
NAME = "taxi_project"
MODEL = f"dev.{NAME}.{NAME}-model"
PREDICTIONS = f"dev.{NAME}.predictions"
DATASET = "databricks-datasets/nyctaxi-with-zipcodes/subsampled"
ANSWERS = {
    "input_setup_cicd_and_project": "Project_Only",
    "input_project_name": NAME,
    "input_root_dir": "taxi",
    "input_cloud": "aws",
    "input_include_models_in_unity_catalog": "yes",
    "input_schema_name": NAME,
    "input_include_feature_store": "yes",
    "input_inference_table_name": PREDICTIONS,
}


class Project:
    """The rendered project, in the hands of a user of this server."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server, self.user = server, "mlops@example.com"
        self.token = server.new_principal(self.user)
        self.folder = render_mlops_stacks(folder, ANSWERS)
        self.client = WorkspaceClient(host=server.url, token=self.token)
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith(("DATABRICKS_", "BUNDLE_"))}
        self.environment |= {"DATABRICKS_HOST": server.url, "DATABRICKS_TOKEN": self.token, "HOME": str(folder)}

    def bundle(self, *words: str) -> str:
        """`boathouse bundle`, in the project."""
        command = [sys.executable, "-m", "boathouse", "bundle", *words]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=400, check=False
        )
        assert done.returncode == 0, f"{words}\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}"
        return done.stdout

    def sources(self) -> dict[str, str]:
        """What its Python files are, each by a digest."""
        files = sorted(self.folder.rglob("*.py"))
        return {str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def last_run(self, job: str) -> jobs.Run:
        """The newest run of a job."""
        found = next(one for one in self.client.jobs.list(expand_tasks=False) if one.settings.name.endswith(job))
        return next(iter(self.client.jobs.list_runs(job_id=found.job_id, limit=1, expand_tasks=True)))


@pytest.fixture
def project(server: Server, tmp_path: Path, connect: Callable[..., SparkSession]) -> Project:
    made = Project(server, tmp_path)
    admin = connect()
    for statement in ("CREATE CATALOG dev", f"CREATE SCHEMA dev.{NAME}", f"ALTER CATALOG dev SET OWNER TO `{made.user}`"):
        admin.sql(statement).collect()
    # Its notebook makes a schema of this name in the session's catalog, too.
    admin.sql(f"GRANT USE CATALOG, CREATE SCHEMA ON CATALOG main TO `{made.user}`").collect()
    sample = next(unpack(tmp_path / "template").rglob("training/data/sample.parquet"))
    trips = pq.read_table(sample)
    for place, field in enumerate(trips.schema):
        if pa.types.is_timestamp(field.type):
            trips = trips.set_column(place, field.name, trips[field.name].cast(pa.timestamp("us", "UTC")))
    write_deltalake(server.root / "dbfs" / DATASET, trips)
    return made


@pytest.mark.timeout(900)
def test_from_its_template_to_retraining(project: Project, connect: Callable[..., SparkSession]) -> None:
    before = project.sources()
    project.bundle("deploy", "-t", "dev", "--auto-approve")
    spark = connect(project.token)

    project.bundle("run", "write_feature_table_job", "-t", "dev")
    pickups = project.client.tables.get(f"dev.{NAME}.trip_pickup_features")
    key = pickups.table_constraints[0].primary_key_constraint
    assert (key.child_columns, key.timeseries_columns) == (["zip", "tpep_pickup_datetime"], ["tpep_pickup_datetime"])
    assert spark.table(f"dev.{NAME}.trip_dropoff_features").count() > 1000

    # Trained with look-ups, validated against thresholds by mlflow.evaluate, and given the alias.
    project.bundle("run", "model_training_job", "-t", "dev")
    version = project.client.model_versions.get(MODEL, 1)
    assert "Model Validation Status: SUCCESS" in str(version.comment), validation(project, str(version.comment), "error.txt")
    told = dict(line.split()[:2] for line in validation(project, str(version.comment), "metrics.txt").splitlines())
    assert float(told["root_mean_squared_error"]) < 6
    aliases = {
        one.alias_name: one.version_num for one in project.client.registered_models.get(MODEL, include_aliases=True).aliases
    }
    assert aliases == {"champion": 1}
    spec = feature_spec(project)
    assert [one["table"] for one in spec["lookups"]] == [
        f"dev.{NAME}.trip_pickup_features",
        f"dev.{NAME}.trip_dropoff_features",
    ]
    assert spec["features_order"][:3] == ["trip_distance", "pickup_zip", "dropoff_zip"]

    spark.sql(f"""
        CREATE TABLE dev.{NAME}.feature_store_inference_input AS
        SELECT trip_distance, pickup_zip, dropoff_zip, fare_amount AS price,
               date_trunc('HOUR', tpep_pickup_datetime) AS rounded_pickup_datetime,
               date_trunc('HOUR', tpep_dropoff_datetime) AS rounded_dropoff_datetime
        FROM delta.`dbfs:/{DATASET}` LIMIT 500""").collect()
    project.bundle("run", "batch_inference_job", "-t", "dev")
    count, error, models = spark.sql(f"""
        SELECT count(*), sqrt(avg(pow(prediction - price, 2))), array_join(collect_set(model_id), ',') FROM {PREDICTIONS}""").collect()[0]
    assert (count, models) == (500, "1")
    assert error < 10

    # The monitor, and the job that asks it whether to train again: not for one window that is well, but for two that are not.
    bundle = project.folder / "databricks.yml"
    bundle.write_text(
        bundle.read_text().replace("# - ./resources/monitoring-resource.yml", "- ./resources/monitoring-resource.yml")
    )
    project.bundle("deploy", "-t", "dev", "--auto-approve")
    refresh(project)
    metrics = (
        f"SELECT root_mean_squared_error FROM {PREDICTIONS}_profile_metrics WHERE column_name = ':table' AND slice_key IS NULL"
    )
    told = spark.sql(f"{metrics} AND model_id = '1' AND log_type = 'INPUT'").collect()
    assert [round(row[0], 6) for row in told] == [round(error, 6)]
    project.bundle("run", "retraining_job", "-t", "dev")
    assert states(project.last_run("monitoring-retraining-job"))["trigger_retraining"] == "EXCLUDED"
    late = spark.table(PREDICTIONS).withColumn("price", functions.col("price") + 1000)
    for days in (1, 2):
        late.withColumn("timestamp", functions.expr(f"timestamp + INTERVAL {days} DAYS")).write.insertInto(PREDICTIONS)
    refresh(project)
    job = next(one for one in project.client.jobs.list() if one.settings.name.endswith("monitoring-retraining-job"))
    project.client.jobs.run_now(job.job_id)
    started = waited(
        lambda: project.last_run("model-training-job"), lambda run: run.trigger and run.trigger.value == "RUN_JOB_TASK"
    )
    project.client.jobs.cancel_run_and_wait(project.last_run("monitoring-retraining-job").run_id)
    assert started.state is not None
    assert project.sources() == before


def feature_spec(project: Project) -> dict[str, Any]:
    """What the first version of the model looks up, as its files say it."""
    file = project.client.files.download(f"/Models/{MODEL.replace('.', '/')}/1/MLmodel").contents
    return yaml.safe_load(file.read())["metadata"]["feature_spec"]


def validation(project: Project, comment: str, file: str) -> str:
    """A file that the validation has left at its run."""
    experiment, run = re.search(r"experiments/(\d+)/runs/(\w+)", comment).groups()
    path = f"/WorkspaceInternal/Mlflow/Artifacts/{experiment}/Runs/{run}/artifacts/{file}"
    return project.client.files.download(path).contents.read().decode()


def refresh(project: Project) -> None:
    asked = project.client.quality_monitors.run_refresh(PREDICTIONS)
    done = waited(
        lambda: project.client.quality_monitors.get_refresh(PREDICTIONS, str(asked.refresh_id)),
        lambda one: one.state.value not in {"PENDING", "RUNNING"},
    )
    assert done.state.value == "SUCCESS", done.message


def states(run: jobs.Run) -> dict[str, str]:
    return {task.task_key: task.state.result_state.value if task.state.result_state else "" for task in run.tasks}


def waited(ask: Callable[[], Any], until: Callable[[Any], Any]) -> Any:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        found = ask()
        if until(found):
            return found
        time.sleep(0.3)
    message = f"still {found}"
    raise AssertionError(message)
