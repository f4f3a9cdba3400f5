"""The ORM tables of the workspace. What an object is and holds is on disk; here are its identifier and who may."""

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Integer, Text
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

    object_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("workspace_objects.id", ondelete="CASCADE"), primary_key=True)
    grantee: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    """user_name, group_name or service_principal_name."""
    level: Mapped[str]


class RepoRow(Base):
    """What a git folder was cloned from."""

    __tablename__ = "workspace_repos"

    object_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("workspace_objects.id", ondelete="CASCADE"), primary_key=True)
    url: Mapped[str]
    provider: Mapped[str]
    sparse: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    """The folders that are checked out; None for all."""


class GitCredentialRow(Base):
    """A token of a principal's at a git provider, encrypted."""

    __tablename__ = "git_credentials"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True)
    principal_id: Mapped[str] = mapped_column(ForeignKey("principals.id", ondelete="CASCADE"), index=True)
    provider: Mapped[str]
    token: Mapped[str] = mapped_column(Text)
    username: Mapped[str | None]
    email: Mapped[str | None]
    name: Mapped[str | None]
    is_default: Mapped[bool]


class ThreadRow(Base):
    """A thread of comments on a notebook or a file."""

    __tablename__ = "comment_threads"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True)
    object_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("workspace_objects.id", ondelete="CASCADE"), index=True)
    anchor: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """The cell at which it hangs; None for the whole."""
    quote: Mapped[str | None] = mapped_column(Text)
    resolved_at: Mapped[int | None] = mapped_column(BigInteger)
    resolved_by: Mapped[str | None]
    resolver_id: Mapped[str | None]
    """None once who has resolved it is no more."""


class CommentRow(Base):
    """A comment in a thread."""

    __tablename__ = "comments"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True)
    thread_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("comment_threads.id", ondelete="CASCADE"), index=True)
    author: Mapped[str]
    author_id: Mapped[str | None] = mapped_column(ForeignKey("principals.id", ondelete="SET NULL"))
    """None once the author is no more: a namesake that comes later is not the author."""
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[int] = mapped_column(BigInteger)
    edited_at: Mapped[int | None] = mapped_column(BigInteger)
