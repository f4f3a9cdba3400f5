"""SHOW: what a principal may know of."""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext, suppress
from fnmatch import fnmatchcase

import pyarrow as pa
from grpc.aio import AioRpcError

from boathouse.catalog.api import Privilege, PrivilegeMissing, SecurableType, TableInfo
from boathouse.engine.catalog_access import INFORMATION_SCHEMA
from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.answers.asked import Asked
from boathouse.engine.gateway.answers.describe import TIME, moment
from boathouse.engine.gateway.answers.grammar import Grammar
from boathouse.engine.gateway.answers.registry import answers
from boathouse.engine.gateway.sql.tokens import Kind
from boathouse.iam.api import IamService
from boathouse.tables.api import DeltaRefused, physical_name, replay, shown


def like(names: Iterable[str], words: Grammar) -> list[str]:
    """Those names that fit the pattern that comes next, if one does: ``*`` and ``%`` for any text, ``|`` between patterns."""
    has_word = words.accept("LIKE")
    if words.here is None or words.here.kind is not Kind.STRING:
        if has_word:
            raise words.wrong("a pattern")
        return list(names)
    patterns = [one.strip().lower().replace("%", "*") for one in words.string().split("|")]
    return [name for name in names if any(fnmatchcase(name.lower(), one) for one in patterns)]


def column(name: str, values: Sequence[str | None]) -> pa.Table:
    """One column of texts."""
    return pa.table({name: pa.array(values, pa.string())})


def schema_of(words: Grammar, asked: Asked) -> tuple[str, str]:
    """The schema after IN or FROM; the current one without."""
    if words.accept_one("IN", "FROM") is None:
        return asked.session.namespace
    parts = words.name("the name of a schema")
    catalog, schema = asked.full_name(parts, SecurableType.SCHEMA).split(".", 1)
    return catalog, schema


@answers("SHOW CATALOGS")
def catalogs(words: Grammar, asked: Asked) -> pa.Table:
    """``SHOW CATALOGS [LIKE pattern]``."""
    names = like(sorted(asked.access.catalogs(asked.principal)), words)
    words.end()
    return column("catalog", names)


@answers("SHOW SCHEMAS", "SHOW DATABASES")
def schemas(words: Grammar, asked: Asked) -> pa.Table:
    """``SHOW SCHEMAS [IN catalog] [LIKE pattern]``."""
    has_catalog = words.accept_one("IN", "FROM") is not None
    catalog = words.word("the name of a catalog") if has_catalog else asked.session.namespace[0]
    names = like(sorted([*asked.access.schemas(asked.principal, catalog), INFORMATION_SCHEMA]), words)
    words.end()
    return column("databaseName", names)


# -------------------------------------------------------------------------------------------------------------- tables


def _temporary(asked: Asked) -> list[str]:
    """The temporary views of the session."""
    return sorted(name for name in list(asked.session.names.temporary) if asked.session.is_temporary(name))


def _tables(asked: Asked, catalog: str, schema: str) -> list[TableInfo]:
    with asked.catalog() as service:
        return service.list_tables(catalog, schema)


def _names_of_tables(asked: Asked, catalog: str, schema: str) -> list[str]:
    if schema.lower() == INFORMATION_SCHEMA and catalog.lower() in asked.access.catalogs(asked.principal):
        return list(asked.access.relations_of_information_schema())
    return [info.name for info in _tables(asked, catalog, schema)]


@answers("SHOW TABLES")
def tables(words: Grammar, asked: Asked) -> pa.Table:
    """``SHOW TABLES [IN schema] [LIKE pattern]`` and ``SHOW TABLES DROPPED [IN schema] [LIMIT n]``."""
    if words.accept("DROPPED"):
        return _dropped(words, asked)
    catalog, schema = schema_of(words, asked)
    there = _names_of_tables(asked, catalog, schema)
    temporary = _temporary(asked)
    start = words.at
    names = like(there, words)
    words.at = start
    temporary = like(temporary, words)
    words.end()
    rows = [(schema, name, False) for name in names] + [("", name, True) for name in temporary]
    return _named(rows, "tableName", "namespace")


def _named(rows: Sequence[tuple[str, str, bool]], name: str, namespace: str) -> pa.Table:
    return pa.table(
        {
            namespace: pa.array([row[0] for row in rows], pa.string()),
            name: pa.array([row[1] for row in rows], pa.string()),
            "isTemporary": pa.array([row[2] for row in rows], pa.bool_()),
        }
    )


@answers("SHOW VIEWS")
def views(words: Grammar, asked: Asked) -> pa.Table:
    """``SHOW VIEWS [IN schema] [LIKE pattern]``."""
    catalog, schema = schema_of(words, asked)
    there = [info.name for info in _tables(asked, catalog, schema) if info.is_view]
    temporary = _temporary(asked)
    start = words.at
    names = like(there, words)
    words.at = start
    temporary = like(temporary, words)
    words.end()
    rows = [(schema, name, False) for name in names] + [("", name, True) for name in temporary]
    return _named(rows, "viewName", "namespace")


@answers("SHOW TABLE EXTENDED")
def table_extended(words: Grammar, asked: Asked) -> pa.Table:
    """``SHOW TABLE EXTENDED [IN schema] LIKE pattern``."""
    catalog, schema = schema_of(words, asked)
    if not words.sees("LIKE"):
        raise words.wrong("LIKE 'pattern'")
    found = _tables(asked, catalog, schema)
    names = set(like([info.name for info in found], words))
    words.end()
    chosen = [info for info in found if info.name in names]
    rows = [(schema, info.name, False) for info in chosen]
    return _named(rows, "tableName", "namespace").append_column(
        "information", pa.array([_information(info) for info in chosen], pa.string())
    )


def _information(info: TableInfo) -> str:
    """The text that tools such as dbt read a table's kind and columns from."""
    catalog, schema, name = info.full_name.split(".")
    lines = [
        f"Catalog: {catalog}",
        f"Database: {schema}",
        f"Table: {name}",
        f"Owner: {info.owner}",
        f"Created Time: {moment(info.created_at)}",
        f"Created By: {info.created_by}",
        f"Type: {info.table_type}",
    ]
    if info.is_view:
        lines.append(f"View Text: {info.view_definition}")
    else:
        lines += [f"Provider: {info.data_source_format.lower()}", f"Location: {info.storage_location}"]
    if info.comment:
        lines.append(f"Comment: {info.comment}")
    lines.append("Schema: root")
    for one in info.columns:
        lines.append(f" |-- {one['name']}: {one['type_text']} (nullable = {str(one.get('nullable', True)).lower()})")
    return "\n".join(lines) + "\n"


def _dropped(words: Grammar, asked: Asked) -> pa.Table:
    catalog, schema = schema_of(words, asked)
    limit = words.integer("a number of tables") if words.accept("LIMIT") else None
    words.end()
    with asked.catalog() as service:
        found = service.list_dropped(f"{catalog}.{schema}")[:limit]
    return pa.table(
        {
            "catalogName": pa.array([catalog] * len(found), pa.string()),
            "schemaName": pa.array([schema] * len(found), pa.string()),
            "tableName": pa.array([one.full_name.rsplit(".", 1)[-1] for one in found], pa.string()),
            "tableId": pa.array([one.id for one in found], pa.string()),
            "tableType": pa.array([one.table_type for one in found], pa.string()),
            "deletedAt": pa.array([moment(one.dropped_at) for one in found], TIME),
            "owner": pa.array([one.owner for one in found], pa.string()),
        }
    )


@answers("SHOW COLUMNS")
def columns(words: Grammar, asked: Asked) -> pa.Table | None:
    """``SHOW COLUMNS IN table [IN schema]``."""
    words.expect_one("IN", "FROM")
    ref = words.table()
    if ref.path is not None or (len(ref.parts) == 1 and asked.session.is_temporary(ref.parts[0])):
        return None
    parts = ref.parts
    if words.accept_one("IN", "FROM") is not None:
        parts = (*words.name("the name of a schema"), parts[-1])
    words.end()
    return column("col_name", [one["name"] for one in asked.table(parts, Privilege.SELECT).columns])


@answers("SHOW PARTITIONS")
def partitions(words: Grammar, asked: Asked) -> pa.Table:
    """``SHOW PARTITIONS table [PARTITION (column = value, ...)]``: one column for each that the table is partitioned by."""
    ref = words.table()
    wanted = words.properties() if words.accept("PARTITION") else {}
    words.end()
    place = asked.delta(ref, Privilege.SELECT, "SHOW PARTITIONS")
    asked.refuse_policies(place, "SHOW PARTITIONS")
    state = replay(place.location)
    fields = {field["name"]: physical_name(field) for field in state.schema["fields"]}
    if not state.partition_columns:
        message = f"SHOW PARTITIONS is not allowed on a table that is not partitioned: {place.name}."
        raise DeltaRefused("DELTA_SHOW_PARTITION_IN_NON_PARTITIONED_TABLE", message)
    unknown = next((name for name in wanted if name.lower() not in {one.lower() for one in state.partition_columns}), None)
    if unknown is not None:
        message = (
            f"Non-partitioning column(s) [{unknown}] are specified. Partition columns: {', '.join(state.partition_columns)}."
        )
        raise DeltaRefused("DELTA_SHOW_PARTITION_IN_NON_PARTITIONED_COLUMN", message)
    spec = {name.lower(): value for name, value in wanted.items()}
    found = sorted(
        {tuple(add["partitionValues"].get(fields[name]) for name in state.partition_columns) for add in state.files.values()},
        key=lambda row: tuple((value is None, value or "") for value in row),
    )
    kept = [
        row
        for row in found
        if all(spec.get(name.lower(), value) == value for name, value in zip(state.partition_columns, row, strict=True))
    ]
    return pa.table(
        {name: pa.array([row[number] for row in kept], pa.string()) for number, name in enumerate(state.partition_columns)}
    )


@answers("SHOW TBLPROPERTIES")
def table_properties(words: Grammar, asked: Asked) -> pa.Table:
    """``SHOW TBLPROPERTIES table [(key)]``."""
    ref = words.table()
    keys = words.keys() if words.here is not None else []
    words.end()
    if ref.path is None:
        table = asked.table(ref.parts, Privilege.SELECT)
        is_delta = not table.is_view and table.data_source_format == "DELTA"
        found = dict(table.properties)
    else:
        is_delta, found = True, {}
    if is_delta:
        place = asked.delta(ref, Privilege.SELECT, "SHOW TBLPROPERTIES")
        state = replay(place.location)
        # What the catalog recorded when the table was made may not hold any more.
        found = dict(state.configuration)
        found["delta.minReaderVersion"] = str(state.protocol["minReaderVersion"])
        found["delta.minWriterVersion"] = str(state.protocol["minWriterVersion"])
        if "writerFeatures" in state.protocol:
            found |= {f"delta.feature.{name}": "supported" for name in sorted(state.writer_features | state.reader_features)}
    found = shown(found)
    if keys:
        pairs = [(key, found.get(key, f"Table {ref.shown} does not have property: {key}")) for key in keys]
    else:
        pairs = sorted(found.items())
    return pa.table(
        {"key": pa.array([key for key, _ in pairs], pa.string()), "value": pa.array([value for _, value in pairs], pa.string())}
    )


# ----------------------------------------------------------------------------------------------------- other securables


@answers("SHOW VOLUMES")
def volumes(words: Grammar, asked: Asked) -> pa.Table:
    """``SHOW VOLUMES [IN schema] [LIKE pattern]``."""
    catalog, schema = schema_of(words, asked)
    with asked.catalog() as service:
        there = [info.name for info in service.list_volumes(catalog, schema)]
    names = like(there, words)
    words.end()
    return pa.table({"database": pa.array([schema] * len(names), pa.string()), "volume_name": pa.array(names, pa.string())})


@answers("SHOW FUNCTIONS", "SHOW USER FUNCTIONS", "SHOW SYSTEM FUNCTIONS", "SHOW ALL FUNCTIONS")
def functions(words: Grammar, asked: Asked) -> pa.Table:
    """``SHOW [USER | SYSTEM | ALL] FUNCTIONS [IN schema] [LIKE pattern]``; without a word all, or those of a schema that is named."""
    which = words.tokens[1].value
    is_named = words.sees("IN") or words.sees("FROM")
    if which == "FUNCTIONS" and not is_named:
        which = "ALL"
    catalog, schema = schema_of(words, asked)
    there: list[str] = []
    if which != "SYSTEM":
        # The engine's functions are there wherever a session stands, in a schema that may not be used, too.
        with suppress(PrivilegeMissing) if which == "ALL" and not is_named else nullcontext(), asked.catalog() as service:
            there += [info.full_name for info in service.list_functions(catalog, schema)]
    if which in {"SYSTEM", "ALL"}:
        there += _system_functions(asked)
    short = {name.rsplit(".", 1)[-1]: name for name in there}
    names = [short[name] for name in like(sorted(short), words)]
    words.end()
    return column("function", sorted(names))


def _system_functions(asked: Asked) -> list[str]:
    try:
        return [str(one["name"]) for one in asked.session.functions()]
    except AioRpcError as error:
        message = "The engine does not list its functions. SHOW USER FUNCTIONS lists those of the catalog."
        raise StatementRefused(message) from error


@answers("SHOW USERS")
def users(words: Grammar, asked: Asked) -> pa.Table:
    """``SHOW USERS [LIKE pattern]``."""
    with asked.catalog() as service:
        there = sorted(row.name for row in IamService(service.session).list_principals("user"))
    names = like(there, words)
    words.end()
    return column("name", names)


@answers("SHOW GROUPS")
def groups(words: Grammar, asked: Asked) -> pa.Table:
    """``SHOW GROUPS [WITH USER | GROUP `name`] [LIKE pattern]``."""
    member: str | None = None
    if words.accept("WITH"):
        words.expect_one("USER", "GROUP")
        member = words.literal_name("the name of a principal")
    with asked.catalog() as service:
        identity = IamService(service.session)
        there = sorted(identity.group_names()) if member is None else sorted(identity.get_principal(member).groups)
    names = like(there, words)
    words.end()
    return column("name", names)
