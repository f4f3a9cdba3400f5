"""Loading modules without going through all that they make, again and again.

Python's collector of cyclic garbage looks at everything there is whenever a quarter more has been made. Of what modules make most stays, so that looking costs a
fifth of loading them; and in a process that has loaded much, each look later on holds up all of its threads for a part of a second.
"""

import atexit
import gc
import threading
from collections.abc import Generator
from contextlib import contextmanager

_SELDOM = (20_000, 50, 1_000)
"""After how many new objects the collector looks at these; after how many such looks at what these left; and after how many of those at everything."""


class _Blocks:
    """How many are under way, and what holds without any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = 0
        self._usual = gc.get_threshold()

    def begin(self) -> None:
        with self._lock:
            if not self._open:
                self._usual = gc.get_threshold()
            self._open += 1
            gc.set_threshold(*_SELDOM)

    def end(self) -> None:
        with self._lock:
            self._open -= 1
            gc.freeze()
            if not self._open:
                gc.set_threshold(*self._usual)


_blocks = _Blocks()
# At a process's end its libraries look whether all is gone that was theirs.
atexit.register(gc.unfreeze)


@contextmanager
def loading() -> Generator[None]:
    """Have the collector look seldom as long as the block runs; what is there then stays for good. Any thread may be in such a block."""
    _blocks.begin()
    try:
        yield
    finally:
        _blocks.end()
