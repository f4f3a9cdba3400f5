"""What can be wrong with an ingestion."""

from collections.abc import Iterable

from boathouse.errors import InvalidParameterValue, InvalidState


class DefinitionFieldInvalid(InvalidParameterValue):
    """A field of an ingestion_definition that is not valid."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field} {why}", field=field)


class SourceUnreachable(InvalidState):
    """A source that does not answer, or does not let in."""

    error_code = "INGESTION_SOURCE_UNREACHABLE"

    def __init__(self, connection: str, why: str) -> None:
        super().__init__(f"The source of the connection '{connection}' cannot be used: {why}", connection=connection)


class SourceTableMissing(InvalidState):
    """A table, or a resource, that the source does not have."""

    error_code = "INGESTION_SOURCE_TABLE_NOT_FOUND"

    def __init__(self, table: str, others: Iterable[str]) -> None:
        has = ", ".join(sorted(others)[:20]) or "nothing that this user may see"
        super().__init__(f"The source has no table {table}. It has: {has}.", table=table)


class SourceColumnMissing(InvalidState):
    """A column that is named and that the source's table does not have."""

    error_code = "INGESTION_SOURCE_COLUMN_NOT_FOUND"

    def __init__(self, field: str, column: str, table: str, others: Iterable[str]) -> None:
        super().__init__(
            f"{field} names {column}, which {table} does not have. It has: {', '.join(others)}.", field=field, column=column
        )


class KeysMissing(InvalidState):
    """A table whose rows cannot be told apart, where that is needed."""

    error_code = "INGESTION_PRIMARY_KEY_MISSING"

    def __init__(self, table: str, otherwise: str = "scd_type APPEND_ONLY") -> None:
        super().__init__(f"{table} has no primary key. Give table_configuration.primary_keys, or {otherwise}.", table=table)


class SchemaIncompatible(InvalidState):
    """A column has another type than it had, and its values do not fit into that."""

    error_code = "INGESTION_INCOMPATIBLE_SCHEMA_CHANGE"

    def __init__(self, table: str, column: str, before: str, now: str) -> None:
        super().__init__(
            f"The column {column} of {table} was {before} and is {now} now. Start an update with full_refresh_selection of its "
            "table, which brings all rows anew.",
            table=table,
            column=column,
        )


class SettingsChanged(InvalidState):
    """What is remembered of a table was of other settings."""

    error_code = "INGESTION_SETTINGS_CHANGED"

    def __init__(self, table: str, what: str) -> None:
        super().__init__(
            f"The {what} of {table} has changed since its rows were brought. Start an update with full_refresh_selection of it.",
            table=table,
        )


class ValueUnreadable(InvalidState):
    """A value that its column's type cannot hold."""

    error_code = "INGESTION_VALUE_INVALID"

    def __init__(self, table: str, column: str, kind: str, why: str) -> None:
        super().__init__(f"A value of the column {column} of {table} is no {kind}: {why}.", table=table, column=column)


class RowUnreadable(InvalidState):
    """A value that is none of this platform's, in a column that the driver does not name."""

    error_code = "INGESTION_VALUE_INVALID"

    def __init__(self, table: str, why: str) -> None:
        super().__init__(
            f"A row of {table} has a value that cannot be brought: {why}. Change it there, or leave out its column with "
            "table_configuration.exclude_columns.",
            table=table,
        )


class ReplicationImpossible(InvalidState):
    """A database whose changes cannot be followed as it is."""

    error_code = "INGESTION_REPLICATION_UNAVAILABLE"


class RowsNoObjects(InvalidState):
    """An answer of an API whose rows are not JSON objects."""

    error_code = "INGESTION_VALUE_INVALID"

    def __init__(self, resource: str, kind: str) -> None:
        super().__init__(
            f"Among the rows of {resource} is {kind}, and each row has to be a JSON object. Say with endpoint.data_selector where in the answers "
            "the objects are; '$' is the whole answer.",
            resource=resource,
        )


class ColumnsAlike(InvalidState):
    """Names of a source that are one column's here."""

    error_code = "INGESTION_VALUE_INVALID"

    def __init__(self, table: str, first: str, second: str) -> None:
        super().__init__(
            f"Rows of {table} have {first} and {second}, which differ in case only and would be one column. Leave one of them out with "
            "table_configuration.exclude_columns.",
            table=table,
        )
