"""Ingestion pipelines over REST: tables of real PostgreSQL and MariaDB servers, in full and by a cursor column."""

import datetime as dt
import signal
from collections.abc import Iterator
from decimal import Decimal

import psycopg
import pymysql
import pytest
from pyspark.sql import SparkSession

from tests.conftest import Server
from tests.mariadb import PASSWORD, USER, binary, mariadb
from tests.pipelines.ingestion import UC, Ingestion, kill_when, landed, postgres_options
from tests.postgres import create_database


@pytest.fixture
def ingestion(server: Server, spark: SparkSession, schema: str) -> Ingestion:
    return Ingestion(server, spark, *schema.split("."))


@pytest.fixture(scope="session")
def mariadb_port() -> Iterator[int]:
    if binary() is None:
        pytest.skip("MariaDB is not installed on this machine (Debian's mariadb-server)")
    with mariadb() as port:
        yield port


def moment(day: int) -> dt.datetime:
    return dt.datetime(2024, 1, day)


@pytest.mark.timeout(300)
def test_postgresql_by_cursor_and_in_full(ingestion: Ingestion, postgres_url: str) -> None:
    url = create_database(postgres_url)
    with psycopg.connect(url, autocommit=True) as pg:
        pg.execute("CREATE TABLE orders (id INT PRIMARY KEY, name TEXT, gone BOOLEAN, changed TIMESTAMP)")
        pg.execute(
            """CREATE TABLE kinds (id INT, n NUMERIC(10,2), nn NUMERIC, tz TIMESTAMPTZ, j JSONB, u UUID, b BYTEA, a INT[], i INET,
            "Strange Name" SMALLINT)"""
        )
        pg.execute(
            "INSERT INTO orders VALUES (1, 'a', false, '2024-01-01'), (2, 'b', false, '2024-01-02'), (9, 'x', false, NULL)"
        )
        pg.execute(
            """INSERT INTO kinds VALUES (1, 1.5, 2.25, '2024-01-01 10:00+02', '{"k": [1]}',
            'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '\\x00ff', '{1,NULL}', '10.0.0.1', 7)"""
        )
        pg.execute("INSERT INTO kinds (id) VALUES (2)")
        ingestion.connect("POSTGRESQL", **postgres_options(url))
        changing = {"schema": "public", "cursor": "changed"}
        pipeline_id = ingestion.pipeline(
            ingestion.table("kinds", schema="public"),
            ingestion.table("orders", "states", schema="public", scd_type="SCD_TYPE_2", include_columns=["id", "name"]),
            ingestion.table("orders", "newest", **changing, query={"deletion_condition": "gone"}),
            ingestion.table("orders", "history", **changing, scd_type="SCD_TYPE_2", exclude_columns=["gone"]),
            ingestion.table("orders", "log", **changing, scd_type="APPEND_ONLY", include_columns=["id", "name"]),
        )
        assert landed(ingestion.run(pipeline_id)) == {"kinds": 2, "states": 3, "newest": 2, "history": 2, "log": 2}
        first = (1, Decimal("1.50"), Decimal("2.25"), dt.datetime(2024, 1, 1, 8), '{"k": [1]}')
        assert ingestion.rows("kinds")[0] == (
            *first,
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            b"\x00\xff",
            [1, None],
            "10.0.0.1",
            7,
        )
        # Others with the value of the last row come, a row is changed, one is marked as gone, and there is a new column.
        pg.execute("ALTER TABLE orders ADD COLUMN extra INT")
        pg.execute("UPDATE orders SET name = 'B', changed = '2024-01-03' WHERE id = 2")
        pg.execute("UPDATE orders SET gone = true, changed = '2024-01-03' WHERE id = 1")
        pg.execute("INSERT INTO orders VALUES (3, 'c', false, '2024-01-02', 7)")
        pg.execute("DELETE FROM kinds WHERE id = 2; DELETE FROM orders WHERE id = 9")
        assert landed(ingestion.run(pipeline_id)) == {"kinds": 1, "states": 3, "newest": 3, "history": 3, "log": 3}
        assert ingestion.rows("states", "id, name, __END_AT IS NULL") == [
            *((1, "a", True), (2, "B", True), (2, "b", False), (3, "c", True), (9, "x", False)),
        ]
        assert len(ingestion.rows("kinds")) == 1
        assert ingestion.rows("newest", "id, name, extra") == [(2, "B", None), (3, "c", 7)]
        states = [
            (1, "a", None, moment(1), moment(3)),
            (1, "a", None, moment(3), None),
            (2, "B", None, moment(3), None),
            (2, "b", None, moment(2), moment(3)),
            (3, "c", 7, moment(2), None),
        ]
        assert ingestion.rows("history", "id, name, extra, __START_AT, __END_AT") == sorted(states, key=repr)
        assert [row[0] for row in ingestion.rows("log", "id")] == [1, 1, 2, 2, 3]
        assert landed(ingestion.run(pipeline_id, refresh_selection=["log"])) == {"log": 0}
        # A column of another type fails its tables alone, and a full refresh brings it.
        pg.execute("ALTER TABLE orders ALTER COLUMN extra TYPE TEXT, DROP COLUMN name")
        pg.execute("INSERT INTO orders (id, gone, changed, extra) VALUES (4, false, '2024-01-04', 'x')")
        pg.execute("INSERT INTO kinds (id, tz) VALUES (3, 'infinity')")
        told = ingestion.fails(pipeline_id)
        assert "The column extra of public.orders was INT and is STRING now" in told
        assert "include_columns names name, which public.orders does not have" in told
        assert "A row of public.kinds has a value that cannot be brought: timestamp too large" in told
        assert "leave out its column with table_configuration.exclude_columns" in told
        anew = ["newest", f"{ingestion.full}.history"]
        assert landed(ingestion.run(pipeline_id, full_refresh_selection=anew)) == {"newest": 4, "history": 4}
        assert ingestion.rows("newest", "id, extra") == [(2, None), (3, "7"), (4, "x")]
        assert "name" not in ingestion.spark.table(f"{ingestion.full}.newest").columns
    lineage = ingestion.http.get(
        "/api/2.0/lineage-tracking/table-lineage", params={"table_name": f"{ingestion.full}.newest"}
    ).json()
    assert lineage["upstreams"]


@pytest.mark.timeout(300)
def test_mariadb_and_what_is_wrong(ingestion: Ingestion, mariadb_port: int) -> None:
    options = {"host": "127.0.0.1", "port": str(mariadb_port), "user": USER, "password": PASSWORD, "database": "shop"}
    with pymysql.connect(
        host="127.0.0.1", port=mariadb_port, user=USER, password=PASSWORD, database="shop", autocommit=True
    ) as my:
        name = f"t_{ingestion.schema}"
        my.cursor().execute(
            f"CREATE TABLE {name} (id BIGINT UNSIGNED PRIMARY KEY, t TINYINT(1), y YEAR, e ENUM('a', 'b'), d DATETIME(6), "
            "ts TIMESTAMP NULL, f FLOAT, j JSON, b BLOB, s SET('x', 'y'), u INT UNSIGNED, w TIME(1), v TIME, bi BIT(12))"
        )
        my.cursor().execute(f"CREATE TABLE {name}_bare (n INT)")
        my.cursor().execute("SET time_zone = '+02:00'")
        my.cursor().execute(
            f"INSERT INTO {name} VALUES (18446744073709551615, 1, 2024, 'a', '2024-01-01 10:00:00.5', '2024-01-01 10:00', 1.5, "
            "'{\"k\": 1}', x'00ff', 'x,y', 4294967295, '838:59:58.5', '-01:00:00', b'100000000101'), "
            "(1, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"
        )
        ingestion.connect("MYSQL", **options)
        whole = ingestion.pipeline(
            {
                "schema": {
                    "source_schema": "shop",
                    "destination_catalog": ingestion.catalog,
                    "destination_schema": ingestion.schema,
                }
            },
        )
        ingestion.run(whole)
        assert ingestion.rows(name)[1] == (
            *(Decimal(18446744073709551615), 1, 2024, "a", dt.datetime(2024, 1, 1, 10, 0, 0, 500000)),
            *(dt.datetime(2024, 1, 1, 8), 1.5, '{"k": 1}', b"\x00\xff", "x,y", 4294967295),
            *("838:59:58.500000", "-01:00:00", b"\x08\x05"),
        )
        by_cursor = ingestion.pipeline(ingestion.table(name, "newest", schema="shop", cursor="id"))
        assert landed(ingestion.run(by_cursor)) == {"newest": 2}
        no_key = ingestion.pipeline(
            ingestion.table(f"{name}_bare", "no_key", schema="shop", cursor="n"),
            ingestion.table(f"{name}_bare", "plain", schema="shop"),
            ingestion.table("missing", schema="shop"),
            ingestion.table(name, "no_cursor", schema="shop", cursor="changed"),
        )
        told = ingestion.fails(no_key)
        assert "has no primary key. Give table_configuration.primary_keys" in told
        assert "The source has no table shop.missing. It has: " in told
        assert "cursor_columns names changed, which" in told
        my.cursor().execute("SET sql_mode = ''")
        my.cursor().execute(f"CREATE TABLE {name}_zero (id INT PRIMARY KEY, at DATE)")
        my.cursor().execute(f"INSERT INTO {name}_zero VALUES (1, '0000-00-00'), (2, '2024-01-01')")
        zero = ingestion.pipeline(
            ingestion.table(f"{name}_zero", "zero", schema="shop"),
            ingestion.table(f"{name}_zero", "from_zero", schema="shop", cursor="at"),
        )
        told = ingestion.fails(zero)
        assert (
            f"A value of the column at of shop.{name}_zero is no DATE: '0000-00-00' is on no calendar. Change it there" in told
        )
        assert "those of the cursor column at cannot be compared" in told
        assert ingestion.rows("plain") == []
    change = {"options": {**options, "password": "wrong-pass-word"}}
    ingestion.http.patch(f"{UC}/connections/{ingestion.schema}", json=change).raise_for_status()
    told = ingestion.fails(whole)
    assert "Access denied for user" in told
    assert "wrong-pass-word" not in told
    ingestion.http.patch(f"{UC}/connections/{ingestion.schema}", json={"options": {**options, "port": "1"}}).raise_for_status()
    assert "Can't connect to MySQL server" in ingestion.fails(whole)
    ingestion.http.delete(f"{UC}/connections/{ingestion.schema}").raise_for_status()
    assert f"onnection '{ingestion.schema}' does not exist" in ingestion.fails(whole)
    assert PASSWORD not in ingestion.server.log.read_text()
    for log in (ingestion.server.root / "logs" / "pipelines").rglob("*.log"):
        assert PASSWORD not in log.read_text()


@pytest.mark.timeout(300)
def test_each_row_once_whatever_is_killed(ingestion: Ingestion, postgres_url: str) -> None:
    url = create_database(postgres_url)
    with psycopg.connect(url, autocommit=True) as pg:
        pg.execute("CREATE TABLE t (id INT PRIMARY KEY, pad TEXT)")
        ingestion.connect("POSTGRESQL", **postgres_options(url))
        pipeline_id = ingestion.pipeline(ingestion.table("t", schema="public", cursor="id", scd_type="APPEND_ONLY"))
        last = 0
        # While rows are read; after they have landed; while they are brought on; after some of them are there.
        for moment_of_death in ("INITIALIZING", "operation_progress", "RUNNING", "flow_progress"):
            ended = ["COMPLETED"]
            # A kill may come when the update is done already.
            while ended[-1] == "COMPLETED" and len(ended) < 4:
                rows = (last + 1, last + 30_000)
                pg.execute("INSERT INTO t SELECT n, repeat('x', 20) FROM generate_series(%s::int, %s::int) n", rows)
                last += 30_000
                update_id = ingestion.begin(pipeline_id)
                kill_when(ingestion, pipeline_id, update_id, moment_of_death, signal.SIGKILL)
                ended.append(ingestion.end(pipeline_id, update_id))
            assert ended[-1] == "FAILED"
        ingestion.run(pipeline_id)
        assert ingestion.rows("t", "count(*), count(DISTINCT id), max(id)") == [(last, last, last)]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"objects": []}, "ingestion_definition.objects is empty"),
        ({"objects": [{"report": {}}]}, "ingestion_definition.objects[0].report is not a field that is supported here"),
        ({"objects": [{"table": {"source_table": "t"}}]}, "objects[0].table.destination_catalog is missing"),
        ({"connector_type": "MAGIC"}, "ingestion_definition.connector_type is not valid"),
        ({"table_configuration": {"scd_type": "APPEND_ONLY"}}, "table_configuration.scd_type is APPEND_ONLY, which needs"),
        ({"table_configuration": {"sequence_by": ["a", "b"]}}, "sequence_by names 2 columns"),
        (
            {"table_configuration": {"include_columns": ["a"], "exclude_columns": ["b"]}},
            "exclude_columns cannot be given beside include_columns",
        ),
        ({"objects": 2}, "is the second that goes to"),
    ],
)
def test_settings_that_are_wrong_are_named(ingestion: Ingestion, change: dict[str, object], what: str) -> None:
    one = ingestion.table("t")
    settings = ingestion.settings(*([one, one] if change == {"objects": 2} else [one]))
    if change != {"objects": 2}:
        settings["ingestion_definition"] |= change
    answer = ingestion.http.post("/api/2.0/pipelines", json=settings)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), answer.text
    assert what in answer.json()["message"]


def test_a_connection_that_does_not_go_with_the_definition_is_refused_at_once(ingestion: Ingestion) -> None:
    def refusal(**definition: object) -> tuple[int, str]:
        answer = ingestion.http.post("/api/2.0/pipelines", json=ingestion.settings(ingestion.table("t"), **definition))
        return answer.status_code, answer.json().get("message", "")

    status, message = refusal(connection_name="nowhere_to_go")
    assert (status, "nowhere_to_go" in message) == (404, True), message
    ingestion.connect("MYSQL", host="127.0.0.1", port="1", user="u", password=PASSWORD)
    status, message = refusal(connector_type="CDC")
    assert status == 400
    assert "ingestion_definition.connector_type CDC is built for POSTGRESQL; the connection is MYSQL" in message
    declared = [{"api_source_connector_config": {"configs": {"rest_api": "{}"}}}]
    status, message = refusal(source_configurations=declared)
    assert status == 400
    assert "ingestion_definition.source_configurations" in message


def test_settings_cannot_be_changed_to_a_connection_that_is_not_there(ingestion: Ingestion) -> None:
    ingestion.connect("MYSQL", host="127.0.0.1", port="1", user="u", password=PASSWORD)
    pipeline_id = ingestion.pipeline(ingestion.table("t"))
    settings = ingestion.settings(ingestion.table("t"), connection_name="nowhere_to_go")
    answer = ingestion.http.put(f"/api/2.0/pipelines/{pipeline_id}", json=settings)
    assert answer.status_code == 404, answer.text
    kept = ingestion.http.get(f"/api/2.0/pipelines/{pipeline_id}").json()["spec"]["ingestion_definition"]
    assert kept["connection_name"] == ingestion.schema
