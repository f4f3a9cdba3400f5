"""A person who trains, with a schema of its own."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from tests.conftest import Server
from tests.engine.conftest import admin_session, connect, grant, schema, spark
from tests.workspace.runtime.conftest import Person, person

__all__ = ["admin_session", "connect", "grant", "person", "schema", "spark"]


@pytest.fixture(scope="session")
def server(shared_server: Server) -> Server:
    """One for all."""
    return shared_server


@dataclass
class Trainer:
    """Somebody who may read and make all in a schema."""

    person: Person
    schema: str
    runs: MlflowClient
    server: Server

    def notebook(self, name: str, text: str, **parameters: str) -> dict[str, Any]:
        """A task that runs a notebook."""
        path = self.person.put(name, "# Databricks notebook source\n" + text.replace("SCHEMA", self.schema))
        return {"notebook_task": {"notebook_path": path, "base_parameters": parameters}}

    def inputs(self, run_id: str) -> dict[str, list[int]]:
        """The versions of each table that a run has read."""
        found: dict[str, list[int]] = {}
        for one in self.runs.get_run(run_id).inputs.dataset_inputs:
            source = json.loads(one.dataset.source)
            found.setdefault(source["delta_table_name"].rpartition(".")[2], []).append(source["delta_table_version"])
        return {name: sorted(versions) for name, versions in sorted(found.items())}

    def run(self, run_id: str) -> Run:
        return self.runs.get_run(run_id)


@pytest.fixture
def trainer(
    server: Server, schema: str, grant: Callable[..., None], person: Callable[[], Person], monkeypatch: pytest.MonkeyPatch
) -> Trainer:
    somebody = person()
    grant("catalog", "main", somebody.name, "USE_CATALOG")
    grant("schema", schema, somebody.name, "USE_SCHEMA", "SELECT", "MODIFY", "CREATE_TABLE", "CREATE_MODEL")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", somebody.token)
    return Trainer(somebody, schema, MlflowClient(server.url, registry_uri=server.url), server)
