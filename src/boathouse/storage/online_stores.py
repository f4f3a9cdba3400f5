"""Where online feature stores are that are not files of the lake: the setting ``online_stores``."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from boathouse.errors import InvalidParameterValue

_SCHEMES = ("postgresql://", "postgres://", "redis://", "rediss://", "unix://")


@dataclass(frozen=True)
class StoreUrls:
    """One store.

    Attributes:
        url: Where it is written.
        read_url: Where it is read, by processes that run code of models: of a user who may only read, best.
    """

    url: str = field(repr=False)
    read_url: str = field(repr=False)


def parse_online_stores(text: str | None) -> Mapping[str, StoreUrls]:
    """Name of a store -> its URLs.

    Args:
        text: A JSON object of names to URLs, or to objects with ``url`` and ``read_url``.

    Raises:
        InvalidParameterValue: If it is none. It names no URL, for these may hold passwords.
    """
    if not text:
        return {}
    try:
        raw: Any = json.loads(text)
    except ValueError:
        raise _wrong("it is no JSON") from None
    if not isinstance(raw, dict):
        raise _wrong("it is no object")
    return {str(name): _urls(str(name), given) for name, given in raw.items()}


def _urls(name: str, given: Any) -> StoreUrls:
    urls: Any = {"url": given} if isinstance(given, str) else given
    if not isinstance(urls, dict) or not set(urls) <= {"url", "read_url"} or "url" not in urls:
        raise _wrong(f"'{name}' has neither a URL nor an object with url and read_url")
    for value in urls.values():
        if not isinstance(value, str) or not value.startswith(_SCHEMES) or any(letter.isspace() for letter in value):
            raise _wrong(f"'{name}' has a URL that does not begin with {', '.join(_SCHEMES)}")
    return StoreUrls(urls["url"], urls.get("read_url", urls["url"]))


def _wrong(problem: str) -> InvalidParameterValue:
    return InvalidParameterValue(
        f'BOATHOUSE_ONLINE_STORES is not valid: {problem}. For example: {{"fast": "redis://host:6379/0", "team": "postgresql://user@host/db"}}.',
        field="online_stores",
    )
