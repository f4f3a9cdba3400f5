"""`boathouse reproduce`: a model version trained again from what was read and installed then."""

import json
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from mlflow import MlflowClient
from pyspark.sql import SparkSession

from boathouse.training.environments import python_with
from tests.conftest import Server, server_environment
from tests.training.conftest import Trainer
from tests.training.test_pins import trained
from tests.workspace.runtime.conftest import Person

TRAINS = """
import json, random
import mlflow
from lib.noise import noise
from sklearn.linear_model import LinearRegression

# COMMAND ----------
data = spark.table("SCHEMA.t").orderBy("x").toPandas()
with mlflow.start_run():
    mlflow.log_metric("other run", 1)
with mlflow.start_run() as run:
    model = LinearRegression().fit(data[["x"]], data["y"])
    mlflow.log_metric("score", model.score(data[["x"]], data["y"]))
    mlflow.log_metric("slope", float(model.coef_[0]) * float(dbutils.widgets.get("factor")))
    mlflow.log_metric("noise", noise())
    mlflow.sklearn.log_model(model, name="model", input_example=data[["x"]], registered_model_name="SCHEMA.line",
                             pip_requirements=["scikit-learn"])
dbutils.notebook.exit(json.dumps({"run": run.info.run_id}))
"""


AT_A_COMMIT = """# Databricks notebook source
# MAGIC %pip install --quiet toolz==0.12.1

# COMMAND ----------
import json, sys
import mlflow, toolz
from lib.number import NUMBER
from sklearn.dummy import DummyRegressor

data = spark.table("SCHEMA.t").orderBy("x").toPandas()
with mlflow.start_run() as run:
    model = DummyRegressor().fit(data[["x"]], data["y"])
    mlflow.log_param("prefix", sys.prefix)
    mlflow.log_metric("mean", float(model.constant_[0][0]))
    mlflow.log_metric("number", NUMBER)
    mlflow.log_metric("toolz", int(toolz.__version__.split(".")[1]))
    mlflow.sklearn.log_model(model, name="model", input_example=data[["x"]], registered_model_name="SCHEMA.mean",
                             pip_requirements=["scikit-learn"])
dbutils.notebook.exit(json.dumps({"run": run.info.run_id}))
"""


def git(at: Path, *arguments: str) -> str:
    who = ["-c", "user.name=me", "-c", "user.email=me@example.com", "-c", "init.defaultBranch=main"]
    return subprocess.run(["git", *who, *arguments], cwd=at, capture_output=True, text=True, check=True).stdout.strip()


def reproduced(trainer: Trainer, folder: Path, model: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "boathouse",
            "reproduce",
            model,
            "--root",
            str(trainer.server.root),
            "--environments",
            str(folder),
        ],
        capture_output=True,
        text=True,
        env=server_environment(trainer.server.config_dir, COLUMNS="200"),
        check=False,
    )


def test_a_model_version_is_trained_again_on_what_it_was_trained_on(
    trainer: Trainer, spark: SparkSession, tmp_path: Path
) -> None:
    spark.sql(f"CREATE TABLE {trainer.schema}.t (x DOUBLE, y DOUBLE)")
    spark.sql(f"INSERT INTO {trainer.schema}.t VALUES (1, 2), (2, 4), (3, 7)")
    trainer.person.put("lib/noise.py", "import random\n\ndef noise():\n    return random.random()\n", language=None)
    (ran,) = trainer.person.run(trainer.notebook("line", TRAINS, factor="10"))
    assert ran.state == "SUCCESS", ran.trace + ran.error + ran.log
    run = json.loads(ran.result or "")["run"]
    # It is in no repository; where the server's own code lies counts for nothing.
    assert not [key for key in trainer.run(run).data.tags if "git" in key.lower()]
    spark.sql(f"INSERT OVERWRITE {trainer.schema}.t VALUES (1, 1)")

    model = f"models:/{trainer.schema}.line/1"
    done = reproduced(trainer, tmp_path, model)
    assert done.returncode == 1, done.stdout + done.stderr
    lines = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line}
    assert lines["slope"][1:] == ["25", "25", "+0", "same"]
    assert (lines["score"][-1], lines["noise"][-1]) == ("same", "DIFFERS")
    assert f"Not reproduced: run {run} by run " in done.stdout
    again = trainer.run(done.stdout.split()[-1])
    assert (again.data.tags["boathouse.reproduces"], trainer.inputs(again.info.run_id)) == (model, {"t": [1]})
    assert [one.version for one in trainer.runs.search_model_versions(f"name='{trainer.schema}.line'")] == ["1"]

    trained(trainer, f"SELECT * FROM {trainer.schema}.t")
    outside = reproduced(trainer, tmp_path, f"models:/{trainer.schema}.m/1")
    assert (outside.returncode, "The code of this run is not recorded" in outside.stderr) == (2, True), outside.stderr
    wrong = reproduced(trainer, tmp_path, "main.s.m")
    assert (wrong.returncode, "write models:/catalog.schema.model/3" in wrong.stderr) == (2, True)
    spark.sql(f"DROP TABLE {trainer.schema}.t")
    gone = reproduced(trainer, tmp_path, model)
    assert (gone.returncode, f"UNDROP TABLE {trainer.schema}.t" in gone.stderr) == (2, True), gone.stderr


@pytest.mark.timeout(400)
def test_a_run_at_a_commit_is_repeated_in_its_packages(
    server: Server, spark: SparkSession, schema: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an admin, who may name a repository on the machine."""
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", server.token)
    spark.sql(f"CREATE TABLE {schema}.t AS SELECT 1.0D AS x, 3.0D AS y")
    name = f"admin{uuid.uuid4().hex[:8]}@example.com"
    token = server.new_principal(name)
    admin = Person(name, token, WorkspaceClient(host=server.url, token=server.token, auth_type="pat"))
    trainer = Trainer(admin, schema, MlflowClient(server.url, registry_uri=server.url), server)
    repository = tmp_path / "churn"
    for path, text in (("notebooks/train.py", AT_A_COMMIT.replace("SCHEMA", schema)), ("lib/number.py", "NUMBER = 7\n")):
        (repository / path).parent.mkdir(parents=True)
        (repository / path).write_text(text)
    git(repository, "init", "-q")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "first")
    commit = git(repository, "rev-parse", "HEAD")
    source = {"git_url": str(repository), "git_provider": "gitHub", "git_branch": "main"}
    task = {"task_key": "train", "notebook_task": {"notebook_path": "notebooks/train"}}
    made = admin.client.api_client.do("POST", "/api/2.1/jobs/runs/submit", body={"tasks": [task], "git_source": source})
    (ran,) = admin.ended(int(made["run_id"]))  # type: ignore[call-overload,index]
    assert ran.state == "SUCCESS", ran.trace + ran.error + ran.log
    run = json.loads(ran.result or "")["run"]
    tags = trainer.run(run).data.tags
    assert {key: value for key, value in tags.items() if "git" in key.lower()} == {
        "mlflow.source.git.commit": commit,
        "mlflow.source.git.branch": "main",
        "mlflow.source.git.repoURL": str(repository),
        "boathouse.gitDirty": "false",
    }
    # What came after it counts for nothing: neither commits nor rows.
    (repository / "lib/number.py").write_text("NUMBER = 8\n")
    git(repository, "commit", "-qam", "second")
    spark.sql(f"INSERT OVERWRITE {schema}.t VALUES (1, 1)")
    environments = tmp_path / "environments"
    done = reproduced(trainer, environments, f"models:/{schema}.mean/1")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line}
    assert [lines[metric] for metric in ("mean", "number", "toolz")] == [[one, one, "+0", "same"] for one in ("3", "7", "12")]
    again = trainer.run(done.stdout.split()[-1]).data
    assert Path(again.params["prefix"]).parent == environments
    assert again.tags["mlflow.source.git.commit"] == commit
    # It is kept: the second time nothing is installed.
    (environment,) = (one for one in environments.iterdir() if one.is_dir())
    before = (environment / "complete").stat().st_mtime_ns
    lock = Path(trainer.runs.download_artifacts(run, "boathouse/environment.txt", str(tmp_path))).read_text()
    assert "\ntoolz==0.12.1\n" in lock
    version = ".".join(map(str, sys.version_info[:3]))
    assert python_with(lock, version, environments) == str(environment / "bin" / "python")
    assert (environment / "complete").stat().st_mtime_ns == before
