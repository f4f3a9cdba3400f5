"""The ORM tables of the workspace. What an object is and holds is on disk; here are its identifier and who may."""

from sqlalchemy import BigInteger, ForeignKey, Integer
from sqlalchemy.orm import Mapped, mapped_column

from boathouse.db import Base


class ObjectRow(Base):
    """An object that somebody has asked for: a path, and the number that the API calls it by."""

    __tablename__ = "workspace_objects"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True)
    path: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[int] = mapped_column(BigInteger)
    created_by: Mapped[str | None]
    """Who made it, if the API did."""


class ObjectPermissionRow(Base):
    """A level of permission of a user, group or service principal on an object and all that it holds."""

    __tablename__ = "workspace_permissions"

    object_id: Mapped[int] = mapped_column(ForeignKey("workspace_objects.id", ondelete="CASCADE"), primary_key=True)
    grantee: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    """user_name, group_name or service_principal_name."""
    level: Mapped[str]
