"""Queries that ask endpoints: ``ai_query`` in SQL and DataFrames of a stock Spark Connect client, with real model servers."""

import json
import re
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import cloudpickle
import mlflow
import pandas as pd
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.serving import (
    AutoCaptureConfigInput,
    EndpointCoreConfigInput,
    ServedEntityInput,
    ServingEndpointAccessControlRequest,
    ServingEndpointPermissionLevel,
)
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql.functions import avg, call_function, expr, lit
from pyspark.sql.types import ArrayType, DoubleType

from boathouse.workspace.runtime.model_function import spark_udf
from tests.conftest import Server

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")


class Sum(mlflow.pyfunc.PythonModel):
    """a + b, times a parameter; negative ones are refused."""

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:  # noqa: ARG002
        if (model_input["a"] < 0).any():
            message = "a is negative"
            raise ValueError(message)
        return (model_input["a"] + model_input["b"]) * (params or {}).get("times", 1.0)


class Place:
    """A schema with an endpoint and a table of 10,000 rows."""

    def __init__(self, server: Server, spark: SparkSession) -> None:
        self.server, self.spark = server, spark
        self.name = f"s{uuid.uuid4().hex[:8]}"
        self.schema = f"main.{self.name}"
        self.sum = f"sum-{self.name}"
        self.client = WorkspaceClient(host=server.url, token=server.token)
        self.http = server.client()
        spark.sql(f"CREATE SCHEMA {self.schema}")
        self._serve(f"{self.schema}.sum")
        spark.sql(
            f"CREATE TABLE {self.schema}.t AS SELECT id, CAST(id AS DOUBLE) AS a, 0.5D AS b, concat('t', id) AS text FROM range(10000)"
        )
        deadline = time.monotonic() + 120
        while self.http.get(f"/api/2.0/serving-endpoints/{self.sum}").json()["state"]["ready"] != "READY":
            assert time.monotonic() < deadline
            time.sleep(0.2)

    def _serve(self, model: str) -> None:
        signature = ModelSignature(
            Schema([ColSpec("double", "a"), ColSpec("double", "b")]),
            Schema([ColSpec("double")]),
            ParamSchema([ParamSpec("times", "double", 1.0)]),
        )
        with mlflow.start_run():
            mlflow.pyfunc.log_model(
                name="model", python_model=Sum(), signature=signature, registered_model_name=model, pip_requirements=[]
            )
        capture = AutoCaptureConfigInput(catalog_name="main", schema_name=self.name, table_name_prefix="log", enabled=True)
        entity = ServedEntityInput(entity_name=model, entity_version="1", workload_size="Small", scale_to_zero_enabled=False)
        config = EndpointCoreConfigInput(name=self.sum, served_entities=[entity], auto_capture_config=capture)
        self.client.serving_endpoints.create(self.sum, config=config)

    def allow(self, who: str, endpoint: str) -> None:
        found = self.client.serving_endpoints.get(endpoint).id
        assert found is not None
        wish = ServingEndpointAccessControlRequest(user_name=who, permission_level=ServingEndpointPermissionLevel.CAN_QUERY)
        self.client.serving_endpoints.update_permissions(found, access_control_list=[wish])

    def logged(self) -> list[dict[str, Any]]:
        """The requests to the first endpoint so far, in their order."""
        self.http.post(f"/api/boathouse/v1/serving-endpoints/{self.sum}/flush").raise_for_status()
        rows = self.spark.sql(f"SELECT * FROM {self.schema}.log_payload ORDER BY timestamp_ms").collect()
        return [row.asDict(recursive=True) for row in rows]

    def values(self, query: str, spark: SparkSession | None = None) -> list[Any]:
        """The values of a query's last column, by its first."""
        return [row[-1] for row in sorted((spark or self.spark).sql(query).collect())]


@pytest.fixture(scope="module")
def connect(server: Server) -> Iterator[Callable[..., SparkSession]]:
    opened: list[SparkSession] = []

    def new(token: str | None = None) -> SparkSession:
        opened.append(SparkSession.builder.remote(server.spark_remote(token)).create())
        return opened[-1]

    yield new
    for session in opened:
        session.stop()


@pytest.fixture(scope="module")
def place(server: Server, connect: Callable[..., SparkSession]) -> Iterator[Place]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "DATABRICKS_HOST"):
            patch.setenv(name, server.url)
        for name in ("MLFLOW_TRACKING_TOKEN", "DATABRICKS_TOKEN"):
            patch.setenv(name, server.token)
        # Model servers know nothing of this file.
        cloudpickle.register_pickle_by_value(sys.modules[__name__])
        made = Place(server, connect())
        yield made
        made.client.serving_endpoints.delete(made.sum)
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def test_rows_are_scored_in_batches_as_who_asks(place: Place, connect: Callable[..., SparkSession]) -> None:
    spark, schema, before = place.spark, place.schema, len(place.logged())
    scored = spark.sql(f"SELECT id, ai_query('{place.sum}', named_struct('a', a, 'b', b)) AS y FROM {schema}.t")
    assert scored.dtypes == [("id", "bigint"), ("y", "double")]
    assert sorted(tuple(row) for row in scored.collect()) == [(n, n + 0.5) for n in range(10000)]
    requests = place.logged()[before:]
    assert 2 <= len(requests) <= 8
    assert sum(len(json.loads(row["request"])["dataframe_split"]["data"]) for row in requests) == 10000

    name = f"u{uuid.uuid4().hex[:8]}@example.com"
    reader = connect(place.server.new_principal(name))
    for what in (f"USE CATALOG ON CATALOG main TO `{name}`", f"USE SCHEMA, SELECT ON SCHEMA {schema} TO `{name}`"):
        spark.sql(f"GRANT {what}")
    spark.sql(f"CREATE VIEW {schema}.scored AS SELECT id, ai_query('{place.sum}', struct(a, b)) AS y FROM {schema}.t")
    spark.sql(f"CREATE FUNCTION {schema}.few(id BIGINT) RETURNS BOOLEAN RETURN is_account_group_member('admins') OR id < 3")
    spark.sql(f"ALTER TABLE {schema}.t SET ROW FILTER {schema}.few ON (id)")
    asked = f"SELECT id, ai_query('{place.sum}', struct(a, b)) AS y FROM {schema}.t"
    for query in (asked, f"SELECT * FROM {schema}.scored"):
        with pytest.raises(PySparkException, match=r"does not exist|does not have CAN_QUERY"):
            reader.sql(query).collect()
    place.allow(name, place.sum)
    before = len(place.logged())
    assert place.values(asked, reader) == [0.5, 1.5, 2.5]
    # A view reads its tables as its owner, and endpoints as who asks.
    assert len(place.values(f"SELECT * FROM {schema}.scored", reader)) == 3
    new = place.logged()[before:]
    assert {row["request_metadata"]["requester"] for row in new} == {name}
    assert sum(len(json.loads(row["request"])["dataframe_split"]["data"]) for row in new) == 6
    spark.sql(f"ALTER TABLE {schema}.t DROP ROW FILTER")


def test_a_query_waits_for_an_endpoint_that_starts(place: Place) -> None:
    name = f"late-{place.name}"
    entity = ServedEntityInput(entity_name=f"{place.schema}.sum", entity_version="1", workload_size="Small")
    for _ in range(2):
        # By its model server's start the query finds neither what the endpoint takes nor somebody who answers.
        place.client.serving_endpoints.create(name, config=EndpointCoreConfigInput(name=name, served_entities=[entity]))
        asked = f"SELECT id, ai_query('{name}', struct(a, b)) FROM {place.schema}.t WHERE id < 3"
        assert place.values(asked) == [0.5, 1.5, 2.5]
        place.client.serving_endpoints.delete(name)


def test_every_statement_can_ask(place: Place) -> None:
    spark, schema = place.spark, place.schema
    call = f"ai_query('{place.sum}', struct(a, b))"
    spark.sql(f"CREATE TABLE {schema}.o AS SELECT id, {call} AS y FROM {schema}.t WHERE id < 3")
    spark.sql(f"INSERT INTO {schema}.o SELECT id, {call} AS y FROM {schema}.t WHERE id BETWEEN 3 AND 4")
    more = f"SELECT id, ai_query('{place.sum}', named_struct('A', a, 'b', 100)) AS y FROM {schema}.t WHERE id IN (4, 5)"
    spark.sql(
        f"MERGE INTO {schema}.o USING ({more}) s ON o.id = s.id WHEN MATCHED THEN UPDATE SET y = s.y WHEN NOT MATCHED THEN INSERT *"
    )
    spark.sql(f"UPDATE {schema}.o SET y = ai_query('{place.sum}', named_struct('a', y, 'b', 1)) WHERE id = 0")
    assert place.values(f"SELECT * FROM {schema}.o") == [1.5, 1.5, 2.5, 3.5, 104.0, 105.0]
    frame = spark.table(f"{schema}.t").where("id < 3")
    assert sorted(row.y for row in frame.select(expr(f"{call} AS y")).collect()) == [0.5, 1.5, 2.5]
    assert frame.selectExpr("id", f"{call} AS y").where("y > 1").count() == 2
    # What stands in a filter and in a column is asked for once.
    before = len(place.logged())
    assert len(place.values(f"SELECT * FROM (SELECT id, {call} AS y FROM {schema}.t WHERE id < 9) WHERE y > 2")) == 7
    rows = [len(json.loads(row["request"])["dataframe_split"]["data"]) for row in place.logged()[before:]]
    assert sum(rows) == 9


def test_aggregates_names_of_columns_and_predict(place: Place) -> None:
    spark, schema = place.spark, place.schema
    call = f"ai_query('{place.sum}', struct(a, b))"
    few = f"(SELECT *, id % 2 AS odd FROM {schema}.t WHERE id < 4)"
    grouped = spark.sql(f"SELECT odd, avg({call}), max({call} + 1) FROM {few} GROUP BY odd")
    assert grouped.columns == ["odd", f"avg({call})", f"max({call} + 1)"]
    assert sorted(tuple(row) for row in grouped.collect()) == [(0, 1.5, 3.5), (1, 2.5, 4.5)]
    assert sorted(row[0] for row in spark.sql(f"SELECT count(*) FROM {few} GROUP BY {call} > 1").collect()) == [1, 3]
    frame = spark.sql(f"SELECT * FROM {few}")
    totals = frame.groupBy("odd").agg(expr(f"sum({call}) AS y")).collect()
    assert sorted(tuple(row) for row in totals) == [(0, 3.0), (1, 5.0)]
    summed = frame.groupBy("odd").agg(avg(expr(call))).collect()
    assert sorted(tuple(row) for row in summed) == [(0, 1.5), (1, 2.5)]
    half = f"floor({call} / 2)"
    for by in (f"SELECT {half} AS h, count(*) FROM {few} GROUP BY {half}", f"SELECT count(*), {half} FROM {few} GROUP BY 2"):
        assert sorted(sorted(row) for row in spark.sql(by).collect()) == [[0, 2], [1, 2]]
    windowed = f"SELECT id, sum({call}) OVER (PARTITION BY odd) AS y FROM {few}"
    assert place.values(windowed) == [3.0, 5.0, 3.0, 5.0]
    assert spark.sql(f"SELECT DISTINCT {call} FROM {few}").columns == [call]
    case = f"CASE WHEN odd = 0 THEN {call} END"
    assert spark.sql(f"SELECT {case} FROM {few}").columns == [case]
    named = frame.selectExpr("*", call, f"{call}  + 1", f"{call} y").select("id", "y", expr(call), expr(f"{call} AS z"))
    assert named.columns == ["id", "y", call, "z"]
    assert frame.selectExpr("id", call, f"{call}  + 1", f"{call} y").columns == ["id", call, f"{call} + 1", "y"]
    aggregated = frame.groupBy(expr(f"{call} > 1")).agg(avg(expr(call)), (avg(expr(call) + 1) * 2).alias("q"))
    assert aggregated.columns == [f"{call} > 1", f"avg({call})", "q"]

    predict = f"Predict(request => struct(a, b), endpoint => '{place.sum}')"
    assert place.values(f"SELECT id, {predict} FROM {few}") == [0.5, 1.5, 2.5, 3.5]
    with pytest.raises(PySparkException, match=r"predict: request is missing. Valid: predict\(endpoint, request"):
        spark.sql(f"SELECT predict('{place.sum}')")
    # Who has a function of this name keeps it.
    spark.sql(f"CREATE FUNCTION {schema}.predict(a STRING, b INT) RETURNS INT RETURN b + 1")
    spark.sql(f"USE {schema}")
    assert spark.sql(f"SELECT predict('{place.sum}', 1)").collect()[0][0] == 2
    spark.sql("USE main.default")
    spark.udf.register("predict", lambda a, b: f"{a} {b}")
    assert spark.sql("SELECT predict('a', 'b')").collect()[0][0] == "a b"


def test_types_parameters_and_errors_of_rows(place: Place) -> None:
    schema = place.schema
    asked = f"SELECT id, ai_query('{place.sum}', named_struct('a', a - 1, 'b', CAST(2 AS DECIMAL(4, 1))), %s) FROM {schema}.t WHERE id < 3"
    told = place.values(asked % "failOnError => false")
    assert [row.result for row in told] == [None, 2.0, 3.0]
    assert [row.errorMessage is None for row in told] == [False, True, True]
    assert "ValueError: a is negative" in told[0].errorMessage
    with pytest.raises(PySparkException, match="ValueError: a is negative"):
        place.values(asked % "failOnError => true")
    halved = f"SELECT id, ai_query('{place.sum}', struct(a, b), 'STRING', modelParameters => named_struct('times', 0.5)) FROM {schema}.t"
    assert place.values(f"{halved} WHERE id < 2") == ["0.25", "0.75"]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("ai_query('nobody', a)", "Endpoint with name 'nobody' does not exist"),
        ("ai_query('{0}')", "request is missing. Valid: ai_query"),
        ("ai_query(text, a)", "endpoint has to be a string, as a constant; it is text"),
        ("ai_query('{0}', struct(a, b), 'DUBLE')", "the returnType 'DUBLE' is no type"),
        ("ai_query('{0}', struct(a, b), 'DATE')", "answered .*, which is no value of the type date32"),
        ("ai_query('{0}', struct(a, b), failOnErrors => false)", "'failOnErrors => false' is not valid here"),
        ("ai_query('{0}', struct(a, b), responseFormat => 'x')", "responseFormat is of language models"),
        ("ai_query('{0}', a)", "takes the columns a, b. Give a struct"),
        ("ai_query('{0}', struct(a, text))", "the request has no field 'b'. The endpoint takes a, b; the request has a, text"),
        ("ai_query('{0}', named_struct('a', text, 'b', b))", "Column 'a' is of type double; 't[0-9]+' is not"),
        (
            "ai_query('{0}', struct(a, b), modelParameters => named_struct('time', 2))",
            "params.time is no parameter .* Valid: times",
        ),
        ("ai_query('{0}', struct(a, b), modelParameters => 2)", "modelParameters has to be a constant struct"),
    ],
)
def test_what_is_wrong_is_told(place: Place, call: str, told: str) -> None:
    with pytest.raises(PySparkException, match=told) as caught:
        place.spark.sql(f"SELECT {call.format(place.sum)} FROM {place.schema}.t LIMIT 1").collect()
    # Notebooks and logs show the first line.
    assert re.search(told, str(caught.value).split("\n", maxsplit=1)[0])


def test_the_function_of_a_dataframe_is_named(place: Place) -> None:
    with pytest.raises(PySparkException, match="ai_query is called in SQL"):
        place.spark.range(1).select(call_function("ai_query", lit(place.sum), lit(1))).collect()


def test_a_governed_model_is_a_function_of_the_session(place: Place) -> None:
    spark, model = place.spark, f"models:/{place.schema}.sum/1"
    spark.udf.register("summed", spark_udf(spark, model))
    few = f"FROM {place.schema}.t WHERE id < 2"
    assert place.values(f"SELECT id, summed(a, b) {few}") == [0.5, 1.5]
    assert sorted(row[0] for row in spark.sql(f"SELECT * {few}").select(spark_udf(spark, model)().alias("y")).collect()) == [
        0.5,
        1.5,
    ]
    # As MLflow says of result_type: the first column that has the type, as text any; of an array all.
    for kind, first in (("string", "0.5"), ("float", 0.5), (ArrayType(DoubleType()), [0.5]), ("array<string>", ["0.5"])):
        found = spark.sql(f"SELECT * {few} ORDER BY id").select(spark_udf(spark, model, result_type=kind)("a", "b").alias("y"))
        assert found.first()[0] == first
    with pytest.raises(PySparkException, match=r"no column that result_type 'int' could take. Valid: 'string', 'double'"):
        spark.sql(f"SELECT * {few}").select(spark_udf(spark, model, result_type="int")("a", "b")).collect()
    reader = place.server.new_principal(f"u{uuid.uuid4().hex[:8]}@example.com")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_TOKEN", reader)
        with pytest.raises(MlflowException, match=r"does not exist|EXECUTE|USE"):
            spark_udf(spark, model)
    # What an error advises is SQL, and helps.
    asks, advised = place.server.client(reader), list[str]()
    while (answer := asks.get(f"/api/2.1/unity-catalog/models/{place.schema}.sum")).status_code == 403:
        advised.append(answer.json()["message"].partition("Its owner can give it: ")[2].removesuffix("."))
        spark.sql(advised[-1])
    assert [text.partition(" TO ")[0] for text in advised][-2:] == [
        f"GRANT USE SCHEMA ON SCHEMA {place.schema}",
        f"GRANT EXECUTE ON MODEL {place.schema}.sum",
    ]
