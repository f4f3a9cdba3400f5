"""Threads of comments on notebooks and files.

Revision ID: 0027
Revises: 0026
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Make the tables."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "comment_threads",
        sa.Column("id", number, primary_key=True, autoincrement=True),
        sa.Column(
            "object_id",
            sa.BigInteger(),
            sa.ForeignKey("workspace_objects.id", ondelete="CASCADE"),
            nullable=False,
            index=True,
        ),
        sa.Column("anchor", sa.JSON(), nullable=True),
        sa.Column("quote", sa.Text(), nullable=True),
        sa.Column("resolved_at", sa.BigInteger(), nullable=True),
        sa.Column("resolved_by", sa.String(), nullable=True),
    )
    op.create_table(
        "comments",
        sa.Column("id", number, primary_key=True, autoincrement=True),
        sa.Column(
            "thread_id", sa.BigInteger(), sa.ForeignKey("comment_threads.id", ondelete="CASCADE"), nullable=False, index=True
        ),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("author_id", sa.String(), sa.ForeignKey("principals.id", ondelete="SET NULL"), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("edited_at", sa.BigInteger(), nullable=True),
    )
