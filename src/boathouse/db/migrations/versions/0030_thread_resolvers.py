"""Who has resolved a thread of comments is known by more than a name.

Revision ID: 0030
Revises: 0029
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Add the column; for threads that are resolved, whoever has the name now."""
    op.add_column("comment_threads", sa.Column("resolver_id", sa.String(), nullable=True))
    op.execute("UPDATE comment_threads SET resolver_id = (SELECT id FROM principals WHERE name = resolved_by)")
