"""SHOW CREATE TABLE: the statement that would make the same table or view."""

from typing import Any

import pyarrow as pa

from boathouse.catalog.api import Privilege, TableInfo
from boathouse.engine.gateway.answers.asked import Asked
from boathouse.engine.gateway.answers.grammar import Grammar
from boathouse.engine.gateway.answers.registry import answers
from boathouse.engine.gateway.messages.spark_types import from_json, sql
from boathouse.engine.gateway.sql.tokens import literal, quote
from boathouse.tables.api import State, clustering_columns, replay, shown


@answers("SHOW CREATE TABLE", "SHOW CREATE VIEW")
def show_create(words: Grammar, asked: Asked) -> pa.Table | None:
    """``SHOW CREATE TABLE table [AS SERDE]``."""
    ref = words.table()
    if words.accept("AS"):
        words.expect("SERDE")
    words.end()
    if ref.path is None and len(ref.parts) == 1 and asked.session.is_temporary(ref.parts[0]):
        return None
    if ref.path is not None:
        place = asked.delta(ref, Privilege.SELECT, "SHOW CREATE TABLE")
        text = _delta(f"delta.{quote([ref.path])}", replay(place.location), place.table, location=None)
    else:
        table = asked.table(ref.parts, Privilege.SELECT)
        name = quote(table.full_name.split("."))
        if table.is_view:
            text = _view(name, table)
        elif table.data_source_format != "DELTA":
            text = _other(name, table)
        else:
            place = asked.delta(ref, Privilege.SELECT, "SHOW CREATE TABLE")
            location = table.storage_location if table.table_type == "EXTERNAL" else None
            text = _delta(name, replay(place.location), table, location=location)
    return pa.table({"createtab_stmt": pa.array([text], pa.string())})


def _view(name: str, table: TableInfo) -> str:
    listed = ",\n".join(f"  {quote([one['name']])}{_comment(one.get('comment'))}" for one in table.columns)
    lines = [f"CREATE VIEW {name} (\n{listed})"]
    if table.comment:
        lines.append(f"COMMENT {literal(table.comment)}")
    if table.properties:
        lines.append(_properties(table.properties))
    return "\n".join([*lines, f"AS {table.view_definition}"]) + "\n"


def _other(name: str, table: TableInfo) -> str:
    listed = ",\n".join(
        f"  {quote([one['name']])} {one['type_text'].upper()}{_comment(one.get('comment'))}" for one in table.columns
    )
    lines = [f"CREATE TABLE {name}" + (f" (\n{listed})" if listed else "")]
    lines.append(f"USING {table.data_source_format.lower()}")
    if table.table_type == "EXTERNAL":
        lines.append(f"LOCATION {literal(table.storage_location)}")
    return "\n".join(lines) + "\n"


def _delta(name: str, state: State, table: TableInfo | None, *, location: str | None) -> str:
    columns = [f"  {_column(field)}" for field in state.schema["fields"]]
    columns += [f"  {_key(one)}" for one in (() if table is None else table.constraints) if "named_table_constraint" not in one]
    lines = [f"CREATE TABLE {name} (\n" + ",\n".join(columns) + ")", "USING delta"]
    if state.partition_columns:
        lines.append(f"PARTITIONED BY ({', '.join(quote([one]) for one in state.partition_columns)})")
    clusters = clustering_columns(state)
    if clusters:
        lines.append(f"CLUSTER BY ({', '.join(quote([one]) for one in clusters)})")
    comment = state.metadata.get("description") or (table.comment if table is not None else None)
    if comment:
        lines.append(f"COMMENT {literal(comment)}")
    if location is not None:
        lines.append(f"LOCATION {literal(location)}")
    properties = {
        key: value
        for key, value in shown(state.configuration).items()
        if key not in {"delta.columnMapping.maxColumnId", "boathouse.clusteringColumns"}
        and not key.startswith("delta.constraints.")
    }
    properties |= {
        "delta.minReaderVersion": str(state.protocol["minReaderVersion"]),
        "delta.minWriterVersion": str(state.protocol["minWriterVersion"]),
    }
    if "writerFeatures" in state.protocol:
        properties |= {f"delta.feature.{one}": "supported" for one in state.writer_features | state.reader_features}
    lines.append(_properties(properties))
    checks = [
        f"-- ALTER TABLE {name} ADD CONSTRAINT {quote([key.removeprefix('delta.constraints.')])} CHECK ({value})"
        for key, value in sorted(state.configuration.items())
        if key.startswith("delta.constraints.")
    ]
    return "\n".join([*lines, *checks]) + "\n"


def _column(field: dict[str, Any]) -> str:
    metadata: dict[str, Any] = field.get("metadata") or {}
    text = f"{quote([field['name']])} {sql(from_json(field['type']))}"
    if not field["nullable"]:
        text += " NOT NULL"
    if "delta.generationExpression" in metadata:
        text += f" GENERATED ALWAYS AS ({metadata['delta.generationExpression']})"
    if "delta.identity.start" in metadata:
        how = "BY DEFAULT" if metadata.get("delta.identity.allowExplicitInsert") else "ALWAYS"
        start, step = metadata["delta.identity.start"], metadata.get("delta.identity.step", 1)
        text += f" GENERATED {how} AS IDENTITY (START WITH {start} INCREMENT BY {step})"
    if "CURRENT_DEFAULT" in metadata:
        text += f" DEFAULT {metadata['CURRENT_DEFAULT']}"
    return text + _comment(metadata.get("comment"))


def _comment(text: str | None) -> str:
    return f" COMMENT {literal(text)}" if text else ""


def _key(one: dict[str, Any]) -> str:
    kind, value = next(iter(one.items()))
    times = {name.lower() for name in value.get("timeseries_columns", ())}
    columns = ", ".join(quote([name]) + (" TIMESERIES" if name.lower() in times else "") for name in value["child_columns"])
    text = f"CONSTRAINT {quote([value['name']])} "
    if kind == "primary_key_constraint":
        return f"{text}PRIMARY KEY ({columns})"
    parents = ", ".join(quote([name]) for name in value["parent_columns"])
    return f"{text}FOREIGN KEY ({columns}) REFERENCES {quote(value['parent_table'].split('.'))} ({parents})"


def _properties(properties: dict[str, str]) -> str:
    pairs = ",\n".join(f"  {literal(key)} = {literal(value)}" for key, value in sorted(properties.items()))
    return f"TBLPROPERTIES (\n{pairs})"
