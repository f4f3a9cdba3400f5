"""The transaction of a request.

A request needs threads one after another: for its work, the form of its answer, the end of its transaction. All requests share a few dozen of
them, and one that waits in a thread for the database keeps it. If as many did as there are threads, the one that they wait for would find
none to end in. So requests wait for a turn before they take a thread, and fewer of them have one at a time than there are threads and
connections.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Annotated

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Request
from sqlalchemy.orm import Session

from boathouse.db.database import Database


def get_database(request: Request) -> Database:
    """The server's metadata database."""
    database: Database = request.app.state.database
    return database


async def _turn_to_read(request: Request) -> AsyncIterator[None]:
    async with get_database(request).readers:
        yield


async def _turn_to_write(request: Request) -> AsyncIterator[None]:
    async with get_database(request).writers:
        yield


@asynccontextmanager
async def _ended_in_a_thread(transaction: AbstractContextManager[Session]) -> AsyncGenerator[Session]:
    """A transaction that begins here, as nothing is asked of the database for that, and ends in a thread.

    The thread is not one of those that requests share: each of these may have a request that waits for this end.
    """
    session = transaction.__enter__()
    try:
        yield session
    except BaseException as error:
        if not await to_thread.run_sync(
            transaction.__exit__, type(error), error, error.__traceback__, limiter=CapacityLimiter(1)
        ):
            raise
    else:
        await to_thread.run_sync(transaction.__exit__, None, None, None, limiter=CapacityLimiter(1))


async def _read(request: Request, _: Annotated[None, Depends(_turn_to_read, scope="function")]) -> AsyncIterator[Session]:
    async with _ended_in_a_thread(get_database(request).session()) as session:
        yield session


async def _write(request: Request, _: Annotated[None, Depends(_turn_to_write, scope="function")]) -> AsyncIterator[Session]:
    async with _ended_in_a_thread(get_database(request).session(write=True)) as session:
        yield session


# The scope "function" ends the transaction before the answer is sent: a failed commit is a failed request. No route takes both kinds: two that
# have a turn of one kind each would wait for each other's.
ReadSession = Annotated[Session, Depends(_read, scope="function")]
WriteSession = Annotated[Session, Depends(_write, scope="function")]
