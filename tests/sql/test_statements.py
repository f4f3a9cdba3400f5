"""The statement execution API with a stock client: values, parameters, limits, links, waiting, cancelling, who may."""

import json
import math
from typing import Any

import httpx
import pyarrow as pa
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, InvalidParameterValue, NotFound
from databricks.sdk.service import sql
from databricks.sdk.service.sql import Disposition, Format, StatementState

from boathouse.sql.errors import StatementFailed
from boathouse.sql.execution.results import Enough, Result
from boathouse.sql.execution.values import texts
from tests.conftest import Server
from tests.jobs.test_sources import warehouse

STATEMENTS = "/api/2.0/sql/statements"
LONG = "SELECT count(*) FROM range(100000000) a JOIN range(3000) b ON a.id % 7 = b.id % 11"


@pytest.fixture(scope="module")
def client(server: Server) -> WorkspaceClient:
    return WorkspaceClient(host=server.url, token=server.token)


def execute(client: WorkspaceClient, text: str, **more: Any) -> sql.StatementResponse:
    return client.statement_execution.execute_statement(text, warehouse(client), **more)


def rows(answer: sql.StatementResponse) -> list[list[str]]:
    assert answer.status is not None
    assert answer.status.state is StatementState.SUCCEEDED, answer.status.error
    assert answer.result is not None
    return answer.result.data_array or []


def failure(answer: sql.StatementResponse) -> str:
    assert answer.status is not None
    assert answer.status.state is StatementState.FAILED
    assert answer.status.error is not None
    return str(answer.status.error.message)


@pytest.mark.parametrize(
    ("expression", "text", "kind", "told"),
    [
        ("5L", "5", "LONG", "BIGINT"),
        ("CAST(5 AS TINYINT)", "5", "BYTE", "TINYINT"),
        ("true", "true", "BOOLEAN", "BOOLEAN"),
        ("CAST(1.5 AS DECIMAL(10, 2))", "1.50", "DECIMAL", "DECIMAL(10,2)"),
        ("CAST(0 AS DECIMAL(38, 18))", "0.000000000000000000", "DECIMAL", "DECIMAL(38,18)"),
        ("1.0D", "1.0", "DOUBLE", "DOUBLE"),
        ("CAST('NaN' AS DOUBLE)", "NaN", "DOUBLE", "DOUBLE"),
        ("double('-inf')", "-Infinity", "DOUBLE", "DOUBLE"),
        ("CAST(0.1 AS FLOAT)", "0.1", "FLOAT", "FLOAT"),
        ("DATE'2024-01-31'", "2024-01-31", "DATE", "DATE"),
        ("TIMESTAMP'2024-01-31 10:30:00'", "2024-01-31T10:30:00.000Z", "TIMESTAMP", "TIMESTAMP"),
        ("TIMESTAMP'2024-01-31 10:30:00.123456'", "2024-01-31T10:30:00.123456Z", "TIMESTAMP", "TIMESTAMP"),
        ("TIMESTAMP_NTZ'2024-01-31 10:30:00'", "2024-01-31T10:30:00.000", "TIMESTAMP_NTZ", "TIMESTAMP_NTZ"),
        ("TIMESTAMP'12000-01-01'", "12000-01-01T00:00:00.000000Z", "TIMESTAMP", "TIMESTAMP"),
        ("X'00ff'", "AP8=", "BINARY", "BINARY"),
        ("'ünï\"'", 'ünï"', "STRING", "STRING"),
        ("NULL", None, "NULL", "VOID"),
        ("array(1, NULL)", "[1,null]", "ARRAY", "ARRAY<INT>"),
        ("array(CAST('NaN' AS DOUBLE), 1.5D)", '["NaN",1.5]', "ARRAY", "ARRAY<DOUBLE>"),
        (
            "named_struct('a', 'x\"', 'B', CAST(1.1 AS DECIMAL(5, 2)), 'c', DATE'2024-01-01')",
            '{"a":"x\\"","B":1.10,"c":"2024-01-01"}',
            "STRUCT",
            "STRUCT<a: STRING, B: DECIMAL(5,2), c: DATE>",
        ),
        ("map(1, array(true))", '{"1":[true]}', "MAP", "MAP<INT, ARRAY<BOOLEAN>>"),
        ("parse_json('{\"a\":[1]}')", '{"a":[1]}', "VARIANT", "VARIANT"),
        (
            "INTERVAL '-1 02:03:04.5' DAY TO SECOND",
            "INTERVAL '-1 02:03:04.5' DAY TO SECOND",
            "INTERVAL",
            "INTERVAL DAY TO SECOND",
        ),
    ],
)
def test_every_value_is_a_text(
    server: Server, client: WorkspaceClient, expression: str, text: str, kind: str, told: str
) -> None:
    body = {"statement": f"SELECT {expression} AS x", "warehouse_id": warehouse(client)}
    answer = server.client().post(STATEMENTS, json=body).json()
    assert answer["status"] == {"state": "SUCCEEDED"}
    assert answer["result"]["data_array"] == [[text]]
    (column,) = answer["manifest"]["schema"]["columns"]
    assert (column["name"], column["type_name"], column["type_text"]) == ("x", kind, told)


def test_a_type_that_cannot_be_sent_is_told(client: WorkspaceClient) -> None:
    assert "cast it to STRING" in failure(execute(client, "SELECT INTERVAL '1-2' YEAR TO MONTH AS x"))


def test_parameters_are_values_and_never_text(client: WorkspaceClient) -> None:
    item = sql.StatementParameterListItem
    given = [
        item("a", value="O'Neil\\ ; --"),
        item("b", value="5", type="INT"),
        item("c", value="1.25", type="DECIMAL(5,2)"),
        item("d", type="DATE"),
        item("n", value="1", type="INT"),
    ]
    text = "SELECT :a, :b, :c, :d, ':a', typeof(:c) FROM range(3) LIMIT :n -- :a"
    assert rows(execute(client, text, parameters=given)) == [["O'Neil\\ ; --", "5", "1.25", None, ":a", "decimal(5,2)"]]
    assert "cast" in failure(execute(client, "SELECT :x", parameters=[item("x", value="five", type="INT")])).lower()
    assert ":x" in failure(execute(client, "SELECT :x"))
    with pytest.raises(InvalidParameterValue, match=r"parameters\[0\].type is 'INT\) OR \(1'"):
        execute(client, "SELECT :x", parameters=[item("x", value="1", type="INT) OR (1")])
    with pytest.raises(InvalidParameterValue, match=r"parameters\[1\].name"):
        execute(client, "SELECT :x", parameters=[item("x", value="1"), item("x", value="2")])


def test_a_statement_begins_in_its_catalog_and_schema(client: WorkspaceClient) -> None:
    text = "SELECT current_catalog(), current_schema()"
    assert rows(execute(client, text, catalog="main", schema="default")) == [["main", "default"]]
    assert "'nowhere' does not exist" in failure(execute(client, text, catalog="nowhere"))
    assert "'main.nowhere' does not exist" in failure(execute(client, text, schema="nowhere"))


def test_statements_without_rows_have_no_columns(client: WorkspaceClient) -> None:
    answer = execute(client, "USE SCHEMA default")
    assert rows(answer) == []
    assert answer.manifest is not None
    assert answer.manifest.total_row_count == 0
    empty = execute(client, "SELECT id FROM range(0)")
    assert rows(empty) == []
    assert empty.manifest is not None
    assert empty.manifest.schema is not None
    assert [one.name for one in empty.manifest.schema.columns or []] == ["id"]


def test_limits_cut_off_and_say_so(client: WorkspaceClient) -> None:
    def cut(text: str, **more: Any) -> tuple[int | None, bool | None]:
        manifest = execute(client, text, **more).manifest
        assert manifest is not None
        return manifest.total_row_count, manifest.truncated

    assert cut("SELECT * FROM range(10)", row_limit=3) == (3, True)
    assert cut("SELECT * FROM range(3)", row_limit=3) == (3, False)
    assert cut("SHOW SCHEMAS IN system", row_limit=1) == (1, True)
    assert cut("SELECT * FROM range(1000)", byte_limit=800) == (100, True)
    large = failure(execute(client, "SELECT id, repeat('x', 1000) FROM range(30000)"))
    assert "disposition=EXTERNAL_LINKS" in large


def test_large_results_are_fetched_by_links_without_a_token(client: WorkspaceClient) -> None:
    text = "SELECT id, repeat('x', 1000) AS x FROM range(20000)"
    answer = execute(client, text, disposition=Disposition.EXTERNAL_LINKS, format=Format.ARROW_STREAM)
    assert answer.manifest is not None
    assert answer.statement_id is not None
    assert answer.result is not None
    assert (answer.manifest.total_chunk_count or 0) > 1
    found, index, result = list[int](), 0, answer.result
    while True:
        (link,) = result.external_links or []
        assert (link.chunk_index, link.row_offset) == (index, len(found))
        assert link.external_link is not None
        table = pa.ipc.open_stream(httpx.get(link.external_link).content).read_all()
        assert table.num_rows == link.row_count
        found += table["id"].to_pylist()
        if link.next_chunk_index is None:
            break
        index = link.next_chunk_index
        result = client.statement_execution.get_statement_result_chunk_n(answer.statement_id, index)
    assert sorted(found) == list(range(20000))
    assert httpx.get(link.external_link + "0").status_code == 403
    assert httpx.get(link.external_link.replace(f"/{index}?", "/0?")).status_code == 403
    assert httpx.get(link.external_link.replace("expires=", "expires=9")).status_code == 403
    with pytest.raises(InvalidParameterValue, match="chunk_index is 99"):
        client.statement_execution.get_statement_result_chunk_n(answer.statement_id, 99)


@pytest.mark.parametrize(
    ("form", "content"),
    [
        (Format.CSV, 's,id,n\r\n"a,""0",0,null\r\n"a,""1",1,null\r\n'),
        (Format.JSON_ARRAY, '[["a,\\"0","0",null],["a,\\"1","1",null]]'),
    ],
)
def test_links_give_csv_and_json(client: WorkspaceClient, form: Format, content: str) -> None:
    text = "SELECT concat('a,\"', id) AS s, id, NULL AS n FROM range(2) ORDER BY id"
    result = execute(client, text, disposition=Disposition.EXTERNAL_LINKS, format=form).result
    assert result is not None
    (link,) = result.external_links or []
    assert httpx.get(str(link.external_link)).text == content


def test_a_statement_is_waited_for_looked_at_and_cancelled(client: WorkspaceClient, server: Server) -> None:
    api = client.statement_execution
    answer = execute(client, LONG, wait_timeout="0s")
    assert answer.status is not None
    assert answer.status.state in {StatementState.PENDING, StatementState.RUNNING}
    assert answer.statement_id is not None
    early = server.client().get(f"{STATEMENTS}/{answer.statement_id}/result/chunks/0")
    assert (early.status_code, early.json()["error_code"]) == (400, "INVALID_STATE")
    api.cancel_execution(answer.statement_id)
    cancelled = api.get_statement(answer.statement_id)
    assert cancelled.status is not None
    assert cancelled.status.state is StatementState.CANCELED
    assert cancelled.result is None
    assert rows(execute(client, "SELECT 1")) == [["1"]]
    short = execute(client, LONG, wait_timeout="5s", on_wait_timeout=sql.ExecuteStatementRequestOnWaitTimeout.CANCEL)
    assert short.status is not None
    assert short.status.state is StatementState.CANCELED


def test_what_is_wrong_is_named(client: WorkspaceClient) -> None:
    for field, more in {
        "wait_timeout": {"wait_timeout": "3s"},
        "format": {"format": Format.CSV},
        "row_limit": {"row_limit": -1},
        "byte_limit": {"byte_limit": -1},
    }.items():
        with pytest.raises(InvalidParameterValue, match=field):
            execute(client, "SELECT 1", **more)
    with pytest.raises(InvalidParameterValue, match="statement is empty"):
        execute(client, " ")
    assert "not closed" in failure(execute(client, "SELECT 'a"))
    assert "2 statements" in failure(execute(client, "SELECT 1; SELECT 2"))
    assert rows(execute(client, "-- one\nSELECT 1; -- two")) == [["1"]]
    wrong = execute(client, "SELEC 1")
    assert "[PARSE_SYNTAX_ERROR]" in failure(wrong)
    assert wrong.status is not None
    assert wrong.status.sql_state == "42601"
    with pytest.raises(NotFound, match="Statement 'none' does not exist"):
        client.statement_execution.get_statement("none")


def test_statements_are_their_principals(server: Server, client: WorkspaceClient) -> None:
    other = WorkspaceClient(host=server.url, token=server.new_principal("statements@example.com"))
    mine = execute(client, "CREATE TABLE IF NOT EXISTS main.default.statements_mine (id INT)")
    assert rows(mine) == []
    api = other.statement_execution
    for call in (api.get_statement, api.cancel_execution, lambda name: api.get_statement_result_chunk_n(name, 0)):
        with pytest.raises(NotFound):
            call(str(mine.statement_id))
    with pytest.raises(BadRequest, match="warehouse_id"):
        api.execute_statement("SELECT 1", warehouse(client))
    assert rows(execute(other, "SELECT current_user()")) == [["statements@example.com"]]
    assert "[INSUFFICIENT_PERMISSIONS]" in failure(execute(other, "SELECT * FROM main.default.statements_mine"))
    body = {"scopes": ["sql"], "lifetime_seconds": 600}
    narrow = server.client().post("/api/2.0/token/create", json=body).json()["token_value"]
    assert rows(execute(WorkspaceClient(host=server.url, token=narrow), "SELECT 1")) == [["1"]]
    execute(client, "DROP TABLE main.default.statements_mine")


def test_the_audit_log_keeps_no_secrets_of_statements(client: WorkspaceClient) -> None:
    execute(client, "SELECT 1 AS auditmark, 'password' = 'hunter2horse' AS x")
    found = rows(
        execute(
            client,
            "SELECT request_params FROM system.access.audit WHERE action_name = 'executeStatement' ORDER BY event_time DESC",
        )
    )
    kept = [json.loads(row[0]) for row in found if "auditmark" in row[0] and "system.access" not in row[0]]
    assert kept
    assert "hunter2horse" not in json.dumps(kept)


def test_rows_are_cut_by_bytes_and_chunked(tmp_path: Any) -> None:
    result = Result(tmp_path / "r.arrow", None, 20 * 1024**2, None)
    batch = pa.record_batch({"x": pa.array([math.pi] * 2**19)})
    for _ in range(5):
        result.add(batch)
    with pytest.raises(Enough):
        result.add(batch)
    result.close()
    assert (result.truncated, result.byte_count, len(result.chunks)) == (True, 20 * 1024**2, 3)
    assert [result.table(index).num_rows for index in range(3)] == [2**20, 2**20, 2**19]
    assert texts(result.table(2).slice(0, 1)) == [[repr(math.pi)]]
    result.drop()
    assert not (tmp_path / "r.arrow").exists()
    refused = Result(tmp_path / "s.arrow", None, 20 * 1024**2, 1024)
    with pytest.raises(StatementFailed, match="Inline byte limit"):
        refused.add(batch)
    refused.drop()
    assert not (tmp_path / "s.arrow").exists()
