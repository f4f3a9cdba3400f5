"""The root of all errors, in the terms of the Databricks REST API's wire form.

Every error has a stable ``error_code``, an HTTP ``status`` and a message that says what would be valid. One handler in the
server turns it into ``{"error_code": ..., "message": ..., "details": [...]}``; the gateway turns it into a gRPC status.
"""

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar


class BoathouseError(Exception):
    """An error that a client is meant to see.

    Attributes:
        error_code: Stable name of the kind of error, as Databricks' clients know it.
        status: HTTP status of the answer.
        retriable: Whether the same call may succeed later without a change.
        message: One sentence that names what was wrong and what would be valid.
        metadata: Public facts for ``details`` (names of fields, securables); never secrets.
    """

    error_code: str = "INTERNAL_ERROR"
    status: ClassVar[int] = 500
    retriable: ClassVar[bool] = False

    def __init__(self, message: str, **metadata: str) -> None:
        super().__init__(message)
        self.message = message
        self.metadata = metadata


class InvalidParameterValue(BoathouseError):
    """A field of the request has a value that is not valid."""

    error_code = "INVALID_PARAMETER_VALUE"
    status = 400


class InvalidState(BoathouseError):
    """The request is well formed, but not in the present state of what it is about."""

    error_code = "INVALID_STATE"
    status = 400


class Unauthenticated(BoathouseError):
    """No credentials, or credentials that are unknown, expired or revoked."""

    error_code = "UNAUTHENTICATED"
    status = 401


class PermissionDenied(BoathouseError):
    """The principal is known and lacks a privilege, which the message names."""

    error_code = "PERMISSION_DENIED"
    status = 403


class NotFound(BoathouseError):
    """What the request names does not exist."""

    error_code = "RESOURCE_DOES_NOT_EXIST"
    status = 404


class AlreadyExists(BoathouseError):
    """What the request would create is there already."""

    error_code = "RESOURCE_ALREADY_EXISTS"
    status = 409


class Conflict(BoathouseError):
    """Somebody else changed the same thing at the same time."""

    error_code = "RESOURCE_CONFLICT"
    status = 409
    retriable = True


class NotImplementedHere(BoathouseError):
    """The API knows the request, this server does not do it."""

    error_code = "NOT_IMPLEMENTED"
    status = 501


class TemporarilyUnavailable(BoathouseError):
    """A part of the server is starting, restarting or overloaded."""

    error_code = "TEMPORARILY_UNAVAILABLE"
    status = 503
    retriable = True


class NotYetThere(TemporarilyUnavailable):
    """Something that is starting: worth waiting for, and then to be tried again.

    Args:
        message: For who does not wait.
        wait: Waits, in the server's event loop, until it is there or known not to come; None where that is known already.
        context: See ``BoathouseError``.
    """

    def __init__(self, message: str, wait: Callable[[], Awaitable[None]] | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.wait = wait


class InternalError(BoathouseError):
    """A fault of the server itself."""
