"""Owners and grants when a principal goes or is renamed."""

from boathouse.catalog.api import CatalogReferences, SecurableType
from boathouse.iam.api import ACCOUNT_USERS
from tests.catalog.lake import Lake

TABLE = SecurableType.TABLE


def test_a_new_name_is_followed(lake: Lake) -> None:
    for name in ("t", "gone"):
        lake.table(name)
        lake.grant(TABLE, f"main.default.{name}", "SELECT")
    with lake.catalog() as catalog:
        catalog.delete_table("main.default.gone")
        catalog.update(TABLE, "main.default.t", owner=ACCOUNT_USERS)
    with lake.database.session(write=True) as session:
        CatalogReferences().renamed(session, ACCOUNT_USERS, "everybody")
    with lake.catalog() as catalog:
        assert catalog.get_table("main.default.t").owner == "everybody"
        catalog.undrop_table("main.default.gone")
        assert list(catalog.get_grants(TABLE, "main.default.gone")) == ["everybody"]
        assert list(catalog.get_grants(TABLE, "main.default.t")) == ["everybody"]
    with lake.database.session() as session:
        assert CatalogReferences().held_by(session, "everybody") == ["table main.default.t"]


def test_nobody_inherits_the_grants_of_who_went(lake: Lake) -> None:
    for name in ("t", "gone"):
        lake.table(name)
        lake.grant(TABLE, f"main.default.{name}", "SELECT")
    with lake.catalog() as catalog:
        catalog.delete_table("main.default.gone")
    with lake.database.session(write=True) as session:
        CatalogReferences().deleted(session, ACCOUNT_USERS)
    with lake.catalog() as catalog:
        catalog.undrop_table("main.default.gone")
        for name in ("t", "gone"):
            assert catalog.get_grants(TABLE, f"main.default.{name}") == {}
