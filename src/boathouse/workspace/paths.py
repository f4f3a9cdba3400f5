"""Paths of the workspace as people and the API write them."""

from typing import TypeAlias

from boathouse.workspace.errors import PathInvalid

Parts: TypeAlias = tuple[str, ...]
"""The names from the root down; none for the root itself."""

PREFIX = "/Workspace"
USERS, SHARED, REPOS = "Users", "Shared", "Repos"
PARTIAL = ".boathouse-"
"""Begins the names of files that are being written."""
_RESERVED = frozenset({".git"})
_MOST_BYTES = 200
"""Of a name: room for a suffix and for what marks a file that is being written."""


def parts_of(path: str, field: str = "path") -> Parts:
    """The names of an absolute path, with or without ``/Workspace`` before it.

    Raises:
        PathInvalid: If nothing can be there.
    """
    if not path.startswith("/"):
        raise PathInvalid(field, path, "it has to begin with /, as /Users/name/notebook.")
    text = path.removeprefix(PREFIX) if path == PREFIX or path.startswith(f"{PREFIX}/") else path
    parts = tuple(text.strip("/").split("/")) if text.strip("/") else ()
    for part in parts:
        if part in {"", ".", ".."}:
            raise PathInvalid(field, path, f"'{part}' is no name.")
        if part in _RESERVED or part.startswith(PARTIAL):
            raise PathInvalid(field, path, f"names like '{part}' are kept for the server.")
        if not part.isprintable():
            raise PathInvalid(field, path, "it has characters that cannot be printed.")
        if len(part.encode()) > _MOST_BYTES:
            raise PathInvalid(field, path, f"a name has {_MOST_BYTES} bytes at most.")
    return parts


def text_of(parts: Parts) -> str:
    """A path as the API tells it."""
    return "/" + "/".join(parts)


def above(parts: Parts) -> list[Parts]:
    """The path itself and all folders that it lies in, the root last."""
    return [parts[:count] for count in range(len(parts), -1, -1)]


def is_hidden(name: str) -> bool:
    """Whether a name on disk is none of the users'."""
    return name in _RESERVED or name.startswith(PARTIAL) or name == "__pycache__"
