"""Work that one of several servers does now and then: whoever claims it first does it, and the others see that it was done."""

from typing import Any

from sqlalchemy import BigInteger, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from boathouse.db.base import Base


class LeaseRow(Base):
    """Some work, and when it is to be done next."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[int] = mapped_column(BigInteger)


def claim(session: Session, name: str, now: int, every: int) -> bool:
    """Whether work is the asker's to do now; then it is nobody's for a time.

    Args:
        session: Of a transaction that writes.
        name: Of the work.
        now: The moment, in ms since the epoch.
        every: How long after it the work is to be done again.
    """
    found: Any = session.execute(
        update(LeaseRow).where(LeaseRow.name == name, LeaseRow.due_at <= now).values(due_at=now + every)
    )
    if found.rowcount:
        return True
    if session.get(LeaseRow, name) is not None:
        return False
    try:
        with session.begin_nested():
            session.add(LeaseRow(name=name, due_at=now + every))
    except IntegrityError:
        # Another server was the first.
        return False
    return True
