"""The system tables as securables: read by whom they are granted to, changed by nobody."""

import contextlib

import pytest

from boathouse.catalog.api import CatalogService, PrivilegeMissing, SecurableType
from boathouse.catalog.errors import ServersOwn
from boathouse.catalog.privileges import Privilege
from boathouse.catalog.service.tags import TagChange
from boathouse.history.api import install
from tests.conftest import Server
from tests.history.conftest import History

TABLE = "system.access.audit"
UC = "/api/2.1/unity-catalog"


def test_they_are_there_once(history: History) -> None:
    install(history.lake.database, history.lake.layout, history.lake.admin)
    with history.lake.catalog() as catalog:
        names = {
            schema.name: [table.name for table in catalog.list_tables("system", schema.name)]
            for schema in catalog.list_schemas("system")
        }
        assert names == {"access": ["audit", "column_lineage", "table_lineage"], "compute": [], "query": ["history"]}
        table = catalog.get_table(TABLE, Privilege.SELECT)
        assert (table.table_type, table.data_source_format, table.owner) == ("EXTERNAL", "DELTA", "admins")
        assert [column["name"] for column in table.columns][:3] == ["account_id", "workspace_id", "version"]


def test_a_user_reads_them_by_a_grant_only(history: History) -> None:
    with history.lake.catalog(history.lake.user) as catalog:
        assert "system" not in [one.name for one in catalog.list_catalogs()]
        with pytest.raises(PrivilegeMissing):
            catalog.get_table(TABLE, Privilege.SELECT)
    history.lake.grant(SecurableType.CATALOG, "system", "USE CATALOG")
    history.lake.grant(SecurableType.SCHEMA, "system.access", "USE SCHEMA")
    history.lake.grant(SecurableType.TABLE, TABLE, "SELECT", "MODIFY", "MANAGE")
    with history.lake.catalog(history.lake.user) as catalog:
        assert catalog.get_table(TABLE, Privilege.SELECT).full_name == TABLE
        with pytest.raises(ServersOwn):
            catalog.get_table(TABLE, Privilege.MODIFY)
        with pytest.raises(PrivilegeMissing):
            catalog.get_table("system.access.table_lineage", Privilege.SELECT)


CHANGES = {
    "modify": lambda catalog: catalog.get_table(TABLE, Privilege.MODIFY),
    "drop table": lambda catalog: catalog.delete_table(TABLE),
    "drop schema": lambda catalog: catalog.delete_container(SecurableType.SCHEMA, "system.access", force=True),
    "drop catalog": lambda catalog: catalog.delete_container(SecurableType.CATALOG, "system", force=True),
    "rename table": lambda catalog: catalog.rename(SecurableType.TABLE, TABLE, "other"),
    "rename schema": lambda catalog: catalog.rename(SecurableType.SCHEMA, "system.access", "other"),
    "rename catalog": lambda catalog: catalog.rename(SecurableType.CATALOG, "system", "other"),
    "owner": lambda catalog: catalog.update(SecurableType.TABLE, TABLE, owner="admin"),
    "comment": lambda catalog: catalog.update(SecurableType.CATALOG, "system", comment="x"),
    "create schema": lambda catalog: catalog.create_schema("system", "mine"),
    "create table": lambda catalog: catalog.staging_location("system", "access", "mine"),
    "create view": lambda catalog: catalog.create_view("system.query.mine", definition="SELECT 1", columns=[]),
    "row filter": lambda catalog: catalog.set_row_filter(TABLE, None),
    "tags": lambda catalog: catalog.change_tags(SecurableType.TABLE, TABLE, [TagChange("k", "v")]),
}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("change", sorted(CHANGES))
def test_not_even_an_admin_changes_them(history: History, change: str) -> None:
    with pytest.raises((ServersOwn, PrivilegeMissing)), history.lake.catalog() as catalog:
        CHANGES[change](catalog)
    with history.lake.catalog() as catalog:
        assert catalog.get_table(TABLE).owner == "admins"


def test_grants_can_be_given_seen_and_taken(history: History) -> None:
    history.lake.grant(SecurableType.TABLE, TABLE, "SELECT")
    with history.lake.catalog() as catalog:
        assert catalog.get_grants(SecurableType.TABLE, TABLE) == {"account users": [Privilege.SELECT]}
    with history.lake.catalog(history.lake.user) as catalog, pytest.raises(PrivilegeMissing):
        catalog.change_grants(SecurableType.TABLE, TABLE, [])


def test_other_names_are_not_the_servers(history: History) -> None:
    with history.lake.catalog() as catalog:
        catalog.create_schema("main", "system")
        catalog.create_catalog("systems")
        assert isinstance(catalog, CatalogService)
        catalog.delete_container(SecurableType.SCHEMA, "main.system")
        catalog.delete_container(SecurableType.CATALOG, "systems", force=True)


def test_over_rest(server: Server) -> None:
    admin = server.client()
    assert admin.get(f"{UC}/tables/{TABLE}").json()["storage_location"].endswith("/tables/system/access/audit")
    for method, path, body in (
        ("DELETE", f"{UC}/tables/{TABLE}", None),
        ("PATCH", f"{UC}/tables/{TABLE}", {"new_name": "x"}),
        ("PATCH", f"{UC}/tables/{TABLE}", {"owner": "admins"}),
        ("PATCH", f"{UC}/schemas/system.access", {"new_name": "x"}),
        ("DELETE", f"{UC}/catalogs/system?force=true", None),
        ("PATCH", f"{UC}/catalogs/system", {"comment": "x"}),
        ("POST", f"{UC}/schemas", {"name": "x", "catalog_name": "system"}),
        ("POST", f"{UC}/staging-tables", {"name": "x", "catalog_name": "system", "schema_name": "access"}),
    ):
        answer = admin.request(method, path, json=body)
        assert answer.status_code == 403, (method, path, answer.text)
    table_id = admin.get(f"{UC}/tables/{TABLE}").json()["table_id"]
    body = {"table_id": table_id, "operation": "READ_WRITE"}
    assert admin.post(f"{UC}/temporary-table-credentials", json=body).status_code in {400, 403}
    assert server.client("").get(f"{UC}/tables/{TABLE}").status_code == 401
    user = server.client(server.new_principal(f"sys-{id(admin)}@example.com"))
    assert user.get(f"{UC}/tables/{TABLE}").status_code == 403
    with contextlib.suppress(KeyError):
        assert "system" not in [one["name"] for one in user.get(f"{UC}/catalogs").json()["catalogs"]]
