"""What is known of dashboards beside their files.

Revision ID: 0022
Revises: 0021
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "sql_dashboards",
        sa.Column(
            "object_id",
            sa.BigInteger(),
            sa.ForeignKey("workspace_objects.id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("warehouse_id", sa.String(), nullable=True),
        sa.Column("published", sa.JSON(), nullable=True),
        sa.Column("trashed", sa.JSON(), nullable=True),
        sa.Column("refreshed_at", sa.BigInteger(), nullable=True),
    )
