"""Connections with the stock client: options, secrets, privileges."""

import uuid
from collections.abc import Iterator

import pytest
from databricks.sdk import errors
from databricks.sdk.service import catalog as uc
from databricks.sdk.service.workspace import AclPermission

from boathouse.catalog.api import CatalogService
from boathouse.errors import InvalidParameterValue
from boathouse.secrets.api import SecretService
from tests.catalog.conftest import UC, Place
from tests.catalog.lake import Lake

SECRET = "a password that nobody reads again"
OPTIONS = {"host": "db.example.com", "port": "5432", "user": "reader"}


@pytest.fixture
def name(place: Place) -> Iterator[str]:
    found = f"n_{uuid.uuid4().hex[:8]}"
    yield found
    for one in (found, f"{found}_2"):
        place.admin.delete(f"{UC}/connections/{one}")


def create(place: Place, name: str, *, as_user: bool = False, **options: str) -> uc.ConnectionInfo:
    connections = place.sdk(as_user=as_user).connections
    return connections.create(name, uc.ConnectionType.POSTGRESQL, {**OPTIONS, **options}, comment="c")


def test_a_password_goes_in_and_does_not_come_out(place: Place, name: str) -> None:
    made = create(place, name, password=SECRET)
    assert (made.options, made.connection_type) == (OPTIONS, uc.ConnectionType.POSTGRESQL)
    assert made.credential_type is uc.CredentialType.USERNAME_PASSWORD
    assert made.url == "jdbc://postgresql/db.example.com:5432"
    sdk = place.sdk()
    changed = sdk.connections.update(name, {**OPTIONS, "database": "shop"}, new_name=f"{name}_2", owner=place.user_name)
    assert (changed.name, changed.owner, changed.options) == (f"{name}_2", place.user_name, {**OPTIONS, "database": "shop"})
    # Whoever manages it cannot have the password sent to a machine of theirs.
    with pytest.raises(errors.InvalidParameterValue, match=r"options\.password is missing"):
        place.sdk(as_user=True).connections.update(f"{name}_2", {**OPTIONS, "host": "elsewhere.example.com"})
    assert f"{name}_2" in [one.name for one in sdk.connections.list(max_results=1)]
    for path in (f"connections/{name}_2", "connections"):
        answer = place.admin.get(f"{UC}/{path}")
        assert SECRET not in answer.text
    sdk.connections.delete(f"{name}_2")
    with pytest.raises(errors.NotFound, match="onnection"):
        sdk.connections.get(f"{name}_2")
    assert SECRET not in place.server.log.read_text()
    metadata = place.server.root / "metadata.db"
    assert not metadata.exists() or SECRET.encode() not in metadata.read_bytes()


def test_who_may(place: Place, name: str) -> None:
    create(place, name, password=SECRET)
    for action in (
        lambda: place.sdk(as_user=True).connections.get(name),
        lambda: place.sdk(as_user=True).connections.delete(name),
        lambda: create(place, f"{name}_2", as_user=True, password=SECRET),
    ):
        with pytest.raises(errors.PermissionDenied):
            action()
    assert name not in [one.name for one in place.sdk(as_user=True).connections.list()]
    assert place.nobody.get(f"{UC}/connections").status_code == 401
    place.grant("connection", name, "USE_CONNECTION")
    assert place.sdk(as_user=True).connections.get(name).name == name
    with pytest.raises(errors.PermissionDenied):
        place.sdk(as_user=True).connections.update(name, OPTIONS)
    place.grant("metastore", "metastore", "CREATE_CONNECTION")
    assert create(place, f"{name}_2", as_user=True, password=SECRET).owner == place.user_name
    place.sdk().secrets.create_scope(name)
    try:
        place.sdk().secrets.put_secret(name, "k", string_value=SECRET)
        with pytest.raises(errors.PermissionDenied, match="permission READ"):
            place.sdk(as_user=True).connections.update(f"{name}_2", {**OPTIONS, "password": f"{{{{secrets/{name}/k}}}}"})
        place.sdk().secrets.put_acl(name, place.user_name, AclPermission.READ)
        found = place.sdk(as_user=True).connections.update(f"{name}_2", {**OPTIONS, "password": f"{{{{secrets/{name}/k}}}}"})
        assert (found.options or {})["password"] == f"{{{{secrets/{name}/k}}}}"
    finally:
        place.sdk().secrets.delete_scope(name)


def test_what_is_wrong_is_named(place: Place, name: str) -> None:
    whole = {**OPTIONS, "password": SECRET}
    for kind, options, status, what in (
        ("SALESFORCE", whole, 501, "Valid: POSTGRESQL, MYSQL, HTTP"),
        ("POSTGRESQL", OPTIONS, 400, "options.password is missing"),
        ("POSTGRESQL", {**whole, "hots": "x"}, 400, "options.hots is not an option"),
        ("POSTGRESQL", {**whole, "port": "0"}, 400, "options.port"),
        ("POSTGRESQL", {**whole, "host": "db/x"}, 400, "options.host"),
        ("MYSQL", {**whole, "trustServerCertificate": "maybe"}, 400, "Valid: true, false"),
        ("POSTGRESQL", {**whole, "password": "x{{secrets/a/b}}"}, 400, "options.password has a reference"),
        ("POSTGRESQL", {**whole, "password": "{{secrets/no/b}}"}, 404, "Scope no does not exist"),
        ("HTTP", {"host": "api.example.com"}, 400, "https://api.example.com"),
        ("HTTP", {"host": "https://api.example.com", "user": "u"}, 400, "belong together"),
    ):
        body = {"name": name, "connection_type": kind, "options": options}
        answer = place.admin.post(f"{UC}/connections", json=body)
        assert answer.status_code == status, answer.text
        assert what in answer.json()["message"]
        assert SECRET not in answer.text
    create(place, name, password=SECRET)
    with pytest.raises(errors.ResourceConflict):
        create(place, name, password=SECRET)


def test_a_reference_is_read_with_the_owners_permission(lake: Lake) -> None:
    with lake.database.session(write=True) as session:
        admin = CatalogService(session, lake.admin, lake.layout)
        secrets = SecretService(session, lake.admin, lake.layout)
        secrets.create_scope("s")
        secrets.put("s", "k", text=SECRET, encoded=None)
        admin.create_connection("c", connection_type="MYSQL", options={**OPTIONS, "password": "{{secrets/s/k}}"}, comment=None)
        assert admin.open_connection("c").options["password"] == SECRET
        assert SECRET not in repr(admin.open_connection("c"))
        secrets.put("s", "k", text="rotated", encoded=None)
        assert admin.open_connection("c").options == {**OPTIONS, "password": "rotated"}
        with pytest.raises(InvalidParameterValue, match="options"):
            admin.update_connection("c", {**OPTIONS, "nothing": "x"})
