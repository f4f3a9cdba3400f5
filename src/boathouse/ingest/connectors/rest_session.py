"""How an HTTP API is asked: at its own host only, and not for pages without an end. Only a process of its own may import this."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import requests
from dlt.sources.helpers.requests import Client
from dlt.sources.helpers.rest_client.detector import find_response_page_data
from requests.adapters import BaseAdapter, HTTPAdapter

_SECONDS = 60
_TRIES = 3
_SHOWN = 80
"""Characters of an answer that is not JSON."""
_SAME = 10
"""So many pages with the same rows, one after the other, are one page that comes again and again."""
_PAGES = "pages"
"""The attribute of a request that says of which pages it is."""


class _Refusing(BaseAdapter):
    """Sends nothing: an answer of the API must not lead its token to another host."""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Refuse."""
        message = f"the API leads to {urlsplit(request.url or '').netloc}, which is not the host of the connection"
        raise requests.exceptions.InvalidURL(message)

    def close(self) -> None:
        """There is nothing to close."""


@dataclass
class _Pages:
    """What was asked for one page after the other, and how often the last answer came."""

    asked: set[bytes] = field(default_factory=set[bytes])
    answer: bytes = b""
    times: int = 0

    def ask(self, request: requests.PreparedRequest) -> None:
        """Go on only if this page was not asked for before.

        Raises:
            requests.RequestException: If it was.
        """
        body = request.body.decode() if isinstance(request.body, bytes) else request.body or ""
        asked = _digest(f"{request.method} {request.url}\n{body}".encode())
        if asked in self.asked:
            raise _endless(request, "leads to a page that was read already")
        self.asked.add(asked)

    def answered(self, answer: requests.Response) -> None:
        """Go on only if the same rows did not come too often.

        Raises:
            requests.RequestException: If they did.
        """
        digest = _digest(answer.content)
        self.times = self.times + 1 if digest == self.answer else 1
        self.answer = digest
        if self.times >= _SAME and _has_rows(answer):
            raise _endless(answer.request, f"answers the same rows {self.times} times, whichever page it is asked for")


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def _has_rows(answer: requests.Response) -> bool:
    try:
        return bool(find_response_page_data(answer.json())[1])
    except ValueError:
        return False


def _endless(request: requests.PreparedRequest, what: str) -> requests.RequestException:
    where = urlsplit(request.url or "").path
    return requests.RequestException(f"{where} {what}, so that its pages have no end. Look at the paginator of its resource")


class Answers(HTTPAdapter):
    """Sends requests, and knows the last answer, which an error of what reads it does not."""

    def __init__(self) -> None:
        super().__init__()
        self.last: requests.Response | None = None

    def send(self, request: requests.PreparedRequest, *arguments: Any, **named: Any) -> requests.Response:
        """Send it."""
        self.last = super().send(request, *arguments, **named)
        pages: _Pages | None = getattr(request, _PAGES, None)
        if pages is not None and self.last.ok:
            pages.answered(self.last)
        return self.last

    def told(self) -> str:
        """That the last answer is not JSON, and what it is."""
        answer = self.last
        if answer is None:
            return "an answer is not JSON"
        kind = answer.headers.get("Content-Type", "no Content-Type")
        text = " ".join(answer.text.split())[:_SHOWN]
        shown = f"begins with: {text}" if text else "is empty"
        path = urlsplit(answer.url).path
        return f"it answers {path} with status {answer.status_code} and {kind} where JSON is needed; the answer {shown}"


def session_of(base: str) -> tuple[requests.Session, Answers]:
    """What asks the API below an address, and what knows its answers."""
    session = Client(request_timeout=_SECONDS, request_max_attempts=_TRIES, raise_for_status=False).session
    session.trust_env = False
    session.adapters.clear()
    parts = urlsplit(base)
    session.mount("http", _Refusing())
    answers = Answers()
    session.mount(f"{parts.scheme}://{parts.netloc.lower()}/", answers)
    counting: Any = _counting(session.prepare_request)
    session.prepare_request = counting
    return session, answers


def _counting(
    prepare: Callable[[requests.Request], requests.PreparedRequest],
) -> Callable[[requests.Request], requests.PreparedRequest]:
    """Prepare requests, of which dlt has one for all pages of a resource, and know which pages they have asked for."""
    known = WeakKeyDictionary[requests.Request, _Pages]()

    def prepared(request: requests.Request) -> requests.PreparedRequest:
        made = prepare(request)
        pages = known.setdefault(request, _Pages())
        pages.ask(made)
        setattr(made, _PAGES, pages)
        return made

    return prepared
