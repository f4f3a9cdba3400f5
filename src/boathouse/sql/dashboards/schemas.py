"""HTTP in and out of dashboards, as databricks-sdk's ``w.lakeview`` has them, and of what the page asks."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from boathouse.kit.clock import iso
from boathouse.sql.dashboards.documents import Document
from boathouse.sql.dashboards.questions import Chosen
from boathouse.sql.dashboards.service import Dashboard

_Name = Annotated[str, Field(min_length=1, max_length=180)]


class CreateDashboard(BaseModel):
    """A new dashboard."""

    display_name: _Name
    parent_path: Annotated[str, Field(max_length=4096)] | None = None
    serialized_dashboard: str | None = None
    warehouse_id: Annotated[str, Field(max_length=256)] | None = None


class UpdateDashboard(BaseModel):
    """What of a dashboard changes."""

    display_name: _Name | None = None
    serialized_dashboard: str | None = None
    warehouse_id: Annotated[str, Field(max_length=256)] | None = None
    etag: str | None = None


class PublishDashboard(BaseModel):
    """How a dashboard is published."""

    embed_credentials: bool = False
    warehouse_id: str | None = None


class AskWidget(BaseModel):
    """What the page asks of a widget."""

    page: str
    widget: str
    query: str
    published: bool = False
    filters: dict[str, Chosen] = Field(default_factory=dict[str, Chosen])


class DashboardColumn(BaseModel):
    """A column of an answer."""

    name: str
    type: str


class WidgetData(BaseModel):
    """What a widget shows."""

    columns: list[DashboardColumn]
    rows: list[list[Any]]
    truncated: bool


class PagedDashboard(BaseModel):
    """A dashboard as the page shows it: the draft, or what was published.

    Attributes:
        document: What its file says; None if that is not valid.
        problem: What is wrong with it then.
        runs_as: As whom its queries are executed.
    """

    dashboard_id: str
    display_name: str
    path: str
    text: str | None
    document: Document | None
    problem: str | None
    etag: str
    updated_at: int
    refreshed_at: int | None
    lifecycle_state: Literal["ACTIVE", "TRASHED"]
    is_published: bool
    published_at: int | None
    embed_credentials: bool
    runs_as: str
    level: str | None


def told(found: Dashboard, *, in_list: bool = False) -> dict[str, Any]:
    """A dashboard as it is answered."""
    answer: dict[str, Any] = {
        "dashboard_id": found.id,
        "display_name": found.name,
        "lifecycle_state": "TRASHED" if found.is_trashed else "ACTIVE",
        "create_time": iso(found.created_at),
    }
    if found.warehouse_id is not None:
        answer["warehouse_id"] = found.warehouse_id
    if in_list:
        return answer
    return {
        **answer,
        "update_time": iso(found.updated_at),
        "etag": found.etag,
        "parent_path": found.parent,
        "path": found.path,
        "serialized_dashboard": found.text,
    }


def told_published(held: dict[str, Any]) -> dict[str, Any]:
    """What was published, as it is answered."""
    answer = {
        "display_name": held["display_name"],
        "embed_credentials": held["embed_credentials"],
        "revision_create_time": iso(int(held["at"])),
    }
    return answer | ({"warehouse_id": held["warehouse_id"]} if held.get("warehouse_id") else {})
