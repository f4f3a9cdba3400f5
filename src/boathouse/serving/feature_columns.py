"""The columns that a feature spec makes of a request's: looked up in online tables, and then computed."""

from collections.abc import Mapping, Sequence
from typing import Any

from boathouse.features.functions import FunctionSource, OnlineFunction
from boathouse.features.online import OnlineReader
from boathouse.features.online_places import Place
from boathouse.features.online_places import reader as online_reader
from boathouse.features.spec import FeatureSpec
from boathouse.serving.errors import BadRequest


class FeatureColumns:
    """Looks up and computes what a feature spec says. Safe for threads.

    Args:
        spec: What is asked for.
    """

    def __init__(self, spec: FeatureSpec) -> None:
        self._spec = spec
        self._readers: list[OnlineReader] = []
        self._functions: list[OnlineFunction] = []

    @property
    def online_tables(self) -> list[tuple[str, str | None]]:
        """What is looked up in, in the order in which it is bound: feature tables, and online tables where these are named."""
        return [(lookup.table, lookup.online_table) for lookup in self._spec.lookups]

    @property
    def functions(self) -> list[str]:
        """The functions to compute, in the order in which they are bound."""
        return [function.udf for function in self._spec.functions]

    def request_columns(self) -> list[str]:
        """The columns that a request has to have."""
        return self._spec.request_columns

    def bind(self, tables: Sequence[Mapping[str, str]], functions: Sequence[Mapping[str, Any]]) -> None:
        """Open the online tables and make the functions ready.

        Args:
            tables: ``name`` and ``place`` of each online table.
            functions: The functions' sources.

        Raises:
            FeatureSpecInvalid: If a look-up does not fit its table, or a binding its function.
        """
        for lookup, table in zip(self._spec.lookups, tables, strict=True):
            reader = online_reader(Place.loads(table["place"]), table["name"])
            reader.check(lookup)
            self._readers.append(reader)
        pairs = zip(self._spec.functions, functions, strict=True)
        self._functions = [OnlineFunction(function, FunctionSource.parse(source)) for function, source in pairs]

    def values(self, given: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
        """The spec's columns, in its order; what a request has of them is neither looked up nor computed.

        Raises:
            BadRequest: If a column that is needed is missing.
            InvalidParameterValue: If a key, time or argument is not of its type.
            FeatureFunctionFailed: If a function raises.
        """
        rows = len(next(iter(given.values()), ()))
        columns: dict[str, Sequence[Any]] = dict(given)
        self._require(self._spec.inputs, columns)
        for lookup, reader in zip(self._spec.lookups, self._readers, strict=True):
            if all(_is_whole(given, name) for name in lookup.outputs):
                continue
            self._require(lookup.lookup_key, given)
            columns |= _merged(given, reader.look_up(lookup, given, rows))
        for function in self._functions:
            if not _is_whole(given, function.output):
                self._require(function.inputs, columns)
                columns |= _merged(given, {function.output: function.values(columns, rows)})
        return {name: columns[name] for name in self._spec.features_order}

    def _require(self, names: Sequence[str], columns: Mapping[str, Sequence[Any]]) -> None:
        for name in names:
            if name not in columns:
                raise missing(name, self.request_columns())


def _is_whole(given: Mapping[str, Sequence[Any]], name: str) -> bool:
    return name in given and None not in given[name]


def _merged(given: Mapping[str, Sequence[Any]], found: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
    return {
        name: [value if asked is None else asked for asked, value in zip(given[name], values, strict=True)]
        if name in given
        else values
        for name, values in found.items()
    }


def missing(name: str, needed: Sequence[str]) -> BadRequest:
    """What a request is told that lacks a column."""
    return BadRequest(f"Column '{name}' is missing. The request needs: {', '.join(needed)}.", column=name)
