"""Stages, requests for them and comments with databricks-sdk: who may do what, what is kept, and what is refused how."""

from collections.abc import Callable

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError
from databricks.sdk.service.ml import ActivityAction, ActivityType, CommentActivityAction

from tests.models import MLMODEL
from tests.registry.conftest import MLFLOW, Place

APPROVE, REJECT, CANCEL = (
    ActivityAction.APPROVE_TRANSITION_REQUEST,
    ActivityAction.REJECT_TRANSITION_REQUEST,
    ActivityAction.CANCEL_TRANSITION_REQUEST,
)


def refused(call: Callable[[], object]) -> tuple[str, str]:
    """The error's code and message."""
    with pytest.raises(DatabricksError) as caught:
        call()
    return str(caught.value.error_code), str(caught.value)


def stages(place: Place, name: str) -> dict[str, str]:
    found = place.owner.get(f"{MLFLOW}/model-versions/search", params={"filter": f"name='{name}'"}).json()["model_versions"]
    return {one["version"]: one["current_stage"] for one in found}


def test_to_a_stranger_a_model_is_nothing(place: Place) -> None:
    name = place.model()
    owner = WorkspaceClient(host=place.server.url, token=place.owner_token).model_registry
    other = WorkspaceClient(host=place.server.url, token=place.stranger_token).model_registry

    said = owner.create_comment(name, "1", "fine <b>on</b> paper").comment
    assert said is not None
    assert said.id is not None
    for ask in (
        lambda: other.get_model(name),
        lambda: other.create_transition_request(name, "1", "Staging"),
        lambda: list(other.list_transition_requests(name, "1")),
        lambda: other.transition_stage(name, "1", "Staging", archive_existing_versions=False),
        lambda: other.approve_transition_request(name, "1", "Staging", archive_existing_versions=False),
        lambda: other.reject_transition_request(name, "1", "Staging"),
        lambda: other.create_comment(name, "1", "hello"),
    ):
        assert refused(ask)[0] == "PERMISSION_DENIED"
    unknown = refused(lambda: other.delete_comment("999999999"))
    assert unknown == ("RESOURCE_DOES_NOT_EXIST", "Comment '999999999' does not exist.")
    assert refused(lambda: other.delete_comment(str(said.id)))[1] == f"Comment '{said.id}' does not exist."
    for shown in ("activities", "signature"):
        assert place.stranger.get(f"/api/boathouse/v1/models/{name}/versions/1/{shown}").status_code == 403
    assert place.owner.get(f"/api/boathouse/v1/models/{name}/versions/1/signature").json() == {
        "inputs": [{"name": "x", "type": "double", "required": True}],
        "outputs": [{"name": "", "type": "double", "required": True}],
        "params": [],
    }


def test_asked_approved_and_commented(place: Place) -> None:
    name = place.model()
    place.version(name).raise_for_status()
    place.let_in()
    place.grant("registered_model", name, "EXECUTE")
    owner = WorkspaceClient(host=place.server.url, token=place.owner_token).model_registry
    other = WorkspaceClient(host=place.server.url, token=place.stranger_token).model_registry
    owner.create_comment(name, "1", "fine <b>on</b> paper")

    # Who reads the model asks and comments, and does not decide.
    model = other.get_model(name).registered_model_databricks
    assert model is not None
    assert model.permission_level is not None
    assert model.permission_level.value == "CAN_READ"
    request = other.create_transition_request(name, "2", "staging", comment="it beats 1").request
    assert request is not None
    assert (request.to_stage, request.user_id, request.available_actions) == ("Staging", place.stranger_name, [CANCEL])
    for ask in (
        lambda: other.transition_stage(name, "2", "Staging", archive_existing_versions=False),
        lambda: other.approve_transition_request(name, "2", "Staging", archive_existing_versions=False),
        lambda: other.reject_transition_request(name, "2", "Staging"),
    ):
        assert refused(ask)[0] == "PERMISSION_DENIED"
    plain = place.stranger.post(
        f"{MLFLOW}/model-versions/transition-stage",
        json={"name": name, "version": "2", "stage": "Staging", "archive_existing_versions": False},
    )
    assert plain.status_code == 403
    assert refused(lambda: other.create_transition_request(name, "2", "Staging"))[0] == "RESOURCE_ALREADY_EXISTS"

    # The owner sees what is open, and approves it: the version moves, and the others are archived.
    owner.transition_stage(name, "1", "Staging", archive_existing_versions=False, comment="first")
    listed = place.owner.get(f"{MLFLOW}/transition-requests/list", params={"name": name, "version": "2"}).json()["requests"]
    assert [(one["comment"], one["available_actions"]) for one in listed] == [
        ("it beats 1", [APPROVE.value, REJECT.value, CANCEL.value])
    ]
    approved = owner.approve_transition_request(
        name, "2", "Staging", archive_existing_versions=True, comment="it does"
    ).activity
    assert approved is not None
    assert (approved.activity_type, approved.from_stage, approved.to_stage) == (
        ActivityType.APPROVED_REQUEST,
        "None",
        "Staging",
    )
    assert stages(place, name) == {"1": "Archived", "2": "Staging"}
    assert list(owner.list_transition_requests(name, "2")) == []
    again = refused(lambda: owner.approve_transition_request(name, "2", "Staging", archive_existing_versions=False))
    assert again[0] == "RESOURCE_DOES_NOT_EXIST"
    assert "no open request" in again[1]

    # Others are rejected and taken back; the owner may take back anybody's.
    other.create_transition_request(name, "2", "Production")
    owner.create_transition_request(name, "2", "Production")
    owner.reject_transition_request(name, "2", "Production", comment="not yet")
    other.create_transition_request(name, "2", "Production")
    owner.create_transition_request(name, "2", "Production")
    assert refused(lambda: other.delete_transition_request(name, "2", "Production", place.owner_name))[0] == "PERMISSION_DENIED"
    other.delete_transition_request(name, "2", "Production", place.stranger_name, comment="sorry")
    assert [one.user_id for one in owner.list_transition_requests(name, "2")] == [place.owner_name]
    other.create_transition_request(name, "2", "Archived")
    owner.delete_transition_request(name, "2", "Archived", place.stranger_name)

    answer = place.stranger.get(f"/api/boathouse/v1/models/{name}/versions/2/activities").json()
    kinds = [one["activity_type"] for one in answer["activities"]]
    assert (answer["current_stage"], answer["may_move"]) == ("Staging", False)
    assert kinds == [
        "REQUESTED_TRANSITION",
        "APPROVED_REQUEST",
        "REQUESTED_TRANSITION",
        "REQUESTED_TRANSITION",
        "REJECTED_REQUEST",
        "REQUESTED_TRANSITION",
        "REQUESTED_TRANSITION",
        "CANCELLED_REQUEST",
        "REQUESTED_TRANSITION",
        "CANCELLED_REQUEST",
    ]
    first = place.owner.get(f"/api/boathouse/v1/models/{name}/versions/1/activities").json()["activities"]
    assert [(one["activity_type"], one.get("comment"), one.get("system_comment")) for one in first] == [
        ("NEW_COMMENT", "fine <b>on</b> paper", None),
        ("APPLIED_TRANSITION", "first", None),
        ("SYSTEM_TRANSITION", None, "Archived when version 2 moved to Staging."),
    ]


def test_comments_are_their_authors(place: Place) -> None:
    name = place.model()
    place.let_in()
    place.grant("registered_model", name, "EXECUTE")
    owner = WorkspaceClient(host=place.server.url, token=place.owner_token).model_registry
    other = WorkspaceClient(host=place.server.url, token=place.stranger_token).model_registry
    said = owner.create_comment(name, "1", "the owner's").comment
    own = other.create_comment(name, "1", "mine").comment
    assert said is not None
    assert own is not None
    assert own.available_actions == [CommentActivityAction.EDIT_COMMENT, CommentActivityAction.DELETE_COMMENT]
    changed = other.update_comment(str(own.id), "mine, later").comment
    assert changed is not None
    assert changed.comment == "mine, later"
    for ask in (
        lambda: other.update_comment(str(said.id), "mine"),
        lambda: other.delete_comment(str(said.id)),
        lambda: owner.update_comment(str(own.id), "not mine"),
    ):
        assert refused(ask)[0] == "PERMISSION_DENIED"
    owner.delete_comment(str(own.id))
    other.create_comment(name, "1", "again")
    left = place.stranger.get(f"/api/boathouse/v1/models/{name}/versions/1/activities").json()["activities"]
    assert [(one["comment"], one["user_id"], one.get("available_actions")) for one in left] == [
        ("the owner's", place.owner_name, None),
        ("again", place.stranger_name, ["EDIT_COMMENT", "DELETE_COMMENT"]),
    ]


def test_what_the_policy_asks_for(place: Place) -> None:
    name = place.model()
    place.let_in()
    place.grant("registered_model", name, "EXECUTE", "APPLY_TAG")
    policy = {"four_eyes": True, "reason_required": True, "protected_aliases": ["production"]}
    place.admin.put(f"/api/boathouse/v1/deployments/{name}/policy", json=policy).raise_for_status()
    owner = WorkspaceClient(host=place.server.url, token=place.owner_token).model_registry
    other = WorkspaceClient(host=place.server.url, token=place.stranger_token).model_registry

    def moved(registry: object, stage: str, comment: str | None) -> tuple[str, str]:
        body = {"archive_existing_versions": False, "comment": comment}
        return refused(lambda: registry.transition_stage(name, "1", stage, **body))  # type: ignore[attr-defined]

    told = moved(owner, "Staging", "it is good")
    assert (told[0], "who has registered it" in told[1]) == ("PERMISSION_DENIED", True)
    mine = owner.create_transition_request(name, "1", "Staging", comment="mine").request
    assert mine is not None
    assert mine.available_actions == [REJECT, CANCEL]
    told = moved(other, "Staging", None)
    assert (told[0], told[1].startswith("comment is missing")) == ("INVALID_PARAMETER_VALUE", True)
    plain = place.stranger.post(
        f"{MLFLOW}/model-versions/transition-stage", json={"name": name, "version": "1", "stage": "Staging"}
    )
    assert (plain.status_code, plain.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert refused(lambda: other.reject_transition_request(name, "1", "Staging"))[1].startswith("comment is missing")
    other.approve_transition_request(name, "1", "Staging", archive_existing_versions=False, comment="two looked at it")
    assert stages(place, name) == {"1": "Staging"}

    # A stage can be protected as an alias is: only what is approved gets it.
    told = moved(other, "Production", "now")
    assert (told[0], "wants it approved" in told[1]) == ("INVALID_PARAMETER_VALUE", True)
    decision = {"verdict": "approved", "reason": "all passed"}
    place.stranger.post(f"/api/boathouse/v1/deployments/{name}/versions/1/decision", json=decision).raise_for_status()
    other.transition_stage(name, "1", "Production", archive_existing_versions=False, comment="now")
    assert stages(place, name) == {"1": "Production"}
    # Out of use it goes without a second pair of eyes.
    owner.transition_stage(name, "1", "Archived", archive_existing_versions=False)
    assert stages(place, name) == {"1": "Archived"}


def test_what_is_not_valid(place: Place) -> None:
    name = place.model()
    registry = WorkspaceClient(host=place.server.url, token=place.owner_token).model_registry
    invalid = "INVALID_PARAMETER_VALUE"

    def stage(value: str, version: str = "1", *, archive: bool = False) -> tuple[str, str]:
        return refused(lambda: registry.transition_stage(name, version, value, archive_existing_versions=archive))

    assert stage("Prod") == (invalid, "stage is 'Prod'. Valid: None, Staging, Production, Archived.")
    assert stage("Archived", archive=True)[1].startswith("archive_existing_versions cannot be true")
    assert stage("Staging", "x")[1].endswith("version: Value error, is 'x'. Valid: the number of a version, from 1")
    assert stage("Staging", "7")[0] == "RESOURCE_DOES_NOT_EXIST"
    told = refused(lambda: registry.create_transition_request(name, "1", "None"))
    assert told == (invalid, f"Version 1 of '{name}' is in the stage 'None' already.")
    assert "comment: Value error, is empty" in refused(lambda: registry.create_comment(name, "1", " \n"))[1]
    assert "20000 characters" in refused(lambda: registry.create_comment(name, "1", "x" * 20_001))[1]
    assert refused(lambda: registry.update_comment("no number", "x"))[0] == "RESOURCE_DOES_NOT_EXIST"
    assert refused(lambda: registry.get_model("main.default"))[1].startswith("'main.default' is not a valid model name")
    pending = place.owner.post(f"{MLFLOW}/unity-catalog/model-versions/create", json={"name": name, "source": "x"}).json()
    assert "are not complete yet" in stage("Staging", pending["model_version"]["version"])[1]
    place.owner.post(
        f"{MLFLOW}/model-versions/set-tag", json={"name": name, "version": "1", "key": "approval", "value": "rejected"}
    )
    assert "cannot go to the stage 'Production': its tag approval is 'rejected'" in stage("Production")[1]
    files = f"{MLFLOW}/model-versions/list-artifacts"
    at = {"name": name, "version": "1"}
    assert place.owner.get(files, params=at).json() == {
        "files": [{"path": "MLmodel", "is_dir": False, "file_size": len(MLMODEL)}]
    }
    assert place.owner.get(files, params=at | {"path": "../2"}).status_code == 400
    assert place.stranger.get(files, params=at).status_code == 403
    signed = f"{MLFLOW}/model-versions/get-signed-download-uri"
    assert place.owner.get(signed, params=at | {"path": "../../secret"}).status_code == 400
    assert place.stranger.get(signed, params=at | {"path": "MLmodel"}).status_code == 403
    for method, path in (
        ("POST", "comments/create"),
        ("GET", "transition-requests/list"),
        ("GET", "databricks/registered-models/get"),
    ):
        assert place.server.client("").request(method, f"{MLFLOW}/{path}").status_code == 401
