"""An endpoint and its model on the page: a real model, a real process that serves it."""

import json
import re
from collections.abc import Iterator

import mlflow
import numpy as np
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
from mlflow.models import infer_signature
from playwright.sync_api import Page, expect
from sklearn.linear_model import LinearRegression

from tests.conftest import Server

pytestmark = [
    pytest.mark.page,
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"),
]
MODEL = "main.pages_serving.plus_one"
NAME = "plus-one"


@pytest.fixture(scope="module")
def run_id(server: Server) -> Iterator[str]:
    """An endpoint that answers x + 1 and logs what it is asked; gives the run that made its model."""
    client = WorkspaceClient(host=server.url, token=server.token)
    client.schemas.create("pages_serving", "main")
    frame = pd.DataFrame({"x": [0.0, 1.0, 2.0]})
    targets = frame["x"] + 1
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "DATABRICKS_HOST"):
            patch.setenv(name, server.url)
        for name in ("MLFLOW_TRACKING_TOKEN", "DATABRICKS_TOKEN"):
            patch.setenv(name, server.token)
        with mlflow.start_run() as run:
            mlflow.log_metric("auc_of_the_test", 0.71461234)
            mlflow.sklearn.log_model(
                LinearRegression().fit(frame, targets),
                name="model",
                signature=infer_signature(frame, np.asarray(targets)),
                registered_model_name=MODEL,
                pip_requirements=[],
            )
        entity = ServedEntityInput(
            entity_name=MODEL, entity_version="1", name="plus", workload_size="Small", scale_to_zero_enabled=False
        )
        capture = AutoCaptureConfigInput(
            catalog_name="main", schema_name="pages_serving", table_name_prefix="plus", enabled=True
        )
        config = EndpointCoreConfigInput(name=NAME, served_entities=[entity], auto_capture_config=capture)
        client.serving_endpoints.create_and_wait(NAME, config=config)
        yield run.info.run_id
        client.serving_endpoints.delete(NAME)


def test_try_it_sends_what_was_written(page: Page, run_id: str) -> None:
    page.goto("/serving")
    expect(page.locator("tbody tr", has_text=NAME)).to_contain_text("ready")
    page.get_by_role("link", name=NAME).click()
    request = page.get_by_label("Request")
    expect(request).to_have_value(re.compile("dataframe_records"))
    (record,) = json.loads(request.input_value())["dataframe_records"]
    assert list(record) == ["x"], "a request that failed is no example"
    request.fill('{"dataframe_records": [{"x": 41}]}')
    page.get_by_role("button", name="Send").click()
    answer = page.locator(".snippet pre").first
    expect(answer).to_contain_text("predictions")
    assert json.loads(answer.inner_text())["predictions"] == pytest.approx([42.0])
    expect(page.locator(".badge.good", has_text="200")).to_be_visible()
    page.get_by_text("The same with curl").click()
    expect(page.locator("details pre")).to_contain_text(f"/serving-endpoints/{NAME}/invocations")
    expect(page.locator(".figures")).to_contain_text("1")


def test_who_may_only_look_is_told_so(stranger: Page, server: Server, run_id: str) -> None:
    viewer = "looks-at-endpoints@example.com"
    token = server.new_principal(viewer)
    client = WorkspaceClient(host=server.url, token=server.token)
    level = ServingEndpointAccessControlRequest(user_name=viewer, permission_level=ServingEndpointPermissionLevel.CAN_VIEW)
    client.serving_endpoints.update_permissions(client.serving_endpoints.get(NAME).id or "", access_control_list=[level])
    stranger.goto(server.client(token).post("/api/boathouse/v1/sign-in-links").json()["url"])
    stranger.wait_for_selector(".strip")
    stranger.goto(f"/serving/{NAME}")
    expect(stranger.get_by_text("You may look at this endpoint, and not query it")).to_be_visible()
    expect(stranger.get_by_role("button", name="Send")).to_be_disabled()


@pytest.mark.parametrize(("text", "said"), [("{", "This is not JSON"), ('{"dataframe_records": [{"y": 1}]}', "error_code")])
def test_a_wrong_request_says_what_is_wrong(page: Page, run_id: str, text: str, said: str) -> None:
    page.goto(f"/serving/{NAME}")
    page.get_by_label("Request").fill(text)
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".snippet pre").first).to_contain_text(said)
    expect(page.locator(".badge.bad")).to_be_visible()


def test_a_request_is_found_in_the_inference_table(page: Page, server: Server, run_id: str) -> None:
    asked = {"dataframe_records": [{"x": 7}]}
    with server.client() as client:
        client.post(f"/serving-endpoints/{NAME}/invocations", json=asked).raise_for_status()
        client.post(f"/api/boathouse/v1/serving-endpoints/{NAME}/flush").raise_for_status()
    page.goto(f"/serving/{NAME}")
    page.get_by_role("link", name="main.pages_serving.plus_payload").click()
    expect(page.locator("table.data tbody")).to_contain_text("dataframe_records")


def test_a_model_shows_its_versions_and_leads_to_its_run(page: Page, run_id: str) -> None:
    page.goto("/models")
    page.get_by_role("link", name=MODEL).click()
    row = page.get_by_role("table").filter(has_text="Metrics of the run").locator("tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("auc_of_the_test 0.7146")
    expect(row.get_by_role("link", name=run_id[:8])).to_have_attribute(
        "href", re.compile(f"/mlflow/#/experiments/.*/runs/{run_id}")
    )
