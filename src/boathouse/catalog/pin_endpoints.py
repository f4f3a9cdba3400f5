"""What holds versions of tables, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from boathouse.catalog.dependencies import Catalog
from boathouse.errors import InvalidParameterValue

router = APIRouter(prefix="/api/boathouse/v1/pins", tags=["pins"])


class PinBody(BaseModel):
    """A version of a table that a model version was trained on, so that VACUUM keeps it; a model that is not shown is null."""

    table: str
    table_version: int
    model: str | None
    model_version: int | None
    pinned_at: int
    is_dropped: bool


class PinList(BaseModel):
    """Versions that are held."""

    pins: list[PinBody]


@router.get("")
def list_pins(
    catalog: Catalog,
    table_name: Annotated[str | None, Query(description="Full name of a table: what holds it. Needs SELECT")] = None,
    model_name: Annotated[str | None, Query(description="Full name of a model: what it holds. Needs EXECUTE")] = None,
    model_version: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Of the model; all by default")] = None,
) -> PinList:
    """What holds versions of a table, or what versions of a model hold."""
    if (table_name is None) == (model_name is None):
        message = "Give one of table_name and model_name."
        raise InvalidParameterValue(message, field="table_name")
    if table_name is not None:
        found = catalog.pins_of_table(table_name)
    else:
        found = catalog.pins_of_model(model_name or "", model_version)
    return PinList(pins=[PinBody.model_validate(one, from_attributes=True) for one in found])
