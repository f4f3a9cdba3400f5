"""Whether a file is written to its end."""

import errno
import os
import signal
import sys

GRACE_SECONDS = 2.0
"""Where the file system does not tell who writes: a file is taken when nothing was written to it for so long."""


def is_being_written(path: str) -> bool | None:
    """Whether a process has a file open to write in it; None where that cannot be told.

    A read lease is given only on files that nobody has open to write. Linux gives one to the owner of a file, and to root.
    """
    if sys.platform != "linux":
        return None
    import fcntl  # noqa: PLC0415 - other systems lack it

    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        # Whoever opens the file to write in this moment has us sent a signal; its usual one would end the process.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return True if error.errno == errno.EAGAIN else None
    finally:
        os.close(descriptor)
    return False


def is_whole(path: str, modified: float, now: float) -> bool:
    """Whether a file is to be taken: nobody writes to it, or where nobody can tell, nothing was written for a while."""
    try:
        written = is_being_written(path)
    except OSError:
        # It may not be read. Who reads it gets an error that says so.
        return True
    return not written if written is not None else now - modified >= GRACE_SECONDS
