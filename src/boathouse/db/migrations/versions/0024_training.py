"""What processes that train have read, their runs, and the versions of tables that models hold.

Revision ID: 0024
Revises: 0023
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "training_sources",
        sa.Column("source", sa.String(), primary_key=True),
        sa.Column("principal_id", sa.String(), primary_key=True),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=False, index=True),
    )
    op.create_table(
        "training_reads",
        sa.Column("source", sa.String(), primary_key=True),
        sa.Column("principal_id", sa.String(), primary_key=True),
        sa.Column("full_name", sa.String(), primary_key=True),
        sa.Column("version", sa.BigInteger(), primary_key=True),
        sa.Column("location", sa.String(), nullable=False),
        sa.Column("is_sure", sa.Boolean(), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=False, index=True),
    )
    op.create_table(
        "training_runs",
        sa.Column("run_id", sa.String(), primary_key=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("principal_id", sa.String(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False, index=True),
    )
    op.create_table(
        "table_pins",
        sa.Column("table_id", sa.String(), primary_key=True),
        sa.Column("table_version", sa.BigInteger(), primary_key=True),
        sa.Column("model", sa.String(), primary_key=True, index=True),
        sa.Column("model_version", sa.Integer(), primary_key=True),
        sa.Column("full_name", sa.String(), nullable=False),
        sa.Column("pinned_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_training_runs_source", "training_runs", ["source", "principal_id", "is_active"])
