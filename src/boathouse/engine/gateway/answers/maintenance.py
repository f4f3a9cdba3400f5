"""OPTIMIZE, VACUUM, RESTORE, TRUNCATE, ANALYZE, CONVERT TO DELTA and what needs nothing done."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa
from grpc.aio import AioRpcError

from boathouse.catalog.api import Privilege
from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.answers.asked import Asked, Place
from boathouse.engine.gateway.answers.grammar import Grammar
from boathouse.engine.gateway.answers.registry import NOTHING, answers
from boathouse.engine.gateway.paths.time_travel import time_of
from boathouse.engine.gateway.sql.tokens import Kind, literal, quote, tokenize
from boathouse.storage.paths import to_url
from boathouse.tables.api import (
    Action,
    DeltaRefused,
    Optimized,
    State,
    is_readable,
    optimize,
    physical_name,
    release_log,
    replay,
    require_version,
    restore,
    truncate,
    vacuum,
    version_at,
)

_RETENTION_CHECK = "spark.databricks.delta.retentionDurationCheck.enabled"
_SIZES = pa.struct(
    [("min", pa.int64()), ("max", pa.int64()), ("avg", pa.float64()), ("totalFiles", pa.int64()), ("totalSize", pa.int64())]
)
_Z_STATS = pa.struct(
    [
        ("strategyName", pa.string()),
        ("zOrderBy", pa.list_(pa.string())),
        ("numOutputCubes", pa.int64()),
        ("inputNumFiles", pa.int64()),
    ]
)
_METRICS = pa.struct(
    [
        ("numFilesAdded", pa.int64()),
        ("numFilesRemoved", pa.int64()),
        ("filesAdded", _SIZES),
        ("filesRemoved", _SIZES),
        ("partitionsOptimized", pa.int64()),
        ("zOrderStats", _Z_STATS),
        ("numBatches", pa.int64()),
        ("totalConsideredFiles", pa.int64()),
        ("totalFilesSkipped", pa.int64()),
        ("preserveInsertionOrder", pa.bool_()),
        ("startTimeMs", pa.int64()),
        ("endTimeMs", pa.int64()),
    ]
)
_OPTIMIZED = pa.schema([("path", pa.string()), ("metrics", _METRICS)])


# ------------------------------------------------------------------------------------------------------------ OPTIMIZE


@answers("OPTIMIZE")
def optimize_table(words: Grammar, asked: Asked) -> pa.Table:
    """``OPTIMIZE table [FULL] [WHERE predicate] [ZORDER BY (columns)]``."""
    ref = words.table()
    full = words.accept("FULL")
    predicate = words.expression("ZORDER") if words.accept("WHERE") else None
    columns = _z_order(words) if words.accept("ZORDER") else []
    words.end()
    asked.to_change("OPTIMIZE")
    place = asked.delta(ref, Privilege.MODIFY, "OPTIMIZE")
    wanted = None if predicate is None else _chooser(asked, replay(place.location), predicate)
    done = optimize(place.location, z_order_by=columns, wanted=wanted, predicate=predicate, full=full, user=asked.user)
    return pa.Table.from_pylist([{"path": place.location, "metrics": _metrics(done)}], schema=_OPTIMIZED)


def _z_order(words: Grammar) -> list[str]:
    words.expect("BY")
    if words.here is not None and words.here.is_mark("("):
        return [".".join(column) for column in words.columns()]
    found = [".".join(words.column())]
    while words.accept_mark(","):
        found.append(".".join(words.column()))
    return found


def _metrics(done: Optimized) -> dict[str, Any]:
    z_stats = {"strategyName": "all", "zOrderBy": list(done.z_ordered), "numOutputCubes": 1, "inputNumFiles": len(done.removed)}
    return {
        "numFilesAdded": len(done.added),
        "numFilesRemoved": len(done.removed),
        "filesAdded": _sizes(done.added),
        "filesRemoved": _sizes(done.removed),
        "partitionsOptimized": done.partitions,
        "zOrderStats": z_stats if done.z_ordered else None,
        "numBatches": 1,
        "totalConsideredFiles": done.considered,
        "totalFilesSkipped": done.skipped,
        "preserveInsertionOrder": not (done.z_ordered or done.clustered),
        "startTimeMs": done.started,
        "endTimeMs": done.ended,
    }


def _sizes(sizes: Sequence[int]) -> dict[str, float | int | None]:
    return {
        "min": min(sizes, default=None),
        "max": max(sizes, default=None),
        "avg": sum(sizes) / len(sizes) if sizes else 0.0,
        "totalFiles": len(sizes),
        "totalSize": sum(sizes),
    }


def _chooser(asked: Asked, state: State, predicate: str) -> Callable[[Action], bool]:
    """Tells which files lie in partitions that a predicate holds for. The engine evaluates it, once for each partition."""
    columns: list[dict[str, Any]] = [field for field in state.schema["fields"] if field["name"] in state.partition_columns]
    others = {field["name"].lower() for field in state.schema["fields"]} - {field["name"].lower() for field in columns}
    used = [token.identifier for token in tokenize(predicate) if token.kind in {Kind.WORD, Kind.NAME}]
    wrong = next((name for name in used if name.lower() in others), None)
    if wrong is not None or not columns:
        message = (
            f"Predicate references non-partition column '{wrong or predicate}'. Only the partition columns may be referenced: "
            f"[{', '.join(state.partition_columns)}]."
        )
        raise DeltaRefused("DELTA_NON_PARTITION_COLUMN_REFERENCE", message)
    names = [physical_name(field) for field in columns]
    keys = sorted({tuple(add["partitionValues"].get(name) for name in names) for add in state.files.values()}, key=str)
    if not keys:
        return lambda _: False
    rows = ", ".join(f"({', '.join([str(number), *map(_value, key)])})" for number, key in enumerate(keys))
    listed = quote(["boathouse position"]) + "".join(f", {quote([f'v{number}'])}" for number in range(len(names)))
    casts = ", ".join(
        f"CAST({quote([f'v{number}'])} AS {_sql_type(field['type'])}) AS {quote([field['name']])}"
        for number, field in enumerate(columns)
    )
    query = (
        f"SELECT `boathouse position` FROM (SELECT `boathouse position`, {casts} FROM VALUES {rows} AS t({listed})) "  # noqa: S608
        f"WHERE ({predicate})"
    )
    try:
        found = {int(number) for number in asked.session.query(query).column(0).to_pylist()}
    except AioRpcError as error:
        detail = (error.details() or "").splitlines()
        message = f"The predicate ({predicate}) cannot be evaluated: {detail[0] if detail else error.code().name}"
        raise StatementRefused(message) from error
    chosen = {keys[number] for number in found}
    return lambda add: tuple(add["partitionValues"].get(name) for name in names) in chosen


def _value(text: str | None) -> str:
    return "CAST(NULL AS STRING)" if text is None or text == "__HIVE_DEFAULT_PARTITION__" else literal(text)


def _sql_type(kind: Any) -> str:
    return {"long": "BIGINT", "short": "SMALLINT", "byte": "TINYINT", "integer": "INT"}.get(kind, str(kind))


# -------------------------------------------------------------------------------------------------------------- VACUUM


@answers("VACUUM")
def vacuum_table(words: Grammar, asked: Asked) -> pa.Table:
    """``VACUUM table [LITE | FULL] [RETAIN n HOURS] [DRY RUN]``, the clauses in any order."""
    ref = words.table()
    hours, dry_run, lite = None, False, False
    while words.here is not None:
        match words.expect_one("RETAIN", "DRY", "LITE", "FULL", "USING"):
            case "RETAIN":
                hours = words.number("a number of hours")
                words.expect_one("HOURS", "HOUR")
            case "DRY":
                words.expect("RUN")
                dry_run = True
            case "USING":
                message = "VACUUM ... USING INVENTORY is not supported. Leave it out: the table's folder is listed."
                raise StatementRefused(message)
            case mode:
                lite = mode == "LITE"
    if not dry_run:
        asked.to_change("VACUUM")
    place = asked.delta(ref, Privilege.MODIFY, "VACUUM")
    checked = (asked.session.setting(_RETENTION_CHECK) or "true").lower() != "false"
    pinned = _pinned(asked, place)
    if not (pinned or dry_run):
        release_log(place.location, asked.user)
    done = vacuum(
        place.location,
        retain_hours=hours,
        dry_run=dry_run,
        lite=lite,
        enforce_retention=checked,
        keep_versions=pinned,
        user=asked.user,
    )
    paths = [to_url(path) for path in done.files] if dry_run else [place.location]
    return pa.table({"path": pa.array(paths, pa.string())})


def _pinned(asked: Asked, place: Place) -> list[int]:
    """The versions that models hold and that can still be put together."""
    if place.table is None:
        return []
    with asked.catalog() as service:
        pinned = service.pinned_versions(place.table.id)
    return [version for version in pinned if is_readable(place.location, version)]


# ------------------------------------------------------------------------------------------------------------- RESTORE


def read_version(words: Grammar, asked: Asked, location: str) -> tuple[int, str | None]:
    """A version after ``VERSION | TIMESTAMP AS OF``, or one past its words, and the moment that stood there."""
    if words.expect_one("VERSION", "TIMESTAMP") == "VERSION":
        words.expect("AS", "OF")
        if words.here is not None and words.here.kind is Kind.STRING:
            text = words.string()
            if not text.isdigit():
                raise words.wrong("a version number before this")
            return int(text), None
        return words.integer("a version number"), None
    words.expect("AS", "OF")
    expression = words.expression("TBLPROPERTIES", "LOCATION")
    when = time_of(expression, asked.session)
    return version_at(location, when), f"{when:%Y-%m-%d %H:%M:%S.%f}"


@answers("RESTORE TABLE", "RESTORE")
def restore_table(words: Grammar, asked: Asked) -> pa.Table:
    """``RESTORE [TABLE] table [TO] VERSION | TIMESTAMP AS OF ...``."""
    ref = words.table()
    words.accept("TO")
    if not words.sees("VERSION") and not words.sees("TIMESTAMP"):
        raise words.wrong("TO VERSION AS OF or TO TIMESTAMP AS OF")
    start = words.at
    read_ahead = words.expect_one("VERSION", "TIMESTAMP")
    words.at = start
    asked.to_change("RESTORE")
    place = asked.delta(ref, Privilege.MODIFY, "RESTORE")
    version, when = read_version(words, asked, place.location)
    words.end()
    _refuse_bare_columns(place, version)
    done = restore(place.location, version, asked.user, timestamp=when if read_ahead == "TIMESTAMP" else None)
    return pa.table({key: pa.array([value], pa.int64()) for key, value in asdict(done).items()})


def _refuse_bare_columns(place: Place, version: int) -> None:
    """Go on only if the columns that a policy needs are there in the version: else it would hide nothing any more."""
    table = place.table
    if table is None or (table.row_filter is None and not table.column_masks):
        return
    require_version(place.location, version)
    now = {field["name"].lower(): physical_name(field) for field in replay(place.location).schema["fields"]}
    then = {field["name"].lower(): physical_name(field) for field in replay(place.location, version).schema["fields"]}
    needed = {name.lower() for name in table.column_masks}
    needed |= {name.lower() for name in (table.row_filter.using if table.row_filter else ())} & now.keys()
    lost = next((name for name in sorted(needed) if now.get(name) != then.get(name)), None)
    if lost is not None:
        message = (
            f"`{table.full_name}` cannot be restored to version {version}: column `{lost}`, which its row filter or a column mask "
            "needs, was another one then. Drop the policy first."
        )
        raise StatementRefused(message)


# ------------------------------------------------------------------------------------------------------------- the rest


@answers("TRUNCATE TABLE", "TRUNCATE")
def truncate_table(words: Grammar, asked: Asked) -> pa.Table:
    """``TRUNCATE TABLE table``."""
    ref = words.table()
    if words.sees("PARTITION"):
        message = (
            "TRUNCATE TABLE ... PARTITION is not supported for Delta tables. Write DELETE FROM table WHERE partition = value."
        )
        raise StatementRefused(message)
    words.end()
    asked.to_change("TRUNCATE TABLE")
    place = asked.delta(ref, Privilege.MODIFY, "TRUNCATE TABLE")
    truncate(place.location, asked.user)
    return NOTHING


@answers("ANALYZE TABLE")
def analyze(words: Grammar, asked: Asked) -> pa.Table:
    """``ANALYZE TABLE table COMPUTE [DELTA] STATISTICS [NOSCAN | FOR ALL COLUMNS | FOR COLUMNS ...]``."""
    parts = words.table()
    words.expect("COMPUTE")
    words.accept("DELTA")
    words.expect("STATISTICS")
    words.accept("DELTA")
    if words.accept("FOR"):
        words.accept("ALL")
        words.expect("COLUMNS")
        if words.here is not None:
            words.column()
            while words.accept_mark(","):
                words.column()
    else:
        words.accept("NOSCAN")
    words.end()
    asked.delta(parts, Privilege.MODIFY, "ANALYZE TABLE")
    # The engine plans by the statistics in the log, which every writer keeps; there is nothing that could be stale.
    return NOTHING


@answers("REFRESH TABLE", "REFRESH")
def refresh(words: Grammar, asked: Asked) -> pa.Table | None:
    """``REFRESH [TABLE] table``: nothing is kept that could be stale."""
    if words.here is not None and words.here.is_word("FUNCTION", "FOREIGN", "MATERIALIZED", "STREAMING"):
        return None
    ref = words.table()
    words.end()
    if ref.path is None and not (len(ref.parts) == 1 and asked.session.is_temporary(ref.parts[0])):
        asked.table(ref.parts, Privilege.SELECT)
    return NOTHING
