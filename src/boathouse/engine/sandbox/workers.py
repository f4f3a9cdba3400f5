"""The workers of one engine: made by the zygote, kept for a while after use, each for one function only."""

import json
import os
import pickle
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from boathouse.engine.sandbox import wire
from boathouse.engine.sandbox.definition import Definition
from boathouse.engine.sandbox.wire import Kind
from boathouse.kit.readable import readable

_IDLE_SECONDS = 60.0
_SWEEP_SECONDS = 5.0
_MOST_ANSWER = 1 << 16


class SandboxUnavailable(RuntimeError):
    """The place where user functions run could not be made."""


@dataclass(eq=False)
class Worker:
    """A worker and the channel to it.

    Attributes:
        key: Of the function that it serves.
    """

    key: str
    pid: int
    channel: socket.socket
    idle_since: float = field(default_factory=time.monotonic)

    def alive(self) -> bool:
        """Whether it waits for a call; one that speaks unasked, or is gone, does not."""
        return not readable(self.channel, seconds=0)


class Workers:
    """Hands out workers to the engine's threads.

    Args:
        control: The zygote's channel.
        memory: Bytes that a worker can take, and send at once.
    """

    def __init__(self, control: socket.socket, memory: int) -> None:
        self._control = control
        self.most = memory
        self._talk = threading.Lock()
        self._lock = threading.Lock()
        self._idle: deque[Worker] = deque()
        self._most_idle = max(4, 2 * (os.cpu_count() or 1))
        self._source: str | None = None
        self._sweeper: threading.Thread | None = None
        first = json.loads(control.recv(_MOST_ANSWER) or b'{"error": "its process ended"}')
        self.broken: str | None = first.get("error")

    def take(self, key: str, definition: Definition, source: str | None) -> Worker:
        """An idle worker of a function, or a new one.

        Args:
            key: Of the function.
            definition: The function.
            source: Text of the engine's own Python module.

        Raises:
            SandboxUnavailable: If there is none to be had.
        """
        with self._lock:
            found = next((worker for worker in reversed(self._idle) if worker.key == key), None)
            if found is not None:
                self._idle.remove(found)
        if found is not None:
            if found.alive():
                return found
            self.discard(found)
        return self._spawn(key, definition, source)

    def give_back(self, worker: Worker) -> None:
        """Keep a worker that has answered its call in full."""
        worker.idle_since = time.monotonic()
        with self._lock:
            self._idle.append(worker)
            surplus = self._idle.popleft() if len(self._idle) > self._most_idle else None
            if self._sweeper is None:
                self._sweeper = threading.Thread(target=self._sweep, name="udf-sweeper", daemon=True)
                self._sweeper.start()
        if surplus is not None:
            self.discard(surplus)

    def discard(self, worker: Worker, *, crashed: bool = False) -> str:
        """End a worker, and tell how it ended.

        Args:
            worker: The worker.
            crashed: Whether it is thought to have ended by itself; it is then given a moment to be found so.
        """
        worker.channel.close()
        return str(self._ask({"do": "end", "pid": worker.pid, "kill": not crashed})["how"])

    def _spawn(self, key: str, definition: Definition, source: str | None) -> Worker:
        if self.broken is not None:
            raise SandboxUnavailable(f"Python functions cannot run: their sandbox did not start ({self.broken}).")
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with its:
            if self._source is None and source is not None:
                self._ask({"do": "module", "source": source})
                self._source = source
            pid = int(self._ask({"do": "spawn"}, its)["pid"])
        worker = Worker(key, pid, ours)
        try:
            wire.send(ours, Kind.DEFINE, pickle.dumps(definition))
        except wire.Lost:
            raise SandboxUnavailable(f"The worker of a Python function did not start ({self.discard(worker)}).") from None
        return worker

    def _ask(self, wish: dict[str, object], handle: socket.socket | None = None) -> dict[str, Any]:
        message = json.dumps(wish).encode()
        with self._talk:
            try:
                socket.send_fds(self._control, [message], [] if handle is None else [handle.fileno()])
                answer = self._control.recv(_MOST_ANSWER)
            except OSError as error:
                answer, self.broken = b"", str(error)
        if not answer:
            self.broken = self.broken or "its process ended"
            raise SandboxUnavailable(
                f"Python functions cannot run any more in this engine: their sandbox is gone ({self.broken})."
            )
        return json.loads(answer)

    def _sweep(self) -> None:
        while True:
            time.sleep(_SWEEP_SECONDS)
            oldest = time.monotonic() - _IDLE_SECONDS
            with self._lock:
                old = [worker for worker in self._idle if worker.idle_since < oldest]
                for worker in old:
                    self._idle.remove(worker)
            for worker in old:
                self.discard(worker)
