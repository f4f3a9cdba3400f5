"""The relations of information_schema."""

import pytest

from boathouse.catalog import information_schema
from boathouse.catalog.api import Parameter, Policy, PrivilegeMissing, SecurableNotFound, SecurableType
from boathouse.iam.api import ACCOUNT_USERS
from tests.catalog.lake import Lake

TABLE = SecurableType.TABLE


@pytest.fixture
def filled(lake: Lake) -> Lake:
    lake.table("t")
    lake.table("child")
    with lake.catalog() as catalog:
        catalog.create_constraint("main.default.t", {"primary_key_constraint": {"name": "pk", "child_columns": ["id"]}})
        foreign = {"name": "fk", "child_columns": ["id"], "parent_table": "main.default.t"}
        catalog.create_constraint("main.default.child", {"foreign_key_constraint": foreign})
        catalog.create_view("main.default.v", definition="SELECT 1 AS a", columns=[{"name": "a", "type_text": "int"}])
        catalog.create_volume("main", "default", "vol")
        catalog.create_function(
            "main.default.keep", parameters=[Parameter("r", "string")], return_type="BOOLEAN", language="SQL", body="true"
        )
        catalog.create_function(
            "main.default.rows",
            parameters=[],
            return_type="TABLE_TYPE",
            return_columns=[("a", "decimal(10, 4)")],
            language="SQL",
            body="SELECT 1",
        )
        catalog.set_row_filter("main.default.t", Policy("main.default.keep", ("region",)))
        catalog.set_column_mask("main.default.t", "region", Policy("main.default.keep"))
        for kind, name in (
            (SecurableType.CATALOG, "main"),
            (SecurableType.SCHEMA, "main.default"),
            (TABLE, "main.default.t"),
            (SecurableType.VOLUME, "main.default.vol"),
        ):
            catalog.create_tag(kind, name, "tier", kind.value)
        catalog.create_tag(TABLE, "main.default.t", "pii", "", "region")
    lake.grant(TABLE, "main.default.t", "SELECT")
    lake.grant(SecurableType.FUNCTION, "main.default.keep", "EXECUTE")
    return lake


def read(lake: Lake, name: str, *columns: str, user: bool = False) -> list[tuple[object, ...]]:
    with lake.catalog(lake.user if user else None) as catalog:
        found = information_schema.rows(catalog, "main", name)
    assert found.schema.equals(information_schema.schema(name))
    return [tuple(row[column] for column in columns) for row in found.to_pylist()]


def test_every_relation_has_its_columns(filled: Lake) -> None:
    empty = {name for name in information_schema.names() if not read(filled, name)}
    assert empty == {"volume_privileges", "schema_privileges"}
    assert len(information_schema.names()) >= 24


def test_tables_and_columns(filled: Lake) -> None:
    tables = read(filled, "tables", "table_name", "table_type", "is_insertable_into", "data_source_format")
    assert tables == [
        ("child", "MANAGED", "YES", "DELTA"),
        ("t", "MANAGED", "YES", "DELTA"),
        ("v", "VIEW", "NO", "UNKNOWN_DATA_SOURCE_FORMAT"),
    ]
    columns = read(filled, "columns", "table_name", "column_name", "ordinal_position", "is_nullable", "data_type")
    assert columns[3:] == [
        ("t", "id", 1, "NO", "LONG"),
        ("t", "region", 2, "YES", "STRING"),
        ("t", "at", 3, "NO", "TIMESTAMP"),
        ("v", "a", 1, "YES", "INT"),
    ]
    assert read(filled, "views", "table_name", "view_definition") == [("v", "SELECT 1 AS a")]


def test_constraints(filled: Lake) -> None:
    kinds = read(filled, "table_constraints", "constraint_name", "constraint_type", "enforced")
    assert kinds == [("fk", "FOREIGN KEY", "NO"), ("pk", "PRIMARY KEY", "NO")]
    assert read(filled, "key_column_usage", "constraint_name", "column_name", "position_in_unique_constraint") == [
        ("fk", "id", 1),
        ("pk", "id", None),
    ]
    assert read(filled, "constraint_column_usage", "constraint_name", "table_name") == [("fk", "t"), ("pk", "t")]
    assert read(filled, "referential_constraints", "constraint_name", "unique_constraint_name") == [("fk", "pk")]


def test_functions(filled: Lake) -> None:
    assert read(filled, "routines", "routine_name", "data_type", "routine_body", "routine_definition") == [
        ("keep", "BOOLEAN", "SQL", "true"),
        ("rows", "TABLE", "SQL", "SELECT 1"),
    ]
    assert read(filled, "parameters", "specific_name", "parameter_name", "ordinal_position") == [("keep", "r", 1)]
    assert read(filled, "routine_columns", "column_name", "numeric_precision", "numeric_scale") == [("a", 10, 4)]


def test_grants_tags_and_policies(filled: Lake) -> None:
    filled.enter()
    grants = read(filled, "table_privileges", "table_name", "grantee", "privilege_type", "inherited_from")
    assert grants == [("t", ACCOUNT_USERS, "SELECT", "NONE")]
    assert read(filled, "schema_privileges", "schema_name", "privilege_type", "inherited_from") == [
        ("default", "USE_SCHEMA", "CATALOG")
    ]
    assert read(filled, "table_tags", "table_name", "tag_name", "tag_value") == [("t", "tier", "table")]
    assert read(filled, "column_tags", "column_name", "tag_name") == [("region", "pii")]
    assert read(filled, "catalog_tags", "catalog_name", "tag_value") == [("main", "catalog")]
    assert read(filled, "row_filters", "table_name", "filter_name", "filter_col_usage") == [("t", "keep", "region")]
    assert read(filled, "column_masks", "column_name", "mask_name", "mask_col_usage") == [("region", "keep", None)]


def test_a_user_reads_of_what_it_may_know(filled: Lake) -> None:
    filled.grant(SecurableType.CATALOG, "main", "USE CATALOG", "USE SCHEMA")
    assert read(filled, "tables", "table_name", user=True) == [("t",)]
    assert read(filled, "routines", "routine_name", user=True) == [("keep",)]
    assert read(filled, "table_constraints", "constraint_name", user=True) == [("pk",)]
    assert read(filled, "volumes", user=True) == []
    filled.grant(SecurableType.SCHEMA, "main.default", "BROWSE")
    assert read(filled, "tables", "table_name", user=True) == [("child",), ("t",), ("v",)]
    assert read(filled, "views", user=True) == []
    assert dict(read(filled, "routines", "routine_name", "routine_definition", user=True)) == {"keep": "true", "rows": None}


def test_the_system_catalog_tells_of_all(filled: Lake) -> None:
    with filled.catalog() as catalog:
        catalog.create_catalog("second")
        found = information_schema.rows(catalog, "system", "schemata").to_pylist()
    assert [(row["catalog_name"], row["schema_name"]) for row in found] == [("main", "default"), ("second", "default")]


def test_what_is_not_there_is_named(filled: Lake) -> None:
    with filled.catalog() as catalog:
        with pytest.raises(SecurableNotFound, match=r"information_schema\.nothing"):
            information_schema.rows(catalog, "main", "nothing")
        with pytest.raises(SecurableNotFound, match="'nowhere'"):
            information_schema.rows(catalog, "nowhere", "tables")
        catalog.create_catalog("closed")
    with filled.catalog(filled.user) as catalog, pytest.raises(PrivilegeMissing):
        information_schema.rows(catalog, "closed", "tables")
