"""The rules of secrets: what is kept, who may do what with it, and what a reference stands for."""

import base64
import binascii
import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

import structlog
from sqlalchemy.orm import Session

from boathouse.errors import InvalidParameterValue, NotImplementedHere
from boathouse.iam.api import ACCOUNT_USERS, ADMINS, USERS, IamService, Principal
from boathouse.iam.errors import PrincipalNotFound
from boathouse.kit.clock import now_ms
from boathouse.kit.ids import new_id
from boathouse.secrets.errors import (
    AclNotFound,
    ReferenceInvalid,
    ScopeExists,
    ScopeNotFound,
    SecretLimit,
    SecretMisplaced,
    SecretNameInvalid,
    SecretNotFound,
    SecretPermissionMissing,
)
from boathouse.secrets.models import ScopeRow, SecretRow
from boathouse.secrets.repository import SecretRepository
from boathouse.storage.errors import SecretUnreadable
from boathouse.storage.keys import KeyRing
from boathouse.storage.layout import Layout

log = structlog.stdlib.get_logger(__name__)

MAX_BYTES = 128 * 1024
MAX_SCOPES = 1000
MAX_SECRETS = 1000

_SCOPE = re.compile(r"[\w.@-]{1,128}", re.ASCII)
_KEY = re.compile(r"[\w.-]{1,128}", re.ASCII)
_REFERENCE = re.compile(r"\{\{\s*secrets/(?P<scope>[\w.@-]{1,128})/(?P<key>[\w.-]{1,128})\s*\}\}", re.ASCII)


class Permission(StrEnum):
    """What may be done with the secrets of a scope; each has those before it."""

    READ = "READ"
    WRITE = "WRITE"
    MANAGE = "MANAGE"

    @property
    def rank(self) -> int:
        """The greater, the more it allows."""
        return list(Permission).index(self)


@dataclass(frozen=True)
class SecretInfo:
    """A secret without its value; the time in ms since the epoch."""

    key: str
    updated_at: int


@dataclass(frozen=True)
class AclInfo:
    """A grantee's permission."""

    principal: str
    permission: Permission


@dataclass(frozen=True)
class Reference:
    """A secret by the names of its scope and key."""

    scope: str
    key: str

    @classmethod
    def of(cls, value: str, field: str) -> "Reference | None":
        """What a value refers to; None where it is just a value.

        Raises:
            ReferenceInvalid: If it holds something like a reference that is none.
        """
        found = _REFERENCE.fullmatch(value.strip())
        if found is not None:
            return cls(found["scope"], found["key"])
        if re.search(r"\{\{\s*secrets/", value):
            raise ReferenceInvalid(field)
        return None

    def __str__(self) -> str:
        return f"{{{{secrets/{self.scope}/{self.key}}}}}"


class SecretService:
    """Secrets for one principal in one transaction.

    Args:
        session: The transaction.
        principal: Who asks.
        layout: The lake, whose key the values are encrypted with.
    """

    def __init__(self, session: Session, principal: Principal, layout: Layout) -> None:
        self._session = session
        self._rows = SecretRepository(session)
        self._principal = principal
        self._layout = layout

    # ------------------------------------------------------------------------------------------------------ scopes

    def create_scope(self, name: str, *, initial_manage_principal: str | None = None, backend: str = "DATABRICKS") -> None:
        """Make a scope, which its maker manages, or everybody.

        Raises:
            ScopeExists: If the name is taken.
            SecretLimit: If there are too many.
        """
        if backend != "DATABRICKS":
            message = f"scope_backend_type {backend} is not built here; valid: DATABRICKS."
            raise NotImplementedHere(message, field="scope_backend_type")
        if initial_manage_principal not in (None, USERS):
            message = f"initial_manage_principal can only be '{USERS}'; leave it out, and only you manage the scope."
            raise InvalidParameterValue(message, field="initial_manage_principal")
        if not _SCOPE.fullmatch(name):
            raise SecretNameInvalid("scope", "letters, digits, and the characters - _ @ .")
        if self._rows.scope(name) is not None:
            raise ScopeExists(name)
        if self._rows.count_scopes() >= MAX_SCOPES:
            raise SecretLimit("scopes", MAX_SCOPES)
        scope = ScopeRow(id=new_id(), name=name, folded=name.lower(), created_at=now_ms(), created_by=self._principal.name)
        self._rows.add(scope)
        manager = ACCOUNT_USERS if initial_manage_principal == USERS else self._principal.name
        self._rows.put_acl(scope.id, manager, Permission.MANAGE.value)

    def list_scopes(self) -> list[str]:
        """Names of the scopes that the principal may read."""
        return [scope.name for scope in self._rows.scopes() if self._held(scope, self._names()) is not None]

    def delete_scope(self, name: str) -> None:
        """Delete a scope with its secrets. Needs MANAGE."""
        self._rows.remove(self._scope(name, Permission.MANAGE))

    # ----------------------------------------------------------------------------------------------------- secrets

    def put(self, scope_name: str, key: str, *, text: str | None, encoded: str | None) -> None:
        """Keep a value under a key, in place of the one that is there. Needs WRITE.

        Args:
            scope_name: Of the scope.
            key: Of the secret.
            text: The value as text.
            encoded: The value as bytes in base64; one of the two is given.
        """
        scope = self._scope(scope_name, Permission.WRITE)
        if not _KEY.fullmatch(key):
            raise SecretNameInvalid("key", "letters, digits, and the characters - _ .")
        raw = _raw(text, encoded)
        row = self._rows.secret(scope.id, key)
        if row is None:
            if self._rows.count_secrets(scope.id) >= MAX_SECRETS:
                raise SecretLimit(f"secrets in the scope {scope.name}", MAX_SECRETS)
            row = SecretRow(id=new_id(), scope_id=scope.id, key=key, value="", updated_at=now_ms())
            self._rows.add(row)
        row.value, row.updated_at = self._sealed(row, raw), now_ms()

    def get(self, scope_name: str, key: str) -> bytes:
        """A value. Needs READ.

        Raises:
            SecretNotFound: If the scope has no such key.
            SecretUnreadable: If it was encrypted with a key that is not there.
        """
        return self._value(self._scope(scope_name, Permission.READ), key)

    def delete(self, scope_name: str, key: str) -> None:
        """Forget a secret. Needs WRITE."""
        scope = self._scope(scope_name, Permission.WRITE)
        row = self._rows.secret(scope.id, key)
        if row is None:
            raise SecretNotFound(scope.name, key)
        self._rows.remove(row)

    def list_secrets(self, scope_name: str) -> list[SecretInfo]:
        """The keys of a scope. Needs READ."""
        scope = self._scope(scope_name, Permission.READ)
        return [SecretInfo(row.key, row.updated_at) for row in self._rows.secrets(scope.id)]

    def resolve(self, reference: Reference, owner: str | None = None) -> str:
        """The text that a reference stands for.

        Args:
            reference: To a secret.
            owner: The user, service principal or group with whose permissions it is read; the asker by default.

        Raises:
            SecretPermissionMissing: If that one may not read it.
            InvalidParameterValue: If the value is no text.
        """
        names = self._names() if owner is None else self._names_of(owner)
        scope = self._rows.scope(reference.scope)
        if scope is None:
            raise ScopeNotFound(reference.scope)
        if self._held(scope, names) is None:
            raise SecretPermissionMissing(owner or self._principal.name, scope.name, Permission.READ.value)
        try:
            return self._value(scope, reference.key).decode()
        except UnicodeDecodeError as error:
            message = f"The secret {reference.key} in the scope {scope.name} is not text in UTF-8."
            raise InvalidParameterValue(message, key=reference.key) from error

    # -------------------------------------------------------------------------------------------------------- ACLs

    def put_acl(self, scope_name: str, grantee: str, permission: str) -> None:
        """Give somebody a permission on a scope. Needs MANAGE.

        Raises:
            PrincipalNotFound: If the grantee is nobody.
        """
        scope = self._scope(scope_name, Permission.MANAGE)
        if permission not in set(Permission):
            message = f"The permission '{permission}' is not valid. Valid: {', '.join(Permission)}."
            raise InvalidParameterValue(message, field="permission")
        found = IamService(self._session).grantee(ACCOUNT_USERS if grantee == USERS else grantee)
        if found is None:
            raise PrincipalNotFound(grantee)
        self._rows.put_acl(scope.id, found, permission)

    def list_acls(self, scope_name: str) -> list[AclInfo]:
        """Who may what with a scope. Needs MANAGE."""
        scope = self._scope(scope_name, Permission.MANAGE)
        return [AclInfo(row.grantee, Permission(row.permission)) for row in self._rows.acls([scope.id])]

    def get_acl(self, scope_name: str, grantee: str) -> AclInfo:
        """What somebody may do with a scope. Needs MANAGE."""
        name = ACCOUNT_USERS if grantee == USERS else grantee
        found = next((one for one in self.list_acls(scope_name) if one.principal == name), None)
        if found is None:
            raise AclNotFound(scope_name, grantee)
        return found

    def delete_acl(self, scope_name: str, grantee: str) -> None:
        """Take somebody's permission on a scope away. Needs MANAGE."""
        scope = self._scope(scope_name, Permission.MANAGE)
        name = ACCOUNT_USERS if grantee == USERS else grantee
        row = next((one for one in self._rows.acls([scope.id]) if one.grantee == name), None)
        if row is None:
            raise AclNotFound(scope.name, grantee)
        self._rows.remove(row)

    # ---------------------------------------------------------------------------------------------------- the rest

    def renew(self) -> int:
        """Encrypt with the first key what is not yet: at the start, for whoever rotated keys.

        Returns:
            How many secrets were changed. One that no key opens stays as it is, and the log names its key.
        """
        changed = 0
        for row in self._rows.all_secrets():
            if self._keys.is_current(row.value):
                continue
            try:
                row.value = self._sealed(row, self._opened(row))
            except (SecretUnreadable, SecretMisplaced) as error:
                log.warning("secret_unreadable", key=row.key, reason=error.message)
                continue
            changed += 1
        return changed

    def _scope(self, name: str, needed: Permission) -> ScopeRow:
        scope = self._rows.scope(name)
        if scope is None:
            raise ScopeNotFound(name)
        held = self._held(scope, self._names())
        if held is None or held.rank < needed.rank:
            raise SecretPermissionMissing(self._principal.name, scope.name, needed.value)
        return scope

    def _names(self) -> Collection[str]:
        return {self._principal.name, ACCOUNT_USERS, *self._principal.groups, *([ADMINS] if self._principal.is_admin else [])}

    def _names_of(self, name: str) -> Collection[str]:
        try:
            found = IamService(self._session).get_principal(name)
        except PrincipalNotFound:
            # A group has what was given to it.
            return {name, ACCOUNT_USERS}
        return {found.name, ACCOUNT_USERS, *found.groups, *([ADMINS] if found.is_admin else [])}

    def _held(self, scope: ScopeRow, names: Collection[str]) -> Permission | None:
        """The highest permission on a scope; admins have all."""
        if ADMINS in names:
            return Permission.MANAGE
        held = [Permission(row.permission) for row in self._rows.acls([scope.id]) if row.grantee in names]
        return max(held, key=lambda one: one.rank, default=None)

    @property
    def _keys(self) -> KeyRing:
        return KeyRing.of(self._layout)

    def _sealed(self, row: SecretRow, raw: bytes) -> str:
        # With its identifier, so that whoever can write to the database cannot put one secret in another's place.
        return self._keys.encrypt({"id": row.id, "value": base64.b64encode(raw).decode()})

    def _opened(self, row: SecretRow) -> bytes:
        held = self._keys.decrypt(row.value)
        if held.get("id") != row.id:
            raise SecretMisplaced(row.key)
        return base64.b64decode(held["value"])

    def _value(self, scope: ScopeRow, key: str) -> bytes:
        row = self._rows.secret(scope.id, key)
        if row is None:
            raise SecretNotFound(scope.name, key)
        return self._opened(row)


def _raw(text: str | None, encoded: str | None) -> bytes:
    if (text is None) == (encoded is None):
        message = "Give one of string_value and bytes_value."
        raise InvalidParameterValue(message, field="string_value")
    try:
        raw = text.encode() if text is not None else base64.b64decode(encoded or "", validate=True)
    except (binascii.Error, ValueError):
        message = "bytes_value is not valid: it has to be bytes in base64."
        # Not chained: the cause has the value in it.
        raise InvalidParameterValue(message, field="bytes_value") from None
    if len(raw) > MAX_BYTES:
        message = f"The value is longer than {MAX_BYTES} bytes, which is the most."
        raise InvalidParameterValue(message, field="string_value" if text is not None else "bytes_value")
    return raw
