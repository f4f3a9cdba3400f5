"""New rows are scored exactly once, whoever is killed meanwhile, by versions that the rows tell."""

import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import mlflow
import pandas as pd
import pytest
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema
from pyspark.sql import SparkSession

from boathouse.deployment import scoring
from tests.conftest import Server

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")

FILES, MODEL = 12, "main.default.twice"


class Times(mlflow.pyfunc.PythonModel):
    """x times a number; negative ones are refused."""

    def __init__(self, number: float) -> None:
        self.number = number

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:  # noqa: ARG002
        if (model_input["x"] < 0).any():
            message = "x is negative"
            raise ValueError(message)
        return model_input["x"] * self.number


def register(number: float) -> str:
    signature = ModelSignature(Schema([ColSpec("double", "x")]), Schema([ColSpec("double")]))
    with mlflow.start_run():
        made = mlflow.pyfunc.log_model(
            name="m",
            python_model=Times(number),
            signature=signature,
            registered_model_name=MODEL,
            pip_requirements=[],
        )
    return str(made.registered_model_version)


PROGRAM = """
import sys
from pyspark.sql import SparkSession
from boathouse.deployment import scoring
spark = SparkSession.builder.remote(sys.argv[1]).create()
scoring.score_new_rows(spark, "models:/MODEL@champion", "main.default.source", "main.default.scored", checkpoint=sys.argv[2],
    options={"maxFilesPerTrigger": "1"}, every_seconds=0.1, told=lambda done: print(done, flush=True))
""".replace("MODEL", MODEL)


def ended(program: "subprocess.Popen[str]") -> None:
    program.kill()
    program.wait()


@pytest.mark.timeout(600)
def test_each_row_once_whoever_is_killed(
    new_server: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = tmp_path / "checkpoint"
    commits = checkpoint / "commits"
    cloudpickle.register_pickle_by_value(sys.modules[__name__])

    def met(server: Server) -> SparkSession:
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
            monkeypatch.setenv(name, server.url)
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", server.token)
        session = SparkSession.builder.remote(server.spark_remote()).create()
        # MLflow asks the active session, and that of a server that is gone answers late.
        kind: Any = type(session)
        kind._active_session.session = kind._default_session = session
        return session

    def continuous(server: Server) -> subprocess.Popen[str]:
        (tmp_path / "program.py").write_text(PROGRAM)
        arguments = [sys.executable, str(tmp_path / "program.py"), server.spark_remote(), str(checkpoint)]
        return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=dict(os.environ))

    def until(done: int) -> None:
        deadline = time.monotonic() + 120
        while not (commits / str(done)).exists():
            assert time.monotonic() < deadline
            assert program.poll() is None
            time.sleep(0.02)

    server = new_server()
    spark = met(server)
    client = mlflow.MlflowClient()
    client.set_registered_model_alias(MODEL, "champion", register(2.0))
    register(3.0)
    spark.sql("CREATE TABLE main.default.source (id INT, x DOUBLE, note STRING)")
    for number in range(FILES):
        spark.sql(f"INSERT INTO main.default.source VALUES ({number}, {number}, 'a'), ({number}, {number} + 0.5, 'b')")

    program = continuous(server)
    until(2)
    ended(program)
    program = continuous(server)
    until(5)
    # The server, and its engine with it, in the middle of a batch.
    server.process.kill()
    server.process.wait()
    ended(program)

    server = new_server()
    spark = met(server)
    client = mlflow.MlflowClient()
    client.set_registered_model_alias(MODEL, "champion", "2")
    scored = scoring.score_new_rows(
        spark, f"models:/{MODEL}@champion", "main.default.source", "main.default.scored", checkpoint=str(checkpoint)
    )
    assert (scored.model, scored.version) == (MODEL, "2")
    _each_row_is_there_once(spark)
    program = continuous(server)
    _follows_the_alias(spark, program, client)
    ended(program)
    _what_is_wrong_is_told(spark, tmp_path)
    _rows_that_the_model_refuses(spark, tmp_path)
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    spark.stop()


def _says(program: "subprocess.Popen[str]", text: str) -> None:
    assert program.stdout is not None
    line = "-"
    while text not in line:
        assert line, "the program has ended"
        line = program.stdout.readline()


def _follows_the_alias(spark: SparkSession, program: "subprocess.Popen[str]", client: mlflow.MlflowClient) -> None:
    assert program.stdout is not None
    # There is nothing new.
    assert "version='2', rows=0" in program.stdout.readline()
    client.set_registered_model_alias(MODEL, "champion", "1")
    _says(program, "version='1'")
    spark.sql("INSERT INTO main.default.source VALUES (100, 100, 'c')")
    _says(program, "rows=1")
    assert [row.model_version for row in spark.sql("SELECT * FROM main.default.scored WHERE id = 100").collect()] == ["1"]


def _what_is_wrong_is_told(spark: SparkSession, folder: Path) -> None:
    for uri, columns, told in (
        (MODEL, None, "is not valid. Valid: models:/catalog.schema.model/3"),
        (f"models:/{MODEL}/1", ["id", "prediction"], "has a column 'prediction' itself"),
    ):
        with pytest.raises(ValueError, match=told):
            scoring.score_new_rows(
                spark, uri, "main.default.source", "main.default.other", checkpoint=str(folder / "c"), columns=columns
            )


def _rows_that_the_model_refuses(spark: SparkSession, folder: Path) -> None:
    source, target, aside = (f"main.default.{name}" for name in ("some", "answered", "refused"))
    # Names of columns in other letters than the model's are the same.
    spark.sql(f"CREATE TABLE {source} (ID INT, X DOUBLE)")
    spark.sql(f"INSERT INTO {source} VALUES (1, 1), (2, -2), (3, 3), (4, -4), (5, 5)")

    def score(**more: Any) -> scoring.Scored:
        return scoring.score_new_rows(spark, f"models:/{MODEL}/1", source, target, checkpoint=str(folder / "some"), **more)

    with pytest.raises(
        scoring.RowRefused, match=rf"^models:/{MODEL}/1 refuses a row: ValueError: x is negative\. The row: x = -2\.0\. "
    ) as told:
        score()
    assert "set_aside=" in str(told.value)
    assert score(set_aside=aside).rows == 5
    assert score(set_aside=aside).rows == 0
    assert {row.ID: row.prediction for row in spark.table(target).collect()} == {1: 2.0, 3: 6.0, 5: 10.0}
    rows = {row.ID: row for row in spark.table(aside).collect()}
    assert {number: (row.X, row.prediction, row.model_version) for number, row in rows.items()} == {
        2: (-2, None, "1"),
        4: (-4, None, "1"),
    }
    assert rows[4]["_quarantine_reason"] == f"models:/{MODEL}/1 refuses a row: ValueError: x is negative. The row: x = -4.0"
    spark.sql("CREATE TABLE main.default.without (id INT)")
    for table, columns, problem in (
        (
            "main.default.without",
            None,
            f"main.default.without has no column 'x', which the model models:/{MODEL}/1 takes. It has: id.",
        ),
        (source, ["id", "y"], f"{source} has no column 'y', which columns names. It has: ID, X."),
    ):
        with pytest.raises(ValueError, match=re.escape(problem)):
            scoring.score_new_rows(spark, f"models:/{MODEL}/1", table, target, checkpoint=str(folder / "none"), columns=columns)


def _each_row_is_there_once(spark: SparkSession) -> None:
    rows = spark.table("main.default.scored").collect()
    assert Counter((row.id, row.x, row.note) for row in rows) == Counter(
        (number, number + more, note) for number in range(FILES) for more, note in ((0.0, "a"), (0.5, "b"))
    )
    assert {row.model_name for row in rows} == {MODEL}
    assert {row.model_version for row in rows} == {"1", "2"}
    assert all(row.prediction == row.x * {"1": 2.0, "2": 3.0}[row.model_version] for row in rows)
    assert all(row.scored_at is not None for row in rows)
