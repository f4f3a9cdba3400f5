"""Every query on history."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, get_args

from sqlalchemy import ColumnElement, Insert, Table, and_, delete, exists, func, or_, select, text, tuple_
from sqlalchemy.orm import Session

from boathouse.catalog.api import COLUMN, Rename
from boathouse.db.inserts import insert_of
from boathouse.history.authors import Author, Claim
from boathouse.history.models import ColumnRow, CommitRow, EdgeRow, EventRow, QueryRow
from boathouse.history.records import Entity, TableKind
from boathouse.history.renames import after, key_starts
from boathouse.kit.clock import now_ms

WRITING = 815_916
"""Advisory lock of PostgreSQL: identifiers become visible in their order only if one transaction at a time makes them."""

EXPORTING = 815_917
"""Advisory lock of PostgreSQL: one server at a time exports."""

SENDING = 815_918
"""Advisory lock of PostgreSQL: one server at a time sends OpenLineage events."""

_OF_TABLES = ("", *get_args(TableKind))


@dataclass(frozen=True)
class Pending:
    """A row that is to be exported."""

    id: int
    payload: dict[str, Any]


@dataclass(frozen=True)
class QueryFilter:
    """Which queries to list; None takes all.

    Attributes:
        principal_ids: Whose.
        statuses: How they ended.
        statement_ids: By their identifiers.
        warehouse_ids: In which warehouses they ran.
        from_ms: Started then or later.
        to_ms: Started then or before.
        after: Start and identifier of the last query of the page before.
    """

    principal_ids: Sequence[str] | None = None
    statuses: Sequence[str] | None = None
    statement_ids: Sequence[str] | None = None
    warehouse_ids: Sequence[str] | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    after: tuple[int, str] | None = None


class HistoryRepository:
    """Events, queries and lineage in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._dialect = session.get_bind().dialect.name

    def lock(self, key: int) -> None:
        """Wait for a lock that all servers of a PostgreSQL share, until the transaction ends. SQLite has one server."""
        if self._dialect == "postgresql":
            self._session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})

    def try_lock(self, key: int) -> bool:
        """Take such a lock if nobody has it, until the transaction ends."""
        if self._dialect != "postgresql":
            return True
        return bool(self._session.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": key}))

    def add_events(self, events: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Append rows of system tables, each with the table's full name. Needs the lock WRITING."""
        now = now_ms()
        rows = [{"stream": stream, "payload": dict(payload), "created_at": now} for stream, payload in events]
        if rows:
            self._session.execute(EventRow.__table__.insert(), rows)  # type: ignore[attr-defined]

    def pending(self, stream: str, limit: int) -> list[Pending]:
        """The oldest rows that are to be exported."""
        query = select(EventRow.id, EventRow.payload).where(EventRow.stream == stream).order_by(EventRow.id).limit(limit)
        return [Pending(row.id, row.payload) for row in self._session.execute(query)]

    def has_pending(self, stream: str) -> bool:
        """Whether anything is to be exported."""
        return bool(self._session.scalar(select(exists().where(EventRow.stream == stream))))

    def remove_exported(self, stream: str, last_id: int) -> None:
        """Delete rows that are in their system table now."""
        self._session.execute(delete(EventRow).where(EventRow.stream == stream, EventRow.id <= last_id))

    def drop_oldest(self, stream: str, before_ms: int, most: int) -> int:
        """Delete the rows from before a moment, and the oldest of those that are too many. How many they were."""
        newest = select(EventRow.id).where(EventRow.stream == stream).order_by(EventRow.id.desc())
        excess = self._session.scalar(newest.offset(most).limit(1)) or 0
        old = or_(EventRow.created_at < before_ms, EventRow.id <= excess)
        return self._session.execute(delete(EventRow).where(EventRow.stream == stream, old)).rowcount  # type: ignore[attr-defined]

    def save_queries(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert queries, or replace those that are there."""
        self._upsert(_table(QueryRow), rows, ("statement_id",))

    def save_edges(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert edges between tables, or give those that are there a new last time."""
        key, counted = ("source", "target", "entity_type", "entity_id"), dict[tuple[Any, ...], dict[str, Any]]()
        for row in rows:
            same = counted.get(tuple(row[name] for name in key), {"times": 0, "source_version": None})
            version = same["source_version"] if row["source_version"] is None else row["source_version"]
            counted[tuple(row[name] for name in key)] = {
                **row,
                "times": same["times"] + row["times"],
                "source_version": version,
            }
        self._upsert(_table(EdgeRow), list(counted.values()), key)

    def save_columns(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert edges between columns, or give those that are there a new last time."""
        self._upsert(_table(ColumnRow), rows, ("source", "source_column", "target", "target_column"))

    def follow(self, rename: Rename) -> None:
        """Let what was recorded before a rename go under the new name."""
        starts = key_starts(rename)
        ends = [getattr(EdgeRow, end).startswith(start, autoescape=True) for end in ("source", "target") for start in starts]
        of_model = and_(EdgeRow.entity_type == "MODEL_VERSION", EdgeRow.entity_id.startswith(rename.old, autoescape=True))
        self._move(_table(EdgeRow), or_(*ends, of_model), rename, self.save_edges)
        own = rename.old if rename.type != COLUMN else ".".join(rename.old.split(".", 3)[:3])
        near = or_(ColumnRow.source.startswith(own, autoescape=True), ColumnRow.target.startswith(own, autoescape=True))
        self._move(_table(ColumnRow), near, rename, self.save_columns)

    def _move(
        self,
        table: Table,
        which: ColumnElement[bool],
        rename: Rename,
        save: Callable[[Sequence[Mapping[str, Any]]], None],
    ) -> None:
        before = [dict(row) for row in self._session.execute(select(table).where(which)).mappings()]
        moved = [(old, new) for old, new in zip(before, after(before, [rename]), strict=True) if old != new]
        key = list(table.primary_key)
        for old, _ in moved:
            self._session.execute(delete(table).where(*(column == old[column.name] for column in key)))
        save([new for _, new in moved])

    def save_commits(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert commits that statements can have made."""
        self._upsert(_table(CommitRow), rows, ("place", "version", "statement_id"))

    def claims(self, place: str, oldest: int) -> list[Claim]:
        """Who can have made the commits of a table from a version on, and what else those statements can have made."""
        statements = select(CommitRow.statement_id).where(CommitRow.place == place, CommitRow.version >= oldest)
        query = select(CommitRow).where(CommitRow.place == place, CommitRow.statement_id.in_(statements))
        return [_claim(row) for row in self._session.scalars(query.order_by(CommitRow.version, CommitRow.statement_id))]

    def forget_commits(self, before_ms: int) -> None:
        """Delete what is known of the commits before a moment."""
        self._session.execute(delete(CommitRow).where(CommitRow.committed_at < before_ms))

    def _upsert(self, table: Table, rows: Sequence[Mapping[str, Any]], key: tuple[str, ...]) -> None:
        # One transaction must not meet the same key twice; the later one holds.
        unique = list({tuple(row[name] for name in key): dict(row) for row in rows}.values())
        if unique:
            self._session.execute(_upserting(self._dialect, table, key, tuple(unique[0])), unique)

    def forget_queries(self, before_ms: int) -> None:
        """Delete the queries that started before a moment."""
        self._session.execute(delete(QueryRow).where(QueryRow.started_at < before_ms))

    def queries(self, wanted: QueryFilter, limit: int) -> list[QueryRow]:
        """The queries that started last."""
        query = select(QueryRow)
        for column, values in (
            (QueryRow.principal_id, wanted.principal_ids),
            (QueryRow.status, wanted.statuses),
            (QueryRow.statement_id, wanted.statement_ids),
            (QueryRow.details["compute"]["warehouse_id"].as_string(), wanted.warehouse_ids),
        ):
            if values is not None:
                query = query.where(column.in_(list(values)))
        if wanted.from_ms is not None:
            query = query.where(QueryRow.started_at >= wanted.from_ms)
        if wanted.to_ms is not None:
            query = query.where(QueryRow.started_at <= wanted.to_ms)
        if wanted.after is not None:
            query = query.where(tuple_(QueryRow.started_at, QueryRow.statement_id) < wanted.after)
        query = query.order_by(QueryRow.started_at.desc(), QueryRow.statement_id.desc()).limit(limit)
        return list(self._session.scalars(query))

    def edges_of(self, name: str) -> list[EdgeRow]:
        """The edges between a table and other tables and paths, newest first."""
        query = select(EdgeRow).where(
            or_(EdgeRow.source == name, EdgeRow.target == name),
            EdgeRow.source_kind.in_(_OF_TABLES),
            EdgeRow.target_kind.in_(_OF_TABLES),
        )
        return list(self._session.scalars(query.order_by(EdgeRow.last_at.desc(), EdgeRow.source, EdgeRow.target)))

    def edges_from(self, names: Sequence[str], most: int) -> list[EdgeRow]:
        """The newest edges out of some things, by what edges call them."""
        return self._edges(EdgeRow.source.in_(names), most)

    def edges_to(self, names: Sequence[str], most: int) -> list[EdgeRow]:
        """The newest edges into some things."""
        return self._edges(EdgeRow.target.in_(names), most)

    def edges_below(self, folder: str, most: int) -> list[EdgeRow]:
        """The newest edges out of the paths below a folder."""
        below = EdgeRow.source.startswith(folder.rstrip("/") + "/", autoescape=True)
        return self._edges(and_(below, EdgeRow.source_kind == "PATH"), most)

    def edges_by(self, entities: Sequence[tuple[str, str]], most: int) -> list[EdgeRow]:
        """The newest edges that lead to some entities alone, or from them: what they read, and what they wrote without a source."""
        mine = tuple_(EdgeRow.entity_type, EdgeRow.entity_id).in_(entities)
        return self._edges(and_(mine, or_(EdgeRow.target == "", EdgeRow.source == "")), most)

    def _edges(self, which: ColumnElement[bool], most: int) -> list[EdgeRow]:
        query = select(EdgeRow).where(which).order_by(EdgeRow.last_at.desc(), EdgeRow.source, EdgeRow.target)
        return list(self._session.scalars(query.limit(most)))

    def columns_of(self, table: str, column: str) -> list[ColumnRow]:
        """The edges into and out of a column, newest first; its name in any case."""
        name = column.lower()
        query = select(ColumnRow).where(
            or_(
                and_(ColumnRow.source == table, func.lower(ColumnRow.source_column) == name),
                and_(ColumnRow.target == table, func.lower(ColumnRow.target_column) == name),
            )
        )
        return list(self._session.scalars(query.order_by(ColumnRow.last_at.desc(), ColumnRow.source, ColumnRow.target)))


@lru_cache
def _upserting(dialect: str, table: Table, key: tuple[str, ...], columns: tuple[str, ...]) -> Insert:
    """Insert a row, or give the one of the same key other values. The same object each time, which is compiled only once."""
    insert = insert_of(dialect, table)
    changed: dict[str, Any] = {name: insert.excluded[name] for name in columns if name not in key}
    if "times" in changed:
        changed["times"] = table.c.times + insert.excluded.times
    if "source_version" in changed:
        changed["source_version"] = func.coalesce(insert.excluded.source_version, table.c.source_version)
    return insert.on_conflict_do_update(index_elements=list(key), set_=changed)


def _claim(row: CommitRow) -> Claim:
    kind, identifier = row.entity_type, row.entity_id
    entity = None if kind is None or identifier is None else Entity(type=kind, id=identifier, run_id=row.entity_run_id)
    author = Author(row.principal, row.principal_id, entity)
    return Claim(row.version, row.committed_at, row.statement_id, row.is_named, row.is_sure, author)


def _table(model: type[QueryRow | EdgeRow | ColumnRow | CommitRow]) -> Table:
    table = model.__table__
    if not isinstance(table, Table):
        raise TypeError(model)
    return table
