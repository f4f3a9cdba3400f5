"""The rules of comments: who may read a notebook or file may comment on it; a comment is its author's."""

import hashlib
from collections.abc import Iterable
from typing import Any

from sqlalchemy.orm import Session

from boathouse.errors import InvalidParameterValue
from boathouse.iam.api import Principal
from boathouse.kit.clock import now_ms
from boathouse.workspace.comments.anchors import Anchor, anchor_at, anchor_of, find
from boathouse.workspace.comments.errors import CellUnknown, CommentNotFound, NotCommentable, NotTheAuthor, TooManyComments
from boathouse.workspace.comments.info import Commented, CommentInfo, Pointed, ThreadInfo
from boathouse.workspace.comments.repository import CommentRepository
from boathouse.workspace.errors import ObjectNotFound, ObjectPermissionMissing, PathInvalid
from boathouse.workspace.models import CommentRow, ThreadRow
from boathouse.workspace.notebooks import Cell, NotebookInvalid, parse
from boathouse.workspace.repository import WorkspaceRepository
from boathouse.workspace.service import WorkspaceService
from boathouse.workspace.tree import JUPYTER, Kind, Node

MOST_CHARACTERS = 10_000
"""Of a comment."""
MOST_QUOTED = 2_000
"""Characters of a quote."""
MOST = 1_000
"""Threads of a notebook, and comments of a thread."""
_EXCERPT = 300


class CommentService:
    """Comments for one principal in one transaction.

    Args:
        session: The transaction.
        principal: Who asks.
        workspace: As the principal sees it.
    """

    def __init__(self, session: Session, principal: Principal, workspace: WorkspaceService) -> None:
        self._rows = CommentRepository(session)
        self._objects = WorkspaceRepository(session)
        self._principal = principal
        self._workspace = workspace

    # ------------------------------------------------------------------------------------------------------ reading

    def version(self, path: str) -> str:
        """What changes whenever what ``on`` tells of a path does.

        Raises:
            ObjectNotFound: If nothing is there that the asker may read.
            NotCommentable: If it is a folder or a dashboard.
        """
        node = self._node(path)
        stat = node.file.stat()
        facts: list[Any] = [self._principal.id, self._may_manage(node), str(node.file), stat.st_mtime_ns, stat.st_size]
        for thread, comments in self._threads(node):
            facts += [thread.id, thread.resolved_at, *((one.id, one.edited_at, one.author, one.author_id) for one in comments)]
        return hashlib.blake2b(repr(facts).encode(), digest_size=12).hexdigest()

    def on(self, path: str) -> Commented:
        """The threads on a notebook or file, and where their cells are now.

        Raises:
            ObjectNotFound: If nothing is there that the asker may read.
            NotCommentable: If it is a folder or a dashboard.
        """
        node = self._node(path)
        rows = self._threads(node)
        cells = _cells(node) if any(thread.anchor is not None for thread, _ in rows) else ()
        threads = tuple(self._told(thread, comments, cells) for thread, comments in rows)
        return Commented(int(node.file.stat().st_mtime * 1000), self._may_manage(node), threads)

    def _node(self, path: str) -> Node:
        node = self._workspace.find(path, "CAN_READ")
        if node.kind not in {Kind.NOTEBOOK, Kind.FILE}:
            raise NotCommentable(node.path, "folder" if node.file.is_dir() else node.kind.lower())
        return node

    def _threads(self, node: Node) -> list[tuple[ThreadRow, list[CommentRow]]]:
        row = self._objects.at(node.path)
        return [] if row is None else self._rows.threads(row.id)

    def _may_manage(self, node: Node) -> bool:
        return self._workspace.level(node.path) == "CAN_MANAGE"

    def _told(self, thread: ThreadRow, comments: Iterable[CommentRow], cells: tuple[Cell, ...]) -> ThreadInfo:
        anchor = None if thread.anchor is None else Anchor.of_json(thread.anchor)
        position = None if anchor is None else find(anchor, cells)
        return ThreadInfo(
            id=thread.id,
            position=position,
            cell_id=None if anchor is None else anchor.cell_id if position is None else cells[position].id,
            is_gone=anchor is not None and position is None,
            excerpt=None if anchor is None else anchor.text[:_EXCERPT],
            quote=thread.quote,
            resolved_at=thread.resolved_at,
            resolved_by=thread.resolved_by,
            comments=tuple(self._comment(one) for one in comments),
        )

    def _comment(self, row: CommentRow) -> CommentInfo:
        return CommentInfo(row.id, row.author, self._is_own(row), row.text, row.created_at, row.edited_at)

    def _is_own(self, row: CommentRow) -> bool:
        return row.author_id == self._principal.id

    # ------------------------------------------------------------------------------------------------------ writing

    def begin(self, path: str, text: str, cell: Pointed | None, quote: str | None) -> ThreadInfo:
        """Begin a thread, at a cell or on the whole.

        Raises:
            CellUnknown: If the notebook has no such cell.
            InvalidParameterValue: If the text is empty or too long, or a file is asked for a cell.
        """
        node = self._node(path)
        said = _text(text)
        if quote is not None and len(quote) > MOST_QUOTED:
            message = f"The field quote has {len(quote)} characters; {MOST_QUOTED} is the most."
            raise InvalidParameterValue(message, field="quote")
        if cell is not None and node.kind is not Kind.NOTEBOOK:
            message = f"The field cell is not valid: {node.path} is a file, and has no cells. Leave it out."
            raise InvalidParameterValue(message, field="cell")
        cells = _cells(node) if cell is not None else ()
        anchor = None if cell is None else _anchor(node, cells, cell)
        row = self._objects.identified([node.path])[node.path]
        if self._rows.count(row.id) >= MOST:
            raise TooManyComments("notebook", MOST)
        kept = None if anchor is None else anchor.to_json()
        thread = ThreadRow(object_id=row.id, anchor=kept, quote=(quote or "").strip() or None)
        self._rows.add(thread)
        return self._told(thread, [self._say(thread, said)], cells)

    def answer(self, thread_id: int, text: str) -> CommentInfo:
        """Add to a thread; one that was resolved is open again."""
        thread = self._thread(thread_id)
        if len(self._rows.comments(thread.id)) >= MOST:
            raise TooManyComments("thread", MOST)
        comment = self._say(thread, _text(text))
        thread.resolved_at = thread.resolved_by = thread.resolver_id = None
        return self._comment(comment)

    def _say(self, thread: ThreadRow, text: str) -> CommentRow:
        who = self._principal
        row = CommentRow(thread_id=thread.id, author=who.name, author_id=who.id, text=text, created_at=now_ms())
        self._rows.add(row)
        return row

    def resolve(self, thread_id: int, *, resolved: bool) -> None:
        """Close a thread, or open it again."""
        thread = self._thread(thread_id)
        if (thread.resolved_at is not None) is not resolved:
            who = self._principal
            thread.resolved_at, thread.resolved_by, thread.resolver_id = (
                (now_ms(), who.name, who.id) if resolved else (None, None, None)
            )

    def edit(self, comment_id: int, text: str) -> CommentInfo:
        """Change what the asker has said.

        Raises:
            NotTheAuthor: If somebody else has.
        """
        row, _ = self._found(comment_id)
        if not self._is_own(row):
            raise NotTheAuthor(self._principal.name, comment_id, f"it is {row.author}'s")
        said = _text(text)
        if said != row.text:
            row.text, row.edited_at = said, now_ms()
        return self._comment(row)

    def delete(self, comment_id: int) -> None:
        """Delete a comment, and its thread with the last one.

        Raises:
            NotTheAuthor: If it is somebody else's and the asker does not manage the notebook.
        """
        row, node = self._found(comment_id)
        if not self._is_own(row) and not self._may_manage(node):
            raise NotTheAuthor(self._principal.name, comment_id, f"it is {row.author}'s, and {node.path} is managed by others")
        self._rows.remove(row)

    def _thread(self, number: int) -> ThreadRow:
        row = self._rows.thread(number)
        if row is None or self._readable(row.object_id) is None:
            raise CommentNotFound("thread", number)
        return row

    def _found(self, number: int) -> tuple[CommentRow, Node]:
        row = self._rows.comment(number)
        thread = None if row is None else self._rows.thread(row.thread_id)
        node = None if thread is None else self._readable(thread.object_id)
        if row is None or node is None:
            raise CommentNotFound("comment", number)
        return row, node

    def _readable(self, object_id: int) -> Node | None:
        row = self._objects.by_id(object_id)
        try:
            return None if row is None else self._node(row.path)
        except (ObjectNotFound, ObjectPermissionMissing, PathInvalid, NotCommentable):
            return None


def _text(given: str) -> str:
    text = given.strip()
    if not text:
        message = "The field text is empty: a comment says something."
        raise InvalidParameterValue(message, field="text")
    if len(text) > MOST_CHARACTERS:
        message = f"The field text has {len(text)} characters; {MOST_CHARACTERS} is the most."
        raise InvalidParameterValue(message, field="text")
    return text


def _cells(node: Node) -> tuple[Cell, ...]:
    if node.kind is not Kind.NOTEBOOK:
        return ()
    try:
        return parse(node.file.read_bytes(), node.file.suffix).cells
    except NotebookInvalid:
        return ()


def _anchor(node: Node, cells: tuple[Cell, ...], cell: Pointed) -> Anchor:
    if cell.source is not None:
        return anchor_of(cells, cell.position, cell.source, cell.cell_id if node.file.suffix == JUPYTER else None)
    if cell.position >= len(cells):
        raise CellUnknown(node.path, cell.position, len(cells))
    return anchor_at(cells, cell.position)
