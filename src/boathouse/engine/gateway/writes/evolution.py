"""Columns added to a Delta table before rows with them are written: one commit of the log that holds nothing but metadata."""

import json
import uuid
from collections.abc import Sequence
from typing import Any

from boathouse.engine.gateway.messages.spark_types import Array, DataType, Field, Map, Struct, names_in, nullable, to_json
from boathouse.engine.gateway.writes.delta_target import DeltaTarget, load
from boathouse.engine.write_errors import ConcurrentModification, metadata_changed
from boathouse.storage.opening import opened
from boathouse.storage.paths import to_url
from boathouse.tables.api import Operation, check_names, commit_info, info_action, replay, write_commit

_MAPPING_ID = "delta.columnMapping.id"
_MAPPING_NAME = "delta.columnMapping.physicalName"
_MOST_ID = "delta.columnMapping.maxColumnId"
_ATTEMPTS = 5


def evolve(target: DeltaTarget, source: Struct) -> DeltaTarget:
    """The table, with those columns of a source that it has not."""
    for attempt in range(_ATTEMPTS):
        new = tuple(Field(one.name, nullable(one.type)) for one in source.fields if target.schema.find(one.name) is None)
        if not new:
            break
        try:
            add_columns(target, Struct((*target.schema.fields, *new)))
        except ConcurrentModification:
            if attempt + 1 == _ATTEMPTS:
                raise
        target = load(str(target.folder), target.name) or target
    return target


def add_columns(target: DeltaTarget, schema: Struct) -> None:
    """Make a schema that of a table.

    Args:
        target: The table as it was looked at.
        schema: Its columns, and those that are new.

    Raises:
        ConcurrentModification: If another commit was made since.
        DeltaRefused: If the table cannot have a new column's name.
    """
    check_names(set(names_in(schema)) - set(names_in(target.schema)), target.configuration)
    configuration = dict(target.configuration)
    if configuration.get("delta.columnMapping.mode", "none") != "none":
        highest = int(configuration.get(_MOST_ID, "0"))
        schema, highest = _with_mapping(schema, highest)
        configuration[_MOST_ID] = str(highest)
    metadata = {
        **_described(target),
        "id": target.table_id,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps(to_json(schema)),
        "partitionColumns": list(target.partition_by),
        "configuration": configuration,
    }
    actions: list[dict[str, Any]] = [{"metaData": metadata}]
    if "timestamp_ntz" in _atoms(schema) and "timestampNtz" not in target.protocol[2]:
        actions.insert(0, {"protocol": _with_feature(target, "timestampNtz")})
    added = [one.name for one in schema.fields if target.schema.find(one.name) is None]
    if commit(target, actions, Operation("ADD COLUMNS", {"columns": json.dumps(added)})) is None:
        raise metadata_changed(target.name)


def _described(target: DeltaTarget) -> dict[str, Any]:
    """What a table's metadata says beside its columns and properties."""
    if not target.schema.fields:
        # delta-rs opens no table without columns.
        metadata = replay(to_url(target.folder)).metadata
        return {key: metadata.get(key) for key in ("name", "description", "createdTime")}
    before: Any = opened(target.folder).metadata()
    return {"name": before.name, "description": before.description, "createdTime": before.created_time}


def commit(
    target: DeltaTarget,
    actions: Sequence[dict[str, Any]],
    operation: Operation,
    *,
    blind: bool = False,
) -> int | None:
    """Write the version after the one that a table was looked at in.

    Args:
        target: The table.
        actions: The actions of the version, each with its name.
        operation: What the commit says of itself.
        blind: Whether it adds rows without having read the table.

    Returns:
        The version, or None if another commit came first.
    """
    info = info_action(operation, None, target.configuration)
    said = info["commitInfo"] | {"isBlindAppend": blind, "readVersion": target.version}
    if "inCommitTimestamp" in said and target.version >= 0:
        before = commit_info(target.folder, target.version).get("inCommitTimestamp", 0)
        said["inCommitTimestamp"] = max(said["inCommitTimestamp"], before + 1)
    version = target.version + 1
    done = write_commit(to_url(target.folder), version, [{"commitInfo": said}, *actions])
    return version if done else None


def _with_mapping(schema: Struct, highest: int) -> tuple[Struct, int]:
    """The schema with identifiers and physical names for fields that have none."""

    def mapped(data_type: DataType) -> DataType:
        nonlocal highest
        match data_type:
            case Struct(fields):
                done: list[Field] = []
                for one in fields:
                    metadata = dict(one.metadata)
                    if _MAPPING_ID not in metadata:
                        highest += 1
                        metadata |= {_MAPPING_ID: highest, _MAPPING_NAME: f"col-{uuid.uuid4()}"}
                    done.append(Field(one.name, mapped(one.type), one.nullable, metadata))
                return Struct(tuple(done))
            case Array(element, contains_null):
                return Array(mapped(element), contains_null)
            case Map(key, value, contains_null):
                return Map(mapped(key), mapped(value), contains_null)
            case _:
                return data_type

    made = mapped(schema)
    return (made if isinstance(made, Struct) else schema), highest


def _atoms(data_type: DataType) -> set[str]:
    match data_type:
        case Struct(fields):
            return set[str]().union(*(_atoms(one.type) for one in fields))
        case Array(element):
            return _atoms(element)
        case Map(key, value):
            return _atoms(key) | _atoms(value)
        case _:
            return {data_type.name}


def _with_feature(target: DeltaTarget, feature: str) -> dict[str, Any]:
    state = replay(to_url(target.folder))
    return {
        "minReaderVersion": 3,
        "minWriterVersion": 7,
        "readerFeatures": sorted(state.reader_features | {feature}),
        "writerFeatures": sorted(state.writer_features | {feature}),
    }
