import uuid
from typing import Any

import pytest

from boathouse.iam.api import Principal, require_scope
from boathouse.iam.authenticator import INTERNAL_SCOPES
from boathouse.iam.errors import ScopeMissing
from boathouse.server.authentication import needed_scope
from tests.conftest import Server, running_server

ME = "/api/2.0/preview/scim/v2/Me"
CATALOGS = "/api/2.1/unity-catalog/catalogs"
PATHS = {
    "unity-catalog": CATALOGS,
    "scim": "/api/2.0/preview/scim/v2/Users",
    "authentication": "/api/2.0/token/list",
    "mlflow": "/api/2.0/mlflow/experiments/get-by-name?experiment_name=Default",
    "serving": "/api/2.0/serving-endpoints",
    "feature-store": "/api/2.0/feature-store/online-stores",
    "all-apis": "/metrics",
}


def make(server: Server, token: str | None = None, **body: Any) -> Any:
    return server.client(token).post("/api/2.0/token/create", json=body)


@pytest.mark.parametrize("scope", PATHS)
def test_a_token_reaches_what_its_scope_names(server: Server, scope: str) -> None:
    made = make(server, scopes=[scope]).json()
    client = server.client(made["token_value"])
    assert client.get(ME).status_code == 200
    for other, path in PATHS.items():
        answer = client.get(path)
        if scope in {other, "all-apis"}:
            assert answer.status_code in {200, 404}, (path, answer.text)
        else:
            assert (answer.status_code, answer.json()["error_code"]) == (403, "PERMISSION_DENIED"), path
            assert f"lacks the scope '{other}'" in answer.json()["message"]
            assert answer.json()["message"].count("'all-apis'") == (2 if other == "all-apis" else 1)


def test_a_scope_that_does_not_exist_is_named(server: Server) -> None:
    answer = make(server, scopes=["sql", "everything"])
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "'everything'" in answer.json()["message"]
    assert "unity-catalog" in answer.json()["message"]


def test_a_token_makes_none_that_may_do_more(server: Server) -> None:
    narrow = make(server, scopes=["authentication", "sql"], lifetime_seconds=600).json()["token_value"]
    assert make(server, narrow, scopes=["scim"]).status_code == 403
    assert make(server, narrow, scopes=["all-apis"]).json()["token_info"]["scopes"] == ["authentication", "sql"]
    child = make(server, narrow).json()["token_info"]
    assert child["scopes"] == ["authentication", "sql"]
    assert child["expiry_time"] - child["creation_time"] <= 600_000
    name = {"application_id": server.client().get(ME).json()["userName"], "scopes": ["unity-catalog"]}
    behalf = server.client(narrow).post("/api/2.0/token-management/on-behalf-of/tokens", json=name)
    assert behalf.status_code == 403
    wide = make(server).json()["token_info"]["token_id"]
    body = {"token": {"scopes": ["all-apis"]}, "update_mask": "scopes"}
    widened = server.client(narrow).patch(f"/api/2.0/token/{child['token_id']}", json=body)
    assert widened.status_code == 200
    assert "scopes" not in listed(server)[wide]
    assert listed(server)[child["token_id"]]["scopes"] == ["authentication", "sql"]


def listed(server: Server) -> dict[str, Any]:
    return {one["token_id"]: one for one in server.client().get("/api/2.0/token/list").json()["token_infos"]}


def test_a_bound_token_does_not_sign_in_on_the_page(server: Server) -> None:
    narrow = make(server, scopes=["sql"]).json()["token_value"]
    answer = server.client("").post("/api/boathouse/v1/sign-in", json={"token": narrow})
    assert (answer.status_code, answer.json()["error_code"]) == (403, "PERMISSION_DENIED")


def test_a_page_session_ends_with_its_token(server: Server) -> None:
    short = make(server, lifetime_seconds=120).json()["token_value"]
    answer = server.client("").post("/api/boathouse/v1/sign-in", json={"token": short})
    seconds = int(answer.headers["set-cookie"].split("Max-Age=")[1].split(";")[0])
    assert 100 <= seconds <= 120


def test_comment_and_scopes_can_be_changed(server: Server) -> None:
    made = make(server, comment="before", scopes=["sql"]).json()
    token_id = made["token_info"]["token_id"]
    body = {"token": {"comment": "after", "scopes": ["mlflow"]}, "update_mask": "scopes"}
    server.client().patch(f"/api/2.0/token/{token_id}", json=body).raise_for_status()
    found = listed(server)[token_id]
    assert (found["comment"], found["scopes"]) == ("before", ["mlflow"])
    assert server.client(made["token_value"]).get(CATALOGS).status_code == 403
    wrong = server.client().patch(f"/api/2.0/token/{token_id}", json=body | {"update_mask": "expiry_time"})
    assert (wrong.status_code, wrong.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    other = server.client(server.new_principal(f"{uuid.uuid4().hex}@example.com"))
    assert other.patch(f"/api/2.0/token/{token_id}", json=body).status_code == 404


def test_the_day_of_the_last_use_is_kept(server: Server) -> None:
    made = make(server).json()
    token_id = made["token_info"]["token_id"]
    assert "last_used_day" not in listed(server)[token_id]
    server.client(made["token_value"]).get(ME).raise_for_status()
    day = listed(server)[token_id]["last_used_day"]
    assert day % 86_400_000 == 0
    assert 0 <= made["token_info"]["creation_time"] - day < 2 * 86_400_000


def test_admins_see_and_revoke_everybodys_tokens(server: Server) -> None:
    name = f"{uuid.uuid4().hex}@example.com"
    token = server.new_principal(name)
    made = make(server, token, comment="mine").json()
    admin = server.client()
    tokens = "/api/2.0/token-management/tokens"
    found = admin.get(tokens, params={"created_by_username": name}).json()["token_infos"]
    assert [(one["comment"], one["owner_username"], one["created_by_username"]) for one in found] == [("mine", name, name)]
    url = f"{tokens}/{made['token_info']['token_id']}"
    assert admin.get(url).json()["token_info"]["comment"] == "mine"
    assert made["token_value"] not in admin.get(tokens).text
    for client, status in ((server.client(token), 403), (server.client(""), 401)):
        assert client.get(tokens).status_code == status
        assert client.get(url).status_code == status
        assert client.delete(url).status_code == status
    assert server.client(made["token_value"]).get(ME).status_code == 200
    assert admin.delete(url).status_code == 200
    assert server.client(made["token_value"]).get(ME).status_code == 401
    assert admin.delete(url).status_code == 404


def test_the_sdk_manages_tokens(server: Server) -> None:
    from databricks.sdk import WorkspaceClient

    client = WorkspaceClient(host=server.url, token=server.token)
    made = client.tokens.create(comment="sdk", lifetime_seconds=600, scopes=["sql"])
    assert made.token_info is not None
    assert made.token_info.scopes == ["sql"]
    token_id = made.token_info.token_id or ""
    assert token_id in {one.token_id for one in client.token_management.list()}
    client.token_management.delete(token_id)
    assert token_id not in {one.token_id for one in client.tokens.list()}


def test_lifetimes_have_a_default_and_a_maximum(server: Server, tmp_path: Any) -> None:
    two_years = make(server).json()["token_info"]
    assert two_years["expiry_time"] - two_years["creation_time"] == 730 * 86_400_000
    with running_server(tmp_path, BOATHOUSE_TOKEN_DEFAULT_DAYS="30", BOATHOUSE_TOKEN_MAX_DAYS="10") as strict:
        info = make(strict).json()["token_info"]
        assert info["expiry_time"] - info["creation_time"] == 10 * 86_400_000
        assert make(strict, lifetime_seconds=10 * 86400).status_code == 200
        long = make(strict, lifetime_seconds=10 * 86400 + 1)
        assert (long.status_code, long.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
        assert "lifetime_seconds" in long.json()["message"]
        assert "864000" in long.json()["message"]
    for wrong in ({"lifetime_seconds": 0}, {"lifetime_seconds": -5}, {"lifetime_seconds": 10**15}):
        assert make(server, None, **wrong).status_code == 400


@pytest.mark.parametrize(("scope", "works"), [("sql", True), ("mlflow", False)])
def test_spark_needs_the_scope_sql(server: Server, scope: str, works: bool) -> None:
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    token = make(server, scopes=[scope]).json()["token_value"]
    spark = SparkSession.builder.remote(server.spark_remote(token)).create()
    try:
        if works:
            assert spark.sql("SELECT 1 AS one").collect()[0].one == 1
            assert "main" in [row.catalog for row in spark.sql("SHOW CATALOGS").collect()]
        else:
            with pytest.raises(PySparkException, match="lacks the scope 'sql'"):
                spark.sql("SELECT 1").collect()
    finally:
        spark.stop()


def test_functions_on_other_machines_only_ask_endpoints() -> None:
    asking = Principal("1", "u", "user", frozenset(), is_admin=False, scopes=INTERNAL_SCOPES["ai_query"])
    require_scope(asking, needed_scope("/serving-endpoints/sum/invocations"))
    for path in ("/api/2.0/serving-endpoints", "/api/2.0/permissions/serving-endpoints/1", CATALOGS, "/metrics", "/v1/traces"):
        with pytest.raises(ScopeMissing):
            require_scope(asking, needed_scope(path))
    serving = Principal("1", "u", "user", frozenset(), is_admin=False, scopes=frozenset({"serving"}))
    require_scope(serving, needed_scope("/serving-endpoints/sum/invocations"))
    with pytest.raises(ScopeMissing, match="serving"):
        require_scope(
            Principal("1", "u", "user", frozenset(), is_admin=False, scopes=frozenset({"sql"})), "serving.invocations"
        )
