"""Search: what is found, in which order, by whom, and how fast."""

import time
import uuid
from typing import Any

import pytest

from boathouse.catalog.api import SecurableType
from boathouse.catalog.models import SecurableRow
from boathouse.catalog.repository import CatalogRepository
from boathouse.catalog.search import search
from boathouse.errors import InvalidParameterValue
from tests.catalog.conftest import Place
from tests.catalog.lake import COLUMNS, Lake
from tests.catalog.test_grants import staged_table

SEARCH = "/api/boathouse/v1/search"
TABLE, SCHEMA = SecurableType.TABLE, SecurableType.SCHEMA


def found(lake: Lake, text: str, *, user: bool = False, **options: Any) -> list[tuple[str, int]]:
    with lake.catalog(lake.user if user else None) as catalog:
        return [(hit.name, hit.rank) for hit in search(catalog, text, **options)]


def test_the_best_come_first(lake: Lake) -> None:
    plain = [{"name": "id", "type_text": "int"}]
    for name in ("orders", "orders_daily", "eu_orders", "reorders", "other"):
        lake.table(name, plain)
    lake.table("sales", [*plain, {"name": "Orders_ID", "type_text": "int"}])
    with lake.catalog() as catalog:
        catalog.update(TABLE, "main.default.other", comment="what preorders are")
    assert found(lake, "ORDERS") == [
        ("orders", 0),
        ("orders_daily", 1),
        ("eu_orders", 2),
        ("reorders", 3),
        ("sales", 4),
        ("other", 5),
    ]
    assert found(lake, "orders", max_results=2) == [("orders", 0), ("orders_daily", 1)]
    assert found(lake, "orders-id") == [("sales", 4)]
    assert found(lake, "daily orders") == [("orders_daily", 2)]
    assert found(lake, "default.orders")[:2] == [("orders", 0), ("orders_daily", 1)]
    assert found(lake, "main.default.orders")[0] == ("orders", 0)
    assert found(lake, "nothing of this") == []


def test_comments_columns_and_tags_of_all_kinds(lake: Lake) -> None:
    lake.table("t")
    with lake.catalog() as catalog:
        catalog.create_volume("main", "default", "raw", comment="Photos of Zürich")
        catalog.create_view("main.default.v", definition="SELECT 1", columns=[{"name": "kilometres"}])
        catalog.create_tag(TABLE, "main.default.t", "tier", "gold")
        catalog.create_tag(TABLE, "main.default.t", "secrecy", "high", "region")
        catalog.create_catalog("second", comment="another")
    assert found(lake, "zürich") == [("raw", 4)]
    assert found(lake, "kilo") == [("v", 5)]
    assert found(lake, "gold tier") == [("t", 4)]
    assert found(lake, "secrecy high") == [("t", 4)]
    assert found(lake, "second") == [("second", 0)]
    assert found(lake, "region", types=[SecurableType.VOLUME]) == []
    with lake.catalog() as catalog:
        catalog.delete_tag(TABLE, "main.default.t", "tier")
        catalog.rename(TABLE, "main.default.v", "distances")
    assert found(lake, "gold") == []
    assert found(lake, "distances") == [("distances", 0)]


def test_a_delta_tables_own_columns(lake: Lake) -> None:
    lake.delta_table("d")
    assert found(lake, "name", types=[TABLE]) == [("d", 4)]


def test_what_may_not_be_known_is_not_found(lake: Lake) -> None:
    lake.table("orders")
    lake.table("orders_2")
    assert found(lake, "orders", user=True) == []
    lake.grant(TABLE, "main.default.orders_2", "SELECT")
    assert found(lake, "orders", user=True) == [], "without USE SCHEMA"
    lake.grant(SCHEMA, "main.default", "USE SCHEMA")
    assert found(lake, "orders", user=True, max_results=1) == [("orders_2", 1)]
    lake.grant(SCHEMA, "main.default", "BROWSE")
    assert found(lake, "orders", user=True) == [("orders", 0), ("orders_2", 1)]


def test_both_rules_of_visibility_say_the_same(lake: Lake) -> None:
    for name in ("a", "b", "c"):
        lake.table(name)
    lake.grant(TABLE, "main.default.b", "MODIFY")
    steps = {(): set(), ("CREATE TABLE",): set(), ("USE SCHEMA",): {"b"}, ("READ VOLUME",): {"b"}, ("BROWSE",): {"a", "b", "c"}}
    for privileges, shown in steps.items():
        if privileges:
            lake.grant(SCHEMA, "main.default", *privileges)
        with lake.catalog(lake.user) as catalog:
            one = {info.name for info in catalog.list_tables("main", "default")} if privileges else shown
            assert {info.name for info in catalog.all_tables()} == one == shown, privileges


@pytest.mark.parametrize("text", ["", " ", "...", "x" * 501])
def test_nothing_to_look_for(lake: Lake, text: str) -> None:
    with pytest.raises(InvalidParameterValue):
        found(lake, text)


@pytest.mark.parametrize("text", ["%", "_", "100%_", "'; DROP TABLE securables; --", "\\"])
def test_signs_mean_nothing(lake: Lake, text: str) -> None:
    lake.table("t")
    try:
        assert found(lake, text) == []
    except InvalidParameterValue as error:
        assert "at least one letter" in error.message  # noqa: PT017 (both outcomes are right)


def test_ten_thousand_tables(lake: Lake) -> None:
    with lake.database.session(write=True) as session:
        parent = CatalogRepository(session).find(SCHEMA, "main.default")
        assert parent is not None
        for number in range(10_000):
            session.add(
                SecurableRow(
                    id=uuid.uuid4().hex,
                    parent_id=parent.id,
                    type="table",
                    name=f"table_{number}_{('sales', 'stock', 'people')[number % 3]}",
                    full_name=f"main.default.table_{number}_{('sales', 'stock', 'people')[number % 3]}",
                    owner="admin",
                    comment=f"The table number {number} of the warehouse",
                    properties={},
                    columns=COLUMNS,
                    details={},
                    created_at=1,
                    created_by="admin",
                    updated_at=1,
                    updated_by="admin",
                )
            )
    lake.grant(SCHEMA, "main.default", "BROWSE")
    seconds: dict[tuple[str, bool], float] = {}
    for text in ("table_7777", "stock", "region", "warehouse number 42", "nothing here"):
        for user in (False, True):
            took: list[float] = []
            for _ in range(3):
                with lake.catalog(lake.user if user else None) as catalog:
                    started = time.perf_counter()
                    search(catalog, text)
                    took.append(time.perf_counter() - started)
            seconds[text, user] = min(took)
    assert max(seconds.values()) < 0.3, seconds


def test_over_rest(place: Place) -> None:
    word = f"w{uuid.uuid4().hex[:8]}"
    staged_table(place, f"{word}_t")
    hits = place.admin.get(SEARCH, params={"q": word, "types": "table,view"}).json()["results"]
    assert [(hit["full_name"], hit["rank"], hit["table_type"]) for hit in hits] == [(f"{place.full}.{word}_t", 1, "MANAGED")]
    assert place.user.get(SEARCH, params={"q": word}).json() == {"results": []}
    place.grant("table", f"{place.full}.{word}_t", "BROWSE")
    assert len(place.user.get(SEARCH, params={"q": word}).json()["results"]) == 1
    assert place.nobody.get(SEARCH, params={"q": word}).status_code == 401
    for wrong in ({"q": ""}, {}, {"q": "a", "types": "planet"}, {"q": "a", "max_results": 0}, {"q": "..."}):
        assert place.admin.get(SEARCH, params=wrong).status_code == 400, wrong
