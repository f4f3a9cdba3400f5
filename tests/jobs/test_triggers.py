"""What starts jobs by itself: the clock, files, tables, their own end."""

import datetime as dt
import io
import time
import uuid
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest
from databricks.sdk.service import jobs as api
from pyspark.sql import SparkSession

from boathouse.errors import InvalidParameterValue
from boathouse.jobs.errors import SettingsInvalid
from boathouse.jobs.events import named_event
from boathouse.jobs.models import JobRow
from boathouse.jobs.runs import Wanted
from boathouse.jobs.schedules import check_schedule, next_time
from boathouse.jobs.schemas import SettingsBody
from boathouse.jobs.watches import FILES, TABLES, judge
from boathouse.kit.clock import now_ms
from tests.conftest import Server
from tests.engine.conftest import admin_session, connect, schema, spark
from tests.jobs.harness import Harness, act, until
from tests.models import MLMODEL

__all__ = ["admin_session", "connect", "schema", "spark"]
DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        ("0 0 12 * * ?", "UTC", "2026-01-01T12:00:00+00:00", "2026-01-02T12:00:00+00:00"),
        ("0 15 10 ? * MON-FRI", "Europe/Vienna", "2026-01-02T10:15:00+01:00", "2026-01-05T10:15:00+01:00"),
        ("0 0/5 14,18 * * ?", "UTC", "2026-01-01T14:57:00+00:00", "2026-01-01T18:00:00+00:00"),
        ("0 0 0 L * ?", "UTC", "2028-02-01T00:00:00+00:00", "2028-02-29T00:00:00+00:00"),
        ("0 0 9 15W * ?", "UTC", "2026-08-01T00:00:00+00:00", "2026-08-14T09:00:00+00:00"),
        ("0 15 10 ? * 6L", "UTC", "2026-01-01T00:00:00+00:00", "2026-01-30T10:15:00+00:00"),
        ("0 15 10 ? * 6#3", "UTC", "2026-01-01T00:00:00+00:00", "2026-01-16T10:15:00+00:00"),
        ("0 0 0 ? * L", "UTC", "2026-01-01T00:00:00+00:00", "2026-01-03T00:00:00+00:00"),
        ("30 0 0 1 1 ? 2030", "UTC", "2026-01-01T00:00:00+00:00", "2030-01-01T00:00:30+00:00"),
        # The night that has no half past two, and the one that has two of them.
        ("0 30 2 * * ?", "Europe/Vienna", "2026-03-28T12:00:00+01:00", "2026-03-29T03:00:00+02:00"),
        ("0 30 2 * * ?", "Europe/Vienna", "2026-10-24T12:00:00+02:00", "2026-10-25T02:30:00+02:00"),
        ("0 0 0 1 1 ? 2020", "UTC", "2026-01-01T00:00:00+00:00", None),
    ],
)
def test_quartz(expression: str, zone: str, after: str, expected: str | None) -> None:
    check_schedule(expression, zone, "schedule")
    found = next_time(expression, zone, round(dt.datetime.fromisoformat(after).timestamp() * 1000))
    wanted = None if expected is None else dt.datetime.fromisoformat(expected)
    assert (None if found is None else dt.datetime.fromtimestamp(found / 1000, dt.UTC)) == wanted


@pytest.mark.parametrize(
    "text", ["* * *", "0 0 0 1 1 1", "0 0 0 ? * 8", "0 0 99 * * ?", "0 0 0 ? * ?", "0 0 0 LW * ?", "x" * 600]
)
def test_no_quartz(text: str) -> None:
    with pytest.raises(SettingsInvalid, match=r"^schedule\.quartz_cron_expression '.* is not valid"):
        check_schedule(text, "UTC", "schedule")


def runs_of(jobs: Harness, job_id: int) -> list[Any]:
    return jobs.do(
        jobs.jobs.manage_runs(
            jobs.admin, lambda service: service.listed(Wanted(job_id=job_id), 100, None, 0, with_tasks=False), write=False
        )
    )


def test_the_clock(jobs: Harness) -> None:
    hourly = {"quartz_cron_expression": "0 0 * * * ?", "timezone_id": "UTC"}
    by_cron = jobs.create(act("a"), schedule=hourly)
    by_step = jobs.create(act("a"), trigger={"periodic": {"interval": 2, "unit": "HOURS"}})
    paused = jobs.create(act("a"), schedule={**hourly, "pause_status": "PAUSED"})
    with jobs.database.session(write=True) as session:
        due = {one: session.get_one(JobRow, one).due_at for one in (by_cron, by_step, paused)}
        assert due[paused] is None
        assert (due[by_cron] or 0) % 3_600_000 == 0
        # As if no server had run for days.
        for one in (by_cron, by_step):
            session.get_one(JobRow, one).due_at = now_ms() - 3 * DAY_MS
    for one in (by_cron, by_step):
        until(lambda one=one: len(runs_of(jobs, one)) == 1 and runs_of(jobs, one)[0].run.ended_at, "it did not run")
        assert runs_of(jobs, one)[0].run.trigger == "PERIODIC"
        with jobs.database.session() as session:
            assert now_ms() < (session.get_one(JobRow, one).due_at or 0) <= now_ms() + 2 * 3_600_000
    assert runs_of(jobs, paused) == []


def test_a_continuous_job_begins_again(jobs: Harness) -> None:
    job_id = jobs.create(act("again"), continuous={})
    until(lambda: len(runs_of(jobs, job_id)) >= 3, "it does not go on")
    body = SettingsBody.model_validate({"continuous": {"pause_status": "PAUSED"}})
    jobs.do(jobs.jobs.manage(jobs.admin, lambda service: service.update(job_id, body, [])))
    until(lambda: all(one.run.ended_at for one in runs_of(jobs, job_id)), "it does not end")
    runs = runs_of(jobs, job_id)
    assert {one.run.trigger for one in runs} == {"CONTINUOUS"}
    for later, earlier in pairwise(runs):
        assert later.run.started_at >= earlier.run.ended_at


def test_what_is_new_enough() -> None:
    spec = {"min_time_between_triggers_seconds": 100, "wait_after_last_change_seconds": 10}
    state: dict[str, Any] = {}
    fired: list[int] = []
    looks = {
        0: "a",
        5: "ab",
        10: "abc",
        15: "abc",
        20: "abc",
        30: "abcd",
        60: "abcd",
        110: "abcd",
        119: "abcd",
        120: "abcd",
        300: "b",
    }
    for second, files in looks.items():
        judged = judge(FILES, spec, state, {"files": list(files)}, 1000 * (1000 + second))
        state = judged.state
        if judged.fires:
            fired.append(second)
    assert fired == [20, 120]
    for condition, expected in (("ANY_UPDATED", [1, 2, 3]), ("ALL_UPDATED", [2])):
        spec, state, fired = {"table_names": ["x", "y"], "condition": condition}, {}, []
        for moment, versions in enumerate(((0, 0), (1, 0), (1, 1), (2, 1), (2, 1))):
            judged = judge(TABLES, spec, state, {"versions": dict(zip("xy", versions, strict=True))}, moment)
            state = judged.state
            if judged.fires:
                fired.append(moment)
        assert fired == expected


def eventually(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.2)
    raise AssertionError(what)


def test_files_and_tables(server: Server, spark: SparkSession, schema: str) -> None:
    client = WorkspaceClient(host=server.url, token=server.token, auth_type="pat")
    spark.sql(f"CREATE TABLE {schema}.t (id INT) USING delta")
    spark.sql(f"CREATE VOLUME {schema}.v")
    folder = f"/Volumes/{schema.replace('.', '/')}/v/in"
    client.files.upload(f"{folder}/old.csv", io.BytesIO(b"old"))
    where = api.ConditionTask(op=api.ConditionTaskOp.EQUAL_TO, left="{{job.trigger.type}}", right="file_arrival")
    task = api.Task(task_key="x", condition_task=where)
    triggers = {
        "FILE_ARRIVAL": api.TriggerSettings(file_arrival=api.FileArrivalTriggerConfiguration(url=folder)),
        "TABLE": api.TriggerSettings(table_update=api.TableUpdateTriggerConfiguration(table_names=[f"{schema}.t"])),
        "error": api.TriggerSettings(table_update=api.TableUpdateTriggerConfiguration(table_names=[f"{schema}.nope"])),
    }
    ids = {
        word: client.jobs.create(name=uuid.uuid4().hex, tasks=[task], trigger=one).job_id or 0 for word, one in triggers.items()
    }
    raw = server.client()

    def looked(job_id: int) -> dict[str, Any]:
        return dict(raw.get("/api/2.2/jobs/get", params={"job_id": job_id}).json())

    eventually(lambda: "nope" in str(looked(ids["error"]).get("trigger_state")), "it does not say what is wrong")
    # All three are looked at together, so both of the others know by now what was there before.
    client.files.upload(f"{folder}/new.csv", io.BytesIO(b"new"))
    spark.sql(f"INSERT INTO {schema}.t VALUES (1)").collect()
    for word in ("FILE_ARRIVAL", "TABLE"):
        run = eventually(lambda word=word: list(client.jobs.list_runs(job_id=ids[word])), f"{word} starts nothing")
        assert [one.trigger.value for one in run] == [word]
    for job_id in ids.values():
        client.jobs.delete(job_id)


def test_events_start_the_jobs_that_wait_for_them(jobs: Harness) -> None:
    say = act(
        "say", say="{{job.trigger.event.name}} {{job.trigger.event.payload.table}} {{job.trigger.event.payload.rows.new}}"
    )
    name = f"loaded.{uuid.uuid4().hex}"
    one = jobs.create(say, trigger={"boathouse_event": {"name": name}})
    some = jobs.create(say, trigger={"boathouse_event": {"name": name, "where": {"table": "b"}}})
    held = jobs.create(say, trigger={"boathouse_event": {"name": name, "wait_after_last_change_seconds": 3600}})
    paused = jobs.create(say, trigger={"boathouse_event": {"name": name}, "pause_status": "PAUSED"})
    other = jobs.create(say, trigger={"boathouse_event": {"name": f"{name}.not"}})
    stranger = jobs.user(f"u{uuid.uuid4().hex[:8]}")

    def fire(payload: dict[str, Any], by: Any = jobs.admin) -> dict[int, int | None]:
        return {each.job_id: each.run_id for each in jobs.do(jobs.jobs.emit(named_event(name, payload), by))}

    assert fire({"table": "b", "rows": {"new": 1}}, stranger) == {}
    first = fire({"table": "a", "rows": {"new": 2}})
    assert set(first) == {one, held}
    assert first[held] is None
    second = fire({"table": "b", "rows": {"new": [3]}}, None)
    assert set(second) == {one, some, held}
    said = []
    for run_id in (first[one], second[some]):
        assert run_id
        ended = jobs.ended(run_id, resolved=True)
        assert (ended["trigger"], ended["state"]["result_state"]) == ("EVENT", "SUCCESS"), ended
        said.append(jobs.details(ended["tasks"][0]["run_id"]).tasks[0].output["notebook_output"]["result"])
    assert said == [f"{name} a 2", f"{name} b [3]"]
    assert runs_of(jobs, held) == runs_of(jobs, paused) == runs_of(jobs, other) == []
    with jobs.database.session(write=True) as session:
        row = session.get_one(JobRow, held)
        assert now_ms() + 3_500_000 < (row.due_at or 0) <= now_ms() + 3_600_000
        row.due_at = now_ms()
    # The last of what was held back is what the run is told.
    run = until(lambda: runs_of(jobs, held), "what was held back does not run")[0].run
    assert run.trigger_info["event"]["payload"] == {"table": "b", "rows": {"new": [3]}}
    assert len(runs_of(jobs, one)) == 2
    # Started by hand there is no event to speak of.
    by_hand = jobs.ended(jobs.start(one))
    message = by_hand["tasks"][0]["state"]["state_message"]
    assert "{{job.trigger.event.name}}, which stands for nothing in this run" in message
    with pytest.raises(InvalidParameterValue, match=r"The event 'monitor\.drift' is the server's"):
        named_event("monitor.drift", {})
    with pytest.raises(InvalidParameterValue, match="bytes of JSON"):
        named_event("x", {"x": "y" * 50_000})


def test_models(server: Server, spark: SparkSession, schema: str) -> None:
    client = WorkspaceClient(host=server.url, token=server.token, auth_type="pat")
    raw, model, stranger = server.client(), f"{schema}.m", f"u{uuid.uuid4().hex[:8]}@example.com"
    server.new_principal(stranger)
    parts = ("name", "version", "alias")
    body = api.ModelTriggerConfiguration
    conditions = api.ModelTriggerConfigurationCondition

    def made(trigger: Any, fields: tuple[str, ...], run_as: str | None = None) -> int:
        left = "/".join(f"{{{{job.trigger.model.{one}}}}}" for one in fields)
        where = api.ConditionTask(op=api.ConditionTaskOp.EQUAL_TO, left=left, right="")
        task = api.Task(task_key="x", condition_task=where)
        runner = None if run_as is None else api.JobRunAs(user_name=run_as)
        job = client.jobs.create(name=uuid.uuid4().hex, tasks=[task], trigger=api.TriggerSettings(model=trigger), run_as=runner)
        return job.job_id or 0

    created = made(body(conditions.MODEL_CREATED, securable_name=schema), parts[:1])
    ready = made(body(conditions.MODEL_VERSION_READY, securable_name=model), parts[:2])
    champion = made(body(conditions.MODEL_ALIAS_SET, securable_name=model, aliases=["champion"]), parts)
    elsewhere = made(body(conditions.MODEL_ALIAS_SET, securable_name=f"{schema}x"), parts)
    blind = made(body(conditions.MODEL_VERSION_READY, securable_name=model), parts[:2], stranger)
    with pytest.raises(BadRequest, match=r"trigger\.model\.aliases is given, but the condition is MODEL_CREATED"):
        made(body(conditions.MODEL_CREATED, aliases=["x"]), parts)

    mlflow = "/api/2.0/mlflow"
    raw.post(f"{mlflow}/registered-models/create", json={"name": model}).raise_for_status()
    experiment = raw.post(f"{mlflow}/experiments/create", json={"name": f"/Users/admin/{schema}"}).json()["experiment_id"]
    run = raw.post(f"{mlflow}/runs/create", json={"experiment_id": experiment}).json()["run"]["info"]
    version = {"name": model, "source": f"runs:/{run['run_id']}/model", "run_id": run["run_id"]}
    raw.put(
        f"/api/2.0/mlflow-artifacts/artifacts/{run['artifact_uri'].removeprefix('mlflow-artifacts:/')}/model/MLmodel",
        content=MLMODEL,
    ).raise_for_status()
    raw.post(f"{mlflow}/model-versions/create", json=version).raise_for_status()
    for alias in ("challenger", "champion"):
        body_of = {"name": model, "alias": alias, "version": "1"}
        raw.post(f"{mlflow}/registered-models/alias", json=body_of).raise_for_status()
    told = {created: model, ready: f"{model}/1", champion: f"{model}/1/champion"}
    for job_id, left in told.items():
        found = eventually(lambda job_id=job_id: list(client.jobs.list_runs(job_id=job_id)), f"{left} starts nothing")
        assert len(found) == 1
        run_id = found[0].run_id
        params = {"run_id": run_id, "include_resolved_values": "true"}
        run = raw.get("/api/2.2/jobs/runs/get", params=params).json()
        assert (run["trigger"], run["tasks"][0]["resolved_values"]["condition_task"]["left"]) == ("MODEL", left)
    for job_id in (elsewhere, blind):
        assert list(client.jobs.list_runs(job_id=job_id)) == []
    assert "does not have USE SCHEMA" in str(raw.get("/api/2.2/jobs/get", params={"job_id": blind}).json().get("trigger_state"))
    fired = raw.post("/api/boathouse/v1/events/nobody.waits", json={"x": 1})
    assert fired.json() == {"jobs": []}
    assert server.client("").post("/api/boathouse/v1/events/nobody.waits", json={}).status_code == 401
    for job_id in (*told, elsewhere, blind):
        client.jobs.delete(job_id)
