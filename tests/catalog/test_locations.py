"""External locations and storage credentials."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from databricks.sdk import errors
from databricks.sdk.service import catalog as uc

from boathouse.catalog.service.locations import canonical, covers
from boathouse.errors import InvalidParameterValue
from tests.catalog.conftest import UC, Place

SECRET = "a secret that nobody reads again"


@pytest.fixture
def name(place: Place) -> Iterator[str]:
    """A name for a location and a credential; both are gone afterwards."""
    found = f"n_{uuid.uuid4().hex[:8]}"
    yield found
    place.admin.delete(f"{UC}/catalogs/{place.catalog}", params={"force": "true"})
    for kind in ("external-locations", "storage-credentials"):
        place.admin.delete(f"{UC}/{kind}/{found}", params={"force": "true"})


def credential(place: Place, name: str) -> uc.StorageCredentialInfo:
    token = uc.CloudflareApiToken(access_key_id="key", secret_access_key=SECRET, account_id="account")
    return place.sdk().storage_credentials.create(name, cloudflare_api_token=token, comment="c")


class TestCredentials:
    def test_a_secret_goes_in_and_does_not_come_out(self, place: Place, name: str) -> None:
        made = credential(place, name)
        assert made.name == name
        sdk = place.sdk()
        sdk.storage_credentials.update(name, read_only=True, comment="d")
        changed = sdk.storage_credentials.update(name, new_name=name.upper(), owner=place.user_name)
        assert (changed.read_only, changed.comment, changed.owner) == (True, "d", place.user_name)
        for path in (f"storage-credentials/{name}", "storage-credentials", f"credentials/{name}", "credentials"):
            answer = place.admin.get(f"{UC}/{path}")
            assert answer.status_code == 200
            assert "key" in answer.text
            assert SECRET not in answer.text
        assert name in [one.name for one in sdk.storage_credentials.list(max_results=1)]
        sdk.storage_credentials.delete(name)
        with pytest.raises(errors.NotFound):
            sdk.storage_credentials.get(name)

    def test_an_s3_key_of_any_store(self, place: Place, name: str) -> None:
        key = {"access_key_id": "a", "secret_access_key": SECRET, "endpoint": "http://127.0.0.1:9000", "region": "x"}
        made = place.admin.post(f"{UC}/storage-credentials", json={"name": name, "aws_access_key": key})
        shown = {"access_key_id": "a", "endpoint": "http://127.0.0.1:9000", "region": "x"}
        assert made.json()["aws_access_key"] == shown

    def test_what_is_wrong_is_named(self, place: Place, name: str) -> None:
        for body, what in (
            ({}, "credential is missing"),
            ({"aws_iam_role": {}}, "role_arn"),
            ({"aws_iam_role": {"role_arn": "r"}, "aws_access_key": {}}, "one kind"),
            ({"cloudflare_api_token": {"access_key_id": "a", "account_id": "b"}}, "secret_access_key"),
        ):
            answer = place.admin.post(f"{UC}/storage-credentials", json={"name": name, **body})
            assert answer.status_code == 400, answer.text
            assert what in answer.json()["message"]
        service = {"name": name, "purpose": "SERVICE", "aws_iam_role": {"role_arn": "r"}}
        assert place.admin.post(f"{UC}/credentials", json=service).status_code == 501

    def test_who_may(self, place: Place, name: str) -> None:
        credential(place, name)
        assert place.user.get(f"{UC}/storage-credentials/{name}").status_code == 403
        assert name not in place.user.get(f"{UC}/storage-credentials").text
        assert place.nobody.get(f"{UC}/storage-credentials").status_code == 401
        body = {"name": f"{name}_2", "aws_iam_role": {"role_arn": "r"}}
        assert place.user.post(f"{UC}/storage-credentials", json=body).status_code == 403
        assert place.user.delete(f"{UC}/storage-credentials/{name}").status_code == 403
        place.grant("credential", name, "CREATE_EXTERNAL_TABLE")
        assert place.user.get(f"{UC}/storage-credentials/{name}").status_code == 200


class TestLocations:
    def test_an_external_location(self, place: Place, name: str) -> None:
        sdk = place.sdk()
        credential(place, name)
        url = f"s3://bucket-{name}/a/"
        made = sdk.external_locations.create(name, url, name)
        assert (made.url, made.credential_name) == (url.rstrip("/"), name)
        with pytest.raises(errors.BadRequest, match="overlaps"):
            sdk.external_locations.create(f"{name}_2", f"{url}b", name)
        with pytest.raises(errors.BadRequest, match=name):
            sdk.storage_credentials.delete(name)
        changed = sdk.external_locations.update(name, url=f"s3://bucket-{name}/b", read_only=True, comment="c")
        assert (changed.url, changed.read_only, changed.comment) == (f"s3://bucket-{name}/b", True, "c")
        assert name in [one.name for one in sdk.external_locations.list(max_results=1)]
        sdk.external_locations.delete(name)
        with pytest.raises(errors.NotFound):
            sdk.external_locations.get(name)

    def test_tables_in_it(self, place: Place, name: str) -> None:
        sdk, url = place.sdk(), f"s3://bucket-{name}"
        credential(place, name)
        sdk.external_locations.create(name, url, name)
        table = {"catalog_name": place.catalog, "schema_name": "s", "name": "t", "storage_location": f"{url}/t"}
        place.grant("catalog", place.catalog, "USE_CATALOG", "USE_SCHEMA", "CREATE_TABLE", "CREATE_VOLUME")
        refused = place.user.post(f"{UC}/tables", json=table)
        assert (refused.status_code, "CREATE EXTERNAL TABLE" in refused.text) == (403, True)
        place.grant("external-location", name, "CREATE_EXTERNAL_TABLE")
        made = place.user.post(f"{UC}/tables", json=table).json()
        assert (made["table_type"], made["storage_location"]) == ("EXTERNAL", f"{url}/t")
        for inside in (f"{url}/t", f"{url}/t/x", url):
            taken = place.admin.post(f"{UC}/tables", json=table | {"name": "u", "storage_location": inside})
            assert (taken.status_code, "overlaps" in taken.text) == (400, True), inside
        outside = place.admin.post(f"{UC}/tables", json=table | {"name": "u", "storage_location": f"{url}2/t"})
        assert outside.status_code == 403
        volume = {"catalog_name": place.catalog, "schema_name": "s", "name": "v", "volume_type": "EXTERNAL"}
        volume["storage_location"] = f"{url}/v"
        assert place.user.post(f"{UC}/volumes", json=volume).status_code == 403
        place.grant("external_location", name, "CREATE_EXTERNAL_VOLUME")
        place.user.post(f"{UC}/volumes", json=volume).raise_for_status()
        read = place.user.get(f"/api/2.0/fs/files/Volumes/{place.catalog}/s/v/x")
        assert read.status_code == 501
        with pytest.raises(errors.BadRequest, match="use force"):
            sdk.external_locations.delete(name)

    def test_a_folder_is_an_admins_to_name(self, place: Place, name: str, tmp_path: Path) -> None:
        place.grant("metastore", "metastore", "CREATE_EXTERNAL_LOCATION")
        body = {"name": name, "url": tmp_path.as_uri()}
        assert place.user.post(f"{UC}/external-locations", json=body).status_code == 403
        place.admin.post(f"{UC}/external-locations", json=body).raise_for_status()
        place.grant("catalog", place.catalog, "USE_CATALOG", "USE_SCHEMA", "CREATE_TABLE")
        place.grant("external_location", name, "CREATE_EXTERNAL_TABLE")
        parent = {"catalog_name": place.catalog, "schema_name": "s", "name": "t"}
        table = parent | {"storage_location": str(tmp_path / "t")}
        assert place.user.post(f"{UC}/tables", json=table).json()["table_type"] == "EXTERNAL"
        for escape in (tmp_path / ".." / "x", Path("/etc")):
            answer = place.user.post(f"{UC}/tables", json=parent | {"name": "u", "storage_location": str(escape)})
            assert answer.status_code == 403, escape
        (tmp_path / "link").symlink_to("/etc")
        linked = place.user.post(f"{UC}/tables", json=parent | {"name": "u", "storage_location": str(tmp_path / "link")})
        assert linked.status_code == 403
        in_lake = {"name": f"{name}_2", "url": (place.server.root / "tables").as_uri()}
        assert place.admin.post(f"{UC}/external-locations", json=in_lake).status_code == 400
        around = {"name": f"{name}_2", "url": "file:///"}
        assert place.admin.post(f"{UC}/external-locations", json=around).status_code == 400

    def test_validation_tries_what_it_can(self, place: Place, tmp_path: Path) -> None:
        sdk = place.sdk()
        results = sdk.storage_credentials.validate(url=tmp_path.as_uri()).results or []
        assert {(one.operation, one.result) for one in results} == {
            (operation, uc.ValidationResultResult.PASS)
            for operation in uc.ValidationResultOperation
            if operation.value != "DELETE"
        }
        missing = sdk.storage_credentials.validate(url=(tmp_path / "gone").as_uri(), read_only=True).results or []
        assert missing[0].result is uc.ValidationResultResult.FAIL
        role = uc.AwsIamRoleRequest(role_arn="r")
        skipped = sdk.storage_credentials.validate(url="s3://b", aws_iam_role=role).results or []
        assert [one.result for one in skipped] == [uc.ValidationResultResult.SKIP]
        key = {"access_key_id": "a", "secret_access_key": SECRET, "endpoint": "http://127.0.0.1:9"}
        body = {"url": "s3://bucket", "aws_access_key": key}
        failed = place.admin.post(f"{UC}/validate-storage-credentials", json=body)
        assert (failed.json()["results"][0]["result"], SECRET in failed.text) == ("FAIL", False)
        assert place.user.post(f"{UC}/validate-storage-credentials", json=body).status_code == 403
        assert place.nobody.post(f"{UC}/validate-storage-credentials", json=body).status_code == 401


class TestSpelling:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ("s3://b/a/", "s3://b/a"),
            ("s3a://b", "s3://b"),
            ("/a/b/", "file:///a/b"),
            ("file:///a/b", "file:///a/b"),
            ("file:/a", "file:///a"),
        ],
    )
    def test_one_spelling(self, given: str, expected: str) -> None:
        assert canonical(given) == expected

    @pytest.mark.parametrize(
        "given", ["s3://", "s3://b/../c", "s3://b//c", "s3://k:s@b/c", "s3://b/c?x", "relative", "", "gs://b", "http://b/c"]
    )
    def test_what_is_no_location(self, given: str) -> None:
        with pytest.raises(InvalidParameterValue):
            canonical(given)

    def test_a_prefix_is_not_a_folder(self) -> None:
        assert covers("s3://b/a", "s3://b/a/c")
        assert not covers("s3://b/a", "s3://b/ab")
        assert not covers("s3://b", "file:///b")
