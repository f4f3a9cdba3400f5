"""A model is connected to a job: new versions start it, people decide, aliases go back."""

from typing import Any

import httpx
import pytest
from mlflow import MlflowClient

from tests.deployment.conftest import ASK, MLFLOW, UC_REST, Shop, told


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error_code"]


def connect(shop: Shop, job: str, client: httpx.Client | None = None) -> httpx.Response:
    body = {"name": shop.name, "deployment_job_id": job}
    return (client or shop.author).patch(f"{UC_REST}/registered-models/update", json=body)


def decide(shop: Shop, client: httpx.Client, version: str, verdict: str, **body: Any) -> httpx.Response:
    return client.post(f"{shop.url}/versions/{version}/decision", json={"verdict": verdict, **body})


def test_a_new_version_starts_the_job_and_an_approval_lets_it_go_on(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shop.state(shop.version()) == {}
    job = shop.approving_job()
    made = told(connect(shop, job))["registered_model"]
    assert (made["deployment_job_id"], made["deployment_job_state"]) == (job, "CONNECTED")
    version = shop.version()
    waiting = shop.at(version, "APPROVAL")
    assert waiting | {"run_id": ""} == {
        "job_id": job,
        "run_id": "",
        "job_state": "CONNECTED",
        "run_state": "APPROVAL",
        "current_task_name": "approval",
    }
    # Once for each version, by whichever way it is completed again.
    again = {"name": shop.name, "version": version}
    shop.author.post(f"{UC_REST}/model-versions/finalize", json=again)
    runs = shop.author.get("/api/2.2/jobs/runs/list", params={"job_id": job}).json()["runs"]
    assert [(str(one["run_id"]), one["trigger"]) for one in runs] == [(waiting["run_id"], "MODEL")]
    parameters = shop.author.get("/api/2.2/jobs/runs/get", params={"run_id": waiting["run_id"]}).json()["job_parameters"]
    assert {one["name"]: one["value"] for one in parameters} == {"model_name": shop.name, "model_version": version}
    # Whom MLflow's own client tells: the model's and the version's states are its words.
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", shop.author_token)
    client = MlflowClient(shop.server.url, registry_uri=shop.server.url)
    model = client.get_registered_model(shop.name)
    assert (model.deployment_job_id, model.deployment_job_state) == (job, "CONNECTED")
    assert client.get_model_version(shop.name, version).deployment_job_state.run_state == "APPROVAL"

    assert code(decide(shop, shop.reader, version, "approved")) == (403, "PERMISSION_DENIED")
    assert code(decide(shop, shop.reviewer, version, "approved", task="deploy")) == (400, "INVALID_PARAMETER_VALUE")
    answer = told(decide(shop, shop.reviewer, version, "approved", reason="the figures are good"))
    assert answer == {"task": "approval", "problem": None}
    shop.at(version, "SUCCEEDED")
    record = told(shop.reader.get(f"{shop.url}/versions/{version}"))
    assert [(one["key"], one["attempt"], one["result"]) for one in record["run"]["tasks"]] == [
        ("approval", 1, "SUCCESS"),
        ("deploy", 1, "SUCCESS"),
    ]
    (event,) = record["events"]
    found = {key: event[key] for key in ("version", "step", "name", "verdict", "reason", "principal")}
    assert found == {
        "version": int(version),
        "step": "approval",
        "name": "approval",
        "verdict": "approved",
        "reason": "the figures are good",
        "principal": shop.reviewer_name,
    }
    tags = client.get_model_version(shop.name, version).tags
    assert tags == {"approval": "approved"}


def test_what_can_be_connected(shop: Shop) -> None:
    condition = {"task_key": "t", "condition_task": {"op": "EQUAL_TO", "left": "1", "right": "1"}}
    job = shop.job([condition], "model_name")
    for number, wrong in ((job, "has no parameter model_version"), ("1", "is no job"), ("x", "is no number")):
        answer = connect(shop, number)
        assert code(answer) == (400, "INVALID_PARAMETER_VALUE")
        assert wrong in answer.json()["message"]
    job = shop.job([condition], "model_name", "model_version")
    # Whoever may change the model, but not start the job.
    theirs = {"changes": [{"principal": shop.reviewer_name, "add": ["MANAGE"]}]}
    shop.author.patch(f"/api/2.1/unity-catalog/permissions/function/{shop.name}", json=theirs).raise_for_status()
    assert code(connect(shop, job, shop.reviewer)) == (400, "INVALID_PARAMETER_VALUE")
    assert code(connect(shop, job, shop.reader)) == (403, "PERMISSION_DENIED")
    told(connect(shop, job))
    first = shop.version()
    shop.at(first, "SUCCEEDED")
    with_run = told(shop.author.post(f"{shop.url}/versions/{first}/run"))["run_id"]
    assert shop.state(first)["run_id"] == str(with_run)
    new = {"job_id": int(job), "new_settings": {"name": "d", "tasks": [condition], "parameters": []}}
    shop.author.post("/api/2.2/jobs/reset", json=new).raise_for_status()
    assert told(shop.author.get(shop.url))["deployment_job_state"] == "REQUIRED_PARAMETERS_CHANGED"
    version = shop.version()
    assert shop.state(version)["run_state"] == "NO_VALID_DEPLOYMENT_JOB_FOUND"
    assert "model_version" in told(shop.author.get(f"{shop.url}/versions/{version}"))["problem"]
    shop.author.post("/api/2.2/jobs/delete", json={"job_id": int(job)}).raise_for_status()
    assert told(shop.author.get(shop.url))["deployment_job_state"] == "NOT_FOUND"
    assert told(connect(shop, ""))["registered_model"]["deployment_job_state"] == "NOT_SET_UP"


def test_four_eyes_reasons_and_protected_aliases(shop: Shop) -> None:
    first = shop.version()
    told(shop.alias(first))
    policy = {"four_eyes": True, "reason_required": True, "protected_aliases": ["Champion"]}
    unknown = shop.admin.put(f"{shop.url}/policy", json=policy | {"four_eye": True})
    assert code(unknown) == (400, "INVALID_PARAMETER_VALUE")
    assert "four_eye" in unknown.json()["message"]
    # The model's owner is held to the policy, so it is not the owner's to change.
    assert code(shop.author.put(f"{shop.url}/policy", json=policy)) == (403, "PERMISSION_DENIED")
    told(shop.admin.put(f"{shop.url}/policy", json=policy))
    assert code(shop.admin.put(f"{shop.url}/policy", json=policy | {"automatic": True})) == (400, "INVALID_PARAMETER_VALUE")
    version = shop.version()
    tag = {"name": shop.name, "version": version, "key": "approval", "value": "approved"}
    for answer in (
        decide(shop, shop.author, version, "approved", reason="mine"),
        shop.author.post(f"{MLFLOW}/model-versions/set-tag", json=tag),
        shop.author.post(f"{UC_REST}/model-versions/set-tag", json=tag),
        shop.author.post(
            f"{UC_REST}/model-versions/create",
            json={"name": shop.name, "source": "x", "tags": [{"key": "approval", "value": "approved"}]},
        ),
    ):
        assert answer.status_code in {400, 403}, answer.text
        assert "four eyes" in answer.text or "reason is missing" in answer.text
    assert code(shop.alias(version)) == (400, "INVALID_PARAMETER_VALUE")
    may = f"{shop.url}/versions/{version}/alias"
    assert "wants it approved" in told(shop.author.post(may, json={"alias": "champion"}))["message"]
    assert told(shop.author.post(may, json={"alias": "other"})) == {"allowed": True, "message": ""}
    assert code(shop.reader.post(may, json={"alias": "other"})) == (403, "PERMISSION_DENIED")
    told(shop.alias(version, "other"))
    assert "reason is missing" in decide(shop, shop.reviewer, version, "rejected").text
    told(decide(shop, shop.reviewer, version, "rejected", reason="too slow"))
    assert "is 'rejected'" in shop.alias(version).text
    told(decide(shop, shop.reviewer, version, "approved", reason="faster now"))
    told(shop.alias(version))
    verdicts = [one["verdict"] for one in told(shop.reader.get(f"{shop.url}/versions/{version}"))["events"]]
    assert verdicts == ["done", "rejected", "approved", "done"]
    # A copy, as MLflow's client makes it, is another version: what was decided of the first is not decided of it.
    tags = [{"key": "approval", "value": "approved"}, {"key": "team", "value": "a"}]
    body = {"name": shop.name, "source": f"models:/{shop.name}/{version}", "tags": tags}
    for path in (MLFLOW, UC_REST):
        copied = told(shop.author.post(f"{path}/model-versions/create", json=body))["model_version"]
        assert copied["tags"] == [{"key": "team", "value": "a"}]
        assert "wants it approved" in shop.alias(copied["version"]).text
    record = told(shop.author.get(f"{shop.url}/versions/{version}"))
    assert "who has registered it" in record["may_not_decide"]
    assert told(shop.reviewer.get(f"{shop.url}/versions/{version}"))["may_not_decide"] is None
    # What was used before the policy is where an emergency leads back to, unless somebody has decided otherwise.
    back = f"{shop.url}/rollback"
    assert "reason is missing" in shop.author.post(back, json={"alias": "champion"}).text
    answer = told(shop.author.post(back, json={"alias": "champion", "reason": "wrong prices"}))
    assert (answer["from_version"], answer["to_version"]) == (int(version), int(first))
    told(shop.alias(version))
    told(decide(shop, shop.reviewer, first, "rejected", reason="older than the law"))
    told(decide(shop, shop.reviewer, first, "pending", reason="is looked at"))
    refused = {"alias": "champion", "reason": "x", "version": int(first)}
    assert code(shop.author.post(back, json=refused)) == (400, "INVALID_PARAMETER_VALUE")


def test_the_way_back_leads_to_the_version_before(shop: Shop) -> None:
    versions = [shop.version() for _ in range(3)]
    for version in versions:
        told(shop.alias(version))
    back = f"{shop.url}/rollback"
    assert code(shop.reviewer.post(back, json={"alias": "champion"})) == (403, "PERMISSION_DENIED")
    assert code(shop.author.post(back, json={"alias": "nobody"})) == (404, "RESOURCE_DOES_NOT_EXIST")
    answer = told(shop.author.post(back, json={"alias": "champion", "reason": "errors"}))
    assert answer == {"from_version": 3, "to_version": 2, "endpoints": []}
    assert told(shop.author.post(back, json={"alias": "champion"})) == answer | {"from_version": 2, "to_version": 1}
    assert "name the version" in shop.author.post(back, json={"alias": "champion"}).text
    assert told(shop.author.post(back, json={"alias": "champion", "version": 3})) == answer | {
        "from_version": 1,
        "to_version": 3,
    }
    events = told(shop.reader.get(shop.url))["events"]
    rollbacks = [(one["version"], one["details"], one["reason"]) for one in events if one["step"] == "rollback"]
    assert rollbacks[-1] == (3, {"from": 3, "to": 2}, "errors")


def test_a_policy_approves_what_has_passed(shop: Shop) -> None:
    told(shop.admin.put(f"{shop.url}/policy", json={"automatic": True}))
    version = shop.version()
    at = f"{shop.url}/versions/{version}"

    def evidence(name: str, verdict: str) -> httpx.Response:
        body = {"step": "evaluation", "name": name, "verdict": verdict, "metrics": {"mae": 1.5}}
        return shop.author.post(f"{at}/evidence", json=body)

    assert code(shop.reviewer.post(f"{at}/approval", json={"task": "approval"})) == (403, "PERMISSION_DENIED")
    assert told(shop.author.post(f"{at}/approval", json={"task": "approval"})) == {
        "approved": False,
        "message": "Nothing was evaluated.",
    }
    told(evidence("quality", "failed"))
    assert told(shop.author.post(f"{at}/approval", json={"task": "approval"}))["message"] == "Not passed: quality."
    told(evidence("quality", "passed"))
    assert told(shop.author.post(f"{at}/approval", json={"task": "approval"}))["approved"] is True
    assert [(one["verdict"], one["principal"]) for one in told(shop.reader.get(at))["events"]][-1] == ("approved", "policy")
    assert code(shop.author.post(f"{at}/evidence", json={"step": "approval", "name": "x", "verdict": "passed"}))[0] == 400
    assert code(shop.reader.post(f"{at}/evidence", json={"step": "shadow", "name": "x", "verdict": "passed"}))[0] == 403


def test_who_may_not_know_of_the_model(shop: Shop) -> None:
    version, stranger = shop.version(), shop.server.client(shop.server.new_principal(f"stranger-{shop.schema}@example.com"))
    for answer in (
        stranger.get(shop.url),
        stranger.get(f"{shop.url}/versions/{version}"),
        decide(shop, stranger, version, "approved"),
    ):
        assert code(answer) == (403, "PERMISSION_DENIED")
    assert code(shop.reader.get(f"{ASK}/{shop.schema}.nothing")) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert code(shop.reader.get(f"{shop.url}/versions/99")) == (404, "RESOURCE_DOES_NOT_EXIST")
