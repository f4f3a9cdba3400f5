"""CONVERT TO DELTA, FSCK REPAIR TABLE and GENERATE."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from boathouse.catalog.api import Privilege
from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.answers.asked import Asked
from boathouse.engine.gateway.answers.grammar import Grammar, TableRef
from boathouse.engine.gateway.answers.registry import NOTHING, answers
from boathouse.engine.gateway.paths.guard import Use
from boathouse.storage.paths import from_url, to_url
from boathouse.tables.api import DeltaRefused, convert, generate_manifest, missing_files, remove_missing


@answers("CONVERT TO DELTA")
def convert_to_delta(words: Grammar, asked: Asked) -> pa.Table:
    """``CONVERT TO DELTA parquet.`/path` | table [NO STATISTICS] [PARTITIONED BY (name type, ...)]``."""
    ref = words.table("the name of a Parquet table, or parquet.`/path`")
    if words.accept("NO"):
        words.expect("STATISTICS")
    partition_by: list[dict[str, Any]] = []
    if words.accept("PARTITIONED"):
        words.expect("BY")
        ddl = words.in_parentheses("the partition columns and their types")
        partition_by = asked.schema_json(ddl)["fields"]
    words.end()
    asked.to_change("CONVERT TO DELTA")
    if ref.path is None:
        return _convert_table(ref, asked, partition_by)
    if ref.format != "parquet":
        message = f"CONVERT TO DELTA takes a Parquet table or parquet.`/path`, not {ref.shown}."
        raise DeltaRefused("DELTA_CONVERSION_UNSUPPORTED_SOURCE_FORMAT", message)
    asked.guard.resolve(ref.path, Use.READ)
    location = to_url(from_url(asked.guard.resolve(ref.path, Use.WRITE)))
    convert(location, partition_by, asked.user)
    return NOTHING


def _convert_table(ref: TableRef, asked: Asked, partition_by: Sequence[dict[str, Any]]) -> pa.Table:
    table = asked.table(ref.parts, Privilege.MANAGE)
    if table.is_view or table.data_source_format not in {"PARQUET", "DELTA"}:
        message = f"`{table.full_name}` is not a Parquet table, so it cannot be converted."
        raise DeltaRefused("DELTA_CONVERSION_UNSUPPORTED_SOURCE_FORMAT", message)
    if table.data_source_format == "PARQUET":
        convert(table.storage_location, partition_by, asked.user)
        asked.access.became_delta(asked.principal, table.full_name)
    return NOTHING


@answers("FSCK REPAIR TABLE")
def fsck(words: Grammar, asked: Asked) -> pa.Table:
    """``FSCK REPAIR TABLE table [DRY RUN]``: takes files that are not there out of the log."""
    ref = words.table()
    dry_run = words.accept("DRY")
    if dry_run:
        words.expect("RUN")
    words.end()
    if not dry_run:
        asked.to_change("FSCK REPAIR TABLE")
    place = asked.delta(ref, Privilege.MODIFY, "FSCK REPAIR TABLE")
    paths = missing_files(place.location) if dry_run else remove_missing(place.location, asked.user)
    return pa.table(
        {"dataFilePath": pa.array(paths, pa.string()), "dataFileMissing": pa.array([True] * len(paths), pa.bool_())}
    )


@answers("MSCK REPAIR TABLE")
def msck(words: Grammar, asked: Asked) -> pa.Table:
    """``MSCK REPAIR TABLE table [...]``: a Delta table knows its partitions."""
    place = asked.delta(words.table(), Privilege.MODIFY, "MSCK REPAIR TABLE")
    message = (
        f"MSCK REPAIR TABLE is not for Delta tables such as {place.name}: they know their partitions. See FSCK REPAIR TABLE."
    )
    raise StatementRefused(message)


@answers("GENERATE")
def generate(words: Grammar, asked: Asked) -> pa.Table:
    """``GENERATE symlink_format_manifest FOR TABLE table``."""
    mode = words.word("symlink_format_manifest")
    if mode.lower() != "symlink_format_manifest":
        message = f"Specified mode '{mode}' is not supported. Supported modes are: symlink_format_manifest."
        raise DeltaRefused("DELTA_MODE_NOT_SUPPORTED", message)
    words.expect("FOR", "TABLE")
    ref = words.table()
    words.end()
    asked.to_change("GENERATE")
    place = asked.delta(ref, Privilege.MODIFY, "GENERATE")
    generate_manifest(place.location)
    return NOTHING


@answers("REORG TABLE", "REORG")
def reorg(words: Grammar, asked: Asked) -> pa.Table:
    """``REORG TABLE table APPLY (PURGE)`` is refused, with what to do instead."""
    place = asked.delta(words.table(), Privilege.MODIFY, "REORG TABLE")
    message = f"REORG TABLE is not supported. OPTIMIZE {place.name} FULL rewrites its files without the rows that were deleted."
    raise StatementRefused(message)
