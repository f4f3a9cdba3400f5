"""One Sail process per principal: started on first use, stopped when idle, replaced after a crash."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc.aio
import structlog

from boathouse.engine import usage
from boathouse.engine.capabilities import SAIL
from boathouse.engine.errors import EngineCrashed, EngineUnavailable, GatewayStopping
from boathouse.engine.limits import EngineLimits
from boathouse.engine.link import CHANNEL_OPTIONS, Engine, EngineEnding, EngineSession, ServerTokens
from boathouse.engine.metrics import EngineMetrics
from boathouse.engine.runaways import Runaways
from boathouse.engine.starter import EngineStarter
from boathouse.iam.api import Principal
from boathouse.kit.prepared import Process
from boathouse.storage.layout import Layout

log = structlog.get_logger(__name__)

TOKEN_SECONDS = 7 * 24 * 3600
"""Lifetime of the token with which an engine asks the catalog."""
SCRATCH_CATALOG = "__boathouse"
"""A catalog in the engine's memory; the gateway uses it to make Delta logs through the engine."""
_CHECKPOINTS = "checkpoints"
_START_SECONDS = 30.0
_MEMORY_SECONDS = 0.5
_RUNAWAY_SECONDS = 1.0
_MOST_ENDINGS = 1000
_STOP_SECONDS = 1.0
_SPARE_THREADS = 2
_NAN_COUNTS = {
    "SAIL_EXECUTION__COLLECT_STATISTICS": "false",
    "SAIL_PARQUET__PRUNING": "false",
    "SAIL_PARQUET__ENABLE_PAGE_INDEX": "false",
}
"""Statistics in Parquet files leave NaN out, whoever wrote them, and the engine would believe them; those in tables' logs it keeps."""
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


@dataclass(frozen=True)
class EngineBackend(ServerTokens):
    """What the pool needs of the rest of the server.

    Attributes:
        list_catalogs: Names of the catalogs that a principal may know of.
    """

    list_catalogs: Callable[[Principal], Sequence[str]]


@dataclass(eq=False, kw_only=True)
class SailEngine(Engine):
    """A running engine process."""

    process: Process
    line: asyncio.StreamWriter
    port: int
    token: str
    log: Path
    catalogs: frozenset[str]
    reason: str = "DRIVER_UNEXPECTED_FAILURE"
    too_big: str | None = None
    watch: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        """Whether calls may be sent to it."""
        return not self.stopping and self.process.returncode is None

    async def loss(self) -> EngineCrashed | None:
        """How the process ended, if it has."""
        how = await self.has_ended()
        return None if how is None else EngineCrashed(how, str(self.log))

    async def has_ended(self, within: float = 1.0) -> str | None:
        """How the process ended, or None if it runs on; waits a moment, since a broken connection is noticed first."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self.process.wait()), within)
        code = self.process.returncode
        if code is None:
            return None
        if self.too_big is not None:
            return self.too_big
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


class EnginePool:
    """The engine processes of one server. Lives on one event loop.

    Args:
        layout: Where logs and the processes' working folders go.
        backend: Tokens and catalogs.
        metrics: What is counted.
        limits: What each engine may take.
        idle_seconds: An engine that nobody used for so long is stopped.
        interrupted_seconds: And one that goes on for so long with what was interrupted, while nobody uses it.
    """

    def __init__(
        self,
        layout: Layout,
        backend: EngineBackend,
        metrics: EngineMetrics,
        limits: EngineLimits,
        *,
        idle_seconds: float = 900,
        interrupted_seconds: float = 30,
    ) -> None:
        self.capabilities = SAIL
        self.limits = limits
        self.idle_seconds = idle_seconds
        self._layout = layout
        self._backend = backend
        self._metrics = metrics
        self._engines: dict[str, SailEngine] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._endings: OrderedDict[str, EngineEnding] = OrderedDict()
        self._runaways = Runaways(interrupted_seconds)
        self._sweepers: list[asyncio.Task[None]] = []
        self._starter = EngineStarter(layout.run / "engines", layout.logs / "engines.log", _passed_on(layout.run / "engines"))
        self._closed = False

    async def start(self) -> None:
        """Begin to look after idle engines."""
        self._sweepers = [
            asyncio.create_task(self._sweep(), name="engine-sweeper"),
            asyncio.create_task(self._watch_memory(), name="engine-memory"),
            asyncio.create_task(self._watch_interrupted(), name="engine-interrupted"),
        ]

    async def stop(self) -> None:
        """Stop all engines, within about a second."""
        self._closed = True
        for sweeper in self._sweepers:
            sweeper.cancel()
        await asyncio.gather(*(self._end(engine) for engine in list(self._engines.values())), *self._ending)
        await self._starter.stop()

    async def get(self, principal: Principal) -> SailEngine:
        """The principal's engine, started if it does not run.

        Raises:
            EngineUnavailable: If the process does not start.
            GatewayStopping: If the pool is being stopped.
        """
        engine = self._engines.get(principal.id)
        if engine is not None and engine.alive:
            return engine
        async with self._locks.setdefault(principal.id, asyncio.Lock()):
            engine = self._engines.get(principal.id)
            if engine is not None and engine.alive:
                return engine
            if self._closed:
                raise GatewayStopping
            engine = await self._launch(principal)
            self._engines[principal.id] = engine
            self._metrics.processes.set(len(self._engines))
            engine.watch = asyncio.create_task(self._watch(engine), name=f"engine-watch-{engine.process.pid}")
            return engine

    def runs(self, principal_id: str) -> bool:
        """Whether the principal's engine runs, or is being started."""
        engine = self._engines.get(principal_id)
        lock = self._locks.get(principal_id)
        return (engine is not None and engine.alive) or (lock is not None and lock.locked())

    async def end(self, principal_id: str) -> bool:
        """Stop a principal's engine on somebody's wish; whether it ran."""
        engine = self._engines.get(principal_id)
        if engine is None or engine.stopping:
            return False
        engine.reason = "USER_REQUEST"
        await self._end(engine)
        return True

    def endings(self) -> dict[str, EngineEnding]:
        """When and why each principal's last engine ended, of those that have since the server was started."""
        return dict(self._endings)

    def sessions(self) -> list[EngineSession]:
        """The engines that run."""
        running = [engine for engine in list(self._engines.values()) if engine.alive]
        sizes = usage.measure(engine.process.pid for engine in running)
        return [
            EngineSession(
                engine.principal,
                engine.process.pid,
                engine.started_at,
                engine.last_used_at,
                sizes[engine.process.pid].total,
                engine.open_requests,
            )
            for engine in running
            if engine.process.pid in sizes
        ]

    async def _launch(self, principal: Principal) -> SailEngine:
        began = time.monotonic()
        token, catalogs = await asyncio.to_thread(self._credentials, principal)
        folder = self._layout.run / "engines" / principal.id
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        log_path = self._layout.logs / f"engine-{principal.id}.log"
        spill = folder / "spill"
        await asyncio.to_thread(_make_empty, spill)
        settings = {
            "python": self.limits.python_for(principal),
            "functions": str(folder / "functions"),
            "memory": self.limits.memory,
        }
        orders = {
            "environment": self._sail_settings(token, catalogs, spill),
            "server": [self._backend.server_url, token],
            "from": os.getpid(),
        }
        process, line, port = await self._start_process(folder, log_path, json.dumps(settings), orders)
        seconds = round(time.monotonic() - began, 3)
        log.info("engine.started", principal=principal.name, pid=process.pid, port=port, seconds=seconds)
        self._metrics.starts.inc()
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=CHANNEL_OPTIONS)
        return SailEngine(
            principal=principal,
            process=process,
            line=line,
            channel=channel,
            capabilities=self.capabilities,
            port=port,
            token=token,
            log=log_path,
            catalogs=frozenset(catalogs),
            checkpoints=spill / _CHECKPOINTS,
        )

    def _credentials(self, principal: Principal) -> tuple[str, list[str]]:
        catalogs = [name for name in self._backend.list_catalogs(principal) if name not in {"system", SCRATCH_CATALOG}]
        catalogs.sort(key=lambda name: (name != "main", name))
        return self._backend.issue_token(principal, TOKEN_SECONDS), catalogs or ["main"]

    def _sail_settings(self, token: str, catalogs: Sequence[str], spill: Path) -> dict[str, str]:
        # Every catalog is a catalog of the engine, so that tables of other formats than Delta can be read by their names; those of
        # a catalog that is made later are known to the next engine.
        unity = [
            f'{{type="unity", name="{name}", uri="{self._backend.server_url}/api/2.1/unity-catalog", default_catalog="{name}", token="{token}"}}'
            for name in catalogs
        ]
        scratch = f'{{type="memory", name="{SCRATCH_CATALOG}", initial_database=["default"]}}'
        return {
            "SAIL_CATALOG__LIST": f"[{', '.join([*unity, scratch])}]",
            "SAIL_CATALOG__DEFAULT_CATALOG": catalogs[0],
            "SAIL_SPARK__SESSION_TIMEOUT_SECS": str(int(max(3600, self.idle_seconds))),
            "SAIL_RUNTIME__MEMORY_POOL__TYPE": "fair",
            "SAIL_RUNTIME__MEMORY_POOL__FAIR__MAX_SIZE": str(self.limits.pool),
            "SAIL_OPTIMIZER__PREFER_HASH_JOIN": "true" if self.limits.joins == "hash" else "false",
            "SAIL_RUNTIME__TEMPORARY_FILES__PATHS": json.dumps([str(spill)]),
            "SAIL_EXECUTION__CHECKPOINT__PATH": (spill / _CHECKPOINTS).as_uri(),
            **_NAN_COUNTS,
            "UNITY_ALLOW_HTTP_URL": "true",
            "RUST_LOG": "warn",
            # A join may hold a thread for many seconds. With one more than those that work, small questions are still answered.
            "TOKIO_WORKER_THREADS": str((os.cpu_count() or 1) + _SPARE_THREADS),
        }

    async def _start_process(
        self, folder: Path, log_path: Path, settings: str, orders: Mapping[str, object]
    ) -> tuple[Process, asyncio.StreamWriter, int]:
        ours, its = socket.socketpair()
        reader, line = await asyncio.open_connection(sock=ours)
        with its, log_path.open("ab") as log_file:
            try:
                process = await self._starter.start(settings, _passed_on(folder), folder, log_file.fileno(), its)
            except (OSError, TimeoutError) as error:
                line.close()
                raise EngineUnavailable(str(log_path), str(error) or "no process within the time for it") from error
        with contextlib.suppress(TimeoutError, OSError, ValueError):
            line.write(json.dumps(orders).encode() + b"\n")
            await line.drain()
            answer = await asyncio.wait_for(reader.readline(), _START_SECONDS)
            return process, line, int(json.loads(answer)["port"])
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        line.close()
        raise EngineUnavailable(str(log_path), f"exit code {await process.wait()}")

    async def _watch(self, engine: SailEngine) -> None:
        code = await engine.process.wait()
        if self._engines.get(engine.principal.id) is engine:
            del self._engines[engine.principal.id]
            self._metrics.processes.set(len(self._engines))
        self._endings[engine.principal.id] = EngineEnding(engine.principal, engine.started_at, time.time(), engine.reason)
        self._endings.move_to_end(engine.principal.id)
        while len(self._endings) > _MOST_ENDINGS:
            self._endings.popitem(last=False)
        if not engine.stopping:
            self._metrics.crashes.inc()
            log.error("engine.crashed", principal=engine.principal.name, pid=engine.process.pid, exit_code=code)
        with contextlib.suppress(Exception):
            await asyncio.to_thread(self._backend.revoke_token, engine.token)

    async def _end(self, engine: SailEngine) -> None:
        engine.stopping = True
        engine.line.close()
        try:
            await asyncio.wait_for(asyncio.shield(engine.process.wait()), _STOP_SECONDS)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                engine.process.kill()
            await engine.process.wait()
        # What runs in it fails with what has become of it; closing would cancel it, as if its client had wished that.
        await engine.left(_STOP_SECONDS)
        await engine.channel.close(None)
        if engine.watch is not None:
            await engine.watch
        log.info("engine.stopped", principal=engine.principal.name, pid=engine.process.pid)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(min(self.idle_seconds / 4, 30.0))
            now = time.time()
            for engine in list(self._engines.values()):
                if engine.open_requests or engine.stopping:
                    continue
                idle = now - engine.last_used_at > self.idle_seconds
                worn = now - engine.started_at > TOKEN_SECONDS - 24 * 3600
                if idle or worn:
                    self._let_end(engine, "INACTIVITY")
            if not self._engines:
                await self._starter.rest()

    def _let_end(self, engine: SailEngine, reason: str) -> None:
        engine.stopping = True
        engine.reason = reason
        task = asyncio.create_task(self._end(engine))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _watch_interrupted(self) -> None:
        """End engines that go on with what was interrupted: the next call starts another."""
        while True:
            await asyncio.sleep(_RUNAWAY_SECONDS)
            asked = {engine.process.pid: engine for engine in self._engines.values() if engine.interruptions and engine.alive}
            if not asked:
                continue
            spent = await asyncio.to_thread(usage.spent, list(asked))
            gone_on = self._runaways.look({asked[pid]: seconds for pid, seconds in spent.items()})
            for engine in asked.values():
                if engine in gone_on and engine.alive and not engine.open_requests:
                    log.warning("engine.ignored_interrupt", principal=engine.principal.name, pid=engine.process.pid)
                    self._let_end(engine, "DRIVER_UNRESPONSIVE")

    async def _watch_memory(self) -> None:
        """The second line: what the engine's own account of its memory does not see."""
        while True:
            await asyncio.sleep(_MEMORY_SECONDS)
            busy = {engine.process.pid: engine for engine in self._engines.values() if engine.alive and engine.open_requests}
            if busy:
                for pid, used in (await asyncio.to_thread(usage.measure, list(busy))).items():
                    if used.total > self.limits.memory:
                        self._shrink(busy[pid], used)

    def _shrink(self, engine: SailEngine, used: usage.Usage) -> None:
        biggest = max(used.workers, key=lambda pid: used.workers[pid], default=None)
        if biggest is not None and used.engine < self.limits.memory:
            log.warning("engine.worker_too_big", principal=engine.principal.name, pid=biggest, bytes=used.workers[biggest])
            with contextlib.suppress(ProcessLookupError):
                os.kill(biggest, signal.SIGKILL)
            return
        engine.reason = "DRIVER_OUT_OF_MEMORY"
        engine.too_big = (
            f"it had {used.total // 1024**2} MiB of memory and may have {self.limits.memory // 1024**2}; select less at once, "
            "aggregate before collecting, or have BOATHOUSE_ENGINE_MEMORY raised"
        )
        log.error("engine.too_big", principal=engine.principal.name, pid=engine.process.pid, bytes=used.total)
        with contextlib.suppress(ProcessLookupError):
            engine.process.kill()


def _passed_on(home: Path) -> dict[str, str]:
    """What an engine's process finds in its environment."""
    return {key: os.environ[key] for key in _PASSED_ON if key in os.environ} | {"HOME": str(home)}


def _make_empty(folder: Path) -> None:
    """A new folder in the place of what a crash may have left."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
