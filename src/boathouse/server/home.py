"""What the page's home shows: the way of the data with live counts, alerts, the latest commits."""

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import structlog
from fastapi import APIRouter, Request
from pydantic import BaseModel

from boathouse import __version__
from boathouse.catalog import delta_schema
from boathouse.catalog.api import Catalog, CatalogService, TableInfo
from boathouse.catalog.privileges import SYSTEM
from boathouse.errors import BoathouseError
from boathouse.iam.api import CurrentPrincipal
from boathouse.serving.api import ServingService
from boathouse.storage.paths import from_url
from boathouse.tables import api as tables

log = structlog.stdlib.get_logger(__name__)
router = APIRouter(prefix="/api/boathouse/v1", tags=["home"])

StageKey: TypeAlias = Literal["raw", "bronze", "silver", "gold", "features", "models", "endpoints", "monitors"]

QUALITIES: dict[StageKey, tuple[str, str]] = {
    "bronze": ("bronze", "Bronze"),
    "silver": ("silver", "Silver"),
    "gold": ("gold", "Gold"),
    "features": ("features", "Features"),
    "monitors": ("metrics", "Monitors"),
}
"""Which value of the table property ``quality`` belongs to which stage, and the stage's label."""

SHOWN_ALERTS = 8
SHOWN_COMMITS = 12


class Stage(BaseModel):
    """One stage of the strip."""

    key: StageKey
    label: str
    items: int
    tables: int | None = None
    rows: int | None = None
    detail: str
    updated_at: int | None = None
    href: str | None = None


class Alert(BaseModel):
    """A row of a table of alerts; ``time`` in ms since the epoch."""

    time: int
    name: str
    message: str
    severity: Literal["info", "warning", "critical"]
    table: str


class Activity(BaseModel):
    """A commit; ``time`` in ms since the epoch."""

    time: int
    table: str
    version: int
    operation: str
    rows: int | None
    user: str | None


class User(BaseModel):
    """Who is signed in."""

    name: str
    is_admin: bool


class Home(BaseModel):
    """Everything on the page's home."""

    stages: list[Stage]
    alerts: list[Alert]
    activity: list[Activity]
    user: User
    version: str
    spark_remote: str
    mlflow_page: str


@dataclass(frozen=True)
class TableState:
    """A table with what its log tells."""

    info: TableInfo
    rows: int | None
    commits: tuple[tables.Commit, ...]

    @property
    def updated_at(self) -> int | None:
        """Time of the newest commit, ms since the epoch."""
        return self.commits[0].timestamp if self.commits else None


@functools.lru_cache(maxsize=4096)
def _log_facts(location: str, _version: int) -> tuple[int | None, tuple[tables.Commit, ...]]:
    # The version is part of the key, so that a table's log is read once per version.
    return tables.row_count(location), tuple(tables.history(location, SHOWN_COMMITS))


def _state(info: TableInfo) -> TableState:
    version = delta_schema.last_version(from_url(info.storage_location)) if info.data_source_format == "DELTA" else None
    if version is None:
        return TableState(info, None, ())
    try:
        return TableState(info, *_log_facts(info.storage_location, version))
    except BoathouseError as error:
        log.warning("table_unreadable", table=info.full_name, reason=error.message)
        return TableState(info, None, ())


@functools.lru_cache(maxsize=1024)
def _count_files(folder: str, _modified: int) -> tuple[int, int]:
    files = size = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_file():
                files, size = files + 1, size + entry.stat().st_size
    return files, size


def _walk(folder: Path) -> tuple[int, int]:
    files = size = 0
    for base, _, _ in os.walk(folder):
        counted = _count_files(base, Path(base).stat().st_mtime_ns)
        files, size = files + counted[0], size + counted[1]
    return files, size


def human_bytes(size: float) -> str:
    """A size for people: ``1.5 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def plural(count: int, noun: str) -> str:
    """``1 table``, ``2 tables``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _raw(catalog: CatalogService) -> Stage:
    volumes = catalog.all_volumes()
    counted = [_walk(from_url(volume.storage_location)) for volume in volumes]
    files, size = sum(one[0] for one in counted), sum(one[1] for one in counted)
    href = "/catalog/" + volumes[0].full_name.replace(".", "/") + "?kind=volume" if len(volumes) == 1 else "/catalog"
    return Stage(key="raw", label="Raw files", items=files, detail=f"{plural(files, 'file')}, {human_bytes(size)}", href=href)


def _tables_stage(key: StageKey, states: list[TableState]) -> Stage:
    quality, label = QUALITIES[key]
    mine = [state for state in states if state.info.properties.get("quality") == quality]
    rows = sum(state.rows or 0 for state in mine)
    times = [state.updated_at for state in mine if state.updated_at]
    return Stage(
        key=key,
        label=label,
        items=len(mine),
        tables=len(mine),
        rows=rows,
        detail=plural(len(mine), "table"),
        updated_at=max(times, default=None),
        href="/catalog/" + mine[0].info.full_name.replace(".", "/") if len(mine) == 1 else "/catalog",
    )


def _endpoints(catalog: CatalogService, states: list[TableState]) -> Stage:
    endpoints = ServingService(catalog.session, catalog.principal, catalog.layout).visible()
    captures = [endpoint.config.capture for endpoint in endpoints if endpoint.config]
    payloads = {capture.full_name for capture in captures if capture}
    logged = [state for state in states if state.info.full_name in payloads]
    requests = sum(state.rows or 0 for state in logged)
    return Stage(
        key="endpoints",
        label="Endpoints",
        items=len(endpoints),
        detail=f"{plural(len(endpoints), 'endpoint')}, {requests:,} logged requests",
        updated_at=max((state.updated_at for state in logged if state.updated_at), default=None),
        href=f"/serving/{endpoints[0].name}" if len(endpoints) == 1 else "/serving",
    )


def _alerts(catalog: CatalogService, states: list[TableState]) -> list[Alert]:
    found: list[Alert] = []
    for state in states:
        if state.info.properties.get("quality") != "alerts" or not state.rows:
            continue
        try:
            info = catalog.get_readable_table(state.info.full_name)
            shown = tables.sample(info.storage_location, 1000)
        except BoathouseError as error:
            log.info("alerts_unreadable", table=state.info.full_name, reason=error.message)
            continue
        names = [name for name, _ in shown.columns]
        for values in shown.rows:
            row = dict(zip(names, values, strict=True))
            found.append(_alert(row, state))
    severities = ("critical", "warning", "info")
    return sorted(found, key=lambda alert: (-(alert.time // 60_000), severities.index(alert.severity)))[:SHOWN_ALERTS]


def _alert(row: dict[str, object], state: TableState) -> Alert:
    severity = str(row.get("severity", "warning")).lower()
    raised = row.get("time_ms") or row.get("timestamp_ms")
    return Alert(
        time=int(str(raised)) if raised else state.updated_at or 0,
        name=str(row.get("name", "alert")),
        message=str(row.get("message", "")),
        severity="critical" if severity == "critical" else "info" if severity == "info" else "warning",
        table=str(row.get("table_name") or state.info.full_name),
    )


@router.get("/home")
def get_home(request: Request, catalog: Catalog, principal: CurrentPrincipal) -> Home:
    """The way of the data as of now, of what the asker may know of."""
    # What the server records of itself is not part of the way of the data.
    states = [_state(info) for info in catalog.all_tables() if info.catalog_name != SYSTEM]
    models = catalog.list_models()
    commits = sorted(
        ((state.info.full_name, commit) for state in states for commit in state.commits),
        key=lambda pair: -pair[1].timestamp,
    )
    stages = [
        _raw(catalog),
        _tables_stage("bronze", states),
        _tables_stage("silver", states),
        _tables_stage("gold", states),
        _tables_stage("features", states),
        Stage(key="models", label="Models", items=len(models), detail=plural(len(models), "model"), href="/models"),
        _endpoints(catalog, states),
        _tables_stage("monitors", states),
    ]
    return Home(
        stages=stages,
        alerts=_alerts(catalog, states),
        activity=[
            Activity(
                time=commit.timestamp,
                table=name,
                version=commit.version,
                operation=commit.operation,
                rows=commit.rows,
                user=commit.user,
            )
            for name, commit in commits[:SHOWN_COMMITS]
        ],
        user=User(name=principal.name, is_admin=principal.is_admin),
        version=__version__,
        spark_remote=request.app.state.addresses.spark_remote,
        mlflow_page="/mlflow/",
    )
