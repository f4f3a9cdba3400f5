"""Pages of lists: ordered by a text of each item, or by when each was made."""

import base64
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Query

from boathouse.errors import InvalidParameterValue

T = TypeVar("T")
_MARK = "after:"

MaxResults = Annotated[int, Query(ge=0, description="Size of a page; 0 answers everything")]
PageToken = Annotated[str, Query(description="next_page_token of the page before")]
IncludeBrowse = Annotated[bool, Query(description="Whether BROWSE is enough to see something; it is marked browse_only then")]


def paged(items: Sequence[T], max_results: int, page_token: str, key: Callable[[T], str]) -> tuple[list[T], str | None]:
    """One page of a list, and the token of the next, which has the key of the page's last item in it.

    Args:
        items: All, in the order of the key.
        max_results: Size of the page; 0 for all.
        page_token: Token of the page before, empty for the first.
        key: What the list is ordered by; no two items have the same.

    Raises:
        InvalidParameterValue: If the token is none of this server's.
    """
    after = after_of(page_token)
    rest = [item for item in items if key(item) > after] if page_token else list(items)
    if max_results == 0 or len(rest) <= max_results:
        return rest, None
    page = rest[:max_results]
    return page, token_after(key(page[-1]))


def token_after(key: str) -> str:
    """The token of the page that begins after a key."""
    return base64.urlsafe_b64encode(f"{_MARK}{key}".encode(errors="surrogateescape")).decode().rstrip("=")


def after_of(page_token: str) -> str:
    """The key in a token; empty for the empty token of the first page.

    Raises:
        InvalidParameterValue: If the token is none of this server's.
    """
    if not page_token:
        return ""
    try:
        padded = page_token + "=" * (-len(page_token) % 4)
        found = base64.b64decode(padded, altchars=b"-_", validate=True).decode(errors="surrogateescape")
    except ValueError as error:
        raise _foreign() from error
    if not found.startswith(_MARK) or "\0" in found:
        raise _foreign()
    return found.removeprefix(_MARK)


def paged_by_creation(
    listed: Callable[[int, tuple[int, str] | None], Sequence[T]], size: int, page_token: str | None
) -> tuple[Sequence[T], str | None]:
    """One page of a list by when items were made, and the token of the next.

    Args:
        listed: Gives so many items, the oldest first, after one that is told by its ``created_at`` and ``id``.
        size: Size of the page.
        page_token: Token of the page before, None or empty for the first.

    Raises:
        InvalidParameterValue: If the token is none of this server's.
    """
    found = listed(size + 1, _after(page_token))
    if len(found) <= size:
        return found, None
    last: Any = found[size - 1]
    return found[:size], f"{last.created_at}_{last.id}"


def _after(page_token: str | None) -> tuple[int, str] | None:
    if not page_token:
        return None
    at, _, identifier = page_token.partition("_")
    if not (at.isascii() and at.isdecimal() and len(at) < 19 and identifier and "\0" not in identifier):
        raise _foreign()
    return int(at), identifier


def _foreign() -> InvalidParameterValue:
    message = "page_token is not one of this server's: use the next_page_token of the answer before."
    return InvalidParameterValue(message, field="page_token")
