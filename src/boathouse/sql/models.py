"""The ORM tables of saved queries, alerts and dashboards. Times are in ms since the epoch."""

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from boathouse.db import Base


class SqlObjectRow(Base):
    """What a saved query and an alert have in common."""

    __abstract__ = True

    id: Mapped[str] = mapped_column(primary_key=True)
    display_name: Mapped[str]
    parent_path: Mapped[str] = mapped_column(index=True)
    """Of the folder in the workspace, whose permissions it has."""
    owner: Mapped[str]
    modifier: Mapped[str]
    settings: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Text, parameters, catalog and so on, as they were sent."""
    trashed_at: Mapped[int | None] = mapped_column(BigInteger, index=True)
    created_at: Mapped[int] = mapped_column(BigInteger)
    updated_at: Mapped[int] = mapped_column(BigInteger)


class SqlPermissionRow(Base):
    """A level of permission of one grantee on such an object, beside those that its folder gives."""

    __abstract__ = True

    object_id: Mapped[str]
    grantee: Mapped[str] = mapped_column(primary_key=True, index=True)
    kind: Mapped[str]
    """user_name, group_name or service_principal_name."""
    level: Mapped[str]


class QueryRow(SqlObjectRow):
    """A saved query."""

    __tablename__ = "sql_queries"
    __table_args__ = (Index("ix_sql_queries_created", "created_at", "id"),)


class QueryPermissionRow(SqlPermissionRow):
    """A level of permission on a query."""

    __tablename__ = "sql_query_permissions"

    object_id: Mapped[str] = mapped_column("query_id", ForeignKey("sql_queries.id", ondelete="CASCADE"), primary_key=True)


class AlertRow(SqlObjectRow):
    """An alert, and what its last evaluation found."""

    __tablename__ = "sql_alerts"
    __table_args__ = (Index("ix_sql_alerts_created", "created_at", "id"),)

    query_id: Mapped[str | None] = mapped_column(index=True)
    """The saved query of an alert of the older API; the newer one's have a text of their own."""
    run_as: Mapped[str]
    run_as_id: Mapped[str]
    state: Mapped[str]
    """UNKNOWN, OK, TRIGGERED or ERROR."""
    evaluated_at: Mapped[int | None] = mapped_column(BigInteger)
    triggered_at: Mapped[int | None] = mapped_column(BigInteger)
    told_at: Mapped[int | None] = mapped_column(BigInteger)
    """When its subscribers were last told that it is triggered."""


class AlertPermissionRow(SqlPermissionRow):
    """A level of permission on an alert."""

    __tablename__ = "sql_alert_permissions"

    object_id: Mapped[str] = mapped_column("alert_id", ForeignKey("sql_alerts.id", ondelete="CASCADE"), primary_key=True)


class AlertEvaluationRow(Base):
    """What an evaluation of an alert has found."""

    __tablename__ = "sql_alert_evaluations"
    __table_args__ = (Index("ix_sql_alert_evaluations_at", "alert_id", "evaluated_at"),)

    run_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    """The task's run that has made it."""
    alert_id: Mapped[str] = mapped_column(ForeignKey("sql_alerts.id", ondelete="CASCADE"))
    state: Mapped[str]
    value: Mapped[str | None] = mapped_column(Text)
    threshold: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    evaluated_at: Mapped[int] = mapped_column(BigInteger)


class DashboardRow(Base):
    """What is known of a dashboard beside its file, which may have none of this."""

    __tablename__ = "sql_dashboards"

    object_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("workspace_objects.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    warehouse_id: Mapped[str | None]
    published: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """What was published: its name, the file's text, whether with whose credentials, and when."""
    trashed: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Of one in the trash: its path, the file's text, and when it was put there."""
    refreshed_at: Mapped[int | None] = mapped_column(BigInteger)
    """When a task has last executed it."""
