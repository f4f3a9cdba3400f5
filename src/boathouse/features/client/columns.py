"""Columns and tables as the client names them, and what it asks of columns."""

from collections.abc import Iterable, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - what everybody calls it
from pyspark.sql.types import DataType, TimestampNTZType, TimestampType

from boathouse.engine.gateway.sql.tokens import quote

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


def same(one: str, other: str) -> bool:
    """Whether two names mean one column: letters may be large or small, as in Spark."""
    return one.lower() == other.lower()


def is_among(name: str, names: Iterable[str]) -> bool:
    """Whether a name is among others."""
    return any(same(name, one) for one in names)


def spelled(known: Sequence[str], names: Iterable[str], argument: str) -> list[str]:
    """The columns that some names mean, as these are spelled themselves.

    Raises:
        ValueError: If one is no column; it names the argument.
    """
    there = {one.lower(): one for one in reversed(known)}
    found: list[str] = []
    for name in names:
        # One that is there to the letter is meant, whatever else there is.
        if name not in known and name.lower() not in there:
            shown = ", ".join(one for one in known if not one.startswith(OWN))
            message = f"{argument} names '{name}', which is no column. Columns: {shown}."
            raise ValueError(message)
        found.append(name if name in known else there[name.lower()])
    return found


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
