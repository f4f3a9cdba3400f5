"""The process that engines are forked from: it has imported what each of them needs, and knows nothing of anybody."""

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

MODULE = "boathouse.engine.sail_process"
_BORN_SECONDS = 30.0
_STOP_SECONDS = 1.0
_ENDED = "The process that engines are forked from has ended."


class Process(Protocol):
    """What the pool needs of an engine's process."""

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

    def kill(self) -> None:
        if not self.code.done():
            self._prepared.say({"kill": self.pid})


class _Prepared:
    """One such process, from outside."""

    def __init__(self, process: asyncio.subprocess.Process, control: socket.socket) -> None:
        self.forks: dict[int, _Fork] = {}
        self._process = process
        self._control = control
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
            self.say({"start": wish, "id": self._wishes}, *files)
            return await asyncio.wait_for(born, _BORN_SECONDS)

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


class EngineStarter:
    """Starts the processes of engines: as forks of a prepared one where that is safe, which is on Linux, and by themselves elsewhere.

    Args:
        folder: For the prepared process to be in.
        log: What it prints goes here.
        environment: Its environment, which tells it nothing.
    """

    def __init__(self, folder: Path, log: Path, environment: Mapping[str, str]) -> None:
        self._folder, self._log, self._environment = folder, log, dict(environment)
        self._prepared: _Prepared | None = None
        self._starting = asyncio.Lock()

    async def start(
        self, settings: str, environment: Mapping[str, str], folder: Path, log: int, line: socket.socket
    ) -> Process:
        """Start one.

        Args:
            settings: The process's argument.
            environment: All that it finds in its environment.
            folder: Its working folder.
            log: A file for what it prints.
            line: Its end of the line to the server.

        Raises:
            OSError: If it cannot be started.
            TimeoutError: If it is not born in time.
        """
        if sys.platform != "linux":
            return await asyncio.create_subprocess_exec(
                sys.executable,
                *("-P", "-m", MODULE, settings, str(os.getpid())),
                stdin=line,
                stdout=line,
                stderr=log,
                env=dict(environment),
                cwd=folder,
                start_new_session=True,
            )
        prepared = await self._ready()
        wish = {"settings": settings, "environment": dict(environment), "folder": str(folder), "parent": prepared.pid}
        return await prepared.fork(wish, line.fileno(), log)

    async def rest(self) -> None:
        """End the prepared process if nothing that was forked from it runs; the next engine needs a new one."""
        async with self._starting:
            if self._prepared is not None and not self._prepared.needed:
                await self.stop()

    async def stop(self) -> None:
        """End it, and with it all that was forked from it."""
        if self._prepared is not None:
            prepared, self._prepared = self._prepared, None
            await prepared.stop()

    async def _ready(self) -> _Prepared:
        async with self._starting:
            if self._prepared is None or not self._prepared.alive:
                self._prepared = await self._prepare()
            return self._prepared

    async def _prepare(self) -> _Prepared:
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        os.set_blocking(ours.fileno(), False)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with its, self._log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-P", "-m", MODULE, "--prepare", str(its.fileno()), str(os.getpid())),
                pass_fds=[its.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                cwd=self._folder,
                start_new_session=True,
            )
        return _Prepared(process, ours)
