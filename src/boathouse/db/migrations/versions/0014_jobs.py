"""Jobs: settings, permissions, runs, repairs, task runs, workers.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Make the tables."""
    _jobs()
    _runs()
    _tasks()
    op.create_table(
        "job_workers",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("process_started", sa.Float(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
    )


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(), nullable=False, index=True),
        sa.Column("creator", sa.String(), nullable=False),
        sa.Column("creator_id", sa.String(), nullable=False),
        sa.Column("run_as", sa.String(), nullable=False),
        sa.Column("run_as_id", sa.String(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("runs", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), index=True),
        sa.Column("trigger_state", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "job_permissions",
        sa.Column("job_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("grantee", sa.String(), primary_key=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
    )
    op.create_index("ix_job_permissions_grantee", "job_permissions", ["grantee", "job_id"])


def _runs() -> None:
    op.create_table(
        "job_runs",
        sa.Column("id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("run_type", sa.String(), nullable=False),
        sa.Column("trigger", sa.String(), nullable=False),
        sa.Column("trigger_info", sa.JSON(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("creator", sa.String(), nullable=False),
        sa.Column("run_as", sa.String(), nullable=False),
        sa.Column("run_as_id", sa.String(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("overrides", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("result", sa.String()),
        sa.Column("code", sa.String()),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("canceled", sa.String()),
        sa.Column("token", sa.String(), unique=True),
        sa.Column("parent_id", sa.BigInteger(), index=True),
        sa.Column("repair_id", sa.BigInteger()),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("executed_at", sa.BigInteger()),
        sa.Column("ended_at", sa.BigInteger()),
        sa.Column("wake_at", sa.BigInteger(), index=True),
    )
    op.create_index("ix_job_runs_started", "job_runs", ["started_at", "id"])
    op.create_index("ix_job_runs_of_job", "job_runs", ["job_id", "started_at", "id"])
    op.create_index("ix_job_runs_ended", "job_runs", ["ended_at", "started_at"])
    op.create_table(
        "job_repairs",
        sa.Column("id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False, index=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("result", sa.String()),
        sa.Column("code", sa.String()),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
    )


def _tasks() -> None:
    op.create_table(
        "job_tasks",
        sa.Column("id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False, index=True),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("repair_id", sa.BigInteger(), nullable=False),
        sa.Column("parent_id", sa.BigInteger(), index=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("retry", sa.Integer(), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("resolved", sa.JSON()),
        sa.Column("input", sa.JSON()),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("result", sa.String()),
        sa.Column("code", sa.String()),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("error_trace", sa.String()),
        sa.Column("output", sa.JSON(), nullable=False),
        sa.Column("task_values", sa.JSON(), nullable=False),
        sa.Column("canceled", sa.String()),
        sa.Column("worker", sa.String(), index=True),
        sa.Column("process", sa.JSON()),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ready_at", sa.BigInteger()),
        sa.Column("executed_at", sa.BigInteger()),
        sa.Column("ended_at", sa.BigInteger()),
        sa.Column("cpu_seconds", sa.Float(), nullable=False),
        sa.Column("peak_bytes", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_job_tasks_ready", "job_tasks", ["state", "ready_at"])
