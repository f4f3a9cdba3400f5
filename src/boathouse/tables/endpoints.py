"""What the page's table view asks: a sample of rows, detail."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from boathouse.catalog.api import Catalog
from boathouse.tables import delta

router = APIRouter(prefix="/api/boathouse/v1/tables", tags=["tables"])


class SampleColumn(BaseModel):
    """A column of a sample."""

    name: str
    type: str


class SampleBody(BaseModel):
    """Some rows of a table."""

    version: int
    columns: list[SampleColumn]
    rows: list[list[Any]]


class DetailBody(BaseModel):
    """What a table is made of."""

    location: str
    format: str = "delta"
    version: int
    files: int
    size_bytes: int
    rows: int | None
    partition_columns: list[str]
    properties: dict[str, str]
    updated_at: int | None


@router.get("/{full_name}/sample")
def get_sample(
    catalog: Catalog,
    full_name: str,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    version: Annotated[int | None, Query(ge=0)] = None,
) -> SampleBody:
    """The first rows of a table, of any of its versions. Needs SELECT."""
    found = delta.sample(catalog.get_readable_table(full_name).storage_location, limit, version)
    return SampleBody(
        version=found.version,
        columns=[SampleColumn(name=name, type=kind) for name, kind in found.columns],
        rows=[list(row) for row in found.rows],
    )


@router.get("/{full_name}/detail")
def get_detail(catalog: Catalog, full_name: str) -> DetailBody:
    """Files, size and rows of a table. Needs SELECT."""
    found = delta.detail(catalog.get_readable_table(full_name).storage_location)
    return DetailBody(
        location=found.location,
        version=found.version,
        files=found.files,
        size_bytes=found.size_bytes,
        rows=found.rows,
        partition_columns=list(found.partition_columns),
        properties=found.properties,
        updated_at=found.updated_at,
    )
