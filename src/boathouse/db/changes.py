"""A number that changes with every commit that changes who may do what, or what a name means.

Whoever keeps what it has read asks for the number first: as long as that is the same, what was read is still so, whichever server
has written since. It is raised as the last statement of a transaction, so that writers wait for each other only at their commit.
"""

import re
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.orm import Mapped, mapped_column

from boathouse.db.base import Base

WATCHED = frozenset(
    {
        "securables",
        "grants",
        "tags",
        "principals",
        "groups",
        "memberships",
        "nested_groups",
        "workspace_permissions",
        "experiment_permissions",
    }
)
"""The tables that it stands for."""
_WRITES = re.compile(
    r"\b(?:INSERT(?:\s+OR\s+\w+)?\s+INTO|UPDATE|DELETE\s+FROM|TRUNCATE(?:\s+TABLE)?)\s+(?:ONLY\s+)?[\"`]?(\w+)", re.IGNORECASE
)
_TOUCHED = "boathouse_touched"


class ChangeRow(Base):
    """The number; there is one row."""

    __tablename__ = "changes"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int]


def watch(engine: Engine) -> None:
    """Have the number raised by all that is committed through an engine."""
    event.listen(engine, "before_cursor_execute", _note)
    event.listen(engine, "commit", _raise)
    event.listen(engine, "rollback", _forget)


def number(engine: Engine) -> int:
    """The number as it is now: one statement past the ORM, since it is asked for with every query."""
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute("SELECT number FROM changes")
        row: Any = cursor.fetchone()
        return int(row[0])
    finally:
        connection.close()


def _note(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
    if any(table.lower() in WATCHED for table in _WRITES.findall(statement)):
        connection.info[_TOUCHED] = True


def _raise(connection: Connection) -> None:
    if connection.info.pop(_TOUCHED, False):
        connection.exec_driver_sql("UPDATE changes SET number = number + 1")


def _forget(connection: Connection) -> None:
    connection.info.pop(_TOUCHED, None)
