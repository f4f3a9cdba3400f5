"""``dbutils.fs``: files of DBFS, volumes, the workspace and this machine."""

import errno
import os
import shutil
from typing import Any, NamedTuple

from boathouse.workspace.runtime.dbutils.unserved import unserved
from boathouse.workspace.runtime.places import Place, Places


class FileInfo(NamedTuple):
    """A file or folder; the name of a folder ends with a slash."""

    path: str
    name: str
    size: int
    modificationTime: int

    def isDir(self) -> bool:
        """Whether it is a folder."""
        return self.name.endswith("/")

    def isFile(self) -> bool:
        """Whether it is a file."""
        return not self.isDir()


class Files:
    """Works with files.

    Args:
        places: Where they are.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        no_mounts = "there are no mounts: make an external location and a volume in it."
        self.__dict__.update(unserved("fs", no_mounts, "mount", "updateMount", "unmount", "refreshMounts"))
        no_cache = "the engine has no cache that could be filled by hand."
        self.__dict__.update(unserved("fs", no_cache, "cacheFiles", "cacheTable", "uncacheFiles", "uncacheTable"))

    def mounts(self) -> list[Any]:
        """The mounts: there are none here."""
        return []

    def ls(self, path: str) -> list[FileInfo]:
        """What is in a folder; a file by itself."""
        place = self._places.of(path)
        above = self._places.names_in(place.shown)
        if above is not None:
            base = place.shown.rstrip("/")
            return [FileInfo(f"{base}/{name}/", f"{name}/", 0, 0) for name in above]
        self._must_exist(place)
        if not os.path.isdir(place.real):
            return [_info(place.shown, place.real)]
        base = place.shown.rstrip("/")
        with os.scandir(place.real) as found:
            return [_info(f"{base}/{one.name}", one.path) for one in sorted(found, key=lambda one: one.name)]

    def head(self, file: str, max_bytes: int = 65536, maxBytes: int | None = None) -> str:
        """The beginning of a file."""
        with open(self._existing(file).real, "rb") as opened:
            return opened.read(max_bytes if maxBytes is None else maxBytes).decode("utf-8", "replace")

    def mkdirs(self, dir: str) -> bool:  # noqa: A002 - Databricks' name
        """Make a folder and those above it."""
        os.makedirs(self._places.of(dir).real, exist_ok=True)
        return True

    def put(self, file: str, contents: str, overwrite: bool = False) -> bool:
        """Write a file.

        Raises:
            FileExistsError: If it is there and is not to be overwritten.
        """
        place = self._places.of(file)
        if os.path.exists(place.real) and not overwrite:
            raise FileExistsError(errno.EEXIST, "The file is there already; give overwrite=True to replace it", place.shown)
        self._make_parent(place)
        data = contents.encode()
        with open(place.real, "wb") as opened:
            opened.write(data)
        print(f"Wrote {len(data)} bytes.")  # noqa: T201 - as it does there
        return True

    def cp(self, source: str, dest: str, recurse: bool = False) -> bool:
        """Copy a file, or with ``recurse`` a folder."""
        self._transfer(source, dest, recurse=recurse, move=False)
        return True

    def mv(self, source: str, dest: str, recurse: bool = False) -> bool:
        """Move a file, or with ``recurse`` a folder."""
        self._transfer(source, dest, recurse=recurse, move=True)
        return True

    def _transfer(self, source: str, dest: str, *, recurse: bool, move: bool) -> None:
        origin, target = self._existing(source), self._places.of(dest)
        is_folder = os.path.isdir(origin.real)
        if is_folder and not recurse:
            raise IsADirectoryError(errno.EISDIR, "It is a folder; give recurse=True", origin.shown)
        real = target.real
        if os.path.isdir(real) and not is_folder:
            real = os.path.join(real, os.path.basename(origin.real))
        self._make_parent(Place(real, target.shown))
        if is_folder:
            # Copied and then removed, as both may lie on different disks.
            shutil.copytree(origin.real, real, dirs_exist_ok=True, copy_function=shutil.copyfile)
        else:
            shutil.copyfile(origin.real, real)
        if move:
            _remove(origin.real)

    def rm(self, dir: str, recurse: bool = False) -> bool:  # noqa: A002 - Databricks' name
        """Delete a file, or with ``recurse`` a folder; whether it was there."""
        place = self._places.of(dir)
        if not os.path.lexists(place.real):
            return False
        if os.path.isdir(place.real) and not recurse and os.listdir(place.real):
            raise OSError(errno.ENOTEMPTY, "The folder is not empty; give recurse=True", place.shown)
        _remove(place.real)
        return True

    def _existing(self, path: str) -> Place:
        place = self._places.of(path)
        self._must_exist(place)
        return place

    def _must_exist(self, place: Place) -> None:
        if not os.path.exists(place.real):
            raise FileNotFoundError(errno.ENOENT, "There is no such file or folder", place.shown)

    def _make_parent(self, place: Place) -> None:
        os.makedirs(os.path.dirname(place.real), exist_ok=True)


def _remove(real: str) -> None:
    if os.path.isdir(real) and not os.path.islink(real):
        shutil.rmtree(real)
    else:
        os.remove(real)


def _info(shown: str, real: str) -> FileInfo:
    stat: Any = os.stat(real)
    name = os.path.basename(shown.rstrip("/"))
    if os.path.isdir(real):
        return FileInfo(f"{shown.rstrip('/')}/", f"{name}/", 0, int(stat.st_mtime * 1000))
    return FileInfo(shown, name, stat.st_size, int(stat.st_mtime * 1000))
