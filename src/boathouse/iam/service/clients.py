"""OAuth clients: service principals with secrets, and the access tokens that they get for them."""

import hmac
import secrets as random
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from boathouse.iam.credential_repository import CredentialRepository
from boathouse.iam.errors import PrincipalNotFound, SecretNotFound, SecretsExhausted
from boathouse.iam.models import ClientSecretRow, PrincipalRow
from boathouse.iam.principal import Principal
from boathouse.iam.repository import IamRepository
from boathouse.iam.scopes import ALL_APIS, SCOPES, narrowed, parse_scopes
from boathouse.iam.service.identity import IamService, digest, scopes_of
from boathouse.kit.clock import now_ms
from boathouse.kit.ids import new_id

SECRET_PREFIX = "bhc_"  # noqa: S105 - how a secret begins, not one
SECRET_SECONDS = 730 * 24 * 3600
ACCESS_TOKEN_SECONDS = 3600
_MOST_SECRETS = 5
_NO_DIGEST = digest("")
_IGNORED_SCOPES = frozenset({"offline_access", "openid"})


class ClientRefused(Exception):
    """A token request that is answered with an error of OAuth (RFC 6749, 5.2).

    Attributes:
        error: The code, e.g. ``invalid_client``.
        description: For people; the same whether the client or the secret is wrong.
    """

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


@dataclass(frozen=True)
class SecretInfo:
    """A secret without its value; times in ms since the epoch, ``scopes`` None for everything."""

    secret_id: str
    created_at: int
    expires_at: int
    is_active: bool
    scopes: frozenset[str] | None

    @classmethod
    def of(cls, row: ClientSecretRow) -> "SecretInfo":
        """The value of a row."""
        return cls(row.id, row.created_at, row.expires_at, row.expires_at > now_ms(), scopes_of(row.scopes))


@dataclass(frozen=True)
class AccessToken:
    """An access token: its value, seconds that it lives, scopes (None for everything)."""

    value: str
    expires_in: int
    scopes: frozenset[str] | None


class Clients:
    """Secrets of service principals, and tokens for them, in one transaction."""

    def __init__(self, session: Session) -> None:
        self._iam = IamService(session)
        self._rows = CredentialRepository(session)
        self._principals = IamRepository(session)

    def create_secret(
        self, asker: Principal, principal_id: str, *, lifetime_seconds: int | None = None, scopes: Sequence[str] | None = None
    ) -> tuple[str, SecretInfo]:
        """Make a secret; its value is returned this once and kept nowhere.

        Raises:
            PrincipalNotFound: If there is no such service principal.
            ScopeUnknown: If a scope does not exist.
            ScopeExceeded: If the asker's own token lacks one of them.
            SecretsExhausted: If there are five, expired ones counted.
        """
        owner = self._service_principal(principal_id)
        if len(self._rows.secrets_of(owner.id)) >= _MOST_SECRETS:
            raise SecretsExhausted(_MOST_SECRETS)
        value = SECRET_PREFIX + random.token_urlsafe(32)
        now = now_ms()
        bound = narrowed(parse_scopes(scopes), asker.scopes)
        row = ClientSecretRow(
            id=new_id(),
            digest=digest(value),
            principal_id=owner.id,
            scopes=None if bound is None else sorted(bound),
            created_at=now,
            expires_at=now + (lifetime_seconds or SECRET_SECONDS) * 1000,
        )
        self._rows.add(row)
        return value, SecretInfo.of(row)

    def secrets(self, principal_id: str) -> list[SecretInfo]:
        """A service principal's secrets, expired ones too."""
        return [SecretInfo.of(row) for row in self._rows.secrets_of(self._service_principal(principal_id).id)]

    def delete_secret(self, principal_id: str, secret_id: str) -> None:
        """Delete a secret, and with it the access tokens that the service principal has.

        Raises:
            SecretNotFound: If there is none.
        """
        owner = self._service_principal(principal_id)
        if not self._rows.delete_secret(owner.id, secret_id):
            raise SecretNotFound(secret_id)
        self._rows.delete_of(owner.id, ("oauth",))

    def client_credentials(self, client_id: str, secret: str, scope: str | None) -> AccessToken:
        """An access token for a client that shows one of its secrets.

        Raises:
            ClientRefused: If client, secret or scope are not valid.
        """
        owner = self._principals.principal_by_name(client_id) or self._principals.principal(client_id)
        found = self._matching(owner, secret)
        if owner is None or found is None or not owner.active or owner.kind != "service_principal":
            raise ClientRefused("invalid_client", "The client id or the secret is not valid, or it has expired.")
        scopes = self._granted(scope, scopes_of(found.scopes))
        value, _ = self._iam.issue(
            owner.id, "oauth", lifetime_seconds=ACCESS_TOKEN_SECONDS, scopes=scopes, created_by=owner.name
        )
        return AccessToken(value, ACCESS_TOKEN_SECONDS, scopes)

    def _matching(self, owner: PrincipalRow | None, secret: str) -> ClientSecretRow | None:
        given, now = digest(secret), now_ms()
        rows = self._rows.secrets_of(owner.id) if owner is not None else []
        found = [row for row in rows if hmac.compare_digest(row.digest, given) and row.expires_at > now]
        if not rows:
            hmac.compare_digest(_NO_DIGEST, given)
        return found[0] if found else None

    def _granted(self, asked: str | None, held: frozenset[str] | None) -> frozenset[str] | None:
        names = [name for name in (asked or "").split() if name not in _IGNORED_SCOPES]
        unknown = [name for name in names if name not in SCOPES]
        if unknown:
            raise ClientRefused("invalid_scope", f"Unknown scope: {' '.join(unknown)}. Valid: {' '.join(SCOPES)}.")
        wanted = parse_scopes(names)
        # all-apis, which clients ask for without thinking, is everything that the secret may do.
        if held is None or wanted is None or ALL_APIS in names:
            return wanted if held is None else held
        if not wanted <= held:
            raise ClientRefused("invalid_scope", f"The secret lacks the scope: {' '.join(sorted(wanted - held))}.")
        return wanted

    def _service_principal(self, principal_id: str) -> PrincipalRow:
        row = self._principals.principal(principal_id) or self._principals.principal_by_name(principal_id)
        if row is None or row.kind != "service_principal":
            raise PrincipalNotFound(principal_id)
        return row
