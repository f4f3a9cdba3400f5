"""Search over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from boathouse.catalog.dependencies import Catalog
from boathouse.catalog.privileges import SecurableType
from boathouse.catalog.search import LONGEST, MOST, SEARCHABLE, search
from boathouse.errors import InvalidParameterValue

router = APIRouter(prefix="/api/boathouse/v1/search", tags=["search"])


class HitBody(BaseModel):
    """A securable that was found; ``rank`` 0 is the exact name, 5 a part of a comment, column or tag."""

    id: str
    type: str
    name: str
    full_name: str
    owner: str
    comment: str | None
    table_type: str | None
    rank: int


class Hits(BaseModel):
    """What was found, the best first."""

    results: list[HitBody]


def _kinds(types: str) -> frozenset[SecurableType]:
    if not types.strip():
        return SEARCHABLE
    given = {text.strip(): SecurableType.parse(text) for text in types.split(",") if text.strip()}
    wrong = [text for text, kind in given.items() if kind not in SEARCHABLE]
    if wrong:
        valid = ", ".join(sorted(kind.value for kind in SEARCHABLE))
        message = f"types is not valid: '{wrong[0]}'. Valid, with commas between: {valid}."
        raise InvalidParameterValue(message, field="types")
    return frozenset(kind for kind in given.values() if kind is not None)


@router.get("")
def find(
    catalog: Catalog,
    q: Annotated[str, Query(min_length=1, max_length=LONGEST, description="Words; all have to occur")],
    types: Annotated[str, Query(description="Kinds with commas between: table,schema,...; empty for all")] = "",
    max_results: Annotated[int, Query(ge=1, le=MOST)] = 50,
) -> Hits:
    """Securables by words of their names, comments, columns and tags, of those that the asker may know of."""
    hits = search(catalog, q, _kinds(types), max_results=max_results)
    return Hits(results=[HitBody.model_validate(hit, from_attributes=True) for hit in hits])
