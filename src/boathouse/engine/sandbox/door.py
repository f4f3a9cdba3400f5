"""Who may connect to an engine: its server alone.

An engine listens on a port of this machine and asks nobody for a token. Whoever could connect to it would have the rights of its principal: code of
other principals, and other users of the machine. So the kernel hands every connection that this process would accept to a thread, which accepts it in
its place, and lets go of it again unless the other end is an open file of the server's process.
"""

import ctypes
import os
import platform
import socket
import struct
import threading
from pathlib import Path

from boathouse.engine.sandbox import seccomp

_SECCOMP, _SET_MODE_FILTER, _NEW_LISTENER = {"x86_64": 317, "aarch64": 277}, 1, 1 << 3
_ACCEPTS = {"x86_64": (43, 288), "aarch64": (202, 242)}
_NOTIFY = 0x7FC00000
_RECEIVE, _ANSWER, _GO_ON = 0xC0502100, 0xC0182101, 1
_NOTICE, _RESPONSE = struct.Struct("=QIIiIQ6Q"), struct.Struct("=QqiI")
_TABLES = ("/proc/self/net/tcp", "/proc/self/net/tcp6")


def guard(server: int) -> None:
    """Let only one process connect to what threads that this one starts from now on listen at.

    Args:
        server: Its process id.

    Raises:
        OSError: If the kernel refuses, as it does where somebody above this process has such a filter already.
    """
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    ready, notices = threading.Event(), list[int]()

    def keep() -> None:
        # This thread is older than the filter, so that its own calls are not caught.
        ready.wait()
        while notices:
            _next(library, notices[0], server)

    threading.Thread(target=keep, name="door", daemon=True).start()
    try:
        notices.append(_install(library))
    finally:
        ready.set()


def _install(library: ctypes.CDLL) -> int:
    machine = platform.machine()
    notify = seccomp.step(seccomp.RETURN, _NOTIFY)
    caught = [piece for number in _ACCEPTS[machine] for piece in (seccomp.step(seccomp.JUMP_EQ, number, 0, 1), notify)]
    program = seccomp.program([*seccomp.of_machine(machine), *caught, seccomp.step(seccomp.RETURN, seccomp.ALLOW)])
    seccomp.gain_nothing(library)
    listener: int = library.syscall(
        ctypes.c_long(_SECCOMP[machine]), ctypes.c_uint(_SET_MODE_FILTER), ctypes.c_uint(_NEW_LISTENER), ctypes.byref(program)
    )
    if listener < 0:
        seccomp.tell_refusal()
    return listener


def _next(library: ctypes.CDLL, notices: int, server: int) -> None:
    """Answer the next call that waits."""
    notice = ctypes.create_string_buffer(_NOTICE.size)
    if library.ioctl(notices, ctypes.c_ulong(_RECEIVE), notice) < 0:
        # What waited is gone already.
        return
    identifier, thread, _, call, _, _, listening, address, length, flags, _, _ = _NOTICE.unpack(notice.raw)
    if not Path(f"/proc/self/task/{thread}").exists():
        # A child's files are not this process's.
        response = _RESPONSE.pack(identifier, 0, 0, _GO_ON)
    else:
        flags = flags if call == _ACCEPTS[platform.machine()][1] else 0
        found = _accept(library, listening, (address or None, length or None), flags, server)
        response = _RESPONSE.pack(identifier, max(found, 0), min(found, 0), 0)
    library.ioctl(notices, ctypes.c_ulong(_ANSWER), response)


def _accept(library: ctypes.CDLL, listening: int, told: tuple[int | None, int | None], flags: int, server: int) -> int:
    """The number of the next connection that is welcome, or an error's below zero."""
    address, length = (ctypes.c_void_p(one) for one in told)
    while (number := library.accept4(ctypes.c_int(listening), address, length, ctypes.c_int(flags))) >= 0:
        with socket.socket(fileno=os.dup(number)) as connection:
            if connection.family == socket.AF_UNIX or _is_of(connection, server):
                return int(number)
        os.close(number)
    return -ctypes.get_errno()


def _is_of(connection: socket.socket, server: int) -> bool:
    """Whether the other end of a connection of this machine is an open file of a process."""
    try:
        ports = (connection.getpeername()[1], connection.getsockname()[1])
    except OSError:
        # It has gone again.
        return False
    links = {f"socket:[{inode}]" for inode in _inodes(ports)}
    return bool(links) and any(_target(file) in links for file in Path(f"/proc/{server}/fd").iterdir())


def _target(file: Path) -> str:
    try:
        return str(file.readlink())
    except OSError:
        return ""


def _inodes(ports: tuple[int, int]) -> set[str]:
    """The sockets of this machine that are at one port and connected to another."""
    found: set[str] = set()
    for table in _TABLES:
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except FileNotFoundError:
            continue
        for line in lines:
            _, local, remote, *more = line.split()
            if (int(local.rpartition(":")[2], 16), int(remote.rpartition(":")[2], 16)) == ports:
                found.add(more[6])
    return found - {"0"}
