"""Grants over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Header, Query

from boathouse.catalog.dependencies import Catalog, WritableCatalog
from boathouse.catalog.paging import MaxResults, PageToken, paged
from boathouse.catalog.privileges import Privilege
from boathouse.catalog.schemas import (
    EffectiveAssignment,
    EffectiveAssignmentPage,
    EffectivePermissions,
    EffectivePrivilege,
    Permissions,
    PrivilegeAssignment,
    UpdatePermissions,
)
from boathouse.catalog.service import CatalogService
from boathouse.catalog.service.grants import GrantChange

router = APIRouter(prefix="/api/2.1/unity-catalog", tags=["grants"])

Grantee = Annotated[str | None, Query(alias="principal", description="Only this principal's")]


UserAgent = Annotated[str, Header(include_in_schema=False)]


def _wire(privilege: Privilege) -> str:
    return privilege.value.replace(" ", "_")


def _granted(
    catalog: CatalogService, kind: str, full_name: str, grantee: str | None, user_agent: str
) -> list[PrivilegeAssignment]:
    # unitycatalog-client reads only names with blanks, databricks-sdk only those with underscores; each calls itself its own.
    wire = str if user_agent.startswith("OpenAPI-Generator/") else _wire
    grants = catalog.get_grants(catalog.kind_of(kind, full_name), full_name, grantee)
    return [
        PrivilegeAssignment(principal=name, privileges=[wire(privilege) for privilege in privileges])
        for name, privileges in sorted(grants.items())
    ]


def _effective(
    catalog: CatalogService, kind: str, full_name: str, grantee: str | None, limit: int, page_token: str
) -> tuple[list[EffectiveAssignment], str | None]:
    securable = catalog.kind_of(kind, full_name)
    own = catalog.find_row(securable, full_name).id
    by_name: dict[str, list[EffectivePrivilege]] = {}
    for held in catalog.get_effective_grants(securable, full_name, grantee):
        inherited = held.granted_on.id != own
        by_name.setdefault(held.grantee, []).append(
            EffectivePrivilege(
                privilege=_wire(held.privilege),
                inherited_from_name=held.granted_on.full_name if inherited else None,
                inherited_from_type=held.granted_on.type.upper() if inherited else None,
            )
        )
    found = [EffectiveAssignment(principal=name, privileges=held) for name, held in sorted(by_name.items())]
    return paged(found, limit, page_token, lambda one: one.principal)


@router.get("/permissions/{kind}/{full_name}")
def get_permissions(
    catalog: Catalog,
    kind: str,
    full_name: str,
    principal: Grantee = None,
    max_results: MaxResults = 0,
    page_token: PageToken = "",
    user_agent: UserAgent = "",
) -> Permissions:
    """The grants on a securable itself."""
    found = _granted(catalog, kind, full_name, principal, user_agent)
    page, token = paged(found, max_results, page_token, lambda one: one.principal)
    return Permissions(privilege_assignments=page, next_page_token=token)


@router.get("/privilege-assignments/{kind}/{full_name}")
def list_permissions(
    catalog: Catalog,
    kind: str,
    full_name: str,
    principal: Grantee = None,
    page_size: MaxResults = 0,
    page_token: PageToken = "",
) -> Permissions:
    """The same under its newer name."""
    return get_permissions(catalog, kind, full_name, principal, page_size, page_token)


@router.patch("/permissions/{kind}/{full_name}")
def update_permissions(
    catalog: WritableCatalog, kind: str, full_name: str, body: UpdatePermissions, user_agent: UserAgent = ""
) -> Permissions:
    """Grant and revoke."""
    changes = [GrantChange(change.principal, tuple(change.add), tuple(change.remove)) for change in body.changes]
    catalog.change_grants(catalog.kind_of(kind, full_name), full_name, changes)
    left = [] if body.omit_permissions_in_response else _granted(catalog, kind, full_name, None, user_agent)
    return Permissions(privilege_assignments=left)


@router.get("/effective-permissions/{kind}/{full_name}", response_model_exclude_none=True)
def get_effective_permissions(
    catalog: Catalog,
    kind: str,
    full_name: str,
    principal: Grantee = None,
    max_results: MaxResults = 0,
    page_token: PageToken = "",
) -> EffectivePermissions:
    """The privileges that hold on a securable, and where each comes from."""
    page, token = _effective(catalog, kind, full_name, principal, max_results, page_token)
    return EffectivePermissions(privilege_assignments=page, next_page_token=token)


@router.get("/effective-privilege-assignments/{kind}/{full_name}", response_model_exclude_none=True)
def list_effective_permissions(
    catalog: Catalog,
    kind: str,
    full_name: str,
    principal: Grantee = None,
    page_size: MaxResults = 0,
    page_token: PageToken = "",
) -> EffectiveAssignmentPage:
    """The same under its newer name."""
    page, token = _effective(catalog, kind, full_name, principal, page_size, page_token)
    return EffectiveAssignmentPage(effective_privilege_assignments=page, next_page_token=token)
