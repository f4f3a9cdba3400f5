"""Lineage knows who made an edge by identifier: names change, and can become another's.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Put identifiers in the place of names; somebody who is gone has none."""
    for table in ("lineage_edges", "lineage_columns"):
        op.add_column(table, sa.Column("principal_id", sa.String(), nullable=False, server_default=""))
        op.execute(
            f"UPDATE {table} SET principal_id = principals.id FROM principals WHERE principals.name = {table}.principal"  # noqa: S608
        )
        op.drop_column(table, "principal")
