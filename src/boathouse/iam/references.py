"""What slices above keep by a principal's name, and how they hear that the name goes or changes.

Grants, owners and access lists name users, service principals and groups. This slice cannot know them; each slice that keeps
such names gives one ``NameReferences`` to ``Identity``. It is called in the transaction of the change.
"""

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy.orm import Session


class NameReferences(Protocol):
    """A slice's use of principals' names."""

    def held_by(self, session: Session, name: str) -> Sequence[str]:
        """What would be left without an owner if the principal went, for people: ``table main.s.t``. Grants are not named."""
        ...

    def renamed(self, session: Session, old: str, new: str) -> None:
        """A user or group has a new name: everything that names it follows."""
        ...

    def deleted(self, session: Session, name: str) -> None:
        """A principal is gone: its grants go too, so that nobody who takes the name later inherits them."""
        ...
