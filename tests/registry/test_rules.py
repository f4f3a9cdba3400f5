"""Who may do what, past every client: names, privileges, owners, true users."""

import json

import pytest
from mlflow import MlflowClient, MlflowException

from tests.models import MLMODEL
from tests.registry.conftest import MLFLOW, UC, Place

UC_REST = f"{MLFLOW}/unity-catalog"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"


def code(answer) -> tuple[int, str]:
    return answer.status_code, answer.json().get("error_code", "")


DENIED = (403, "PERMISSION_DENIED")


def test_a_model_is_nothing_to_a_stranger(place: Place) -> None:
    name = place.model()
    path = name.replace(".", "/")
    version = {"name": name, "version": "1"}
    for answer in (
        place.stranger.get(f"{MLFLOW}/registered-models/get", params={"name": name}),
        place.stranger.get(f"{MLFLOW}/model-versions/get", params=version),
        place.stranger.get(f"{MLFLOW}/model-versions/get-download-uri", params=version),
        place.stranger.get("/model-versions/get-artifact", params=version | {"path": "MLmodel"}),
        place.stranger.get(f"{ARTIFACTS}/registered-models/{path}/1/MLmodel"),
        place.stranger.get(ARTIFACTS, params={"path": f"registered-models/{path}/1"}),
        place.stranger.get(f"{UC_REST}/model-versions/get", params=version),
        place.stranger.get(f"{UC}/models/{name}/versions/1"),
        place.stranger.get(f"/api/2.0/fs/files/Models/{path}/1/MLmodel"),
        place.stranger.get(f"/api/2.0/fs/directories/Models/{path}/1"),
        place.stranger.post(f"{MLFLOW}/registered-models/create", json={"name": f"{place.schema}.mine"}),
        place.stranger.post(f"{UC_REST}/registered-models/create", json={"name": f"{place.schema}.mine"}),
    ):
        assert code(answer) == DENIED, answer.request.url
    for path in ("registered-models", "model-versions"):
        found = place.stranger.get(f"{MLFLOW}/{path}/search").json()
        assert name not in str(found)
    query = {"query": '{ mlflowSearchModelVersions(input: {filter: ""}) { modelVersions { name } } }'}
    assert name not in place.stranger.post("/graphql", json=query).text


def test_execute_reads_and_only_reads(place: Place) -> None:
    name = place.model()
    place.let_in()
    place.grant("registered_model", name, "EXECUTE")
    path = name.replace(".", "/")
    version = {"name": name, "version": "1"}
    for answer in (
        place.stranger.get(f"{MLFLOW}/registered-models/get", params={"name": name.upper()}),
        place.stranger.get(f"{MLFLOW}/model-versions/get", params=version),
        place.stranger.get(f"{ARTIFACTS}/registered-models/{path}/1/MLmodel"),
        place.stranger.get(f"/api/2.0/fs/files/Models/{path}/1/MLmodel"),
        place.stranger.get(f"{UC}/models/{name}"),
    ):
        assert answer.status_code == 200, answer.text
    assert [one["name"] for one in place.stranger.get(f"{MLFLOW}/registered-models/search").json()["registered_models"]] == [
        name
    ]
    _, model = place.logged_model()
    for method, target, body in (
        ("POST", f"{MLFLOW}/registered-models/alias", version | {"alias": "champion"}),
        ("DELETE", f"{MLFLOW}/registered-models/alias", {"name": name, "alias": "champion"}),
        ("POST", f"{MLFLOW}/registered-models/set-tag", {"name": name, "key": "k", "value": "v"}),
        ("POST", f"{MLFLOW}/model-versions/set-tag", version | {"key": "approval", "value": "approved"}),
        ("DELETE", f"{MLFLOW}/model-versions/delete-tag", version | {"key": "approval"}),
        ("PATCH", f"{MLFLOW}/registered-models/update", {"name": name, "description": "mine"}),
        ("PATCH", f"{MLFLOW}/model-versions/update", version | {"description": "mine"}),
        ("POST", f"{MLFLOW}/model-versions/create", {"name": name, "source": f"models:/{model}", "model_id": model}),
        ("DELETE", f"{MLFLOW}/model-versions/delete", version),
        ("DELETE", f"{MLFLOW}/registered-models/delete", {"name": name}),
        ("POST", f"{UC_REST}/model-versions/create", {"name": name, "source": "x"}),
        ("POST", f"{UC_REST}/model-versions/finalize", version),
        ("PUT", f"{UC}/models/{name}/aliases/a", {"version_num": 1}),
        ("PATCH", f"{UC}/models/{name}", {"owner": place.stranger_name}),
        ("DELETE", f"{UC}/models/{name}", None),
    ):
        assert code(place.stranger.request(method, target, json=body)) == DENIED, (method, target)
    assert code(place.stranger.put(f"/api/2.0/fs/files/Models/{path}/1/evil", content=b"x")) == DENIED
    place.grant("registered_model", name, "MANAGE")
    alias = version | {"alias": "champion"}
    assert place.stranger.post(f"{MLFLOW}/registered-models/alias", json=alias).status_code == 200


def test_a_model_is_given_away(place: Place) -> None:
    body = {"owner": place.stranger_name, "comment": "yours"}
    answer = place.owner.patch(f"{UC}/models/{place.model()}", json=body)
    assert answer.status_code == 200, answer.text
    assert {key: answer.json()[key] for key in body} == body
    assert code(place.owner.get(f"{UC}/models/{answer.json()['full_name']}")) == DENIED


@pytest.mark.parametrize(("name", "example"), [("main.a/Sdk", "a_sdk"), ("main.delay", "delay"), ("main./", "model")])
def test_the_name_that_an_error_proposes_is_valid(place: Place, name: str, example: str) -> None:
    answer = place.owner.post(f"{MLFLOW}/registered-models/create", json={"name": name})
    assert code(answer) == (400, "INVALID_PARAMETER_VALUE")
    assert f"such as main.default.{example}." in answer.json()["message"]


def test_a_version_changes_no_more(place: Place) -> None:
    name = place.model()
    path = f"{name.replace('.', '/')}/1/MLmodel"
    assert code(place.owner.put(f"{ARTIFACTS}/registered-models/{path}", content=b"x")) == (400, "INVALID_PARAMETER_VALUE")
    assert code(place.owner.delete(f"{ARTIFACTS}/registered-models/{path}")) == (400, "INVALID_PARAMETER_VALUE")
    answer = place.owner.put(f"/api/2.0/fs/files/Models/{path}", params={"overwrite": "true"}, content=b"x")
    assert code(answer) == (400, "INVALID_PARAMETER_VALUE")
    assert place.owner.get(f"/api/2.0/fs/files/Models/{path}").content == MLMODEL


def test_a_version_of_the_files_api_is_pending_until_its_model_is_there(place: Place) -> None:
    name = place.model()
    made = place.owner.post(f"{UC_REST}/model-versions/create", json={"name": name, "source": "x"}).json()["model_version"]
    assert (made["version"], made["status"]) == ("2", "PENDING_REGISTRATION")
    version = {"name": name, "version": "2"}
    assert code(place.owner.post(f"{UC_REST}/model-versions/finalize", json=version)) == (404, "RESOURCE_DOES_NOT_EXIST")
    folder = f"/api/2.0/fs/files/Models/{name.replace('.', '/')}/2"
    assert place.owner.put(f"{folder}/MLmodel", content=MLMODEL).status_code == 204
    assert code(place.owner.put(f"{folder}/..%2f..%2f..%2fevil", content=b"x"))[0] == 400
    done = place.owner.post(f"{UC_REST}/model-versions/finalize", json=version).json()["model_version"]
    assert done["status"] == "READY"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"flavors: {}", "did not contain any signature metadata"),
        (b'signature:\n  inputs: \'[{"type": "double", "name": "x"}]\'\n', "has a signature without outputs"),
        (b"signature: [", "cannot be read"),
    ],
)
def test_a_model_without_a_signature_is_not_registered(place: Place, content: bytes, told: str) -> None:
    name = place.model()
    run, model = place.logged_model()
    file = f"{ARTIFACTS}/0/models/{model}/artifacts/MLmodel"
    place.owner.put(file, content=content).raise_for_status()
    body = {"name": name, "source": f"models:/{model}", "run_id": run, "model_id": model}
    answer = place.owner.post(f"{MLFLOW}/model-versions/create", json=body)
    assert code(answer) == (400, "INVALID_PARAMETER_VALUE")
    assert told in answer.json()["message"]
    place.owner.post(f"{UC_REST}/model-versions/create", json={"name": name, "source": "x"}).raise_for_status()
    place.owner.put(f"/api/2.0/fs/files/Models/{name.replace('.', '/')}/2/MLmodel", content=content).raise_for_status()
    answer = place.owner.post(f"{UC_REST}/model-versions/finalize", json={"name": name, "version": "2"})
    assert code(answer) == (400, "INVALID_PARAMETER_VALUE")
    assert told in answer.json()["message"]


def test_runs_and_experiments_of_others(place: Place) -> None:
    experiment = place.owner.post(f"{MLFLOW}/experiments/create", json={"name": place.schema}).json()["experiment_id"]
    body = {"experiment_id": experiment, "user_id": "mallory", "tags": [{"key": "mlflow.user", "value": "mallory"}]}
    run = place.owner.post(f"{MLFLOW}/runs/create", json=body).json()["run"]["info"]
    assert run["user_id"] == place.owner_name
    at = {"run_id": run["run_id"]}
    assert place.stranger.get(f"{MLFLOW}/runs/get", params=at).status_code == 200
    file = f"{ARTIFACTS}/{experiment}/{run['run_id']}/artifacts/a.txt"
    internal = f"/api/2.0/fs/files/WorkspaceInternal/Mlflow/Artifacts/{experiment}/Runs/{run['run_id']}/artifacts/a.txt"
    assert place.owner.put(file, content=b"a").status_code == 200
    assert place.stranger.get(file).content == b"a"
    assert place.stranger.get(internal).content == b"a"
    metric = {"key": "m", "value": 1, "timestamp": 1}
    writes = (
        ("runs/log-metric", at | metric),
        ("runs/log-parameter", at | {"key": "p", "value": "1"}),
        ("runs/log-batch", at | {"metrics": [metric]}),
        ("runs/set-tag", at | {"key": "k", "value": "v"}),
        ("runs/delete-tag", at | {"key": "mlflow.runName"}),
        ("runs/update", at | {"status": "FAILED"}),
        ("runs/log-inputs", at | {"datasets": []}),
        ("runs/outputs", at | {"models": [{"model_id": "m-1", "step": 0}]}),
        ("runs/delete", at),
        ("runs/restore", at),
        ("experiments/update", {"experiment_id": experiment, "new_name": "mine"}),
        ("experiments/set-experiment-tag", {"experiment_id": experiment, "key": "k", "value": "v"}),
        ("experiments/delete-experiment-tag", {"experiment_id": experiment, "key": "mlflow.ownerEmail"}),
        ("experiments/delete", {"experiment_id": experiment}),
        ("logged-models", {"experiment_id": experiment, "source_run_id": run["run_id"]}),
        ("traces/delete-traces", {"experiment_id": experiment, "max_timestamp_millis": 9_999_999_999_999}),
    )
    for path, body in writes:
        assert code(place.stranger.post(f"{MLFLOW}/{path}", json=body)) == DENIED, path
    assert code(place.stranger.put(file, content=b"b")) == DENIED
    assert code(place.stranger.delete(file)) == DENIED
    assert code(place.stranger.put(internal, params={"overwrite": "true"}, content=b"b")) == DENIED
    # Who owns the experiment may change a run of somebody else in it; the run stays that user's.
    theirs = place.stranger.post(f"{MLFLOW}/runs/create", json={"experiment_id": experiment}).json()["run"]["info"]
    assert theirs["user_id"] == place.stranger_name
    for client in (place.owner, place.admin):
        tags = {"run_id": theirs["run_id"], "tags": [{"key": "mlflow.user", "value": "me"}, {"key": "k", "value": "v"}]}
        assert client.post(f"{MLFLOW}/runs/log-batch", json=tags).status_code == 200
    tags = place.owner.get(f"{MLFLOW}/runs/get", params={"run_id": theirs["run_id"]}).json()["run"]["data"]["tags"]
    assert {"key": "mlflow.user", "value": place.stranger_name} in tags


def test_data_sets_of_evaluations_are_their_makers(place: Place) -> None:
    root = "/api/3.0/mlflow/datasets"
    tags = json.dumps({"mlflow.user": "mallory", "k": "v"})
    made = place.owner.post(f"{root}/create", json={"name": place.schema, "experiment_ids": ["0"], "tags": tags}).json()[
        "dataset"
    ]
    target = f"{root}/{made['dataset_id']}"
    assert (made["created_by"], json.loads(made["tags"])) == (place.owner_name, {"mlflow.user": place.owner_name, "k": "v"})
    records = json.dumps([{"inputs": {"q": "a"}, "expectations": {"e": "b"}, "tags": {"mlflow.user": "mallory"}}])
    assert place.owner.post(f"{target}/records", json={"records": records}).json() == {"inserted_count": 1, "updated_count": 0}
    (record,) = json.loads(place.stranger.get(f"{target}/records").json()["records"])
    assert (record["inputs"], record["created_by"]) == ({"q": "a"}, place.owner_name)
    for method, path, body in (
        ("POST", "/records", {"records": records}),
        ("DELETE", "/records", {"dataset_record_ids": [record["dataset_record_id"]]}),
        ("PATCH", "/tags", {"tags": json.dumps({"k": "w"})}),
        ("DELETE", "/tags/k", {}),
        ("POST", "/add-experiments", {"experiment_ids": ["0"]}),
        ("POST", "/remove-experiments", {"experiment_ids": ["0"]}),
        ("DELETE", "", {}),
    ):
        assert code(place.stranger.request(method, f"{target}{path}", json=body)) == DENIED, path
    for client in (place.owner, place.admin):
        told = json.dumps({"k": "x", "mlflow.user": "me"})
        assert client.request("PATCH", f"{target}/tags", json={"tags": told}).status_code == 200
    client.request("DELETE", f"{target}/tags/mlflow.user", json={})
    found = place.stranger.get(target).json()["dataset"]
    assert json.loads(found["tags"]) == {"mlflow.user": place.owner_name, "k": "x"}
    assert place.owner.request("DELETE", target, json={}).status_code == 200
    assert place.owner.get(target).status_code == 404


def test_logged_models_of_others(place: Place) -> None:
    _, model = place.logged_model()
    file = f"{ARTIFACTS}/0/models/{model}/artifacts/MLmodel"
    assert place.stranger.get(file).status_code == 200
    assert code(place.stranger.put(file, content=b"evil")) == DENIED
    target = f"{MLFLOW}/logged-models/{model}"
    assert code(place.stranger.patch(target, json={"model_id": model, "status": "LOGGED_MODEL_READY"})) == DENIED
    assert code(place.stranger.patch(f"{target}/tags", json={"tags": [{"key": "k", "value": "v"}]})) == DENIED
    assert code(place.stranger.delete(target)) == DENIED


@pytest.mark.parametrize(
    "path",
    [
        "..%2f..%2fmetadata.db",
        "%252e%252e/%252e%252e/metadata.db",
        "0/{run}/artifacts/..%2f..%2f..%2f..%2fmetadata.db",
        "0/{run}/artifacts/..%5c..%5cmetadata.db",
        "/etc/passwd",
        "0/{run}/artifacts/a%00b",
        "metadata.db",
        "0",
        "",
        "registered-models",
    ],
)
def test_paths_that_lead_elsewhere(place: Place, path: str) -> None:
    run, _ = place.logged_model()
    path = path.format(run=run)
    for prefix in ("/api", "/ajax-api", "/mlflow/ajax-api"):
        target = f"{prefix}/2.0/mlflow-artifacts/artifacts/{path}"
        assert place.owner.get(target).status_code == 400, target
        assert place.owner.put(target, content=b"x").status_code == 400, target
    for root in ("Models/a/b/c/1", f"WorkspaceInternal/Mlflow/Artifacts/0/Runs/{run}"):
        if ".." in path or "%2e" in path:
            assert place.owner.get(f"/api/2.0/fs/files/{root}/{path}").status_code == 400
    answer = place.owner.get("/get-artifact", params={"run_uuid": run, "path": "../../../metadata.db"})
    assert answer.status_code == 400


def test_deleting_a_container_takes_its_models_with_it(place: Place, mlflow: MlflowClient) -> None:
    name = place.model()
    folder = place.server.root / "artifacts" / "registered-models" / name.replace(".", "/")
    catalog, schema, _ = name.split(".")
    for container in (f"schemas/{place.schema}", f"catalogs/{catalog}"):
        refused = code(place.admin.delete(f"{UC}/{container}"))
        assert refused == (400, "INVALID_STATE")
        assert mlflow.get_model_version(name, "1").status == "READY"
        place.admin.delete(f"{UC}/{container}", params={"force": True}).raise_for_status()
        assert mlflow.search_registered_models(f"name = '{name}'") == []
        assert mlflow.search_model_versions(f"name = '{name}'") == []
        assert not folder.exists()
        with pytest.raises(MlflowException, match=r"does not exist"):
            mlflow.get_registered_model(name)
        place.admin.post(f"{UC}/catalogs", json={"name": catalog})
        place.admin.post(f"{UC}/schemas", json={"name": schema, "catalog_name": catalog}).raise_for_status()
        rights = {"changes": [{"principal": place.owner_name, "add": ["USE_CATALOG", "USE_SCHEMA", "CREATE_MODEL"]}]}
        place.admin.patch(f"{UC}/permissions/catalog/{catalog}", json=rights).raise_for_status()
        assert place.model() == name
        assert [one.version for one in mlflow.search_model_versions(f"name = '{name}'")] == ["1"]


def test_models_follow_new_names(place: Place, mlflow: MlflowClient) -> None:
    name = place.model()
    mlflow.set_registered_model_alias(name, "champion", "1")
    mlflow.set_registered_model_tag(name, "team", "a")
    mlflow.set_model_version_tag(name, "1", "k", "v")
    catalog = place.schema.split(".")[0]
    mlflow.rename_registered_model(name, f"{place.schema}.renamed")
    place.admin.patch(f"{UC}/schemas/{place.schema}", json={"new_name": "t"}).raise_for_status()
    # Who takes an old name before anybody asked for the new one takes nothing else.
    place.admin.post(f"{UC}/schemas", json={"name": "s", "catalog_name": catalog}).raise_for_status()
    other = place.model("renamed")
    name = f"{catalog}.t.m"
    changed = place.owner.patch(f"{UC}/models/{catalog}.t.renamed", json={"new_name": "m", "comment": "c"})
    assert (changed.json()["full_name"], changed.json()["comment"]) == (name, "c")
    found = mlflow.get_model_version_by_alias(name, "champion")
    assert (found.name, found.version, found.tags) == (name, "1", {"k": "v"})
    assert mlflow.get_registered_model(name).tags == {"team": "a"}
    assert {one.name for one in mlflow.search_model_versions()} >= {name, other}
    folder = place.server.root / "artifacts" / "registered-models"
    for model in (name, other):
        path = mlflow.get_model_version_download_uri(model, "1").removeprefix("mlflow-artifacts:/")
        assert place.owner.get(f"/api/2.0/mlflow-artifacts/artifacts/{path}/MLmodel").content == MLMODEL
        assert (folder / model.replace(".", "/") / "1" / "MLmodel").is_file()
    assert not (folder / catalog / "t" / "renamed").exists()
    with pytest.raises(MlflowException, match="already exists"):
        mlflow.rename_registered_model(other, place.model("taken"))
    place.let_in()
    place.grant("function", name, "EXECUTE")
    assert code(place.stranger.patch(f"{UC}/models/{name}", json={"new_name": "x"})) == DENIED


def test_files_of_a_deleted_version_go(place: Place) -> None:
    name = place.model()
    folder = place.server.root / "artifacts" / "registered-models" / name.replace(".", "/")
    assert (folder / "1" / "MLmodel").is_file()
    assert place.version(name).status_code == 200
    place.owner.request("DELETE", f"{MLFLOW}/model-versions/delete", json={"name": name, "version": "1"}).raise_for_status()
    assert sorted(one.name for one in folder.iterdir()) == ["2"]
    place.owner.request("DELETE", f"{MLFLOW}/registered-models/delete", json={"name": name}).raise_for_status()
    assert not folder.exists()


def test_a_source_without_a_model(place: Place) -> None:
    name = place.model()
    run = place.owner.post(f"{MLFLOW}/runs/create", json={"experiment_id": "0"}).json()["run"]["info"]["run_id"]
    body = {"name": name, "source": f"runs:/{run}/model", "run_id": run}
    answer = place.owner.post(f"{MLFLOW}/model-versions/create", json=body)
    assert code(answer) == (400, "INVALID_PARAMETER_VALUE")
    assert "no file MLmodel" in answer.json()["message"]
    assert [one["version"] for one in place.owner.get(f"{UC}/models/{name}/versions").json()["model_versions"]] == [1]


def test_versions_made_over_unity_catalogs_own_routes(place: Place) -> None:
    full_name = place.model()
    catalog, schema, name = full_name.split(".")
    given = {
        "catalog_name": catalog,
        "schema_name": schema,
        "model_name": name,
        "source": "dbfs:/somewhere",
        "comment": "by hand",
    }
    versions = f"{UC}/models/versions"
    assert code(place.stranger.post(versions, json=given)) == DENIED
    made = place.owner.post(versions, json=given).json()
    assert (made["version"], made["status"], made["comment"]) == (2, "PENDING_REGISTRATION", "by hand")
    one = f"{UC}/models/{full_name}/versions/2"
    lent = {key: value for key, value in given.items() if key.endswith("_name")} | {
        "version": 2,
        "operation": "READ_MODEL_VERSION",
    }
    assert code(place.owner.post(f"{UC}/temporary-model-version-credentials", json=lent)) == (501, "NOT_IMPLEMENTED")
    assert code(place.stranger.post(f"{UC}/temporary-model-version-credentials", json=lent)) == DENIED
    place.owner.put(f"/api/2.0/fs/files{made['storage_location']}/MLmodel", content=MLMODEL).raise_for_status()
    assert code(place.owner.patch(f"{one}/finalize", json={"version": 3}))[0] == 400
    assert code(place.stranger.patch(f"{one}/finalize")) == DENIED
    assert place.owner.patch(f"{one}/finalize", json={"full_name": full_name, "version": 2}).json()["status"] == "READY"
    assert place.owner.get(one).json()["status"] == "READY"
    missing = place.owner.post(versions, json=given | {"model_name": "nothing"})
    assert code(missing) == (404, "RESOURCE_DOES_NOT_EXIST")
