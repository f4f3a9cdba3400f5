"""The ORM tables of jobs. Times are in ms since the epoch."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Float, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from boathouse.db import Base

_Json = JSON(none_as_null=True)


class JobRow(Base):
    """A job."""

    __tablename__ = "jobs"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(index=True)
    creator: Mapped[str]
    creator_id: Mapped[str]
    run_as: Mapped[str]
    run_as_id: Mapped[str]
    settings: Mapped[dict[str, Any]] = mapped_column(JSON)
    runs: Mapped[int]
    """How many runs it has had."""
    due_at: Mapped[int | None] = mapped_column(BigInteger, index=True)
    """When its trigger is to be looked at; NULL for never."""
    trigger_state: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What its trigger has seen."""
    waits_for: Mapped[str | None] = mapped_column(index=True)
    """The event that its trigger waits for; NULL for none."""
    keeper: Mapped[str | None] = mapped_column(index=True, unique=True)
    """What another slice keeps it for, e.g. an alert; NULL for a job of people's. See ``kept``."""
    created_at: Mapped[int] = mapped_column(BigInteger)
    updated_at: Mapped[int] = mapped_column(BigInteger)


class JobPermissionRow(Base):
    """A level of permission on a job, or on the job that stands for a run that was submitted. It outlives the job: its runs stay."""

    __tablename__ = "job_permissions"
    __table_args__ = (Index("ix_job_permissions_grantee", "grantee", "job_id"),)

    job_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    grantee: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    """user_name, group_name or service_principal_name."""
    level: Mapped[str]


class JobRunRow(Base):
    """A run of a job."""

    __tablename__ = "job_runs"
    __table_args__ = (
        Index("ix_job_runs_started", "started_at", "id"),
        Index("ix_job_runs_of_job", "job_id", "started_at", "id"),
        Index("ix_job_runs_ended", "ended_at", "started_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    job_id: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str]
    run_type: Mapped[str]
    trigger: Mapped[str]
    trigger_info: Mapped[dict[str, Any]] = mapped_column(JSON)
    number: Mapped[int]
    """In its job, from 1."""
    creator: Mapped[str]
    run_as: Mapped[str]
    run_as_id: Mapped[str]
    settings: Mapped[dict[str, Any]] = mapped_column(JSON)
    parameters: Mapped[dict[str, Any]] = mapped_column(JSON)
    overrides: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str]
    result: Mapped[str | None]
    code: Mapped[str | None]
    message: Mapped[str]
    canceled: Mapped[str | None]
    """The result that the run is being ended with: CANCELED or TIMEDOUT."""
    token: Mapped[str | None] = mapped_column(unique=True)
    parent_id: Mapped[int | None] = mapped_column(BigInteger, index=True)
    """The task's run that has started this one."""
    repair_id: Mapped[int | None] = mapped_column(BigInteger)
    """The latest repair."""
    started_at: Mapped[int] = mapped_column(BigInteger)
    executed_at: Mapped[int | None] = mapped_column(BigInteger)
    """When it left the queue; of a repaired run, when the repair began."""
    ended_at: Mapped[int | None] = mapped_column(BigInteger)
    wake_at: Mapped[int | None] = mapped_column(BigInteger, index=True)
    """When the scheduler is to look at it; NULL for never."""


class JobRepairRow(Base):
    """A repair of a run; the one whose id is the run's is the first execution."""

    __tablename__ = "job_repairs"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    run_id: Mapped[int] = mapped_column(BigInteger, index=True)
    state: Mapped[str]
    result: Mapped[str | None]
    code: Mapped[str | None]
    message: Mapped[str]
    started_at: Mapped[int] = mapped_column(BigInteger)
    ended_at: Mapped[int | None] = mapped_column(BigInteger)


class JobTaskRow(Base):
    """A task's run: one attempt."""

    __tablename__ = "job_tasks"
    __table_args__ = (Index("ix_job_tasks_ready", "state", "ready_at"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    run_id: Mapped[int] = mapped_column(BigInteger, index=True)
    job_id: Mapped[int] = mapped_column(BigInteger)
    repair_id: Mapped[int] = mapped_column(BigInteger)
    parent_id: Mapped[int | None] = mapped_column(BigInteger, index=True)
    """Of an iteration: the for-each task's run."""
    position: Mapped[int]
    """In the job, or of an iteration among its like."""
    key: Mapped[str]
    kind: Mapped[str]
    attempt: Mapped[int]
    retry: Mapped[int]
    """How often it was tried again since the run, or its repair, began."""
    spec: Mapped[dict[str, Any]] = mapped_column(JSON)
    resolved: Mapped[dict[str, Any] | None] = mapped_column(_Json)
    """The kind's part with the references resolved."""
    input: Mapped[Any | None] = mapped_column(_Json)
    state: Mapped[str]
    result: Mapped[str | None]
    code: Mapped[str | None]
    message: Mapped[str]
    error_trace: Mapped[str | None]
    output: Mapped[dict[str, Any]] = mapped_column(JSON)
    task_values: Mapped[dict[str, Any]] = mapped_column(JSON)
    canceled: Mapped[str | None]
    """The result that the attempt is being ended with: CANCELED or TIMEDOUT."""
    worker: Mapped[str | None] = mapped_column(index=True)
    process: Mapped[dict[str, Any] | None] = mapped_column(_Json)
    """Process of the attempt on the worker's machine: pid and when it was made."""
    started_at: Mapped[int] = mapped_column(BigInteger)
    ready_at: Mapped[int | None] = mapped_column(BigInteger)
    """When it may begin, or was ready to."""
    executed_at: Mapped[int | None] = mapped_column(BigInteger)
    ended_at: Mapped[int | None] = mapped_column(BigInteger)
    cpu_seconds: Mapped[float] = mapped_column(Float)
    peak_bytes: Mapped[int] = mapped_column(BigInteger)


class JobWorkerRow(Base):
    """A server that carries out tasks, and when it last said that it lives."""

    __tablename__ = "job_workers"

    id: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str]
    pid: Mapped[int]
    process_started: Mapped[float] = mapped_column(Float)
    seen_at: Mapped[int] = mapped_column(BigInteger)


class NotificationDestinationRow(Base):
    """Where people and systems are told of runs. ``config``, what it is reached by, is encrypted."""

    __tablename__ = "notification_destinations"

    id: Mapped[str] = mapped_column(primary_key=True)
    display_name: Mapped[str]
    kind: Mapped[str]
    """WEBHOOK, SLACK, MICROSOFT_TEAMS, EMAIL or PAGERDUTY."""
    config: Mapped[str] = mapped_column(Text)
    created_at: Mapped[int] = mapped_column(BigInteger, index=True)
    updated_at: Mapped[int] = mapped_column(BigInteger)


class JobNoticeRow(Base):
    """Something that somebody is to be told of a run; it stays after it was sent, so that it is told once."""

    __tablename__ = "job_notices"

    id: Mapped[str] = mapped_column(primary_key=True)
    """By what it tells whom."""
    run_id: Mapped[int] = mapped_column(BigInteger, index=True)
    kind: Mapped[str]
    """email or webhook, or destination: then the address is its identifier."""
    address: Mapped[str]
    body: Mapped[dict[str, Any]] = mapped_column(JSON)
    tries: Mapped[int]
    due_at: Mapped[int | None] = mapped_column(BigInteger, index=True)
    """When it is to be sent; NULL when it was, or will not be."""
    sent_at: Mapped[int | None] = mapped_column(BigInteger)
    error: Mapped[str | None]
