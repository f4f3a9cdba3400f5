"""Kernels: processes of the runtime, each its principal's own and confined as tasks are."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from boathouse.iam.api import Principal
from boathouse.kit.children import Child, start_child
from boathouse.kit.ids import new_id
from boathouse.workspace.lab.errors import KernelFailed, KernelNotFound, TooManyKernels
from boathouse.workspace.lab.tokens import Tokens
from boathouse.workspace.paths import text_of
from boathouse.workspace.runtime.assignment import KERNEL, Assignment
from boathouse.workspace.runtime.nested import COMMAND
from boathouse.workspace.service import WorkspaceService, home_of
from boathouse.workspace.tasks import Surroundings, task_environment
from boathouse.workspace.tree import Kind

log = structlog.stdlib.get_logger(__name__)

MOST = 10
"""Of one principal."""
START_SECONDS = 120
TOKEN_SECONDS = 7 * 24 * 3600
_ENDED_KEPT = 1000


@dataclass
class Kernel:
    """A kernel.

    Attributes:
        id: Its own; Jupyter has another.
        owner_id: Of the principal whose it is.
        connection: How Jupyter speaks to it.
        child: The process.
        code: How it has ended; None while it runs.
    """

    id: str
    owner_id: str
    connection: asyncio.Future[Mapping[str, Any]] = field(repr=False)
    child: Child | None = None
    code: int | None = None
    task: asyncio.Task[None] | None = None


class Kernels:
    """The kernels of this server.

    Args:
        surroundings: Of the processes of the runtime.
        tokens: Makes theirs.
        logs: Folder of their logs.
    """

    def __init__(self, surroundings: Surroundings, tokens: Tokens, logs: Path) -> None:
        self._surroundings = surroundings
        self._tokens = tokens
        self._logs = logs
        self._kernels: dict[str, Kernel] = {}

    @property
    def running(self) -> int:
        """How many run."""
        return sum(kernel.code is None for kernel in self._kernels.values())

    async def start(
        self,
        principal: Principal,
        path: str | None,
        language: str,
        connection: Mapping[str, Any] | None,
        *,
        cells: bool = False,
    ) -> Kernel:
        """Start a kernel.

        Args:
            principal: Whose it is.
            path: Of the notebook, which its owner has to be allowed to run; None for a console.
            language: Of plain cells.
            connection: How the kernel was spoken to whose place it takes.
            cells: Whether it shows tables as values, too.

        Raises:
            ObjectNotFound: If there is no such notebook.
            ObjectPermissionMissing: If it may not be run.
            TooManyKernels: If the principal has many.
            KernelFailed: If it does not start.
        """
        if sum(kernel.code is None and kernel.owner_id == principal.id for kernel in self._kernels.values()) >= MOST:
            raise TooManyKernels(MOST)
        kernel = Kernel(new_id(), principal.id, asyncio.get_running_loop().create_future())
        self._kernels[kernel.id] = kernel
        kernel.task = asyncio.create_task(
            self._run(kernel, principal, path, {"language": language, "connection": connection, "cells": cells}),
            name=f"kernel-{kernel.id}",
        )
        try:
            async with asyncio.timeout(START_SECONDS):
                await asyncio.shield(kernel.connection)
        except TimeoutError:
            await self.end(kernel)
            raise KernelFailed(f"it has not answered within {START_SECONDS} seconds.") from None
        return kernel

    async def _run(self, kernel: Kernel, principal: Principal, path: str | None, wanted: Mapping[str, Any]) -> None:
        folder = Path(tempfile.mkdtemp(prefix="kernel-"))
        token = ""
        try:
            token = await self._tokens.issue(principal, f"{KERNEL}:{kernel.id}", TOKEN_SECONDS)
            assignment = await asyncio.to_thread(self._assignment, principal, path, token)
            told = {**assignment.to_json(), "folder": str(folder), **wanted}
            command = [sys.executable, *COMMAND]
            environment = task_environment()
            logged = self._logs / f"{kernel.id}.log"
            async with start_child(command, told, log=logged, environment=environment, folder=Path("/")) as child:
                kernel.child = child
                async for message in child.messages():
                    # A kernel that has begun anew by itself tells the same again.
                    if "connection" in message and not kernel.connection.done():
                        kernel.connection.set_result(message["connection"])
                    elif "result" in message and not kernel.connection.done():
                        kernel.connection.set_exception(KernelFailed(str(message["result"]["error"])))
                kernel.code = await child.wait()
        except Exception as error:  # noqa: BLE001 - whoever has asked for it is told
            if not kernel.connection.done():
                kernel.connection.set_exception(error)
        finally:
            kernel.code = -1 if kernel.code is None else kernel.code
            if not kernel.connection.done():
                kernel.connection.set_exception(KernelFailed(f"its process has ended (exit status {kernel.code})."))
            await asyncio.shield(self._clean(folder, token, self._logs / f"{kernel.id}.log"))
            self._forget_old()

    async def _clean(self, folder: Path, token: str, logged: Path) -> None:
        await asyncio.to_thread(_remove, folder, logged)
        if token:
            await self._tokens.revoke(token)

    def _forget_old(self) -> None:
        ended = [kernel.id for kernel in self._kernels.values() if kernel.code is not None]
        for kernel_id in ended[:-_ENDED_KEPT]:
            del self._kernels[kernel_id]

    def _assignment(self, principal: Principal, path: str | None, token: str) -> Assignment:
        entity, found = None, f"{text_of(home_of(principal.name))}/Console"
        with self._surroundings.database.session(write=True) as session:
            workspace = WorkspaceService(session, principal, self._surroundings.layout)
            workspace.get(text_of(workspace.home))
            if path is not None:
                workspace.locate(path, "CAN_RUN")
                info = workspace.get(path)
                found = info.path
                entity = f"NOTEBOOK:{info.object_id}" if info.kind is Kind.NOTEBOOK else None
        return self._surroundings.assignment_of(
            principal, token, entity, what="A kernel", kind=KERNEL, path=found, tags={"notebookPath": found}
        )

    def of(self, principal: Principal, kernel_id: str) -> Kernel:
        """A kernel of a principal.

        Raises:
            KernelNotFound: If it has no such kernel.
        """
        kernel = self._kernels.get(kernel_id)
        if kernel is None or kernel.owner_id != principal.id:
            raise KernelNotFound(kernel_id)
        return kernel

    def interrupt(self, kernel: Kernel) -> None:
        """Interrupt what it works at."""
        if kernel.child is not None and not kernel.child.ended:
            os.kill(kernel.child.pid, signal.SIGINT)

    async def end(self, kernel: Kernel) -> None:
        """End it."""
        if kernel.child is not None:
            kernel.child.kill()
        if kernel.task is not None:
            if kernel.child is None:
                kernel.task.cancel()
            await asyncio.wait([kernel.task])

    async def stop(self) -> None:
        """End all."""
        await asyncio.gather(*(self.end(kernel) for kernel in list(self._kernels.values()) if kernel.code is None))


def _remove(folder: Path, logged: Path) -> None:
    """What a kernel has left, but a log that says something."""
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        if not logged.stat().st_size:
            logged.unlink()
