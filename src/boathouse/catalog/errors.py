"""What can be wrong with a securable, with the error codes of Unity Catalog."""

import re
from collections.abc import Sequence

from boathouse.catalog.privileges import GRANTABLE, Privilege, SecurableType
from boathouse.errors import AlreadyExists, InvalidParameterValue, InvalidState, NotFound, NotImplementedHere, PermissionDenied

_PLAIN = re.compile("[A-Za-z_][A-Za-z0-9_]*")


def term(kind: SecurableType) -> str:
    """The word for a kind of securable in a message."""
    return kind.value.replace("_", " ")


def _in_sql(kind: SecurableType, full_name: str) -> str:
    """A securable as ``GRANT`` takes it."""
    if kind is SecurableType.METASTORE:
        return "METASTORE"
    word = "MODEL" if kind is SecurableType.MODEL else term(kind).upper()
    return f"{word} {'.'.join(part if _PLAIN.fullmatch(part) else quoted(part) for part in full_name.split('.'))}"


def quoted(name: str) -> str:
    """A part of a name as SQL has it."""
    return f"`{name.replace('`', '``')}`"


def _code(kind: SecurableType, what: str, otherwise: str) -> str:
    # Unity Catalog has codes of their own for all kinds but models, which MLflow's clients know by the general ones.
    general = {SecurableType.METASTORE, SecurableType.MODEL}
    return otherwise if kind in general else f"{kind.value.upper()}_{what}"


class SecurableNotFound(NotFound):
    """No securable of this name."""

    def __init__(self, kind: SecurableType, full_name: str) -> None:
        super().__init__(
            f"{term(kind).capitalize()} '{full_name}' does not exist.", securable_type=kind.value, full_name=full_name
        )
        self.error_code = _code(kind, "DOES_NOT_EXIST", NotFound.error_code)


class SecurableExists(AlreadyExists):
    """The name is taken."""

    def __init__(self, kind: SecurableType, full_name: str) -> None:
        super().__init__(
            f"{term(kind).capitalize()} '{full_name}' already exists.", securable_type=kind.value, full_name=full_name
        )
        self.error_code = _code(kind, "ALREADY_EXISTS", AlreadyExists.error_code)


class PrivilegeMissing(PermissionDenied):
    """The asker lacks a privilege."""

    def __init__(self, principal: str, privilege: Privilege, kind: SecurableType, full_name: str) -> None:
        super().__init__(
            f"User '{principal}' does not have {privilege} on {term(kind)} '{full_name}'. "
            f"Its owner can give it: GRANT {privilege} ON {_in_sql(kind, full_name)} TO {quoted(principal)}.",
            privilege=privilege.value,
            securable_type=kind.value,
            full_name=full_name,
        )


class NoLocation(PermissionDenied):
    """No external location covers a place."""

    def __init__(self, location: str) -> None:
        super().__init__(
            f"No external location covers '{location}'. Name a path in one, or have one made for it or for a folder above it: "
            "CREATE EXTERNAL LOCATION on the metastore is needed for that.",
            url=location,
        )


class ServersOwn(PermissionDenied):
    """What the server itself records can be read and granted, not changed."""

    def __init__(self, kind: SecurableType, full_name: str) -> None:
        super().__init__(
            f"The {term(kind)} '{full_name}' is the server's own record. Nobody can change it or add to it; "
            "an admin can grant SELECT, USE SCHEMA, USE CATALOG and BROWSE on it.",
            securable_type=kind.value,
            full_name=full_name,
        )


class InvalidName(InvalidParameterValue):
    """A name that a securable cannot have."""

    def __init__(self, name: str, valid: str) -> None:
        super().__init__(f"'{name}' is not a valid name: {valid}", name=name)


class NotEmpty(InvalidState):
    """A catalog or schema that still holds something."""

    def __init__(self, kind: SecurableType, full_name: str, count: int) -> None:
        super().__init__(
            f"{term(kind).capitalize()} '{full_name}' is not empty (it holds {count}). Delete what is in it, or use force.",
            full_name=full_name,
        )


class NotGrantable(InvalidParameterValue):
    """A privilege that this kind of securable does not have."""

    def __init__(self, privilege: str, kind: SecurableType) -> None:
        valid = ", ".join(sorted(GRANTABLE[kind]))
        super().__init__(f"'{privilege}' cannot be granted on a {term(kind)}. Valid: {valid}.", privilege=privilege)


class LocationTaken(InvalidParameterValue):
    """A location inside, or around, another securable's."""

    def __init__(self, location: str, full_name: str) -> None:
        super().__init__(f"The location {location} overlaps that of '{full_name}'. Choose another.", location=location)


class FunctionInUse(InvalidState):
    """A function that a table's row filter or column mask needs as it is."""

    def __init__(self, function: str, table: str) -> None:
        super().__init__(
            f"Function '{function}' is a row filter or column mask of table '{table}'. Take it off there first.",
            full_name=function,
            used_by=table,
        )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


class LocationInUse(InvalidState):
    """An external location in which tables or volumes lie."""

    def __init__(self, name: str, inside: Sequence[str]) -> None:
        super().__init__(f"In external location '{name}' lie {_some(inside)}. Delete them first, or use force.", full_name=name)


class LocationReadOnly(PermissionDenied):
    """A place in an external location that nobody may write to."""

    def __init__(self, place: str, location: str) -> None:
        super().__init__(
            f"{place} lies in external location '{location}', which is for reading alone. Who manages the location can change that.",
            full_name=location,
        )


class CredentialInUse(InvalidState):
    """A storage credential that external locations need."""

    def __init__(self, name: str, users: Sequence[str]) -> None:
        super().__init__(
            f"Storage credential '{name}' opens {_some(users)}. Delete these external locations first, or use force.",
            full_name=name,
        )


class ConstraintExists(AlreadyExists):
    """A table has a constraint of this name, or a primary key, already."""

    error_code = "CONSTRAINT_ALREADY_EXISTS"

    def __init__(self, table: str, name: str) -> None:
        super().__init__(f"Table '{table}' has the constraint '{name}' already.", full_name=table, constraint=name)


class ConstraintNotFound(NotFound):
    """A table has no constraint of this name."""

    error_code = "CONSTRAINT_DOES_NOT_EXIST"

    def __init__(self, table: str, name: str, there: Sequence[str]) -> None:
        known = f"It has: {', '.join(there)}." if there else "It has none."
        super().__init__(f"Table '{table}' has no constraint '{name}'. {known}", full_name=table, constraint=name)


class ConstraintInUse(InvalidState):
    """A primary key that foreign keys point to."""

    def __init__(self, table: str, name: str, users: Sequence[str]) -> None:
        super().__init__(
            f"Foreign keys of {_some(users)} point to '{name}' of table '{table}'. Drop them first, or use cascade.",
            full_name=table,
            constraint=name,
        )


class ColumnInUse(InvalidState):
    """A column that a policy or key of its table needs."""

    def __init__(self, table: str, column: str, what: str) -> None:
        super().__init__(
            f"Column '{column}' of table '{table}' is used by {what}. Take that off first.", full_name=table, column=column
        )


class TagExists(AlreadyExists):
    """The tag is there already."""

    error_code = "ALREADY_EXISTS"

    def __init__(self, full_name: str, key: str) -> None:
        super().__init__(f"'{full_name}' has the tag '{key}' already; update it to change its value.", tag_key=key)


class TagNotFound(NotFound):
    """The tag is not there."""

    def __init__(self, full_name: str, key: str) -> None:
        super().__init__(f"'{full_name}' has no tag '{key}'.", tag_key=key)


class DroppedTableNotFound(NotFound):
    """No table of this name was dropped in the last seven days."""

    error_code = "TABLE_DOES_NOT_EXIST"

    def __init__(self, name: str) -> None:
        super().__init__(f"No table '{name}' was dropped in the last seven days.", full_name=name)


class PolicyInTheWay(PermissionDenied):
    """Something that would tell what a row filter or column mask hides."""

    def __init__(self, full_name: str) -> None:
        super().__init__(
            f"{full_name} is a view, or has a row filter or column masks, which hold for queries by its name. Its files, its "
            "changes, its plans, copies of it, and UPDATE, DELETE and MERGE are for those who manage it.",
            full_name=full_name,
        )


class NothingLent(PermissionDenied):
    """What no credentials are lent for, whoever asks."""

    def __init__(self, kind: SecurableType, full_name: str, why: str) -> None:
        super().__init__(
            f"No credentials are given out for {term(kind)} '{full_name}': {why}",
            securable_type=kind.value,
            full_name=full_name,
        )


class PathTaken(PermissionDenied):
    """A path with files of a table or volume, which has privileges of its own."""

    def __init__(self, url: str) -> None:
        super().__init__(
            f"No credentials are given out for the path {url}: a table or volume lies there. Ask for the credentials of that.",
            url=url,
        )


class LiesOnDisk(InvalidState):
    """Files of this server's own disk, which no credentials open."""

    def __init__(self, what: str, location: str) -> None:
        super().__init__(
            f"{what} lies on the server's disk, which needs no credentials and has none: read it by its path {location} on that "
            "machine, or from anywhere through Spark Connect.",
            location=location,
        )


class NotLendable(NotImplementedHere):
    """A kind of storage credential that nothing is lent from."""

    def __init__(self, kind: str) -> None:
        super().__init__(
            f"From a storage credential of kind {kind} no temporary credentials are made here. Valid: aws_iam_role, "
            "aws_access_key.",
            kind=kind,
        )
