"""Notices of runs of jobs.

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "job_notices",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("run_id", sa.BigInteger(), nullable=False, index=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), index=True),
        sa.Column("sent_at", sa.BigInteger()),
        sa.Column("error", sa.String()),
    )
