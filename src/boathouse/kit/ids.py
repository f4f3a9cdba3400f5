"""Identifiers."""

import uuid


def new_id() -> str:
    """A random identifier of a securable or principal: a UUID in its usual text form."""
    return str(uuid.uuid4())
