"""Monitors under new names: what they look at, compare with and write is the same after it, or a container of it, was renamed."""

from typing import Any

from sqlalchemy import Connection, select, update

from boathouse.catalog.api import COLUMN, Rename, SecurableType, id_of
from boathouse.monitoring.models import QualityMonitorRow, TableMonitorRow

_NAMES = {"baseline_table_name": SecurableType.TABLE, "output_schema_name": SecurableType.SCHEMA}
"""The settings that name something of the catalog."""


def follow(connection: Connection, rename: Rename) -> None:
    """Let all monitors follow a new name."""
    if rename.type == COLUMN:
        _follow_column(connection, rename)
        return
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


def _follow_column(connection: Connection, rename: Rename) -> None:
    """Let the monitor of a table follow a column's new name; the texts of slices and metrics are the owner's to change."""
    (*table, old), new = rename.old.split(".", 3), rename.new.split(".", 3)[3]
    of_row = TableMonitorRow.table_id == id_of(connection, SecurableType.TABLE, ".".join(table))
    settings = connection.execute(select(TableMonitorRow.settings).where(of_row)).scalar()
    if settings is not None:
        after = {key: _with_column(value, old.lower(), new) for key, value in settings.items()}
        if after != settings:
            connection.execute(update(TableMonitorRow).where(of_row).values(settings=after))


def _with_column(value: Any, old: str, new: str) -> Any:
    """What says which columns a monitor looks at, with the new name of one."""
    if isinstance(value, list):
        return [_with_column(one, old, new) if isinstance(one, dict) else one for one in value]
    if not isinstance(value, dict):
        return value
    part: dict[str, Any] = value
    return {
        key: new
        if key.endswith("_col") and str(one).lower() == old
        else [new if str(name).lower() == old else name for name in one]
        if key == "input_columns"
        else one
        for key, one in part.items()
    }


def _renamed(settings: dict[str, Any], rename: Rename) -> dict[str, Any]:
    return {
        key: rename.of(value, _NAMES[key]) if key in _NAMES and value is not None else value for key, value in settings.items()
    }
