"""Keeps threads at their cells when a notebook is written."""

from contextlib import suppress

from sqlalchemy.orm import Session

from boathouse.workspace.comments.anchors import Anchor, follow
from boathouse.workspace.comments.repository import CommentRepository
from boathouse.workspace.notebooks import NotebookInvalid, parse


def follow_cells(session: Session, object_id: int, content: bytes, suffix: str) -> None:
    """A notebook has new content: note where its threads' cells are now."""
    rows = list(CommentRepository(session).anchored(object_id))
    if not rows:
        return
    with suppress(NotebookInvalid):
        cells = parse(content, suffix).cells
        for row in rows:
            row.anchor = follow(Anchor.of_json(row.anchor or {}), cells).to_json()
