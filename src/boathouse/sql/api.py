"""What other slices use of SQL."""

from boathouse.sql.acting import Acting
from boathouse.sql.alerts.task import AlertTask
from boathouse.sql.dashboards.task import DashboardTask, DashboardTaskKind
from boathouse.sql.execution.executions import Executions
from boathouse.sql.references import SqlReferences
from boathouse.sql.task import SqlTaskKind
from boathouse.sql.trash import empty_trash

__all__ = [
    "Acting",
    "AlertTask",
    "DashboardTask",
    "DashboardTaskKind",
    "Executions",
    "SqlReferences",
    "SqlTaskKind",
    "empty_trash",
]
