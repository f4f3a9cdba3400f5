"""The workspace on disk: real folders and files, so that editors, git and Python's imports work on them.

A notebook is a file in source form (its first line says so) or a Jupyter file. In the API it has no suffix, on disk it has.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from boathouse.kit.ids import new_id
from boathouse.workspace.errors import ObjectNotFound
from boathouse.workspace.paths import PARTIAL, Parts, is_hidden, text_of


class Kind(StrEnum):
    """What an object is, as the API names it."""

    DIRECTORY = "DIRECTORY"
    FILE = "FILE"
    NOTEBOOK = "NOTEBOOK"
    REPO = "REPO"
    DASHBOARD = "DASHBOARD"


class Language(StrEnum):
    """The default language of a notebook, as the API names it."""

    PYTHON = "PYTHON"
    SQL = "SQL"
    SCALA = "SCALA"
    R = "R"


HEADER = "Databricks notebook source"
COMMENTS = {Language.PYTHON: "#", Language.SQL: "--", Language.SCALA: "//", Language.R: "#"}
SUFFIXES = {".py": Language.PYTHON, ".sql": Language.SQL, ".scala": Language.SCALA, ".r": Language.R, ".R": Language.R}
JUPYTER = ".ipynb"
DASHBOARD = ".lvdash.json"
"""Ends the names of dashboards, in the API too."""
NOTEBOOK_SUFFIXES = (*SUFFIXES, JUPYTER)
_GLANCE = 16 * 1024
_LANGUAGE_INFO = re.compile(rb'"language_info"\s*:\s*\{[^{}]*(?:\{[^{}]*\}[^{}]*)*?"name"\s*:\s*"(\w+)"')
_BY_NAME = {"python": Language.PYTHON, "sql": Language.SQL, "scala": Language.SCALA, "r": Language.R}
_HEADERS = {f"{comment} {HEADER}": language for language, comment in reversed(COMMENTS.items())}


def header_language(content: bytes, suffix: str = "") -> Language | None:
    """The language of a notebook in source form by its first line, or None if it is none.

    R and Python have the same first line; the suffix decides, and without one it is Python.
    """
    first = content[:80].removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].decode("utf-8", "replace").strip()
    found = _HEADERS.get(first)
    by_suffix = SUFFIXES.get(suffix)
    if found is None:
        return None
    return by_suffix if by_suffix is not None and COMMENTS[by_suffix] == COMMENTS[found] else Language(found)


@dataclass(frozen=True)
class Node:
    """Something in the workspace: its path in the API, its place on disk, what it is."""

    parts: Parts
    file: Path
    kind: Kind
    language: Language | None = None

    @property
    def path(self) -> str:
        """Its path in the API."""
        return text_of(self.parts)


class Tree:
    """The folders and files under the workspace's root.

    Args:
        root: The lake's folder for it.
    """

    def __init__(self, root: Path) -> None:
        self._root = Path(os.path.realpath(root))

    def find(self, parts: Parts) -> Node | None:
        """What is at a path; a notebook is found with and without its suffix. Links are followed nowhere."""
        place = self._root.joinpath(*parts)
        if os.path.realpath(place) != str(place):
            return None
        if place.is_dir():
            return Node(parts, place, Kind.DIRECTORY)
        if place.is_file():
            return self._file(parts[:-1], place)
        for suffix in NOTEBOOK_SUFFIXES:
            file = place.with_name(f"{place.name}{suffix}")
            if parts and file.is_file() and not file.is_symlink():
                node = self._file(parts[:-1], file)
                if node.kind is Kind.NOTEBOOK:
                    return node
        return None

    def get(self, parts: Parts) -> Node:
        """What is at a path.

        Raises:
            ObjectNotFound: If nothing is.
        """
        node = self.find(parts)
        if node is None:
            raise ObjectNotFound(text_of(parts))
        return node

    def children(self, folder: Node) -> Iterator[Node]:
        """What a folder holds, folders first, by name."""
        with os.scandir(folder.file) as scan:
            entries = sorted(
                (entry for entry in scan if not is_hidden(entry.name) and not entry.is_symlink()),
                key=lambda entry: (not entry.is_dir(), entry.name.lower(), entry.name),
            )
        for entry in entries:
            if entry.is_dir():
                yield Node((*folder.parts, entry.name), Path(entry.path), Kind.DIRECTORY)
            elif entry.is_file():
                yield self._file(folder.parts, Path(entry.path))

    def walk(self, folder: Node) -> Iterator[Node]:
        """All files below a folder."""
        for node in self.children(folder):
            if node.file.is_dir():
                yield from self.walk(node)
            else:
                yield node

    def _file(self, above: Parts, file: Path) -> Node:
        if file.name.endswith(DASHBOARD):
            return Node((*above, file.name), file, Kind.DASHBOARD)
        language = _notebook_language(file)
        if language is None:
            return Node((*above, file.name), file, Kind.FILE)
        shown = file.stem
        # Two that would have the same path keep their suffixes.
        twins = [file.with_name(f"{shown}{suffix}") for suffix in NOTEBOOK_SUFFIXES] + [file.with_name(shown)]
        if any(twin != file and twin.exists() and (twin.name == shown or _notebook_language(twin)) for twin in twins):
            shown = file.name
        return Node((*above, shown), file, Kind.NOTEBOOK, language)

    # ------------------------------------------------------------------------------------------------------ changes

    def make_folder(self, parts: Parts) -> None:
        """Make a folder and those above it."""
        self._root.joinpath(*parts).mkdir(mode=0o700, parents=True, exist_ok=True)

    def write(self, parts: Parts, suffix: str, content: bytes) -> None:
        """Write a file; it appears whole or not at all. A notebook of another suffix at the same path goes."""
        before = self.find(parts)
        file = self._root.joinpath(*parts)
        file = file.with_name(f"{file.name}{suffix}")
        partial = file.with_name(f"{PARTIAL}{new_id()}")
        try:
            partial.write_bytes(content)
            partial.chmod(0o600)
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)
        if before is not None and before.file != file:
            before.file.unlink(missing_ok=True)

    def delete(self, node: Node) -> None:
        """Delete a file, or a folder with all that it holds."""
        if node.kind is Kind.DIRECTORY or node.file.is_dir():
            shutil.rmtree(node.file)
        else:
            node.file.unlink()

    def is_empty(self, folder: Node) -> bool:
        """Whether a folder holds nothing of the users'."""
        return next(self.children(folder), None) is None

    def move(self, node: Node, to: Parts) -> None:
        """Give something another path; a notebook keeps its suffix."""
        target = self._root.joinpath(*to)
        if node.kind is Kind.NOTEBOOK:
            target = target.with_name(f"{target.name}{node.file.suffix}")
        node.file.rename(target)


def _notebook_language(file: Path) -> Language | None:
    if file.suffix == JUPYTER:
        return _jupyter_language(file)
    if file.suffix not in SUFFIXES:
        return None
    with suppress(OSError), file.open("rb") as opened:
        return header_language(opened.read(80), file.suffix)
    return None


def _jupyter_language(file: Path) -> Language:
    """The language of a Jupyter file by its metadata, which stands at its end or its beginning; cells can be megabytes."""
    with suppress(OSError), file.open("rb") as opened:
        beginning = opened.read(_GLANCE)
        opened.seek(max(0, file.stat().st_size - _GLANCE))
        for text in (opened.read(), beginning):
            found = _LANGUAGE_INFO.search(text)
            if found is not None:
                return _BY_NAME.get(found[1].decode().lower(), Language.PYTHON)
    return Language.PYTHON
