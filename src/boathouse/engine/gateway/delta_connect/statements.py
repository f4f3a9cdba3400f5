"""The SQL that says what a message of delta-spark's client says."""

from collections.abc import Iterable, Mapping
from typing import Any

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.delta_connect.messages import as_data_type, as_expression, kind_of
from boathouse.engine.gateway.messages.spark_types import from_message, sql
from boathouse.engine.gateway.sql.expression_text import expression_text
from boathouse.engine.gateway.sql.path_names import looks_absolute
from boathouse.engine.gateway.sql.tokens import literal, parts_of, quote, read_name, tokenize

_MODES = {1: "CREATE TABLE", 2: "CREATE TABLE IF NOT EXISTS", 3: "REPLACE TABLE", 4: "CREATE OR REPLACE TABLE"}


def name_of(table: Any) -> str:
    """A table as SQL names it."""
    if table.HasField("path"):
        return f"delta.{quote([table.path.path])}"
    parts, _ = read_name(tokenize(table.table_or_view_name), 0)
    return quote(parts)


def restore(message: Any) -> str:
    """RESTORE TABLE."""
    at = f"VERSION AS OF {message.version}" if message.HasField("version") else f"TIMESTAMP AS OF {literal(message.timestamp)}"
    return f"RESTORE TABLE {name_of(message.table)} TO {at}"


def optimize(message: Any) -> str:
    """OPTIMIZE."""
    where = " AND ".join(f"({one})" for one in message.partition_filters)
    columns = ", ".join(quote(parts_of(one)) for one in message.zorder_columns)
    text = f"OPTIMIZE {name_of(message.table)}"
    return text + (f" WHERE {where}" if where else "") + (f" ZORDER BY ({columns})" if columns else "")


def convert(message: Any) -> str:
    """CONVERT TO DELTA."""
    text = f"CONVERT TO DELTA {message.identifier}"
    if message.HasField("partition_schema_string"):
        return f"{text} PARTITIONED BY ({message.partition_schema_string})"
    if message.HasField("partition_schema_struct"):
        columns = as_data_type(message.partition_schema_struct).struct.fields
        listed = ", ".join(f"{quote([one.name])} {sql(from_message(one.data_type))}" for one in columns)
        return f"{text} PARTITIONED BY ({listed})"
    return text


def delete(message: Any, target: str, aliases: Mapping[int, str]) -> str:
    """DELETE FROM."""
    text = f"DELETE FROM {target}"  # noqa: S608 - quoted, and governed like the client's own text
    return f"{text} WHERE {_text(message.condition, aliases)}" if message.HasField("condition") else text


def update(message: Any, target: str, aliases: Mapping[int, str]) -> str:
    """UPDATE."""
    text = f"UPDATE {target} SET {_assigned(message.assignments, aliases)}"  # noqa: S608 - as above
    return f"{text} WHERE {_text(message.condition, aliases)}" if message.HasField("condition") else text


def merge(message: Any, target: str, source: str, aliases: Mapping[int, str]) -> str:
    """MERGE INTO."""
    clauses = [_clause("MATCHED", one, aliases) for one in message.matched_actions]
    clauses += [_clause("NOT MATCHED", one, aliases) for one in message.not_matched_actions]
    clauses += [_clause("NOT MATCHED BY SOURCE", one, aliases) for one in message.not_matched_by_source_actions]
    if not clauses:
        text = "merge needs at least one of whenMatched, whenNotMatched and whenNotMatchedBySource before execute()."
        raise StatementRefused(text)
    evolution = "WITH SCHEMA EVOLUTION " if message.with_schema_evolution else ""
    condition = _text(message.condition, aliases)
    return f"MERGE {evolution}INTO {target} USING {source} ON {condition} {' '.join(clauses)}"


def _clause(when: str, action: Any, aliases: Mapping[int, str]) -> str:
    also = f" AND {_text(action.condition, aliases)}" if action.HasField("condition") else ""
    kind = next((field.name for field, _ in action.ListFields() if field.name != "condition"), "")
    match kind:
        case "delete_action":
            does = "DELETE"
        case "update_action":
            assigned = _assigned(action.update_action.assignments, aliases)
            does = f"UPDATE SET {assigned}"
        case "update_star_action":
            does = "UPDATE SET *"
        case "insert_star_action":
            does = "INSERT *"
        case _:
            given = action.insert_action.assignments
            columns = ", ".join(quote(_field_of(one)[-1:]) for one in given)
            values = ", ".join(_text(one.value, aliases) for one in given)
            does = f"INSERT ({columns}) VALUES ({values})"  # noqa: S608 - quoted, and governed like the client's own text
    return f"WHEN {when}{also} THEN {does}"


def merge_frame(command: Any, source: str, aliases: Mapping[int, str]) -> str:
    """MERGE INTO, of a DataFrame's mergeInto."""
    clauses = [_frame_clause("MATCHED", one.merge_action, aliases) for one in command.match_actions]
    clauses += [_frame_clause("NOT MATCHED", one.merge_action, aliases) for one in command.not_matched_actions]
    by_source = command.not_matched_by_source_actions
    clauses += [_frame_clause("NOT MATCHED BY SOURCE", one.merge_action, aliases) for one in by_source]
    evolution = "WITH SCHEMA EVOLUTION " if command.with_schema_evolution else ""
    target = quote(parts_of(command.target_table_name))
    condition = expression_text(command.merge_condition, aliases)
    return f"MERGE {evolution}INTO {target} USING {source} ON {condition} {' '.join(clauses)}"


def _frame_clause(when: str, action: Any, aliases: Mapping[int, str]) -> str:
    also = f" AND {expression_text(action.condition, aliases)}" if action.HasField("condition") else ""
    pairs = [(_column_of(one.key), expression_text(one.value, aliases)) for one in action.assignments]
    match action.action_type:
        case action.ACTION_TYPE_DELETE:
            does = "DELETE"
        case action.ACTION_TYPE_UPDATE_STAR:
            does = "UPDATE SET *"
        case action.ACTION_TYPE_INSERT_STAR:
            does = "INSERT *"
        case action.ACTION_TYPE_UPDATE:
            does = "UPDATE SET " + ", ".join(f"{quote(column)} = {value}" for column, value in pairs)
        case _:
            columns, values = ", ".join(quote(column[-1:]) for column, _ in pairs), ", ".join(value for _, value in pairs)
            does = f"INSERT ({columns}) VALUES ({values})"  # noqa: S608 - quoted, and governed like the client's own text
    return f"WHEN {when}{also} THEN {does}"


def _field_of(assignment: Any) -> tuple[str, ...]:
    return _column_of(as_expression(assignment.field))


def _column_of(expression: Any) -> tuple[str, ...]:
    if expression.WhichOneof("expr_type") != "unresolved_attribute":
        return parts_of(expression_text(expression).strip("()"))
    return parts_of(expression.unresolved_attribute.unparsed_identifier)


def _assigned(assignments: Iterable[Any], aliases: Mapping[int, str]) -> str:
    return ", ".join(f"{quote(_field_of(one))} = {_text(one.value, aliases)}" for one in assignments)


def _text(expression: Any, aliases: Mapping[int, str]) -> str:
    return expression_text(as_expression(expression), aliases)


def command(message: Any) -> str:
    """The statement of a DeltaCommand.

    Raises:
        StatementRefused: If there is none for it.
    """
    kind = kind_of(message)
    inner: Any = getattr(message, kind) if kind else None
    match kind:
        case "vacuum_table":
            hours = f" RETAIN {inner.retention_hours:g} HOURS" if inner.HasField("retention_hours") else ""
            return f"VACUUM {name_of(inner.table)}{hours}"
        case "clone_table":
            return _clone(inner)
        case "create_delta_table":
            return _create(inner)
        case "upgrade_table_protocol":
            versions = {"delta.minReaderVersion": inner.reader_version, "delta.minWriterVersion": inner.writer_version}
            return f"ALTER TABLE {name_of(inner.table)} SET TBLPROPERTIES ({_properties(versions.items())})"
        case "add_feature_support":
            feature = {f"delta.feature.{inner.feature_name}": "supported"}
            return f"ALTER TABLE {name_of(inner.table)} SET TBLPROPERTIES ({_properties(feature.items())})"
        case "drop_feature_support":
            history = " TRUNCATE HISTORY" if inner.truncate_history else ""
            return f"ALTER TABLE {name_of(inner.table)} DROP FEATURE {quote([inner.feature_name])}{history}"
        case "generate":
            return f"GENERATE {quote([inner.mode])} FOR TABLE {name_of(inner.table)}"
        case _:
            text = f"DeltaTable.{kind or 'this call'} is not supported."
            raise StatementRefused(text)


def _clone(message: Any) -> str:
    verb = "CREATE OR REPLACE TABLE" if message.replace else "CREATE TABLE"
    depth = "SHALLOW" if message.is_shallow else "DEEP"
    target = f"delta.{quote([message.target])}" if looks_absolute(message.target) else quote(parts_of(message.target))
    text = f"{verb} {target} {depth} CLONE {name_of(message.table)}"
    if message.HasField("version"):
        text += f" VERSION AS OF {message.version}"
    elif message.HasField("timestamp"):
        text += f" TIMESTAMP AS OF {literal(message.timestamp)}"
    pairs = [(one.key, one.value) for one in message.properties]
    return f"{text} TBLPROPERTIES ({_properties(pairs)})" if pairs else text


def _create(message: Any) -> str:
    verb = _MODES.get(message.mode, "CREATE TABLE")
    name = quote(parts_of(message.table_name)) if message.HasField("table_name") else f"delta.{quote([message.location])}"
    text = f"{verb} {name}"
    if message.columns:
        text += f" ({', '.join(_column(one) for one in message.columns)})"
    text += " USING delta"
    if message.clustering_columns:
        text += f" CLUSTER BY ({', '.join(quote(parts_of(one)) for one in message.clustering_columns)})"
    if message.partitioning_columns:
        text += f" PARTITIONED BY ({', '.join(quote([one]) for one in message.partitioning_columns)})"
    if message.HasField("comment"):
        text += f" COMMENT {literal(message.comment)}"
    if message.HasField("location") and message.HasField("table_name"):
        text += f" LOCATION {literal(message.location)}"
    pairs = [(one.key, one.value) for one in message.properties]
    return f"{text} TBLPROPERTIES ({_properties(pairs)})" if pairs else text


def _column(column: Any) -> str:
    text = f"{quote([column.name])} {sql(from_message(as_data_type(column.data_type)))}"
    if not column.nullable:
        text += " NOT NULL"
    if column.HasField("generated_always_as"):
        text += f" GENERATED ALWAYS AS ({column.generated_always_as})"
    if column.HasField("identity_info"):
        identity = column.identity_info
        how = "BY DEFAULT" if identity.allow_explicit_insert else "ALWAYS"
        text += f" GENERATED {how} AS IDENTITY (START WITH {identity.start} INCREMENT BY {identity.step})"
    if column.HasField("comment"):
        text += f" COMMENT {literal(column.comment)}"
    return text


def _properties(pairs: Iterable[tuple[str, Any]]) -> str:
    return ", ".join(f"{literal(key)} = {literal(str(value))}" for key, value in pairs)
