"""Which statement is answered by what."""

from collections.abc import Callable
from typing import TypeAlias

import pyarrow as pa

from boathouse.engine.gateway.answers.asked import Asked
from boathouse.engine.gateway.answers.grammar import Grammar

Handler: TypeAlias = Callable[[Grammar, Asked], pa.Table | None]
"""Takes a cursor behind the statement's first words, and gives the rows of the answer; None leaves it to the engine."""

_handlers: dict[tuple[str, ...], Handler] = {}
_LONGEST = 4


def answers(*verbs: str) -> Callable[[Handler], Handler]:
    """Register a handler for statements that begin with some words."""

    def register(handler: Handler) -> Handler:
        for verb in verbs:
            _handlers[tuple(verb.split())] = handler
        return handler

    return register


def find(verb: tuple[str, ...]) -> tuple[Handler, int] | None:
    """The handler of the longest beginning of a statement that there is one for, and how many words that are."""
    for length in range(min(_LONGEST, len(verb)), 0, -1):
        handler = _handlers.get(verb[:length])
        if handler is not None:
            return handler, length
    return None


NOTHING = pa.table({})
"""What a command without a result answers."""
