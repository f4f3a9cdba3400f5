"""Online stores and serving endpoints.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "online_stores",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("capacity", sa.String(), nullable=False),
        sa.Column("read_replica_count", sa.Integer(), nullable=False),
        sa.Column("usage_policy_id", sa.String()),
        sa.Column("creator", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "online_tables",
        sa.Column("full_name", sa.String(), primary_key=True),
        sa.Column("id", sa.String(), nullable=False, unique=True),
        sa.Column("store", sa.String(), sa.ForeignKey("online_stores.name"), nullable=False, index=True),
        sa.Column("source_table", sa.String(), nullable=False),
        sa.Column("publish_mode", sa.String(), nullable=False),
        sa.Column("source_version", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "serving_endpoints",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("name", sa.String(), nullable=False, unique=True),
        sa.Column("creator", sa.String(), nullable=False),
        sa.Column("creator_id", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("config", sa.JSON(), nullable=True),
        sa.Column("config_version", sa.Integer(), nullable=False),
        sa.Column("pending_config", sa.JSON(), nullable=True),
        sa.Column("pending_since", sa.BigInteger(), nullable=True),
        sa.Column("config_update", sa.String(), nullable=False),
        sa.Column("update_message", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "serving_permissions",
        sa.Column("endpoint_id", sa.String(), sa.ForeignKey("serving_endpoints.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("grantee", sa.String(), primary_key=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
    )
