"""What the server records of calls over HTTP, on a real server."""

import base64
import uuid
from collections.abc import Callable
from typing import Any

import grpc
import httpx
import pytest

from tests.conftest import Server

UC = "/api/2.1/unity-catalog"
Audited = Callable[..., list[dict[str, Any]]]


def named() -> tuple[str, dict[str, str]]:
    """An identifier of a request, and the header that gives it."""
    name = f"test-{uuid.uuid4().hex}"
    return name, {"X-Request-Id": name, "User-Agent": "the-test/1.0"}


def params(row: dict[str, Any]) -> dict[str, str]:
    return dict(row["request_params"])


def test_a_change_is_recorded_with_who_what_and_from_where(server: Server, audited: Audited) -> None:
    request_id, headers = named()
    name = f"c_{uuid.uuid4().hex[:8]}"
    body = {"name": name, "comment": "x" * 3000, "properties": {"a": "1", "password": "hush"}}
    server.client().post(f"{UC}/catalogs", json=body, headers=headers).raise_for_status()
    (row,) = audited(request_id=request_id)
    assert row["service_name"] == "unityCatalog"
    assert row["action_name"] == "createCatalog"
    assert row["source_ip_address"] == "127.0.0.1"
    assert row["user_agent"] == "the-test/1.0"
    assert row["user_identity"]["email"]
    assert row["user_identity"]["subject_name"]
    assert row["response"] == {"status_code": 200, "error_message": None, "result": None}
    found = params(row)
    assert found["name"] == name
    assert found["properties.a"] == "1"
    assert len(found["comment"]) == 2048
    assert "hush" not in str(row)


def test_path_and_query_are_parameters(server: Server, audited: Audited) -> None:
    request_id, headers = named()
    answer = server.client().delete(f"{UC}/tables/main.default.none", params={"force": "true"}, headers=headers)
    assert answer.status_code == 404
    (row,) = audited(request_id=request_id)
    assert row["action_name"] == "deleteTable"
    assert "main.default.none" in params(row).values()
    assert params(row)["force"] == "true"
    assert row["response"]["status_code"] == 404
    assert "does not exist" in row["response"]["error_message"]


@pytest.mark.parametrize("token", ["", "wrong"])
def test_a_refused_call_is_nobodys(server: Server, audited: Audited, token: str) -> None:
    request_id, headers = named()
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    with httpx.Client(base_url=server.url) as client:
        assert client.get(f"{UC}/tables/main.default.t", headers=headers).status_code == 401
    (row,) = audited(request_id=request_id)
    assert row["user_identity"] == {"email": None, "subject_name": None}
    assert (row["action_name"], row["response"]["status_code"]) == ("getTable", 401)
    assert "main.default.t" in params(row).values()


def test_a_call_of_the_gateway_without_a_token_is_recorded(server: Server, audited: Audited) -> None:
    with grpc.insecure_channel(server.spark.removeprefix("sc://")) as channel:
        call = channel.unary_unary("/spark.connect.SparkConnectService/AnalyzePlan")
        with pytest.raises(grpc.RpcError, match="UNAUTHENTICATED"):
            call(b"", timeout=30)
    nobody = {"email": None, "subject_name": None}
    row, *_ = audited(service_name="sparkConnect", action_name="analyzePlan", user_identity=nobody)
    assert (row["source_ip_address"], row["response"]["status_code"]) == ("127.0.0.1", 401)


def test_a_wrong_privilege_is_recorded(server: Server, audited: Audited) -> None:
    request_id, headers = named()
    name = f"audit-{uuid.uuid4().hex[:8]}@example.com"
    user = server.client(server.new_principal(name))
    assert user.post(f"{UC}/catalogs", json={"name": "never"}, headers=headers).status_code == 403
    (row,) = audited(request_id=request_id)
    assert row["user_identity"]["email"] == name
    assert row["response"]["status_code"] == 403


def test_looks_at_securables_are_recorded_and_other_looks_are_not(server: Server, audited: Audited) -> None:
    look, look_headers = named()
    other, other_headers = named()
    server.client().get("/api/2.0/preview/scim/v2/Me", headers=other_headers).raise_for_status()
    server.client().get(f"{UC}/permissions/catalog/main", headers=look_headers).raise_for_status()
    (row,) = audited(request_id=look)
    assert row["service_name"] == "unityCatalog"
    assert {"catalog", "main"} <= set(params(row).values())
    recorded = audited(service_name="accounts")
    assert other not in {row["request_id"] for row in recorded}


def test_tokens_are_made_without_their_value_in_the_record(server: Server, audited: Audited) -> None:
    request_id, headers = named()
    made = server.client().post("/api/2.0/token/create", json={"comment": "c", "lifetime_seconds": 60}, headers=headers).json()
    (row,) = audited(request_id=request_id)
    assert (row["service_name"], params(row)["comment"], params(row)["lifetime_seconds"]) == ("accounts", "c", "60")
    assert made["token_value"] not in str(row)


def test_sign_in_and_sign_out(server: Server, audited: Audited) -> None:
    link = server.client().post("/api/boathouse/v1/sign-in-links").json()["url"]
    code = httpx.URL(link).params["code"]
    (came, in_headers), (failed, bad_headers), (left, out_headers) = named(), named(), named()
    page = {"Origin": server.url}
    with httpx.Client(base_url=server.url) as browser:
        browser.post("/api/boathouse/v1/sign-in", json={"code": "nonsense-code"}, headers=bad_headers)
        browser.post("/api/boathouse/v1/sign-in", json={"code": code}, headers=in_headers).raise_for_status()
        browser.post("/api/boathouse/v1/sign-out", headers=out_headers | page).raise_for_status()
    (row,) = audited(request_id=came)
    assert (row["service_name"], row["action_name"]) == ("accounts", "signIn")
    assert row["user_identity"]["email"]
    assert code not in str(row)
    (row,) = audited(request_id=failed)
    assert row["user_identity"]["email"] is None
    assert row["response"]["status_code"] == 401
    assert "nonsense-code" not in str(row)
    (row,) = audited(request_id=left)
    assert (row["action_name"], row["user_identity"]["email"] is None) == ("signOut", False)


@pytest.mark.parametrize("basic", [True, False])
def test_an_access_token_names_its_client(server: Server, audited: Audited, *, basic: bool) -> None:
    admin = server.client()
    made = admin.post("/api/2.0/preview/scim/v2/ServicePrincipals", json={"displayName": "robot"}).json()
    secret = admin.post(f"/api/2.0/accounts/servicePrincipals/{made['id']}/credentials/secrets", json={}).json()["secret"]
    request_id, headers = named()
    form = {"grant_type": "client_credentials", "scope": "all-apis"}
    if basic:
        shown = base64.b64encode(f"{made['applicationId']}:{secret}".encode()).decode()
        headers |= {"Authorization": f"Basic {shown}"}
    else:
        form |= {"client_id": made["applicationId"], "client_secret": secret}
    with httpx.Client(base_url=server.url) as client:
        client.post("/oidc/v1/token", data=form, headers=headers).raise_for_status()
    (row,) = audited(request_id=request_id)
    assert (row["service_name"], row["action_name"]) == ("accounts", "token")
    assert row["user_identity"]["email"] == made["applicationId"]
    assert params(row)["grant_type"] == "client_credentials"
    assert secret not in str(row)


def test_an_upload_is_recorded_and_not_looked_at(server: Server, audited: Audited) -> None:
    request_id, headers = named()
    admin = server.client()
    volume = f"v_{uuid.uuid4().hex[:8]}"
    body = {"catalog_name": "main", "schema_name": "default", "name": volume, "volume_type": "MANAGED"}
    admin.post(f"{UC}/volumes", json=body).raise_for_status()

    def chunks() -> Any:
        for _ in range(64):
            yield b'{"password": "hush"}' * 1000

    path = f"/api/2.0/fs/files/Volumes/main/default/{volume}/f.json"
    headers |= {"Content-Type": "application/octet-stream"}
    admin.put(path, content=chunks(), headers=headers).raise_for_status()
    assert len(admin.get(path).content) == 64 * 20_000
    (row,) = audited(request_id=request_id)
    assert row["service_name"] == "filesystem"
    assert "hush" not in str(row)


@pytest.mark.parametrize("content", [b"{broken", b"[1, 2]", b'{"a": ' * 3000, b'"text"', b"{" + b" " * 100_000 + b"}"])
def test_bodies_that_are_no_objects(server: Server, audited: Audited, content: bytes) -> None:
    request_id, headers = named()
    headers |= {"Content-Type": "application/json"}
    assert server.client().post(f"{UC}/catalogs", content=content, headers=headers).status_code == 400
    (row,) = audited(request_id=request_id)
    assert (row["action_name"], row["request_params"]) == ("createCatalog", [])


def test_what_mlflow_changes(server: Server, audited: Audited) -> None:
    request_id, headers = named()
    search, search_headers = named()
    admin = server.client()
    admin.post("/api/2.0/mlflow/experiments/search", json={"max_results": 1}, headers=search_headers).raise_for_status()
    name = f"e-{uuid.uuid4().hex[:8]}"
    admin.post("/api/2.0/mlflow/experiments/create", json={"name": name}, headers=headers).raise_for_status()
    (row,) = audited(request_id=request_id)
    assert (row["service_name"], row["action_name"], params(row)["name"]) == ("mlflow", "experimentsCreate", name)
    assert search not in {row["request_id"] for row in audited(service_name="mlflow")}


def test_an_unknown_path_that_was_refused(server: Server, audited: Audited) -> None:
    request_id, headers = named()
    with httpx.Client(base_url=server.url) as client:
        assert client.post("/api/2.0/nothing/here", headers=headers).status_code == 401
    (row,) = audited(request_id=request_id)
    assert (row["action_name"], params(row)) == ("unknown", {"method": "POST", "path": "/api/2.0/nothing/here"})


def test_the_table_over_spark(server: Server) -> None:
    from pyspark.sql import SparkSession

    request_id, headers = named()
    server.client().get(f"{UC}/catalogs/main", headers=headers).raise_for_status()
    spark = SparkSession.builder.remote(server.spark_remote()).create()
    try:
        query = f"SELECT action_name, response.status_code FROM system.access.audit WHERE request_id = '{request_id}'"
        assert [tuple(row) for row in spark.sql(query).collect()] == [("getCatalog", 200)]
        for statement in (
            "DELETE FROM system.access.audit",
            "DROP TABLE system.access.audit",
            "DROP SCHEMA system.access CASCADE",
            "TRUNCATE TABLE system.access.audit",
            "INSERT INTO system.query.history SELECT * FROM system.query.history",
            "UPDATE system.access.audit SET action_name = 'x'",
            "ALTER TABLE system.access.audit SET TBLPROPERTIES ('delta.appendOnly' = 'false')",
            "ALTER TABLE system.access.audit RENAME TO system.access.other",
            "ALTER TABLE system.access.audit OWNER TO `admins`",
            "VACUUM system.access.audit RETAIN 0 HOURS",
            "RESTORE TABLE system.access.audit TO VERSION AS OF 0",
            "COMMENT ON TABLE system.access.audit IS 'x'",
            "CREATE TABLE system.access.mine (a INT)",
            "CREATE OR REPLACE TABLE system.access.audit (a INT)",
        ):
            with pytest.raises(Exception, match="system"):
                spark.sql(statement).collect()
        assert spark.table("system.access.audit").filter(f"request_id = '{request_id}'").count() == 1
        text = "SELECT statement_text FROM system.query.history WHERE statement_text LIKE '%" + request_id + "%'"
        assert spark.sql(text).count() >= 1
    finally:
        spark.stop()
