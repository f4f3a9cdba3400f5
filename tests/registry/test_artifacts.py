"""Paths and URIs of MLflow's files."""

import pytest

from boathouse.errors import InvalidParameterValue
from boathouse.registry.artifacts import ArtifactPath, from_databricks, path_of_uri, to_databricks
from boathouse.registry.files import artifact_path

RUN = "0123456789abcdef0123456789abcdef"
MODEL = "m-" + RUN


@pytest.mark.parametrize(
    ("path", "holder", "holder_id"),
    [
        (f"1/{RUN}/artifacts/a b.txt", "run", RUN),
        (f"1/models/{MODEL}/artifacts/MLmodel", "model", MODEL),
        ("1/traces/tr-1/artifacts/traces.json", "trace", "tr-1"),
        ("registered-models/a/b/c/12/MLmodel", "version", "a/b/c/12"),
    ],
)
def test_whose_a_path_is(path: str, holder: str, holder_id: str) -> None:
    found = ArtifactPath.parse(path)
    assert (found.holder, found.holder_id, found.path) == (holder, holder_id, path)


@pytest.mark.parametrize("path", ["", "1", f"1/{RUN}/../x", f"1/{RUN}/%2e%2e/x", f"/1/{RUN}/a", f"1/{RUN}/a\\b", "tables/x"])
def test_nobodys_paths(path: str) -> None:
    with pytest.raises(InvalidParameterValue):
        ArtifactPath.parse(path)


@pytest.mark.parametrize(
    "uri", ["file:///etc", "s3://b/k", f"mlflow-artifacts://host/1/{RUN}/a", f"mlflow-artifacts:/1/{RUN}/a?x=1"]
)
def test_uris_of_others(uri: str) -> None:
    with pytest.raises(InvalidParameterValue):
        path_of_uri(uri)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (f"mlflow-artifacts:/1/{RUN}/artifacts", f"dbfs:/databricks/mlflow-tracking/1/{RUN}/artifacts"),
        (
            f"mlflow-artifacts:/1/models/{MODEL}/artifacts",
            f"dbfs:/databricks/mlflow-tracking/1/logged_models/{MODEL}/artifacts",
        ),
        ("mlflow-artifacts:/1", "dbfs:/databricks/mlflow-tracking/1"),
        ("models:/m-1", "models:/m-1"),
    ],
)
def test_uris_as_databricks_clients_know_them(ours: str, theirs: str) -> None:
    assert to_databricks(f'{{"uri": "{ours}"}}'.encode()) == f'{{"uri": "{theirs}"}}'.encode()
    assert from_databricks(f'{{"uri": "{theirs}"}}'.encode()) == f'{{"uri": "{ours}"}}'.encode()


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/Models/A/b/c/1/x/MLmodel", "registered-models/a/b/c/1/x/MLmodel"),
        (f"/WorkspaceInternal/Mlflow/Artifacts/3/Runs/{RUN}/artifacts/a.txt", f"3/{RUN}/artifacts/a.txt"),
        (f"/WorkspaceInternal/Mlflow/Artifacts/3/LoggedModels/{MODEL}/artifacts", f"3/models/{MODEL}/artifacts"),
    ],
)
def test_paths_of_the_files_api(path: str, found: str) -> None:
    assert artifact_path(path).path == found


@pytest.mark.parametrize("path", ["/Models/a/b/c", "/Models/a/b/c/1/../2/x", "/WorkspaceInternal/x", "/Models/a/b/c/x/MLmodel"])
def test_paths_that_the_files_api_does_not_have(path: str) -> None:
    with pytest.raises(InvalidParameterValue):
        artifact_path(path)
