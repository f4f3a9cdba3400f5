"""Pipelines over REST with a stock databricks-sdk: settings, updates in processes of their own, events, permissions, restarts."""

import signal
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from databricks.sdk import WorkspaceClient, errors
from databricks.sdk.errors import BadRequest, NotFound, PermissionDenied, ResourceConflict
from databricks.sdk.service.pipelines import (
    EventLogSpec,
    FileLibrary,
    NotebookLibrary,
    PathPattern,
    PipelineAccessControlRequest,
    PipelineLibrary,
    PipelinePermissionLevel,
)
from databricks.sdk.service.workspace import AclPermission
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from tests.conftest import Server

SECONDS = 120
ENDED = {"COMPLETED", "FAILED", "CANCELED"}


def client_of(server: Server, token: str | None = None) -> WorkspaceClient:
    return WorkspaceClient(host=server.url, token=token or server.token, auth_type="pat")


def until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError(what)


def ended(client: WorkspaceClient, pipeline_id: str, update_id: str) -> str:
    def state() -> str | None:
        update = client.pipelines.get_update(pipeline_id, update_id).update
        assert update is not None
        assert update.state is not None
        return update.state.value if update.state.value in ENDED else None

    return str(until(state, "the update did not end"))


@pytest.fixture
def workspace(server: Server) -> Path:
    folder = server.root / "workspace" / "Shared" / uuid.uuid4().hex[:8]
    (folder / "transformations").mkdir(parents=True)
    return folder


def source(server: Server, path: Path) -> str:
    return f"/Workspace/{path.relative_to(server.root / 'workspace')}"


def check_events(server: Server, client: WorkspaceClient, pipeline_id: str, schema: str) -> int:
    """Events, page by page, in both orders and filtered; how many there are."""
    newest = list(client.pipelines.list_pipeline_events(pipeline_id, max_results=3))
    oldest = list(client.pipelines.list_pipeline_events(pipeline_id, max_results=250, order_by=["timestamp asc"]))
    assert [one.id for one in newest] == [one.id for one in reversed(oldest)]
    assert (oldest[1].event_type, newest[0].event_type) == ("create_update", "update_progress")
    kinds = [one.event_type for one in oldest if one.origin and one.origin.dataset_name == f"{schema}.numbers"]
    assert list(dict.fromkeys(kinds)) == ["dataset_definition", "flow_definition", "flow_progress", "planning_information"]
    raw = (
        server.client().get(f"/api/2.0/pipelines/{pipeline_id}/events", params={"filter": "event_type='flow_progress'"}).json()
    )
    counted = [one for one in raw["events"] if "data_quality" in one["details"]["flow_progress"]]
    done = next(one for one in counted if one["origin"]["dataset_name"] == f"{schema}.numbers")
    assert done["details"]["flow_progress"]["data_quality"] == {
        "dropped_records": 10,
        "expectations": [{"name": "small", "dataset": f"{schema}.numbers", "passed_records": 10, "failed_records": 10}],
    }
    assert not list(client.pipelines.list_pipeline_events(pipeline_id, filter="level='ERROR'"))
    with pytest.raises(BadRequest, match="filter"):
        list(client.pipelines.list_pipeline_events(pipeline_id, filter="level ~ 1"))
    return len(oldest)


PRIVATE = """
CREATE PRIVATE STREAMING TABLE steps (CONSTRAINT low EXPECT (id < 8) ON VIOLATION DROP ROW) AS SELECT id FROM STREAM(raw);
SET spark.sql.shuffle.partitions = 3;
CREATE PRIVATE MATERIALIZED VIEW odd AS SELECT id FROM steps WHERE id % 2 = 1;
CREATE MATERIALIZED VIEW odd_count AS SELECT count(*) AS n FROM odd;
"""


def succeeds(spark: SparkSession, text: str) -> bool:
    try:
        spark.sql(text).collect()
    except PySparkException:
        return False
    return True


def nobody_else_knows(server: Server, spark: SparkSession, schema: str, pipeline_id: str) -> Path:
    """The private tables are there for the pipeline, and for nobody else, an admin with all rights included; where they lie."""
    assert [row.n for row in spark.table(f"{schema}.odd_count").collect()] == [4]
    catalog = schema.split(".", maxsplit=1)[0]
    hidden = f"{catalog}.__pipeline_{pipeline_id.replace('-', '_')}"
    folder = server.root / "tables" / Path(*hidden.split("."))
    tables = [path for path in folder.iterdir() if (path / "_delta_log").is_dir()]
    assert len(tables) == 3, "both tables, and the quarantine of one"
    rest = server.client()
    attempts = (
        f"SELECT * FROM {schema}.odd",
        f"SELECT * FROM {hidden}.odd",
        f"DESCRIBE HISTORY {hidden}.odd",
        f"INSERT INTO {hidden}.odd VALUES (1)",
        f"DROP TABLE {hidden}.odd",
        f"DROP SCHEMA {hidden} CASCADE",
        f"GRANT SELECT ON TABLE {hidden}.odd TO admins",
        f"USE {hidden}",
        f"SHOW TABLES IN {hidden}",
        f"CREATE SCHEMA {hidden}x",
        f"ALTER SCHEMA {schema} RENAME TO {hidden}x",
        *(f"SELECT * FROM delta.`{path}`" for path in tables),
        *(f"DESCRIBE HISTORY delta.`{path}`" for path in tables),
    )
    assert [text for text in attempts if succeeds(spark, text)] == []
    name = f"all-{uuid.uuid4().hex[:6]}"
    other = SparkSession.builder.remote(server.spark_remote(server.new_principal(name))).create()
    spark.sql(f"GRANT ALL PRIVILEGES ON CATALOG {catalog} TO `{name}`").collect()
    assert succeeds(other, f"SELECT * FROM {schema}.odd_count")
    assert [text for text in attempts if succeeds(other, text)] == []
    other.stop()
    for path in (f"schemas/{hidden}", f"tables/{hidden}.odd", f"permissions/table/{hidden}.odd"):
        assert rest.get(f"/api/2.1/unity-catalog/{path}").status_code == 404
    assert rest.get("/api/2.1/unity-catalog/tables", params={"catalog_name": catalog, "schema_name": hidden}).status_code >= 400
    listed = [
        rest.get("/api/2.1/unity-catalog/schemas", params={"catalog_name": catalog}).text,
        rest.get("/api/boathouse/v1/search", params={"q": "steps"}).text,
        str(spark.sql("SELECT schema_name FROM system.information_schema.schemata").collect()),
        str(spark.sql("SELECT table_schema FROM system.information_schema.tables").collect()),
        str(spark.sql(f"SHOW SCHEMAS IN {catalog}").collect()),
    ]
    assert not [one for one in listed if "__pipeline_" in one]
    graph = rest.get(f"/api/boathouse/v1/pipelines/{pipeline_id}/graph").json()
    assert {node["name"] for node in graph["nodes"] if node["is_private"]} == {f"{schema}.steps", f"{schema}.odd"}
    warned = rest.get(f"/api/2.0/pipelines/{pipeline_id}/events", params={"filter": "level='WARN'"}).json()["events"]
    assert any("spark.sql.shuffle.partitions" in one["message"] and f"{schema}.odd" in one["message"] for one in warned)
    return folder


def becomes_public(client: WorkspaceClient, pipeline_id: str, path: Path, spark: SparkSession, schema: str) -> None:
    """A table that is private no more begins anew where everybody can see it."""
    path.write_text(PRIVATE.replace("PRIVATE STREAMING", "STREAMING"))
    update_id = client.pipelines.start_update(pipeline_id).update_id
    assert update_id
    state = ended(client, pipeline_id, update_id)
    assert state == "COMPLETED", [
        one.message for one in client.pipelines.list_pipeline_events(pipeline_id, filter="level='ERROR'")
    ]
    assert spark.table(f"{schema}.steps").count() == 8
    assert [row.n for row in spark.table(f"{schema}.odd_count").collect()] == [4]


def looks_only(client: WorkspaceClient, pipeline_id: str, path: Path, spark: SparkSession, schema: str) -> None:
    """An update that validates a source without fault, and makes nothing of it."""
    path.write_text("-- Databricks notebook source\nCREATE MATERIALIZED VIEW later AS SELECT count(*) AS n FROM numbers")
    update_id = client.pipelines.start_update(pipeline_id, validate_only=True).update_id
    assert update_id
    assert ended(client, pipeline_id, update_id) == "COMPLETED"
    found = client.pipelines.get_update(pipeline_id, update_id).update
    assert found is not None
    assert found.validate_only
    assert not spark.catalog.tableExists(f"{schema}.later")


def refuses_settings(client: WorkspaceClient, pipeline_id: str, **settings: Any) -> None:
    """A name that is taken, and values that settings of the update cannot have."""
    with pytest.raises(ResourceConflict, match="already used"):
        client.pipelines.create(**settings)
    for key, value, valid in (
        ("maxParallelFlows", "0", "a whole number from 1"),
        ("maxFlowRetryAttempts", "often", "a whole number from 0"),
        ("trigger.interval", "soon", "a number and seconds"),
    ):
        wrong = {f"pipelines.{key}": value}
        changed: dict[str, Any] = {**settings, "configuration": wrong}
        with pytest.raises(BadRequest, match=f"configuration.pipelines.{key} is '{value}'. Valid: {valid}"):
            client.pipelines.update(pipeline_id, **changed)
        with pytest.raises(BadRequest, match=f"parameters.pipelines.{key} is '{value}'. Valid: {valid}"):
            client.pipelines.start_update(pipeline_id, parameters=wrong)
    refuses_fields(client, pipeline_id, **settings)


def refuses_fields(client: WorkspaceClient, pipeline_id: str, **settings: Any) -> None:
    """Fields that are none, by their path, with those that may have been meant; those of Databricks are taken."""
    known = {"name": f"{settings['name']} again", "catalog": settings["catalog"], "schema": settings["schema"]}
    for wrong, told in (
        ({"developement": True}, "developement is no field of this request. Did you mean development"),
        ({"libraries": [{"fil": {"path": "/a.py"}}]}, r"libraries\[0\].fil is no field of this request. Did you mean file"),
        ({"libraries": [{"file": {"path": "/a.py", "pth": 1}}]}, r"libraries\[0\].file.pth is no field"),
        ({"event_log": {"nam": "told"}}, "event_log.nam is no field of this request. Did you mean name"),
        ({"run_as": {"user": "ann"}}, "run_as.user is no field of this request. Did you mean user_name"),
        ({"zzz": 1}, "zzz is no field of this request. Valid: allow_duplicate_names, .*catalog, "),
    ):
        for dry in (True, False):
            with pytest.raises(BadRequest, match=told):
                client.api_client.do("POST", "/api/2.0/pipelines", body={**known, **wrong, "dry_run": dry})
        with pytest.raises(BadRequest, match=told):
            client.api_client.do("PUT", f"/api/2.0/pipelines/{pipeline_id}", body={**known, **wrong})
    plenty = {"clusters": [{"label": "default"}], "channel": "CURRENT", "photon": True, "serverless": True, "notifications": []}
    taken = client.api_client.do("POST", "/api/2.0/pipelines", body={**known, **plenty, "dry_run": True})
    assert isinstance(taken, dict)
    assert plenty.items() <= taken["effective_settings"].items()
    for wrong, told, kind in (
        ({"full_refesh": True}, "full_refesh is no field of this request. Did you mean full_refresh", BadRequest),
        ({"reset_checkpoint_selection": ["f"]}, "reset_checkpoint_selection is not supported here", errors.NotImplemented),
    ):
        with pytest.raises(kind, match=told):
            client.api_client.do("POST", f"/api/2.0/pipelines/{pipeline_id}/updates", body=wrong)


def test_from_settings_to_events(server: Server, spark: SparkSession, schema: str, workspace: Path) -> None:
    (workspace / "limits.py").write_text("MOST = 10\n")
    (workspace / "transformations" / "a.py").write_text(
        """
import os

from limits import MOST
from pyspark import pipelines as dp

for place in ("DATABASE", "FOLDER"):
    try:
        open(place) if place.endswith(".db") else os.scandir(place)
    except PermissionError as error:
        print("kept out:", error.strerror)


@dp.materialized_view
@dp.expect_or_drop("small", f"id < {MOST}")
def numbers():
    return spark.range(int(spark.conf.get("how.many")))
""".replace("DATABASE", str(server.root / "metadata.db")).replace(
            '"FOLDER"):', f"{psutil.Process(server.process.pid).cwd()!r}):"
        )
    )
    (workspace / "count.sql").write_text(
        "-- Databricks notebook source\nCREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM numbers"
    )
    (workspace / "transformations" / "private.sql").write_text(PRIVATE)
    spark.sql(f"CREATE TABLE {schema}.raw AS SELECT id FROM range(10)").collect()
    client = client_of(server)
    catalog, short = schema.split(".")
    name = f"numbers {short}"
    settings: dict[str, Any] = {
        "catalog": catalog,
        "schema": short,
        "root_path": source(server, workspace),
        "configuration": {"how.many": "20"},
        "libraries": [
            PipelineLibrary(glob=PathPattern(include="transformations/**")),
            PipelineLibrary(notebook=NotebookLibrary(path=source(server, workspace / "count"))),
        ],
    }
    assert client.pipelines.create(name=name, dry_run=True, **settings).effective_settings is not None
    pipeline_id = client.pipelines.create(
        name=name, event_log=EventLogSpec(name="told"), development=True, edition="ADVANCED", **settings
    ).pipeline_id
    assert pipeline_id
    refuses_settings(client, pipeline_id, name=name, **settings)

    update_id = client.pipelines.start_update(pipeline_id).update_id
    assert update_id
    with pytest.raises(ResourceConflict, match="active update"):
        client.pipelines.start_update(pipeline_id)
    assert ended(client, pipeline_id, update_id) == "COMPLETED"
    assert [row.n for row in spark.table(f"{schema}.counted").collect()] == [10]
    log = server.root / "logs" / "pipelines" / pipeline_id / f"{update_id}.log"
    assert log.read_text().count("kept out: Permission denied") == 2

    found = client.pipelines.get(pipeline_id)
    assert found.spec is not None
    assert (found.name, found.state.value if found.state else "", found.creator_user_name) == (
        name,
        "IDLE",
        found.run_as_user_name,
    )
    assert (found.spec.catalog, found.spec.schema, found.spec.edition, found.spec.development) == (
        catalog,
        short,
        "ADVANCED",
        True,
    )
    assert [one.update_id for one in found.latest_updates or ()] == [update_id]
    assert [one.name for one in client.pipelines.list_pipelines(filter=f"name LIKE '%{short}'")] == [name]
    notebook = source(server, workspace / "count")
    assert [one.pipeline_id for one in client.pipelines.list_pipelines(filter=f"notebook='{notebook}'")] == [pipeline_id]

    private = nobody_else_knows(server, spark, schema, pipeline_id)
    events = check_events(server, client, pipeline_id, schema)
    by_id = spark.sql(f"SELECT id FROM event_log('{pipeline_id}')").count()
    quality = "details:flow_progress.data_quality"
    counted = spark.sql(
        f"SELECT {quality}.dropped_records::int, {quality}.expectations[0].name FROM event_log('{pipeline_id}') "
        f"WHERE event_type = 'flow_progress' AND {quality} IS NOT NULL"
    )
    assert counted.columns == ["dropped_records", "name"]
    assert (10, "small") in [tuple(row) for row in counted.collect()]
    by_table = spark.sql(f"SELECT e.origin.update_id FROM event_log(TABLE({schema}.numbers)) AS e WHERE level = 'INFO'")
    assert {row[0] for row in by_table.collect()} == {None, update_id}
    assert spark.table(f"{schema}.told").count() == by_id == events

    # Lineage says that the pipeline did it.
    lineage = server.client().get(
        "/api/2.0/lineage-tracking/table-lineage", params={"table_name": f"{schema}.counted", "include_entity_lineage": "true"}
    )
    assert pipeline_id in lineage.text
    becomes_public(client, pipeline_id, workspace / "transformations" / "private.sql", spark, schema)

    streams_are_looked_at(client, pipeline_id, workspace / "count.sql")
    has_faults(server, client, pipeline_id, workspace, name, settings)
    looks_only(client, pipeline_id, workspace / "count.sql", spark, schema)
    client.pipelines.delete(pipeline_id)
    with pytest.raises(NotFound):
        client.pipelines.get(pipeline_id)
    assert spark.table(f"{schema}.numbers").count() == 10
    assert not list(private.glob("*/_delta_log"))


def streams_are_looked_at(client: WorkspaceClient, pipeline_id: str, file: Path) -> None:
    """What the embedded engine does not do with a stream is told by an update that only plans."""
    file.write_text(
        "-- Databricks notebook source\nCREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM numbers;\n"
        "CREATE STREAMING TABLE ranked AS SELECT id, rank() OVER (ORDER BY id) AS r FROM STREAM(raw);\n"
        "CREATE STREAMING TABLE sums AS SELECT id, count(*) AS n FROM STREAM(raw) GROUP BY id"
    )
    update_id = client.pipelines.start_update(pipeline_id, validate_only=True).update_id
    assert update_id
    assert ended(client, pipeline_id, update_id) == "FAILED"
    found = client.pipelines.list_pipeline_events(pipeline_id, filter=f"level = 'ERROR' AND update_id = '{update_id}'")
    told = sorted(str(one.message) for one in found)
    assert len(told) == 2
    assert ":3: [STREAMING_NOT_SUPPORTED] OVER in a SQL text over a stream is not supported" in told[0]
    assert ":4: [STREAMING_OUTPUT_MODE.UNSUPPORTED_OPERATION] Append output mode not supported" in told[1]


def has_faults(
    server: Server, client: WorkspaceClient, pipeline_id: str, workspace: Path, name: str, settings: dict[str, Any]
) -> None:
    """Other settings; faults with file and line."""
    (workspace / "count.sql").write_text(
        "-- Databricks notebook source\n\nCREATE MATERIALIZED VIEW counted AS SELECT nope FROM numbers"
    )
    changed: dict[str, Any] = {**settings, "configuration": {"how.many": "5"}}
    client.pipelines.update(pipeline_id, name=name, **changed)
    second = client.pipelines.start_update(pipeline_id, validate_only=True).update_id
    assert second
    assert ended(client, pipeline_id, second) == "FAILED"
    fault = next(client.pipelines.list_pipeline_events(pipeline_id, filter="level = 'ERROR'"))
    assert fault.error is not None
    assert fault.error.exceptions is not None
    assert f"{source(server, workspace / 'count.sql')}:3" in str(fault.error.exceptions[0].message)
    assert [one.update_id for one in client.pipelines.list_updates(pipeline_id, max_results=1).updates or ()] == [second]


def test_permissions(server: Server, schema: str, workspace: Path) -> None:
    path = workspace / "a.sql"
    path.write_text("CREATE MATERIALIZED VIEW v AS SELECT 1 AS x")
    owner_name, other_name = f"owner-{uuid.uuid4().hex[:6]}", f"other-{uuid.uuid4().hex[:6]}"
    owner, other = (client_of(server, server.new_principal(name)) for name in (owner_name, other_name))
    library = PipelineLibrary(file=FileLibrary(path=source(server, path)))
    catalog, short = schema.split(".")
    pipeline_id = owner.pipelines.create(name=f"p {short}", catalog=catalog, schema=short, libraries=[library]).pipeline_id
    assert pipeline_id
    assert server.client("").get(f"/api/2.0/pipelines/{pipeline_id}").status_code == 401
    for refused in (
        lambda: other.pipelines.get(pipeline_id),
        lambda: other.pipelines.start_update(pipeline_id),
        lambda: other.pipelines.delete(pipeline_id),
        lambda: list(other.pipelines.list_pipeline_events(pipeline_id)),
    ):
        with pytest.raises(NotFound):
            refused()
    assert not list(other.pipelines.list_pipelines())
    view = PipelineAccessControlRequest(user_name=other_name, permission_level=PipelinePermissionLevel.CAN_VIEW)
    owner.pipelines.update_permissions(pipeline_id, access_control_list=[view])
    assert other.pipelines.get(pipeline_id).pipeline_id == pipeline_id
    with pytest.raises(PermissionDenied, match="CAN_RUN"):
        other.pipelines.start_update(pipeline_id)
    with pytest.raises(PermissionDenied, match="CAN_MANAGE"):
        other.pipelines.update(pipeline_id, name="mine")
    manage = PipelineAccessControlRequest(user_name=other_name, permission_level=PipelinePermissionLevel.CAN_MANAGE)
    kept = owner.pipelines.set_permissions(pipeline_id, access_control_list=[manage]).access_control_list or []
    assert {(one.user_name, (one.all_permissions or [])[0].permission_level) for one in kept if one.user_name} == {
        (owner_name, PipelinePermissionLevel.IS_OWNER),
        (other_name, PipelinePermissionLevel.CAN_MANAGE),
    }
    assert len(owner.pipelines.get_permission_levels(pipeline_id).permission_levels or []) == 4

    # It runs with its owner's rights, who has none on this schema, and may not read the source of others.
    update_id = other.pipelines.start_update(pipeline_id).update_id
    assert update_id
    assert ended(other, pipeline_id, update_id) == "FAILED"
    told = next(other.pipelines.list_pipeline_events(pipeline_id, filter="level='ERROR'"))
    assert "Give them USE SCHEMA on it" in str(told.message)
    private = PipelineLibrary(file=FileLibrary(path="/Workspace/Users/admin/secret.sql"))
    owner.pipelines.update(pipeline_id, name="renamed", catalog=catalog, schema=short, libraries=[private])
    update_id = owner.pipelines.start_update(pipeline_id).update_id
    assert update_id
    assert ended(owner, pipeline_id, update_id) == "FAILED"
    assert "not yours to read" in str(next(owner.pipelines.list_pipeline_events(pipeline_id, filter="level='ERROR'")).message)
    for library in ({"jar": "x"}, {"file": {"path": "a"}, "notebook": {"path": "b"}}):
        answer = server.client().post("/api/2.0/pipelines", json={"name": f"bad {short}", "libraries": [library]})
        assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
        assert "libraries[0]" in answer.json()["message"]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_continuous_pipeline_goes_on_until_it_is_stopped_and_after_a_restart(
    new_server: Callable[..., Server], how: signal.Signals
) -> None:
    server = new_server()
    folder = server.root / "workspace" / "Shared"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.sql").write_text("CREATE MATERIALIZED VIEW n AS SELECT count(*) AS n FROM main.default.numbers")
    spark = SparkSession.builder.remote(server.spark_remote()).create()
    spark.sql("CREATE TABLE main.default.numbers AS SELECT 1 AS id").collect()
    client = client_of(server)
    library = PipelineLibrary(file=FileLibrary(path="/Workspace/Shared/a.sql"))
    pipeline_id = client.pipelines.create(
        name="on",
        catalog="main",
        schema="live",
        continuous=True,
        libraries=[library],
        configuration={"pipelines.trigger.interval": "1 second"},
    ).pipeline_id
    assert pipeline_id

    def count(session: SparkSession, expected: int) -> bool:
        return bool(session.catalog.tableExists("main.live.n")) and [
            row.n for row in session.table("main.live.n").collect()
        ] == [expected]

    until(lambda: count(spark, 1), "nothing was counted")
    spark.sql("INSERT INTO main.default.numbers VALUES (2)").collect()
    until(lambda: count(spark, 2), "the new row was not counted")
    versions = spark.sql("DESCRIBE HISTORY main.live.n").count()
    assert versions == 3, "made, and one commit for each change"
    spark.stop()
    server.stop(how)

    server = new_server()
    client = client_of(server)
    updates = until(
        lambda: (found := client.pipelines.get(pipeline_id).latest_updates or []) and len(found) == 2 and found,
        "it was not started again",
    )
    assert updates[1].state is not None
    assert updates[1].state.value == "FAILED"
    told = [one.message for one in client.pipelines.list_pipeline_events(pipeline_id, filter="level='ERROR'")]
    assert told == [f"Update {updates[1].update_id[:6]} has failed: The server was stopped while the update ran."]
    client.pipelines.stop_and_wait(pipeline_id)
    assert ended(client, pipeline_id, updates[0].update_id) == "CANCELED"


def test_what_a_killed_process_had_begun_ends(server: Server, spark: SparkSession, schema: str, workspace: Path) -> None:
    rows = 10**12
    file = workspace / "long.sql"
    file.write_text(f"CREATE MATERIALIZED VIEW long AS SELECT sum(id % 7) AS total FROM range({rows})")
    client = client_of(server)
    catalog, short = schema.split(".")
    library = PipelineLibrary(file=FileLibrary(path=source(server, file)))
    made = client.pipelines.create(name=f"killed {short}", catalog=catalog, schema=short, libraries=[library], development=True)
    assert made.pipeline_id
    first = client.pipelines.start_update(made.pipeline_id).update_id
    assert first
    began = f"event_type = 'planning_information' AND update_id = '{first}'"
    until(lambda: list(client.pipelines.list_pipeline_events(made.pipeline_id or "", filter=began)), "it did not begin")
    (driver,) = [
        one for one in psutil.Process(server.process.pid).children() if "boathouse.pipelines.running.driver" in one.cmdline()
    ]
    driver.kill()
    assert ended(client, made.pipeline_id, first) == "FAILED"
    written = (
        f"SELECT execution_status FROM system.query.history WHERE statement_text LIKE '%{short}`.`long`' ORDER BY end_time DESC"
    )
    assert [row[0] for row in spark.sql(written).collect()][:1] == ["CANCELED"]
    file.write_text("CREATE MATERIALIZED VIEW long AS SELECT 1 AS total")
    second = client.pipelines.start_update(made.pipeline_id).update_id
    assert second
    assert ended(client, made.pipeline_id, second) == "COMPLETED"
    client.pipelines.delete(made.pipeline_id)


SECRETIVE = """
from pyspark import pipelines as dp

found = dbutils.secrets.get("SCOPE", "key")
print("it is", found)
for name in ("fs", "widgets"):
    try:
        getattr(dbutils, name).get("a")
    except NotImplementedError as error:
        print(error)


@dp.materialized_view(comment="With " + found)
def lengths():
    return spark.range(len(found)).selectExpr("count(*) AS n")
"""


def test_secrets_of_whom_it_runs_as(server: Server, spark: SparkSession, schema: str, workspace: Path) -> None:
    catalog, short = schema.split(".")
    who = f"reader-{short}"
    other = client_of(server, server.new_principal(who))
    admin = client_of(server)
    admin.secrets.create_scope(short)
    admin.secrets.put_secret(short, "key", string_value='sesame "\u00f6" opens')
    file = workspace / "secretive.py"
    file.write_text(SECRETIVE.replace("SCOPE", short))
    library = PipelineLibrary(file=FileLibrary(path=source(server, file)))
    made = other.pipelines.create(
        name=f"secretive {short}", catalog=catalog, schema=short, libraries=[library], development=True
    )
    assert made.pipeline_id

    def run() -> tuple[str, str]:
        update_id = other.pipelines.start_update(made.pipeline_id or "").update_id
        assert update_id
        state = ended(other, made.pipeline_id or "", update_id)
        raw = server.client().get(f"/api/2.0/pipelines/{made.pipeline_id}/events", params={"max_results": 250}).text
        log = server.root / "logs" / "pipelines" / str(made.pipeline_id) / f"{update_id}.log"
        return state, raw + log.read_text()

    state, told = run()
    assert (state, f"Give them USE SCHEMA on it, or CREATE SCHEMA on the catalog {catalog}" in told) == ("FAILED", True)
    for text in (f"USE CATALOG ON CATALOG {catalog}", f"USE SCHEMA ON SCHEMA {schema}", f"CREATE TABLE ON SCHEMA {schema}"):
        spark.sql(f"GRANT {text} TO `{who}`").collect()
    state, told = run()
    assert (state, f"does not have the permission READ on the scope {short}" in told) == ("FAILED", True), told
    admin.secrets.put_acl(short, who, AclPermission.READ)
    state, told = run()
    assert state == "COMPLETED", told
    assert [row.n for row in spark.table(f"{schema}.lengths").collect()] == [len('sesame "\u00f6" opens')]
    assert "it is [REDACTED]" in told
    assert "With [REDACTED]" in told
    assert "sesame" not in told
    assert "dbutils.widgets.get is not served here: give a pipeline its values by configuration" in told
