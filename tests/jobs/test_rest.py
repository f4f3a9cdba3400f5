"""Jobs over REST with a stock databricks-sdk: settings, what is refused, runs of the kinds that every server has, permissions, lineage."""

import uuid
from typing import Any

import httpx
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound, PermissionDenied
from databricks.sdk.service import jobs as api
from databricks.sdk.service.pipelines import FileLibrary, PipelineLibrary
from pyspark.sql import SparkSession

from tests.conftest import Server
from tests.engine.conftest import admin_session, connect, schema, spark

__all__ = ["admin_session", "connect", "schema", "spark"]


def client_of(server: Server, token: str | None = None) -> WorkspaceClient:
    return WorkspaceClient(host=server.url, token=token or server.token, auth_type="pat")


def condition(key: str, *after: str, left: str = "1", right: str = "1") -> api.Task:
    return api.Task(
        task_key=key,
        depends_on=[api.TaskDependency(task_key=one) for one in after],
        condition_task=api.ConditionTask(op=api.ConditionTaskOp.EQUAL_TO, left=left, right=right),
    )


def a(key: str, *after: str, **more: Any) -> dict[str, Any]:
    return {
        "task_key": key,
        "depends_on": [{"task_key": one} for one in after],
        "condition_task": {"op": "EQUAL_TO", "left": "1", "right": "1"},
        **more,
    }


ONCE = {"quartz_cron_expression": "0 0 3 * * ?", "timezone_id": "Europe/Vienna"}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"tasks": [a("x", "y"), a("y", "x")]}, "tasks depend on each other in a circle: x -> y -> x"),
    ({"tasks": [a("x", "nope")]}, "tasks[0].depends_on[0].task_key is 'nope', which is no task of this job. It has: x."),
    ({"tasks": [a("x"), a("x")]}, "tasks[1].task_key is 'x'"),
    (
        {"tasks": [{"task_key": "x", "magic_task": {}}]},
        "tasks[0].magic_task is no kind of task that this server knows. Known: ",
    ),
    ({"tasks": [{"task_key": "x"}]}, "tasks[0] has no kind"),
    ({"tasks": [a("x", run_job_task={"job_id": 1})]}, "tasks[0] has condition_task and run_job_task"),
    ({"tasks": [a("x y")]}, "tasks.0.task_key"),
    ({"tasks": [a("x", run_if="MAYBE")]}, "tasks.0.run_if"),
    ({"tasks": [a("x", max_retries="many")]}, "tasks.0.max_retries"),
    ({"tasks": [a("x", job_cluster_key="small")]}, "tasks[0].job_cluster_key is 'small'"),
    ({"tasks": [a("x", condition_task={"op": "IS", "left": "1", "right": "2"})]}, "tasks[0].condition_task.op is 'IS'"),
    (
        {"tasks": [a("x", condition_task={"op": "EQUAL_TO", "left": "{{job.parameters.p}}", "right": ""})]},
        "{{job.parameters.p}}",
    ),
    (
        {"tasks": [a("x", condition_task={"op": "EQUAL_TO", "left": "{{tasks.y.values.v}}", "right": ""})]},
        "does not depend on 'y'",
    ),
    (
        {"tasks": [{"task_key": "x", "for_each_task": {"inputs": "{", "task": a("y")}}]},
        "tasks[0].for_each_task.inputs is no JSON",
    ),
    (
        {"tasks": [{"task_key": "x", "for_each_task": {"inputs": "[1]", "concurrency": 0, "task": a("y")}}]},
        "tasks[0].for_each_task.concurrency is 0. Valid: 1 to 100.",
    ),
    ({"tasks": [{"task_key": "x", "pipeline_task": {}}]}, "tasks[0].pipeline_task.pipeline_id"),
    ({"parameters": [{"name": "p"}, {"name": "p"}]}, "parameters[1].name"),
    ({"parameters": [{"name": "a b"}]}, "parameters.0.name"),
    ({"schedule": ONCE | {"quartz_cron_expression": "0 0 * * *"}}, "schedule.quartz_cron_expression"),
    ({"schedule": ONCE | {"timezone_id": "Mars/Base"}}, "schedule.timezone_id 'Mars/Base' is no time zone"),
    ({"schedule": ONCE, "trigger": {}}, "trigger cannot be given beside schedule"),
    ({"continuous": {}, "max_concurrent_runs": 2}, "max_concurrent_runs must be 1"),
    ({"trigger": {"file_arrival": {"url": "/tmp/a"}}}, "trigger.file_arrival.url is '/tmp/a'"),
    ({"trigger": {"table_update": {"table_names": ["a.b"]}}}, "trigger.table_update.table_names[0] is 'a.b'"),
    (
        {"trigger": {"pause_status": "PAUSED"}},
        "trigger needs exactly one of periodic, file_arrival, table_update, boathouse_event, model; it has none",
    ),
]


def test_settings(server: Server) -> None:
    client, http = client_of(server), server.client()
    name = f"job {uuid.uuid4().hex[:6]}"
    for settings, told in REFUSED:
        answer = http.post("/api/2.2/jobs/create", json={"name": name, **settings})
        assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), settings
        assert told in answer.json()["message"]
    job_id = client.jobs.create(
        name=name,
        tasks=[condition("first"), condition("second", "first")],
        schedule=api.CronSchedule("0 15 10 ? * MON-FRI", "Europe/Vienna", pause_status=api.PauseStatus.PAUSED),
        job_clusters=[api.JobCluster("small", new_cluster=None)],
        parameters=[api.JobParameterDefinition(name="p", default="1")],
        tags={"team": "a"},
    ).job_id
    assert job_id
    found = client.jobs.get(job_id)
    assert found.settings is not None
    assert found.creator_user_name == found.run_as_user_name == client.current_user.me().user_name
    assert found.settings.format is api.Format.MULTI_TASK
    assert [one.task_key for one in found.settings.tasks or ()] == ["first", "second"]
    assert [one.job_id for one in client.jobs.list(name=name.upper())] == [job_id]
    assert next(iter(client.jobs.list(name=name, expand_tasks=True))).settings.tasks

    new = api.JobSettings(tasks=[condition("second"), condition("third", "second")], max_concurrent_runs=3)
    client.jobs.update(job_id, new_settings=new, fields_to_remove=["schedule", "tasks/first", "tags/team"])
    settings = client.jobs.get(job_id).settings
    assert settings is not None
    assert ([one.task_key for one in settings.tasks or ()], settings.schedule, settings.tags) == (["second", "third"], None, {})
    assert (settings.max_concurrent_runs, settings.name) == (3, name)
    client.jobs.reset(job_id, api.JobSettings(name=f"{name}!", tasks=[condition("only")]))
    settings = client.jobs.get(job_id).settings
    assert settings is not None
    assert (settings.name, settings.max_concurrent_runs, settings.parameters or None) == (f"{name}!", 1, None)
    # The form of one task that version 2.0 had.
    older = http.post("/api/2.0/jobs/create", json={"name": name, "run_job_task": {"job_id": job_id}, "max_retries": 2}).json()
    kept = http.get("/api/2.1/jobs/get", params=older).json()["settings"]
    assert kept["tasks"] == [{"task_key": "main", "run_job_task": {"job_id": job_id}, "max_retries": 2}]

    pages = [client.jobs.create(name=f"{name}-page", tasks=[]).job_id for _ in range(5)]
    assert {one.job_id for one in client.jobs.list(name=f"{name}-page", limit=2)} == set(pages)
    for one in (job_id, *pages, older["job_id"]):
        client.jobs.delete(one)
    with pytest.raises(NotFound):
        client.jobs.get(job_id)


def test_runs_and_permissions(server: Server) -> None:
    http = server.client()
    owner_name, other_name = f"owner-{uuid.uuid4().hex[:6]}", f"other-{uuid.uuid4().hex[:6]}"
    owner, other = (client_of(server, server.new_principal(name)) for name in (owner_name, other_name))
    each = api.ForEachTask(inputs='["a", "b"]', task=condition("one", left="{{input}}", right="a"))
    tasks = [condition("first", right="{{job.parameters.p}}"), api.Task(task_key="each", for_each_task=each)]
    job_id = owner.jobs.create(name="runs", tasks=tasks, parameters=[api.JobParameterDefinition("p", "1")]).job_id
    assert job_id
    run = owner.jobs.run_now_and_wait(job_id, job_parameters={"p": "2"})
    assert run.state is not None
    assert run.status is not None
    assert (run.state.life_cycle_state, run.state.result_state) == (
        api.RunLifeCycleState.TERMINATED,
        api.RunResultState.SUCCESS,
    )
    assert run.status.state is api.RunLifecycleStateV2State.TERMINATED
    full = owner.jobs.get_run(run.run_id, include_history=True, include_resolved_values=True)
    first = next(one for one in full.tasks or () if one.task_key == "first")
    assert first.condition_task is not None
    assert first.resolved_values is not None
    assert (first.condition_task.outcome, first.resolved_values.condition_task.right) == ("false", "2")
    assert [one.type for one in full.repair_history or ()] == [api.RepairHistoryItemType.ORIGINAL]
    output = owner.jobs.get_run_output(first.run_id)
    assert output.metadata is not None
    assert output.metadata.run_id == first.run_id
    with pytest.raises(BadRequest, match="run of 2 tasks"):
        owner.jobs.get_run_output(run.run_id)
    with pytest.raises(BadRequest, match=r"job_parameters\.q is no parameter of the job\. It has: p\."):
        owner.jobs.run_now(job_id, job_parameters={"q": "2"})

    assert server.client("").get("/api/2.2/jobs/get", params={"job_id": job_id}).status_code == 401
    for refused in (
        lambda: other.jobs.get(job_id),
        lambda: other.jobs.run_now(job_id),
        lambda: other.jobs.get_run(run.run_id),
        lambda: other.jobs.get_run_output(first.run_id),
        lambda: other.jobs.cancel_all_runs(job_id=job_id),
        lambda: other.jobs.get_permissions(str(job_id)),
    ):
        with pytest.raises(NotFound):
            refused()
    assert job_id not in {one.job_id for one in other.jobs.list()}
    assert not list(other.jobs.list_runs(job_id=job_id))
    view = api.JobAccessControlRequest(user_name=other_name, permission_level=api.JobPermissionLevel.CAN_VIEW)
    owner.jobs.update_permissions(str(job_id), access_control_list=[view])
    assert [one.run_id for one in other.jobs.list_runs(job_id=job_id)] == [run.run_id]
    with pytest.raises(PermissionDenied, match="CAN_MANAGE_RUN"):
        other.jobs.run_now(job_id)
    kept = owner.jobs.get_permissions(str(job_id)).access_control_list or []
    assert {(one.user_name, one.all_permissions[0].permission_level.value) for one in kept if one.user_name} == {
        (owner_name, "IS_OWNER"),
        (other_name, "CAN_VIEW"),
    }
    assert len(owner.jobs.get_permission_levels(str(job_id)).permission_levels or []) == 4
    with pytest.raises(BadRequest, match="Only an admin"):
        owner.jobs.create(name="x", tasks=[condition("x")], run_as=api.JobRunAs(user_name="admin"))

    lists(http, owner, job_id, run)
    owner.jobs.delete_run(run.run_id)
    owner.jobs.delete(job_id)


def lists(http: httpx.Client, owner: WorkspaceClient, job_id: int, run: api.Run) -> None:
    """Pages of runs, in both ways of asking for them, and what they are filtered by."""
    ids = [owner.jobs.run_now_and_wait(job_id).run_id for _ in range(4)]
    listed = [one.run_id for one in owner.jobs.list_runs(job_id=job_id, limit=2, completed_only=True)]
    assert listed == [*reversed(ids), run.run_id]
    answer = http.get(
        "/api/2.1/jobs/runs/list", params={"job_id": job_id, "limit": 2, "offset": 1, "expand_tasks": True}
    ).json()
    assert [one["run_id"] for one in answer["runs"]] == listed[1:3]
    assert len(answer["runs"][0]["tasks"]) == 2
    assert not list(owner.jobs.list_runs(job_id=job_id, active_only=True))
    submitted = owner.jobs.submit_and_wait(
        run_name="once", tasks=[api.SubmitTask(task_key="x", condition_task=condition("x").condition_task)]
    )
    assert submitted.run_type is api.RunType.SUBMIT_RUN
    assert [one.run_name for one in owner.jobs.list_runs(run_type=api.RunType.SUBMIT_RUN)] == ["once"]
    assert [one.run_id for one in owner.jobs.list_runs(job_id=job_id, start_time_to=run.start_time)] == [run.run_id]


def test_a_pipelines_update_is_a_task(server: Server, spark: SparkSession, schema: str) -> None:
    folder = server.root / "workspace" / "Shared" / uuid.uuid4().hex[:8]
    folder.mkdir(parents=True)
    source = folder / "a.sql"
    source.write_text("CREATE MATERIALIZED VIEW v AS SELECT ${how.many} AS n")
    client = client_of(server)
    catalog, short = schema.split(".")
    library = PipelineLibrary(file=FileLibrary(path=f"/Workspace/{source.relative_to(server.root / 'workspace')}"))
    pipeline_id = client.pipelines.create(
        name=f"p {short}", catalog=catalog, schema=short, libraries=[library], configuration={"how.many": "1"}
    ).pipeline_id
    assert pipeline_id
    task = api.Task(
        task_key="load",
        pipeline_task=api.PipelineTask(pipeline_id=pipeline_id, parameters={"how.many": "{{job.parameters.n}}"}),
    )
    parameters = [api.JobParameterDefinition("n", "3")]
    job_id = client.jobs.create(name="load", tasks=[task], parameters=parameters).job_id
    assert job_id
    run = client.jobs.run_now_and_wait(job_id)
    assert run.state is not None
    assert run.state.result_state is api.RunResultState.SUCCESS, run.state.state_message
    assert [row.n for row in spark.table(f"{schema}.v").collect()] == [3]
    updates = client.pipelines.list_updates(pipeline_id).updates or []
    assert [one.cause.value for one in updates if one.cause] == ["JOB_TASK"]
    source.write_text("CREATE MATERIALIZED VIEW v AS SELECT nope FROM nothing")
    failed = client.jobs.run_now_and_wait(job_id)
    assert failed.state is not None
    assert failed.state.result_state is api.RunResultState.FAILED
    told = client.jobs.get_run_output(failed.tasks[0].run_id)
    assert "nothing" in str(told.error)
