"""Interrupts of a kernel's cells: each reaches the code that it was meant for, and nothing else."""

import signal
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress

_AGAIN_SECONDS = (0.02, 0.1, 0.5)
_WAKES = signal.SIGURG
"""Ignored by programs that do not ask for it."""


class Interrupts:
    """Raises ``KeyboardInterrupt`` in the code of cells alone.

    IPython's own steps before that code would swallow it, those after it would fail of it and leave the cell without an answer: an
    interrupt that comes before is kept until the code begins, one that comes after is nobody's.

    Python notices a signal only between two of its instructions. One that comes when it is about to wait in C (``time.sleep``, a socket),
    as while another thread takes the interpreter, would be noticed when that wait is over: so the main thread is woken again a few times.
    """

    def __init__(self) -> None:
        self._kept = False

    def watch(self) -> None:
        """Wake the main thread after each interrupt, from now on. To be called by it."""
        ours, its = socket.socketpair()
        its.settimeout(0)
        signal.signal(_WAKES, lambda *_: None)
        signal.set_wakeup_fd(its.detach(), warn_on_full_buffer=False)
        threading.Thread(target=self._wake, args=(ours,), name="interrupts", daemon=True).start()

    def begin(self) -> None:
        """A cell is about to be run: keep what comes. Its kernel ignores interrupts again once it is through with it."""
        if threading.current_thread() is threading.main_thread():
            self._kept = False
            signal.signal(signal.SIGINT, self._keep)

    @contextmanager
    def code(self) -> Generator[None]:
        """Code of the cell runs in the block.

        Raises:
            KeyboardInterrupt: If an interrupt was kept.
        """
        keeps = signal.getsignal(signal.SIGINT) == self._keep
        if keeps:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            if self._kept:
                self._kept = False
                raise KeyboardInterrupt
            yield
        finally:
            if keeps:
                signal.signal(signal.SIGINT, self._keep)

    def _keep(self, *_: object) -> None:
        self._kept = True

    def _wake(self, told: socket.socket) -> None:
        main = threading.main_thread().ident
        while came := told.recv(4096):
            if main is None or signal.SIGINT not in came:
                continue
            for seconds in _AGAIN_SECONDS:
                time.sleep(seconds)
                with suppress(ProcessLookupError):
                    signal.pthread_kill(main, _WAKES)
