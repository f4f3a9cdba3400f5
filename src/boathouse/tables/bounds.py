"""Bounds of floating-point columns are kept out of tables' logs: they say nothing of NaN, and the embedded engine believes them.

So are the counts of NULLs of VARIANT columns: of a file in which all are, Sail makes a NULL of no type that its functions take.

Writers of Parquet leave NaN out of a column's least and largest value, and Sail and delta-rs copy those into the log. Sail then
takes a column whose bounds are equal for that one value in every row, skips files that hold nothing but NaN above their largest
value, and answers ``max`` from the log. A MERGE or UPDATE would write that down for good. Statistics are optional in Delta, and
all other ones stay. A line that loses bounds is filled up with blanks: a reader that has listed the log finds the size it knows.
"""

import io
import json
import os
import re
import shutil
import stat
import threading
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import structlog

from boathouse.storage.paths import from_url
from boathouse.tables.fields import physical_name
from boathouse.tables.log import commit_file, commits

log = structlog.get_logger(__name__)

_BOUNDS = ("minValues", "maxValues")
_COUNTS = "nullCount"
_FLOATING = frozenset({"float", "double"})
_VARIANTS = frozenset({"variant"})
_STATS = re.compile(rb'"stats"\s*:\s*("(?:[^"\\]|\\.)*")')
Unsaid: TypeAlias = frozenset[tuple[str, str]]
"""Statistics that are left out of a log: which, and of which column."""
_MOST_TABLES = 20_000
_LOCKS = tuple(threading.Lock() for _ in range(64))
# A decimal column's bounds keep all their digits.
_DECODER: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True)
class _Seen:
    """How far a log was looked through.

    Attributes:
        version: The newest commit then.
        commit: What tells its file from another of the same name.
        hint: The same of the hint at the newest checkpoint.
        checkpoints: The same of each checkpoint.
        unsaid: What is left out for all schemas so far.
    """

    version: int
    commit: object
    hint: object
    checkpoints: frozenset[object]
    unsaid: Unsaid


_SEEN: dict[Path, _Seen] = {}


def without_float_bounds(location: str) -> None:
    """Take the bounds of floating-point columns, and the counts of variants, out of what a log has got since it was last looked at; to be called before reads.

    Costs three looks at the folder where nothing is new. A log that cannot be written stays as it is, and a warning tells so.
    """
    folder = from_url(location)
    seen = _SEEN.get(folder)
    if seen is not None and _is_all(folder, seen):
        return
    with _LOCKS[hash(folder) % len(_LOCKS)]:
        seen = _SEEN.get(folder)
        if seen is not None and _is_all(folder, seen):
            return
        try:
            found = _look_through(folder, seen)
        except OSError as error:
            log.warning("tables.bounds_stay", location=location, error=type(error).__name__)
            return
        if len(_SEEN) >= _MOST_TABLES:
            _SEEN.clear()
        if found is not None:
            _SEEN[folder] = found


def unsaid_of(schema: str) -> Unsaid:
    """What is left out for a Delta schema's JSON: bounds of floats, counts of variants, both also in structs; by the columns' names in the files."""
    columns = [(physical_name(one), one["type"]) for one in json.loads(schema)["fields"]]
    found = {(bound, name) for name, kind in columns if _has(kind, _FLOATING) for bound in _BOUNDS}
    return frozenset(found | {(_COUNTS, name) for name, kind in columns if _has(kind, _VARIANTS)})


def stats_without(stats: str, unsaid: Iterable[tuple[str, str]]) -> str:
    """The statistics of a file without some; the same text where there are none.

    A struct loses all of its: the engine fails at one that has bounds of some of its fields only, if the others may not be null.
    """
    said = _DECODER.decode(stats)
    changed = False
    for name, column in unsaid:
        values = said.get(name)
        changed |= isinstance(values, dict) and values.pop(column, None) is not None
    return _ENCODER.encode(said).decode() if changed else stats


def _has(kind: Any, types: frozenset[str]) -> bool:
    if isinstance(kind, dict):
        return kind["type"] == "struct" and any(_has(one["type"], types) for one in kind["fields"])
    return kind in types


# ---------------------------------------------------------------------------------------------------------------- the log


def _mark(path: Path) -> object:
    """What tells a file from another of the same name; None where there is none, or a link."""
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None


def _read(path: Path) -> bytes:
    """A file's content; a link is none, since what it leads to may not be for everybody who may read its folder."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as handle:
        return handle.read()


def _hint(folder: Path) -> object:
    return _mark(folder / "_delta_log" / "_last_checkpoint")


def _is_all(folder: Path, seen: _Seen) -> bool:
    """Whether a log has nothing that was not looked at."""
    newest = _mark(commit_file(folder, seen.version))
    return newest == seen.commit and _hint(folder) == seen.hint and not commit_file(folder, seen.version + 1).exists()


def _look_through(folder: Path, seen: _Seen | None) -> _Seen | None:
    there = commits(folder)
    if not there:
        return None
    if seen is None or _mark(commit_file(folder, seen.version)) != seen.commit:
        seen = _Seen(-1, None, None, frozenset(), frozenset())
    hint = _hint(folder)
    inside = folder / "_delta_log"
    checkpoints = [*inside.glob("*.checkpoint*.parquet"), *inside.glob("_sidecars/*.parquet")]
    fresh = [one for one in checkpoints if (one.name, _mark(one)) not in seen.checkpoints]
    unsaid = seen.unsaid.union(*(_unsaid_of_checkpoint(one) for one in fresh))
    last = seen.version
    for version in (one for one in there if one > seen.version):
        unsaid, whole = _amend_commit(commit_file(folder, version), unsaid)
        if not whole and version == there[-1]:
            break
        last = version
    if unsaid:
        for one in fresh:
            _amend_checkpoint(one, unsaid)
    if last < 0:
        return None
    known = frozenset((one.name, _mark(one)) for one in checkpoints)
    return _Seen(last, _mark(commit_file(folder, last)), hint, known, unsaid)


def _amend_commit(path: Path, unsaid: Unsaid) -> tuple[Unsaid, bool]:
    """Take bounds out of one commit; what is left out for all schemas until then, and whether it could be read."""
    before = _mark(path)
    if before is None:
        return unsaid, True
    try:
        lines = _read(path).split(b"\n")
        for line in lines:
            if b'"metaData"' in line:
                unsaid |= unsaid_of(json.loads(line)["metaData"]["schemaString"])
        amended = [_amended(line, unsaid) if unsaid and b'"add"' in line else line for line in lines]
    except FileNotFoundError:  # cleaned up meanwhile
        return unsaid, True
    except (ValueError, KeyError, TypeError):  # ``require_sound`` says what is wrong with it
        return unsaid, False
    if amended != lines:
        _replace(path, before, lambda new: new.write_bytes(b"\n".join(amended)))
    return unsaid, True


def _amended(line: bytes, unsaid: Unsaid) -> bytes:
    add = json.loads(line).get("add")
    if add is None or not add.get("stats"):
        return line
    found = _STATS.search(line)
    if found is None or json.loads(found[1]) != add["stats"]:
        return line
    left = stats_without(add["stats"], unsaid)
    if left == add["stats"]:
        return line
    text = json.dumps(left, ensure_ascii=False).encode()
    return (line[: found.start(1)] + text + line[found.end(1) :]).ljust(len(line))


def _replace(path: Path, before: object, write: Callable[[Path], object]) -> None:
    """Put a file in another's place, with its time: that is the commit's where it says none itself.

    Hadoop keeps a checksum beside each file of a local folder, and reads no file that differs from it; one without is read as it is.
    """
    new = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        write(new)
        with new.open("rb") as handle:
            os.fsync(handle.fileno())
        old = path.lstat()
        new.chmod(stat.S_IMODE(old.st_mode))
        with suppress(PermissionError):
            shutil.chown(new, old.st_uid, old.st_gid)
        os.utime(new, ns=(old.st_atime_ns, old.st_mtime_ns))
        # Another writer may have made the table anew meanwhile.
        if _mark(path) == before:
            path.with_name(f".{path.name}.crc").unlink(missing_ok=True)
            new.replace(path)
    except FileNotFoundError:
        return
    except OSError as error:
        # It counts as looked at: to try again at each read would cost each read the whole log.
        log.warning("tables.bounds_stay", path=str(path), error=type(error).__name__)
    finally:
        with suppress(OSError):
            new.unlink(missing_ok=True)


# ------------------------------------------------------------------------------------------------------------ checkpoints


def _unsaid_of_checkpoint(path: Path) -> Unsaid:
    try:
        file = pq.ParquetFile(io.BytesIO(_read(path)))
        if "metaData" not in file.schema_arrow.names:
            return frozenset()
        rows = file.read(columns=["metaData.schemaString"]).column(0).to_pylist()
    except (OSError, pa.ArrowException):
        return frozenset()
    return frozenset[tuple[str, str]]().union(*(unsaid_of(one["schemaString"]) for one in rows if one and one["schemaString"]))


def _amend_checkpoint(path: Path, unsaid: Unsaid) -> None:
    before = _mark(path)
    try:
        table = pq.read_table(io.BytesIO(_read(path)))
    except (OSError, pa.ArrowException):
        return
    index = table.schema.get_field_index("add")
    if index < 0:
        return
    adds: Any = table.column(index).combine_chunks()
    columns = {adds.type.field(number).name: adds.field(number) for number in range(adds.type.num_fields)}
    told = columns["stats"].to_pylist() if "stats" in columns else []
    left = [one if one is None else stats_without(one, unsaid) for one in told]
    parsed = columns.get("stats_parsed")
    if left == told and parsed is None:
        return
    if told:
        columns["stats"] = pa.array(left, columns["stats"].type)
    if parsed is not None:
        columns["stats_parsed"] = _emptied(parsed, unsaid)
    fields = [adds.type.field(number) for number in range(adds.type.num_fields)]
    made: Any = pa.StructArray.from_arrays(list(columns.values()), fields=fields, mask=adds.is_null())
    if made.equals(adds):
        return
    table = table.set_column(index, table.schema.field(index), made)
    _replace(path, before, lambda new: pq.write_table(table, new))


def _emptied(parsed: Any, unsaid: Unsaid) -> Any:
    """Statistics as a struct array, with null for some."""
    fields = [parsed.type.field(number) for number in range(parsed.type.num_fields)]
    arrays = [parsed.field(number) for number in range(len(fields))]
    for number, field in enumerate(fields):
        if pa.types.is_struct(field.type):
            bounds = arrays[number]
            inner = [field.type.field(one) for one in range(field.type.num_fields)]
            left = [
                pa.nulls(len(bounds), one.type) if (field.name, one.name) in unsaid else bounds.field(at)
                for at, one in enumerate(inner)
            ]
            arrays[number] = pa.StructArray.from_arrays(left, fields=inner, mask=bounds.is_null())
    return pa.StructArray.from_arrays(arrays, fields=fields, mask=parsed.is_null())
