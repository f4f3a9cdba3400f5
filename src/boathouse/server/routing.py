"""Finding the route of a request without trying them all.

FastAPI asks each route in turn whether it matches, twice for those of an included router: of a small request that was half of its time.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from starlette.datastructures import URLPath
from starlette.routing import BaseRoute, Match, Mount, NoMatchFound, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

_CHOSEN = "boathouse.route"


def plain(routes: Sequence[BaseRoute]) -> Iterator[BaseRoute]:
    """The routes, with those of included routers, which FastAPI keeps as they were."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is None:
            yield route
        else:
            yield from plain(inner.routes)


class Index(BaseRoute):
    """Stands before the routes of an application, and finds them by the words with which their paths begin.

    The first that matches is taken, as without it; what it does not find is left to the routes behind it.

    Args:
        routes: The routes, in their order.
    """

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._by_words: dict[tuple[str, ...], list[tuple[int, BaseRoute]]] = {}
        for number, route in enumerate(plain(routes)):
            if isinstance(route, Route | WebSocketRoute | Mount) and route.path:
                self._by_words.setdefault(_fixed_words(route.path), []).append((number, route))
        self._most = max(map(len, self._by_words), default=0)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether one of the routes takes a request; the scope that is returned names it."""
        if scope["type"] not in {"http", "websocket"}:
            return Match.NONE, {}
        partly: Scope | None = None
        for route in self._candidates(scope["path"]):
            match, child = route.matches(scope)
            if match is Match.FULL:
                return match, {**child, _CHOSEN: route}
            if match is Match.PARTIAL and partly is None:
                partly = {**child, _CHOSEN: route}
        return (Match.NONE, {}) if partly is None else (Match.PARTIAL, partly)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the route that was found answer."""
        route: BaseRoute = scope[_CHOSEN]
        await route.handle(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """Is for the routes behind it to say."""
        raise NoMatchFound(name, path_params)

    def _candidates(self, path: str) -> Iterator[BaseRoute]:
        words = path[1:].split("/")
        found: list[tuple[int, BaseRoute]] = []
        for count in range(min(len(words), self._most) + 1):
            found += self._by_words.get(tuple(words[:count]), ())
        found.sort(key=lambda one: one[0])
        return (route for _, route in found)


def _fixed_words(path: str) -> tuple[str, ...]:
    """The words of a path before the first that is not the same in each request."""
    words: list[str] = []
    for word in path[1:].split("/"):
        if "{" in word:
            break
        words.append(word)
    return tuple(words)
