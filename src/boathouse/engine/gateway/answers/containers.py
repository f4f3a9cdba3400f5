"""Catalogs and schemas: USE, SHOW CURRENT, CREATE, DROP; and DROP TABLE."""

import pyarrow as pa

from boathouse.catalog.api import SecurableExists, SecurableNotFound, SecurableType
from boathouse.engine.catalog_access import INFORMATION_SCHEMA
from boathouse.engine.errors import SchemaNotEmpty, StatementRefused
from boathouse.engine.gateway.answers.asked import Asked
from boathouse.engine.gateway.answers.grammar import Grammar
from boathouse.engine.gateway.answers.registry import NOTHING, answers
from boathouse.errors import InvalidState, NotFound

_SCHEMA = ("SCHEMA", "DATABASE", "NAMESPACE")


# ----------------------------------------------------------------------------------------------------------- where one is


@answers("USE CATALOG", "SET CATALOG")
def use_catalog_statement(words: Grammar, asked: Asked) -> pa.Table:
    """``USE CATALOG catalog``."""
    catalog = words.literal_name("the name of a catalog")
    words.end()
    asked.to_change("USE CATALOG")
    use_catalog(asked, catalog)
    return NOTHING


@answers("USE")
def use_schema_statement(words: Grammar, asked: Asked) -> pa.Table:
    """``USE [SCHEMA] [catalog.]schema``; a single name that is no schema of the current catalog can be a catalog's."""
    said = words.accept_one(*_SCHEMA) is not None
    parts = words.name("the name of a schema")
    words.end()
    asked.to_change("USE")
    try:
        use_schema(asked, asked.full_name(parts, SecurableType.SCHEMA))
    except SecurableNotFound:
        if said or len(parts) != 1 or not _is_catalog(asked, parts[0]):
            raise
        use_catalog(asked, parts[0])
    return NOTHING


def _is_catalog(asked: Asked, name: str) -> bool:
    return name.lower() in asked.access.catalogs(asked.principal)


@answers("SHOW CURRENT")
def show_current(words: Grammar, asked: Asked) -> pa.Table:
    """``SHOW CURRENT [NAMESPACE | SCHEMA | DATABASE]``."""
    words.accept_one(*_SCHEMA)
    words.end()
    catalog, schema = asked.session.namespace
    return pa.table({"catalog": [catalog], "namespace": [schema]})


def use_catalog(asked: Asked, catalog: str) -> None:
    """Make a catalog current, with its first schema.

    Raises:
        SecurableNotFound: If there is none that the principal may know of.
    """
    asked.session.use(_known_catalog(asked, catalog), "default")


def use_schema(asked: Asked, full_name: str) -> None:
    """Make a schema current.

    Raises:
        SecurableNotFound: If there is none that the principal may know of.
    """
    catalog, schema = full_name.lower().split(".", 1)
    if schema not in [*asked.access.schemas(asked.principal, _known_catalog(asked, catalog)), INFORMATION_SCHEMA]:
        raise SecurableNotFound(SecurableType.SCHEMA, full_name)
    asked.session.use(catalog, schema)


def _known_catalog(asked: Asked, catalog: str) -> str:
    if not _is_catalog(asked, catalog):
        raise SecurableNotFound(SecurableType.CATALOG, catalog)
    return catalog.lower()


# --------------------------------------------------------------------------------------------------------------- CREATE


@answers("CREATE CATALOG", "CREATE FOREIGN CATALOG")
def create_catalog(words: Grammar, asked: Asked) -> pa.Table:
    """``CREATE CATALOG [IF NOT EXISTS] catalog [COMMENT text] [OPTIONS (...)]``."""
    if words.tokens[1].is_word("FOREIGN"):
        message = "Foreign catalogs are not supported: there are no connections to other databases. Use CREATE CATALOG."
        raise StatementRefused(message)
    missing_only = words.accept("IF", "NOT", "EXISTS")
    name = words.word("the name of a catalog")
    comment: str | None = None
    properties: dict[str, str] = {}
    while words.here is not None:
        if words.accept("COMMENT"):
            comment = words.string()
        elif words.accept("OPTIONS") or words.accept("WITH", "DBPROPERTIES") or words.accept("WITH", "PROPERTIES"):
            properties = words.properties()
        elif words.sees("MANAGED", "LOCATION") or words.sees("USING", "SHARE"):
            message = "A catalog's managed tables lie in the lake's own storage: leave out MANAGED LOCATION and USING SHARE."
            raise StatementRefused(message)
        else:
            raise words.wrong("COMMENT or OPTIONS")
    asked.to_change("CREATE CATALOG")
    with asked.catalog(write=True) as service:
        try:
            service.create_catalog(name, comment=comment, properties=properties)
        except SecurableExists:
            if not missing_only:
                raise
    return NOTHING


@answers(*(f"CREATE {word}" for word in _SCHEMA))
def create_schema(words: Grammar, asked: Asked) -> pa.Table:
    """``CREATE SCHEMA [IF NOT EXISTS] schema [COMMENT text] [WITH DBPROPERTIES (...)]``."""
    missing_only = words.accept("IF", "NOT", "EXISTS")
    catalog, name = asked.full_name(words.name("the name of a schema"), SecurableType.SCHEMA).split(".", 1)
    comment: str | None = None
    properties: dict[str, str] = {}
    while words.here is not None:
        if words.accept("COMMENT"):
            comment = words.string()
        elif words.accept("WITH", "DBPROPERTIES") or words.accept("WITH", "PROPERTIES"):
            properties = words.properties()
        elif words.sees("MANAGED") or words.sees("LOCATION"):
            message = "A schema's managed tables lie in the lake's own storage: leave out LOCATION, and give it with a table."
            raise StatementRefused(message)
        else:
            raise words.wrong("COMMENT or WITH DBPROPERTIES")
    asked.to_change("CREATE SCHEMA")
    with asked.catalog(write=True) as service:
        try:
            service.create_schema(catalog, name, comment=comment, properties=properties)
        except SecurableExists:
            if not missing_only:
                raise
    return NOTHING


# ----------------------------------------------------------------------------------------------------------------- DROP


@answers("DROP CATALOG")
def drop_catalog(words: Grammar, asked: Asked) -> pa.Table:
    """``DROP CATALOG [IF EXISTS] catalog [RESTRICT | CASCADE]``."""
    return _drop_container(words, asked, SecurableType.CATALOG)


@answers(*(f"DROP {word}" for word in _SCHEMA))
def drop_schema(words: Grammar, asked: Asked) -> pa.Table:
    """``DROP SCHEMA [IF EXISTS] schema [RESTRICT | CASCADE]``."""
    return _drop_container(words, asked, SecurableType.SCHEMA)


def _drop_container(words: Grammar, asked: Asked, kind: SecurableType) -> pa.Table:
    missing_ok = words.accept("IF", "EXISTS")
    name = asked.full_name(words.name(f"the name of a {kind.value}"), kind)
    force = words.accept_one("CASCADE", "RESTRICT") == "CASCADE"
    words.end()
    asked.to_change(f"DROP {kind.value.upper()}")
    with asked.dropping(missing_ok=missing_ok) as service:
        try:
            service.delete_container(kind, name, force=force)
        except InvalidState as error:
            if kind is SecurableType.SCHEMA:
                raise SchemaNotEmpty(name) from error
            raise
    return NOTHING


@answers("DROP TABLE")
def drop_table(words: Grammar, asked: Asked) -> pa.Table:
    """``DROP TABLE [IF EXISTS] table [PURGE]``."""
    missing_ok = words.accept("IF", "EXISTS")
    parts = words.name("the name of a table")
    purge = words.accept("PURGE")
    words.end()
    asked.to_change("DROP TABLE")
    if len(parts) == 1 and asked.session.is_temporary(parts[0]):
        message = f"{parts[0]} is a temporary view, not a table. Write DROP VIEW {parts[0]}."
        raise StatementRefused(message)
    name = asked.full_name(parts)
    with asked.catalog(write=True) as service:
        try:
            service.delete_table(name, purge=purge)
        except NotFound as error:
            if not missing_ok:
                raise SecurableNotFound(SecurableType.TABLE, name) from error
    return NOTHING
