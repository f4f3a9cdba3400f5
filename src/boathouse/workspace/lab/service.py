"""JupyterLab's process as the server sees it: started at the first request, stopped when nobody has used it for a while."""

import asyncio
import contextlib
import importlib.util
import secrets
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from boathouse.engine.sandbox import confine
from boathouse.iam.api import Principal
from boathouse.kit.children import Child, kept_environment, start_child
from boathouse.workspace.lab.errors import LabFailed, LabMissing
from boathouse.workspace.lab.kernels import Kernels
from boathouse.workspace.lab.tokens import Tokens
from boathouse.workspace.tasks import Surroundings

log = structlog.stdlib.get_logger(__name__)

BASE = "/jupyter"
"""Where it is served."""
_MODULE = "boathouse.workspace.lab.process"
_NEEDED = ("jupyterlab", "jupyter_server_ydoc", "ipykernel", "websockets")
START_SECONDS = 120
STOP_SECONDS = 3.0
_LOOK_SECONDS = 5.0
TOKEN_SECONDS = 24 * 3600
_RENEW_SECONDS = TOKEN_SECONDS / 2


def is_installed() -> bool:
    """Whether the packages of the extra are there."""
    return all(importlib.util.find_spec(name) is not None for name in _NEEDED)


@dataclass(frozen=True)
class Running:
    """The process, and how it is asked.

    Attributes:
        port: On this machine.
        key: Shows it that a request is this server's.
    """

    port: int
    key: str


@dataclass
class _Pass:
    """A principal's token for what JupyterLab does in its name."""

    token: str
    renew_at: float


class Lab:
    """JupyterLab.

    Args:
        surroundings: Of processes of the runtime.
        tokens: Makes those that JupyterLab and kernels act with.
        idle_seconds: How long it stays without use; so long kernels stay too that nobody looks at.
    """

    def __init__(self, surroundings: Surroundings, tokens: Tokens, idle_seconds: float) -> None:
        layout = surroundings.layout
        self.kernels = Kernels(surroundings, tokens, layout.logs / "kernels")
        self._surroundings, self._tokens, self._idle_seconds = surroundings, tokens, idle_seconds
        self._folder, self._log = layout.jupyter, layout.logs / "lab.log"
        self._starting = asyncio.Lock()
        self._running: Running | None = None
        self._task: asyncio.Task[None] | None = None
        self._passes: dict[str, _Pass] = {}
        self._open = 0
        self._used_at = time.monotonic()

    @asynccontextmanager
    async def use(self) -> AsyncGenerator[Running]:
        """The process, started if it does not run; it stays for as long as it is used.

        Raises:
            LabMissing: If it is not installed.
            LabFailed: If it does not start.
        """
        self._open += 1
        try:
            async with self._starting:
                running = self._running or await self._start()
            yield running
        finally:
            self._open -= 1
            self._used_at = time.monotonic()

    async def token_of(self, principal: Principal) -> str:
        """The token with which JupyterLab asks the REST API in a principal's name."""
        now = time.monotonic()
        found = self._passes.get(principal.id)
        if found is None or found.renew_at < now:
            token = await self._tokens.issue(principal, "lab", TOKEN_SECONDS)
            # The one before it still holds for what is under way with it.
            found = self._passes[principal.id] = _Pass(token, now + _RENEW_SECONDS)
        return found.token

    async def _start(self) -> Running:
        if not is_installed():
            raise LabMissing
        ready: asyncio.Future[Running] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(ready), name="jupyterlab")
        try:
            async with asyncio.timeout(START_SECONDS):
                return await asyncio.shield(ready)
        except TimeoutError:
            self._task.cancel()
            raise LabFailed(f"has not answered within {START_SECONDS} seconds.") from None

    async def _run(self, ready: "asyncio.Future[Running]") -> None:
        key = secrets.token_urlsafe(32)
        root = self._surroundings.layout.root
        told = {
            "folder": str(self._folder),
            "base_url": self._surroundings.base_url,
            "served_at": BASE,
            "key": key,
            "idle_seconds": self._idle_seconds,
            "confined": confine.missing() is None and confine.too_open(root) is None,
        }
        # Of the server's own environment it is told nothing but where Python is.
        environment = kept_environment() | {"HOME": str(self._folder), "JUPYTER_NO_CONFIG": "1"}
        command = [sys.executable, "-m", _MODULE]
        watching: asyncio.Task[None] | None = None
        try:
            async with start_child(
                command, told, log=self._log, environment=environment, folder=Path("/"), grace_seconds=STOP_SECONDS
            ) as child:
                watching = asyncio.create_task(self._watch(child))
                async for message in child.messages():
                    self._heard(message, key, ready)
                code = await child.wait()
            log.info("jupyterlab_ended", exit_status=code)
        finally:
            self._running = None
            if watching is not None:
                watching.cancel()
            if not ready.done():
                ready.set_exception(LabFailed("did not start."))
            await asyncio.shield(self.kernels.stop())
            passes = [one.token for one in self._passes.values()]
            self._passes.clear()
            await asyncio.shield(self._tokens.revoke(*passes))

    def _heard(self, message: Mapping[str, Any], key: str, ready: "asyncio.Future[Running]") -> None:
        if "port" in message and not ready.done():
            self._running = Running(int(message["port"]), key)
            log.info("jupyterlab_started")
            ready.set_result(self._running)

    async def _watch(self, child: Child) -> None:
        """Stop it once nobody uses it."""
        while not child.ended:
            await asyncio.sleep(_LOOK_SECONDS)
            unused = not self._open and not self.kernels.running
            if unused and time.monotonic() - self._used_at > self._idle_seconds:
                log.info("jupyterlab_idle")
                await child.stop(STOP_SECONDS)

    async def stop(self) -> None:
        """Stop it, with all kernels."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self.kernels.stop()
