"""``dbutils.secrets``."""

import base64
from typing import NamedTuple

from boathouse.workspace.runtime.redaction import Secrets
from boathouse.workspace.runtime.server import Server


class SecretScope(NamedTuple):
    """A scope."""

    name: str

    def getName(self) -> str:
        """Its name."""
        return self.name


class SecretMetadata(NamedTuple):
    """A secret without its value."""

    key: str


class SecretUtils:
    """Reads secrets; what is read is taken out of everything that the run shows.

    Args:
        server: Has them.
        redaction: Is told of the values.
    """

    def __init__(self, server: Server, redaction: Secrets) -> None:
        self._server = server
        self._redaction = redaction

    def getBytes(self, scope: str, key: str) -> bytes:
        """A secret's bytes."""
        found = self._server.get("/api/2.0/secrets/get", {"scope": scope, "key": key})
        value = base64.b64decode(found["value"])
        self._redaction.add(found["value"])
        self._redaction.add(value.decode("utf-8", "ignore"))
        return value

    def get(self, scope: str, key: str) -> str:
        """A secret's text."""
        return self.getBytes(scope, key).decode()

    def list(self, scope: str) -> list[SecretMetadata]:
        """The keys of a scope."""
        found = self._server.get("/api/2.0/secrets/list", {"scope": scope})
        return [SecretMetadata(one["key"]) for one in found.get("secrets") or []]

    def listScopes(self) -> "list[SecretScope]":
        """The scopes that the asker may read."""
        found = self._server.get("/api/2.0/secrets/scopes/list")
        return [SecretScope(one["name"]) for one in found.get("scopes") or []]
