"""Monitors under new names: what they look at, compare with and write is the same after it, or a container of it, was renamed."""

from typing import Any

from sqlalchemy import Connection, select, update

from boathouse.catalog.api import Rename, SecurableType
from boathouse.monitoring.models import QualityMonitorRow, TableMonitorRow

_NAMES = {"baseline_table_name": SecurableType.TABLE, "output_schema_name": SecurableType.SCHEMA}
"""The settings that name something of the catalog."""


def follow(connection: Connection, rename: Rename) -> None:
    """Let all monitors follow a new name."""
    for row in connection.execute(select(QualityMonitorRow.schema_id, QualityMonitorRow.excluded)).all():
        excluded = [rename.of(name, SecurableType.TABLE) for name in row.excluded]
        if excluded != row.excluded:
            of_row = update(QualityMonitorRow).where(QualityMonitorRow.schema_id == row.schema_id)
            connection.execute(of_row.values(excluded=excluded))
    columns = (TableMonitorRow.table_id, TableMonitorRow.settings, TableMonitorRow.profile_table, TableMonitorRow.drift_table)
    for row in connection.execute(select(*columns)).all():
        before = {"settings": row.settings, "profile_table": row.profile_table, "drift_table": row.drift_table}
        after = {
            "settings": _renamed(row.settings, rename),
            "profile_table": rename.of(row.profile_table, SecurableType.TABLE),
            "drift_table": rename.of(row.drift_table, SecurableType.TABLE),
        }
        if after != before:
            connection.execute(update(TableMonitorRow).where(TableMonitorRow.table_id == row.table_id).values(after))


def _renamed(settings: dict[str, Any], rename: Rename) -> dict[str, Any]:
    return {
        key: rename.of(value, _NAMES[key]) if key in _NAMES and value is not None else value for key, value in settings.items()
    }
