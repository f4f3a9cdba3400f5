"""A child process's side of its talk with the server: lines of JSON, in both directions. See ``children`` for the other side."""

import json
import os
import sys
import threading
from collections.abc import Iterable
from typing import Any

PARENT_GONE = 3
"""Exit status of a child whose parent has died."""


class Wire:
    """The way to the server, safe for threads.

    Attributes:
        stopping: Is set once the server has asked for the end.

    Args:
        descriptor: Where messages go; what the process prints is no message.
    """

    def __init__(self, descriptor: int) -> None:
        self.stopping = threading.Event()
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - takes no name
        self._out = os.fdopen(descriptor, "w", encoding="utf-8")
        self._sending = threading.Lock()
        self._asking = threading.Lock()
        self._answered = threading.Event()
        self._answer: dict[str, Any] = {}

    def send(self, **message: Any) -> None:
        """Send a line."""
        line = json.dumps(message, default=str) + "\n"
        with self._sending:
            self._out.write(line)
            self._out.flush()

    def ask(self, **message: Any) -> dict[str, Any]:
        """Send a line and wait for the answer to it."""
        with self._asking:
            self._answered.clear()
            self.send(**message)
            self._answered.wait()
            return self._answer

    def listen(self) -> None:
        """Hear what the server says from now on, in a thread; the end of that is the server's, and then this process's too."""
        threading.Thread(target=self._listen, args=(sys.stdin,), name="server", daemon=True).start()

    def _listen(self, lines: Iterable[str]) -> None:
        for line in lines:
            said = json.loads(line)
            if said.get("say") == "stop":
                self.stopping.set()
            else:
                self._answer = said
                self._answered.set()
        os._exit(PARENT_GONE)


def read_assignment() -> dict[str, Any]:
    """What this process is to do: the first line of its standard input. A log that it names gets what is printed from now on."""
    line = sys.stdin.readline()
    if not line:
        # A process that was started for later is not needed any more.
        os._exit(PARENT_GONE)
    told = json.loads(line)
    log = told.pop("log", None)
    if log is not None:
        opened = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        os.dup2(opened, 1)
        os.dup2(opened, 2)
        os.close(opened)
    return told
