"""What can be wrong with a write to a Delta table, under the names that Delta and Spark give it."""

from typing import ClassVar

from boathouse.errors import Conflict, InvalidParameterValue

_ANALYSIS = "org.apache.spark.sql.AnalysisException"
_SPARK = "org.apache.spark.SparkException"
_CONCURRENT = "io.delta.exceptions.DeltaConcurrentModificationException"
SEVERAL_ROWS = "DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE"
"""The condition of a MERGE with several rows of the source for one of the table."""


class WriteRefused(InvalidParameterValue):
    """Rows that do not fit their table.

    Attributes:
        spark_classes: The exception's classes on the wire, the most special one first.
        condition: Its error condition.
        sql_state: Its SQLSTATE.
    """

    spark_classes: ClassVar[tuple[str, ...]] = (_ANALYSIS,)

    def __init__(self, condition: str, message: str, sql_state: str = "42000", **metadata: str) -> None:
        super().__init__(message, **metadata)
        self.condition = condition
        self.sql_state = sql_state


def schema_mismatch(table: str, what: str, table_schema: str, data_schema: str) -> WriteRefused:
    """Columns that the table does not have."""
    return WriteRefused(
        "_LEGACY_ERROR_TEMP_DELTA_0007",
        f"A schema mismatch detected when writing to the Delta table {table}: {what}\n"
        'To enable schema migration using DataFrameWriter or DataStreamWriter, please set: \'.option("mergeSchema", "true")\'. '
        'For other operations, set the session configuration spark.databricks.delta.schema.autoMerge.enabled to "true".\n'
        f"Table schema: {table_schema}\nData schema: {data_schema}",
        "42KDG",
        table=table,
    )


def path_exists(path: str) -> WriteRefused:
    """A table where a new one was to be."""
    return WriteRefused(
        "DELTA_PATH_EXISTS",
        f"Cannot write to the path {path}: there is a Delta table. Say mode('append'), mode('overwrite') or mode('ignore'), or choose another.",
        "42K04",
        path=path,
    )


def cannot_merge_field(column: str, current: str, update: str) -> WriteRefused:
    """A column whose type is another than the table's."""
    return WriteRefused(
        "DELTA_FAILED_TO_MERGE_FIELDS",
        f"Failed to merge fields '{column}' and '{column}'. Failed to merge incompatible data types {current} (of the table) and "
        f"{update} (of the data). Cast the column, or write it under another name.",
        "22005",
        column=column,
    )


def cannot_safely_cast(table: str, column: str, source: str, target: str) -> WriteRefused:
    """A column whose values cannot be assigned to the table's type."""
    return WriteRefused(
        "INCOMPATIBLE_DATA_FOR_TABLE.CANNOT_SAFELY_CAST",
        f'Cannot write incompatible data for the table `{table}`: Cannot safely cast `{column}` "{source}" to "{target}".',
        "KD000",
        column=column,
    )


def no_data_for(table: str, column: str) -> WriteRefused:
    """A column that has to have a value and gets none."""
    return WriteRefused(
        "DELTA_MISSING_NOT_NULL_COLUMN_VALUE",
        f"Column {column}, which has a NOT NULL constraint, is missing from the data being written into the table {table}.",
        "23502",
        column=column,
    )


def arity_mismatch(table: str, kind: str, table_columns: list[str], data_columns: list[str]) -> WriteRefused:
    """More or fewer columns than the table has; ``kind`` is NOT_ENOUGH or TOO_MANY."""
    reason = "not enough data columns" if kind == "NOT_ENOUGH" else "too many data columns"
    return WriteRefused(
        f"INSERT_COLUMN_ARITY_MISMATCH.{kind}_DATA_COLUMNS",
        f"Cannot write to `{table}`, the reason is {reason}: Table columns: {_names(table_columns)}. "
        f"Data columns: {_names(data_columns)}.",
        "21S01",
        table=table,
    )


def unknown_column(table: str, column: str, columns: list[str]) -> WriteRefused:
    """A column in a list of INSERT or an assignment that the table does not have."""
    return WriteRefused(
        "UNRESOLVED_COLUMN.WITH_SUGGESTION",
        f"A column with the name `{column}` cannot be resolved in the table `{table}`. Did you mean one of: {_names(columns)}?",
        "42703",
        column=column,
    )


def duplicate_column(column: str) -> WriteRefused:
    """A column that is there twice."""
    return WriteRefused(
        "COLUMN_ALREADY_EXISTS",
        f"The column `{column}` already exists in the data or list. Choose another name or rename the existing column.",
        "42711",
        column=column,
    )


def identity_updated(column: str) -> WriteRefused:
    """A value for an identity column of a row that is there."""
    message = f"UPDATE on IDENTITY column {column} is not supported: its values stay what they are. Leave the column out."
    return WriteRefused("DELTA_IDENTITY_COLUMNS_UPDATE_NOT_SUPPORTED", message, column=column)


def identity_given(column: str) -> WriteRefused:
    """A value for a column that only the table itself counts."""
    return WriteRefused(
        "DELTA_IDENTITY_COLUMNS_EXPLICIT_INSERT_NOT_SUPPORTED",
        f"Providing values for GENERATED ALWAYS AS IDENTITY column {column} is not supported. Leave the column out.",
        "42808",
        column=column,
    )


def partitioning_mismatch(table: str, given: tuple[str, ...], existing: tuple[str, ...]) -> WriteRefused:
    """Partition columns that are not those of the table."""
    return WriteRefused(
        "_LEGACY_ERROR_TEMP_DELTA_0007",
        f"A schema mismatch detected when writing to the Delta table {table}: the given partitioning ({', '.join(given)}) is not "
        f"that of the table ({', '.join(existing) or 'none'}). Leave partitionBy out, or set overwriteSchema.",
        "42KDG",
        table=table,
    )


def _names(columns: list[str]) -> str:
    return ", ".join(f"`{column}`" for column in columns)


class ConcurrentModification(Conflict):
    """A commit lost the race against another and may not be repeated."""

    error_code = "CONCURRENT_MODIFICATION"
    sql_state: ClassVar[str] = "2D521"

    def __init__(self, condition: str, exception: str, message: str) -> None:
        super().__init__(message)
        self.condition = condition
        self.spark_classes = (f"io.delta.exceptions.{exception}", _CONCURRENT, _SPARK)


def metadata_changed(table: str) -> ConcurrentModification:
    """Another transaction changed the table's schema or properties."""
    return ConcurrentModification(
        "DELTA_METADATA_CHANGED",
        "MetadataChangedException",
        f"The metadata of the Delta table {table} has been changed by a concurrent update. Please try the operation again.",
    )


def protocol_changed(table: str) -> ConcurrentModification:
    """Another transaction changed the table's protocol."""
    return ConcurrentModification(
        "DELTA_PROTOCOL_CHANGED",
        "ProtocolChangedException",
        f"The protocol version of the Delta table {table} has been changed by a concurrent update. Please try the operation again.",
    )


def same_transaction(table: str) -> ConcurrentModification:
    """Another transaction has the same identifier."""
    return ConcurrentModification(
        "DELTA_CONCURRENT_TRANSACTION",
        "ConcurrentTransactionException",
        f"A transaction with the same identifier was committed to {table} at the same time. It is done; do not repeat it.",
    )


def still_lost(table: str, condition: str, exception: str, attempts: int, seconds: float) -> ConcurrentModification:
    """All attempts lost."""
    return ConcurrentModification(
        condition,
        exception,
        f"Concurrent updates of the Delta table {table} won against each of {attempts} attempts in {seconds:.0f} seconds. "
        "Please try the operation again, or have fewer writers at a time.",
    )
