"""The running side of serving: which model servers there are, who answers a request, and the flush of what was logged."""

import asyncio
import contextlib
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import structlog
from sqlalchemy.orm import Session

from boathouse.catalog.api import CatalogService, Privilege
from boathouse.db import Database
from boathouse.deployment.api import Replaced
from boathouse.engine.sandbox import confine
from boathouse.errors import BoathouseError
from boathouse.features.api import FeatureService
from boathouse.history.api import Recorder
from boathouse.iam.api import IamService, Principal
from boathouse.registry.artifacts import version_folder
from boathouse.serving.capture import Flushed, Spool, ensure_payload_table
from boathouse.serving.config import Capture, ServedEntity
from boathouse.serving.errors import EndpointNotFound, EndpointNotReady
from boathouse.serving.lineage import logged, served
from boathouse.serving.process import Resources
from boathouse.serving.repository import ServingRepository
from boathouse.serving.running import Answer, Running
from boathouse.serving.served_model import ServedModel
from boathouse.serving.service import Endpoint, ServingService, finish_update
from boathouse.serving.starter import ModelStarter
from boathouse.storage.layout import Layout

log = structlog.stdlib.get_logger(__name__)

FLUSH_SECONDS = 2.0
DRAIN_SECONDS = 10.0
T = TypeVar("T")


class Serving:
    """All endpoints of this server. Made and stopped in the server's lifespan.

    Args:
        database: The metadata database.
        layout: The lake's folders.
        python: What becomes of users' Python: ``sandboxed``, ``trusted`` or ``off``.
        recorder: Is told what endpoints serve and where their requests are logged.
    """

    def __init__(self, database: Database, layout: Layout, python: str, recorder: Recorder) -> None:
        self._database, self._layout = database, layout
        self._python, self._recorder = python, recorder
        self._running: dict[str, Running] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._folder = layout.run / "models"
        self.begun = asyncio.Event()
        """Set once all endpoints are known."""
        self._starter = ModelStarter(self._folder, layout.logs / "model-servers.log")

    # ---- life

    async def start(self) -> None:
        """Bring back the endpoints that were there; they become ready on their own."""
        self._loop = asyncio.get_running_loop()
        self._folder.mkdir(mode=0o700, exist_ok=True)
        await asyncio.to_thread(_clear, self._folder)
        for record in await asyncio.to_thread(self._records):
            running = self._running[record.name] = Running(record)
            await self._open_spool(running)
            if record.config is not None:
                for entity in record.config.entities:
                    model = running.models[entity.name] = self._model(record, entity)
                    model.keep_trying()
                self._tell_lineage(record)
            if record.config_update == "IN_PROGRESS":
                running.update = asyncio.create_task(self._deploy(running))
        self.begun.set()
        self._spawn(self._flush_always())

    async def stop(self) -> None:
        """Stop all model servers and flush what was logged."""
        for task in self._tasks:
            task.cancel()
        updates = [running.update for running in self._running.values() if running.update]
        for task in updates:
            task.cancel()
        await asyncio.gather(*self._tasks, *updates, return_exceptions=True)
        models = [
            model for running in self._running.values() for model in (*running.models.values(), *running.pending.values())
        ]
        await asyncio.gather(*(model.stop() for model in models), return_exceptions=True)
        spools = [running.spool for running in self._running.values() if running.spool]
        await asyncio.gather(self._starter.stop(), *(asyncio.to_thread(spool.close) for spool in spools))

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _records(self) -> list[Endpoint]:
        with self._database.session() as session:
            rows = ServingRepository(session).all()
            nobody = Principal("", "", "user", frozenset(), is_admin=True)
            service = ServingService(session, nobody, self._layout)
            return [service.value(row) for row in rows]

    def reload_access(self) -> None:
        """Read again who made endpoints and who may use them: a principal was renamed or deleted. For any thread."""
        self._loop.call_soon_threadsafe(self._take_access, self._records())

    def _take_access(self, records: Sequence[Endpoint]) -> None:
        for record in records:
            running = self._running.get(record.name)
            if running is not None:
                running.record = replace(running.record, creator=record.creator, access=record.access)

    # ---- management

    async def manage(self, principal: Principal, action: Callable[[ServingService], T], *, write: bool = True) -> T:
        """Do something with the records in one transaction."""

        def act() -> T:
            with self._database.session(write=write) as session:
                return action(ServingService(session, principal, self._layout))

        return await asyncio.to_thread(act)

    async def changed(self, record: Endpoint) -> Endpoint:
        """Take note of a record that changed, and start the update that it may have pending."""
        running = self._running.get(record.name)
        if running is None:
            running = self._running[record.name] = Running(record)
        before = running.record.config.capture if running.record.config else None
        running.record = record
        if record.config is not None and record.config.capture != before:
            await self._open_spool(running)
        if record.config_update == "IN_PROGRESS" and (running.update is None or running.update.done()):
            running.update = asyncio.create_task(self._deploy(running))
        return record

    async def serve_instead(self, principal: Principal, model: str, came: int, went: int) -> list[Replaced]:
        """Have the endpoints that a principal may see and that serve a version of a model serve another one instead."""
        changed, problems = await self.manage(principal, lambda service: service.serve_instead(model, str(came), str(went)))
        for record in changed:
            await self.changed(record)
        done = [Replaced(record.name, None) for record in changed]
        return [*done, *(Replaced(name, problem) for name, problem in problems.items())]

    async def removed(self, record: Endpoint) -> None:
        """Stop an endpoint whose record is gone."""
        running = self._running.pop(record.name, None)
        if running is None:
            return
        running.is_gone = True
        running.tell()
        if running.update is not None:
            running.update.cancel()
            await asyncio.gather(running.update, return_exceptions=True)
        models = (*running.models.values(), *running.pending.values())
        await self._end(models, 1)
        if running.spool is not None:
            await asyncio.to_thread(running.spool.close)

    def find(self, name: str) -> Running:
        """A running endpoint.

        Raises:
            EndpointNotFound: If there is none.
        """
        running = self._running.get(name)
        if running is None:
            raise EndpointNotFound(name)
        return running

    def lookup(self, name: str) -> Running | None:
        """A running endpoint, or None."""
        return self._running.get(name)

    async def _deploy(self, running: Running) -> None:
        # The new model servers are ready before traffic moves; where one is not, all stays as it is.
        record, wanted = running.record, running.record.pending
        if wanted is None:
            return
        old = {model.entity.process_key: model for model in running.models.values()}
        running.pending = {
            entity.name: old.get(entity.process_key) or self._model(record, entity) for entity in wanted.entities
        }
        new = [model for model in running.pending.values() if model not in old.values()]
        try:
            await asyncio.gather(*(model.start() for model in new))
            spool = await self._make_spool(record, wanted.capture)
            await asyncio.to_thread(self._finish, running, None)
        except BoathouseError as error:
            await self._end(new)
            await asyncio.to_thread(self._finish, running, error.message)
            running.tell()
            log.warning("endpoint_update_failed", endpoint=record.name, reason=error.message)
            return
        gone = [model for model in running.models.values() if model not in running.pending.values()]
        former, running.spool = running.spool, spool
        running.models, running.pending = running.pending, {}
        running.tell()
        if former is not None and former is not spool:
            await asyncio.to_thread(former.close)
        log.info("endpoint_ready", endpoint=record.name, config_version=running.record.config_version)
        await self._end(gone, DRAIN_SECONDS)

    async def _end(self, models: Iterable[ServedModel], drain_seconds: float = 0) -> None:
        await asyncio.gather(*(model.stop(drain_seconds) for model in models))
        await self._starter.rest()

    def _finish(self, running: Running, problem: str | None) -> None:
        with self._database.session(write=True) as session:
            if not finish_update(session, running.record.id, problem):
                return
            creator = self._creator(session, running.record)
            record = ServingService(session, creator, self._layout).get_by_id(running.record.id)
        if problem is None:
            # Between this line and the swap of the models nothing awaits in the event loop for requests to see.
            for name, model in running.pending.items():
                running.models.setdefault(name, model)
            self._tell_lineage(record)
        running.record = record

    def _tell_lineage(self, record: Endpoint) -> None:
        """Record what an endpoint serves."""
        for entity in record.config.entities if record.config is not None else ():
            self._recorder.link(served(entity, record))

    def _creator(self, session: Session, record: Endpoint) -> Principal:
        return IamService(session).get_principal(record.creator_id)

    # ---- model servers

    def _model(self, record: Endpoint, entity: ServedEntity) -> ServedModel:
        folder = self._layout.logs / "serving" / record.name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        resources = Resources(
            model=partial(self._model_folder, record, entity),
            confined=partial(self._confined, record),
            feature_spec=partial(self._feature_spec, record, entity),
            bindings=partial(self._bindings, record),
            folder=self._folder,
        )
        log_path, build_log = folder / f"{entity.name}.log", folder / f"{entity.name}.build.log"
        return ServedModel(entity, resources, log_path, build_log, self._starter, partial(self._tell, record.name))

    def _tell(self, name: str) -> None:
        running = self._running.get(name)
        if running is not None:
            running.tell()

    async def _model_folder(self, record: Endpoint, entity: ServedEntity) -> Path:
        def find() -> Path:
            with self._database.session() as session:
                catalog = CatalogService(session, self._creator(session, record), self._layout)
                catalog.require_model(entity.entity_name, Privilege.EXECUTE)
            return version_folder(self._layout, entity.entity_name, entity.entity_version)

        return await asyncio.to_thread(find)

    async def _confined(self, record: Endpoint) -> bool:
        def ask() -> bool:
            with self._database.session() as session:
                is_admin = self._creator(session, record).is_admin
            return confine.needed(self._python, self._layout.root, is_admin=is_admin, what="A model server")

        return await asyncio.to_thread(ask)

    async def _feature_spec(self, record: Endpoint, entity: ServedEntity) -> dict[str, Any] | None:
        def resolve() -> dict[str, Any]:
            with self._database.session() as session:
                features = FeatureService(session, self._creator(session, record), self._layout)
                return features.require_spec(entity.entity_name).as_dict()

        return await asyncio.to_thread(resolve) if entity.is_feature_spec else None

    async def _bindings(
        self, record: Endpoint, tables: Sequence[tuple[str, str | None]], functions: Sequence[str]
    ) -> dict[str, Any]:
        def resolve() -> dict[str, Any]:
            with self._database.session() as session:
                features = FeatureService(session, self._creator(session, record), self._layout)
                found = [features.online_table(table, online_table) for table, online_table in tables]
                return {
                    "online_tables": [{"name": one.full_name, "place": one.place.dumps()} for one in found],
                    "functions": [asdict(source) for source in features.function_sources(functions)],
                }

        return await asyncio.to_thread(resolve)

    # ---- inference tables

    async def _make_spool(self, record: Endpoint, capture: Capture | None) -> Spool | None:
        if capture is None:
            return None
        running = self._running.get(record.name)

        def make() -> Spool:
            with self._database.session(write=True) as session:
                table = ensure_payload_table(session, self._creator(session, record), self._layout, capture)
            name = f"{record.id}-{table.id}"
            current = running.spool if running else None
            if current is not None and current.location == table.storage_location:
                return current
            folder: Path = self._layout.checkpoints / "inference" / name
            return Spool(
                folder,
                table.storage_location,
                f"boathouse-serving-{name}",
                table.full_name,
                lambda: self._recorder.link(logged(record, table.full_name)),
            )

        return await asyncio.to_thread(make)

    async def _open_spool(self, running: Running) -> None:
        former, config = running.spool, running.record.config
        try:
            running.spool = await self._make_spool(running.record, config.capture if config else None)
        except BoathouseError as error:
            log.warning("inference_table_unavailable", endpoint=running.record.name, reason=error.message)
        if former is not None and former is not running.spool:
            await asyncio.to_thread(former.close)

    async def flush(self, name: str) -> Flushed | None:
        """Bring everything that an endpoint answered so far into its inference table; None where it has none."""
        spool = self.find(name).spool
        return None if spool is None else await asyncio.to_thread(spool.flush)

    async def _flush_always(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            for running in list(self._running.values()):
                spool = running.spool
                if spool is not None and spool.waiting:
                    try:
                        await asyncio.to_thread(spool.flush)
                    except Exception as error:  # noqa: BLE001 - the rows wait in the spool, the next round tries again
                        log.warning("inference_rows_wait", table=spool.full_name, reason=str(error))

    # ---- requests

    async def ask(self, running: Running, body: bytes) -> Answer:
        """Send a request to one of an endpoint's model servers; where the first is starting, wait for it.

        Raises:
            EndpointNotReady: If none can answer.
        """
        started = time.perf_counter()
        try:
            model = running.choose()
        except EndpointNotReady:
            if not running.is_coming:
                raise
            await running.wait()
            model = running.choose()
        status = 503
        try:
            status, content = await model.ask(body)
        finally:
            labels = (running.record.name, model.entity.name)
            running.metrics.requests(*labels, status).inc()
            running.metrics.seconds(*labels).observe(time.perf_counter() - started)
        return Answer(status, content, model.entity)


def _clear(folder: Path) -> None:
    for left in folder.iterdir():
        with contextlib.suppress(OSError):
            shutil.rmtree(left)
