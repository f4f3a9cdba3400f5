"""The files of a pipeline's source, cut into pieces of Python and SQL."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from boathouse.pipelines.errors import DefinitionInvalid
from boathouse.pipelines.model import Location

Language = Literal["python", "sql"]

_HEADERS = {"# Databricks notebook source": ("python", "#"), "-- Databricks notebook source": ("sql", "--")}
_SUFFIXES: dict[str, Language] = {".py": "python", ".sql": "sql"}
_LANGUAGES: dict[str, Language] = {"%sql": "sql", "%python": "python"}
_SILENT = ("%md", "%%md", "%load_ext", "%autoreload")


@dataclass(frozen=True)
class SourceFile:
    """A file of the source: its path as people know it, and its content."""

    path: str
    text: str

    def to_json(self) -> dict[str, str]:
        """It as JSON."""
        return {"path": self.path, "text": self.text}


@dataclass(frozen=True)
class Piece:
    """Code in one language, and the line of the file that it begins at."""

    language: Language
    code: str
    line: int


def pieces(source: SourceFile) -> list[Piece]:
    """What a file holds: the whole of a ``.py`` or ``.sql`` file, the cells of a notebook.

    Raises:
        DefinitionInvalid: If it is of no kind that a pipeline has, or has magics that a pipeline cannot run.
    """
    if source.path.endswith(".ipynb"):
        return list(_of_ipynb(source))
    first, _, _ = source.text.partition("\n")
    header = _HEADERS.get(first.strip())
    if header is not None:
        language: Language = "python" if header[0] == "python" else "sql"
        return list(_of_notebook(source, language, header[1]))
    suffix = next((suffix for suffix in _SUFFIXES if source.path.endswith(suffix)), None)
    if suffix is None:
        message = f"'{source.path}' is no source of a pipeline. Valid: .py, .sql and .ipynb files, and notebooks."
        raise DefinitionInvalid("UNSUPPORTED_SOURCE", message)
    return [Piece(_SUFFIXES[suffix], source.text, 1)]


def _of_notebook(source: SourceFile, language: Language, comment: str) -> Iterator[Piece]:
    """The cells of a notebook in source form."""
    separator, magic = f"{comment} COMMAND ----------", f"{comment} MAGIC"
    lines = source.text.split("\n")
    cell: list[str] = []
    began = 2
    for number, line in enumerate([*lines[1:], separator], start=2):
        if line.strip() != separator:
            cell.append(line)
            continue
        if any(one.startswith(magic) for one in cell):
            bare = [one[len(magic) :].removeprefix(" ") if one.startswith(magic) else "" for one in cell]
            yield from _magic(source, bare, language, began)
        elif any(one.strip() for one in cell):
            yield Piece(language, "\n".join(cell), began)
        cell, began = [], number + 1


def _of_ipynb(source: SourceFile) -> Iterator[Piece]:
    try:
        notebook: dict[str, Any] = json.loads(source.text)
        cells = notebook["cells"]
        language: Language = "sql" if notebook.get("metadata", {}).get("language_info", {}).get("name") == "sql" else "python"
    except (ValueError, KeyError, AttributeError) as error:
        raise DefinitionInvalid("UNSUPPORTED_SOURCE", "It is no Jupyter notebook.", Location(source.path)) from error
    for cell in cells:
        if cell.get("cell_type") == "code":
            text = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
            yield from _magic(source, text.split("\n"), language, 1)


def _magic(source: SourceFile, lines: list[str], language: Language, line: int) -> Iterator[Piece]:
    """A cell that may begin with a magic."""
    at = next((index for index, text in enumerate(lines) if text.strip()), None)
    if at is None:
        return
    word, _, rest = lines[at].strip().partition(" ")
    if not word.startswith("%"):
        yield Piece(language, "\n".join(lines), line)
        return
    if word in _SILENT:
        return
    named = _LANGUAGES.get("%" + word.lstrip("%"))
    if named is None:
        message = (
            f"A pipeline cannot run the magic {word}. Put what it needs into a file of the pipeline. Valid: %sql, %python, %md."
        )
        raise DefinitionInvalid("UNSUPPORTED_MAGIC", message, Location(source.path, line + at))
    yield Piece(named, "\n".join(["" for _ in lines[:at]] + [rest, *lines[at + 1 :]]), line)
