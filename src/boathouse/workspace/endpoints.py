"""The workspace over HTTP."""

import base64
import binascii
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import UploadFile

from boathouse.db.dependencies import get_database
from boathouse.errors import InvalidParameterValue
from boathouse.iam.api import AccessChange, CurrentPrincipal
from boathouse.workspace.dependencies import ReadOnlyWorkspace, Workspace
from boathouse.workspace.info import LEVEL_TEXTS, LEVELS
from boathouse.workspace.schemas import (
    DeleteBody,
    ExportBody,
    ImportBody,
    ObjectBody,
    ObjectList,
    PathBody,
    PermissionLevel,
    PermissionLevels,
    PermissionsBody,
)
from boathouse.workspace.service import KINDS, MOST_BYTES, WorkspaceService

router = APIRouter(tags=["workspace"])
API = "/api/2.0/workspace"
PERMISSIONS = "/api/2.0/permissions"


@router.get(f"{API}/get-status", response_model_exclude_none=True)
def get_status(workspace: Workspace, path: str) -> ObjectBody:
    """What is at a path."""
    return ObjectBody.of(workspace.get(path))


@router.get(f"{API}/list", response_model_exclude_none=True)
def list_objects(workspace: Workspace, path: str, notebooks_modified_after: int | None = None) -> ObjectList:
    """What a folder holds."""
    found = workspace.children(path, notebooks_modified_after)
    return ObjectList(objects=[ObjectBody.of(one) for one in found] or None)


@router.post(f"{API}/mkdirs")
def make_folder(workspace: Workspace, body: PathBody) -> dict[str, Any]:
    """Make a folder and those above it."""
    workspace.make_folder(body.path)
    return {}


@router.post(f"{API}/delete")
def delete_object(workspace: Workspace, body: DeleteBody) -> dict[str, Any]:
    """Delete a file, a notebook or a folder."""
    workspace.delete(body.path, recursive=body.recursive)
    return {}


_IMPORT = {
    "content": {kind: {"schema": ImportBody.model_json_schema()} for kind in ("application/json", "multipart/form-data")}
}


@router.post(f"{API}/import", openapi_extra={"requestBody": _IMPORT})
async def import_object(request: Request, principal: CurrentPrincipal) -> dict[str, Any]:
    """Import a notebook or a file: its content in base64, or as it is in a form's field."""
    body, content = await _arriving(request)

    def write() -> None:
        with get_database(request).session(write=True) as session:
            workspace = WorkspaceService(session, principal, request.app.state.layout)
            workspace.write(body.path, content, body.format, body.language, overwrite=body.overwrite)

    await to_thread.run_sync(write)
    return {}


async def _arriving(request: Request) -> tuple[ImportBody, bytes]:
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        async with request.form(max_part_size=MOST_BYTES) as form:
            given = {key: value for key, value in form.items() if isinstance(value, str)}
            file = form.get("content")
            content = await file.read() if isinstance(file, UploadFile) else given.pop("content", "").encode()
        return _validated(given), content
    try:
        sent = await request.json()
    except (ValueError, RecursionError):
        raise InvalidParameterValue("The body is not valid: it has to be JSON.", field="body") from None
    body = _validated(sent)
    try:
        return body, base64.b64decode(body.content, validate=True)
    except binascii.Error:
        raise InvalidParameterValue("The content is not valid: it has to be base64.", field="content") from None


def _validated(sent: Any) -> ImportBody:
    try:
        return ImportBody.model_validate(sent)
    except ValidationError as error:
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in error.errors()]) from error


@router.get(f"{API}/export", response_model=ExportBody)
def export_object(
    workspace: ReadOnlyWorkspace,
    path: str,
    format: str = "SOURCE",  # noqa: A002 - the API's name
    direct_download: bool = False,
) -> ExportBody | Response:
    """Export a file, a notebook or a folder: in base64, or with ``direct_download`` as it is."""
    found = workspace.export(path, format)
    if direct_download:
        return Response(found.content, media_type="application/octet-stream")
    return ExportBody(content=base64.b64encode(found.content).decode(), file_type=found.file_type)


# --------------------------------------------------------------------------------------------------------- permissions


async def _kind(request: Request) -> str:
    """Which kind's path was asked for: pipelines, endpoints and others have theirs beside these."""
    return request.url.path.removeprefix(f"{PERMISSIONS}/").partition("/")[0]


ObjectKind = Annotated[str, Depends(_kind)]


def get_object_permissions(workspace: Workspace, kind: ObjectKind, object_id: str) -> PermissionsBody:
    """Who may what on an object."""
    return PermissionsBody.of(kind, workspace.permissions(kind, object_id))


def get_object_permission_levels(workspace: Workspace, kind: ObjectKind, object_id: str) -> PermissionLevels:
    """The levels of permission."""
    workspace.permissions(kind, object_id)
    levels = [PermissionLevel(permission_level=level, description=LEVEL_TEXTS[level]) for level in LEVELS.names]
    return PermissionLevels(permission_levels=levels)


def put_object_permissions(workspace: Workspace, kind: ObjectKind, object_id: str, body: AccessChange) -> PermissionsBody:
    """Set who may what on an object."""
    changed = workspace.set_permissions(kind, object_id, body.access_control_list, replace_all=True)
    return PermissionsBody.of(kind, changed)


def patch_object_permissions(workspace: Workspace, kind: ObjectKind, object_id: str, body: AccessChange) -> PermissionsBody:
    """Add to who may what on an object."""
    changed = workspace.set_permissions(kind, object_id, body.access_control_list, replace_all=False)
    return PermissionsBody.of(kind, changed)


for _name in KINDS:
    _path = f"{PERMISSIONS}/{_name}/{{object_id}}"
    router.get(_path, name=f"get_permissions_of_{_name}", response_model_exclude_none=True)(get_object_permissions)
    router.get(f"{_path}/permissionLevels", name=f"get_permission_levels_of_{_name}")(get_object_permission_levels)
    router.put(_path, name=f"put_permissions_of_{_name}", response_model_exclude_none=True)(put_object_permissions)
    router.patch(_path, name=f"patch_permissions_of_{_name}", response_model_exclude_none=True)(patch_object_permissions)
