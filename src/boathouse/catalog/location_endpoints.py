"""External locations and storage credentials over HTTP."""

from typing import Any

from fastapi import APIRouter

from boathouse.catalog import probe
from boathouse.catalog.container_endpoints import update_securable
from boathouse.catalog.dependencies import Catalog, WritableCatalog
from boathouse.catalog.info import credential_info
from boathouse.catalog.location_schemas import (
    CreateCredential,
    CreateLocation,
    CredentialBody,
    CredentialList,
    LocationBody,
    LocationList,
    StorageCredentialList,
    UpdateCredential,
    UpdateLocation,
    ValidateCredential,
    ValidationBody,
    ValidationResult,
)
from boathouse.catalog.paging import IncludeBrowse, MaxResults, PageToken, paged
from boathouse.catalog.privileges import Privilege, SecurableType
from boathouse.catalog.schemas import UpdateSecurable
from boathouse.catalog.service import CatalogService
from boathouse.errors import InvalidParameterValue, NotImplementedHere

router = APIRouter(prefix="/api/2.1/unity-catalog", tags=["locations"])


@router.get("/external-locations")
def list_external_locations(
    catalog: Catalog, max_results: MaxResults = 0, page_token: PageToken = "", include_browse: IncludeBrowse = True
) -> LocationList:
    """The external locations that the asker may know of."""
    infos = catalog.list_locations(browse=include_browse)
    page, token = paged(infos, max_results, page_token, lambda info: info.name)
    return LocationList(external_locations=[LocationBody.of(info) for info in page], next_page_token=token)


@router.post("/external-locations")
def create_external_location(catalog: WritableCatalog, body: CreateLocation) -> LocationBody:
    """Make an external location: ``s3://`` with a storage credential, or, for admins, ``file:///``."""
    return LocationBody.of(catalog.create_location(**body.model_dump()))


@router.get("/external-locations/{name}")
def get_external_location(catalog: Catalog, name: str) -> LocationBody:
    """One external location."""
    return LocationBody.of(catalog.get_location(name))


@router.patch("/external-locations/{name}")
def update_external_location(catalog: WritableCatalog, name: str, body: UpdateLocation) -> LocationBody:
    """Change an external location."""
    if body.url is not None or body.credential_name is not None or body.read_only is not None:
        catalog.update_location(
            name, url=body.url, credential_name=body.credential_name, read_only=body.read_only, force=body.force
        )
    common = UpdateSecurable(owner=body.owner, comment=body.comment, new_name=body.new_name)
    return LocationBody.of(catalog.location_of_row(update_securable(catalog, SecurableType.EXTERNAL_LOCATION, name, common)))


@router.delete("/external-locations/{name}")
def delete_external_location(catalog: WritableCatalog, name: str, force: bool = False) -> dict[str, Any]:
    """Delete an external location; its files stay."""
    catalog.delete_location(name, force=force)
    return {}


# ------------------------------------------------------------------------------------------------------- credentials


@router.get("/storage-credentials")
def list_storage_credentials(
    catalog: Catalog, max_results: MaxResults = 0, page_token: PageToken = ""
) -> StorageCredentialList:
    """The storage credentials that the asker may know of, without their secrets."""
    page, token = paged(catalog.list_credentials(), max_results, page_token, lambda info: info.name)
    return StorageCredentialList(storage_credentials=[CredentialBody.of(info) for info in page], next_page_token=token)


@router.get("/credentials")
def list_credentials(
    catalog: Catalog, max_results: MaxResults = 0, page_token: PageToken = "", purpose: str | None = None
) -> CredentialList:
    """The same; there are none for services."""
    infos = [] if purpose == "SERVICE" else catalog.list_credentials()
    page, token = paged(infos, max_results, page_token, lambda info: info.name)
    return CredentialList(credentials=[CredentialBody.of(info) for info in page], next_page_token=token)


@router.post("/storage-credentials")
@router.post("/credentials", name="create_credential")
def create_storage_credential(catalog: WritableCatalog, body: CreateCredential) -> CredentialBody:
    """Make a storage credential. Its secrets are kept and not answered."""
    if body.purpose != "STORAGE":
        message = f"A credential of purpose {body.purpose} is not built; valid: STORAGE."
        raise NotImplementedHere(message)
    given = body.given()
    if given is None:
        message = "The credential is missing: give one of aws_access_key, aws_iam_role, cloudflare_api_token, azure_*."
        raise InvalidParameterValue(message, field="aws_access_key")
    info = catalog.create_credential(body.name, kind=given[0], values=given[1], read_only=body.read_only, comment=body.comment)
    return CredentialBody.of(info)


@router.get("/storage-credentials/{name}")
@router.get("/credentials/{name}", name="get_credential")
def get_storage_credential(catalog: Catalog, name: str) -> CredentialBody:
    """One storage credential, without its secrets."""
    return CredentialBody.of(catalog.get_credential(name))


@router.patch("/storage-credentials/{name}")
@router.patch("/credentials/{name}", name="update_credential")
def update_storage_credential(catalog: WritableCatalog, name: str, body: UpdateCredential) -> CredentialBody:
    """Change a storage credential."""
    kind, values = body.given() or (None, None)
    if kind is not None or body.read_only is not None:
        catalog.update_credential(name, kind=kind, values=values, read_only=body.read_only)
    common = UpdateSecurable(owner=body.owner, comment=body.comment, new_name=body.new_name)
    return CredentialBody.of(credential_info(update_securable(catalog, SecurableType.STORAGE_CREDENTIAL, name, common)))


@router.delete("/storage-credentials/{name}")
@router.delete("/credentials/{name}", name="delete_credential")
def delete_storage_credential(catalog: WritableCatalog, name: str, force: bool = False) -> dict[str, Any]:
    """Delete a storage credential."""
    catalog.delete_credential(name, force=force)
    return {}


@router.post("/validate-storage-credentials")
def validate_storage_credential(catalog: Catalog, body: ValidateCredential) -> ValidationBody:
    """Try what can be tried with a credential: a folder's rights, or a listing with an S3 key."""
    url, kind, values = _what_to_try(catalog, body)
    results = probe.try_out(url, kind, values, read_only=body.read_only)
    return ValidationBody(
        is_dir=results.is_folder,
        results=[ValidationResult(operation=one.operation, result=one.result, message=one.message) for one in results.attempts],
    )


def _what_to_try(catalog: CatalogService, body: ValidateCredential) -> tuple[str, str | None, dict[str, Any]]:
    needed = Privilege.CREATE_EXTERNAL_LOCATION
    kind, values = body.given() or (None, {})
    credential_id = None
    url = body.url
    if body.external_location_name is not None:
        location = catalog.get_location(body.external_location_name, Privilege.MANAGE)
        url, credential_id = location.url if url is None else url, location.credential_id
    else:
        # What the server is to reach is named by the asker: only who may register it may let it be tried.
        catalog.require_metastore(needed)
    if body.storage_credential_name is not None:
        credential_id = catalog.get_credential(body.storage_credential_name, needed).id
    if kind is None and credential_id is not None:
        kind, values = catalog.credential_kind(credential_id), catalog.credential_secret(credential_id)
    if url is None:
        message = "Give url or external_location_name: what the credential is to open."
        raise InvalidParameterValue(message, field="url")
    return catalog.checked_url(url), kind, values
