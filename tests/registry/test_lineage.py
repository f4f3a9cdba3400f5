"""From a table to the model version that was trained on it, by the dataset inputs of its run."""

import json
import uuid
from typing import Any

import httpx

from tests.registry.conftest import MLFLOW, Place

TABLE = "system.access.column_lineage"


def trained_on(place: Place, client: httpx.Client, *sources: str) -> str:
    """A version of a new model whose run has dataset inputs; the model's name."""
    name = f"{place.schema}.trained_{len(sources)}_{'admin' if client is place.admin else 'owner'}"
    run, model = place.logged_model(client)
    datasets = [
        {
            "dataset": {"name": f"d{number}", "digest": uuid.uuid4().hex[:8], "source_type": "delta_table", "source": source},
            "tags": [],
        }
        for number, source in enumerate(sources)
    ]
    client.post(f"{MLFLOW}/runs/log-inputs", json={"run_id": run, "datasets": datasets}).raise_for_status()
    client.post(f"{MLFLOW}/registered-models/create", json={"name": name}).raise_for_status()
    body = {"name": name, "source": f"models:/{model}", "run_id": run, "model_id": model}
    client.post(f"{MLFLOW}/model-versions/create", json=body).raise_for_status()
    return name


def models(place: Place) -> list[dict[str, Any]]:
    asked = {"table_name": TABLE, "include_entity_lineage": "true"}
    answer = place.admin.get("/api/2.0/lineage-tracking/table-lineage", params=asked).json()
    return [one for node in answer["downstreams"] for one in node.get("modelVersionInfos", [])]


def test_a_version_is_downstream_of_what_its_run_has_read(place: Place) -> None:
    table = place.admin.get(f"/api/2.1/unity-catalog/tables/{TABLE}").json()
    by_name = json.dumps({"delta_table_name": TABLE, "delta_table_version": 0})
    by_path = json.dumps({"path": table["storage_location"]})
    for sources in ((by_name,), (by_path, "no json", json.dumps(["a list"]), json.dumps({"table_name": "main.default.none"}))):
        name = trained_on(place, place.admin, *sources)
        (found,) = [one for one in models(place) if one["model_name"] == name]
        assert found == {"model_name": name, "version": "1"}
        asked = {"type": "model_version", "name": f"{name}/1", "direction": "upstream", "depth": 1}
        (edge,) = place.admin.get("/api/boathouse/v1/lineage/graph", params=asked).json()["edges"]
        assert edge["source"] == f"table:{TABLE}"
        assert edge["table_version"] == (0 if sources == (by_name,) else None)
        assert [cause["type"] for cause in edge["causes"]] == ["RUN"]


def test_nobody_makes_lineage_of_a_table_that_he_may_not_read(place: Place) -> None:
    name = trained_on(place, place.owner, json.dumps({"table_name": TABLE}))
    assert name not in {one["model_name"] for one in models(place)}
