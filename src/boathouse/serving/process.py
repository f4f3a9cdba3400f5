"""A model server as the server sees it: started, asked, stopped."""

import asyncio
import contextlib
import json
import shutil
import socket
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boathouse.features.api import FeatureSpec, Place
from boathouse.registry.specs import feature_spec
from boathouse.serving.config import CONCURRENCY, ServedEntity
from boathouse.serving.errors import EndpointNotReady, ModelFailed
from boathouse.serving.protocol import HEADER, FromModel, ToModel, frame
from boathouse.serving.starter import ModelStarter

LOAD_SECONDS = 300
STOP_SECONDS = 1.0
MAX_WAITING = 256


@dataclass(frozen=True)
class Resources:
    """What a model server is given by its endpoint.

    Attributes:
        model: The folder of the model's files, if the endpoint's creator may execute it.
        confined: Whether the process has to confine itself, since it runs code of users.
        feature_spec: The feature spec that is served, if it is one and the endpoint's creator may execute it.
        bindings: For pairs of a feature table and an online table, if that is named, and for functions by their names: ``name`` and ``place`` of the online
            tables and the functions' sources, if the endpoint's creator may use them.
        folder: Where the process's own files go.
    """

    model: Callable[[], Awaitable[Path]]
    confined: Callable[[], Awaitable[bool]]
    feature_spec: Callable[[], Awaitable[dict[str, Any] | None]]
    bindings: Callable[[Sequence[tuple[str, str | None]], Sequence[str]], Awaitable[dict[str, Any]]]
    folder: Path


class ModelProcess:
    """One process that serves one model version.

    Args:
        entity: What it serves.
        resources: What it is given.
        spec: The feature spec, if it serves one.
        log_path: Where its output goes.
        starter: Starts it.
    """

    def __init__(
        self,
        entity: ServedEntity,
        resources: Resources,
        spec: Mapping[str, Any] | None,
        log_path: Path,
        starter: ModelStarter,
    ) -> None:
        self.entity = entity
        self._starter = starter
        self._spec = spec
        self.facts: dict[str, Any] = {}
        self._resources = resources
        self._log_path = log_path
        self._waiting: dict[int, asyncio.Future[tuple[int, bytes]]] = {}
        self._number = 0
        self._events: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()
        self._folder: Path | None = None

    @property
    def pid(self) -> int:
        """Its process identifier."""
        return self._process.pid

    async def start(self) -> None:
        """Start it and wait until it can answer.

        Raises:
            ModelFailed: If it cannot; the message says why.
        """
        try:
            async with asyncio.timeout(LOAD_SECONDS):
                await self._start()
        except TimeoutError:
            await self.stop()
            raise ModelFailed(f"The model server was not ready after {LOAD_SECONDS} s.") from None
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        configuration = await self._configuration()
        ours, theirs = socket.socketpair()
        self._folder = Path(tempfile.mkdtemp(prefix="model-", dir=self._resources.folder))
        with theirs, self._log_path.open("ab", buffering=0) as out:
            try:
                self._process = await self._starter.start(theirs, out, has_variables=bool(self.entity.environment_vars))
            except OSError as error:
                ours.close()
                reason = error.strerror or str(error) or "no process within the time for it"
                message = f"The model server could not be started: {reason}"
                raise ModelFailed(message) from error
        self._reader, self._writer = await asyncio.open_connection(sock=ours)
        self._pump = asyncio.create_task(self._read())
        self._send(ToModel.CONFIGURE, configuration | {"folder": str(self._folder)})
        self.facts = loaded = await self._event(FromModel.LOADED)
        self._send(ToModel.BIND, await self._resources.bindings(loaded["online_tables"], loaded["functions"]))
        await self._event(FromModel.READY)

    async def _configuration(self) -> dict[str, Any]:
        model = None if self._spec is not None else await self._resources.model()
        spec = FeatureSpec.parse(self._spec) if model is None else await asyncio.to_thread(feature_spec, model)
        wanted = [] if spec is None else [(lookup.table, lookup.online_table) for lookup in spec.lookups]
        places = [Place.loads(one["place"]) for one in (await self._resources.bindings(wanted, ()))["online_tables"]]
        return {
            "environment": self.entity.environment_vars,
            "feature_spec": self._spec,
            "model": None if model is None else str(model),
            "confined": await self._resources.confined(),
            "files": [file for place in places if place.is_local for file in (place.address, f"{place.address}-lock")],
            "concurrency": CONCURRENCY[self.entity.workload_size],
        }

    def _send(self, code: ToModel, facts: dict[str, Any]) -> None:
        self._writer.write(frame(code, json.dumps(facts).encode()))

    async def _event(self, wanted: FromModel) -> dict[str, Any]:
        code, body = await self._events.get()
        if code == wanted:
            facts: dict[str, Any] = json.loads(body) if body else {}
            return facts
        if code == FromModel.FAILED:
            raise ModelFailed(str(json.loads(body)["message"]))
        raise ModelFailed(f"The model server ended while it loaded the model (exit status {await self._process.wait()}).")

    async def _read(self) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                length, number, code = HEADER.unpack(await self._reader.readexactly(HEADER.size))
                body = await self._reader.readexactly(length)
                if code < 100:
                    self._events.put_nowait((code, body))
                elif (future := self._waiting.pop(number, None)) is not None and not future.done():
                    future.set_result((code, body))
        self._events.put_nowait((0, b""))
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(EndpointNotReady(self.entity.name, "its model server ended; it is started again."))
        self._waiting.clear()

    async def ended(self) -> int:
        """Wait until the process is gone; its exit status."""
        return await self._process.wait()

    async def ask(self, body: bytes) -> tuple[int, bytes]:
        """Send a request and wait for the answer.

        Returns:
            HTTP status and JSON.

        Raises:
            EndpointNotReady: If the process ends before it answered, or too many requests wait.
        """
        if self._pump.done():
            raise EndpointNotReady(self.entity.name, "its model server ended; it is started again.")
        if len(self._waiting) >= MAX_WAITING:
            raise EndpointNotReady(self.entity.name, f"{MAX_WAITING} requests wait already. Ask again later.")
        self._number = (self._number + 1) & 0xFFFFFFFF
        number = self._number
        future: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._writer.write(frame(ToModel.REQUEST, body, number))
        try:
            return await future
        finally:
            self._waiting.pop(number, None)

    async def drain(self, seconds: float) -> None:
        """Wait until what was asked is answered."""
        if self._waiting:
            await asyncio.wait(list(self._waiting.values()), timeout=seconds)

    async def stop(self) -> None:
        """End the process, within a second or so, and remove its files."""
        process = getattr(self, "_process", None)
        if process is not None:
            if hasattr(self, "_writer"):
                self._writer.close()
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_SECONDS)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if self._folder is not None:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
