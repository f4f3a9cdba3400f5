"""Kinds of securables and the privileges on them, as Unity Catalog names them."""

from enum import StrEnum


class SecurableType(StrEnum):
    """What can be owned and granted on."""

    METASTORE = "metastore"
    CATALOG = "catalog"
    SCHEMA = "schema"
    TABLE = "table"
    VOLUME = "volume"
    MODEL = "registered_model"


class Privilege(StrEnum):
    """What may be done with a securable."""

    CREATE_CATALOG = "CREATE CATALOG"
    USE_CATALOG = "USE CATALOG"
    USE_SCHEMA = "USE SCHEMA"
    CREATE_SCHEMA = "CREATE SCHEMA"
    CREATE_TABLE = "CREATE TABLE"
    CREATE_VOLUME = "CREATE VOLUME"
    CREATE_MODEL = "CREATE MODEL"
    SELECT = "SELECT"
    MODIFY = "MODIFY"
    READ_VOLUME = "READ VOLUME"
    WRITE_VOLUME = "WRITE VOLUME"
    EXECUTE = "EXECUTE"
    BROWSE = "BROWSE"
    MANAGE = "MANAGE"
    ALL_PRIVILEGES = "ALL PRIVILEGES"

    @classmethod
    def parse(cls, text: str) -> "Privilege | None":
        """The privilege of a name, in upper or lower case, with blanks or underscores."""
        name = text.strip().upper().replace("_", " ")
        return next((privilege for privilege in cls if privilege.value == name), None)


_GENERAL = {Privilege.MANAGE, Privilege.ALL_PRIVILEGES, Privilege.BROWSE}
_LEAF = {
    SecurableType.TABLE: {Privilege.SELECT, Privilege.MODIFY} | _GENERAL,
    SecurableType.VOLUME: {Privilege.READ_VOLUME, Privilege.WRITE_VOLUME} | _GENERAL,
    SecurableType.MODEL: {Privilege.EXECUTE} | _GENERAL,
}
_SCHEMA = {Privilege.USE_SCHEMA, Privilege.CREATE_TABLE, Privilege.CREATE_VOLUME, Privilege.CREATE_MODEL}.union(*_LEAF.values())
_CATALOG = {Privilege.USE_CATALOG, Privilege.CREATE_SCHEMA} | _SCHEMA

GRANTABLE: dict[SecurableType, frozenset[Privilege]] = {
    SecurableType.METASTORE: frozenset({Privilege.CREATE_CATALOG, Privilege.MANAGE}),
    SecurableType.CATALOG: frozenset(_CATALOG),
    SecurableType.SCHEMA: frozenset(_SCHEMA),
    **{kind: frozenset(privileges) for kind, privileges in _LEAF.items()},
}
"""Which privileges can be granted on which kind; on a container also those that its contents inherit."""
