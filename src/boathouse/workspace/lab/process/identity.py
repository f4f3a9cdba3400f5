"""Who asks: the server says so with every request, and nobody else can."""

import hashlib
import hmac
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from jupyter_server.auth.identity import IdentityProvider, User
from traitlets import Unicode

from boathouse.workspace.lab.headers import KEY, TOKEN, USER
from boathouse.workspace.lab.process.server import Server


@dataclass
class Asker:
    """A principal.

    Attributes:
        name: Its name.
        server: The REST API, asked in its name.
    """

    name: str
    server: Server = field(repr=False)

    @property
    def folder(self) -> str:
        """A name for what is kept for it."""
        return hashlib.sha256(self.name.encode()).hexdigest()[:32]


asker: ContextVar[Asker] = ContextVar("asker")
"""Of the request that is answered. What that starts (a room's saving, a kernel's watching) goes on in its name."""


class ServerIdentity(IdentityProvider):
    """Takes the server's word for who asks."""

    key = Unicode(config=True)
    base_url = Unicode(config=True)
    token = ""
    need_token = False

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._known: dict[str, Asker] = {}

    def get_user(self, handler: Any) -> User | None:
        """Who asks; None if it is not the server that says so."""
        headers = handler.request.headers
        if not hmac.compare_digest(headers.get(KEY, "").encode(), str(self.key).encode()):
            return None
        name = headers.get(USER, "").encode("latin-1").decode()
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = Asker(name, Server(str(self.base_url)))
        found.server.token = headers.get(TOKEN, "")
        asker.set(found)
        return User(username=name, name=name, display_name=name.partition("@")[0], initials=name[:2].upper())
