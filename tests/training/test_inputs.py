"""What runs of MLflow have read is recorded by itself, in the version that was read."""

import json

from pyspark.sql import SparkSession

from tests.training.conftest import Trainer

READS = """
import json, mlflow
t = spark.table("SCHEMA.t")
before = t.toPandas()
spark.sql("SELECT * FROM SCHEMA.told").createOrReplaceTempView("v")
spark.table("SCHEMA.t").createOrReplaceTempView("never_read")
spark.table("SCHEMA.unread").schema  # asks for no rows

# COMMAND ----------
import lib.helper
found = {}
with mlflow.start_run() as run:
    found["first"] = run.info.run_id
    spark.sql("SELECT count(*) FROM v").collect()
    with mlflow.start_run(nested=True) as nested:
        found["nested"] = nested.info.run_id
        spark.sql("SELECT * FROM SCHEMA.t VERSION AS OF 0").collect()

# COMMAND ----------
spark.sql("INSERT INTO SCHEMA.t VALUES (3, 'z')")
with mlflow.start_run() as run:
    found["second"] = run.info.run_id
    old = spark.read.format("delta").option("versionAsOf", 0).table("SCHEMA.told").collect()
    t.count()
from mlflow import MlflowClient
client = MlflowClient()
child = client.create_run("0", tags={"mlflow.parentRunId": found["second"]})
found["by hand"] = child.info.run_id
found["stranger"] = client.create_run("0").info.run_id
dbutils.notebook.exit(json.dumps(found))
"""


def test_what_a_notebook_reads_are_the_inputs_of_its_runs(trainer: Trainer, spark: SparkSession) -> None:
    for name in ("t", "told", "unread"):
        spark.sql(f"CREATE TABLE {trainer.schema}.{name} (id BIGINT NOT NULL, s STRING)")
        spark.sql(f"INSERT INTO {trainer.schema}.{name} VALUES (1, 'x'), (2, 'y')")
    trainer.person.put("lib/helper.py", "VALUE = 1\n", language=None)
    (ran,) = trainer.person.run(trainer.notebook("train", READS, depth="3"))
    assert ran.state == "SUCCESS", ran.trace + ran.error + ran.log
    found = json.loads(ran.result or "")

    assert trainer.inputs(found["first"]) == {"t": [0, 1], "told": [1]}
    assert trainer.inputs(found["nested"]) == {"t": [0, 1], "told": [1]}
    assert trainer.inputs(found["second"]) == {"t": [0, 2], "told": [0, 1]}
    assert trainer.inputs(found["by hand"]) == {"t": [2], "told": [0]}
    assert trainer.inputs(found["stranger"]) == {}
    run = trainer.run(found["first"])
    dataset = next(one.dataset for one in run.inputs.dataset_inputs if one.dataset.name == f"{trainer.schema}.told")
    assert json.loads(dataset.schema) == {
        "mlflow_colspec": [
            {"name": "id", "required": True, "type": "long"},
            {"name": "s", "required": False, "type": "string"},
        ]
    }
    assert (json.loads(dataset.profile), dataset.source_type) == ({"num_rows": 2}, "delta_table")

    tags = run.data.tags
    assert tags["mlflow.source.name"] == tags["mlflow.databricks.notebookPath"] == f"{trainer.person.home}/train"
    assert (tags["mlflow.source.type"], tags["mlflow.databricks.jobTaskKey"]) == ("NOTEBOOK", "t0")
    assert tags["mlflow.databricks.jobRunID"] == str(ran.run_id)
    lock = trainer.server.client(trainer.person.token).get(
        "/get-artifact", params={"run_id": run.info.run_id, "path": "boathouse/environment.txt"}
    )
    assert any(line.startswith("mlflow==") for line in lock.text.splitlines())

    code = f"/api/boathouse/v1/training/runs/{run.info.run_id}/code"
    told = trainer.server.client(trainer.person.token).get(code).json()
    assert told["parameters"] == {"depth": "3"}
    assert sorted(told["files"]) == [f"{trainer.person.home}/lib/helper.py", f"{trainer.person.home}/train.py"]
    assert "never_read" in told["files"][told["main"]]
    assert (
        trainer.server.client(trainer.server.new_principal(f"else-{run.info.run_id}@example.com")).get(code).status_code == 403
    )
    assert trainer.server.client("").get(code).status_code == 401
