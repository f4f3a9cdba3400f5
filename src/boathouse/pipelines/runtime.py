"""The running side of pipelines: a process for each update, what it tells recorded, and what a restart finds."""

import asyncio
import shutil
import sys
import tempfile
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import structlog

from boathouse.catalog.api import CatalogService, private_schema
from boathouse.db import Database
from boathouse.engine.sandbox import confine
from boathouse.errors import BoathouseError, InvalidState
from boathouse.iam.api import PIPELINE, Authenticator, IamService, Principal
from boathouse.kit.children import Child, start_child
from boathouse.pipelines.events import Event, UpdateState, update_progress
from boathouse.pipelines.files import SourceReader
from boathouse.pipelines.info import PipelineInfo, UpdateInfo
from boathouse.pipelines.ingestion_spec import source_of
from boathouse.pipelines.release import EXTRACTION, makes_something, release, what_is_left
from boathouse.pipelines.repository import PipelineRepository
from boathouse.pipelines.schemas import StartBody
from boathouse.pipelines.service import PipelineService, note, remember
from boathouse.pipelines.settings import PREFIX, Settings
from boathouse.storage.layout import Layout

log = structlog.stdlib.get_logger(__name__)

TOKEN_SECONDS = 7 * 24 * 3600
STOP_SECONDS = 30.0
_PRODUCTION_RETRIES = 2
_DRIVER = "boathouse.pipelines.running.driver"
T = TypeVar("T")


@dataclass
class Running:
    """An update under way."""

    pipeline: PipelineInfo
    update: UpdateInfo
    child: Child | None = None
    task: "asyncio.Task[None] | None" = None
    stopping: bool = False
    ended: UpdateState | None = None
    landed: dict[str, Any] | None = None
    """Of an ingestion: what has landed, and what has not."""
    commands: tuple[str, ...] = ()
    """Of a graph that a client has defined; its pipeline has no source of its own."""
    listener: Callable[[Event | None], None] | None = None
    """Is told every event, and None at the end."""


@dataclass(frozen=True)
class Places:
    """Where a process of an update finds the server.

    Attributes:
        base_url: Of the REST API.
        spark_remote: Of the gateway, as ``SparkSession.builder.remote`` takes it, without the token.
        python: What becomes of users' Python: ``sandboxed``, ``trusted`` or ``off``.
        heeded: The settings of a session that the engine knows, as its capabilities have them; None for all.
    """

    base_url: str
    spark_remote: str
    python: str
    heeded: frozenset[str] | None

    @property
    def ports(self) -> list[int]:
        """The ports that such a process has to reach."""
        return [port for url in (self.base_url, self.spark_remote) if (port := urlsplit(url).port) is not None]


class Pipelines:
    """All pipelines of this server. Made and stopped in the server's lifespan.

    Args:
        database: The metadata database.
        layout: The lake's folders.
        authenticator: Makes the tokens of the processes.
        places: Where the processes find the server.
        end_session: Ends a session of somebody's with the gateway, with all that runs in it.
    """

    def __init__(
        self,
        database: Database,
        layout: Layout,
        authenticator: Authenticator,
        places: Places,
        end_session: Callable[[Principal, str], Awaitable[None]],
    ) -> None:
        self._database = database
        self._layout = layout
        self._authenticator = authenticator
        self._places = places
        self._end_session = end_session
        self._running: dict[str, Running] = {}
        self._closing = False

    async def start(self) -> None:
        """End what a server that is gone left, and start continuous pipelines again."""
        for pipeline_id in await asyncio.to_thread(self._recover):
            try:
                await self.start_update(None, pipeline_id, StartBody(cause="RETRY_ON_FAILURE"))
            except BoathouseError as error:
                log.warning("pipeline_not_restarted", pipeline=pipeline_id, reason=error.message)

    async def stop(self) -> None:
        """Stop all updates; the next start finds them, as it does after a crash, and records that they failed."""
        self._closing = True
        tasks = [one.task for one in self._running.values() if one.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def manage(self, principal: Principal, action: Callable[[PipelineService], T], *, write: bool = True) -> T:
        """Do something with the records in one transaction."""

        def act() -> T:
            with self._database.session(write=write) as session:
                return action(PipelineService(session, principal, self._layout))

        return await asyncio.to_thread(act)

    async def start_update(self, principal: Principal | None, pipeline_id: str, body: StartBody) -> UpdateInfo:
        """Start an update; without a principal as whom the pipeline runs as.

        Raises:
            UpdateRunning: If one is under way.
        """
        if principal is None:
            principal = await asyncio.to_thread(self._runner, pipeline_id)
        pipeline, update = await self.manage(principal, lambda service: service.start(pipeline_id, body))
        running = self._running[update.id] = Running(pipeline, update)
        running.task = asyncio.create_task(self._carry_out(running), name=f"pipeline-update-{update.id}")
        return update

    async def run_update(self, principal: Principal, pipeline_id: str, body: StartBody) -> tuple[UpdateInfo, str | None]:
        """Start an update and wait for its end; the update then, and what went wrong. Who is canceled meanwhile stops it.

        Raises:
            UpdateRunning: If one is under way.
        """
        update = await self.start_update(principal, pipeline_id, body)
        running = self._running.get(update.id)
        try:
            if running is not None and running.task is not None:
                await asyncio.wait([running.task])
        except asyncio.CancelledError:
            await asyncio.shield(self._stop_running(pipeline_id))
            raise

        def told(service: PipelineService) -> tuple[UpdateInfo, str | None]:
            of_update = f"level = 'ERROR' AND update_id = '{update.id}'"
            events, _ = service.events(pipeline_id, of_update, 1, newest_first=True, after=0)
            return service.get_update(pipeline_id, update.id), events[0].message if events else None

        return await self.manage(principal, told, write=False)

    async def start_graph(
        self,
        principal: Principal,
        spec: dict[str, Any],
        options: dict[str, Any],
        commands: tuple[str, ...],
        listener: Callable[[Event | None], None],
    ) -> Running:
        """Run a graph that a client has defined, as an update of the pipeline that has its storage and schema.

        Raises:
            UpdateRunning: If it runs already.
        """
        pipeline, update = await self.manage(principal, lambda service: service.start_graph(spec, options))
        running = self._running[update.id] = Running(pipeline, update, commands=commands, listener=listener)
        running.task = asyncio.create_task(self._carry_out(running), name=f"pipeline-update-{update.id}")
        return running

    async def leave(self, running: Running) -> None:
        """The client of a graph is gone: if the update still runs, it ends."""
        running.listener = None
        if running.update.id in self._running and running.ended is None:
            running.stopping = True
            await self._halt(running)

    async def stop_update(self, principal: Principal, pipeline_id: str) -> PipelineInfo:
        """Begin to stop what runs of a pipeline."""
        pipeline = await self.manage(principal, lambda service: service.get(pipeline_id, "CAN_RUN"), write=False)
        await self._stop_running(pipeline_id)
        return await self.manage(principal, lambda service: service.get(pipeline.id), write=False)

    async def _stop_running(self, pipeline_id: str) -> None:
        for running in self._running.values():
            if running.pipeline.id == pipeline_id and not running.stopping:
                running.stopping = True
                await asyncio.to_thread(self._record, running, update_progress(running.update.id, UpdateState.STOPPING))
                asyncio.get_running_loop().create_task(self._halt(running))

    async def delete(self, principal: Principal, pipeline_id: str) -> str | None:
        """Delete a pipeline and stop what runs of it; answers what is left of it at its source, if anything is."""
        await self.manage(principal, lambda service: service.get(pipeline_id, "IS_OWNER"), write=False)
        tasks = [one.task for one in self._running.values() if one.pipeline.id == pipeline_id and one.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        pipeline = await self.manage(principal, lambda service: service.delete(pipeline_id))
        if not makes_something(pipeline.spec):
            return None
        try:
            source = await asyncio.to_thread(self._source, pipeline.run_as_id, pipeline.spec)
            why = await release(pipeline_id, source)
        except BoathouseError as error:
            why = error.message
        if why is None:
            return None
        log.warning("pipeline_left_at_source", pipeline=pipeline_id, reason=why)
        return what_is_left(pipeline.spec, pipeline_id, why)

    # ------------------------------------------------------------------------------------------------------ updates

    def _recover(self) -> list[str]:
        again: list[str] = []
        with self._database.session(write=True) as session:
            rows = PipelineRepository(session)
            for row in rows.active():
                error = InvalidState("The server was stopped while the update ran.")
                note(session, row.pipeline_id, row.id, update_progress(row.id, UpdateState.FAILED, error=error))
                if row.spec.get("continuous"):
                    again.append(row.pipeline_id)
        return again

    def _runner(self, pipeline_id: str) -> Principal:
        with self._database.session() as session:
            row = PipelineRepository(session).by_id(pipeline_id)
            if row is None:
                message = f"The pipeline {pipeline_id} is gone."
                raise InvalidState(message)
            return IamService(session).get_principal(row.run_as_id)

    async def _carry_out(self, running: Running) -> None:
        error: BaseException | None = None
        try:
            await self._process(running)
        except BoathouseError as refused:
            error = refused
        except Exception as unexpected:
            log.exception("pipeline_update_failed", update=running.update.id)
            error = unexpected
        finally:
            if running.ended is None and not self._closing:
                state = UpdateState.CANCELED if running.stopping else UpdateState.FAILED
                await asyncio.shield(
                    asyncio.to_thread(
                        self._record,
                        running,
                        update_progress(running.update.id, state, error=None if running.stopping else error),
                    )
                )
            self._running.pop(running.update.id, None)
            if running.listener is not None:
                running.listener(None)

    async def _process(self, running: Running) -> None:
        session_id = str(uuid.uuid4())
        assignment, token, runner = await asyncio.to_thread(self._assignment, running, session_id)
        scratch = Path(tempfile.mkdtemp(prefix="pipeline-"))
        try:
            if running.update.spec.get("ingestion_definition") is not None:
                await self._ingest(running, {**assignment, "folder": str(scratch)})
            else:
                await self._drive(running, _DRIVER, {**assignment, "folder": str(scratch)})
        finally:
            await asyncio.shield(self._leave_nothing(runner, session_id, token))
            shutil.rmtree(scratch, ignore_errors=True)

    async def _leave_nothing(self, runner: Principal, session_id: str, token: str) -> None:
        """End what the process of an update, which is gone, has begun with the gateway: the next one may begin then."""
        await asyncio.to_thread(self._revoke, token)
        if not self._closing:
            await self._end_session(runner, session_id)

    async def _ingest(self, running: Running, assignment: Mapping[str, Any]) -> None:
        """Bring what is new at a source, then what has landed into its tables, then let the source know."""
        spec = running.update.spec
        extraction = {**assignment, "source": await asyncio.to_thread(self._source, running.pipeline.run_as_id, spec)}
        await self._drive(running, EXTRACTION, extraction)
        if running.ended is not None or running.stopping or running.landed is None:
            return
        landed, remembered = running.landed, await asyncio.to_thread(self._remembered, running.pipeline.id)
        await self._drive(running, _DRIVER, {**assignment, "landed": landed, "remembered": remembered})
        if landed["confirm"] and not running.stopping:
            remembered = await asyncio.to_thread(self._remembered, running.pipeline.id)
            await self._drive(running, EXTRACTION, {**extraction, "remembered": remembered, "confirm": True})

    def _source(self, run_as_id: str, spec: Mapping[str, Any]) -> dict[str, Any]:
        """The connection of an ingestion, and its declaration of an HTTP API if that stands in a file."""
        with self._database.session() as session:
            runner = IamService(session).get_principal(run_as_id)
            catalog = CatalogService(session, runner, self._layout)
            return source_of(spec, catalog, SourceReader(session, runner, self._layout))

    def _remembered(self, pipeline_id: str) -> dict[str, Any]:
        with self._database.session() as session:
            row = PipelineRepository(session).by_id(pipeline_id)
            return {} if row is None else dict(row.remembered)

    async def _drive(self, running: Running, module: str, assignment: Mapping[str, Any]) -> None:
        place = self.log_of(running.pipeline.id, running.update.id)
        async with start_child([sys.executable, "-P", "-m", module], assignment, log=place) as child:
            running.child = child
            if running.stopping:
                await child.say({"say": "stop"})
            async for message in child.messages():
                await self._heard(running, child, message)
            code = await child.wait()
        if running.ended is None and not running.stopping and (module == _DRIVER or running.landed is None):
            message = f"The process of the update ended unexpectedly (exit status {code}). Its log: {running.pipeline.id}/{place.name}."
            raise InvalidState(message)

    async def _heard(self, running: Running, child: Child, message: Mapping[str, Any]) -> None:
        if "event" in message:
            event = Event.from_json(message["event"])
            await asyncio.to_thread(self._record, running, event)
            if running.listener is not None:
                running.listener(event)
        elif "landed" in message:
            running.landed = message["landed"]
        elif "remember" in message:
            said = message["remember"]
            await asyncio.to_thread(self._remember, running.pipeline.id, said["key"], said["value"])
            await child.say({"say": "kept"})

    async def _halt(self, running: Running) -> None:
        """Ask an update to end, and end it where it does not."""
        if running.child is not None:
            await running.child.stop(STOP_SECONDS)
        if running.task is not None:
            await asyncio.wait([running.task], timeout=STOP_SECONDS)

    def _assignment(self, running: Running, session_id: str) -> tuple[dict[str, Any], str, Principal]:
        """What the process of an update is told, the token in it, and whom that is of."""
        pipeline, update = running.pipeline, running.update
        spec = update.spec
        with self._database.session() as session:
            runner = IamService(session).get_principal(pipeline.run_as_id)
            reader = SourceReader(session, runner, self._layout)
            sources, root = reader.read(spec), reader.root(spec)
        token = self._authenticator.issue_internal_token(runner, f"{PIPELINE}:{pipeline.id}", TOKEN_SECONDS)
        development = bool(update.options.get("development", spec.get("development", False)))
        configuration = {
            **spec.get("configuration", {}),
            **(spec.get("parameters") or {}),
            **update.options.get("parameters", {}),
        }
        entity = quote(f"PIPELINE:{pipeline.id}:{update.id}", safe=":")
        settings = Settings.of(configuration)
        retries = 0 if development else _PRODUCTION_RETRIES
        chosen = ("full_refresh", "full_refresh_selection", "refresh_selection", "validate_only")
        options: dict[str, Any] = {key: update.options[key] for key in chosen if key in update.options}
        assigned = {
            "pipeline_id": pipeline.id,
            "update_id": update.id,
            "remote": f"{self._places.spark_remote}/;token={token};session_id={session_id};x-boathouse-entity={entity}",
            "base_url": self._places.base_url,
            "ports": self._places.ports,
            "token": token,
            "catalog": pipeline.catalog,
            "schema": pipeline.schema,
            "storage": spec.get("storage"),
            "private": private_schema(pipeline.id),
            "heeded": None if self._places.heeded is None else sorted(self._places.heeded),
            "root": None if root is None else str(root),
            "configuration": {key: value for key, value in configuration.items() if not key.startswith(PREFIX)},
            "options": {
                **options,
                "retries": retries if settings.retries is None else settings.retries,
                "parallel": settings.parallel,
                "interval": settings.interval,
                "continuous": pipeline.is_continuous,
            },
            "remembered": dict(pipeline.remembered),
            "sources": [source.to_json() for source in sources],
            "commands": list(running.commands),
            "landed": None,
            "confined": confine.needed(
                self._places.python, self._layout.root, is_admin=runner.is_admin, what="The source of a pipeline"
            ),
        }
        return assigned, token, runner

    def _record(self, running: Running, event: Event) -> None:
        with self._database.session(write=True) as session:
            note(session, running.pipeline.id, running.update.id, event)
        if event.kind == "update_progress" and UpdateState(event.details["state"]).is_final:
            running.ended = UpdateState(event.details["state"])

    def _remember(self, pipeline_id: str, key: str, value: Any) -> None:
        with self._database.session(write=True) as session:
            remember(session, pipeline_id, key, value)

    def _revoke(self, token: str) -> None:
        with self._database.session(write=True) as session:
            IamService(session).revoke(token)
        self._authenticator.forget(token)

    def log_of(self, pipeline_id: str, update_id: str) -> Path:
        """Where the output of an update's process is."""
        return self._layout.logs / "pipelines" / pipeline_id / f"{update_id}.log"
