"""A lake of an earlier version is brought to this one."""

from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from boathouse.catalog.search import search
from boathouse.db import Database
from boathouse.db.database import MIGRATIONS, sqlite_url
from boathouse.storage.layout import Layout
from tests.catalog.lake import Lake, principal
from tests.postgres import create_database

ROW = """
INSERT INTO securables (id, parent_id, type, name, full_name, owner, comment, properties, kind, format, location, columns,
                        created_at, created_by, updated_at, updated_by)
VALUES (:id, :parent, :type, :name, :full_name, 'admin', :comment, '{}', :kind, NULL, NULL, :columns, 1, 'admin', 1, 'admin')
"""


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_what_was_there_is_found(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url = sqlite_url(tmp_path / "m.db") if backend == "sqlite" else create_database(request.getfixturevalue("postgres_url"))
    database = Database(url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    # A plain engine, as the earlier version did not count changes.
    with create_engine(database.engine.url).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        above: str | None = None
        for kind, name in (("metastore", "metastore"), ("catalog", "main"), ("schema", "main.s"), ("table", "main.s.t_1")):
            values = {"id": kind, "parent": above, "type": kind, "name": name.rsplit(".", 1)[-1], "full_name": name}
            columns = '[{"name": "Order_ID"}]' if kind == "table" else "[]"
            more = {"comment": "of old" if kind == "table" else None, "kind": "MANAGED" if kind == "table" else None}
            connection.execute(text(ROW), values | more | {"columns": columns})
            above = kind
    database.migrate()
    lake = Lake(database, Layout(tmp_path), principal("admin", is_admin=True), principal("a"), principal("b"))
    with lake.catalog() as catalog:
        assert [(hit.full_name, hit.rank) for hit in search(catalog, "order id")] == [("main.s.t_1", 4)]
        assert [hit.full_name for hit in search(catalog, "of old")] == ["main.s.t_1"]
        assert catalog.get_table("main.s.t_1").constraints == ()
    database.dispose()
