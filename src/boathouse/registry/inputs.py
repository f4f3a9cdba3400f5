"""Versions of tables as MLflow's dataset inputs."""

import json
from collections.abc import Sequence
from typing import Any

from mlflow.entities import Dataset, DatasetInput

from boathouse.engine.api import TableRead
from boathouse.errors import BoathouseError
from boathouse.tables.api import State, replay

DELTA = "delta_table"
_TYPES = {
    **{name: name for name in ("string", "boolean", "float", "double", "long", "binary", "integer")},
    **dict.fromkeys(("byte", "short"), "integer"),
    **dict.fromkeys(("date", "timestamp", "timestamp_ntz"), "datetime"),
}
_MOST_SCHEMA = 65_535
"""Characters of a schema that MLflow keeps."""


def dataset_inputs(tables: Sequence[TableRead]) -> list[DatasetInput]:
    """Tables as MLflow has them: the name, the source with the version, the columns and how many rows there are."""
    return [DatasetInput(_dataset(table), []) for table in tables]


def _dataset(table: TableRead) -> Dataset:
    source = {"delta_table_name": table.full_name, "delta_table_version": table.version}
    if not table.is_sure:
        source["is_sure"] = False
    schema, profile, identity = None, None, ""
    try:
        state = replay(table.location, table.version)
    except (BoathouseError, OSError):
        pass  # dropped since; the version is known all the same
    else:
        schema, profile, identity = _schema(state), _profile(state), str(state.metadata.get("id", ""))[:8]
    digest = f"{identity}v{table.version}"[-36:]
    return Dataset(table.full_name, digest, DELTA, json.dumps(source), schema, profile)


def _schema(state: State) -> str | None:
    fields: list[dict[str, Any]] = state.schema["fields"]
    columns = [{"name": field["name"], "required": not field["nullable"], **_type(field["type"])} for field in fields]
    text = json.dumps({"mlflow_colspec": columns})
    return text if len(text) <= _MOST_SCHEMA else None


def _type(kind: Any) -> dict[str, Any]:
    if isinstance(kind, str):
        return {"type": "double" if kind.startswith("decimal") else _TYPES.get(kind, "string")}
    match kind["type"]:
        case "struct":
            return {
                "type": "object",
                "properties": {one["name"]: {**_type(one["type"]), "required": not one["nullable"]} for one in kind["fields"]},
            }
        case "array":
            return {"type": "array", "items": _type(kind["elementType"])}
        case _:
            return {"type": "map", "values": _type(kind["valueType"])}


def _profile(state: State) -> str | None:
    counts: list[int | None] = [json.loads(add.get("stats") or "{}").get("numRecords") for add in state.files.values()]
    known = [count for count in counts if count is not None]
    return json.dumps({"num_rows": sum(known)}) if len(known) == len(counts) else None
