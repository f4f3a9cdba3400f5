"""Every query that ended, in `system.query.history` and over REST, with what the gateway has seen of it."""

import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession
from pyspark.sql.connect import proto

from boathouse.engine.gateway.messages.produced import carried
from boathouse.engine.gateway.messages.protocol import local_relation
from tests.conftest import Server


def recorded(spark: SparkSession, mark: str) -> dict[str, dict[str, Any]]:
    """The rows of the statements that have a mark in their text, by the text."""
    query = (
        f"SELECT * FROM system.query.history WHERE statement_text LIKE '%{mark}%' AND statement_text NOT LIKE '%system.query%'"
    )
    return {row.statement_text: row.asDict(recursive=True) for row in spark.sql(query).collect()}


def response(**fields: Any) -> Any:
    return proto.ExecutePlanResponse(session_id="s" * 200, operation_id="o", response_id="r", **fields)


@pytest.mark.parametrize(
    ("message", "rows"),
    [
        (response(arrow_batch={"row_count": 8192, "data": b"x" * 100_000}), 8192),
        (response(arrow_batch={"row_count": 0, "data": b"x"}), 0),
        (response(arrow_batch={"row_count": 2**40, "data": b"", "start_offset": 7}), 2**40),
        (response(result_complete={}), 0),
        (response(schema={"struct": {}}), 0),
        (response(sql_command_result={"relation": local_relation(pa.table({"a": [1, 2, 3]}))}), 3),
        (response(sql_command_result={"relation": {"sql": {"query": "SELECT 1"}}}), 0),
        (proto.ExecutePlanResponse(), 0),
    ],
)
def test_rows_are_counted_without_looking_at_them(message: Any, rows: int) -> None:
    assert carried(message.SerializeToString()).rows == rows


def test_whole_rows(server: Server, spark: SparkSession, schema: str) -> None:
    mark = f"m{uuid.uuid4().hex}"
    spark.sql(f"CREATE TABLE {schema}.t AS SELECT id FROM range(20000) /* {mark} */")
    select = f"WITH all AS (SELECT * FROM {schema}.t) SELECT * FROM all /* {mark} */"
    assert len(spark.sql(select).collect()) == 20_000
    delete = f"DELETE FROM {schema}.t WHERE id < 5 /* {mark} */"
    spark.sql(delete)
    show = f"SHOW TABLES IN {schema} LIKE 't|{mark}'"
    assert spark.sql(show).count() == 1
    wrong = f"SELECT {mark} FROM {schema}.t"
    with pytest.raises(AnalysisException):
        spark.sql(wrong).collect()
    me = server.client().get("/api/2.0/preview/scim/v2/Me").json()
    cluster = server.client().get("/api/2.1/clusters/list").json()["clusters"][0]["cluster_id"]
    warehouse = server.client().get("/api/2.0/sql/warehouses").json()["warehouses"][0]["id"]
    found = recorded(spark, mark)
    told = {text: (row["statement_type"], row["execution_status"], row["produced_rows"]) for text, row in found.items()}
    assert told == {
        f"CREATE TABLE {schema}.t AS SELECT id FROM range(20000) /* {mark} */": ("CREATE", "FINISHED", 0),
        select: ("SELECT", "FINISHED", 20_000),
        delete: ("DELETE", "FINISHED", 1),
        show: ("SHOW", "FINISHED", 1),
        wrong: ("SELECT", "FAILED", 0),
    }
    row = found[select]
    took = row["total_duration_ms"] - row["waiting_for_compute_duration_ms"]
    assert row["waiting_for_compute_duration_ms"] >= 0
    assert isinstance(row["end_time"], datetime)
    assert row["end_time"] >= row["start_time"]
    known = {
        "statement_id": row["statement_id"],
        "session_id": spark.client._session_id,  # type: ignore[attr-defined]
        "execution_status": "FINISHED",
        "compute": {"type": "WAREHOUSE", "cluster_id": cluster, "warehouse_id": warehouse},
        "executed_by_user_id": me["id"],
        "executed_by": me["userName"],
        "executed_as_user_id": me["id"],
        "executed_as": me["userName"],
        "statement_text": select,
        "statement_type": "SELECT",
        "client_application": row["client_application"],
        "total_duration_ms": row["total_duration_ms"],
        "waiting_for_compute_duration_ms": row["waiting_for_compute_duration_ms"],
        "execution_duration_ms": took,
        "start_time": row["start_time"],
        "end_time": row["end_time"],
        "update_time": row["end_time"],
        "produced_rows": 20_000,
        "from_result_cache": False,
    }
    assert row == dict.fromkeys(row) | known
    assert row["client_application"].startswith("_SPARK_CONNECT_PYTHON spark/")
    assert mark in found[wrong]["error_message"]


def test_an_interrupted_query_is_canceled(spark: SparkSession) -> None:
    mark = f"m{uuid.uuid4().hex}"
    text = f"SELECT count(*) AS {mark} FROM range(300000) a JOIN range(300000) b ON a.id + b.id < -1"
    with ThreadPoolExecutor(1) as pool:
        waited = pool.submit(spark.sql(text).collect)
        deadline = time.monotonic() + 20
        while not waited.done() and time.monotonic() < deadline:
            spark.interruptAll()
            wait([waited], 0.2)
        assert "OPERATION_CANCELED" in str(waited.exception(0))
    row = recorded(spark, mark)[text]
    assert (row["execution_status"], row["produced_rows"]) == ("CANCELED", 0)
    assert "OPERATION_CANCELED" in row["error_message"]


def test_the_queries_of_a_warehouse_over_rest(
    server: Server, spark: SparkSession, user: tuple[str, SparkSession], schema: str, grant: Callable[..., None]
) -> None:
    name, session = user
    mark = f"m{uuid.uuid4().hex}"
    assert spark.sql(f"SELECT 1 AS {mark}").count() == 1
    assert len(session.sql(f"SELECT '{mark}' AS a FROM range(3)").collect()) == 3
    client, path = server.client(), "/api/2.0/sql/history/queries"
    theirs = next(one for one in client.get("/api/2.0/sql/warehouses").json()["warehouses"] if one["creator_name"] == name)
    asked = {"filter_by.warehouse_ids": theirs["id"], "include_metrics": "true"}
    (one,) = client.get(path, params=asked).json()["res"]
    assert (one["user_name"], one["warehouse_id"], one["rows_produced"]) == (name, theirs["id"], 3)
    assert one["metrics"] == {
        "total_time_ms": one["duration"],
        "execution_time_ms": one["metrics"]["execution_time_ms"],
        "rows_produced_count": 3,
        "result_from_cache": False,
    }
    assert client.get(path, params={"filter_by.warehouse_ids": "none"}).json() == {"res": [], "has_next_page": False}
