"""PostgreSQL and MariaDB, read by dlt's sql_database source. Only a process of its own may import this."""

import datetime as dt
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dlt
import psycopg
import sqlalchemy as sa
from dlt.common.exceptions import DltException
from dlt.sources.sql_database import sql_table
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.exc import DBAPIError, NoSuchTableError, SQLAlchemyError

from boathouse.catalog.open_connection import OpenConnection
from boathouse.ingest.connectors.columns import Column, text_of
from boathouse.ingest.connectors.definition import TableObject
from boathouse.ingest.connectors.errors import RowUnreadable, SourceColumnMissing, SourceTableMissing, SourceUnreachable

CHUNK = 20_000
_SECONDS = 15
_EXACT = 38


@dataclass(frozen=True)
class SourceTable:
    """A table as the source describes it."""

    table: sa.Table
    columns: tuple[Column, ...]
    keys: tuple[str, ...]


class _Time(mysql.TIME):
    """MariaDB's times of day and spans up to 838 hours, to both sides, as its texts: SQLAlchemy would take them for times of day."""

    cache_ok = True

    def result_processor(self, dialect: Any, coltype: Any) -> Any:  # noqa: ARG002 - SQLAlchemy's method
        """What makes a text of the driver's value."""
        return lambda value: None if value is None else span_text(value)


def _with_spans(table: sa.Table) -> None:
    for column in table.columns:
        if isinstance(column.type, mysql.TIME):
            column.type = _Time(fsp=column.type.fsp)


def span_text(span: dt.timedelta) -> str:
    """A span as MariaDB writes it: ``-838:59:59.000001``."""
    seconds, fraction = divmod(abs(span), dt.timedelta(seconds=1))
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{'-' if span < dt.timedelta() else ''}{text}{f'.{fraction.microseconds:06d}' if fraction else ''}"


class DatabaseSource:
    """A database.

    Args:
        connection: How it is reached.
        database: Its name; None for the connection's.
    """

    def __init__(self, connection: OpenConnection, database: str | None) -> None:
        self._name = connection.name
        self._options = connection.options
        self.engine, self.connect_arguments = _engine(connection, database)

    def tables(self, schema: str | None) -> list[str]:
        """Names of the tables of a schema."""
        try:
            return sorted(sa.inspect(self.engine).get_table_names(schema))
        except SQLAlchemyError as error:
            raise self.unreachable(error) from error

    def describe(self, one: TableObject) -> SourceTable:
        """Columns and keys of a table.

        Raises:
            SourceTableMissing: If there is none.
            SourceColumnMissing: If a setting names a column that it does not have.
        """
        name = one.source_table or ""
        try:
            table = sa.Table(name, sa.MetaData(), schema=one.source_schema, autoload_with=self.engine, resolve_fks=False)
        except NoSuchTableError as error:
            raise SourceTableMissing(one.source, self.tables(one.source_schema)) from error
        except SQLAlchemyError as error:
            raise self.unreachable(error) from error
        return described(table, one)

    def rows(self, one: TableObject, source: SourceTable, since: Any) -> Iterator[Sequence[Mapping[str, Any]]]:
        """The rows of a table, in chunks: all, or those whose cursor is not below a value."""
        cursor = one.settings.cursor
        incremental = None
        if cursor is not None:
            incremental = dlt.sources.incremental(
                cursor, initial_value=since, primary_key=(), on_cursor_value_missing="exclude", range_start="closed"
            )
        resource = sql_table(
            credentials=self.engine,
            table=source.table.name,
            schema=one.source_schema,
            metadata=source.table.metadata,
            incremental=incremental,
            chunk_size=CHUNK,
            backend="sqlalchemy",
            table_adapter_callback=_with_spans,
            included_columns=[column.name for column in source.columns],
        )
        try:
            yield from _chunks(resource)
        except DltException as error:
            cause = error.__cause__
            told = cause.orig if isinstance(cause, DBAPIError) else cause
            if isinstance(told, psycopg.DataError) and told.sqlstate is None:
                # Not what the server has said, but that the driver cannot make a value of what it has given.
                raise RowUnreadable(one.source, str(told)) from error
            if cursor is not None and isinstance(cause, TypeError):
                raise RowUnreadable(one.source, f"those of the cursor column {cursor} cannot be compared ({cause})") from error
            raise self.unreachable(cause if isinstance(cause, Exception) else error) from error

    def tells_rows_apart(self, table: sa.Table) -> bool:
        """Whether PostgreSQL can say which row of a table without a primary key was changed."""
        query = sa.text("SELECT relreplident IN ('f', 'i') FROM pg_class WHERE oid = CAST(:name AS regclass)")
        name = self.engine.dialect.identifier_preparer.format_table(table)
        with self.engine.connect() as connection:
            return bool(connection.execute(query, {"name": name}).scalar_one())

    def unreachable(self, error: Exception) -> SourceUnreachable:
        """What the database said, without secrets."""
        text = str(error.orig if isinstance(error, DBAPIError) else error).strip() or type(error).__name__
        if "password" in self._options:
            text = text.replace(self._options["password"], "***")
        return SourceUnreachable(self._name, " ".join(text.split())[:500])

    def close(self) -> None:
        """Let the connections go."""
        self.engine.dispose()


def _chunks(resource: Any) -> Iterator[Sequence[Mapping[str, Any]]]:
    """Dlt gives row by row or page by page, as it likes."""
    kept: list[Mapping[str, Any]] = []
    for item in resource:
        kept.extend(item) if isinstance(item, list) else kept.append(item)
        if len(kept) >= CHUNK:
            yield kept
            kept = []
    if kept:
        yield kept


def _engine(connection: OpenConnection, database: str | None) -> tuple[sa.Engine, dict[str, Any]]:
    options = connection.options
    trust = options.get("trustServerCertificate")
    common: dict[str, Any] = {
        "username": options["user"],
        "password": options["password"],
        "host": options["host"],
        "database": database or options.get("database"),
    }
    if connection.type == "POSTGRESQL":
        mode = {None: "prefer", "true": "require", "false": "verify-full"}[trust]
        arguments: dict[str, Any] = {"connect_timeout": _SECONDS, "sslmode": mode, "application_name": "boathouse"}
        if trust == "false":
            arguments["sslrootcert"] = "system"
        url = sa.URL.create("postgresql+psycopg", port=int(options.get("port", "5432")), **common)
    else:
        # What TIMESTAMP columns hold is then in UTC, as their values are taken here.
        arguments = {"connect_timeout": _SECONDS, "init_command": "SET time_zone = '+00:00'", "charset": "utf8mb4"}
        if trust is not None:
            context = ssl.create_default_context()
            if trust == "true":
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            arguments["ssl"] = context
        url = sa.URL.create("mysql+pymysql", port=int(options.get("port", "3306")), **common)
    # One snapshot for all chunks of a table.
    return sa.create_engine(url, connect_args=arguments, isolation_level="REPEATABLE READ"), arguments


def described(table: sa.Table, one: TableObject) -> SourceTable:
    """A reflected table with the columns that its settings leave.

    Raises:
        SourceColumnMissing: If a setting names a column that it does not have.
    """
    settings = one.settings
    names = {column.name.lower(): column.name for column in table.columns}
    field = f"{one.field}.table_configuration"
    named: dict[str, Sequence[str]] = {
        f"{field}.primary_keys": settings.primary_keys,
        f"{field}.include_columns": settings.include,
        f"{field}.exclude_columns": settings.exclude,
        f"{field}.sequence_by": [settings.sequence_by] if settings.sequence_by else [],
        f"{field}.query_based_connector_config.cursor_columns": [settings.cursor] if settings.cursor else [],
    }
    for where, chosen in named.items():
        for name in chosen:
            if name.lower() not in names:
                raise SourceColumnMissing(where, name, one.source, names.values())
    keys = tuple(names[name.lower()] for name in settings.primary_keys) or tuple(
        column.name for column in table.primary_key.columns
    )
    needed = {*keys, *(one for one in (settings.cursor, settings.sequence_by) if one)}
    include, exclude = {name.lower() for name in settings.include}, {name.lower() for name in settings.exclude}
    chosen = [
        column
        for column in table.columns
        if column.name in needed or ((not include or column.name.lower() in include) and column.name.lower() not in exclude)
    ]
    return SourceTable(table, tuple(column_of(column) for column in chosen), keys)


def column_of(column: sa.Column[Any]) -> Column:
    """The type that a source's column has here."""
    name, kind = str(column.name), column.type
    if isinstance(kind, postgresql.ARRAY):
        inner = column_of(sa.Column(name, kind.item_type))
        if kind.dimensions in (None, 1) and not inner.type.startswith("ARRAY"):
            return Column(name, f"ARRAY<{inner.type}>", lambda values: _each(values, inner))
        return Column(name, "STRING", text_of)
    if isinstance(kind, sa.Numeric) and not isinstance(kind, sa.Float):
        precision, scale = kind.precision or _EXACT, kind.scale if kind.scale is not None else (0 if kind.precision else 18)
        return Column(name, f"DECIMAL({precision},{scale})") if precision <= _EXACT else Column(name, "STRING", str)
    found = next((made for known, made in _TYPES if isinstance(kind, known)), None)
    if found is None:
        return Column(name, "STRING", text_of)
    spark, convert = found(kind)
    return Column(name, spark, convert)


def _each(values: Any, inner: Column) -> list[Any]:
    return [None if value is None else inner.convert(value) for value in values]


def _same(value: Any) -> Any:
    return value


def _whole(kind: Any) -> tuple[str, Any]:
    """Whole numbers of MariaDB can be without a sign, and then need the next wider type."""
    names = ["SMALLINT", "INT", "BIGINT", "DECIMAL(20,0)"]
    if isinstance(kind, mysql.TINYINT | sa.SmallInteger):
        at = 0
    elif isinstance(kind, sa.BigInteger):
        at = 2
    else:
        at = 1
    wider = getattr(kind, "unsigned", False) and not isinstance(kind, mysql.TINYINT | mysql.MEDIUMINT)
    return names[at + bool(wider)], _same


def _day(value: Any) -> Any:
    """A day or a moment; the driver leaves MariaDB's that are none, as 0000-00-00, as texts."""
    if isinstance(value, str):
        message = (
            f"'{value}' is on no calendar. Change it there, or leave out the column with table_configuration.exclude_columns"
        )
        raise TypeError(message)
    return value


def _moment(kind: Any) -> tuple[str, Any]:
    in_utc = isinstance(kind, mysql.TIMESTAMP) or getattr(kind, "timezone", False)
    return ("TIMESTAMP" if in_utc else "TIMESTAMP_NTZ"), _day


def _bits(kind: Any) -> tuple[str, Any]:
    """As many bytes as a column of bits has, which come as a number."""
    length = ((kind.length or 1) + 7) // 8
    return "BINARY", lambda value: value.to_bytes(length, "big")


_TYPES: tuple[tuple[Any, Any], ...] = (
    (sa.Boolean, lambda _: ("BOOLEAN", bool)),
    (mysql.YEAR, lambda _: ("INT", int)),
    (mysql.BIT, _bits),
    (sa.Integer, _whole),
    (postgresql.REAL, lambda _: ("FLOAT", float)),
    (mysql.FLOAT, lambda _: ("FLOAT", float)),
    (sa.Float, lambda _: ("DOUBLE", float)),
    (sa.Date, lambda _: ("DATE", _day)),
    (sa.DateTime, _moment),
    (sa.LargeBinary, lambda _: ("BINARY", bytes)),
    (sa.BINARY, lambda _: ("BINARY", bytes)),
    (sa.VARBINARY, lambda _: ("BINARY", bytes)),
    (sa.Uuid, lambda _: ("STRING", str)),
)
"""By type of the source; what is not here becomes text."""
