"""What a write has to know of the Delta table that it goes to, read from its log."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deltalake.exceptions import DeltaError, TableNotFoundError

from boathouse.engine.gateway.messages.spark_types import Struct, from_json, has_required, to_json
from boathouse.storage.opening import opened
from boathouse.storage.paths import from_url, to_url
from boathouse.tables.api import TableUnreadable, replay, require_sound

_COUNTERS = ("delta.identity.highWaterMark",)


_NO_COLUMNS = "empty schema"
"""What delta-rs says of a table without columns, which it does not open."""


@dataclass(frozen=True)
class DeltaTarget:
    """A Delta table as of now.

    Attributes:
        name: As messages call it.
        folder: Where it lies.
        version: Its newest version.
        table_id: The identifier in its log.
        schema: Its columns with their metadata.
        partition_by: Its partition columns.
        configuration: Its properties.
        protocol: Reader version, writer version, features.
    """

    name: str
    folder: Path
    version: int
    table_id: str
    schema: Struct
    partition_by: tuple[str, ...]
    configuration: Mapping[str, str]
    protocol: tuple[int, int, frozenset[str]]

    @property
    def fingerprint(self) -> str:
        """Two versions of a table with the same one take the same rows; where an identity column stands is no part of it."""
        fields = [
            replace(one, metadata={key: value for key, value in one.metadata.items() if key not in _COUNTERS})
            for one in self.schema.fields
        ]
        told = [self.table_id, to_json(Struct(tuple(fields))), self.partition_by, dict(self.configuration)]
        # What a field says of itself comes in another order each time.
        return json.dumps(told, sort_keys=True)

    @property
    def requires_inside(self) -> bool:
        """Whether something inside of a column may not be NULL."""
        return any(has_required(one.type) for one in self.schema.fields)


def load(location: str, name: str) -> DeltaTarget | None:
    """The Delta table at a path or ``file:`` URL, or None where there is none.

    Raises:
        TableUnreadable: If there is one that cannot be read.
        TruncatedLog: If its newest commit is not whole.
    """
    folder = from_url(location)
    if not (folder / "_delta_log").is_dir():
        return None
    require_sound(to_url(folder))
    try:
        table = opened(folder)
        metadata: Any = table.metadata()
        protocol: Any = table.protocol()
        schema = from_json(json.loads(table.schema().to_json()))
    except TableNotFoundError:
        return None
    except (DeltaError, OSError) as error:
        if _NO_COLUMNS in str(error):
            return _without_columns(folder, name)
        raise TableUnreadable(location, str(error).splitlines()[0]) from error
    if not isinstance(schema, Struct):
        raise TableUnreadable(location, "its schema is not a struct")
    return DeltaTarget(
        name=name,
        folder=folder,
        version=table.version(),
        table_id=str(metadata.id),
        schema=schema,
        partition_by=tuple(metadata.partition_columns),
        configuration=dict(metadata.configuration),
        protocol=(
            protocol.min_reader_version,
            protocol.min_writer_version,
            frozenset([*(protocol.reader_features or ()), *(protocol.writer_features or ())]),
        ),
    )


def _without_columns(folder: Path, name: str) -> DeltaTarget:
    """A table whose columns come with its first rows, as its log tells it."""
    state = replay(to_url(folder))
    return DeltaTarget(
        name=name,
        folder=folder,
        version=state.version,
        table_id=str(state.metadata["id"]),
        schema=Struct(()),
        partition_by=(),
        configuration=dict(state.configuration),
        protocol=(
            state.protocol["minReaderVersion"],
            state.protocol["minWriterVersion"],
            frozenset([*(state.protocol.get("readerFeatures") or ()), *(state.protocol.get("writerFeatures") or ())]),
        ),
    )
