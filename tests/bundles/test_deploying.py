"""A bundle deployed to a real server, changed, broken, repaired, run and taken away; looked at with databricks-sdk."""

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.catalog import SecurableType
from databricks.sdk.service.jobs import JobSettings
from typer.testing import CliRunner, Result

from boathouse.bundles.client import Client
from boathouse.bundles.state import StateFile
from boathouse.cli import app
from tests.bundles.project import NOTEBOOK, write
from tests.conftest import Server

MAIN = """
bundle: {{name: {name}}}
include: [resources/*.yml]
variables:
  comment: {{default: first}}
  store: {{lookup: {{metastore: "${{var.name}}"}}}}
  name: {{default: metastore}}
targets:
  dev: {{mode: development, default: true}}
  team:
    workspace: {{root_path: "/Shared/.bundle/${{bundle.name}}/${{bundle.target}}"}}
    permissions: [{{level: CAN_RUN, group_name: account users}}]
    resources: {{jobs: {{train: {{tasks: [{{task_key: prepare, timeout_seconds: 60}}]}}}}}}
"""
RESOURCES = """
.everybody: &everybody
  permissions:
    - {{level: CAN_VIEW, group_name: users}}
resources:
  schemas:
    s:
      name: {name}_${{bundle.target}}
      catalog_name: main
      comment: ${{var.comment}}
      grants: [{{principal: account users, privileges: [USE_SCHEMA, SELECT]}}]
  volumes:
    v: {{name: files, catalog_name: main, schema_name: "${{resources.schemas.s.name}}", volume_type: MANAGED}}
  registered_models:
    m:
      name: best
      catalog_name: main
      schema_name: ${{resources.schemas.s.name}}
      grants: [{{principal: account users, privileges: [EXECUTE]}}]
  experiments:
    e:
      name: "/Users/${{workspace.current_user.userName}}/{name}-${{bundle.target}}"
      description: about
      permissions: [{{level: CAN_READ, group_name: users}}]
  secret_scopes:
    k: {{name: "{name}-${{bundle.target}}", permissions: [{{level: READ, group_name: account users}}]}}
  pipelines:
    p:
      name: {name} pipeline
      catalog: main
      schema: ${{resources.schemas.s.name}}
      libraries: [{{file: {{path: ../src/pipe.py}}}}]
  jobs:
    train:
      name: {name} train
      <<: *everybody
      parameters: [{{name: who, default: nobody}}]
      tasks:
        - task_key: prepare
          notebook_task:
            notebook_path: ../src/prepare.py
            base_parameters: {{model: "${{resources.registered_models.m.id}}", run: 7}}
        - task_key: train
          depends_on: [{{task_key: prepare}}]
          spark_python_task: {{python_file: ../src/train.py, parameters: ["{{{{job.parameters.who}}}}"]}}
    after:
      name: {name} after
      description: in ${{var.store}}
      tasks: [{{task_key: again, run_job_task: {{job_id: "${{resources.jobs.train.id}}"}}}}]
"""
PREPARE = NOTEBOOK + 'dbutils.notebook.exit(dbutils.widgets.get("model") + " " + dbutils.widgets.get("run"))\n'
PIPE = "from pyspark import pipelines as dp\n\n\n@dp.materialized_view\ndef numbers():\n    return spark.range(3)\n"
ALL = {
    "schemas.s",
    "volumes.v",
    "registered_models.m",
    "experiments.e",
    "secret_scopes.k",
    "pipelines.p",
    "jobs.train",
    "jobs.after",
}


@dataclass
class Project:
    """A project on disk, and the commands on it."""

    name: str
    folder: Path
    options: tuple[str, ...]
    text: str

    def run(self, command: str, *arguments: str, status: int = 0, answer: str = "") -> Result:
        told = CliRunner().invoke(
            app,
            ["bundle", command, "--project", str(self.folder), *self.options, *arguments],
            input=answer,
            catch_exceptions=False,
        )
        assert told.exit_code == status, told.output
        return told

    def tell(self, command: str, *arguments: str, status: int = 0, answer: str = "") -> str:
        return self.run(command, *arguments, status=status, answer=answer).output

    def read(self, command: str, *arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run(command, "-o", "json", *arguments).stdout)
        return found

    def plan(self, *arguments: str) -> dict[str, Any]:
        return self.read("plan", *arguments)

    def actions(self, *arguments: str) -> dict[str, str]:
        return {one["resource"]: one["action"] for one in self.plan(*arguments)["resources"] if one["action"] != "unchanged"}

    def change(self, old: str, new: str) -> None:
        assert old in self.text
        self.text = self.text.replace(old, new)
        write(self.folder, {"resources/all.yml": self.text})


@pytest.fixture
def sdk(server: Server) -> WorkspaceClient:
    return WorkspaceClient(host=server.url, token=server.token)


@pytest.fixture
def project(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("BOATHOUSE_CONFIG_DIR", str(server.config_dir))
    for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN", "DATABRICKS_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    name = f"b{uuid.uuid4().hex[:8]}"
    text = RESOURCES.format(name=name)
    files = {
        "databricks.yml": MAIN.format(name=name),
        "src/prepare.py": PREPARE,
        "src/train.py": 'import sys\n\nprint("trained by", sys.argv[1])\n',
        "src/pipe.py": PIPE,
    }
    folder = write(tmp_path / "project", files)
    write(folder, {"resources/all.yml": text})
    return Project(name, folder, ("--root", str(server.root)), text)


def test_a_bundles_life(  # noqa: PLR0915 - one life, told in its order
    project: Project, sdk: WorkspaceClient
) -> None:
    name, short = (
        project.name,
        "".join(one if one.isalnum() else "_" for one in str(sdk.current_user.me().user_name).split("@")[0]),
    )
    told = project.tell("validate")
    assert "Resources: 8, files: 5" in told
    assert "there is no metastore of the name 'none'. Valid: metastore." in project.tell(
        "validate", "--var", "name=none", status=1
    )
    assert "resources/all.yml:2: unknown key '.everybody'; it is left out." in told
    assert project.actions() == dict.fromkeys(ALL, "create")

    told = project.tell("deploy")
    assert "Created jobs.after" in told
    assert f"  + schemas.s  create  dev_{short}_{name}_dev" in told
    summary = project.read("summary")
    ids = {one["resource"]: one["id"] for one in summary["resources"]}
    assert ids.keys() == ALL
    schema, files = f"main.dev_{short}_{name}_dev", summary["workspace"]["file_path"]
    job = sdk.jobs.get(ids["jobs.train"])
    assert job.settings is not None
    assert job.settings.name == f"[dev {short}] {name} train"
    tasks = {one.task_key: one for one in job.settings.tasks or ()}
    assert tasks["prepare"].notebook_task is not None
    assert tasks["prepare"].notebook_task.notebook_path == f"{files}/src/prepare"
    assert tasks["prepare"].notebook_task.base_parameters == {"model": f"{schema}.dev_{short}_best", "run": "7"}
    after = sdk.jobs.get(ids["jobs.after"]).settings
    assert after is not None
    assert after.description == "in boathouse"
    assert [one.run_job_task.job_id for one in after.tasks or () if one.run_job_task] == [ids["jobs.train"]]
    assert sdk.schemas.get(schema).comment == "first"
    grants = sdk.grants.get(SecurableType.SCHEMA.value, schema).privilege_assignments or []
    assert [(one.principal, sorted(str(p.value) for p in one.privileges or ())) for one in grants] == [
        ("account users", ["SELECT", "USE_SCHEMA"])
    ]
    access = sdk.permissions.get("jobs", str(ids["jobs.train"])).access_control_list or []
    levels = {one.group_name or one.user_name: (one.all_permissions or [])[0].permission_level for one in access}
    assert str(levels["account users"]) == "PermissionLevel.CAN_VIEW"
    assert str(levels[sdk.current_user.me().user_name]) == "PermissionLevel.IS_OWNER"
    assert sdk.volumes.read(f"{schema}.files").volume_type is not None
    assert sdk.pipelines.get(ids["pipelines.p"]).spec.development is True  # type: ignore[union-attr]
    experiment = sdk.experiments.get_experiment(ids["experiments.e"]).experiment
    assert experiment is not None
    assert experiment.name == f"/Users/{sdk.current_user.me().user_name}/[dev {short}] {name}-dev"
    assert {one.key: one.value for one in experiment.tags or ()}["mlflow.note.content"] == "about"
    readers = {one.group_name for one in sdk.experiments.get_permissions(ids["experiments.e"]).access_control_list or ()}
    assert "account users" in readers
    scope = f"dev_{short}_{name}-dev"
    assert {one.principal: str(one.permission) for one in sdk.secrets.list_acls(scope)}["account users"] == "AclPermission.READ"

    assert project.actions() == {}
    assert "Nothing to do: all is as the bundle says." in project.tell("deploy")

    # What the bundle has changed, and what somebody else has.
    project.change("run: 7", "run: 8")
    project.change("SELECT]", "CREATE_TABLE]")
    project.change(
        '    v: {name: files, catalog_name: main, schema_name: "${resources.schemas.s.name}", volume_type: MANAGED}', "    {}"
    )
    write(project.folder, {"src/extra.py": "x = 1\n"})
    (project.folder / "src" / "train.py").write_text("import sys\n\nprint('now by', sys.argv[1])\n")
    sdk.jobs.update(ids["jobs.after"], new_settings=JobSettings(max_concurrent_runs=9))
    sdk.registered_models.update(f"{schema}.dev_{short}_best", comment="by hand")
    told = project.tell("plan", "--var", "comment=second")
    for line in (
        "  ~ schemas.s  update  ",
        'comment: "first" → "second"',
        'grants[account users].privileges[1]: "SELECT" → "CREATE_TABLE"',
        'tasks[prepare].notebook_task.base_parameters.run: "7" → "8"',
        "changed on the server: max_concurrent_runs: 4 → 9; is put back",
        'changed on the server: comment: none → "by hand"; is put back',
        "  - volumes.v  delete  files",
        "loses its files",
        "files: 3 to upload, 0 to delete, 3 unchanged",
        "Plan: 4 to update, 1 to delete",
    ):
        assert line in told, told
    assert "Not deployed." in project.tell("deploy", "--var", "comment=second", status=1, answer="n\n")
    assert sdk.schemas.get(schema).comment == "first"
    project.tell("deploy", "--var", "comment=second", "--auto-approve")
    assert sdk.schemas.get(schema).comment == "second"
    assert not sdk.registered_models.get(f"{schema}.dev_{short}_best").comment
    after = sdk.jobs.get(ids["jobs.after"]).settings
    assert after is not None
    assert after.max_concurrent_runs == 4
    with pytest.raises(NotFound):
        sdk.volumes.read(f"{schema}.files")
    grants = sdk.grants.get(SecurableType.SCHEMA.value, schema).privilege_assignments or []
    assert [sorted(str(p.value) for p in one.privileges or ()) for one in grants] == [["CREATE_TABLE", "USE_SCHEMA"]]
    second = ("--var", "comment=second")
    assert project.actions(*second) == {}

    # A run shows its tasks and ends with their result.
    told = project.tell("run", "train", "--params", "who=me", *second)
    assert "  train: SUCCESS" in told
    assert f"  prepare: {schema}.dev_{short}_best 8" in told
    assert told.endswith("Succeeded: SUCCESS\n")
    assert "Valid: jobs.after, jobs.train, pipelines.p." in project.tell("run", "none", *second, status=1)

    # What is gone from the server is made again, and what refers to it follows.
    sdk.jobs.delete(ids["jobs.train"])
    sdk.workspace.delete(f"{files}/src/prepare")
    assert project.plan(*second)["files"]["upload"] == [f"{files}/src/prepare"]
    assert project.actions(*second) == {"jobs.train": "create", "jobs.after": "update"}
    project.tell("deploy", *second)
    assert sdk.workspace.get_status(f"{files}/src/prepare").language is not None
    told = project.tell("destroy", *second, status=1, answer="n\n")
    assert "Nothing was deleted." in told
    project.tell("destroy", *second, "--auto-approve")
    for gone in (
        lambda: sdk.schemas.get(schema),
        lambda: sdk.workspace.get_status(files),
        lambda: sdk.jobs.get(ids["jobs.after"]),
    ):
        with pytest.raises(NotFound):
            gone()
    assert project.actions()["experiments.e"] == "create"


def test_a_deployment_that_fails_is_repeated(  # noqa: PLR0915 - the same
    project: Project, sdk: WorkspaceClient, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = f"{project.name}@example.com"
    monkeypatch.setenv("DATABRICKS_HOST", server.url)
    monkeypatch.setenv("DATABRICKS_TOKEN", server.new_principal(who))
    project.options = ("-t", "team")
    told = project.tell("deploy", status=1)
    assert "PERMISSION_DENIED: creating resources.schemas.s:" in told
    with server.client() as admin:
        change = {"changes": [{"principal": who, "add": ["USE_CATALOG", "CREATE_SCHEMA"]}]}
        admin.patch("/api/2.1/unity-catalog/permissions/catalog/main", json=change).raise_for_status()
    project.change("level: READ", "level: FLY")
    told = project.tell("deploy", status=1)
    assert "Created schemas.s" in told
    assert "updating resources.secret_scopes.k" in told or "creating resources.secret_scopes.k" in told
    project.change("level: FLY", "level: READ")
    found = project.plan()
    assert found["files"]["upload"] == [f"/Workspace/Shared/.bundle/{project.name}/team/files/resources/all.yml"]
    actions = {one["resource"]: one["action"] for one in found["resources"]}
    assert actions["schemas.s"] == actions["volumes.v"] == "unchanged"
    assert actions["secret_scopes.k"] == "update"
    assert actions["jobs.train"] == "create"

    # Only one deploys at a time; who takes the lock over says so.
    client = Client(sdk.config)
    lock = StateFile(client, f"/Workspace/Shared/.bundle/{project.name}/team/state", "somebody else")
    with lock.locked(force=False):
        told = project.tell("deploy", status=1)
        assert "DEPLOYMENT_LOCKED: somebody else has been deploying this target since" in told
        project.tell("deploy", "--force-lock")
    state = lock.read()
    assert (state.resources.keys(), state.by) == (ALL, who)

    # Another one, who may, sees the same deployment, and takes it away from elsewhere.
    monkeypatch.setenv("DATABRICKS_TOKEN", server.token)
    moved = {"experiments.e"}  # its name has the user's in it
    assert project.actions().keys() == moved
    job = sdk.jobs.get(state.resources["jobs.train"].id).settings
    assert job is not None
    assert [one.timeout_seconds for one in job.tasks or ()] == [60, None]
    # Something that is there already, such as what another bundle has given up, can be taken over.
    schema, job_id = f"main.{project.name}_team", state.resources["jobs.train"].id
    assert "schemas.s is not this deployment's any more." in project.tell("unbind", "s")
    assert "jobs.train is not this deployment's any more." in project.tell("unbind", "jobs.train")
    told = project.tell("deploy", status=1)
    assert "creating resources.schemas.s:" in told
    assert "boathouse bundle bind KEY ID" in told
    assert "There is none of the schemas with the identifier main.none." in project.tell("bind", "s", "main.none", status=1)
    project.tell("bind", "schemas.s", schema)
    project.tell("bind", "train", str(job_id))
    assert "is deployed already" in project.tell("bind", "s", schema, status=1)
    assert {name: one for name, one in project.actions().items() if name != "experiments.e"} == {
        "schemas.s": "update",
        "jobs.train": "update",
    }
    project.tell("deploy", "--auto-approve")
    assert project.actions() == {}
    assert sdk.schemas.get(schema).comment == "first"
    folder = sdk.workspace.get_status(f"/Shared/.bundle/{project.name}/team")
    access = sdk.permissions.get("directories", str(folder.object_id)).access_control_list or []
    levels = {one.group_name: str((one.all_permissions or [])[0].permission_level) for one in access}
    assert levels["account users"] == "PermissionLevel.CAN_RUN"
    project.tell("destroy", "--auto-approve")
    with pytest.raises(NotFound):
        sdk.jobs.get(state.resources["jobs.train"].id)
