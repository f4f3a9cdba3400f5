"""The source of an online table: a Delta table, its declared keys, and its rows in the online store's form."""

import datetime as dt
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import QueryBuilder
from deltalake.exceptions import DeltaError
from pyarrow import dataset as pads

from boathouse.catalog.api import TableInfo
from boathouse.features.errors import KeyIsNull, KeysUndeclared
from boathouse.features.keys import feature_keys
from boathouse.features.online import ALWAYS, OnlineMeta, pack_key, pack_value
from boathouse.storage.opening import opened
from boathouse.storage.paths import from_url
from boathouse.tables.api import TableUnreadable, changes

_CHUNK = 65_536
_UNSAFE_ACTIONS = ("remove", "metaData", "protocol", "cdc")


def _key_type(table: str, column: str, arrow: pa.DataType) -> str:
    if pa.types.is_string(arrow) or pa.types.is_large_string(arrow) or pa.types.is_string_view(arrow):
        return "string"
    if pa.types.is_boolean(arrow):
        return "boolean"
    if pa.types.is_integer(arrow):
        return "integer"
    if pa.types.is_date(arrow):
        return "date"
    raise KeysUndeclared(
        table, f"has the key '{column}' of type {arrow}; keys that are published are text, integers, booleans or dates"
    )


def _plain(value: Any) -> Any:
    match value:
        case dt.datetime():
            moment = value if value.tzinfo else value.replace(tzinfo=dt.UTC)
            return moment.astimezone(dt.UTC).isoformat()
        case dt.date() | dt.time():
            return value.isoformat()
        case Decimal():
            return float(value)
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case _:
            return value


def _is_plain(arrow: pa.DataType) -> bool:
    return pa.types.is_integer(arrow) or pa.types.is_floating(arrow) or pa.types.is_boolean(arrow) or pa.types.is_string(arrow)


def _values(column: pa.ChunkedArray) -> list[Any]:
    values = column.to_pylist(maps_as_pydicts="lossy")
    return values if _is_plain(column.type) else [_plain(value) for value in values]


def has_newer(location: str, version: int) -> bool:
    """Whether a table has a version after one."""
    return (from_url(location) / "_delta_log" / f"{version + 1:020d}.json").exists()


class Source:
    """One version of a source table.

    Args:
        info: The governed table.

    Raises:
        KeysUndeclared: If its keys are not declared.
        TableUnreadable: If there is no readable Delta table.
    """

    def __init__(self, info: TableInfo) -> None:
        self.info = info
        self.keys = feature_keys(info.full_name, [column["name"] for column in info.columns], info.constraints, info.properties)
        try:
            self._table = opened(from_url(info.storage_location))
        except (DeltaError, OSError) as error:
            raise TableUnreadable(info.storage_location, str(error).splitlines()[0]) from error
        self.version = self._table.version()
        schema: pa.Schema = pa.schema(self._table.schema().to_arrow())
        self._features = tuple(name for name in schema.names if name not in self.keys.columns)
        self._key_types = tuple(_key_type(info.full_name, name, schema.field(name).type) for name in self.keys.primary_keys)

    def meta(self) -> OnlineMeta:
        """What an online table of this version holds."""
        return OnlineMeta(
            source_table=self.info.full_name,
            source_id=self.info.id,
            source_version=self.version,
            key_columns=self.keys.primary_keys,
            key_types=self._key_types,
            timeseries_key=self.keys.timeseries_key,
            available_at=self.keys.available_at,
            features=self._features,
        )

    def read_all(self) -> pa.Table:
        """All rows."""
        try:
            reader = QueryBuilder().register("source", self._table).execute("SELECT * FROM source")
            return pa.table(reader.read_all())
        except DeltaError as error:
            raise TableUnreadable(self.info.storage_location, str(error).splitlines()[0]) from error

    def read_since(self, version: int) -> pa.Table | None:
        """The rows appended after a version, or None where something else than appends happened since."""
        log = from_url(self.info.storage_location) / "_delta_log"
        added: set[str] = set()
        for number in range(version + 1, self.version + 1):
            try:
                lines = (log / f"{number:020d}.json").read_text().splitlines()
            except FileNotFoundError:
                return None
            for line in lines:
                action = json.loads(line)
                changes = any(action.get(kind, {}).get("dataChange", True) for kind in _UNSAFE_ACTIONS if kind in action)
                if changes or (action.get("add") or {}).get("deletionVector"):
                    return None
                add = action.get("add")
                if add and add.get("dataChange", True):
                    added.add(add["path"])
        try:
            whole = self._table.to_pyarrow_dataset()
        except (DeltaError, NotImplementedError):
            return None
        fragments = [fragment for fragment in whole.get_fragments() if fragment.path in added]
        if len(fragments) != len(added):
            return None
        part = pads.FileSystemDataset(fragments, whole.schema, whole.format, whole.filesystem)
        return part.to_table()

    def changes_since(self, version: int, work: Path) -> Iterator[tuple[bool, pa.Table]]:
        """Rows of the change feed after a version, in the order of what happened, and whether they are there since or gone.

        Raises:
            DeltaRefused: If the feed was off.
            TableUnreadable: If files of the commits are gone.
        """
        told = changes(self.info.storage_location, version + 1, self.version, work)
        return self._in_order(told)

    def _in_order(self, told: pa.Table) -> Iterator[tuple[bool, pa.Table]]:
        version, kind = pads.field("_commit_version"), pads.field("_change_type")
        for number in sorted(set(told["_commit_version"].to_pylist())):
            for is_there, kinds in ((False, ["delete", "update_preimage"]), (True, ["insert", "update_postimage"])):
                yield is_there, told.filter((version == number) & kind.isin(kinds))

    def rows(self, table: pa.Table) -> Iterator[tuple[bytes, int, int, bytes]]:
        """Rows in the online store's form: packed key, time, available, packed value.

        Raises:
            KeyIsNull: If a key or time is null.
        """
        for name in (*self.keys.primary_keys, self.keys.timeseries_key):
            if name is not None and table[name].null_count:
                raise KeyIsNull(self.info.full_name, name, table[name].null_count)
        for start in range(0, table.num_rows, _CHUNK):
            chunk = table.slice(start, _CHUNK)
            count = chunk.num_rows
            keys = zip(*(_values(chunk[name]) for name in self.keys.primary_keys), strict=True)
            values = [_values(chunk[name]) for name in self._features]
            packed = map(pack_value, zip(*values, strict=True)) if values else [pack_value(())] * count
            times = self._times(chunk, self.keys.timeseries_key, 0)
            available = self._times(chunk, self.keys.available_at, ALWAYS)
            yield from zip(map(pack_key, keys), times, available, packed, strict=True)

    def _times(self, table: pa.Table, name: str | None, default: int) -> list[int]:
        if name is None:
            return [default] * table.num_rows
        column = table[name]
        if not pa.types.is_timestamp(column.type) and not pa.types.is_date(column.type):
            raise KeysUndeclared(
                self.info.full_name, f"has the time '{name}' of type {column.type}; it has to be a timestamp or date"
            )
        micros = pc.cast(pc.cast(column, pa.timestamp("us", getattr(column.type, "tz", None))), pa.int64())
        return [default if value is None else value for value in micros.to_pylist()]
