"""The ORM tables of principals and their credentials. Credentials are kept as SHA-256 digests only."""

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from boathouse.db import Base


class PrincipalRow(Base):
    """A user or a service principal; ``profile`` has what SCIM keeps besides: name, emails, roles, entitlements."""

    __tablename__ = "principals"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    display_name: Mapped[str]
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[int] = mapped_column(BigInteger)
    external_id: Mapped[str | None]
    profile: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class GroupRow(Base):
    """A group; the group ``admins`` may do everything."""

    __tablename__ = "groups"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    external_id: Mapped[str | None]
    profile: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class MembershipRow(Base):
    """A principal in a group; ``source`` is ``direct``, or ``sso`` where the sign-in provider says so."""

    __tablename__ = "memberships"

    group_id: Mapped[str] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True)
    principal_id: Mapped[str] = mapped_column(ForeignKey("principals.id", ondelete="CASCADE"), primary_key=True, index=True)
    source: Mapped[str] = mapped_column(default="direct")


class NestedGroupRow(Base):
    """The group ``member_id`` in the group ``group_id``."""

    __tablename__ = "nested_groups"

    group_id: Mapped[str] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True)
    member_id: Mapped[str] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True, index=True)


class CredentialRow(Base):
    """A token: personal, of OAuth, of a page session, internal of a child process, or a one-time sign-in code."""

    __tablename__ = "credentials"

    id: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)
    principal_id: Mapped[str] = mapped_column(ForeignKey("principals.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str]
    comment: Mapped[str]
    created_at: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[int | None] = mapped_column(BigInteger)
    scopes: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    last_used_at: Mapped[int | None] = mapped_column(BigInteger)
    created_by: Mapped[str | None]


class ClientSecretRow(Base):
    """A secret with which a service principal asks for access tokens."""

    __tablename__ = "client_secrets"

    id: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)
    principal_id: Mapped[str] = mapped_column(ForeignKey("principals.id", ondelete="CASCADE"), index=True)
    scopes: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    created_at: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[int] = mapped_column(BigInteger)


class ExternalIdentityRow(Base):
    """Who a user is at an OpenID provider: the issuer's name for it, which never changes."""

    __tablename__ = "external_identities"

    issuer: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    principal_id: Mapped[str] = mapped_column(ForeignKey("principals.id", ondelete="CASCADE"), index=True)
    email: Mapped[str | None]
    created_at: Mapped[int] = mapped_column(BigInteger)
    last_sign_in_at: Mapped[int] = mapped_column(BigInteger)


class SignInFlowRow(Base):
    """A single sign-on that a browser has begun and not finished."""

    __tablename__ = "sign_in_flows"

    state_digest: Mapped[str] = mapped_column(primary_key=True)
    browser_digest: Mapped[str]
    nonce: Mapped[str]
    code_verifier: Mapped[str]
    next_path: Mapped[str]
    expires_at: Mapped[int] = mapped_column(BigInteger, index=True)
