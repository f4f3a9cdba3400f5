"""The rules of single sign-on: whose browser began it, who the provider's user is here, which groups it is in."""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy.orm import Session

from boathouse.iam.credential_repository import CredentialRepository
from boathouse.iam.errors import SsoNotAllowed, SsoStateInvalid
from boathouse.iam.models import ExternalIdentityRow, PrincipalRow, SignInFlowRow
from boathouse.iam.principal import ACCOUNT_USERS, ADMINS, Principal
from boathouse.iam.provider import Challenge, ProviderConfig
from boathouse.iam.repository import IamRepository
from boathouse.iam.service.identity import IamService, digest
from boathouse.kit.clock import now_ms

FLOW_SECONDS = 600
SSO_SESSION_SECONDS = 12 * 3600
SSO = "sso"
MAX_GROUPS = 500

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True)
class Flow:
    """A sign-in that this browser began."""

    nonce: str
    code_verifier: str
    next_path: str


class SingleSignOn:
    """Sign-ins by the OpenID provider in one transaction.

    Args:
        session: The transaction.
        config: What the provider may decide.
    """

    def __init__(self, session: Session, config: ProviderConfig) -> None:
        self._iam = IamService(session)
        self._rows = IamRepository(session)
        self._flows = CredentialRepository(session)
        self._config = config

    def begin(self, challenge: Challenge, next_path: str) -> str:
        """Remember a sign-in that begins.

        Returns:
            What the browser has to keep and show again.
        """
        browser, now = secrets.token_urlsafe(32), now_ms()
        self._flows.delete_old_flows(now)
        self._flows.add(
            SignInFlowRow(
                state_digest=digest(challenge.state),
                browser_digest=digest(browser),
                nonce=challenge.nonce,
                code_verifier=challenge.code_verifier,
                next_path=safe_next(next_path),
                expires_at=now + FLOW_SECONDS * 1000,
            )
        )
        return browser

    def take(self, state: str, browser: str) -> Flow:
        """The sign-in with a state, once.

        Raises:
            SsoStateInvalid: If this browser did not begin it, it was finished already or took too long.
        """
        row = self._flows.flow(digest(state))
        if row is None or not hmac.compare_digest(row.browser_digest, digest(browser)) or row.expires_at <= now_ms():
            raise SsoStateInvalid
        self._flows.delete_flow(row)
        return Flow(row.nonce, row.code_verifier, row.next_path)

    def sign_in(self, claims: Mapping[str, Any]) -> Principal:
        """Who the provider's user is here; made, and put into its groups, where the settings say so.

        Args:
            claims: Of the ID token, all checked.

        Raises:
            SsoNotAllowed: If this server does not let it in.
        """
        self._rows.lock()
        issuer, subject = self._config.issuer, str(claims["sub"])
        email = self._email(claims)
        self._check_domain(email)
        identity = self._rows.identity(issuer, subject)
        row = self._rows.principal(identity.principal_id) if identity is not None else None
        if row is None:
            row = self._match(email, claims)
            now = now_ms()
            identity = ExternalIdentityRow(
                issuer=issuer, subject=subject, principal_id=row.id, email=email, created_at=now, last_sign_in_at=now
            )
            self._rows.add(identity)
        elif identity is not None:
            identity.email, identity.last_sign_in_at = email or identity.email, now_ms()
        if not row.active:
            message = f"The user '{row.name}' is deactivated here. An admin can activate it."
            raise SsoNotAllowed(message)
        if self._config.groups_claim is not None:
            self._sync_groups(row, claims.get(self._config.groups_claim))
        return self._iam.get_principal(row.id)

    def open_session(self, principal: Principal) -> str:
        """A page session of somebody whom the provider vouched for."""
        return self._iam.issue(principal.id, "session", comment=SSO, lifetime_seconds=SSO_SESSION_SECONDS)[0]

    def _email(self, claims: Mapping[str, Any]) -> str | None:
        """The user's address, if the provider vouches for it."""
        email = claims.get("email")
        if not isinstance(email, str) or "@" not in email or email != email.strip():
            return None
        verified = claims.get("email_verified") in {True, "true"}
        return email if verified or self._config.trust_email else None

    def _check_domain(self, email: str | None) -> None:
        allowed = self._config.allowed_domains
        if allowed and (email is None or email.rsplit("@", 1)[1].lower() not in allowed):
            message = "Single sign-on is open to verified addresses of these domains only: " + ", ".join(sorted(allowed)) + "."
            raise SsoNotAllowed(message)

    def _match(self, email: str | None, claims: Mapping[str, Any]) -> PrincipalRow:
        if email is None:
            message = "The provider names no verified e-mail address, so nobody here can be found by it."
            raise SsoNotAllowed(message)
        found = self._rows.users_like(email)
        if len(found) > 1:
            message = f"Several users here have the address '{email}' in different cases: an admin has to leave one."
            raise SsoNotAllowed(message)
        if found:
            if any(one.issuer == self._config.issuer for one in self._rows.identities_of(found[0].id)):
                message = f"The user '{found[0].name}' belongs to another account of the provider already."
                raise SsoNotAllowed(message)
            return found[0]
        if not self._config.auto_provision or self._iam.grantee_exists(email):
            message = f"There is no user '{email}' here. An admin can make it."
            raise SsoNotAllowed(message)
        name = claims.get("name")
        log.info("sso.user_made", user=email)
        return self._iam.create_principal(email, "user", display_name=name if isinstance(name, str) and name else None)

    def _sync_groups(self, row: PrincipalRow, claimed: object) -> None:
        wanted = self._wanted(claimed)
        present = self._rows.memberships(row.id, SSO)
        for name in wanted - set(present):
            if self._rows.principal_by_name(name) is None and not self._makes_admins(name):
                self._rows.join_group(name, row.id, SSO)
        for name in set(present) - wanted:
            self._rows.remove_member(present[name], row.id)
            if name == ADMINS and not self._rows.active_admins():
                self._rows.join_group(name, row.id, SSO)
                log.warning("sso.last_admin_kept", user=row.name)

    def _makes_admins(self, name: str) -> bool:
        """Whether the members of a group are admins because it is in theirs: the claim of one makes nobody an admin."""
        group, admins = self._rows.group_by_name(name), self._rows.group_by_name(ADMINS)
        if name == ADMINS or group is None or admins is None or not self._rows.is_below(group.id, admins.id):
            return False
        log.warning("sso.group_left_out", group=name, why="its members are admins")
        return True

    def _wanted(self, claimed: object) -> set[str]:
        names = claimed if isinstance(claimed, list) else [claimed]
        texts = [name for name in names if isinstance(name, str) and name.strip() == name and 0 < len(name) <= 255]
        wanted = {name for name in texts[:MAX_GROUPS] if name.isprintable() and name not in {ADMINS, ACCOUNT_USERS}}
        if self._config.admin_group is not None and self._config.admin_group in texts:
            wanted.add(ADMINS)
        return wanted


def safe_next(path: str) -> str:
    """Where to go after signing in: a path of this page, and nowhere else."""
    unsafe = not path.startswith("/") or path.startswith(("//", "/sign-in", "/api/")) or "\\" in path
    return "/" if unsafe or not path.isprintable() or len(path) > 2000 else path
