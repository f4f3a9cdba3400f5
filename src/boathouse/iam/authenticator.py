"""From tokens to principals, for every door of the server."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from sqlalchemy.exc import OperationalError

from boathouse.db import Database
from boathouse.iam.errors import TokenExpired
from boathouse.iam.principal import PIPELINE, Principal
from boathouse.iam.scopes import FILES, INVOCATIONS, MLFLOW, SECRETS, SERVING, SQL, UNITY_CATALOG
from boathouse.iam.service import IamService, digest
from boathouse.kit.clock import now_ms

CACHE_SECONDS = 3.0
DAY_MS = 24 * 3600 * 1000

INTERNAL_SCOPES: dict[str, frozenset[str]] = {
    "engine": frozenset({SERVING, UNITY_CATALOG}),
    PIPELINE: frozenset({FILES, SECRETS, SQL, UNITY_CATALOG}),
    "foreach": frozenset({SQL}),
    "ai_query": frozenset({INVOCATIONS}),
    "monitor": frozenset({SQL}),
    "statement": frozenset({SQL}),
    "serving": frozenset({FILES, MLFLOW, UNITY_CATALOG}),
}
"""What the tokens of child processes may be used for, by purpose; others may do what their principal may."""


class Authenticator:
    """Turns tokens into principals. Safe for threads.

    A good answer is kept for 3 s. What is revoked or changed in this server holds at once; what another server of the same
    database changes holds that much later.

    Attributes:
        told: Is called, in any thread, when somebody's rights have changed.

    Args:
        database: The metadata database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cache: dict[str, tuple[float, Principal]] = {}
        self._generation = 0
        self._lock = threading.Lock()
        self.told: Callable[[], None] | None = None

    def known(self, token: str) -> Principal | None:
        """Whose token it is, if that was found out a moment ago. Does not wait for anything.

        Raises:
            TokenExpired: If it has expired since.
        """
        with self._lock:
            until, principal = self._cache.get(digest(token), (0.0, None))
        if principal is None or until <= time.monotonic():
            return None
        if principal.expires_at is not None and principal.expires_at <= now_ms():
            raise TokenExpired
        return principal

    def authenticate(self, token: str) -> Principal:
        """Whose token it is.

        Raises:
            Unauthenticated: If it is unknown, revoked or expired.
        """
        known = self.known(token)
        if known is not None:
            return known
        key, now = digest(token), time.monotonic()
        with self._lock:
            generation = self._generation
        with self._database.session() as session:
            principal, row = IamService(session).identify(token)
            unused = row.kind == "personal" and (row.last_used_at or 0) // DAY_MS < now_ms() // DAY_MS
        if unused:
            # A note for people: a database that is busy for too long must not refuse the request for it.
            with suppress(OperationalError), self._database.session(write=True) as session:
                IamService(session).touch(token)
        with self._lock:
            if len(self._cache) > 1000:
                self._cache = {k: v for k, v in self._cache.items() if v[0] > now}
            # What was read before somebody's rights changed must not be remembered after it.
            if generation == self._generation:
                self._cache[key] = (now + CACHE_SECONDS, principal)
        return principal

    def issue_internal_token(self, principal: Principal, purpose: str, lifetime_seconds: float) -> str:
        """A token with which a child process acts for a principal; it is not listed among the principal's tokens.

        Args:
            principal: Whose.
            purpose: What for; behind a colon, which thing of that kind.
            lifetime_seconds: How long it holds.
        """
        with self._database.session(write=True) as session:
            token, _ = IamService(session).issue(
                principal.id,
                "internal",
                comment=purpose,
                lifetime_seconds=lifetime_seconds,
                scopes=INTERNAL_SCOPES.get(purpose.partition(":")[0]),
            )
        return token

    def forget(self, token: str) -> None:
        """Drop what is remembered of a token, so that its revocation holds at once."""
        with self._lock:
            self._generation += 1
            self._cache.pop(digest(token), None)

    def forget_all(self) -> None:
        """Drop everything that is remembered: somebody's rights changed."""
        with self._lock:
            self._generation += 1
            self._cache.clear()
        if self.told is not None:
            self.told()
