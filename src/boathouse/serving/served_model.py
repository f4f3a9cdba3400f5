"""A served entity as an endpoint sees it: something answers for it, is watched, and started again when it ends."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from boathouse.errors import BoathouseError
from boathouse.features.api import FeatureSpec, Place
from boathouse.kit.clock import now_ms
from boathouse.serving.config import ServedEntity
from boathouse.serving.errors import EndpointNotReady, ModelFailed
from boathouse.serving.look_ups import LookUps
from boathouse.serving.process import ModelProcess, Resources
from boathouse.serving.starter import ModelStarter

log = structlog.stdlib.get_logger(__name__)

BACKOFF_SECONDS = (0.2, 1, 2, 5, 10, 30)


class ServedModel:
    """A served entity: keeps one model server running, or looks up what needs none.

    Args:
        entity: What is served.
        resources: What the processes are given.
        log_path: Where their output goes.
        build_log: Where the history of starts goes.
        starter: Starts the processes.
        changed: Is called when its state has changed.
    """

    def __init__(
        self,
        entity: ServedEntity,
        resources: Resources,
        log_path: Path,
        build_log: Path,
        starter: ModelStarter,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.entity = entity
        self.state = "DEPLOYMENT_CREATING"
        self.message = "Starting the model server"
        self.restarts = 0
        self.is_coming = True
        """Whether it is starting, and has not failed to since it last could answer or was made."""
        self._changed = changed
        self.log_path, self.build_log = log_path, build_log
        self._resources, self._starter = resources, starter
        self._answering: ModelProcess | LookUps | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Whether it can answer."""
        return self.state == "DEPLOYMENT_READY"

    @property
    def facts(self) -> dict[str, Any]:
        """What the model says of itself: inputs, outputs, request columns."""
        return self._answering.facts if self._answering else {}

    @property
    def pid(self) -> int | None:
        """Of the running process; None where it needs none."""
        return self._answering.pid if self._answering and self.ready else None

    def _note(self, state: str, message: str, *, is_coming: bool = False) -> None:
        self.state, self.message, self.is_coming = state, message, is_coming
        with self.build_log.open("a") as out:
            out.write(f"{now_ms()} {state} {message}\n")
        self._changed()

    async def start(self) -> None:
        """Start and wait until it is ready; from then on it is kept running.

        Raises:
            ModelFailed: If the model cannot be served.
        """
        name = self.entity.title
        self._note("DEPLOYMENT_CREATING", f"Loading {name}", is_coming=True)
        try:
            self._answering = await self._started()
        except BoathouseError as error:
            self._note("DEPLOYMENT_FAILED", error.message)
            raise ModelFailed(error.message) from error
        self._note("DEPLOYMENT_READY", f"Serving {name} {_where(self._answering)}")
        self._watch = asyncio.create_task(self._keep(self._answering))

    def keep_trying(self) -> None:
        """Start in the background and, where that fails, again and again: for endpoints that come back after a restart."""
        self._watch = asyncio.create_task(self._keep(None))

    async def _started(self) -> ModelProcess | LookUps:
        """What answers from now on.

        Functions are somebody's code, and stores elsewhere have to be waited for; what only looks up in files needs no process.
        """
        raw = await self._resources.feature_spec()
        if raw is not None:
            spec = FeatureSpec.parse(raw)
            if not spec.functions:
                wanted = [(lookup.table, lookup.online_table) for lookup in spec.lookups]
                tables: list[dict[str, str]] = (await self._resources.bindings(wanted, ()))["online_tables"]
                if all(Place.loads(one["place"]).is_local for one in tables):
                    return await asyncio.to_thread(LookUps, spec, tables, self.log_path)
        process = ModelProcess(self.entity, self._resources, raw, self.log_path, self._starter)
        await process.start()
        return process

    async def _keep(self, answering: ModelProcess | LookUps | None) -> None:
        attempt = 0
        while True:
            if answering is not None:
                loop = asyncio.get_running_loop()
                started = loop.time()
                status = await answering.ended()
                attempt = 0 if loop.time() - started > 60 else attempt
                why = f"The model server ended with {_how(status)}"
                await answering.stop()
                self.restarts += 1
                wait = BACKOFF_SECONDS[min(attempt, len(BACKOFF_SECONDS) - 1)]
                message = f"{why}; starting it again in {wait} s (restart {self.restarts})"
                self._note("DEPLOYMENT_RECOVERING", message, is_coming=attempt == 0)
                log.warning("model_server_ended", served_entity=self.entity.name, exit_status=status, restarts=self.restarts)
                await asyncio.sleep(wait)
                attempt += 1
            try:
                answering = await self._started()
            except BoathouseError as error:
                answering = None
                wait = BACKOFF_SECONDS[min(attempt, len(BACKOFF_SECONDS) - 1)]
                self._note("DEPLOYMENT_RECOVERING", f"{error.message} Trying again in {wait} s.")
                await asyncio.sleep(wait)
                attempt += 1
                continue
            self._answering = answering
            self._note("DEPLOYMENT_READY", f"Serving again {_where(answering)}")

    async def ask(self, body: bytes) -> tuple[int, bytes]:
        """Send a request and wait for the answer.

        Raises:
            EndpointNotReady: If there is no process that could answer.
        """
        if self._answering is None or not self.ready:
            raise EndpointNotReady(self.entity.name, self.message)
        return await self._answering.ask(body)

    async def stop(self, drain_seconds: float = 0) -> None:
        """Answer what was asked, then end the process."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        if self._answering is not None:
            await self._answering.drain(drain_seconds)
            await self._answering.stop()


def _where(answering: ModelProcess | LookUps) -> str:
    return "in the server" if answering.pid is None else f"(process {answering.pid})"


def _how(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"exit status {status}"
