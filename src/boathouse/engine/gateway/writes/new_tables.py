"""Creating and replacing tables: plain Delta at a location of the catalog, registered once the data is there.

Left alone, the engine would make tables whose commits only the catalog knows (other readers of Delta could not read them),
with columns that are not nullable wherever the query's are not, and could not replace one. So the gateway has it write to a
path, in one commit, and registers the table afterwards.
"""

import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from boathouse.catalog.api import Privilege, TableInfo
from boathouse.engine.catalog_access import CatalogAccess
from boathouse.engine.errors import TableAlreadyExists
from boathouse.engine.gateway.messages.protocol import local_relation, nullable_schema, proto
from boathouse.engine.gateway.messages.spark_types import Struct, from_message, names_in
from boathouse.engine.gateway.paths.guard import PathGuard, Use
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.writes.delta_target import load
from boathouse.engine.gateway.writes.ingest import option
from boathouse.engine.write_errors import WriteRefused
from boathouse.iam.api import Principal
from boathouse.storage.opening import opened
from boathouse.storage.paths import from_url, to_url
from boathouse.tables import api as tables
from boathouse.tables.api import STAGING

_DEFAULTS = "spark.databricks.delta.properties.defaults."


def set_properties(location: str, properties: Mapping[str, str]) -> None:
    """Set properties of a Delta table, in a commit of their own."""
    # Not through delta-rs: some properties need features that it would record in a way that the engine refuses.
    tables.set_properties(location, properties)


@dataclass(frozen=True)
class TableDraft:
    """A table as a statement wants it.

    Attributes:
        defaults: Properties that a new table has where it does not say otherwise.
        constraints: Its keys, in the wire form of Unity Catalog; None where a table that is replaced keeps those that it has.
    """

    name: tuple[str, str, str]
    partition_by: tuple[str, ...] = ()
    comment: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict[str, str])
    location: str | None = None
    cluster_by: tuple[str, ...] = ()
    defaults: Mapping[str, str] = field(default_factory=dict[str, str])
    constraints: tuple[Mapping[str, Any], ...] | None = None

    def __post_init__(self) -> None:
        """Refuse properties that the table cannot have before anything is made."""
        tables.check_new(self.properties)
        tables.check_new(self.defaults)

    @property
    def full_name(self) -> str:
        """The name in three parts."""
        return ".".join(self.name)


@dataclass(frozen=True)
class Target:
    """Where a draft is written.

    Attributes:
        draft: What is written.
        location: ``file:///`` URL.
        existing: The table that is replaced, or None for a new one.
        staged: Whether the location was handed out for this table.
        beside: Where the rows of a new table are written that has more to say of itself than the engine says, so that its first
            commit says all.
        is_new: Whether no table is there.
    """

    draft: TableDraft
    location: str
    existing: TableInfo | None
    staged: bool
    beside: Path | None = None
    is_new: bool = True

    @property
    def folder(self) -> str:
        """The path that the engine writes."""
        return str(self.beside or from_url(self.location))


def require_names(names: Iterable[str], draft: TableDraft, path: str | None = None) -> None:
    """Go on only with names of columns that a table can have.

    Args:
        names: The names, of fields inside of columns too.
        draft: The table as it is wanted.
        path: Where one may be already, whose properties it keeps.

    Raises:
        DeltaRefused: If one has characters in it for which a table has to map its columns, and it does not.
    """
    wanted, given = {**draft.defaults, **draft.properties}, list(names)
    try:
        tables.check_names(given, wanted)
    except tables.DeltaRefused:
        there = None if path is None or tables.MAPPING_MODE in wanted else load(path, path)
        if there is None:
            raise
        tables.check_names(given, there.configuration)


def default_properties(session: EngineSession) -> dict[str, str]:
    """The properties that the session's settings give to new tables."""
    found = session.settings(_DEFAULTS)
    return {f"delta.{key.removeprefix(_DEFAULTS)}": value for key, value in found.items()}


class TableWriter:
    """Prepares the creation and replacement of tables for one principal."""

    def __init__(self, access: CatalogAccess, principal: Principal, guard: PathGuard) -> None:
        self._access = access
        self._principal = principal
        self._guard = guard
        self._order: dict[str, tuple[str, ...]] = {}
        """Path -> the names of the columns of the rows that are written there, in their order: the engine puts those of partitions last."""

    def existing(self, name: tuple[str, str, str]) -> TableInfo | None:
        """The table of a name, if there is one."""
        return self._access.table(self._principal, ".".join(name))

    def target(self, draft: TableDraft, existing: TableInfo | None) -> Target:
        """Where to write.

        Raises:
            PermissionDenied: Without MODIFY on the table that is there, or CREATE TABLE on the schema.
        """
        if existing is not None:
            self._access.table(self._principal, existing.full_name, Privilege.MODIFY)
            return Target(draft, existing.storage_location, existing, staged=False, is_new=False)
        if draft.location is not None:
            location = to_url(from_url(self._guard.resolve(draft.location, Use.WRITE)))
        else:
            location = self._access.stage(self._principal, draft.name)
        return Target(draft, location, None, staged=draft.location is None, beside=_beside(draft, location))

    def at_path(self, draft: TableDraft, path: str) -> Target:
        """The same for a table that the catalog does not know, at a path that the principal may write."""
        location = to_url(Path(path))
        return Target(
            draft, location, None, staged=False, beside=_beside(draft, location), is_new=not tables.is_table(location)
        )

    def command(self, target: Target, rows: Any, session: EngineSession, options: Mapping[str, str]) -> Any:
        """The write command that puts rows at a target, schema and all."""
        return self.rows_to(target.folder, target.draft, rows, session, options)

    def rows_to(self, path: str, draft: TableDraft, rows: Any, session: EngineSession, options: Mapping[str, str]) -> Any:
        """The write command that makes a table at a path of rows."""
        write = proto().WriteOperation(source="delta", path=path)
        write.mode = proto().WriteOperation.SAVE_MODE_OVERWRITE
        schema = session.schema(rows)
        require_names(names_in(from_message(schema)), draft, path)
        write.input.CopyFrom(self._nullable(rows, schema))
        self.keep_order(path, draft, schema)
        partition_by: Sequence[str] = draft.partition_by
        write.partitioning_columns.extend(partition_by)
        write.options.update({key: value for key, value in options.items() if not key.lower().startswith("delta.")})
        write.options["overwriteSchema"] = "true"
        said = session.user_metadata
        if said is not None and option(options, "usermetadata") is None:
            write.options["userMetadata"] = said
        return write

    def keep_order(self, path: str, draft: TableDraft, schema: Any) -> None:
        """Have the columns of a table that is made at a path stand as those of its rows do.

        Args:
            path: Where it is written.
            draft: The table as it is wanted.
            schema: Of the rows, as a DataType message.

        Raises:
            WriteRefused: If it cannot be partitioned like that.
        """
        struct = from_message(schema) if draft.partition_by else None
        if isinstance(struct, Struct):
            _require_partitions(struct, draft.partition_by)
            self._order[path] = tuple(one.name for one in struct.fields)

    def put_in_order(self, path: str) -> None:
        """Have the columns of the table at a path stand in the order that was kept."""
        if path in self._order:
            tables.set_order(to_url(Path(path)), self._order[path], self._principal.name)

    def _nullable(self, rows: Any, given: Any) -> Any:
        schema, differs = nullable_schema(given)
        if not differs:
            return rows
        union = proto().Relation()
        union.set_op.left_input.CopyFrom(rows)
        union.set_op.right_input.CopyFrom(local_relation(schema.empty_table()))
        union.set_op.set_op_type = proto().SetOperation.SET_OP_TYPE_UNION
        union.set_op.is_all = True
        return union

    def finish(self, target: Target, *, describe: bool) -> None:
        """Register a new table, once its log says all of it; see ``complete``."""
        draft = target.draft
        self.complete(target, describe=describe)
        if target.existing is None:
            try:
                self._access.register(
                    self._principal,
                    draft.full_name,
                    target.location,
                    comment=draft.comment,
                    properties=dict(draft.properties),
                    constraints=draft.constraints or (),
                )
            except Exception as error:
                if getattr(error, "error_code", "") == "TABLE_ALREADY_EXISTS":
                    raise TableAlreadyExists(draft.full_name) from error
                raise
        elif draft.constraints is not None:
            self._access.replace_constraints(self._principal, target.existing.full_name, draft.constraints)

    def complete(self, target: Target, *, describe: bool) -> None:
        """Have a table's log say what the engine did not say of it.

        Args:
            target: What the engine has written.
            describe: Whether that is everything, or only what a statement that the engine has executed does not say.
        """
        if target.beside is not None:
            self._publish(target, target.beside, describe=describe)
        else:
            self._describe(target, describe=describe)

    def _publish(self, target: Target, beside: Path, *, describe: bool) -> None:
        """Make the new table of what was written beside it, in one commit."""
        draft = target.draft
        change = tables.setting(_wanted(draft, describe=describe))

        def work(edit: tables.Edit) -> None:
            change(edit)
            edit.description = draft.comment or edit.description
            tables.cluster(edit, draft.cluster_by)
            tables.put_in_order(edit, self._order.get(str(beside), ()))

        try:
            tables.publish_first(to_url(beside), target.location, work)
        finally:
            _remove(beside)

    def _describe(self, target: Target, *, describe: bool) -> None:
        """Put into a table's log what the write of its rows did not: properties, comment, clustering columns."""
        draft, location = target.draft, target.location
        self.put_in_order(target.folder)
        wanted = _wanted(draft, describe=describe) if target.is_new else dict(draft.properties if describe else {})
        if wanted:
            set_properties(location, wanted)
        if describe and draft.comment:
            opened(from_url(location)).alter.set_table_description(draft.comment)
        if draft.cluster_by or (not target.is_new and tables.replay(location).clustering()):
            tables.set_clustering(location, draft.cluster_by, self._principal.name)

    def undo(self, target: Target) -> None:
        """Remove what a failed creation left."""
        if target.staged:
            self._access.discard(target.location)
        elif target.beside is not None:
            _remove(target.beside)


def _require_partitions(struct: Struct, names: Sequence[str]) -> None:
    missing = next((name for name in names if struct.find(name) is None), None)
    if missing is not None:
        message = f"Partition column {missing} not found in schema. Please provide the existing column for partitioning: {', '.join(struct.names)}."
        raise WriteRefused("PARTITION_COLUMN_NOT_FOUND_IN_SCHEMA", message)
    if len({name.lower() for name in names}) == len(struct.fields):
        raise WriteRefused("ALL_PARTITION_COLUMNS_NOT_ALLOWED", "Cannot use all columns for partition columns.", "KD005")


def _beside(draft: TableDraft, location: str) -> Path | None:
    """Where a new table is written that has more to say of itself than the engine says, or None."""
    says_more = bool(draft.properties or draft.defaults or draft.comment or draft.cluster_by or draft.partition_by)
    return from_url(location) / STAGING / uuid.uuid4().hex if says_more and not tables.is_table(location) else None


def _wanted(draft: TableDraft, *, describe: bool) -> dict[str, str]:
    """The properties that a new table is to have besides those that the engine has given it."""
    given = draft.properties if describe else {}
    wanted = {key: value for key, value in draft.defaults.items() if key not in draft.properties} | dict(given)
    if wanted.get(tables.CHANGE_FEED, "").lower() == "true":
        wanted[tables.FEED_SINCE] = "0"
    return wanted


def _remove(beside: Path) -> None:
    """Remove what was written beside a table, and the folder for such if it is empty then."""
    shutil.rmtree(beside, ignore_errors=True)
    with suppress(OSError):
        beside.parent.rmdir()
