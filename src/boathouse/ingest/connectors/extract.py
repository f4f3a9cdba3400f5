"""One extraction: what is new at a source, landed as files, and remembered once all of them are there."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa

from boathouse.errors import BoathouseError
from boathouse.ingest.connectors.columns import Column, arrow_table, arrow_type, fitted
from boathouse.ingest.connectors.definition import ScdType, TableObject
from boathouse.ingest.connectors.errors import KeysMissing, SettingsChanged
from boathouse.ingest.connectors.landing import Landing
from boathouse.ingest.connectors.progress import Progress, Watermark, decoded

ROWS = 200_000
"""Of one file."""


class Remembered(Protocol):
    """What a pipeline remembers."""

    def get(self, key: str) -> Any:
        """What was remembered, or None."""
        ...

    def set(self, key: str, value: Any) -> None:
        """Remember, for good once this returns; None forgets."""
        ...


class Reader(Protocol):
    """Reads a source, table by table. ``confirms`` says whether the source is to know what is in its tables."""

    confirms: bool

    def tables(self, schema: str | None) -> list[str]:
        """Names of the tables of a schema."""
        ...

    def check(self, one: TableObject) -> object:
        """Look at a table without reading it."""
        ...

    def begin(self, objects: Sequence[TableObject]) -> None:
        """Once, before all tables."""
        ...

    def read(self, one: TableObject) -> "Landed":
        """Bring what is new of a table."""
        ...

    def confirm(self) -> None:
        """Let the source know."""
        ...

    def release(self) -> None:
        """Once the pipeline is deleted: take away what it has made at the source."""
        ...

    def close(self) -> None:
        """Let the connections go."""
        ...


class Stopped(Exception):
    """The update is to end."""


@dataclass(frozen=True)
class Landed:
    """A table whose rows have landed, for the pipeline that brings them on.

    Attributes:
        destination: Full name of the table that they go to.
        place: Where it stands in the definition.
        mode: ``snapshot`` for all rows, ``append`` for new rows, ``changes`` for rows to merge.
        folder: Where the files are.
        columns: Name and type of each column.
        keys: Columns that say which row is meant.
        sequence: Column that orders changes of a row.
        scd: 1 or 2, of changes and snapshots.
        deletes: Condition under which a change deletes.
        truncates: Condition under which a change deletes all rows.
        hidden: Columns that the table does not get.
        row_filter: Which rows are kept.
        properties: Of the table.
        clustering: Columns that it is clustered by.
        comment: For people.
        notice: What people should look at in what came, empty for nothing.
        generation: How often everything was brought anew.
        batch: How many extractions there were in that.
        rows: How many rows came now.
    """

    destination: str
    place: str
    mode: str
    folder: str
    columns: list[list[str]]
    keys: list[str]
    sequence: str | None
    scd: int
    deletes: str | None
    generation: int
    batch: int
    rows: int = 0
    truncates: str | None = None
    hidden: list[str] = field(default_factory=list[str])
    row_filter: str | None = None
    properties: dict[str, str] = field(default_factory=dict[str, str])
    clustering: list[str] = field(default_factory=list[str])
    comment: str = ""
    notice: str = ""

    @property
    def is_replaced(self) -> bool:
        """Whether what has landed takes the place of all rows that the table has."""
        return self.mode == "snapshot" and self.scd == 1

    def to_json(self) -> dict[str, Any]:
        """It as JSON."""
        return dict(vars(self))


@dataclass
class Extraction:
    """What all tables of an extraction share.

    Attributes:
        landing: Where rows go.
        remembered: What the pipeline remembers.
        stopping: Is set when it is to end.
        anew: Says of which destinations everything is to be brought anew.
    """

    landing: Landing
    remembered: Remembered
    stopping: threading.Event
    anew: Callable[[str], bool]

    def progress(self, one: TableObject, settings: Mapping[str, Any]) -> Progress:
        """How far a table is; files that an extraction left which did not end are removed.

        Raises:
            SettingsChanged: If it was brought with other settings.
        """
        progress = Progress.of(self.remembered.get(_key(one.destination)))
        if self.anew(one.destination):
            progress = progress.anew()
        for name, value in settings.items():
            if progress.settings and progress.settings.get(name) != value:
                raise SettingsChanged(one.destination, name)
        progress.settings = dict(settings)
        folder = self.folder(one.destination, progress)
        self.landing.make(folder)
        loaded = self.remembered.get(loaded_key(one.destination)) or {}
        done = int(loaded.get("batch", 0)) if loaded.get("generation") == progress.generation else 0
        for name in list(self.landing.names(folder)):
            number = int(name.partition("-")[0])
            if number >= progress.batch or number < done:
                self.landing.remove(f"{folder}/{name}")
        return progress

    def since(self, one: TableObject) -> Any:
        """The greatest value of the cursor column so far; None where everything is to be brought."""
        progress = Progress.of(self.remembered.get(_key(one.destination)))
        return None if progress.cursor is None or self.anew(one.destination) else decoded(progress.cursor)

    def folder(self, destination: str, progress: Progress) -> str:
        """Where the files of a table are."""
        return f"{self.landing.root}/{destination}/{progress.generation:04d}"

    def land(self, folder: str, number: int, tables: Iterable[pa.Table]) -> int:
        """Write the files of an extraction; how many rows they have."""
        rows, part, kept = 0, 0, list[pa.Table]()

        def flush() -> None:
            nonlocal part
            if kept:
                self.landing.write(f"{folder}/{number:08d}-{part:05d}.parquet", pa.concat_tables(kept))
                part += 1
                kept.clear()

        for table in tables:
            if self.stopping.is_set():
                raise Stopped
            kept.append(table)
            rows += table.num_rows
            if sum(one.num_rows for one in kept) >= ROWS:
                flush()
        flush()
        return rows

    def commit(self, one: TableObject, progress: Progress) -> None:
        """Remember that an extraction ended. From here on its files count."""
        self.remembered.set(_key(one.destination), progress.to_json())


def query_based(
    extraction: Extraction,
    one: TableObject,
    *,
    columns: Sequence[Column],
    keys: Sequence[str],
    rows: Callable[[Any], Iterator[Sequence[Mapping[str, Any]]]],
) -> Landed:
    """Bring what is new of a table that is asked for its rows.

    Args:
        extraction: This one.
        one: The table.
        columns: Those of the source.
        keys: Its keys.
        rows: Gives its rows from a value of the cursor on, None for all.

    Raises:
        KeysMissing: If it has no keys and needs them.
        SchemaIncompatible: If a column has become one of another type.
    """
    settings = one.settings
    if settings.merges and not keys:
        raise KeysMissing(one.source)
    known: dict[str, Any] = {"source": one.source, "cursor": settings.cursor, "scd_type": settings.scd.value}
    if settings.merges:
        known["primary_keys"] = list(keys)
    progress = extraction.progress(one, known)
    if not columns and not progress.columns:
        # There is no row yet that would tell of any.
        return landed(one, progress, extraction.folder(one.destination, progress))
    if settings.cursor is None:
        progress.keys = list(keys)
        return _snapshot(extraction, one, progress, columns, rows)
    # The spelling of the source is the one that its rows have.
    cursor = next((one.name for one in columns if one.name.lower() == settings.cursor.lower()), settings.cursor)
    written = fitted(columns, [(name, kind) for name, kind in progress.columns], one.source)
    watermark = Watermark(cursor, progress)
    folder = extraction.folder(one.destination, progress)
    tables = (arrow_table(list(watermark.new(chunk)), written, one.source) for chunk in rows(watermark.value))
    count = extraction.land(folder, progress.batch, (table for table in tables if table.num_rows))
    watermark.into(progress)
    progress.columns, progress.keys = [column.to_json() for column in written], list(keys)
    progress.batch += bool(count)
    extraction.commit(one, progress)
    return landed(one, progress, folder, rows=count)


def _snapshot(
    extraction: Extraction,
    one: TableObject,
    progress: Progress,
    columns: Sequence[Column],
    rows: Callable[[Any], Iterator[Sequence[Mapping[str, Any]]]],
) -> Landed:
    """All rows, into a folder of their own."""
    folder = extraction.folder(one.destination, progress)
    number = progress.batch
    # Of an attempt that did not end.
    for name in list(extraction.landing.names(f"{folder}/{number:08d}")):
        extraction.landing.remove(f"{folder}/{number:08d}/{name}")
    tables = (arrow_table(chunk, columns, one.source) for chunk in rows(None))
    count = extraction.land(f"{folder}/{number:08d}", number, tables)
    if not count:
        nothing = pa.schema([(column.name, arrow_type(column.type)) for column in columns]).empty_table()
        extraction.landing.write(f"{folder}/{number:08d}/{number:08d}-00000.parquet", nothing)
    progress.columns, progress.batch = [column.to_json() for column in columns], number + 1
    extraction.commit(one, progress)
    if number:
        before = f"{folder}/{number - 1:08d}"
        for name in list(extraction.landing.names(before)):
            extraction.landing.remove(f"{before}/{name}")
    return landed(one, progress, folder, rows=count)


def landed(one: TableObject, progress: Progress, folder: str, rows: int = 0) -> Landed:
    """What a pipeline has to know of a table."""
    settings = one.settings
    snapshot = settings.cursor is None
    return Landed(
        destination=one.destination,
        place=one.field,
        mode="snapshot" if snapshot else "append" if settings.scd is ScdType.APPEND_ONLY else "changes",
        folder=f"{folder}/{progress.batch - 1:08d}" if snapshot else folder,
        columns=progress.columns,
        keys=progress.keys,
        sequence=settings.sequence_by or settings.cursor,
        scd=2 if settings.scd is ScdType.SCD_TYPE_2 else 1,
        deletes=settings.deletion_condition,
        generation=progress.generation,
        batch=progress.batch,
        rows=rows,
        row_filter=settings.row_filter,
        properties=dict(settings.properties or {}),
        clustering=list(settings.clustering),
        comment=f"From {one.source}",
    )


def loaded_key(destination: str) -> str:
    """Under which it is remembered how much of what has landed is in the table."""
    return f"ingested:{destination}"


def _key(destination: str) -> str:
    return f"ingestion:{destination}"


def told(error: Exception) -> str:
    """An error as its message says it."""
    return error.message if isinstance(error, BoathouseError) else f"{type(error).__name__}: {error}"
