"""Folders of Parquet files: a Delta log for one, in place, or what it would be as a table."""

import datetime as dt
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, Schema, convert_to_deltalake
from deltalake.exceptions import DeltaError

from boathouse.storage.paths import from_url, to_url
from boathouse.tables import fields
from boathouse.tables.errors import DeltaRefused, TableUnreadable
from boathouse.tables.files import quoted
from boathouse.tables.log import State, file_key, is_table, replay
from boathouse.tables.properties import check_names

_NULL = "__HIVE_DEFAULT_PARTITION__"
_INTEGER = re.compile(r"-?[0-9]{1,18}")


def folder_as_table(location: str) -> State:
    """A folder of Parquet files as the first version of a table. Nothing is written there.

    The columns in the names of its folders (``p=1/``) are whole numbers, dates or texts, as all their values are.

    Raises:
        DeltaRefused: If there is no Parquet file, or a file lies elsewhere.
        TableUnreadable: If delta-rs cannot read the files.
    """
    folder = from_url(location)
    found = _files(folder)
    real = Path(os.path.realpath(folder))
    with tempfile.TemporaryDirectory(prefix="boathouse-") as scratch:
        for number, path in enumerate(found):
            target = Path(os.path.realpath(path))
            if not target.is_relative_to(real):
                message = f"{path.name} is a link to a file outside of {folder}."
                raise DeltaRefused("DELTA_CLONE_INCOMPATIBLE_SOURCE", message)
            link = Path(scratch) / path.relative_to(folder).with_name(f"{number}.parquet")
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target)
        convert(to_url(Path(scratch)), _partition_columns(found, folder))
        state = replay(to_url(Path(scratch)))
    # delta-rs leaves a per cent sign in a folder's name as it is, so the names in its log may mean others.
    names = {f"{number}.parquet": quoted(path.relative_to(folder)) for number, path in enumerate(found)}
    adds = [add | {"path": names[add["path"].rpartition("/")[2]]} for add in state.files.values()]
    return replace(state, location=location, files={file_key(add): add for add in adds})


def _partition_columns(found: Sequence[Path], folder: Path) -> list[fields.Field]:
    """The columns in the names of folders, with the narrowest type that takes all their values."""
    values: dict[str, set[str]] = {}
    for path in found:
        for part in path.relative_to(folder).parts[:-1]:
            name, is_column, value = part.partition("=")
            if is_column:
                values.setdefault(unquote(name), set()).add(unquote(value))
    return [fields.new_field(name, _type_of(some - {_NULL})) for name, some in values.items()]


def _type_of(values: set[str]) -> str:
    if values and all(_INTEGER.fullmatch(value) for value in values):
        return "integer" if all(-(2**31) <= int(value) < 2**31 for value in values) else "long"
    return "date" if values and all(_is_date(value) for value in values) else "string"


def _is_date(text: str) -> bool:
    try:
        return dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def convert(location: str, partition_by: Sequence[fields.Field] = (), user: str | None = None) -> int:
    """Make a Delta table of a folder of Parquet files, in place; the number of its files. Nothing is done to a Delta table.

    Args:
        location: The folder.
        partition_by: The columns that are in the names of its folders (``p=1/``), with their types.
        user: Who converts it.

    Raises:
        DeltaRefused: If there is no Parquet file, the files are not in folders of those columns, or a column's name needs column mapping.
        TableUnreadable: If delta-rs cannot read the files.
    """
    if is_table(location):
        return 0
    folder = from_url(location)
    found = _files(folder)
    columns = [part.split("=", 1)[0] for part in found[0].relative_to(folder).parts[:-1] if "=" in part]
    expected = [field["name"] for field in partition_by]
    if columns != expected:
        message = (
            f"Expecting {len(columns)} partition column(s): {columns}, but found {len(expected)} partition column(s): {expected} "
            "from parsing the file names. Write PARTITIONED BY (name type, ...) in the order of the folders."
        )
        raise DeltaRefused("DELTA_UNEXPECTED_NUM_PARTITION_COLUMNS_FROM_FILE_NAME", message)
    for path in found:
        try:
            schema = pq.read_schema(path)
        except (OSError, ValueError) as error:
            message = f"{path.name} is not a Parquet file: {str(error).splitlines()[0]}"
            raise DeltaRefused("DELTA_FAILED_READ_FILE_FOOTER", message) from error
        check_names(_names(pa.struct(list(schema))), {})
    arguments: dict[str, Any] = {}
    if partition_by:
        schema = Schema.from_json(fields.text({"type": "struct", "fields": list(partition_by)}))
        arguments = {"partition_by": schema, "partition_strategy": "hive"}
    custom = {"userName": user} if user else None
    try:
        convert_to_deltalake(folder, commit_properties=CommitProperties(custom_metadata=custom), **arguments)
    except (DeltaError, OSError, ValueError) as error:
        raise TableUnreadable(location, str(error).splitlines()[0]) from error
    return len(found)


def _names(kind: Any) -> Iterator[str]:
    """The names of the fields of a type of Arrow's, at any depth."""
    for one in (kind.field(at) for at in range(kind.num_fields)):
        if pa.types.is_struct(kind):
            yield one.name
        yield from _names(one.type)


def _files(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.rglob("*.parquet") if _counts(path, folder))
    if not found:
        message = f"No Parquet file found in the directory: {folder}. A folder with *.parquet files is needed."
        raise DeltaRefused("DELTA_CONVERSION_NO_FILES", message)
    return found


def _counts(path: Path, folder: Path) -> bool:
    parts = path.relative_to(folder).parts
    return not any(part.startswith((".", "_")) and "=" not in part for part in parts)
