"""Child processes that are given an assignment, tell messages, log to a file and are measured. See ``wire`` for their side.

A child gets its assignment as the first line of JSON on its standard input, with ``descriptor`` in it: where it sends lines of JSON to.
What it prints goes to its log. It leads a process group; when it has ended, whatever is left of the group is killed. When this
process dies its standard input ends, and by that the child ends too.
"""

import asyncio
import contextlib
import json
import os
import resource
import signal
import subprocess
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

SAMPLE_SECONDS = 1.0
_FIRST_SAMPLE_SECONDS = 0.05
LONGEST_MESSAGE = 64 * 1024 * 1024
_OF_THREADS = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV", *_OF_THREADS)
"""What a child gets of this process's environment; its secrets stay here."""
_KIB = 1024


@dataclass(frozen=True)
class Usage:
    """What a child and the processes below it have used.

    Attributes:
        cpu_seconds: User and system time.
        peak_bytes: The most resident memory at one time, as far as looking once a second, and more often at first, sees it.
    """

    cpu_seconds: float = 0.0
    peak_bytes: int = 0

    def at_least(self, other: "Usage") -> "Usage":
        """The greater of both, each by itself."""
        return Usage(max(self.cpu_seconds, other.cpu_seconds), max(self.peak_bytes, other.peak_bytes))


def kept_environment() -> dict[str, str]:
    """The environment of a child that is to know nothing more of this process."""
    return {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}


class _Outgoing(asyncio.BaseProtocol):
    """Knows when more can be written."""

    def __init__(self) -> None:
        self.free = asyncio.Event()
        self.free.set()

    def pause_writing(self) -> None:
        self.free.clear()

    def resume_writing(self) -> None:
        self.free.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self.free.set()


class Child:
    """A child process. Made by ``start_child``.

    Attributes:
        usage: What it has used so far; exact once it has ended.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        messages: asyncio.StreamReader,
        stdin: asyncio.WriteTransport,
        free: asyncio.Event,
    ) -> None:
        self.usage = Usage()
        self._process = process
        self._messages = messages
        self._stdin, self._free = stdin, free
        self._reaped = False
        self._killing = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._code: asyncio.Future[int] = self._loop.create_future()
        threading.Thread(target=self._reap, name=f"child-{process.pid}", daemon=True).start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self._code.done()

    async def say(self, message: Mapping[str, Any]) -> None:
        """Send it a line; if it is gone nothing happens."""
        if not self._stdin.is_closing():
            self._stdin.write(json.dumps(message, default=str).encode() + b"\n")
            await self._free.wait()

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        """What it tells, until its end."""
        async for line in self._messages:
            # A child that is killed may leave half a line.
            if line.endswith(b"\n"):
                yield json.loads(line)

    async def wait(self) -> int:
        """Wait for its end; its exit status, or minus the number of the signal that ended it."""
        return await asyncio.shield(self._code)

    async def stop(self, seconds: float) -> None:
        """Ask it to end, and kill it with its group if it has not within some seconds."""
        if self.ended:
            return
        await self.say({"say": "stop"})
        try:
            await asyncio.wait_for(self.wait(), seconds)
        except TimeoutError:
            self.kill()
            await self.wait()

    def kill(self) -> None:
        """Kill it with its whole group; ``wait`` tells when that is done."""
        with self._killing, contextlib.suppress(ProcessLookupError, PermissionError):
            # As long as it is not reaped, the number of its group is no other's.
            if not self._reaped:
                os.killpg(self.pid, signal.SIGKILL)

    def measure(self) -> None:
        """Look at what it uses now."""
        cpu, memory = 0.0, 0
        with contextlib.suppress(psutil.Error):
            leader = psutil.Process(self.pid)
            for one in (leader, *leader.children(recursive=True)):
                with contextlib.suppress(psutil.Error), one.oneshot():
                    times = one.cpu_times()
                    cpu += times.user + times.system + times.children_user + times.children_system
                    memory += one.memory_info().rss
        self.usage = self.usage.at_least(Usage(cpu, memory))

    def _reap(self) -> None:
        """Wait for its end in a thread, as the event loop's own way of it does not tell what the child has used."""
        if hasattr(os, "waitid"):
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
            self.kill()
            with self._killing:
                self._reaped = True
        _, status, used = os.wait4(self.pid, 0)
        self._reaped = True
        code = self._process.returncode = os.waitstatus_to_exitcode(status)
        # Until it was another program it had this process's memory, and the kernel counts that as its own: less than that says nothing.
        peak = used.ru_maxrss if used.ru_maxrss > resource.getrusage(resource.RUSAGE_SELF).ru_maxrss else 0
        final = Usage(used.ru_utime + used.ru_stime, peak * _KIB)
        with contextlib.suppress(RuntimeError):
            # The loop may be gone by now.
            self._loop.call_soon_threadsafe(self._finish, code, final)

    def _finish(self, code: int, final: Usage) -> None:
        self.usage = self.usage.at_least(final)
        if not self._code.done():
            self._code.set_result(code)


class Started:
    """A process that waits for its assignment. Made by ``start_process``.

    Args:
        process: The process.
        messages: Where its messages are read.
        descriptor: The number of the other end in it.
    """

    def __init__(self, process: subprocess.Popen[bytes], messages: int, descriptor: int) -> None:
        self.process = process
        self.messages = messages
        self.descriptor = descriptor

    @property
    def waits(self) -> bool:
        """Whether it is there still."""
        return self.process.poll() is None

    def discard(self) -> None:
        """End it; it has not been told anything."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        os.close(self.messages)
        if self.waits:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def start_process(
    command: Sequence[str],
    *,
    log: Path | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Started:
    """Start a process that will be told later what to do. See ``start_child`` for the arguments."""
    if log is not None:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    read_end, write_end = os.pipe()
    try:
        with Path(os.devnull if log is None else log).open("ab", buffering=0) as out:
            process = subprocess.Popen(
                list(command),
                pass_fds=[write_end],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                env=dict(kept_environment() if environment is None else environment),
                cwd=folder,
                process_group=0,
            )
    except BaseException:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)
    return Started(process, read_end, write_end)


@asynccontextmanager
async def start_child(
    command: Sequence[str],
    assignment: Mapping[str, Any],
    *,
    log: Path | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    grace_seconds: float = 0.0,
    before: Callable[[Child], Awaitable[None]] | None = None,
    started: Started | None = None,
) -> AsyncGenerator[Child, None]:
    """A child process for as long as the block runs; nothing of it is left after.

    Args:
        command: What to run.
        assignment: What it is to do.
        log: Where its output is appended to; nowhere by default.
        environment: Its environment; by default the few variables of this process that every child gets.
        folder: Its working folder; this process's by default.
        grace_seconds: How long it may take to end where the block is left while it runs; 0 kills it at once.
        before: Is awaited before the child is told what to do.
        started: A process that was started before, with nothing to log to; it is the child then and opens the log itself.
    """
    told = dict(assignment)
    if started is None:
        # The event loop starts one in this thread too; that takes a millisecond.
        started = start_process(command, log=log, environment=environment, folder=folder)
    elif log is not None:
        told["log"] = str(log)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LONGEST_MESSAGE)
    incoming, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(started.messages, "rb", buffering=0)
    )
    outgoing, protocol = await loop.connect_write_pipe(_Outgoing, started.process.stdin)
    child = Child(started.process, reader, outgoing, protocol.free)
    sampling = asyncio.create_task(_sample(child), name=f"usage-of-{child.pid}")
    try:
        if before is not None:
            await before(child)
        await child.say({**told, "descriptor": started.descriptor})
        yield child
    finally:
        sampling.cancel()
        await asyncio.shield(_end(child, grace_seconds))
        incoming.close()
        outgoing.close()


async def _end(child: Child, grace_seconds: float) -> None:
    if grace_seconds > 0:
        await child.stop(grace_seconds)
    child.kill()
    await child.wait()


async def _sample(child: Child) -> None:
    seconds = _FIRST_SAMPLE_SECONDS
    while not child.ended:
        await asyncio.sleep(seconds)
        seconds = min(2 * seconds, SAMPLE_SECONDS)
        await asyncio.to_thread(child.measure)
