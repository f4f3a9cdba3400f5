"""The system calls that a user function cannot make, as a filter for the Linux kernel.

Landlock keeps files shut; this keeps shut what Landlock does not know: sockets of every kind, other programs, other processes,
the owner, mode and times of files, System V memory, and all calls that are younger than this list.
"""

import ctypes
import errno
import os
import platform
import struct
from dataclasses import dataclass
from typing import NoReturn

_REFUSED: dict[str, tuple[int | None, int | None]] = {
    # the network
    "socket": (41, 198), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201), "accept": (43, 202),
    "accept4": (288, 242),
    # other programs and processes
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281), "ptrace": (101, 117),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "process_madvise": (440, 440),
    "process_mrelease": (448, 448), "kcmp": (312, 272), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424), "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "sched_setaffinity": (203, 122), "sched_setscheduler": (144, 119), "sched_setparam": (142, 118),
    "sched_setattr": (314, 274), "setpriority": (141, 140), "ioprio_set": (251, 30), "migrate_pages": (256, 238),
    "move_pages": (279, 239), "setsid": (112, 157), "setpgid": (109, 154),
    # files by another way than opening them
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "chown": (92, None), "fchown": (93, 55),
    "lchown": (94, None), "fchownat": (260, 54), "utime": (132, None), "utimes": (235, None), "futimesat": (261, None),
    "utimensat": (280, 88), "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "removexattr": (197, 14),
    "lremovexattr": (198, 15), "fremovexattr": (199, 16), "inotify_init": (253, None), "inotify_init1": (294, 26),
    "inotify_add_watch": (254, 27), "fanotify_init": (300, 262), "fanotify_mark": (301, 263),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    # memory and queues that processes of one user share
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190), "semop": (65, 193),
    "semtimedop": (220, 192), "semctl": (66, 191), "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188),
    "msgctl": (71, 187), "mq_open": (240, 180), "mq_unlink": (241, 181),
    # the system
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "open_tree": (428, 428), "move_mount": (429, 429),
    "mount_setattr": (442, 442), "swapon": (167, 224), "swapoff": (168, 225), "quotactl": (179, 60),
    "quotactl_fd": (443, 443), "acct": (163, 89), "reboot": (169, 142), "syslog": (103, 116), "sethostname": (170, 161),
    "setdomainname": (171, 162), "settimeofday": (164, 170), "clock_settime": (227, 112), "clock_adjtime": (305, 266),
    "adjtimex": (159, 171), "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "iopl": (172, None), "ioperm": (173, None),
    "personality": (135, 92), "unshare": (272, 97), "setns": (308, 268), "bpf": (321, 280), "perf_event_open": (298, 241),
    "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "lookup_dcookie": (212, 18),
    "setuid": (105, 146), "setgid": (106, 144), "setreuid": (113, 145), "setregid": (114, 143), "setresuid": (117, 147),
    "setresgid": (119, 149), "setfsuid": (122, 151), "setfsgid": (123, 152), "setgroups": (116, 159), "capset": (126, 91),
    "vhangup": (153, 58), "modify_ldt": (154, None), "uselib": (134, None), "ustat": (136, None),
}  # fmt: skip
"""Numbers on x86_64 and aarch64."""

_NEWEST = 450
"""Every call after this one is answered as an older kernel would: it does not exist."""
_SPECIAL = {
    "clone": (56, 220), "clone3": (435, 435), "kill": (62, 129), "tgkill": (234, 131), "prlimit64": (302, 261),
    "prctl": (157, 167), "socketpair": (53, 199), "fcntl": (72, 25), "ioctl": (16, 29),
}  # fmt: skip
_CLONE_THREAD = 0x10000
_PRCTL_REFUSED = (1, 4, 35, 0x59616D61)
"""Parent death signal, dumpable, memory map, tracer."""
_FCNTL_REFUSED = (8, 10, 15)
"""Owner and kind of the signal that a file sends."""
_IOCTL_REFUSED = (0x8901, 0x8902, 0x5412)
"""Owner of a file's signal, and typing into a terminal."""
_AF_UNIX, _SOCK_STREAM, _SOCK_TYPE_MASK = 1, 1, 0xF

_LOAD, JUMP_EQ, _JUMP_GT, _JUMP_SET, _AND, RETURN = 0x20, 0x15, 0x25, 0x45, 0x54, 0x06
ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_OFFSET_NUMBER, _OFFSET_ARCHITECTURE, _OFFSET_ARGUMENTS = 0, 4, 16
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


@dataclass(frozen=True)
class _Call:
    """One instruction block's condition: for a system call, which values of its arguments end how."""

    number: int
    body: tuple[bytes, ...]


def supported() -> bool:
    """Whether there is a filter for this machine."""
    return platform.machine() in _MACHINES


def restrict() -> None:
    """Put the filter on this process and all its threads to come, for ever.

    Raises:
        OSError: If the kernel refuses.
    """
    filled = program(build(platform.machine(), os.getpid()))
    library = ctypes.CDLL(None, use_errno=True)
    gain_nothing(library)
    if library.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(filled), 0, 0):
        tell_refusal()


def build(machine: str, pid: int) -> list[bytes]:
    """The filter's instructions.

    Args:
        machine: ``x86_64`` or ``aarch64``.
        pid: The process that may send signals to itself and set limits of its own.
    """
    column, _ = _MACHINES[machine]
    refuse, missing = _ERRNO | errno.EACCES, _ERRNO | errno.ENOSYS
    steps = [
        *of_machine(machine),
        step(_JUMP_GT, _NEWEST, 0, 1),
        step(RETURN, missing),
    ]
    for numbers in _REFUSED.values():
        number = numbers[column]
        if number is not None:
            steps += [step(JUMP_EQ, number, 0, 1), step(RETURN, refuse)]
    for call in _special(column, pid, refuse, missing):
        steps += [step(JUMP_EQ, call.number, 0, len(call.body)), *call.body]
    return [*steps, step(RETURN, ALLOW)]


def of_machine(machine: str) -> list[bytes]:
    """The beginning of every filter: calls of another kind of processor end the process, and the call's number is loaded."""
    return [
        step(_LOAD, _OFFSET_ARCHITECTURE),
        step(JUMP_EQ, _MACHINES[machine][1], 1, 0),
        step(RETURN, _KILL),
        step(_LOAD, _OFFSET_NUMBER),
    ]


def program(steps: list[bytes]) -> ctypes.Structure:
    """A filter's instructions as the kernel takes them."""
    return _Program(len(steps), b"".join(steps))


def gain_nothing(library: ctypes.CDLL) -> None:
    """Give up getting rights by starting programs, without which the kernel takes no filter.

    Raises:
        OSError: If the kernel refuses.
    """
    if library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        tell_refusal()


def tell_refusal() -> NoReturn:
    """Tell why the kernel has refused the last call.

    Raises:
        OSError: Always.
    """
    code = ctypes.get_errno()
    raise OSError(code, f"seccomp: {os.strerror(code)}")


def _special(column: int, pid: int, refuse: int, missing: int) -> list[_Call]:
    number = {name: numbers[column] for name, numbers in _SPECIAL.items()}
    allow = step(RETURN, ALLOW)
    no = step(RETURN, refuse)

    def first(*values: int) -> tuple[bytes, ...]:
        """Refuse where the first argument is none of some values."""
        tests = [step(JUMP_EQ, value, len(values) - index, 0) for index, value in enumerate(values)]
        return (_argument(0), *tests, no, allow)

    def refused(argument: int, values: tuple[int, ...]) -> tuple[bytes, ...]:
        tests = [step(JUMP_EQ, value, len(values) - index, 0) for index, value in enumerate(values)]
        return (_argument(argument), *tests, allow, no)

    return [
        _Call(number["clone3"], (step(RETURN, missing),)),
        _Call(number["clone"], (_argument(0), step(_JUMP_SET, _CLONE_THREAD, 0, 1), allow, no)),
        _Call(number["kill"], first(pid)),
        _Call(number["tgkill"], first(pid)),
        _Call(number["prlimit64"], first(0, pid)),
        _Call(number["prctl"], refused(0, _PRCTL_REFUSED)),
        _Call(number["fcntl"], refused(1, _FCNTL_REFUSED)),
        _Call(number["ioctl"], refused(1, _IOCTL_REFUSED)),
        _Call(
            number["socketpair"],
            (
                _argument(0),
                step(JUMP_EQ, _AF_UNIX, 0, 4),
                _argument(1),
                step(_AND, _SOCK_TYPE_MASK),
                step(JUMP_EQ, _SOCK_STREAM, 0, 1),
                allow,
                no,
            ),
        ),
    ]


def _argument(index: int) -> bytes:
    """Load the lower half of an argument; what is looked at here are 32-bit numbers."""
    return step(_LOAD, _OFFSET_ARGUMENTS + 8 * index)


def step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """One instruction."""
    return struct.pack("HBBI", code, if_true, if_false, value)
