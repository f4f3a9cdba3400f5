"""Kinds of securables and the privileges on them, as Unity Catalog names them."""

from enum import StrEnum


class SecurableType(StrEnum):
    """What can be owned and granted on. A view is a table whose kind is VIEW."""

    METASTORE = "metastore"
    CATALOG = "catalog"
    SCHEMA = "schema"
    TABLE = "table"
    VOLUME = "volume"
    FUNCTION = "function"
    MODEL = "registered_model"
    EXTERNAL_LOCATION = "external_location"
    STORAGE_CREDENTIAL = "storage_credential"
    CONNECTION = "connection"

    @classmethod
    def parse(cls, text: str) -> "SecurableType | None":
        """The kind of a name in upper or lower case, with blanks, hyphens or underscores, or one of its other names."""
        name = text.strip().lower().replace("-", "_").replace(" ", "_")
        return next((kind for kind in cls if kind.value == name), _OTHER_NAMES.get(name))


_OTHER_NAMES = {
    "view": SecurableType.TABLE,
    "database": SecurableType.SCHEMA,
    "model": SecurableType.MODEL,
    "credential": SecurableType.STORAGE_CREDENTIAL,
}


class Privilege(StrEnum):
    """What may be done with a securable."""

    CREATE_CATALOG = "CREATE CATALOG"
    CREATE_CONNECTION = "CREATE CONNECTION"
    CREATE_EXTERNAL_LOCATION = "CREATE EXTERNAL LOCATION"
    CREATE_STORAGE_CREDENTIAL = "CREATE STORAGE CREDENTIAL"
    USE_CONNECTION = "USE CONNECTION"
    USE_CATALOG = "USE CATALOG"
    USE_SCHEMA = "USE SCHEMA"
    CREATE_SCHEMA = "CREATE SCHEMA"
    CREATE_TABLE = "CREATE TABLE"
    CREATE_MATERIALIZED_VIEW = "CREATE MATERIALIZED VIEW"
    CREATE_VOLUME = "CREATE VOLUME"
    CREATE_FUNCTION = "CREATE FUNCTION"
    CREATE_MODEL = "CREATE MODEL"
    CREATE_MODEL_VERSION = "CREATE MODEL VERSION"
    CREATE_EXTERNAL_TABLE = "CREATE EXTERNAL TABLE"
    CREATE_EXTERNAL_VOLUME = "CREATE EXTERNAL VOLUME"
    CREATE_MANAGED_STORAGE = "CREATE MANAGED STORAGE"
    EXTERNAL_USE_SCHEMA = "EXTERNAL USE SCHEMA"
    EXTERNAL_USE_LOCATION = "EXTERNAL USE LOCATION"
    SELECT = "SELECT"
    MODIFY = "MODIFY"
    REFRESH = "REFRESH"
    READ_VOLUME = "READ VOLUME"
    WRITE_VOLUME = "WRITE VOLUME"
    READ_FILES = "READ FILES"
    WRITE_FILES = "WRITE FILES"
    EXECUTE = "EXECUTE"
    APPLY_TAG = "APPLY TAG"
    BROWSE = "BROWSE"
    MANAGE = "MANAGE"
    ALL_PRIVILEGES = "ALL PRIVILEGES"

    @classmethod
    def parse(cls, text: str) -> "Privilege | None":
        """The privilege of a name, in upper or lower case, with blanks or underscores."""
        name = " ".join(text.upper().replace("_", " ").split())
        return next((privilege for privilege in cls if privilege.value == name), _OLD_NAMES.get(name))


_OLD_NAMES = {"ALL": Privilege.ALL_PRIVILEGES}

_GENERAL = {Privilege.MANAGE, Privilege.ALL_PRIVILEGES, Privilege.BROWSE}
_TAGGED = _GENERAL | {Privilege.APPLY_TAG}
_LEAF = {
    SecurableType.TABLE: {Privilege.SELECT, Privilege.MODIFY, Privilege.REFRESH} | _TAGGED,
    SecurableType.VOLUME: {Privilege.READ_VOLUME, Privilege.WRITE_VOLUME} | _TAGGED,
    SecurableType.FUNCTION: {Privilege.EXECUTE} | _TAGGED,
    SecurableType.MODEL: {Privilege.EXECUTE, Privilege.CREATE_MODEL_VERSION} | _TAGGED,
}
_SCHEMA = {
    Privilege.USE_SCHEMA,
    Privilege.CREATE_TABLE,
    Privilege.CREATE_MATERIALIZED_VIEW,
    Privilege.CREATE_VOLUME,
    Privilege.CREATE_FUNCTION,
    Privilege.CREATE_MODEL,
    Privilege.EXTERNAL_USE_SCHEMA,
}.union(*_LEAF.values())
_CATALOG = {Privilege.USE_CATALOG, Privilege.CREATE_SCHEMA} | _SCHEMA
_LOCATION = {
    Privilege.CREATE_EXTERNAL_TABLE,
    Privilege.CREATE_EXTERNAL_VOLUME,
    Privilege.CREATE_MANAGED_STORAGE,
    Privilege.EXTERNAL_USE_LOCATION,
    Privilege.READ_FILES,
    Privilege.WRITE_FILES,
} | _GENERAL
_CREDENTIAL = {
    Privilege.CREATE_EXTERNAL_LOCATION,
    Privilege.CREATE_EXTERNAL_TABLE,
    Privilege.READ_FILES,
    Privilege.WRITE_FILES,
} | _GENERAL

GRANTABLE: dict[SecurableType, frozenset[Privilege]] = {
    SecurableType.METASTORE: frozenset(
        {
            Privilege.CREATE_CATALOG,
            Privilege.CREATE_CONNECTION,
            Privilege.CREATE_EXTERNAL_LOCATION,
            Privilege.CREATE_STORAGE_CREDENTIAL,
            Privilege.MANAGE,
        }
    ),
    SecurableType.CATALOG: frozenset(_CATALOG),
    SecurableType.SCHEMA: frozenset(_SCHEMA),
    SecurableType.EXTERNAL_LOCATION: frozenset(_LOCATION),
    SecurableType.STORAGE_CREDENTIAL: frozenset(_CREDENTIAL),
    SecurableType.CONNECTION: frozenset({Privilege.USE_CONNECTION} | _GENERAL),
    **{kind: frozenset(privileges) for kind, privileges in _LEAF.items()},
}
"""Which privileges can be granted on which kind; on a container also those that its contents inherit."""

NOT_IMPLIED = frozenset({Privilege.MANAGE, Privilege.EXTERNAL_USE_SCHEMA, Privilege.EXTERNAL_USE_LOCATION})
"""What ALL PRIVILEGES does not include."""

NOT_OWNED = frozenset({Privilege.EXTERNAL_USE_SCHEMA, Privilege.EXTERNAL_USE_LOCATION})
"""What an owner has only by owning a container of the securable, or by a grant."""

SHOWING: dict[SecurableType, frozenset[Privilege]] = {
    SecurableType.CATALOG: frozenset({Privilege.MANAGE}),
    SecurableType.SCHEMA: frozenset(_CATALOG - {Privilege.USE_CATALOG}),
    SecurableType.EXTERNAL_LOCATION: frozenset({Privilege.MANAGE}),
    SecurableType.STORAGE_CREDENTIAL: frozenset({Privilege.MANAGE}),
    SecurableType.CONNECTION: frozenset({Privilege.MANAGE}),
    **{kind: frozenset(privileges) for kind, privileges in _LEAF.items()},
}
"""Which privileges that hold on a container let a grantee know of everything of a kind in it."""

SYSTEM = "system"
"""The catalog of what the server itself records: it can be read and granted, never changed."""

READING = frozenset(
    {
        Privilege.USE_CATALOG,
        Privilege.USE_SCHEMA,
        Privilege.EXTERNAL_USE_SCHEMA,
        Privilege.SELECT,
        Privilege.BROWSE,
    }
)
"""What can be held on the server's own securables."""
