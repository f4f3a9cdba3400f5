"""Comments over HTTP, for the page and for JupyterLab."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Response

from boathouse.db.dependencies import ReadSession, WriteSession
from boathouse.iam.api import CurrentPrincipal
from boathouse.workspace.comments.info import Pointed
from boathouse.workspace.comments.schemas import CommentBody, NewThread, Resolved, Said, ThreadBody, ThreadList
from boathouse.workspace.comments.service import CommentService
from boathouse.workspace.dependencies import ReadOnlyWorkspace, Workspace

router = APIRouter(prefix="/api/boathouse/v1/workspace", tags=["workspace"])


async def _reading(session: ReadSession, principal: CurrentPrincipal, workspace: ReadOnlyWorkspace) -> CommentService:
    return CommentService(session, principal, workspace)


async def _writing(session: WriteSession, principal: CurrentPrincipal, workspace: Workspace) -> CommentService:
    return CommentService(session, principal, workspace)


ReadOnlyComments = Annotated[CommentService, Depends(_reading)]
Comments = Annotated[CommentService, Depends(_writing)]
Number = Annotated[int, Path(ge=0, lt=2**53)]


@router.get("/threads", response_model=ThreadList, responses={304: {"description": "As it was."}})
def list_threads(
    comments: ReadOnlyComments, response: Response, path: str, if_none_match: Annotated[str | None, Header()] = None
) -> ThreadList | Response:
    """The threads on a notebook or file; who asks often and sends the answer's ETag gets 304 while nothing has changed."""
    headers = {"etag": f'"{comments.version(path)}"', "cache-control": "private, no-cache"}
    if if_none_match == headers["etag"]:
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return ThreadList.of(comments.on(path))


@router.post("/threads")
def begin_thread(comments: Comments, body: NewThread) -> ThreadBody:
    """Comment on a cell, or on the whole."""
    cell = None if body.cell is None else Pointed(body.cell.position, body.cell.source, body.cell.cell_id)
    return ThreadBody.of(comments.begin(body.path, body.text, cell, body.quote))


@router.patch("/threads/{thread_id}")
def resolve_thread(comments: Comments, thread_id: Number, body: Resolved) -> dict[str, Any]:
    """Close a thread, or open it again."""
    comments.resolve(thread_id, resolved=body.resolved)
    return {}


@router.post("/threads/{thread_id}/comments")
def answer_thread(comments: Comments, thread_id: Number, body: Said) -> CommentBody:
    """Add to a thread; one that was closed is open again."""
    return CommentBody.of(comments.answer(thread_id, body.text))


@router.patch("/comments/{comment_id}")
def edit_comment(comments: Comments, comment_id: Number, body: Said) -> CommentBody:
    """Change a comment of one's own."""
    return CommentBody.of(comments.edit(comment_id, body.text))


@router.delete("/comments/{comment_id}")
def delete_comment(comments: Comments, comment_id: Number) -> dict[str, Any]:
    """Delete a comment of one's own, or as who manages the notebook; the thread goes with its last comment."""
    comments.delete(comment_id)
    return {}
