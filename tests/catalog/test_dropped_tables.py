"""Dropped tables, and how they come back."""

from pathlib import Path

import pytest

from boathouse.catalog.api import CatalogService, Parameter, Policy, Privilege, PrivilegeMissing, SecurableExists, SecurableType
from boathouse.catalog.errors import DroppedTableNotFound, FunctionInUse, LocationInUse, LocationReadOnly, LocationTaken
from boathouse.catalog.service.dropping import KEPT_MS
from boathouse.kit.clock import now_ms
from boathouse.storage.paths import from_url
from tests.catalog.lake import COLUMNS, Lake

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


def _function(catalog: CatalogService, full_name: str) -> None:
    parameters = [Parameter("x", "BIGINT")]
    catalog.create_function(full_name, parameters=parameters, return_type="BOOLEAN", language="SQL", body="x > 0")


def test_policies_of_a_dropped_table_follow_their_functions_and_take_no_other(lake: Lake) -> None:
    table = lake.table("t")
    with lake.catalog() as catalog:
        _function(catalog, "main.default.f")
        catalog.set_row_filter(table.full_name, Policy("main.default.f", ("id",)))
        catalog.delete_table(table.full_name)
        catalog.rename(SecurableType.FUNCTION, "main.default.f", "g")
        _function(catalog, "main.default.f")
        assert catalog.undrop_table(table.full_name).row_filter == Policy("main.default.g", ("id",))
        catalog.delete_table(table.full_name)
        catalog.delete_function("main.default.g")
        _function(catalog, "main.default.g")
        back = catalog.undrop_table(table.full_name)
        assert back.row_filter is not None
        assert catalog.rows.find(SecurableType.FUNCTION, back.row_filter.function_name) is None


def test_a_key_that_points_to_nothing_any_more_does_not_come_back(lake: Lake) -> None:
    parent, child = lake.table("parent"), lake.table("child")
    key = {"name": "fk", "child_columns": ["id"], "parent_table": parent.full_name}
    primary = {"primary_key_constraint": {"name": "pk", "child_columns": ["id"]}}
    with lake.catalog() as catalog:
        catalog.create_constraint(parent.full_name, primary)
        catalog.create_constraint(child.full_name, {"foreign_key_constraint": key})
        catalog.delete_table(child.full_name)
        catalog.rename(TABLE, parent.full_name, "parents")
        (constraint,) = catalog.undrop_table(child.full_name).constraints
        assert constraint["foreign_key_constraint"]["parent_table"] == "main.default.parents"
        catalog.delete_table(child.full_name)
        catalog.delete_constraint("main.default.parents", "pk")
        assert catalog.undrop_table(child.full_name).constraints == ()


def test_a_schema_takes_nothing_that_tables_elsewhere_need(lake: Lake) -> None:
    table = lake.table("t")
    with lake.catalog() as catalog:
        catalog.create_schema("main", "other")
        _function(catalog, "main.other.f")
        location = catalog.staging_location("main", "other", "parent")
        catalog.create_table("main.other.parent", storage_location=location, columns=COLUMNS)
        catalog.create_constraint("main.other.parent", {"primary_key_constraint": {"name": "pk", "child_columns": ["id"]}})
        key = {"name": "fk", "child_columns": ["id"], "parent_table": "main.other.parent"}
        catalog.create_constraint(table.full_name, {"foreign_key_constraint": key})
        catalog.set_row_filter(table.full_name, Policy("main.other.f", ("id",)))
        with pytest.raises(FunctionInUse, match=r"'main\.other\.f'"):
            catalog.delete_container(SCHEMA, "main.other", force=True)
        catalog.set_row_filter(table.full_name, None)
        catalog.delete_container(SCHEMA, "main.other", force=True)
        assert catalog.get_table(table.full_name).constraints == ()


def test_nobody_writes_where_a_location_is_for_reading_alone(lake: Lake, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "v").mkdir(parents=True)
    with lake.catalog() as catalog:
        catalog.create_location("l", url=str(outside))
        catalog.create_table("main.default.x", storage_location=str(outside / "t"), columns=COLUMNS)
        catalog.create_volume("main", "default", "v", volume_type="EXTERNAL", storage_location=str(outside / "v"))
        catalog.get_table("main.default.x", Privilege.MODIFY)
        catalog.update_location("l", read_only=True)
        for write in (
            lambda: catalog.get_table("main.default.x", Privilege.MODIFY),
            lambda: catalog.drop_column("main.default.x", "region"),
            lambda: catalog.volume_path("/Volumes/main/default/v/new", Privilege.WRITE_VOLUME),
        ):
            with pytest.raises(LocationReadOnly, match="'l'"):
                write()
        catalog.get_table("main.default.x", Privilege.SELECT)
        catalog.volume_path("/Volumes/main/default/v/new", Privilege.READ_VOLUME)
        with pytest.raises(LocationInUse):
            catalog.update_location("l", url=str(tmp_path / "elsewhere"))
        assert catalog.update_location("l", url=str(tmp_path / "elsewhere"), force=True).url.endswith("elsewhere")
