"""Python's own functions for files, so that they find /Workspace, /Volumes and /dbfs where these really are.

Only the processes that run user code have this. There is no mount, as that would need rights that a server on a laptop has not: what
opens files in compiled code by itself (DuckDB, Polars, sqlite3, pyarrow's CSV reader, the programs of a shell) is not covered; the
commands of ``%sh`` and ``!`` have the paths in their text translated.
"""

import builtins
import functools
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.machinery import FileFinder
from typing import Any

from boathouse.workspace.runtime.after_import import after_import
from boathouse.workspace.runtime.places import Places

_ONE = (
    *("stat", "lstat", "open", "listdir", "scandir", "mkdir", "rmdir", "remove", "unlink", "chdir", "access", "chmod"),
    *("utime", "truncate", "readlink", "statvfs", "mkfifo", "getxattr", "listxattr", "setxattr", "removexattr", "chown"),
)
_TWO = ("rename", "replace", "link", "symlink")
_IN_TEXT = re.compile(r"(?<![\w./:-])(?:dbfs:)?/(?:Workspace|Volumes|dbfs)(?=/|\s|$|[\"';&|)])[^\s\"';&|()<>*?]*")
_KEYWORDS = {"path", "file", "src", "dst"}


def translate(places: Places, path: Any) -> Any:
    """A path, translated if it is a text; descriptors and bytes stay."""
    if isinstance(path, int | bytes) or path is None:
        return path
    text = os.fspath(path)
    if not isinstance(text, str) or not text.startswith("/"):
        return path
    real = places.real(text)
    return path if real == text else real


def in_command(places: Places, command: str) -> str:
    """A command of a shell, with the paths in its text translated."""

    def found(match: re.Match[str]) -> str:
        try:
            return places.real(match[0])
        except OSError:
            return match[0]

    return _IN_TEXT.sub(found, command)


def install(places: Places) -> None:
    """Put the functions in the place of Python's."""
    for name in _ONE:
        _wrap(places, os, name, 1)
    for name in _TWO:
        _wrap(places, os, name, 2)
    for module in (builtins, io):
        _wrap(places, module, "open", 1)
    _wrap_working_folder(places)
    _wrap_popen(places)
    _wrap_imports(places)
    # It takes the function by name, and may have done so already.
    after_import("IPython.core.interactiveshell", lambda module: setattr(module, "io_open", io.open))
    after_import("pyarrow.fs", lambda module: _wrap_arrow(places, module))


def _wrap(places: Places, module: Any, name: str, count: int) -> None:
    original = getattr(module, name, None)
    if original is None or getattr(original, "__module__", None) not in {"posix", "nt", "_io", "io"}:
        return

    @functools.wraps(original)
    def call(*arguments: Any, **named: Any) -> Any:
        given = [translate(places, one) if index < count else one for index, one in enumerate(arguments)]
        for key in _KEYWORDS & named.keys():
            named[key] = translate(places, named[key])
        return original(*given, **named)

    if original in os.supports_fd:
        os.supports_fd.add(call)
    for group in (os.supports_dir_fd, os.supports_follow_symlinks):
        if original in group:
            group.add(call)
    setattr(module, name, call)


def _wrap_working_folder(places: Places) -> None:
    original = os.getcwd

    def getcwd() -> str:
        """The working folder, as user code names it."""
        return places.shown(original())

    os.getcwd = getcwd


def _wrap_popen(places: Places) -> None:
    original: Callable[..., None] = subprocess.Popen.__init__

    @functools.wraps(original)
    def init(self: Any, args: Any, *rest: Any, **named: Any) -> None:
        if isinstance(args, str):
            args = in_command(places, args)
        elif isinstance(args, list | tuple):
            args = [translate(places, one) if isinstance(one, str | os.PathLike) else one for one in args]
        if named.get("cwd") is not None:
            named["cwd"] = translate(places, named["cwd"])
        original(self, args, *rest, **named)

    subprocess.Popen.__init__ = init


def _wrap_imports(places: Places) -> None:
    """``sys.path`` may name such folders; the finder of files asks the system itself."""
    finder = next(hook for hook in sys.path_hooks if getattr(hook, "__name__", "") == "path_hook_for_FileFinder")

    def hook(path: str) -> FileFinder:
        real = places.real(path)
        if real == path:
            raise ImportError(path)
        return finder(real)  # type: ignore[return-value]

    sys.path_hooks.insert(0, hook)


def _wrap_arrow(places: Places, module: Any) -> None:
    """All of pyarrow's readers and writers of Parquet and datasets ask this function where a path leads."""
    original = module._resolve_filesystem_and_path  # noqa: SLF001 - there is no other place where they meet

    @functools.wraps(original)
    def resolve(path: Any, filesystem: Any = None, **named: Any) -> Any:
        return original(translate(places, path) if filesystem is None and _is_path(path) else path, filesystem, **named)

    module._resolve_filesystem_and_path = resolve  # noqa: SLF001


def _is_path(value: Any) -> bool:
    return isinstance(value, str | os.PathLike)
