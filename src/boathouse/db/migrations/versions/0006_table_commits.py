"""Which statement can have made which commit of a table.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "table_commits",
        sa.Column("place", sa.String(), primary_key=True),
        sa.Column("version", sa.BigInteger(), primary_key=True),
        sa.Column("statement_id", sa.String(), primary_key=True),
        sa.Column("committed_at", sa.BigInteger(), nullable=False, index=True),
        sa.Column("is_named", sa.Boolean(), nullable=False),
        sa.Column("is_sure", sa.Boolean(), nullable=False),
        sa.Column("principal", sa.String(), nullable=False),
        sa.Column("principal_id", sa.String(), nullable=False),
        sa.Column("entity_type", sa.String()),
        sa.Column("entity_id", sa.String()),
        sa.Column("entity_run_id", sa.String()),
    )
