"""Columns and tables as the client names them, and what it asks of columns."""

from collections.abc import Iterable, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - what everybody calls it
from pyspark.sql.types import DataType, TimestampNTZType, TimestampType

from boathouse.engine.gateway.sql_tokens import quote

OWN = "__features_"
"""How columns begin that the client adds for itself."""


def quoted(name: str) -> str:
    """A name of one part, for SQL."""
    return quote([name])


def sql_name(full_name: str) -> str:
    """A name of several parts, for SQL."""
    return quote(full_name.split("."))


def column_named(name: str) -> Column:
    """The column of a name, whatever characters it has."""
    return F.col(quoted(name))


def require_columns(known: Sequence[str], names: Iterable[str], argument: str) -> None:
    """Go on only if all names are columns.

    Raises:
        ValueError: If one is not; it names the argument.
    """
    for name in names:
        if name not in known:
            shown = ", ".join(one for one in known if not one.startswith(OWN))
            message = f"{argument} names '{name}', which is no column. Columns: {shown}."
            raise ValueError(message)


def require_frame(value: object, argument: str) -> None:
    """Go on only if something is a DataFrame of Spark.

    Raises:
        TypeError: If it is not; it names the argument.
    """
    if not isinstance(value, DataFrame):
        message = f"{argument} has to be a DataFrame of Spark; it is a {type(value).__name__}. spark.createDataFrame(...) makes one of pandas."
        raise TypeError(message)


def is_time(kind: DataType) -> bool:
    """Whether a column can say when something holds: it is a timestamp or date."""
    return isinstance(kind, TimestampType | TimestampNTZType) or kind.simpleString() == "date"
