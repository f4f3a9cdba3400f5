"""Which of a project's files are uploaded, and how they get there."""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pathspec import GitIgnoreSpec

from boathouse.bundles.client import Client
from boathouse.bundles.errors import BundleInvalid, CallRefused
from boathouse.bundles.paths import is_notebook_file
from boathouse.bundles.values import NOWHERE

_NEVER = frozenset({".git", ".databricks", "__pycache__"})
_AT_ONCE = 8


@dataclass(frozen=True)
class LocalFile:
    """A file that is to be in the workspace."""

    file: Path
    hash: str


@dataclass(frozen=True)
class FileChanges:
    """What is to be done about files, by their paths in the workspace; ``held`` are the hashes of those that are there."""

    upload: Mapping[str, LocalFile]
    delete: tuple[str, ...]
    unchanged: int
    held: Mapping[str, str]


def local_files(
    root: Path, remote: str, paths: Sequence[Path], include: Sequence[str], exclude: Sequence[str]
) -> dict[str, LocalFile]:
    """The files that are uploaded, by their paths in the workspace.

    Args:
        root: The folder that paths are relative to.
        remote: The workspace's folder for it.
        paths: Folders, or files, in it.
        include: Patterns of files that are uploaded though git ignores them.
        exclude: Patterns of files that are not.

    Raises:
        BundleInvalid: If two files would have one path.
    """
    ignored = _Ignored(root)
    wanted, unwanted = GitIgnoreSpec.from_lines(include), GitIgnoreSpec.from_lines(exclude)
    found: dict[Path, None] = {}
    for path in paths:
        for file in _walk(path, ignored if not include else None):
            relative = file.relative_to(root).as_posix()
            if unwanted.match_file(relative):
                continue
            if wanted.match_file(relative) or not ignored(file):
                found[file] = None
    uploads: dict[str, LocalFile] = {}
    for file in found:
        path = f"{remote}/{file.relative_to(root).as_posix()}"
        path = path.removesuffix(file.suffix) if is_notebook_file(file) else path
        if path in uploads:
            names = f"{uploads[path].file.relative_to(root)} and {file.relative_to(root)}"
            raise BundleInvalid([(NOWHERE, f"{names} would both be {path}: notebooks have no suffix there. Rename one.")])
        uploads[path] = local_file(file)
    return uploads


def local_file(file: Path) -> LocalFile:
    """A file with its hash."""
    with file.open("rb") as opened:
        return LocalFile(file, hashlib.file_digest(opened, "sha256").hexdigest())


def _walk(path: Path, ignored: "_Ignored | None") -> list[Path]:
    if path.is_file():
        return [path]
    found: list[Path] = []
    for folder, folders, names in os.walk(path):
        here = Path(folder)
        folders[:] = sorted(name for name in folders if name not in _NEVER and not (ignored and ignored(here / name)))
        found += [here / name for name in sorted(names) if (here / name).is_file()]
    return found


class _Ignored:
    """Whether git ignores a file: by the .gitignore of its folder and of those above it, up to the repository's."""

    def __init__(self, root: Path) -> None:
        top = next((one for one in (root, *root.parents) if (one / ".git").exists()), root)
        self._top = top
        self._specs: dict[Path, GitIgnoreSpec | None] = {}

    def __call__(self, path: Path) -> bool:
        """Whether it is ignored, itself or by a folder above."""
        inside = path.relative_to(self._top)
        folder = self._top
        for number, name in enumerate(inside.parts):
            place = folder / name
            is_folder = number + 1 < len(inside.parts) or place.is_dir()
            if self._decided(place, is_folder=is_folder):
                return True
            folder = place
        return False

    def _decided(self, place: Path, *, is_folder: bool) -> bool:
        """What the nearest .gitignore that has a say says."""
        folder = place.parent
        while True:
            spec = self._spec(folder)
            if spec is not None:
                text = PurePosixPath(place.relative_to(folder)).as_posix() + ("/" if is_folder else "")
                said = spec.check_file(text).include
                if said is not None:
                    return said
            if folder == self._top:
                return False
            folder = folder.parent

    def _spec(self, folder: Path) -> GitIgnoreSpec | None:
        if folder not in self._specs:
            file = folder / ".gitignore"
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else None
            self._specs[folder] = None if lines is None else GitIgnoreSpec.from_lines(lines)
        return self._specs[folder]


def compared(wanted: Mapping[str, LocalFile], held: Mapping[str, str]) -> FileChanges:
    """What is to be uploaded and deleted, by the hashes of the last deployment."""
    upload = {path: one for path, one in wanted.items() if held.get(path) != one.hash}
    return FileChanges(upload, tuple(sorted(held.keys() - wanted.keys())), len(wanted) - len(upload), held)


def still_there(client: Client, held: Mapping[str, str]) -> dict[str, str]:
    """Those of the uploaded files that are in the workspace still: people delete things."""
    folders = sorted({path.rpartition("/")[0] for path in held})
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = pool.map(lambda folder: client.find("GET", "/api/2.0/workspace/list", {"path": folder}), folders)
        found = {_plain(str(one["path"])) for answer in answers for one in (answer or {}).get("objects") or ()}
    return {path: digest for path, digest in held.items() if _plain(path) in found}


def _plain(path: str) -> str:
    """A path as the API answers it."""
    return path.removeprefix("/Workspace")


def carry_out(client: Client, changes: FileChanges, keep: Callable[[dict[str, str]], None]) -> None:
    """Delete and upload; ``keep`` is told what is there at the end, also if something failed.

    Raises:
        CallRefused: If the server refuses a file.
    """
    now = dict(changes.held)
    try:
        # What is gone makes room first: a notebook and a file of one name cannot take each other's place.
        for path in changes.delete:
            client.delete_file(path)
            now.pop(path)
        folders = {path.rpartition("/")[0] for path in changes.upload}
        for folder in sorted(one for one in folders if not any(other.startswith(f"{one}/") for other in folders)):
            client.make_folder(folder)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            futures = {path: pool.submit(_upload, client, path, one) for path, one in changes.upload.items()}
        failed: CallRefused | None = None
        for path, future in futures.items():
            error = future.exception()
            if error is None:
                now[path] = changes.upload[path].hash
            elif isinstance(error, CallRefused):
                failed = failed or error
            else:
                raise error
        if failed is not None:
            raise failed
    finally:
        keep(now)


def _upload(client: Client, path: str, one: LocalFile) -> None:
    suffix = one.file.suffix if is_notebook_file(one.file) else ""
    client.write_file(f"{path}{suffix}", one.file.read_bytes())
