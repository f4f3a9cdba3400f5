"""The ORM tables of serving endpoints."""

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from boathouse.db import Base


class EndpointRow(Base):
    """A serving endpoint: the configuration that serves, and the one that is to take its place."""

    __tablename__ = "serving_endpoints"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    creator: Mapped[str]
    creator_id: Mapped[str]
    description: Mapped[str]
    tags: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    config: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    config_version: Mapped[int]
    pending_config: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    pending_since: Mapped[int | None] = mapped_column(BigInteger)
    config_update: Mapped[str]
    """NOT_UPDATING, IN_PROGRESS or UPDATE_FAILED."""
    update_message: Mapped[str]
    created_at: Mapped[int] = mapped_column(BigInteger)
    updated_at: Mapped[int] = mapped_column(BigInteger)


class EndpointPermissionRow(Base):
    """A level of permission of a user, group or service principal on an endpoint."""

    __tablename__ = "serving_permissions"

    endpoint_id: Mapped[str] = mapped_column(ForeignKey("serving_endpoints.id", ondelete="CASCADE"), primary_key=True)
    grantee: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    """user_name, group_name or service_principal_name."""
    level: Mapped[str]
