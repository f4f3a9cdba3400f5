"""The ORM tables of what the registry keeps beside MLflow's. Times are in ms since the epoch."""

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from boathouse.db import Base


class ModelActivityRow(Base):
    """A comment on a version, or something that concerns its stage: asked for, decided or done."""

    __tablename__ = "model_activities"
    __table_args__ = (Index("ix_model_activities_version", "model_id", "version", "id"),)

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True)
    model_id: Mapped[str] = mapped_column(ForeignKey("securables.id", ondelete="CASCADE"))
    version: Mapped[int]
    kind: Mapped[str]
    """Databricks' ``ActivityType``: NEW_COMMENT, REQUESTED_TRANSITION, APPLIED_TRANSITION ..."""
    from_stage: Mapped[str]
    to_stage: Mapped[str]
    """"" in a comment."""
    comment: Mapped[str] = mapped_column(Text)
    system_comment: Mapped[str] = mapped_column(Text)
    is_open: Mapped[bool]
    """Whether it is a request that nobody has decided yet."""
    principal: Mapped[str]
    principal_id: Mapped[str]
    created_at: Mapped[int] = mapped_column(BigInteger)
    updated_at: Mapped[int] = mapped_column(BigInteger)


class ExperimentPermissionRow(Base):
    """A level of permission on an experiment of MLflow's, which is in a database of its own."""

    __tablename__ = "experiment_permissions"

    experiment_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    grantee: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    """user_name, group_name or service_principal_name."""
    level: Mapped[str]


class RegistryWebhookRow(Base):
    """A webhook in the form of the older registry."""

    __tablename__ = "registry_webhooks"

    id: Mapped[str] = mapped_column(primary_key=True)
    model_id: Mapped[str | None] = mapped_column(ForeignKey("securables.id", ondelete="CASCADE"))
    """NULL for one that hears of all models."""
    events: Mapped[list[str]] = mapped_column(JSON)
    description: Mapped[str] = mapped_column(Text)
    status: Mapped[str]
    """ACTIVE, TEST_MODE or DISABLED."""
    url: Mapped[str | None] = mapped_column(Text)
    verify: Mapped[bool]
    """Whether the certificate of the address is looked at."""
    secrets: Mapped[str] = mapped_column(Text)
    """Encrypted: what requests are signed with, and their header Authorization."""
    job_id: Mapped[int | None] = mapped_column(BigInteger)
    """The job that runs, where there is no address."""
    principal_id: Mapped[str]
    """With whose rights the job runs: who has made the webhook, or changed its job last."""
    created_at: Mapped[int] = mapped_column(BigInteger)
    updated_at: Mapped[int] = mapped_column(BigInteger)
