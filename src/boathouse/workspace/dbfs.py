"""The DBFS root over REST: the folder that ``dbfs:/`` is in user code, for everybody who is signed in, as there.

Code of users writes into it with rights of its own, and the server reads with its: so links are followed nowhere, not even one that comes
while a path is being walked. Each folder is opened by its name in the one above it.
"""

import errno
import json
import os
import secrets
import shutil
import stat
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from boathouse.errors import AlreadyExists, InvalidParameterValue, NotFound
from boathouse.iam.api import Principal
from boathouse.storage.layout import Layout
from boathouse.workspace.errors import BlockTooLarge, DbfsFailed, DbfsNotFound, DbfsPathInvalid

MOST_BLOCK = 1024 * 1024
"""Bytes of what one request brings or takes."""
_ELSEWHERE = {"Volumes": "the Files API, /api/2.0/fs/files", "Workspace": "the Workspace API, /api/2.0/workspace"}
_HANDLE_SECONDS = 3600.0
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


@dataclass(frozen=True)
class FileInfo:
    """A file or folder; the time in ms since the epoch."""

    path: str
    is_dir: bool
    file_size: int
    modification_time: int


class Dbfs:
    """The files of the DBFS root.

    Args:
        layout: The lake's folders.
        principal: Who asks.
    """

    def __init__(self, layout: Layout, principal: Principal) -> None:
        self._root = layout.dbfs
        self._uploads = layout.run / "dbfs"
        self._principal = principal

    def status(self, path: str) -> FileInfo:
        """What is at a path.

        Raises:
            DbfsNotFound: If nothing is.
        """
        parts = _parts(path)
        with self._at(parts, path) as (above, name):
            return _info(parts, os.stat(name, dir_fd=above, follow_symlinks=False))

    def list(self, path: str) -> list[FileInfo]:
        """What is in a folder; a file by itself. Links are none of it."""
        found = self.status(path)
        if not found.is_dir:
            return [found]
        parts = _parts(path)
        with self._opened(parts, path) as folder, os.scandir(folder) as entries:
            kept = sorted((one for one in entries if not one.is_symlink()), key=lambda one: one.name)
            return [_info((*parts, one.name), one.stat(follow_symlinks=False)) for one in kept]

    def read(self, path: str, offset: int, length: int) -> bytes:
        """Some bytes of a file."""
        with self._at(_parts(path), path) as (above, name):
            file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=above)
            try:
                if not stat.S_ISREG(os.fstat(file).st_mode):
                    raise DbfsPathInvalid("path", path, "it is no file.")
                return os.pread(file, length, offset)
            finally:
                os.close(file)

    def put(self, path: str, content: bytes, *, overwrite: bool) -> None:
        """Write a file.

        Raises:
            BlockTooLarge: If it is more than one request may bring.
            AlreadyExists: If it is there and is not to be overwritten.
        """
        handle = self.create(path, overwrite=overwrite)
        try:
            self.add_block(handle, content)
        except BlockTooLarge:
            self._forget(handle)
            raise
        self.close(handle)

    def make_folder(self, path: str) -> None:
        """Make a folder and those above it; one that is there stays."""
        self._make(_parts(path), path)

    def move(self, source: str, destination: str) -> None:
        """Give a file or folder another path.

        Raises:
            AlreadyExists: If something is there.
        """
        old, new = _parts(source, "source_path"), _parts(destination, "destination_path")
        if not old or not new or new[: len(old)] == old:
            raise DbfsPathInvalid("destination_path", destination, f"it lies in what is to be moved, {source}.")
        with self._at(old, source) as (above, name), self._at(new, destination) as (beside, to):
            os.stat(name, dir_fd=above, follow_symlinks=False)
            _must_be_free(beside, to, destination)
            os.rename(name, to, src_dir_fd=above, dst_dir_fd=beside)

    def delete(self, path: str, *, recursive: bool) -> None:
        """Delete a file, or a folder with all that it holds; what is not there need not be deleted.

        Raises:
            DbfsFailed: If a folder is not empty and ``recursive`` is not given.
        """
        parts = _parts(path)
        if not parts:
            raise DbfsPathInvalid("path", path, "it is the root.")
        with suppress(DbfsNotFound), self._at(parts, path) as (above, name):
            if not stat.S_ISDIR(os.stat(name, dir_fd=above, follow_symlinks=False).st_mode):
                os.unlink(name, dir_fd=above)
            elif recursive:
                shutil.rmtree(name, dir_fd=above)
            else:
                os.rmdir(name, dir_fd=above)

    # ------------------------------------------------------------------------------------------------------ uploads

    def create(self, path: str, *, overwrite: bool) -> int:
        """Begin to write a file in blocks; it appears when it is closed. The handle to name it by.

        Raises:
            AlreadyExists: If it is there and is not to be overwritten.
        """
        parts = _parts(path)
        if not parts:
            raise DbfsPathInvalid("path", path, "it is the root.")
        self._check_target(parts, path, overwrite=overwrite)
        self._sweep()
        handle = secrets.randbits(62)
        self._uploads.mkdir(mode=0o700, parents=True, exist_ok=True)
        told = {"principal": self._principal.id, "path": path, "overwrite": overwrite}
        self._place(handle).touch(0o600)
        self._place(handle).with_suffix(".json").write_text(json.dumps(told))
        return handle

    def add_block(self, handle: int, content: bytes) -> None:
        """Add bytes to a file that is being written.

        Raises:
            BlockTooLarge: If they are more than one request may bring.
            NotFound: If the asker has no such handle.
        """
        if len(content) > MOST_BLOCK:
            raise BlockTooLarge(len(content), MOST_BLOCK)
        self._upload(handle)
        with self._place(handle).open("ab") as file:
            file.write(content)

    def close(self, handle: int) -> None:
        """Put a file that was written in blocks into its place."""
        path, overwrite = self._upload(handle)
        parts = _parts(path)
        try:
            self._check_target(parts, path, overwrite=overwrite)
            self._make(parts[:-1], path)
            with self._at(parts, path) as (above, name):
                os.rename(self._place(handle), name, dst_dir_fd=above)
        finally:
            self._forget(handle)

    def _check_target(self, parts: tuple[str, ...], path: str, *, overwrite: bool) -> None:
        with suppress(DbfsNotFound):
            found = self.status(path)
            if found.is_dir or not overwrite:
                what = "folder" if found.is_dir else "file"
                raise AlreadyExists(f"A {what} is at {_text(parts)} already.", path=_text(parts))

    def _upload(self, handle: int) -> tuple[str, bool]:
        try:
            told = json.loads(self._place(handle).with_suffix(".json").read_text())
        except FileNotFoundError:
            told = {}
        if told.get("principal") != self._principal.id:
            raise NotFound(f"You have no open handle {handle}: it was closed, or has expired.", handle=str(handle))
        return str(told["path"]), bool(told["overwrite"])

    def _place(self, handle: int) -> Path:
        return self._uploads / f"{handle:d}"

    def _forget(self, handle: int) -> None:
        for one in (self._place(handle), self._place(handle).with_suffix(".json")):
            one.unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Forget what nobody has gone on with."""
        with suppress(FileNotFoundError):
            for one in self._uploads.iterdir():
                if one.suffix == "" and one.stat().st_mtime < time.time() - _HANDLE_SECONDS:
                    self._forget(int(one.name))

    # -------------------------------------------------------------------------------------------------------- paths

    @contextmanager
    def _opened(self, parts: tuple[str, ...], path: str) -> Generator[int]:
        """A folder, opened name by name."""
        folder = os.open(self._root, _FOLDER)
        try:
            with _told(path):
                for part in parts:
                    below = os.open(part, _FOLDER, dir_fd=folder)
                    os.close(folder)
                    folder = below
                yield folder
        finally:
            os.close(folder)

    @contextmanager
    def _at(self, parts: tuple[str, ...], path: str) -> Generator[tuple[int, str]]:
        """The folder that something is in, opened, and its name in that."""
        with self._opened(parts[:-1], path) as above:
            yield above, parts[-1] if parts else "."

    def _make(self, parts: tuple[str, ...], path: str) -> None:
        for count in range(1, len(parts) + 1):
            with self._at(parts[:count], path) as (above, name):
                try:
                    os.mkdir(name, 0o700, dir_fd=above)
                except FileExistsError as error:
                    if not stat.S_ISDIR(os.stat(name, dir_fd=above, follow_symlinks=False).st_mode):
                        there = _text(parts[:count])
                        raise AlreadyExists(f"A file is at {there} already.", path=there) from error


def _parts(path: str, field: str = "path") -> tuple[str, ...]:
    """The names of a path, with or without ``dbfs:`` before it.

    Raises:
        DbfsPathInvalid: If nothing can be there.
    """
    text = path.removeprefix("dbfs:")
    if not text.startswith("/"):
        raise DbfsPathInvalid(field, path, "it has to begin with / or dbfs:/.")
    parts = tuple(part for part in text.split("/") if part)
    if any(part in {".", ".."} or "\0" in part for part in parts):
        raise DbfsPathInvalid(field, path, "it has . or .. in it, or what no name has.")
    if parts and parts[0] in _ELSEWHERE:
        raise DbfsPathInvalid(field, path, f"files of /{parts[0]} are reached by {_ELSEWHERE[parts[0]]}.")
    return parts


def _text(parts: tuple[str, ...]) -> str:
    return "/" + "/".join(parts)


def _info(parts: tuple[str, ...], found: os.stat_result) -> FileInfo:
    if stat.S_ISLNK(found.st_mode):
        raise DbfsNotFound(_text(parts))
    is_dir = stat.S_ISDIR(found.st_mode)
    return FileInfo(_text(parts), is_dir, 0 if is_dir else found.st_size, int(found.st_mtime * 1000))


def _must_be_free(above: int, name: str, path: str) -> None:
    with suppress(FileNotFoundError):
        os.stat(name, dir_fd=above, follow_symlinks=False)
        raise AlreadyExists(f"Something is at {path} already.", path=path)


@contextmanager
def _told(path: str) -> Generator[None]:
    """What goes wrong with files, as the API tells it."""
    try:
        yield
    except FileNotFoundError as error:
        raise DbfsNotFound(path) from error
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR}:
            # A link, or a file where a folder would have to be.
            raise DbfsNotFound(path) from error
        if error.errno in {errno.ENAMETOOLONG, errno.EINVAL, errno.EISDIR}:
            raise InvalidParameterValue(f"path '{path}' is not valid: {os.strerror(error.errno)}.", field="path") from error
        raise DbfsFailed(path, os.strerror(error.errno or 0)) from error
