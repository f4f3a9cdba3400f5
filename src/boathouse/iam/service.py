"""The rules: principals, tokens, sign-in."""

import hashlib
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from sqlalchemy.orm import Session

from boathouse.db import Database
from boathouse.iam.errors import (
    AdminRequired,
    PrincipalExists,
    PrincipalNotFound,
    SignInCodeInvalid,
    TokenExpired,
    TokenNotFound,
    TokenUnknown,
)
from boathouse.iam.models import CredentialRow, PrincipalRow
from boathouse.iam.principal import ACCOUNT_USERS, ADMINS, Principal, PrincipalKind
from boathouse.iam.repository import IamRepository
from boathouse.kit.clock import now_ms
from boathouse.kit.ids import new_id

SESSION_SECONDS = 14 * 24 * 3600
SIGN_IN_SECONDS = 15 * 60
CACHE_SECONDS = 3.0

CredentialKind: TypeAlias = Literal["personal", "session", "internal", "sign_in"]
PREFIX: dict[CredentialKind, str] = {"personal": "bhp_", "session": "bhs_", "internal": "bhi_", "sign_in": "bhl_"}


@dataclass(frozen=True)
class TokenInfo:
    """A personal access token without its value; times in ms since the epoch, ``expires_at`` None for never."""

    token_id: str
    comment: str
    created_at: int
    expires_at: int | None


def digest(token: str) -> str:
    """What is stored of a token. Tokens have 256 random bits, so a plain hash cannot be guessed backwards."""
    return hashlib.sha256(token.encode()).hexdigest()


class IamService:
    """Principals and credentials in one transaction.

    Args:
        session: The transaction.
    """

    def __init__(self, session: Session) -> None:
        self._rows = IamRepository(session)

    def create_principal(
        self, name: str, kind: PrincipalKind, *, display_name: str | None = None, groups: tuple[str, ...] = ()
    ) -> PrincipalRow:
        """Make a principal.

        Raises:
            PrincipalExists: If the name is taken, by a group too.
        """
        if self._rows.principal_by_name(name) is not None or self._rows.group_exists(name) or name == ACCOUNT_USERS:
            raise PrincipalExists(name)
        row = PrincipalRow(
            id=new_id(), name=name, kind=kind, display_name=display_name or name, active=True, created_at=now_ms()
        )
        self._rows.add(row)
        for group in groups:
            self._rows.join_group(group, row.id)
        return row

    def ensure_admin(self, name: str) -> tuple[Principal, bool]:
        """The admin of a new lake, made at its first start.

        Returns:
            The principal, and whether it was made now.
        """
        row = self._rows.principal_by_name(name)
        if row is not None:
            return self._principal(row), False
        return self._principal(self.create_principal(name, "user", groups=(ADMINS,))), True

    def get_principal(self, name_or_id: str) -> Principal:
        """A principal by name or id.

        Raises:
            PrincipalNotFound: If there is none.
        """
        row = self._rows.principal_by_name(name_or_id) or self._rows.principal(name_or_id)
        if row is None:
            raise PrincipalNotFound(name_or_id)
        return self._principal(row)

    def list_principals(self, kind: PrincipalKind) -> list[PrincipalRow]:
        """All principals of a kind."""
        return self._rows.principals(kind)

    def grantee_exists(self, name: str) -> bool:
        """Whether a grant can name this principal: a user, a service principal or a group."""
        return name == ACCOUNT_USERS or self._rows.principal_by_name(name) is not None or self._rows.group_exists(name)

    def delete_principal(self, asker: Principal, principal_id: str) -> None:
        """Delete a principal and revoke all that it has.

        Raises:
            AdminRequired: If the asker is not an admin.
            PrincipalNotFound: If there is none with this id.
        """
        if not asker.is_admin:
            raise AdminRequired("delete principals")
        if self._rows.principal(principal_id) is None:
            raise PrincipalNotFound(principal_id)
        self._rows.delete_principal(principal_id)

    def issue(
        self, principal_id: str, kind: CredentialKind, *, comment: str = "", lifetime_seconds: float | None = None
    ) -> tuple[str, TokenInfo]:
        """Make a credential; its value is returned this once and kept nowhere."""
        token = PREFIX[kind] + secrets.token_urlsafe(32)
        now = now_ms()
        row = CredentialRow(
            id=new_id(),
            digest=digest(token),
            principal_id=principal_id,
            kind=kind,
            comment=comment,
            created_at=now,
            expires_at=None if lifetime_seconds is None else now + int(lifetime_seconds * 1000),
        )
        self._rows.delete_expired(now)
        self._rows.add(row)
        return token, TokenInfo(row.id, comment, now, row.expires_at)

    def list_tokens(self, principal_id: str) -> list[TokenInfo]:
        """A principal's personal access tokens, expired ones too."""
        rows = self._rows.credentials(principal_id, "personal")
        return [TokenInfo(row.id, row.comment, row.created_at, row.expires_at) for row in rows]

    def revoke_token(self, principal_id: str, token_id: str) -> None:
        """Revoke one of a principal's personal access tokens.

        Raises:
            TokenNotFound: If it has no such token.
        """
        if token_id not in {token.token_id for token in self.list_tokens(principal_id)}:
            raise TokenNotFound(token_id)
        self._rows.delete_credential(token_id)

    def principal_of(self, token: str) -> Principal:
        """Whose token it is.

        Raises:
            TokenUnknown: If nobody's.
            TokenExpired: If its lifetime is over.
        """
        row = self._rows.credential(digest(token))
        if row is None or row.kind == "sign_in":
            raise TokenUnknown
        if row.expires_at is not None and row.expires_at <= now_ms():
            raise TokenExpired
        principal = self._rows.principal(row.principal_id)
        if principal is None or not principal.active:
            raise TokenUnknown
        return self._principal(principal, acting_for=row.comment if row.kind == "internal" else None)

    def redeem_sign_in(self, code: str) -> Principal:
        """Use up a one-time sign-in code.

        Raises:
            SignInCodeInvalid: If it is unknown, used or too old.
        """
        row = self._rows.credential(digest(code))
        if row is None or row.kind != "sign_in" or (row.expires_at or 0) <= now_ms():
            raise SignInCodeInvalid
        self._rows.delete_credential(row.id)
        principal = self._rows.principal(row.principal_id)
        if principal is None:
            raise SignInCodeInvalid
        return self._principal(principal)

    def revoke(self, token: str) -> None:
        """Forget a credential by its value, if there is such a one."""
        row = self._rows.credential(digest(token))
        if row is not None:
            self._rows.delete_credential(row.id)

    def _principal(self, row: PrincipalRow, acting_for: str | None = None) -> Principal:
        groups = self._rows.groups_of(row.id) | {ACCOUNT_USERS}
        return Principal(row.id, row.name, cast("PrincipalKind", row.kind), groups, ADMINS in groups, acting_for)


class Authenticator:
    """Turns tokens into principals for every door of the server. Safe for threads.

    A good answer is kept for 3 s, so a revoked token works that much longer.

    Args:
        database: The metadata database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cache: dict[str, tuple[float, Principal]] = {}
        self._lock = threading.Lock()

    def authenticate(self, token: str) -> Principal:
        """Whose token it is.

        Raises:
            Unauthenticated: If it is unknown, revoked or expired.
        """
        key, now = digest(token), time.monotonic()
        with self._lock:
            known = self._cache.get(key)
        if known is not None and known[0] > now:
            return known[1]
        with self._database.session() as session:
            principal = IamService(session).principal_of(token)
        with self._lock:
            if len(self._cache) > 1000:
                self._cache = {k: v for k, v in self._cache.items() if v[0] > now}
            self._cache[key] = (now + CACHE_SECONDS, principal)
        return principal

    def issue_internal_token(self, principal: Principal, purpose: str, lifetime_seconds: float) -> str:
        """A token with which a child process acts for a principal; it is not listed among the principal's tokens."""
        with self._database.session(write=True) as session:
            token, _ = IamService(session).issue(principal.id, "internal", comment=purpose, lifetime_seconds=lifetime_seconds)
        return token

    def forget(self, token: str) -> None:
        """Drop what is remembered of a token, so that its revocation holds at once."""
        with self._lock:
            self._cache.pop(digest(token), None)
