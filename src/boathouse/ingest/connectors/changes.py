"""Changes of PostgreSQL's tables, from its logical replication. Only a process of its own may import this.

Changes are looked at with ``pg_logical_slot_peek_binary_changes``, which leaves them where they are, and the slot is moved on only
once they are in their tables. So whatever dies, what is not there yet is looked at again, and each table leaves out what it has.

The rows that a table had before come from a snapshot that a temporary slot exports: it has exactly the transactions that end before
the slot's consistent point, and the changes have exactly those that end after it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pyarrow as pa
import sqlalchemy as sa
from psycopg.conninfo import make_conninfo
from sqlalchemy.exc import SQLAlchemyError

from boathouse.catalog.open_connection import OpenConnection
from boathouse.errors import BoathouseError
from boathouse.ingest.connectors.columns import Column, arrow_table, fitted
from boathouse.ingest.connectors.databases import DatabaseSource, SourceTable
from boathouse.ingest.connectors.definition import Definition, ScdType, TableObject, own_replication
from boathouse.ingest.connectors.errors import KeysMissing, ReplicationImpossible
from boathouse.ingest.connectors.extract import Extraction, Landed, Stopped, loaded_key
from boathouse.ingest.connectors.pgoutput import (
    UNCHANGED,
    Commit,
    Decoder,
    Delete,
    Insert,
    Message,
    Relation,
    Truncate,
    Update,
)
from boathouse.ingest.connectors.pgtext import parser
from boathouse.ingest.connectors.progress import Progress

SEQUENCE, OPERATION = "_boathouse_sequence", "_boathouse_operation"
_ROWS = 50_000
_TRIES, _PAUSE = 150, 0.2
_HIDDEN = (Column(SEQUENCE, "STRING"), Column(OPERATION, "STRING"))
_TEXT = "SET datestyle = 'ISO'; SET timezone = 'UTC'; SET bytea_output = 'hex'; SET intervalstyle = 'iso_8601'"
_Row = dict[str, Any]


def sequence(lsn: int, number: int) -> str:
    """What orders changes: where their transaction ends, then their place in it."""
    return f"{lsn:016X}{number:08X}"


@dataclass
class _Table:
    """A table, while changes are read."""

    one: TableObject
    source: SourceTable
    progress: Progress
    written: list[Column]
    folder: str
    since: int
    """Where the last transaction ended that it has."""
    rows: list[_Row] = field(default_factory=list[_Row])
    parts: list[pa.Table] = field(default_factory=list[pa.Table])
    count: int = 0
    incomplete: bool = False
    """Whether some of the rows lack values that were not sent."""


class ChangeReader:
    """Reads the changes of all tables of a pipeline.

    Args:
        connection: To the database.
        definition: What is brought.
        extraction: This one.
        pipeline_id: Names the slot and the publication, unless the definition does.
    """

    confirms = True

    def __init__(self, connection: OpenConnection, definition: Definition, extraction: Extraction, pipeline_id: str) -> None:
        self._source = DatabaseSource(connection, definition.objects[0].database)
        self._connection = connection
        self._extraction = extraction
        own = own_replication(pipeline_id)
        self._slot, self._publication = definition.slot or own, definition.publication or own
        self._is_own, self._has_own_slot = definition.publication is None, definition.slot is None
        self._ended: dict[str, Landed | Exception] = {}

    def tables(self, schema: str | None) -> list[str]:
        """Names of the tables of a schema."""
        return self._source.tables(schema)

    def check(self, one: TableObject) -> SourceTable:
        """Look at a table without reading it.

        Raises:
            KeysMissing: If its rows cannot be told apart.
        """
        found = self._source.describe(one)
        if not found.keys:
            raise KeysMissing(one.source, "make one at the source")
        if not found.table.primary_key.columns and not self._source.tells_rows_apart(found.table):
            # Once such a table is published, its own users can neither update nor delete.
            message = f"{one.source} has no primary key. Run ALTER TABLE {one.source} REPLICA IDENTITY FULL."
            raise ReplicationImpossible(message)
        return found

    def begin(self, objects: Sequence[TableObject]) -> None:
        """Read what is new of all tables: what is passed over now is gone once the slot is moved on.

        Raises:
            ReplicationImpossible: If the server is not set up for it.
        """
        try:
            with self._source.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql(_TEXT)
                self._prepare(connection, objects)
                self._read(connection)
        except SQLAlchemyError as error:
            raise self._source.unreachable(error) from error

    def read(self, one: TableObject) -> Landed:
        """How a table has ended."""
        found = self._ended[one.destination]
        if isinstance(found, Exception):
            raise found
        return found

    def confirm(self) -> None:
        """Move the slot on to where all tables have what came before."""
        remembered: Mapping[str, Any] = self._extraction.remembered.get(_key()) or {}
        lsns: list[int] = []
        for destination in remembered.get("tables", ()):
            progress = Progress.of(self._extraction.remembered.get(f"ingestion:{destination}"))
            loaded = self._extraction.remembered.get(loaded_key(destination)) or {}
            if (loaded.get("generation"), loaded.get("batch")) != (progress.generation, progress.batch):
                return
            lsns.append(int(progress.settings["lsn"]))
        if lsns:
            with self._source.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                self._advance(connection, min(lsns))

    def release(self) -> None:
        """Take away the slot and the publication that the pipeline has made.

        Raises:
            SourceUnreachable: If the server does not let it.
        """
        drop = sa.text("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = :name")
        try:
            with self._source.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                if self._has_own_slot:
                    self._await_slot(connection)
                    connection.execute(drop, {"name": self._slot})
                if self._is_own:
                    name = connection.dialect.identifier_preparer.quote(self._publication)
                    connection.exec_driver_sql(f"DROP PUBLICATION IF EXISTS {name}")
        except SQLAlchemyError as error:
            raise self._source.unreachable(error) from error

    def close(self) -> None:
        """Let the connections go."""
        self._source.close()
        self._extraction.landing.close()

    # ------------------------------------------------------------------------------------------------------- set-up

    def _prepare(self, connection: sa.Connection, objects: Sequence[TableObject]) -> None:
        level = connection.exec_driver_sql("SHOW wal_level").scalar_one()
        if level != "logical":
            message = f"The server's wal_level is {level}. Set wal_level = logical in postgresql.conf and restart PostgreSQL."
            raise ReplicationImpossible(message)
        may = "SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user"
        if not connection.exec_driver_sql(may).scalar_one():
            message = "The connection's user may not replicate. Run ALTER ROLE <user> REPLICATION as an administrator."
            raise ReplicationImpossible(message)
        described: dict[str, tuple[TableObject, SourceTable]] = {}
        for one in objects:
            try:
                described[one.destination] = one, self.check(one)
            except BoathouseError as error:
                self._ended[one.destination] = error
        self._publish(connection, [found for _, found in described.values()])
        self._make_slot(connection)
        self._tables: dict[tuple[str, str], list[_Table]] = {}
        for destination, (one, found) in described.items():
            try:
                table = self._table(one, found)
            except Stopped:
                raise
            except Exception as error:  # noqa: BLE001 - of one table; the others go on
                self._ended[destination] = error
                continue
            schema = found.table.schema or "public"
            self._tables.setdefault((schema, found.table.name), []).append(table)

    def _publish(self, connection: sa.Connection, tables: Sequence[SourceTable]) -> None:
        quote = connection.dialect.identifier_preparer.quote
        there = connection.execute(
            sa.text("SELECT schemaname, tablename FROM pg_publication_tables WHERE pubname = :name"),
            {"name": self._publication},
        ).all()
        exists = connection.execute(
            sa.text("SELECT 1 FROM pg_publication WHERE pubname = :name"), {"name": self._publication}
        ).first()
        published = {(str(schema), str(name)) for schema, name in there}
        missing = [one for one in tables if (one.table.schema or "public", one.table.name) not in published]
        if not missing and exists:
            return
        named = ", ".join(f"{quote(one.table.schema or 'public')}.{quote(one.table.name)}" for one in missing)
        if not self._is_own:
            message = f"The publication {self._publication} lacks {named}. Run ALTER PUBLICATION {quote(self._publication)} ADD TABLE {named}."
            raise ReplicationImpossible(message)
        verb = (
            f"ALTER PUBLICATION {quote(self._publication)} ADD TABLE"
            if exists
            else f"CREATE PUBLICATION {quote(self._publication)} FOR TABLE"
        )
        if missing:
            connection.exec_driver_sql(f"{verb} {named}")

    def _make_slot(self, connection: sa.Connection) -> None:
        """Make the slot where it is missing, and wait until nobody else looks at it.

        Raises:
            ReplicationImpossible: If it was there and is not, or is of another kind.
        """
        found = connection.execute(
            sa.text("SELECT plugin FROM pg_replication_slots WHERE slot_name = :name"), {"name": self._slot}
        ).scalar()
        if found is not None and found != "pgoutput":
            message = f"The replication slot {self._slot} is of the plugin {found}; pgoutput is needed."
            raise ReplicationImpossible(message)
        if found is None:
            remembered = self._extraction.remembered.get(_key()) or {}
            if remembered.get("slot") == self._slot and not all(map(self._extraction.anew, remembered.get("tables", ()))):
                message = f"The replication slot {self._slot} is gone, and changes with it. Start an update with full_refresh."
                raise ReplicationImpossible(message)
            connection.execute(sa.text("SELECT pg_create_logical_replication_slot(:name, 'pgoutput')"), {"name": self._slot})
        self._await_slot(connection)

    def _await_slot(self, connection: sa.Connection) -> None:
        """A process that was killed may still have its session at the slot."""
        active = sa.text("SELECT active FROM pg_replication_slots WHERE slot_name = :name")
        for _ in range(_TRIES):
            if not connection.execute(active, {"name": self._slot}).scalar() or self._extraction.stopping.wait(_PAUSE):
                break

    def _table(self, one: TableObject, source: SourceTable) -> _Table:
        """A table, with the rows that it has now landed if it is new."""
        known = Progress.of(self._extraction.remembered.get(f"ingestion:{one.destination}"))
        settings = {"source": one.source, "scd_type": one.settings.scd.value, "primary_keys": list(source.keys)}
        before = known.settings.get("lsn")
        progress = self._extraction.progress(one, settings)
        progress.keys = list(source.keys)
        columns = [parser(column) for column in source.columns]
        written = fitted([*_HIDDEN, *columns], [(name, kind) for name, kind in progress.columns], one.source)
        folder = self._extraction.folder(one.destination, progress)
        if progress.columns:
            progress.settings["lsn"] = before
            return _Table(one, source, progress, written, folder, int(before or 0))
        lsn, count = self._snapshot(one, source, progress, written, folder)
        progress.settings["lsn"] = lsn
        table = _Table(one, source, progress, written, folder, lsn)
        self._commit(table, lsn)
        table.count = count
        return table

    def _snapshot(
        self, one: TableObject, source: SourceTable, progress: Progress, written: Sequence[Column], folder: str
    ) -> tuple[int, int]:
        """Land the rows of a table as they were at a point, and tell that point and how many there were."""
        options = self._source.engine.url.translate_connect_args(username="user", database="dbname")
        arguments = self._source.connect_arguments
        with psycopg.connect(make_conninfo(**options, **arguments, replication="database"), autocommit=True) as exporter:
            name = f"boathouse_snapshot_{exporter.info.backend_pid}"
            made = exporter.pgconn.exec_(
                f"CREATE_REPLICATION_SLOT {name} TEMPORARY LOGICAL pgoutput (SNAPSHOT 'export')".encode()
            )
            if made.status != psycopg.pq.ExecStatus.TUPLES_OK:
                raise ReplicationImpossible(f"No snapshot can be made: {exporter.pgconn.error_message.decode().strip()}")
            lsn, snapshot = _number((made.get_value(0, 1) or b"").decode()), (made.get_value(0, 2) or b"").decode()
            with self._source.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
                connection.exec_driver_sql(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
                connection.exec_driver_sql(_TEXT)
                count = self._extraction.land(
                    folder, progress.batch, self._rows(connection, one, source, written, sequence(lsn, 0))
                )
        progress.batch += 1
        return lsn, count

    def _rows(
        self, connection: sa.Connection, one: TableObject, source: SourceTable, written: Sequence[Column], at: str
    ) -> Iterator[pa.Table]:
        quote = connection.dialect.identifier_preparer.quote
        names = [column.name for column in source.columns]
        place = ".".join(quote(part) for part in (source.table.schema, source.table.name) if part)
        chosen = ", ".join(quote(name) for name in names)
        raw = connection.connection.driver_connection
        if raw is None:
            raise TypeError(connection)
        kept: list[_Row] = []
        # A copy has values in the same text as messages of replication have them.
        with raw.cursor() as cursor, cursor.copy(f"COPY (SELECT {chosen} FROM {place}) TO STDOUT") as copy:  # noqa: S608 - quoted
            for row in copy.rows():
                kept.append({**dict(zip(names, row, strict=True)), SEQUENCE: at, OPERATION: "I"})
                if len(kept) == _ROWS:
                    yield arrow_table(kept, written, one.source)
                    kept = []
        if kept:
            yield arrow_table(kept, written, one.source)

    # ------------------------------------------------------------------------------------------------------ changes

    def _read(self, connection: sa.Connection) -> None:
        """Look at the changes from the slot's place up to now, and land them."""
        now = _number(str(connection.exec_driver_sql("SELECT pg_current_wal_lsn()").scalar_one()))
        query = sa.text(
            "SELECT data FROM pg_logical_slot_peek_binary_changes(:slot, CAST(:upto AS pg_lsn), NULL, 'proto_version', '1', "
            "'publication_names', :publication)"
        )
        values = {"slot": self._slot, "upto": _text(now), "publication": f'"{self._publication}"'}
        decoder, lsn, number = Decoder(), 0, 0
        with self._source.engine.connect() as reading:
            reading.exec_driver_sql(_TEXT)
            for (data,) in reading.execution_options(stream_results=True, max_row_buffer=10_000).execute(query, values):
                if self._extraction.stopping.is_set():
                    raise Stopped
                message = decoder.decode(bytes(data))
                if isinstance(message, Commit):
                    lsn, number = message.lsn, 0
                elif message is not None and not isinstance(message, Relation):
                    number += 1
                    self._take(decoder, message, lsn, sequence(lsn, 2 * number))
        for tables in self._tables.values():
            for table in tables:
                self._end(connection, table, max(now, lsn + 1, table.since))
        following = [table.one.destination for tables in self._tables.values() for table in tables]
        known = (self._extraction.remembered.get(_key()) or {}).get("tables", ())
        self._extraction.remembered.set(_key(), {"slot": self._slot, "tables": sorted({*known, *following})})

    def _take(self, decoder: Decoder, message: Message, lsn: int, at: str) -> None:
        """Give a change to the tables that it is of."""
        oids = message.oids if isinstance(message, Truncate) else (message.oid,) if not isinstance(message, Commit) else ()
        for oid in oids:
            relation = decoder.relations[oid]
            for table in self._tables.get((relation.schema, relation.name), ()):
                # One that ended where the snapshot was taken is not in it.
                if lsn >= table.since and table.one.destination not in self._ended:
                    try:
                        table.rows += _rows_of(table, relation, message, at)
                    except BoathouseError as error:
                        self._ended[table.one.destination] = error

    def _end(self, connection: sa.Connection, table: _Table, lsn: int) -> None:
        destination = table.one.destination
        if destination in self._ended:
            return
        try:
            _complete(connection, table)
            rows = table.rows
            chunks = (rows[at : at + _ROWS] for at in range(0, len(rows), _ROWS))
            parts = (arrow_table(chunk, table.written, table.one.source) for chunk in chunks)
            count = self._extraction.land(table.folder, table.progress.batch, parts)
            table.progress.batch += bool(count)
            table.count += count
            self._commit(table, lsn)
            self._ended[destination] = _landed(table)
        except Stopped:
            raise
        except Exception as error:  # noqa: BLE001 - of one table; the others go on
            self._ended[destination] = error

    def _commit(self, table: _Table, lsn: int) -> None:
        table.progress.columns = [column.to_json() for column in table.written]
        table.progress.settings["lsn"] = lsn
        self._extraction.commit(table.one, table.progress)

    def _advance(self, connection: sa.Connection, lsn: int) -> None:
        at = sa.text(
            "SELECT pg_replication_slot_advance(slot_name, LEAST(CAST(:lsn AS pg_lsn), pg_current_wal_lsn())) "
            "FROM pg_replication_slots WHERE slot_name = :slot AND confirmed_flush_lsn < CAST(:lsn AS pg_lsn)"
        )
        connection.execute(at, {"slot": self._slot, "lsn": _text(lsn)})


def _rows_of(table: _Table, relation: Relation, message: Message, at: str) -> list[_Row]:
    """A change as rows to land."""
    match message:
        case Insert():
            return [{**message.new, SEQUENCE: at, OPERATION: "I"}]
        case Update():
            row = dict(message.new)
            old = message.old or {}
            # The whole row that was there before has the values that were not sent; a key alone has NULL in their place.
            if set(relation.keys) == set(relation.columns):
                row = {name: old.get(name) if value is UNCHANGED else value for name, value in row.items()}
            table.incomplete |= any(value is UNCHANGED for value in row.values())
            found: list[_Row] = [{**row, SEQUENCE: at, OPERATION: "U"}]
            gone = {key: old.get(key) for key in table.source.keys}
            if old and any(value != row.get(key) for key, value in gone.items()):
                # No row has the old key any more. The place before is this change's own.
                found.insert(0, {**gone, SEQUENCE: f"{int(at, 16) - 1:024X}", OPERATION: "D"})
            return found
        case Delete():
            missing = [key for key in table.source.keys if key not in relation.keys]
            if missing:
                text = (
                    f"{table.one.source} tells its rows apart by {', '.join(relation.keys) or 'nothing'}, not by {missing[0]}. Run ALTER TABLE "
                    f"{table.one.source} REPLICA IDENTITY FULL, or leave primary_keys out."
                )
                raise ReplicationImpossible(text)
            return [{**{key: message.old.get(key) for key in table.source.keys}, SEQUENCE: at, OPERATION: "D"}]
        case Truncate() if table.one.settings.scd is ScdType.SCD_TYPE_2:
            text = f"{table.one.source} was truncated, which SCD_TYPE_2 cannot follow. Start an update with full_refresh_selection of it."
            raise ReplicationImpossible(text)
        case Truncate():
            return [{SEQUENCE: at, OPERATION: "T"}]
        case _:
            return []


def _complete(connection: sa.Connection, table: _Table) -> None:
    """Put values that were not sent in their places: they are those of the change before, or those that the row has now."""
    if not table.incomplete:
        return
    keys = table.source.keys
    last: dict[tuple[Any, ...], _Row] = {}
    columns = table.source.table.columns
    for row in table.rows:
        key = tuple(row.get(name) for name in keys)
        lacking = [name for name, value in row.items() if value is UNCHANGED and name in columns]
        before = last.get(key, {})
        asked = [name for name in lacking if before.get(name, UNCHANGED) is UNCHANGED]
        if asked:
            same = [sa.cast(columns[name], sa.Text) == value for name, value in zip(keys, key, strict=True)]
            chosen = [sa.cast(columns[name], sa.Text).label(name) for name in asked]
            before = {**before, **(connection.execute(sa.select(*chosen).where(*same)).mappings().first() or {})}
        row.update({name: before.get(name) for name in lacking})
        last[key] = row


def _landed(table: _Table) -> Landed:
    one, progress = table.one, table.progress
    is_first = one.settings.scd is ScdType.SCD_TYPE_1
    return Landed(
        destination=one.destination,
        place=one.field,
        mode="changes",
        folder=table.folder,
        columns=progress.columns,
        keys=progress.keys,
        sequence=SEQUENCE,
        scd=1 if is_first else 2,
        deletes=f"{OPERATION} = 'D'",
        truncates=f"{OPERATION} = 'T'" if is_first else None,
        hidden=[SEQUENCE, OPERATION],
        generation=progress.generation,
        batch=progress.batch,
        rows=table.count,
        row_filter=one.settings.row_filter,
        properties=dict(one.settings.properties or {}),
        clustering=list(one.settings.clustering),
        comment=f"From {one.source}",
    )


def _key() -> str:
    return "replication"


def _number(lsn: str) -> int:
    high, _, low = lsn.partition("/")
    if not re.fullmatch(r"[0-9A-Fa-f]+/[0-9A-Fa-f]+", lsn):
        raise ReplicationImpossible(f"The server has no place in its log to tell: '{lsn}'.")
    return (int(high, 16) << 32) + int(low, 16)


def _text(lsn: int) -> str:
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"
