from tests.catalog.conftest import UC, Place


def staged_table(place: Place, name: str = "t") -> str:
    """Register an empty managed table by hand, as an engine would."""
    parent = {"catalog_name": place.catalog, "schema_name": place.schema, "name": name}
    location = place.admin.post(f"{UC}/staging-tables", json=parent).json()["staging_location"]
    column = {"name": "id", "type_name": "LONG", "type_text": "bigint", "position": 0, "nullable": False}
    body = parent | {"table_type": "MANAGED", "storage_location": location, "columns": [column]}
    made = place.admin.post(f"{UC}/tables", json=body)
    made.raise_for_status()
    assert made.json()["table_type"] == "MANAGED"
    return f"{place.full}.{name}"


def test_nothing_is_seen_without_a_grant(place: Place) -> None:
    table = staged_table(place)
    assert place.catalog not in [one["name"] for one in place.user.get(f"{UC}/catalogs").json()["catalogs"]]
    for path in (f"catalogs/{place.catalog}", f"schemas/{place.full}", f"tables/{table}"):
        answer = place.user.get(f"{UC}/{path}")
        assert (answer.status_code, answer.json()["error_code"]) == (403, "PERMISSION_DENIED"), path
    assert place.user.get(f"{UC}/tables/{table}/exists").json() == {"table_exists": False}


def test_select_needs_the_use_of_catalog_and_schema(place: Place) -> None:
    table = staged_table(place)
    sample = f"/api/boathouse/v1/tables/{table}/sample"
    described = f"{UC}/tables/{table}"
    place.grant("table", table, "SELECT")
    for path in (sample, described):
        assert "USE CATALOG" in place.user.get(path).json()["message"]
    place.grant("catalog", place.catalog, "USE_CATALOG")
    for path in (sample, described):
        assert "USE SCHEMA" in place.user.get(path).json()["message"]
    place.grant("schema", place.full, "USE SCHEMA")
    assert place.user.get(described).status_code == 200
    # The table was registered without data: the refusal is now about its files.
    assert place.user.get(sample).json()["error_code"] == "INVALID_STATE"


def test_grants_on_a_container_hold_for_its_contents(place: Place) -> None:
    table = staged_table(place)
    place.grant("catalog", place.catalog, "USE_CATALOG", "USE_SCHEMA", "SELECT")
    assert place.user.get(f"{UC}/tables/{table}").status_code == 200
    effective = place.admin.get(f"{UC}/effective-permissions/table/{table}", params={"principal": place.user_name}).json()
    (assignment,) = effective["privilege_assignments"]
    assert {(one["privilege"], one["inherited_from_name"]) for one in assignment["privileges"]} == {
        ("USE_CATALOG", place.catalog),
        ("USE_SCHEMA", place.catalog),
        ("SELECT", place.catalog),
    }


def test_all_privileges_is_not_manage(place: Place) -> None:
    table = staged_table(place)
    place.grant("catalog", place.catalog, "ALL_PRIVILEGES")
    assert place.user.get(f"{UC}/tables/{table}").status_code == 200
    assert place.user.delete(f"{UC}/tables/{table}").status_code == 403
    place.grant("table", table, "MANAGE")
    assert place.user.delete(f"{UC}/tables/{table}").status_code == 200


def test_a_revoked_grant_is_gone(place: Place) -> None:
    place.grant("catalog", place.catalog, "USE_CATALOG")
    assert place.user.get(f"{UC}/catalogs/{place.catalog}").status_code == 200
    revoke = {"changes": [{"principal": place.user_name, "remove": ["USE_CATALOG"]}]}
    left = place.admin.patch(f"{UC}/permissions/catalog/{place.catalog}", json=revoke).json()
    assert left == {"privilege_assignments": []}
    assert place.user.get(f"{UC}/catalogs/{place.catalog}").status_code == 403


def test_a_user_cannot_give_itself_anything(place: Place) -> None:
    place.grant("catalog", place.catalog, "USE_CATALOG")
    body = {"changes": [{"principal": place.user_name, "add": ["ALL_PRIVILEGES"]}]}
    assert place.user.patch(f"{UC}/permissions/catalog/{place.catalog}", json=body).status_code == 403
    assert place.user.post(f"{UC}/schemas", json={"name": "mine", "catalog_name": place.catalog}).status_code == 403
    assert place.user.post(f"{UC}/catalogs", json={"name": "mine"}).status_code == 403


def test_wrong_grants_name_what_is_valid(place: Place) -> None:
    def change(kind: str, name: str, principal: str, privilege: str) -> tuple[int, str]:
        body = {"changes": [{"principal": principal, "add": [privilege]}]}
        answer = place.admin.patch(f"{UC}/permissions/{kind}/{name}", json=body)
        return answer.status_code, answer.json()["message"]

    status, message = change("catalog", place.catalog, place.user_name, "FLY")
    assert status == 400
    assert "USE CATALOG" in message
    status, message = change("table", staged_table(place), place.user_name, "WRITE_VOLUME")
    assert status == 400
    assert "SELECT" in message
    assert change("catalog", place.catalog, "nobody@example.com", "SELECT")[0] == 404
    assert change("planet", place.catalog, place.user_name, "SELECT")[0] == 400


def test_an_owner_may_do_all(place: Place) -> None:
    place.grant("catalog", place.catalog, "USE_CATALOG", "USE_SCHEMA")
    place.admin.patch(f"{UC}/schemas/{place.full}", json={"owner": place.user_name}).raise_for_status()
    table = staged_table(place)
    assert place.user.get(f"{UC}/tables/{table}").status_code == 200
    assert place.user.delete(f"{UC}/tables/{table}").status_code == 200


def test_a_staged_location_is_its_askers_alone(place: Place) -> None:
    parent = {"catalog_name": place.catalog, "schema_name": place.schema, "name": "stolen"}
    location = place.admin.post(f"{UC}/staging-tables", json=parent).json()["staging_location"]
    place.grant("catalog", place.catalog, "USE_CATALOG", "USE_SCHEMA", "CREATE_TABLE")
    body = parent | {"table_type": "EXTERNAL", "storage_location": location, "columns": []}
    assert place.user.post(f"{UC}/tables", json=body).status_code == 403
    outside = body | {"storage_location": "file:///etc"}
    assert place.user.post(f"{UC}/tables", json=outside).status_code == 403


def test_who_is_meant_is_found_in_any_case(place: Place) -> None:
    table = staged_table(place)
    shouted = place.user_name.upper()
    answer = place.admin.patch(
        f"{UC}/permissions/table/{table}", json={"changes": [{"principal": shouted, "add": ["SELECT", "MODIFY"]}]}
    )
    assert [one["principal"] for one in answer.json()["privilege_assignments"]] == [place.user_name]
    asked = place.admin.get(f"{UC}/permissions/table/{table}", params={"principal": shouted}).json()
    assert asked["privilege_assignments"] == [{"principal": place.user_name, "privileges": ["MODIFY", "SELECT"]}]
    taken = {"changes": [{"principal": shouted, "remove": ["SELECT"]}]}
    assert place.admin.patch(f"{UC}/permissions/table/{table}", json=taken).json()["privilege_assignments"][0][
        "privileges"
    ] == ["MODIFY"]
    given = place.admin.patch(f"{UC}/tables/{table}", json={"owner": shouted})
    assert given.json()["owner"] == place.user_name
