"""The cells of a notebook as Python's syntax trees, magics and all."""

import ast
from dataclasses import dataclass, field
from pathlib import Path

from boathouse.errors import NotFound
from boathouse.shipping.errors import NotebookUnfit
from boathouse.workspace.notebooks.model import Cell, Notebook
from boathouse.workspace.notebooks.parsing import is_notebook, parse
from boathouse.workspace.tree import Language

# Cells of these magics are in another language as a whole.
_OTHER = frozenset(
    {"sql", "sh", "bash", "fs", "r", "R", "scala", "html", "javascript", "js", "latex", "writefile", "script", "perl", "ruby"}
)
# What runs the cell's own code.
_AROUND = frozenset({"time", "timeit", "capture", "prun", "python", "py"})


@dataclass(frozen=True)
class ParsedCell:
    """A cell.

    Attributes:
        number: From 1, as it stands in the notebook.
        cell: As it is written.
        text: What the positions of ``tree`` mean.
        tree: Its statements; none of text and of other languages.
        is_other: Whether it is in another language than Python.
    """

    number: int
    cell: Cell
    text: str = ""
    tree: ast.Module = field(default_factory=lambda: ast.Module([], []))
    is_other: bool = False


def read(path: Path) -> Notebook:
    """A notebook of Python, in Jupyter's form or in source form.

    Raises:
        NotFound: If there is no such file.
        NotebookUnfit: If it is something else.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}.") from None
    if not is_notebook(content, path.suffix):
        raise NotebookUnfit(
            f"{path} is no notebook: a Jupyter file (.ipynb) is, and a file whose first line is '# Databricks notebook source'."
        )
    notebook = parse(content, path.suffix)
    if notebook.language is not Language.PYTHON:
        raise NotebookUnfit(f"{path} is a notebook in {notebook.language.value}: only those in Python can be shipped.")
    return notebook


def parsed(notebook: Notebook) -> list[ParsedCell]:
    """Its cells.

    Raises:
        NotebookUnfit: If one is no Python.
    """
    return [_parsed(number, cell) for number, cell in enumerate(notebook.cells, start=1)]


def _parsed(number: int, cell: Cell) -> ParsedCell:
    # IPython is loaded only where a notebook is read: a third of a second that no other command has to pay.
    from IPython.core.inputtransformer2 import TransformerManager  # noqa: PLC0415

    if cell.is_markdown or not cell.source.strip():
        return ParsedCell(number, cell)
    source = cell.source
    if cell.magic is not None:
        is_whole = source.lstrip().startswith("%%")
        if cell.magic in _OTHER or (is_whole and cell.magic not in _AROUND):
            return ParsedCell(number, cell, is_other=True)
        if is_whole:
            # The line of the magic stays as an empty one, so that lines keep their numbers.
            first, _, rest = source.lstrip().partition("\n")
            named = first.split()[1:2] if cell.magic == "capture" else []
            source = f"{''.join(f'{name} = None' for name in named if name.isidentifier())}\n{rest}"
    text = TransformerManager().transform_cell(source)
    try:
        return ParsedCell(number, cell, text, ast.parse(text))
    except SyntaxError as error:
        raise NotebookUnfit(f"Cell {number}, line {error.lineno} is no Python: {error.msg}.") from None


def line_magic(node: ast.AST) -> tuple[str, str] | None:
    """The name and the rest of a line that begins with ``%`` or ``!`` (whose name is ``!``)."""
    match node:
        case ast.Call(
            func=ast.Attribute(value=ast.Call(func=ast.Name(id="get_ipython")), attr="run_line_magic"),
            args=[ast.Constant(value=str() as name), ast.Constant(value=str() as line)],
        ):
            return name, line
        case ast.Call(
            func=ast.Attribute(value=ast.Call(func=ast.Name(id="get_ipython")), attr="system" | "getoutput"),
            args=[ast.Constant(value=str() as line)],
        ):
            return "!", line
        case _:
            return None


def timed(node: ast.AST) -> list[ast.stmt]:
    """The statements that ``%time`` and the like run."""
    magic = line_magic(node)
    if magic is None or magic[0] not in _AROUND:
        return []
    code = magic[1]
    while code.startswith("-"):
        # Options, as -n 10.
        _, _, code = code.partition(" ")
        code = code.lstrip("0123456789 ")
    try:
        return ast.parse(code).body
    except SyntaxError:
        return []
