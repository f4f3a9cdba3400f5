"""Alerts with a stock client: who may, what is found, who is told, and what jobs hear of it."""

from collections.abc import Callable
from pathlib import Path
from socketserver import ThreadingTCPServer
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound, PermissionDenied
from databricks.sdk.errors.platform import ResourceAlreadyExists
from databricks.sdk.service import iam, jobs, sql
from databricks.sdk.service.sql import AlertEvaluationState as State
from pydantic import SecretStr
from pyspark.sql import SparkSession

from boathouse.engine.api import warehouse_id_of
from boathouse.jobs.api import Senders
from boathouse.jobs.models import JobNoticeRow
from boathouse.kit.clock import now_ms
from boathouse.sql.alerts.evaluation import Evaluated, compare
from boathouse.sql.alerts.schemas import AlertBody
from boathouse.sql.alerts.service import AlertService, record
from boathouse.sql.statements import Answer
from tests.conftest import Server
from tests.engine.conftest import admin_session, connect, grant, schema, spark
from tests.jobs.harness import harness, until
from tests.jobs.test_notifications import Mail, listening
from tests.jobs.test_sources import ended, warehouse
from tests.workspace.runtime.conftest import Person, person, user

__all__ = ["admin_session", "connect", "grant", "person", "schema", "spark", "user"]


@pytest.fixture(scope="session")
def server(shared_server: Server) -> Server:
    return shared_server


def alert(client: WorkspaceClient, text: str, **more: Any) -> sql.AlertV2:
    """An alert whose schedule is paused, triggered while `n` is more than 1."""
    rule = sql.AlertV2Evaluation(
        source=sql.AlertV2OperandColumn(name="n", aggregation=more.pop("aggregation", None)),
        comparison_operator=sql.ComparisonOperator.GREATER_THAN,
        threshold=sql.AlertV2Operand(value=sql.AlertV2OperandValue(double_value=1)),
        empty_result_state=more.pop("empty", None),
    )
    body: dict[str, Any] = {
        "display_name": "too many",
        "query_text": text,
        "warehouse_id": warehouse(client),
        "evaluation": rule,
        "schedule": sql.CronSchedule("0 0 3 * * ?", "Europe/Vienna", sql.SchedulePauseStatus.PAUSED),
    }
    return sql.AlertV2(**(body | more))


def evaluate(client: WorkspaceClient, alert_id: str | None) -> dict[str, Any]:
    """The output of a task that evaluates an alert."""
    _, output = ended(client, {"sql_task": {"alert": {"alert_id": alert_id}, "warehouse_id": warehouse(client)}})
    return output


def test_alerts(
    user: Person, person: Callable[[], Person], spark: SparkSession, schema: str, grant: Callable[..., None]
) -> None:
    client, other = user.client, person()
    spark.sql(f"CREATE TABLE {schema}.t (n INT, who STRING) USING delta")
    spark.sql(f"INSERT INTO {schema}.t VALUES (1, '{user.name}'), (7, 'somebody else')")
    spark.sql(f"CREATE FUNCTION {schema}.own(who STRING) RETURN who = current_user()")
    spark.sql(f"ALTER TABLE {schema}.t SET ROW FILTER {schema}.own ON (who)")
    grant("schema", schema, user.name, "USE_SCHEMA", "SELECT", "EXECUTE")
    made = client.alerts_v2.create_alert(alert(client, f"SELECT n FROM {schema}.t ORDER BY n DESC"))
    assert made.id
    assert (made.parent_path, made.owner_user_name, made.lifecycle_state) == (
        user.home,
        user.name,
        sql.AlertLifecycleState.ACTIVE,
    )
    assert made.effective_run_as == sql.AlertV2RunAs(user_name=user.name)
    assert made.evaluation.state is State.UNKNOWN
    assert made.schedule.pause_status is sql.SchedulePauseStatus.PAUSED
    with pytest.raises(ResourceAlreadyExists, match="has an alert 'too many' already"):
        client.alerts_v2.create_alert(alert(client, "SELECT 1 AS n"))
    for wrong, said in (
        ({"text": "SELECT 1; SELECT 2"}, "query_text has 2 statements"),
        ({"schedule": sql.CronSchedule("every day", "UTC")}, "schedule.quartz_cron_expression 'every day' is not valid"),
        ({"warehouse_id": "x"}, f"warehouse_id.*{warehouse(client)}"),
        ({"run_as": sql.AlertV2RunAs(user_name=other.name)}, "Only an admin may let an alert run as somebody else"),
    ):
        with pytest.raises(BadRequest, match=said):
            client.alerts_v2.create_alert(alert(client, wrong.pop("text", "SELECT 1 AS n"), display_name="wrong", **wrong))

    # The row filter and the grants are those of the one as whom it runs.
    output = evaluate(client, made.id)
    told = output["sql_output"]["alert_output"]
    assert (told["alert_state"], told["sql_statements"][0]["rows"]) == ("OK", [[1]]), output
    assert told["output_link"].endswith(f"/alerts/{made.id}")
    found = client.alerts_v2.get_alert(made.id).evaluation
    assert found.state is State.OK
    assert found.last_evaluated_at
    with pytest.raises(NotFound):
        other.client.alerts_v2.get_alert(made.id)
    assert "does not exist" in evaluate(other.client, made.id)["error"]
    given = [iam.AccessControlRequest(user_name=other.name, permission_level=iam.PermissionLevel.CAN_EDIT)]
    client.permissions.update("alertsv2", made.id, access_control_list=given)
    assert [one.id for one in other.client.alerts_v2.list_alerts()] == [made.id]
    assert evaluate(other.client, made.id)["sql_output"]["alert_output"]["alert_state"] == "OK"
    changed = alert(client, "SELECT 2 AS n", display_name="stolen")
    with pytest.raises(BadRequest, match=f"query_text cannot be changed by {other.name}: the alert runs as {user.name}"):
        other.client.alerts_v2.update_alert(made.id, changed, "query_text")
    with pytest.raises(PermissionDenied, match="does not have CAN_MANAGE on alert"):
        other.client.alerts_v2.trash_alert(made.id)


def test_jobs_hear_of_alerts_and_keep_their_schedules(
    user: Person, spark: SparkSession, schema: str, grant: Callable[..., None]
) -> None:
    client = user.client
    spark.sql(f"CREATE TABLE {schema}.t (n INT) USING delta")
    grant("schema", schema, user.name, "USE_SCHEMA", "SELECT")
    spark.sql(f"INSERT INTO {schema}.t VALUES (2)")
    made = client.alerts_v2.create_alert(alert(client, f"SELECT n FROM {schema}.t"))
    assert made.id
    hears = {"boathouse_event": {"name": "alert.triggered", "where": {"alert_id": made.id}}}
    task = {"task_key": "t", "condition_task": {"op": "EQUAL_TO", "left": "{{job.trigger.event.payload.value}}", "right": "2"}}
    body = {"name": "hears", "trigger": hears, "tasks": [task]}
    job_id = int(client.api_client.do("POST", "/api/2.2/jobs/create", body=body)["job_id"])  # type: ignore[call-overload]
    with pytest.raises(BadRequest, match=r"names that begin with alert\., boathouse\., monitor\. are told by it alone"):
        client.api_client.do("POST", "/api/boathouse/v1/events/alert.triggered", body={})
    for _ in range(2):
        assert evaluate(client, made.id)["sql_output"]["alert_output"]["alert_state"] == "TRIGGERED"
    heard = until(lambda: [run for run in client.jobs.list_runs(job_id=job_id) if run.end_time], "the job has not heard")
    assert [run.state.result_state for run in heard if run.state] == [jobs.RunResultState.SUCCESS]

    # On its schedule, by a job that is in nobody's list.
    rule = made.evaluation
    rule.source.name, rule.notification = "m", sql.AlertV2Notification(notify_on_ok=True)
    often = sql.CronSchedule("* * * * * ?", "UTC", sql.SchedulePauseStatus.UNPAUSED)
    edited = alert(client, "SELECT 1 AS n", evaluation=rule, schedule=often, display_name="no m")
    before = [job.job_id for job in client.jobs.list()]
    client.alerts_v2.update_alert(made.id, edited, "evaluation,schedule,display_name")
    until(lambda: client.alerts_v2.get_alert(made.id).evaluation.state is State.ERROR, "it was not evaluated")
    assert [job.job_id for job in client.jobs.list()] == before
    history = client.api_client.do("GET", f"/api/boathouse/v1/alerts/{made.id}/evaluations")
    assert isinstance(history, dict)
    assert history["evaluations"][0]["error"] == "The result has no column 'm'. It has: n."
    assert "2" in {one["value"] for one in history["evaluations"]}
    paused = client.alerts_v2.update_alert(made.id, edited, "schedule.pause_status, evaluation.source.name")
    assert paused.schedule == often
    edited.schedule.pause_status = sql.SchedulePauseStatus.PAUSED
    assert client.alerts_v2.update_alert(made.id, edited, "schedule.pause_status").schedule.pause_status is not None
    client.alerts_v2.trash_alert(made.id)
    assert client.alerts_v2.get_alert(made.id).lifecycle_state is sql.AlertLifecycleState.DELETED
    assert list(client.alerts_v2.list_alerts()) == []
    client.alerts_v2.trash_alert(made.id, purge=True)
    with pytest.raises(NotFound):
        client.alerts_v2.get_alert(made.id)


def test_what_an_evaluation_finds(user: Person) -> None:
    client = user.client
    for number, (text, more, state) in enumerate(
        (
            ("SELECT * FROM VALUES (1), (5) AS t(n)", {}, "OK"),
            ("SELECT * FROM VALUES (1), (5) AS t(n)", {"aggregation": sql.Aggregation.MAX}, "TRIGGERED"),
            ("SELECT 1 AS n WHERE false", {}, "UNKNOWN"),
            ("SELECT 1 AS n WHERE false", {"empty": State.OK}, "OK"),
            ("SELECT 1 AS n WHERE false", {"aggregation": sql.Aggregation.COUNT}, "OK"),
            ("WITH a AS (SELECT CAST(1.50 AS DECIMAL(9, 2)) AS n) SELECT * FROM a;", {}, "TRIGGERED"),
            ("SELECT CAST(NULL AS INT) AS n", {}, "OK"),
            (
                "SELECT :least + :more AS n",
                {
                    "parameters": [
                        sql.AlertStatementParameter(name="least", value="2", type="INT"),
                        sql.AlertStatementParameter(name="more", value="-1.5", type="DECIMAL(9, 2)"),
                    ]
                },
                "OK",
            ),
        )
    ):
        made = client.alerts_v2.create_alert(alert(client, text, display_name=f"a{number}", **more))
        output = evaluate(client, made.id)
        assert output["sql_output"]["alert_output"]["alert_state"] == state, (text, output)
    first, *_ = client.alerts_v2.list_alerts(page_size=3)
    broken = client.alerts_v2.update_alert(
        first.id or "", alert(client, "SELECT n FROM main.default.is_not_there"), "query_text"
    )
    output = evaluate(client, broken.id)
    assert "is_not_there" in output["error"]
    assert client.alerts_v2.get_alert(broken.id or "").evaluation.state is State.ERROR


def test_alerts_on_saved_queries(user: Person) -> None:
    client = user.client
    query = client.queries.create(query=sql.CreateQueryRequestQuery(display_name="n", query_text="SELECT 2 AS n"))
    condition = sql.AlertCondition(
        op=sql.AlertOperator.GREATER_THAN,
        operand=sql.AlertConditionOperand(sql.AlertOperandColumn("n")),
        threshold=sql.AlertConditionThreshold(sql.AlertOperandValue(double_value=1)),
    )
    body = sql.CreateAlertRequestAlert(display_name="older", query_id=query.id, condition=condition, seconds_to_retrigger=60)
    made = client.alerts.create(alert=body)
    assert made.id
    assert (made.condition, made.state, made.seconds_to_retrigger) == (condition, sql.AlertState.UNKNOWN, 60)
    assert evaluate(client, made.id)["sql_output"]["alert_output"]["alert_state"] == "TRIGGERED"
    found = client.alerts.get(made.id)
    assert (found.state, found.trigger_time is not None, found.query_id) == (sql.AlertState.TRIGGERED, True, query.id)
    changed = sql.UpdateAlertRequestAlert(display_name="changed", notify_on_ok=True)
    assert client.alerts.update(made.id, "display_name,notify_on_ok", alert=changed).notify_on_ok
    assert [one.display_name for one in client.alerts.list()] == ["changed"]
    assert list(client.alerts_v2.list_alerts()) == []
    with pytest.raises(BadRequest, match=r"which /api/2\.0/sql/alerts serves"):
        client.alerts_v2.get_alert(made.id)
    with pytest.raises(BadRequest, match=r"alert.condition is missing"):
        client.alerts.create(alert=sql.CreateAlertRequestAlert(query_id=query.id))
    client.alerts.delete(made.id)
    assert client.alerts.get(made.id).lifecycle_state is sql.LifecycleState.TRASHED


@pytest.mark.parametrize(
    ("operator", "value", "threshold", "number", "met"),
    [
        ("EQUAL", "12.50", 12.5, True, True),
        ("NOT_EQUAL", 9007199254740993, 9007199254740992.0, True, True),
        ("LESS_THAN", "9", "10", False, False),
        ("LESS_THAN", 9, "10", True, True),
        ("GREATER_THAN_OR_EQUAL", "2026-01-31", "2026-01-31", False, True),
        ("EQUAL", True, True, False, True),
        ("GREATER_THAN", None, 1.0, True, False),
        ("GREATER_THAN", "nan", 1.0, True, False),
        ("LESS_THAN_OR_EQUAL", 1, "one", True, False),
        ("IS_NULL", None, None, True, True),
        ("IS_NOT_NULL", 0, None, True, True),
    ],
)
def test_values_are_compared(operator: str, value: Any, threshold: Any, number: bool, met: bool) -> None:
    assert compare(operator, value, threshold, number=number) is met


def test_people_are_told_when_it_is_time(tmp_path: Path) -> None:
    Mail.letters.clear()
    with (
        listening(ThreadingTCPServer(("127.0.0.1", 0), Mail)) as smtp,
        harness(tmp_path / "lake", senders=Senders(smtp_url=SecretStr(f"smtp://127.0.0.1:{smtp}"))) as here,
    ):
        body = {
            "display_name": "late",
            "query_text": "SELECT n, day FROM t",
            "warehouse_id": warehouse_id_of(here.admin.id),
            "evaluation": {
                "source": {"name": "n"},
                "comparison_operator": "GREATER_THAN",
                "threshold": {"value": {"double_value": 3}},
                "notification": {
                    "retrigger_seconds": 60,
                    "notify_on_ok": True,
                    "subscriptions": [{"user_email": "ann@example.com"}],
                },
            },
            "schedule": {"quartz_cron_schedule": "0 0 0 1 1 ? 2099", "timezone_id": "UTC"},
            "custom_summary": "{{ALERT_NAME}} is {{ALERT_STATUS}} {{nothing}}",
            "custom_description": "<b>{{QUERY_RESULT_VALUE}}</b>{{#QUERY_RESULT_ROWS}}<p>{{day}}</p>{{/QUERY_RESULT_ROWS}}",
        }
        with here.database.session(write=True) as session:
            alert_id = AlertService(session, here.admin, here.layout).create(AlertBody.model_validate(body)).id
        answer = Answer((("n", "int"), ("day", "string")), ((5, "<Monday>"), (6, "Tuesday")))
        runs = iter(range(1, 100))

        def found(state: str, **more: Any) -> int:
            """Record an evaluation; how many notices there are now."""
            with here.database.session(write=True) as session:
                what = Evaluated(state, answer, 5, 3.0, more.get("error"))
                run, others = next(runs), [("email", "bob@example.com")] if more.get("others") else []
                record(
                    session,
                    here.layout,
                    here.jobs.kinds,
                    alert_id,
                    (run, run),
                    what,
                    others=others,
                    quiet=bool(more.get("quiet")),
                    url="http://here",
                )
                return session.query(JobNoticeRow).count()

        assert [found("OK"), found("TRIGGERED"), found("TRIGGERED")] == [0, 1, 1]
        with here.database.session(write=True) as session:
            row = AlertService(session, here.admin, here.layout).get(alert_id)
            assert abs((row.told_at or 0) - now_ms()) < 60_000
            row.told_at = now_ms() - 60_001
        assert [found("TRIGGERED"), found("OK"), found("OK")] == [2, 3, 3]
        assert [found("ERROR", error="it broke"), found("ERROR"), found("OK")] == [4, 4, 4]
        assert [found("TRIGGERED", quiet=True), found("OK", others=True)] == [4, 6]
        until(lambda: len(Mail.letters) == 6, "not all letters have come")
        first = next(one for one in Mail.letters if "Subject: late is TRIGGERED" in one)
        for part in ("To: ann@example.com", "<b>5</b><p>&lt;Monday&gt;</p><p>Tuesday</p>", f"http://here/alerts/{alert_id}"):
            assert part in first.replace("=\r\n", ""), first
        assert sum("bob@example.com" in one for one in Mail.letters) == 1
