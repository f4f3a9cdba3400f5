"""Tokens of processes: made for a principal, revoked when what they were made for ends."""

import asyncio

from boathouse.db import Database
from boathouse.iam.api import Authenticator, IamService, Principal


class Tokens:
    """Makes and revokes them.

    Args:
        database: The metadata database.
        authenticator: Knows the tokens.
    """

    def __init__(self, database: Database, authenticator: Authenticator) -> None:
        self._database = database
        self._authenticator = authenticator

    async def issue(self, principal: Principal, purpose: str, seconds: float) -> str:
        """A token with which a process acts for a principal."""
        return await asyncio.to_thread(self._authenticator.issue_internal_token, principal, purpose, seconds)

    async def revoke(self, *tokens: str) -> None:
        """Let tokens hold no more."""
        if tokens:
            await asyncio.to_thread(self._revoke, tokens)

    def _revoke(self, tokens: tuple[str, ...]) -> None:
        with self._database.session(write=True) as session:
            for token in tokens:
                IamService(session).revoke(token)
        for token in tokens:
            self._authenticator.forget(token)
