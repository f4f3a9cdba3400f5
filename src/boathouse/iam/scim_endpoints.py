"""SCIM 2.0 over HTTP: users, service principals, groups and ``Me``."""

from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import ValidationError

from boathouse.db.dependencies import ReadSession, WriteSession
from boathouse.iam.dependencies import CurrentAdmin, CurrentPrincipal
from boathouse.iam.errors import ScimInvalid
from boathouse.iam.identity import CurrentIdentity
from boathouse.iam.principal import PrincipalKind
from boathouse.iam.schemas import ScimGroup, ScimList, ScimPatch, ScimPrincipal
from boathouse.iam.scim_patch import Operation, apply
from boathouse.iam.scim_views import (
    GROUP_ATTRIBUTES,
    PERSON_ATTRIBUTES,
    SCIM,
    Shown,
    group_body,
    group_change,
    person_body,
    person_change,
)
from boathouse.iam.service.directory import Directory
from boathouse.iam.service.values import ListQuery

MAX_PAGE = 1000
MAX_START = 2**31

Document = TypeVar("Document", ScimPrincipal, ScimGroup)


router = APIRouter(tags=["scim"], prefix=SCIM)


async def _directory_to_read(session: ReadSession) -> Directory:
    return Directory(session)


def _directory_to_write(request: Request, session: WriteSession, identity: CurrentIdentity) -> Directory:
    directory = Directory(session, identity.references, request.app.state.authenticator.forget_all)
    directory.begin()
    return directory


Reading = Annotated[Directory, Depends(_directory_to_read, scope="function")]
Writing = Annotated[Directory, Depends(_directory_to_write, scope="function")]


class ListParameters:
    """What a list takes: filter, order, page, attributes."""

    def __init__(
        self,
        filter_: Annotated[str | None, Query(alias="filter")] = None,
        sort_by: Annotated[str | None, Query(alias="sortBy")] = None,
        sort_order: Annotated[str, Query(alias="sortOrder", pattern="^(ascending|descending)$")] = "ascending",
        start: Annotated[int, Query(alias="startIndex")] = 1,
        count: Annotated[int, Query()] = 100,
    ) -> None:
        # RFC 7644: a start below 1 is 1, a count below 0 is 0; a server may give less than was asked for.
        self.query = ListQuery(
            filter=filter_,
            sort_by=sort_by,
            descending=sort_order == "descending",
            start=min(max(1, start), MAX_START),
            count=min(max(0, count), MAX_PAGE),
        )


Listing = Annotated[ListParameters, Depends()]
ShownAttributes = Annotated[Shown, Depends()]


def _page(total: int, start: int, resources: list[dict[str, Any]]) -> ScimList:
    return ScimList(totalResults=total, startIndex=start, itemsPerPage=len(resources), Resources=resources)


# ---- who asks


@router.get("/Me")
def me(principal: CurrentPrincipal, directory: Reading, response: Response, shown: ShownAttributes) -> dict[str, Any]:
    """The principal who asks; a service principal's ``userName`` is its application id, by which clients know that it is one."""
    response.headers["X-Databricks-Org-Id"] = "0"
    person = directory.person(principal.id)
    return shown.of(person_body(person) | {"userName": person.name})


# ---- users and service principals


def _list(directory: Directory, kind: PrincipalKind, listing: ListParameters, shown: Shown) -> ScimList:
    total, people = directory.people(kind, listing.query)
    return _page(total, listing.query.start, [shown.of(person_body(person)) for person in people])


def _create(directory: Directory, kind: PrincipalKind, body: ScimPrincipal) -> dict[str, Any]:
    name, field = (body.userName, "userName") if kind == "user" else (body.applicationId, "applicationId")
    if not name and (kind == "user" or not body.displayName):
        needed = field if kind == "user" else "displayName"
        message = f"The field {needed} is missing: give the name of the new principal."
        raise ScimInvalid("invalidValue", message, needed)
    groups = [
        one.value if one.value and directory.has_group(one.value) else one.display or one.value or "" for one in body.groups
    ]
    return person_body(directory.create_person(kind, name, person_change(body), groups))


def _replace(directory: Directory, kind: PrincipalKind, principal_id: str, body: ScimPrincipal) -> dict[str, Any]:
    person = directory.person(principal_id, kind)
    if kind == "service_principal" and body.applicationId not in {None, person.name}:
        message = f"The applicationId '{person.name}' cannot be changed: clients sign in with it. Make a new principal instead."
        raise ScimInvalid("mutability", message, "applicationId")
    return person_body(directory.replace_person(kind, principal_id, person_change(body), body.userName))


def _patch(directory: Directory, kind: PrincipalKind, principal_id: str, body: ScimPatch) -> dict[str, Any]:
    document = person_body(directory.person(principal_id, kind))
    changed = apply(document, _operations(body), PERSON_ATTRIBUTES[kind])
    return _replace(directory, kind, principal_id, _parsed(ScimPrincipal, changed))


@router.get("/Users")
def list_users(_: CurrentPrincipal, directory: Reading, listing: Listing, shown: ShownAttributes) -> ScimList:
    """Users, filtered, sorted and paged."""
    return _list(directory, "user", listing, shown)


@router.get("/ServicePrincipals")
def list_service_principals(_: CurrentPrincipal, directory: Reading, listing: Listing, shown: ShownAttributes) -> ScimList:
    """Service principals, filtered, sorted and paged."""
    return _list(directory, "service_principal", listing, shown)


@router.post("/Users", status_code=201)
def create_user(_: CurrentAdmin, directory: Writing, body: ScimPrincipal) -> dict[str, Any]:
    """Make a user (admins only); ``groups`` puts it into groups by id or name."""
    return _create(directory, "user", body)


@router.post("/ServicePrincipals", status_code=201)
def create_service_principal(_: CurrentAdmin, directory: Writing, body: ScimPrincipal) -> dict[str, Any]:
    """Make a service principal (admins only); without an applicationId it gets a UUID."""
    return _create(directory, "service_principal", body)


@router.get("/Users/{principal_id}")
def get_user(_: CurrentPrincipal, directory: Reading, principal_id: str, shown: ShownAttributes) -> dict[str, Any]:
    """One user by id, with all groups."""
    return shown.of(person_body(directory.person(principal_id, "user")))


@router.get("/ServicePrincipals/{principal_id}")
def get_service_principal(_: CurrentPrincipal, directory: Reading, principal_id: str, shown: ShownAttributes) -> dict[str, Any]:
    """One service principal by id, with all groups."""
    return shown.of(person_body(directory.person(principal_id, "service_principal")))


@router.put("/Users/{principal_id}")
def replace_user(_: CurrentAdmin, directory: Writing, principal_id: str, body: ScimPrincipal) -> dict[str, Any]:
    """Set what can be set on a user (admins only)."""
    return _replace(directory, "user", principal_id, body)


@router.put("/ServicePrincipals/{principal_id}")
def replace_service_principal(_: CurrentAdmin, directory: Writing, principal_id: str, body: ScimPrincipal) -> dict[str, Any]:
    """Set what can be set on a service principal (admins only)."""
    return _replace(directory, "service_principal", principal_id, body)


@router.patch("/Users/{principal_id}")
def patch_user(_: CurrentAdmin, directory: Writing, principal_id: str, body: ScimPatch) -> dict[str, Any]:
    """Change parts of a user (admins only); ``active`` false stops all its credentials."""
    return _patch(directory, "user", principal_id, body)


@router.patch("/ServicePrincipals/{principal_id}")
def patch_service_principal(_: CurrentAdmin, directory: Writing, principal_id: str, body: ScimPatch) -> dict[str, Any]:
    """Change parts of a service principal (admins only)."""
    return _patch(directory, "service_principal", principal_id, body)


@router.delete("/Users/{principal_id}", status_code=204)
def delete_user(_: CurrentAdmin, directory: Writing, principal_id: str) -> None:
    """Delete a user with its credentials and grants (admins only)."""
    directory.delete_person("user", principal_id)


@router.delete("/ServicePrincipals/{principal_id}", status_code=204)
def delete_service_principal(_: CurrentAdmin, directory: Writing, principal_id: str) -> None:
    """Delete a service principal with its credentials and grants (admins only)."""
    directory.delete_person("service_principal", principal_id)


# ---- groups


@router.get("/Groups")
def list_groups(_: CurrentPrincipal, directory: Reading, listing: Listing, shown: ShownAttributes) -> ScimList:
    """Groups, filtered, sorted and paged."""
    total, groups = directory.groups(listing.query)
    return _page(total, listing.query.start, [shown.of(group_body(group)) for group in groups])


@router.post("/Groups", status_code=201)
def create_group(_: CurrentAdmin, directory: Writing, body: ScimGroup) -> dict[str, Any]:
    """Make a group (admins only)."""
    return group_body(directory.create_group(group_change(body)))


@router.get("/Groups/{group_id}")
def get_group(_: CurrentPrincipal, directory: Reading, group_id: str, shown: ShownAttributes) -> dict[str, Any]:
    """One group by id."""
    return shown.of(group_body(directory.group(group_id)))


@router.put("/Groups/{group_id}")
def replace_group(_: CurrentAdmin, directory: Writing, group_id: str, body: ScimGroup) -> dict[str, Any]:
    """Set name, members and the rest of a group (admins only); members that are not given are out."""
    return group_body(directory.replace_group(group_id, group_change(body)))


@router.patch("/Groups/{group_id}")
def patch_group(_: CurrentAdmin, directory: Writing, group_id: str, body: ScimPatch) -> dict[str, Any]:
    """Change parts of a group (admins only): ``members``, ``members[value eq "id"]``, ``displayName``."""
    changed = apply(group_body(directory.group(group_id)), _operations(body), GROUP_ATTRIBUTES)
    return group_body(directory.replace_group(group_id, group_change(_parsed(ScimGroup, changed))))


@router.delete("/Groups/{group_id}", status_code=204)
def delete_group(_: CurrentAdmin, directory: Writing, group_id: str) -> None:
    """Delete a group and its grants (admins only)."""
    directory.delete_group(group_id)


# ---- parts


def _operations(body: ScimPatch) -> list[Operation]:
    for one in body.Operations:
        if one.op.lower() in {"add", "replace"} and "value" not in one.model_fields_set:
            # What databricks-sdk sends for False: taken for no change, it would leave active who was to be deactivated.
            message = (
                f"The operation {one.op} of '{one.path or 'the resource'}' has no value. "
                'Clients that leave out false can send [{"value": "false"}].'
            )
            raise ScimInvalid("invalidValue", message, "value")
    return [Operation(one.op, one.path, one.value) for one in body.Operations]


def _parsed(model: type[Document], document: dict[str, Any]) -> Document:
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise _invalid(error.errors()) from error


def _invalid(problems: Any) -> ScimInvalid:
    texts = [f"{'.'.join(str(part) for part in one['loc'] if part != 'body') or 'body'}: {one['msg']}" for one in problems]
    message = "The request is not valid. " + "; ".join(texts)
    return ScimInvalid("invalidValue", message, texts[0].split(":")[0] if texts else "body")
