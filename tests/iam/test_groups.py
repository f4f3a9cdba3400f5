import threading
from typing import Any

from tests.conftest import Server
from tests.iam.test_scim import GROUPS, ME, USERS, new_user, patch, scim_error, unique

UC = "/api/2.1/unity-catalog"
SERVING, STORES, MLFLOW = "/api/2.0/serving-endpoints", "/api/2.0/feature-store/online-stores", "/api/2.0/mlflow"


def token_of(server: Server, name: str) -> str:
    made = server.client().post("/api/2.0/token-management/on-behalf-of/tokens", json={"application_id": name})
    return str(made.raise_for_status().json()["token_value"])


def new_group(server: Server, *members: str, **more: Any) -> dict[str, Any]:
    body = {"displayName": unique("g"), "members": [{"value": member} for member in members]} | more
    answer = server.client().post(GROUPS, json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def groups_of(server: Server, token: str) -> dict[str, str]:
    return {one["display"]: one["type"] for one in server.client(token).get(ME).json()["groups"]}


def test_a_group_in_a_group_counts(server: Server) -> None:
    name = f"{unique()}@example.com"
    token = server.new_principal(name)
    user_id = server.client(token).get(ME).json()["id"]
    inner = new_group(server, user_id)
    middle = new_group(server, inner["id"])
    outer = new_group(server, middle["id"])
    assert groups_of(server, token) == {
        inner["displayName"]: "direct",
        middle["displayName"]: "indirect",
        outer["displayName"]: "indirect",
        "account users": "direct",
    }
    found = server.client().get(f"{GROUPS}/{middle['id']}").json()
    assert found["members"] == [{"value": inner["id"], "display": inner["displayName"], "$ref": f"Groups/{inner['id']}"}]
    assert [one["display"] for one in found["groups"]] == [outer["displayName"]]
    # A grant to the outermost group holds, and ends at once when a link between is cut.
    admin = server.client()
    schema = unique("s")
    admin.post(f"{UC}/schemas", json={"name": schema, "catalog_name": "main"}).raise_for_status()
    for securable, privilege in (("catalog/main", "USE_CATALOG"), (f"schema/main.{schema}", "USE_SCHEMA")):
        change = {"changes": [{"principal": outer["displayName"], "add": [privilege]}]}
        admin.patch(f"{UC}/permissions/{securable}", json=change).raise_for_status()
    assert server.client(token).get(f"{UC}/schemas/main.{schema}").status_code == 200
    patch(server, f"{GROUPS}/{outer['id']}", {"op": "remove", "path": "members"}).raise_for_status()
    assert server.client(token).get(f"{UC}/schemas/main.{schema}").status_code in {403, 404}


def test_cycles_are_refused(server: Server) -> None:
    first = new_group(server)
    second = new_group(server, first["id"])
    third = new_group(server, second["id"])
    for member in (first, second, third):
        answer = patch(server, f"{GROUPS}/{first['id']}", {"op": "add", "path": "members", "value": [{"value": member["id"]}]})
        assert scim_error(answer) == (400, "invalidValue"), member


def test_members_are_added_and_removed_one_by_one(server: Server) -> None:
    people = [new_user(server)["id"] for _ in range(3)]
    group = new_group(server, people[0])
    url = f"{GROUPS}/{group['id']}"

    def members() -> set[str]:
        return {member["value"] for member in server.client().get(url).json()["members"]}

    patch(server, url, {"op": "add", "path": "members", "value": [{"value": one} for one in people]}).raise_for_status()
    assert members() == set(people)
    patch(server, url, {"op": "remove", "path": f'members[value eq "{people[0]}"]'}).raise_for_status()
    patch(server, url, {"op": "remove", "path": "members", "value": [{"value": people[1]}]}).raise_for_status()
    assert members() == {people[2]}
    patch(server, url, {"op": "replace", "path": "members", "value": [{"$ref": f"Users/{people[0]}"}]}).raise_for_status()
    assert members() == {people[0]}
    unknown = patch(server, url, {"op": "add", "path": "members", "value": [{"value": "nobody"}]})
    assert scim_error(unknown) == (400, "invalidValue")
    assert members() == {people[0]}
    server.client().delete(f"{USERS}/{people[0]}").raise_for_status()
    assert members() == set()


def test_members_that_are_added_at_the_same_time_all_stay(server: Server) -> None:
    people = [new_user(server)["id"] for _ in range(8)]
    url = f"{GROUPS}/{new_group(server)['id']}"
    failures: list[str] = []

    def add(person: str) -> None:
        answer = patch(server, url, {"op": "add", "path": "members", "value": [{"value": person}]})
        if answer.status_code != 200:
            failures.append(answer.text)

    threads = [threading.Thread(target=add, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert {member["value"] for member in server.client().get(url).json()["members"]} == set(people)


def test_groups_are_listed_renamed_and_deleted(server: Server) -> None:
    mark = unique("m")
    made = [new_group(server, displayName=f"{mark} {letter}", entitlements=[{"value": "x"}]) for letter in "ba"]
    client = server.client()
    listed = client.get(GROUPS, params={"filter": f'displayName sw "{mark}"', "attributes": "displayName"}).json()
    assert [one["displayName"] for one in listed["Resources"]] == [f"{mark} a", f"{mark} b"]
    assert set(listed["Resources"][0]) == {"schemas", "id", "displayName"}
    url = f"{GROUPS}/{made[0]['id']}"
    patch(server, url, {"op": "replace", "path": "displayName", "value": f"{mark} c"}).raise_for_status()
    found = client.get(url).json()
    assert (found["displayName"], found["entitlements"]) == (f"{mark} c", [{"value": "x"}])
    taken = patch(server, url, {"op": "replace", "value": {"displayName": f"{mark} a"}})
    assert scim_error(taken) == (409, "uniqueness")
    assert client.delete(url).status_code == 204
    assert scim_error(client.delete(url)) == (404, None)
    for reserved in ("account users", "admins"):
        assert scim_error(client.post(GROUPS, json={"displayName": reserved})) == (409, "uniqueness")
    assert scim_error(client.post(GROUPS, json={})) == (400, "invalidValue")


def test_grants_and_owners_follow_names(server: Server) -> None:
    admin = server.client()
    group, user = new_group(server), new_user(server)
    schema = unique("s")
    full_name = f"main.{schema}"
    admin.post(f"{UC}/schemas", json={"name": schema, "catalog_name": "main"}).raise_for_status()

    def grantees() -> set[str]:
        answer = admin.get(f"{UC}/permissions/schema/{full_name}").json()
        return {one["principal"] for one in answer.get("privilege_assignments", [])}

    for name in (group["displayName"], user["userName"]):
        change = {"changes": [{"principal": name, "add": ["USE_SCHEMA"]}]}
        admin.patch(f"{UC}/permissions/schema/{full_name}", json=change).raise_for_status()
    new_name = unique("renamed")
    url = f"{GROUPS}/{group['id']}"
    patch(server, url, {"op": "replace", "path": "displayName", "value": new_name}).raise_for_status()
    assert grantees() == {new_name, user["userName"]}
    admin.patch(f"{UC}/schemas/{full_name}", json={"owner": new_name}).raise_for_status()
    refused = admin.delete(url)
    assert (refused.status_code, refused.json()["error_code"]) == (400, "INVALID_STATE")
    assert full_name in refused.json()["message"]
    admin.patch(f"{UC}/schemas/{full_name}", json={"owner": admin.get(ME).json()["userName"]}).raise_for_status()
    assert admin.delete(url).status_code == 204
    assert admin.delete(f"{USERS}/{user['id']}").status_code == 204
    assert grantees() == set()
    # Whoever takes the name later inherits nothing.
    new_group(server, displayName=new_name)
    assert grantees() == set()


def test_what_names_a_user_follows_a_new_name(server: Server) -> None:
    admin, user, schema, endpoint, store = server.client(), new_user(server), unique("s"), unique("e"), unique("o")
    old, new = user["userName"], f"{unique('new')}@example.com"
    url, token = f"{USERS}/{user['id']}", token_of(server, old)
    mine = server.client(token)
    admin.post(f"{UC}/schemas", json={"name": schema, "catalog_name": "main"}).raise_for_status()
    made = admin.post(SERVING, json={"name": endpoint}).json()
    access = f"/api/2.0/permissions/serving-endpoints/{made['id']}"
    admin.patch(access, json={"access_control_list": [{"user_name": old, "permission_level": "CAN_QUERY"}]}).raise_for_status()
    change = {"changes": [{"principal": old, "add": ["USE_SCHEMA"]}]}
    admin.patch(f"{UC}/permissions/schema/main.{schema}", json=change).raise_for_status()
    admin.patch(f"{UC}/schemas/main.{schema}", json={"owner": old}).raise_for_status()
    mine.post(STORES, json={"name": store, "capacity": "CU_1"}).raise_for_status()
    run = mine.post(f"{MLFLOW}/runs/create", json={"experiment_id": "0"}).json()["run"]["info"]["run_id"]
    tag = {"run_id": run, "key": "k", "value": "v"}
    mine.post(f"{MLFLOW}/runs/set-tag", json=tag).raise_for_status()

    taken = patch(server, url, {"op": "replace", "path": "userName", "value": admin.get(ME).json()["userName"].upper()})
    assert scim_error(taken) == (409, "uniqueness")
    renamed = patch(server, url, {"op": "replace", "path": "userName", "value": new})
    assert (renamed.status_code, renamed.json()["userName"]) == (200, new), renamed.text

    assert mine.get(ME).json()["userName"] == new
    assert admin.get(f"{UC}/schemas/main.{schema}").json()["owner"] == new
    grants = admin.get(f"{UC}/permissions/schema/main.{schema}").json()["privilege_assignments"]
    assert [one["principal"] for one in grants] == [new]
    may_use = {one.get("user_name"): one["all_permissions"] for one in admin.get(access).json()["access_control_list"]}
    assert (new in may_use, old in may_use) == (True, False)
    # Not refused any more, but there is nothing to answer.
    assert mine.post(f"/serving-endpoints/{endpoint}/invocations", json={"inputs": [1]}).status_code in {404, 503}
    assert mine.get(f"{STORES}/{store}").json()["creator"] == new
    mine.post(f"{MLFLOW}/runs/set-tag", json=tag).raise_for_status()
    other = server.client(server.new_principal(old))
    assert other.post(f"{MLFLOW}/runs/set-tag", json=tag).status_code == 403

    refused = admin.delete(url)
    assert (refused.status_code, refused.json()["error_code"]) == (400, "INVALID_STATE")
    assert f"schema main.{schema}; online store {store}" in refused.json()["message"]
    admin.delete(f"{STORES}/{store}").raise_for_status()
    admin.patch(f"{UC}/schemas/main.{schema}", json={"owner": "account users"}).raise_for_status()
    assert admin.delete(url).status_code == 204
    assert mine.get(ME).status_code == 401
    heir = server.client(server.new_principal(new))
    assert heir.post(f"{MLFLOW}/runs/set-tag", json=tag).status_code == 403
    assert new not in admin.get(access).text
    assert heir.get(f"{UC}/permissions/schema/main.{schema}").status_code == 200
    admin.delete(f"{SERVING}/{endpoint}").raise_for_status()


def test_who_made_an_endpoint_is_not_deleted_before_it(server: Server) -> None:
    admin, user, endpoint = server.client(), new_user(server), unique("e")
    mine = server.client(token_of(server, user["userName"]))
    mine.post(SERVING, json={"name": endpoint}).raise_for_status()
    refused = admin.delete(f"{USERS}/{user['id']}")
    assert (refused.status_code, f"serving endpoint {endpoint}" in refused.text) == (400, True)
    admin.delete(f"{SERVING}/{endpoint}").raise_for_status()
    assert admin.delete(f"{USERS}/{user['id']}").status_code == 204
