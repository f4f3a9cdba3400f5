"""Columns of a Delta table as Unity Catalog describes them, read from the table's own log."""

import json
import os
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deltalake.exceptions import DeltaError, TableNotFoundError

from boathouse.storage.opening import opened
from boathouse.storage.paths import from_url

TYPE_NAMES = {
    "integer": ("INT", "int"),
    "long": ("LONG", "bigint"),
    "short": ("SHORT", "smallint"),
    "byte": ("BYTE", "tinyint"),
    "float": ("FLOAT", "float"),
    "double": ("DOUBLE", "double"),
    "string": ("STRING", "string"),
    "boolean": ("BOOLEAN", "boolean"),
    "binary": ("BINARY", "binary"),
    "date": ("DATE", "date"),
    "timestamp": ("TIMESTAMP", "timestamp"),
    "timestamp_ntz": ("TIMESTAMP_NTZ", "timestamp_ntz"),
    "variant": ("VARIANT", "variant"),
}
"""Delta's name of a primitive type -> Unity Catalog's ``type_name`` and ``type_text``."""

_COMMIT = re.compile(r"^(\d{20})\.json$")
_cache: dict[str, tuple[int, list[dict[str, Any]], dict[str, str]]] = {}
_lock = threading.Lock()


def type_text(delta_type: Any) -> str:
    """The SQL text of a Delta type, e.g. ``array<struct<a:int>>``."""
    if isinstance(delta_type, str):
        return TYPE_NAMES[delta_type][1] if delta_type in TYPE_NAMES else delta_type
    match delta_type["type"]:
        case "array":
            return f"array<{type_text(delta_type['elementType'])}>"
        case "map":
            return f"map<{type_text(delta_type['keyType'])},{type_text(delta_type['valueType'])}>"
        case _:
            fields = ",".join(f"{field['name']}:{type_text(field['type'])}" for field in delta_type["fields"])
            return f"struct<{fields}>"


_BY_TEXT = {text: name for name, text in TYPE_NAMES.values()} | {
    "integer": "INT",
    "long": "LONG",
    "short": "SHORT",
    "byte": "BYTE",
    "real": "FLOAT",
    "numeric": "DECIMAL",
    "dec": "DECIMAL",
    "varchar": "STRING",
    "char": "CHAR",
    "void": "NULL",
    "timestamp_ltz": "TIMESTAMP",
}


def type_name_of(text: str) -> str:
    """Unity Catalog's ``type_name`` of a type's SQL text: ``LONG`` of ``bigint``, ``ARRAY`` of ``array<int>``."""
    word = re.split(r"[(<\s]", text.strip().lower(), maxsplit=1)[0]
    if word in {"array", "map", "struct", "decimal", "interval"}:
        return word.upper()
    return _BY_TEXT.get(word, "USER_DEFINED_TYPE")


def column_info(field: dict[str, Any], position: int, partition_index: int | None = None) -> dict[str, Any]:
    """One field of a Delta schema as a column of Unity Catalog."""
    delta_type = field["type"]
    if isinstance(delta_type, dict):
        type_name = str(delta_type["type"]).upper()
    else:
        type_name = "DECIMAL" if delta_type.startswith("decimal") else TYPE_NAMES.get(delta_type, ("STRING", ""))[0]
    column: dict[str, Any] = {
        "name": field["name"],
        "type_name": type_name,
        "type_text": type_text(delta_type),
        "type_json": json.dumps({key: field.get(key, {}) for key in ("name", "type", "nullable", "metadata")}),
        "position": position,
        "nullable": field.get("nullable", True),
    }
    decimal = re.fullmatch(r"decimal\((\d+),\s*(\d+)\)", delta_type) if isinstance(delta_type, str) else None
    if decimal is not None:
        column |= {"type_precision": int(decimal[1]), "type_scale": int(decimal[2])}
    if partition_index is not None:
        column["partition_index"] = partition_index
    comment = (field.get("metadata") or {}).get("comment")
    return column | ({"comment": comment} if comment else {})


def columns_of(fields: Sequence[dict[str, Any]], partition_by: Sequence[str]) -> list[dict[str, Any]]:
    """The fields of a Delta schema as columns of Unity Catalog."""
    partitions = {name: index for index, name in enumerate(partition_by)}
    return [column_info(field, index, partitions.get(field["name"])) for index, field in enumerate(fields)]


def last_version(folder: Path) -> int | None:
    """The newest version in a table's log folder, or None where there is no log."""
    try:
        with os.scandir(folder / "_delta_log") as entries:
            versions = [int(match[1]) for entry in entries if (match := _COMMIT.match(entry.name))]
    except FileNotFoundError:
        return None
    return max(versions, default=None)


def read(location: str) -> tuple[list[dict[str, Any]], dict[str, str]] | None:
    """The columns and table properties of a Delta table as of now; None where there is no log that can be read from here."""
    if not location.startswith(("file:", "/")):
        return None
    version = last_version(from_url(location))
    if version is None:
        return None
    with _lock:
        known = _cache.get(location)
    if known is not None and known[0] == version:
        return known[1], known[2]
    try:
        table = opened(from_url(location))
        fields: list[dict[str, Any]] = json.loads(table.schema().to_json())["fields"]
        metadata = table.metadata()
    except (TableNotFoundError, DeltaError, OSError):
        return None
    columns = columns_of(fields, metadata.partition_columns)
    properties = dict(metadata.configuration)
    with _lock:
        if len(_cache) > 50_000:
            _cache.clear()
        _cache[location] = (version, columns, properties)
    return columns, properties
