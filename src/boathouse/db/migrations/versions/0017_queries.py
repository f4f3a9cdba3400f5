"""Saved queries.

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "sql_queries",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("parent_path", sa.String(), nullable=False, index=True),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("modifier", sa.String(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("trashed_at", sa.BigInteger(), nullable=True, index=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_sql_queries_created", "sql_queries", ["created_at", "id"])
    op.create_table(
        "sql_query_permissions",
        sa.Column("query_id", sa.String(), sa.ForeignKey("sql_queries.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("grantee", sa.String(), primary_key=True, index=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
    )
