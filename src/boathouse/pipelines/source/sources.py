"""The files of a pipeline's source, cut into pieces of Python and SQL."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from boathouse.pipelines.errors import DefinitionInvalid
from boathouse.pipelines.model import Location
from boathouse.workspace import notebooks

Language = Literal["python", "sql"]

_SUFFIXES: dict[str, Language] = {".py": "python", ".sql": "sql"}
_OF_NOTEBOOKS: dict[notebooks.Language, Language] = {notebooks.Language.PYTHON: "python", notebooks.Language.SQL: "sql"}
_MAGICS: dict[str, Language] = {"sql": "sql", "python": "python"}
_SILENT = frozenset({"md", "load_ext", "autoreload"})


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
    suffix = PurePosixPath(source.path).suffix
    content = source.text.encode()
    if notebooks.is_notebook(content, suffix):
        return list(_of_notebook(source, content, suffix))
    if suffix not in _SUFFIXES:
        message = f"'{source.path}' is no source of a pipeline. Valid: .py, .sql and .ipynb files, and notebooks."
        raise DefinitionInvalid("UNSUPPORTED_SOURCE", message)
    return [Piece(_SUFFIXES[suffix], source.text, 1)]


def _of_notebook(source: SourceFile, content: bytes, suffix: str) -> Iterator[Piece]:
    try:
        notebook = notebooks.parse(content, suffix)
    except notebooks.NotebookInvalid as error:
        raise DefinitionInvalid("UNSUPPORTED_SOURCE", error.message, Location(source.path)) from error
    language = _OF_NOTEBOOKS.get(notebook.language)
    if language is None:
        message = f"'{source.path}' is a notebook in {notebook.language}. Valid: PYTHON, SQL."
        raise DefinitionInvalid("UNSUPPORTED_SOURCE", message, Location(source.path))
    for cell in notebook.cells:
        if not cell.source.strip() or cell.is_markdown or cell.magic in _SILENT:
            continue
        if cell.magic is None:
            yield Piece(language, cell.source, cell.line)
            continue
        named = _MAGICS.get(cell.magic)
        if named is None:
            message = (
                f"A pipeline cannot run the magic %{cell.magic}. Put what it needs into a file of the pipeline. "
                "Valid: %sql, %python, %md."
            )
            at = cell.source[: len(cell.source) - len(cell.source.lstrip())].count("\n")
            raise DefinitionInvalid("UNSUPPORTED_MAGIC", message, Location(source.path, cell.line + at))
        yield Piece(named, cell.body, cell.line)
