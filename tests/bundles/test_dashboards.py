"""A bundle with a dashboard, an alert and a job that refreshes both, on a real server."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.dashboards import Dashboard
from typer.testing import CliRunner

from boathouse.cli import app
from tests.bundles.project import write
from tests.conftest import Server
from tests.sql.documents import sales

BUNDLE = """
bundle: {{name: {name}}}
targets: {{dev: {{mode: development, default: true}}}}
resources:
  dashboards:
    d: {{display_name: sales, file_path: ./sales.lvdash.json, embed_credentials: true, warehouse_id: {warehouse}}}
    inline: {{display_name: inline, serialized_dashboard: {{pages: [{{name: p, layout: []}}]}}}}
  alerts:
    a:
      file_path: ./late.dbalert.json
      display_name: late
      warehouse_id: {warehouse}
  jobs:
    refresh:
      name: refresh
      tasks:
        - task_key: look
          sql_task: {{dashboard: {{dashboard_id: "${{resources.dashboards.d.id}}"}}, warehouse_id: {warehouse}}}
        - task_key: judge
          sql_task: {{alert: {{alert_id: "${{resources.alerts.a.id}}"}}, warehouse_id: {warehouse}}}
"""
ALERT: dict[str, Any] = {
    "query_text": "SELECT 2 AS n",
    "evaluation": {
        "source": {"name": "n"},
        "comparison_operator": "GREATER_THAN",
        "threshold": {"value": {"double_value": 1}},
    },
    "schedule": {"quartz_cron_schedule": "0 0 3 * * ?", "timezone_id": "UTC"},
}


def test_dashboards_and_alerts_are_deployed(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOATHOUSE_CONFIG_DIR", str(server.config_dir))
    for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN", "DATABRICKS_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    client = WorkspaceClient(host=server.url, token=server.token)
    warehouse, name = next(iter(client.warehouses.list())).id, f"b{uuid.uuid4().hex[:8]}"
    table = "VALUES ('north', DATE'2026-01-05', 10.5) AS t(region, day, amount)"
    files = {"databricks.yml": BUNDLE.format(name=name, warehouse=warehouse), "late.dbalert.json": json.dumps(ALERT)}
    folder = write(tmp_path / "project", files)
    (folder / "sales.lvdash.json").write_text(sales(table))

    def bundle(*arguments: str) -> str:
        options = ["bundle", arguments[0], "--project", str(folder), "--root", str(server.root), *arguments[1:]]
        told = CliRunner().invoke(app, options, catch_exceptions=False)
        assert told.exit_code == 0, told.output
        return told.stdout

    def actions() -> dict[str, str]:
        found = json.loads(bundle("plan", "-o", "json"))["resources"]
        return {one["resource"]: one["action"] for one in found if one["action"] != "unchanged"}

    bundle("deploy")
    found = json.loads(bundle("summary", "-o", "json"))["resources"]
    ids = {one["resource"]: str(one["id"]) for one in found}
    made = client.lakeview.get(ids["dashboards.d"])
    short = str(client.current_user.me().user_name).partition("@")[0]
    assert str(made.path).endswith(f"/resources/[dev {short}] sales.lvdash.json")
    assert client.lakeview.get_published(ids["dashboards.d"]).embed_credentials
    alert = client.alerts_v2.get_alert(ids["alerts.a"])
    assert (alert.query_text, str(alert.parent_path).endswith("/resources")) == ("SELECT 2 AS n", True)
    assert alert.schedule.pause_status is not None
    assert alert.schedule.pause_status.value == "PAUSED"
    run = client.jobs.run_now_and_wait(int(ids["jobs.refresh"]))
    assert run.state
    assert str(run.state.result_state) == "RunResultState.SUCCESS", run
    assert str(client.alerts_v2.get_alert(ids["alerts.a"]).evaluation.state) == "AlertEvaluationState.TRIGGERED"
    assert actions() == {}
    client.lakeview.update(ids["dashboards.d"], Dashboard(serialized_dashboard=json.dumps({"pages": []})))
    client.lakeview.trash(ids["dashboards.inline"])
    assert actions() == {"dashboards.d": "update", "dashboards.inline": "create"}
    bundle("deploy")
    assert client.lakeview.get(ids["dashboards.d"]).serialized_dashboard == sales(table)
    bundle("destroy", "--auto-approve")
    assert client.lakeview.get(ids["dashboards.d"]).lifecycle_state != made.lifecycle_state
