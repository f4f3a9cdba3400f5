"""The columns of files, from a sample of them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pyarrow.lib import ArrowException

from boathouse.engine.api import Array, Atomic, DataType, Field, Map, Struct
from boathouse.ingest import partitions
from boathouse.ingest.errors import FileCorrupt
from boathouse.ingest.options import FIXED, Options
from boathouse.ingest.paths import Place
from boathouse.ingest.readers import columnar, csv, json, plain
from boathouse.ingest.schema_log import Columns
from boathouse.ingest.types import merge_fields, without_void
from boathouse.ingest.values import Notation


@dataclass(frozen=True)
class Sample:
    """How much is looked at: files, and bytes of them."""

    files: int = 1000
    size: int = 256 << 20

    def of(self, files: Iterable[tuple[str, int]]) -> Iterator[str]:
        """The paths of the first files, of all with their sizes."""
        total = 0
        for at, (path, size) in enumerate(files):
            if at >= self.files or total >= self.size:
                return
            total += size
            yield path


def infer(place: Place, files: Iterable[tuple[str, int]], options: Options, how: Notation, sample: Sample) -> Columns | None:
    """The columns of files; None where there are none to be seen, and the format does not tell them.

    Args:
        place: Where they lie.
        files: Relative paths and sizes.
        options: Their format, and how their columns are to be typed.
        how: How values are written.
        sample: How much is looked at.

    Raises:
        FileCorrupt: If one cannot be read and that is not allowed.
    """
    found = plain.COLUMNS.get(options.file_format)
    paths: list[str] = []
    for path in sample.of(files):
        paths.append(path)
        if options.file_format in FIXED:
            continue
        one = _columns_of(place.base / path, place.shown(path), options, how)
        if one is not None and one.fields:
            found = one if found is None else merge_fields(found, one)
    if found is None:
        return None
    typed = without_void(_sorted(found) if options.file_format == "json" else found)
    if not isinstance(typed, Struct):
        raise TypeError
    return Columns(_distinct(typed), partitions.infer(paths, options))


def _columns_of(path: Path, shown: str, options: Options, how: Notation) -> Struct | None:
    try:
        match options.file_format:
            case "json":
                return json.infer_file(
                    path,
                    typed=options.infer_column_types,
                    multi_line=options.multi_line,
                    encoding=options.encoding,
                    corrupt_column=options.corrupt_column,
                )
            case "csv":
                return csv.infer_file(path, options, how)
            case _:
                return columnar.schema_of(path, options.file_format)
    except FileNotFoundError:
        return None
    except (ArrowException, OSError, ValueError, EOFError) as error:
        if options.ignore_corrupt or options.bad_records is not None:
            return None
        raise FileCorrupt(shown, options.file_format, str(error)) from error


def _sorted(data_type: DataType) -> DataType:
    """Fields in the order of their names, as Spark infers JSON."""
    match data_type:
        case Struct(fields):
            return Struct(tuple(Field(one.name, _sorted(one.type)) for one in sorted(fields, key=lambda one: one.name)))
        case Array(element):
            return Array(_sorted(element))
        case Map(key, value):
            return Map(key, _sorted(value))
        case Atomic():
            return data_type


def _distinct(struct: Struct) -> Struct:
    """Without columns that differ from another one only in case: a table cannot have both, so the second one is rescued."""
    found: dict[str, Field] = {}
    for one in struct.fields:
        found.setdefault(one.name.lower(), one)
    return Struct(tuple(found.values()))
