"""Tags over HTTP: entity tag assignments, and the two calls of MLflow's native Unity Catalog client."""

from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Query, Request

from boathouse.catalog.dependencies import Catalog, WritableCatalog
from boathouse.catalog.paging import MaxResults, PageToken, paged
from boathouse.catalog.privileges import SecurableType
from boathouse.catalog.service import CatalogService
from boathouse.catalog.service.tags import TagChange
from boathouse.catalog.tag_schemas import (
    NewTagValue,
    TagAssignment,
    TagAssignmentList,
    UpdateTags,
)
from boathouse.errors import InvalidParameterValue, NotImplementedHere
from boathouse.iam.api import CurrentPrincipal, Principal

router = APIRouter(prefix="/api/2.1/unity-catalog", tags=["tags"])

ENTITIES = {
    "catalogs": SecurableType.CATALOG,
    "schemas": SecurableType.SCHEMA,
    "tables": SecurableType.TABLE,
    "columns": SecurableType.TABLE,
    "volumes": SecurableType.VOLUME,
    "functions": SecurableType.FUNCTION,
    "models": SecurableType.MODEL,
    "registered-models": SecurableType.MODEL,
}


class ModelTags(Protocol):
    """Whoever keeps the tags of registered models and their versions; the server may have one as ``state.model_tags``."""

    def change_model_tags(self, principal: Principal, full_name: str, change: TagChange) -> None:
        """Give and take a model's tags."""
        ...

    def change_version_tags(self, principal: Principal, full_name: str, version: str, change: TagChange) -> None:
        """Give and take a version's tags."""
        ...


def _entity(entity_type: str, entity_name: str) -> tuple[SecurableType, str, str | None]:
    """The kind, the securable's full name and the column that an entity is."""
    kind = ENTITIES.get(entity_type.lower())
    if kind is None:
        message = f"entity_type '{entity_type}' is not valid. Valid: {', '.join(ENTITIES)}."
        raise InvalidParameterValue(message, field="entity_type")
    if entity_type.lower() != "columns":
        return kind, entity_name, None
    parts = entity_name.split(".", 3)
    if len(parts) != 4:
        message = f"entity_name '{entity_name}' is not valid: a column is named catalog.schema.table.column."
        raise InvalidParameterValue(message, field="entity_name")
    return kind, ".".join(parts[:3]), parts[3]


@router.post("/entity-tag-assignments")
def create_tag_assignment(catalog: WritableCatalog, body: TagAssignment) -> TagAssignment:
    """Give a tag that is not there yet."""
    kind, full_name, column = _entity(body.entity_type, body.entity_name)
    catalog.create_tag(kind, full_name, body.tag_key, body.tag_value or "", column)
    return body


@router.get("/entity-tag-assignments/{entity_type}/{entity_name}/tags")
def list_tag_assignments(
    catalog: Catalog, entity_type: str, entity_name: str, max_results: MaxResults = 0, page_token: PageToken = ""
) -> TagAssignmentList:
    """The tags of a securable or column, by key."""
    kind, full_name, column = _entity(entity_type, entity_name)
    tags = sorted(catalog.get_tags(kind, full_name, column).items())
    page, token = paged(tags, max_results, page_token, lambda tag: tag[0])
    found = [
        TagAssignment(entity_type=entity_type, entity_name=entity_name, tag_key=key, tag_value=value) for key, value in page
    ]
    return TagAssignmentList(tag_assignments=found, next_page_token=token)


@router.get("/entity-tag-assignments/{entity_type}/{entity_name}/tags/{tag_key:path}")
def get_tag_assignment(catalog: Catalog, entity_type: str, entity_name: str, tag_key: str) -> TagAssignment:
    """One tag."""
    kind, full_name, column = _entity(entity_type, entity_name)
    value = catalog.require_tag(kind, full_name, tag_key, column)
    return TagAssignment(entity_type=entity_type, entity_name=entity_name, tag_key=tag_key, tag_value=value)


@router.patch("/entity-tag-assignments/{entity_type}/{entity_name}/tags/{tag_key:path}")
def update_tag_assignment(
    catalog: WritableCatalog,
    entity_type: str,
    entity_name: str,
    tag_key: str,
    body: NewTagValue,
    update_mask: Annotated[str, Query()] = "tag_value",
) -> TagAssignment:
    """Give a tag another value."""
    if update_mask not in {"tag_value", "*"}:
        message = f"update_mask '{update_mask}' is not valid. Valid: tag_value."
        raise InvalidParameterValue(message, field="update_mask")
    kind, full_name, column = _entity(entity_type, entity_name)
    catalog.update_tag(kind, full_name, tag_key, body.tag_value or "", column)
    return TagAssignment(entity_type=entity_type, entity_name=entity_name, tag_key=tag_key, tag_value=body.tag_value or "")


@router.delete("/entity-tag-assignments/{entity_type}/{entity_name}/tags/{tag_key:path}")
def delete_tag_assignment(catalog: WritableCatalog, entity_type: str, entity_name: str, tag_key: str) -> dict[str, Any]:
    """Take a tag away."""
    kind, full_name, column = _entity(entity_type, entity_name)
    catalog.delete_tag(kind, full_name, tag_key, column)
    return {}


# ------------------------------------------------------------------------------------------------------------ MLflow


def _change(body: UpdateTags) -> TagChange:
    return TagChange({tag.key: tag.value for tag in body.changes.add_tags}, tuple(body.changes.remove))


def _securable(catalog: CatalogService, kind: str, full_name: str) -> SecurableType:
    return catalog.kind_of(kind, full_name)


@router.patch("/securable-tags/{kind}/{full_name}")
def update_securable_tags(
    request: Request, principal: CurrentPrincipal, catalog: WritableCatalog, kind: str, full_name: str, body: UpdateTags
) -> dict[str, Any]:
    """Give and take a securable's tags; a model goes by ``FUNCTION`` too."""
    keeper: ModelTags | None = getattr(request.app.state, "model_tags", None)
    securable = _securable(catalog, kind, full_name)
    if securable is SecurableType.MODEL and keeper is not None:
        keeper.change_model_tags(principal, full_name, _change(body))
    else:
        catalog.change_tags(securable, full_name, _change(body))
    return {}


@router.patch("/subentity-tags/{kind}/{full_name}/{subentity}")
def update_subentity_tags(
    request: Request,
    principal: CurrentPrincipal,
    catalog: WritableCatalog,
    kind: str,
    full_name: str,
    subentity: str,
    body: UpdateTags,
) -> dict[str, Any]:
    """Give and take the tags of a table's column or a model's version."""
    keeper: ModelTags | None = getattr(request.app.state, "model_tags", None)
    match _securable(catalog, kind, full_name):
        case SecurableType.TABLE:
            catalog.change_tags(SecurableType.TABLE, full_name, _change(body), subentity)
        case SecurableType.MODEL if keeper is not None:
            keeper.change_version_tags(principal, full_name, subentity, _change(body))
        case other:
            message = f"The parts of a {other.value.replace('_', ' ')} have no tags here."
            raise NotImplementedHere(message)
    return {}
