"""Each kind of change has its row in the audit table: who, what, which securable, with which result, and no secret."""

import json
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

from boathouse.storage.layout import Layout
from tests.conftest import Server
from tests.history.conftest import rows

UC = "/api/2.1/unity-catalog"
SCIM = "/api/2.0/preview/scim/v2"
DOCUMENT = Path(__file__).parents[2] / "web" / "src" / "api" / "openapi.json"
HUSH = "hush-hush-hush"
Audited = Callable[..., list[dict[str, Any]]]


def recorded(server: Server, audited: Audited, last: str) -> dict[str, dict[str, Any]]:
    """All rows by the identifier of the request, once the last one is there."""
    assert audited(request_id=last)
    return {row["request_id"]: row for row in rows(Layout(server.root.resolve()), "system.access.audit")}


def test_every_route_that_changes_something(server: Server, audited: Audited) -> None:
    document = json.loads(DOCUMENT.read_text())
    calls: dict[str, tuple[str, dict[str, str], int]] = {}
    secrets = {"password": HUSH, "string_value": HUSH, "options": {"aws_secret_access_key": HUSH}, "list": [{"token": HUSH}]}
    with server.client() as client:
        me = client.get(f"{SCIM}/Me").json()["userName"]
        for path, operations in document["paths"].items():
            if not path.startswith("/api/"):
                # Scoring changes nothing; inference tables have it.
                continue
            for method in sorted(operations.keys() & {"post", "put", "patch", "delete"}):
                given = {name: f"x{number}" for number, name in enumerate(re.findall(r"{(\w+)}", path))}
                request_id = f"each-{uuid.uuid4().hex}"
                answer = client.request(
                    method,
                    path.format(**given),
                    json={"comment": "c"} | secrets,
                    headers={"X-Request-Id": request_id, "Content-Type": "application/json"},
                )
                calls[request_id] = (f"{method} {path}", given, answer.status_code)
    found = recorded(server, audited, request_id)
    looks = {"post /api/boathouse/v1/sign-in"}
    for request_id, (what, given, status) in calls.items():
        assert request_id in found, what
        row = found[request_id]
        params = dict(row["request_params"])
        assert (what, row["response"]["status_code"]) == (what, status)
        assert (what, row["user_identity"]["email"]) == (what, None if what in looks else me)
        assert row["action_name"] not in {"unknown", ""}, what
        assert given.items() <= params.items(), what
        assert HUSH not in str(row), what


def securables(server: Server) -> list[tuple[str, str, Any, str, str, dict[str, str]]]:
    """Changes that succeed: method, path, body, service, action, and parameters that name the securable."""
    mark = uuid.uuid4().hex[:8]
    schema, location = f"main.a{mark}", f"s3://bucket-{mark}/x"
    user, group, credential = f"u{mark}@example.com", f"g{mark}", f"k{mark}"
    keys = {"access_key_id": "AKIAABCDEFGHIJKLMNOP", "secret_access_key": HUSH}
    grants = {"changes": [{"principal": user, "add": ["USE SCHEMA"]}]}
    model = {"catalog_name": "main", "schema_name": f"a{mark}", "name": "m"}
    volume = model | {"name": "v", "volume_type": "MANAGED"}
    file = f"/api/2.0/fs/files/Volumes/main/a{mark}/v/f.txt"
    uc, accounts = "unityCatalog", "accounts"
    made = {"catalog_name": "main", "name": f"a{mark}"}
    rights = f"{UC}/permissions/schema/{schema}"
    token = {"comment": mark, "lifetime_seconds": 60}
    outside = {"name": f"e{mark}", "url": location, "credential_name": credential, "skip_validation": True}
    lent = {"name": credential, "aws_access_key": keys, "skip_validation": True}
    return [
        ("POST", f"{SCIM}/Users", {"userName": user, "password": HUSH}, accounts, "createUser", {"userName": user}),
        ("POST", f"{SCIM}/Groups", {"displayName": group}, accounts, "createGroup", {"displayName": group}),
        ("POST", "/api/2.0/token/create", token, accounts, "createToken", {"comment": mark}),
        ("POST", f"{UC}/schemas", made, uc, "createSchema", made),
        ("PATCH", rights, grants, uc, "updatePermissions", {"kind": "schema", "full_name": schema}),
        ("PATCH", f"{UC}/schemas/{schema}", {"comment": "new"}, uc, "updateSchema", {"full_name": schema, "comment": "new"}),
        ("POST", f"{UC}/storage-credentials", lent, uc, "createStorageCredential", {"name": credential}),
        ("POST", f"{UC}/external-locations", outside, uc, "createExternalLocation", {"name": f"e{mark}", "url": location}),
        ("DELETE", f"{UC}/external-locations/e{mark}", None, uc, "deleteExternalLocation", {"name": f"e{mark}"}),
        ("DELETE", f"{UC}/storage-credentials/{credential}", None, uc, "deleteStorageCredential", {"name": credential}),
        ("POST", f"{UC}/volumes", volume, uc, "createVolume", {"schema_name": f"a{mark}", "name": "v"}),
        ("PUT", file, None, "filesystem", "upload", {"path": file.removeprefix("/api/2.0/fs/files/")}),
        ("DELETE", file, None, "filesystem", "deleteFile", {"path": file.removeprefix("/api/2.0/fs/files/")}),
        ("POST", f"{UC}/models", model, uc, "createModel", {"schema_name": f"a{mark}", "name": "m"}),
        ("DELETE", f"{UC}/models/{schema}.m", None, uc, "deleteModel", {"full_name": f"{schema}.m"}),
        ("POST", "/api/2.0/mlflow/registered-models/create", {"name": f"{schema}.n"}, "mlflow", "registeredModelsCreate", {}),
        ("DELETE", f"{UC}/schemas/{schema}?force=true", None, uc, "deleteSchema", {"full_name": schema, "force": "true"}),
    ]


def test_changes_over_rest(server: Server, audited: Audited) -> None:
    expected: dict[str, tuple[Any, ...]] = {}
    with server.client() as client:
        me = client.get(f"{SCIM}/Me").json()
        for method, path, body, service, action, named in securables(server):
            request_id = f"change-{uuid.uuid4().hex}"
            answer = client.request(method, path, json=body, headers={"X-Request-Id": request_id})
            assert answer.is_success, (path, answer.text)
            expected[request_id] = (service, action, answer.status_code, me["userName"], me["id"], named)
    found = recorded(server, audited, request_id)
    told: dict[str, tuple[Any, ...]] = {}
    for request_id, (*_, named) in expected.items():
        row = found[request_id]
        params = dict(row["request_params"])
        who = row["user_identity"]
        about = {key: params.get(key) for key in named}
        status = row["response"]["status_code"]
        told[request_id] = (row["service_name"], row["action_name"], status, who["email"], who["subject_name"], about)
        assert HUSH not in str(row)
        assert "AKIAABCDEFGHIJKLMNOP" not in str(row)
    assert told == expected


def test_changes_in_sql(server: Server) -> None:
    mark = f"a{uuid.uuid4().hex[:8]}"
    table = f"main.{mark}.t"
    name = f"{mark}@example.com"
    server.new_principal(name)
    spark = SparkSession.builder.remote(server.spark_remote()).create()
    changes = [
        f"CREATE SCHEMA main.{mark}",
        f"CREATE TABLE {table} (id INT, name STRING) TBLPROPERTIES ('the.password' = '{HUSH}')",
        f"GRANT SELECT ON TABLE {table} TO `{name}`",
        f"REVOKE SELECT ON TABLE {table} FROM `{name}`",
        f"ALTER TABLE {table} SET TAGS ('pii' = 'no')",
        f"CREATE FUNCTION main.{mark}.f(x STRING) RETURNS STRING RETURN concat(x, '!')",
        f"ALTER TABLE {table} ALTER COLUMN name SET MASK main.{mark}.f",
        f"SET {mark}.api.token = {HUSH}",
        f"DROP SCHEMA main.{mark} CASCADE",
    ]
    try:
        for text in changes:
            spark.sql(text).collect()
        audit = (
            "SELECT request_params['statement'] AS text, user_identity.email AS who, response.status_code AS status "
            "FROM system.access.audit WHERE action_name = 'executePlan' AND NOT startswith(request_params['statement'], 'SELECT') "
            f"AND contains(request_params['statement'], '{mark}') ORDER BY event_time"
        )
        found = [tuple(row) for row in spark.sql(audit).collect()]
        kept = f"SELECT statement_text FROM system.query.history WHERE contains(statement_text, '{HUSH}')"
        assert spark.sql(f"SELECT count(*) FROM ({kept}) WHERE NOT contains(statement_text, 'contains')").collect()[0][0] == 0
    finally:
        spark.stop()
    me = server.client().get(f"{SCIM}/Me").json()["userName"]
    assert found == [(text.replace(f"'{HUSH}'", "'[REDACTED]'").replace(HUSH, "[REDACTED]"), me, 200) for text in changes]


def test_calls_without_a_plan(server: Server, audited: Audited) -> None:
    mark = f"a{uuid.uuid4().hex[:8]}"
    name = f"{mark}@example.com"
    spark = SparkSession.builder.remote(server.spark_remote(server.new_principal(name))).create()
    admin = SparkSession.builder.remote(server.spark_remote()).create()
    try:
        admin.sql(f"CREATE SCHEMA main.{mark}").collect()
        admin.sql(f"CREATE TABLE main.{mark}.t AS SELECT 1 AS a").collect()
        spark.conf.set(f"{mark}.mode", "fast")
        spark.conf.set(f"{mark}.api.token", HUSH)
        spark.conf.unset(f"{mark}.mode")
        spark.conf.get(f"{mark}.mode", None)
        spark.interruptTag("nothing")
        with pytest.raises(AnalysisException, match="INSUFFICIENT_PERMISSIONS"):
            _ = spark.table(f"main.{mark}.t").schema
        for number in range(50):
            spark.conf.set(f"{mark}.again", str(number))
        # Who reads the table is told of the calls that have no row of their own, as everybody is once a minute is over.
        admin.sql("SELECT 1 FROM system.access.audit LIMIT 1").collect()
    finally:
        spark.stop()
        admin.stop()
    last = f"last-{uuid.uuid4().hex}"
    server.client().delete(
        f"{UC}/schemas/main.{mark}", params={"force": True}, headers={"X-Request-Id": last}
    ).raise_for_status()
    found = [row for row in recorded(server, audited, last).values() if row["user_identity"]["email"] == name]
    found.sort(key=lambda row: row["event_time"])
    told = [(row["action_name"], row["response"]["status_code"], dict(row["request_params"])) for row in found]
    mine = [one for one in told if "again" not in str(one) and "count" not in one[2]]
    assert [one for one in mine if one[0] != "executePlan"] == [
        ("config", 200, {f"set.{mark}.mode": "fast"}),
        ("config", 200, {f"set.{mark}.api.token": "[REDACTED]"}),
        ("config", 200, {"unset": f'["{mark}.mode"]'}),
        ("interrupt", 200, {"tag": "nothing"}),
        ("analyzePlan", 403, {}),
        ("releaseSession", 200, {}),
    ]
    # Two minutes may have begun meanwhile; calls that are one row together say so.
    each = len([one for one in told if f"set.{mark}.again" in one[2]])
    assert 17 <= each <= 40
    assert each + sum(int(params.get("count", 0)) for action, _, params in told if action == "config") == 50
