"""Which server has a lake: a lock that the kernel gives back when the process ends, however it ends, and its addresses."""

import fcntl
import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from boathouse.cli.errors import AlreadyServed
from boathouse.storage.layout import Layout


@dataclass(frozen=True)
class Running:
    """A running server."""

    pid: int
    base_url: str
    spark_remote: str
    started_at: int
    version: str


def _file(layout: Layout) -> Path:
    return layout.run / "server.json"


def read(layout: Layout) -> Running | None:
    """The server that has a lake now, or None."""
    try:
        with (layout.run / "server.lock").open("r") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return Running(**json.loads(_file(layout).read_text()))
    except (OSError, json.JSONDecodeError, TypeError):
        pass
    return None


@contextmanager
def hold(layout: Layout) -> Generator[None, None, None]:
    """Have a lake for as long as the block runs.

    Raises:
        AlreadyServed: If another server has it.
    """
    with (layout.run / "server.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = read(layout)
            raise AlreadyServed(str(layout.root), other and other.pid, other and other.base_url) from None
        _file(layout).unlink(missing_ok=True)
        try:
            yield
        finally:
            _file(layout).unlink(missing_ok=True)


def publish(layout: Layout, running: Running) -> None:
    """Tell other commands where the server listens."""
    partial = _file(layout).with_suffix(".partial")
    partial.write_text(json.dumps(asdict(running)))
    partial.replace(_file(layout))
