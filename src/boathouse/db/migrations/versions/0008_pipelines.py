"""Pipelines: settings, updates, events, permissions.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "pipelines",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("name", sa.String(), nullable=False, index=True),
        sa.Column("creator", sa.String(), nullable=False),
        sa.Column("creator_id", sa.String(), nullable=False),
        sa.Column("run_as", sa.String(), nullable=False),
        sa.Column("run_as_id", sa.String(), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("remembered", sa.JSON(), nullable=False),
        sa.Column("exported", sa.BigInteger(), nullable=False),
        sa.Column("event_log", sa.String()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
    )
    owner = "pipelines.id"
    op.create_table(
        "pipeline_updates",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("pipeline_id", sa.String(), sa.ForeignKey(owner, ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("active", sa.Boolean()),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        sa.UniqueConstraint("pipeline_id", "active", name="uq_pipeline_updates_active"),
    )
    op.create_table(
        "pipeline_events",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(), nullable=False, unique=True),
        sa.Column("pipeline_id", sa.String(), sa.ForeignKey(owner, ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("update_id", sa.String()),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("event_type", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("dataset", sa.String()),
        sa.Column("flow", sa.String()),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("error", sa.JSON()),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "pipeline_permissions",
        sa.Column("pipeline_id", sa.String(), sa.ForeignKey(owner, ondelete="CASCADE"), primary_key=True),
        sa.Column("grantee", sa.String(), primary_key=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
    )
