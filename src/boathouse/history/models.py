"""The ORM tables of history."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from boathouse.db import Base


class EventRow(Base):
    """A row of a system table that is not in the table yet. Identifiers grow for ever, in the order of the commits."""

    __tablename__ = "history_events"
    __table_args__ = (Index("ix_history_events_stream", "stream", "id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True)
    stream: Mapped[str]
    """Full name of the system table."""
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[int] = mapped_column(BigInteger)


class QueryRow(Base):
    """A query of the last days, for the REST API."""

    __tablename__ = "query_history"
    __table_args__ = (
        Index("ix_query_history_started_at", "started_at", "statement_id"),
        Index("ix_query_history_principal_id", "principal_id", "started_at"),
    )

    statement_id: Mapped[str] = mapped_column(primary_key=True)
    principal_id: Mapped[str]
    status: Mapped[str]
    started_at: Mapped[int] = mapped_column(BigInteger)
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The row of ``system.query.history``."""


class EdgeRow(Base):
    """What was last seen to go from a table, path or other thing to another, by which entity; what is not known is empty.

    Tables and paths are called by their names, other things ``kind:name``.
    """

    __tablename__ = "lineage_edges"
    __table_args__ = (Index("ix_lineage_edges_entity", "entity_type", "entity_id"),)

    source: Mapped[str] = mapped_column(primary_key=True)
    target: Mapped[str] = mapped_column(primary_key=True, index=True)
    entity_type: Mapped[str] = mapped_column(primary_key=True)
    entity_id: Mapped[str] = mapped_column(primary_key=True)
    source_kind: Mapped[str]
    target_kind: Mapped[str]
    entity_run_id: Mapped[str | None]
    principal_id: Mapped[str]
    """Who was last seen to make it; empty for somebody who is gone."""
    last_at: Mapped[int] = mapped_column(BigInteger)
    times: Mapped[int] = mapped_column(BigInteger, default=1)
    """How often it was seen."""
    source_version: Mapped[int | None] = mapped_column(BigInteger)
    """Of the source's log, where what was last seen to read it says that."""
    statement_id: Mapped[str | None]
    """Of the statement that was last seen to make it."""


class CommitRow(Base):
    """A commit that a statement can have made."""

    __tablename__ = "table_commits"

    place: Mapped[str] = mapped_column(primary_key=True)
    """Folder of the table."""
    version: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    statement_id: Mapped[str] = mapped_column(primary_key=True)
    committed_at: Mapped[int] = mapped_column(BigInteger, index=True)
    is_named: Mapped[bool]
    is_sure: Mapped[bool]
    principal: Mapped[str]
    principal_id: Mapped[str]
    entity_type: Mapped[str | None]
    entity_id: Mapped[str | None]
    entity_run_id: Mapped[str | None]


class ColumnRow(Base):
    """What was last seen to go from a column to another."""

    __tablename__ = "lineage_columns"
    __table_args__ = (Index("ix_lineage_columns_target", "target", "target_column"),)

    source: Mapped[str] = mapped_column(primary_key=True)
    source_column: Mapped[str] = mapped_column(primary_key=True)
    target: Mapped[str] = mapped_column(primary_key=True)
    target_column: Mapped[str] = mapped_column(primary_key=True)
    source_kind: Mapped[str]
    target_kind: Mapped[str]
    principal_id: Mapped[str]
    last_at: Mapped[int] = mapped_column(BigInteger)
