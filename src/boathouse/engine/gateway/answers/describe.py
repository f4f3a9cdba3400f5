"""DESCRIBE: history, detail, columns; catalogs, schemas, volumes and functions."""

import datetime as dt
import json
import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from boathouse.catalog.api import Privilege, SecurableInfo, SecurableType, TableInfo
from boathouse.engine.gateway.answers.asked import Asked, Place
from boathouse.engine.gateway.answers.grammar import Grammar
from boathouse.engine.gateway.answers.registry import answers
from boathouse.history.api import Author, Entity
from boathouse.tables.api import DeltaRefused, Entry, State, clustering_columns, entries, replay, require_sound, shown

TIME = pa.timestamp("us", tz="UTC")
TEXTS = pa.map_(pa.string(), pa.string())
_JOB = [("jobId", pa.string()), ("jobName", pa.string()), ("runId", pa.string()), ("jobOwnerId", pa.string())]
_HISTORY = pa.schema(
    [
        ("version", pa.int64()),
        ("timestamp", TIME),
        ("userId", pa.string()),
        ("userName", pa.string()),
        ("operation", pa.string()),
        ("operationParameters", TEXTS),
        ("job", pa.struct([*_JOB, ("triggerType", pa.string())])),
        ("notebook", pa.struct([("notebookId", pa.string())])),
        ("clusterId", pa.string()),
        ("readVersion", pa.int64()),
        ("isolationLevel", pa.string()),
        ("isBlindAppend", pa.bool_()),
        ("operationMetrics", TEXTS),
        ("userMetadata", pa.string()),
        ("engineInfo", pa.string()),
    ]
)
_DETAIL = pa.schema(
    [
        ("format", pa.string()),
        ("id", pa.string()),
        ("name", pa.string()),
        ("description", pa.string()),
        ("location", pa.string()),
        ("createdAt", TIME),
        ("lastModified", TIME),
        ("partitionColumns", pa.list_(pa.string())),
        ("clusteringColumns", pa.list_(pa.string())),
        ("numFiles", pa.int64()),
        ("sizeInBytes", pa.int64()),
        ("properties", TEXTS),
        ("minReaderVersion", pa.int32()),
        ("minWriterVersion", pa.int32()),
        ("tableFeatures", pa.list_(pa.string())),
    ]
)
_COLUMNS = pa.schema([("col_name", pa.string()), ("data_type", pa.string()), ("comment", pa.string())])
_PAIRS = ("info_name", "info_value")
_SQL_TYPES = {
    "int32": "int",
    "int64": "bigint",
    "bool": "boolean",
    "float": "float",
    "double": "double",
    "TimestampType": "timestamp",
}
"""Arrow's names of types -> SQL's, where they differ."""


def moment(milliseconds: int | None) -> dt.datetime | None:
    """A time of the API as a value of Arrow."""
    return None if milliseconds is None else dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC)


def date_text(milliseconds: int) -> str:
    """A time of the API as Spark's descriptions write it."""
    return f"{dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC):%a %b %d %H:%M:%S UTC %Y}"


# --------------------------------------------------------------------------------------------------------------- Delta


@answers("DESCRIBE HISTORY", "DESC HISTORY")
def history(words: Grammar, asked: Asked) -> pa.Table:
    """``DESCRIBE HISTORY table [LIMIT n]``."""
    ref = words.table()
    limit = words.integer("a number of versions") if words.accept("LIMIT") else None
    words.end()
    place = asked.delta(ref, Privilege.SELECT, "DESCRIBE HISTORY")
    found = _as_of(place, asked) if asked.session.reading.as_of else entries(place.location, limit)
    found = found[:limit]
    known = asked.access.authors(place.location, found[-1].version) if found else {}
    rows = [_entry(one, known.get((one.version, one.timestamp))) for one in found]
    table = place.table
    if table is not None and table.has_policy and not asked.access.manages(asked.principal, table):
        # Predicates have values in them, and counts tell how many rows are hidden.
        rows = [row | {"operationParameters": None, "operationMetrics": None} for row in rows]
    return pa.Table.from_pylist(rows, schema=_HISTORY)


def _as_of(place: Place, asked: Asked) -> list[Entry]:
    """Where tables are read as a run did, a table has the versions that it had then: whoever asks for its newest reads that one."""
    last = None if place.table is None else asked.session.reading.fixed.get(place.table.full_name)
    return [one for one in entries(place.location, None) if last is None or one.version <= last]


def _entry(one: Entry, author: Author | None) -> dict[str, Any]:
    info: dict[str, Any] = dict(one.info)
    parameters: dict[str, Any] = info.get("operationParameters") or {}
    metrics: dict[str, Any] = info.get("operationMetrics") or {}
    read = info.get("readVersion")
    entity = None if author is None else author.entity
    return {
        "version": one.version,
        "timestamp": moment(one.timestamp),
        "userId": info.get("userId") or (author.principal_id if author is not None else None),
        "userName": info.get("userName") or (author.principal if author is not None else None),
        "operation": info.get("operation"),
        "operationParameters": [(key, _text(value)) for key, value in parameters.items()],
        "job": _job(entity) if entity is not None and entity.type == "JOB" else info.get("job"),
        "notebook": _notebook(entity) if entity is not None and entity.type == "NOTEBOOK" else info.get("notebook"),
        "clusterId": info.get("clusterId"),
        "readVersion": one.version - 1 if read is None and one.version else read,
        "isolationLevel": info.get("isolationLevel") or "Serializable",
        "isBlindAppend": info.get("isBlindAppend"),
        "operationMetrics": [(_delta_name(key), _text(value)) for key, value in metrics.items()],
        "userMetadata": info.get("userMetadata"),
        "engineInfo": info.get("engineInfo") or info.get("clientVersion"),
    }


def _job(entity: Entity) -> dict[str, str | None]:
    return {"jobId": entity.id, "runId": entity.run_id}


def _notebook(entity: Entity) -> dict[str, str | None]:
    return {"notebookId": entity.id}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _delta_name(key: str) -> str:
    """delta-rs' ``num_added_files`` under Delta's name, ``numAddedFiles``."""
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), key)


@answers("DESCRIBE DETAIL", "DESC DETAIL")
def detail(words: Grammar, asked: Asked) -> pa.Table:
    """``DESCRIBE DETAIL table``."""
    ref = words.table()
    words.end()
    place = asked.delta(ref, Privilege.SELECT, "DESCRIBE DETAIL")
    state = replay(place.location)
    last = entries(place.location, 1)
    row = {
        "format": "delta",
        "id": state.metadata["id"],
        "name": None if place.table is None else place.table.full_name,
        "description": state.metadata.get("description") or (place.table.comment if place.table else None),
        "location": place.location,
        "createdAt": moment(state.metadata.get("createdTime") or (place.table.created_at if place.table else None)),
        "lastModified": moment(last[0].timestamp),
        "partitionColumns": list(state.partition_columns),
        "clusteringColumns": clustering_columns(state),
        "numFiles": len(state.files),
        "sizeInBytes": state.size_bytes,
        "properties": sorted(shown(state.configuration).items()),
        "minReaderVersion": state.protocol["minReaderVersion"],
        "minWriterVersion": state.protocol["minWriterVersion"],
        "tableFeatures": sorted(state.writer_features | state.reader_features),
    }
    return pa.Table.from_pylist([row], schema=_DETAIL)


# ------------------------------------------------------------------------------------------------------------- columns


@answers("DESCRIBE", "DESC", "DESCRIBE TABLE", "DESC TABLE")
def columns(words: Grammar, asked: Asked) -> pa.Table | None:
    """``DESCRIBE [TABLE] [EXTENDED | FORMATTED] table [column] [AS JSON]``."""
    extended = words.accept_one("EXTENDED", "FORMATTED") is not None
    if not _names_table(words):
        return None
    ref = words.table()
    if ref.path is not None or (len(ref.parts) == 1 and asked.session.is_temporary(ref.parts[0])):
        return None
    if len(ref.parts) > 3:
        return None
    full = asked.full_name(ref.parts).split(".")
    if asked.access.is_virtual(asked.principal, full):
        words.end()
        return _of_virtual(asked.access.virtual(asked.principal, full))
    table = asked.table(ref.parts, Privilege.SELECT)
    if _names_column(words):
        column = words.name()
        words.end()
        return _one_column(table, column)
    as_json = words.accept("AS", "JSON")
    words.end()
    state: State | None = None
    if table.data_source_format == "DELTA" and table.storage_location:
        require_sound(table.storage_location)
        state = replay(table.storage_location)
    if as_json:
        text = json.dumps(_json(table, state))
        return pa.table({"json_metadata": pa.array([text], pa.string())})
    rows = _rows(table)
    partitions = [column for column in table.columns if column.get("partition_index") is not None]
    if partitions:
        rows += [("# Partition Information", "", ""), ("# col_name", "data_type", "comment")]
        rows += [_column(column) for column in sorted(partitions, key=lambda one: one["partition_index"])]
    if extended:
        rows += [("", "", ""), ("# Detailed Table Information", "", "")]
        rows += [(key, value, "") for key, value in _information(table, state)]
    return pa.Table.from_pylist([dict(zip(_COLUMNS.names, row, strict=True)) for row in rows], schema=_COLUMNS)


def _of_virtual(rows: pa.Table | None) -> pa.Table:
    """The columns of a relation that has no files, such as one of information_schema."""
    fields = () if rows is None else rows.schema
    described = [
        (field.name, _SQL_TYPES.get(str(field.type), _SQL_TYPES.get(type(field.type).__name__, str(field.type))), None)
        for field in fields
    ]
    return pa.Table.from_pylist([dict(zip(_COLUMNS.names, row, strict=True)) for row in described], schema=_COLUMNS)


def _names_table(words: Grammar) -> bool:
    """Whether a table comes next, not a query."""
    first = words.here
    return first is not None and not first.is_word("QUERY", "SELECT", "WITH", "VALUES", "FROM") and not first.is_mark("(")


def _names_column(words: Grammar) -> bool:
    """Whether the name of a column comes next."""
    return words.here is not None and words.here.is_identifier and not words.sees("AS", "JSON")


def _rows(table: TableInfo) -> list[tuple[str, str, str | None]]:
    return [_column(column) for column in table.columns]


def _column(column: dict[str, Any]) -> tuple[str, str, str | None]:
    return column["name"], column["type_text"], column.get("comment")


def _one_column(table: TableInfo, name: Sequence[str]) -> pa.Table:
    found = next((one for one in table.columns if one["name"].lower() == name[-1].lower()), None)
    if found is None:
        valid = ", ".join(one["name"] for one in table.columns)
        raise DeltaRefused(
            "UNRESOLVED_COLUMN.WITH_SUGGESTION", f"`{name[-1]}` is no column of {table.full_name}. Columns: {valid}."
        )
    pairs = [("col_name", found["name"]), ("data_type", found["type_text"]), ("comment", found.get("comment") or "NULL")]
    return pairs_table(pairs)


def pairs_table(pairs: Sequence[tuple[str, str | None]], names: tuple[str, str] = _PAIRS) -> pa.Table:
    """Names and values as rows."""
    return pa.table(
        {
            names[0]: pa.array([key for key, _ in pairs], pa.string()),
            names[1]: pa.array([value for _, value in pairs], pa.string()),
        }
    )


def _information(table: TableInfo, state: State | None) -> list[tuple[str, str]]:
    catalog, schema, name = table.full_name.split(".")
    found = [
        ("Catalog", catalog),
        ("Database", schema),
        ("Table", name),
        ("Owner", table.owner),
        ("Created Time", date_text(table.created_at)),
        ("Last Access", "UNKNOWN"),
        ("Created By", table.created_by),
        ("Type", table.table_type),
    ]
    if table.comment or (state is not None and state.metadata.get("description")):
        found.append(("Comment", str((state and state.metadata.get("description")) or table.comment)))
    if table.is_view:
        return [*found, ("View Text", table.view_definition or "")]
    found += [("Location", table.storage_location), ("Provider", table.data_source_format.lower())]
    found.append(("Is_managed_location", str(table.table_type == "MANAGED").lower()))
    properties = shown(state.configuration) if state is not None else dict(table.properties)
    if state is not None:
        properties |= {
            "delta.minReaderVersion": str(state.protocol["minReaderVersion"]),
            "delta.minWriterVersion": str(state.protocol["minWriterVersion"]),
        }
    pairs = ",".join(f"{key}={value}" for key, value in sorted(properties.items()))
    found.append(("Table Properties", f"[{pairs}]"))
    if table.row_filter is not None:
        found.append(("Row Filter", f"{table.row_filter.function_name} ON ({', '.join(table.row_filter.using)})"))
    if table.constraints:
        found.append(("", ""))
        found.append(("# Constraints", ""))
        found += [_constraint(one) for one in table.constraints]
    if table.column_masks:
        found.append(("# Column Masks", ""))
        found += [(column, mask.function_name) for column, mask in table.column_masks.items()]
    if table.tags:
        found.append(("# Tags", ""))
        found += sorted(table.tags.items())
    return found


def _constraint(one: dict[str, Any]) -> tuple[str, str]:
    kind, value = next(iter(one.items()))
    columns_ = ", ".join(f"`{name}`" for name in value.get("child_columns", ()))
    match kind:
        case "primary_key_constraint":
            times = {name.lower() for name in value.get("timeseries_columns", ())}
            listed = ", ".join(
                f"`{name}`{' TIMESERIES' if name.lower() in times else ''}" for name in value.get("child_columns", ())
            )
            return value["name"], f"PRIMARY KEY ({listed})"
        case "foreign_key_constraint":
            parents = ", ".join(f"`{name}`" for name in value.get("parent_columns", ()))
            return value["name"], f"FOREIGN KEY ({columns_}) REFERENCES {value['parent_table']} ({parents})"
        case _:
            return value["name"], "CONSTRAINT"


def _json(table: TableInfo, state: State | None) -> dict[str, Any]:
    """The form of ``DESCRIBE ... AS JSON``; a column's type is that of a Delta log."""
    catalog, schema, name = table.full_name.split(".")
    columns_ = [
        {
            "name": column["name"],
            "type": {"name": column["type_text"]},
            "nullable": column.get("nullable", True),
            **({"comment": column["comment"]} if column.get("comment") else {}),
        }
        for column in table.columns
    ]
    found: dict[str, Any] = {
        "table_name": name,
        "catalog_name": catalog,
        "namespace": [schema],
        "schema_name": schema,
        "columns": columns_,
        "owner": table.owner,
        "created_time": f"{moment(table.created_at):%Y-%m-%dT%H:%M:%SZ}",
        "created_by": table.created_by,
        "type": table.table_type,
    }
    if table.comment:
        found["comment"] = table.comment
    if table.is_view:
        return found | {"view_text": table.view_definition}
    found |= {"location": table.storage_location, "provider": table.data_source_format.lower()}
    if state is not None:
        found |= {"table_properties": shown(state.configuration), "partition_columns": state.partition_columns}
    return found


# ---------------------------------------------------------------------------------------------------- other securables


@answers("DESCRIBE CATALOG", "DESC CATALOG")
def catalog(words: Grammar, asked: Asked) -> pa.Table:
    """``DESCRIBE CATALOG [EXTENDED] catalog``."""
    extended = words.accept("EXTENDED")
    name = words.name("the name of a catalog")
    words.end()
    with asked.catalog() as service:
        info = service.get_container(SecurableType.CATALOG, asked.full_name(name, SecurableType.CATALOG))
    return pairs_table([("Catalog Name", info.name), *_common(info, extended=extended)])


@answers("DESCRIBE SCHEMA", "DESC SCHEMA", "DESCRIBE DATABASE", "DESC DATABASE", "DESCRIBE NAMESPACE", "DESC NAMESPACE")
def schema(words: Grammar, asked: Asked) -> pa.Table:
    """``DESCRIBE SCHEMA [EXTENDED] schema``."""
    extended = words.accept("EXTENDED")
    name = words.name("the name of a schema")
    words.end()
    with asked.catalog() as service:
        info = service.get_container(SecurableType.SCHEMA, asked.full_name(name, SecurableType.SCHEMA))
    location = (asked.access.layout.tables / info.catalog_name / info.name).as_uri()
    pairs = [("Catalog Name", info.catalog_name), ("Namespace Name", info.name), *_common(info, extended=False)]
    pairs.append(("Location", location))
    if extended:
        pairs.append(("Properties", str(tuple(sorted(info.properties.items()))) if info.properties else ""))
    return pairs_table(pairs, ("database_description_item", "database_description_value"))


@answers("DESCRIBE VOLUME", "DESC VOLUME")
def volume(words: Grammar, asked: Asked) -> pa.Table:
    """``DESCRIBE VOLUME volume``."""
    name = words.name("the name of a volume")
    words.end()
    with asked.catalog() as service:
        info = service.get_volume(asked.full_name(name, SecurableType.VOLUME))
    catalog_name, schema_name, short = info.full_name.split(".")
    fields = {
        "name": short,
        "catalog": catalog_name,
        "database": schema_name,
        "owner": info.owner,
        "storageLocation": info.storage_location,
        "volumeType": info.volume_type,
        "comment": info.comment,
    }
    return pa.table({key: pa.array([value], pa.string()) for key, value in fields.items()})


def _common(info: SecurableInfo, *, extended: bool) -> list[tuple[str, str | None]]:
    pairs: list[tuple[str, str | None]] = [("Comment", info.comment or ""), ("Owner", info.owner)]
    if extended:
        pairs += [("Created By", info.created_by), ("Created At", date_text(info.created_at))]
        pairs += [("Updated By", info.updated_by), ("Updated At", date_text(info.updated_at))]
    return pairs


@answers("DESCRIBE FUNCTION", "DESC FUNCTION")
def function(words: Grammar, asked: Asked) -> pa.Table | None:
    """``DESCRIBE FUNCTION [EXTENDED] function``; one of the engine's own is described by the engine."""
    extended = words.accept("EXTENDED")
    if words.here is None or not words.here.is_identifier:
        return None
    parts = words.name()
    words.end()
    if len(parts) == 1 and (asked.session.is_registered(parts[0]) or parts[0].lower() not in asked.access.function_names()):
        return None
    with asked.catalog() as service:
        info = service.get_function(asked.full_name(parts, SecurableType.FUNCTION), Privilege.EXECUTE)
    parameters = [f"{one.name} {one.type_text}{f' DEFAULT {one.default}' if one.default else ''}" for one in info.parameters]
    returns = ", ".join(f"{name} {kind}" for name, kind in info.return_columns)
    lines = [
        ("Function", info.full_name),
        ("Type", "TABLE" if info.is_table else "SCALAR"),
        ("Input", parameters[0] if parameters else "()"),
        *(("", parameter) for parameter in parameters[1:]),
        ("Returns", returns if info.is_table else info.return_type),
    ]
    if extended:
        lines += [
            ("Comment", info.comment or ""),
            ("Deterministic", str(info.is_deterministic).lower()),
            ("Owner", info.owner),
            ("Create Time", date_text(info.created_at)),
            ("Language", info.language),
            ("Body", info.body),
        ]
    texts = [f"{f'{key}:' if key else '':<15}{value}" for key, value in lines]
    return pa.table({"function_desc": pa.array(texts, pa.string())})
