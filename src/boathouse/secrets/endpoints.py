"""Secrets over HTTP."""

import base64
from typing import Any

from fastapi import APIRouter
from pydantic import SecretStr

from boathouse.secrets.dependencies import Secrets, WritableSecrets
from boathouse.secrets.schemas import (
    AclBody,
    AclList,
    CreateScope,
    NameAcl,
    NameScope,
    NameSecret,
    PutAcl,
    PutSecret,
    ScopeBody,
    ScopeList,
    SecretBody,
    SecretList,
    ValueBody,
)

router = APIRouter(prefix="/api/2.0/secrets", tags=["secrets"])


@router.post("/scopes/create")
def create_scope(secrets: WritableSecrets, body: CreateScope) -> dict[str, Any]:
    """Make a scope; its maker manages it."""
    backend = "AZURE_KEYVAULT" if body.backend_azure_keyvault else body.scope_backend_type
    secrets.create_scope(body.scope, initial_manage_principal=body.initial_manage_principal, backend=backend)
    return {}


@router.get("/scopes/list")
def list_scopes(secrets: Secrets) -> ScopeList:
    """The scopes that the asker may read."""
    return ScopeList(scopes=[ScopeBody(name=name) for name in secrets.list_scopes()])


@router.post("/scopes/delete")
def delete_scope(secrets: WritableSecrets, body: NameScope) -> dict[str, Any]:
    """Delete a scope with its secrets."""
    secrets.delete_scope(body.scope)
    return {}


@router.post("/put")
def put_secret(secrets: WritableSecrets, body: PutSecret) -> dict[str, Any]:
    """Give a secret its value."""
    secrets.put(body.scope, body.key, text=_open(body.string_value), encoded=_open(body.bytes_value))
    return {}


def _open(value: SecretStr | None) -> str | None:
    return None if value is None else value.get_secret_value()


@router.get("/get")
def get_secret(secrets: Secrets, scope: str, key: str) -> ValueBody:
    """A secret's value, in base64."""
    return ValueBody(key=key, value=base64.b64encode(secrets.get(scope, key)).decode())


@router.post("/delete")
def delete_secret(secrets: WritableSecrets, body: NameSecret) -> dict[str, Any]:
    """Forget a secret."""
    secrets.delete(body.scope, body.key)
    return {}


@router.get("/list")
def list_secrets(secrets: Secrets, scope: str) -> SecretList:
    """The keys of a scope, without the values."""
    found = secrets.list_secrets(scope)
    return SecretList(secrets=[SecretBody(key=one.key, last_updated_timestamp=one.updated_at) for one in found])


@router.post("/acls/put")
def put_secret_acl(secrets: WritableSecrets, body: PutAcl) -> dict[str, Any]:
    """Give somebody a permission on a scope."""
    secrets.put_acl(body.scope, body.principal, body.permission)
    return {}


@router.get("/acls/get")
def get_secret_acl(secrets: Secrets, scope: str, principal: str) -> AclBody:
    """What somebody may do with a scope."""
    found = secrets.get_acl(scope, principal)
    return AclBody(principal=found.principal, permission=found.permission.value)


@router.get("/acls/list")
def list_secret_acls(secrets: Secrets, scope: str) -> AclList:
    """Who may what with a scope."""
    found = secrets.list_acls(scope)
    return AclList(items=[AclBody(principal=one.principal, permission=one.permission.value) for one in found])


@router.post("/acls/delete")
def delete_secret_acl(secrets: WritableSecrets, body: NameAcl) -> dict[str, Any]:
    """Take somebody's permission on a scope away."""
    secrets.delete_acl(body.scope, body.principal)
    return {}
