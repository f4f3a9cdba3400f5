"""Processes that are forked from one which has imported what they need, as who wishes for them sees it; ``forks`` is the other side.

What is forked has nothing of its own in it: the prepared process knows nothing of anybody.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from boathouse.kit.forks import MOST_BYTES

_STOP_SECONDS = 1.0
_ENDED = "The prepared process has ended."
PREPARE = "--prepare"
"""What its program is told, before the number of its end of the line and that of its parent."""


class Process(Protocol):
    """A process that somebody waits for; asyncio's are, too."""

    @property
    def pid(self) -> int:
        """Its number."""
        ...

    @property
    def returncode(self) -> int | None:
        """Its exit status, minus a signal's number, or None while it runs."""
        ...

    async def wait(self) -> int:
        """Wait for its end."""
        ...

    def terminate(self) -> None:
        """Ask it to end.

        Raises:
            ProcessLookupError: If it is gone, which need not be noticed.
        """
        ...

    def kill(self) -> None:
        """Kill it.

        Raises:
            ProcessLookupError: If it is gone, which need not be noticed.
        """
        ...


class _Fork:
    def __init__(self, pid: int, prepared: "_Prepared") -> None:
        self.pid = pid
        self.code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._prepared = prepared

    @property
    def returncode(self) -> int | None:
        return self.code.result() if self.code.done() else None

    async def wait(self) -> int:
        return await asyncio.shield(self.code)

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if not self.code.done():
            self._prepared.say({"kill": self.pid, "with": number})


class _Prepared:
    """One such process, from outside."""

    def __init__(self, process: asyncio.subprocess.Process, control: socket.socket, born_seconds: float) -> None:
        self.forks: dict[int, _Fork] = {}
        self._process = process
        self._control = control
        self._born_seconds = born_seconds
        self._born: tuple[int, asyncio.Future[_Fork]] | None = None
        self._wishes = 0
        self._turn = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(control.fileno(), self._hear)

    @property
    def alive(self) -> bool:
        return self._control.fileno() >= 0

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def needed(self) -> bool:
        """Whether something that was forked from it runs, or is about to."""
        return bool(self.forks) or self._turn.locked()

    def say(self, wish: Mapping[str, Any], *files: int) -> None:
        with contextlib.suppress(OSError):
            socket.send_fds(self._control, [json.dumps(wish).encode()], list(files))

    async def fork(self, wish: Mapping[str, Any], *files: int) -> _Fork:
        # One at a time: the kernel holds no more than a few messages for a process that is still importing.
        async with self._turn:
            if not self.alive:
                raise ProcessLookupError(_ENDED)
            self._wishes += 1
            born: asyncio.Future[_Fork] = self._loop.create_future()
            self._born = (self._wishes, born)
            self.say({"start": {**wish, "parent": self.pid}, "id": self._wishes}, *files)
            return await asyncio.wait_for(born, self._born_seconds)

    async def stop(self) -> None:
        self._lose()
        with contextlib.suppress(ProcessLookupError):
            try:
                await asyncio.wait_for(self._process.wait(), _STOP_SECONDS)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()

    def _hear(self) -> None:
        while True:
            try:
                told = self._control.recv(MOST_BYTES)
            except BlockingIOError:
                return
            except OSError:
                told = b""
            if not told:
                self._lose()
                return
            message = json.loads(told)
            if "born" in message:
                self._be_born(_Fork(message["born"], self), message["id"])
            elif (fork := self.forks.pop(message["ended"], None)) is not None:
                fork.code.set_result(message["code"])

    def _be_born(self, fork: _Fork, wish: int) -> None:
        self.forks[fork.pid] = fork
        if self._born is not None and self._born[0] == wish and not self._born[1].done():
            self._born[1].set_result(fork)
        else:
            # Nobody waits for it any more.
            fork.kill()

    def _lose(self) -> None:
        """It is gone, and with it all that it forked, which the kernel kills."""
        if not self.alive:
            return
        self._loop.remove_reader(self._control.fileno())
        self._control.close()
        for fork in self.forks.values():
            fork.code.set_result(-signal.SIGKILL)
        self.forks.clear()
        if self._born is not None and not self._born[1].done():
            self._born[1].set_exception(ProcessLookupError(_ENDED))


class Prepared:
    """Forks of a program that has been prepared: there is one process of it from the first wish on.

    Args:
        module: The program; told ``--prepare SOCKET PARENT`` it imports what it needs and calls ``forks.serve``.
        folder: For the prepared process to be in.
        log: What it prints goes here.
        environment: Its environment, which tells it nothing.
        born_seconds: How long a fork may take, with all imports where it is the first.
    """

    def __init__(
        self, module: str, folder: Path, log: Path, environment: Mapping[str, str], born_seconds: float = 30.0
    ) -> None:
        self._module, self._born_seconds = module, born_seconds
        self._folder, self._log, self._environment = folder, log, dict(environment)
        self._process: _Prepared | None = None
        self._starting = asyncio.Lock()

    async def fork(self, wish: Mapping[str, Any], *files: int) -> Process:
        """A new process, which is told what is wished for, and ``parent``, the number of the prepared one.

        Args:
            wish: What it is told.
            files: Descriptors that it gets.

        Raises:
            OSError: If it cannot be started.
            TimeoutError: If it is not born in time.
        """
        async with self._starting:
            if self._process is None or not self._process.alive:
                self._process = await self._prepare()
            process = self._process
        return await process.fork(wish, *files)

    async def rest(self) -> None:
        """End the prepared process if nothing that was forked from it runs; the next wish needs a new one."""
        async with self._starting:
            if self._process is not None and not self._process.needed:
                await self.stop()

    async def stop(self) -> None:
        """End it, and with it all that was forked from it."""
        if self._process is not None:
            process, self._process = self._process, None
            await process.stop()

    async def _prepare(self) -> _Prepared:
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        os.set_blocking(ours.fileno(), False)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with its, self._log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-P", "-m", self._module, PREPARE, str(its.fileno()), str(os.getpid())),
                pass_fds=[its.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                cwd=self._folder,
                start_new_session=True,
            )
        return _Prepared(process, ours, self._born_seconds)
