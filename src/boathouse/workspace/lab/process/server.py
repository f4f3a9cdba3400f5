"""The server's REST API, as a principal asks it."""

import json
from collections.abc import Mapping
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.httputil import url_concat
from tornado.web import HTTPError

_SECONDS = 150.0
_MOST = 700 * 1024 * 1024


class Server:
    """The server.

    Args:
        base_url: Of the REST API.
        token: Of the principal.
    """

    def __init__(self, base_url: str, token: str = "") -> None:
        self._base_url = base_url
        self.token = token

    async def ask(self, method: str, path: str, query: Mapping[str, Any] | None = None, body: Any = None) -> Any:
        """Ask for something.

        Raises:
            HTTPError: As Jupyter's handlers answer it, if it is refused.
        """
        request = HTTPRequest(
            url_concat(self._base_url + path, {key: str(value) for key, value in (query or {}).items()}),
            method=method,
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
            body=None if method in {"GET", "DELETE"} else json.dumps(body or {}),
            request_timeout=_SECONDS,
        )
        answer = await AsyncHTTPClient(max_body_size=_MOST, max_buffer_size=_MOST).fetch(request, raise_error=False)
        if answer.code == 599:
            raise HTTPError(503, "The server does not answer.")
        try:
            told: Any = json.loads(answer.body or b"{}")
        except ValueError:
            told = {}
        if answer.code >= 400:
            message = str(told.get("message", "The server has refused it.")) if isinstance(told, dict) else ""
            raise HTTPError(answer.code, "%s", message, reason=_reason(message))
        return told


def _reason(message: str) -> str:
    """As much of a message as can stand in the first line of an answer."""
    return "".join(one for one in message[:200] if one.isascii() and one.isprintable()) or "Refused"
