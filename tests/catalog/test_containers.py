from tests.catalog.conftest import UC, Place
from tests.conftest import Server


def test_the_first_start_makes_a_catalog(server: Server) -> None:
    names = [one["name"] for one in server.client().get(f"{UC}/catalogs").json()["catalogs"]]
    assert "main" in names


def test_a_name_is_taken_once(place: Place) -> None:
    answer = place.admin.post(f"{UC}/schemas", json={"name": "S", "catalog_name": place.catalog})
    assert (answer.status_code, answer.json()["error_code"]) == (409, "SCHEMA_ALREADY_EXISTS")


def test_names_that_are_no_names(place: Place) -> None:
    for name in ("", "a.b", "a/b", "a b", "x" * 256, "a'b", "a\u0000b"):
        answer = place.admin.post(f"{UC}/schemas", json={"name": name, "catalog_name": place.catalog})
        assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), name


def test_what_is_missing_is_named(place: Place) -> None:
    cases = {
        f"{UC}/catalogs/nowhere": ("CATALOG_DOES_NOT_EXIST", "'nowhere'"),
        f"{UC}/schemas/{place.catalog}.gone": ("SCHEMA_DOES_NOT_EXIST", f"'{place.catalog}.gone'"),
        f"{UC}/tables/{place.full}.t": ("TABLE_DOES_NOT_EXIST", f"'{place.full}.t'"),
        f"{UC}/tables/nowhere.s.t": ("CATALOG_DOES_NOT_EXIST", "'nowhere'"),
        f"{UC}/volumes/{place.full}.v": ("VOLUME_DOES_NOT_EXIST", f"'{place.full}.v'"),
    }
    for path, (code, named) in cases.items():
        answer = place.admin.get(path)
        assert answer.status_code == 404
        assert answer.json()["error_code"] == code
        assert named in answer.json()["message"]


def test_a_schema_that_holds_something_is_deleted_with_force_only(place: Place) -> None:
    volume = {"name": "v", "catalog_name": place.catalog, "schema_name": "s", "volume_type": "MANAGED"}
    place.admin.post(f"{UC}/volumes", json=volume).raise_for_status()
    refused = place.admin.delete(f"{UC}/schemas/{place.full}")
    assert (refused.status_code, refused.json()["error_code"]) == (400, "INVALID_STATE")
    assert place.admin.delete(f"{UC}/schemas/{place.full}", params={"force": "true"}).status_code == 200
    assert place.admin.get(f"{UC}/volumes/{place.full}.v").status_code == 404


def test_pages(place: Place) -> None:
    for number in range(5):
        place.admin.post(f"{UC}/schemas", json={"name": f"p{number}", "catalog_name": place.catalog}).raise_for_status()
    names: list[str] = []
    token = ""
    while True:
        query = {"catalog_name": place.catalog, "max_results": 2, "page_token": token}
        page = place.admin.get(f"{UC}/schemas", params=query).json()
        names += [schema["name"] for schema in page["schemas"]]
        token = page["next_page_token"]
        if not token:
            break
    assert names == ["default", "p0", "p1", "p2", "p3", "p4", "s"]


def test_owner_comment_and_properties_change(place: Place) -> None:
    body = {"owner": place.user_name, "comment": "of the tests", "properties": {"a": "b"}}
    changed = place.admin.patch(f"{UC}/schemas/{place.full}", json=body).json()
    assert {key: changed[key] for key in body} == body
    nobody = place.admin.patch(f"{UC}/schemas/{place.full}", json={"owner": "nobody"})
    assert (nobody.status_code, nobody.json()["error_code"]) == (404, "PRINCIPAL_DOES_NOT_EXIST")
