"""Inserts that know what to do where the row is there already, which SQLAlchemy has for each database by itself."""

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite


def insert_of(dialect: str, table: Any) -> postgresql.Insert | sqlite.Insert:
    """An insert into a table or mapped class with ``on_conflict_do_nothing`` and ``on_conflict_do_update``.

    Args:
        dialect: Name of the database's dialect, ``sqlite`` or ``postgresql``.
        table: Where to.
    """
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
