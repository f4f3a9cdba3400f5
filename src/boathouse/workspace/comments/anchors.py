"""Where a thread of comments hangs: a cell, and how it is found again when the notebook has changed.

Cells of Jupyter files have an identifier. Those in source form have none: there a cell is found by how the notebook's cells, as they were when
last seen, line up with those that it has now, and what was edited by how alike the texts are.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from difflib import SequenceMatcher
from typing import Any

from boathouse.workspace.notebooks import Cell

_MOST_TEXT = 2_000
"""Characters of a cell that are kept, and compared."""
_ALIKE = 0.6
"""From which ratio of equal characters on two texts are the same cell, edited."""


@dataclass(frozen=True)
class Anchor:
    """A cell as it was last seen.

    Attributes:
        position: Among the notebook's cells, from 0.
        text: How it begins.
        cells: A fingerprint of each cell that the notebook had.
        cell_id: Its identifier, if it has one.
        gone: Whether it was no more there when it was last looked for; only the very same text brings it back.
    """

    position: int
    text: str
    cells: tuple[str, ...]
    cell_id: str | None = None
    gone: bool = False

    def to_json(self) -> dict[str, Any]:
        """As it is kept."""
        return asdict(self) | {"cells": list(self.cells)}

    @classmethod
    def of_json(cls, kept: dict[str, Any]) -> "Anchor":
        """Of what is kept."""
        return cls(kept["position"], kept["text"], tuple(kept["cells"]), kept["cell_id"], kept["gone"])


def anchor_at(cells: Sequence[Cell], position: int) -> Anchor:
    """The anchor of a cell that is there."""
    marks = tuple(_mark(_text(cell)) for cell in cells)
    return Anchor(position, _text(cells[position])[:_MOST_TEXT], marks, cells[position].id)


def anchor_of(cells: Sequence[Cell], position: int, source: str, cell_id: str | None) -> Anchor:
    """The anchor of a cell as somebody sees it who edits the notebook: what is saved may be older.

    Args:
        cells: That are saved.
        position: Of the cell where it is seen.
        source: Its text; of a markdown cell without the magic.
        cell_id: Its identifier, if the notebook keeps such.
    """
    text = _text(Cell(source))
    by_id = _with_id(cells, cell_id)
    if by_id is not None:
        return anchor_at(cells, by_id)
    has_ids = cell_id is not None and any(cell.id is not None for cell in cells)
    same = [] if has_ids else [at for at, cell in enumerate(cells) if text in {_text(cell), cell.body.strip()}]
    if same:
        found = anchor_at(cells, min(same, key=lambda at: abs(at - position)))
        return found if cell_id is None else replace(found, cell_id=cell_id)
    # It is not saved yet: an edited cell takes the place of the one that it was, a new one stands between others.
    position = min(position, len(cells))
    marks = [_mark(_text(cell)) for cell in cells]
    edited = not has_ids and position < len(cells) and _likeness(text, _text(cells[position])) >= _ALIKE
    marks[position : position + edited] = [_mark(text)]
    return Anchor(position, text[:_MOST_TEXT], tuple(marks), cell_id)


def find(anchor: Anchor, cells: Sequence[Cell]) -> int | None:
    """Where a cell is now; None if it is gone."""
    by_id = _with_id(cells, anchor.cell_id)
    if by_id is not None:
        return by_id
    marks = [_mark(_text(cell)) for cell in cells]
    steps = SequenceMatcher(None, anchor.cells, marks, autojunk=False).get_opcodes()
    kind, first, last, start, stop = next(step for step in steps if step[1] <= anchor.position < step[2])
    if kind == "equal":
        return start + anchor.position - first
    arrived = [at for step in steps if step[0] in {"insert", "replace"} for at in range(step[3], step[4])]
    moved = [at for at in arrived if marks[at] == anchor.cells[anchor.position]]
    if moved:
        return min(moved, key=lambda at: abs(at - anchor.position))
    if anchor.gone or start == stop or (anchor.cell_id is not None and any(cell.id is not None for cell in cells)):
        return None
    likeness = {at: _likeness(anchor.text, _text(cells[at])) for at in range(start, stop)}
    best = max(likeness, key=lambda at: (likeness[at], -abs(at - start - anchor.position + first)))
    # Where one cell stands in place of one other, between the same neighbours, it is that one, written anew.
    return best if likeness[best] >= _ALIKE or last - first == stop - start == 1 else None


def follow(anchor: Anchor, cells: Sequence[Cell]) -> Anchor:
    """The anchor in a notebook that has just changed."""
    at = find(anchor, cells)
    if at is None:
        return replace(anchor, gone=True)
    return anchor_at(cells, at)


def _with_id(cells: Sequence[Cell], cell_id: str | None) -> int | None:
    return None if cell_id is None else next((at for at, cell in enumerate(cells) if cell.id == cell_id), None)


def _text(cell: Cell) -> str:
    """A cell's text, the same in both forms of notebooks."""
    return (cell.body if cell.is_markdown else cell.source).strip()


def _mark(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _likeness(one: str, other: str) -> float:
    """The ratio of equal characters of how two texts begin, 0 to 1."""
    matcher = SequenceMatcher(None, one[:_MOST_TEXT], other[:_MOST_TEXT], autojunk=False)
    return matcher.ratio() if matcher.quick_ratio() >= _ALIKE else 0.0
