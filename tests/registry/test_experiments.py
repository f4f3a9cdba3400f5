"""Who may see an experiment and what is logged in it, log into it, change and manage it."""

import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service import ml
from mlflow import MlflowClient, MlflowException
from mlflow.entities import Metric, ViewType

from tests.registry.conftest import MLFLOW, Place
from tests.registry.test_rules import ARTIFACTS, DENIED, code

PERMISSIONS = "/api/2.0/permissions/experiments"
GONE = (404, "RESOURCE_DOES_NOT_EXIST")


def make(client: httpx.Client, name: str) -> str:
    answer = client.post(f"{MLFLOW}/experiments/create", json={"name": name})
    assert answer.status_code == 200, answer.text
    return answer.json()["experiment_id"]


def private(place: Place) -> str:
    return f"/Users/{place.owner_name}/{uuid.uuid4().hex[:8]}"


def new_run(client: httpx.Client, experiment: str) -> str:
    answer = client.post(f"{MLFLOW}/runs/create", json={"experiment_id": experiment})
    assert answer.status_code == 200, answer.text
    return answer.json()["run"]["info"]["run_id"]


def give(place: Place, experiment: str, level: str, *, by: httpx.Client | None = None) -> httpx.Response:
    body = {"access_control_list": [{"user_name": place.stranger_name, "permission_level": level}]}
    return (by or place.owner).patch(f"{PERMISSIONS}/{experiment}", json=body)


def filled(place: Place, name: str) -> dict[str, Any]:
    """An experiment with one of all that can be logged in it, made by its owner."""
    owner = place.owner
    experiment = make(owner, name)
    run = new_run(owner, experiment)
    owner.post(f"{MLFLOW}/runs/log-metric", json={"run_id": run, "key": "loss", "value": 1, "timestamp": 1}).raise_for_status()
    data = {"dataset": {"name": "d", "digest": "1", "source_type": "local", "source": "{}"}, "tags": []}
    owner.post(f"{MLFLOW}/runs/log-inputs", json={"run_id": run, "datasets": [data]}).raise_for_status()
    owner.put(f"{ARTIFACTS}/{experiment}/{run}/artifacts/secret.txt", content=b"secret").raise_for_status()
    body = {"experiment_id": experiment, "name": "m", "source_run_id": run}
    model = owner.post(f"{MLFLOW}/logged-models", json=body).json()["model"]["info"]["model_id"]
    owner.put(f"{ARTIFACTS}/{experiment}/models/{model}/artifacts/MLmodel", content=b"secret").raise_for_status()
    trace = f"tr-{uuid.uuid4().hex}"
    location = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
    info = {"trace_id": trace, "trace_location": location, "request_time": "2026-01-01T00:00:00Z", "state": "OK"}
    owner.post("/api/3.0/mlflow/traces", json={"trace": {"trace_info": info}}).raise_for_status()
    body = {"name": f"set-{trace}", "experiment_ids": [experiment]}
    dataset = owner.post("/api/3.0/mlflow/datasets/create", json=body).json()["dataset"]["dataset_id"]
    return {"experiment": experiment, "run": run, "model": model, "trace": trace, "dataset": dataset, "location": location}


def readings(client: httpx.Client, made: dict[str, Any]) -> dict[str, httpx.Response]:
    """All ways to read something of an experiment by its id."""
    experiment, run, model, trace = made["experiment"], made["run"], made["model"], made["trace"]
    of_run, of_trace = {"run_id": run}, {"trace_id": trace}
    graph = {"query": f'{{ mlflowGetRun(input: {{runId: "{run}"}}) {{ run {{ info {{ runId }} }} apiError {{ code }} }} }}'}
    calls = {
        "experiment": ("GET", f"{MLFLOW}/experiments/get", {"experiment_id": experiment}),
        "run": ("GET", f"{MLFLOW}/runs/get", of_run),
        "run of the page": ("GET", "/ajax-api/2.0/mlflow/runs/get", of_run),
        "runs": ("POST", f"{MLFLOW}/runs/search", {"experiment_ids": [experiment]}),
        "metric": ("GET", f"{MLFLOW}/metrics/get-history", of_run | {"metric_key": "loss"}),
        "metrics": ("GET", "/ajax-api/2.0/mlflow/metrics/get-history-bulk", of_run | {"metric_key": "loss"}),
        "interval": ("GET", "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval", {"run_ids": run, "metric_key": "loss"}),
        "files": ("GET", f"{MLFLOW}/artifacts/list", of_run),
        "file": ("GET", f"{ARTIFACTS}/{experiment}/{run}/artifacts/secret.txt", {}),
        "files by path": ("GET", ARTIFACTS, {"path": f"{experiment}/{run}/artifacts"}),
        "file of the page": ("GET", "/get-artifact", of_run | {"path": "secret.txt"}),
        "file of Databricks": (
            "GET",
            f"/api/2.0/fs/files/WorkspaceInternal/Mlflow/Artifacts/{experiment}/Runs/{run}/artifacts/secret.txt",
            {},
        ),
        "signed": ("POST", f"{MLFLOW}/artifacts/credentials-for-read", of_run | {"path": ["secret.txt"]}),
        "model": ("GET", f"{MLFLOW}/logged-models/{model}", {}),
        "models": ("POST", f"{MLFLOW}/logged-models/search", {"experiment_ids": [experiment]}),
        "file of a model": ("GET", f"{ARTIFACTS}/{experiment}/models/{model}/artifacts/MLmodel", {}),
        "files of a model": ("GET", f"/ajax-api/2.0/mlflow/logged-models/{model}/artifacts/directories", {}),
        "trace": ("GET", f"/api/3.0/mlflow/traces/{trace}", {}),
        "whole trace": ("GET", "/api/3.0/mlflow/traces/get", of_trace),
        "traces": ("POST", "/api/3.0/mlflow/traces/search", {"locations": [made["location"]]}),
        "older traces": ("GET", f"{MLFLOW}/traces", {"experiment_ids": experiment}),
        "data set": ("GET", f"/api/3.0/mlflow/datasets/{made['dataset']}", {}),
        "records": ("GET", f"/api/3.0/mlflow/datasets/{made['dataset']}/records", {}),
        "data sets of runs": ("POST", "/ajax-api/2.0/mlflow/experiments/search-datasets", {"experiment_ids": [experiment]}),
        "permissions": ("GET", f"{PERMISSIONS}/{experiment}", {}),
        "levels": ("GET", f"{PERMISSIONS}/{experiment}/permissionLevels", {}),
        "graph": ("POST", "/graphql", graph),
    }
    return {
        key: client.get(path, params=body) if method == "GET" else client.post(path, json=body)
        for key, (method, path, body) in calls.items()
    }


def all_read(client: httpx.Client, made: dict[str, Any]) -> None:
    for key, answer in readings(client, made).items():
        if key == "whole trace":  # it has no spans
            assert "Trace data not stored" in answer.text
        else:
            assert answer.status_code == 200, (key, answer.text)


def test_what_is_in_a_folder_is_its_owners(place: Place) -> None:
    name = private(place)
    made = filled(place, name)
    all_read(place.owner, made)
    for key, answer in readings(place.stranger, made).items():
        if key == "graph":
            assert "does not have CAN_READ" in answer.text, answer.text
            assert made["run"] not in answer.text
        elif key == "metrics":
            assert (answer.status_code, answer.json().get("metrics", [])) == (200, []), answer.text
        elif key in {"data set", "records"}:
            assert code(answer) == GONE, (key, answer.text)
        else:
            assert code(answer) == DENIED, (key, answer.text)
    for key in ("experiment", "run", "trace", "file"):
        told = readings(place.stranger, made)[key].json()["message"]
        assert f"'{place.stranger_name}' does not have CAN_READ permission on experiment {made['experiment']}." in told
        assert name not in told
    by_name = {"experiment_name": name}
    assert code(place.stranger.get(f"{MLFLOW}/experiments/get-by-name", params=by_name)) == GONE
    assert code(place.stranger.get(f"{MLFLOW}/experiments/get-by-name", params={"experiment_name": f"{name}x"})) == GONE


def test_nothing_of_a_folder_is_changed_by_others(place: Place) -> None:
    made = filled(place, private(place))
    experiment, run, model, trace = made["experiment"], made["run"], made["model"], made["trace"]
    info = {"trace_id": f"tr-{uuid.uuid4().hex}", "trace_location": made["location"], "request_time": "2026-01-01T00:00:00Z"}
    file = f"mlflow-artifacts:/{experiment}/{run}/artifacts/secret.txt"
    mine = place.stranger.post("/api/3.0/mlflow/datasets/create", json={"name": f"mine-{trace}"}).json()["dataset"][
        "dataset_id"
    ]
    for method, path, body in (
        ("POST", f"{MLFLOW}/runs/create", {"experiment_id": experiment}),
        ("POST", f"{MLFLOW}/runs/log-metric", {"run_id": run, "key": "k", "value": 1, "timestamp": 1}),
        ("POST", f"{MLFLOW}/runs/delete", {"run_id": run}),
        ("POST", f"{MLFLOW}/logged-models", {"experiment_id": experiment, "name": "m"}),
        ("PATCH", f"{MLFLOW}/logged-models/{model}/tags", {"tags": [{"key": "k", "value": "v"}]}),
        ("POST", "/api/3.0/mlflow/traces", {"trace": {"trace_info": info}}),
        ("PATCH", f"/api/3.0/mlflow/traces/{trace}/tags", {"key": "k", "value": "v"}),
        ("POST", f"{MLFLOW}/experiments/set-experiment-tag", {"experiment_id": experiment, "key": "k", "value": "v"}),
        ("POST", f"{MLFLOW}/experiments/update", {"experiment_id": experiment, "new_name": "mine"}),
        ("POST", f"{MLFLOW}/experiments/delete", {"experiment_id": experiment}),
        ("PUT", f"{PERMISSIONS}/{experiment}", {"access_control_list": []}),
        ("POST", "/api/3.0/mlflow/datasets/create", {"name": "d", "experiment_ids": [experiment]}),
        ("POST", f"/api/3.0/mlflow/datasets/{mine}/add-experiments", {"experiment_ids": [experiment]}),
        ("POST", f"{MLFLOW}/experiments/create", {"name": private(place)}),
        ("POST", f"{MLFLOW}/experiments/create", {"name": f"/Workspace{private(place)}"}),
    ):
        assert code(place.stranger.request(method, path, json=body)) == DENIED, (method, path)
    assert code(place.stranger.put(f"{ARTIFACTS}/{experiment}/{run}/artifacts/x", content=b"x")) == DENIED
    assert code(place.stranger.put(f"{ARTIFACTS}/{experiment}/traces/{trace}/artifacts/x", content=b"x")) == DENIED
    place.let_in()
    place.grant("schema", place.schema, "CREATE_MODEL")
    stolen = f"{place.schema}.stolen"
    place.stranger.post(f"{MLFLOW}/registered-models/create", json={"name": stolen}).raise_for_status()
    of_model = {"source": f"models:/{model}", "run_id": run, "model_id": model}
    for taken in ({"source": file, "run_id": run}, of_model, {"source": f"runs:/{run}/m", "run_id": run}):
        answer = place.stranger.post(f"{MLFLOW}/model-versions/create", json={"name": stolen} | taken)
        assert code(answer) == DENIED, (taken, answer.text)


def test_searches_leave_out_what_may_not_be_read_and_their_pages_stay_full(place: Place) -> None:
    prefix = uuid.uuid4().hex[:8]
    names = [f"{prefix}-{number}" for number in range(4)]
    shown = [make(place.owner, name) for name in names]
    hidden = [make(place.owner, f"/Users/{place.owner_name}/{prefix}-{number}") for number in range(3)]
    runs = {new_run(place.owner, one) for one in shown}
    for one in hidden:
        new_run(place.owner, one)
    search: dict[str, Any] = {"max_results": 2, "order_by": ["name ASC"], "filter": f"name LIKE '%{prefix}%'"}
    found: list[list[str]] = []
    while not found or search.get("page_token"):
        page = place.stranger.post(f"{MLFLOW}/experiments/search", json=search).json()
        found.append([one["name"] for one in page.get("experiments", [])])
        search["page_token"] = page.get("next_page_token", "")
    assert found == [names[:2], names[2:]]
    page = place.stranger.post(f"{MLFLOW}/runs/search", json={"experiment_ids": [*hidden, *shown], "max_results": 4}).json()
    assert {one["info"]["run_id"] for one in page["runs"]} == runs
    assert not page.get("next_page_token")
    sets = f"tags.none = '{prefix}'"
    assert place.stranger.post("/api/3.0/mlflow/datasets/search", json={"filter_string": sets}).status_code == 200
    assert len(place.owner.post(f"{MLFLOW}/runs/search", json={"experiment_ids": hidden}).json()["runs"]) == 3


def test_an_open_experiment_is_read_by_all_and_shut_by_permissions_of_its_own(place: Place) -> None:
    made = filled(place, f"flights-{uuid.uuid4().hex[:8]}")
    experiment, run = made["experiment"], made["run"]
    all_read(place.stranger, made)
    own = new_run(place.stranger, experiment)
    tag = {"key": "k", "value": "v"}
    assert place.stranger.post(f"{MLFLOW}/runs/set-tag", json=tag | {"run_id": own}).status_code == 200
    assert code(place.stranger.post(f"{MLFLOW}/runs/set-tag", json=tag | {"run_id": run})) == DENIED
    everybody = {"group_name": "account users", "all_permissions": [{"permission_level": "CAN_EDIT", "inherited": True}]}
    before = place.stranger.get(f"{PERMISSIONS}/{experiment}").json()
    assert (before["object_id"], before["object_type"]) == (f"/experiments/{experiment}", "mlflowExperiment")
    assert everybody in before["access_control_list"]
    # adding somebody takes nothing from the others
    assert give(place, experiment, "CAN_EDIT").status_code == 200
    assert everybody["group_name"] in str(place.owner.get(f"{PERMISSIONS}/{experiment}").json())
    assert place.stranger.post(f"{MLFLOW}/runs/set-tag", json=tag | {"run_id": run}).status_code == 200
    assert code(place.stranger.post(f"{MLFLOW}/experiments/delete", json={"experiment_id": experiment})) == DENIED
    assert code(give(place, experiment, "CAN_MANAGE", by=place.stranger)) == DENIED
    # a list without them shuts it
    mine = {"access_control_list": [{"user_name": place.owner_name, "permission_level": "CAN_MANAGE"}]}
    assert place.owner.put(f"{PERMISSIONS}/{experiment}", json=mine).status_code == 200
    assert code(readings(place.stranger, made)["run"]) == DENIED
    assert code(place.stranger.post(f"{MLFLOW}/runs/set-tag", json=tag | {"run_id": own})) == DENIED
    name = {
        "experiment_name": place.owner.get(f"{MLFLOW}/experiments/get", params={"experiment_id": experiment}).json()[
            "experiment"
        ]["name"]
    }
    assert code(place.stranger.get(f"{MLFLOW}/experiments/get-by-name", params=name)) == DENIED
    readers = {"access_control_list": [{"group_name": "users", "permission_level": "CAN_READ"}]}
    assert place.owner.put(f"{PERMISSIONS}/{experiment}", json=readers).status_code == 200
    assert readings(place.stranger, made)["file"].content == b"secret"
    assert code(place.stranger.post(f"{MLFLOW}/runs/create", json={"experiment_id": experiment})) == DENIED
    assert (
        place.owner.put(f"{PERMISSIONS}/{experiment}", json={}).json()["access_control_list"] == before["access_control_list"]
    )
    wrong = {"access_control_list": [{"user_name": place.stranger_name, "permission_level": "CAN_RUN"}]}
    answer = place.owner.put(f"{PERMISSIONS}/{experiment}", json=wrong)
    assert code(answer) == (400, "INVALID_PARAMETER_VALUE")
    assert "CAN_READ, CAN_EDIT, CAN_MANAGE" in answer.json()["message"]
    assert code(place.owner.get(f"{PERMISSIONS}/987654321")) == GONE


def test_a_folder_that_is_shared_shares_its_experiments(place: Place) -> None:
    home = f"/Users/{place.owner_name}"
    place.owner.post("/api/2.0/workspace/mkdirs", json={"path": f"{home}/team"}).raise_for_status()
    made = filled(place, f"{home}/team/churn")
    assert code(readings(place.stranger, made)["run"]) == DENIED
    folder = place.owner.get("/api/2.0/workspace/get-status", params={"path": f"{home}/team"}).json()["object_id"]
    body = {"access_control_list": [{"user_name": place.stranger_name, "permission_level": "CAN_EDIT"}]}
    place.owner.patch(f"/api/2.0/permissions/directories/{folder}", json=body).raise_for_status()
    all_read(place.stranger, made)
    listed = place.stranger.post(f"{MLFLOW}/experiments/search", json={"max_results": 1000}).json()["experiments"]
    assert made["experiment"] in {one["experiment_id"] for one in listed}
    told = place.stranger.get(f"{PERMISSIONS}/{made['experiment']}").json()["access_control_list"]
    assert {"user_name": place.stranger_name, "all_permissions": [{"permission_level": "CAN_EDIT", "inherited": True}]} in told
    new_run(place.stranger, make(place.stranger, f"{home}/team/mine"))
    place.owner.put(f"/api/2.0/permissions/directories/{folder}", json={}).raise_for_status()
    assert code(readings(place.stranger, made)["run"]) == DENIED


def test_mlflows_and_databricks_clients(
    place: Place, mlflow: MlflowClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    experiment = mlflow.create_experiment(private(place))
    run = mlflow.create_run(experiment).info.run_id
    mlflow.log_batch(run, metrics=[Metric("loss", 1.0, int(time.time() * 1000), 0)])
    file = tmp_path / "report.txt"
    file.write_text("secret")
    mlflow.log_artifact(run, str(file))
    owner = WorkspaceClient(host=place.server.url, token=place.owner_token)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", place.stranger_token)
    with pytest.raises(MlflowException, match=f"CAN_READ permission on experiment {experiment}") as refused:
        mlflow.get_run(run)
    assert refused.value.error_code == "PERMISSION_DENIED"
    with pytest.raises(MlflowException, match="PERMISSION_DENIED"):
        mlflow.search_runs([experiment])
    assert experiment not in {one.experiment_id for one in mlflow.search_experiments(view_type=ViewType.ALL)}
    level = ml.ExperimentPermissionLevel.CAN_READ
    change = ml.ExperimentAccessControlRequest(user_name=place.stranger_name, permission_level=level)
    found = owner.experiments.update_permissions(experiment, access_control_list=[change])
    assert place.stranger_name in {one.user_name for one in found.access_control_list or ()}
    assert mlflow.get_metric_history(run, "loss")[0].value == 1.0
    assert (
        Path(
            mlflow.download_artifacts(run, "report.txt", str(tmp_path / "out" if (tmp_path / "out").mkdir() is None else ""))
        ).read_text()
        == "secret"
    )
    with pytest.raises(MlflowException, match="CAN_EDIT permission"):
        mlflow.set_tag(run, "k", "v")
    owner.experiments.set_permissions(experiment, access_control_list=[])
    with pytest.raises(MlflowException, match="CAN_READ permission"):
        mlflow.get_run(run)
    levels = owner.experiments.get_permission_levels(experiment).permission_levels or []
    assert [one.permission_level for one in levels] == [
        level,
        ml.ExperimentPermissionLevel.CAN_EDIT,
        ml.ExperimentPermissionLevel.CAN_MANAGE,
    ]
