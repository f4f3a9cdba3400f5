import uuid
from typing import Any

import httpx
import pytest

from tests.conftest import Server

SCIM = "/api/2.0/preview/scim/v2"
USERS, GROUPS, ROBOTS = f"{SCIM}/Users", f"{SCIM}/Groups", f"{SCIM}/ServicePrincipals"
ME = f"{SCIM}/Me"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def unique(prefix: str = "u") -> str:
    return f"{prefix}{uuid.uuid4().hex[:10]}"


def new_user(server: Server, **more: Any) -> dict[str, Any]:
    answer = server.client().post(USERS, json={"userName": f"{unique()}@example.com"} | more)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def patch(server: Server, url: str, *operations: dict[str, Any]) -> httpx.Response:
    return server.client().patch(url, json={"schemas": [PATCH], "Operations": list(operations)})


def names(answer: httpx.Response, key: str = "userName") -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one[key] for one in answer.json()["Resources"]]


def scim_error(answer: httpx.Response) -> tuple[int, str | None]:
    body = answer.json()
    assert body["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert body["status"] == str(answer.status_code)
    assert body["detail"] == body["message"]
    return answer.status_code, body.get("scimType")


def test_a_user_is_kept_as_it_was_given(server: Server) -> None:
    given = {
        "displayName": "Ann Example",
        "externalId": unique("ext"),
        "name": {"givenName": "Ann", "familyName": "Example"},
        "entitlements": [{"value": "workspace-access"}],
        "roles": [{"value": "arn:x", "type": "role"}],
    }
    made = new_user(server, **given)
    found = server.client().get(f"{USERS}/{made['id']}").json()
    assert made == found
    assert {key: found[key] for key in given} == given
    assert found["active"] is True
    assert found["emails"] == [{"value": found["userName"], "type": "work", "primary": True}]


def test_users_are_filtered_sorted_and_paged(server: Server) -> None:
    mark = unique("f")
    made = [new_user(server, userName=f"{mark}-{letter}@example.com", displayName=f"D {letter}") for letter in "cab"]
    client = server.client()

    def ask(**query: Any) -> httpx.Response:
        return client.get(USERS, params=query)

    everyone = [f"{mark}-{letter}@example.com" for letter in "abc"]
    assert names(ask(filter=f'userName sw "{mark}"')) == everyone
    assert names(ask(filter=f"userName co {mark}")) == everyone
    assert names(ask(filter=f'userName eq "{mark.upper()}-A@example.com"')) == everyone[:1]
    assert names(ask(filter=f'id eq "{made[0]["id"]}"')) == everyone[2:]
    either = f'userName sw "{mark}" and (displayName eq "D a" or displayName eq "D b")'
    assert names(ask(filter=either)) == everyone[:2]
    assert names(ask(filter=f'userName sw "{mark}" and not (displayName ne "D c")')) == everyone[2:]
    assert names(ask(filter=f'userName sw "{mark}" and active eq false')) == []
    assert names(ask(filter='userName sw "%"')) == []
    assert names(ask(filter=f'userName sw "{mark}"', sortBy="displayName", sortOrder="descending")) == everyone[::-1]
    page = ask(filter=f'userName sw "{mark}"', startIndex=2, count=1).json()
    assert (page["totalResults"], page["startIndex"], page["itemsPerPage"]) == (3, 2, 1)
    assert page["Resources"][0]["userName"] == everyone[1]
    assert ask(filter=f'userName sw "{mark}"', startIndex=9).json()["Resources"] == []
    assert ask(filter=f'userName sw "{mark}"', startIndex=-4, count=-1).json()["totalResults"] == 3
    few = ask(filter=f'userName sw "{mark}"', attributes="userName").json()["Resources"][0]
    assert set(few) == {"schemas", "id", "userName"}
    rest = ask(filter=f'userName sw "{mark}"', excludedAttributes="groups,emails").json()["Resources"][0]
    assert {"groups", "emails"} & set(rest) == set()


@pytest.mark.parametrize(
    "wrong",
    [
        "userName",
        "userName eq",
        'userName xx "a"',
        '(userName eq "a"',
        'userName eq "a" or',
        'password eq "a"',
        'userName eq "a" userName eq "b"',
        "active eq maybe",
        'userName eq "a',
        "(" * 40 + 'userName eq "a"' + ")" * 40,
        'userName eq "' + "a" * 3000 + '"',
    ],
)
def test_a_filter_that_is_none_is_refused(server: Server, wrong: str) -> None:
    assert scim_error(server.client().get(USERS, params={"filter": wrong})) == (400, "invalidFilter")


def test_put_sets_everything_but_the_name(server: Server) -> None:
    made = new_user(server, displayName="Before", roles=[{"value": "r"}])
    url = f"{USERS}/{made['id']}"
    body = {"userName": made["userName"], "displayName": "After", "active": False}
    changed = server.client().put(url, json=body)
    assert changed.status_code == 200, changed.text
    assert {key: changed.json()[key] for key in ("displayName", "active", "roles")} == {
        "displayName": "After",
        "active": False,
        "roles": [],
    }
    still = server.client().put(url, json={"displayName": "Again"}).json()
    assert still["active"] is False


def test_patch_adds_removes_and_replaces(server: Server) -> None:
    made = new_user(server)
    url = f"{USERS}/{made['id']}"
    assert patch(server, url, {"op": "Add", "path": "roles", "value": [{"value": "a"}, {"value": "b"}]}).status_code == 200
    patch(server, url, {"op": "add", "path": "roles", "value": [{"value": "b"}]}).raise_for_status()
    patch(server, url, {"op": "remove", "path": 'roles[value eq "a"]'}).raise_for_status()
    patch(server, url, {"op": "replace", "path": "name.givenName", "value": "Ann"}).raise_for_status()
    patch(server, url, {"op": "replace", "value": {"displayName": "Ann", "active": "False"}}).raise_for_status()
    patch(server, url, {"op": "replace", "path": 'emails[type eq "work"].value', "value": "a@b.c"}).raise_for_status()
    urn = "urn:ietf:params:scim:schemas:core:2.0:User:externalId"
    patch(server, url, {"op": "add", "path": urn, "value": "e-1"}).raise_for_status()
    found = server.client().get(url).json()
    assert found["roles"] == [{"value": "b"}]
    assert found["name"] == {"givenName": "Ann"}
    assert (found["displayName"], found["active"], found["externalId"]) == ("Ann", False, "e-1")
    assert found["emails"][0]["value"] == "a@b.c"


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ({"op": "move", "path": "roles"}, "invalidSyntax"),
        ({"op": "remove"}, "noTarget"),
        ({"op": "replace", "value": "x"}, "invalidValue"),
        ({"op": "replace", "path": "password", "value": "x"}, "invalidPath"),
        ({"op": "replace", "path": "roles[", "value": "x"}, "invalidPath"),
        ({"op": "replace", "path": "roles[value qq 1]", "value": {}}, "invalidFilter"),
        ({"op": "replace", "path": 'displayName[value eq "x"]', "value": "x"}, "invalidPath"),
        ({"op": "replace", "path": "id", "value": "x"}, "mutability"),
        ({"op": "replace", "path": "groups", "value": []}, "mutability"),
        ({"op": "replace", "path": "userName", "value": " new@example.com"}, "invalidValue"),
        ({"op": "replace", "path": 'roles[value eq "none"].type', "value": "x"}, "noTarget"),
        ({"op": "replace", "path": "active", "value": "perhaps"}, "invalidValue"),
        ({"op": "add", "path": "roles", "value": [1]}, "invalidValue"),
        ({"op": "replace", "path": "displayName", "value": ["x"]}, "invalidValue"),
        ({"op": "replace", "path": "active"}, "invalidValue"),
        ({"op": "replace", "path": "active", "value": None}, "mutability"),
        ({"op": "replace", "path": "active", "value": [{"value": "false"}, {"value": "true"}]}, "invalidValue"),
        ({"op": "remove", "path": "userName"}, "mutability"),
    ],
)
def test_a_patch_that_is_not_valid_changes_nothing(server: Server, operation: dict[str, Any], kind: str) -> None:
    made = new_user(server)
    url = f"{USERS}/{made['id']}"
    first = {"op": "replace", "path": "displayName", "value": "Changed"}
    assert scim_error(patch(server, url, first, operation)) == (400, kind)
    assert server.client().get(url).json() == made


def test_errors_have_scims_form(server: Server) -> None:
    taken = new_user(server)["userName"]
    client = server.client()
    assert scim_error(client.post(USERS, json={"userName": taken})) == (409, "uniqueness")
    assert scim_error(client.post(USERS, json={"userName": taken.upper()})) == (409, "uniqueness")
    assert scim_error(client.post(GROUPS, json={"displayName": taken})) == (409, "uniqueness")
    assert scim_error(client.get(f"{USERS}/nobody")) == (404, None)
    assert scim_error(client.post(USERS, json={"userName": ["x"]})) == (400, "invalidValue")
    assert scim_error(client.post(USERS, json={"userName": " x "})) == (400, "invalidValue")
    assert scim_error(client.get(USERS, params={"sortBy": "password"})) == (400, "invalidValue")
    robot = client.post(ROBOTS, json={"displayName": unique("r")}).json()
    assert scim_error(client.get(f"{USERS}/{robot['id']}")) == (404, None)
    broken = client.post(USERS, content='{"userName": x}', headers={"Content-Type": "application/json"})
    assert scim_error(broken) == (400, "invalidValue")
    assert "body: it is no JSON, from position 13 on" in broken.json()["message"]
    assert client.get(USERS, params={"startIndex": 10**30}).json()["Resources"] == []


def test_service_principals_have_an_application_id(server: Server) -> None:
    client = server.client()
    made = client.post(ROBOTS, json={"displayName": unique("etl")}).json()
    assert uuid.UUID(made["applicationId"])
    assert "userName" not in made
    found = client.get(ROBOTS, params={"filter": f'applicationId eq "{made["applicationId"]}"'}).json()["Resources"]
    assert [one["id"] for one in found] == [made["id"]]
    assert client.delete(f"{ROBOTS}/{made['id']}").status_code == 204
    assert scim_error(client.get(f"{ROBOTS}/{made['id']}")) == (404, None)
    assert scim_error(client.post(ROBOTS, json={})) == (400, "invalidValue")


def test_users_may_read_and_admins_write(server: Server) -> None:
    user = server.client(server.new_principal(f"{unique()}@example.com"))
    own = user.get(ME).json()
    group = server.client().post(GROUPS, json={"displayName": unique("g")}).json()
    for path in (USERS, GROUPS, ROBOTS, f"{USERS}/{own['id']}", f"{GROUPS}/{group['id']}"):
        assert user.get(path).status_code == 200
        assert server.client("").get(path).status_code == 401
    operation = {"Operations": [{"op": "add", "path": "members", "value": [{"value": own["id"]}]}]}
    for method, path, body in (
        ("POST", USERS, {"userName": "x@example.com"}),
        ("POST", GROUPS, {"displayName": "x"}),
        ("POST", ROBOTS, {"displayName": "x"}),
        ("PUT", f"{USERS}/{own['id']}", {"displayName": "x"}),
        ("PATCH", f"{USERS}/{own['id']}", operation),
        ("PATCH", f"{GROUPS}/{group['id']}", operation),
        ("PUT", f"{GROUPS}/{group['id']}", {"displayName": "x"}),
        ("DELETE", f"{GROUPS}/{group['id']}", None),
        ("DELETE", f"{USERS}/{own['id']}", None),
    ):
        assert scim_error(user.request(method, path, json=body)) == (403, None), (method, path)
        assert server.client("").request(method, path, json=body).status_code == 401


def test_a_deactivated_user_has_no_working_credential(server: Server) -> None:
    name = f"{unique()}@example.com"
    token = server.new_principal(name)
    client = server.client(token)
    user_id = client.get(ME).json()["id"]
    link = client.post("/api/boathouse/v1/sign-in-links").json()["url"]
    browser = server.client("")
    browser.post("/api/boathouse/v1/sign-in", json={"token": token}).raise_for_status()
    assert browser.get(ME).status_code == 200
    off = {"op": "replace", "path": "active", "value": False}
    patch(server, f"{USERS}/{user_id}", off).raise_for_status()
    # At once: not when the door's memory of the token ends.
    assert client.get(ME).status_code == 401
    assert browser.get(ME).status_code == 401
    stranger = server.client("")
    assert stranger.post("/api/boathouse/v1/sign-in", json={"code": link.split("code=")[1]}).status_code == 401
    patch(server, f"{USERS}/{user_id}", off | {"value": True}).raise_for_status()
    assert client.get(ME).status_code == 200


def test_databricks_own_form_of_deactivating_a_user_holds(server: Server) -> None:
    url = f"{USERS}/{new_user(server)['id']}"
    patch(server, url, {"op": "replace", "path": "active", "value": [{"value": "false"}]}).raise_for_status()
    found = server.client().get(url).json()
    assert found["active"] is False
    assert found["userName"] in names(server.client().get(USERS, params={"filter": 'active eq "false"', "count": 1000}))


def test_a_new_user_is_put_into_groups_by_id_and_by_name(server: Server) -> None:
    client = server.client()
    group = client.post(GROUPS, json={"displayName": unique("g")}).json()
    for reference in ({"value": group["id"]}, {"display": group["displayName"]}, {"value": group["displayName"]}):
        made = new_user(server, groups=[reference])
        assert [one["value"] for one in made["groups"]] == [group["id"], "account users"]


def test_the_last_admin_stays(server: Server) -> None:
    client = server.client()
    me = client.get(ME).json()
    admins = client.get(GROUPS, params={"filter": 'displayName eq "admins"'}).json()["Resources"][0]
    others = [member["value"] for member in admins["members"] if member["value"] != me["id"]]
    assert others == [], "another test left an admin behind"
    group = f"{GROUPS}/{admins['id']}"
    attempts = [
        patch(server, f"{USERS}/{me['id']}", {"op": "replace", "path": "active", "value": False}),
        client.delete(f"{USERS}/{me['id']}"),
        patch(server, group, {"op": "remove", "path": "members"}),
        client.put(group, json={"displayName": "admins", "members": []}),
        client.delete(group),
        client.put(group, json={"displayName": "other", "members": [{"value": me["id"]}]}),
    ]
    for answer in attempts:
        assert answer.status_code == 400, answer.text
        assert answer.json()["error_code"] == "INVALID_STATE"
    # With a second one, by a group in the group, the first may go out.
    deputy = new_user(server)
    nested = client.post(GROUPS, json={"displayName": unique("ops"), "members": [{"value": deputy["id"]}]}).json()
    patch(server, group, {"op": "add", "path": "members", "value": [{"value": nested["id"]}]}).raise_for_status()
    token = client.post("/api/2.0/token-management/on-behalf-of/tokens", json={"application_id": deputy["userName"]})
    as_deputy = server.client(token.json()["token_value"])
    out = {"Operations": [{"op": "remove", "path": f'members[value eq "{me["id"]}"]'}]}
    assert as_deputy.patch(group, json=out).status_code == 200
    assert client.post(GROUPS, json={"displayName": unique()}).status_code == 403
    back = {"Operations": [{"op": "add", "path": "members", "value": [{"value": me["id"]}]}]}
    assert as_deputy.patch(group, json=back).status_code == 200
    assert client.delete(f"{USERS}/{deputy['id']}").status_code == 204


def test_the_sdk_does_all_of_it(server: Server) -> None:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.errors import BadRequest, NotFound, ResourceConflict
    from databricks.sdk.service.iam import ComplexValue, Patch, PatchOp, PatchSchema

    client = WorkspaceClient(host=server.url, token=server.token)
    user = client.users_v2.create(user_name=f"{unique()}@example.com", display_name="Ann")
    robot = client.service_principals_v2.create(display_name=unique("robot"))
    group = client.groups_v2.create(display_name=unique("team"), members=[ComplexValue(value=user.id)])
    assert group.id
    assert user.id
    assert robot.id
    operation = Patch(op=PatchOp.ADD, path="members", value=[{"value": robot.id}])
    schema = [PatchSchema.URN_IETF_PARAMS_SCIM_API_MESSAGES_2_0_PATCH_OP]
    client.groups_v2.patch(group.id, operations=[operation], schemas=schema)
    members = client.groups_v2.get(group.id).members
    assert {member.value for member in members or []} == {user.id, robot.id}
    assert [one.id for one in client.users_v2.list(filter=f'userName eq "{user.user_name}"')] == [user.id]
    # The client leaves out what is false: that is no change, and must not pass for one.
    with pytest.raises(BadRequest, match="has no value"):
        client.users_v2.patch(user.id, operations=[Patch(op=PatchOp.REPLACE, path="active", value=False)], schemas=schema)
    client.users_v2.update(user.id, display_name="Bea", active=False)
    found = client.users_v2.get(user.id)
    assert (found.display_name, found.active) == ("Bea", False)
    with pytest.raises(ResourceConflict):
        client.users_v2.create(user_name=user.user_name)
    client.groups_v2.delete(group.id)
    with pytest.raises(NotFound):
        client.groups_v2.get(group.id)
    client.users_v2.delete(user.id)
    client.service_principals_v2.delete(robot.id)
