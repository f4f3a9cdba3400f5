"""A model in a schema of its own: its author, somebody who may approve, and a job whose tasks are small."""

import base64
import os
import subprocess
import sys
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.conftest import Server
from tests.models import MLMODEL

with warnings.catch_warnings():
    # MLflow warns of its own type hints when it is first imported; that is none of these tests' concern.
    warnings.simplefilter("ignore")
    import mlflow.pyfunc  # noqa: F401

UC = "/api/2.1/unity-catalog"
UC_REST = "/api/2.0/mlflow/unity-catalog"
MLFLOW = "/api/2.0/mlflow"
ASK = "/api/boathouse/v1/deployments"
SECONDS = 120
APPROVAL = """
import sys
from boathouse.deployment import steps
steps.approval(sys.argv[1], sys.argv[2], sys.argv[3])
"""


def until(ask: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """What is answered at last."""
    deadline = time.monotonic() + seconds
    while not (found := ask()):
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.1)
    return found


@dataclass
class Shop:
    """A catalog, and the people around a model in it.

    Attributes:
        author: Owns the schema's models, and registers versions.
        reviewer: Has APPLY TAG on the catalog.
        reader: Has EXECUTE.
    """

    server: Server
    schema: str
    admin: httpx.Client
    author: httpx.Client
    author_name: str
    author_token: str
    reviewer: httpx.Client
    reviewer_token: str
    reviewer_name: str
    reader: httpx.Client

    @property
    def name(self) -> str:
        return f"{self.schema}.m"

    @property
    def url(self) -> str:
        return f"{ASK}/{self.name}"

    def script(self, name: str, text: str) -> str:
        """A Python file of the author's; its path in the workspace."""
        path = f"/Users/{self.author_name}/{name}"
        body = {"path": path, "format": "RAW", "overwrite": True, "content": base64.b64encode(text.encode()).decode()}
        self.author.post("/api/2.0/workspace/import", json=body).raise_for_status()
        return path

    def job(self, tasks: list[dict[str, Any]], *parameters: str) -> str:
        """A job of the author's; its id."""
        body = {"name": "deploy", "tasks": tasks, "parameters": [{"name": one, "default": ""} for one in parameters]}
        made = self.author.post("/api/2.2/jobs/create", json=body)
        made.raise_for_status()
        return str(made.json()["job_id"])

    def approving_job(self) -> str:
        """A job of an approval that comes before a condition."""
        path = self.script("approve.py", APPROVAL)
        arguments = ["{{job.parameters.model_name}}", "{{job.parameters.model_version}}", "{{task.name}}"]
        approval = {"task_key": "approval", "spark_python_task": {"python_file": path, "parameters": arguments}}
        condition = {"op": "EQUAL_TO", "left": "1", "right": "1"}
        after = {"task_key": "deploy", "depends_on": [{"task_key": "approval"}], "condition_task": condition}
        return self.job([approval, after], "model_name", "model_version")

    def version(self, **given: str) -> str:
        """A new version without anything in it; its number."""
        made = self.author.post(f"{UC_REST}/model-versions/create", json={"name": self.name, "source": "x", **given})
        made.raise_for_status()
        number = str(made.json()["model_version"]["version"])
        folder = f"/api/2.0/fs/files/Models/{self.name.replace('.', '/')}/{number}"
        self.author.put(f"{folder}/MLmodel", content=MLMODEL).raise_for_status()
        body = {"name": self.name, "version": number}
        self.author.post(f"{UC_REST}/model-versions/finalize", json=body).raise_for_status()
        return number

    def state(self, version: str) -> dict[str, Any]:
        """What MLflow's client is told of the version's deployment job."""
        answer = self.reader.get(f"{UC_REST}/model-versions/get", params={"name": self.name, "version": version})
        found: dict[str, Any] = answer.json()["model_version"].get("deployment_job_state", {})
        return found

    def at(self, version: str, state: str) -> dict[str, Any]:
        """The same, once the job is at a state."""
        found: dict[str, Any] = until(lambda: (now := self.state(version)).get("run_state") == state and now)
        return found

    def alias(self, version: str, name: str = "champion") -> httpx.Response:
        return self.author.post(
            f"{MLFLOW}/registered-models/alias", json={"name": self.name, "alias": name, "version": version}
        )

    def environment(self) -> dict[str, str]:
        """What clients in processes of their own are given, as the author."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "DATABRICKS_", "BOATHOUSE_"))}
        given = {
            "DATABRICKS_HOST": self.server.url,
            "DATABRICKS_TOKEN": self.author_token,
            "MLFLOW_TRACKING_URI": "databricks",
            "MLFLOW_REGISTRY_URI": "databricks-uc",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        }
        return kept | given

    def run(self, text: str, folder: str, **environment: str) -> str:
        """What a Python program prints."""
        done = subprocess.run(
            [sys.executable, "-c", text, self.name],
            env=self.environment() | environment,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout


def told(answer: httpx.Response) -> Mapping[str, Any]:
    """A good answer's body."""
    assert answer.status_code == 200, answer.text
    found: Mapping[str, Any] = answer.json()
    return found


@pytest.fixture
def shop(server: Server) -> Iterator[Shop]:
    suffix = uuid.uuid4().hex[:8]
    names = {role: f"{role}-{suffix}@example.com" for role in ("author", "reviewer", "reader")}
    tokens = {role: server.new_principal(name) for role, name in names.items()}
    catalog, admin = f"d_{suffix}", server.client()
    admin.post(f"{UC}/catalogs", json={"name": catalog}).raise_for_status()
    admin.post(f"{UC}/schemas", json={"name": "s", "catalog_name": catalog}).raise_for_status()
    see = ["USE_CATALOG", "USE_SCHEMA", "EXECUTE"]
    rights = {"author": [*see, "CREATE_MODEL", "CREATE_TABLE"], "reviewer": [*see, "APPLY_TAG"], "reader": see}
    changes = [{"principal": names[role], "add": add} for role, add in rights.items()]
    admin.patch(f"{UC}/permissions/catalog/{catalog}", json={"changes": changes}).raise_for_status()
    author, reviewer, reader = (server.client(tokens[role]) for role in ("author", "reviewer", "reader"))
    found = Shop(
        server,
        f"{catalog}.s",
        admin,
        author,
        names["author"],
        tokens["author"],
        reviewer,
        tokens["reviewer"],
        names["reviewer"],
        reader,
    )
    author.post(f"{UC_REST}/registered-models/create", json={"name": found.name}).raise_for_status()
    yield found
    admin.delete(f"{UC}/catalogs/{catalog}", params={"force": True})
