import uuid
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.conftest import Server

TOKEN = "/oidc/v1/token"
ME = "/api/2.0/preview/scim/v2/Me"
ROBOTS = "/api/2.0/preview/scim/v2/ServicePrincipals"


def secrets_url(principal_id: str) -> str:
    return f"/api/2.0/accounts/servicePrincipals/{principal_id}/credentials/secrets"


def new_client(server: Server, **secret: Any) -> tuple[dict[str, Any], str, str]:
    """A service principal with the id and the value of a secret."""
    admin = server.client()
    robot = admin.post(ROBOTS, json={"displayName": f"robot {uuid.uuid4().hex[:8]}"}).json()
    made = admin.post(secrets_url(robot["id"]), json=secret)
    assert made.status_code == 200, made.text
    return robot, made.json()["id"], made.json()["secret"]


def ask(server: Server, client_id: str, secret: str, **form: str) -> httpx.Response:
    data = {"grant_type": "client_credentials"} | form
    # Each client has an address of its own: failures are counted by address and client.
    return server.client("").post(TOKEN, data=data, auth=(client_id, secret))


def test_discovery_names_the_endpoints(server: Server) -> None:
    stranger = server.client("")
    root = stranger.get("/.well-known/databricks-config").json()["oidc_endpoint"]
    assert root == f"{server.url}/oidc"
    found = stranger.get(f"{root}/.well-known/oauth-authorization-server").json()
    assert found["token_endpoint"] == f"{server.url}{TOKEN}"
    assert found["issuer"] == root
    assert "client_credentials" in found["grant_types_supported"]


def test_a_secret_gives_a_token_for_an_hour(server: Server) -> None:
    robot, _, secret = new_client(server)
    answer = ask(server, robot["applicationId"], secret, scope="all-apis")
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 3600, "all-apis")
    me = server.client(body["access_token"]).get(ME).json()
    assert (me["id"], me["applicationId"]) == (robot["id"], robot["applicationId"])
    form = {"client_id": robot["applicationId"], "client_secret": secret, "grant_type": "client_credentials"}
    assert server.client("").post(TOKEN, data=form).status_code == 200
    assert body["access_token"] not in server.client().get("/api/2.0/token-management/tokens").text


def test_the_sdk_signs_in_with_client_id_and_secret(server: Server) -> None:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.core import Config

    robot, _, secret = new_client(server)
    config = Config(host=server.url, client_id=robot["applicationId"], client_secret=secret)
    assert config.auth_type == "oauth-m2m"
    client = WorkspaceClient(config=config)
    assert client.current_user.me().id == robot["id"]
    assert "main" in [catalog.name for catalog in client.catalogs.list()]


def test_five_secrets_are_the_most(server: Server) -> None:
    robot, first, _ = new_client(server)
    admin = server.client()
    url = secrets_url(robot["id"])
    for _ in range(4):
        admin.post(url, json={}).raise_for_status()
    refused = admin.post(url, json={})
    assert (refused.status_code, refused.json()["error_code"]) == (400, "RESOURCE_LIMIT_EXCEEDED")
    admin.delete(f"{url}/{first}").raise_for_status()
    admin.post(url, json={}).raise_for_status()


def test_the_sdk_manages_secrets(server: Server) -> None:
    from databricks.sdk import WorkspaceClient

    client = WorkspaceClient(host=server.url, token=server.token)
    robot = client.service_principals_v2.create(display_name="with secrets")
    assert robot.id
    made = client.service_principal_secrets_proxy.create(robot.id, lifetime="3600s", scopes=["sql"])
    assert made.status == "ACTIVE"
    assert made.secret
    assert made.id
    listed = list(client.service_principal_secrets_proxy.list(robot.id))
    assert [(one.id, one.scopes) for one in listed] == [(made.id, ["sql"])]
    assert made.secret not in str(listed)
    client.service_principal_secrets_proxy.delete(robot.id, made.id)
    assert list(client.service_principal_secrets_proxy.list(robot.id)) == []


def test_a_service_principal_asks_who_it_is(server: Server) -> None:
    from databricks.sdk import WorkspaceClient

    robot, _, secret = new_client(server)
    me = WorkspaceClient(host=server.url, client_id=robot["applicationId"], client_secret=secret).current_user.me()
    assert (me.id, me.user_name) == (robot["id"], robot["applicationId"])


def test_spark_takes_the_access_token(server: Server) -> None:
    from pyspark.sql import SparkSession

    robot, _, secret = new_client(server)
    token = ask(server, robot["applicationId"], secret).json()["access_token"]
    spark = SparkSession.builder.remote(server.spark_remote(token)).create()
    try:
        assert spark.sql("SELECT 1 + 1 AS two").collect()[0].two == 2
    finally:
        spark.stop()


def test_scopes_of_a_secret_bound_its_tokens(server: Server) -> None:
    robot, _, secret = new_client(server, scopes=["unity-catalog", "sql"])
    client_id = robot["applicationId"]
    assert ask(server, client_id, secret).json()["scope"] == "sql unity-catalog"
    assert ask(server, client_id, secret, scope="all-apis offline_access").json()["scope"] == "sql unity-catalog"
    narrow = ask(server, client_id, secret, scope="unity-catalog").json()
    assert narrow["scope"] == "unity-catalog"
    client = server.client(narrow["access_token"])
    assert client.get("/api/2.1/unity-catalog/catalogs").status_code == 200
    assert client.get("/api/2.0/serving-endpoints").status_code == 403
    for scope in ("scim", "no-such-scope"):
        refused = ask(server, client_id, secret, scope=scope)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")


def test_what_is_wrong_is_refused_in_oauths_form(server: Server) -> None:
    robot, secret_id, secret = new_client(server)
    client_id = robot["applicationId"]
    wrong = ask(server, client_id, "bhc_wrong")
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    assert wrong.headers["www-authenticate"].startswith("Basic")
    unknown = ask(server, str(uuid.uuid4()), secret)
    assert unknown.json() == wrong.json()
    _, _, others = new_client(server)
    assert ask(server, client_id, others).json() == wrong.json()
    assert ask(server, client_id, secret, grant_type="password").json()["error"] == "unsupported_grant_type"
    empty = server.client("").post(TOKEN, data={})
    assert (empty.status_code, empty.json()["error"]) == (400, "unsupported_grant_type")
    broken = server.client("").post(TOKEN, data={"grant_type": "client_credentials"}, headers={"Authorization": "Basic !"})
    assert (broken.status_code, broken.json()["error"]) == (401, "invalid_client")
    # A personal token is no client secret, and a client secret is no token.
    user = server.client().get(ME).json()
    assert ask(server, user["userName"], server.token).status_code == 401
    assert server.client(secret).get(ME).status_code == 401
    assert server.client().delete(f"{secrets_url(robot['id'])}/{secret_id}").status_code == 200
    assert ask(server, client_id, secret).status_code == 401


def test_a_client_id_may_be_form_encoded(server: Server) -> None:
    admin = server.client()
    name = f"a robot+{uuid.uuid4().hex[:8]}"
    robot = admin.post(ROBOTS, json={"applicationId": name}).json()
    secret = admin.post(secrets_url(robot["id"]), json={}).json()["secret"]
    assert ask(server, name, secret).status_code == 200
    assert ask(server, quote(name, safe=""), secret).status_code == 200


def test_deactivation_and_a_deleted_secret_end_access_tokens_at_once(server: Server) -> None:
    admin = server.client()
    robot, secret_id, secret = new_client(server)
    token = ask(server, robot["applicationId"], secret).json()["access_token"]
    assert server.client(token).get(ME).status_code == 200
    off = {"Operations": [{"op": "replace", "path": "active", "value": False}]}
    admin.patch(f"{ROBOTS}/{robot['id']}", json=off).raise_for_status()
    assert server.client(token).get(ME).status_code == 401
    assert ask(server, robot["applicationId"], secret).status_code == 401
    on = {"Operations": [{"op": "replace", "path": "active", "value": True}]}
    admin.patch(f"{ROBOTS}/{robot['id']}", json=on).raise_for_status()
    assert server.client(token).get(ME).status_code == 200
    admin.delete(f"{secrets_url(robot['id'])}/{secret_id}").raise_for_status()
    assert server.client(token).get(ME).status_code == 401


def test_only_admins_handle_secrets(server: Server) -> None:
    robot, secret_id, _ = new_client(server)
    url = secrets_url(robot["id"])
    user = server.client(server.new_principal(f"{uuid.uuid4().hex}@example.com"))
    for client, status in ((user, 403), (server.client(""), 401)):
        assert client.post(url, json={}).status_code == status
        assert client.get(url).status_code == status
        assert client.delete(f"{url}/{secret_id}").status_code == status
    admin = server.client()
    assert admin.post(url, json={"lifetime": "an hour"}).status_code == 400
    assert admin.post(url, json={"scopes": ["everything"]}).status_code == 400
    assert admin.post(secrets_url("nobody"), json={}).status_code == 404
    user_id = user.get(ME).json()["id"]
    assert admin.post(secrets_url(user_id), json={}).status_code == 404
    assert admin.delete(f"{url}/nothing").status_code == 404


def test_guessing_is_slowed_down(server: Server) -> None:
    robot, _, secret = new_client(server)
    client_id = robot["applicationId"]
    answers = [ask(server, client_id, f"bhc_{turn}") for turn in range(12)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 2
    assert answers[-1].json()["error"] == "temporarily_unavailable"
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    other, _, others = new_client(server)
    assert ask(server, other["applicationId"], others).status_code == 200
    assert ask(server, client_id, secret).status_code == 429
    stranger = server.client("")
    stranger.headers["X-Forwarded-For"] = "192.0.2.77"
    signs_in = [stranger.post("/api/boathouse/v1/sign-in", json={"token": "bhp_no"}).status_code for _ in range(22)]
    assert signs_in == [401] * 20 + [429] * 2


def test_secrets_are_stored_as_digests_only(server: Server) -> None:
    robot, _, secret = new_client(server)
    token = ask(server, robot["applicationId"], secret).json()["access_token"]
    assert ask(server, robot["applicationId"], "bhc_not-the-secret").status_code == 401
    logged = (server.root / "logs" / "server.log").read_text()
    stored = b"".join(path.read_bytes() for path in server.root.glob("metadata.db*"))
    for value in (secret, token, "bhc_not-the-secret"):
        assert value not in logged
        assert value.encode() not in stored


@pytest.mark.parametrize("name", ["etl", "etl:prod"])
def test_named_clients_work(server: Server, name: str) -> None:
    admin = server.client()
    robot = admin.post(ROBOTS, json={"applicationId": f"{name}-{uuid.uuid4().hex[:6]}"}).json()
    secret = admin.post(secrets_url(robot["id"]), json={}).json()["secret"]
    form = {"client_id": robot["applicationId"], "client_secret": secret, "grant_type": "client_credentials"}
    assert server.client("").post(TOKEN, data=form).status_code == 200
