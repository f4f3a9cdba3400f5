"""The REST API as this process asks it; small, so that a process starts at once."""

import json
from collections.abc import Mapping
from typing import Any

_SECONDS = 120.0


class ServerRefused(Exception):
    """The server has answered with an error.

    Attributes:
        code: The HTTP status.
        error_code: The API's name of the error.
    """

    def __init__(self, code: int, error_code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.error_code = code, error_code


class Server:
    """The server.

    Args:
        base_url: Of the REST API.
        token: With which it is asked.
    """

    def __init__(self, base_url: str, token: str) -> None:
        self.base_url, self.token = base_url, token

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """Ask for something.

        Raises:
            ServerRefused: If it is not given.
        """
        return self._ask("GET", path, query)

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        """Tell something.

        Raises:
            ServerRefused: If it is not taken.
        """
        return self._ask("PUT", path, None, json.dumps(body).encode())

    def _ask(self, method: str, path: str, query: Mapping[str, str] | None, body: bytes | None = None) -> Any:
        # A third of the time until the first line of user code, most of which never asks.
        import urllib.error  # noqa: PLC0415 - see above
        import urllib.parse  # noqa: PLC0415
        import urllib.request  # noqa: PLC0415

        # Environment variables for proxies are for other addresses.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        asked = "?" + urllib.parse.urlencode(query) if query else ""
        request = urllib.request.Request(  # noqa: S310 - the server's own address
            f"{self.base_url}{path}{asked}",
            data=body,
            headers={"Authorization": f"Bearer {self.token}"} | ({} if body is None else {"Content-Type": "application/json"}),
            method=method,
        )
        try:
            with opener.open(request, timeout=_SECONDS) as answer:
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            told = _told(error.read())
            raise ServerRefused(error.code, str(told.get("error_code", "")), str(told.get("message", error))) from None


def _told(answer: bytes) -> dict[str, Any]:
    try:
        found = json.loads(answer or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
