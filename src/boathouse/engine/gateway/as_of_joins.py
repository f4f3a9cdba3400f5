"""As-of joins of a plan that are made beside the engine: which they are, and how their results come into the plan.

A client's plan holds the join as the engine makes it, with hints around it and around the rows that features are added to. Where
all of a table's files may be read by who asks, and there are enough of them, the engine writes the rows, a process joins them
with the files, and the result is read in the join's place. What fails there is done by the engine after all.
"""

import asyncio
import json
import os
import shutil
import sys
import time
import uuid
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import structlog
from grpc.aio import AioRpcError

from boathouse.catalog.api import Privilege, TableInfo
from boathouse.engine.as_of.request import HINT, ROWS_HINT, AsOfLookup, AsOfRequest
from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.messages.walk import walk
from boathouse.engine.gateway.names.visit import Visit
from boathouse.engine.gateway.readings import Reading
from boathouse.engine.gateway.session import EngineSession
from boathouse.errors import BoathouseError
from boathouse.storage.paths import from_url
from boathouse.tables.api import data_path, last_version, replay

log = structlog.get_logger(__name__)

SETTING = "spark.boathouse.asOfJoin"
"""Of a session: ``auto``, ``local`` (whatever the tables' size) or ``engine``."""
_FEWEST_ROWS = 100_000
_SIMPLE = frozenset(
    {"boolean", "byte", "short", "integer", "long", "float", "double", "string", "date", "timestamp", "timestamp_ntz", "binary"}
    | {"decimal"}
)
_KEYS = dict.fromkeys(("byte", "tinyint", "short", "smallint", "integer", "int", "long", "bigint"), "integer") | {
    name: name for name in ("string", "boolean", "date")
}
"""Type of a key, as the engine or the catalog spells it -> what it is compared as."""
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH")
_LEAST_BUDGET, _MOST_BUDGET = 256_000_000, 1_500_000_000
_turn = asyncio.Semaphore(1)


@dataclass(frozen=True)
class Files:
    """A version of a table as the process reads it."""

    folder: str
    version: int
    rows: int


@dataclass(frozen=True)
class Local:
    """A join that is made beside the engine.

    Attributes:
        request: What it asks for.
        files: Its tables.
        schema: Of its result, as the plan has it.
    """

    request: AsOfRequest
    files: tuple[Files, ...]
    schema: Any


@dataclass(frozen=True)
class Choice:
    """How one join is made.

    Attributes:
        node: The hint around it.
        why: What decided it.
        local: What it is made of; None where the engine joins.
    """

    node: Any
    why: str
    local: Local | None = None

    @property
    def is_local(self) -> bool:
        """Whether it is made beside the engine."""
        return self.local is not None

    def __str__(self) -> str:
        """For people."""
        return f"{'local (Polars on the Delta files)' if self.is_local else 'engine'}: {self.why}"


class _OnEngine(Exception):
    """Why the engine makes a join."""


def hinted(plan: Any) -> Iterator[Any]:
    """The hints around the joins of a plan."""
    for message in walk(plan):
        if message.DESCRIPTOR.full_name == "spark.connect.Relation" and message.hint.name == HINT:
            yield message


def choices(plan: Any, visit: Visit) -> list[Choice]:
    """How each as-of join of a plan is made; blocks.

    Args:
        plan: A plan that was looked at already.
        visit: Which has done that.
    """
    return [_choice(node, visit) for node in hinted(plan)]


def _choice(node: Any, visit: Visit) -> Choice:
    try:
        local = _local(AsOfRequest.loads(node.hint.parameters[0].literal.string if node.hint.parameters else ""), node, visit)
    except (_OnEngine, ValueError, KeyError, BoathouseError) as reason:
        return Choice(node, str(reason))
    tables = (f"{lookup.table}@{one.version}" for lookup, one in zip(local.request.lookups, local.files, strict=True))
    return Choice(node, f"{', '.join(tables)}, {sum(one.rows for one in local.files):,} feature rows", local)


def _local(request: AsOfRequest, node: Any, visit: Visit) -> Local:
    """What a join beside the engine is made of."""
    setting = (visit.session.setting(SETTING) or "auto").lower()
    if setting == "engine":
        raise _OnEngine(f"{SETTING} is engine")
    if visit.session.capabilities.is_shared:
        raise _OnEngine(f"{visit.session.capabilities.name} may be on other machines than the files")
    if find_spec("polars") is None:
        raise _OnEngine("polars is not installed (boathouse[features])")
    if not request.lookups:
        raise _OnEngine("one look-up finds its rows by what another has found")
    zone = visit.session.setting("spark.sql.session.timeZone")
    schema = visit.session.schema(node)
    kinds = _require_known(request, schema, zone)
    files = tuple(_files(one, visit, kinds, zone) for one in request.lookups)
    rows = sum(one.rows for one in files)
    if setting != "local" and rows < _FEWEST_ROWS:
        raise _OnEngine(f"{rows:,} feature rows are few")
    return Local(request, files, schema)


def _require_known(request: AsOfRequest, schema: Any, zone: str | None) -> dict[str, str]:
    """The types of a join's columns, if all are such that they come out of the files as from the engine."""
    kinds = {one.name: str(one.data_type.WhichOneof("kind")) for one in schema.struct.fields}
    if tuple(kinds) != request.outputs:
        raise _OnEngine("the plan has other columns than the hint")
    for name, kind in kinds.items():
        if kind not in _SIMPLE:
            raise _OnEngine(f"the column {name} is of type {kind}")
    for one in request.lookups:
        if one.time is not None:
            _require_time(one.time, kinds[one.time], zone)
    return kinds


def _require_time(name: str, kind: str, zone: str | None) -> None:
    if kind != "timestamp" and (kind != "timestamp_ntz" or zone not in {"UTC", "Etc/UTC"}):
        raise _OnEngine(f"the time {name} is of type {kind}, and the session's zone is {zone}")


def _require_keys(lookup: AsOfLookup, mine: Mapping[str, str], its: Mapping[str, str]) -> None:
    for row_key, key in zip(lookup.row_keys, lookup.table_keys, strict=True):
        one, other = _KEYS.get(mine[row_key]), _KEYS.get(its[key])
        if one is None or one != other:
            raise _OnEngine(f"the key {key} is of type {its[key]}, {row_key} of type {mine[row_key]}")


def _require_readable(lookup: AsOfLookup, visit: Visit) -> TableInfo:
    """The table, all of which the asker may read.

    The plan reads it too, or else the history would not know; and who asks has to see all of it, and not only a view's owner.
    """
    table = visit.access.table(visit.principal, lookup.table, Privilege.SELECT)
    if table is None or table.full_name not in visit.resolver.reads:
        raise _OnEngine(f"{lookup.table} is not read by its name")
    if table.has_policy:
        raise _OnEngine(f"{table.full_name} has a row filter or a mask")
    if table.is_view or table.data_source_format != "DELTA":
        raise _OnEngine(f"{table.full_name} is no Delta table")
    if not table.storage_location.startswith(("file:", "/")):
        raise _OnEngine(f"{table.full_name} lies in an object store")
    return table


def _files(lookup: AsOfLookup, visit: Visit, kinds: Mapping[str, str], zone: str | None) -> Files:
    """The files of a table."""
    table = _require_readable(lookup, visit)
    its = {column["name"]: str(column["type_text"]).lower() for column in table.columns}
    asked = (*lookup.table_keys, *lookup.features, lookup.timeseries_key, lookup.available_at)
    if not its.keys() >= set(filter(None, asked)):
        raise _OnEngine(f"{table.full_name} has no longer all columns")
    _require_keys(lookup, kinds, its)
    for name in filter(None, (lookup.timeseries_key, lookup.available_at)):
        _require_time(name, its[name], zone)
    return _version_of(table, _version(lookup, table, visit.session.reading))


def _version(lookup: AsOfLookup, table: TableInfo, reading: Reading) -> int:
    if lookup.version is not None:
        return lookup.version
    noted = [version for name, version in reading.versions if name == table.full_name]
    return noted[-1] if noted else last_version(table.storage_location)


def _version_of(table: TableInfo, version: int) -> Files:
    """A version of a table, if its files are its own and hold its rows and columns as they are."""
    state, folder = replay(table.storage_location, version), from_url(table.storage_location)
    if (state.metadata.get("configuration") or {}).get("delta.columnMapping.mode", "none") != "none":
        raise _OnEngine(f"the columns of {table.full_name} have other names in its files")
    rows = 0
    for add in state.files.values():
        if add.get("deletionVector"):
            raise _OnEngine(f"{table.full_name} has deletion vectors")
        data_path(folder, add["path"])
        rows += int(json.loads(add.get("stats") or "{}").get("numRecords", _FEWEST_ROWS))
    return Files(str(folder), version, rows)


class LocalJoins:
    """The joins of one plan that are made beside the engine.

    Args:
        request: An ExecutePlanRequest that is ready for the engine.
        chosen: Its joins.
        session: The session of the request.
        scratch: Where results lie until the operation has ended.
    """

    def __init__(self, request: Any, chosen: list[Choice], session: EngineSession, scratch: Path) -> None:
        self._request = request
        self._chosen = [(one, one.local) for one in chosen if one.local is not None]
        self._session = session
        self._folder = scratch / uuid.uuid4().hex

    async def made(self) -> bytes | None:
        """The request with the results in the places of the joins; None where none was made."""
        done = False
        for place, (choice, local) in enumerate(self._chosen):
            started = time.monotonic()
            try:
                async with _turn:
                    await self._join(choice.node, local, self._folder / str(place))
            except (_OnEngine, AioRpcError, OSError) as reason:
                log.warning("as_of.on_engine", why=str(reason).splitlines()[0][:300])
            else:
                done = True
                log.info("as_of.local", what=choice.why, seconds=round(time.monotonic() - started, 3))
        return self._request.SerializeToString() if done else None

    def discard(self) -> None:
        """Remove the results."""
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _join(self, node: Any, local: Local, folder: Path) -> None:
        await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True)
        rows = [
            one for one in walk(node) if one.DESCRIPTOR.full_name == "spark.connect.Relation" and one.hint.name == ROWS_HINT
        ]
        if not rows:
            raise _OnEngine("the plan has no rows")
        command = proto().Command()
        write = command.write_operation
        write.source, write.path = "parquet", str(folder / "rows")
        write.mode = proto().WriteOperation.SAVE_MODE_OVERWRITE
        write.options["compression"] = "uncompressed"
        write.input.CopyFrom(rows[0].hint.input)
        await self._session.responses(command)
        order = {
            "request": local.request.dumps(),
            "rows": str(folder / "rows"),
            "result": str(folder / "result"),
            "budget": min(max(psutil.virtual_memory().available // 8, _LEAST_BUDGET), _MOST_BUDGET),
            "tables": [{"folder": one.folder, "version": one.version, "rows": one.rows} for one in local.files],
        }
        await _run(order)
        await asyncio.to_thread(shutil.rmtree, folder / "rows", ignore_errors=True)
        result = proto().Relation()
        result.read.data_source.format = "parquet"
        result.read.data_source.paths.append(str(folder / "result"))
        node.CopyFrom(_typed(result, local.schema, node))


@asynccontextmanager
async def joined(request: bytes, joins: LocalJoins) -> AsyncGenerator[bytes]:
    """A request once its as-of joins are made, which are there as long as the block runs."""
    try:
        yield await joins.made() or request
    finally:
        await asyncio.to_thread(joins.discard)


def _typed(result: Any, schema: Any, node: Any) -> Any:
    """The result with the types and names that the plan has them in."""
    relation = proto().Relation()
    relation.common.CopyFrom(node.common)
    relation.project.input.CopyFrom(result)
    for one in schema.struct.fields:
        alias = relation.project.expressions.add().alias
        alias.name.append(one.name)
        alias.expr.cast.expr.unresolved_attribute.unparsed_identifier = f"`{one.name.replace('`', '``')}`"
        alias.expr.cast.type.CopyFrom(one.data_type)
    return relation


async def _run(order: Mapping[str, Any]) -> None:
    environment = {key: os.environ[key] for key in _PASSED_ON if key in os.environ}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "boathouse.engine.as_of",
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    try:
        _, said = await process.communicate(json.dumps(order).encode())
    except BaseException:
        if process.returncode is None:
            process.kill()
        await process.wait()
        raise
    if process.returncode:
        lines = said.decode(errors="replace").strip().splitlines() or [f"status {process.returncode}"]
        raise _OnEngine(lines[-1])
