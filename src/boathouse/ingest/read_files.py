"""``read_files(...)``: files as a relation, read once; what was read is kept for a while, since one query asks several times."""

import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from boathouse.engine.api import Answer, Argument, CallContext, Use
from boathouse.ingest.aside import write_bad
from boathouse.ingest.asked import hints_of, local, notation_of, place_of, sample_of, schema_of
from boathouse.ingest.batch import FileRead, Shape, Staged, direct_files, stage
from boathouse.ingest.discovery import find
from boathouse.ingest.errors import NothingToInfer, OptionInvalid, OptionMissing
from boathouse.ingest.inference import infer
from boathouse.ingest.options import FORMATS, Options, sql_options
from boathouse.ingest.paths import Place
from boathouse.ingest.relations import parquet_relation, staged_relation
from boathouse.ingest.schema_log import Columns, SchemaLog, with_hints

_FOLDER = "read_files"
_KEPT_SECONDS = 3600.0
_ENDINGS = {"ndjson": "json", "jsonl": "json", "tsv": "csv", "txt": "text"}


def read_files(arguments: Sequence[Argument], context: CallContext) -> Answer:
    """The rows of ``read_files(path, option => value, ...)``.

    Raises:
        InvalidParameterValue: If an argument is not valid.
        PathRefused: If the principal may not read the path.
    """
    path, given, schema = taken_apart(arguments)
    place = place_of(path, context.guard)
    file_format = given.pop("format", None) or _format_of(place)
    options = sql_options(given, file_format, has_schema=schema is not None, is_stream=False)
    files = [one for one in find(place, options) if one[2] or options.file_format == "binaryFile"]
    kept = _kept(context, [path, str(place.base), repr(options), schema, sorted(context.hidden), files])
    log = SchemaLog(kept)
    known = log.latest()
    columns = known[1] if known is not None else _columns(place, files, options, schema, context)
    if known is None:
        log.append(0, columns)
    shape = Shape(
        place, options, notation_of(options, context.session), columns.row(options.rescued_column), bool(context.hidden)
    )
    reads = [FileRead(*one) for one in files]
    direct = direct_files(shape, reads) if reads else None
    if direct is not None:
        return Answer(parquet_relation(direct, shape.row, options.rescued_column), (str(place.base),))
    rows = kept / "rows"
    if rows.exists():
        staged = Staged([str(file) for file in sorted(rows.glob("*.parquet"))])
    else:
        staged = stage(shape, reads, rows)
        if options.bad_records is not None:
            write_bad(staged.bad, local(context.guard, options.bad_records, Use.WRITE) / kept.name[:16])
    return Answer(staged_relation(staged, shape.full), (str(place.base),), tuple(shape.row.names))


def taken_apart(arguments: Sequence[Argument]) -> tuple[str, dict[str, str], str | None]:
    """The path, the options, and the schema if one is given.

    Raises:
        OptionMissing: If there is no path.
        OptionInvalid: If an argument is given twice, or has no name.
    """
    given: dict[str, str] = {}
    for at, argument in enumerate(arguments):
        name = argument.name or ("path" if at == 0 else "")
        if not name or name.lower() in {one.lower() for one in given}:
            raise OptionInvalid(
                name or f"argument {at + 1}", str(argument.value), "a path, then options by name: format => 'json'"
            )
        given[name] = str(argument.value).lower() if isinstance(argument.value, bool) else str(argument.value)
    lower = {name.lower(): name for name in given}
    if "path" not in lower:
        raise OptionMissing(
            "path", "read_files reads a path: read_files('/Volumes/catalog/schema/volume/folder', format => 'json')"
        )
    path = given.pop(lower["path"])
    schema = given.pop(lower["schema"]) if "schema" in lower else None
    if "format" in lower:
        given["format"] = given.pop(lower["format"])
    return path, given, schema


def _format_of(place: Place) -> str:
    """The format that the names of the files tell.

    Raises:
        OptionMissing: If they tell none, or several.
    """
    endings = {path.removesuffix(".gz").rpartition(".")[2].lower() for path, _, _ in find(place, Options("binaryFile"))}
    formats = {_ENDINGS.get(ending, ending) for ending in endings}
    if len(formats) == 1 and (found := formats.pop()) in FORMATS:
        return found
    raise OptionMissing("format", f"it is one of {', '.join(FORMATS)}, and the names of the files do not tell it")


def _columns(
    place: Place, files: list[tuple[str, int, int]], options: Options, schema: str | None, context: CallContext
) -> Columns:
    if schema is not None:
        return Columns(schema_of(schema, context.session))
    sample = sample_of(context.session)
    how = notation_of(options, context.session)
    found = infer(place, ((path, size) for path, _, size in files), options, how, sample)
    if found is None:
        raise NothingToInfer(place.asked, options.file_format)
    return with_hints(found, hints_of(options, context.session))


def _kept(context: CallContext, key: list[Any]) -> Path:
    """Where a call's rows lie for a while: they are the principal's, and of these files as they are now."""
    root = context.access.layout.run / _FOLDER
    name = hashlib.sha256(json.dumps([context.principal.id, *key]).encode()).hexdigest()
    root.mkdir(mode=0o700, exist_ok=True)
    for folder in root.iterdir():
        if time.time() - folder.stat().st_mtime > _KEPT_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
    kept = root / name
    kept.mkdir(exist_ok=True)
    # Its time of change says when it was last of use.
    (kept / ".used").touch()
    (kept / ".used").unlink()
    return kept
