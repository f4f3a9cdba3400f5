"""dbt as a task of a job: a project of the workspace, with the dbt of the task's environment, as a user who is no admin."""

import io
import json
import tarfile
import uuid
from collections.abc import Callable

import httpx
import pytest
from databricks.sdk.errors import BadRequest
from databricks.sdk.service import compute
from databricks.sdk.service import jobs as api

from tests.clients.conftest import HERE
from tests.conftest import Server
from tests.engine.conftest import grant
from tests.workspace.runtime.conftest import Person, person, user

__all__ = ["grant", "person", "user"]
DBT = ["dbt-spark<1.11", "dbt-core<1.11"]


# dbt is fetched anew, and a run that is cut off and begun again takes longer than a slow registry.
@pytest.mark.timeout(400)
def test_dbt(server: Server, user: Person, grant: Callable[..., None]) -> None:
    client, schema = user.client, f"shop_{uuid.uuid4().hex[:8]}"
    grant("catalog", "main", user.name, "USE_CATALOG", "CREATE_SCHEMA")
    for file in (HERE / "shop").rglob("*.*"):
        if "target" not in file.parts and "logs" not in file.parts:
            user.put(f"shop/{file.relative_to(HERE / 'shop')}", file.read_text(), None)
    warehouse = str(next(iter(client.warehouses.list())).id)

    def task(key: str, *commands: str, **more: object) -> api.SubmitTask:
        spec = api.DbtTask(
            commands=list(commands),
            project_directory=f"{user.home}/shop",
            warehouse_id=warehouse,
            catalog="main",
            schema=schema,
        )
        return api.SubmitTask.from_dict(api.SubmitTask(task_key=key, dbt_task=spec).as_dict() | more)

    environment = api.JobEnvironment(environment_key="dbt", spec=compute.Environment(environment_version="4", dependencies=DBT))
    tasks = [
        task("without", "dbt run"),
        task("load", "dbt build --select raw_orders stg_orders", "dbt nonsense", environment_key="dbt"),
    ]
    run_id = client.jobs.submit(run_name="of dbt", tasks=tasks, environments=[environment]).response.run_id
    told = {one.run_id: one for one in user.ended(run_id)}
    ids = {one.task_key: one.run_id or 0 for one in client.jobs.get_run(run_id).tasks or ()}
    without, load = (told[ids[key]] for key in ("without", "load"))
    assert "dbt is not there: name it in the task's environment" in without.error
    if "could not be" in load.log or "error: Failed to fetch" in load.log:
        pytest.skip("dbt could not be installed")
    assert "Completed successfully" in load.log, load.log
    assert load.error.startswith("'dbt nonsense' has ended with status 2."), load.error
    output = client.jobs.get_run_output(ids["load"]).dbt_output
    assert output
    assert output.artifacts_link
    archive = httpx.get(output.artifacts_link, headers={"Authorization": f"Bearer {user.token}"}, timeout=60)
    with tarfile.open(fileobj=io.BytesIO(archive.content)) as opened:
        results = json.load(opened.extractfile("./target/run_results.json"))  # type: ignore[arg-type]
    assert {one["unique_id"].split(".")[2] for one in results["results"]} >= {"raw_orders", "stg_orders"}
    stranger = server.client(server.new_principal(f"u{uuid.uuid4().hex[:8]}@example.com"))
    assert stranger.get(output.artifacts_link).status_code == 404
    assert client.tables.get(f"main.{schema}.stg_orders").owner == user.name
    project = server.root / "workspace" / "Users" / user.name / "shop"
    assert not (project / "target").exists()
    for spec, told_why in (
        ({"commands": ["rm -rf /"]}, "commands[0] is 'rm -rf /', which is no command of dbt"),
        ({"commands": ["dbt run"], "schema": "x"}, "schema is given without warehouse_id"),
        ({"commands": []}, "commands must be a list of 1 to 10 commands"),
    ):
        with pytest.raises(BadRequest) as refused:
            client.jobs.create(name="x", tasks=[api.Task.from_dict({"task_key": "t", "dbt_task": spec})])
        assert told_why in str(refused.value)
