"""The system tables as securables, made once."""

from boathouse.catalog.api import CatalogService, SecurableType
from boathouse.db import Database
from boathouse.history.repository import WRITING, HistoryRepository
from boathouse.history.system_tables import CATALOG, SCHEMAS, TABLES, SystemTable
from boathouse.iam.api import ADMINS, Principal
from boathouse.storage.layout import Layout
from boathouse.storage.paths import to_url


def install(database: Database, layout: Layout, admin: Principal) -> None:
    """Make what is missing of the catalog ``system`` and of its Delta tables. They belong to the group of the admins.

    Args:
        database: The metadata database.
        layout: The lake's folders.
        admin: In whose name.
    """
    for table in TABLES.values():
        _make_delta(table, layout)
    with database.session(write=True) as session:
        HistoryRepository(session).lock(WRITING)
        _register(CatalogService(session, admin, layout), layout)


def _make_delta(table: SystemTable, layout: Layout) -> None:
    from deltalake import DeltaTable  # noqa: PLC0415 - a start that finds the table does not pay for it

    path = table.path(layout)
    if not (path / "_delta_log").is_dir():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        DeltaTable.create(
            path,
            table.columns,
            mode="ignore",
            partition_by=list(table.partition_by),
            description=table.comment,
            configuration={"delta.appendOnly": "true", "delta.checkpointInterval": "50"},
        )


def _register(catalog: CatalogService, layout: Layout) -> None:
    root = catalog.find_row(SecurableType.METASTORE, "metastore")
    system = catalog.rows.find(SecurableType.CATALOG, CATALOG)
    if system is None:
        system = catalog.new_row(SecurableType.CATALOG, root, CATALOG, comment="What the server itself records")
        system.owner = ADMINS
    for name, comment in SCHEMAS.items():
        schema = catalog.rows.find(SecurableType.SCHEMA, f"{CATALOG}.{name}")
        if schema is None:
            schema = catalog.new_row(SecurableType.SCHEMA, system, name, comment=comment)
            schema.owner = ADMINS
        for table in TABLES.values():
            if table.schema_name == name and catalog.rows.find(SecurableType.TABLE, table.full_name) is None:
                row = catalog.new_row(
                    SecurableType.TABLE,
                    schema,
                    table.name,
                    kind="EXTERNAL",
                    format="DELTA",
                    location=to_url(table.path(layout)),
                    comment=table.comment,
                )
                row.owner = ADMINS
                catalog.record_columns(table.full_name)
