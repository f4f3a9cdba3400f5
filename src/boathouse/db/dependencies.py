"""The transaction of a request.

A request needs threads one after another: for its dependencies, its work, the form of its answer. All requests share a few dozen of
them, and one that waits in a thread for the database keeps it. If as many did as there are threads, the one that they wait for would find
none to end in. So requests wait for a turn before they take a thread, and fewer of them have one at a time than there are threads and
connections.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated

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


def _read(request: Request, _: Annotated[None, Depends(_turn_to_read, scope="function")]) -> Iterator[Session]:
    with get_database(request).session() as session:
        yield session


def _write(request: Request, _: Annotated[None, Depends(_turn_to_write, scope="function")]) -> Iterator[Session]:
    with get_database(request).session(write=True) as session:
        yield session


# The scope "function" ends the transaction before the answer is sent: a failed commit is a failed request. No route takes both kinds: two that
# have a turn of one kind each would wait for each other's.
ReadSession = Annotated[Session, Depends(_read, scope="function")]
WriteSession = Annotated[Session, Depends(_write, scope="function")]
