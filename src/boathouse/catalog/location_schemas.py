"""HTTP bodies of external locations and storage credentials, in the shapes of Unity Catalog's REST API 2.1."""

from typing import Any

from pydantic import BaseModel

from boathouse.catalog.info import CredentialInfo, LocationInfo
from boathouse.catalog.schemas import Given, Owned, Page
from boathouse.catalog.service.credentials import FIELDS
from boathouse.errors import InvalidParameterValue


class LocationBody(Owned):
    """An external location, as it is answered."""

    name: str
    url: str
    credential_id: str | None
    credential_name: str | None
    read_only: bool
    isolation_mode: str = "ISOLATION_MODE_OPEN"

    @classmethod
    def of(cls, info: LocationInfo) -> "LocationBody":
        """The wire form."""
        return cls.model_validate(info, from_attributes=True)


class LocationList(Page):
    """A page of external locations."""

    external_locations: list[LocationBody]


class CreateLocation(BaseModel):
    """Asks for an external location."""

    name: str
    url: str
    credential_name: str | None = None
    read_only: bool = False
    comment: str | None = None


class UpdateLocation(BaseModel):
    """Changes an external location; what is not given stays."""

    url: str | None = None
    credential_name: str | None = None
    read_only: bool | None = None
    comment: str | None = None
    owner: str | None = None
    new_name: str | None = None
    force: bool = False


class CredentialValues(BaseModel):
    """What a credential consists of: one of these."""

    aws_access_key: Given[dict[str, Any]] = None
    aws_iam_role: Given[dict[str, Any]] = None
    cloudflare_api_token: Given[dict[str, Any]] = None
    azure_service_principal: Given[dict[str, Any]] = None
    azure_managed_identity: Given[dict[str, Any]] = None
    databricks_gcp_service_account: Given[dict[str, Any]] = None

    def given(self) -> tuple[str, dict[str, Any]] | None:
        """The kind and the fields; None where there are none.

        Raises:
            InvalidParameterValue: If there are several.
        """
        found = [(kind, value) for kind in FIELDS if (value := getattr(self, kind)) is not None]
        if len(found) > 1:
            message = f"A credential is of one kind; given: {', '.join(kind for kind, _ in found)}."
            raise InvalidParameterValue(message, field=found[1][0])
        return found[0] if found else None


class CreateCredential(CredentialValues):
    """Asks for a storage credential."""

    name: str
    read_only: bool = False
    comment: str | None = None
    purpose: str = "STORAGE"


class UpdateCredential(CredentialValues):
    """Changes a storage credential; what is not given stays."""

    read_only: bool | None = None
    comment: str | None = None
    owner: str | None = None
    new_name: str | None = None


class CredentialBody(CredentialValues, Owned):
    """A storage credential, as it is answered: without its secrets."""

    id: str
    name: str
    full_name: str
    read_only: bool
    purpose: str = "STORAGE"
    isolation_mode: str = "ISOLATION_MODE_OPEN"
    used_for_managed_storage: bool = False

    @classmethod
    def of(cls, info: CredentialInfo) -> "CredentialBody":
        """The wire form."""
        common = {
            name: getattr(info, name)
            for name in cls.model_fields
            if name not in FIELDS and name not in {"purpose", "isolation_mode", "used_for_managed_storage", "metastore_id"}
        }
        return cls.model_validate({**common, info.kind: dict(info.values)})


class StorageCredentialList(Page):
    """A page of storage credentials."""

    storage_credentials: list[CredentialBody]


class CredentialList(Page):
    """A page of credentials."""

    credentials: list[CredentialBody]


class ValidateCredential(CredentialValues):
    """Asks whether a credential opens a place."""

    storage_credential_name: str | None = None
    external_location_name: str | None = None
    url: str | None = None
    read_only: bool = False


class ValidationResult(BaseModel):
    """One thing that was tried: ``PASS``, ``FAIL`` or ``SKIP``."""

    operation: str
    result: str
    message: str = ""


class ValidationBody(BaseModel):
    """What was tried."""

    is_dir: Given[bool] = None
    results: list[ValidationResult]
