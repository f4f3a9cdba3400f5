"""What a project is for a target: variables, references, what is laid over what, modes, permissions."""

import json
import subprocess
from pathlib import Path

import pytest

from boathouse.bundles.errors import BundleInvalid
from boathouse.bundles.presets import User
from tests.bundles.project import NOTEBOOK, bodies, ready, write

VARIABLES = """
bundle: {name: shop}
variables:
  plain: {default: from default}
  size: {default: 3}
  cluster:
    type: complex
    default: {num_workers: "${var.size}", spark_version: "${var.plain}", custom_tags: {of: "${bundle.name}"}}
  needed: {description: has none}
targets:
  dev: {variables: {needed: "${var.plain}!", plain: from target}}
  prod: {variables: {needed: x, cluster: {type: complex, default: {num_workers: 9}}}}
  bare: {}
resources:
  jobs:
    j:
      name: ${var.needed} in ${bundle.target} by ${workspace.current_user.short_name} ${workspace.current_user.userName}
      max_concurrent_runs: ${var.size}
      description: ${var.cluster.num_workers}/${workspace.file_path}
      job_clusters: [{job_cluster_key: c, new_cluster: "${var.cluster}"}]
      tasks: []
"""


def test_variables_by_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path, {"databricks.yml": VARIABLES})
    project, _ = ready(folder, "dev")
    assert bodies(project)["jobs.j"] == {
        "name": "from target! in dev by ana_maria ana.maria@example.com",
        "max_concurrent_runs": 3,
        "description": "3//Workspace/Users/ana.maria@example.com/.bundle/shop/dev/files",
        "job_clusters": [
            {
                "job_cluster_key": "c",
                "new_cluster": {"num_workers": 3, "spark_version": "from target", "custom_tags": {"of": "shop"}},
            }
        ],
        "tasks": [],
    }
    assert bodies(ready(folder, "prod")[0])["jobs.j"]["job_clusters"] == [
        {"job_cluster_key": "c", "new_cluster": {"num_workers": 9}}
    ]
    overrides = {"plain": "from file", "size": 4, "cluster": {"num_workers": 1}}
    write(folder, {".databricks/bundle/dev/variable-overrides.json": json.dumps(overrides)})
    monkeypatch.setenv("BUNDLE_VAR_size", "5")
    found = bodies(ready(folder, "dev", needed="from the line")[0])["jobs.j"]
    assert found["name"] == "from the line in dev by ana_maria ana.maria@example.com"
    assert found["max_concurrent_runs"] == 5
    assert found["job_clusters"] == [{"job_cluster_key": "c", "new_cluster": {"num_workers": 1}}]
    for variables, told in (
        ({}, "databricks.yml:9: the variable 'needed' has no value. Give it one with --var needed=..., BUNDLE_VAR_needed, "),
        ({"needed": "x", "cluster": "y"}, "--var: the variable 'cluster' is complex; give it in .databricks/bundle/bare/"),
        ({"needed": "x", "no": "y"}, "--var: the variable 'no' is not defined. Valid: plain, size, cluster, needed."),
    ):
        with pytest.raises(BundleInvalid) as error:
            ready(folder, "bare", **variables)
        assert error.value.message.startswith(told)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("${var.a}", "refers to itself: var.a -> var.b -> var.a."),
        ("${resources.jobs.j.name}", "refers to itself: resources.jobs.j.name -> resources.jobs.j.name."),
        ("${var.c}", "${var.c} refers to nothing. Valid there: a, b."),
        ("${bundle.nmae}", "${bundle.nmae} refers to nothing. Valid there: "),
        ("${env.HOME}", "${env.HOME} refers to nothing. Valid there: bundle, workspace, var, resources, artifacts."),
        ("x ${bundle.git}", "${bundle.git} is a mapping, which cannot stand inside a text: let it be the whole value."),
        ("${resources.jobs.k.id}", "${resources.jobs.k.id} refers to nothing. Valid there: j."),
    ],
)
def test_references_that_lead_nowhere(tmp_path: Path, name: str, told: str) -> None:
    text = f"""
    bundle: {{name: shop}}
    variables:
      a: {{default: "${{var.b}}"}}
      b: {{default: "${{var.a}}"}}
    resources:
      jobs:
        j:
          name: "{name}"
    """
    with pytest.raises(BundleInvalid) as error:
        ready(write(tmp_path, {"databricks.yml": text}))
    assert told in error.value.message
    assert error.value.message.startswith("databricks.yml:")


LAYERS = """
bundle: {name: shop}
permissions: [{level: CAN_VIEW, group_name: all}]
resources:
  jobs:
    j:
      name: j
      schedule: {quartz_cron_expression: "0 0 1 * * ?", timezone_id: UTC}
      job_clusters: [{job_cluster_key: c, new_cluster: {num_workers: 1, spark_version: x}}]
      tasks:
        - task_key: a
          notebook_task: {notebook_path: ./n.py}
          libraries: [{pypi: {package: one}}]
        - {task_key: b, run_if: ALL_DONE, condition_task: {op: EQUAL_TO, left: a, right: b}}
      permissions: [{level: CAN_MANAGE, user_name: bo}]
  pipelines: {p: {name: p, tags: {own: "1"}}}
  experiments: {e: {name: /Users/x/e}}
  registered_models: {m: {name: m, catalog_name: main, schema_name: "${resources.schemas.s.name}"}}
  schemas: {s: {name: s, catalog_name: main}}
  volumes: {v: {name: v, catalog_name: main, schema_name: s}}
targets:
  dev:
    mode: development
    resources:
      jobs:
        j:
          job_clusters: [{job_cluster_key: c, new_cluster: {num_workers: 5}}]
          tasks:
            - {task_key: c, run_if: ALL_DONE, condition_task: {op: EQUAL_TO, left: a, right: b}}
            - {task_key: a, timeout_seconds: 7, libraries: [{pypi: {package: two}}]}
  prod:
    mode: production
    git: {branch: main}
    workspace: {root_path: ~/.bundle/prod}
    run_as: {service_principal_name: robot}
    permissions: [{level: CAN_RUN, group_name: ops}]
    presets: {name_prefix: "p-", tags: {team: shop}, jobs_max_concurrent_runs: 2, trigger_pause_status: UNPAUSED}
"""


def test_development(tmp_path: Path) -> None:
    project, warned = ready(write(tmp_path, {"databricks.yml": LAYERS, "n.py": NOTEBOOK}), "dev")
    found = bodies(project)
    files = "/Workspace/Users/ana.maria@example.com/.bundle/shop/dev/files"
    view = {"level": "CAN_VIEW", "group_name": "all"}
    assert warned == []
    assert found["jobs.j"] == {
        "name": "[dev ana_maria] j",
        "max_concurrent_runs": 4,
        "tags": {"dev": "ana_maria"},
        "schedule": {"quartz_cron_expression": "0 0 1 * * ?", "timezone_id": "UTC", "pause_status": "PAUSED"},
        "job_clusters": [{"job_cluster_key": "c", "new_cluster": {"num_workers": 5, "spark_version": "x"}}],
        "tasks": [
            {
                "task_key": "a",
                "notebook_task": {"notebook_path": f"{files}/n"},
                "libraries": [{"pypi": {"package": "one"}}, {"pypi": {"package": "two"}}],
                "timeout_seconds": 7,
            },
            {"task_key": "b", "run_if": "ALL_DONE", "condition_task": {"op": "EQUAL_TO", "left": "a", "right": "b"}},
            {"task_key": "c", "run_if": "ALL_DONE", "condition_task": {"op": "EQUAL_TO", "left": "a", "right": "b"}},
        ],
        "permissions": [{"level": "CAN_MANAGE", "user_name": "bo"}, view],
    }
    assert found["pipelines.p"] == {
        "name": "[dev ana_maria] p",
        "development": True,
        "tags": {"dev": "ana_maria", "own": "1"},
        "permissions": [view],
    }
    assert found["experiments.e"] == {
        "name": "/Users/x/[dev ana_maria] e",
        "tags": [{"key": "dev", "value": "ana_maria"}],
        "permissions": [{"level": "CAN_READ", "group_name": "all"}],
    }
    assert found["registered_models.m"]["name"] == "dev_ana_maria_m"
    assert found["registered_models.m"]["schema_name"] == found["schemas.s"]["name"] == "dev_ana_maria_s"
    assert found["volumes.v"]["name"] == "v"
    assert list(project.files) == [f"{files}/databricks.yml", f"{files}/n"]


def test_what_is_not_heeded_is_told(tmp_path: Path) -> None:
    text = """
    bundle: {name: shop, databricks_cli_version: ">= 0.2", deployment: {fail_on_active_runs: true, lock: {enabled: false}}}
    scripts: {hi: {content: echo hi}}
    artifacts: {a: {dynamic_version: true, files: [{source: "lib/*.whl"}]}}
    resources:
      jobs:
        j:
          lifecycle: {started: true, prevent_destroy: true}
          job_clusters: [{job_cluster_key: c, new_cluster: {num_workers: 1}}]
          tasks:
            - {task_key: a, job_cluster_key: c, notebook_task: {notebook_path: n.py}}
            - {task_key: b, condition_task: {op: EQUAL_TO, left: a, right: b}}
    targets:
      dev: {mode: development, cluster_id: c-1, presets: {source_linked_deployment: true, name_prefix: "x "}}
      any: {bundle: {cluster_id: c-1}}
    """
    folder = write(tmp_path, {"databricks.yml": text, "n.py": NOTEBOOK, "lib/a-1.whl": ""})
    with pytest.raises(BundleInvalid, match=r"name_prefix has the user's name in it"):
        ready(folder, "dev")
    with pytest.raises(BundleInvalid, match=r"a cluster_id for all tasks is for targets with mode: development alone\."):
        ready(folder, "any")
    write(folder, {"databricks.yml": text.replace('"x "', '"[${workspace.current_user.short_name}] "')})
    project, warned = ready(folder, "dev")
    assert [one.partition(": ")[2] for one in warned] == [
        "bundle.databricks_cli_version is not heeded here.",
        "scripts is not heeded here.",
        "artifacts.a.dynamic_version is not heeded here.",
        "resources.jobs.j.lifecycle.started is not heeded here.",
        "presets.source_linked_deployment is not heeded here.",
    ]
    job = bodies(project)["jobs.j"]
    assert job.keys() == {"tags", "max_concurrent_runs", "tasks"}
    assert [one.get("existing_cluster_id") for one in job["tasks"]] == ["c-1", None]  # type: ignore[attr-defined]
    assert project.resources[0].prevent_destroy
    assert (project.lock.enabled, project.refuses_active_runs) == (False, True)
    assert [path.rpartition("/")[2] for path in project.files if "/artifacts/" in path] == ["a-1.whl"]


def test_production(tmp_path: Path) -> None:
    folder = write(tmp_path, {"databricks.yml": LAYERS, "n.py": NOTEBOOK})
    project, warned = ready(folder, "prod")
    found = bodies(project)
    assert warned == []
    assert project.workspace["state_path"] == "/Workspace/Users/ana.maria@example.com/.bundle/prod/state"
    assert found["jobs.j"]["name"] == "p-j"
    assert found["jobs.j"]["max_concurrent_runs"] == 2
    assert found["jobs.j"]["run_as"] == found["pipelines.p"]["run_as"] == {"service_principal_name": "robot"}
    assert found["pipelines.p"]["permissions"] == [
        {"level": "CAN_VIEW", "group_name": "all"},
        {"level": "CAN_RUN", "group_name": "ops"},
    ]
    assert found["registered_models.m"]["name"] == "p_m"
    subprocess.run(["git", "init", "-q", "-b", "other", str(folder)], check=True)
    with pytest.raises(BundleInvalid, match=r"the target is deployed from the branch main, and this is other\."):
        ready(folder, "prod")
    careless = LAYERS.replace("    git: {branch: main}\n", "")
    careless = careless.replace("    workspace: {root_path: ~/.bundle/prod}\n    run_as: {service_principal_name: robot}\n", "")
    careless = careless.replace("tags: {own:", "development: true, tags: {own:")
    write(folder, {"databricks.yml": careless})
    with pytest.raises(BundleInvalid) as error:
        ready(folder, "prod")
    assert "resources.pipelines.p.development is true in a production target." in error.value.message
    assert "a production target says workspace.root_path" in error.value.message
    robot = User("robot", is_service_principal=True)
    project, _ = ready(write(folder, {"databricks.yml": careless.replace("development: true, ", "")}), "prod", robot)
    assert project.workspace["root_path"] == "/Workspace/Users/robot/.bundle/shop/prod"
