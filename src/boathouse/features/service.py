"""The rules: who may publish what where, and what a served model may look up."""

import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
from sqlalchemy.orm import Session

from boathouse.catalog.api import (
    FEATURE_SPEC,
    CatalogService,
    InvalidName,
    Privilege,
    SecurableExists,
    SecurableNotFound,
    SecurableType,
)
from boathouse.errors import BoathouseError, InvalidParameterValue, PermissionDenied
from boathouse.features.errors import (
    FeatureSpecInvalid,
    OnlineStoreExists,
    OnlineStoreNotEmpty,
    OnlineStoreNotFound,
    OnlineStoreUnavailable,
    OnlineStoreUnreachable,
    OnlineTableNotFound,
    OnlineTableOfOther,
)
from boathouse.features.functions import FunctionSource
from boathouse.features.models import OnlineStoreRow, OnlineTableRow
from boathouse.features.online import OnlineRow, OnlineTarget, RowPlace
from boathouse.features.online_places import Place, ping, place_of, target
from boathouse.features.repository import FeatureRepository
from boathouse.features.source import Source
from boathouse.features.spec import FeatureSpec
from boathouse.iam.api import Principal
from boathouse.kit.clock import now_ms
from boathouse.kit.ids import new_id
from boathouse.storage.layout import Layout

CAPACITIES = ("CU_1", "CU_2", "CU_4", "CU_8")
CONTINUOUS = "CONTINUOUS"
MODES = ("SNAPSHOT", "TRIGGERED", CONTINUOUS)


@dataclass(frozen=True)
class OnlineTable:
    """A published table: where it is read, what it is fed from, and how far."""

    id: str
    full_name: str
    store: str
    source_table: str
    source_version: int
    rows: int
    place: Place


def require_store(layout: Layout, name: str) -> None:
    """Go on only if the online store that is to have a name answers.

    Raises:
        OnlineStoreUnreachable: If it does not.
    """
    try:
        ping(layout, name)
    except OnlineStoreUnavailable as error:
        raise OnlineStoreUnreachable(name, error, "Nothing was made of") from None


def available(layout: Layout, names: Sequence[str]) -> list[bool]:
    """For each of some stores whether it answers; all are asked at the same time, and not waited for longer than for one."""

    def answers(name: str) -> bool:
        try:
            ping(layout, name)
        except OnlineStoreUnavailable:
            return False
        return True

    waited_for = [name for name in names if name in layout.online_stores]
    with ThreadPoolExecutor(max(1, len(waited_for)), thread_name_prefix="online-store") as threads:
        told = dict(zip(waited_for, threads.map(answers, waited_for), strict=True))
    return [told.get(name, True) for name in names]


class FeatureService:
    """Online stores and tables for one principal in one transaction.

    Args:
        session: The transaction.
        principal: Who asks.
        layout: The lake's folders.
    """

    def __init__(self, session: Session, principal: Principal, layout: Layout) -> None:
        self._rows = FeatureRepository(session)
        self._principal = principal
        self._layout = layout
        self._catalog = CatalogService(session, principal, layout)

    # ---- stores

    def create_store(
        self, name: str, capacity: str, read_replica_count: int = 0, usage_policy_id: str | None = None
    ) -> OnlineStoreRow:
        """Make an online store."""
        _check_capacity(capacity)
        if not name or "/" in name:
            raise InvalidName(name, "an online store's name is not empty and has no slash.")
        if self._rows.store(name) is not None:
            raise OnlineStoreExists(name)
        row = OnlineStoreRow(
            name=name,
            capacity=capacity,
            read_replica_count=read_replica_count,
            usage_policy_id=usage_policy_id,
            creator=self._principal.name,
            created_at=now_ms(),
        )
        self._rows.add(row)
        return row

    def get_store(self, name: str) -> OnlineStoreRow:
        """A store; everybody may know of it."""
        row = self._rows.store(name)
        if row is None:
            raise OnlineStoreNotFound(name)
        return row

    def list_stores(self, after: str, limit: int) -> list[OnlineStoreRow]:
        """Stores by name."""
        return self._rows.stores(after, limit)

    def update_store(self, name: str, *, capacity: str | None, read_replica_count: int | None) -> OnlineStoreRow:
        """Change a store's capacity or replicas, which one machine only takes note of. Its creator or an admin may."""
        row = self._own_store(name)
        if capacity is not None:
            _check_capacity(capacity)
            row.capacity = capacity
        if read_replica_count is not None:
            row.read_replica_count = read_replica_count
        return row

    def delete_store(self, name: str) -> None:
        """Delete an empty store. Its creator or an admin may."""
        row = self._own_store(name)
        tables = [table.full_name for table in self._rows.tables_of(name)]
        if tables:
            raise OnlineStoreNotEmpty(name, tables)
        self._rows.remove(row)

    def _own_store(self, name: str) -> OnlineStoreRow:
        row = self.get_store(name)
        self._require_own(row.creator, f"the online store '{name}'")
        return row

    def _require_own(self, owner: str, what: str) -> None:
        if not self._principal.is_admin and owner != self._principal.name:
            message = f"User '{self._principal.name}' may not change {what}: its owner '{owner}' or an admin may."
            raise PermissionDenied(message)

    # ---- tables

    def prepare_publish(self, source_table: str, store: str, online_table: str, mode: str) -> Source:
        """Check that the principal may publish a table under a name; nothing is written.

        Raises:
            PrivilegeMissing: Without SELECT on the source, or CREATE TABLE on the schema of a new online table.
            KeysUndeclared: If the source's table properties do not say its keys.
            OnlineTableOfOther: If the online table is fed from another source.
        """
        if mode not in MODES:
            message = f"publish_mode '{mode}' is not valid. Valid: {', '.join(MODES)}."
            raise InvalidParameterValue(message, field="publish_mode")
        self.get_store(store)
        info = self._catalog.get_readable_table(source_table)
        parts = online_table.split(".")
        if len(parts) != 3 or not all(parts):
            raise InvalidName(online_table, "an online table is named catalog.schema.table.")
        known = self._rows.table(online_table)
        if known is None:
            self._catalog.container_of(online_table, Privilege.CREATE_TABLE)
            try:
                self._catalog.find_row(SecurableType.TABLE, online_table)
            except SecurableNotFound:
                pass
            else:
                raise SecurableExists(SecurableType.TABLE, online_table)
        else:
            self._require_own(known.owner, f"the online table '{known.full_name}'")
            if known.source_table != info.full_name or known.store != store:
                raise OnlineTableOfOther(known.full_name, known.source_table, known.store)
        return Source(info)

    def location_of(self, source_table: str) -> str:
        """Where a table lies that the principal may read whole."""
        return self._catalog.get_readable_table(source_table).storage_location

    def record_publish(self, source: Source, store: str, online_table: str, mode: str, rows: int) -> OnlineTableRow:
        """Note what was published."""
        now, row = now_ms(), self._rows.table(online_table)
        if row is None:
            row = OnlineTableRow(
                full_name=online_table.lower(),
                id=new_id(),
                store=store,
                source_table=source.info.full_name,
                publish_mode=mode,
                source_version=source.version,
                rows=rows,
                owner=self._principal.name,
                created_at=now,
                updated_at=now,
            )
            self._rows.add(row)
        row.publish_mode, row.source_version, row.rows, row.updated_at = mode, source.version, rows, now
        return row

    def delete_table(self, full_name: str) -> None:
        """Delete an online table. Its owner or an admin may; the file goes once the transaction is committed."""
        row = self._rows.table(full_name)
        if row is None:
            raise OnlineTableNotFound(full_name)
        self._require_own(row.owner, f"the online table '{full_name}'")
        self._rows.remove(row)
        self._catalog.after_commit(target(place_of(self._layout, row.store, row.full_name)).delete)

    def require_table(self, full_name: str) -> OnlineTable:
        """An online table that the principal may read: it owns it, or has SELECT on its source.

        Raises:
            OnlineTableNotFound: If it was not published.
            PrivilegeMissing: Without SELECT on the source table.
        """
        row = self._rows.table(full_name)
        if row is None:
            raise OnlineTableNotFound(full_name)
        if row.owner != self._principal.name:
            self._catalog.get_readable_table(row.source_table)
        place = place_of(self._layout, row.store, row.full_name, reading=True)
        return OnlineTable(row.id, row.full_name, row.store, row.source_table, row.source_version, row.rows, place)

    def online_table(self, table: str, online_table: str | None) -> OnlineTable:
        """The online table in which a look-up finds the rows of a feature table.

        Args:
            table: The feature table.
            online_table: The one that the look-up names; else ``{table}_online`` if that is published, or any other that is fed from the table.

        Raises:
            OnlineTableNotFound: If it was not published.
            PrivilegeMissing: Without SELECT on the source table.
        """
        if online_table is not None:
            return self.require_table(online_table)
        usual = f"{table}_online".lower()
        names = [row.full_name for row in self._rows.tables_of_source(table.lower())]
        return self.require_table(usual if usual in names or not names else names[0])

    # ---- feature specs

    def require_spec(self, full_name: str) -> FeatureSpec:
        """A feature spec of the catalog that the principal may execute.

        Raises:
            SecurableNotFound: If there is no function of this name.
            PrivilegeMissing: Without EXECUTE on it.
            FeatureSpecInvalid: If it is another function, or not valid.
        """
        info = self._catalog.get_function(full_name)
        if info.language != FEATURE_SPEC:
            raise FeatureSpecInvalid(info.full_name, f"is a function in {info.language}, and no feature spec.")
        try:
            return FeatureSpec.parse(json.loads(info.body))
        except ValueError as error:
            raise FeatureSpecInvalid(info.full_name, f"is not JSON: {error}") from None

    def function_sources(self, names: Sequence[str]) -> list[FunctionSource]:
        """Functions that features are computed by and the principal may execute.

        Raises:
            SecurableNotFound: If one does not exist.
            PrivilegeMissing: Without EXECUTE on one.
            FeatureSpecInvalid: If one is not in Python.
        """
        return [FunctionSource.of(self._catalog.get_function(name)) for name in names]


@dataclass(frozen=True)
class Sync:
    """How an online table was brought to a version.

    Attributes:
        rows: How many rows it holds now.
        how: ``SNAPSHOT`` (all rows), ``APPENDED`` (those that were added) or ``CHANGES`` (those that the change feed tells).
        why: What made it a snapshot where that was not asked for; empty otherwise.
    """

    rows: int
    how: str
    why: str = ""


def publish_rows(source: Source, writer: OnlineTarget, mode: str, work: Path) -> Sync:
    """Bring an online table to a version of its source, at once.

    TRIGGERED and CONTINUOUS take what was appended since the last publish, or where something else happened what the source's change
    feed tells; a source without one, and one that is another since, is read whole, as with SNAPSHOT.

    Args:
        source: The version.
        writer: The online table.
        mode: The publish mode.
        work: A folder for the change feed's files.
    """
    meta, why = source.meta(), ""
    known = None if mode == "SNAPSHOT" else writer.meta()
    if known is not None:
        if replace(known, source_version=meta.source_version) != meta or known.source_version > meta.source_version:
            why = "its columns or keys have changed"
        elif (increment := source.read_since(known.source_version)) is not None:
            return Sync(writer.write(meta, source.rows(increment), replace=False), "APPENDED")
        else:
            try:
                changed = source.changes_since(known.source_version, work)
            except BoathouseError as error:
                why = f"its change feed cannot be read: {error.message}"
            else:
                return Sync(_apply(source, writer, changed), "CHANGES")
    return Sync(writer.write(meta, source.rows(source.read_all()), replace=True), "SNAPSHOT", why)


def _apply(source: Source, writer: OnlineTarget, changed: Iterable[tuple[bool, pa.Table]]) -> int:
    """Write what has become of each row that changed."""
    last: dict[RowPlace, OnlineRow | None] = {}
    for is_there, rows in changed:
        for row in source.rows(rows):
            last[row[:3]] = row if is_there else None
    gone = [place for place, row in last.items() if row is None]
    return writer.write(source.meta(), (row for row in last.values() if row is not None), replace=False, gone=gone)


def _check_capacity(capacity: str) -> None:
    if capacity not in CAPACITIES:
        message = f"capacity '{capacity}' is not valid. Valid: {', '.join(CAPACITIES)}."
        raise InvalidParameterValue(message, field="capacity")
