"""The ORM tables of pipelines."""

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from boathouse.db import Base


class PipelineRow(Base):
    """A pipeline: its settings, and what it remembers from one update to the next."""

    __tablename__ = "pipelines"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(index=True)
    creator: Mapped[str]
    creator_id: Mapped[str]
    run_as: Mapped[str]
    run_as_id: Mapped[str]
    spec: Mapped[dict[str, Any]] = mapped_column(JSON)
    remembered: Mapped[dict[str, Any]] = mapped_column(JSON)
    exported: Mapped[int] = mapped_column(BigInteger)
    """Sequence number of the last event that is in the event log's table."""
    event_log: Mapped[str | None]
    """Location of the event log's table, once it is there."""
    created_at: Mapped[int] = mapped_column(BigInteger)
    updated_at: Mapped[int] = mapped_column(BigInteger)


class PipelineUpdateRow(Base):
    """An update of a pipeline."""

    __tablename__ = "pipeline_updates"
    __table_args__ = (UniqueConstraint("pipeline_id", "active", name="uq_pipeline_updates_active"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    pipeline_id: Mapped[str] = mapped_column(ForeignKey("pipelines.id", ondelete="CASCADE"), index=True)
    active: Mapped[bool | None]
    """True while it runs, and then NULL: so there is one at most."""
    state: Mapped[str]
    cause: Mapped[str]
    options: Mapped[dict[str, Any]] = mapped_column(JSON)
    spec: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[int] = mapped_column(BigInteger)
    ended_at: Mapped[int | None] = mapped_column(BigInteger)


class PipelineEventRow(Base):
    """An event of an update."""

    __tablename__ = "pipeline_events"

    sequence: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(unique=True)
    pipeline_id: Mapped[str] = mapped_column(ForeignKey("pipelines.id", ondelete="CASCADE"), index=True)
    update_id: Mapped[str | None]
    time_ms: Mapped[int] = mapped_column(BigInteger)
    event_type: Mapped[str]
    level: Mapped[str]
    message: Mapped[str]
    dataset: Mapped[str | None]
    flow: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class PipelinePermissionRow(Base):
    """A level of permission of a user, group or service principal on a pipeline."""

    __tablename__ = "pipeline_permissions"

    pipeline_id: Mapped[str] = mapped_column(ForeignKey("pipelines.id", ondelete="CASCADE"), primary_key=True)
    grantee: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    """user_name, group_name or service_principal_name."""
    level: Mapped[str]
