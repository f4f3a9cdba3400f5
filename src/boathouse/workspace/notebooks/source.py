"""Databricks' source form: a file of the notebook's language, in which comments part the cells.

Facts from the openly licensed notebooks that PROVENANCE.md names.
"""

from boathouse.workspace.notebooks.model import Cell, Notebook
from boathouse.workspace.tree import COMMENTS, HEADER, Language


def of_source(text: str, language: Language) -> Notebook:
    """Read a notebook whose first line says that it is one."""
    comment = COMMENTS[language]
    separator = f"{comment} COMMAND ----------"
    lines = text.split("\n")[1:]
    if lines and not lines[-1]:
        lines.pop()
    cells: list[Cell] = []
    held: list[str] = []
    began = 2
    for number, line in enumerate([*lines, separator], start=2):
        if line.rstrip() != separator:
            held.append(line)
            continue
        is_last = number == len(lines) + 2
        cells.append(_cell(held, comment, began, after_separator=began > 2, before_separator=not is_last))
        held, began = [], number + 1
    if len(cells) == 1 and not cells[0].source and cells[0].title is None:
        cells = []
    return Notebook(language, tuple(cells))


def _cell(lines: list[str], comment: str, began: int, *, after_separator: bool, before_separator: bool) -> Cell:
    # The blank line on each side of a separator is the form's, others are the cell's.
    if after_separator and lines and not lines[0].strip():
        lines, began = lines[1:], began + 1
    if before_separator and lines and not lines[-1].strip():
        lines = lines[:-1]
    title_mark, magic = f"{comment} DBTITLE ", f"{comment} MAGIC"
    title = None
    if lines and lines[0].startswith(title_mark):
        title = lines[0].removeprefix(title_mark).partition(",")[2]
        lines, began = lines[1:], began + 1
    if any(_is_magic(line, magic) for line in lines):
        lines = [line.removeprefix(magic).removeprefix(" ") if _is_magic(line, magic) else line for line in lines]
    return Cell("\n".join(lines), title, began)


def _is_magic(line: str, mark: str) -> bool:
    return line == mark or line.startswith(f"{mark} ")


def to_source(notebook: Notebook) -> bytes:
    """A notebook in source form."""
    comment = COMMENTS[notebook.language]
    parts: list[str] = []
    for cell in notebook.cells:
        lines = cell.source.split("\n")
        if cell.magic is not None:
            lines = [f"{comment} MAGIC {line}" if line else f"{comment} MAGIC" for line in lines]
        if cell.title is not None:
            lines = [f"{comment} DBTITLE 1,{cell.title}", *lines]
        parts.append("\n".join(lines))
    text = f"\n\n{comment} COMMAND ----------\n\n".join(parts)
    return f"{comment} {HEADER}\n{text}{'' if not parts else chr(10)}".encode()
