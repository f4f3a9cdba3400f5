"""How much memory and processor time engines take, with the processes of their users' functions."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Usage:
    """Memory of one engine, in bytes.

    Attributes:
        engine: Of its process.
        workers: What each worker has beside the memory that it shares with the engine, by process id.
    """

    engine: int
    workers: dict[int, int]

    @property
    def total(self) -> int:
        """All of it."""
        return self.engine + sum(self.workers.values())


def measure(engines: Iterable[int]) -> dict[int, Usage]:
    """The memory of engines by process id; those that have ended are left out."""
    found: dict[int, Usage] = {}
    for engine in engines:
        own = _resident(engine)
        if own is None:
            continue
        workers: dict[int, int] = {}
        for zygote in _children(engine):
            # A worker is a fork of the zygote, and the zygote one of the engine: what it has too is counted once.
            base = _resident(zygote) or 0
            for worker in _children(zygote):
                size = _resident(worker)
                if size is not None:
                    workers[worker] = max(0, size - base)
        found[engine] = Usage(own, workers)
    return found


def spent(engines: Iterable[int]) -> dict[int, float]:
    """The processor seconds of engines and of the workers that run, by the engine's process id."""
    found: dict[int, float] = {}
    for engine in engines:
        zygotes = _children(engine)
        parts = [_seconds(one) for one in (engine, *zygotes, *(worker for zygote in zygotes for worker in _children(zygote)))]
        if parts[0] is not None:
            found[engine] = sum(one for one in parts if one is not None)
    return found


def _children(pid: int) -> list[int]:
    """The children of a process's main thread; the kernel's own list is read where there is one, since it costs the least."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        try:
            return [child.pid for child in psutil.Process(pid).children()]
        except psutil.Error:
            return []
    return [int(child) for child in text.split()]


def _seconds(pid: int) -> float | None:
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return None
    return times.user + times.system


def _resident(pid: int) -> int | None:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return None
