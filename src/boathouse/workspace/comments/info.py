"""Threads of comments as plain values."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pointed:
    """The cell that somebody comments on.

    Attributes:
        position: Among the notebook's cells, from 0.
        source: Its text where that may not be saved yet, of a markdown cell without the magic; None to take the saved cell.
        cell_id: Its identifier in a Jupyter file.
    """

    position: int
    source: str | None = None
    cell_id: str | None = None


@dataclass(frozen=True)
class CommentInfo:
    """A comment; times in ms since the epoch."""

    id: int
    author: str
    is_own: bool
    text: str
    created_at: int
    edited_at: int | None


@dataclass(frozen=True)
class ThreadInfo:
    """A thread and where it is in the notebook now.

    Attributes:
        position: Of its cell; None for one on the whole, and where the cell is gone.
        cell_id: Of the cell in a Jupyter file.
        is_gone: Whether its cell is no more there.
        excerpt: How its cell begins, as last seen; None for one on the whole.
        quote: What was selected.
        resolved_at: In ms since the epoch; None while it is open.
        resolved_by: Who resolved it.
        comments: The oldest first.
    """

    id: int
    position: int | None
    cell_id: str | None
    is_gone: bool
    excerpt: str | None
    quote: str | None
    resolved_at: int | None
    resolved_by: str | None
    comments: tuple[CommentInfo, ...]


@dataclass(frozen=True)
class Commented:
    """The threads on a notebook or file.

    Attributes:
        modified_at: When it was last changed, in ms since the epoch.
        may_manage: Whether the asker may delete others' comments.
        threads: The oldest first.
    """

    modified_at: int
    may_manage: bool
    threads: tuple[ThreadInfo, ...]
