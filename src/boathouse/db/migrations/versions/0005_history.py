"""History: audit events, queries, lineage.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "history_events",
        # Identifiers must grow for ever: they number the transactions of the export.
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("stream", sa.String(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_history_events_stream", "history_events", ["stream", "id"])
    op.create_table(
        "query_history",
        sa.Column("statement_id", sa.String(), primary_key=True),
        sa.Column("principal_id", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
    )
    op.create_index("ix_query_history_started_at", "query_history", ["started_at", "statement_id"])
    op.create_index("ix_query_history_principal_id", "query_history", ["principal_id", "started_at"])
    op.create_table(
        "lineage_edges",
        sa.Column("source", sa.String(), primary_key=True),
        sa.Column("target", sa.String(), primary_key=True, index=True),
        sa.Column("entity_type", sa.String(), primary_key=True),
        sa.Column("entity_id", sa.String(), primary_key=True),
        sa.Column("source_kind", sa.String(), nullable=False),
        sa.Column("target_kind", sa.String(), nullable=False),
        sa.Column("entity_run_id", sa.String()),
        sa.Column("principal", sa.String(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "lineage_columns",
        sa.Column("source", sa.String(), primary_key=True),
        sa.Column("source_column", sa.String(), primary_key=True),
        sa.Column("target", sa.String(), primary_key=True),
        sa.Column("target_column", sa.String(), primary_key=True),
        sa.Column("source_kind", sa.String(), nullable=False),
        sa.Column("target_kind", sa.String(), nullable=False),
        sa.Column("principal", sa.String(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_lineage_columns_target", "lineage_columns", ["target", "target_column"])
