"""HTTP in and out of comments."""

from dataclasses import asdict

from pydantic import BaseModel, Field

from boathouse.workspace.comments.info import Commented, CommentInfo, ThreadInfo


class CommentBody(BaseModel):
    """A comment; times in ms since the epoch."""

    id: int
    author: str
    is_own: bool
    text: str
    created_at: int
    edited_at: int | None

    @classmethod
    def of(cls, info: CommentInfo) -> "CommentBody":
        """The form of a comment."""
        return cls.model_validate(asdict(info))


class ThreadBody(BaseModel):
    """A thread: the place of its cell in the notebook now, or how the cell began if it is gone; without both, on the whole."""

    id: int
    position: int | None
    cell_id: str | None
    is_gone: bool
    excerpt: str | None
    quote: str | None
    resolved_at: int | None
    resolved_by: str | None
    comments: list[CommentBody]

    @classmethod
    def of(cls, info: ThreadInfo) -> "ThreadBody":
        """The form of a thread."""
        return cls.model_validate(asdict(info))


class ThreadList(BaseModel):
    """The threads on a notebook or file, when that was last changed, and whether the asker may delete others' comments."""

    modified_at: int
    may_manage: bool
    threads: list[ThreadBody]

    @classmethod
    def of(cls, info: Commented) -> "ThreadList":
        """The form of the threads."""
        return cls.model_validate(asdict(info))


class PointedBody(BaseModel):
    """The cell that is commented on; its text where the notebook may not be saved yet."""

    position: int = Field(ge=0, le=1_000_000, description="Among the notebook's cells, from 0.")
    source: str | None = Field(default=None, description="Of a markdown cell without the magic.")
    cell_id: str | None = Field(default=None, max_length=200, description="In a Jupyter file.")


class NewThread(BaseModel):
    """A thread that is to begin; without a cell, on the whole."""

    path: str
    text: str
    cell: PointedBody | None = None
    quote: str | None = Field(default=None, description="What is selected of the cell.")


class Said(BaseModel):
    """What is said."""

    text: str


class Resolved(BaseModel):
    """Whether a thread is done with."""

    resolved: bool
