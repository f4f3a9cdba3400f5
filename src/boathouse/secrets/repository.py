"""Every query on secrets."""

from collections.abc import Iterable

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from boathouse.secrets.models import ScopeRow, SecretAclRow, SecretRow


class SecretRepository:
    """Scopes, secrets and permissions in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def scope(self, name: str) -> ScopeRow | None:
        """The scope of a name."""
        return self._session.scalar(select(ScopeRow).where(ScopeRow.folded == name.lower()))

    def scopes(self) -> list[ScopeRow]:
        """All scopes, by name."""
        return list(self._session.scalars(select(ScopeRow).order_by(ScopeRow.folded)))

    def count_scopes(self) -> int:
        """How many scopes there are."""
        return self._session.scalar(select(func.count()).select_from(ScopeRow)) or 0

    def count_secrets(self, scope_id: str) -> int:
        """How many secrets a scope has."""
        return self._session.scalar(select(func.count()).select_from(SecretRow).where(SecretRow.scope_id == scope_id)) or 0

    def secret(self, scope_id: str, key: str) -> SecretRow | None:
        """One secret."""
        return self._session.scalar(select(SecretRow).where(SecretRow.scope_id == scope_id, SecretRow.key == key))

    def secrets(self, scope_id: str) -> list[SecretRow]:
        """The secrets of a scope, by key."""
        return list(self._session.scalars(select(SecretRow).where(SecretRow.scope_id == scope_id).order_by(SecretRow.key)))

    def all_secrets(self) -> list[SecretRow]:
        """The secrets of all scopes."""
        return list(self._session.scalars(select(SecretRow).order_by(SecretRow.id)))

    def acls(self, scope_ids: Iterable[str]) -> list[SecretAclRow]:
        """The permissions on some scopes, by grantee."""
        query = select(SecretAclRow).where(SecretAclRow.scope_id.in_(list(scope_ids))).order_by(SecretAclRow.grantee)
        return list(self._session.scalars(query))

    def put_acl(self, scope_id: str, grantee: str, permission: str) -> None:
        """Give a grantee a permission in place of the one it has."""
        self._session.merge(SecretAclRow(scope_id=scope_id, grantee=grantee, permission=permission))
        self._session.flush()

    def add(self, row: ScopeRow | SecretRow) -> None:
        """Insert a row."""
        self._session.add(row)
        self._session.flush()

    def remove(self, row: ScopeRow | SecretRow | SecretAclRow) -> None:
        """Delete a row, and what is in it."""
        self._session.delete(row)
        self._session.flush()

    def rename_principal(self, old: str, new: str) -> None:
        """Let permissions and makers follow a principal's new name."""
        for row in list(self._session.scalars(select(SecretAclRow).where(SecretAclRow.grantee == old))):
            self.put_acl(row.scope_id, new, row.permission)
        self.remove_acls_of(old)
        for scope in self._session.scalars(select(ScopeRow).where(ScopeRow.created_by == old)):
            scope.created_by = new

    def remove_acls_of(self, name: str) -> None:
        """Take away every permission of a grantee."""
        self._session.execute(delete(SecretAclRow).where(SecretAclRow.grantee == name))
