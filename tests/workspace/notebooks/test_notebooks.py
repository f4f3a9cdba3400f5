"""The two forms of a notebook, both ways."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boathouse.workspace.notebooks import Cell, Language, Notebook, NotebookInvalid, parse, to_jupyter, to_source

SUFFIX = {Language.PYTHON: ".py", Language.SQL: ".sql", Language.SCALA: ".scala", Language.R: ".r"}
PYTHON = """# Databricks notebook source
# MAGIC %md
# MAGIC # Title
# MAGIC
# MAGIC * a point

# COMMAND ----------

# DBTITLE 1,Read, and look
import os
notebook_path = "/Workspace"
%cd $notebook_path

print("# COMMAND")

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT 1 -- MAGIC

# COMMAND ----------



# COMMAND ----------

# MAGIC %run ./lib $a="1"
"""


def test_source_form_is_read_and_written_as_it_was() -> None:
    notebook = parse(PYTHON.encode(), ".py")
    assert notebook == Notebook(
        Language.PYTHON,
        (
            Cell("%md\n# Title\n\n* a point"),
            Cell('import os\nnotebook_path = "/Workspace"\n%cd $notebook_path\n\nprint("# COMMAND")', "Read, and look"),
            Cell("%sql\nSELECT 1 -- MAGIC"),
            Cell(""),
            Cell('%run ./lib $a="1"'),
        ),
    )
    assert [cell.line for cell in notebook.cells] == [2, 10, 18, 23, 27]
    assert [cell.magic for cell in notebook.cells] == ["md", None, "sql", None, "run"]
    assert [cell.body for cell in notebook.cells[2:]] == ["\nSELECT 1 -- MAGIC", "", './lib $a="1"']
    assert to_source(notebook).decode() == PYTHON
    assert parse(PYTHON.replace("\n", "\r\n").encode(), ".py") == notebook
    assert parse(b"\xef\xbb\xbf" + PYTHON.encode(), ".py") == notebook
    assert parse(json.dumps(to_jupyter(notebook)).encode(), ".ipynb") == notebook


def test_languages_are_told_apart() -> None:
    sql = parse(b"-- Databricks notebook source\n-- MAGIC %python\n-- MAGIC x = 1\n\n-- COMMAND ----------\n\nSELECT 1", ".sql")
    assert sql == Notebook(Language.SQL, (Cell("%python\nx = 1"), Cell("SELECT 1")))
    assert parse(b"# Databricks notebook source\nx <- 1", ".R").language is Language.R
    assert parse(b"# Databricks notebook source\nx = 1", "").language is Language.PYTHON
    assert parse(b"// Databricks notebook source\nval x = 1", ".scala").cells == (Cell("val x = 1"),)
    assert parse(b"# Databricks notebook source\n", ".py").cells == ()
    jupyter = {
        "cells": [{"cell_type": "markdown", "source": ["# a\n", "b"]}, {"cell_type": "code", "source": "1"}],
        "metadata": {},
    }
    assert parse(json.dumps(jupyter).encode(), ".ipynb").cells == (Cell("%md\n# a\nb"), Cell("1"))


@pytest.mark.parametrize(
    ("content", "suffix", "said"),
    [
        (b"print(1)", ".py", "first line has to be one of"),
        (b"# Databricks notebook source\n\xff", ".py", "not UTF-8"),
        (b"{}", ".ipynb", "'cells'"),
        (b"[", ".ipynb", "'cells'"),
        (b'{"cells": [1]}', ".ipynb", "'cells'"),
        (b'{"cells": null}', ".ipynb", "'cells'"),
        (b"[" * 100_000, ".ipynb", "'cells'"),
    ],
)
def test_what_is_no_notebook_is_told(content: bytes, suffix: str, said: str) -> None:
    with pytest.raises(NotebookInvalid, match=said):
        parse(content, suffix)


LINES = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\ufeff"), max_size=12),
    max_size=5,
)
MAGICS = st.sampled_from(["", "%sql\n", "%md\n", "%run ", "%pip install ", "%%sh\n"])
CELLS = st.builds(
    lambda magic, lines, title: Cell(magic + "\n".join(lines), title),
    MAGICS,
    LINES,
    st.none() | st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=9),
)


def _representable(cell: Cell) -> bool:
    """Whether no line of a cell is one of the form's own marks."""
    marks = ("# ", "-- ", "// ")
    return not any(
        line.startswith(tuple(f"{mark}{word}" for mark in marks for word in ("COMMAND", "MAGIC", "DBTITLE")))
        for line in cell.source.split("\n")
    )


@settings(deadline=None)
@given(st.sampled_from(list(Language)), st.lists(CELLS.filter(_representable), max_size=5))
def test_any_notebook_survives_both_forms(language: Language, cells: list[Cell]) -> None:
    notebook = Notebook(language, tuple(cells))
    if notebook.cells != (Cell(""),):
        assert parse(to_source(notebook), SUFFIX[language]) == notebook
    assert parse(json.dumps(to_jupyter(notebook)).encode(), ".ipynb") == notebook
