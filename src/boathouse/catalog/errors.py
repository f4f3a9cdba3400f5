"""What can be wrong with a securable, with the error codes of Unity Catalog."""

from boathouse.catalog.privileges import GRANTABLE, Privilege, SecurableType
from boathouse.errors import AlreadyExists, InvalidParameterValue, InvalidState, NotFound, PermissionDenied


def term(kind: SecurableType) -> str:
    """The word for a kind of securable in a message."""
    return kind.value.replace("_", " ")


def _code(kind: SecurableType, what: str, otherwise: str) -> str:
    # Unity Catalog has codes of their own for these kinds.
    named = {SecurableType.CATALOG, SecurableType.SCHEMA, SecurableType.TABLE, SecurableType.VOLUME}
    return f"{kind.value.upper()}_{what}" if kind in named else otherwise


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
            f"Its owner can give it: GRANT {privilege} ON {term(kind).upper()} {full_name} TO `{principal}`.",
            privilege=privilege.value,
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
