"""Alerts, what their evaluations found, and the jobs that are kept for them.

Revision ID: 0021
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Make the tables, and say which jobs are kept for something."""
    op.add_column("jobs", sa.Column("keeper", sa.String(), nullable=True))
    op.create_index("ix_jobs_keeper", "jobs", ["keeper"], unique=True)
    op.create_table(
        "sql_alerts",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("parent_path", sa.String(), nullable=False, index=True),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("modifier", sa.String(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("trashed_at", sa.BigInteger(), nullable=True, index=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("query_id", sa.String(), nullable=True, index=True),
        sa.Column("run_as", sa.String(), nullable=False),
        sa.Column("run_as_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("evaluated_at", sa.BigInteger(), nullable=True),
        sa.Column("triggered_at", sa.BigInteger(), nullable=True),
        sa.Column("told_at", sa.BigInteger(), nullable=True),
    )
    op.create_index("ix_sql_alerts_created", "sql_alerts", ["created_at", "id"])
    op.create_table(
        "sql_alert_permissions",
        sa.Column("alert_id", sa.String(), sa.ForeignKey("sql_alerts.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("grantee", sa.String(), primary_key=True, index=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
    )
    op.create_table(
        "sql_alert_evaluations",
        sa.Column("run_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("alert_id", sa.String(), sa.ForeignKey("sql_alerts.id", ondelete="CASCADE"), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("threshold", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("evaluated_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_sql_alert_evaluations_at", "sql_alert_evaluations", ["alert_id", "evaluated_at"])
