"""Pages of lists: ordered by a text of each item, or by when each was made."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Query

from boathouse.errors import InvalidParameterValue

T = TypeVar("T")

MaxResults = Annotated[int, Query(ge=0, description="Size of a page; 0 answers everything")]
PageToken = Annotated[str, Query(description="next_page_token of the page before")]
IncludeBrowse = Annotated[bool, Query(description="Whether BROWSE is enough to see something; it is marked browse_only then")]


def paged(items: Sequence[T], max_results: int, page_token: str, key: Callable[[T], str]) -> tuple[list[T], str | None]:
    """One page of a list, and the token of the next: the key of the page's last item.

    Args:
        items: All, in the order of the key.
        max_results: Size of the page; 0 for all.
        page_token: Token of the page before, empty for the first.
        key: What the list is ordered by; no two items have the same.
    """
    rest = [item for item in items if key(item) > page_token] if page_token else list(items)
    if max_results == 0 or len(rest) <= max_results:
        return rest, None
    page = rest[:max_results]
    return page, key(page[-1])


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
        message = "page_token is not one of this server's: use the next_page_token of the answer before."
        raise InvalidParameterValue(message, field="page_token")
    return int(at), identifier
