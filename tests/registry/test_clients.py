"""Real clients, unchanged, in processes of their own."""

from pathlib import Path

from tests.registry.conftest import Place, run_client


def test_stock_mlflow(place: Place, tmp_path: Path) -> None:
    environment = {"MLFLOW_TRACKING_URI": place.server.url, "MLFLOW_TRACKING_TOKEN": place.owner_token}
    found = run_client("stock_uris.py", place, tmp_path, **environment)
    refused = found.pop("refused")
    name = f"{place.schema}.delay"
    assert found == {
        "status": "READY",
        "user": [place.owner_name, place.owner_name],
        "last_loss": 0.01,
        "history": 100,
        "parent": True,
        "runs": 2,
        "text": "hello",
        "champion": "2",
        "same": True,
        "first": [2],
        "versions": ["2", "1"],
        "models": [name],
        "copied": [2],
        "after_deletion": [2],
        "approved": "1",
        "stages": {"2": "Archived", "1": "Staging"},
        "latest": ["1"],
        "staging": [2],
    }
    assert {what: error[0] for what, error in refused.items()} == {
        "two levels": "INVALID_PARAMETER_VALUE",
        "no schema": "RESOURCE_DOES_NOT_EXIST",
        "taken": "RESOURCE_ALREADY_EXISTS",
        "unknown": "RESOURCE_DOES_NOT_EXIST",
        "pending": "INVALID_PARAMETER_VALUE",
        "stage": "INVALID_PARAMETER_VALUE",  # nobody has approved it
        "rename": "INVALID_PARAMETER_VALUE",
        "file source": "INVALID_PARAMETER_VALUE",
        "traversal": "INVALID_PARAMETER_VALUE",
        "s3 source": "INVALID_PARAMETER_VALUE",
        "artifact location": "INVALID_PARAMETER_VALUE",
    }
    assert "specify all three levels, catalog.schema.model" in refused["two levels"][1]
    assert f"Schema '{place.schema.split('.')[0]}.nowhere' does not exist" in refused["no schema"][1]
    assert "approval=approved" in refused["pending"][1]


def test_databricks_uris_and_sdk(place: Place, tmp_path: Path) -> None:
    environment = {"DATABRICKS_HOST": place.server.url, "DATABRICKS_TOKEN": place.owner_token}
    found = run_client("databricks_uris.py", place, tmp_path, **environment)
    assert found.pop("artifact_uri").startswith("dbfs:/databricks/mlflow-tracking/")
    refused, sdk = found.pop("refused"), found.pop("sdk")
    name = f"{place.schema}.delay"
    assert found == {
        "user": place.owner_name,
        "text": "hello",
        "large": 60 * 1024 * 1024,
        "version": ["2", "READY", True, True],
        "same": True,
        "versions": [["2", "READY"], ["1", "READY"]],
        "models": [name],
        "described": ["late flights", {"team": "ops"}],
        "stock": True,
        "back": True,
        "left": [],
    }
    assert {what: error[0] for what, error in refused.items()} == {
        "two levels": "INTERNAL_ERROR",  # the client itself makes another error of ours, with our text
        "no schema": "RESOURCE_DOES_NOT_EXIST",
        "taken": "RESOURCE_ALREADY_EXISTS",
        "unknown": "RESOURCE_DOES_NOT_EXIST",
        "no version": "RESOURCE_DOES_NOT_EXIST",
        "no model": "RESOURCE_DOES_NOT_EXIST",
        "rejected": "INVALID_PARAMETER_VALUE",
    }
    assert f"(name={name}, version=99) not found" in refused["no version"][1]
    assert f"Registered model '{place.schema}.unknown' does not exist" in refused["no model"][1]
    assert "specify all three levels" in refused["two levels"][1]
    assert sdk.pop("final")[1].startswith(f"Version 2 of '{name}' is complete")
    assert sdk == {
        "models": [name],
        "comment": "late flights",
        "aliases": [["champion", 2]],
        "listed aliases": [["champion", 2]],
        "alias": 2,
        "by_alias": 2,
        "versions": [2, 1],
        "first": ["the first", "READY"],
        "updated": "later",
        "version updated": "one",
        "file": "artifact_path: d",
    }
