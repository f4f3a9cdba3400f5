"""The ORM tables of secrets."""

from sqlalchemy import BigInteger, ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from boathouse.db import Base


class ScopeRow(Base):
    """A scope. Its name is compared without case."""

    __tablename__ = "secret_scopes"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    folded: Mapped[str] = mapped_column(unique=True)
    """The name in lower case."""
    created_at: Mapped[int] = mapped_column(BigInteger)
    created_by: Mapped[str]


class SecretRow(Base):
    """A secret. ``value`` is encrypted, together with the place that it belongs to."""

    __tablename__ = "secrets"
    __table_args__ = (UniqueConstraint("scope_id", "key"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    scope_id: Mapped[str] = mapped_column(ForeignKey("secret_scopes.id", ondelete="CASCADE"), index=True)
    key: Mapped[str]
    value: Mapped[str] = mapped_column(Text)
    updated_at: Mapped[int] = mapped_column(BigInteger)


class SecretAclRow(Base):
    """The permission of one grantee on a scope."""

    __tablename__ = "secret_acls"

    scope_id: Mapped[str] = mapped_column(ForeignKey("secret_scopes.id", ondelete="CASCADE"), primary_key=True)
    grantee: Mapped[str] = mapped_column(primary_key=True)
    permission: Mapped[str]
