"""A bundle with a serving endpoint: it is deployed once it serves, and what does not come to serve has failed."""

import uuid
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from databricks.sdk import WorkspaceClient
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression
from typer.testing import CliRunner

from boathouse.cli import app
from tests.bundles.project import write
from tests.conftest import Server
from tests.models import MLMODEL

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")

BUNDLE = """
bundle: {{name: {name}}}
targets: {{dev: {{default: true}}}}
resources:
  model_serving_endpoints:
    e:
      name: {name}
      config:
        served_entities: [{{entity_name: {model}, entity_version: "{version}", workload_size: Small, scale_to_zero_enabled: false}}]
"""


def two_versions(server: Server, model: str) -> None:
    """The first cannot be loaded: there is nothing in it but its MLmodel."""
    client, uc, body = server.client(), "/api/2.0/mlflow/unity-catalog", {"name": model, "version": "1"}
    client.post(f"{uc}/registered-models/create", json={"name": model}).raise_for_status()
    client.post(f"{uc}/model-versions/create", json={"name": model, "source": "x"}).raise_for_status()
    client.put(f"/api/2.0/fs/files/Models/{model.replace('.', '/')}/1/MLmodel", content=MLMODEL).raise_for_status()
    client.post(f"{uc}/model-versions/finalize", json=body).raise_for_status()
    rows = pd.DataFrame({"x": [0.0, 1.0, 2.0]})
    with mlflow.start_run():
        mlflow.sklearn.log_model(
            LinearRegression().fit(rows, rows["x"] + 1),
            name="model",
            signature=infer_signature(rows, np.asarray(rows["x"])),
            registered_model_name=model,
            pip_requirements=[],
        )


def test_an_endpoint_is_deployed_when_it_serves(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "DATABRICKS_HOST"):
        monkeypatch.setenv(name, server.url)
    for name in ("MLFLOW_TRACKING_TOKEN", "DATABRICKS_TOKEN"):
        monkeypatch.setenv(name, server.token)
    name = f"b{uuid.uuid4().hex[:8]}"
    model = f"main.default.{name}"
    two_versions(server, model)

    def tell(command: str, version: int, status: int = 0) -> str:
        folder = write(tmp_path / "project", {"databricks.yml": BUNDLE.format(name=name, model=model, version=version)})
        told = CliRunner().invoke(app, ["bundle", command, "--project", str(folder)], catch_exceptions=False)
        assert told.exit_code == status, told.output
        return told.output

    client = WorkspaceClient(host=server.url, token=server.token)
    told = tell("deploy", 1, status=1)
    assert "UPDATE_FAILED: creating resources.model_serving_endpoints.e: The model servers of its configuration" in told
    assert "It serves nothing yet." in told
    assert "the last deployment broke off there" in tell("plan", 1)

    assert "Deployed." in tell("deploy", 2)
    endpoint = client.serving_endpoints.get(name)
    assert endpoint.state
    assert (str(endpoint.state.ready), endpoint.pending_config) == ("EndpointStateReady.READY", None)
    assert client.serving_endpoints.query(name, dataframe_records=[{"x": 4.0}]).predictions == [pytest.approx(5.0)]
    assert "Nothing to do: all is as the bundle says." in tell("plan", 2)

    told = tell("deploy", 1, status=1)
    assert "It serves on what it served before." in told
    assert '"2" → "1"' in tell("plan", 1)
    assert "Plan: no resource changes" in tell("plan", 2)
    client.serving_endpoints.delete(name)
