"""Servers that start from a process which has imported what they need.

To import Boathouse's server and MLflow's takes most of what a start costs, and the tests start many. One process for each worker imports it once;
a server is a fork of it, which then is what ``python -m boathouse`` is: the same program with its own arguments, environment, output and
process. Tests of the start itself begin it the other way.
"""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any

from boathouse.kit.forks import MOST_BYTES, serve
from boathouse.kit.loading import loading
from boathouse.kit.readable import readable

_START_SECONDS = 120.0


class Forked:
    """A process that was forked from a prepared one. Has of ``subprocess.Popen`` what the tests use."""

    def __init__(self, nursery: "Nursery", pid: int) -> None:
        self.pid = pid
        self._nursery = nursery

    @property
    def returncode(self) -> int | None:
        """Its exit status, or minus the number of the signal that ended it."""
        return self._nursery.ended.get(self.pid)

    def poll(self) -> int | None:
        """The same, after a look."""
        self._nursery.look(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: If it has not ended by then.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise subprocess.TimeoutExpired(["boathouse"], timeout or 0)
            self._nursery.look(0.1 if left is None else min(left, 0.1))
        return code

    def send_signal(self, how: int) -> None:
        """Send it a signal, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, how)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)


class Nursery:
    """The prepared process, from outside."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.prepared", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        self.ended: dict[int, int] = {}
        self._born: list[int] = []
        self._lock = threading.Lock()

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], out: IO[bytes]) -> Forked:
        """Start ``python -m boathouse`` with some arguments."""
        wish = {"start": {"arguments": list(arguments), "environment": dict(environment), "folder": str(Path.cwd())}}
        with self._lock:
            socket.send_fds(self._control, [json.dumps(wish).encode()], [out.fileno()])
            deadline = time.monotonic() + _START_SECONDS
            while not self._born:
                assert self.process.poll() is None, "the prepared process has ended"
                assert time.monotonic() < deadline, "the prepared process does not answer"
                self._take(1)
            return Forked(self, self._born.pop())

    def look(self, seconds: float) -> None:
        """Take what the prepared process tells, for some seconds at most."""
        with self._lock:
            self._take(seconds)

    def _take(self, seconds: float) -> None:
        while readable(self._control, seconds=seconds):
            told = self._control.recv(MOST_BYTES)
            if not told:
                return
            message = json.loads(told)
            if "ended" in message:
                self.ended[message["ended"]] = message["code"]
            else:
                self._born.append(message["born"])
            seconds = 0

    def stop(self) -> None:
        """End it."""
        self._control.close()
        self.process.wait(10)


@cache
def nursery() -> Nursery:
    """The one of this process."""
    made = Nursery()
    atexit.register(made.stop)
    return made


def _prepare() -> None:
    import boathouse.cli.up
    import boathouse.server.app  # pyright: ignore[reportUnusedImport]
    from boathouse.registry import backend

    backend.import_mlflow()
    import boathouse.registry.registry_store
    import boathouse.registry.tracking_store  # noqa: F401  # pyright: ignore[reportUnusedImport]


def _become(wish: Mapping[str, Any], files: Sequence[int]) -> None:
    """Be what ``python -m boathouse`` is."""
    for number in (1, 2):
        os.dup2(files[0], number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") < MOST_BYTES else 65536)
    os.chdir(wish["folder"])
    os.environ.clear()
    os.environ.update(wish["environment"])
    time.tzset()
    sys.argv = ["boathouse", *wish["arguments"]]
    from boathouse.cli import app

    app()


if __name__ == "__main__":
    with loading():
        _prepare()
    serve(socket.socket(fileno=int(sys.argv[1])), _become)
    os._exit(0)
