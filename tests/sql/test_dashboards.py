"""Dashboards with a stock client: files of the workspace, what their widgets show to whom, and tasks that refresh them."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound, PermissionDenied
from databricks.sdk.errors.platform import ResourceConflict
from databricks.sdk.service import iam, workspace
from databricks.sdk.service.dashboards import Dashboard, LifecycleState
from pyspark.sql import SparkSession

from boathouse.engine.api import bound
from boathouse.sql.dashboards.questions import is_aggregate
from tests.conftest import Server
from tests.engine.conftest import admin_session, connect, grant, schema, spark
from tests.jobs.test_sources import ended, warehouse
from tests.sql.documents import field, sales, widget
from tests.workspace.runtime.conftest import Person, person, user

__all__ = ["admin_session", "connect", "grant", "person", "schema", "spark", "user"]


@pytest.fixture(scope="session")
def server(shared_server: Server) -> Server:
    return shared_server


@pytest.fixture
def table(spark: SparkSession, schema: str) -> str:
    """A table of sales, whose rows are filtered for all but admins."""
    spark.sql(f"CREATE TABLE {schema}.sales (region STRING, day DATE, amount DECIMAL(9, 2)) USING delta")
    spark.sql(
        f"INSERT INTO {schema}.sales VALUES ('north', DATE'2026-01-05', 10.5), ('north', DATE'2026-02-05', 20),"
        f" ('south', DATE'2026-02-28', 5), (NULL, DATE'2026-03-01', 1)"
    )
    return f"{schema}.sales"


def shown(
    client: WorkspaceClient, dashboard: Dashboard, name: str, *, published: bool = False, **filters: Any
) -> list[list[Any]]:
    """The rows of a widget."""
    body = {"page": "p1", "widget": name, "query": "main_query", "filters": filters, "published": published}
    answer: Any = client.api_client.do("POST", f"/api/boathouse/v1/dashboards/{dashboard.dashboard_id}/query", body=body)
    return answer["rows"]


def test_what_widgets_show(user: Person, table: str, schema: str, grant: Callable[..., None]) -> None:
    client = user.client
    broken = widget("broken", "counter", {"value": {"fieldName": "n"}}, field("n", "SUM(`nothing`)"))
    made = client.lakeview.create(
        Dashboard(display_name="sales", serialized_dashboard=sales(table, broken), warehouse_id=warehouse(client))
    )
    with pytest.raises(BadRequest, match="does not have USE SCHEMA"):
        shown(client, made, "bars")
    grant("schema", schema, user.name, "USE_SCHEMA", "SELECT")
    assert shown(client, made, "bars") == [[None, "1.00"], ["north", "30.50"], ["south", "5.00"]]
    assert shown(client, made, "total") == [["36.50"]]
    assert shown(client, made, "total", regions={"values": ["north", None]}) == [["31.50"]]
    assert shown(client, made, "total", days={"min": "2026-02-01", "max": "2026-02-28"}) == [["25.00"]]
    assert shown(client, made, "total", days={"min": "2026-02-28"}, regions={"values": ["it's"]}) == [[None]]
    assert shown(client, made, "total", floor={"values": ["5.5"]}) == [["30.50"]]
    assert [row[0][:7] for row in shown(client, made, "lines")] == ["2026-01", "2026-02", "2026-02", "2026-03"]
    assert ["south", "2026-02-28", "5.00"] in shown(client, made, "rows")
    catalog, short, name = table.split(".")
    placed = client.lakeview.create(
        Dashboard(display_name="placed", serialized_dashboard=sales(name)), dataset_catalog=catalog, dataset_schema="nowhere"
    )
    client.lakeview.update(placed.dashboard_id, Dashboard(), dataset_schema=short)
    assert shown(client, placed, "total") == [["36.50"]]
    # A filter's own choices are not narrowed by itself, but by the others.
    assert shown(client, made, "regions", regions={"values": ["south"]}) == [[None], ["north"], ["south"]]
    assert shown(client, made, "regions", days={"max": "2026-01-31"}) == [["north"]]
    for name, filters, said in (
        ("broken", {}, "nothing"),
        ("total", {"floor": {"values": ["much"]}}, "parameters.least is 'much', which is no number."),
        ("nowhere", {}, "Widget 'nowhere' does not exist"),
    ):
        with pytest.raises((BadRequest, NotFound), match=said):
            shown(client, made, name, **filters)

    spec = {"dashboard": {"dashboard_id": made.dashboard_id, "subscriptions": []}, "warehouse_id": warehouse(client)}
    _, output = ended(client, {"sql_task": spec})
    told = {one["widget_id"]: one for one in output["sql_output"]["dashboard_output"]["widgets"]}
    assert {name: one["status"] for name, one in told.items()} == {
        "total": "SUCCESS",
        "bars": "SUCCESS",
        "lines": "SUCCESS",
        "pie": "SUCCESS",
        "rows": "SUCCESS",
        "broken": "FAILED",
    }
    assert output["error"].startswith("1 of 6 widgets have failed. broken: ")
    client.lakeview.update(made.dashboard_id or "", Dashboard(serialized_dashboard=sales(table)))
    _, output = ended(client, {"dashboard_task": {"dashboard_id": made.dashboard_id}})
    assert "error" not in output, output


def test_a_dashboard_is_a_file_of_the_workspace(  # noqa: PLR0915 - its whole life
    user: Person, person: Callable[[], Person], table: str, schema: str, grant: Callable[..., None]
) -> None:
    client, other = user.client, person()
    grant("schema", schema, user.name, "USE_SCHEMA", "SELECT")
    made = client.lakeview.create(Dashboard(display_name="sales", serialized_dashboard=sales(table)))
    assert made.dashboard_id
    assert (made.path, made.parent_path, made.lifecycle_state) == (
        f"{user.home}/sales.lvdash.json",
        user.home,
        LifecycleState.ACTIVE,
    )
    listed = {one.path: one for one in client.workspace.list(user.home)}
    found = listed[str(made.path)]
    assert (found.object_type, found.resource_id) == (workspace.ObjectType.DASHBOARD, made.dashboard_id)
    exported = client.workspace.export(str(made.path)).content or ""
    assert base64.b64decode(exported).decode() == sales(table)
    for wrong, said in (
        ("{", "serialized_dashboard is no JSON"),
        ('{"pages": 1}', "serialized_dashboard.pages is not valid"),
        (sales(table).replace('"name": "sales"', '"name": "sold"'), r"datasetName is 'sales'. The dashboard's datasets: sold"),
    ):
        with pytest.raises(BadRequest, match=said):
            client.lakeview.create(Dashboard(display_name="wrong", serialized_dashboard=wrong))
    with pytest.raises(BadRequest, match="display_name"):
        client.lakeview.create(Dashboard(display_name="a/b"))

    changed = client.lakeview.update(made.dashboard_id, Dashboard(display_name="all sales", etag=made.etag))
    assert (changed.path, changed.dashboard_id) == (f"{user.home}/all sales.lvdash.json", made.dashboard_id)
    with pytest.raises(ResourceConflict, match="was changed meanwhile"):
        client.lakeview.update(made.dashboard_id, Dashboard(display_name="mine", etag=made.etag))
    imported = user.put("copies/second.lvdash.json", sales(table), None)
    assert [one.display_name for one in client.lakeview.list()] == ["all sales", "second"]
    assert [one.display_name for one in client.lakeview.list(page_size=1)] == ["all sales", "second"]

    # Others: the permissions are the file's; the data that of who looks, unless it was published with credentials.
    with pytest.raises(NotFound):
        other.client.lakeview.get(made.dashboard_id)
    given = [iam.AccessControlRequest(user_name=other.name, permission_level=iam.PermissionLevel.CAN_READ)]
    client.permissions.update("dashboards", made.dashboard_id, access_control_list=given)
    assert other.client.lakeview.get(made.dashboard_id).display_name == "all sales"
    with pytest.raises(PermissionDenied):
        other.client.lakeview.update(made.dashboard_id, Dashboard(display_name="mine"))
    with pytest.raises(NotFound, match="is not published"):
        other.client.lakeview.get_published(made.dashboard_id)
    client.lakeview.publish(made.dashboard_id)
    for published in (False, True):
        with pytest.raises(BadRequest):
            shown(other.client, made, "total", published=published)
    assert client.lakeview.publish(made.dashboard_id, embed_credentials=True).embed_credentials
    assert shown(other.client, made, "total", published=True) == [["36.50"]]
    # What is changed later is not executed with somebody's credentials.
    client.lakeview.update(made.dashboard_id, Dashboard(serialized_dashboard=sales("main.default.nothing")))
    assert shown(other.client, made, "total", published=True, regions={"values": ["south"]}) == [["5.00"]]
    with pytest.raises(BadRequest):
        shown(other.client, made, "total")
    client.lakeview.unpublish(made.dashboard_id)
    with pytest.raises(NotFound):
        shown(other.client, made, "total", published=True)

    client.lakeview.trash(made.dashboard_id)
    assert client.lakeview.get(made.dashboard_id).lifecycle_state is LifecycleState.TRASHED
    assert [one.display_name for one in client.lakeview.list()] == ["second"]
    assert [one.display_name for one in client.lakeview.list(show_trashed=True)] == ["all sales", "second"]
    with pytest.raises(NotFound):
        client.workspace.get_status(f"{user.home}/all sales.lvdash.json")
    with pytest.raises(BadRequest, match="in the trash"):
        shown(client, made, "total")
    # Its number stays its own, also while it is the last one that was given.
    client.workspace.delete(imported)
    user.put("new.lvdash.json", json.dumps({"pages": []}), None)
    back: Any = client.api_client.do("POST", f"/api/boathouse/v1/dashboards/{made.dashboard_id}/restore")
    assert (back["path"], back["dashboard_id"]) == (f"{user.home}/all sales.lvdash.json", made.dashboard_id)
    assert other.client.lakeview.get(made.dashboard_id).display_name == "all sales"


@pytest.mark.parametrize(
    ("expression", "aggregate"),
    [
        ("SUM(`amount`)", True),
        ("count(`*`)", True),
        ("MAX(`a`) - 1", True),
        ("`sum`", False),
        ("'SUM(1)'", False),
        ("SUM(`a`) OVER (PARTITION BY `b`)", False),
        ('DATE_TRUNC("MONTH", `day`)', False),
    ],
)
def test_aggregates_are_told_from_keys(expression: str, aggregate: bool) -> None:
    assert is_aggregate(expression) is aggregate


def test_ranges_have_ends() -> None:
    values = {"d.min": "a", "d.max": "b", "n": 1}
    assert bound("x BETWEEN :d.min AND :d.max AND y = :n AND z = :n.x AND :d", values) == (
        "x BETWEEN 'a' AND 'b' AND y = 1 AND z = 1.x AND :d"
    )
