"""Governance: what kinds of securables need besides, tags, and dropped tables that can come back.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns and make the tables."""
    op.add_column("securables", sa.Column("details", sa.JSON(), nullable=False, server_default="{}"))
    op.create_table(
        "tags",
        sa.Column("securable_id", sa.String(), sa.ForeignKey("securables.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("column_name", sa.String(), primary_key=True),
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("value", sa.String(), nullable=False),
    )
    op.create_table(
        "dropped_tables",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("schema_id", sa.String(), sa.ForeignKey("securables.id", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("full_name", sa.String(), nullable=False, index=True),
        sa.Column("snapshot", sa.JSON(), nullable=False),
        sa.Column("dropped_at", sa.BigInteger(), nullable=False),
        sa.Column("dropped_by", sa.String(), nullable=False),
    )
