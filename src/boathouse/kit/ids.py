"""Identifiers."""

import secrets
import uuid


def new_id() -> str:
    """A random identifier of a securable or principal: a UUID in its usual text form."""
    return str(uuid.uuid4())


def new_number() -> int:
    """A random identifier that is a number, as those of jobs and runs are: one that JavaScript's numbers can hold."""
    return 10**14 + secrets.randbelow(8 * 10**15)
