"""A Delta table's log, action by action: what a version consists of, and commits of our own.

delta-rs refuses to commit to tables with features that it does not know (defaults, identity columns, ...) and has no operation
for most changes of metadata. Such commits are written here, by the rules of the Delta protocol.
"""

import json
import os
import re
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from boathouse.kit.clock import now_ms
from boathouse.storage.opening import ATTEMPTS, wait_before
from boathouse.storage.paths import from_url
from boathouse.tables.errors import CommitLost, DeltaRefused, TableUnreadable, TruncatedLog

Action = dict[str, Any]
"""One action without its name: the value of ``{"add": {...}}``."""

FileKey = tuple[str, str | None]
"""What identifies a logical file: its path and its deletion vector."""

_COMMIT = re.compile(r"(\d{20})\.json")
_NOTE: ContextVar[Callable[[], str | None]] = ContextVar("note", default=lambda: None)
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint(?:\.\d{10}\.(\d{10}))?\.parquet")
_WRITABLE = frozenset(
    {
        *("appendOnly", "invariants", "checkConstraints", "changeDataFeed", "generatedColumns", "columnMapping"),
        *("identityColumns", "deletionVectors", "timestampNtz", "v2Checkpoint", "allowColumnDefaults", "inCommitTimestamp"),
        *("domainMetadata", "rowTracking", "clustering", "vacuumProtocolCheck", "typeWidening", "typeWidening-preview"),
        *("variantType", "variantType-preview", "variantShredding-preview"),
    }
)
_LEGACY_WRITER = (
    (2, ("appendOnly", "invariants")),
    (3, ("checkConstraints",)),
    (4, ("changeDataFeed", "generatedColumns")),
    (5, ("columnMapping",)),
    (6, ("identityColumns",)),
)
_MOST_TRIES = 20
FEATURES_WRITER, FEATURES_READER = 7, 3
CLUSTERING = "boathouse.clusteringColumns"
"""The property that holds the physical names of the columns that a table is clustered by."""


@dataclass(frozen=True)
class State:
    """A version of a table, as its log tells it.

    Attributes:
        location: The table.
        version: Which version.
        protocol: The ``protocol`` action.
        metadata: The ``metaData`` action.
        files: The ``add`` actions that hold, by path and deletion vector.
        removed: The ``remove`` actions that the log still has, of files that are not there any more.
        transactions: The newest version of each application's transactions.
        domains: The ``domainMetadata`` actions that hold, by domain.
    """

    location: str
    version: int
    protocol: Action
    metadata: Action
    files: Mapping[FileKey, Action]
    removed: Mapping[FileKey, Action] = field(default_factory=dict[FileKey, Action])
    transactions: Mapping[str, int] = field(default_factory=dict[str, int])
    domains: Mapping[str, Action] = field(default_factory=dict[str, Action])

    @property
    def folder(self) -> Path:
        """Where the table lies."""
        return from_url(self.location)

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The schema as Delta's JSON; not to be changed."""
        return json.loads(self.metadata["schemaString"])

    @property
    def configuration(self) -> dict[str, str]:
        """The table's properties."""
        return self.metadata.get("configuration") or {}

    @property
    def partition_columns(self) -> list[str]:
        """Names of the columns that it is partitioned by."""
        return self.metadata.get("partitionColumns") or []

    @property
    def size_bytes(self) -> int:
        """Bytes of all its files."""
        return sum(int(add["size"]) for add in self.files.values())

    @property
    def writer_features(self) -> frozenset[str]:
        """What a writer has to support, those that its version implies among them."""
        if self.protocol["minWriterVersion"] >= FEATURES_WRITER:
            return frozenset(self.protocol.get("writerFeatures") or ())
        implied = [names for version, names in _LEGACY_WRITER if version <= self.protocol["minWriterVersion"]]
        return frozenset(name for names in implied for name in names)

    @property
    def reader_features(self) -> frozenset[str]:
        """What a reader has to support."""
        if self.protocol["minReaderVersion"] >= FEATURES_READER:
            return frozenset(self.protocol.get("readerFeatures") or ())
        return frozenset({"columnMapping"} if self.protocol["minReaderVersion"] == 2 else ())

    @property
    def mapped(self) -> bool:
        """Whether its columns have physical names of their own."""
        return self.configuration.get("delta.columnMapping.mode", "none") != "none"

    def clustering(self) -> list[str]:
        """The columns that the table is clustered by, by their physical names."""
        found = self.domains.get("delta.clustering")
        if found is None:
            return list(json.loads(self.configuration.get(CLUSTERING, "[]")))
        return [".".join(path) for path in json.loads(found["configuration"]).get("clusteringColumns", [])]


def file_key(action: Action) -> FileKey:
    """What identifies the logical file of an ``add`` or ``remove`` action."""
    vector = action.get("deletionVector")
    if not vector:
        return action["path"], None
    return action["path"], f"{vector['storageType']}{vector['pathOrInlineDv']}@{vector.get('offset')}"


def commit_file(folder: Path, version: int) -> Path:
    """The file of a commit."""
    return folder / "_delta_log" / f"{version:020}.json"


def commits(folder: Path) -> list[int]:
    """The versions whose commit files are there, oldest first."""
    try:
        names = [entry.name for entry in os.scandir(folder / "_delta_log")]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(int(found[1]) for name in names if (found := _COMMIT.fullmatch(name)))


def is_table(location: str) -> bool:
    """Whether a Delta log lies at a location."""
    folder = from_url(location)
    return bool(commits(folder)) or any((folder / "_delta_log").glob("*.checkpoint*"))


def actions_of(folder: Path, version: int) -> list[Action]:
    """The actions of one commit, each with its name.

    Raises:
        TruncatedLog: If the file is not whole.
    """
    path = commit_file(folder, version)
    try:
        return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    except json.JSONDecodeError as error:
        raise TruncatedLog(str(folder), path.name) from error


def commit_info(folder: Path, version: int) -> Action:
    """What a commit says of itself; empty where it says nothing. Only the first lines of the file are read, as a rule."""
    with commit_file(folder, version).open() as lines:
        for line in lines:
            if '"commitInfo"' in line:
                found = json.loads(line).get("commitInfo")
                if found is not None:
                    return found
    return {}


def commit_time(folder: Path, version: int) -> int:
    """When a version was committed, in ms since the epoch."""
    info = commit_info(folder, version)
    time = info.get("inCommitTimestamp") or info.get("timestamp")
    return int(time) if time else int(commit_file(folder, version).stat().st_mtime * 1000)


def _listed(location: str, folder: Path, version: int | None) -> tuple[range, int | None]:
    """The commits that a version needs, and the checkpoint that they follow."""
    attempt = 0
    while True:
        attempt += 1
        there = frozenset(commits(folder))
        last = version if version is not None else max(there, default=_newest_checkpoint(folder, None) or -1)
        if last < 0:
            raise TableUnreadable(location, "no Delta log is there.")
        start = _newest_checkpoint(folder, last)
        needed = range(0 if start is None else start + 1, last + 1)
        missing = next((number for number in needed if number not in there), None)
        if missing is None:
            return needed, start
        newest = max(there, default=-1)
        if missing > newest or attempt == ATTEMPTS:
            why = "does not have" if missing > newest else "has no longer"
            raise TableUnreadable(location, f"the log {why} version {missing}.")
        wait_before(attempt)


def replay(location: str, version: int | None = None) -> State:
    """A version of a table; the newest by default.

    Raises:
        TableUnreadable: If there is no Delta log, or not all of it.
    """
    folder = from_url(location)
    needed, start = _listed(location, folder, version)
    builder = _Builder(location)
    if start is not None:
        builder.add_checkpoint(folder, start)
    for number in needed:
        for action in actions_of(folder, number):
            builder.add(action)
    return builder.state(needed.stop - 1)


def _newest_checkpoint(folder: Path, at_most: int | None) -> int | None:
    parts: dict[tuple[int, int], int] = {}
    log = folder / "_delta_log"
    for path in log.glob("*.checkpoint*.parquet"):
        found = _CHECKPOINT.fullmatch(path.name)
        if found is not None:
            key = (int(found[1]), int(found[2] or 1))
            parts[key] = parts.get(key, 0) + 1
    whole = [number for (number, count), there in parts.items() if count == there]
    return max((number for number in whole if at_most is None or number <= at_most), default=None)


def _plain(value: Any) -> Any:
    """A value of a checkpoint as it would be in JSON: maps as objects, nothing that is null."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        if value and all(isinstance(item, tuple) and len(item) == 2 for item in value):
            return dict(value)
        return [_plain(item) for item in value]
    return value


class _Builder:
    """The state of a table while its log is read."""

    def __init__(self, location: str) -> None:
        self.location = location
        self.protocol: Action | None = None
        self.metadata: Action | None = None
        self.files: dict[FileKey, Action] = {}
        self.removed: dict[FileKey, Action] = {}
        self.transactions: dict[str, int] = {}
        self.domains: dict[str, Action] = {}

    def add_checkpoint(self, folder: Path, version: int) -> None:
        log = folder / "_delta_log"
        names = ("add", "remove", "metaData", "protocol", "txn", "domainMetadata", "sidecar")
        for path in sorted(log.glob(f"{version:020}.checkpoint*.parquet")):
            file = pq.ParquetFile(path)
            present = [name for name in names if name in file.schema_arrow.names]
            for batch in file.iter_batches(columns=present):
                for row in batch.to_pylist():
                    for name in present:
                        if row[name] is not None:
                            self.add({name: _map_fields(name, row[name])}, log)

    def add(self, action: Action, log: Path | None = None) -> None:
        for name, value in action.items():
            match name:
                case "protocol":
                    self.protocol = value
                case "metaData":
                    self.metadata = value
                case "add" | "remove":
                    self._file(value, there=name == "add")
                case "txn":
                    self.transactions[value["appId"]] = value["version"]
                case "domainMetadata":
                    self._domain(value)
                case "sidecar" if log is not None:
                    self._sidecar(log / "_sidecars" / value["path"])
                case _:
                    pass

    def _file(self, value: Action, *, there: bool) -> None:
        key = file_key(value)
        to, out_of = (self.files, self.removed) if there else (self.removed, self.files)
        out_of.pop(key, None)
        to[key] = value

    def _domain(self, value: Action) -> None:
        if value.get("removed"):
            self.domains.pop(value["domain"], None)
        else:
            self.domains[value["domain"]] = value

    def _sidecar(self, path: Path) -> None:
        for row in pq.read_table(path).to_pylist():
            for name in ("add", "remove"):
                if row.get(name) is not None:
                    self.add({name: _map_fields(name, row[name])})

    def state(self, version: int) -> State:
        if self.protocol is None or self.metadata is None:
            raise TableUnreadable(self.location, "its log has no protocol or no schema.")
        return State(
            self.location,
            version,
            self.protocol,
            self.metadata,
            self.files,
            self.removed,
            self.transactions,
            self.domains,
        )


def _map_fields(name: str, value: Action) -> Action:
    """An action of a checkpoint as in JSON; an empty map is no list, and a partition's null value stays."""
    plain = {key: item for key, item in _plain(value).items() if not key.endswith("_parsed")}
    for key in ("partitionValues", "configuration", "tags"):
        if key in plain and not (name == "domainMetadata" and key == "configuration"):
            plain[key] = dict(value[key] or ())
    if name == "metaData":
        plain["format"] = {"provider": "parquet", "options": {}}
    return plain


# ------------------------------------------------------------------------------------------------------------- commits


@dataclass(frozen=True)
class Operation:
    """What a commit says of itself.

    Attributes:
        name: Delta's name of it, e.g. ``ADD COLUMNS``.
        parameters: Its parameters, as texts.
        user: Name of the principal.
        metrics: Figures, filled in while it is worked out.
    """

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    user: str | None = None
    metrics: dict[str, Any] = field(default_factory=dict[str, Any])


def require_writable(state: State) -> None:
    """Go on only if a commit of ours may be added to a table.

    Raises:
        DeltaRefused: If the table has a feature whose rules are not known here.
    """
    unknown = state.writer_features - _WRITABLE
    if unknown:
        message = (
            f"Unable to write this table because it requires writer table feature(s) that are unsupported: "
            f"{', '.join(sorted(unknown))}. Use the engine that made the table."
        )
        raise DeltaRefused("DELTA_UNSUPPORTED_FEATURES_FOR_WRITE", message)


def require_removable(state: State) -> None:
    """Go on only if rows may be taken out of a table.

    Raises:
        DeltaRefused: If the table only takes appends.
    """
    if state.configuration.get("delta.appendOnly", "false").lower() == "true":
        message = (
            "This table is configured to only allow appends. If you would like to permit updates or deletes, use "
            "ALTER TABLE <table> SET TBLPROPERTIES (delta.appendOnly=false)."
        )
        raise DeltaRefused("DELTA_CANNOT_MODIFY_APPEND_ONLY", message)


def write_commit(location: str, version: int, actions: Sequence[Action]) -> bool:
    """Write one commit, whole or not at all; False where another writer was there first."""
    folder = from_url(location)
    target = commit_file(folder, version)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.parent / f".{target.name}.{uuid.uuid4().hex}.tmp"
    text = "".join(json.dumps(action, separators=(",", ":"), ensure_ascii=False) + "\n" for action in actions)
    try:
        with temporary.open("w", encoding="utf-8") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        try:
            os.link(temporary, target)
        except FileExistsError:
            return False
    finally:
        temporary.unlink(missing_ok=True)
    return True


@contextmanager
def noting(note: Callable[[], str | None]) -> Generator[None, None, None]:
    """Let the commits of a block have a user's own note, which is asked for once there is one."""
    token = _NOTE.set(note)
    try:
        yield
    finally:
        _NOTE.reset(token)


def info_action(operation: Operation, state: State | None, configuration: Mapping[str, str]) -> Action:
    """The ``commitInfo`` of an operation on a state."""
    now = now_ms()
    info: Action = {
        "timestamp": now,
        "operation": operation.name,
        "operationParameters": dict(operation.parameters),
        "isBlindAppend": False,
        "engineInfo": "boathouse",
        "txnId": str(uuid.uuid4()),
    }
    if operation.user is not None:
        info["userName"] = operation.user
    if state is not None:
        info["readVersion"] = state.version
    if operation.metrics:
        info["operationMetrics"] = {key: str(value) for key, value in operation.metrics.items()}
    note = _NOTE.get()()
    if note is not None:
        info["userMetadata"] = note
    if configuration.get("delta.enableInCommitTimestamps", "false").lower() == "true":
        before = 0 if state is None else commit_time(state.folder, state.version)
        info["inCommitTimestamp"] = max(now, before + 1)
    return {"commitInfo": info}


def change(location: str, operation: Operation, work: Callable[[State], Sequence[Action] | None]) -> State:
    """Commit what is worked out from the newest version; worked out anew where another writer was faster.

    Args:
        location: The table.
        operation: What the commit says of itself; its metrics may be filled by ``work``.
        work: Gives the actions, or None for nothing to commit.

    Returns:
        The state that the change was worked out from.

    Raises:
        CommitLost: If other writers were faster every time.
        DeltaRefused: If the table cannot be written here.
    """
    for _ in range(_MOST_TRIES):
        state = replay(location)
        require_writable(state)
        actions = work(state)
        if actions is None:
            return state
        configuration = next((one["metaData"].get("configuration", {}) for one in actions if "metaData" in one), None)
        info = info_action(operation, state, state.configuration if configuration is None else configuration)
        if write_commit(location, state.version + 1, [info, *actions]):
            return state
    raise CommitLost(operation.name, "other writers committed to the table again and again.")


def removal(add: Action, now: int, *, data_change: bool = True) -> Action:
    """The action that takes a file out of a table."""
    kept = ("path", "partitionValues", "size", "tags", "deletionVector", "baseRowId", "defaultRowCommitVersion")
    fields = {key: add[key] for key in kept if add.get(key) is not None}
    return {"remove": {**fields, "deletionTimestamp": now, "dataChange": data_change, "extendedFileMetadata": True}}
