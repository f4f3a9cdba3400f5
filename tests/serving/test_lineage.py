"""From raw files to a dashboard in one graph: files, tables, a feature table, a model, its endpoint, what was scored with it, and who sees it."""

import json
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import httpx
import mlflow
import pandas as pd
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.dashboards import Dashboard
from databricks.sdk.service.serving import AutoCaptureConfigInput, EndpointCoreConfigInput, ServedEntityInput
from pyspark.sql import SparkSession
from pyspark.sql.functions import col, struct

from boathouse.features.client import FeatureEngineeringClient, FeatureFunction, FeatureLookup, FeatureTables
from boathouse.workspace.runtime.model_function import spark_udf
from tests.conftest import Server
from tests.sql.documents import field, widget

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")

GRAPH = "/api/boathouse/v1/lineage/graph"


class Doubled(mlflow.pyfunc.PythonModel):
    """x and what a function made of it."""

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:  # noqa: ARG002
        return model_input["x"] + model_input["twice"]


class Chain:
    """A schema in which everything is made of one file."""

    def __init__(self, server: Server, spark: SparkSession, folder: Path) -> None:
        self.server, self.spark, self.folder = server, spark, folder
        self.name = f"lin{uuid.uuid4().hex[:8]}"
        self.schema = f"main.{self.name}"
        self.client = WorkspaceClient(host=server.url, token=server.token)
        self.http = server.client()
        self.fe = FeatureEngineeringClient(tables=FeatureTables(spark, self.client))
        self.raw = f"/Volumes/main/{self.name}/raw/day"
        self.endpoint = f"e-{self.name}"
        self.model = f"{self.schema}.price"

    def files(self) -> None:
        """A file, and the ways of reading it into tables."""
        spark, schema = self.spark, self.schema
        spark.sql(f"CREATE SCHEMA {schema}")
        self.client.api_client.do(
            "POST",
            "/api/2.1/unity-catalog/volumes",
            body={"catalog_name": "main", "schema_name": self.name, "name": "raw", "volume_type": "MANAGED"},
        )
        rows = "".join(json.dumps({"id": number, "x": number / 2, "y": 1.0}) + "\n" for number in range(4))
        self.http.put(f"/api/2.0/fs/files{self.raw}/1.json", content=rows.encode()).raise_for_status()
        spark.sql(f"CREATE TABLE {schema}.bronze (id BIGINT, x DOUBLE, y DOUBLE)")
        spark.sql(f"COPY INTO {schema}.bronze FROM '{self.raw}' FILEFORMAT = JSON").collect()
        spark.sql(f"CREATE TABLE {schema}.by_function AS SELECT * FROM read_files('{self.raw}', format => 'json')")
        spark.sql(f"CREATE TABLE {schema}.by_path AS SELECT * FROM json.`{self.raw}`")
        spark.read.json(self.raw).write.saveAsTable(f"{schema}.by_frame")
        stream = spark.readStream.format("cloudFiles").option("cloudFiles.format", "json").load(self.raw)
        writer = stream.writeStream.option("checkpointLocation", str(self.folder / "loader")).trigger(availableNow=True)
        writer.toTable(f"{schema}.by_loader").awaitTermination()

    def model_version(self) -> None:
        """A feature table, and a version of a model that was trained on it."""
        spark, schema = self.spark, self.schema
        spark.sql(
            f"CREATE FUNCTION {schema}.doubled(x DOUBLE) RETURNS DOUBLE LANGUAGE PYTHON AS 'return None if x is None else x * 2'"
        )
        self.fe.create_table(name=f"{schema}.numbers", primary_keys="id", df=spark.sql(f"SELECT id, x FROM {schema}.bronze"))
        made = self.fe.create_training_set(
            df=spark.sql(f"SELECT id, y FROM {schema}.bronze"),
            feature_lookups=[
                FeatureLookup(f"{schema}.numbers", "id"),
                FeatureFunction(udf_name=f"{schema}.doubled", input_bindings={"x": "x"}, output_name="twice"),
            ],
            label="y",
            exclude_columns=["id"],
        )
        with mlflow.start_run():
            self.fe.log_model(
                model=None,
                artifact_path="model",
                flavor=mlflow.pyfunc,
                training_set=made,
                registered_model_name=self.model,
                python_model=Doubled(),
                pip_requirements=[],
            )
        mlflow.MlflowClient().set_registered_model_alias(self.model, "champion", "1")

    def serve(self) -> None:
        """An endpoint with the model, that logs its requests."""
        self.fe.create_online_store(name=f"store-{self.name}")
        self.fe.publish_table(
            online_store=f"store-{self.name}",
            source_table_name=f"{self.schema}.numbers",
            online_table_name=f"{self.schema}.numbers_online",
            publish_mode="SNAPSHOT",
        )
        capture = AutoCaptureConfigInput(catalog_name="main", schema_name=self.name, table_name_prefix="log", enabled=True)
        entity = ServedEntityInput(
            entity_name=self.model, entity_version="1", workload_size="Small", scale_to_zero_enabled=False
        )
        self.client.serving_endpoints.create_and_wait(
            self.endpoint,
            config=EndpointCoreConfigInput(name=self.endpoint, served_entities=[entity], auto_capture_config=capture),
        )

    def score(self) -> None:
        """All ways of scoring rows with the model."""
        spark, schema, asked = self.spark, self.schema, f"ai_query('{self.endpoint}', struct(id))"
        spark.sql(f"CREATE TABLE {schema}.by_sql AS SELECT id, {asked} AS price FROM {schema}.bronze")
        spark.table(f"{schema}.bronze").selectExpr("id", f"{asked} AS price").write.saveAsTable(f"{schema}.by_expression")
        self.fe.score_batch(
            model_uri=f"models:/{self.model}@champion", df=spark.sql(f"SELECT id FROM {schema}.bronze")
        ).write.saveAsTable(f"{schema}.by_batch")
        function = spark_udf(spark, f"models:/{self.model}/1")
        rows = spark.readStream.table(f"{schema}.numbers").select(
            "id", function(struct("x", col("x").alias("twice"))).alias("price")
        )
        writer = rows.writeStream.option("checkpointLocation", str(self.folder / "scored")).trigger(availableNow=True)
        writer.toTable(f"{schema}.by_stream").awaitTermination()
        spark.udf.register("price", function)
        spark.sql(f"SELECT id, price(struct(x, x AS twice)) AS price FROM {schema}.bronze").createOrReplaceTempView("priced")
        spark.sql(f"CREATE TABLE {schema}.by_view AS SELECT * FROM priced")

    def show(self) -> str:
        """A dashboard over what was scored, looked at once; its identifier."""
        counter = widget("total", "counter", {"value": {"fieldName": "sum(price)"}}, field("sum(price)", "SUM(`price`)"))
        document = {
            "datasets": [{"name": "sales", "displayName": "Prices", "queryLines": [f"SELECT * FROM {self.schema}.by_sql"]}],
            "pages": [{"name": "p1", "displayName": "Prices", "layout": [counter], "pageType": "PAGE_TYPE_CANVAS"}],
        }
        warehouse = next(iter(self.client.warehouses.list())).id
        made = self.client.lakeview.create(
            Dashboard(display_name=f"Prices {self.name}", serialized_dashboard=json.dumps(document), warehouse_id=warehouse)
        )
        body = {"page": "p1", "widget": "total", "query": "main_query", "filters": {}, "published": False}
        answer: Any = self.client.api_client.do("POST", f"/api/boathouse/v1/dashboards/{made.dashboard_id}/query", body=body)
        assert answer["rows"] == [["9.0"]] or answer["rows"] == [[9.0]]
        self.http.post(f"/api/boathouse/v1/serving-endpoints/{self.endpoint}/flush").raise_for_status()
        return str(made.dashboard_id)

    def graph(self, client: httpx.Client | None = None, **asked: Any) -> dict[str, Any]:
        """The answer for a thing."""
        answer = (client or self.http).get(GRAPH, params={"depth": 20} | asked)
        answer.raise_for_status()
        return answer.json()

    def edges(self, graph: dict[str, Any]) -> set[tuple[str, str]]:
        """Its edges, without what all names have in common."""

        def short(name: str) -> str:
            return name.replace(f"table:{self.schema}.", "").replace(self.schema, "S").replace(self.name, "S")

        return {(short(one["source"]), short(one["target"])) for one in graph["edges"]}


@pytest.fixture
def spark(server: Server) -> Iterator[SparkSession]:
    session = SparkSession.builder.remote(server.spark_remote()).create()
    yield session
    session.stop()


@pytest.mark.timeout(600)
def test_from_a_raw_file_to_a_dashboard(
    server: Server, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "DATABRICKS_HOST"):
        monkeypatch.setenv(name, server.url)
    for name in ("MLFLOW_TRACKING_TOKEN", "DATABRICKS_TOKEN"):
        monkeypatch.setenv(name, server.token)
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    chain = Chain(server, spark, tmp_path)
    try:
        chain.files()
        chain.model_version()
        chain.serve()
        chain.score()
        dashboard = chain.show()
    finally:
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    raw, model, endpoint = "path:/Volumes/main/S/raw/day", "model_version:S.price/1", "endpoint:e-S"
    wanted = {
        *((raw, table) for table in ("bronze", "by_function", "by_path", "by_frame", "by_loader")),
        ("bronze", "numbers"),
        ("numbers", model),
        (model, endpoint),
        (endpoint, "log_payload"),
        *((one, table) for one in (model, endpoint) for table in ("by_sql", "by_expression")),
        *((model, table) for table in ("by_batch", "by_stream", "by_view")),
        ("by_sql", f"dashboard:{dashboard}"),
    }
    graph: dict[str, Any] = {}
    deadline = time.monotonic() + 20
    # What a query has read is recorded behind its back.
    while time.monotonic() < deadline and not wanted <= chain.edges(graph := chain.graph(type="path", name=chain.raw)):
        time.sleep(0.2)
    assert chain.edges(graph) >= wanted
    by_id = {one["id"]: one for one in graph["nodes"]}
    assert by_id[f"table:{chain.schema}.numbers"]["kind"] == "FEATURE_TABLE"
    assert by_id[f"dashboard:{dashboard}"]["title"] == f"Prices {chain.name}"
    uses = chain.http.get(f"/api/boathouse/v1/features/{chain.schema}.numbers/uses").json()
    assert [(one["model"], one["version"]) for one in uses["models"]] == [(chain.model, 1)]
    assert [one["endpoint"] for one in uses["endpoints"]] == [chain.endpoint]
    upward = chain.graph(type="dashboard", name=dashboard, direction="upstream")
    assert chain.edges(upward) == {
        (raw, "bronze"),
        ("bronze", "numbers"),
        ("numbers", model),
        ("bronze", "by_sql"),
        ("function:S.doubled", model),
        (model, endpoint),
        (model, "by_sql"),
        (endpoint, "by_sql"),
        ("by_sql", f"dashboard:{dashboard}"),
    }

    read = spark.sql(
        "SELECT target_table_name, source_path, source_type FROM system.access.table_lineage "
        f"WHERE target_table_schema = '{chain.name}' AND source_path IS NOT NULL AND source_type = 'PATH'"
    ).collect()
    assert {row[0] for row in read} == {"bronze", "by_function", "by_path", "by_frame", "by_loader"}
    assert {row[1].rsplit("/", 1)[-1] for row in read} == {"day"}
    queries = chain.http.get("/api/2.0/sql/history/queries").json()["res"]
    (told,) = [one["asked"] for one in queries if f"CREATE TABLE {chain.schema}.by_sql" in one["query_text"]]
    assert told == [{"kind": "ENDPOINT", "name": chain.endpoint}, {"kind": "MODEL_VERSION", "name": f"{chain.model}/1"}]
    of_table = chain.http.get("/api/2.0/lineage-tracking/table-lineage", params={"table_name": f"{chain.schema}.by_sql"}).json()
    assert [one["tableInfo"]["name"] for one in of_table["upstreams"]] == ["bronze"]

    _a_part_of_it(chain)
    _endpoint_and_batch_agree_until_the_table_changes(chain)
    spark.sql(f"ALTER TABLE {chain.schema}.bronze RENAME TO silver").collect()
    after = chain.edges(chain.graph(type="table", name=f"{chain.schema}.silver"))
    assert after >= {(raw, "silver"), ("silver", "numbers"), ("silver", "by_sql")}
    assert not any("bronze" in one for one in after)


def _endpoint_and_batch_agree_until_the_table_changes(chain: Chain) -> None:
    rows = chain.spark.sql(f"SELECT id AS ID FROM {chain.schema}.bronze")
    (agreed,) = chain.fe.check_skew(endpoint=chain.endpoint, df=rows).to_dict("records")
    assert agreed["rows"] > 0
    assert (agreed["feature"], agreed["different"], agreed["example"]) == ("prediction", 0, None)
    chain.spark.sql(f"UPDATE {chain.schema}.numbers SET x = x + 1")
    (skewed,) = chain.fe.check_skew(endpoint=chain.endpoint, df=rows).to_dict("records")
    assert (skewed["different"], skewed["largest_difference"]) == (agreed["rows"], 3.0)


def _a_part_of_it(chain: Chain) -> None:
    """Somebody who may read two of the tables."""
    name = f"{chain.name}@example.com"
    reader = chain.server.client(chain.server.new_principal(name))
    for what in (
        "USE CATALOG ON CATALOG main",
        f"USE SCHEMA ON SCHEMA {chain.schema}",
        f"SELECT ON TABLE {chain.schema}.by_sql",
        f"SELECT ON TABLE {chain.schema}.bronze",
    ):
        chain.spark.sql(f"GRANT {what} TO `{name}`")
    graph = chain.graph(reader, type="table", name=f"{chain.schema}.by_sql")
    hidden = {one["id"]: one["hidden"] for one in graph["nodes"] if not one["has_permission"]}
    mine = f"table:{chain.schema}.by_sql"
    assert hidden == {
        f"hidden:up:{mine}": 2,
        f"hidden:down:{mine}": 1,
        f"hidden:up:table:{chain.schema}.bronze": 1,
    }
    told = json.dumps(graph)
    assert not [word for word in ("price/1", chain.endpoint, "Prices", "raw", "numbers") if word in told]
    assert (f"table:{chain.schema}.bronze", mine) in {(one["source"], one["target"]) for one in graph["edges"]}
    for asked in ({"type": "endpoint", "name": chain.endpoint}, {"type": "model_version", "name": f"{chain.model}/1"}):
        assert reader.get(GRAPH, params=asked).status_code == 404
