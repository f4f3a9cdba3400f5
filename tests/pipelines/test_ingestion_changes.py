"""Every change of PostgreSQL's tables by logical replication, and resources of an HTTP API."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from pyspark.sql import SparkSession

from tests.conftest import Server
from tests.pipelines.ingestion import UC, Ingestion, kill_when, landed, postgres_options
from tests.postgres import create_database

TOKEN = "token-of-the-api-1"


@pytest.fixture
def ingestion(server: Server, spark: SparkSession, schema: str) -> Ingestion:
    return Ingestion(server, spark, *schema.split("."))


@pytest.mark.timeout(300)
def test_changes_of_postgresql(ingestion: Ingestion, postgres_url: str) -> None:
    url = create_database(postgres_url)
    with psycopg.connect(url, autocommit=True) as pg:
        pg.execute("CREATE TABLE people (id INT PRIMARY KEY, name TEXT, long TEXT, addresses INET[])")
        pg.execute("ALTER TABLE people ALTER COLUMN long SET STORAGE EXTERNAL")
        pg.execute(
            """INSERT INTO people SELECT n, 'n' || n, repeat('x', 9000), '{10.0.0.1,NULL}' FROM generate_series(1, 4) n"""
        )
        pg.execute("CREATE TABLE numbers (n INT PRIMARY KEY)")
        ingestion.connect("POSTGRESQL", **postgres_options(url))
        pipeline_id = ingestion.pipeline(
            ingestion.table("people", schema="public"),
            ingestion.table("people", "history", schema="public", scd_type="SCD_TYPE_2", include_columns=["id", "name"]),
            ingestion.table("numbers", schema="public"),
            connector_type="CDC",
        )
        assert landed(ingestion.run(pipeline_id)) == {"people": 4, "history": 4, "numbers": 0}
        states = "id, name, length(long), cast(addresses AS STRING)"
        assert ingestion.rows("people", states)[0] == (1, "n1", 9000, "[10.0.0.1, NULL]")
        # A long value that is not touched is not sent; a key changes; a row comes and goes in one transaction.
        pg.execute("UPDATE people SET name = 'N1' WHERE id = 1")
        pg.execute("UPDATE people SET id = 20 WHERE id = 2")
        pg.execute("DELETE FROM people WHERE id = 3; INSERT INTO people VALUES (5, 'n5')")
        with pg.transaction():
            pg.execute("INSERT INTO numbers SELECT * FROM generate_series(1, 5)")
            pg.execute("DELETE FROM numbers WHERE n = 4")
        # Killed while it brings them on: the slot is where it was, and nothing is lost nor there twice.
        update_id = ingestion.begin(pipeline_id)
        kill_when(ingestion, pipeline_id, update_id, "RUNNING", signal.SIGKILL)
        assert ingestion.end(pipeline_id, update_id) == "FAILED"
        pg.execute("ALTER TABLE people ADD COLUMN age INT")
        pg.execute("UPDATE people SET age = 7 WHERE id = 4")
        ingestion.run(pipeline_id)
        assert ingestion.rows("people", f"{states}, age") == [
            (1, "N1", 9000, "[10.0.0.1, NULL]", None),
            (20, "n2", 9000, "[10.0.0.1, NULL]", None),
            (4, "n4", 9000, "[10.0.0.1, NULL]", 7),
            (5, "n5", None, None, None),
        ]
        ended = "id, name, __END_AT IS NULL"
        assert ingestion.rows("history", ended) == [
            *((1, "N1", True), (1, "n1", False), (2, "n2", False), (20, "n2", True)),
            *((3, "n3", False), (4, "n4", True), (5, "n5", True)),
        ]
        assert ingestion.rows("numbers") == [(1,), (2,), (3,), (5,)]
        pg.execute("TRUNCATE numbers; INSERT INTO numbers VALUES (9)")
        ingestion.run(pipeline_id)
        assert ingestion.rows("numbers") == [(9,)]
        # The slot follows what is in the tables, and no other slot is left.
        slots = pg.execute("SELECT slot_name FROM pg_replication_slots WHERE database = current_database()").fetchall()
        assert slots == [(f"boathouse_{pipeline_id.replace('-', '_')}",)]
        assert landed(ingestion.run(pipeline_id, full_refresh_selection=["people"]))["people"] == 4
        assert [row[0] for row in ingestion.rows("people", "id")] == [1, 20, 4, 5]
        pg.execute("CREATE TABLE bare (n INT)")
        bare = ingestion.pipeline(ingestion.table("bare", schema="public", primary_keys=["n"]), connector_type="CDC")
        assert "Run ALTER TABLE public.bare REPLICA IDENTITY FULL" in ingestion.fails(bare)
        drop_slot(pg, f"boathouse_{pipeline_id.replace('-', '_')}")
        assert "is gone, and changes with it" in ingestion.fails(pipeline_id)
        # Deleted, it leaves nothing at the source, or says what to do where that cannot be reached.
        ingestion.run(pipeline_id, full_refresh=True)
        assert ingestion.http.delete(f"/api/2.0/pipelines/{pipeline_id}").json() == {}
        here = "SELECT slot_name FROM pg_replication_slots WHERE database = current_database() UNION SELECT pubname FROM pg_publication"
        own = f"boathouse_{bare.replace('-', '_')}"
        assert {row[0] for row in pg.execute(here).fetchall()} <= {own}
        away = {"options": {**postgres_options(url), "port": "1"}}
        ingestion.http.patch(f"{UC}/connections/{ingestion.schema}", json=away).raise_for_status()
        told = ingestion.http.delete(f"/api/2.0/pipelines/{bare}").json()["message"]
        assert f"SELECT pg_drop_replication_slot('{own}'); DROP PUBLICATION {own};" in told
        assert "not asked for" not in told


def drop_slot(pg: psycopg.Connection[Any], name: str) -> None:
    """An update tells the source what it has after it is completed; until then the slot is in use."""
    deadline = time.monotonic() + 60
    in_use = True
    while in_use:
        assert time.monotonic() < deadline, f"{name} stays in use"
        with suppress(psycopg.errors.ObjectInUse):
            pg.execute("SELECT pg_drop_replication_slot(%s)", (name,))
            in_use = False


ODD: dict[str, Any] = {
    "/v1/numbers": [{"id": 1}, 2],
    "/v1/signed_out": b"<html>Sign in</html>",
    "/v1/alike": [{"id": 1, "ID": 2}],
    "/v1/ring": {"data": [{"id": 1}], "next": "ring"},
    "/v1/deaf": {"data": [{"id": 1}]},
    "/v1/elsewhere": {"count": 1, "items": [{"id": 1}]},
}
ODD_RESOURCES = """resources:
- numbers
- signed_out
- alike
- {name: ring, endpoint: {path: ring, data_selector: data, paginator: {type: json_link, next_url_path: next}}}
- {name: deaf, endpoint: {path: deaf, data_selector: data, paginator: {type: page_number, total_path: null}}}
- {name: elsewhere, endpoint: {path: elsewhere, data_selector: rows, paginator: single_page}}
"""


class _Api(BaseHTTPRequestHandler):
    """Issues by pages of two, for who has the token; ``away`` leads to another host."""

    issues: ClassVar[list[dict[str, Any]]] = []

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._say(401, {"error": "who?"})
        elif url.path == "/v1/issues":
            page = int(query["page"])
            found = [one for one in self.issues if one["updated"] >= query["since"]]
            self._say(200, found[(page - 1) * 2 : page * 2])
        elif url.path == "/v1/away":
            self._say(200, {"data": [{"id": 1}], "next": "http://localhost:1/steal"})
        elif url.path in ODD:
            self._say(200, ODD[url.path])
        else:
            self._say(404, {})

    def _say(self, status: int, value: Any) -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if isinstance(value, bytes) else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def api() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Api)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


DECLARED = """
resources:
  - name: issues
    primary_key: id
    endpoint:
      path: issues
      params:
        since: {type: incremental, cursor_path: updated, initial_value: "2024-01-02"}
      paginator: {type: page_number, base_page: 1, total_path: null}
  - name: away
    endpoint: {path: away, data_selector: data, paginator: {type: json_link, next_url_path: next}}
"""


@pytest.mark.timeout(300)
def test_an_http_api(ingestion: Ingestion, api: int) -> None:
    _Api.issues = [
        {"id": n, "title": f"t{n}", "score": n / 2, "updated": f"2024-01-0{n}", "labels": [{"name": "x"}]} for n in range(1, 6)
    ]
    options = {"host": "http://127.0.0.1", "port": str(api), "base_path": "/v1", "bearer_token": TOKEN}
    ingestion.connect("HTTP", **options)
    declared = {"source_configurations": [{"api_source_connector_config": {"configs": {"rest_api": DECLARED}}}]}
    folder = ingestion.server.root / "workspace" / "Shared" / ingestion.schema
    folder.mkdir(parents=True)
    path = f"/Workspace/Shared/{ingestion.schema}/api.yml"
    in_a_file = {"source_configurations": [{"api_source_connector_config": {"configs": {"rest_api_path": path}}}]}
    pipeline_id = ingestion.pipeline(
        ingestion.table("issues", cursor="updated"),
        ingestion.table("issues", "some", cursor="updated", row_filter="score > 1.5"),
        **in_a_file,
    )
    assert f"source_configurations.rest_api_path '{path}' does not exist" in ingestion.fails(pipeline_id)
    (folder / "api.yml").write_text(DECLARED)
    # Only looked at: nothing is brought, and nothing made.
    assert landed(ingestion.run(pipeline_id, validate_only=True)) == {}
    assert ingestion.spark.sql(f"SHOW TABLES IN {ingestion.full}").collect() == []
    assert ingestion.http.get(f"{UC}/volumes/{ingestion.full}.pipeline_{pipeline_id.replace('-', '_')}").status_code == 404
    assert landed(ingestion.run(pipeline_id)) == {"issues": 4, "some": 4}
    assert ingestion.rows("some", "id") == [(4,), (5,)]
    _Api.issues[1] |= {"title": "changed", "updated": "2024-01-06", "more": True}
    assert landed(ingestion.run(pipeline_id)) == {"issues": 1, "some": 1}
    assert ingestion.rows("issues") == [
        (2, "changed", 1.0, "2024-01-06", '[{"name": "x"}]', True),
        (3, "t3", 1.5, "2024-01-03", '[{"name": "x"}]', None),
        (4, "t4", 2.0, "2024-01-04", '[{"name": "x"}]', None),
        (5, "t5", 2.5, "2024-01-05", '[{"name": "x"}]', None),
    ]
    away = ingestion.pipeline(ingestion.table("away"), ingestion.table("nothing"), **declared)
    told = ingestion.fails(away)
    assert "the API leads to localhost:1, which is not the host of the connection" in told
    assert "The source has no table nothing. It has: issues, away" in told or "It has: away, issues" in told
    says_what_is_wrong(ingestion)


def says_what_is_wrong(ingestion: Ingestion) -> None:
    """Of answers without rows, and of fields of a declaration."""

    def told(declared: str, *tables: str) -> str:
        more = {"source_configurations": [{"api_source_connector_config": {"configs": {"rest_api": declared}}}]}
        return ingestion.fails(ingestion.pipeline(*(ingestion.table(one) for one in tables), **more))

    names = [path.rsplit("/", 1)[-1] for path in ODD]
    found = told(ODD_RESOURCES, *names)
    assert "Among the rows of numbers is a number, and each row has to be a JSON object" in found
    assert (
        "it answers /v1/signed_out with status 200 and text/html where JSON is needed; the answer begins with: <html>" in found
    )
    assert "Rows of alike have id and ID, which differ in case only" in found
    assert "/v1/ring leads to a page that was read already, so that its pages have no end." in found
    assert "/v1/deaf answers the same rows 10 times, whichever page it is asked for" in found
    assert (
        "0 rows of elsewhere have landed. The data_selector rows finds nothing in the answer of /v1/elsewhere. It has: count, items."
        in found
    )
    assert "rest_api is not valid YAML" in told("resources: [", "a")


WRONG = {
    "{name: a, endpont: b}": "resources[0].endpont is no field. Did you mean endpoint",
    "{name: a, endpoint: {path: b, paginater: auto}}": "endpoint.paginater is no field. Did you mean paginator",
    "{name: a, endpoint: {paginator: pages}}": "endpoint.paginator is 'pages'. Valid: an object, auto, cursor, ",
    "{name: a, endpoint: {paginator: {type: cursor, path: b}}}": "paginator.path is no field. ",
    "{name: a, endpoint: {method: FETCH}}": "endpoint.method is 'FETCH'. Valid: GET, POST",
    "{name: a, endpoint: {params: {b: {type: incremental, cursor: c}}}}": "params.b.cursor is no field. Did you mean cursor_path",
    "{endpoint: a}": "resources[0].name is missing",
    "{name: a, endpoint: {path: 5}}": "endpoint.path is 5. Valid: a text.",
    "{name: a, selected: 1}": "resources[0].selected is 1. Valid: true or false.",
    "{name: a, endpoint: {paginator: {type: page_number, base_page: true}}}": "base_page is True. Valid: a whole number.",
    "{name: a, endpoint: {paginator: {type: offset}}}": "paginator.limit is missing.",
    "{name: a, endpoint: {incremental: {cursor_path: b, range_end: ajar}}}": "range_end is 'ajar'. Valid: closed, open.",
    "{name: a, endpoint: {params: {b: {type: incremental}}}}": "params.b.cursor_path is missing.",
    "{name: a, endpoint: {data_selector: '$..['}}": "data_selector is '$..[', which is no JSONPath",
    "5": "resources[0] is 5, where an object is needed",
}
LOOKS = """
import sys, yaml
from boathouse.ingest.connectors.errors import DefinitionFieldInvalid
from boathouse.ingest.connectors.rest_fields import require_known

for declared in sys.argv[1:]:
    try:
        require_known({"resources": [yaml.safe_load(declared)]}, "rest_api")
        print("fine")
    except DefinitionFieldInvalid as error:
        print(error.message)
"""


def test_fields_of_a_declaration() -> None:
    # In a process of its own, as dlt's module name is the older pipelines' too.
    made = subprocess.run([sys.executable, "-c", LOOKS, *WRONG, "a"], capture_output=True, text=True, check=True)
    *told, last = made.stdout.splitlines()
    assert [text for message, text in zip(told, WRONG.values(), strict=True) if text not in message] == [], told
    assert last == "fine"
