"""Governance: what kinds of securables need besides, words to search, tags, and dropped tables that can come back.

Revision ID: 0003
Revises: 0002
"""

import re

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

BETWEEN = r"[\W_]+"


def upgrade() -> None:
    """Add the columns and make the tables."""
    op.add_column("securables", sa.Column("details", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("securables", sa.Column("search_text", sa.Text(), nullable=False, server_default=""))
    _write_words()
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


def _write_words() -> None:
    """Make what is there findable: by name, comment and columns."""
    securables = sa.table(
        "securables",
        sa.column("id", sa.String()),
        sa.column("name", sa.String()),
        sa.column("comment", sa.String()),
        sa.column("columns", sa.JSON()),
        sa.column("search_text", sa.Text()),
    )
    connection = op.get_bind()
    for row in connection.execute(sa.select(securables)).all():
        parts = [row.name, row.comment or "", *(str(column.get("name", "")) for column in row.columns)]
        words = "|".join(f" {re.sub(BETWEEN, ' ', part.lower()).strip()} " for part in parts if part)
        connection.execute(sa.update(securables).where(securables.c.id == row.id).values(search_text=words))
