"""What a model version was trained on stays readable until the version is deleted, and a run's rows can be read again."""

import subprocess
import sys
import uuid
from collections.abc import Callable

import pytest
from mlflow import MlflowClient
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from tests.conftest import Server, server_environment
from tests.models import MLMODEL
from tests.training.conftest import Trainer

MLFLOW, PINS = "/api/2.0/mlflow", "/api/boathouse/v1/pins"


def trained(trainer: Trainer, *queries: str) -> str:
    """A run of a client outside that has read something, and registered a model; the run."""
    source = uuid.uuid4().hex
    token, http = trainer.person.token, trainer.server.client(trainer.person.token)
    spark = SparkSession.builder.remote(f"{trainer.server.spark_remote(token)};x-boathouse-source={source}").create()
    for query in queries:
        spark.sql(query).collect()
    spark.stop()
    run = trainer.runs.create_run("0", tags={"boathouse.source": source}).info.run_id
    body = {"experiment_id": "0", "name": "m", "source_run_id": run}
    model = http.post(f"{MLFLOW}/logged-models", json=body).json()["model"]["info"]["model_id"]
    http.put(f"/api/2.0/mlflow-artifacts/artifacts/0/models/{model}/artifacts/MLmodel", content=MLMODEL).raise_for_status()
    name = f"{trainer.schema}.m"
    http.post(f"{MLFLOW}/registered-models/create", json={"name": name})
    body = {"name": name, "source": f"models:/{model}", "run_id": run, "model_id": model}
    http.post(f"{MLFLOW}/model-versions/create", json=body).raise_for_status()
    return run


def pins(server: Server, name: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "boathouse", "pins", name, "--root", str(server.root)]
    environment = server_environment(server.config_dir, COLUMNS="200")
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def at(spark: SparkSession, table: str, version: int) -> list[int]:
    return sorted(row.id for row in spark.sql(f"SELECT id FROM {table} VERSION AS OF {version}").collect())


def test_vacuum_keeps_what_a_model_version_was_trained_on(
    server: Server, trainer: Trainer, spark: SparkSession, grant: Callable[..., None]
) -> None:
    table = f"{trainer.schema}.t"
    spark.sql(f"CREATE TABLE {table} (id BIGINT) TBLPROPERTIES ('delta.checkpointInterval' = '2')")
    for number in (1, 2, 3):
        spark.sql(f"INSERT OVERWRITE {table} VALUES ({number})")
    run = trained(trainer, f"SELECT * FROM {table} VERSION AS OF 1")
    assert trainer.inputs(run) == {"t": [1]}
    model = f"{trainer.schema}.m"
    (pin,) = trainer.server.client(trainer.person.token).get(PINS, params={"table_name": table}).json()["pins"]
    assert (pin["table_version"], pin["model"], pin["model_version"]) == (1, model, 1)
    assert trainer.server.client(trainer.person.token).get(PINS, params={"model_name": model, "model_version": 1}).json() == {
        "pins": [pin]
    }

    spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('delta.logRetentionDuration' = 'interval 0 seconds')")
    for number in range(4, 10):
        spark.sql(f"INSERT OVERWRITE {table} VALUES ({number})")
    spark.sql("SET spark.databricks.delta.retentionDurationCheck.enabled = false")
    dry = {row.path for row in spark.sql(f"VACUUM {table} RETAIN 0 HOURS DRY RUN").collect()}
    assert len(dry) == 7
    spark.sql(f"VACUUM {table} RETAIN 0 HOURS")
    assert at(spark, table, 1) == [1]
    with pytest.raises(PySparkException):
        at(spark, table, 2)

    # The rows of then, with the grants of now, and nothing is changed.
    then = SparkSession.builder.remote(f"{server.spark_remote(trainer.person.token)};x-boathouse-as-of={run}").create()
    assert [row.id for row in then.table(table).collect()] == [1]
    # A training set asks for the version that a table has, and reads that one.
    assert [row.version for row in then.sql(f"DESCRIBE HISTORY {table} LIMIT 1").collect()] == [1]
    with pytest.raises(PySparkException, match="reads tables as run"):
        then.sql(f"INSERT INTO {table} VALUES (9)").collect()
    with pytest.raises(PySparkException, match="reads tables as run"):
        then.sql(f"DROP TABLE {table}").collect()
    then.stop()

    stranger = f"s{uuid.uuid4().hex[:8]}@example.com"
    client = server.client(server.new_principal(stranger))
    assert client.get(PINS, params={"table_name": table}).status_code in {403, 404}
    grant("catalog", "main", stranger, "USE_CATALOG")
    grant("schema", trainer.schema, stranger, "USE_SCHEMA")
    grant("table", table, stranger, "SELECT")
    (hidden,) = client.get(PINS, params={"table_name": table}).json()["pins"]
    assert (hidden["table_version"], hidden["model"], hidden["model_version"]) == (1, None, None)
    assert server.client("").get(PINS, params={"table_name": table}).status_code == 401
    assert client.get(PINS).json()["error_code"] == "INVALID_PARAMETER_VALUE"

    assert f"models:/{model}/1" in pins(server, table).stdout
    missing = pins(server, f"{table}_none")
    assert (missing.returncode, missing.stderr) == (1, f"Error TABLE_DOES_NOT_EXIST: Table '{table}_none' does not exist.\n")
    missing = pins(server, f"models:/{model}/99")
    assert missing.returncode == 1, missing.stdout
    assert "Error RESOURCE_DOES_NOT_EXIST: " in missing.stderr
    assert "99" in missing.stderr

    MlflowClient(server.url, registry_uri=server.url).delete_model_version(model, "1")
    spark.sql(f"VACUUM {table} RETAIN 0 HOURS")
    with pytest.raises(PySparkException):
        at(spark, table, 1)
    assert "boathouse.logIsHeld" not in {row.key for row in spark.sql(f"SHOW TBLPROPERTIES {table}").collect()}
    spark.sql("SET spark.databricks.delta.retentionDurationCheck.enabled = true")
