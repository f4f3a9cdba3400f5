"""What is seen of every request: an identifier, a log line, Prometheus metrics."""

import re
import time
from functools import lru_cache

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from boathouse.kit.ids import new_id

log = structlog.stdlib.get_logger("boathouse.requests")
_SOUND_ID = re.compile(r"^[\w.-]{1,100}$")


class Observation:
    """Gives each request an ``X-Request-Id`` (the client's own, if it sent a sound one), logs and counts it.

    Args:
        app: The application.
        registry: Where the metrics go.
    """

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self._app = app
        requests = Counter("boathouse_http_requests_total", "HTTP requests", ["method", "route", "status"], registry=registry)
        seconds = Histogram(
            "boathouse_http_request_seconds", "Seconds to the end of the answer", ["method", "route"], registry=registry
        )
        self._requests, self._seconds = lru_cache(1000)(requests.labels), lru_cache(1000)(seconds.labels)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _SOUND_ID.match(given) else new_id()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        status, started = 500, time.perf_counter()

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, observed)
        finally:
            seconds = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", None) or scope.get("mount_name") or "other"
            self._requests(scope["method"], route, status).inc()
            self._seconds(scope["method"], route).observe(seconds)
            level = log.warning if status >= 500 else log.debug if status < 400 else log.info
            level("request", method=scope["method"], path=scope["path"], status=status, ms=round(seconds * 1000, 1))
