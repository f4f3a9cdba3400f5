import time
import uuid

import httpx

from tests.conftest import Server

ME = "/api/2.0/preview/scim/v2/Me"


def test_the_first_start_makes_an_admin_whose_token_only_its_user_can_read(server: Server) -> None:
    profile = server.config_dir / "databrickscfg"
    assert profile.stat().st_mode & 0o777 == 0o600
    me = server.client().get(ME).json()
    assert {"admins", "account users"} == {group["display"] for group in me["groups"]}


def test_the_sdk_reads_the_profile(server: Server) -> None:
    from databricks.sdk import WorkspaceClient

    client = WorkspaceClient(config_file=str(server.config_dir / "databrickscfg"), profile="DEFAULT")
    assert client.config.host == server.url
    assert client.current_user.me().user_name == server.client().get(ME).json()["userName"]
    assert "main" in [catalog.name for catalog in client.catalogs.list()]


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error_code"]


def test_wrong_tokens_are_refused(server: Server) -> None:
    assert refusal(server.client("").get(ME)) == (401, "UNAUTHENTICATED")
    for token in ("nonsense", "bhp_" + "x" * 43, "a b c"):
        assert refusal(server.client(token).get(ME)) == (401, "UNAUTHENTICATED")
    basic = server.client("").get(ME, headers={"Authorization": "Basic YTpi"})
    assert refusal(basic) == (401, "UNAUTHENTICATED")


def test_a_token_expires(server: Server) -> None:
    made = server.client().post("/api/2.0/token/create", json={"lifetime_seconds": 1, "comment": "short"}).json()
    client = server.client(made["token_value"])
    deadline = time.monotonic() + 15
    while (answer := client.get(ME)).status_code == 200 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert refusal(answer) == (401, "UNAUTHENTICATED")
    assert "expired" in answer.json()["message"]
    assert "boathouse token" in answer.json()["message"]


def test_a_revoked_token_is_listed_no_more_and_works_no_more(server: Server) -> None:
    client = server.client()
    made = client.post("/api/2.0/token/create", json={"comment": "to revoke"}).json()
    token_id = made["token_info"]["token_id"]
    listed = client.get("/api/2.0/token/list").json()["token_infos"]
    assert token_id in {token["token_id"] for token in listed}
    assert made["token_value"] not in str(listed)
    assert client.post("/api/2.0/token/delete", json={"token_id": token_id}).status_code == 200
    assert refusal(server.client(made["token_value"]).get(ME)) == (401, "UNAUTHENTICATED")
    again = client.post("/api/2.0/token/delete", json={"token_id": token_id})
    assert refusal(again) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_only_admins_make_principals(server: Server) -> None:
    name = f"{uuid.uuid4().hex}@example.com"
    user = server.client(server.new_principal(name))
    for path, body in (
        ("/api/2.0/preview/scim/v2/Users", {"userName": "other@example.com"}),
        ("/api/2.0/preview/scim/v2/ServicePrincipals", {"applicationId": "robot"}),
        ("/api/2.0/token-management/on-behalf-of/tokens", {"application_id": name}),
    ):
        assert refusal(user.post(path, json=body)) == (403, "PERMISSION_DENIED"), path
    taken = server.client().post("/api/2.0/preview/scim/v2/Users", json={"userName": name})
    assert refusal(taken) == (409, "RESOURCE_ALREADY_EXISTS")
    nameless = server.client().post("/api/2.0/preview/scim/v2/Users", json={})
    assert refusal(nameless) == (400, "INVALID_PARAMETER_VALUE")
    assert "userName" in nameless.json()["message"]


def test_a_deleted_user_is_out(server: Server) -> None:
    name = f"{uuid.uuid4().hex}@example.com"
    token = server.new_principal(name)
    user_id = server.client(token).get(ME).json()["id"]
    assert server.client().delete(f"/api/2.0/preview/scim/v2/Users/{user_id}").status_code == 204
    deadline = time.monotonic() + 15
    while (answer := server.client(token).get(ME)).status_code == 200 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert refusal(answer) == (401, "UNAUTHENTICATED")


def test_tokens_never_reach_the_log_or_the_database(server: Server) -> None:
    server.client().get(ME).raise_for_status()
    server.client("bhp_wrongwrongwrong").get(ME)
    link = server.client().post("/api/boathouse/v1/sign-in-links").json()["url"]
    code = link.split("code=")[1]
    logged = (server.root / "logs" / "server.log").read_text()
    database = server.root / "metadata.db"
    stored = database.read_bytes() if database.exists() else b""
    for secret in (server.token, "bhp_wrongwrongwrong", code):
        assert secret not in logged
        assert secret.encode() not in stored
