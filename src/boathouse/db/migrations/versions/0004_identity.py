"""Identity: scopes, OAuth clients, nested groups, external identities.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns and make the tables."""
    for table in ("principals", "groups"):
        op.add_column(table, sa.Column("external_id", sa.String()))
        op.add_column(table, sa.Column("profile", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("memberships", sa.Column("source", sa.String(), nullable=False, server_default="direct"))
    op.create_index("ix_memberships_principal_id", "memberships", ["principal_id"])
    op.add_column("credentials", sa.Column("scopes", sa.JSON()))
    op.add_column("credentials", sa.Column("last_used_at", sa.BigInteger()))
    op.add_column("credentials", sa.Column("created_by", sa.String()))
    op.create_table(
        "nested_groups",
        sa.Column("group_id", sa.String(), sa.ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("member_id", sa.String(), sa.ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True, index=True),
    )
    op.create_table(
        "client_secrets",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("digest", sa.String(), nullable=False, unique=True),
        sa.Column(
            "principal_id",
            sa.String(),
            sa.ForeignKey("principals.id", ondelete="CASCADE"),
            nullable=False,
            index=True,
        ),
        sa.Column("scopes", sa.JSON()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "external_identities",
        sa.Column("issuer", sa.String(), primary_key=True),
        sa.Column("subject", sa.String(), primary_key=True),
        sa.Column(
            "principal_id",
            sa.String(),
            sa.ForeignKey("principals.id", ondelete="CASCADE"),
            nullable=False,
            index=True,
        ),
        sa.Column("email", sa.String()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_sign_in_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "sign_in_flows",
        sa.Column("state_digest", sa.String(), primary_key=True),
        sa.Column("browser_digest", sa.String(), nullable=False),
        sa.Column("nonce", sa.String(), nullable=False),
        sa.Column("code_verifier", sa.String(), nullable=False),
        sa.Column("next_path", sa.String(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False, index=True),
    )
