"""Edges of lineage say how often they were seen, by which statement last, and which version of a table was read.

Revision ID: 0028
Revises: 0027
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Add the columns; of what is there, only that it was seen is known."""
    op.add_column("lineage_edges", sa.Column("times", sa.BigInteger(), nullable=False, server_default="1"))
    op.add_column("lineage_edges", sa.Column("source_version", sa.BigInteger(), nullable=True))
    op.add_column("lineage_edges", sa.Column("statement_id", sa.String(), nullable=True))
    op.create_index("ix_lineage_edges_entity", "lineage_edges", ["entity_type", "entity_id"])
