"""Every query on comments."""

from collections.abc import Iterator

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from boathouse.workspace.models import CommentRow, ThreadRow


class CommentRepository:
    """Threads and their comments in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def threads(self, object_id: int) -> list[tuple[ThreadRow, list[CommentRow]]]:
        """The threads on an object with their comments, the oldest first."""
        rows = self._session.scalars(select(ThreadRow).where(ThreadRow.object_id == object_id).order_by(ThreadRow.id))
        found: dict[int, tuple[ThreadRow, list[CommentRow]]] = {row.id: (row, []) for row in rows}
        query = select(CommentRow).join(ThreadRow, ThreadRow.id == CommentRow.thread_id)
        for comment in self._session.scalars(query.where(ThreadRow.object_id == object_id).order_by(CommentRow.id)):
            found[comment.thread_id][1].append(comment)
        return list(found.values())

    def anchored(self, object_id: int) -> Iterator[ThreadRow]:
        """The threads at cells of an object."""
        query = select(ThreadRow).where(ThreadRow.object_id == object_id, ThreadRow.anchor.is_not(None))
        return iter(self._session.scalars(query).all())

    def thread(self, number: int) -> ThreadRow | None:
        """The thread of an identifier."""
        return self._session.get(ThreadRow, number)

    def comment(self, number: int) -> CommentRow | None:
        """The comment of an identifier."""
        return self._session.get(CommentRow, number)

    def comments(self, thread_id: int) -> list[CommentRow]:
        """The comments of a thread, the oldest first."""
        query = select(CommentRow).where(CommentRow.thread_id == thread_id).order_by(CommentRow.id)
        return list(self._session.scalars(query))

    def count(self, object_id: int) -> int:
        """How many threads an object has."""
        query = select(func.count()).select_from(ThreadRow).where(ThreadRow.object_id == object_id)
        return self._session.scalar(query) or 0

    def add(self, row: ThreadRow | CommentRow) -> None:
        """Keep something new; it gets its identifier."""
        self._session.add(row)
        self._session.flush()

    def remove(self, comment: CommentRow) -> None:
        """Drop a comment, and its thread with the last one."""
        thread_id = comment.thread_id
        self._session.delete(comment)
        self._session.flush()
        if not self.comments(thread_id):
            self._session.execute(delete(ThreadRow).where(ThreadRow.id == thread_id))

    def rename_principal(self, old: str, new: str) -> None:
        """A principal has a new name; a namesake that was there before it keeps the old one."""
        said = update(CommentRow).where(CommentRow.author == old, CommentRow.author_id.is_not(None))
        self._session.execute(said.values(author=new))
        resolved = update(ThreadRow).where(ThreadRow.resolved_by == old, ThreadRow.resolver_id.is_not(None))
        self._session.execute(resolved.values(resolved_by=new))

    def forget_principal(self, name: str) -> None:
        """A principal is gone; its comments know by themselves."""
        self._session.execute(update(ThreadRow).where(ThreadRow.resolved_by == name).values(resolver_id=None))
