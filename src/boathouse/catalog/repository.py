"""Every query on securables and grants."""

from collections.abc import Iterable

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from boathouse.catalog.models import METASTORE_ID, GrantRow, SecurableRow, StagingRow
from boathouse.catalog.privileges import SecurableType


class CatalogRepository:
    """Securables, grants and staged locations in one transaction."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def metastore(self) -> SecurableRow | None:
        """The root of all securables; None before the first start made it."""
        return self.session.get(SecurableRow, METASTORE_ID)

    def by_id(self, securable_id: str) -> SecurableRow | None:
        """One securable by its identifier."""
        return self.session.get(SecurableRow, securable_id)

    def find(self, kind: SecurableType, full_name: str) -> SecurableRow | None:
        """One securable by its full name; names are compared without case, as they are stored in lower case."""
        return self.session.scalar(
            select(SecurableRow).where(SecurableRow.type == kind.value, SecurableRow.full_name == full_name.lower())
        )

    def children(self, parent_id: str, kind: SecurableType, *, after: str = "", limit: int | None = None) -> list[SecurableRow]:
        """The securables of a kind in a container, by name."""
        query = (
            select(SecurableRow)
            .where(SecurableRow.parent_id == parent_id, SecurableRow.type == kind.value, SecurableRow.name > after)
            .order_by(SecurableRow.name)
            .limit(limit)
        )
        return list(self.session.scalars(query))

    def of_type(self, kind: SecurableType) -> list[SecurableRow]:
        """All securables of a kind, by full name."""
        query = select(SecurableRow).where(SecurableRow.type == kind.value).order_by(SecurableRow.full_name)
        return list(self.session.scalars(query))

    def count_children(self, parent_id: str) -> int:
        """How many securables a container holds."""
        query = select(func.count()).select_from(SecurableRow).where(SecurableRow.parent_id == parent_id)
        return self.session.scalar(query) or 0

    def descendants(self, row: SecurableRow) -> list[SecurableRow]:
        """Everything in a container, at any depth."""
        pattern = row.full_name.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%") + ".%"
        return list(self.session.scalars(select(SecurableRow).where(SecurableRow.full_name.like(pattern, escape="\\"))))

    def located(self) -> list[SecurableRow]:
        """All securables that have files of their own."""
        return list(self.session.scalars(select(SecurableRow).where(SecurableRow.location.is_not(None))))

    def at_locations(self, locations: Iterable[str]) -> SecurableRow | None:
        """A securable at one of several locations."""
        return self.session.scalar(select(SecurableRow).where(SecurableRow.location.in_(list(locations))))

    def add(self, row: SecurableRow | StagingRow) -> None:
        """Insert a row."""
        self.session.add(row)
        self.session.flush()

    def remove(self, row: SecurableRow) -> None:
        """Delete a securable with all that is in it."""
        self.session.execute(delete(SecurableRow).where(SecurableRow.id == row.id))
        self.session.expire_all()

    def staged_at(self, location: str) -> StagingRow | None:
        """What was handed out at a location."""
        return self.session.scalar(select(StagingRow).where(StagingRow.location == location))

    def unstage(self, row: StagingRow) -> None:
        """Forget a handed-out location."""
        self.session.delete(row)

    def grants_on(self, securable_ids: Iterable[str], grantees: Iterable[str] | None = None) -> list[GrantRow]:
        """The grants on some securables, to some grantees or to all."""
        query = select(GrantRow).where(GrantRow.securable_id.in_(list(securable_ids)))
        if grantees is not None:
            query = query.where(GrantRow.grantee.in_(list(grantees)))
        return list(self.session.scalars(query.order_by(GrantRow.grantee, GrantRow.privilege)))

    def grants_to(self, grantees: Iterable[str]) -> list[GrantRow]:
        """All grants to some grantees."""
        return list(self.session.scalars(select(GrantRow).where(GrantRow.grantee.in_(list(grantees)))))

    def add_grant(self, securable_id: str, grantee: str, privilege: str) -> None:
        """Grant a privilege; granting it twice is once."""
        self.session.merge(GrantRow(securable_id=securable_id, grantee=grantee, privilege=privilege))

    def remove_grant(self, securable_id: str, grantee: str, privilege: str) -> None:
        """Revoke a privilege, if it was granted."""
        self.session.execute(
            delete(GrantRow).where(
                GrantRow.securable_id == securable_id, GrantRow.grantee == grantee, GrantRow.privilege == privilege
            )
        )
