"""`boathouse reproduce`: a model version trained again from what was read and installed then."""

import json
import subprocess
import sys
from pathlib import Path

from pyspark.sql import SparkSession

from tests.conftest import server_environment
from tests.training.conftest import Trainer
from tests.training.test_pins import trained

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
