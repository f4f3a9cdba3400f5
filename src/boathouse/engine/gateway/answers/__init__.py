"""Statements that the gateway answers itself, as a relation: what Delta's log and the catalog tell, and the engine does not."""

from typing import Any

from boathouse.engine.gateway.answers import (
    alter,
    cloning,
    conversion,
    describe,
    dropping,
    grants,
    maintenance,
    show,
    show_create,
    tags,
)
from boathouse.engine.gateway.answers.asked import Asked
from boathouse.engine.gateway.answers.grammar import Grammar
from boathouse.engine.gateway.answers.registry import find
from boathouse.engine.gateway.protocol import local_relation
from boathouse.engine.gateway.statements import Statement

_SUBJECTS = (alter, cloning, conversion, describe, dropping, grants, maintenance, show, show_create, tags)
"""Modules whose handlers have registered themselves."""

__all__ = ["Asked", "answer"]


def answer(statement: Statement, asked: Asked) -> Any | None:
    """The answer to a statement as a relation, or None for one that the engine answers.

    Raises:
        BoathouseError: If the statement is wrong, or the principal may not do it.
    """
    found = find(statement.verb) if statement.tokens and not statement.tokens[0].is_word("EXPLAIN") else None
    if found is None:
        return None
    handler, length = found
    rows = handler(Grammar.of(statement, length), asked)
    return None if rows is None else local_relation(rows)
