"""The ORM tables of training."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from boathouse.db import Base


class SourceRow(Base):
    """A process that trains."""

    __tablename__ = "training_sources"

    source: Mapped[str] = mapped_column(primary_key=True)
    principal_id: Mapped[str] = mapped_column(primary_key=True)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What it has told: its code and its environment."""
    told_at: Mapped[int] = mapped_column(BigInteger, index=True)


class ReadRow(Base):
    """A version of a table that a process has read."""

    __tablename__ = "training_reads"

    source: Mapped[str] = mapped_column(primary_key=True)
    principal_id: Mapped[str] = mapped_column(primary_key=True)
    full_name: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    location: Mapped[str]
    is_sure: Mapped[bool]
    read_at: Mapped[int] = mapped_column(BigInteger, index=True)


class RunRow(Base):
    """A run of MLflow that a process has begun."""

    __tablename__ = "training_runs"
    __table_args__ = (Index("ix_training_runs_source", "source", "principal_id", "is_active"),)

    run_id: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str]
    principal_id: Mapped[str]
    is_active: Mapped[bool]
    started_at: Mapped[int] = mapped_column(BigInteger, index=True)
