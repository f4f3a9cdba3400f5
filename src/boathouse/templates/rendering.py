"""From a template's folder and the answers to files, first planned and then written."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from boathouse.templates.errors import FilesInTheWay, TemplateInvalid
from boathouse.templates.helpers import Workspace, helpers
from boathouse.templates.language import Function, Templates, Value

_SUFFIX = ".tmpl"


@dataclass(frozen=True)
class File:
    """A file to be written.

    Attributes:
        path: In the output folder, with ``/``.
    """

    path: str
    content: bytes
    is_executable: bool = False


class Renderer:
    """Renders one template.

    Args:
        folder: The template's, with ``template/`` and perhaps ``library/`` in it.
        workspace: Asked by the template's functions.
    """

    def __init__(self, folder: Path, workspace: Workspace) -> None:
        self._folder = folder
        self._files = folder / "template"
        if not self._files.is_dir():
            raise TemplateInvalid(str(folder), "it has no folder 'template'.")
        self._skipped: list[str] = []
        self._templates = Templates({**helpers(workspace), "skip": _skip_into(self._skipped, "")})
        for path in sorted((folder / "library").glob(f"*{_SUFFIX}")):
            self._templates.define(self._name(path), self._text(path))

    def say(self, name: str, text: str, values: Mapping[str, Value]) -> str:
        """A text with template actions, as a default or a message."""
        return self._templates.render(name, text, dict(values))

    def files(self, values: Mapping[str, Value]) -> list[File]:
        """All files that the template makes of the answers.

        Raises:
            TemplateError: If something cannot be rendered.
            TemplateInvalid: If a name leads out of the output folder, or two files have one name.
        """
        self._skipped.clear()
        found: dict[str, File] = {}
        for path, rendered in self._walk(self._files, "", values):
            is_template = rendered.endswith(_SUFFIX)
            name = rendered.removesuffix(_SUFFIX)
            if not name or name.endswith("/"):
                raise TemplateInvalid(str(self._folder), f"{self._name(path)} has no name once it is rendered.")
            if self._is_skipped(name):
                continue
            if name in found:
                raise TemplateInvalid(str(self._folder), f"two of its files become {name}.")
            content = path.read_bytes()
            if is_template:
                skip = _skip_into(self._skipped, str(PurePosixPath(name).parent))
                content = self._templates.render(self._name(path), self._text(path), dict(values), {"skip": skip}).encode()
            found[name] = File(name, content, bool(path.stat().st_mode & stat.S_IXUSR))
        # A file may skip others that were rendered before it.
        return [file for name, file in sorted(found.items()) if not self._is_skipped(name)]

    def _walk(self, folder: Path, rendered: str, values: Mapping[str, Value]) -> Iterator[tuple[Path, str]]:
        """Files with their rendered paths; those of a folder before its folders, for they may skip these."""
        entries = sorted(os.scandir(folder), key=lambda entry: (entry.is_dir(follow_symlinks=False), entry.name))
        for entry in entries:
            path = Path(entry.path)
            if entry.is_symlink():
                raise TemplateInvalid(str(self._folder), f"{self._name(path)} is a link; links are not followed.")
            name = self._templates.render(f"the name of {self._name(path)}", entry.name, dict(values))
            where = self._placed(path, f"{rendered}/{name}" if rendered else name, name)
            if not entry.is_dir(follow_symlinks=False):
                yield path, where
            elif not self._is_skipped(where):
                yield from self._walk(path, where, values)

    def _placed(self, path: Path, rendered: str, name: str) -> str:
        """The path in normal form, if it lies in the output folder."""
        parts = PurePosixPath(rendered).parts
        if not name.strip() or ".." in parts or rendered.startswith("/") or "\\" in name or "\0" in name:
            raise TemplateInvalid(
                str(self._folder), f"the name of {self._name(path)} becomes {name!r}, which is no name of a file here."
            )
        return "" if not parts else str(PurePosixPath(*parts))

    def _is_skipped(self, path: str) -> bool:
        """Whether a pattern fits the path or a folder above it."""
        parts = path.split("/")
        return any(_fits(pattern.split("/"), parts) for pattern in self._skipped)

    def _name(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix()

    def _text(self, path: Path) -> str:
        try:
            return path.read_bytes().decode()
        except UnicodeDecodeError:
            raise TemplateInvalid(str(self._folder), f"{self._name(path)} is no UTF-8 text.") from None


def _skip_into(skipped: list[str], folder: str) -> Function:
    """``skip`` for the files of a folder: its patterns begin there."""

    def skip(pattern: str) -> str:
        skipped.append(str(PurePosixPath(folder, pattern)))
        return ""

    return Function(skip, (str,))


def _fits(pattern: list[str], parts: list[str]) -> bool:
    if len(pattern) > len(parts):
        return False
    return all(fnmatchcase(part, wanted.replace("[^", "[!")) for wanted, part in zip(pattern, parts, strict=False))


def write(files: list[File], folder: Path) -> None:
    """Write all of the files, or none.

    Raises:
        FilesInTheWay: If one is there already.
    """
    if blocking := _blocking(files, folder):
        raise FilesInTheWay(str(folder), blocking)
    folder.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".boathouse-init-", dir=folder))
    made: list[Path] = []
    try:
        for file in files:
            path = aside / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.content)
            path.chmod(0o755 if file.is_executable else 0o644)
        for file in files:
            _make_folders((folder / file.path).parent, made)
            (aside / file.path).rename(folder / file.path)
            made.append(folder / file.path)
    except BaseException:
        for path in reversed(made):
            path.rmdir() if path.is_dir() else path.unlink()
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _blocking(files: list[File], folder: Path) -> list[str]:
    """The paths that cannot be written without harm to what is there."""
    found: list[str] = []
    for file in files:
        path = folder / file.path
        if os.path.lexists(path):
            found.append(file.path)
            continue
        for parent in path.parents:
            if parent == folder:
                break
            if os.path.lexists(parent) and not parent.is_dir():
                found.append(parent.relative_to(folder).as_posix())
    return found


def _make_folders(path: Path, made: list[Path]) -> None:
    if not path.is_dir():
        _make_folders(path.parent, made)
        path.mkdir()
        made.append(path)
