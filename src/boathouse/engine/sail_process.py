"""The engine's process: Sail on a free port of the loopback interface, for as long as its parent lives.

Protocol: the parent writes one line of JSON to standard input, ``{"parent": pid, "environment": {...}}``, and keeps the pipe
open; this process answers with one line ``{"port": n}`` on standard output. When the pipe closes, the process ends at once.
"""

import ctypes
import json
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def _die_with_parent(parent: int) -> None:
    """Ask Linux to kill this process with the thread that started it; elsewhere the pipe's end must do."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def _wait_for_end(pipe: int) -> None:
    while os.read(pipe, 4096):
        pass
    os._exit(0)


def _read_line(pipe: int) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(pipe, 1)
        if not byte:
            os._exit(1)
        line += byte
    return line


def main() -> None:
    """Start Sail and stay."""
    orders = json.loads(_read_line(0))
    _die_with_parent(orders["parent"])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update(orders["environment"])
    os.umask(0o077)

    # What user functions need is imported here, by one thread: Sail runs them on many, and when those import pandas at once
    # some find it half made. Sail itself comes last, since it reads its settings from the environment.
    import pandas  # noqa: F401, ICN001, PLC0415  # pyright: ignore[reportUnusedImport]
    import pyspark.worker  # noqa: F401, PLC0415  # pyright: ignore[reportUnusedImport]
    from pysail.spark import SparkConnectServer  # noqa: PLC0415

    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    address = server.listening_address
    if address is None:
        sys.exit("Sail has no address")
    os.write(1, json.dumps({"port": address[1]}).encode() + b"\n")
    # What user functions print must not fill the pipe that nobody reads any more.
    os.dup2(2, 1)
    _wait_for_end(0)


if __name__ == "__main__":
    main()
