"""The ORM tables of deployment. Times are in ms since the epoch."""

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from boathouse.db import Base

_Json = JSON(none_as_null=True)


class ModelDeploymentRow(Base):
    """A model's deployment job and policy."""

    __tablename__ = "model_deployments"

    model_id: Mapped[str] = mapped_column(ForeignKey("securables.id", ondelete="CASCADE"), primary_key=True)
    job_id: Mapped[int | None] = mapped_column(BigInteger)
    """NULL where no job is connected."""
    starter_id: Mapped[str | None]
    """With whose rights the job is started: who has connected it."""
    policy: Mapped[dict[str, Any]] = mapped_column(JSON)


class VersionDeploymentRow(Base):
    """A version that is complete: who has registered it, and the run that it has started."""

    __tablename__ = "model_version_deployments"

    model_id: Mapped[str] = mapped_column(ForeignKey("securables.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    author_id: Mapped[str]
    run_id: Mapped[int | None] = mapped_column(BigInteger)
    problem: Mapped[str | None]
    """Why no run has started."""
    created_at: Mapped[int] = mapped_column(BigInteger)


class DeploymentEventRow(Base):
    """Something that was found, decided or done; it is never changed."""

    __tablename__ = "deployment_events"
    __table_args__ = (Index("ix_deployment_events_model", "model_id", "version", "id"),)

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True)
    model_id: Mapped[str] = mapped_column(ForeignKey("securables.id", ondelete="CASCADE"))
    version: Mapped[int | None]
    """NULL for what concerns the model, as a change of its policy."""
    step: Mapped[str]
    """evaluation, shadow, approval, deployment, alias, rollback, policy or connection."""
    name: Mapped[str]
    """Of the check, the approval task, the alias or the endpoint."""
    verdict: Mapped[str]
    """passed, failed, approved, rejected, withdrawn, pending or done."""
    reason: Mapped[str] = mapped_column(Text)
    metrics: Mapped[dict[str, Any]] = mapped_column(JSON)
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
    principal: Mapped[str]
    principal_id: Mapped[str]
    run_id: Mapped[int | None] = mapped_column(BigInteger)
    """The job's run in which it was."""
    at: Mapped[int] = mapped_column(BigInteger)
