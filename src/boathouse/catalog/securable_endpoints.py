"""What the page shows beside a securable: its tags, and what the asker may do with it."""

from fastapi import APIRouter
from pydantic import BaseModel

from boathouse.catalog.dependencies import Catalog
from boathouse.catalog.privileges import GRANTABLE, READING, SYSTEM, Privilege, SecurableType

router = APIRouter(prefix="/api/boathouse/v1/securables", tags=["securables"])


class SecurableBody(BaseModel):
    """A securable's tags, and the asker's privileges on it.

    ``privileges`` are those that the asker has, by a grant or as an owner; ``grantable`` those that it may give to others
    here, none without ``MANAGE``.
    """

    id: str
    type: str
    full_name: str
    owner: str
    tags: dict[str, str]
    column_tags: dict[str, dict[str, str]]
    privileges: list[str]
    grantable: list[str]


def _names(privileges: list[Privilege]) -> list[str]:
    return sorted(privilege.value.replace(" ", "_") for privilege in privileges)


@router.get("/{kind}/{full_name}")
def get_securable(catalog: Catalog, kind: str, full_name: str) -> SecurableBody:
    """The tags of a securable that the asker may know of, and what the asker may do with it."""
    securable = catalog.kind_of(kind, full_name)
    row = catalog.reach(securable, full_name, None)
    of_server = row.full_name.split(".")[0] == SYSTEM
    possible = GRANTABLE[securable] & READING if of_server else GRANTABLE[securable]
    return SecurableBody(
        id=row.id,
        type=securable.value,
        full_name=row.full_name,
        owner=row.owner,
        tags=catalog.get_tags(securable, full_name),
        column_tags=catalog.get_column_tags(full_name) if securable is SecurableType.TABLE else {},
        privileges=_names([privilege for privilege in possible if catalog.access.may(row, privilege)]),
        grantable=_names(list(possible)) if catalog.access.may_grant(row) else [],
    )
