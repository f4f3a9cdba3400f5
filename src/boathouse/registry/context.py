"""Who acts, for code that MLflow calls and that gets no request."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

from boathouse.iam.api import CredentialsMissing, Principal

_principal: ContextVar[Principal | None] = ContextVar("boathouse_mlflow_principal", default=None)


@contextmanager
def acting_as(principal: Principal) -> Generator[None]:
    """Let MLflow's stores act for a principal while the block runs, threads started with a copy of the context included."""
    token = _principal.set(principal)
    try:
        yield
    finally:
        _principal.reset(token)


def acting_principal() -> Principal:
    """Who acts.

    Raises:
        CredentialsMissing: If nobody does: a store that is reached past the door refuses.
    """
    principal = _principal.get()
    if principal is None:
        raise CredentialsMissing
    return principal


def acting_or_nobody() -> Principal | None:
    """Who acts; None if it is the server itself."""
    return _principal.get()
