"""Execution contexts: kernels that are sent commands over REST, one after another."""

import asyncio
import importlib.util
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import structlog

from boathouse.errors import BoathouseError
from boathouse.iam.api import Principal
from boathouse.kit.ids import new_id
from boathouse.workspace.commands.errors import CommandNotFound, CommandsMissing, ContextNotFound, ContextNotRunning
from boathouse.workspace.commands.results import Shown
from boathouse.workspace.lab.kernels import Kernel, Kernels

log = structlog.stdlib.get_logger(__name__)

Language = Literal["python", "sql", "scala", "r"]
ContextStatus = Literal["Pending", "Running", "Error"]
CommandStatus = Literal["Queued", "Running", "Cancelling", "Cancelled", "Finished", "Error"]
MOST_COMMANDS = 1000
"""Of a context; the oldest that have ended are forgotten."""
_NEEDED = ("ipykernel", "jupyter_client")
_LOOK_SECONDS = 0.2
_READY_SECONDS = 60.0


@dataclass
class Command:
    """A command.

    Attributes:
        id: Its own.
        code: What it runs.
        status: How far it is.
        results: What it has shown, once it has ended.
        taken: Whether the kernel has said that it runs it. It ignores interrupts before.
    """

    id: str
    code: str
    status: CommandStatus = "Queued"
    results: dict[str, Any] | None = None
    taken: bool = False

    @property
    def canceling(self) -> bool:
        """Whether it is being interrupted."""
        return self.status == "Cancelling"

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self.status in {"Cancelled", "Finished", "Error"}


@dataclass
class Context:
    """An execution context.

    Attributes:
        id: Its own.
        owner_id: Of the principal whose it is.
        cluster_id: Of the cluster that it was asked for on.
        language: Of commands that name none.
        status: How far it is.
        why: It takes no commands, if it does not.
    """

    id: str
    owner_id: str
    cluster_id: str
    language: Language
    status: ContextStatus = "Pending"
    why: str = "it has not started yet."
    kernel: Kernel | None = field(default=None, repr=False)
    client: Any = field(default=None, repr=False)
    commands: dict[str, Command] = field(default_factory=dict[str, Command], repr=False)
    queue: asyncio.Queue[Command] = field(default_factory=asyncio.Queue[Command], repr=False)
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def kernel_language(self) -> Literal["python", "sql"]:
        """Of plain cells in its kernel; other languages are said with each command."""
        return "sql" if self.language == "sql" else "python"


class Commands:
    """The contexts of this server.

    Args:
        kernels: Start the processes; a context counts as a kernel of its owner's.
        idle_seconds: So long a context stays that is sent nothing.
    """

    def __init__(self, kernels: Kernels, idle_seconds: float) -> None:
        self._kernels = kernels
        self._idle_seconds = idle_seconds
        self._contexts: dict[str, Context] = {}

    async def create(self, principal: Principal, cluster_id: str, language: Language) -> Context:
        """Make a context; it is running some seconds later.

        Raises:
            CommandsMissing: If kernels are not installed.
        """
        if any(importlib.util.find_spec(name) is None for name in _NEEDED):
            raise CommandsMissing
        context = Context(new_id(), principal.id, cluster_id, language)
        self._contexts[context.id] = context
        context.task = asyncio.create_task(self._run(context, principal), name=f"context-{context.id}")
        return context

    def of(self, principal: Principal, cluster_id: str, context_id: str) -> Context:
        """A context of a principal on a cluster.

        Raises:
            ContextNotFound: If there is none.
        """
        context = self._contexts.get(context_id)
        if context is None or (context.owner_id, context.cluster_id) != (principal.id, cluster_id):
            raise ContextNotFound(context_id)
        return context

    def command(self, context: Context, command_id: str) -> Command:
        """A command of a context.

        Raises:
            CommandNotFound: If there is none.
        """
        if command_id not in context.commands:
            raise CommandNotFound(command_id)
        return context.commands[command_id]

    def execute(self, context: Context, language: Language | None, code: str) -> Command:
        """Let a context run a command after those that it has.

        Raises:
            ContextNotRunning: If it takes none.
        """
        if context.status != "Running":
            raise ContextNotRunning(context.id, context.why)
        wanted = language or context.language
        command = Command(new_id(), code if wanted == context.kernel_language else f"%{wanted}\n{code}")
        ended = [one.id for one in context.commands.values() if one.ended]
        for old in ended[: max(0, len(context.commands) - MOST_COMMANDS + 1)]:
            del context.commands[old]
        context.commands[command.id] = command
        context.queue.put_nowait(command)
        return command

    def cancel(self, context: Context, command: Command) -> None:
        """Interrupt a command, or do not begin it; one that has ended stays as it is."""
        if command.status == "Queued":
            command.status = "Cancelled"
        elif command.status == "Running":
            command.status = "Cancelling"
            if command.taken and context.kernel is not None:
                self._kernels.interrupt(context.kernel)

    def _taken(self, kernel: Kernel, command: Command) -> None:
        command.taken = True
        if command.canceling:
            self._kernels.interrupt(kernel)

    async def destroy(self, context: Context) -> None:
        """End a context with all that runs in it."""
        self._contexts.pop(context.id, None)
        if context.task is not None:
            context.task.cancel()
            await asyncio.wait([context.task])

    async def stop(self) -> None:
        """End all."""
        await asyncio.gather(*(self.destroy(context) for context in list(self._contexts.values())))

    async def _run(self, context: Context, principal: Principal) -> None:
        try:
            context.kernel = await self._kernels.start(principal, None, context.kernel_language, None, cells=True)
            context.client = await _connected(context.kernel.connection.result())
            context.status, context.why = "Running", ""
            await self._work(context, context.kernel)
        except BoathouseError as error:
            context.why = error.message
        except Exception as error:
            context.why = f"{type(error).__name__}."
            log.exception("context.failed", context=context.id)
        finally:
            context.status = "Error"
            for command in context.commands.values():
                if not command.ended:
                    command.status = "Error"
                    command.results = {"resultType": "error", "summary": context.why, "cause": context.why}
            if context.client is not None:
                context.client.stop_channels()
            if context.kernel is not None:
                await asyncio.shield(self._kernels.end(context.kernel))

    async def _work(self, context: Context, kernel: Kernel) -> None:
        """Run commands until none has come for long, or the kernel ends."""
        ended = kernel.task
        if ended is None:
            return
        while True:
            coming = asyncio.ensure_future(context.queue.get())
            done, _ = await asyncio.wait({coming, ended}, timeout=self._idle_seconds, return_when=asyncio.FIRST_COMPLETED)
            if coming not in done:
                coming.cancel()
                context.why = "its process has ended." if done else "it was idle for long."
                if not done:
                    self._contexts.pop(context.id, None)
                return
            command = coming.result()
            if command.status != "Queued":
                continue
            command.status = "Running"
            shown = Shown()
            taken = partial(self._taken, kernel, command)
            running = asyncio.ensure_future(_execute(context.client, command.code, shown, taken))
            try:
                done, _ = await asyncio.wait({running, ended}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not running.done():
                    running.cancel()
            if running not in done:
                context.why = f"its process has ended (exit status {kernel.code}) while a command ran."
                return
            await running
            command.results, command.status = shown.results(), "Cancelled" if command.canceling else "Finished"


async def _connected(connection: Mapping[str, Any]) -> Any:
    """A client that hears all that a kernel says."""
    from jupyter_client.asynchronous.client import AsyncKernelClient  # noqa: PLC0415 - an extra

    client = AsyncKernelClient()
    info: Any = dict(connection)
    client.load_connection_info(info)
    client.start_channels(shell=True, iopub=True, stdin=False, hb=False, control=False)  # noqa: S604 - no shell of the system
    async with asyncio.timeout(_READY_SECONDS):
        while True:
            client.kernel_info()
            with suppress(Exception):  # nothing has come yet
                await client.get_iopub_msg(timeout=_LOOK_SECONDS)
                return client


async def _execute(client: Any, code: str, shown: Shown, taken: Callable[[], None]) -> None:
    """Run code and gather what it shows; ``taken`` is called once the kernel is about to run it."""
    message = client.execute(code, store_history=False, allow_stdin=False, stop_on_error=False)
    while True:
        told = await client.get_iopub_msg(timeout=None)
        if told["parent_header"].get("msg_id") != message:
            continue
        if told["msg_type"] == "status" and told["content"]["execution_state"] == "idle":
            break
        if told["msg_type"] == "execute_input":
            taken()
        shown.add(told["msg_type"], told["content"])
    while True:
        answer = await client.get_shell_msg(timeout=None)
        if answer["parent_header"].get("msg_id") == message:
            return
