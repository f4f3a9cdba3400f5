"""Statements on catalogs, schemas and tables' names, for engines that do not know the catalog: the gateway executes them itself."""

from collections.abc import Callable

import pyarrow as pa

from boathouse.catalog.api import SecurableExists, SecurableNotFound, SecurableType
from boathouse.engine.errors import SchemaNotEmpty
from boathouse.engine.gateway.answers import Asked
from boathouse.engine.gateway.answers.grammar import Grammar
from boathouse.engine.gateway.statements import Statement
from boathouse.errors import InvalidState, NotFound

NOTHING = pa.table({})
_SCHEMA = ("SCHEMA", "DATABASE", "NAMESPACE")


def keep(statement: Statement, asked: Asked) -> pa.Table | None:
    """Execute a statement on catalogs, schemas and names of tables; None for any other.

    Raises:
        BoathouseError: If it is wrong, or may not be done.
    """
    words = Grammar.of(statement, 0)
    if words.accept("USE"):
        return _use(words, asked)
    if words.accept("SHOW", "CURRENT"):
        catalog, schema = asked.session.namespace
        return pa.table({"catalog": [catalog], "namespace": [schema]})
    for verb, kinds in _HANDLERS.items():
        if words.accept(verb):
            for kind, handler in kinds.items():
                if words.accept(kind):
                    asked.to_change(f"{verb} {kind}")
                    return handler(words, asked)
            return None
    return None


def _use(words: Grammar, asked: Asked) -> pa.Table:
    if words.accept("CATALOG"):
        catalog = words.word("the name of a catalog")
        words.end()
        use_catalog(asked, catalog)
        return NOTHING
    words.accept_one(*_SCHEMA)
    parts = words.name("the name of a schema")
    words.end()
    use_schema(asked, asked.full_name(parts, SecurableType.SCHEMA))
    return NOTHING


def use_catalog(asked: Asked, catalog: str) -> None:
    """Make a catalog current, with its first schema.

    Raises:
        SecurableNotFound: If there is none that the principal may know of.
    """
    with asked.catalog() as service:
        info = service.get_container(SecurableType.CATALOG, catalog)
    asked.session.use(info.full_name, "default")


def use_schema(asked: Asked, full_name: str) -> None:
    """Make a schema current.

    Raises:
        SecurableNotFound: If there is none that the principal may know of.
    """
    with asked.catalog() as service:
        info = service.get_container(SecurableType.SCHEMA, full_name)
    catalog, schema = info.full_name.split(".", 1)
    asked.session.use(catalog, schema)


def _create_catalog(words: Grammar, asked: Asked) -> pa.Table:
    missing_only = words.accept("IF", "NOT", "EXISTS")
    name = words.word("the name of a catalog")
    comment = words.string() if words.accept("COMMENT") else None
    words.end()
    with asked.catalog(write=True) as service:
        try:
            service.create_catalog(name, comment=comment)
        except SecurableExists:
            if not missing_only:
                raise
    return NOTHING


def _create_schema(words: Grammar, asked: Asked) -> pa.Table:
    missing_only = words.accept("IF", "NOT", "EXISTS")
    catalog, name = asked.full_name(words.name("the name of a schema"), SecurableType.SCHEMA).split(".", 1)
    comment: str | None = None
    properties: dict[str, str] = {}
    while words.here is not None:
        if words.accept("COMMENT"):
            comment = words.string()
        elif words.accept("WITH", "DBPROPERTIES") or words.accept("WITH", "PROPERTIES"):
            properties = words.properties()
        else:
            raise words.wrong("COMMENT or WITH DBPROPERTIES")
    with asked.catalog(write=True) as service:
        try:
            service.create_schema(catalog, name, comment=comment, properties=properties)
        except SecurableExists:
            if not missing_only:
                raise
    return NOTHING


def _drop_catalog(words: Grammar, asked: Asked) -> pa.Table:
    return _drop_container(words, asked, SecurableType.CATALOG)


def _drop_schema(words: Grammar, asked: Asked) -> pa.Table:
    return _drop_container(words, asked, SecurableType.SCHEMA)


def _drop_container(words: Grammar, asked: Asked, kind: SecurableType) -> pa.Table:
    missing_ok = words.accept("IF", "EXISTS")
    name = asked.full_name(words.name("a name"), kind)
    force = words.accept_one("CASCADE", "RESTRICT") == "CASCADE"
    words.end()
    with asked.catalog(write=True) as service:
        try:
            service.delete_container(kind, name, force=force)
        except InvalidState as error:
            if kind is SecurableType.SCHEMA:
                raise SchemaNotEmpty(name) from error
            raise
        except NotFound:
            if not missing_ok:
                raise
    return NOTHING


def _drop_table(words: Grammar, asked: Asked) -> pa.Table:
    missing_ok = words.accept("IF", "EXISTS")
    name = asked.full_name(words.name("the name of a table"))
    purge = words.accept("PURGE")
    words.end()
    with asked.catalog(write=True) as service:
        try:
            service.delete_table(name, purge=purge)
        except NotFound as error:
            if not missing_ok:
                raise SecurableNotFound(SecurableType.TABLE, name) from error
    return NOTHING


_HANDLERS: dict[str, dict[str, Callable[[Grammar, Asked], pa.Table]]] = {
    "CREATE": {"CATALOG": _create_catalog, **dict.fromkeys(_SCHEMA, _create_schema)},
    "DROP": {"CATALOG": _drop_catalog, **dict.fromkeys(_SCHEMA, _drop_schema), "TABLE": _drop_table},
}
