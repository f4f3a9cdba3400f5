"""The rules of tables' monitors: who may set them up, what their settings may be, and what of them is told."""

import re
from collections.abc import Mapping
from typing import Any

from deltalake import DeltaTable
from sqlalchemy.orm import Session

from boathouse.catalog.api import CatalogService, Privilege, SecurableNotFound, SecurableType, TableInfo
from boathouse.errors import AlreadyExists, BoathouseError, InvalidParameterValue, InvalidState, NotFound, NotImplementedHere
from boathouse.iam.api import Principal
from boathouse.jobs.api import SettingsInvalid, check_schedule, next_time
from boathouse.kit.clock import now_ms
from boathouse.monitoring.models import MonitorRefreshRow, TableMonitorRow
from boathouse.monitoring.profiles.definition import Definition
from boathouse.monitoring.profiles.metric_tables import drift_schema, names_of, profile_schema, reserved
from boathouse.monitoring.profiles.placeholders import check as check_metrics
from boathouse.monitoring.profiles.repository import ProfileRepository
from boathouse.monitoring.profiles.schemas import CreateMonitor, MonitorInfo, MonitorSettings, RefreshInfo
from boathouse.monitoring.profiles.windows import GRANULARITIES
from boathouse.storage.layout import Layout
from boathouse.storage.paths import from_url

_KINDS = ("snapshot", "time_series", "inference_log")
_NAMES_IN_TEXT = re.compile(r"\x00")
_FIGURES = ("baseline_table_name", "custom_metrics", "slicing_exprs", "output_schema_name", *_KINDS)
"""The settings that the figures depend on."""


class ProfileService:
    """Monitors of tables for one principal in one transaction.

    Args:
        session: The transaction.
        principal: Who asks.
        layout: The lake's folders.
    """

    def __init__(self, session: Session, principal: Principal, layout: Layout) -> None:
        self.catalog = CatalogService(session, principal, layout)
        self.rows = ProfileRepository(session)
        self._principal = principal

    # ---------------------------------------------------------------------------------------------------- monitors

    def create(self, table_name: str, body: CreateMonitor) -> TableMonitorRow:
        """Monitor a table from now on, and look at it at once. Needs MANAGE and SELECT on it and CREATE TABLE on the output schema.

        Raises:
            AlreadyExists: If it has a monitor.
            InvalidParameterValue: If the settings do not fit the table; it names the field.
        """
        table = self._managed(table_name)
        if self.rows.monitor(table.id) is not None:
            message = f"The table {table.full_name} has a monitor already. Update it, or delete it first."
            raise AlreadyExists(message)
        if not body.assets_dir.startswith("/"):
            message = f"assets_dir '{body.assets_dir[:100]}' is not valid: it is an absolute path, such as /Workspace/Users/me/monitors."
            raise InvalidParameterValue(message, field="assets_dir")
        settings = self._checked(table, body)
        profile, drift = self._metric_tables(table, settings, names_of(table.full_name, settings["output_schema_name"]))
        row = TableMonitorRow(
            table_id=table.id,
            settings=settings,
            assets_dir=body.assets_dir,
            version=1,
            profile_table=profile,
            drift_table=drift,
            runner_id=self._principal.id,
            processed={},
            failure=None,
            due_at=_due(settings, now_ms()),
            created_at=now_ms(),
        )
        self.rows.add(row)
        self._wait(row, "MANUAL")
        return row

    def get(self, table_name: str, privilege: Privilege | None = Privilege.SELECT) -> tuple[TableInfo, TableMonitorRow]:
        """A table and its monitor. Needs SELECT on the table.

        Raises:
            NotFound: If it has none.
        """
        table = self.catalog.get_table(table_name.lower(), privilege)
        row = self.rows.monitor(table.id)
        if row is None:
            message = f"The table {table.full_name} has no monitor."
            raise NotFound(message)
        return table, row

    def update(self, table_name: str, body: MonitorSettings) -> TableMonitorRow:
        """Give a monitor all settings anew. Needs what making it needs."""
        self._managed(table_name)
        table, row = self.get(table_name)
        settings = self._checked(table, body)
        stays = settings["output_schema_name"] == row.settings["output_schema_name"]
        names = (row.profile_table, row.drift_table) if stays else names_of(table.full_name, settings["output_schema_name"])
        row.profile_table, row.drift_table = self._metric_tables(table, settings, names)
        if any(settings.get(name) != row.settings.get(name) for name in _FIGURES):
            row.version += 1
        row.settings, row.runner_id, row.due_at = settings, self._principal.id, _due(settings, now_ms())
        return row

    def delete(self, table_name: str) -> list[int]:
        """Monitor a table no more; the metric tables stay. The refreshes that were to end. Needs MANAGE on the table."""
        _, row = self.get(table_name, Privilege.MANAGE)
        running = [one.id for one in self.rows.running() if one.table_id == row.table_id]
        self.rows.remove(row)
        return running

    def info(self, table_name: str, row: TableMonitorRow) -> MonitorInfo:
        """A monitor as it is told."""
        return MonitorInfo(
            **row.settings,
            table_name=table_name,
            assets_dir=row.assets_dir,
            monitor_version=row.version,
            profile_metrics_table_name=row.profile_table,
            drift_metrics_table_name=row.drift_table,
            latest_monitor_failure_msg=row.failure,
        )

    # --------------------------------------------------------------------------------------------------- refreshes

    def start_refresh(self, table_name: str) -> MonitorRefreshRow:
        """Look at a table now, or once the refresh that runs has ended; one that waits already is the answer. Needs MANAGE."""
        _, row = self.get(table_name, Privilege.MANAGE)
        return self._wait(row, "MANUAL")

    def _wait(self, monitor: TableMonitorRow, trigger: str) -> MonitorRefreshRow:
        there = self.rows.waiting_of(monitor.table_id)
        return there if there is not None else self.enqueue(monitor, trigger)

    def enqueue(self, monitor: TableMonitorRow, trigger: str) -> MonitorRefreshRow:
        """Let a refresh wait for its turn."""
        row = MonitorRefreshRow(table_id=monitor.table_id, state="PENDING", trigger=trigger, started_at=now_ms())
        self.rows.add(row)
        return row

    def refresh(self, table_name: str, refresh_id: int, privilege: Privilege | None = Privilege.SELECT) -> MonitorRefreshRow:
        """A refresh of a table's monitor.

        Raises:
            NotFound: If it has none of that number.
        """
        table, _ = self.get(table_name, privilege)
        row = self.rows.refresh(refresh_id) if abs(refresh_id) < 2**63 else None
        if row is None or row.table_id != table.id:
            message = f"The monitor of {table.full_name} has no refresh {refresh_id}."
            raise NotFound(message)
        return row

    def refreshes(self, table_name: str) -> list[MonitorRefreshRow]:
        """The last refreshes of a table's monitor, the newest first. Needs SELECT on the table."""
        table, _ = self.get(table_name)
        return self.rows.refreshes(table.id)

    def cancel(self, table_name: str, refresh_id: int) -> MonitorRefreshRow:
        """A refresh that is to end. Needs MANAGE on the table.

        Raises:
            InvalidState: If it has ended.
        """
        row = self.refresh(table_name, refresh_id, Privilege.MANAGE)
        if row.state not in {"PENDING", "RUNNING"}:
            message = f"The refresh {refresh_id} has ended already: {row.state}."
            raise InvalidState(message)
        self.rows.give_up(refresh_id, now_ms())
        return row

    @staticmethod
    def refresh_info(row: MonitorRefreshRow) -> RefreshInfo:
        """A refresh as it is told."""
        return RefreshInfo.model_validate(
            {
                "refresh_id": row.id,
                "state": row.state,
                "start_time_ms": row.started_at,
                "end_time_ms": row.ended_at,
                "message": row.message,
                "trigger": row.trigger,
            }
        )

    # ---------------------------------------------------------------------------------------------------- settings

    def _managed(self, table_name: str) -> TableInfo:
        table = self.catalog.get_table(table_name.lower(), Privilege.MANAGE)
        return self.catalog.get_table(table.full_name, Privilege.SELECT)

    def _checked(self, table: TableInfo, body: MonitorSettings) -> dict[str, Any]:
        """The settings as they are stored, if they fit the table."""
        settings = body.kept()
        _refuse_what_is_not_built(settings)
        chosen = [kind for kind in _KINDS if kind in settings]
        if len(chosen) != 1:
            message = f"Exactly one of {', '.join(_KINDS)} is needed; there is {', '.join(chosen) or 'none'}."
            raise InvalidParameterValue(message, field=chosen[1] if len(chosen) > 1 else "snapshot")
        columns = {str(one["name"]).lower(): str(one["type_text"]) for one in table.columns}
        _check_columns(settings, columns)
        definition = Definition.of(settings)
        if definition.model_id is not None and definition.model_id in reserved(definition):
            message = f"model_id_col '{definition.model_id}' is the name of a metric: the column must be called otherwise."
            raise InvalidParameterValue(message, field="inference_log.model_id_col")
        check_metrics(definition, columns)
        baseline = settings.get("baseline_table_name")
        if baseline is not None:
            settings["baseline_table_name"] = self._baseline(str(baseline))
        schedule = settings.get("schedule")
        if schedule is not None:
            check_schedule(schedule["quartz_cron_expression"], schedule["timezone_id"], "schedule")
        parts = str(settings["output_schema_name"]).lower().split(".")
        if len(parts) != 2 or not all(parts):
            message = f"output_schema_name '{body.output_schema_name[:100]}' is not valid: a schema is named catalog.schema."
            raise InvalidParameterValue(message, field="output_schema_name")
        settings["output_schema_name"] = ".".join(parts)
        return settings

    def _baseline(self, name: str) -> str:
        try:
            return self.catalog.get_table(name.lower(), Privilege.SELECT).full_name
        except (SecurableNotFound, InvalidParameterValue) as error:
            message = f"baseline_table_name: {error.message}"
            raise InvalidParameterValue(message, field="baseline_table_name") from error

    def _metric_tables(self, table: TableInfo, settings: Mapping[str, Any], names: tuple[str, str]) -> tuple[str, str]:
        """The two tables, made where they are missing. What is there must be writable by who asks."""
        self.catalog.reach(SecurableType.SCHEMA, settings["output_schema_name"], Privilege.CREATE_TABLE)
        definition = Definition.of(settings)
        for name, schema, what in (
            (names[0], profile_schema(definition), "Profile"),
            (names[1], drift_schema(definition), "Drift"),
        ):
            try:
                there = self.catalog.get_table(name, Privilege.MODIFY)
            except SecurableNotFound:
                location = self.catalog.staging_location(*name.split("."))
                comment = f"{what} metrics of {table.full_name}, written by its monitor"
                DeltaTable.create(from_url(location), schema=schema, mode="ignore", description=comment)
                self.catalog.create_table(name, storage_location=location, comment=comment)
            else:
                _require_metric_table(there, name)
        return names

    def ensure_metric_tables(self, table: TableInfo, row: TableMonitorRow) -> tuple[TableInfo, TableInfo]:
        """The metric tables of a monitor, made again where somebody has dropped them."""
        names = self._metric_tables(table, row.settings, (row.profile_table, row.drift_table))
        return self.catalog.get_table(names[0], Privilege.MODIFY), self.catalog.get_table(names[1], Privilege.MODIFY)


def _require_metric_table(there: TableInfo, name: str) -> None:
    columns = {str(one["name"]) for one in there.columns}
    if not {"window", "granularity", "column_name", "slice_key"} <= columns:
        message = (
            f"output_schema_name: a table {name} is there already, and is no metric table. Rename it, or choose another schema."
        )
        raise InvalidParameterValue(message, field="output_schema_name")


def _refuse_what_is_not_built(settings: Mapping[str, Any]) -> None:
    if settings.get("data_classification_config", {}).get("enabled"):
        message = "data_classification_config.enabled: columns are not classified here. Leave it out, or set it to false."
        raise NotImplementedHere(message, field="data_classification_config.enabled")
    if any(one.get("email_addresses") for one in settings.get("notifications", {}).values()):
        message = "notifications: monitors do not send mail here yet. Leave them out."
        raise NotImplementedHere(message, field="notifications")


def _check_columns(settings: Mapping[str, Any], columns: Mapping[str, str]) -> None:
    kind = next(one for one in _KINDS if one in settings)
    part: Mapping[str, Any] = settings[kind]
    for field in ("timestamp_col", "prediction_col", "model_id_col", "label_col", "prediction_proba_col"):
        name = part.get(field)
        if name is not None and name.lower() not in columns:
            message = f"{kind}.{field} '{name}' is no column of the table. It has: {', '.join(columns)}."
            raise InvalidParameterValue(message, field=f"{kind}.{field}")
    timestamp = part.get("timestamp_col")
    if timestamp is not None and columns[timestamp.lower()] not in {"timestamp", "timestamp_ntz", "date", "string"}:
        message = f"{kind}.timestamp_col '{timestamp}' is {columns[timestamp.lower()]}. Valid: timestamp, date, or text that is cast to one."
        raise InvalidParameterValue(message, field=f"{kind}.timestamp_col")
    for text in part.get("granularities", ()):
        if text not in GRANULARITIES:
            message = f"{kind}.granularities has '{text}'. Valid: {', '.join(GRANULARITIES)}."
            raise InvalidParameterValue(message, field=f"{kind}.granularities")
    for text in settings.get("slicing_exprs") or ():
        if not text.strip() or _NAMES_IN_TEXT.search(text):
            message = "slicing_exprs has an expression that is empty."
            raise InvalidParameterValue(message, field="slicing_exprs")


def _due(settings: Mapping[str, Any], after: int) -> int | None:
    schedule = settings.get("schedule")
    if schedule is None or schedule.get("pause_status") == "PAUSED":
        return None
    return next_time(schedule["quartz_cron_expression"], schedule["timezone_id"], after)


def next_due(row: TableMonitorRow, after: int) -> int | None:
    """When a monitor is to refresh next by its schedule."""
    try:
        return _due(row.settings, after)
    except (SettingsInvalid, BoathouseError):
        return None
