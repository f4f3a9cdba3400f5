"""The files that a pipeline's settings name, read with the rights of whom it runs as."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from boathouse.catalog.api import CatalogService, Privilege
from boathouse.iam.api import Principal
from boathouse.pipelines.errors import SpecInvalid
from boathouse.pipelines.source.sources import SourceFile
from boathouse.storage.layout import Layout, is_under
from boathouse.workspace.api import ObjectNotFound, PathInvalid, WorkspaceService

_SUFFIXES = (".py", ".sql", ".ipynb")
_MOST_FILES = 1000
_MOST_BYTES = 10 * 1024 * 1024


class SourceReader:
    """Finds the source of a pipeline.

    Args:
        session: A transaction.
        principal: Whom it runs as.
        layout: The lake's folders.
    """

    def __init__(self, session: Session, principal: Principal, layout: Layout) -> None:
        self._catalog = CatalogService(session, principal, layout)
        self._workspace = WorkspaceService(session, principal, layout)
        self._layout = layout
        self._principal = principal

    def root(self, spec: Mapping[str, Any]) -> Path | None:
        """The folder from which its modules are imported, if it has one."""
        path = spec.get("root_path")
        return None if path is None else self._folder(str(path), "root_path")

    def read(self, spec: Mapping[str, Any]) -> list[SourceFile]:
        """All files, each once.

        Raises:
            SpecInvalid: If one does not exist, or is none that the principal may read.
        """
        found: dict[Path, str] = {}
        root = spec.get("root_path")
        for number, library in enumerate(spec.get("libraries") or ()):
            where = f"libraries[{number}]"
            if library.get("glob"):
                text = self._absolute(str(library["glob"]["include"]), root, f"{where}.glob.include")
                for path in self._matching(text, f"{where}.glob.include"):
                    found.setdefault(path, self._shown(path, text))
            else:
                kind = "file" if library.get("file") else "notebook"
                text = self._absolute(str(library[kind]["path"]), root, f"{where}.{kind}.path")
                found.setdefault(self._one(text, f"{where}.{kind}.path"), text)
        if len(found) > _MOST_FILES:
            raise SpecInvalid("libraries", f"name {len(found)} files; {_MOST_FILES} is the most.")
        return [SourceFile(_named(path, shown), _content(path, shown)) for path, shown in found.items()]

    def text(self, path: str, field: str) -> str:
        """The text of one file.

        Raises:
            SpecInvalid: If it does not exist, or is none that the principal may read.
        """
        return _content(self._one(path, field), path)

    def _absolute(self, text: str, root: str | None, field: str) -> str:
        if text.startswith("/"):
            return text
        if root is None:
            raise SpecInvalid(field, f"'{text}' is relative, and there is no root_path.")
        return f"{root.rstrip('/')}/{text.removeprefix('./')}"

    def _one(self, text: str, field: str) -> Path:
        for candidate in (text, *(text + suffix for suffix in _SUFFIXES)):
            path = self._real(candidate, field)
            if path is not None and path.is_file():
                return path
        raise SpecInvalid(field, f"'{text}' does not exist, or is not yours to read.")

    def _folder(self, text: str, field: str) -> Path:
        path = self._real(text, field)
        if path is None or not path.is_dir():
            raise SpecInvalid(field, f"'{text}' does not exist, is no folder, or is not yours to read.")
        return path

    def _matching(self, text: str, field: str) -> list[Path]:
        parts = text.split("/")
        at = next((number for number, part in enumerate(parts) if set("*?[") & set(part)), None)
        if at is None:
            return [self._one(text, field)]
        folder = self._folder("/".join(parts[:at]) or "/", field)
        pattern = "/".join(parts[at:])
        pattern = f"{pattern}/*" if pattern.endswith("**") else pattern
        found = [path for path in folder.glob(pattern) if path.is_file() and path.suffix in _SUFFIXES]
        inside = [path for path in found if is_under(path, folder) and "__pycache__" not in path.parts]
        if not inside:
            raise SpecInvalid(field, f"'{text}' matches no .py, .sql or .ipynb file.")
        return sorted(inside)

    def _shown(self, path: Path, pattern: str) -> str:
        """The path of a file that a pattern matched, as people write it."""
        fixed = "/".join(part for part in pattern.split("/") if not set("*?[") & set(part))
        folder = self._folder(fixed, "libraries")
        return f"{fixed}/{path.relative_to(folder)}" if path.is_relative_to(folder) else str(path)

    def _real(self, text: str, field: str) -> Path | None:
        """The real path of one in a volume or the workspace, None if there is nothing; an admin may name any."""
        if ".." in text.split("/"):
            raise SpecInvalid(field, f"'{text}' has '..' as a part; write it without.")
        if text.startswith(("/Volumes/", "dbfs:/Volumes/")):
            return self._catalog.volume_path(text, Privilege.READ_VOLUME)
        if text.startswith(("/Workspace/", "/Users/", "/Shared/", "/Repos/")):
            try:
                return self._workspace.locate(text)
            except ObjectNotFound:
                return None
            except PathInvalid as error:
                raise SpecInvalid(field, error.message) from error
        if self._principal.is_admin and not is_under(Path(text), self._layout.root):
            return Path(os.path.realpath(text))
        raise SpecInvalid(field, f"'{text}' is no path of a pipeline's source. Valid: /Workspace/..., /Volumes/....")


def _named(path: Path, shown: str) -> str:
    """The name of a file for messages, which says of what kind it is."""
    return shown if shown.endswith(path.suffix) else f"{shown}{path.suffix}"


def _content(path: Path, shown: str) -> str:
    if path.stat().st_size > _MOST_BYTES:
        raise SpecInvalid("libraries", f"name '{shown}', which is larger than {_MOST_BYTES} bytes.")
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise SpecInvalid("libraries", f"name '{shown}', which is not UTF-8 text.") from error
