"""From the tables that a run says it has read to the model version that came out of it."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import structlog

from boathouse.catalog.api import CatalogService, Privilege, TableInfo
from boathouse.db.database import Database
from boathouse.errors import BoathouseError
from boathouse.features.api import FeatureSpec
from boathouse.history.api import AssetRef, Entity, LineageRecord, Recorder, TableRef
from boathouse.kit.clock import now_ms
from boathouse.kit.ids import new_id
from boathouse.registry.context import acting_principal
from boathouse.registry.sources import versions_in
from boathouse.storage.layout import Layout
from boathouse.storage.paths import from_url
from boathouse.tables.api import hold_log

log = structlog.stdlib.get_logger(__name__)


class ModelLineage:
    """Records what a model version was trained on, and has it kept.

    Args:
        database: The metadata database.
        layout: The lake's folders.
        recorder: Takes the lineage.
    """

    def __init__(self, database: Database, layout: Layout, recorder: Recorder) -> None:
        self._database = database
        self._layout = layout
        self._recorder = recorder

    def trained(
        self, model: str, version: str, run_id: str | None, sources: Iterable[str], spec: FeatureSpec | None = None
    ) -> None:
        """Record a version's tables, those of its run's dataset inputs and of its look-ups that the principal may read, and its functions.

        Args:
            model: Full name of the model.
            version: Number of the version.
            run_id: The run that it came from.
            sources: What MLflow's datasets say of where they are from, in JSON.
            spec: What the model is fed with, if it says that.
        """
        texts = list(sources)
        with self._database.session() as session:
            catalog = CatalogService(session, acting_principal(), self._layout)
            found = [table for source in texts if (table := _table(catalog, source)) is not None]
            known = [] if spec is None else [(one, _named(catalog, one.table)) for one in spec.lookups]
            lookups = [(table, one.table_version) for one, table in known if table is not None]
            found += [table for table, _ in lookups]
            functions = [] if spec is None else [AssetRef(kind="FUNCTION", name=one.udf.lower()) for one in spec.functions]
            pinned = [(table, one) for name, one in versions_in(texts) if (table := _named(catalog, name)) is not None]
            # A training set that lies in a table of its own was made from them all the same.
            pinned += [
                (table, one) for table, one in lookups if one is not None and (table.full_name, one) not in _keys(pinned)
            ]
        self._pin(model, int(version), pinned)
        versions = {table.full_name: one for table, one in pinned}
        if found or functions:
            self._recorder.lineage(
                LineageRecord(
                    sources=tuple(dict.fromkeys(_ref(table, versions.get(table.full_name)) for table in found)),
                    asked=tuple(dict.fromkeys(functions)),
                    principal=acting_principal().name,
                    principal_id=acting_principal().id,
                    time_ms=now_ms(),
                    statement_id=new_id(),
                    entity=Entity(type="MODEL_VERSION", id=f"{model}/{version}", run_id=run_id),
                )
            )

    def released(self, model: str, version: str) -> None:
        """A version is gone: VACUUM need not keep for it what it was trained on."""
        with self._database.session(write=True) as session:
            CatalogService(session, acting_principal(), self._layout).release(model, int(version))

    def _pin(self, model: str, version: int, tables: Sequence[tuple[TableInfo, int]]) -> None:
        """Have VACUUM keep what a version was trained on, and the tables' writers the log that tells of it."""
        held = [(table, one) for table, one in tables if table.data_source_format == "DELTA"]
        if not held:
            return
        with self._database.session(write=True) as session:
            catalog = CatalogService(session, acting_principal(), self._layout)
            new = catalog.pin(model, version, [(table.id, table.full_name, one) for table, one in held])
        for table in {table.full_name: table for table, _ in held if table.full_name in new}.values():
            try:
                hold_log(table.storage_location, acting_principal().name)
            except (BoathouseError, OSError) as error:
                # The version is registered all the same, and VACUUM keeps the files.
                log.warning("registry.log_not_held", table=table.full_name, error=str(error))


def _keys(tables: Iterable[tuple[TableInfo, int]]) -> set[tuple[str, int]]:
    return {(table.full_name, version) for table, version in tables}


def _named(catalog: CatalogService, name: str) -> TableInfo | None:
    """A table that the principal may read."""
    try:
        return catalog.get_table(name, Privilege.SELECT)
    except BoathouseError:
        return None


def _ref(table: TableInfo, version: int | None) -> TableRef:
    kind = "VIEW" if table.is_view else "TABLE"
    return TableRef(full_name=table.full_name, path=table.storage_location or None, kind=kind, version=version)


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
