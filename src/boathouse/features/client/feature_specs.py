"""Feature specs: look-ups and functions under a name of the catalog, for endpoints that answer features."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from databricks.sdk.service import serving
from pyspark.sql.types import DataType

from boathouse.features.client.columns import is_among, same, spelled
from boathouse.features.client.lookups import FeatureFunction, FeatureLookup, names_of
from boathouse.features.client.tables import FeatureTables
from boathouse.features.client.training_set import functions_of, spec_lookup, split
from boathouse.features.errors import FeatureSpecInvalid
from boathouse.features.functions import columns_of
from boathouse.features.spec import FeatureSpec, SpecFunction, SpecLookup

_FUNCTIONS = "/api/2.1/unity-catalog/functions"
_LANGUAGE = "FEATURE_SPEC"


@dataclass(frozen=True)
class FeatureSpecInfo:
    """A feature spec of the catalog.

    Attributes:
        name: ``catalog.schema.name``.
        inputs: The columns that a request has to have.
        outputs: The columns that it answers.
        feature_spec: What is looked up and computed.
    """

    name: str
    inputs: list[str]
    outputs: list[str]
    owner: str
    feature_spec: FeatureSpec = field(repr=False)


@dataclass(frozen=True)
class ServedEntity:
    """A feature spec that an endpoint serves.

    Attributes:
        feature_spec_name: ``catalog.schema.name``.
        workload_size: ``Small``, ``Medium`` or ``Large``.
        scale_to_zero_enabled: Whether it may sleep when nobody asks.
        instance_profile_arn: Of no effect.
    """

    feature_spec_name: str
    workload_size: str = "Small"
    scale_to_zero_enabled: bool = True
    instance_profile_arn: str | None = None


@dataclass(frozen=True)
class EndpointCoreConfig:
    """What an endpoint serves: one feature spec, or a list of one."""

    served_entities: ServedEntity | Sequence[ServedEntity]


def create_feature_spec(
    name: str,
    features: Sequence[FeatureLookup | FeatureFunction],
    exclude_columns: str | Sequence[str] | None,
    tables: FeatureTables,
) -> FeatureSpecInfo:
    """Put look-ups and functions under a name.

    Raises:
        ValueError: If a table, feature or function is not there, or named twice; it names it.
    """
    full_name = tables.full_name(name)
    lookups, functions = split(features, "features")
    keys: list[str] = []
    specs = [_with_keys(spec_lookup(None, lookup, tables), keys) for lookup in lookups]
    looked_up = [output for spec in specs for output in spec.outputs]
    outputs = [*looked_up, *(one.output_name for one in functions)]
    taken = [output.lower() for output in outputs]
    twice = sorted(output for output in outputs if taken.count(output.lower()) > 1)
    if twice:
        message = f"The column '{twice[0]}' would come from two places; give one another name by rename_outputs or output_name."
        raise ValueError(message)
    asked: dict[str, str] = {}
    known = list(looked_up)
    computed: list[SpecFunction] = []
    for given in functions_of(functions):
        types = tables.parameters(given.udf)
        one = replace(given, inputs={name: _once(column, [*known, *keys, *asked]) for name, column in given.inputs.items()})
        computed.append(one)
        try:
            columns = columns_of(one, list(types))
        except FeatureSpecInvalid as error:
            raise ValueError(error.message) from None
        asked |= {
            column: kind for column, kind in zip(columns, types.values(), strict=True) if not is_among(column, [*known, *asked])
        }
        known.append(one.output)
    excluded = spelled(outputs, names_of(exclude_columns, "exclude_columns"), "exclude_columns")
    order = tuple(output for output in outputs if output not in excluded)
    if not order:
        raise ValueError("features gives no column: name a feature or function that is not excluded.")
    spec = FeatureSpec(tuple(asked), tuple(specs), order, functions=tuple(computed))
    parameters = {**asked, **_keys(specs, tables)}
    catalog, schema, last = full_name.split(".")
    body: dict[str, Any] = {
        "name": last,
        "catalog_name": catalog,
        "schema_name": schema,
        "input_params": {"parameters": _parameters(parameters)},
        "data_type": "TABLE_TYPE",
        "return_params": {"parameters": _parameters(_output_types(spec, tables))},
        "routine_body": "EXTERNAL",
        "external_language": _LANGUAGE,
        "routine_definition": json.dumps(spec.as_dict()),
    }
    tables.workspace.api_client.do("POST", _FUNCTIONS, body={"function_info": body})
    return get_feature_spec(full_name, tables)


def _parameters(types: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {"name": name, "type_text": kind, "type_name": kind.split("(")[0].upper(), "position": position}
        for position, (name, kind) in enumerate(types.items())
    ]


def _once(name: str, known: Iterable[str]) -> str:
    """A name as it is spelled among others, if it is there."""
    return next((one for one in known if same(name, one)), name)


def _with_keys(lookup: SpecLookup, keys: list[str]) -> SpecLookup:
    """A look-up with keys and time as those before it have spelled them; ``keys`` gets them."""
    lookup_key = tuple(_once(name, keys) for name in lookup.lookup_key)
    time = None if lookup.timestamp_lookup_key is None else _once(lookup.timestamp_lookup_key, keys)
    keys += [*lookup_key, *([time] if time else ())]
    return replace(lookup, lookup_key=lookup_key, timestamp_lookup_key=time)


def _keys(specs: Sequence[SpecLookup], tables: FeatureTables) -> dict[str, str]:
    found: dict[str, str] = {}
    for spec in specs:
        keys, kinds = tables.keys(spec.table), _types(spec.table, tables)
        found |= {mine: kinds[its].simpleString() for mine, its in zip(spec.lookup_key, keys.primary_keys, strict=True)}
        if spec.timestamp_lookup_key is not None:
            found[spec.timestamp_lookup_key] = "timestamp"
    return found


def _types(table: str, tables: FeatureTables) -> dict[str, DataType]:
    return {one.name: one.dataType for one in tables.read(table).schema}


def _output_types(spec: FeatureSpec, tables: FeatureTables) -> dict[str, str]:
    found: dict[str, str] = {}
    for lookup in spec.lookups:
        kinds = _types(lookup.table, tables)
        found |= {output: kinds[name].simpleString() for name, output in zip(lookup.features, lookup.outputs, strict=True)}
    for function in spec.functions:
        found[function.output] = str(tables.workspace.functions.get(function.udf).full_data_type)
    return {name: found[name] for name in spec.features_order}


def get_feature_spec(name: str, tables: FeatureTables) -> FeatureSpecInfo:
    """A feature spec.

    Raises:
        NotFound: If there is none.
        ValueError: If the name is another function's.
    """
    full_name = tables.full_name(name)
    told = tables.workspace.functions.get(full_name)
    if told.external_language != _LANGUAGE:
        message = f"name: {full_name} is a function, and no feature spec."
        raise ValueError(message)
    spec = FeatureSpec.parse(json.loads(str(told.routine_definition)))
    parameters = told.input_params.parameters or [] if told.input_params else []
    inputs = [str(one.name) for one in parameters]
    return FeatureSpecInfo(str(told.full_name), inputs, list(spec.features_order), str(told.owner), spec)


def delete_feature_spec(name: str, tables: FeatureTables) -> None:
    """Delete a feature spec; endpoints that serve it go on until they start again.

    Raises:
        NotFound: If there is none.
        ValueError: If the name is another function's.
    """
    tables.workspace.functions.delete(get_feature_spec(name, tables).name)


def create_endpoint(name: str, config: EndpointCoreConfig, tables: FeatureTables) -> serving.ServingEndpointDetailed:
    """Start an endpoint that answers the features of a spec, and wait until it does."""
    entities = [config.served_entities] if isinstance(config.served_entities, ServedEntity) else config.served_entities
    served = [
        serving.ServedEntityInput(
            entity_name=one.feature_spec_name,
            workload_size=one.workload_size,
            scale_to_zero_enabled=one.scale_to_zero_enabled,
        )
        for one in entities
    ]
    asked = serving.EndpointCoreConfigInput(name=name, served_entities=served)
    return tables.workspace.serving_endpoints.create_and_wait(name, config=asked)
