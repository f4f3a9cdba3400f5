"""Every query on principals and credentials."""

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from boathouse.iam.models import CredentialRow, GroupRow, MembershipRow, PrincipalRow
from boathouse.kit.ids import new_id


class IamRepository:
    """Principals, groups and credentials in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def principal(self, principal_id: str) -> PrincipalRow | None:
        """The principal with an identifier."""
        return self._session.get(PrincipalRow, principal_id)

    def principal_by_name(self, name: str) -> PrincipalRow | None:
        """The principal with a name."""
        return self._session.scalar(select(PrincipalRow).where(PrincipalRow.name == name))

    def principals(self, kind: str) -> list[PrincipalRow]:
        """All principals of a kind, by name."""
        return list(self._session.scalars(select(PrincipalRow).where(PrincipalRow.kind == kind).order_by(PrincipalRow.name)))

    def add(self, row: PrincipalRow | CredentialRow) -> None:
        """Insert a row."""
        self._session.add(row)
        self._session.flush()

    def delete_principal(self, principal_id: str) -> None:
        """Delete a principal with its memberships and credentials."""
        self._session.execute(delete(PrincipalRow).where(PrincipalRow.id == principal_id))

    def groups_of(self, principal_id: str) -> frozenset[str]:
        """Names of the groups that a principal is in."""
        query = select(GroupRow.name).join(MembershipRow).where(MembershipRow.principal_id == principal_id)
        return frozenset(self._session.scalars(query))

    def group_exists(self, name: str) -> bool:
        """Whether a group has this name."""
        return self._session.scalar(select(GroupRow.id).where(GroupRow.name == name)) is not None

    def join_group(self, name: str, principal_id: str) -> None:
        """Put a principal into a group, which is made if it is missing."""
        group_id = self._session.scalar(select(GroupRow.id).where(GroupRow.name == name))
        if group_id is None:
            group_id = new_id()
            self._session.add(GroupRow(id=group_id, name=name))
            self._session.flush()
        self._session.add(MembershipRow(group_id=group_id, principal_id=principal_id))
        self._session.flush()

    def credential(self, digest: str) -> CredentialRow | None:
        """The credential with a digest."""
        return self._session.scalar(select(CredentialRow).where(CredentialRow.digest == digest))

    def credentials(self, principal_id: str, kind: str) -> list[CredentialRow]:
        """A principal's credentials of a kind, oldest first."""
        query = select(CredentialRow).where(CredentialRow.principal_id == principal_id, CredentialRow.kind == kind)
        return list(self._session.scalars(query.order_by(CredentialRow.created_at)))

    def delete_credential(self, credential_id: str) -> None:
        """Revoke one credential."""
        self._session.execute(delete(CredentialRow).where(CredentialRow.id == credential_id))

    def delete_expired(self, now: int) -> None:
        """Forget internal tokens, sessions and codes that are over; expired personal tokens stay listed."""
        self._session.execute(delete(CredentialRow).where(CredentialRow.expires_at < now, CredentialRow.kind != "personal"))
