"""CREATE TABLE ... SHALLOW | DEEP CLONE."""

from dataclasses import asdict
from dataclasses import replace as with_changes
from typing import Any

import pyarrow as pa

from boathouse.catalog.api import Privilege
from boathouse.engine.errors import TableAlreadyExists
from boathouse.engine.gateway.answers.asked import Asked, Place
from boathouse.engine.gateway.answers.grammar import Grammar, TableRef
from boathouse.engine.gateway.answers.maintenance import read_version
from boathouse.engine.gateway.answers.registry import answers
from boathouse.engine.gateway.paths.guard import Use
from boathouse.engine.gateway.paths.open_tables import open_place
from boathouse.storage.paths import from_url, to_url
from boathouse.tables.api import Cloned, DeltaRefused, clone, is_table, require_version

_NONE = Cloned(0, 0, 0, 0, 0, 0, 0)


@answers("CREATE TABLE", "CREATE OR REPLACE TABLE")
def clone_table(words: Grammar, asked: Asked) -> pa.Table | None:
    """``CREATE [OR REPLACE] TABLE [IF NOT EXISTS] t SHALLOW | DEEP CLONE source [AS OF] [TBLPROPERTIES] [LOCATION]``."""
    replace = words.tokens[1].is_word("OR")
    missing_only = words.accept("IF", "NOT", "EXISTS")
    target = words.table()
    depth = words.accept_one("SHALLOW", "DEEP")
    if depth is None and not words.sees("CLONE"):
        return None
    words.expect("CLONE")
    source_ref = words.table("the name of the table to clone")
    asked.to_change("CREATE TABLE ... CLONE")
    source = _source(source_ref, asked, shallow=depth == "SHALLOW")
    asked.refuse_policies(source, "CLONE")
    version: int | None = None
    if words.sees("VERSION") or words.sees("TIMESTAMP"):
        if not is_table(source.location):
            raise words.wrong("no version: a folder of Parquet files has none")
        version, _ = read_version(words, asked, source.location)
        require_version(source.location, version)
    properties = words.properties() if words.accept("TBLPROPERTIES") else {}
    location = words.string("a path") if words.accept("LOCATION") else None
    words.end()
    if target.path is None:
        name = asked.full_name(target.parts)
        existing = asked.access.table(asked.principal, name) is not None
    else:
        name = target.shown
        target = with_changes(target, path=asked.guard.resolve(target.path, Use.WRITE))
        existing = is_table(to_url(from_url(target.path or "")))
    _refuse_open(asked, source, target.path, shallow=depth == "SHALLOW")
    if existing and missing_only:
        return _answer(_NONE)
    if existing and not replace:
        raise TableAlreadyExists(name)
    asked.effects.copied.append((source.location, source.table))
    arguments: dict[str, Any] = {
        "shallow": depth == "SHALLOW",
        "version": version,
        "table_properties": properties,
        "source_name": source.name,
        "user": asked.user,
    }
    if existing:
        place = asked.delta(target, Privilege.MODIFY, "CLONE")
        if place.location == source.location:
            message = f"`{source.name}` cannot be replaced by a clone of itself. Write RESTORE TABLE ... TO VERSION AS OF."
            raise DeltaRefused("DELTA_CLONE_INCOMPATIBLE_SOURCE", message)
        asked.refuse_policies(place, "CREATE OR REPLACE TABLE ... CLONE")
        return _answer(clone(source.location, place.location, **arguments))
    if target.path is not None:
        return _answer(clone(source.location, to_url(from_url(target.path)), **arguments))
    return _answer(_create(asked, name, location, source.location, arguments))


def _source(ref: TableRef, asked: Asked, *, shallow: bool) -> Place:
    """What is copied: a Delta table, or the files of a Parquet table or folder."""
    table = asked.access.table(asked.principal, asked.full_name(ref.parts), Privilege.SELECT) if ref.path is None else None
    if ref.path is not None and ref.format == "parquet":
        place = Place(to_url(from_url(asked.guard.resolve(ref.path, Use.READ))), ref.shown)
    elif table is not None and table.data_source_format == "PARQUET" and not table.is_view:
        place = Place(table.storage_location, table.full_name, table)
    else:
        return asked.delta(ref, Privilege.SELECT, "CLONE")
    if is_table(place.location):
        message = f"{place.name} is a Delta table. Write delta.`{from_url(place.location)}`: not all of its files count."
        raise DeltaRefused("DELTA_CLONE_INCOMPATIBLE_SOURCE", message)
    if shallow:
        message = (
            f"SHALLOW CLONE of {place.name} is not supported: whoever writes Parquet files may write them anew in place, and a "
            "table that shares them would change. Write DEEP CLONE, or CONVERT TO DELTA to make a table of the files themselves."
        )
        raise DeltaRefused("DELTA_CLONE_UNSUPPORTED_SOURCE", message)
    return place


def _refuse_open(asked: Asked, source: Place, target: str | None, *, shallow: bool) -> None:
    """Files where users write them past the engine are shared with no table: who writes one in place would change both."""
    folders = [from_url(source.location), *([] if target is None else [from_url(target)])]
    places = {open_place(asked.access, asked.principal, folder) for folder in folders}
    if shallow and places != {None} and (len(places) > 1 or target is None):
        message = (
            f"SHALLOW CLONE of {source.name} is not supported: the two tables would share files, and those in a volume or the DBFS "
            "root can be written in place. Write DEEP CLONE."
        )
        raise DeltaRefused("DELTA_CLONE_UNSUPPORTED_SOURCE", message)


def _create(asked: Asked, name: str, location: str | None, source: str, arguments: dict[str, Any]) -> Cloned:
    """Clone into a new table of the catalog."""
    catalog, schema, table = name.split(".", 2)
    staged = location is None
    if location is None:
        where = asked.access.stage(asked.principal, (catalog, schema, table))
    else:
        where = to_url(from_url(asked.guard.resolve(location, Use.WRITE)))
    try:
        done = clone(source, where, **arguments)
        properties: dict[str, str] = arguments["table_properties"]
        asked.access.register(asked.principal, name, where, comment=properties.get("comment"), properties=properties)
    except BaseException:
        if staged:
            asked.access.discard(where)
        raise
    return done


def _answer(done: Cloned) -> pa.Table:
    return pa.table({key: pa.array([value], pa.int64()) for key, value in asdict(done).items()})
