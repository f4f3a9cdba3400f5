"""Jupyter's form: JSON as nbformat 4 has it. Outputs are not part of a notebook's value."""

import json
from typing import Any

from boathouse.workspace.notebooks.model import Cell, Notebook, NotebookInvalid
from boathouse.workspace.tree import Language

_OF_CELL = "application/vnd.databricks.v1+cell"
_OF_NOTEBOOK = "application/vnd.databricks.v1+notebook"
_LANGUAGES = {"python": Language.PYTHON, "sql": Language.SQL, "scala": Language.SCALA, "r": Language.R}


def of_jupyter(text: str) -> Notebook:
    """Read a Jupyter notebook.

    Raises:
        NotebookInvalid: If it is none.
    """
    try:
        found: Any = json.loads(text)
        cells = tuple(_cell(cell) for cell in found["cells"])
        metadata: Any = found.get("metadata") or {}
        named = (
            (metadata.get(_OF_NOTEBOOK) or {}).get("language") or (metadata.get("language_info") or {}).get("name") or "python"
        )
        return Notebook(_LANGUAGES.get(str(named).lower(), Language.PYTHON), cells)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        message = "a Jupyter notebook is JSON with 'cells', each with 'cell_type' and 'source'."
        raise NotebookInvalid(message) from error


def _cell(cell: Any) -> Cell:
    given: Any = cell["source"]
    source = given if isinstance(given, str) else "".join(given)
    if cell["cell_type"] != "code":
        source = f"%md\n{source}"
    title = ((cell.get("metadata") or {}).get(_OF_CELL) or {}).get("title") or None
    given_id = cell.get("id")
    return Cell(source, title, id=given_id if isinstance(given_id, str) else None)


def to_jupyter(notebook: Notebook) -> dict[str, Any]:
    """A notebook as Jupyter has it."""
    name = notebook.language.value.lower()
    kernel = {"python": ("Python 3", "python3"), "r": ("R", "ir"), "scala": ("Scala", "scala"), "sql": ("SQL", "sql")}[name]
    return {
        "cells": [_to_cell(cell, number) for number, cell in enumerate(notebook.cells)],
        "metadata": {
            _OF_NOTEBOOK: {"language": name},
            "kernelspec": {"display_name": kernel[0], "language": name, "name": kernel[1]},
            "language_info": {"name": name},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _to_cell(cell: Cell, number: int) -> dict[str, Any]:
    metadata = {} if cell.title is None else {_OF_CELL: {"showTitle": True, "title": cell.title}}
    common = {"id": f"cell-{number}", "metadata": metadata}
    if cell.is_markdown:
        return {"cell_type": "markdown", **common, "source": cell.body.removeprefix("\n").splitlines(keepends=True)}
    source = cell.source.splitlines(keepends=True)
    return {"cell_type": "code", **common, "source": source, "execution_count": None, "outputs": []}
