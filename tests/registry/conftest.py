"""A schema, its owner, a stranger, and stock clients in processes of their own."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from mlflow import MlflowClient

from tests.conftest import Server
from tests.models import MLMODEL

UC = "/api/2.1/unity-catalog"
MLFLOW = "/api/2.0/mlflow"
CLIENTS = Path(__file__).parent / "clients"


@dataclass
class Place:
    """A schema in a catalog of its own, its owner, and somebody without any grant."""

    server: Server
    admin: httpx.Client
    owner: httpx.Client
    owner_name: str
    owner_token: str
    stranger: httpx.Client
    stranger_name: str
    stranger_token: str
    schema: str

    def grant(self, kind: str, name: str, *privileges: str) -> None:
        body = {"changes": [{"principal": self.stranger_name, "add": list(privileges)}]}
        self.admin.patch(f"{UC}/permissions/{kind}/{name}", json=body).raise_for_status()

    def let_in(self) -> None:
        self.grant("catalog", self.schema.split(".")[0], "USE_CATALOG")
        self.grant("schema", self.schema, "USE_SCHEMA")

    def logged_model(self, client: httpx.Client | None = None) -> tuple[str, str]:
        """A run and a logged model with one file, made by hand; the ids of both."""
        client = client or self.owner
        run = client.post(f"{MLFLOW}/runs/create", json={"experiment_id": "0"}).json()["run"]["info"]["run_id"]
        body = {"experiment_id": "0", "name": "m", "source_run_id": run}
        model = client.post(f"{MLFLOW}/logged-models", json=body).json()["model"]["info"]["model_id"]
        put = client.put(f"/api/2.0/mlflow-artifacts/artifacts/0/models/{model}/artifacts/MLmodel", content=MLMODEL)
        put.raise_for_status()
        return run, model

    def model(self, name: str = "m") -> str:
        """A registered model with one version; its full name."""
        full_name = f"{self.schema}.{name}"
        self.owner.post(f"{MLFLOW}/registered-models/create", json={"name": full_name}).raise_for_status()
        self.version(full_name).raise_for_status()
        return full_name

    def version(self, full_name: str) -> httpx.Response:
        run, model = self.logged_model()
        body = {"name": full_name, "source": f"models:/{model}", "run_id": run, "model_id": model}
        return self.owner.post(f"{MLFLOW}/model-versions/create", json=body)


@pytest.fixture(scope="session")
def server(server_on_each_database: Server) -> Server:
    """The same tests on SQLite and on PostgreSQL."""
    return server_on_each_database


@pytest.fixture
def place(server: Server) -> Iterator[Place]:
    suffix = uuid.uuid4().hex[:8]
    names = (f"owner-{suffix}@example.com", f"stranger-{suffix}@example.com")
    tokens = tuple(server.new_principal(name) for name in names)
    catalog, admin = f"r_{suffix}", server.client()
    admin.post(f"{UC}/catalogs", json={"name": catalog}).raise_for_status()
    admin.post(f"{UC}/schemas", json={"name": "s", "catalog_name": catalog}).raise_for_status()
    rights = {"changes": [{"principal": names[0], "add": ["USE_CATALOG", "USE_SCHEMA", "CREATE_MODEL"]}]}
    admin.patch(f"{UC}/permissions/catalog/{catalog}", json=rights).raise_for_status()
    owner, stranger = server.client(tokens[0]), server.client(tokens[1])
    yield Place(server, admin, owner, names[0], tokens[0], stranger, names[1], tokens[1], f"{catalog}.s")
    admin.delete(f"{UC}/catalogs/{catalog}", params={"force": True})


@pytest.fixture
def mlflow(place: Place, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """MLflow's own client, as the schema's owner."""
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", place.owner_token)
    return MlflowClient(place.server.url)


def run_client(name: str, place: Place, folder: Path, **environment: str) -> dict[str, Any]:
    """Run a script of `clients/` as the schema's owner; it gets the schema and writes what it found as JSON."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "DATABRICKS_", "BOATHOUSE_"))}
    out = folder / "out.json"
    done = subprocess.run(
        [sys.executable, str(CLIENTS / name), place.schema, str(out)],
        env=kept | environment | {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads(out.read_text())
    return found
