"""GRANT, REVOKE, SHOW GRANTS."""

from collections.abc import Sequence

import pyarrow as pa

from boathouse.catalog.api import GrantChange, SecurableType
from boathouse.engine.gateway.answers.asked import Asked
from boathouse.engine.gateway.answers.grammar import Grammar
from boathouse.engine.gateway.answers.registry import NOTHING, answers

_KINDS: tuple[tuple[tuple[str, ...], SecurableType], ...] = (
    (("EXTERNAL", "LOCATION"), SecurableType.EXTERNAL_LOCATION),
    (("STORAGE", "CREDENTIAL"), SecurableType.STORAGE_CREDENTIAL),
    (("CONNECTION",), SecurableType.CONNECTION),
    (("SERVER",), SecurableType.CONNECTION),
    (("CATALOG",), SecurableType.CATALOG),
    (("SCHEMA",), SecurableType.SCHEMA),
    (("DATABASE",), SecurableType.SCHEMA),
    (("TABLE",), SecurableType.TABLE),
    (("VIEW",), SecurableType.TABLE),
    (("VOLUME",), SecurableType.VOLUME),
    (("FUNCTION",), SecurableType.FUNCTION),
    (("PROCEDURE",), SecurableType.FUNCTION),
    (("MODEL",), SecurableType.MODEL),
    (("METASTORE",), SecurableType.METASTORE),
)
_SHORT = frozenset(
    {
        SecurableType.METASTORE,
        SecurableType.EXTERNAL_LOCATION,
        SecurableType.STORAGE_CREDENTIAL,
        SecurableType.CONNECTION,
    }
)


def securable(words: Grammar, asked: Asked) -> tuple[SecurableType, str]:
    """``kind name``; a name alone is a table's."""
    for said, kind in _KINDS:
        if words.accept(*said):
            if kind is SecurableType.METASTORE:
                return kind, "metastore"
            parts = words.name(f"the name of a {' '.join(said).lower()}")
            if kind in _SHORT:
                return kind, ".".join(parts)
            name = asked.full_name(parts, kind)
            if kind is SecurableType.FUNCTION:
                with asked.catalog() as service:
                    return service.kind_of("function", name), name
            return kind, name
    if words.here is None:
        raise words.wrong(", ".join(" ".join(said) for said, _ in _KINDS))
    return SecurableType.TABLE, asked.full_name(words.name("the name of a table"))


def _privileges(words: Grammar) -> tuple[str, ...]:
    found: list[str] = []
    while True:
        said: list[str] = []
        while words.here is not None and words.here.is_identifier and not words.here.is_word("ON"):
            said.append(words.word().upper())
        if not said:
            raise words.wrong("a privilege")
        found.append(" ".join(said))
        if not words.accept_mark(","):
            return tuple(found)


def _change(words: Grammar, asked: Asked, *, revoke: bool) -> pa.Table:
    privileges = _privileges(words)
    words.expect("ON")
    kind, name = securable(words, asked)
    words.expect("FROM" if revoke else "TO")
    grantee = words.literal_name("the name of a user, group or service principal")
    words.end()
    asked.to_change("REVOKE" if revoke else "GRANT")
    change = GrantChange(grantee, remove=privileges) if revoke else GrantChange(grantee, add=privileges)
    with asked.catalog(write=True) as service:
        service.change_grants(kind, name, [change])
    return NOTHING


@answers("GRANT")
def grant(words: Grammar, asked: Asked) -> pa.Table:
    """``GRANT privileges ON kind name TO `principal```."""
    return _change(words, asked, revoke=False)


@answers("REVOKE")
def revoke(words: Grammar, asked: Asked) -> pa.Table:
    """``REVOKE privileges ON kind name FROM `principal```."""
    return _change(words, asked, revoke=True)


@answers("SHOW GRANTS", "SHOW GRANT")
def show_grants(words: Grammar, asked: Asked) -> pa.Table:
    """``SHOW GRANTS [principal] ON kind name``: those on the securable itself and those that it inherits."""
    grantee = None if words.sees("ON") else words.literal_name("the name of a user, group or service principal, or ON")
    words.expect("ON")
    kind, name = securable(words, asked)
    words.end()
    with asked.catalog() as service:
        held = service.get_effective_grants(kind, name, grantee)
        rows = sorted(
            (one.grantee, one.privilege.value, one.granted_on.type.replace("_", " ").upper(), one.granted_on.full_name)
            for one in held
        )
    return _rows(rows)


def _rows(rows: Sequence[tuple[str, str, str, str]]) -> pa.Table:
    names = ("Principal", "ActionType", "ObjectType", "ObjectKey")
    return pa.table({name: pa.array([row[number] for row in rows], pa.string()) for number, name in enumerate(names)})
