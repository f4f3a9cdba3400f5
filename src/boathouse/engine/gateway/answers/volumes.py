"""CREATE and DROP VOLUME, and LIST of a folder's files."""

import os
from pathlib import Path

import pyarrow as pa

from boathouse.catalog.api import SecurableExists, SecurableType
from boathouse.engine.gateway.answers.asked import Asked
from boathouse.engine.gateway.answers.grammar import Grammar
from boathouse.engine.gateway.answers.registry import NOTHING, answers
from boathouse.engine.gateway.paths.guard import Use

_FILES = pa.schema(
    [
        ("path", pa.string()),
        ("name", pa.string()),
        ("size", pa.int64()),
        ("modification_time", pa.timestamp("us", tz="UTC")),
    ]
)


@answers("CREATE VOLUME", "CREATE EXTERNAL VOLUME")
def create_volume(words: Grammar, asked: Asked) -> pa.Table:
    """``CREATE [EXTERNAL] VOLUME [IF NOT EXISTS] volume [LOCATION url] [COMMENT text]``."""
    external = words.tokens[1].is_word("EXTERNAL")
    missing_only = words.accept("IF", "NOT", "EXISTS")
    full = asked.full_name(words.name("the name of a volume"), SecurableType.VOLUME)
    catalog, schema, name = full.split(".", 2)
    location: str | None = None
    comment: str | None = None
    while words.here is not None:
        if words.accept("COMMENT"):
            comment = words.string()
        elif external and words.accept("LOCATION"):
            location = words.string("the location")
        else:
            raise words.wrong("LOCATION or COMMENT" if external else "COMMENT; only an EXTERNAL volume has a LOCATION")
    if external and location is None:
        raise words.wrong("LOCATION 'url'")
    asked.to_change("CREATE VOLUME")
    with asked.catalog(write=True) as service:
        try:
            service.create_volume(
                catalog,
                schema,
                name,
                volume_type="EXTERNAL" if external else "MANAGED",
                storage_location=location,
                comment=comment,
            )
        except SecurableExists:
            if not missing_only:
                raise
    return NOTHING


@answers("DROP VOLUME")
def drop_volume(words: Grammar, asked: Asked) -> pa.Table:
    """``DROP VOLUME [IF EXISTS] volume``."""
    missing_ok = words.accept("IF", "EXISTS")
    name = asked.full_name(words.name("the name of a volume"), SecurableType.VOLUME)
    words.end()
    asked.to_change("DROP VOLUME")
    with asked.dropping(missing_ok=missing_ok) as service:
        service.delete_volume(name)
    return NOTHING


@answers("LIST", "LS")
def list_files(words: Grammar, asked: Asked) -> pa.Table:
    """``LIST 'folder' [LIMIT n]``: what lies in a folder of a volume; folders' names end with a slash."""
    path = words.string("a path such as '/Volumes/catalog/schema/volume'")
    limit = words.integer("a number of files") if words.accept("LIMIT") else None
    words.end()
    real = Path(asked.guard.resolve(path, Use.READ))
    base = path.rstrip("/")
    if real.is_file():
        return pa.Table.from_pylist([_file(base, real.name, real.stat(), is_folder=False)], schema=_FILES)
    with os.scandir(real) as entries:
        found = sorted(entries, key=lambda one: one.name)[:limit]
        rows = [_file(f"{base}/{one.name}", one.name, one.stat(follow_symlinks=False), is_folder=one.is_dir()) for one in found]
    return pa.Table.from_pylist(rows, schema=_FILES)


def _file(path: str, name: str, status: os.stat_result, *, is_folder: bool) -> dict[str, object]:
    slash = "/" if is_folder else ""
    return {
        "path": f"{path}{slash}",
        "name": f"{name}{slash}",
        "size": 0 if is_folder else status.st_size,
        "modification_time": status.st_mtime_ns // 1000,
    }
