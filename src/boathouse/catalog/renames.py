"""New names of securables and columns, for slices that keep something by names."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, event, select, update
from sqlalchemy.orm import Mapper, Session

from boathouse.catalog.models import RenameRow, SecurableRow
from boathouse.catalog.privileges import SecurableType
from boathouse.catalog.repository import CatalogRepository

COLUMN = "COLUMN"


@dataclass(frozen=True)
class Rename:
    """A new name.

    Attributes:
        type: Of the securable; ``COLUMN`` for a column.
        old: The full name that it had.
        new: The one that it has since.
        at: When, ms since the epoch.
    """

    type: str
    old: str
    new: str
    at: int

    def of(self, full_name: str, kind: SecurableType) -> str:
        """The name that something of a kind has after it, which had a full name before."""
        if kind == self.type and full_name == self.old:
            return self.new
        inside = f"{self.old}."
        if self.type in {SecurableType.CATALOG, SecurableType.SCHEMA} and full_name.startswith(inside):
            return f"{self.new}.{full_name[len(inside) :]}"
        return full_name


def on_rename(follow: Callable[[Connection, Rename], None]) -> None:
    """Have something called at each new name from now on, in the transaction that gives it."""

    def given(_mapper: Mapper[RenameRow], connection: Connection, row: RenameRow) -> None:
        follow(connection, Rename(row.type, row.old_name, row.new_name, row.renamed_at))

    event.listen(RenameRow, "after_insert", given)


def change_function_bodies(connection: Connection, language: str, change: Callable[[str], str]) -> None:
    """Give the functions of a language other bodies, where the change gives others."""
    query = select(SecurableRow.id, SecurableRow.details).where(SecurableRow.type == SecurableType.FUNCTION)
    for row in connection.execute(query).all():
        if row.details.get("language") != language:
            continue
        body = change(row.details["body"])
        if body != row.details["body"]:
            of_row = update(SecurableRow).where(SecurableRow.id == row.id)
            connection.execute(of_row.values(details={**row.details, "body": body}))


def id_of(connection: Connection, kind: SecurableType, full_name: str) -> str | None:
    """The identifier of the securable of a name."""
    query = select(SecurableRow.id).where(SecurableRow.type == kind, SecurableRow.full_name == full_name)
    return connection.execute(query).scalar()


def take_renames(session: Session) -> list[Rename]:
    """The renames since it was last asked, in order; who takes them follows them in the same transaction."""
    rows = CatalogRepository(session).take_renames()
    return [Rename(row.type, row.old_name, row.new_name, row.renamed_at) for row in rows]
