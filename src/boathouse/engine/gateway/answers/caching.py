"""CACHE, UNCACHE and CLEAR CACHE. Tables are read anew each time, so that a cache could only be stale: what is asked for is noted."""

from collections.abc import Sequence

import pyarrow as pa

from boathouse.catalog.api import Privilege
from boathouse.engine.gateway.answers.asked import Asked
from boathouse.engine.gateway.answers.grammar import Grammar
from boathouse.engine.gateway.answers.registry import NOTHING, answers
from boathouse.errors import NotFound


def cache(asked: Asked, parts: Sequence[str]) -> None:
    """Note that a session's client wants a table or view cached.

    Raises:
        SecurableNotFound: If there is none.
        PermissionDenied: Without SELECT.
    """
    asked.session.names.cached.add(_key(asked, parts))


def uncache(asked: Asked, parts: Sequence[str]) -> None:
    """Forget it; raises like `cache`."""
    asked.session.names.cached.discard(_key(asked, parts))


def is_cached(asked: Asked, parts: Sequence[str]) -> bool:
    """Whether it is noted; raises like `cache`."""
    return _key(asked, parts) in asked.session.names.cached


def clear(asked: Asked) -> None:
    """Forget all that the session's client wanted."""
    session, names = asked.session.request.session_id, asked.session.names
    names.cached -= {key for key in names.cached if key[0] == session}
    for key in [key for key in names.persisted if key[0] == session]:
        del names.persisted[key]


def _key(asked: Asked, parts: Sequence[str]) -> tuple[str, str]:
    session = asked.session.request.session_id
    if len(parts) == 1 and asked.session.is_temporary(parts[0]):
        return session, parts[0].lower()
    return session, asked.table(parts, Privilege.SELECT).full_name


@answers("CACHE TABLE", "CACHE LAZY TABLE")
def cache_table(words: Grammar, asked: Asked) -> pa.Table:
    """``CACHE [LAZY] TABLE table [OPTIONS (...)]``; one with a query has become CREATE TEMPORARY VIEW before."""
    parts = words.name("the name of a table")
    if words.accept("OPTIONS"):
        words.properties()
    words.end()
    cache(asked, parts)
    return NOTHING


@answers("UNCACHE TABLE")
def uncache_table(words: Grammar, asked: Asked) -> pa.Table:
    """``UNCACHE TABLE [IF EXISTS] table``."""
    missing_ok = words.accept("IF", "EXISTS")
    parts = words.name("the name of a table")
    words.end()
    try:
        uncache(asked, parts)
    except NotFound:
        if not missing_ok:
            raise
    return NOTHING


@answers("CLEAR CACHE")
def clear_cache(words: Grammar, asked: Asked) -> pa.Table:
    """``CLEAR CACHE``."""
    words.end()
    clear(asked)
    return NOTHING
