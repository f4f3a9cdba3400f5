"""New rows are scored once each by models that look features up: as of the rows' times, in the tables as they are then."""

import datetime as dt
import json
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from databricks.sdk import WorkspaceClient
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from sklearn.linear_model import LinearRegression

from boathouse.deployment import steps
from boathouse.deployment.scoring import Scored, score_new_rows
from boathouse.engine.as_of.request import HINT, ROWS_HINT
from boathouse.features.client import FeatureEngineeringClient, FeatureFunction, FeatureLookup, FeatureTables
from boathouse.features.client.as_of import FeatureRows, join_features
from tests.conftest import Server

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")

ROWS = "id int, origin string, at timestamp, distance double"


def hour(number: float) -> dt.datetime:
    return dt.datetime(2024, 1, 1, tzinfo=dt.UTC) + dt.timedelta(hours=number)


@pytest.fixture
def schema(spark: SparkSession) -> str:
    name = f"main.rows_{uuid.uuid4().hex[:8]}"
    spark.sql(f"CREATE SCHEMA {name}")
    return name


@pytest.mark.timeout(400)
def test_new_rows_of_models_with_look_ups(
    server: Server, spark: SparkSession, schema: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "DATABRICKS_HOST": server.url,
        "DATABRICKS_TOKEN": server.token,
        "MLFLOW_TRACKING_URI": "databricks",
        "MLFLOW_REGISTRY_URI": "databricks-uc",
    }.items():
        monkeypatch.setenv(name, value)
    fe = FeatureEngineeringClient(tables=FeatureTables(spark, WorkspaceClient(host=server.url, token=server.token)))
    fe.create_table(
        name=f"{schema}.weather",
        primary_keys=["origin", "hour"],
        timeseries_columns="hour",
        df=spark.createDataFrame(
            [("a", hour(0), 1.0), ("a", hour(2), 2.0), ("b", hour(1), 7.0), ("a", hour(9), 4.0)],
            "origin string, hour timestamp, temp double",
        ),
    )
    fe.create_table(
        name=f"{schema}.airports",
        primary_keys="origin",
        df=spark.createDataFrame([("a", 1.0), ("b", 2.0)], "origin string, far double"),
    )
    spark.sql(f"CREATE FUNCTION {schema}.twice(x DOUBLE) RETURNS DOUBLE RETURN 2 * x")
    twice = FeatureFunction(udf_name=f"{schema}.twice", input_bindings={"x": "distance"}, output_name="far")

    weather = FeatureLookup(
        f"{schema}.weather",
        lookup_key="origin",
        timestamp_lookup_key="at",
        lookback_window=dt.timedelta(hours=6),
        default_values={"temp": 100.0},
    )
    airports = FeatureLookup(f"{schema}.airports", "origin", default_values={"far": -1.0})
    train = spark.createDataFrame([(n, "a", hour(n % 3), float(n * n)) for n in range(9)], ROWS).selectExpr("*", "0d AS late")
    with mlflow.start_run(experiment_id=mlflow.create_experiment(f"/new-rows-{schema}")):
        for found in (twice, airports):
            fe.log_model(
                model=LinearRegression(fit_intercept=False).fit(np.eye(3), [3.0, 1.0, 5.0]),
                artifact_path="model",
                flavor=mlflow.sklearn,
                training_set=fe.create_training_set(
                    df=train, feature_lookups=[weather, found], label="late", exclude_columns=["id", "origin", "at"]
                ),
                registered_model_name=f"{schema}.delays",
                pip_requirements=["scikit-learn"],
            )
    source, target, checkpoint = f"{schema}.flights", f"{schema}.scored", tmp_path / "checkpoint"
    spark.sql(f"CREATE TABLE {source} (id INT, origin STRING, at TIMESTAMP, distance DOUBLE)")

    def arrive(*rows: tuple[int, str, float, float]) -> None:
        given = [(number, origin, hour(at), distance) for number, origin, at, distance in rows]
        spark.createDataFrame(given, ROWS).write.mode("append").saveAsTable(source)

    def score(version: int, columns: list[str] | None = None) -> Scored:
        uri = f"models:/{schema}.delays/{version}"
        return score_new_rows(spark, uri, source, target, checkpoint=str(checkpoint), columns=columns)

    kept = ["id", "distance", "temp"]
    # In time, on the bound of the look-back, before everything, too old, and of nowhere.
    arrive((1, "a", 1.5, 1.0), (2, "a", 8.0, 2.0), (3, "a", -1.0, 3.0), (4, "a", 8.5, 4.0), (5, "z", 2.0, 5.0))
    assert score(1, kept).rows == 5
    # What is known only now is found only by the rows that come now; Polars joins, where it is asked to.
    spark.conf.set("spark.boathouse.asOfJoin", "local")
    try:
        fe.write_table(
            name=f"{schema}.weather",
            df=spark.createDataFrame([("a", hour(1), 50.0)], "origin string, hour timestamp, temp double"),
        )
        arrive((6, "a", 1.5, 1.0))
        assert score(1, kept).rows == 1
    finally:
        spark.conf.unset("spark.boathouse.asOfJoin")
    assert score(1, kept).rows == 0
    # Killed between the commit to the target and the checkpoint's: the batch is done again, and its rows are there once.
    last = max((checkpoint / "commits").iterdir(), key=lambda one: int(one.name) if one.name.isdigit() else -1)
    last.unlink()
    arrive((7, "a", 1.5, 1.0), (8, "b", 1.5, 1.0), (9, "w", 1.5, 1.0))
    score(2, kept)
    rows = {row.id: row for row in spark.table(target).collect()}
    assert Counter(row.id for row in spark.table(target).collect()) == Counter(range(1, 10))
    temps = {1: 1.0, 2: 2.0, 3: 100.0, 4: 100.0, 5: 100.0, 6: 50.0, 7: 50.0, 8: 7.0, 9: 100.0}
    assert {number: row.temp for number, row in rows.items()} == temps
    far = {7: 1.0, 8: 2.0, 9: -1.0}
    for number, row in rows.items():
        assert row.prediction == pytest.approx(3 * row.distance + temps[number] + 5 * far.get(number, 2 * row.distance))
        assert (row.model_name, row.model_version) == (f"{schema}.delays", "1" if number < 7 else "2")
        assert row.scored_at is not None
    _streams_elsewhere(spark, schema, fe, source)
    _is_evaluated_and_shadowed(spark, schema, fe, source)


def _is_evaluated_and_shadowed(spark: SparkSession, schema: str, fe: FeatureEngineeringClient, source: str) -> None:
    # Rows and requests have the keys and times alone; what a request gives itself is not looked up.
    name, flights = f"{schema}.delays", spark.table(source)
    scored = fe.score_batch(model_uri=f"models:/{name}/2", df=flights)
    rows = scored.select("id", "origin", "at", "distance", scored["prediction"].alias("late"))
    exact = steps.Threshold("max_error", at_most=1e-9)
    findings = steps.evaluate(name, 2, rows, target="late", thresholds=[exact], champion=None)
    assert findings[-1].details["columns"].keys() == {"distance", "temp", "far"}
    asked = [{"origin": row.origin, "at": row.at.isoformat(), "distance": row.distance} for row in rows.orderBy("id").collect()]
    answers = [row.late for row in rows.orderBy("id").collect()]
    asked[0]["temp"], asked[1]["temp"] = 10.0, None
    answers[0] += 10.0 - 50.0

    def payload(*bodies: Any) -> pd.DataFrame:
        said = [json.dumps({"predictions": answers}) for _ in bodies]
        now = [int(time.time() * 1000)] * len(bodies)
        given = [json.dumps(body) for body in bodies]
        return pd.DataFrame({"timestamp_ms": now, "status_code": 200, "request": given, "response": said})

    unnamed = {"instances": [[1.0, 2.0, 3.0] for _ in answers]}
    (_, found) = steps.shadow(name, 2, payload({"instances": asked}, unnamed), most_different=1e-9)
    assert (found.metrics["requests_rows"], found.metrics["unread_requests"]) == (9.0, 1.0)
    with pytest.raises(steps.NotPassed, match="None of the 1 requests of the last 24 hours could be asked again"):
        steps.shadow(name, 2, payload(unnamed))
    without = [{key: value for key, value in one.items() if key != "origin"} for one in asked]
    with pytest.raises(steps.NotPassed, match=r"look-ups \(The features of .* names 'origin', which is no column"):
        steps.shadow(name, 2, payload({"dataframe_records": without}))


def _streams_elsewhere(spark: SparkSession, schema: str, fe: FeatureEngineeringClient, source: str) -> None:
    # score_batch takes a stream too, and what it needs is named where it is missing.
    uri, rows = f"models:/{schema}.delays/1", spark.readStream.table(source)
    view = f"scored_{schema.rpartition('.')[2]}"
    scored = fe.score_batch(model_uri=uri, df=rows).writeStream.format("memory").queryName(view)
    scored.trigger(availableNow=True).start().awaitTermination()
    assert spark.table(view).count() == 9
    with pytest.raises(ValueError, match="df has no column 'distance', which the model"):
        fe.score_batch(model_uri=uri, df=rows.drop("distance"))
    # Features that are a stream themselves would be known in part only.
    features = FeatureRows(spark.readStream.table(f"{schema}.weather"), ("origin",), "hour")
    found = join_features(rows.hint(ROWS_HINT), ["origin"], features, {"temp": "temp"}, "at")
    with pytest.raises(PySparkException, match="A stream of features is not supported"):
        found.hint(HINT, "{}").writeStream.format("noop").start()
