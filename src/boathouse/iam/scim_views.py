"""SCIM's documents from the directory's values, and back."""

from typing import Annotated, Any

from fastapi import Query

from boathouse.errors import AlreadyExists, BoathouseError, InvalidParameterValue
from boathouse.iam.errors import ScimInvalid
from boathouse.iam.principal import PrincipalKind
from boathouse.iam.schemas import (
    ERROR_SCHEMA,
    GROUP_SCHEMA,
    SERVICE_PRINCIPAL_SCHEMA,
    USER_SCHEMA,
    ScimGroup,
    ScimPrincipal,
    ScimValue,
)
from boathouse.iam.service.values import Group, GroupChange, GroupRef, Person, PersonChange

SCIM = "/api/2.0/preview/scim/v2"

_COMMON = frozenset({"displayName", "active", "externalId", "roles", "entitlements"})
PERSON_ATTRIBUTES: dict[PrincipalKind, frozenset[str]] = {
    "user": _COMMON | {"userName", "name", "emails"},
    "service_principal": _COMMON | {"applicationId"},
}
GROUP_ATTRIBUTES = frozenset({"displayName", "externalId", "members", "roles", "entitlements"})
_PATHS = {"user": "Users", "service_principal": "ServicePrincipals", "group": "Groups"}


def scim_form(error: BoathouseError) -> dict[str, str | list[str]]:
    """What SCIM's clients read of an error, besides the API's own form."""
    form: dict[str, str | list[str]] = {"schemas": [ERROR_SCHEMA], "status": str(error.status), "detail": error.message}
    if isinstance(error, ScimInvalid):
        return form | {"scimType": error.scim_type}
    if isinstance(error, AlreadyExists):
        return form | {"scimType": "uniqueness"}
    return form | {"scimType": "invalidValue"} if isinstance(error, InvalidParameterValue) else form


class Shown:
    """Which attributes a client wants to see; ``id`` and ``schemas`` are always there."""

    def __init__(
        self,
        attributes: Annotated[str, Query(description="Only these attributes, with commas")] = "",
        excluded: Annotated[str, Query(alias="excludedAttributes", description="All but these, with commas")] = "",
    ) -> None:
        self._only = _names(attributes)
        self._without = _names(excluded)

    def of(self, document: dict[str, Any]) -> dict[str, Any]:
        """The document with what is wanted."""
        return {
            key: value
            for key, value in document.items()
            if key in {"id", "schemas"} or ((not self._only or key.lower() in self._only) and key.lower() not in self._without)
        }


def person_body(person: Person) -> dict[str, Any]:
    """A user or service principal as SCIM writes it."""
    body: dict[str, Any] = {
        "schemas": [USER_SCHEMA if person.kind == "user" else SERVICE_PRINCIPAL_SCHEMA],
        "id": person.id,
        "displayName": person.display_name,
        "active": person.active,
        "groups": [_reference(group) for group in person.groups],
        "roles": person.profile.get("roles", []),
        "entitlements": person.profile.get("entitlements", []),
    }
    if person.kind == "user":
        emails = [{"value": person.name, "type": "work", "primary": True}] if "@" in person.name else []
        body |= {"userName": person.name, "emails": person.profile.get("emails") or emails}
        if person.profile.get("name"):
            body["name"] = person.profile["name"]
    else:
        body["applicationId"] = person.name
    return body if person.external_id is None else body | {"externalId": person.external_id}


def person_change(body: ScimPrincipal) -> PersonChange:
    """What a document sets on a user or service principal."""
    profile = {"roles": _plain(body.roles), "entitlements": _plain(body.entitlements), "emails": _plain(body.emails)}
    name = body.name.model_dump(exclude_none=True) if body.name is not None else None
    profile = {key: value for key, value in (profile | {"name": name}).items() if value}
    return PersonChange(body.displayName, body.active, body.externalId, profile)


def group_body(group: Group) -> dict[str, Any]:
    """A group as SCIM writes it."""
    members = [{"value": one.id, "display": one.name, "$ref": f"{_PATHS[one.kind]}/{one.id}"} for one in group.members]
    body: dict[str, Any] = {
        "schemas": [GROUP_SCHEMA],
        "id": group.id,
        "displayName": group.name,
        "members": members,
        "groups": [_reference(parent) for parent in group.groups],
        "roles": group.profile.get("roles", []),
        "entitlements": group.profile.get("entitlements", []),
        "meta": {"resourceType": "WorkspaceGroup"},
    }
    return body if group.external_id is None else body | {"externalId": group.external_id}


def group_change(body: ScimGroup) -> GroupChange:
    """What a document sets on a group."""
    profile = {
        key: value for key, value in (("roles", _plain(body.roles)), ("entitlements", _plain(body.entitlements))) if value
    }
    members = tuple(one.value or (one.ref or "").rsplit("/", 1)[-1] for one in body.members)
    return GroupChange(body.displayName or "", body.externalId, profile, members)


def _reference(group: GroupRef) -> dict[str, Any]:
    return {
        "value": group.id,
        "display": group.name,
        "type": "direct" if group.direct else "indirect",
        "$ref": f"Groups/{group.id}",
    }


def _plain(values: list[ScimValue]) -> list[dict[str, Any]]:
    return [value.model_dump(exclude_none=True, by_alias=True) for value in values]


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip().split(".")[0].rsplit(":", 1)[-1].lower() for name in text.split(",") if name.strip())
