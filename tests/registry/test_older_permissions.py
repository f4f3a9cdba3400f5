"""Levels of permission on models, by databricks-sdk: what they mean in the catalog, and what they let people do."""

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import InvalidParameterValue, NotFound, PermissionDenied
from databricks.sdk.service import iam
from databricks.sdk.service.ml import RegisteredModelAccessControlRequest as Entry
from databricks.sdk.service.ml import RegisteredModelPermissionLevel as Level
from databricks.sdk.service.ml import RegisteredModelPermissions

from tests.conftest import Server
from tests.registry.conftest import MLFLOW, UC, Place


@pytest.fixture(scope="session")
def server(shared_server: Server) -> Server:
    """The shared server."""
    return shared_server


def sdk(place: Place, token: str) -> WorkspaceClient:
    return WorkspaceClient(host=place.server.url, token=token)


def told(found: RegisteredModelPermissions) -> set[tuple[str | None, str, bool]]:
    return {
        (one.user_name or one.group_name, (held.permission_level or Level.CAN_READ).value, bool(held.inherited))
        for one in found.access_control_list or ()
        for held in one.all_permissions or ()
    }


def known(place: Place, name: str) -> tuple[str, set[tuple[str | None, str, bool]]]:
    """A model's id, and who may what on it without any grant."""
    found = sdk(place, place.owner_token).model_registry.get_model(name).registered_model_databricks
    assert found is not None
    return found.id or "", {(place.owner_name, "CAN_MANAGE", True), ("admins", "CAN_MANAGE", True)}


def granted(place: Place, name: str) -> set[str]:
    """The privileges that anybody has on a model by a grant on it."""
    answer = place.admin.get(f"{UC}/permissions/function/{name}").json()
    return {right for one in answer["privilege_assignments"] for right in one["privileges"]}


def test_levels_are_grants(place: Place) -> None:
    place.let_in()
    name = place.model()
    owner, stranger = sdk(place, place.owner_token).model_registry, sdk(place, place.stranger_token)
    model, base = known(place, name)

    def grants() -> set[str]:
        return granted(place, name)

    def give(level: str) -> set[tuple[str | None, str, bool]]:
        entry = Entry(user_name=place.stranger_name, permission_level=Level(level))
        return told(owner.update_permissions(model, access_control_list=[entry])) - base

    def tag() -> int:
        body = {"name": name, "version": "1", "key": "colour", "value": "red"}
        return place.stranger.post(f"{MLFLOW}/model-versions/set-tag", json=body).status_code

    def register(**more: object) -> int:
        run, logged = place.logged_model(place.stranger)
        body = {"name": name, "source": f"models:/{logged}", "run_id": run, "model_id": logged, **more}
        return place.stranger.post(f"{MLFLOW}/model-versions/create", json=body).status_code

    assert told(owner.get_permissions(model)) == base
    with pytest.raises(NotFound, match="does not exist"):
        stranger.model_registry.get_permissions(model)
    assert give("CAN_READ") == {(place.stranger_name, "CAN_READ", False)}
    assert grants() == {"EXECUTE"}
    assert (register(), tag()) == (403, 403)
    # Who may read sees what it has itself, and gives nothing.
    assert (place.stranger_name, "CAN_READ", False) in told(stranger.model_registry.get_permissions(model))
    seen = stranger.model_registry.get_model(name).registered_model_databricks
    assert seen is not None
    assert str(seen.permission_level.value if seen.permission_level else None) == "CAN_READ"
    with pytest.raises(PermissionDenied):
        stranger.model_registry.set_permissions(model, access_control_list=[])
    assert give("CAN_EDIT") == {(place.stranger_name, "CAN_EDIT", False)}
    assert grants() == {"EXECUTE", "CREATE_MODEL_VERSION"}
    assert (register(), tag()) == (200, 403)
    # An approval is not to be had by a version's first tags either.
    assert register(tags=[{"key": "approval", "value": "approved"}]) == 403
    # A version that somebody else has begun stays that one's.
    begun = place.owner.post("/api/2.0/mlflow/unity-catalog/model-versions/create", json={"name": name, "source": "dbfs:/x"})
    number = begun.json()["model_version"]["version"]
    file = f"/api/2.0/fs/files/Models/{name.replace('.', '/')}/{number}/MLmodel"
    assert place.stranger.put(file, content=b"x").status_code == 403
    finished = {"name": name, "version": number}
    assert place.stranger.post("/api/2.0/mlflow/unity-catalog/model-versions/finalize", json=finished).status_code == 403
    assert give("CAN_MANAGE_PRODUCTION_VERSIONS") == {(place.stranger_name, "CAN_MANAGE_PRODUCTION_VERSIONS", False)}
    assert tag() == 200
    assert give("CAN_READ") == {(place.stranger_name, "CAN_READ", False)}
    assert grants() == {"EXECUTE"}


def test_levels_are_set_and_told(place: Place) -> None:
    place.let_in()
    name = place.model()
    owner = sdk(place, place.owner_token).model_registry
    model, base = known(place, name)

    def grants() -> set[str]:
        return granted(place, name)

    # The general door, which replaces; a group that everybody is in has another name there.
    both = sdk(place, place.owner_token).permissions
    group = iam.AccessControlRequest(group_name="users", permission_level=iam.PermissionLevel.CAN_MANAGE)
    both.set("registered-models", model, access_control_list=[group])
    assert told(owner.get_permissions(model)) == base | {("account users", "CAN_MANAGE", False)}
    assert grants() == {"EXECUTE", "CREATE_MODEL_VERSION", "APPLY_TAG", "MANAGE"}
    assert told(owner.set_permissions(model, access_control_list=[])) == base
    assert grants() == set()
    # What is granted above is told as inherited, and all privileges are all levels but the last.
    place.grant("schema", place.schema, "ALL_PRIVILEGES")
    assert told(owner.get_permissions(model)) - base == {(place.stranger_name, "CAN_MANAGE_PRODUCTION_VERSIONS", True)}
    levels = [one.permission_level for one in owner.get_permission_levels(model).permission_levels or ()]
    assert levels == [Level.CAN_READ, Level.CAN_EDIT, Level.CAN_MANAGE_PRODUCTION_VERSIONS, Level.CAN_MANAGE]
    for entry, message in (
        (
            Entry(user_name=place.stranger_name, permission_level=Level.CAN_MANAGE_STAGING_VERSIONS),
            "for the stage Staging alone",
        ),
        (Entry(permission_level=Level.CAN_READ), r"access_control_list\[0\] needs user_name, group_name"),
    ):
        with pytest.raises(InvalidParameterValue, match=message):
            owner.update_permissions(model, access_control_list=[entry])
    with pytest.raises(NotFound, match="nobody@example"):
        owner.update_permissions(
            model, access_control_list=[Entry(user_name="nobody@example.com", permission_level=Level.CAN_READ)]
        )
    with pytest.raises(NotFound, match="0000"):
        owner.get_permission_levels("0000")
