"""Runs of tasks that do not succeed end with them; a trial of AutoML is trained again by its own notebook, and looks up its features."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service import jobs as api
from databricks.sdk.service.workspace import ImportFormat, Language
from mlflow import MlflowClient
from pyspark.sql import SparkSession

from tests.conftest import Server
from tests.training.conftest import Trainer
from tests.training.test_reproduce import reproduced
from tests.training.test_tuning import wait_until

ENDS = {
    "fails": ("raise ValueError('no')", "FAILED"),
    "dies": ("import os\nos._exit(3)", "FAILED"),
    "waits": ("import time\ntime.sleep(600)", "KILLED"),
    "succeeds": ("", "FINISHED"),
}
SEARCHES = """
import json, mlflow
import numpy as np, pandas as pd
from databricks import automl
from databricks.feature_engineering import FeatureEngineeringClient
from boathouse.training.automl import trials

trials._PATIENCE = 0  # each kind once
client = FeatureEngineeringClient()
chance = np.random.default_rng(4)
shops = pd.DataFrame({"shop": range(40), "size": chance.integers(1, 50, 40), "since": "2024-01-01"})
shops["since"] = (pd.Timestamp("2024-01-01") + pd.to_timedelta(chance.integers(0, 300, 40), "D")).strftime("%Y-%m-%d")
client.create_table(name="SCHEMA.shops", primary_keys="shop", df=spark.createDataFrame(shops))
rows = pd.DataFrame({"shop": chance.integers(0, 40, 300), "price": chance.normal(size=300)})
rows["sold"] = rows.merge(shops, on="shop")["size"] + 3 * rows["price"]
spark.createDataFrame(rows).write.saveAsTable("SCHEMA.sold")
found = automl.regress("SCHEMA.sold", target_col="sold", exclude_frameworks=["sklearn", "xgboost"], timeout_minutes=3,
    feature_store_lookups=[{"table_name": "SCHEMA.shops", "lookup_key": "shop"}])
best = found.best_trial
mlflow.register_model(best.model_path, "SCHEMA.sales")
asked = spark.table("SCHEMA.sold").drop("sold")
scored = client.score_batch(model_uri="models:/SCHEMA.sales/1", df=asked).toPandas()
dbutils.notebook.exit(json.dumps({
    "run": best.mlflow_run_id, "r2": best.evaluation_metric_score, "columns": list(scored.columns),
    "error": float((scored["prediction"] - rows["sold"]).abs().mean()),
}))
"""


def test_runs_end_with_the_task_that_has_begun_them(trainer: Trainer) -> None:
    tasks = [
        api.SubmitTask.from_dict({"task_key": name, **trainer.notebook(name, f"import mlflow\nmlflow.start_run()\n{text}")})
        for name, (text, _) in ENDS.items()
    ]
    run_id = trainer.person.client.jobs.submit(run_name="ends", tasks=tasks).response.run_id

    def statuses() -> dict[str, str]:
        found = {name: trainer.runs.get_experiment_by_name(f"{trainer.person.home}/{name}") for name in ENDS}
        return {
            name: run.info.status
            for name, one in found.items()
            if one is not None
            for run in trainer.runs.search_runs([one.experiment_id])
        }

    wait_until(lambda: len(statuses()) == len(ENDS))
    trainer.person.client.jobs.cancel_run(run_id)
    trainer.person.ended(run_id)
    told = statuses()
    # Those that have not come to their end are canceled too.
    assert told["waits"] == "KILLED"
    assert "RUNNING" not in told.values()
    assert {name for name, status in told.items() if status not in {ENDS[name][1], "KILLED"}} == set()


def test_a_run_that_a_file_begins_goes_to_the_experiment_of_its_job(trainer: Trainer) -> None:
    path = trainer.person.put("begins.py", "import mlflow\nmlflow.start_run()\nmlflow.log_metric('reached', 1)", None)
    (ran,) = trainer.person.run({"spark_python_task": {"python_file": path}})
    assert ran.state == "SUCCESS", ran.trace + ran.error
    experiment = trainer.runs.get_experiment_by_name(f"{trainer.person.home}/of a test")
    assert experiment is not None
    (run,) = trainer.runs.search_runs([experiment.experiment_id])
    assert (run.info.status, run.data.metrics) == ("FINISHED", {"reached": 1})


@pytest.mark.timeout(400)
def test_a_trial_is_trained_again_and_looks_up(trainer: Trainer, spark: SparkSession, tmp_path: Path) -> None:
    (ran,) = trainer.person.run(trainer.notebook("search", SEARCHES))
    assert ran.state == "SUCCESS", ran.trace + ran.error + ran.log
    found = json.loads(ran.result or "")
    assert {"size", "since", "prediction"} <= set(found["columns"])
    assert found["r2"] > 0.8
    assert found["error"] < 4

    done = reproduced(trainer, tmp_path, f"models:/{trainer.schema}.sales/1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Reproduced: run {found['run']} by run " in done.stdout
    again = trainer.run(done.stdout.split()[-1])
    assert again.data.tags["boathouse.reproduces"] == f"models:/{trainer.schema}.sales/1"
    assert again.data.metrics == pytest.approx(trainer.run(found["run"]).data.metrics)
    experiment = again.info.experiment_id
    assert {run.info.status for run in trainer.runs.search_runs([experiment])} == {"FINISHED"}


@pytest.mark.timeout(300)
def test_runs_of_a_killed_server_end(new_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch) -> None:
    server = new_server()
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", server.token)
    client = WorkspaceClient(host=server.url, token=server.token)
    text = "# Databricks notebook source\nimport mlflow, time\nmlflow.start_run()\ntime.sleep(600)"
    client.workspace.upload("/Shared/left", text.encode(), format=ImportFormat.SOURCE, language=Language.PYTHON)
    task = api.SubmitTask(task_key="left", notebook_task=api.NotebookTask("/Shared/left"))
    client.jobs.submit(run_name="left", tasks=[task])
    # One of a process that is no task's may be alive.
    MlflowClient(server.url).create_run("0", run_name="mine")

    def statuses(url: str) -> dict[str, str]:
        runs = MlflowClient(url)
        found = runs.search_runs([one.experiment_id for one in runs.search_experiments()])
        return {"mine" if run.info.run_name == "mine" else "left": run.info.status for run in found}

    wait_until(lambda: statuses(server.url) == {"mine": "RUNNING", "left": "RUNNING"})
    server.process.kill()
    server.process.wait()
    again = new_server()
    wait_until(lambda: statuses(again.url) == {"mine": "RUNNING", "left": "KILLED"})
