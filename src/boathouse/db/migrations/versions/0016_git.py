"""Git folders and git credentials.

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "workspace_repos",
        sa.Column("object_id", sa.BigInteger(), sa.ForeignKey("workspace_objects.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("sparse", sa.JSON(), nullable=True),
    )
    op.create_table(
        "git_credentials",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("principal_id", sa.String(), sa.ForeignKey("principals.id", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("username", sa.String(), nullable=True),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("is_default", sa.Boolean(), nullable=False),
    )
