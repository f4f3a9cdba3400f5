"""The rules of personal access tokens: lifetimes, scopes, who may see and revoke which."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from boathouse.iam.credential_repository import CredentialRepository
from boathouse.iam.errors import LifetimeTooLong, TokenNotFound
from boathouse.iam.principal import Principal
from boathouse.iam.scopes import narrowed, parse_scopes
from boathouse.iam.service.identity import IamService, TokenInfo
from boathouse.kit.clock import now_ms

DAY_SECONDS = 24 * 3600


class Tokens:
    """Personal access tokens in one transaction.

    Args:
        session: The transaction.
        asker: Who asks; its own token's scopes bound those of the tokens that it makes.
        default_days: Lifetime of a token that names none.
        max_days: Longest lifetime; None for no limit.
    """

    def __init__(self, session: Session, asker: Principal, default_days: float, max_days: float | None) -> None:
        self._iam = IamService(session)
        self._rows = CredentialRepository(session)
        self._asker = asker
        self._default_days = default_days
        self._max_days = max_days

    def create(
        self,
        *,
        owner: str | None = None,
        comment: str = "",
        lifetime_seconds: int | None = None,
        scopes: Sequence[str] | None = None,
    ) -> tuple[str, TokenInfo]:
        """Make a token of the asker, or of another principal named by name or id.

        Returns:
            Its value, which is kept nowhere, and what is kept.

        Raises:
            LifetimeTooLong: Above the maximum.
            ScopeUnknown: If a scope does not exist.
            ScopeExceeded: If the asker's own token lacks one of them.
            PrincipalNotFound: If the owner does not exist.
        """
        principal = self._asker if owner is None else self._iam.get_principal(owner)
        return self._iam.issue(
            principal.id,
            "personal",
            comment=comment,
            lifetime_seconds=self._lifetime(lifetime_seconds),
            scopes=narrowed(parse_scopes(scopes), self._asker.scopes),
            created_by=self._asker.name,
        )

    def own(self) -> list[TokenInfo]:
        """The asker's tokens, expired ones too."""
        return self._iam.list_tokens(self._asker.id)

    def update(self, token_id: str, *, comment: str | None = None, scopes: Sequence[str] | None = None) -> TokenInfo:
        """Change the comment or the scopes of one of the asker's tokens; what is None stays.

        Raises:
            TokenNotFound: If it has no such token.
        """
        row = self._rows.by_id(token_id)
        if row is None or row.kind != "personal" or row.principal_id != self._asker.id:
            raise TokenNotFound(token_id)
        if comment is not None:
            row.comment = comment
        if scopes is not None:
            wanted = narrowed(parse_scopes(scopes), self._asker.scopes)
            row.scopes = None if wanted is None else sorted(wanted)
        return TokenInfo.of(row)

    def revoke(self, token_id: str) -> None:
        """Revoke one of the asker's tokens.

        Raises:
            TokenNotFound: If it has no such token.
        """
        self._iam.revoke_token(self._asker.id, token_id)

    # ---- everybody's; the endpoints ask for an admin

    def everybody(self, created_by: str | None = None, created_by_id: str | None = None) -> list[TokenInfo]:
        """All tokens, or those that a principal made."""
        if created_by_id is not None:
            created_by = self._iam.get_principal(created_by_id).name
        return [TokenInfo.of(row, owner) for row, owner in self._rows.personal(created_by)]

    def get(self, token_id: str) -> TokenInfo:
        """Anybody's token.

        Raises:
            TokenNotFound: If there is none.
        """
        found = self._rows.personal(token_id=token_id)
        if not found:
            raise TokenNotFound(token_id, "all tokens")
        return TokenInfo.of(*found[0])

    def revoke_any(self, token_id: str) -> None:
        """Revoke anybody's token.

        Raises:
            TokenNotFound: If there is none.
        """
        self._rows.delete(self.get(token_id).token_id)

    def _lifetime(self, asked: int | None) -> float:
        most = None if self._max_days is None else self._max_days * DAY_SECONDS
        if asked is None:
            usual = self._default_days * DAY_SECONDS
            wanted = usual if most is None else min(usual, most)
        elif self._max_days is not None and asked > self._max_days * DAY_SECONDS:
            raise LifetimeTooLong("lifetime_seconds", self._max_days)
        else:
            wanted = float(asked)
        # A token cannot outlive the one that made it where that is bound to scopes: a leaked one would renew itself.
        if self._asker.scopes is not None and self._asker.expires_at is not None:
            wanted = min(wanted, (self._asker.expires_at - now_ms()) / 1000)
        return wanted
