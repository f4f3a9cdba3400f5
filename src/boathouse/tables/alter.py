"""Changes of a table's metadata: each is one commit, worked out from the newest version."""

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from boathouse.tables import fields, properties
from boathouse.tables.errors import DeltaRefused
from boathouse.tables.log import Action, Operation, State, change

_WIDER_IN_PLACE = {("byte", "short"), ("byte", "integer"), ("short", "integer")}
"""Types that lie in the files the same way, so that a wider one reads what a narrower one wrote."""
KEPT_OUT = frozenset({"external", "location", "provider", "owner"})
"""Properties that say something the catalog decides."""


@dataclass(frozen=True)
class NewColumn:
    """A column to add: the path of what it goes into, its field, and its place."""

    parent: tuple[str, ...]
    field: fields.Field
    first: bool = False
    after: str | None = None

    @property
    def path(self) -> tuple[str, ...]:
        """Its own path."""
        return (*self.parent, self.field["name"])


@dataclass(frozen=True)
class ColumnChange:
    """What is to be different about a column; None stays.

    Attributes:
        path: The column.
        comment: New comment.
        kind: New type.
        nullable: Whether it may be null.
        default: SQL text of its new default; "" takes the default away.
        first: Whether it comes first.
        after: The column that it comes after.
    """

    path: tuple[str, ...]
    comment: str | None = None
    kind: Any = None
    nullable: bool | None = None
    default: str | None = None
    first: bool = False
    after: str | None = None


class Edit:
    """A table's metadata while it is changed."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.schema: dict[str, Any] = copy.deepcopy(state.schema)
        self.configuration = dict(state.configuration)
        self.description = state.metadata.get("description")
        self.partition_columns = list(state.partition_columns)
        self.protocol = state.protocol

    @property
    def columns(self) -> fields.Fields:
        """The columns themselves."""
        return self.schema["fields"]

    def need(self, *features: str) -> None:
        """Have the protocol name some features."""
        self.protocol = properties.with_features(self.protocol, features, self.configuration)

    def map_new_columns(self) -> None:
        """Give physical names to new columns, where the table maps its columns."""
        if self.configuration.get(properties.MAPPING_MODE, "none") != "none":
            following = int(self.configuration.get(properties.MAPPING_MAX, "0")) + 1
            following = fields.map_new(self.columns, following, fields.random_physical)
            self.configuration[properties.MAPPING_MAX] = str(following - 1)
        else:
            properties.check_names((field["name"] for field in fields.walk(self.schema)), self.configuration)

    def check_types(self) -> None:
        """Have the protocol name what the columns' types need."""
        if "timestamp_ntz" in set(fields.primitive_types(self.schema)):
            self.need("timestampNtz")

    def actions(self) -> list[Action] | None:
        """What is to be committed; None where nothing is different."""
        metadata = {
            **self.state.metadata,
            "description": self.description,
            "schemaString": fields.text(self.schema),
            "partitionColumns": self.partition_columns,
            "configuration": self.configuration,
        }
        found: list[Action] = []
        if self.protocol != self.state.protocol:
            found.append({"protocol": self.protocol})
        same = (
            self.schema == self.state.schema
            and self.configuration == self.state.configuration
            and self.description == self.state.metadata.get("description")
            and self.partition_columns == self.state.partition_columns
        )
        if not same:
            found.append({"metaData": metadata})
        return found or None


def alter(location: str, operation: Operation, work: Callable[[Edit], None]) -> State:
    """Change a table's metadata in one commit; none where nothing becomes different.

    Raises:
        CommitLost: If other writers were faster every time.
        DeltaRefused: If the table cannot be written here, or ``work`` says so.
    """

    def actions(state: State) -> Sequence[Action] | None:
        edit = Edit(state)
        work(edit)
        return edit.actions()

    return change(location, operation, actions)


# ------------------------------------------------------------------------------------------------------------- columns


def add_columns(location: str, columns: Sequence[NewColumn], user: str | None) -> None:
    """Add columns; rows that are there have null in them.

    Raises:
        DeltaRefused: If a column is there, may not be null or has a default, or its parent is no struct.
    """

    def work(edit: Edit) -> None:
        for column in columns:
            siblings = fields.struct_at(edit.schema, column.parent)
            name = column.field["name"]
            if fields.exists(siblings, name):
                message = f"Found duplicate column(s) in adding columns: {'.'.join(column.path)} is there already."
                raise DeltaRefused("DELTA_DUPLICATE_COLUMNS_FOUND", message)
            if not column.field["nullable"]:
                message = (
                    f"ADD COLUMN {'.'.join(column.path)} NOT NULL is not allowed: rows that are there have no value. Add it "
                    "without NOT NULL, fill it with UPDATE, then ALTER COLUMN ... SET NOT NULL."
                )
                raise DeltaRefused("DELTA_ADD_NOT_NULL_COLUMN", message)
            if fields.DEFAULT in column.field["metadata"]:
                message = (
                    f"Failed to add column {'.'.join(column.path)} with a DEFAULT, for rows that are there would not have it. "
                    "Add it without one, then ALTER COLUMN ... SET DEFAULT, and UPDATE the rows that are there."
                )
                raise DeltaRefused("WRONG_COLUMN_DEFAULTS_FOR_DELTA_ALTER_TABLE_ADD_COLUMN_NOT_SUPPORTED", message)
            fields.place(siblings, copy.deepcopy(column.field), column.after, first=column.first)
        edit.map_new_columns()
        edit.check_types()

    shown = str([{"column": one.field} for one in columns])
    alter(location, Operation("ADD COLUMNS", {"columns": shown}, user), work)


def require_mapping(edit: Edit, code: str, what: str) -> None:
    """Go on only if the table maps its columns' names.

    Raises:
        DeltaRefused: If it does not.
    """
    if edit.configuration.get(properties.MAPPING_MODE, "none") == "none":
        message = (
            f"{what} is not supported for your Delta table: it needs column mapping mode 'name', and the current mode is 'none'. "
            "Turn it on first: ALTER TABLE <table> SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')."
        )
        raise DeltaRefused(code, message)


def _uses(expression: str, name: str) -> bool:
    """Whether an expression names a column; texts in quotes are none."""
    bare = re.sub(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", "''", expression)
    return re.search(rf"(?<![\w]){re.escape(name)}(?![\w])", bare, re.IGNORECASE) is not None


def require_unused(edit: Edit, path: Sequence[str], doing: str) -> None:
    """Go on only if no constraint or generated column needs a column.

    Raises:
        DeltaRefused: If one does.
    """
    for key, expression in edit.configuration.items():
        if key.startswith(properties.CONSTRAINT) and _uses(expression, path[-1]):
            name = key.removeprefix(properties.CONSTRAINT)
            message = (
                f"Cannot {doing} column {'.'.join(path)} because this column is referenced by the check constraint {name} -> "
                f"{expression}. Drop the constraint first."
            )
            raise DeltaRefused("DELTA_CONSTRAINT_DEPENDENT_COLUMN_CHANGE", message)
    for field in edit.columns:
        expression = field["metadata"].get(fields.GENERATED)
        if expression is not None and _uses(expression, path[-1]):
            message = (
                f"Cannot {doing} column {'.'.join(path)} because this column is referenced by the generated column "
                f"{field['name']} -> {expression}."
            )
            raise DeltaRefused("DELTA_GENERATED_COLUMNS_DEPENDENT_COLUMN_CHANGE", message)


def rename_column(location: str, path: Sequence[str], new_name: str, user: str | None) -> None:
    """Rename a column; its name in the files stays.

    Raises:
        DeltaRefused: Without column mapping, or if the column is not there, is needed by a constraint, or the name is taken.
    """

    def work(edit: Edit) -> None:
        field = fields.field_at(edit.schema, path)
        require_mapping(edit, "DELTA_UNSUPPORTED_RENAME_COLUMN", "Column rename")
        require_unused(edit, path, "rename")
        siblings = fields.struct_at(edit.schema, path[:-1])
        if field["name"].lower() != new_name.lower() and fields.exists(siblings, new_name):
            message = f"Cannot rename {'.'.join(path)} to {new_name}: there is a column of that name."
            raise DeltaRefused("DELTA_DUPLICATE_COLUMNS_FOUND", message)
        if len(path) == 1:
            edit.partition_columns = [new_name if one == field["name"] else one for one in edit.partition_columns]
        field["name"] = new_name

    parameters = {"oldColumnPath": ".".join(path), "newColumnPath": ".".join([*path[:-1], new_name])}
    alter(location, Operation("RENAME COLUMN", parameters, user), work)


def drop_columns(location: str, paths: Sequence[Sequence[str]], user: str | None, *, if_exists: bool = False) -> None:
    """Drop columns; what the files hold of them is not read any more.

    Raises:
        DeltaRefused: Without column mapping, or if a column is not there, is one that the table is partitioned or clustered
            by, is needed by a constraint, or is the only one.
    """

    def work(edit: Edit) -> None:
        clustering = {name.split(".")[0] for name in edit.state.clustering()}
        for path in paths:
            siblings = fields.struct_at(edit.schema, path[:-1])
            if if_exists and not fields.exists(siblings, path[-1]):
                continue
            position = fields.index_of(siblings, path)
            require_mapping(edit, "DELTA_UNSUPPORTED_DROP_COLUMN", "DROP COLUMN")
            field = siblings[position]
            if len(path) == 1 and field["name"] in edit.partition_columns:
                message = f"Dropping partition columns ({field['name']}) is not allowed."
                raise DeltaRefused("DELTA_UNSUPPORTED_DROP_PARTITION_COLUMN", message)
            if len(path) == 1 and fields.physical_name(field) in clustering:
                message = f"Dropping clustering columns ({field['name']}) is not allowed."
                raise DeltaRefused("DELTA_UNSUPPORTED_DROP_CLUSTERING_COLUMN", message)
            require_unused(edit, path, "drop")
            if len(siblings) == 1:
                message = f"Cannot drop column {'.'.join(path)}: it is the only one of its table or struct."
                raise DeltaRefused("DELTA_DROP_COLUMN_ON_SINGLE_FIELD_SCHEMA", message)
            del siblings[position]

    alter(location, Operation("DROP COLUMNS", {"columns": str([".".join(path) for path in paths])}, user), work)


def change_columns(
    location: str,
    changes: Sequence[ColumnChange],
    user: str | None,
    *,
    no_nulls: Callable[[State, Sequence[str]], None],
) -> None:
    """Change columns.

    Args:
        location: The table.
        changes: What is to be different.
        user: Who changes it.
        no_nulls: Raises if the column of a path has null somewhere.

    Raises:
        DeltaRefused: If a column is not there, or cannot be changed so.
    """

    def work(edit: Edit) -> None:
        for one in changes:
            _change_column(edit, one, no_nulls)
        edit.check_types()

    shown = {"column": str([".".join(one.path) for one in changes])}
    alter(location, Operation("CHANGE COLUMN" if len(changes) == 1 else "CHANGE COLUMNS", shown, user), work)


def _change_column(edit: Edit, one: ColumnChange, no_nulls: Callable[[State, Sequence[str]], None]) -> None:
    siblings = fields.struct_at(edit.schema, one.path[:-1])
    field = siblings[fields.index_of(siblings, one.path)]
    metadata = field.setdefault("metadata", {})
    if one.comment is not None:
        metadata["comment"] = one.comment
    if one.kind is not None:
        field["type"] = wider(one.path, field["type"], one.kind)
    if one.nullable is True:
        field["nullable"] = True
    elif one.nullable is False and field["nullable"]:
        no_nulls(edit.state, one.path)
        field["nullable"] = False
    if one.default is not None:
        _set_default(edit, one, metadata)
    if one.first or one.after is not None:
        if len(one.path) == 1 and one.after is not None and one.after.lower() == field["name"].lower():
            raise fields.not_found((one.after,), [other for other in siblings if other is not field])
        siblings.remove(field)
        fields.place(siblings, field, one.after, first=one.first)


def _set_default(edit: Edit, one: ColumnChange, metadata: dict[str, Any]) -> None:
    if one.default == "":
        metadata.pop(fields.DEFAULT, None)
        return
    if fields.GENERATED in metadata or "delta.identity.start" in metadata:
        message = f"Column {'.'.join(one.path)} is generated, so it cannot have a DEFAULT."
        raise DeltaRefused("DELTA_UNSUPPORTED_ALTER_TABLE_CHANGE_COL_OP", message)
    if "allowColumnDefaults" not in edit.state.writer_features:
        message = (
            "Failed to execute the command because it assigned a column DEFAULT value, but the corresponding table feature was "
            "not enabled. Enable it first: ALTER TABLE <table> SET TBLPROPERTIES('delta.feature.allowColumnDefaults' = 'supported')."
        )
        raise DeltaRefused("WRONG_COLUMN_DEFAULTS_FOR_DELTA_FEATURE_NOT_ENABLED", message)
    metadata[fields.DEFAULT] = one.default


def wider(path: Sequence[str], before: Any, after: Any) -> Any:
    """The type that a column gets, if the values that are there can be read as such.

    Raises:
        DeltaRefused: If they cannot.
    """
    if before == after:
        return before
    if isinstance(before, str) and isinstance(after, str) and (before, after) in _WIDER_IN_PLACE:
        return after
    shown = [kind if isinstance(kind, str) else kind["type"] for kind in (before, after)]
    message = (
        f"ALTER TABLE CHANGE COLUMN is not supported for changing column {'.'.join(path)} from {shown[0]} to {shown[1]}. A byte "
        "can become a short or an integer, a short an integer; other changes would need Delta's type widening, which delta-rs "
        "does not read. Rewrite the table with CREATE OR REPLACE TABLE ... AS and a query that casts."
    )
    raise DeltaRefused("DELTA_UNSUPPORTED_ALTER_TABLE_CHANGE_COL_OP", message)


# ---------------------------------------------------------------------------------------------------------- properties


def set_properties(location: str, values: Mapping[str, str], user: str | None = None) -> None:
    """Set table properties, with the features of the protocol that they need.

    Raises:
        DeltaRefused: If one is unknown, cannot have the value, or needs a feature that is not supported.
    """
    work = setting(values)
    alter(location, Operation("SET TBLPROPERTIES", {"properties": str(dict(values))}, user), work)


def setting(values: Mapping[str, str]) -> Callable[[Edit], None]:
    """What sets table properties, with the features of the protocol that they need.

    Raises:
        DeltaRefused: If one is unknown, cannot have the value, or needs a feature that is not supported.
    """
    reserved = sorted(KEPT_OUT & values.keys())
    if reserved:
        message = f"The table property {reserved[0]} is reserved: use the ALTER TABLE statement for it (SET OWNER TO, ...)."
        raise DeltaRefused("UNSUPPORTED_FEATURE.SET_TABLE_PROPERTY", message)
    properties.check(values)
    wanted = properties.features_of(values)

    def work(edit: Edit) -> None:
        edit.protocol = properties.with_versions(edit.protocol, values)
        edit.need(*wanted)
        for key, value in values.items():
            if key == "comment":
                edit.description = value
            elif key == properties.MAPPING_MODE:
                before = edit.configuration.get(key, "none")
                properties.enable_mapping(edit.schema, edit.configuration, value, before)
            elif key == properties.CHANGE_FEED and "changeDataFeed" not in edit.state.writer_features:
                edit.configuration[properties.OWN_CHANGE_FEED] = value.lower()
                if value.lower() != "true":
                    edit.configuration.pop(properties.FEED_SINCE, None)
            elif not key.startswith((properties.FEATURE, "delta.minReaderVersion", "delta.minWriterVersion")):
                edit.configuration[key] = value

    return work


def unset_properties(location: str, keys: Sequence[str], user: str | None = None, *, if_exists: bool = False) -> None:
    """Take table properties away.

    Raises:
        DeltaRefused: If one is not set, unless ``if_exists``; if column mapping would have to go.
    """

    def work(edit: Edit) -> None:
        for key in keys:
            real = properties.OWN_CHANGE_FEED if key == properties.CHANGE_FEED and key not in edit.configuration else key
            if key == "comment":
                edit.description = None
            elif real in {properties.MAPPING_MODE, properties.MAPPING_MAX} or real.startswith(properties.CONSTRAINT):
                message = f"Cannot unset {key}. A constraint is dropped with ALTER TABLE DROP CONSTRAINT; column mapping stays."
                raise DeltaRefused("DELTA_CANNOT_UNSET_TABLE_PROPERTY", message)
            elif real in edit.configuration:
                del edit.configuration[real]
                if real == properties.OWN_CHANGE_FEED:
                    edit.configuration.pop(properties.FEED_SINCE, None)
            elif not if_exists:
                message = f"Attempted to unset non-existent property '{key}' in the table. Write UNSET TBLPROPERTIES IF EXISTS."
                raise DeltaRefused("DELTA_UNSET_NON_EXISTENT_PROPERTY", message)

    parameters = {"properties": str(list(keys)), "ifExists": str(if_exists).lower()}
    alter(location, Operation("UNSET TBLPROPERTIES", parameters, user), work)


def set_description(location: str, text: str | None, user: str | None = None) -> None:
    """Set a table's comment."""

    def work(edit: Edit) -> None:
        edit.description = text

    alter(location, Operation("SET TBLPROPERTIES", {"properties": str({"comment": text})}, user), work)
