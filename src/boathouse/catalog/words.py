"""Text as the search compares it."""

import re
from collections.abc import Iterable

_BETWEEN = re.compile(r"[\W_]+")


def normalised(text: str) -> str:
    """Words in lower case with one blank around each: ``Order_ID`` and ``order-id`` are both `` order id ``."""
    return f" {_BETWEEN.sub(' ', text.lower()).strip()} "


def searchable(parts: Iterable[str]) -> str:
    """Several texts as one in which words that follow each other are of the same text."""
    return "|".join(normalised(part) for part in parts if part)
