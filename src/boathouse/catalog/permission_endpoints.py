"""Grants over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query

from boathouse.catalog.dependencies import Catalog, WritableCatalog
from boathouse.catalog.privileges import SecurableType
from boathouse.catalog.schemas import (
    EffectiveAssignment,
    EffectivePermissions,
    EffectivePrivilege,
    Permissions,
    PrivilegeAssignment,
    UpdatePermissions,
    securable_type,
)
from boathouse.catalog.service import CatalogService
from boathouse.catalog.service.grants import GrantChange
from boathouse.errors import InvalidParameterValue

router = APIRouter(prefix="/api/2.1/unity-catalog", tags=["grants"])

Grantee = Annotated[str | None, Query(alias="principal", description="Only this principal's")]


def _kind(text: str) -> SecurableType:
    kind = securable_type(text)
    if kind is None:
        valid = ", ".join(kind.value for kind in SecurableType)
        message = f"The securable type '{text}' is not valid. Valid: {valid}."
        raise InvalidParameterValue(message, field="securable_type")
    return kind


def _permissions(catalog: CatalogService, kind: SecurableType, full_name: str, grantee: str | None) -> Permissions:
    grants = catalog.get_grants(kind, full_name, grantee)
    return Permissions(
        privilege_assignments=[
            PrivilegeAssignment(principal=name, privileges=[privilege.value.replace(" ", "_") for privilege in privileges])
            for name, privileges in grants.items()
        ]
    )


@router.get("/permissions/{kind}/{full_name}")
def get_permissions(catalog: Catalog, kind: str, full_name: str, principal: Grantee = None) -> Permissions:
    """The grants on a securable itself."""
    return _permissions(catalog, _kind(kind), full_name, principal)


@router.patch("/permissions/{kind}/{full_name}")
def update_permissions(catalog: WritableCatalog, kind: str, full_name: str, body: UpdatePermissions) -> Permissions:
    """Grant and revoke."""
    changes = [GrantChange(change.principal, tuple(change.add), tuple(change.remove)) for change in body.changes]
    catalog.change_grants(_kind(kind), full_name, changes)
    return _permissions(catalog, _kind(kind), full_name, None)


@router.get("/effective-permissions/{kind}/{full_name}", response_model_exclude_none=True)
def get_effective_permissions(catalog: Catalog, kind: str, full_name: str, principal: Grantee = None) -> EffectivePermissions:
    """The privileges that hold on a securable, and where each comes from."""
    by_name: dict[str, list[EffectivePrivilege]] = {}
    for held in catalog.get_effective_grants(_kind(kind), full_name, principal):
        inherited = held.granted_on.full_name != full_name.lower()
        by_name.setdefault(held.grantee, []).append(
            EffectivePrivilege(
                privilege=held.privilege.value.replace(" ", "_"),
                inherited_from_name=held.granted_on.full_name if inherited else None,
                inherited_from_type=held.granted_on.type.upper() if inherited else None,
            )
        )
    return EffectivePermissions(
        privilege_assignments=[EffectiveAssignment(principal=name, privileges=held) for name, held in by_name.items()]
    )
