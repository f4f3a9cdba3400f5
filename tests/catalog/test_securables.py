"""What the page asks beside a securable: tags, and what the asker may do."""

import pytest

from tests.catalog.conftest import UC, Place
from tests.catalog.test_grants import staged_table

SECURABLES = "/api/boathouse/v1/securables"


def test_tags_and_what_the_asker_may_do(place: Place) -> None:
    name = staged_table(place, "orders")
    place.admin.patch(
        f"{UC}/securable-tags/table/{name}", json={"changes": {"add_tags": [{"key": "domain", "value": "sales"}]}}
    ).raise_for_status()
    found = place.admin.get(f"{SECURABLES}/table/{name}").json()
    assert found["tags"] == {"domain": "sales"}
    assert found["column_tags"] == {}
    assert {"SELECT", "MODIFY", "MANAGE", "APPLY_TAG"} <= set(found["privileges"])
    assert found["privileges"] == found["grantable"] == sorted(found["grantable"])
    schema = place.admin.get(f"{SECURABLES}/schema/{place.full}").json()
    assert (schema["type"], schema["owner"], schema["column_tags"]) == ("schema", found["owner"], {})
    assert {"USE_SCHEMA", "CREATE_TABLE", "SELECT"} <= set(schema["grantable"])


def test_who_may_not_grant_is_offered_nothing(place: Place) -> None:
    name = staged_table(place, "orders")
    place.grant("catalog", place.catalog, "USE_CATALOG")
    place.grant("schema", place.full, "USE_SCHEMA")
    place.grant("table", name, "SELECT")
    found = place.user.get(f"{SECURABLES}/table/{name}").json()
    assert (found["privileges"], found["grantable"]) == (["SELECT"], [])
    place.grant("table", name, "MANAGE")
    assert "SELECT" in place.user.get(f"{SECURABLES}/table/{name}").json()["grantable"]


def test_of_the_servers_own_only_reading_is_offered(place: Place) -> None:
    found = place.admin.get(f"{SECURABLES}/table/system.access.audit").json()
    assert found["grantable"] == ["BROWSE", "SELECT"]


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("shoe/main", 400, "securable type 'shoe' is not valid"),
        ("table/main.default.nothing", 404, "main.default.nothing"),
        ("table/main", 400, "main"),
    ],
)
def test_what_is_not_there_says_so(place: Place, path: str, status: int, said: str) -> None:
    answer = place.admin.get(f"{SECURABLES}/{path}")
    assert answer.status_code == status
    assert said in answer.json()["message"]


def test_strangers_hear_nothing(place: Place) -> None:
    name = staged_table(place, "orders")
    assert place.user.get(f"{SECURABLES}/table/{name}").status_code == 403
    assert place.nobody.get(f"{SECURABLES}/table/{name}").status_code == 401
