"""The ORM tables of data quality monitors."""

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Integer
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
