"""Monitors of tables and their refreshes.

Revision ID: 0020
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "table_monitors",
        sa.Column("table_id", sa.String(), sa.ForeignKey("securables.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("assets_dir", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("profile_table", sa.String(), nullable=False),
        sa.Column("drift_table", sa.String(), nullable=False),
        sa.Column("runner_id", sa.String(), nullable=False),
        sa.Column("processed", sa.JSON(), nullable=False),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True, index=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "monitor_refreshes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
        sa.Column(
            "table_id", sa.String(), sa.ForeignKey("table_monitors.table_id", ondelete="CASCADE"), nullable=False, index=True
        ),
        sa.Column("running", sa.Boolean(), nullable=True),
        sa.Column("state", sa.String(), nullable=False, index=True),
        sa.Column("trigger", sa.String(), nullable=False),
        sa.Column("worker", sa.String(), nullable=True),
        sa.Column("message", sa.String(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.UniqueConstraint("table_id", "running", name="uq_monitor_refreshes_running"),
    )
