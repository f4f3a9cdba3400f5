"""The ORM tables of saved queries. Times are in ms since the epoch."""

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from boathouse.db import Base


class QueryRow(Base):
    """A saved query."""

    __tablename__ = "sql_queries"
    __table_args__ = (Index("ix_sql_queries_created", "created_at", "id"),)

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


class QueryPermissionRow(Base):
    """A level of permission of one grantee on a query, beside those that its folder gives."""

    __tablename__ = "sql_query_permissions"

    query_id: Mapped[str] = mapped_column(ForeignKey("sql_queries.id", ondelete="CASCADE"), primary_key=True)
    grantee: Mapped[str] = mapped_column(primary_key=True, index=True)
    kind: Mapped[str]
    """user_name, group_name or service_principal_name."""
    level: Mapped[str]
