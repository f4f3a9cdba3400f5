"""A change of a table's rows that the engine cannot make there, or say all of: made in a hidden table of the same files.

The hidden table is a log that names the files through a link. What the engine has committed there, files added and files removed,
the gateway commits to the real table in one version, with what the engine would not have said of it.
"""

import json
import shutil
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow.parquet as pq

from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.writes.delta_target import DeltaTarget
from boathouse.engine.gateway.writes.retry import Retry, change_of, jittered, until_committed
from boathouse.engine.gateway.writes.staging import move
from boathouse.engine.streaming.sources.shadow import shadow
from boathouse.engine.write_errors import still_lost
from boathouse.kit.clock import now_ms
from boathouse.storage.paths import to_url
from boathouse.tables.api import (
    STAGING,
    Action,
    Operation,
    State,
    commits,
    info_action,
    physical_name,
    removal,
    replay,
    require_removable,
    write_commit,
)
from boathouse.tables.log import actions_of, require_writable

_ATTEMPTS = 30
_KEPT = ("delta.columnMapping.", "delta.constraints.", "delta.dataSkipping", "delta.parquet.")
"""Properties of a table that matter to how its files are written."""
_START, _STEP, _MARK = (f"delta.identity.{key}" for key in ("start", "step", "highWaterMark"))


@dataclass(frozen=True)
class Said:
    """What the commit is to say besides what the engine says of it.

    Attributes:
        user: Who makes it.
        metadata: The user's own note, or None.
        counted: The identity columns that rows were given values of.
    """

    user: str
    metadata: str | None = None
    counted: tuple[str, ...] = ()


def change_hidden(
    target: DeltaTarget,
    run: Callable[[DeltaTarget, State], object],
    said: Said,
    execute: Callable[[Any], object],
) -> None:
    """Change a table by way of a hidden one, again where another writer was faster; blocks.

    Args:
        target: The table, as the change was planned for it.
        run: Has the engine change the hidden table, which it is given with the state of the real one.
        said: What the commit says.
        execute: Has the engine execute a command.

    Raises:
        ConcurrentModification: If the table's schema, properties or protocol have changed, or other writers always came first.
        DeltaRefused: If the table takes no such change.
        WriteRefused: If the rows do not fit.
        AioRpcError: The engine's error.
    """
    began = time.monotonic()
    for attempt in range(1, _ATTEMPTS + 1):
        changed = change_of(target)
        if changed is not None:
            raise changed
        state = replay(to_url(target.folder))
        require_writable(state)
        place = target.folder / STAGING / uuid.uuid4().hex
        try:
            shadow(place, target.folder, state.protocol, _plain(state), state.files.values(), kept=_KEPT)
            hidden = replace(target, folder=place)
            until_committed(Retry(hidden), lambda hidden=hidden, state=state: run(hidden, state))
            if _commit(target, place, state, said, _strict(target, place, state, execute)):
                return
        finally:
            shutil.rmtree(place, ignore_errors=True)
        time.sleep(jittered(attempt))
    raise still_lost(target.name, "DELTA_CONCURRENT_WRITE", "ConcurrentWriteException", _ATTEMPTS, time.monotonic() - began)


def next_value(state: State, column: str) -> tuple[int, int]:
    """The first value that an identity column has not given out yet, and the step from one to the next."""
    metadata = next(one["metadata"] for one in state.schema["fields"] if one["name"] == column)
    step, mark = int(metadata[_STEP]), metadata.get(_MARK)
    return (int(metadata[_START]) if mark is None else int(mark) + step), step


def _plain(state: State, *, loose: bool = True) -> Action:
    """The metadata without what makes a column an identity column, so that its values can be given.

    What is inside of a column may be NULL there: the engine cannot give it rows otherwise, and the gateway has them checked.
    """
    schema: dict[str, Any] = json.loads(state.metadata["schemaString"])
    for one in schema["fields"]:
        one["type"] = _loose(one["type"]) if loose else one["type"]
        one["metadata"] = {
            key: value for key, value in one.get("metadata", {}).items() if not key.startswith("delta.identity.")
        }
    return {**state.metadata, "schemaString": json.dumps(schema, ensure_ascii=False)}


def _loose(kind: Any) -> Any:
    """A type, as a log has it, inside of which all may be NULL."""
    if not isinstance(kind, dict):
        return kind
    given: dict[str, Any] = kind
    match given["type"]:
        case "struct":
            return {**given, "fields": [{**one, "type": _loose(one["type"]), "nullable": True} for one in given["fields"]]}
        case "array":
            return {**given, "elementType": _loose(given["elementType"]), "containsNull": True}
        case _:
            return {
                **given,
                "keyType": _loose(given["keyType"]),
                "valueType": _loose(given["valueType"]),
                "valueContainsNull": True,
            }


def _strict(target: DeltaTarget, place: Path, state: State, execute: Callable[[Any], object]) -> Path:
    """Where the files lie that are added, with what may not be NULL inside of columns as their table has it.

    The engine reads no others, but gives such to a table that rows are appended to.
    """
    added = [add for version in commits(place)[1:] for add in _adds(place, version)]
    if not (target.requires_inside and added):
        return place
    strict = place / STAGING
    shadow(strict, target.folder, state.protocol, _plain(state, loose=False), (), kept=_KEPT)
    write = proto().Command()
    write.write_operation.CopyFrom(proto().WriteOperation(source="delta", path=str(strict)))
    write.write_operation.mode = proto().WriteOperation.SAVE_MODE_APPEND
    write.write_operation.input.CopyFrom(shadow(place / "added", place, state.protocol, _plain(state), added, kept=_KEPT))
    write.write_operation.partitioning_columns.extend(target.partition_by)
    execute(write)
    return strict


def _commit(target: DeltaTarget, place: Path, state: State, said: Said, source: Path) -> bool:
    """Commit what the engine has done in the hidden table, and the files of a source; False where another writer was there first."""
    linked = {unquote(one["path"]): add for one, add in zip(_adds(place, 0), state.files.values(), strict=True)}
    made = [action for version in commits(place)[1:] for action in actions_of(place, version)]
    added = [add for version in commits(source)[1:] for add in _adds(source, version)]
    gone = [linked[unquote(action["remove"]["path"])] for action in made if "remove" in action]
    if not added and not gone:
        return True
    if gone:
        require_removable(state)
    info: Action = next((action["commitInfo"] for action in made if "commitInfo" in action), {})
    operation = Operation(
        str(info.get("operation", "MERGE")),
        {key: str(value) for key, value in (info.get("operationParameters") or {}).items()},
        said.user,
        dict(info.get("operationMetrics") or {}),
    )
    told = info_action(operation, state, state.configuration)
    if said.metadata is not None:
        told["commitInfo"]["userMetadata"] = said.metadata
    for add in added:
        move(source, target.folder, unquote(add["path"]))
    now = now_ms()
    written = [target.folder / unquote(add["path"]) for add in added]
    actions = [
        told,
        *_counted(state, said.counted, written),
        *(removal(one, now) for one in gone),
        *({"add": add} for add in added),
    ]
    done = write_commit(to_url(target.folder), state.version + 1, actions)
    if not done:
        for path in written:
            path.unlink(missing_ok=True)
    return done


def _adds(place: Path, version: int) -> Sequence[Action]:
    return [action["add"] for action in actions_of(place, version) if "add" in action]


def _counted(state: State, columns: Sequence[str], written: Sequence[Path]) -> list[Action]:
    """The metadata in which the identity columns' counters stand at the last value, if any has moved."""
    schema: dict[str, Any] = json.loads(state.metadata["schemaString"])
    changed = False
    for one in schema["fields"]:
        if one["name"] in columns:
            step, mark = int(one["metadata"][_STEP]), one["metadata"].get(_MARK)
            furthest = max if step > 0 else min
            reached = [value for path in written for value in _ends(path, physical_name(one))]
            last = furthest([*reached, *([] if mark is None else [int(mark)])], default=None)
            changed |= last is not None and last != mark
            one["metadata"] |= {} if last is None else {_MARK: last}
    text = json.dumps(schema, separators=(",", ":"), ensure_ascii=False)
    return [{"metaData": {**state.metadata, "schemaString": text}}] if changed else []


def _ends(path: Path, column: str) -> list[int]:
    """The least and the largest value of a column in a file, by its footer."""
    footer: Any = pq.read_metadata(path)
    found: list[int] = []
    for group in (footer.row_group(number) for number in range(footer.num_row_groups)):
        for chunk in (group.column(number) for number in range(group.num_columns)):
            if chunk.path_in_schema == column and chunk.statistics is not None and chunk.statistics.has_min_max:
                found += [int(chunk.statistics.min), int(chunk.statistics.max)]
    return found
