"""What can be wrong with serving."""

from collections.abc import Awaitable, Callable

from boathouse.errors import (
    AlreadyExists,
    Conflict,
    InvalidParameterValue,
    InvalidState,
    NotFound,
    NotYetThere,
    PermissionDenied,
)


class EndpointNotFound(NotFound):
    """No serving endpoint of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Endpoint with name '{name}' does not exist.", name=name)


class EndpointExists(AlreadyExists):
    """The name is taken."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Endpoint with name '{name}' already exists.", name=name)


class EndpointUpdating(Conflict):
    """An update is under way."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Endpoint '{name}' is being updated. Wait until its state's config_update is no longer IN_PROGRESS.", name=name
        )


class EndpointNotReady(NotYetThere):
    """No model server can answer now."""

    def __init__(self, name: str, reason: str, wait: Callable[[], Awaitable[None]] | None = None) -> None:
        super().__init__(f"Endpoint '{name}' cannot answer now: {reason}", wait, name=name)


class EndpointPermissionMissing(PermissionDenied):
    """The asker lacks a level of permission on an endpoint."""

    def __init__(self, principal: str, name: str, level: str) -> None:
        super().__init__(
            f"User '{principal}' does not have {level} on serving endpoint '{name}'. Its creator or an admin can give it.",
            name=name,
            permission_level=level,
        )


class ServedModelNotFound(NotFound):
    """No such served entity."""

    def __init__(self, endpoint: str, name: str, valid: list[str]) -> None:
        super().__init__(
            f"Endpoint '{endpoint}' has no served entity '{name}'. Valid: {', '.join(valid) or 'none'}.", name=name
        )


class ConfigInvalid(InvalidParameterValue):
    """A field of an endpoint's configuration is not valid."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}", field=field)


class EntityNotFound(NotFound):
    """A served entity that is not there."""

    def __init__(self, field: str, name: str, version: str, reason: str) -> None:
        super().__init__(
            f"{field} names version {version} of '{name}', which does not exist: {reason}",
            field=field,
            entity_name=name,
            entity_version=version,
        )


class PayloadTableUnfit(InvalidState):
    """The name of the inference table is taken by another kind of table."""

    def __init__(self, full_name: str, column: str) -> None:
        super().__init__(
            f"Table '{full_name}' exists and is no inference table (its column '{column}' is missing or differs). "
            "Choose another table_name_prefix.",
            full_name=full_name,
        )


class BadRequest(InvalidParameterValue):
    """A request that this model cannot read."""

    error_code = "BAD_REQUEST"


class ModelFailed(InvalidState):
    """A model server did not become ready."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
