"""What jobs wait for.

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Add the column."""
    op.add_column("jobs", sa.Column("waits_for", sa.String(), nullable=True))
    op.create_index("ix_jobs_waits_for", "jobs", ["waits_for"])
