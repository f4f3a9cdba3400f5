"""Columns whose values stand in the names of folders: ``date=2026-01-01/country=DE/part-1.json``."""

from urllib.parse import unquote

from boathouse.engine.api import Atomic, DataType, Field, Struct
from boathouse.ingest.options import Options
from boathouse.ingest.types import STRING, merge
from boathouse.ingest.values import Misfit, Notation, value_of

_NULL = "__HIVE_DEFAULT_PARTITION__"
_GUESSES = ("integer", "long", "double", "date", "timestamp")


def values_of(path: str) -> dict[str, str | None]:
    """The values in a relative path, by column."""
    found: dict[str, str | None] = {}
    for part in path.split("/")[:-1]:
        name, is_one, value = part.partition("=")
        if is_one and name:
            text = unquote(value)
            found[unquote(name)] = None if text == _NULL else text
    return found


def infer(paths: list[str], options: Options) -> Struct:
    """The partition columns of some files: those that the options name, else those that their paths have."""
    if options.recursive and options.partition_columns is None:
        return Struct(())
    found: dict[str, DataType] = {}
    wanted = options.partition_columns
    for path in paths:
        for name, text in values_of(path).items():
            if wanted is None or name in wanted:
                kind = _type_of(text) if options.infer_column_types else STRING
                found[name] = merge(found[name], kind) if name in found else kind
    names = list(found) if wanted is None else [*wanted]
    return Struct(
        tuple(Field(name, STRING if found.get(name, STRING) == Atomic("void") else found.get(name, STRING)) for name in names)
    )


def _type_of(text: str | None) -> Atomic:
    if text is None:
        return Atomic("void")
    for name in _GUESSES:
        try:
            value_of(text, Atomic(name), Notation())
        except Misfit:
            continue
        return Atomic(name)
    return STRING
