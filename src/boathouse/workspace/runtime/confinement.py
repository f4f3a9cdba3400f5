"""What a process that runs user code takes from itself before it does, so that it has the rights of its principal alone.

It may read Python, its packages and the programs of this machine, start those, and reach the network. Of the lake it has the files that
its principal may read or change, as the server tells it.
"""

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from boathouse.engine.sandbox import confine, landlock
from boathouse.workspace.runtime.packages import find_uv

_SYSTEM = ("/bin", "/sbin", "/usr", "/lib", "/lib64", "/opt", "/sys/devices/system", "/sys/fs/cgroup")
_SETTINGS = (
    *(
        "/etc/hosts",
        "/etc/resolv.conf",
        "/etc/nsswitch.conf",
        "/etc/host.conf",
        "/etc/services",
        "/etc/protocols",
        "/etc/gai.conf",
    ),
    *("/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/passwd", "/etc/group", "/etc/localtime", "/etc/timezone"),
    *("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/fonts", "/etc/mime.types"),
    *("/etc/os-release", "/etc/gitconfig", "/etc/profile", "/etc/bash.bashrc", "/etc/inputrc", "/etc/pip.conf", "/etc/R"),
)
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")
_ACCELERATORS = ("nvidia*", "dri/*", "kfd", "accel/*")
_PROCESS = ("/proc",)
# For semaphores and shared arrays: without it multiprocessing has none.
_SHARED = ("/dev/shm",)  # noqa: S108


def restrict(folder: str, rights: Mapping[str, Sequence[str]]) -> None:
    """Do it, before any thread is started: each has the rights of the one that started it.

    Args:
        folder: For files of the run.
        rights: The paths that it may ``read``, those that it may ``write`` and others read, and its ``own``.
    """
    confine.drop_rights()
    prefixes = {Path(prefix).resolve() for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix)} - {Path("/")}
    uv = find_uv()
    programs = [*(Path(path) for path in _SYSTEM), *prefixes]
    read = [*confine.readable(), *(Path(path) for path in (*_SETTINGS, *_PROCESS, *rights["read"]))]
    own = [Path(path) for path in (folder, *_SHARED, *rights["own"])]
    landlock.restrict(
        read,
        own,
        [Path(device) for device in _DEVICES],
        None,
        [*programs, Path(folder), *([] if uv is None else [Path(uv).resolve()])],
        [Path(path) for path in rights["write"]],
        [path for pattern in _ACCELERATORS for path in Path("/dev").glob(pattern)],
    )


def use_folder(folder: str) -> str:
    """Make a folder the one for this process's own files; its folder for temporary ones."""
    temporary = str(Path(folder) / "tmp")
    Path(temporary).mkdir(mode=0o700, exist_ok=True)
    os.environ.update(HOME=folder, TMPDIR=temporary, PYTHONDONTWRITEBYTECODE="1")
    tempfile.tempdir = temporary
    sys.dont_write_bytecode = True
    return temporary
