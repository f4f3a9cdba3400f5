"""Secrets with the stock client: what goes in, who gets it out, and where it never shows."""

import base64
import sqlite3
import stat
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest
from databricks.sdk import WorkspaceClient, errors
from databricks.sdk.service.workspace import AclPermission, ScopeBackendType
from sqlalchemy import update

from boathouse.db import Database
from boathouse.db.database import sqlite_url
from boathouse.iam.api import IamService
from boathouse.secrets.api import Reference, SecretService
from boathouse.secrets.errors import ReferenceInvalid, SecretMisplaced, SecretPermissionMissing
from boathouse.secrets.models import SecretRow
from boathouse.storage.layout import Layout
from tests.conftest import Server

SECRETS = "/api/2.0/secrets"
VALUE = "correct horse battery staple 42"


@dataclass
class Place:
    """A scope of the admin's, and a user without any permission on it."""

    server: Server
    admin: WorkspaceClient
    user: WorkspaceClient
    user_name: str
    http: httpx.Client
    user_http: httpx.Client
    scope: str


@pytest.fixture
def place(server: Server) -> Iterator[Place]:
    suffix = uuid.uuid4().hex[:8]
    name = f"secret-{suffix}@example.com"
    token = server.new_principal(name)
    admin, user = (WorkspaceClient(host=server.url, token=one) for one in (server.token, token))
    admin.secrets.create_scope(f"scope-{suffix}")
    yield Place(server, admin, user, name, server.client(), server.client(token), f"scope-{suffix}")
    for scope in admin.secrets.list_scopes():
        if suffix in (scope.name or ""):
            admin.secrets.delete_scope(scope.name or "")


def test_values_come_back_as_they_went_in(place: Place) -> None:
    secrets = place.admin.secrets
    raw = bytes(range(256))
    secrets.put_secret(place.scope, "text", string_value=VALUE)
    secrets.put_secret(place.scope, "raw.key_1", bytes_value=base64.b64encode(raw).decode())
    assert base64.b64decode(secrets.get_secret(place.scope.upper(), "text").value or "").decode() == VALUE
    assert base64.b64decode(secrets.get_secret(place.scope, "raw.key_1").value or "") == raw
    assert place.admin.dbutils.secrets.get(place.scope, "text") == VALUE
    listed = list(secrets.list_secrets(place.scope))
    assert [one.key for one in listed] == ["raw.key_1", "text"]
    assert all((one.last_updated_timestamp or 0) > 0 for one in listed)
    secrets.put_secret(place.scope, "text", string_value="")
    assert secrets.get_secret(place.scope, "text").value == ""
    secrets.delete_secret(place.scope, "text")
    with pytest.raises(errors.NotFound, match="Secret text does not exist"):
        secrets.get_secret(place.scope, "text")
    found = {one.name: one.backend_type for one in secrets.list_scopes()}
    assert found[place.scope] is ScopeBackendType.DATABRICKS
    secrets.delete_scope(place.scope)
    with pytest.raises(errors.NotFound):
        secrets.list_secrets(place.scope)


def test_each_permission_allows_what_it_says(place: Place) -> None:
    admin, user = place.admin.secrets, place.user.secrets
    admin.put_secret(place.scope, "k", string_value=VALUE)
    attempts: dict[AclPermission, list[Callable[[], object]]] = {
        AclPermission.READ: [lambda: user.get_secret(place.scope, "k"), lambda: user.list_secrets(place.scope)],
        AclPermission.WRITE: [lambda: user.put_secret(place.scope, "w", string_value="x")],
        AclPermission.MANAGE: [
            lambda: list(user.list_acls(place.scope)),
            lambda: user.get_acl(place.scope, place.user_name),
            lambda: user.put_acl(place.scope, "users", AclPermission.READ),
            lambda: user.delete_acl(place.scope, "users"),
        ],
    }
    assert place.scope not in [one.name for one in user.list_scopes()]
    held: list[AclPermission] = []
    for level in (None, AclPermission.READ, AclPermission.WRITE, AclPermission.MANAGE):
        if level is not None:
            admin.put_acl(place.scope, place.user_name, level)
            held.append(level)
            assert place.scope in [one.name for one in user.list_scopes()]
        for needed, actions in attempts.items():
            for action in actions:
                if needed in held:
                    action()
                else:
                    with pytest.raises(errors.PermissionDenied, match=f"permission {needed.value}"):
                        action()
    admin.delete_acl(place.scope, place.user_name)
    with pytest.raises(errors.PermissionDenied):
        user.get_secret(place.scope, "k")
    # Whoever makes a scope manages it; one that everybody manages is a wish of its own.
    mine = f"{place.scope}-mine"
    user.create_scope(mine, initial_manage_principal="users")
    assert [(one.principal, one.permission) for one in user.list_acls(mine)] == [("account users", AclPermission.MANAGE)]
    with pytest.raises(errors.NotFound, match="has no permission"):
        user.get_acl(mine, place.user_name)


def test_a_new_name_keeps_the_permission_and_nobody_inherits_it(place: Place) -> None:
    place.admin.secrets.put_acl(place.scope, place.user_name, AclPermission.READ)
    found = next(one for one in place.admin.users.list() if one.user_name == place.user_name)
    new = f"new-{place.user_name}"
    patch = {"Operations": [{"op": "replace", "path": "userName", "value": new}]}
    place.http.patch(f"/api/2.0/preview/scim/v2/Users/{found.id}", json=patch).raise_for_status()
    assert new in [one.principal for one in place.admin.secrets.list_acls(place.scope)]
    place.admin.users.delete(found.id or "")
    assert new not in [one.principal for one in place.admin.secrets.list_acls(place.scope)]


def test_what_is_wrong_is_named(place: Place) -> None:
    for path, body, status, code, what in (
        ("scopes/create", {"scope": place.scope.upper()}, 409, "RESOURCE_ALREADY_EXISTS", "exists already"),
        ("scopes/create", {"scope": "a b"}, 400, "INVALID_PARAMETER_VALUE", "field scope"),
        ("scopes/create", {"scope": "a" * 129}, 400, "INVALID_PARAMETER_VALUE", "1 to 128"),
        ("scopes/create", {"scope": "x", "initial_manage_principal": "me"}, 400, "INVALID_PARAMETER_VALUE", "'users'"),
        ("scopes/create", {"scope": "x", "scope_backend_type": "AZURE_KEYVAULT"}, 501, "NOT_IMPLEMENTED", "DATABRICKS"),
        ("scopes/delete", {"scope": "nothing"}, 404, "RESOURCE_DOES_NOT_EXIST", "nothing does not exist"),
        ("put", {"scope": place.scope, "key": "a/b", "string_value": "x"}, 400, "INVALID_PARAMETER_VALUE", "field key"),
        ("put", {"scope": place.scope, "key": "k"}, 400, "INVALID_PARAMETER_VALUE", "string_value"),
        ("put", {"scope": place.scope, "key": "k", "bytes_value": "é"}, 400, "INVALID_PARAMETER_VALUE", "base64"),
        ("put", {"scope": place.scope, "key": "k", "string_value": "x" * 131073}, 400, "INVALID_PARAMETER_VALUE", "131072"),
        ("acls/put", {"scope": place.scope, "principal": "users", "permission": "OWN"}, 400, "INVALID_PARAMETER_VALUE", "READ"),
        ("acls/put", {"scope": place.scope, "principal": "no", "permission": "READ"}, 404, "PRINCIPAL_DOES_NOT_EXIST", "no"),
        ("delete", {"scope": place.scope, "key": "no"}, 404, "RESOURCE_DOES_NOT_EXIST", "Secret no"),
    ):
        answer = place.http.post(f"{SECRETS}/{path}", json=body)
        assert (answer.status_code, answer.json()["error_code"]) == (status, code), answer.text
        assert what in answer.json()["message"]
    assert place.server.client("").get(f"{SECRETS}/scopes/list").status_code == 401


def test_values_are_nowhere_but_in_the_answer(place: Place) -> None:
    place.admin.secrets.put_secret(place.scope, "k", string_value=VALUE)
    encoded = base64.b64encode(VALUE.encode()).decode()
    place.http.post(f"{SECRETS}/put", json={"scope": place.scope, "key": "k", "string_value": VALUE, "bytes_value": encoded})
    place.http.post(f"{SECRETS}/put", json={"scope": place.scope, "key": "k", "string_value": [VALUE]})
    place.user_http.post(f"{SECRETS}/put", json={"scope": place.scope, "key": "k", "string_value": VALUE})
    assert place.http.get(f"{SECRETS}/get", params={"scope": place.scope, "key": "k"}).json() == {"key": "k", "value": encoded}
    lake = place.server.root
    assert stat.S_IMODE((lake / "secrets.key").stat().st_mode) == 0o600
    assert VALUE not in place.server.log.read_text()
    for path in lake.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert VALUE.encode() not in content, path
            assert encoded.encode() not in content, path


def test_keys_rotate_and_values_stay_in_their_place(new_server: Callable[..., Server]) -> None:
    running = new_server()
    client = WorkspaceClient(host=running.url, token=running.token)
    client.secrets.create_scope("s")
    for key in ("a", "b"):
        client.secrets.put_secret("s", key, string_value=f"value of {key}")
    running.stop()
    key_file = running.root / "secrets.key"
    from cryptography.fernet import Fernet

    old = key_file.read_text()
    key_file.write_text(Fernet.generate_key().decode() + "\n" + old)
    with sqlite3.connect(running.root / "metadata.db") as db:
        before = dict(db.execute("SELECT key, value FROM secrets").fetchall())
    layout = Layout(running.root)
    database = Database(sqlite_url(layout.metadata_db))
    with database.session(write=True) as session:
        admin = IamService(session).ensure_admin("admin")[0]
        service = SecretService(session, admin, layout)
        assert service.renew() == 2
        key_file.write_text(key_file.read_text().splitlines()[0])
        assert service.get("s", "a") == b"value of a"
        rows = {row.key: row for row in session.query(SecretRow)}
        assert all(rows[key].value != before[key] for key in before)
        reference = Reference.of(" {{ secrets/s/a }} ", "password")
        assert reference is not None
        assert service.resolve(reference) == "value of a"
        with pytest.raises(SecretPermissionMissing):
            service.resolve(reference, owner="some group")
        service.put_acl("s", "users", "READ")
        assert service.resolve(reference, owner="some group") == "value of a"
        session.execute(update(SecretRow).where(SecretRow.key == "a").values(value=rows["b"].value))
        session.expire_all()
        with pytest.raises(SecretMisplaced):
            service.get("s", "a")
    database.dispose()
    assert Reference.of("plain", "password") is None
    with pytest.raises(ReferenceInvalid, match="field password"):
        Reference.of("x{{secrets/s/a}}", "password")
