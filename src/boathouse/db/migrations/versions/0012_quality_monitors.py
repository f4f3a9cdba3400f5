"""Data quality monitors of schemas, and what was found of their tables.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Make the tables."""
    of_securable = "securables.id"
    op.create_table(
        "quality_monitors",
        sa.Column("schema_id", sa.String(), sa.ForeignKey(of_securable, ondelete="CASCADE"), primary_key=True),
        sa.Column("excluded", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
    )
    op.create_table(
        "quality_results",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("table_id", sa.String(), sa.ForeignKey(of_securable, ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("event_time", sa.BigInteger(), nullable=False, index=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("freshness", sa.JSON(), nullable=False),
        sa.Column("completeness", sa.JSON(), nullable=False),
    )
