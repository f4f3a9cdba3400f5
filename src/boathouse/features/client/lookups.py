"""What a training set asks for: look-ups in feature tables, and functions of the catalog."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any


def names_of(value: str | Sequence[str] | None, argument: str) -> list[str]:
    """One name or several.

    Raises:
        ValueError: If it is neither; it names the argument.
    """
    found = [value] if isinstance(value, str) else list(value or ())
    if not all(isinstance(name, str) and name for name in found):  # pyright: ignore[reportUnnecessaryIsInstance] - users give it
        message = f"{argument} has to be a name or a list of names; it is {value!r}."
        raise ValueError(message)
    return found


class FeatureLookup:
    """Features of one table, found by columns of the DataFrame that is trained on.

    Args:
        table_name: The feature table.
        lookup_key: Columns of the DataFrame, in the order of the table's primary keys without the time.
        feature_names: Which features; all unless given.
        rename_outputs: Feature -> column of the training set.
        timestamp_lookup_key: Column with the time as of which a row is looked up: the latest row at or before it is taken.
            Without it, the latest row of all is.
        lookback_window: Age that a row may have at that time, inclusive; 0 for the exact time.
        default_values: Feature, or what it is renamed to -> value where there is none.
        feature_name: Older name of ``feature_names``.
        output_name: Older form of ``rename_outputs``, with one feature.

    Raises:
        ValueError: If an argument is not valid; it names it.
    """

    def __init__(
        self,
        table_name: str,
        lookup_key: str | Sequence[str],
        *,
        feature_names: str | Sequence[str] | None = None,
        rename_outputs: Mapping[str, str] | None = None,
        timestamp_lookup_key: str | Sequence[str] | None = None,
        lookback_window: dt.timedelta | None = None,
        default_values: Mapping[str, Any] | None = None,
        feature_name: str | None = None,
        output_name: str | None = None,
    ) -> None:
        self.table_name = table_name
        self.lookup_key = names_of(lookup_key, "lookup_key")
        if not self.lookup_key:
            raise ValueError("lookup_key is empty; name the columns to look up by.")
        if feature_name is not None and feature_names is not None:
            raise ValueError("feature_name is the older name of feature_names; give one of them.")
        self.feature_names = names_of(feature_names if feature_name is None else feature_name, "feature_names") or None
        self.rename_outputs = dict(rename_outputs or {})
        if output_name is not None:
            if self.rename_outputs or self.feature_names is None or len(self.feature_names) != 1:
                message = "output_name renames the one feature of feature_name; for others give rename_outputs."
                raise ValueError(message)
            self.rename_outputs = {self.feature_names[0]: output_name}
        if len(names_of(timestamp_lookup_key, "timestamp_lookup_key")) > 1:
            raise ValueError("timestamp_lookup_key names more than one column; a row is looked up as of one time.")
        self.timestamp_lookup_key = next(iter(names_of(timestamp_lookup_key, "timestamp_lookup_key")), None)
        if lookback_window is not None:
            if not isinstance(lookback_window, dt.timedelta) or lookback_window < dt.timedelta():  # pyright: ignore[reportUnnecessaryIsInstance]
                message = f"lookback_window has to be a datetime.timedelta of 0 or more; it is {lookback_window!r}."
                raise ValueError(message)
            if self.timestamp_lookup_key is None:
                raise ValueError("lookback_window needs a timestamp_lookup_key: the age is counted from it.")
        self.lookback_window = lookback_window
        self.default_values = dict(default_values or {})

    def __repr__(self) -> str:
        """As it was made, in short."""
        return f"FeatureLookup(table_name={self.table_name!r}, lookup_key={self.lookup_key!r}, feature_names={self.feature_names!r})"


class FeatureFunction:
    """A function of the catalog whose value is a feature, computed when it is asked for.

    Args:
        udf_name: The function, ``catalog.schema.name``.
        input_bindings: Parameter -> column of the DataFrame, of a look-up or of a function before this one.
        output_name: Column of the training set; the function's call as text unless given.

    Raises:
        ValueError: If an argument is not valid; it names it.
    """

    def __init__(
        self, *, udf_name: str, input_bindings: Mapping[str, str] | None = None, output_name: str | None = None
    ) -> None:
        if len(udf_name.split(".")) != 3:
            message = f"udf_name has to be a full name: catalog.schema.function; it is {udf_name!r}."
            raise ValueError(message)
        self.udf_name = udf_name
        self.input_bindings = dict(input_bindings or {})
        self.output_name = output_name or f"{udf_name}({', '.join(self.input_bindings.values())})"

    def __repr__(self) -> str:
        """As it was made."""
        return f"FeatureFunction(udf_name={self.udf_name!r}, input_bindings={self.input_bindings!r}, output_name={self.output_name!r})"
