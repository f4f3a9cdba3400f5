"""A notebook and its cells."""

import re
from dataclasses import dataclass, field

from boathouse.errors import InvalidParameterValue
from boathouse.workspace.tree import Language

_MAGIC = re.compile(r"\s*%{1,2}([A-Za-z_]\w*)[^\S\n]?")


class NotebookInvalid(InvalidParameterValue):
    """Something that begins like a notebook and is none."""

    def __init__(self, why: str) -> None:
        super().__init__(f"It is no notebook: {why}", field="content")


@dataclass(frozen=True)
class Cell:
    """A cell.

    Attributes:
        source: As it is typed: one in another language, or for another tool, begins with its magic, as ``%sql``.
        title: Its title, if it has one.
        line: Of the file, from 1, at which it begins; 1 in a Jupyter file. It does not count when cells are compared.
        id: That a Jupyter file gives it, if it does; it does not count either.
    """

    source: str
    title: str | None = None
    line: int = field(default=1, compare=False)
    id: str | None = field(default=None, compare=False)

    @property
    def magic(self) -> str | None:
        """The word after the ``%`` that it begins with: ``sql``, ``md``, ``run``, ``pip``, ...; None if it is plain code."""
        found = _MAGIC.match(self.source)
        return None if found is None else found[1]

    @property
    def body(self) -> str:
        """The source without the word of its magic; lines keep their numbers."""
        found = _MAGIC.match(self.source)
        if found is None:
            return self.source
        return "\n" * self.source.count("\n", 0, found.start(1)) + self.source[found.end() :]

    @property
    def is_markdown(self) -> bool:
        """Whether it is text for people."""
        return self.magic in {"md", "md-sandbox", "markdown"}


@dataclass(frozen=True)
class Notebook:
    """A notebook: the language of its plain cells, and the cells."""

    language: Language
    cells: tuple[Cell, ...]
