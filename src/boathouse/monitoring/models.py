"""The ORM tables of data quality monitors."""

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from boathouse.db import Base


class QualityMonitorRow(Base):
    """A schema whose tables are looked at."""

    __tablename__ = "quality_monitors"

    schema_id: Mapped[str] = mapped_column(ForeignKey("securables.id", ondelete="CASCADE"), primary_key=True)
    excluded: Mapped[list[str]] = mapped_column(JSON)
    """Full names of the tables that are left out."""
    created_at: Mapped[int] = mapped_column(BigInteger)
    created_by: Mapped[str]


class QualityResultRow(Base):
    """What was found of a table at one time."""

    __tablename__ = "quality_results"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True)
    table_id: Mapped[str] = mapped_column(ForeignKey("securables.id", ondelete="CASCADE"), index=True)
    event_time: Mapped[int] = mapped_column(BigInteger, index=True)
    status: Mapped[str]
    freshness: Mapped[dict[str, Any]] = mapped_column(JSON)
    completeness: Mapped[dict[str, Any]] = mapped_column(JSON)


class TableMonitorRow(Base):
    """A monitor of a table: its settings, and what it has looked at already."""

    __tablename__ = "table_monitors"

    table_id: Mapped[str] = mapped_column(ForeignKey("securables.id", ondelete="CASCADE"), primary_key=True)
    settings: Mapped[dict[str, Any]] = mapped_column(JSON)
    assets_dir: Mapped[str]
    version: Mapped[int]
    profile_table: Mapped[str]
    drift_table: Mapped[str]
    runner_id: Mapped[str]
    """As whom it reads and writes."""
    processed: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What the last good refresh looked at: ``version`` of the table at ``location``, ``monitor_version``, ``at`` which time, ``into``
    which table, and which columns had ``drifted``."""
    failure: Mapped[str | None]
    due_at: Mapped[int | None] = mapped_column(BigInteger, index=True)
    created_at: Mapped[int] = mapped_column(BigInteger)


class MonitorRefreshRow(Base):
    """A refresh of a table's monitor."""

    __tablename__ = "monitor_refreshes"
    __table_args__ = (UniqueConstraint("table_id", "running", name="uq_monitor_refreshes_running"),)

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True)
    table_id: Mapped[str] = mapped_column(ForeignKey("table_monitors.table_id", ondelete="CASCADE"), index=True)
    running: Mapped[bool | None]
    """True while it runs, else NULL: so there is one at most."""
    state: Mapped[str] = mapped_column(index=True)
    trigger: Mapped[str]
    worker: Mapped[str | None]
    """Which server carries it out."""
    message: Mapped[str | None]
    started_at: Mapped[int] = mapped_column(BigInteger)
    ended_at: Mapped[int | None] = mapped_column(BigInteger)
