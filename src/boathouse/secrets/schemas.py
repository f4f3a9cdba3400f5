"""HTTP bodies of secrets, in the shapes of Databricks' Secrets API 2.0. Values are wrapped, so that nothing prints them."""

from typing import Any

from pydantic import BaseModel, SecretStr


class CreateScope(BaseModel):
    """Asks for a scope."""

    scope: str
    initial_manage_principal: str | None = None
    scope_backend_type: str = "DATABRICKS"
    backend_azure_keyvault: dict[str, Any] | None = None


class NameScope(BaseModel):
    """Names a scope."""

    scope: str


class PutSecret(BaseModel):
    """Gives a secret its value: text, or bytes in base64."""

    scope: str
    key: str
    string_value: SecretStr | None = None
    bytes_value: SecretStr | None = None


class NameSecret(BaseModel):
    """Names a secret."""

    scope: str
    key: str


class PutAcl(BaseModel):
    """Gives a principal a permission."""

    scope: str
    principal: str
    permission: str


class NameAcl(BaseModel):
    """Names a principal's permission."""

    scope: str
    principal: str


class ScopeBody(BaseModel):
    """A scope, as it is answered."""

    name: str
    backend_type: str = "DATABRICKS"


class ScopeList(BaseModel):
    """Scopes."""

    scopes: list[ScopeBody]


class SecretBody(BaseModel):
    """A secret without its value."""

    key: str
    last_updated_timestamp: int


class SecretList(BaseModel):
    """Secrets."""

    secrets: list[SecretBody]


class ValueBody(BaseModel):
    """A secret with its value, in base64."""

    key: str
    value: str


class AclBody(BaseModel):
    """A permission."""

    principal: str
    permission: str


class AclList(BaseModel):
    """Permissions."""

    items: list[AclBody]
