"""Secrets: scopes, encrypted values, permissions.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "secret_scopes",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("folded", sa.String(), nullable=False, unique=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
    )
    scope = "secret_scopes.id"
    op.create_table(
        "secrets",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("scope_id", sa.String(), sa.ForeignKey(scope, ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("scope_id", "key"),
    )
    op.create_table(
        "secret_acls",
        sa.Column("scope_id", sa.String(), sa.ForeignKey(scope, ondelete="CASCADE"), primary_key=True),
        sa.Column("grantee", sa.String(), primary_key=True),
        sa.Column("permission", sa.String(), nullable=False),
    )
