"""A process that has imported what others need, and forks one for each that is wished for: to import is most of what their start costs.

Messages are JSON on a SEQPACKET socket. Wishes: ``{"start": {...}, "id": n}`` with the files that the new process is to have, ``{"kill": pid,
"with": signal}``.
Answers: ``{"born": pid, "id": n}`` to each start, in order, and ``{"ended": pid, "code": n}`` at an end; the code is minus the number of the signal that
was its cause. When the other end of the socket is closed, all that were forked are killed.
"""

import atexit
import gc
import json
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NoReturn

from boathouse.kit.readable import readable

MOST_BYTES = 1 << 20
"""Of one message."""
_MOST_FILES = 16

Become = Callable[[Mapping[str, Any], Sequence[int]], object]
"""What a new process does: takes the wish and its files. When it returns or raises, the process ends as a Python program does."""


def serve(control: socket.socket, become: Become) -> None:
    """Fulfil wishes until nobody is there to have any. To be called by the only thread.

    What this process has loaded stays in it for good: forks neither look through it for garbage nor copy it by doing so.

    Args:
        control: This process's end of the socket.
        become: What the new processes do.
    """
    gc.freeze()
    _Forks(control, become).serve()


class _Forks:
    def __init__(self, control: socket.socket, become: Become) -> None:
        self._control = control
        self._become = become
        self._awake, self._waker = socket.socketpair()
        self._running = set[int]()

    def serve(self) -> None:
        for end in (self._awake, self._waker):
            os.set_blocking(end.fileno(), False)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        with suppress(BrokenPipeError, ConnectionResetError):
            while True:
                ready = readable(self._control, self._awake)
                if self._awake in ready:
                    self._awake.recv(4096)
                    self._tell_ends()
                if self._control in ready and not self._fulfil():
                    break
        for pid in self._running:
            os.kill(pid, signal.SIGKILL)

    def _fulfil(self) -> bool:
        message, files, _, _ = socket.recv_fds(self._control, MOST_BYTES, _MOST_FILES)
        if not message:
            return False
        wish = json.loads(message)
        if "kill" in wish:
            # What has ended and is not told yet has its number still, so that no other process is met.
            if wish["kill"] in self._running:
                os.kill(wish["kill"], wish["with"])
            return True
        pid = os.fork()
        if not pid:
            for one in (self._control, self._awake, self._waker):
                one.detach()
            _be(self._become, wish["start"], files)
        self._running.add(pid)
        for one in files:
            os.close(one)
        self._tell({"born": pid, "id": wish.get("id", 0)})
        return True

    def _tell_ends(self) -> None:
        with suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                self._running.discard(found[0])
                self._tell({"ended": found[0], "code": os.waitstatus_to_exitcode(found[1])})

    def _tell(self, message: Mapping[str, int]) -> None:
        self._control.send(json.dumps(message).encode())


def _be(become: Become, wish: Mapping[str, Any], files: Sequence[int]) -> NoReturn:
    code: object = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        become(wish, files)
        code = 0
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001 - the code of the process that forked must not run on here
        traceback.print_exc()
    try:
        # These two are what Python's own end is.
        threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001
        atexit._run_exitfuncs()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code if isinstance(code, int) else int(code is not None))
