"""Every query on tokens, client secrets and sign-ins in progress."""

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from boathouse.iam.models import ClientSecretRow, CredentialRow, PrincipalRow, SignInFlowRow


class CredentialRepository:
    """Credentials in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, row: CredentialRow | ClientSecretRow | SignInFlowRow) -> None:
        """Insert a row."""
        self._session.add(row)
        self._session.flush()

    def by_digest(self, digest: str) -> CredentialRow | None:
        """The credential with a digest."""
        return self._session.scalar(select(CredentialRow).where(CredentialRow.digest == digest))

    def by_id(self, credential_id: str) -> CredentialRow | None:
        """The credential with an identifier."""
        return self._session.get(CredentialRow, credential_id)

    def of_principal(self, principal_id: str, kind: str) -> list[CredentialRow]:
        """A principal's credentials of a kind, oldest first."""
        query = select(CredentialRow).where(CredentialRow.principal_id == principal_id, CredentialRow.kind == kind)
        return list(self._session.scalars(query.order_by(CredentialRow.created_at, CredentialRow.id)))

    def personal(self, created_by: str | None = None, token_id: str | None = None) -> list[tuple[CredentialRow, PrincipalRow]]:
        """Everybody's personal access tokens with their owners, oldest first."""
        query = select(CredentialRow, PrincipalRow).join(PrincipalRow).where(CredentialRow.kind == "personal")
        if created_by is not None:
            query = query.where(func.coalesce(CredentialRow.created_by, PrincipalRow.name) == created_by)
        if token_id is not None:
            query = query.where(CredentialRow.id == token_id)
        rows = self._session.execute(query.order_by(CredentialRow.created_at, CredentialRow.id))
        return [(credential, owner) for credential, owner in rows]

    def delete(self, credential_id: str) -> None:
        """Revoke one credential."""
        self._session.execute(delete(CredentialRow).where(CredentialRow.id == credential_id))

    def delete_of(self, principal_id: str, kinds: tuple[str, ...]) -> None:
        """Revoke a principal's credentials of some kinds."""
        here = (CredentialRow.principal_id == principal_id, CredentialRow.kind.in_(kinds))
        self._session.execute(delete(CredentialRow).where(*here))

    def delete_expired(self, now: int) -> None:
        """Forget what is over, but for personal tokens, which stay listed."""
        self._session.execute(delete(CredentialRow).where(CredentialRow.expires_at < now, CredentialRow.kind != "personal"))

    def touch(self, digest: str, now: int) -> None:
        """Note that a credential is used."""
        self._session.execute(update(CredentialRow).where(CredentialRow.digest == digest).values(last_used_at=now))

    # ---- client secrets

    def secrets_of(self, principal_id: str) -> list[ClientSecretRow]:
        """A service principal's secrets, oldest first."""
        query = select(ClientSecretRow).where(ClientSecretRow.principal_id == principal_id)
        return list(self._session.scalars(query.order_by(ClientSecretRow.created_at, ClientSecretRow.id)))

    def delete_secret(self, principal_id: str, secret_id: str) -> bool:
        """Delete one of a service principal's secrets; whether it was there."""
        here = (ClientSecretRow.principal_id == principal_id, ClientSecretRow.id == secret_id)
        found = self._session.scalar(select(ClientSecretRow.id).where(*here)) is not None
        self._session.execute(delete(ClientSecretRow).where(*here))
        return found

    # ---- sign-ins in progress

    def flow(self, state_digest: str) -> SignInFlowRow | None:
        """The sign-in with a state."""
        return self._session.get(SignInFlowRow, state_digest)

    def delete_flow(self, row: SignInFlowRow) -> None:
        """Forget a sign-in."""
        self._session.delete(row)
        self._session.flush()

    def delete_old_flows(self, now: int) -> None:
        """Forget sign-ins that nobody finished."""
        self._session.execute(delete(SignInFlowRow).where(SignInFlowRow.expires_at < now))
