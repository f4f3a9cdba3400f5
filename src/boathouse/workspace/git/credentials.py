"""Git credentials: tokens of the users at their git providers, encrypted at rest."""

from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from boathouse.errors import InvalidParameterValue
from boathouse.iam.api import Principal
from boathouse.storage.errors import SecretUnreadable
from boathouse.storage.keys import KeyRing
from boathouse.storage.layout import Layout
from boathouse.workspace.git.errors import GitCredentialNotFound
from boathouse.workspace.models import GitCredentialRow

USERS = {
    "gitHub": "x-access-token",
    "gitHubEnterprise": "x-access-token",
    "bitbucketCloud": "x-token-auth",
    "bitbucketServer": "x-token-auth",
    "azureDevOpsServices": "",
    "gitLab": "oauth2",
    "gitLabEnterpriseEdition": "oauth2",
    "awsCodeCommit": "",
}
"""The providers, and the name that goes with a token where none was given."""


def provider_of(text: str) -> str:
    """A provider by its name, however it is written.

    Raises:
        InvalidParameterValue: If there is none.
    """
    found = next((name for name in USERS if name.lower() == text.lower()), None)
    if found is None:
        message = f"The provider '{text}' is not valid. Valid: {', '.join(USERS)}."
        raise InvalidParameterValue(message, field="provider")
    return found


@dataclass(frozen=True)
class CredentialInfo:
    """A credential without its token."""

    id: int
    provider: str
    username: str | None
    email: str | None
    name: str | None
    is_default: bool


class GitCredentials:
    """The git credentials of one principal in one transaction.

    Args:
        session: The transaction.
        principal: Whose they are.
        layout: The lake's folders.
    """

    def __init__(self, session: Session, principal: Principal, layout: Layout) -> None:
        self._session = session
        self._principal = principal
        self._layout = layout

    def all(self) -> list[CredentialInfo]:
        """All of them."""
        return [_value(row) for row in self._rows()]

    def _rows(self) -> list[GitCredentialRow]:
        query = select(GitCredentialRow).where(GitCredentialRow.principal_id == self._principal.id)
        return [*self._session.scalars(query.order_by(GitCredentialRow.id))]

    def get(self, credential_id: str) -> CredentialInfo:
        """One of them."""
        return _value(self._row(credential_id))

    def _row(self, credential_id: str) -> GitCredentialRow:
        found = next((row for row in self._rows() if str(row.id) == credential_id), None)
        if found is None:
            raise GitCredentialNotFound(credential_id)
        return found

    def save(
        self,
        credential_id: str | None,
        provider: str,
        *,
        token: str | None,
        username: str | None,
        email: str | None,
        name: str | None,
        is_default: bool | None,
    ) -> CredentialInfo:
        """Make a credential, or change one; what is not given stays.

        Raises:
            InvalidParameterValue: If the provider is none, or a new one has no token.
        """
        kind = provider_of(provider)
        if credential_id is None and not token:
            message = "The field personal_access_token is missing."
            raise InvalidParameterValue(message, field="personal_access_token")
        others = [row for row in self._rows() if row.provider == kind and str(row.id) != credential_id]
        if credential_id is None:
            row = GitCredentialRow(principal_id=self._principal.id, provider=kind, token="", is_default=not others)
            self._session.add(row)
        else:
            row = self._row(credential_id)
        row.provider = kind
        row.username = row.username if username is None else username
        row.email = row.email if email is None else email
        row.name = row.name if name is None else name
        if token:
            row.token = KeyRing.of(self._layout).encrypt({"token": token})
        if is_default is not None:
            row.is_default = is_default
        if row.is_default:
            for other in others:
                other.is_default = False
        self._session.flush()
        return _value(row)

    def delete(self, credential_id: str) -> None:
        """Forget one."""
        self._session.delete(self._row(credential_id))

    def login(self, provider: str, credential_id: str | None = None) -> tuple[str, str | None, str | None]:
        """The name, the token and the address for commits to use at a provider; no token if there is no credential.

        Raises:
            GitCredentialNotFound: If the one that is asked for is not there.
        """
        if credential_id is not None:
            row = self._row(credential_id)
        else:
            rows = [row for row in self._rows() if row.provider == provider]
            row = next((one for one in rows if one.is_default), rows[0] if rows else None)
        if row is None:
            return "", None, None
        return row.username or USERS[row.provider], KeyRing.of(self._layout).decrypt(row.token)["token"], row.email


def _value(row: GitCredentialRow) -> CredentialInfo:
    return CredentialInfo(row.id, row.provider, row.username, row.email, row.name, row.is_default)


def renew(session: Session, layout: Layout) -> None:
    """Encrypt with the first key what is not yet: at the start, for whoever rotated keys. What no key opens stays as it is."""
    keys = KeyRing.of(layout)
    for row in session.scalars(select(GitCredentialRow)):
        if not keys.is_current(row.token):
            with suppress(SecretUnreadable):
                row.token = keys.encrypt(keys.decrypt(row.token))
