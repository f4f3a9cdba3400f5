"""Modules that a client has sent (``addArtifacts(..., pyfile=True)``), for its functions in Python, where the engine does not keep such files.

The gateway has the modules go with each function; what is here runs beside the function and lets Python find them before it is opened.
"""

import io
import pickle
import sys
import zipfile
from collections.abc import Mapping, Sequence
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import decode_source, spec_from_loader
from pathlib import PurePosixPath
from types import ModuleType
from typing import Any

ENDINGS = (".py", ".zip", ".egg", ".jar")
"""What the names of files with modules end with: one module, or an archive of modules and packages."""


class WithModules:
    """A pickled function, to be pickled once more with the modules that it may import.

    Args:
        command: The function, pickled; it is not opened here.
        files: By their names, the files with the modules.
    """

    def __init__(self, command: bytes, files: Mapping[str, bytes]) -> None:
        self._given = (command, dict(files))

    def __reduce__(self) -> tuple[Any, ...]:
        """Opened, it is the function."""
        return load, self._given

    def pickled(self) -> bytes:
        """The function, as an engine gets it."""
        return pickle.dumps(self)


def load(command: bytes, files: Mapping[str, bytes]) -> Any:
    """Open a function where it runs, once its modules can be imported."""
    _install(files)
    return pickle.loads(command)  # noqa: S301 - it is the user's own


def sources(files: Mapping[str, bytes]) -> dict[str, tuple[bytes, str, bool]]:
    """By the full name of each module: its text, the file that it is from, and whether it is a package.

    Raises:
        zipfile.BadZipFile: If an archive is none.
    """
    found: dict[str, tuple[bytes, str, bool]] = {}
    for name, content in files.items():
        if name.endswith(".py"):
            _add(found, PurePosixPath(name), content, name)
            continue
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.namelist():
                if member.endswith(".py"):
                    _add(found, PurePosixPath(member), archive.read(member), f"{name}/{member}")
    return found


def _add(found: dict[str, tuple[bytes, str, bool]], path: PurePosixPath, text: bytes, origin: str) -> None:
    is_package = path.name == "__init__.py"
    parts = path.parent.parts if is_package else (*path.parent.parts, path.stem)
    if not parts:
        return
    found[".".join(parts)] = (text, origin, is_package)
    # Folders are packages without a file of their own, too.
    for length in range(1, len(parts)):
        found.setdefault(".".join(parts[:length]), (b"", "", True))


class _Modules(MetaPathFinder, InspectLoader):
    """Finds and loads modules whose texts are in memory."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        self._sources = sources(files)

    def find_spec(self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname not in self._sources:
            return None
        _, origin, is_package = self._sources[fullname]
        return spec_from_loader(fullname, self, origin=origin or None, is_package=is_package)

    def get_source(self, fullname: str) -> str:
        return decode_source(self._sources[fullname][0])

    def is_package(self, fullname: str) -> bool:
        return self._sources[fullname][2]

    def forget(self) -> None:
        """Have the modules of others found in the place of these."""
        for name in self._sources:
            module = sys.modules.get(name)
            if module is not None and getattr(module, "__loader__", None) is self:
                del sys.modules[name]


def _install(files: Mapping[str, bytes]) -> None:
    for finder in sys.meta_path:
        if isinstance(finder, _Modules):
            if finder.files == files:
                return
            finder.forget()
            sys.meta_path.remove(finder)
            break
    # What is built into Python comes first, what is installed after them: as files that were sent stand first in Python's path.
    place = sys.meta_path.index(PathFinder) if PathFinder in sys.meta_path else len(sys.meta_path)
    sys.meta_path.insert(place, _Modules(files))
