"""Tuning: studies that are runs, killed in the middle and gone on with; code written for Databricks; trials on the engine."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import psutil
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from pyspark.sql import SparkSession

from boathouse.training.tuning import tune
from tests.conftest import Server
from tests.training.conftest import Trainer

PROGRAM = """
import json, os, sys, time
from pathlib import Path
import mlflow, optuna
from boathouse.training.tuning import tune

def objective(trial):
    x = trial.suggest_float("x", 0, 4)
    kind = trial.suggest_categorical("kind", ["a", None])
    mlflow.log_metric("mine", x)
    for step in range(2):
        trial.report(x + step, step)
    if trial.number == 1:
        raise optuna.TrialPruned
    if trial.number == 2:
        os.kill(os.getpid(), 9)
    if trial.number == 3:
        raise KeyError(x)
    if trial.number in (4, 5):
        Path(f"at-{trial.number}").touch()
        time.sleep(600)
    return (x - 2) ** 2

heard = []
study = tune(
    objective, study_name=sys.argv[1], experiment=sys.argv[1], n_trials=6, n_jobs=int(sys.argv[2]), catch=KeyError,
    sampler=optuna.samplers.RandomSampler(), callbacks=[lambda study, trial: heard.append(trial.number)],
)
print(json.dumps({"trials": len(study.trials), "best": study.best_value, "heard": sorted(heard)}))
"""
AS_ON_DATABRICKS = """
import json, mlflow, optuna
from mlflow.optuna.storage import MlflowStorage
from mlflow.pyspark.optuna.study import MlflowSparkStudy
from pyspark.sql import SparkSession

rows = SparkSession.builder.getOrCreate().table("SCHEMA.points").toPandas()

def objective(trial):
    x = trial.suggest_float("x", -10, 10)
    with mlflow.start_run(nested=True):
        mlflow.log_metric("seen", len(rows))
    return (x - rows["x"].mean()) ** 2

storage = MlflowStorage(experiment_id=mlflow.set_experiment("/Users/USER/spark-study").experiment_id)
study = MlflowSparkStudy(study_name="points", storage=storage)
study.optimize(objective, n_trials=3, n_jobs=2)
again = MlflowSparkStudy(study_name="points", storage=storage)
again.optimize(objective, n_trials=1)

# COMMAND ----------
from boathouse.training.tuning import tune
space = {"x": optuna.distributions.FloatDistribution(-10, 10), "kind": optuna.distributions.CategoricalDistribution(["a", None])}

def on_engine(trial):
    if trial.number == 1:
        raise ValueError("not this one")
    return (trial.suggest_float("x", -10, 10) - 2) ** 2 + (trial.suggest_categorical("kind", ["a", None]) is None)

found = tune(on_engine, study_name="on the engine", n_trials=5, n_jobs=3, on="engine", space=space, catch=Exception)
dbutils.notebook.exit(json.dumps({
    "resumed": again.is_resumed_study, "trials": len(again.trials), "best": again.best_params["x"],
    "experiment": storage._experiment_id, "study": again._study_id,
    "engine": [trial.state.name for trial in found.trials], "values": [trial.value for trial in found.trials],
}))
"""

BY_HYPEROPT = """
import json, mlflow, os
import numpy as np
from hyperopt import STATUS_OK, SparkTrials, fmin, hp, tpe

shift = 2

def lost(point):
    mlflow.log_metric("seen", 1)
    if point["x"] > 3.5:
        os._exit(3)  # the first trial, which takes a neighbour along, and not the search
    if point["x"] > 0:
        raise ValueError("not above 0")
    return {"loss": (point["x"] + shift) ** 2, "status": STATUS_OK}

tried = SparkTrials(parallelism=2)
with mlflow.start_run() as parent:
    least = fmin(lost, {"x": hp.uniform("x", -5, 5)}, algo=tpe.suggest, max_evals=6, trials=tried,
        rstate=np.random.default_rng(3), show_progressbar=False)
dbutils.notebook.exit(json.dumps({
    "run": parent.info.run_id, "experiment": parent.info.experiment_id, "x": float(least["x"]), "losses": tried.losses(),
    "counts": [tried.count_successful_trials(), tried.count_failed_trials(), tried.count_total_trials()],
}))
"""


def wait_until(done: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def trials(client: MlflowClient, experiment: str, study: str) -> dict[int, Run]:
    found = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{study}'")
    return {int(run.data.tags["numbers"]): run for run in found if "numbers" in run.data.tags}


def test_a_study_that_is_killed_goes_on(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    name = f"study {uuid.uuid4().hex[:8]}"
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")},
        "MLFLOW_TRACKING_URI": server.url,
        "MLFLOW_TRACKING_TOKEN": server.token,
    }

    def start(jobs: int) -> subprocess.Popen[str]:
        command = [sys.executable, "program.py", name, str(jobs)]
        return subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)

    first = start(2)
    wait_until(lambda: all((tmp_path / f"at-{one}").exists() for one in (4, 5)))
    below = psutil.Process(first.pid).children(recursive=True)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert psutil.wait_procs(below, timeout=20)[1] == []

    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", server.token)
    client = MlflowClient(server.url)
    found = client.get_experiment_by_name(name)
    assert found
    experiment = found.experiment_id
    (study,) = client.search_runs([experiment], f"tags.mlflow.runName = '{name}'")
    runs = trials(client, experiment, study.info.run_id)
    assert {number: run.info.status for number, run in runs.items()} == {
        0: "FINISHED",
        1: "KILLED",
        2: "FAILED",
        3: "FAILED",
        4: "RUNNING",
        5: "RUNNING",
    }
    good = runs[0].data
    assert good.metrics["value"] == pytest.approx((float(good.params["x"]) - 2) ** 2)
    assert good.metrics["mine"] == pytest.approx(float(good.params["x"]))
    assert [one.value for one in client.get_metric_history(runs[0].info.run_id, "intermediate_value")] == pytest.approx(
        [float(good.params["x"]) + step for step in range(2)]
    )
    states = [runs[number].data.tags["optuna.trial_state"] for number in range(4)]
    assert states == ["COMPLETE", "PRUNED", "FAIL", "FAIL"]
    assert runs[2].data.tags["sys_lost"] == '"its process ended with SIGKILL"'
    assert [one.path for one in client.list_artifacts(runs[3].info.run_id)] == ["error_message.txt"]

    second = start(2)
    answer = json.loads(second.communicate(timeout=150)[0].splitlines()[-1])
    assert second.returncode == 0
    runs = trials(client, experiment, study.info.run_id)
    assert [runs[number].info.status for number in range(10)] == ["FINISHED", "KILLED", *["FAILED"] * 4, *["FINISHED"] * 4]
    assert runs[4].data.tags["sys_lost"] == runs[5].data.tags["sys_lost"] == '"its process was gone"'
    assert "sys_lost" not in runs[3].data.tags
    assert answer == {
        "trials": 10,
        "best": min(run.data.metrics["value"] for run in runs.values() if run.info.status == "FINISHED"),
        "heard": [6, 7, 8, 9],
    }
    parent = client.get_run(study.info.run_id)
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics["best_value"] == answer["best"]
    best = runs[int(parent.data.tags["best_trial"])]
    assert parent.data.tags["best_run"] == best.info.run_id
    assert json.loads(parent.data.tags["best_params"])["x"] == pytest.approx(float(best.data.params["x"]))

    third = start(1)
    assert json.loads(third.communicate(timeout=100)[0].splitlines()[-1]) == answer | {"heard": []}


def test_code_of_databricks_and_trials_on_the_engine(trainer: Trainer, spark: SparkSession) -> None:
    spark.sql(f"CREATE TABLE {trainer.schema}.points AS SELECT CAST(id AS DOUBLE) AS x FROM range(5)")
    (ran,) = trainer.person.run(trainer.notebook("study", AS_ON_DATABRICKS.replace("USER", trainer.person.name)))
    assert ran.state == "SUCCESS", ran.trace + ran.error + ran.log
    found = json.loads(ran.result or "")
    assert (found["resumed"], found["trials"]) == (True, 4)
    runs = trials(trainer.runs, found["experiment"], found["study"])
    assert [runs[number].info.status for number in range(4)] == ["FINISHED"] * 4
    best = min(runs.values(), key=lambda run: run.data.metrics["value"])
    assert float(best.data.params["x"]) == found["best"]
    assert trainer.inputs(best.info.run_id) == trainer.inputs(found["study"]) == {"points": [0]}
    assert found["engine"] == ["COMPLETE", "FAIL", *["COMPLETE"] * 3]
    assert all((value is None) == (state == "FAIL") for state, value in zip(found["engine"], found["values"], strict=True))


@pytest.mark.timeout(300)
def test_spark_trials_of_hyperopt_are_processes_and_runs(trainer: Trainer) -> None:
    (ran,) = trainer.person.run(trainer.notebook("least", BY_HYPEROPT))
    assert ran.state == "SUCCESS", ran.trace + ran.error + ran.log
    found = json.loads(ran.result or "")
    good, bad, all_of_them = found["counts"]
    assert all_of_them == good + bad == 6
    assert good
    assert bad
    runs = trainer.runs.search_runs([found["experiment"]], f"tags.mlflow.parentRunId = '{found['run']}'")
    assert sorted(run.info.status for run in runs) == ["FAILED"] * bad + ["FINISHED"] * good
    least = min((run for run in runs if "loss" in run.data.metrics), key=lambda run: run.data.metrics["loss"]).data
    assert (float(least.params["x"]), least.metrics["seen"]) == (pytest.approx(found["x"]), 1)
    assert least.metrics["loss"] == pytest.approx((found["x"] + 2) ** 2) == pytest.approx(min(found["losses"]))
    failed = next(run for run in runs if run.info.status == "FAILED")
    assert [one.path for one in trainer.runs.list_artifacts(failed.info.run_id)] == ["error_message.txt"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "n_trials or timeout has to say"),
        ({"n_trials": 0}, "n_trials is 0; it is a number greater"),
        ({"n_trials": 1, "n_jobs": 0}, "n_jobs is 0"),
        ({"n_trials": 1, "direction": "up"}, "direction is 'up'; it is minimize or maximize"),
        ({"n_trials": 1, "direction": "minimize", "directions": ["minimize"]}, "give one of them"),
        ({"n_trials": 1, "on": "cluster"}, "on is 'cluster'; it is processes or engine"),
        ({"n_trials": 1, "on": "engine"}, "space and on='engine' go together"),
        ({"n_trials": 1, "space": {"x": optuna.distributions.FloatDistribution(0, 1)}}, "space and on='engine' go together"),
    ],
)
def test_what_is_wrong_is_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tune(lambda _: 0.0, study_name="never", **given)
