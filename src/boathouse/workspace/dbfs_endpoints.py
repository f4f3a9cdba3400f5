"""The DBFS root over HTTP."""

import base64
import binascii
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from boathouse.errors import InvalidParameterValue
from boathouse.iam.api import CurrentPrincipal
from boathouse.workspace.dbfs import MOST_BLOCK, Dbfs

router = APIRouter(prefix="/api/2.0/dbfs", tags=["dbfs"])
_Handle = Annotated[int, Field(ge=0, le=2**63 - 1)]


class PutFile(BaseModel):
    """A file with its content in base64."""

    path: str
    contents: str = ""
    overwrite: bool = False


class NewFile(BaseModel):
    """A file that comes in blocks."""

    path: str
    overwrite: bool = False


class Block(BaseModel):
    """A block in base64."""

    handle: _Handle
    data: str


class NameHandle(BaseModel):
    """Names a file that comes in blocks."""

    handle: _Handle


class DeleteFile(BaseModel):
    """What is to be deleted."""

    path: str
    recursive: bool = False


class MoveFile(BaseModel):
    """What is to be moved, and to where."""

    source_path: str
    destination_path: str


class MakeFolder(BaseModel):
    """A folder that is to be made."""

    path: str


async def _dbfs(request: Request, principal: CurrentPrincipal) -> Dbfs:
    return Dbfs(request.app.state.layout, principal)


TheDbfs = Annotated[Dbfs, Depends(_dbfs)]


def _decoded(text: str, field: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        message = f"{field} is no base64: {error}."
        raise InvalidParameterValue(message, field=field) from error


@router.get("/get-status")
def get_status(dbfs: TheDbfs, path: str) -> dict[str, Any]:
    """What is at a path (everybody)."""
    return asdict(dbfs.status(path))


@router.get("/list")
def list_files(dbfs: TheDbfs, path: str) -> dict[str, Any]:
    """What a folder holds (everybody)."""
    return {"files": [asdict(one) for one in dbfs.list(path)]}


@router.get("/read")
def read_file(
    dbfs: TheDbfs,
    path: str,
    offset: Annotated[int, Query(ge=0, le=2**62)] = 0,
    length: Annotated[int, Query(ge=0, le=MOST_BLOCK)] = MOST_BLOCK // 2,
) -> dict[str, Any]:
    """Some bytes of a file (everybody)."""
    found = dbfs.read(path, offset, length)
    return {"bytes_read": len(found), "data": base64.b64encode(found).decode()}


@router.post("/put")
def put_file(dbfs: TheDbfs, body: PutFile) -> dict[str, Any]:
    """Write a file of at most a megabyte (everybody)."""
    dbfs.put(body.path, _decoded(body.contents, "contents"), overwrite=body.overwrite)
    return {}


@router.post("/mkdirs")
def make_folder(dbfs: TheDbfs, body: MakeFolder) -> dict[str, Any]:
    """Make a folder and those above it (everybody)."""
    dbfs.make_folder(body.path)
    return {}


@router.post("/move")
def move_file(dbfs: TheDbfs, body: MoveFile) -> dict[str, Any]:
    """Give a file or folder another path (everybody)."""
    dbfs.move(body.source_path, body.destination_path)
    return {}


@router.post("/delete")
def delete_file(dbfs: TheDbfs, body: DeleteFile) -> dict[str, Any]:
    """Delete a file or folder (everybody)."""
    dbfs.delete(body.path, recursive=body.recursive)
    return {}


@router.post("/create")
def create_file(dbfs: TheDbfs, body: NewFile) -> dict[str, Any]:
    """Begin to write a file in blocks (everybody)."""
    return {"handle": dbfs.create(body.path, overwrite=body.overwrite)}


@router.post("/add-block")
def add_block(dbfs: TheDbfs, body: Block) -> dict[str, Any]:
    """Add a block to a file (whoever began it)."""
    dbfs.add_block(body.handle, _decoded(body.data, "data"))
    return {}


@router.post("/close")
def close_file(dbfs: TheDbfs, body: NameHandle) -> dict[str, Any]:
    """Put a file that came in blocks into its place (whoever began it)."""
    dbfs.close(body.handle)
    return {}
