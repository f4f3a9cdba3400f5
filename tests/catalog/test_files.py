from urllib.parse import quote

import httpx
import pytest

from tests.catalog.conftest import UC, Place

FILES = "/api/2.0/fs/files"
DIRECTORIES = "/api/2.0/fs/directories"


@pytest.fixture
def volume(place: Place) -> str:
    body = {"name": "v", "catalog_name": place.catalog, "schema_name": "s", "volume_type": "MANAGED"}
    place.admin.post(f"{UC}/volumes", json=body).raise_for_status()
    return f"/Volumes/{place.catalog}/s/v"


def names(client: httpx.Client, path: str) -> list[str]:
    return [entry["name"] for entry in client.get(f"{DIRECTORIES}{path}").json()["contents"]]


def test_a_file_comes_back_as_it_went(place: Place, volume: str) -> None:
    content = bytes(range(256)) * 5000
    assert place.admin.put(f"{FILES}{volume}/a/b.bin", content=content).status_code == 204
    assert place.admin.get(f"{FILES}{volume}/a/b.bin").content == content
    assert place.admin.head(f"{FILES}{volume}/a/b.bin").headers["content-length"] == str(len(content))
    assert names(place.admin, volume) == ["a"]
    assert place.admin.delete(f"{FILES}{volume}/a/b.bin").status_code == 204
    assert place.admin.get(f"{FILES}{volume}/a/b.bin").json()["error_code"] == "NOT_FOUND"


def test_a_file_is_overwritten_only_on_demand(place: Place, volume: str) -> None:
    place.admin.put(f"{FILES}{volume}/x", content=b"1").raise_for_status()
    refused = place.admin.put(f"{FILES}{volume}/x", content=b"2")
    assert (refused.status_code, refused.json()["error_code"]) == (409, "ALREADY_EXISTS")
    assert place.admin.get(f"{FILES}{volume}/x").content == b"1"
    place.admin.put(f"{FILES}{volume}/x", content=b"2", params={"overwrite": "true"}).raise_for_status()
    assert place.admin.get(f"{FILES}{volume}/x").content == b"2"
    assert names(place.admin, volume) == ["x"]


@pytest.mark.parametrize("escape", ["../x", "a/../../x", "%2e%2e/x", "..%2f..%2fx", "/../../../../etc/passwd"])
def test_a_path_stays_in_its_volume(place: Place, volume: str, escape: str) -> None:
    for answer in (place.admin.get(f"{FILES}{volume}/{escape}"), place.admin.put(f"{FILES}{volume}/{escape}", content=b"")):
        assert answer.status_code in {400, 403, 404}, answer.text
        assert answer.json()["error_code"]


def test_other_places_are_refused(place: Place) -> None:
    answer = place.admin.get(f"{FILES}/etc/passwd")
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "/Volumes" in answer.json()["message"]


def test_reading_and_writing_are_privileges_of_their_own(place: Place, volume: str) -> None:
    place.admin.put(f"{FILES}{volume}/x", content=b"1").raise_for_status()
    place.grant("catalog", place.catalog, "USE_CATALOG", "USE_SCHEMA")
    assert place.user.get(f"{FILES}{volume}/x").status_code == 403
    place.grant("volume", f"{place.full}.v", "READ_VOLUME")
    assert place.user.get(f"{FILES}{volume}/x").content == b"1"
    assert place.user.put(f"{FILES}{volume}/y", content=b"2").status_code == 403
    assert place.user.delete(f"{FILES}{volume}/x").status_code == 403
    place.grant("volume", f"{place.full}.v", "WRITE_VOLUME")
    assert place.user.put(f"{FILES}{volume}/y", content=b"2").status_code == 204


def test_a_directory_pages(place: Place, volume: str) -> None:
    for number in range(5):
        place.admin.put(f"{FILES}{volume}/d/{number}", content=b"").raise_for_status()
    page = place.admin.get(f"{DIRECTORIES}{volume}/d", params={"page_size": 3}).json()
    rest = place.admin.get(f"{DIRECTORIES}{volume}/d", params={"page_token": page["next_page_token"]}).json()
    assert [entry["name"] for entry in page["contents"] + rest["contents"]] == ["0", "1", "2", "3", "4"]
    full = place.admin.delete(f"{DIRECTORIES}{volume}/d")
    assert (full.status_code, full.json()["error_code"]) == (400, "INVALID_STATE")


def test_paths_that_cannot_be_are_refused_by_name(place: Place, volume: str) -> None:
    long, longest = "n" * 256, "n" * 255
    place.admin.put(f"{FILES}{volume}/{longest}", content=b"1").raise_for_status()
    assert place.admin.get(f"{FILES}{volume}/{longest}").content == b"1"
    place.admin.put(f"{FILES}{volume}/mine.uploading", content=b"2").raise_for_status()
    assert names(place.admin, volume) == ["mine.uploading", longest]
    for method, path, said in (
        ("PUT", f"{FILES}{volume}/{long}", "at most 255 bytes"),
        ("GET", f"{FILES}{volume}/{long}", "at most 255 bytes"),
        ("GET", f"{DIRECTORIES}{volume}/{long}", "at most 255 bytes"),
        ("PUT", f"{FILES}{volume}/{longest}/below", "is a file"),
        ("PUT", f"{DIRECTORIES}{volume}/{longest}/below", "is a file"),
        ("PUT", f"{FILES}{volume}/folder/", "path of a directory"),
    ):
        answer = place.admin.request(method, path, content=b"")
        assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), path
        assert said in answer.json()["message"]


def test_a_volume_is_no_directory_to_delete(place: Place, volume: str) -> None:
    answer = place.admin.delete(f"{DIRECTORIES}{volume}/")
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_STATE")
    assert names(place.admin, volume) == []


def test_a_page_token_of_nobody_is_refused(place: Place, volume: str) -> None:
    for path in (f"{DIRECTORIES}{volume}", f"{UC}/catalogs", f"{UC}/schemas", f"{UC}/models"):
        for wrong in ("nonsense", "main", "%%%", "YWZ0ZXI"):
            answer = place.admin.get(path, params={"catalog_name": place.catalog, "page_token": wrong})
            assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), (path, wrong)
            assert "page_token" in answer.json()["message"]


def test_pages_of_any_names(place: Place, volume: str) -> None:
    made = ["a b", "ä", "日本", "z%"]
    for name in made:
        place.admin.put(f"{FILES}{volume}/{quote(name)}", content=b"").raise_for_status()
    found, token = [], ""
    while token is not None:
        page = place.admin.get(f"{DIRECTORIES}{volume}", params={"page_size": 1, "page_token": token}).json()
        found += [entry["name"] for entry in page["contents"]]
        token = page.get("next_page_token")
    assert found == sorted(made)


def test_what_the_operating_system_refuses_is_told(place: Place) -> None:
    """Nobody, root neither, may delete files there."""
    body = {"name": "os", "catalog_name": place.catalog, "schema_name": "s", "volume_type": "EXTERNAL"}
    place.admin.post(f"{UC}/volumes", json=body | {"storage_location": "/proc/sys/kernel"}).raise_for_status()
    path = f"/Volumes/{place.catalog}/s/os/ostype"
    answer = place.admin.delete(f"{FILES}{path}")
    assert (answer.status_code, answer.json()["error_code"]) == (403, "PERMISSION_DENIED"), answer.text
    assert path in answer.json()["message"]
