"""The Files API: files and directories in volumes, and under other prefixes that slices register."""

import mimetypes
import os
import re
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from anyio import open_file, to_thread
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel
from sqlalchemy.orm import Session

from boathouse.catalog.paging import paged
from boathouse.catalog.privileges import Privilege
from boathouse.catalog.service import CatalogService
from boathouse.db.dependencies import get_database
from boathouse.errors import AlreadyExists, InvalidParameterValue, InvalidState, NotFound, PermissionDenied
from boathouse.iam.api import CurrentPrincipal, Principal
from boathouse.kit.ids import new_id
from boathouse.storage.layout import Layout


class _FilesRoute(APIRoute):
    """A route that says so where the operating system does not let the server read or change a file."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except PermissionError as error:
                path = request.path_params.get("path", "")
                message = f"The server's user of the operating system lacks the rights for this on /{path.lstrip('/')}."
                raise PermissionDenied(message) from error

        return handled


router = APIRouter(prefix="/api/2.0/fs", tags=["files"], route_class=_FilesRoute)

LONGEST_NAME, LONGEST_PATH = 255, 3072
LEVELS_OF_VOLUME = 4
_UPLOADING = re.compile(r"\.[0-9a-f-]{36}\.uploading")
"""Names of files that are not whole yet."""

Resolver: TypeAlias = Callable[[Session, Principal, Layout, str, Privilege], Path]
"""Finds the file behind a path; the privilege is READ VOLUME to read and WRITE VOLUME to write."""


def resolve_volume(session: Session, principal: Principal, layout: Layout, path: str, privilege: Privilege) -> Path:
    """The file behind a path in a volume."""
    return CatalogService(session, principal, layout).volume_path(path, privilege)


class DirectoryEntry(BaseModel):
    """A file or directory in a directory; ``last_modified`` in ms since the epoch."""

    path: str
    name: str
    is_directory: bool
    file_size: int | None = None
    last_modified: int | None = None


class DirectoryList(BaseModel):
    """A page of a directory."""

    contents: list[DirectoryEntry]
    next_page_token: str | None = None


class FileMissing(NotFound):
    """No file or directory at a path."""

    error_code = "NOT_FOUND"

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"There is no {what} at {path}.", path=path)


class FileExists(AlreadyExists):
    """A file is there and may not be overwritten."""

    error_code = "ALREADY_EXISTS"

    def __init__(self, path: str) -> None:
        super().__init__(f"There is a file at {path} already; upload with overwrite=true to replace it.", path=path)


def _locate(request: Request, principal: Principal, path: str, privilege: Privilege) -> Path:
    path = "/" + path.lstrip("/")
    if any(len(os.fsencode(part)) > LONGEST_NAME for part in path.split("/")) or len(os.fsencode(path)) > LONGEST_PATH:
        message = f"The path is too long: a name has at most {LONGEST_NAME} bytes in UTF-8, the whole {LONGEST_PATH}."
        raise InvalidParameterValue(message, field="path")
    resolvers: dict[str, Resolver] = request.app.state.file_resolvers
    prefix = "/" + path.split("/", 2)[1]
    if prefix not in resolvers:
        message = f"The path {path} is not valid: it has to start with one of {', '.join(sorted(resolvers))}."
        raise InvalidParameterValue(message, field="path")
    with get_database(request).session() as session:
        return resolvers[prefix](session, principal, request.app.state.layout, path, privilege)


def _times(stat: os.stat_result) -> dict[str, str]:
    return {"last-modified": format_datetime(datetime.fromtimestamp(stat.st_mtime, UTC), usegmt=True)}


@router.post("/create-download-url", status_code=403)
def create_download_url(_: CurrentPrincipal) -> None:
    """There are no presigned URLs here; the client then downloads through the API."""
    message = "Presigned URLs are not served: download with GET /api/2.0/fs/files{path}."
    raise PermissionDenied(message)


@router.post("/create-upload-url", status_code=403)
def create_upload_url(_: CurrentPrincipal) -> None:
    """There are no presigned URLs here; the client then uploads through the API."""
    message = "Presigned URLs are not served: upload with PUT /api/2.0/fs/files{path}."
    raise PermissionDenied(message)


@router.post("/create-upload-part-urls", status_code=403)
def create_upload_part_urls(_: CurrentPrincipal) -> None:
    """Nor for parts; the client then uploads in one piece."""
    message = "Presigned URLs are not served: upload with PUT /api/2.0/fs/files{path}."
    raise PermissionDenied(message)


@router.post("/files/{path:path}")
def initiate_upload(request: Request, principal: CurrentPrincipal, path: str) -> dict[str, dict[str, str]]:
    """Begin the upload of a large file. Clients begin in parts, are refused their URLs, and go on in one piece."""
    _locate(request, principal, path, Privilege.WRITE_VOLUME)
    return {"multipart_upload": {"session_token": new_id()}}


@router.get("/files/{path:path}")
def download(request: Request, principal: CurrentPrincipal, path: str) -> FileResponse:
    """A file's bytes; ranges are honoured."""
    file = _locate(request, principal, path, Privilege.READ_VOLUME)
    if not file.is_file():
        raise FileMissing(path, "file")
    return FileResponse(file, media_type="application/octet-stream", headers=_times(file.stat()))


@router.head("/files/{path:path}")
def file_metadata(request: Request, principal: CurrentPrincipal, path: str) -> Response:
    """A file's size, type and time."""
    file = _locate(request, principal, path, Privilege.READ_VOLUME)
    if not file.is_file():
        raise FileMissing(path, "file")
    stat = file.stat()
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return Response(headers={"content-length": str(stat.st_size), "content-type": kind, **_times(stat)})


def _make_folders(folder: Path, path: str) -> None:
    """Make a directory and those above it.

    Raises:
        InvalidParameterValue: If there is a file in the place of one.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        message = f"A directory above {path} is a file; give another path."
        raise InvalidParameterValue(message, field="path") from error


async def _receive(chunks: AsyncIterator[bytes], partial: Path) -> None:
    async with await open_file(partial, "wb") as sink:
        async for chunk in chunks:
            await sink.write(chunk)


@router.put("/files/{path:path}", status_code=204)
async def upload(request: Request, principal: CurrentPrincipal, path: str, overwrite: Annotated[bool, Query()] = False) -> None:
    """Write a file from the request's body. It appears whole or not at all."""
    file = await to_thread.run_sync(_locate, request, principal, path, Privilege.WRITE_VOLUME)
    if file.is_dir() or path.endswith("/"):
        message = f"{path} is the path of a directory; give the path of a file."
        raise InvalidParameterValue(message, field="path")
    if file.exists() and not overwrite:
        raise FileExists(path)
    _make_folders(file.parent, path)
    partial = file.with_name(f".{new_id()}.uploading")
    try:
        await _receive(request.stream(), partial)
        if overwrite:
            partial.replace(file)
        else:
            try:
                os.link(partial, file)
            except FileExistsError as error:
                raise FileExists(path) from error
    finally:
        partial.unlink(missing_ok=True)


@router.delete("/files/{path:path}", status_code=204)
def delete_file(request: Request, principal: CurrentPrincipal, path: str) -> None:
    """Delete a file."""
    file = _locate(request, principal, path, Privilege.WRITE_VOLUME)
    if not file.is_file():
        raise FileMissing(path, "file")
    file.unlink()


@router.get("/directories/{path:path}", response_model_exclude_none=True)
def list_directory(
    request: Request,
    principal: CurrentPrincipal,
    path: str,
    page_size: Annotated[int, Query(ge=0, le=10_000)] = 1000,
    page_token: Annotated[str, Query()] = "",
) -> DirectoryList:
    """What a directory holds, by name; files that are still being uploaded are not shown."""
    folder = _locate(request, principal, path, Privilege.READ_VOLUME)
    if not folder.is_dir():
        raise FileMissing(path, "directory")
    with os.scandir(folder) as scan:
        entries = sorted((entry for entry in scan if not _UPLOADING.fullmatch(entry.name)), key=lambda entry: entry.name)
    page, token = paged(entries, page_size or 1000, page_token, lambda entry: entry.name)
    base = "/" + path.strip("/")
    contents: list[DirectoryEntry] = []
    for entry in page:
        stat = entry.stat(follow_symlinks=entry.is_file() or entry.is_dir())  # a link to nothing is told as itself
        is_directory = entry.is_dir()
        contents.append(
            DirectoryEntry(
                path=f"{base}/{entry.name}",
                name=entry.name,
                is_directory=is_directory,
                file_size=None if is_directory else stat.st_size,
                last_modified=int(stat.st_mtime * 1000),
            )
        )
    return DirectoryList(contents=contents, next_page_token=token)


@router.head("/directories/{path:path}")
def directory_metadata(request: Request, principal: CurrentPrincipal, path: str) -> Response:
    """Whether there is a directory."""
    if not _locate(request, principal, path, Privilege.READ_VOLUME).is_dir():
        raise FileMissing(path, "directory")
    return Response()


@router.put("/directories/{path:path}", status_code=204)
def create_directory(request: Request, principal: CurrentPrincipal, path: str) -> None:
    """Make a directory and those above it; one that is there stays."""
    folder = _locate(request, principal, path, Privilege.WRITE_VOLUME)
    if folder.is_file():
        message = f"There is a file at {path}; give another path."
        raise InvalidParameterValue(message, field="path")
    _make_folders(folder, path)


@router.delete("/directories/{path:path}", status_code=204)
def delete_directory(request: Request, principal: CurrentPrincipal, path: str) -> None:
    """Delete an empty directory."""
    folder = _locate(request, principal, path, Privilege.WRITE_VOLUME)
    if not folder.is_dir():
        raise FileMissing(path, "directory")
    if len(path.strip("/").split("/")) == LEVELS_OF_VOLUME and path.strip("/").startswith("Volumes/"):
        message = f"{path} is a volume itself; DELETE /api/2.1/unity-catalog/volumes/<full name> deletes it."
        raise InvalidState(message)
    if any(folder.iterdir()):
        message = f"The directory {path} is not empty; delete what is in it first."
        raise InvalidState(message)
    shutil.rmtree(folder)
