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


def test_who_gives_something_away_changes_all_that_was_asked_for(place: Place) -> None:
    place.grant("catalog", place.catalog, "USE_CATALOG", "CREATE_SCHEMA")
    place.user.post(f"{UC}/schemas", json={"name": "mine", "catalog_name": place.catalog}).raise_for_status()
    revoked = {"changes": [{"principal": place.user_name, "remove": ["CREATE_SCHEMA"]}]}
    place.admin.patch(f"{UC}/permissions/catalog/{place.catalog}", json=revoked).raise_for_status()
    owner = place.admin.get("/api/2.0/preview/scim/v2/Me").json()["userName"]
    body = {"owner": owner, "new_name": "yours", "comment": "given"}
    answer = place.user.patch(f"{UC}/schemas/{place.catalog}.mine", json=body)
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert (shown["full_name"], shown["owner"], shown["comment"]) == (f"{place.catalog}.yours", owner, "given")
    assert place.user.get(f"{UC}/schemas/{place.catalog}.yours").status_code == 403
    assert place.user.patch(f"{UC}/schemas/{place.catalog}.yours", json={}).status_code == 403


def test_what_would_be_ignored_is_refused(place: Place) -> None:
    catalog, schema = {"name": f"{place.catalog}_x"}, {"name": "x", "catalog_name": place.catalog}
    for answer in (
        place.admin.post(f"{UC}/catalogs", json=catalog | {"storage_root": "s3://b/x"}),
        place.admin.post(f"{UC}/catalogs", json=catalog | {"connection_name": "c"}),
        place.admin.post(f"{UC}/schemas", json=schema | {"storage_root": "s3://b/x"}),
        place.admin.patch(f"{UC}/catalogs/{place.catalog}", json={"isolation_mode": "ISOLATED"}),
    ):
        assert (answer.status_code, answer.json()["error_code"]) == (501, "NOT_IMPLEMENTED"), answer.text
    assert place.admin.get(f"{UC}/catalogs/{place.catalog}_x").status_code == 404
    assert place.admin.patch(f"{UC}/catalogs/{place.catalog}", json={"isolation_mode": "OPEN"}).status_code == 200


def test_fields_of_constraints_are_named(place: Place) -> None:
    for key, field in (
        ({"primary_key_constraint": {"name": "k", "child_columns": "id"}}, "child_columns"),
        ({"primary_key_constraint": {"name": "k", "child_columns": [1]}}, "child_columns"),
        ({"foreign_key_constraint": {"name": "k", "child_columns": ["id"], "parent_table": 5}}, "parent_table"),
        ({"foreign_key_constraint": {"name": "k", "child_columns": ["id"], "parent_columns": 5}}, "parent_columns"),
    ):
        answer = place.admin.post(f"{UC}/constraints", json={"full_name_arg": f"{place.full}.t", "constraint": key})
        assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
        assert field in answer.json()["message"]
