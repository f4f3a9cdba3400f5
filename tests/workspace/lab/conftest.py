"""A server, and users with a home in its workspace."""

from tests.workspace.runtime.conftest import Person, grant, person, server, user

__all__ = ["Person", "grant", "person", "server", "user"]
