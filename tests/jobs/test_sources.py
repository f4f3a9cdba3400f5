"""Tasks of SQL and tasks at a commit of a repository, with a stock client as a user who is no admin."""

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound, PermissionDenied
from databricks.sdk.errors.platform import ResourceAlreadyExists
from databricks.sdk.service import iam, sql
from databricks.sdk.service import jobs as api
from pyspark.sql import SparkSession

from boathouse.engine.scripts import Raw, bound, filled, statements
from tests.conftest import Server
from tests.engine.conftest import admin_session, connect, grant, schema, spark
from tests.jobs.harness import until
from tests.workspace.git_server import git_server
from tests.workspace.runtime.conftest import Person, person, user
from tests.workspace.test_git import TOKEN, Remote, remote

__all__ = ["admin_session", "connect", "grant", "person", "remote", "schema", "spark", "user"]
SCRIPT = """
-- what a night's load does; {{nothing}} here
CREATE TABLE {{`target`}} (id INT, said STRING) USING delta;
INSERT INTO IDENTIFIER(:table) VALUES (1, :said), (2, 'it\\'s {{said}}; so');
SELECT id, said FROM IDENTIFIER(:table) WHERE id >= :least ORDER BY id;
""".replace("{{`target`}}", "`{{catalog}}`.`{{schema}}`.t")


@pytest.fixture(scope="session")
def server(shared_server: Server) -> Server:
    """What is run goes to the gateway, whatever the database."""
    return shared_server


def warehouse(client: WorkspaceClient) -> str:
    return str(next(iter(client.warehouses.list())).id)


def ended(client: WorkspaceClient, task: dict[str, Any], **settings: Any) -> tuple[api.Run, dict[str, Any]]:
    """A run of one task, and its output."""
    body = {"run_name": "of a test", "tasks": [{"task_key": "t", **task}], **settings}
    run_id = client.api_client.do("POST", "/api/2.2/jobs/runs/submit", body=body)["run_id"]
    run = until(lambda: (found := client.jobs.get_run(run_id)).end_time and found, f"run {run_id} has not ended")
    output: Any = client.api_client.do("GET", "/api/2.2/jobs/runs/get-output", query={"run_id": run_id})
    return run, output


def test_parameters_are_values_wherever_they_stand() -> None:
    values = {"a": "x'; DROP", "n": -5, "name": "my`t", "order": Raw("DESC"), "none": None}
    assert bound("select :a, x::int, s:a, m[1]:a, y-:n, :other, ':a' -- :a", values) == (
        "select 'x\\'; DROP', x::int, s:a, m[1]:a, y-(-5), :other, ':a' -- :a"
    )
    text = "{{a}} '-{{ a }}-' `{{name}}` 1-{{n}} {{order}} {{none}} /* {{zzz}} */"
    assert filled(text, values) == "'x\\'; DROP' '-x\\'; DROP-' `my``t` 1-(-5) DESC NULL /* {{zzz}} */"
    assert statements("a; -- x;\n b ';' ;; /* ; */") == ["a", "b ';'"]


def test_a_file_of_statements_runs_as_the_runs_principal(
    server: Server, user: Person, schema: str, grant: Callable[..., None], spark: SparkSession
) -> None:
    client, catalog = user.client, schema.partition(".")
    grant("schema", schema, user.name, "USE_SCHEMA", "CREATE_TABLE")
    path = user.put("load.sql", SCRIPT, None)
    task = {
        "sql_task": {
            "file": {"path": path},
            "warehouse_id": warehouse(client),
            "parameters": {"catalog": catalog[0], "schema": catalog[2], "table": f"{schema}.t", "said": "so'", "least": "1"},
        }
    }
    run, output = ended(client, task)
    assert run.state, output
    assert run.state.result_state is api.RunResultState.SUCCESS, output
    told = output["sql_output"]["query_output"]
    assert told["query_text"] == SCRIPT
    assert [one["status"] for one in told["sql_statements"]] == ["FINISHED"] * 3
    last = told["sql_statements"][2]
    assert (last["columns"], last["truncated"]) == (
        [{"name": "id", "type": "int"}, {"name": "said", "type": "string"}],
        False,
    )
    assert last["rows"] == [[1, "so'"], [2, "it's so'; so"]]
    assert "-- statement 3 of 3" in output["logs"]
    typed = client.jobs.get_run_output(run.tasks[0].run_id if run.tasks and run.tasks[0].run_id else 0)
    assert typed.sql_output
    assert typed.sql_output.query_output
    assert typed.sql_output.query_output.sql_statements
    found = spark.sql(
        f"SELECT executed_by, query_source FROM system.query.history WHERE statement_id = '{last['lookup_key']}'"
    ).collect()
    assert [(row.executed_by, row.query_source.job_info.job_run_id) for row in found] == [(user.name, str(run.run_id))]

    def in_lineage() -> bool:
        answer = server.client().get(
            "/api/2.0/lineage-tracking/table-lineage", params={"table_name": f"{schema}.t", "include_entity_lineage": "true"}
        )
        return str(run.job_id) in json.dumps(answer.json())

    until(in_lineage, "lineage does not say which job it was")
    run, output = ended(client, task)
    assert output["error"].startswith("Statement 1 of 3 has failed: [TABLE_OR_VIEW_ALREADY_EXISTS]"), output
    assert [one["status"] for one in output["sql_output"]["query_output"]["sql_statements"]] == ["FAILED"]


def test_saved_queries(user: Person, person: Callable[[], Person], grant: Callable[..., None]) -> None:
    client, other = user.client, person()
    grant("schema", "main.default", other.name, "USE_SCHEMA")
    body = sql.CreateQueryRequestQuery(
        display_name="totals",
        query_text="SELECT {{label}} AS label, {{n}} + 1 AS n, '{{from.start}}' AS since, id FROM range(3) ORDER BY id {{order}}",
        catalog="main",
        schema="default",
        tags=["nightly"],
        parameters=[
            sql.QueryParameter(name="label", text_value=sql.TextValue(value="all of 'em")),
            sql.QueryParameter(name="n", numeric_value=sql.NumericValue(value=-3)),
            sql.QueryParameter(name="order", enum_value=sql.EnumValue(enum_options="ASC\nDESC", values=["DESC"])),
            sql.QueryParameter(
                name="from",
                date_range_value=sql.DateRangeValue(date_range_value=sql.DateRange(start="2026-01-31", end="2026-02-01")),
            ),
        ],
    )
    made = client.queries.create(query=body)
    assert made.id
    assert (made.parent_path, made.owner_user_name, made.lifecycle_state) == (user.home, user.name, sql.LifecycleState.ACTIVE)
    with pytest.raises(ResourceAlreadyExists, match="has a query 'totals' already"):
        client.queries.create(query=body)
    again = client.queries.create(query=body, auto_resolve_display_name=True)
    assert again.id
    assert again.display_name == "totals (1)"
    assert [one.id for one in client.queries.list(page_size=1)] == [made.id, again.id]
    assert client.queries.get(made.id) == made
    changed = client.queries.update(again.id, "description,tags", query=sql.UpdateQueryRequestQuery(description="why"))
    assert (changed.description, changed.tags, changed.query_text) == ("why", None, body.query_text)
    with pytest.raises(BadRequest, match=r"update_mask is 'colour'\. Valid: "):
        client.queries.update(made.id, "colour", query=sql.UpdateQueryRequestQuery())
    backed = sql.QueryParameter(name="q", query_backed_value=sql.QueryBackedValue(query_id="x"))
    with pytest.raises(BadRequest, match="needs exactly one of text_value, numeric_value"):
        client.queries.create(query=sql.CreateQueryRequestQuery(display_name="no", parameters=[backed]))

    assert list(other.client.queries.list()) == []
    with pytest.raises(NotFound):
        other.client.queries.get(made.id)
    level = iam.PermissionLevel
    given = [iam.AccessControlRequest(user_name=other.name, permission_level=level.CAN_READ)]
    client.permissions.update("queries", made.id, access_control_list=given)
    assert [one.id for one in other.client.queries.list()] == [made.id]
    with pytest.raises(PermissionDenied, match="does not have CAN_EDIT"):
        other.client.queries.update(made.id, "tags", query=sql.UpdateQueryRequestQuery(tags=[]))
    task = {"sql_task": {"query": {"query_id": made.id}, "warehouse_id": warehouse(other.client), "parameters": {"n": "4"}}}
    _, refused = ended(other.client, task)
    assert "does not have CAN_RUN on query" in refused["error"]
    given[0].permission_level = level.CAN_RUN
    client.permissions.update("queries", made.id, access_control_list=given)
    _, output = ended(other.client, task)
    assert "error" not in output, output["error"]
    shown = output["sql_output"]["query_output"]["sql_statements"][0]["rows"]
    assert shown == [["all of 'em", 5, "2026-01-31", number] for number in (2, 1, 0)]
    task["sql_task"]["parameters"] = {"order": "; DROP"}
    _, output = ended(other.client, task)
    assert output["error"] == "parameters.order is '; DROP'. Valid: ASC, DESC."

    client.queries.delete(made.id)
    assert client.queries.get(made.id).lifecycle_state is sql.LifecycleState.TRASHED
    assert [one.id for one in client.queries.list()] == [again.id]
    _, output = ended(other.client, {"sql_task": {**task["sql_task"], "parameters": {}}})
    assert output["error"] == f"Query '{made.id}' does not exist."


NOTEBOOK = """# Databricks notebook source
from lib.rates import RATE

# COMMAND ----------

# MAGIC %run ./setup

# COMMAND ----------

dbutils.notebook.exit(f"{RATE} {WORD}")
"""


def test_tasks_run_at_one_commit_of_a_repository(server: Server, remote: Remote) -> None:
    admin = WorkspaceClient(host=server.url, token=server.token, auth_type="pat")
    remote.push("notebooks/train.py", NOTEBOOK)
    remote.push("notebooks/setup.py", "# Databricks notebook source\nWORD = 'first'\n")
    remote.push(
        "jobs/say.py", "import sys; from pathlib import Path; print('said', *sys.argv[1:], Path(__file__).parent.name)\n"
    )
    first = remote.push("ask.sql", "SELECT :x AS x, 'first' AS said")
    with git_server(remote.folder.parent, "x-access-token", TOKEN) as url:
        source = {"git_url": f"{url}/churn.git", "git_provider": "gitHub", "git_branch": "main"}
        ask = {"sql_task": {"file": {"path": "ask.sql"}, "warehouse_id": warehouse(admin), "parameters": {"x": "1"}}}
        _, output = ended(admin, ask, git_source=source)
        assert "git credential" in output["error"].lower(), output
        credential = admin.git_credentials.create("gitHub", git_username="x-access-token", personal_access_token=TOKEN)
        try:
            tasks = [
                {"task_key": "ask", **ask},
                {
                    "task_key": "train",
                    "depends_on": [{"task_key": "ask"}],
                    "notebook_task": {"notebook_path": "notebooks/train"},
                },
                {
                    "task_key": "say",
                    "depends_on": [{"task_key": "ask"}],
                    "spark_python_task": {"python_file": "jobs/say.py", "parameters": ["{{tasks.ask.result_state}}"]},
                },
            ]
            job = admin.api_client.do(
                "POST", "/api/2.2/jobs/create", body={"name": "of git", "tasks": tasks, "git_source": source}
            )
            job_id = int(job["job_id"])  # type: ignore[call-overload,index]
            run = admin.jobs.run_now_and_wait(job_id)
            assert run.git_source
            assert run.git_source.git_snapshot
            assert run.git_source.git_snapshot.used_commit == first
            assert run.state
            assert run.state.result_state is api.RunResultState.SUCCESS, run
            ids = {one.task_key: one.run_id or 0 for one in run.tasks or ()}
            trained = admin.jobs.get_run_output(ids["train"]).notebook_output
            assert trained
            assert trained.result == "1 first"
            assert "said success jobs" in (admin.jobs.get_run_output(ids["say"]).logs or "")
            second = remote.push("notebooks/setup.py", "# Databricks notebook source\nWORD = 'second'\n")
            train = {"notebook_task": {"notebook_path": "notebooks/train"}}
            for reference, commit, said in (
                ({"git_branch": "main"}, second, "1 second"),
                ({"git_commit": first}, first, "1 first"),
            ):
                at = {key: value for key, value in source.items() if key != "git_branch"} | reference
                run, output = ended(admin, train, git_source={**at, "sparse_checkout": {"patterns": ["notebooks", "lib"]}})
                assert output["notebook_output"]["result"] == said, output
                assert run.git_source
                assert run.git_source.git_snapshot
                assert run.git_source.git_snapshot.used_commit == commit
            _, output = ended(admin, train, git_source={**source, "git_branch": "nowhere"})
            assert "there is no branch 'nowhere' at http" in output["error"]
            _, output = ended(admin, train, git_source={**source, "sparse_checkout": {"patterns": ["jobs"]}})
            assert "has no notebook 'notebooks/train' at the commit of this run" in output["error"]
        finally:
            admin.git_credentials.delete(credential.credential_id)
    assert list((server.root / "workspace" / "Repos" / ".internal").iterdir()) == []
    # A folder of the machine, which an admin may name.
    local = {"git_url": str(remote.folder), "git_provider": "gitHub", "git_tag": "v1"}
    subprocess.run(["git", "tag", "v1", first], cwd=remote.theirs, check=True)
    subprocess.run(["git", "push", "-q", "origin", "v1"], cwd=remote.theirs, check=True)
    _, output = ended(admin, ask, git_source=local)
    assert output["sql_output"]["query_output"]["sql_statements"][0]["rows"] == [["1", "first"]], output


def test_a_statement_ends_with_its_task(user: Person, spark: SparkSession) -> None:
    client, mark = user.client, f"m{id(user)}"
    path = user.put("long.sql", f"SELECT 1; SELECT count(*) AS {mark} FROM range(100000000000) a WHERE id % 7 = 3", None)
    task = {"task_key": "t", "sql_task": {"file": {"path": path}, "warehouse_id": warehouse(client)}}
    body = {"run_name": "long", "tasks": [task]}
    run_id = client.api_client.do("POST", "/api/2.2/jobs/runs/submit", body=body)["run_id"]

    def working() -> bool:
        tasks = client.jobs.get_run(run_id).tasks or []
        asked = f"SELECT open_requests FROM system.compute.sessions WHERE principal = '{user.name}'"
        busy = [row.open_requests for row in spark.sql(asked).collect()]
        return busy == [1] and "-- statement 2 of 2" in str(client.jobs.get_run_output(tasks[0].run_id or 0).logs)

    until(working, "the statement has not begun")
    client.jobs.cancel_run(run_id)
    run = until(lambda: (found := client.jobs.get_run(run_id)).end_time and found, "the run does not end")
    assert run.state.result_state is api.RunResultState.CANCELED

    def told() -> list[str]:
        asked = f"SELECT execution_status FROM system.query.history WHERE statement_text LIKE '%{mark}%' AND executed_by = '{user.name}'"
        return [row.execution_status for row in spark.sql(asked).collect()]

    assert set(until(told, "the history does not know of it")) == {"CANCELED"}
    until(lambda: not working(), "the engine goes on")


REFUSED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"alert": {"id": "x"}}, {}, "sql_task.alert.alert_id is missing"),
    (
        {"alert": {"alert_id": "x", "subscriptions": [{"destination_id": "y"}]}},
        {},
        "sql_task.alert.subscriptions[0].destination_id is 'y', which is no notification destination.",
    ),
    ({"dashboard": {}}, {}, "sql_task.dashboard.dashboard_id is missing"),
    ({}, {}, "sql_task needs exactly one of query, file, alert, dashboard; it has none."),
    ({"file": {"path": "x", "source": "GIT"}}, {}, "source is GIT, but the job has no git_source."),
    ({"file": {"path": "x"}, "warehouse_id": "nope"}, {}, "sql_task.warehouse_id is 'nope', which is not the warehouse of "),
    (
        {"file": {"path": "x"}},
        {"git_source": {"git_url": "https://h/x"}},
        "git_source needs exactly one of git_branch, git_tag",
    ),
    (
        {"file": {"path": "x"}},
        {"git_source": {"git_url": "/srv/x", "git_provider": "gitHub", "git_branch": "main"}},
        "Only an admin may use http:// and folders of the server's machine.",
    ),
]


def test_what_cannot_be_run_is_refused_when_it_is_declared(user: Person) -> None:
    own = warehouse(user.client)
    for spec, settings, told in REFUSED:
        task = {"task_key": "t", "sql_task": {"warehouse_id": own, **spec}}
        with pytest.raises(BadRequest) as refused:
            user.client.api_client.do("POST", "/api/2.2/jobs/create", body={"name": "x", "tasks": [task], **settings})
        assert told in str(refused.value), (spec, str(refused.value))
    _, output = ended(user.client, {"sql_task": {"file": {"path": f"{user.home}/nope.sql"}, "warehouse_id": own}})
    assert "nope.sql" in output["error"]
