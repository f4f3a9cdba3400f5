"""From the tables that a run says it has read to the model version that came out of it."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from boathouse.catalog.api import CatalogService, Privilege, TableInfo
from boathouse.db.database import Database
from boathouse.errors import BoathouseError
from boathouse.history.api import Entity, LineageRecord, Recorder, TableRef
from boathouse.kit.clock import now_ms
from boathouse.kit.ids import new_id
from boathouse.registry.context import acting_principal
from boathouse.storage.layout import Layout
from boathouse.storage.paths import from_url


class ModelLineage:
    """Records what a model version was trained on.

    Args:
        database: The metadata database.
        layout: The lake's folders.
        recorder: Takes the lineage.
    """

    def __init__(self, database: Database, layout: Layout, recorder: Recorder) -> None:
        self._database = database
        self._layout = layout
        self._recorder = recorder

    def trained(self, model: str, version: str, run_id: str | None, sources: Iterable[str]) -> None:
        """Record a version's tables: those of its run's dataset inputs that the principal may read.

        Args:
            model: Full name of the model.
            version: Number of the version.
            run_id: The run that it came from.
            sources: What MLflow's datasets say of where they are from, in JSON.
        """
        with self._database.session() as session:
            catalog = CatalogService(session, acting_principal(), self._layout)
            found = [table for source in sources if (table := _table(catalog, source)) is not None]
        if found:
            self._recorder.lineage(
                LineageRecord(
                    sources=tuple(dict.fromkeys(map(_ref, found))),
                    principal=acting_principal().name,
                    principal_id=acting_principal().id,
                    time_ms=now_ms(),
                    statement_id=new_id(),
                    entity=Entity(type="MODEL_VERSION", id=f"{model}/{version}", run_id=run_id),
                )
            )


def _ref(table: TableInfo) -> TableRef:
    kind = "VIEW" if table.is_view else "TABLE"
    return TableRef(full_name=table.full_name, path=table.storage_location or None, kind=kind)


def _table(catalog: CatalogService, source: str) -> TableInfo | None:
    """The table that a dataset is from; None where it is from elsewhere, or not the principal's to read."""
    try:
        told: Any = json.loads(source)
    except ValueError:
        return None
    if not isinstance(told, dict):
        return None
    name, path = told.get("delta_table_name") or told.get("table_name"), told.get("path")
    try:
        if name is None and isinstance(path, str) and path.startswith(("/", "file:")):
            there = catalog.table_at(Path(from_url(path)))
            name = None if there is None else there.full_name
        return catalog.get_table(name, Privilege.SELECT) if isinstance(name, str) else None
    except BoathouseError:
        return None
