"""The feature spec: what a model wants looked up and computed, written into the model's MLflow metadata at logging time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from boathouse.features.errors import FeatureSpecInvalid

METADATA_KEY = "feature_spec"
"""Where it stands in the metadata of an MLflow model."""


def _names(value: Any, where: str, *, empty: bool = False) -> tuple[str, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(item, str) and item for item in value):
        raise FeatureSpecInvalid(where, "has to be a list of names.")
    if not value and not empty:
        raise FeatureSpecInvalid(where, "is empty; name at least one.")
    if len(set(value)) != len(value):
        raise FeatureSpecInvalid(where, "names something twice.")
    return tuple(value)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else dict(value) if isinstance(value, Mapping) else value


def _known(raw: Mapping[str, Any], valid: frozenset[str], where: str) -> None:
    unknown = sorted(set(raw) - valid)
    if unknown:
        raise FeatureSpecInvalid(where, f"has the unknown field '{unknown[0]}'. Valid: {', '.join(sorted(valid))}.")


def _online_table(value: Any, table: str, where: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value.split(".")) != 3:
        raise FeatureSpecInvalid(where, "has to be a full name: catalog.schema.table.")
    # Once the usual name stood in every spec, whatever the table was published to.
    return None if value.lower() == f"{table}_online".lower() else value.lower()


@dataclass(frozen=True)
class SpecLookup:
    """Values of one feature table, by key.

    Attributes:
        table: Full name of the source feature table.
        online_table: Full name of the online table; None for one that the table is published to.
        lookup_key: Columns of the request, in the order of the table's primary keys.
        features: Columns of the feature table.
        timestamp_lookup_key: Column of the request with the time to look up as of; without it, or where it is null, the
            latest values are used.
        rename: Feature -> column of the model, for those that differ.
        lookback_seconds: Age that a row may have at the time asked, inclusive; None for any, 0 for the exact time.
        defaults: Column of the model -> value where nothing is found; null unless given.
        table_version: Delta version of the source table that the model was trained on, for the record.
    """

    table: str
    online_table: str | None
    lookup_key: tuple[str, ...]
    features: tuple[str, ...]
    timestamp_lookup_key: str | None = None
    rename: Mapping[str, str] = field(default_factory=dict[str, str])
    lookback_seconds: float | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    table_version: int | None = None

    FIELDS = frozenset(
        {
            "table",
            "online_table",
            "lookup_key",
            "features",
            "timestamp_lookup_key",
            "rename",
            "lookback_seconds",
            "defaults",
            "table_version",
        }
    )

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """The looked-up columns under the names that the model knows."""
        return tuple(self.rename.get(name, name) for name in self.features)

    @classmethod
    def parse(cls, raw: Any, where: str) -> "SpecLookup":  # noqa: C901 - one check per field
        """Check one look-up of a spec.

        Raises:
            FeatureSpecInvalid: It names the field.
        """
        if not isinstance(raw, Mapping):
            raise FeatureSpecInvalid(where, "has to be an object.")
        _known(raw, cls.FIELDS, where)
        table = raw.get("table")
        if not isinstance(table, str) or len(table.split(".")) != 3:
            raise FeatureSpecInvalid(f"{where}.table", "has to be a full name: catalog.schema.table.")
        online_table = _online_table(raw.get("online_table"), table, f"{where}.online_table")
        key = raw.get("lookup_key")
        features = _names(raw.get("features"), f"{where}.features")
        rename = raw.get("rename") or {}
        if not isinstance(rename, Mapping) or not all(isinstance(value, str) and value for value in rename.values()):
            raise FeatureSpecInvalid(f"{where}.rename", "has to be an object of feature -> column name.")
        for name in rename:
            if name not in features:
                raise FeatureSpecInvalid(f"{where}.rename", f"renames '{name}', which is not in features.")
        lookback = raw.get("lookback_seconds")
        if lookback is not None and (isinstance(lookback, bool) or not isinstance(lookback, int | float) or lookback < 0):
            raise FeatureSpecInvalid(f"{where}.lookback_seconds", "has to be a number of seconds, 0 or more, or null.")
        timestamp_key = raw.get("timestamp_lookup_key")
        if timestamp_key is not None and (not isinstance(timestamp_key, str) or not timestamp_key):
            raise FeatureSpecInvalid(f"{where}.timestamp_lookup_key", "has to be a column of the request.")
        defaults = raw.get("defaults") or {}
        if not isinstance(defaults, Mapping):
            raise FeatureSpecInvalid(f"{where}.defaults", "has to be an object of column -> value.")
        version = raw.get("table_version")
        if version is not None and (isinstance(version, bool) or not isinstance(version, int)):
            raise FeatureSpecInvalid(f"{where}.table_version", "has to be a Delta version.")
        lookup = cls(
            table=table,
            online_table=online_table,
            lookup_key=_names([key] if isinstance(key, str) else key, f"{where}.lookup_key"),
            features=features,
            timestamp_lookup_key=timestamp_key,
            rename=dict(rename),
            lookback_seconds=lookback,
            defaults=dict(defaults),
            table_version=version,
        )
        for name in lookup.defaults:
            if name not in lookup.outputs:
                raise FeatureSpecInvalid(f"{where}.defaults", f"has '{name}', which is no column of this look-up.")
        return lookup

    def as_dict(self) -> dict[str, Any]:
        """The form that ``parse`` takes."""
        return {name: _plain(getattr(self, name)) for name in sorted(self.FIELDS) if getattr(self, name) not in (None, {}, ())}


@dataclass(frozen=True)
class SpecFunction:
    """A feature that a function of the catalog computes.

    Attributes:
        udf: Full name of the function.
        inputs: Parameter of the function -> column of the request, of a look-up or of a function before this one.
        output: Column of the model.
    """

    udf: str
    inputs: Mapping[str, str]
    output: str

    FIELDS = frozenset({"udf", "inputs", "output"})

    @classmethod
    def parse(cls, raw: Any, where: str) -> "SpecFunction":
        """Check one function of a spec.

        Raises:
            FeatureSpecInvalid: It names the field.
        """
        if not isinstance(raw, Mapping):
            raise FeatureSpecInvalid(where, "has to be an object.")
        _known(raw, cls.FIELDS, where)
        udf, inputs, output = raw.get("udf"), raw.get("inputs") or {}, raw.get("output")
        if not isinstance(udf, str) or len(udf.split(".")) != 3:
            raise FeatureSpecInvalid(f"{where}.udf", "has to be a full name: catalog.schema.function.")
        if not isinstance(inputs, Mapping) or not all(isinstance(value, str) and value for value in inputs.values()):
            raise FeatureSpecInvalid(f"{where}.inputs", "has to be an object of parameter -> column name.")
        if not isinstance(output, str) or not output:
            raise FeatureSpecInvalid(f"{where}.output", "has to be a column name.")
        return cls(udf, dict(inputs), output)

    def as_dict(self) -> dict[str, Any]:
        """The form that ``parse`` takes."""
        return {"udf": self.udf, "inputs": dict(self.inputs), "output": self.output}


@dataclass(frozen=True)
class FeatureSpec:
    """What a model is fed with.

    Attributes:
        inputs: Columns of the model that the request itself sends.
        lookups: Columns of the model that are looked up.
        functions: Columns of the model that are computed, after the look-ups and in this order.
        features_order: Columns of the model, in its order; inputs and then look-ups unless given.
        labels: Names of the labels, for the record.
    """

    inputs: tuple[str, ...]
    lookups: tuple[SpecLookup, ...]
    features_order: tuple[str, ...]
    labels: tuple[str, ...] = ()
    functions: tuple[SpecFunction, ...] = ()

    FIELDS = frozenset({"version", "inputs", "lookups", "functions", "label", "features_order"})

    @property
    def request_columns(self) -> list[str]:
        """The columns that whoever asks has to give: inputs, and keys and times of the look-ups."""
        keys = [name for lookup in self.lookups for name in lookup.lookup_key]
        times = [lookup.timestamp_lookup_key for lookup in self.lookups if lookup.timestamp_lookup_key]
        return list(dict.fromkeys([*self.inputs, *keys, *times]))

    @classmethod
    def parse(cls, raw: Any) -> "FeatureSpec":
        """Check a spec as it stands in a model's metadata.

        Args:
            raw: ``{"version": 1, "inputs": [...], "lookups": [...], "features_order": [...], "label": ...}``.

        Raises:
            FeatureSpecInvalid: It names the field and what would be valid.
        """
        if not isinstance(raw, Mapping):
            raise FeatureSpecInvalid(METADATA_KEY, "has to be an object.")
        _known(raw, cls.FIELDS, METADATA_KEY)
        if raw.get("version", 1) != 1:
            raise FeatureSpecInvalid("version", f"is {raw['version']!r}; this server knows version 1.")
        lookups_raw = raw.get("lookups", [])
        if not isinstance(lookups_raw, Sequence) or isinstance(lookups_raw, str):
            raise FeatureSpecInvalid("lookups", "has to be a list.")
        lookups = tuple(SpecLookup.parse(item, f"lookups[{index}]") for index, item in enumerate(lookups_raw))
        functions_raw = raw.get("functions", [])
        if not isinstance(functions_raw, Sequence) or isinstance(functions_raw, str):
            raise FeatureSpecInvalid("functions", "has to be a list.")
        functions = tuple(SpecFunction.parse(item, f"functions[{index}]") for index, item in enumerate(functions_raw))
        inputs = _names(raw.get("inputs", []), "inputs", empty=True)
        sources = [*inputs, *(name for lookup in lookups for name in lookup.outputs), *(one.output for one in functions)]
        twice = sorted({name for name in sources if sources.count(name) > 1})
        if twice:
            raise FeatureSpecInvalid(twice[0], "comes from two places (inputs and look-ups); use rename to tell them apart.")
        order = _names(raw["features_order"], "features_order") if raw.get("features_order") else tuple(sources)
        for name in order:
            if name not in sources:
                raise FeatureSpecInvalid("features_order", f"has '{name}', which neither inputs nor a look-up gives.")
        label = raw.get("label") or []
        labels = _names([label] if isinstance(label, str) else label, "label", empty=True)
        return cls(inputs, lookups, order, labels, functions)

    def as_dict(self) -> dict[str, Any]:
        """The form that ``parse`` takes."""
        return {
            "version": 1,
            "inputs": list(self.inputs),
            "lookups": [lookup.as_dict() for lookup in self.lookups],
            "functions": [function.as_dict() for function in self.functions],
            "features_order": list(self.features_order),
            "label": list(self.labels),
        }
