"""The change data feed: which rows each commit inserted, updated and deleted.

Where a writer recorded the changes (``cdc`` actions), they are read. Else they are worked out from the files that the commit
took away and added: rows that are in both did not change.
"""

import datetime as dt
import json
import re
import shutil
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, QueryBuilder
from deltalake.exceptions import DeltaError

from boathouse.storage.paths import from_url
from boathouse.tables import fields
from boathouse.tables.errors import DeltaRefused, TableUnreadable
from boathouse.tables.files import data_path
from boathouse.tables.log import Action, State, actions_of, commit_time, replay
from boathouse.tables.optimize import make_shadow
from boathouse.tables.properties import FEED_SINCE, feed_is_on
from boathouse.tables.versions import first_version, last_version, parse_moment, require_version, version_at

TYPE, VERSION, TIMESTAMP = "_change_type", "_commit_version", "_commit_timestamp"
Bound = int | str | dt.datetime


@dataclass(frozen=True)
class Range:
    """The versions whose changes are asked for, both included; none if ``first`` is above ``last``."""

    first: int
    last: int


def change_range(location: str, start: Bound, end: Bound | None = None, *, may_be_later: bool = False) -> Range:
    """The versions between two bounds: versions, or moments. A version after the newest one means the newest as an end.

    Args:
        location: The table.
        start: The first one.
        end: The last one; the newest by default.
        may_be_later: Whether there are simply none for a start after the newest.

    Raises:
        VersionUnavailable: If the table does not have the first version.
        DeltaRefused: If the end lies before the start, or a moment before the table or after its newest commit.
    """
    newest = last_version(location)
    if may_be_later and _is_later(location, start, newest):
        return Range(newest + 1, newest)
    first = require_version(location, start) if isinstance(start, int) else _at_or_after(location, start)
    if end is None:
        last = newest
    elif isinstance(end, int):
        last = min(end, newest)
    else:
        last = version_at(location, end, may_be_later=True)
    both_versions = isinstance(start, int) and isinstance(end, int)
    if both_versions and isinstance(end, int) and isinstance(start, int) and end < start:
        message = f"CDC range from start {start} to end {end} was invalid. End cannot be before start."
        raise DeltaRefused("DELTA_INVALID_CDC_RANGE", message)
    return Range(first, last)


def _is_later(location: str, start: Bound, newest: int) -> bool:
    if isinstance(start, int):
        return start > newest
    when = parse_moment(start) if isinstance(start, str) else start
    return int(when.timestamp() * 1000) > commit_time(from_url(location), newest)


def _at_or_after(location: str, moment: str | dt.datetime) -> int:
    when = parse_moment(moment) if isinstance(moment, str) else moment
    wanted = int(when.timestamp() * 1000)
    folder = replay(location).folder
    first = first_version(location)
    if wanted <= commit_time(folder, first):
        return first
    version = version_at(location, when)
    return version if commit_time(folder, version) >= wanted else version + 1


def changes(location: str, start: Bound, end: Bound | None, work: Path, *, may_be_later: bool = False) -> pa.Table:
    """The changes between two versions or moments, both included; see ``change_range``.

    Args:
        location: The table.
        start: The first version or moment.
        end: The last; the newest by default.
        work: A folder of the server's own, where links to the files are made while they are read.
        may_be_later: Whether a start after the newest version is no error.

    Returns:
        The table's columns as of the last version, ``_change_type`` (``insert``, ``update_preimage``,
        ``update_postimage``, ``delete``), ``_commit_version`` and ``_commit_timestamp`` (UTC).

    Raises:
        DeltaRefused: If the change data feed was off in one of the versions, or the bounds are not valid.
        TableUnreadable: If files of the commits have been deleted.
    """
    asked = change_range(location, start, end, may_be_later=may_be_later)
    parts = [part for _, part in _each(location, asked, work)]
    if not parts:
        return _schema(replay(location, min(asked.last, last_version(location)))).empty_table()
    return pa.concat_tables(parts, promote_options="permissive")


def write_changes(location: str, start: Bound, end: Bound | None, folder: Path) -> list[Path]:
    """The same as Parquet files in a folder, one for each commit, for ranges that are too large for memory.

    Returns:
        At least one file; an empty one where nothing changed.
    """
    asked = change_range(location, start, end)
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for version, part in _each(location, asked, folder):
        path = folder / f"{version:020}.parquet"
        pq.write_table(part, path)
        written.append(path)
    if not written:
        path = folder / "empty.parquet"
        pq.write_table(_schema(replay(location, min(asked.last, last_version(location)))).empty_table(), path)
        written.append(path)
    return written


def _schema(state: State) -> pa.Schema:
    from deltalake import Schema  # noqa: PLC0415 - named like pyarrow's

    plain = _logical(state.schema)
    arrow = pa.schema(Schema.from_json(fields.text(plain)).to_arrow())
    return pa.schema([*arrow, (TYPE, pa.string()), (VERSION, pa.int64()), (TIMESTAMP, pa.timestamp("us", tz="UTC"))])


def _logical(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema under the columns' own names, all nullable."""
    found: dict[str, Any] = json.loads(fields.text(schema))
    for field in fields.walk(found):
        field["metadata"], field["nullable"] = {}, True
    return found


def _each(location: str, asked: Range, work: Path) -> Iterator[tuple[int, pa.Table]]:
    if asked.first > asked.last:
        return
    state = replay(location, asked.last)
    schema = _schema(state)
    configuration = replay(location, asked.first).configuration
    reader = _Reader(state, schema, work)
    since = state.configuration.get(FEED_SINCE)
    for version in range(asked.first, asked.last + 1):
        actions = actions_of(state.folder, version)
        for action in actions:
            if "metaData" in action:
                configuration = action["metaData"].get("configuration") or {}
        if not feed_is_on(configuration) and (since is None or version < int(since)):
            message = (
                f"Error getting change data for range [{asked.first}, {asked.last}] as change data was not recorded for version "
                f"[{version}]. Turn it on with ALTER TABLE <table> SET TBLPROPERTIES (delta.enableChangeDataFeed = true), and ask "
                "for the versions since then; DESCRIBE HISTORY shows which."
            )
            raise DeltaRefused("DELTA_MISSING_CHANGE_DATA", message)
        found = reader.changes(actions)
        if found is not None and found.num_rows:
            yield version, _stamped(found, version, commit_time(state.folder, version), schema)


def _stamped(rows: pa.Table, version: int, milliseconds: int, schema: pa.Schema) -> pa.Table:
    moment = dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC)
    count = rows.num_rows
    rows = rows.append_column(VERSION, pa.array([version] * count, pa.int64()))
    rows = rows.append_column(TIMESTAMP, pa.array([moment] * count, pa.timestamp("us", tz="UTC")))
    return rows.select(schema.names).cast(schema)


class _Reader:
    """Reads rows of some files of a table, under the columns of one of its versions."""

    def __init__(self, state: State, schema: pa.Schema, work: Path) -> None:
        self._state = state
        self._work = work
        self._names = [name for name in schema.names if name not in {TYPE, VERSION, TIMESTAMP}]
        self._schema = schema

    def changes(self, actions: Sequence[Action]) -> pa.Table | None:
        """The changed rows of one commit, with their kind; None where no row changed."""
        recorded = [one["cdc"] for one in actions if "cdc" in one]
        if recorded:
            return self._recorded(recorded)
        added = [one["add"] for one in actions if "add" in one and one["add"].get("dataChange", True)]
        removed = [one["remove"] for one in actions if "remove" in one and one["remove"].get("dataChange", True)]
        if not added and not removed:
            return None
        if not removed:
            return self._typed(self._read(added), "insert")
        if not added:
            return self._typed(self._read(removed), "delete")
        old, new = _difference(self._read(removed), self._read(added))
        info = next((one["commitInfo"] for one in actions if "commitInfo" in one), {})
        return self._labelled(old, new, info)

    def _typed(self, rows: pa.Table, kind: str) -> pa.Table:
        return rows.append_column(TYPE, pa.array([kind] * rows.num_rows, pa.string()))

    def _labelled(self, old: pa.Table, new: pa.Table, info: Action) -> pa.Table:
        """Which of the rows that went and came are the two sides of an update."""
        if info.get("operation") == "UPDATE" or (info.get("operation") == "MERGE" and _only_updates(info)):
            return pa.concat_tables([self._typed(old, "update_preimage"), self._typed(new, "update_postimage")])
        keys = _merge_keys(info, self._names) if info.get("operation") == "MERGE" else []
        if not keys:
            return pa.concat_tables([self._typed(old, "delete"), self._typed(new, "insert")])
        old_keys, new_keys = _key_rows(old, keys), _key_rows(new, keys)
        both = set(old_keys) & set(new_keys)
        kinds = [
            *("update_preimage" if key in both else "delete" for key in old_keys),
            *("update_postimage" if key in both else "insert" for key in new_keys),
        ]
        return pa.concat_tables([old, new]).append_column(TYPE, pa.array(kinds, pa.string()))

    def _read(self, files: Sequence[Action]) -> pa.Table:
        state = self._state
        # Not in the table's folder: who may write there could change what this log names before it is read.
        shadow = self._work / f"changes-{uuid.uuid4().hex}"
        complete = [
            one if "size" in one else one | {"size": data_path(state.folder, one["path"]).stat().st_size} for one in files
        ]
        try:
            make_shadow(state, [{"modificationTime": 0, **one} for one in complete], shadow)
            found = pa.table(QueryBuilder().register("t", DeltaTable(shadow)).execute("SELECT * FROM t").read_all())
        except (DeltaError, OSError) as error:
            raise TableUnreadable(state.location, str(error).splitlines()[0]) from error
        finally:
            shutil.rmtree(shadow, ignore_errors=True)
        return self._renamed(found)

    def _renamed(self, rows: pa.Table) -> pa.Table:
        columns: fields.Fields = self._state.schema["fields"]
        rows = rows.select([fields.physical_name(field) for field in columns])
        plain = pa.schema([self._schema.field(name) for name in self._names])
        return rows.rename_columns(self._names).cast(plain)

    def _recorded(self, files: Sequence[Action]) -> pa.Table:
        """Rows of files that a writer of the feed left."""
        parts: list[pa.Table] = []
        columns: fields.Fields = self._state.schema["fields"]
        for one in files:
            path = data_path(self._state.folder, one["path"])
            if not path.exists():
                raise TableUnreadable(self._state.location, f"the changes in {path.name} have been deleted by VACUUM.")
            rows = pq.ParquetFile(path).read()
            arrays: list[Any] = []
            for field in columns:
                target = self._schema.field(field["name"]).type
                physical = fields.physical_name(field)
                partition = one.get("partitionValues", {})
                if physical in partition:
                    arrays.append(pa.array([partition[physical]] * rows.num_rows, pa.string()).cast(target))
                elif physical in rows.column_names:
                    arrays.append(rows[physical].cast(target))
                else:
                    arrays.append(pa.nulls(rows.num_rows, target))
            parts.append(pa.table([*arrays, rows[TYPE].cast(pa.string())], names=[*self._names, TYPE]))
        return pa.concat_tables(parts)


def _difference(old: pa.Table, new: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Rows of one that are not in the other, and the other way round; each as often as it is there more often."""
    keys_old, keys_new = _key_rows(old, old.column_names), _key_rows(new, new.column_names)
    common = Counter(keys_old) & Counter(keys_new)
    return old.take(_beyond(keys_old, Counter(common))), new.take(_beyond(keys_new, Counter(common)))


def _beyond(keys: Sequence[Any], common: Counter[Any]) -> pa.Array:
    positions: list[int] = []
    for position, key in enumerate(keys):
        if common[key] > 0:
            common[key] -= 1
        else:
            positions.append(position)
    return pa.array(positions, pa.int64())


def _key_rows(rows: pa.Table, columns: Sequence[str]) -> list[Any]:
    """Something hashable for each row that is equal for equal rows."""
    lists = [rows[name].to_pylist() for name in columns]
    if any(
        pa.types.is_nested(rows.schema.field(name).type) or pa.types.is_floating(rows.schema.field(name).type)
        for name in columns
    ):
        lists = [[repr(value) for value in one] for one in lists]
    return list(zip(*lists, strict=True))


def _merge_keys(info: Action, names: Sequence[str]) -> list[str]:
    """The columns that a MERGE compared for equality with columns of the same name, if nothing is an alternative to that."""
    parameters = info.get("operationParameters") or {}
    condition = str(parameters.get("predicate") or parameters.get("mergePredicate") or "").strip('[]" ')
    if re.search(r"\bOR\b", condition, re.IGNORECASE):
        return []
    found: list[str] = []
    for part in re.split(r"\bAND\b", re.sub(r"\s*\.\s*", ".", condition), flags=re.IGNORECASE):
        equal = re.fullmatch(r"[\s(]*([\w`.#]+)\s*(?:={1,2}|<=>)\s*([\w`.#]+)[\s)]*", part)
        if equal is None:
            continue
        left, right = (side.replace("`", "").split(".")[-1].split("#")[0].lower() for side in equal.groups())
        name = next((one for one in names if one.lower() == left), None)
        if left == right and name is not None:
            found.append(name)
    return found


def _only_updates(info: Action) -> bool:
    """Whether a MERGE says that it neither inserted nor deleted rows."""
    metrics = info.get("operationMetrics") or {}
    inserted = metrics.get("numTargetRowsInserted", metrics.get("num_target_rows_inserted"))
    deleted = metrics.get("numTargetRowsDeleted", metrics.get("num_target_rows_deleted"))
    return (str(inserted), str(deleted)) == ("0", "0")
