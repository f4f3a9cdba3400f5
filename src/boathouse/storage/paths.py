"""Paths and the file URLs that tables are recorded with."""

from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from boathouse.storage.errors import PathOutsideRoot
from boathouse.storage.layout import is_under


def to_url(path: Path) -> str:
    """The ``file:///`` URL of an absolute path."""
    return "file://" + quote(str(path))


def from_url(location: str) -> Path:
    """The path behind a ``file:`` URL or a plain absolute path."""
    if location.startswith("file:"):
        return Path(unquote(urlsplit(location).path))
    return Path(location)


def resolve_under(folder: Path, relative: str) -> Path:
    """A relative path resolved in a folder.

    Raises:
        PathOutsideRoot: If the result, links followed, is not in the folder.
    """
    path = folder / relative.lstrip("/")
    if "\0" in relative or not is_under(path, folder):
        raise PathOutsideRoot(relative)
    return path
