"""Operations on one Delta table by its location, through delta-rs."""

import datetime as dt
import fcntl
import json
import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import DeltaError

from boathouse.storage.opening import opened
from boathouse.storage.paths import from_url
from boathouse.tables.bounds import without_float_bounds
from boathouse.tables.errors import TableUnreadable, VersionNotFound

_LARGEST_EXACT_INTEGER = 2**53


@dataclass(frozen=True)
class Commit:
    """One version of a table; ``timestamp`` in ms since the epoch."""

    version: int
    timestamp: int
    operation: str
    user: str | None
    operation_parameters: dict[str, str]
    metrics: dict[str, Any]

    @property
    def rows(self) -> int | None:
        """Rows that the commit wrote, where its writer said so."""
        for key in ("numOutputRows", "num_added_rows", "numTargetRowsInserted", "num_target_rows_inserted"):
            value = self.metrics.get(key)
            if value is not None:
                return int(value)
        return None


@dataclass(frozen=True)
class Detail:
    """What a table is made of; sizes in bytes, rows None where the files carry no counts."""

    location: str
    version: int
    files: int
    size_bytes: int
    rows: int | None
    partition_columns: tuple[str, ...]
    properties: dict[str, str]
    updated_at: int | None


@dataclass(frozen=True)
class Sample:
    """Some rows of a table, each value fit for JSON."""

    version: int
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Any, ...], ...]


def _open(location: str, version: int | None = None) -> DeltaTable:
    try:
        table = opened(from_url(location))
        if version is not None and version != table.version():
            last = table.version()
            if version > last or version < 0:
                raise VersionNotFound(version, last)
            table.load_as_version(version)
    except (DeltaError, OSError) as error:
        raise TableUnreadable(location, str(error).splitlines()[0]) from error
    return table


def history(location: str, limit: int | None = None) -> list[Commit]:
    """The versions of a table, newest first.

    Raises:
        TableUnreadable: If there is no readable Delta table.
    """
    table = _open(location)
    commits: list[Commit] = []
    newest = table.version()
    for position, entry in enumerate(table.history(limit)):
        parameters = {str(key): str(value) for key, value in (entry.get("operationParameters") or {}).items()}
        metrics = entry.get("operationMetrics") or {}
        commits.append(
            Commit(
                version=int(entry.get("version", newest - position)),
                timestamp=int(entry.get("timestamp") or 0),
                operation=str(entry.get("operation", "UNKNOWN")),
                user=entry.get("userName"),
                operation_parameters=parameters,
                metrics=metrics,
            )
        )
    return commits


def detail(location: str) -> Detail:
    """Files, size, rows and properties of a table as of now.

    Raises:
        TableUnreadable: If there is no readable Delta table.
    """
    table = _open(location)
    actions = pa.table(table.get_add_actions(flatten=True))
    names = actions.column_names
    counts = actions["num_records"].to_pylist() if "num_records" in names else [None] * actions.num_rows
    deleted = [0] * actions.num_rows
    for name in names:
        if re.search(r"cardinality$", name):
            deleted = [value or 0 for value in actions[name].to_pylist()]
    metadata = table.metadata()
    last = table.history(1)
    return Detail(
        location=location,
        version=table.version(),
        files=actions.num_rows,
        size_bytes=sum(actions["size_bytes"].to_pylist()),
        rows=None if None in counts else sum(counts) - sum(deleted),
        partition_columns=tuple(metadata.partition_columns),
        properties={key: str(value) for key, value in metadata.configuration.items()},
        updated_at=int(last[0].get("timestamp") or 0) if last else None,
    )


def row_count(location: str) -> int | None:
    """Rows of a table as of now, from the statistics of its log; None where they are missing.

    Raises:
        TableUnreadable: If there is no readable Delta table.
    """
    return detail(location).rows


def json_value(value: Any) -> Any:
    """A value of Arrow as JSON can hold it without loss: large integers, decimals and times as text."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if abs(value) < _LARGEST_EXACT_INTEGER else str(value)
        case float():
            return value if value == value and abs(value) != float("inf") else str(value)  # noqa: PLR0124
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case Decimal() | dt.timedelta():
            return str(value)
        case bytes():
            return f"0x{value.hex()}"
        case list():
            return [json_value(item) for item in value]
        case dict():
            return {str(key): json_value(item) for key, item in value.items()}
        case _:
            return str(value)


def _json_of(value: Any, kind: pa.DataType) -> Any:
    """The same for a value of a known type: pyarrow hands out maps as lists of pairs, which JSON has objects for."""
    if value is None:
        return None
    if pa.types.is_map(kind):
        return {_key(json_value(key)): _json_of(item, kind.item_type) for key, item in value}
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_list_view(kind):
        return [_json_of(item, kind.value_type) for item in value]
    if pa.types.is_struct(kind):
        return {field.name: _json_of(value[field.name], field.type) for field in kind}
    return json_value(value)


def _key(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def sample(location: str, limit: int = 50, version: int | None = None) -> Sample:
    """The first rows of a table.

    Args:
        location: The table.
        limit: How many rows at the most.
        version: Which version; the newest by default.

    Raises:
        TableUnreadable: If there is no readable Delta table, or it needs a reader feature that delta-rs lacks.
        VersionNotFound: If the table does not have the version.
    """
    from deltalake import QueryBuilder  # noqa: PLC0415 - its engine is loaded only when a sample is asked for

    table = _open(location, version)
    try:
        batches = QueryBuilder().register("t", table).execute(f"SELECT * FROM t LIMIT {int(limit)}")  # noqa: S608
        rows = pa.table(batches.read_all())
    except DeltaError as error:
        raise TableUnreadable(location, str(error).splitlines()[0]) from error
    fields: list[dict[str, Any]] = json.loads(table.schema().to_json())["fields"]
    columns = tuple((field["name"], _short_type(field["type"])) for field in fields)
    lists = [[_json_of(value, rows[name].type) for value in rows[name].to_pylist()] for name, _ in columns]
    return Sample(table.version(), columns, tuple(zip(*lists, strict=True)) if lists else ())


def _short_type(delta_type: Any) -> str:
    return delta_type if isinstance(delta_type, str) else str(delta_type["type"])


@contextmanager
def _locked(folder: Path) -> Generator[None, None, None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".append.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def append(location: str, rows: pa.Table, *, app_id: str, app_version: int) -> bool:
    """Append rows exactly once.

    The commit carries ``app_id`` and ``app_version`` as a Delta transaction identifier. A version that is not above the
    last one of the same ``app_id`` has been appended before, and nothing is done.

    Args:
        location: The table; it is made from the rows' schema where there is none.
        rows: What to append.
        app_id: Who appends.
        app_version: Which of its batches this is; batches are numbered upwards.

    Returns:
        Whether the rows were appended now.
    """
    folder = from_url(location)
    with _locked(folder):
        if (folder / "_delta_log").is_dir():
            last = _open(location).transaction_version(app_id)
            if last is not None and last >= app_version:
                return False
        properties = CommitProperties(app_transactions=[Transaction(app_id, app_version)], max_commit_retries=20)
        write_deltalake(folder, rows, mode="append", commit_properties=properties)
    without_float_bounds(location)
    return True


def query(location: str, text: str) -> pa.Table:
    """What a query in the SQL of delta-rs finds in a table, whose name in it is ``t``.

    Raises:
        TableUnreadable: If it cannot be answered.
    """
    from deltalake import QueryBuilder  # noqa: PLC0415 - as above

    try:
        return pa.table(QueryBuilder().register("t", _open(location)).execute(text).read_all())
    except DeltaError as error:
        raise TableUnreadable(location, str(error).splitlines()[0]) from error


def replace_rows(location: str, rows: pa.Table, condition: str | None) -> int:
    """Append rows and take out those that a condition holds for, in one commit; columns that are new are added.

    Args:
        location: The table.
        rows: What to append.
        condition: In the SQL of delta-rs; None takes out none.

    Returns:
        The version that the commit made, or the newest where there was nothing to do.
    """
    folder = from_url(location)
    properties = CommitProperties(max_commit_retries=20)
    if condition is not None:
        write_deltalake(folder, rows, mode="overwrite", predicate=condition, schema_mode="merge", commit_properties=properties)
    elif rows.num_rows:
        write_deltalake(folder, rows, mode="append", schema_mode="merge", commit_properties=properties)
    without_float_bounds(location)
    return _open(location).version()
