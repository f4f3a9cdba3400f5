"""The files that COPY INTO is asked to load."""

import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import pyarrow.parquet as pq
from pyarrow.lib import ArrowException

from boathouse.engine.errors import PathMissing, StatementRefused

_MOST_FILES = 1000


def find_files(source: str, names: Sequence[str], pattern: str | None) -> list[str]:
    """Files of a folder, those that begin with a dot or underscore left out.

    Args:
        source: A real path: a file, or a folder that is gone through with all its folders.
        names: Which files of it, by their names relative to it; any if empty.
        pattern: A glob that their relative names have to fit.

    Raises:
        StatementRefused: If too many are named, or one lies outside.
        PathMissing: If one that is named is not there.
    """
    if not source.startswith("/"):
        message = f"COPY INTO reads files of volumes, not '{source}'. Write /Volumes/<catalog>/<schema>/<volume>/<path>."
        raise StatementRefused(message)
    root = Path(source)
    if root.is_file():
        return [str(root)]
    if len(names) > _MOST_FILES:
        message = f"FILES may name {_MOST_FILES} files at the most, not {len(names)}. Use PATTERN."
        raise StatementRefused(message)
    if names:
        return [_inside(root, name) for name in names]
    return sorted(path for path in _walk(root) if pattern is None or _fits(os.path.relpath(path, root), pattern))


def _fits(name: str, pattern: str) -> bool:
    return any(fnmatchcase(name, one) for one in _braces(pattern))


def _braces(pattern: str) -> list[str]:
    begin, end = pattern.find("{"), pattern.find("}")
    if begin < 0 or end < begin:
        return [pattern]
    options = pattern[begin + 1 : end].split(",")
    return [one for option in options for one in _braces(pattern[:begin] + option + pattern[end + 1 :])]


def _inside(root: Path, name: str) -> str:
    path = root / name
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(os.path.realpath(root)):
        message = f"The file '{name}' does not lie in the folder after FROM."
        raise StatementRefused(message)
    if not real.is_file():
        raise PathMissing(name)
    return str(path)


def _walk(root: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith((".", "_"))]
        for name in files:
            path = Path(folder) / name
            if not name.startswith((".", "_")) and path.is_file() and not path.is_symlink():
                yield str(path)


def without_corrupt(files: Sequence[str], file_format: str) -> tuple[list[str], int]:
    """The files that can be read, and how many cannot. Only Parquet files can be told to be corrupt without reading all of them."""
    if file_format != "parquet":
        return list(files), 0
    sound: list[str] = []
    for path in files:
        try:
            pq.read_metadata(path)
        except (ArrowException, OSError):
            continue
        sound.append(path)
    return sound, len(files) - len(sound)
