"""Endpoints over HTTP with databricks-sdk and mlflow.deployments, with a real model from the server's own registry."""

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx
import mlflow
import numpy as np
import pandas as pd
import psutil
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, DatabricksError, NotFound, OperationFailed, PermissionDenied, ResourceConflict
from databricks.sdk.service.serving import (
    AutoCaptureConfigInput,
    EndpointCoreConfigInput,
    EndpointStateReady,
    Route,
    ServedEntityInput,
    ServingEndpointAccessControlRequest,
    ServingEndpointPermissionLevel,
    TrafficConfig,
)
from deltalake import DeltaTable
from mlflow import MlflowClient
from mlflow.deployments import get_deploy_client
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression

from tests.conftest import Server

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")

FRAME = pd.DataFrame({"x": [0.0, 1.0, 2.0]})


class Place:
    """A schema with a model of two versions: x + 1, and 10 x."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.schema = f"s{uuid.uuid4().hex[:8]}"
        self.model = f"main.{self.schema}.plus"
        self.client = WorkspaceClient(host=server.url, token=server.token)
        self.http = server.client()
        self.client.schemas.create(self.schema, "main")
        for targets in (FRAME["x"] + 1, FRAME["x"] * 10):
            fitted = LinearRegression().fit(FRAME, targets)
            signature = infer_signature(FRAME, np.asarray(targets))
            with mlflow.start_run():
                mlflow.sklearn.log_model(
                    fitted, name="model", signature=signature, registered_model_name=self.model, pip_requirements=[]
                )

    def broken(self) -> int:
        """A version that has lost a file."""
        made = MlflowClient().copy_model_version(f"models:/{self.model}/1", self.model)
        folder = self.server.root / "artifacts" / "registered-models" / self.model.replace(".", "/") / str(made.version)
        (folder / "MLmodel").unlink()
        return int(made.version)

    def entity(self, version: int, name: str | None = None) -> ServedEntityInput:
        return ServedEntityInput(
            entity_name=self.model, entity_version=str(version), name=name, workload_size="Small", scale_to_zero_enabled=False
        )

    def create(self, name: str, *entities: ServedEntityInput, **config: Any) -> None:
        self.client.serving_endpoints.create_and_wait(
            name, config=EndpointCoreConfigInput(name=name, served_entities=list(entities), **config)
        )

    def ask(self, name: str, *values: float, client: httpx.Client | None = None) -> httpx.Response:
        body = {"dataframe_records": [{"x": value} for value in values]}
        return (client or self.http).post(f"/serving-endpoints/{name}/invocations", json=body)


@pytest.fixture(scope="module")
def place(server: Server) -> Iterator[Place]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "DATABRICKS_HOST"):
            patch.setenv(name, server.url)
        for name in ("MLFLOW_TRACKING_TOKEN", "DATABRICKS_TOKEN"):
            patch.setenv(name, server.token)
        yield Place(server)


def wait_for(check: Callable[[], bool], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def model_servers(server: Server) -> list[psutil.Process]:
    """What is forked from the one that prepared itself."""
    ours: list[psutil.Process] = []
    for child in server.children():
        # Some end meanwhile.
        with suppress(psutil.Error):
            if "boathouse.serving.model_server" in child.cmdline():
                ours.append(child)
    return [child for child in ours if child.parent() in ours]


def _what_cannot_be_served_changes_nothing(place: Place, name: str) -> None:
    api = place.client.serving_endpoints
    # One that is not there is refused at once, and changes nothing.
    with pytest.raises(
        NotFound, match=rf"served_entities\[0\] names version 99 of '{place.model}', which does not exist"
    ) as refused:
        api.update_config(name, served_entities=[place.entity(99)])
    assert refused.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    nowhere = ServedEntityInput(entity_name=f"main.{place.schema}.none", entity_version="1")
    with pytest.raises(DatabricksError, match=f"version 1 of 'main.{place.schema}.none', which does not exist"):
        api.create(f"{name}-none", config=EndpointCoreConfigInput(name=f"{name}-none", served_entities=[nowhere]))
    assert place.http.get(f"/api/2.0/serving-endpoints/{name}-none").status_code == 404

    # One that cannot be loaded changes nothing and says why.
    with pytest.raises(OperationFailed):
        api.update_config_and_wait(name, served_entities=[place.entity(place.broken())])
    failed = place.http.get(f"/api/2.0/serving-endpoints/{name}").json()
    assert failed["state"]["config_update"] == "UPDATE_FAILED"
    assert "MLmodel" in failed["state"]["config_update_message"]
    assert place.ask(name, 1).json() == {"predictions": pytest.approx([10.0])}


def test_the_life_of_an_endpoint(place: Place) -> None:
    name, api = f"e-{place.schema}", place.client.serving_endpoints
    capture = AutoCaptureConfigInput(catalog_name="main", schema_name=place.schema, table_name_prefix="log", enabled=True)
    place.create(name, place.entity(1), auto_capture_config=capture)
    with pytest.raises(DatabricksError, match="already exists"):
        api.create(name)
    endpoint = api.get(name)
    assert endpoint.state is not None
    assert endpoint.state.ready is EndpointStateReady.READY
    assert name in [one.name for one in api.list()]

    assert place.ask(name, 1, 2).json() == {"predictions": pytest.approx([2.0, 3.0])}
    answer = api.query(name, dataframe_records=[{"x": 4}])
    assert answer.served_model_name == "plus-1"
    deployments = get_deploy_client("databricks")
    assert deployments.predict(endpoint=name, inputs={"inputs": {"x": [1]}, "client_request_id": "mine"})["predictions"]
    with pytest.raises(BadRequest, match="Column 'x' is missing"):
        api.query(name, dataframe_records=[{"y": 1}])

    # Traffic moves to the new version without a failed request.
    with ThreadPoolExecutor(1) as pool:
        update = pool.submit(api.update_config_and_wait, name, served_entities=[place.entity(2)])
        statuses = set()
        while not update.done():
            statuses.add(place.ask(name, 1).status_code)
    assert statuses == {200}
    assert place.ask(name, 1).json() == {"predictions": pytest.approx([10.0])}

    _what_cannot_be_served_changes_nothing(place, name)
    assert "request_count_total" in place.http.get(f"/api/2.0/serving-endpoints/{name}/metrics").text
    assert list(place.http.get(f"/api/2.0/serving-endpoints/{name}/openapi").json()["paths"]) == [
        f"/serving-endpoints/{name}/invocations"
    ]
    assert "ready" in api.logs(name, "plus-2").logs
    assert "Serving" in api.build_logs(name, "plus-2").logs

    place.http.post(f"/api/boathouse/v1/serving-endpoints/{name}/flush").raise_for_status()
    table = place.client.tables.get(f"main.{place.schema}.log_payload")
    rows = DeltaTable(str(table.storage_location)).to_pyarrow_table().to_pylist()
    assert {row["status_code"] for row in rows} == {200, 400}
    mine = next(row for row in rows if row["client_request_id"] == "mine")
    assert mine["request"] == '{"inputs": {"x": [1]}, "client_request_id": "mine"}'
    assert dict(mine["request_metadata"])["model_version"] == "1"

    api.delete(name)
    with pytest.raises(NotFound):
        api.get(name)
    assert place.ask(name, 1).status_code == 404


def test_wrong_configurations_are_refused(place: Place) -> None:
    def refused(message: str, *entities: ServedEntityInput, **config: Any) -> None:
        with pytest.raises(DatabricksError, match=message):
            place.create("never", *entities, **config)

    refused("served_entities is empty")
    refused("entity_name has to be a registered model", ServedEntityInput(entity_name="plus", entity_version="1"))
    refused("does not exist", ServedEntityInput(entity_name=f"main.{place.schema}.none", entity_version="1"))
    routes = TrafficConfig(routes=[Route(served_entity_name="a", traffic_percentage=50)])
    refused("add up to 100", place.entity(1, "a"), traffic_config=routes)
    with pytest.raises(NotFound):
        place.client.serving_endpoints.get("never")


def test_traffic_is_split_and_rights_are_checked(place: Place) -> None:
    name, api = f"r-{place.schema}", place.client.serving_endpoints
    routes = [Route(served_entity_name="a", traffic_percentage=50), Route(served_entity_name="b", traffic_percentage=50)]
    place.create(name, place.entity(1, "a"), place.entity(2, "b"), traffic_config=TrafficConfig(routes=routes))
    assert {place.ask(name, 1).headers["served-model-name"] for _ in range(40)} == {"a", "b"}

    user = f"{place.schema}@example.com"
    token = place.server.new_principal(user)
    other, theirs = WorkspaceClient(host=place.server.url, token=token), place.server.client(token)
    assert place.ask(name, 1, client=theirs).status_code == 403
    assert name not in [one.name for one in other.serving_endpoints.list()]
    with pytest.raises(PermissionDenied):
        other.serving_endpoints.delete(name)
    with pytest.raises(PermissionDenied):
        other.serving_endpoints.create(
            "theirs", config=EndpointCoreConfigInput(name="theirs", served_entities=[place.entity(1)])
        )
    endpoint_id = str(api.get(name).id)
    level = ServingEndpointPermissionLevel.CAN_QUERY
    grant = ServingEndpointAccessControlRequest(user_name=user, permission_level=level)
    api.update_permissions(endpoint_id, access_control_list=[grant])
    assert place.ask(name, 1, client=theirs).status_code == 200
    with pytest.raises(PermissionDenied):
        other.serving_endpoints.delete(name)
    with place.server.client("") as nobody:
        assert place.ask(name, 1, client=nobody).status_code == 401

    # What is served is not deleted.
    model, registry = f"main.{place.schema}.copied", MlflowClient()
    copied = registry.copy_model_version(f"models:/{place.model}/1", model)
    entity = ServedEntityInput(entity_name=model, entity_version="1", workload_size="Small", scale_to_zero_enabled=False)
    with pytest.raises(MlflowException, match=f"Version 1 of '{place.model}' .* served by endpoint '{name}'"):
        registry.delete_model_version(place.model, "1")
    api.update_config_and_wait(name, served_entities=[entity])
    rights = {"changes": [{"principal": user, "add": ["USE_SCHEMA", "MANAGE"]}]}
    place.http.patch(f"/api/2.1/unity-catalog/permissions/schema/main.{place.schema}", json=rights).raise_for_status()
    place.http.patch(
        "/api/2.1/unity-catalog/permissions/catalog/main", json={"changes": [{"principal": user, "add": ["USE_CATALOG"]}]}
    ).raise_for_status()
    api.set_permissions(endpoint_id, access_control_list=[])
    with pytest.raises(BadRequest, match=f"Model '{model}' .* served by 1 endpoint that you may not know of"):
        other.registered_models.delete(model)
    api.delete(name)
    other.model_versions.delete(model, int(copied.version))
    other.registered_models.delete(model)


def test_a_rollback_takes_the_endpoints_along_and_tells_which_it_could_not(place: Place) -> None:
    client, api = place.client, place.client.serving_endpoints
    mine, theirs, user = f"mine-{place.schema}", f"theirs-{place.schema}", f"rolls-{place.schema}"
    split = [Route(30, served_entity_name="plus-1"), Route(70, served_entity_name="two")]
    entities = [place.entity(1), place.entity(2, "two")]
    both = EndpointCoreConfigInput(name=mine, served_entities=entities, traffic_config=TrafficConfig(split))
    api.create(mine, config=both)
    api.create(theirs, config=EndpointCoreConfigInput(name=theirs, served_entities=[place.entity(2)]))
    for version in ("1", "2"):
        mlflow.MlflowClient().set_registered_model_alias(place.model, "champion", version)
    rolls = place.server.client(place.server.new_principal(user))
    url, body = (
        f"/api/boathouse/v1/deployments/{place.model}/rollback",
        {"alias": "champion", "reason": "errors", "endpoints": True},
    )
    assert rolls.post(url, json=body).status_code == 403
    for kind, name, right in (
        ("catalog", "main", "USE_CATALOG"),
        ("schema", f"main.{place.schema}", "ALL_PRIVILEGES"),
        ("schema", f"main.{place.schema}", "MANAGE"),
    ):
        changes = {"changes": [{"principal": user, "add": [right]}]}
        place.http.patch(f"/api/2.1/unity-catalog/permissions/{kind}/{name}", json=changes).raise_for_status()
    for name, level in ((mine, "CAN_MANAGE"), (theirs, "CAN_VIEW")):
        access = [ServingEndpointAccessControlRequest(user_name=user, permission_level=ServingEndpointPermissionLevel(level))]
        api.update_permissions(str(api.get(name).id), access_control_list=access)

    def updates(*names: str) -> bool:
        return any(
            place.http.get(f"/api/2.0/serving-endpoints/{one}").json()["state"]["config_update"] != "NOT_UPDATING"
            for one in names
        )

    wait_for(lambda: not updates(mine, theirs))
    answer = rolls.post(url, json=body)
    assert answer.status_code == 200, answer.text
    done, kept = answer.json().pop("endpoints")
    assert {**answer.json(), "endpoints": [done]} == {
        "from_version": 2,
        "to_version": 1,
        "endpoints": [{"endpoint": mine, "problem": None}],
    }
    assert (kept["endpoint"], "CAN_MANAGE" in kept["problem"]) == (theirs, True)
    assert client.model_versions.get_by_alias(place.model, "champion").version == 1
    wait_for(lambda: not updates(mine))

    def served(name: str) -> list[tuple[str, str, int]]:
        config = place.http.get(f"/api/2.0/serving-endpoints/{name}").json()["config"]
        shares = {one["served_model_name"]: one["traffic_percentage"] for one in config["traffic_config"]["routes"]}
        return [(one["name"], one["entity_version"], shares[one["name"]]) for one in config["served_entities"]]

    assert (served(mine), served(theirs)) == ([("plus-1", "1", 100)], [("plus-2", "2", 100)])
    events = place.http.get(f"/api/boathouse/v1/deployments/{place.model}/versions/2").json()["events"]
    told = [(one["name"], one["verdict"], one["reason"]) for one in events if one["step"] == "rollback"]
    assert told == [("champion", "done", "errors"), (mine, "done", "errors"), (theirs, "failed", kept["problem"])]
    for name in (mine, theirs):
        api.delete(name)


def test_who_asks_while_a_model_server_starts_waits_for_it(place: Place) -> None:
    api, name = place.client.serving_endpoints, f"w-{place.schema}"
    config = EndpointCoreConfigInput(name=name, served_entities=[place.entity(1)])
    api.create(name, config=config)
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda value: place.ask(name, value), (1.0, 2.0, 3.0, 4.0)))
    assert [one.json() for one in answers] == [{"predictions": pytest.approx([value + 1.0])} for value in (1, 2, 3, 4)]
    api.delete(name)

    # What cannot be loaded is not waited for longer than it takes to know, nor what is deleted meanwhile.
    started = time.monotonic()
    api.create(name, config=EndpointCoreConfigInput(name=name, served_entities=[place.entity(place.broken())]))
    failed = place.ask(name, 1)
    assert (failed.status_code, failed.json()["error_code"]) == (503, "TEMPORARILY_UNAVAILABLE")
    assert "MLmodel" in failed.json()["message"]
    assert time.monotonic() - started < 40
    api.delete(name)


def test_a_killed_model_server_comes_back(place: Place) -> None:
    # Other tests of the run may have some on the same server.
    others = {process.pid for process in model_servers(place.server)}
    models = place.server.root / "run" / "models"
    folders = set(models.glob("*"))

    def own() -> list[psutil.Process]:
        return [process for process in model_servers(place.server) if process.pid not in others]

    name = f"k-{place.schema}"
    place.create(name, place.entity(1))
    api = place.client.serving_endpoints
    api.update_config(name, served_entities=[place.entity(2)])
    with pytest.raises(ResourceConflict):
        api.update_config(name, served_entities=[place.entity(1)])
    api.wait_get_serving_endpoint_not_updating(name)
    # The second is that which all of them are forked from, and ends with them.
    for the_one_that_is_killed in (lambda process: process, psutil.Process.parent):
        before = own()
        for process in before:
            the_one_that_is_killed(process).kill()
        wait_for(lambda before=before: bool(own()) and not set(before) & set(own()))
        wait_for(lambda: place.ask(name, 1).status_code == 200)
    api.delete(name)
    wait_for(lambda: not own(), 5)
    wait_for(lambda: set(models.glob("*")) == folders, 5)
