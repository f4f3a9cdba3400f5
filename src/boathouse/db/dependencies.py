"""The transaction of a request."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from boathouse.db.database import Database


def get_database(request: Request) -> Database:
    """The server's metadata database."""
    database: Database = request.app.state.database
    return database


def _read(request: Request) -> Iterator[Session]:
    with get_database(request).session() as session:
        yield session


def _write(request: Request) -> Iterator[Session]:
    with get_database(request).session(write=True) as session:
        yield session


# The scope "function" ends the transaction before the answer is sent: a failed commit is a failed request.
ReadSession = Annotated[Session, Depends(_read, scope="function")]
WriteSession = Annotated[Session, Depends(_write, scope="function")]
