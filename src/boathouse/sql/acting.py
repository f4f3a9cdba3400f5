"""What the server does in somebody's name, for as long as it takes."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from boathouse.db import Database
from boathouse.iam.api import Authenticator, IamService, Principal
from boathouse.sql.statements import SqlSession, sql_session

_SECONDS = 24 * 3600.0


class Acting:
    """Opens sessions at the gateway for principals.

    Args:
        database: The metadata database.
        authenticator: Makes tokens.
        gateway: Host and port.
    """

    def __init__(self, database: Database, authenticator: Authenticator, gateway: str) -> None:
        self._database = database
        self._authenticator = authenticator
        self._gateway = gateway

    @asynccontextmanager
    async def session(self, principal: Principal, purpose: str, seconds: float = _SECONDS) -> AsyncGenerator[SqlSession]:
        """A session with a token that holds no longer than the block.

        Args:
            principal: As whom statements are executed.
            purpose: What for, as the query history tells it: ``TYPE:id[:run]``.
            seconds: How long the token holds at most.
        """
        token = await asyncio.to_thread(self._authenticator.issue_internal_token, principal, purpose, seconds)
        try:
            async with sql_session(self._gateway, token, purpose) as session:
                yield session
        finally:
            await asyncio.shield(asyncio.to_thread(self._revoke, token))

    def _revoke(self, token: str) -> None:
        with self._database.session(write=True) as session:
            IamService(session).revoke(token)
        self._authenticator.forget(token)
