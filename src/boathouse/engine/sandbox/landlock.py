"""Landlock: which files a process may open, told to the Linux kernel without any right of its own."""

import ctypes
import os
import sys
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_PATH_BENEATH, _NET_PORT = 1, 2
_CONNECT_TCP = 1 << 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_WRITE_FILE, _TRUNCATE, _CONTROL = 1 << 1, 1 << 14, 1 << 15
_OF_FILES = 1 << 0 | _READ_FILE | _WRITE_FILE | _TRUNCATE | _CONTROL
_READ = _READ_FILE | _READ_DIR
_EXECUTE = 1 << 0
# Remove, make folders, files and pipes, move between folders; not execute, devices.
_CHANGE = _READ | _WRITE_FILE | _TRUNCATE | (1 << 4) | (1 << 5) | (1 << 7) | (1 << 8) | (1 << 10) | (1 << 13)
_SYMBOLIC_LINKS = 1 << 12
_SOCKETS = 1 << 9
LEAST_ABI = 3
"""The first in which truncating is a right: Linux 6.2."""
_ABI_WITH_TCP, _ABI_WITH_DEVICES, _ABI_WITH_SCOPES = 4, 5, 6


class _RulesetAttributes(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


class _NetPort(ctypes.Structure):
    _fields_ = (("allowed", ctypes.c_uint64), ("port", ctypes.c_uint64))


def abi() -> int:
    """The version of Landlock that the kernel offers; 0 without it."""
    if sys.platform != "linux":
        return 0
    return max(0, _syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION_FLAG)))


def restrict(
    read: Iterable[Path],
    write: Iterable[Path],
    devices: Iterable[Path] = (),
    ports: Iterable[int] | None = (),
    execute: Iterable[Path] = (),
    shared: Iterable[Path] = (),
    accelerators: Iterable[Path] = (),
) -> None:
    """Take from this process, for ever, all files but those beneath some paths, and what else Landlock can take.

    Args:
        read: Files and folders that can be read; those that are missing are left out.
        write: Folders of the process's own, that can be changed; it and those below it may speak by sockets in them.
        devices: Files that can be read and written.
        ports: To which TCP connections can be made; none to others, where the kernel can see to it. None leaves the network as it is.
        execute: Programs, and folders of programs, that can be read and started.
        accelerators: Devices that can be read, written and controlled.
        shared: Folders that can be changed, but for symbolic links: processes with other rights read them, and would follow one.

    Raises:
        OSError: If the kernel refuses.
    """
    version = abi()
    attributes = _RulesetAttributes(_CONTROL - 1)
    size = 8
    if version >= _ABI_WITH_DEVICES:
        attributes.fs |= _CONTROL
    if version >= _ABI_WITH_TCP:
        attributes.net = 0 if ports is None else 0b11
        size = 16
    if version >= _ABI_WITH_SCOPES:
        attributes.scoped = 0b11
        size = 24
    ruleset = _checked(_syscall(_CREATE_RULESET, ctypes.byref(attributes), ctypes.c_size_t(size), ctypes.c_uint32(0)))
    try:
        given = (
            (read, _READ),
            (write, _CHANGE | _SYMBOLIC_LINKS | _SOCKETS),
            (shared, _CHANGE),
            (devices, _READ_FILE | _WRITE_FILE),
            (accelerators, _READ_FILE | _WRITE_FILE | (_CONTROL if version >= _ABI_WITH_DEVICES else 0)),
            (execute, _READ | _EXECUTE),
        )
        for paths, rights in given:
            for path in paths:
                _allow(ruleset, path, rights)
        for port in ports or () if version >= _ABI_WITH_TCP else ():
            rule = _NetPort(_CONNECT_TCP, port)
            _checked(
                _syscall(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_NET_PORT), ctypes.byref(rule), ctypes.c_uint32(0))
            )
        _checked(_syscall(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0)))
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        handle = os.open(path, getattr(os, "O_PATH", 0) | os.O_CLOEXEC)
    except OSError:
        return
    try:
        rule = _PathBeneath(rights if path.is_dir() else rights & _OF_FILES, handle)
        _checked(
            _syscall(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_PATH_BENEATH), ctypes.byref(rule), ctypes.c_uint32(0))
        )
    finally:
        os.close(handle)


def _syscall(number: int, *arguments: object) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    return int(library.syscall(ctypes.c_long(number), *arguments))


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock: {os.strerror(code)}")
    return result
