"""Statements that the gateway answers itself, as a relation: what Delta's log and the catalog tell, and the engine does not."""

from typing import Any

import pyarrow as pa

from boathouse.engine.gateway.answers import (
    alter,
    caching,
    cloning,
    connections,
    containers,
    conversion,
    describe,
    dropping,
    grants,
    locations,
    maintenance,
    settings,
    show,
    show_create,
    tags,
    volumes,
)
from boathouse.engine.gateway.answers.asked import Asked
from boathouse.engine.gateway.answers.grammar import Grammar
from boathouse.engine.gateway.answers.registry import find
from boathouse.engine.gateway.messages.protocol import local_relation
from boathouse.engine.gateway.sql.statements import Statement
from boathouse.tables.api import noting

_SUBJECTS = (
    alter,
    caching,
    cloning,
    connections,
    containers,
    conversion,
    describe,
    dropping,
    grants,
    locations,
    maintenance,
    settings,
    show,
    show_create,
    tags,
    volumes,
)
"""Modules whose handlers have registered themselves."""

__all__ = ["Asked", "answer", "rows_of"]


def rows_of(statement: Statement, asked: Asked) -> pa.Table | None:
    """The rows that answer a statement, or None for one that the engine answers.

    Raises:
        BoathouseError: If the statement is wrong, or the principal may not do it.
    """
    found = find(statement.verb) if statement.tokens and not statement.tokens[0].is_word("EXPLAIN") else None
    if found is None:
        return None
    handler, length = found
    with noting(lambda: asked.session.user_metadata):
        return handler(Grammar.of(statement, length), asked)


def answer(statement: Statement, asked: Asked) -> Any | None:
    """The same as a relation."""
    rows = rows_of(statement, asked)
    return None if rows is None else local_relation(rows)
