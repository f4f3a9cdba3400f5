"""Dropped tables, and how they come back."""

import pytest

from boathouse.catalog.api import PrivilegeMissing, SecurableExists, SecurableType
from boathouse.catalog.errors import DroppedTableNotFound, LocationTaken
from boathouse.catalog.service.dropping import KEPT_MS
from boathouse.kit.clock import now_ms
from boathouse.storage.paths import from_url
from tests.catalog.lake import Lake

TABLE, SCHEMA = SecurableType.TABLE, SecurableType.SCHEMA


def test_a_table_comes_back_with_all_that_it_had(lake: Lake) -> None:
    table = lake.delta_table()
    lake.enter()
    lake.grant(TABLE, table.full_name, "SELECT")
    with lake.catalog() as catalog:
        catalog.create_constraint(table.full_name, {"primary_key_constraint": {"name": "pk", "child_columns": ["id"]}})
        catalog.create_tag(TABLE, table.full_name, "tier", "gold")
        catalog.create_tag(TABLE, table.full_name, "pii", "no", "name")
        before = catalog.get_table(table.full_name)
        catalog.delete_table(table.full_name)
    assert from_url(table.storage_location).is_dir()
    with lake.catalog() as catalog:
        (dropped,) = catalog.list_dropped("main.default")
        assert (dropped.id, dropped.full_name, dropped.kept_until - dropped.dropped_at) == (table.id, table.full_name, KEPT_MS)
        after = catalog.undrop_table(table.full_name.upper())
        assert (after.columns, after.constraints, after.tags, after.id) == (
            before.columns,
            before.constraints,
            before.tags,
            before.id,
        )
        assert catalog.get_column_tags(table.full_name) == {"name": {"pii": "no"}}
        assert catalog.list_dropped("main.default") == []
    with lake.catalog(lake.user) as catalog:
        assert catalog.get_table(table.full_name).owner == "admin"


def test_the_last_of_several_comes_back_or_the_one_that_is_named(lake: Lake) -> None:
    first = lake.table("t")
    with lake.catalog() as catalog:
        catalog.delete_table("main.default.t")
    second = lake.table("t")
    with lake.catalog() as catalog:
        with pytest.raises(SecurableExists):
            catalog.undrop_table("main.default.t")
        catalog.delete_table("main.default.t")
        newest, oldest = catalog.list_dropped("main.default")
        assert {newest.id, oldest.id} == {first.id, second.id}
        assert catalog.undrop_table(first.id).id == first.id


def test_after_seven_days_it_is_gone(lake: Lake) -> None:
    table = lake.delta_table()
    with lake.catalog() as catalog:
        catalog.delete_table(table.full_name)
    with lake.catalog() as catalog:
        assert catalog.purge_dropped(now_ms()) == []
        assert from_url(table.storage_location).is_dir()
        assert catalog.purge_dropped(now_ms() + KEPT_MS + 1) == [table.full_name]
    assert not from_url(table.storage_location).exists()
    with lake.catalog() as catalog, pytest.raises(DroppedTableNotFound):
        catalog.undrop_table(table.full_name)


def test_purged_at_once_or_with_its_schema(lake: Lake) -> None:
    table, other = lake.delta_table("a"), lake.delta_table("b")
    with lake.catalog() as catalog:
        catalog.delete_table(table.full_name, purge=True)
        catalog.delete_table(other.full_name)
    assert not from_url(table.storage_location).exists()
    with lake.catalog() as catalog:
        catalog.delete_container(SCHEMA, "main.default", force=True)
    assert not from_url(other.storage_location).exists()


def test_who_may_bring_it_back(lake: Lake) -> None:
    lake.enter()
    lake.grant(SCHEMA, "main.default", "CREATE TABLE")
    with lake.catalog(lake.user) as catalog:
        location = catalog.staging_location("main", "default", "mine")
        catalog.create_table("main.default.mine", storage_location=location)
        catalog.delete_table("main.default.mine")
    with lake.catalog(lake.other) as catalog:
        assert catalog.list_dropped("main.default") == []
        with pytest.raises(PrivilegeMissing, match="MANAGE"):
            catalog.undrop_table("main.default.mine")
        with pytest.raises(PrivilegeMissing):
            catalog.purge_dropped(now_ms())
    with lake.catalog(lake.user) as catalog:
        assert catalog.undrop_table("main.default.mine").owner == lake.user.name


def test_an_external_tables_place_may_be_taken_meanwhile(lake: Lake) -> None:
    folder = lake.layout.root.parent / "outside"
    folder.mkdir()
    with lake.catalog() as catalog:
        catalog.create_table("main.default.e", storage_location=str(folder))
        catalog.delete_table("main.default.e")
        catalog.create_table("main.default.f", storage_location=str(folder))
        with pytest.raises(LocationTaken):
            catalog.undrop_table("main.default.e")
        catalog.delete_table("main.default.f", purge=True)
        assert catalog.undrop_table("main.default.e").table_type == "EXTERNAL"
    assert folder.is_dir()
