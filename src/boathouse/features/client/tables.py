"""Feature tables as a client makes, fills and reads them: Delta tables of the catalog with a primary key."""

import datetime as dt
import uuid
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - what everybody calls it
from pyspark.sql.streaming.query import StreamingQuery
from pyspark.sql.types import StructType

from boathouse.engine.gateway.sql.tokens import literal
from boathouse.features.client.columns import column_named, is_among, is_time, quoted, require_frame, spelled, sql_name
from boathouse.features.client.lookups import names_of
from boathouse.features.keys import AVAILABLE_AT, FeatureKeys, feature_keys

_CHECKED = "__features_rows"


@dataclass(frozen=True)
class FeatureTable:
    """What is known of a feature table.

    Attributes:
        name: ``catalog.schema.table``.
        primary_keys: Columns that say which entity is meant, without the time.
        timestamp_keys: The column with the time from when on a row holds, if there is one.
        features: The other columns.
        schema: Columns and their types.
    """

    name: str
    table_id: str
    description: str
    primary_keys: list[str]
    timestamp_keys: list[str]
    partition_columns: list[str]
    features: list[str]
    schema: StructType = field(repr=False)
    creation_timestamp: int | None = None
    available_at: str | None = None
    tags: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def timeseries_columns(self) -> list[str]:
        """The newer name of ``timestamp_keys``."""
        return self.timestamp_keys


class FeatureTables:
    """The feature tables that the asker may use.

    Args:
        spark: The session; the active one, or one at ``SPARK_REMOTE``, unless given.
        workspace: The REST API; where ``DATABRICKS_HOST`` says unless given.
    """

    def __init__(self, spark: SparkSession | None = None, workspace: WorkspaceClient | None = None) -> None:
        self._spark, self._workspace = spark, workspace

    @cached_property
    def spark(self) -> SparkSession:
        """The session."""
        return self._spark or SparkSession.getActiveSession() or SparkSession.builder.getOrCreate()

    @cached_property
    def workspace(self) -> WorkspaceClient:
        """The REST API."""
        return self._workspace or WorkspaceClient()

    def full_name(self, name: str) -> str:
        """A table's name with its catalog and schema, those of the session where it has none.

        Raises:
            ValueError: If it has no valid form.
        """
        parts = [part.strip("`") for part in name.split(".")] if name else []
        if not 1 <= len(parts) <= 3 or not all(parts):
            message = f"name has to be a table's name, as in catalog.schema.table; it is {name!r}."
            raise ValueError(message)
        if len(parts) < 2:
            parts = [self.spark.catalog.currentDatabase(), *parts]
        return ".".join(parts if len(parts) == 3 else [self.spark.catalog.currentCatalog(), *parts])

    # ---- what is there

    def keys(self, name: str) -> FeatureKeys:
        """The keys of a feature table.

        Raises:
            NotFound: If there is no such table.
            KeysUndeclared: If it is no feature table.
        """
        return self._keys(self.workspace.tables.get(self.full_name(name)).as_dict())

    def _keys(self, told: Mapping[str, Any]) -> FeatureKeys:
        columns = [column["name"] for column in told.get("columns") or ()]
        return feature_keys(str(told["full_name"]), columns, told.get("table_constraints") or (), told.get("properties") or {})

    def get(self, name: str) -> FeatureTable:
        """What is known of a feature table.

        Raises:
            NotFound: If there is no such table.
            KeysUndeclared: If it is no feature table.
        """
        full_name = self.full_name(name)
        told = self.workspace.tables.get(full_name).as_dict()
        keys = self._keys(told)
        columns = told.get("columns") or []
        placed = [column for column in columns if column.get("partition_index") is not None]
        return FeatureTable(
            name=full_name,
            table_id=str(told.get("table_id", "")),
            description=str(told.get("comment") or ""),
            primary_keys=list(keys.primary_keys),
            timestamp_keys=[keys.timeseries_key] if keys.timeseries_key else [],
            partition_columns=[column["name"] for column in sorted(placed, key=lambda column: column["partition_index"])],
            features=[column["name"] for column in columns if column["name"] not in keys.columns],
            schema=self.spark.table(sql_name(full_name)).schema,
            creation_timestamp=told.get("created_at"),
            available_at=keys.available_at,
            tags=self._tags(full_name),
        )

    def _tags(self, full_name: str) -> dict[str, str]:
        tags = self.workspace.entity_tag_assignments.list("tables", full_name)
        return {tag.tag_key: tag.tag_value or "" for tag in tags}

    def parameters(self, function: str) -> dict[str, str]:
        """The parameters of a function of the catalog, in order, with their types in SQL."""
        told: Mapping[str, Any] = self.workspace.functions.get(function).as_dict()
        return {one["name"]: one["type_text"] for one in (told.get("input_params") or {}).get("parameters", ())}

    def version(self, name: str) -> int:
        """The version that a table has now."""
        history = self.spark.sql(f"DESCRIBE HISTORY {sql_name(self.full_name(name))} LIMIT 1").collect()
        return int(history[0]["version"])

    def read(self, name: str, version: int | None = None, time: dt.datetime | str | None = None) -> DataFrame:
        """The rows of a table, of now, of a version or of a time."""
        at = "" if version is None else f" VERSION AS OF {version}"
        at = at if time is None else f" TIMESTAMP AS OF {literal(str(time))}"
        return self.spark.sql(f"SELECT * FROM {sql_name(self.full_name(name))}{at}")  # noqa: S608 - quoted names

    # ---- what is made

    def create(
        self,
        name: str,
        primary_keys: Sequence[str],
        *,
        df: DataFrame | None,
        schema: StructType | None,
        times: Sequence[str],
        available_at: str | None,
        partition_columns: Sequence[str],
        description: str | None,
        tags: Mapping[str, str] | None,
    ) -> FeatureTable:
        """Make a feature table, with the rows of ``df`` if it is given. One that is there with the same columns and keys stays as it is.

        Raises:
            ValueError: If an argument is not valid, or another table has the name; it says what.
        """
        full_name = self.full_name(name)
        if df is not None:
            require_frame(df, "df")
        wanted = df.schema if schema is None and df is not None else schema
        if wanted is None:
            raise ValueError("Give df or schema: a feature table needs columns.")
        entity, time = self._checked(wanted, primary_keys, times)
        available_at = next(iter(spelled(wanted.names, [available_at] if available_at else [], "available_at")), None)
        partition_columns = spelled(wanted.names, partition_columns, "partition_columns")
        keys = [*entity, *([time] if time else ())]
        try:
            there = self.workspace.tables.get(full_name).as_dict()
        except NotFound:
            if df is not None:
                _require_unique(full_name, df, keys)
            self._create(full_name, wanted, entity, time, available_at, partition_columns, description)
        else:
            self._require_same(there, wanted, FeatureKeys(tuple(entity), time, available_at))
            warnings.warn(f"The feature table {full_name} exists already; nothing is made or written.", stacklevel=3)
            return self.get(full_name)
        try:
            for key, value in (tags or {}).items():
                self.set_tag(full_name, key, value)
            if df is not None:
                _run(_Shape(full_name, tuple(keys), tuple(wanted.names)), df, _insert)
        except Exception:
            self.spark.sql(f"DROP TABLE {sql_name(full_name)}")
            raise
        return self.get(full_name)

    def _checked(
        self,
        schema: StructType,
        primary_keys: Sequence[str],
        times: Sequence[str],
    ) -> tuple[list[str], str | None]:
        if len(times) > 1:
            message = f"timeseries_columns names {', '.join(times)}; a feature table has one time."
            raise ValueError(message)
        entity = [name for name in primary_keys if not is_among(name, times)]
        if primary_keys and not entity:
            message = f"primary_keys has only the time, {', '.join(primary_keys)}; name the columns that say which entity a row is of too."
            raise ValueError(message)
        if not entity:
            raise ValueError("primary_keys is empty; name the columns that say which entity a row is of.")
        entity, times = spelled(schema.names, entity, "primary_keys"), spelled(schema.names, times, "timeseries_columns")
        for name in times:
            kind = schema[name].dataType
            if not is_time(kind):
                message = f"timeseries_columns names '{name}' of type {kind.simpleString()}; it has to be a timestamp or date."
                raise ValueError(message)
        return entity, next(iter(times), None)

    def _create(
        self,
        full_name: str,
        schema: StructType,
        entity: Sequence[str],
        time: str | None,
        available_at: str | None,
        partition_columns: Sequence[str],
        description: str | None,
    ) -> None:
        keys = {*entity, *([time] if time else ())}
        columns = [
            f"{quoted(one.name)} {one.dataType.simpleString()}{' NOT NULL' if one.name in keys or not one.nullable else ''}"
            for one in schema
        ]
        name = quoted(f"{full_name.rsplit('.', 1)[1]}_pk")
        clauses = [
            f"CREATE TABLE {sql_name(full_name)} ({', '.join([*columns, f'CONSTRAINT {name} PRIMARY KEY ({_key(entity, time)})'])})",
            "USING DELTA",
        ]
        if partition_columns:
            clauses.append(f"PARTITIONED BY ({', '.join(map(quoted, partition_columns))})")
        if description:
            clauses.append(f"COMMENT {literal(description)}")
        if available_at:
            clauses.append(f"TBLPROPERTIES ({literal(AVAILABLE_AT)} = {literal(available_at)})")
        self.spark.sql(" ".join(clauses))

    def register(
        self,
        name: str,
        primary_keys: Sequence[str],
        times: Sequence[str],
        description: str | None,
        tags: Mapping[str, str] | None,
    ) -> FeatureTable:
        """Declare the keys of a table that is there.

        Raises:
            NotFound: If there is no such table.
            ValueError: If a key is no column, or a row has none or shares it.
        """
        full_name = self.full_name(name)
        self.workspace.tables.get(full_name)
        df = self.spark.table(sql_name(full_name))
        entity, time = self._checked(df.schema, primary_keys, times)
        keys = [*entity, *([time] if time else ())]
        _require_unique(full_name, df, keys)
        for column in keys:
            self.spark.sql(f"ALTER TABLE {sql_name(full_name)} ALTER COLUMN {quoted(column)} SET NOT NULL")
        constraint = quoted(f"{full_name.rsplit('.', 1)[1]}_pk")
        self.spark.sql(f"ALTER TABLE {sql_name(full_name)} ADD CONSTRAINT {constraint} PRIMARY KEY ({_key(entity, time)})")
        if description:
            self.spark.sql(f"COMMENT ON TABLE {sql_name(full_name)} IS {literal(description)}")
        for tag, value in (tags or {}).items():
            self.set_tag(full_name, tag, value)
        return self.get(full_name)

    def _require_same(self, told: Mapping[str, Any], wanted: StructType, keys: FeatureKeys) -> None:
        full_name, there = str(told["full_name"]), self.spark.table(sql_name(str(told["full_name"]))).schema
        has = {one.name.lower(): one.dataType.simpleString() for one in there}
        given = {one.name.lower(): one.dataType.simpleString() for one in wanted}
        differs = sorted(name for name in has.keys() | given.keys() if has.get(name) != given.get(name))
        if differs:
            how = "; ".join(f"{name}: {has.get(name, 'absent')} there, {given.get(name, 'absent')} here" for name in differs)
            message = f"name: the table {full_name} exists with other columns ({how})."
            raise ValueError(message)
        mine, keys = self._keys(told), keys.spelled(there.names)
        if {*mine.primary_keys} != {*keys.primary_keys} or mine.timeseries_key != keys.timeseries_key:
            parts = [*mine.primary_keys, *([f"{mine.timeseries_key} (time)"] if mine.timeseries_key else ())]
            message = f"primary_keys: the table {full_name} exists with the keys {', '.join(parts)}."
            raise ValueError(message)
        if mine.available_at != keys.available_at:
            has = f"with available_at {mine.available_at!r}" if mine.available_at else "without available_at"
            message = (
                f"available_at: the table {full_name} exists {has}. To change it: ALTER TABLE {sql_name(full_name)} "
                f"SET TBLPROPERTIES ({literal(AVAILABLE_AT)} = ...)."
            )
            raise ValueError(message)

    def set_tag(self, name: str, key: str, value: str) -> None:
        """Set a tag of a table."""
        self.spark.sql(f"ALTER TABLE {sql_name(self.full_name(name))} SET TAGS ({literal(key)} = {literal(value)})")

    def delete_tag(self, name: str, key: str) -> None:
        """Take a tag of a table off."""
        self.spark.sql(f"ALTER TABLE {sql_name(self.full_name(name))} UNSET TAGS ({literal(key)})")

    def drop(self, name: str) -> None:
        """Delete a feature table.

        Raises:
            NotFound: If there is no such table.
            KeysUndeclared: If it is no feature table.
        """
        self.keys(name)
        self.spark.sql(f"DROP TABLE {sql_name(self.full_name(name))}")

    # ---- what is written

    def write(
        self,
        name: str,
        df: DataFrame,
        mode: str = "merge",
        *,
        checkpoint_location: str | None = None,
        trigger: Mapping[str, Any] | None = None,
    ) -> StreamingQuery | None:
        """Write rows into a feature table.

        ``merge`` updates rows whose keys are there, in the columns that ``df`` has, and adds the others; ``overwrite`` puts ``df``
        in the place of all rows. A streaming DataFrame is merged batch by batch until the query is stopped.

        Raises:
            ValueError: If ``df`` has no value in a key column, two rows of one key, or a column that the table does not have.
        """
        if mode not in {"merge", "overwrite"}:
            message = f"mode is {mode!r}; valid: merge, overwrite."
            raise ValueError(message)
        full_name = self.full_name(name)
        require_frame(df, "df")
        if df.isStreaming:
            if mode == "overwrite":
                raise ValueError("mode overwrite is for DataFrames that do not stream; write a stream with merge.")
            if not checkpoint_location:
                raise ValueError(
                    "checkpoint_location is needed for a streaming DataFrame: where the query notes how far it is."
                )

            shape = self._shape(full_name)

            def merge(batch: DataFrame, _number: int) -> None:
                # It runs in another process, which has a session but not this client.
                _put(shape, batch, _merge)

            writer = df.writeStream.foreachBatch(merge).option("checkpointLocation", checkpoint_location)
            return writer.trigger(**(trigger or {"processingTime": "5 minutes"})).start()
        _put(self._shape(full_name), df, _overwrite if mode == "overwrite" else _merge)
        return None

    def _shape(self, full_name: str) -> "_Shape":
        told = self.workspace.tables.get(full_name).as_dict()
        keys = self._keys(told)
        names = (*keys.primary_keys, *([keys.timeseries_key] if keys.timeseries_key else ()))
        return _Shape(full_name, names, tuple(one["name"] for one in told.get("columns") or ()))


@dataclass(frozen=True)
class _Shape:
    """What a write has to know of a table: its full name, the columns of its key, and all its columns."""

    full_name: str
    keys: tuple[str, ...]
    columns: tuple[str, ...]


def _put(shape: _Shape, df: DataFrame, statement: "_Statement") -> None:
    for column in shape.keys:
        if not is_among(column, df.columns):
            message = f"df has no column '{column}', which is a key of {shape.full_name}. It has: {', '.join(df.columns)}."
            raise ValueError(message)
    for column in df.columns:
        if not is_among(column, shape.columns):
            message = f"df has the column '{column}', which {shape.full_name} does not have. Add it first: ALTER TABLE ... ADD COLUMN."
            raise ValueError(message)
    df = df.toDF(*spelled(shape.columns, df.columns, "df"))
    _require_unique(shape.full_name, df, shape.keys)
    _run(shape, df, statement)


def _run(shape: _Shape, df: DataFrame, statement: "_Statement") -> None:
    """Write rows that were looked at."""
    spark, view = df.sparkSession, f"__features_{uuid.uuid4().hex}"
    df.createOrReplaceTempView(view)
    try:
        spark.sql(statement(shape.full_name, view, shape.keys, df.columns, shape.columns))
    finally:
        spark.catalog.dropTempView(view)


def _require_unique(full_name: str, df: DataFrame, names: Sequence[str]) -> None:
    """A key without a value, or two rows of one key, would be found at random later."""
    counted = df.groupBy(*(column_named(name) for name in names)).agg(F.count(F.lit(1)).alias(_CHECKED))
    wrong = F.col(_CHECKED) > 1
    for name in names:
        wrong = wrong | column_named(name).isNull()
    row = next(iter(counted.filter(wrong).limit(1).collect()), None)
    if row is None:
        return
    shown = ", ".join(f"{name} = {row[name]!r}" for name in names)
    missing = [name for name in names if row[name] is None]
    why = f"rows without a value in the key column '{missing[0]}'" if missing else f"{row[_CHECKED]} rows of one key"
    message = f"df has {why} ({shown}); nothing was written to {full_name}."
    raise ValueError(message)


def _key(entity: Sequence[str], time: str | None) -> str:
    return ", ".join([*map(quoted, entity), *([f"{quoted(time)} TIMESERIES"] if time else ())])


_Statement = Callable[[str, str, Sequence[str], Sequence[str], Sequence[str]], str]
"""Table, view with the rows, keys, columns of the rows, columns of the table -> the statement that writes them."""


def _insert(full_name: str, view: str, _keys: Sequence[str], columns: Sequence[str], _there: Sequence[str]) -> str:
    names = ", ".join(map(quoted, columns))
    return f"INSERT INTO {sql_name(full_name)} ({names}) SELECT {names} FROM {quoted(view)}"  # noqa: S608 - quoted names


def _merge(full_name: str, view: str, keys: Sequence[str], columns: Sequence[str], _there: Sequence[str]) -> str:
    same = " AND ".join(f"target.{quoted(name)} = source.{quoted(name)}" for name in keys)
    changed = ", ".join(f"target.{quoted(name)} = source.{quoted(name)}" for name in columns if name not in keys)
    names, values = (", ".join(f"{prefix}{quoted(name)}" for name in columns) for prefix in ("", "source."))
    update = f"WHEN MATCHED THEN UPDATE SET {changed} " if changed else ""
    return (
        f"MERGE INTO {sql_name(full_name)} AS target USING {quoted(view)} AS source ON {same} "  # noqa: S608 - quoted names
        f"{update}WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({values})"
    )


def _overwrite(full_name: str, view: str, _keys: Sequence[str], given: Sequence[str], there: Sequence[str]) -> str:
    values = ", ".join(quoted(name) if name in given else "NULL" for name in there)
    return f"INSERT OVERWRITE {sql_name(full_name)} SELECT {values} FROM {quoted(view)}"  # noqa: S608 - quoted names


def times_of(
    timeseries_columns: str | Sequence[str] | None,
    timeseries_column: str | None,
    timestamp_keys: str | Sequence[str] | None,
) -> list[str]:
    """The time of a feature table, by whichever of its names it was given.

    Raises:
        ValueError: If it is given by two.
    """
    given = {
        "timeseries_columns": timeseries_columns,
        "timeseries_column": timeseries_column,
        "timestamp_keys": timestamp_keys,
    }
    named = [argument for argument, value in given.items() if value]
    if len(named) > 1:
        message = f"{' and '.join(named)} are names of one argument; give one of them."
        raise ValueError(message)
    return names_of(given[named[0]], named[0]) if named else []
