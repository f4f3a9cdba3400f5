"""Identifiers."""

import secrets
import uuid


def new_id() -> str:
    """A random identifier of a securable or principal: a UUID in its usual text form."""
    return str(uuid.uuid4())


def new_number() -> int:
    """A random identifier that is a number, as those of jobs and runs are: one that JavaScript's numbers can hold."""
    return 10**14 + secrets.randbelow(8 * 10**15)


def number_in(text: str) -> int | None:
    """The number that a text is, if one that databases can hold; what clients call things that have numbers need not be one."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
