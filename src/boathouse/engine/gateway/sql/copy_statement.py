"""COPY INTO, taken apart."""

from dataclasses import dataclass
from typing import Any

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.sql.statements import Statement, read_properties
from boathouse.engine.gateway.sql.tokens import Kind, Token
from boathouse.engine.gateway.sql.words import Words

_FORMATS = {
    "csv": "csv",
    "json": "json",
    "parquet": "parquet",
    "avro": "avro",
    "text": "text",
    "binaryfile": "binaryFile",
    "orc": "orc",
}
_PREVIEW = 50


@dataclass(frozen=True)
class CopyInto:
    """The statement.

    Attributes:
        name: The table, as written.
        columns: The list of columns.
        by_position: Whether BY POSITION is said.
        select: The text of the query's SELECT up to FROM, and what follows the path in it; None where all columns are loaded.
        path: The path, as written.
        file_format: As the engine calls it.
        files: Names of files.
        pattern: A glob for names of files.
        format_options: Options of the reader.
        copy_options: ``force``, ``mergeSchema``.
        validate: How many rows are to be shown instead of loaded; None to load.
    """

    name: tuple[str, ...]
    columns: tuple[str, ...]
    by_position: bool
    select: tuple[str, str] | None
    path: str
    file_format: str
    files: tuple[str, ...]
    pattern: str | None
    format_options: dict[str, str]
    copy_options: dict[str, str]
    validate: int | None


def read_copy(statement: Statement) -> CopyInto:
    """Take a COPY INTO apart.

    Raises:
        StatementRefused: If it is not written as it has to be.
    """
    words = Words(statement.sql, statement.tokens, 2)
    name = words.name("the name of a table")
    columns: tuple[str, ...] = ()
    by_position = words.accept("BY", "POSITION")
    if _opens(words):
        columns = tuple(token.identifier for token in _group(words) if token.is_identifier)
    words.expect("FROM")
    select: tuple[str, str] | None = None
    if _opens(words):
        select, path = _select(statement.sql, _group(words))
    else:
        path = _string(words, "the path of the files")
    found = _clauses(words)
    return CopyInto(name, columns, by_position, select, path, **found)


def _clauses(words: Words) -> dict[str, Any]:
    found: dict[str, Any] = {
        "file_format": "",
        "files": (),
        "pattern": None,
        "format_options": {},
        "copy_options": {},
        "validate": None,
    }
    while words.here is not None:
        if words.accept("FILEFORMAT"):
            words.accept_mark("=")
            found["file_format"] = _format(words)
        elif words.accept("FILES"):
            words.accept_mark("=")
            found["files"] = tuple(token.value for token in _group(words) if token.kind is Kind.STRING)
        elif words.accept("PATTERN"):
            words.accept_mark("=")
            found["pattern"] = _string(words, "a pattern")
        elif words.accept("FORMAT_OPTIONS"):
            found["format_options"] = _options(words)
        elif words.accept("COPY_OPTIONS"):
            found["copy_options"] = _options(words)
        elif words.accept("VALIDATE"):
            found["validate"] = _validate(words)
        else:
            message = (
                f"COPY INTO cannot be read from '{words.here.raw}' on. It is: COPY INTO table FROM 'path' FILEFORMAT = "
                "CSV [FILES = (...) | PATTERN = '...'] [FORMAT_OPTIONS (...)] [COPY_OPTIONS (...)] [VALIDATE]. Credentials are "
                "those of the volume."
            )
            raise StatementRefused(message)
    if not found["file_format"]:
        message = f"COPY INTO needs FILEFORMAT = one of {', '.join(sorted(name.upper() for name in _FORMATS))}."
        raise StatementRefused(message)
    return found


def _opens(words: Words) -> bool:
    return words.here is not None and words.here.is_mark("(")


def _group(words: Words) -> list[Token]:
    """The tokens in the parentheses that open here."""
    depth, begin = 0, words.at
    while words.at < len(words.tokens):
        token = words.tokens[words.at]
        depth += token.is_mark("(") - token.is_mark(")")
        words.at += 1
        if depth == 0:
            return list(words.tokens[begin + 1 : words.at - 1])
    message = "A parenthesis of COPY INTO is not closed."
    raise StatementRefused(message)


def _string(words: Words, what: str) -> str:
    token = words.here
    if token is None or token.kind is not Kind.STRING or token.opaque:
        message = f"COPY INTO needs {what} as a plain string here."
        raise StatementRefused(message)
    words.at += 1
    return token.value


def _format(words: Words) -> str:
    token = words.here
    name = "" if token is None else token.value.lower()
    if name not in _FORMATS:
        message = f"COPY INTO cannot read the format '{name}'. It can be {', '.join(sorted(one.upper() for one in _FORMATS))}."
        raise StatementRefused(message)
    words.at += 1
    return _FORMATS[name]


def _options(words: Words) -> dict[str, str]:
    words.accept_mark("=")
    begin = words.at
    _group(words)
    return read_properties(list(words.tokens), begin)


def _validate(words: Words) -> int:
    if words.accept("ALL"):
        return _PREVIEW
    token = words.here
    if token is not None and token.raw.isdigit():
        words.at += 1
        words.accept("ROWS")
        return int(token.raw)
    return _PREVIEW


def _select(sql: str, group: list[Token]) -> tuple[tuple[str, str], str]:
    """The query in parentheses: its text up to the path, its text after it, and the path."""
    depth = 0
    for index, token in enumerate(group):
        depth += token.is_mark("(") - token.is_mark(")")
        path = group[index + 1] if index + 1 < len(group) else None
        if depth == 0 and token.is_word("FROM") and path is not None and path.kind is Kind.STRING and not path.opaque:
            rest = sql[group[index + 2].start : group[-1].end] if index + 2 < len(group) else ""
            return (sql[group[0].start : token.end], rest), path.value
    message = "The query of COPY INTO is: (SELECT columns and expressions FROM 'path')."
    raise StatementRefused(message)
