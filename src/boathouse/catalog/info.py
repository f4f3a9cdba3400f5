"""What the catalog hands out: immutable values, never rows."""

from dataclasses import dataclass
from typing import Any

from boathouse.catalog.models import SecurableRow
from boathouse.catalog.privileges import SecurableType


@dataclass(frozen=True, kw_only=True)
class SecurableInfo:
    """What every securable has. Times are ms since the epoch."""

    id: str
    type: SecurableType
    name: str
    full_name: str
    owner: str
    comment: str | None
    properties: dict[str, str]
    created_at: int
    created_by: str
    updated_at: int
    updated_by: str

    @property
    def catalog_name(self) -> str:
        """The first part of the full name."""
        return self.full_name.split(".")[0]

    @property
    def schema_name(self) -> str:
        """The second part of the full name."""
        return self.full_name.split(".")[1]


@dataclass(frozen=True, kw_only=True)
class TableInfo(SecurableInfo):
    """A table.

    Attributes:
        table_type: ``MANAGED`` or ``EXTERNAL``.
        data_source_format: ``DELTA``, ``PARQUET``, ...
        storage_location: ``file:///`` URL of its folder.
        columns: In order, each with ``name``, ``type_name``, ``type_text``, ``type_json``, ``position``, ``nullable``,
            ``comment``.
    """

    table_type: str
    data_source_format: str
    storage_location: str
    columns: tuple[dict[str, Any], ...]


@dataclass(frozen=True, kw_only=True)
class VolumeInfo(SecurableInfo):
    """A volume: a folder of files. ``volume_type`` is ``MANAGED`` or ``EXTERNAL``."""

    volume_type: str
    storage_location: str


def _common(row: SecurableRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "type": SecurableType(row.type),
        "name": row.name,
        "full_name": row.full_name,
        "owner": row.owner,
        "comment": row.comment,
        "properties": dict(row.properties),
        "created_at": row.created_at,
        "created_by": row.created_by,
        "updated_at": row.updated_at,
        "updated_by": row.updated_by,
    }


def securable_info(row: SecurableRow) -> SecurableInfo:
    """The value of a catalog's, schema's or model's row."""
    return SecurableInfo(**_common(row))


def table_info(row: SecurableRow, columns: list[dict[str, Any]] | None = None) -> TableInfo:
    """The value of a table's row, with other columns than the row's where the Delta log knows better."""
    return TableInfo(
        **_common(row),
        table_type=row.kind or "MANAGED",
        data_source_format=row.format or "DELTA",
        storage_location=row.location or "",
        columns=tuple(row.columns if columns is None else columns),
    )


def volume_info(row: SecurableRow) -> VolumeInfo:
    """The value of a volume's row."""
    return VolumeInfo(**_common(row), volume_type=row.kind or "MANAGED", storage_location=row.location or "")
