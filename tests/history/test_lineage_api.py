"""Lineage and queries over REST, as their clients ask."""

import base64
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import InvalidParameterValue
from databricks.sdk.service.sql import QueryFilter, QueryStatementType, QueryStatus, TimeRange

from boathouse.db import Database
from boathouse.history.api import Entity, Recorder, TableRef
from boathouse.storage.layout import Layout
from tests.conftest import Server
from tests.history.conftest import NOW, lineage, query

UC = "/api/2.1/unity-catalog"
TABLES = "/api/2.0/lineage-tracking/table-lineage"
COLUMNS = "/api/2.0/lineage-tracking/column-lineage"


@dataclass
class Traced:
    """Three tables, a to b to c, and a user who sees b and c only."""

    server: Server
    admin: httpx.Client
    user: httpx.Client
    user_name: str
    user_token: str
    schema: str
    recorder: Recorder

    def name(self, table: str) -> str:
        return f"{self.schema}.{table}"


@pytest.fixture
def traced(server: Server) -> Iterator[Traced]:
    admin, suffix = server.client(), uuid.uuid4().hex[:8]
    catalog, name = f"l_{suffix}", f"lineage-{suffix}@example.com"
    token = server.new_principal(name)
    admin.post(f"{UC}/catalogs", json={"name": catalog}).raise_for_status()
    for table in ("a", "b", "c"):
        staged = admin.post(
            f"{UC}/staging-tables", json={"catalog_name": catalog, "schema_name": "default", "name": table}
        ).json()
        column = {
            "name": "x",
            "type_name": "LONG",
            "type_text": "bigint",
            "type_json": '"long"',
            "position": 0,
            "nullable": True,
        }
        body = {
            "catalog_name": catalog,
            "schema_name": "default",
            "name": table,
            "table_type": "MANAGED",
            "data_source_format": "DELTA",
            "storage_location": staged["staging_location"],
            "columns": [column],
        }
        admin.post(f"{UC}/tables", json=body).raise_for_status()
    for kind, securable, privilege in (
        ("catalog", catalog, "USE CATALOG"),
        ("schema", f"{catalog}.default", "USE SCHEMA"),
        ("table", f"{catalog}.default.b", "SELECT"),
        ("table", f"{catalog}.default.c", "SELECT"),
    ):
        changes = {"changes": [{"principal": name, "add": [privilege]}]}
        admin.patch(f"{UC}/permissions/{kind}/{securable}", json=changes).raise_for_status()
    database = Database(server.database_url)
    recorder = Recorder(database, Layout(server.root.resolve()))
    traced = Traced(server, admin, server.client(token), name, token, f"{catalog}.default", recorder)
    a, b, c = (traced.name(table) for table in "abc")
    recorder.lineage(lineage(a, b, ("x", "X"), entity=Entity(type="NOTEBOOK", id="n1")))
    recorder.lineage(lineage(a, b, entity=Entity(type="JOB", id="j1", run_id="r"), time_ms=NOW + 60_000))
    recorder.lineage(lineage(b, c, ("X", "x"), entity=Entity(type="JOB", id="j2")))
    recorder.lineage(lineage(b, b, ("x", "x")))
    recorder.lineage(lineage(b, None, entity=Entity(type="DASHBOARD", id="d1")))
    recorder.lineage(lineage(b, None, entity=Entity(type="MODEL_VERSION", id="m.s.model/3")))
    recorder.lineage(lineage(a, b, sources=(TableRef(path="s3://k/f", kind="PATH"),)))
    recorder.settle()
    yield traced
    database.dispose()
    admin.delete(f"{UC}/catalogs/{catalog}", params={"force": True})


def node(full_name: str, moment: int = NOW) -> dict[str, Any]:
    catalog, schema, name = full_name.split(".")
    stamp = time.strftime("%Y-%m-%d %H:%M:%S.0", time.gmtime(moment / 1000))
    known = {"name": name, "catalog_name": catalog, "schema_name": schema, "table_type": "TABLE"}
    return known | {"lineage_timestamp": stamp, "has_permission": True}


@pytest.mark.parametrize("how", ["query", "body of a get", "post"])
def test_what_a_table_comes_from_and_goes_to(traced: Traced, how: str) -> None:
    asked: dict[str, Any] = {"table_name": traced.name("B").upper(), "include_entity_lineage": True}
    if how == "query":
        answer = traced.admin.get(TABLES, params=asked)
    else:
        answer = traced.admin.request("GET" if how == "body of a get" else "POST", TABLES, json=asked)
    stamp = node(traced.name("a"))["lineage_timestamp"]
    assert answer.json() == {
        "upstreams": [
            {
                "tableInfo": node(traced.name("a"), NOW + 60_000),
                "jobInfos": [{"workspace_id": 0, "job_id": "j1"}],
                "notebookInfos": [{"workspace_id": 0, "notebook_id": "n1"}],
            },
            {"fileInfo": {"path": "s3://k/f", "lineage_timestamp": stamp, "has_permission": True}},
        ],
        "downstreams": [
            {
                "dashboardV3Infos": [{"workspace_id": 0, "dashboard_id": "d1"}],
                "modelVersionInfos": [{"model_name": "m.s.model", "version": "3"}],
            },
            {"tableInfo": node(traced.name("c")), "jobInfos": [{"workspace_id": 0, "job_id": "j2"}]},
        ],
    }


def test_without_entities(traced: Traced) -> None:
    answer = traced.admin.get(TABLES, params={"table_name": traced.name("c")}).json()
    assert answer == {"upstreams": [{"tableInfo": node(traced.name("b"))}], "downstreams": []}


def test_tables_that_the_asker_may_not_know_of_are_masked(traced: Traced) -> None:
    answer = traced.user.get(TABLES, params={"table_name": traced.name("b"), "include_entity_lineage": True}).json()
    assert answer["upstreams"] == [{"tableInfo": {"has_permission": False}}, {"fileInfo": {"has_permission": False}}]
    assert answer["downstreams"][1]["tableInfo"]["name"] == "c"
    columns = traced.user.get(COLUMNS, params={"table_name": traced.name("b"), "column_name": "x"}).json()
    assert columns["upstream_cols"][0] == {"has_permission": False}
    assert traced.user.get(TABLES, params={"table_name": traced.name("a")}).status_code == 403


def test_what_a_column_comes_from_and_goes_to(traced: Traced) -> None:
    answer = traced.admin.get(COLUMNS, params={"table_name": traced.name("b"), "column_name": "X"}).json()
    found = [(one["table_name"], one["name"]) for one in answer["upstream_cols"]]
    assert sorted(found) == [("a", "x"), ("b", "x")]
    assert sorted((one["table_name"], one["name"]) for one in answer["downstream_cols"]) == [("b", "x"), ("c", "x")]
    catalog, schema = traced.schema.split(".")
    assert {(one["catalog_name"], one["schema_name"], one["table_type"]) for one in answer["upstream_cols"]} == {
        (catalog, schema, "TABLE")
    }


@pytest.mark.parametrize(
    ("path", "asked", "status", "code", "named"),
    [
        (TABLES, {}, 400, "INVALID_PARAMETER_VALUE", "table_name"),
        (TABLES, {"table_name": ""}, 400, "INVALID_PARAMETER_VALUE", "table_name"),
        (TABLES, {"table_name": 5}, 400, "INVALID_PARAMETER_VALUE", "table_name"),
        (TABLES, {"table_name": "$.b", "include_entity_lineage": "perhaps"}, 400, "INVALID_PARAMETER_VALUE", "include_entity"),
        (TABLES, {"table_name": "b"}, 400, "INVALID_PARAMETER_VALUE", "catalog.schema.name"),
        (TABLES, {"table_name": "main.default.none"}, 404, "TABLE_DOES_NOT_EXIST", "main.default.none"),
        (COLUMNS, {"column_name": "x"}, 400, "INVALID_PARAMETER_VALUE", "table_name"),
        (COLUMNS, {"table_name": "$.b"}, 400, "INVALID_PARAMETER_VALUE", "column_name"),
        (COLUMNS, {"table_name": "$.b", "column_name": ["x"]}, 400, "INVALID_PARAMETER_VALUE", "column_name"),
        (COLUMNS, {"table_name": "$.b", "column_name": "none"}, 400, "INVALID_PARAMETER_VALUE", "no column 'none'. Valid: x."),
        (COLUMNS, {"table_name": "main.default.none", "column_name": "x"}, 404, "TABLE_DOES_NOT_EXIST", "main.default.none"),
    ],
)
def test_wrong_input(traced: Traced, path: str, asked: dict[str, Any], status: int, code: str, named: str) -> None:
    asked = {key: value.replace("$", traced.schema) if isinstance(value, str) else value for key, value in asked.items()}
    answer = traced.admin.post(path, json=asked)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code), answer.text
    assert named in answer.json()["message"]
    assert set(answer.json()) == {"error_code", "message", "details"}


def test_wrong_bodies(traced: Traced) -> None:
    for content, named in ((b"{", "JSON"), (b" " * 70_000, "too long"), (b"[1]", "table_name")):
        answer = traced.admin.post(TABLES, content=content, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
        assert named in answer.json()["message"]
    assert traced.server.client("").get(TABLES, params={"table_name": traced.name("b")}).status_code == 401
    assert traced.admin.get("/api/2.0/lineage-tracking/external-lineage").status_code == 404


def test_what_one_did_stays_ones_own_under_a_new_name(traced: Traced) -> None:
    users = "/api/2.0/preview/scim/v2/Users"
    me = traced.user.get("/api/2.0/preview/scim/v2/Me").json()
    mine = query(principal=traced.user_name, principal_id=me["id"])
    traced.recorder.query(mine)
    about = {"principal": traced.user_name, "principal_id": me["id"]}
    traced.recorder.lineage(lineage(traced.name("a"), traced.name("b"), ("x", "x"), **about))
    traced.recorder.settle()

    def seen(client: httpx.Client) -> tuple[list[str], bool, bool]:
        queries = client.get("/api/2.0/sql/history/queries").json()["res"]
        tables = client.get(TABLES, params={"table_name": traced.name("b")}).json()["upstreams"]
        columns = client.get(COLUMNS, params={"table_name": traced.name("b"), "column_name": "x"}).json()["upstream_cols"]
        a_table = any(one.get("tableInfo", {}).get("name") == "a" for one in tables)
        return [one["query_id"] for one in queries], a_table, any(one.get("table_name") == "a" for one in columns)

    assert seen(traced.user) == ([mine.statement_id], True, True)
    traced.admin.put(f"{users}/{me['id']}", json={"userName": f"new-{traced.user_name}"}).raise_for_status()
    assert seen(traced.user) == ([mine.statement_id], True, True)
    other = traced.server.client(traced.server.new_principal(traced.user_name))
    for kind, securable, privilege in (
        ("catalog", traced.schema.split(".")[0], "USE CATALOG"),
        ("schema", traced.schema, "USE SCHEMA"),
        ("table", traced.name("b"), "SELECT"),
    ):
        changes = {"changes": [{"principal": traced.user_name, "add": [privilege]}]}
        traced.admin.patch(f"{UC}/permissions/{kind}/{securable}", json=changes).raise_for_status()
    assert seen(other) == ([], False, False)


def test_queries_by_the_sdk(traced: Traced) -> None:
    me = traced.admin.get("/api/2.0/preview/scim/v2/Users", params={"filter": f'userName eq "{traced.user_name}"'}).json()
    user_id = me["Resources"][0]["id"]
    ids = []
    for number in range(5):
        failed = number == 2
        record = query(
            number,
            principal=traced.user_name,
            principal_id=user_id,
            status="FAILED" if failed else "FINISHED",
            error="no such table" if failed else None,
            kind="DATAFRAME" if number == 3 else "MERGE",
            client="tableau",
            warehouse_id=f"w{number}",
        )
        ids.append(record.statement_id)
        traced.recorder.query(record)
    traced.recorder.query(query(9))
    traced.recorder.settle()
    user = WorkspaceClient(host=traced.server.url, token=traced.user_token)
    since = QueryFilter(query_start_time_range=TimeRange(start_time_ms=NOW, end_time_ms=NOW + 100))
    first = user.query_history.list(filter_by=since, max_results=3, include_metrics=True)
    assert first.has_next_page
    second = user.query_history.list(filter_by=since, max_results=3, page_token=first.next_page_token)
    assert not second.has_next_page
    found = [*(first.res or []), *(second.res or [])]
    assert [one.query_id for one in found] == ids[::-1]
    one = found[2]
    assert (one.status, one.error_message, one.user_name) == (QueryStatus.FAILED, "no such table", traced.user_name)
    assert [one.statement_type for one in found[:2]] == [QueryStatementType.MERGE, QueryStatementType.OTHER]
    assert (one.query_text, one.duration, one.client_application, one.is_final) == ("SELECT 2", 30, "tableau", True)
    assert one.metrics is not None
    assert one.metrics.total_time_ms == 30
    failed_only = user.query_history.list(filter_by=QueryFilter(statuses=[QueryStatus.FAILED, QueryStatus.CANCELED]))
    assert [one.query_id for one in failed_only.res or []] == [ids[2]]
    by_id = user.query_history.list(filter_by=QueryFilter(statement_ids=[ids[0], ids[1]]))
    assert {one.query_id for one in by_id.res or []} == {ids[0], ids[1]}
    by_warehouse = user.query_history.list(filter_by=QueryFilter(warehouse_ids=["w1", "w3", "w9"])).res or []
    assert [(one.query_id, one.warehouse_id) for one in by_warehouse] == [(ids[3], "w3"), (ids[1], "w1")]
    admin = WorkspaceClient(host=traced.server.url, token=traced.server.token)
    everybodys = admin.query_history.list(filter_by=since).res or []
    assert {one.user_name for one in everybodys} >= {traced.user_name, "admin"}
    assert {one.user_name for one in user.query_history.list().res or []} == {traced.user_name}


def test_queries_of_others_and_wrong_input(traced: Traced) -> None:
    path = "/api/2.0/sql/history/queries"
    assert traced.server.client("").get(path).status_code == 401
    assert traced.user.get(path, params={"filter_by.user_ids": "1"}).json() == {"res": [], "has_next_page": False}
    others = base64.urlsafe_b64encode(b'{"name": "t"}').decode()
    tokens = [
        "nonsense",
        others,
        *(base64.urlsafe_b64encode(text).decode() for text in (b"[Infinity, 1]", b"[1e99, 2]", b"[" * 9000)),
    ]
    tables = {"catalog_name": traced.schema.split(".")[0], "schema_name": "default", "max_results": 1}
    tokens.append(traced.admin.get(f"{UC}/tables", params=tables).json()["next_page_token"])
    since = "filter_by.query_start_time_range"
    for field, value in (
        *(("max_results", value) for value in (0, 1001, "many")),
        *(("page_token", value) for value in tokens),
        ("include_metrics", "perhaps"),
        ("filter_by.statuses", "DONE"),
        (f"{since}.start_time_ms", "yesterday"),
        (f"{since}.end_time_ms", 10**20),
        (f"{since}.end_time_ms", -1),
    ):
        answer = traced.user.get(path, params={field: value})
        assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), (field, value)
        assert field in answer.json()["message"]
    answer = traced.user.get(path, params={f"{since}.start_time_ms": 2, f"{since}.end_time_ms": 1})
    assert (answer.status_code, f"{since}.end_time_ms" in answer.json()["message"]) == (400, True)
    with pytest.raises(InvalidParameterValue):
        WorkspaceClient(host=traced.server.url, token=traced.user_token).query_history.list(page_token="%%%")
