"""Principals and credentials: who is whose token."""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from sqlalchemy.orm import Session

from boathouse.iam.credential_repository import CredentialRepository
from boathouse.iam.errors import (
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

CredentialKind: TypeAlias = Literal["personal", "oauth", "session", "internal", "sign_in"]
PREFIX: dict[CredentialKind, str] = {
    "personal": "bhp_",
    "oauth": "bho_",
    "session": "bhs_",
    "internal": "bhi_",
    "sign_in": "bhl_",
}


@dataclass(frozen=True)
class TokenInfo:
    """A token without its value.

    Attributes:
        created_at: In ms since the epoch, as the other times.
        expires_at: None for never.
        scopes: What it may be used for; None for everything.
        last_used_at: Right to the day; None if it was never used.
        owner_id: Whose it is.
        owner_name: The same by name.
        created_by: Name of who made it.
    """

    token_id: str
    comment: str
    created_at: int
    expires_at: int | None
    scopes: frozenset[str] | None = None
    last_used_at: int | None = None
    owner_id: str = ""
    owner_name: str = ""
    created_by: str = ""

    @classmethod
    def of(cls, row: CredentialRow, owner: PrincipalRow | None = None) -> "TokenInfo":
        """The value of a row."""
        owner_name = owner.name if owner else ""
        return cls(
            row.id,
            row.comment,
            row.created_at,
            row.expires_at,
            scopes_of(row.scopes),
            row.last_used_at,
            row.principal_id,
            owner_name,
            row.created_by or owner_name,
        )


def digest(token: str) -> str:
    """What is stored of a token. Tokens have 256 random bits, so a plain hash cannot be guessed backwards."""
    return hashlib.sha256(token.encode()).hexdigest()


def scopes_of(stored: list[str] | None) -> frozenset[str] | None:
    """Scopes as they are stored; None for everything."""
    return None if stored is None else frozenset(stored)


class IamService:
    """Principals and credentials in one transaction.

    Args:
        session: The transaction.
    """

    def __init__(self, session: Session) -> None:
        self._rows = IamRepository(session)
        self._credentials = CredentialRepository(session)

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
            id=new_id(), name=name, kind=kind, display_name=display_name or name, active=True, created_at=now_ms(), profile={}
        )
        self._rows.add(row)
        for group in groups:
            self._rows.join_group(group, row.id)
        return row

    def ensure_admin(self, name: str) -> tuple[Principal, bool]:
        """The first admin of a lake, made at its first start.

        Returns:
            The principal, and whether it was made now.
        """
        admins = self._rows.active_admins()
        if admins:
            # By the name it was given first, or whatever it is called by now.
            return self._principal(next((row for row in admins if row.name == name), admins[0])), False
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

    def active_names(self, principal_ids: Iterable[str]) -> dict[str, str]:
        """Names by id of those that are there and active."""
        return self._rows.active_names(principal_ids)

    def list_principals(self, kind: PrincipalKind) -> list[PrincipalRow]:
        """All principals of a kind."""
        return self._rows.principals(kind)

    def group_names(self) -> list[str]:
        """Names of all groups, in order."""
        return [row.name for row in self._rows.groups()]

    def grantee_exists(self, name: str) -> bool:
        """Whether a grant can name this principal: a user, a service principal or a group."""
        return self.kind_of(name) is not None

    def grantee(self, name: str) -> str | None:
        """The name, as it is written here, of whom a grant means: names of users and groups are the same in any case.

        Args:
            name: Of a user, a service principal or a group. One that is written exactly so comes first.

        Returns:
            None if there is nobody of the name, or several are in other cases only.
        """
        if self.kind_of(name) is not None:
            return name
        found = [row.name for row in self._rows.users_like(name)] + self._rows.groups_like(name)
        found += [ACCOUNT_USERS] if name.lower() == ACCOUNT_USERS else []
        return found[0] if len(found) == 1 else None

    def kind_of(self, name: str) -> str | None:
        """The API's field for a grantee of a name: ``user_name``, ``group_name``, ``service_principal_name``; None if there is none."""
        person = self._rows.principal_by_name(name)
        if person is not None:
            return f"{person.kind}_name"
        return "group_name" if name == ACCOUNT_USERS or self._rows.group_exists(name) else None

    def issue(
        self,
        principal_id: str,
        kind: CredentialKind,
        *,
        comment: str = "",
        lifetime_seconds: float | None = None,
        scopes: frozenset[str] | None = None,
        created_by: str | None = None,
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
            scopes=None if scopes is None else sorted(scopes),
            created_by=created_by,
        )
        self._credentials.delete_expired(now)
        self._credentials.add(row)
        return token, TokenInfo.of(row)

    def list_tokens(self, principal_id: str) -> list[TokenInfo]:
        """A principal's personal access tokens, expired ones too."""
        return [TokenInfo.of(row) for row in self._credentials.of_principal(principal_id, "personal")]

    def revoke_token(self, principal_id: str, token_id: str) -> None:
        """Revoke one of a principal's personal access tokens.

        Raises:
            TokenNotFound: If it has no such token.
        """
        if token_id not in {token.token_id for token in self.list_tokens(principal_id)}:
            raise TokenNotFound(token_id)
        self._credentials.delete(token_id)

    def principal_of(self, token: str) -> Principal:
        """Whose token it is.

        Raises:
            TokenUnknown: If nobody's, or of somebody who was deactivated.
            TokenExpired: If its lifetime is over.
        """
        return self.identify(token)[0]

    def identify(self, token: str) -> tuple[Principal, CredentialRow]:
        """Whose token it is, and the token.

        Raises:
            TokenUnknown: If nobody's, or of somebody who was deactivated.
            TokenExpired: If its lifetime is over.
        """
        row = self._credentials.by_digest(digest(token))
        if row is None or row.kind == "sign_in":
            raise TokenUnknown
        if row.expires_at is not None and row.expires_at <= now_ms():
            raise TokenExpired
        principal = self._rows.principal(row.principal_id)
        if principal is None or not principal.active:
            raise TokenUnknown
        return self._principal(principal, row), row

    def touch(self, token: str) -> None:
        """Note that a token is used today."""
        self._credentials.touch(digest(token), now_ms())

    def redeem_sign_in(self, code: str) -> Principal:
        """Use up a one-time sign-in code.

        Raises:
            SignInCodeInvalid: If it is unknown, used or too old.
        """
        row = self._credentials.by_digest(digest(code))
        if row is None or row.kind != "sign_in" or (row.expires_at or 0) <= now_ms():
            raise SignInCodeInvalid
        self._credentials.delete(row.id)
        principal = self._rows.principal(row.principal_id)
        if principal is None or not principal.active:
            raise SignInCodeInvalid
        return self._principal(principal)

    def revoke(self, token: str) -> None:
        """Forget a credential by its value, if there is such a one."""
        row = self._credentials.by_digest(digest(token))
        if row is not None:
            self._credentials.delete(row.id)

    def end_session(self, token: str) -> bool:
        """End a page session by its value; whether single sign-on began it."""
        row = self._credentials.by_digest(digest(token))
        if row is None or row.kind != "session":
            return False
        self._credentials.delete(row.id)
        return row.comment == "sso"

    def _principal(self, row: PrincipalRow, credential: CredentialRow | None = None) -> Principal:
        groups = self._rows.groups_of(row.id) | {ACCOUNT_USERS}
        kind = cast("PrincipalKind", row.kind)
        if credential is None:
            return Principal(row.id, row.name, kind, groups, ADMINS in groups)
        purpose = credential.comment if credential.kind == "internal" else None
        scopes = scopes_of(credential.scopes)
        return Principal(row.id, row.name, kind, groups, ADMINS in groups, purpose, scopes, credential.expires_at)
