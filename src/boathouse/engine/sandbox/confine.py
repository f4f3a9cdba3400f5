"""Everything that is taken from a process before a user function runs in it."""

import ctypes
import os
import resource
import signal
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from pathlib import Path

from boathouse.engine.sandbox import landlock, seccomp
from boathouse.errors import InvalidState

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS, _PR_CAPBSET_DROP, _PR_CAP_AMBIENT = 1, 4, 38, 24, 47
_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION = 0x20080522
_LAST_CAPABILITY = 63
_MOST_FILES = 512
_KEPT = ("PATH", "LANG", "LC_ALL", "TZ")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
_SYSTEM = (
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/share/zoneinfo",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/timezone",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/filesystems",
    "/sys/devices/system/cpu",
)


def missing() -> str | None:
    """Why this machine cannot confine a process, or None if it can."""
    if sys.platform != "linux":
        return f"{sys.platform} has no Landlock; only Linux has"
    if not seccomp.supported():
        return "there is no system call filter for this kind of processor"
    if landlock.abi() < landlock.LEAST_ABI:
        return "the kernel has no Landlock of Linux 6.2 or later, or it is switched off"
    return None


def readable() -> list[Path]:
    """What a user function may read: Python, the installed packages, the system's libraries and time zones.

    A process that calls it is started with ``-P``: ``python -m`` alone adds the folder that it is started in to where Python reads.
    """
    paths = sysconfig.get_paths()
    of_python = [paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")]
    of_python += [entry for entry in (*sys.path, sysconfig.get_config_var("LIBDIR")) if entry]
    folders = {Path(entry).resolve() for entry in of_python} - {Path("/")}
    return sorted({Path(entry) for entry in _SYSTEM} | folders)


def too_open(root: Path) -> Path | None:
    """A folder that user functions may read and that holds the lake or lies in it, if there is one."""
    real = root.resolve()
    return next((path for path in readable() if real == path or real.is_relative_to(path)), None)


def needed(python: str, root: Path, *, is_admin: bool, what: str) -> bool:
    """Whether a process that runs somebody's code has to confine itself.

    Args:
        python: What becomes of users' Python: ``sandboxed``, ``trusted`` or ``off``.
        root: The lake's folder.
        is_admin: Whether it runs as an admin, who needs no sandbox where there is none.
        what: Is to be run, for the message.

    Raises:
        InvalidState: If it would have to and cannot.
    """
    if python == "trusted":
        return False
    why = missing()
    open_to = too_open(root) if why is None else None
    if open_to is not None:
        why = f"the lake lies in {open_to}, which Python has to read"
    if why is None:
        return True
    if is_admin:
        return False
    message = f"{what} needs a sandbox, and this server has none: {why}. BOATHOUSE_PYTHON_UDFS=trusted allows it without."
    raise InvalidState(message)


def die_with(parent: int) -> None:
    """Let the kernel kill this process when its parent ends.

    Args:
        parent: The parent's process id; if it has ended already, this process ends now.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


def drop_rights() -> None:
    """Give up every capability, and the means to get one."""
    library = ctypes.CDLL(None, use_errno=True)
    library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    library.prctl(_PR_CAP_AMBIENT, _CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    for capability in range(_LAST_CAPABILITY + 1):
        library.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    library.capset(header, (ctypes.c_uint32 * 6)())
    library.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def mapped() -> int:
    """Bytes of address space that this process has."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * resource.getpagesize()


def limit(memory: int, base: int) -> None:
    """Bound what this process may still take.

    Args:
        memory: Bytes of address space that it may add; also the most of a file.
        base: Bytes that it has.
    """
    space = base + memory
    for what, most in (
        (resource.RLIMIT_AS, space),
        (resource.RLIMIT_FSIZE, memory),
        (resource.RLIMIT_NOFILE, _MOST_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (bound, bound))


def environment(folder: Path) -> Mapping[str, str]:
    """All that a user function finds in its environment."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | {"HOME": str(folder), "TMPDIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}


def move_to(folder: Path) -> None:
    """Make a folder the one for everything that this process writes, and forget the environment."""
    left = environment(folder)
    os.environ.clear()
    os.environ.update(left)
    os.chdir(folder)
    tempfile.tempdir = str(folder)


def keep_only(handle: int, standard: int = 0) -> None:
    """Close every file but one, and point the standard ones at nothing.

    Args:
        handle: The file that stays open.
        standard: How many of the standard files, from standard error downwards, stay as they are.
    """
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in range(3 - standard):
        os.dup2(nothing, number)
    os.closerange(3, handle)
    os.closerange(handle + 1, 1 << 16)


def shut(folder: Path) -> None:
    """Take all files from this process but what it may read, and one folder that it may change."""
    landlock.restrict(readable(), [folder], [Path(device) for device in _DEVICES])
