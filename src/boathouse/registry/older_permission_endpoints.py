"""Permissions of models in the older registry's form; a model goes by the identifier that ``databricks/registered-models/get`` tells."""

from typing import Any

from fastapi import APIRouter

from boathouse.catalog.api import Catalog, CatalogService, WritableCatalog
from boathouse.iam.api import AccessChange, told_access
from boathouse.registry.older_permissions import TEXTS, levels_on, set_levels

router = APIRouter(prefix="/api/2.0/permissions/registered-models", tags=["model_registry"])


def _told(catalog: CatalogService, model_id: str) -> dict[str, Any]:
    model = catalog.model_of_id(model_id)
    own, inherited = levels_on(catalog, model)
    return told_access(f"/registered-models/{model.id}", "registered-model", own, inherited)


@router.get("/{model_id}")
def get_model_permissions(catalog: Catalog, model_id: str) -> dict[str, Any]:
    """Who may what on a model; others' levels need MANAGE."""
    return _told(catalog, model_id)


@router.get("/{model_id}/permissionLevels")
def get_model_permission_levels(catalog: Catalog, model_id: str) -> dict[str, Any]:
    """The levels of permission."""
    catalog.model_of_id(model_id)
    return {"permission_levels": [{"permission_level": level, "description": text} for level, text in TEXTS.items()]}


@router.put("/{model_id}")
def put_model_permissions(catalog: WritableCatalog, model_id: str, body: AccessChange) -> dict[str, Any]:
    """Set who may what on a model. Needs MANAGE."""
    set_levels(catalog, catalog.model_of_id(model_id), body.access_control_list, replace=True)
    return _told(catalog, model_id)


@router.patch("/{model_id}")
def patch_model_permissions(catalog: WritableCatalog, model_id: str, body: AccessChange) -> dict[str, Any]:
    """Give those who are named a level of permission. Needs MANAGE."""
    set_levels(catalog, catalog.model_of_id(model_id), body.access_control_list, replace=False)
    return _told(catalog, model_id)
