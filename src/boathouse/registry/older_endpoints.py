"""What the older workspace registry has besides MLflow's own API: stages with comments, requests for them, comments, and files.

Models are those of the catalog, by their full names; see decision 30.
"""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Header, Query, Request

from boathouse.catalog.api import Catalog
from boathouse.registry import artifacts
from boathouse.registry import older_schemas as io
from boathouse.registry.dependencies import Registry, Reviews
from boathouse.registry.files import MODELS
from boathouse.registry.service import PAGE_SIZE
from boathouse.storage.paths import resolve_under

router = APIRouter(prefix="/api/2.0/mlflow", tags=["model_registry"])


Authorization = Annotated[str, Header(include_in_schema=False)]


# ----------------------------------------------------------------------------------------------------------- models


@router.get("/databricks/registered-models/get", response_model_exclude_none=True)
def get_registered_model(registry: Registry, reviews: Reviews, catalog: Catalog, name: io.Name) -> io.ModelAnswer:
    """A model, the newest version of each stage, and what the asker may do with it."""
    model = registry.get_model(name)
    securable = catalog.require_model(model.name, None)
    told = (securable.id, securable.owner)
    return io.ModelAnswer(
        registered_model_databricks=io.OlderModel.of(
            model, told, reviews.latest_versions(model.name), reviews.level(model.name)
        )
    )


@router.get("/registered-models/list", response_model_exclude_none=True)
def list_registered_models(
    registry: Registry, max_results: Annotated[int, Query(ge=0, le=1000)] = 0, page_token: str | None = None
) -> io.ModelsAnswer:
    """The models that the asker may read."""
    return io.ModelsAnswer.of(*registry.list_models(max_results or PAGE_SIZE, page_token))


# ----------------------------------------------------------------------------------------------------------- stages


@router.post("/databricks/model-versions/transition-stage", response_model_exclude_none=True)
def transition_model_version_stage(reviews: Reviews, body: io.StageChange) -> io.VersionAnswer:
    """Give a version a stage. Needs APPLY TAG on the model, and what its policy asks for."""
    moved = reviews.transition(
        body.name, body.version, body.stage, archive=body.archive_existing_versions, comment=body.comment or ""
    )
    level, requests = reviews.level(moved.name), reviews.requests(moved.name, body.version)
    return io.VersionAnswer(model_version_databricks=io.OlderVersion.of(moved, level, requests))


@router.post("/transition-requests/create", response_model_exclude_none=True)
def create_transition_request(reviews: Reviews, body: io.StageRequest) -> io.RequestAnswer:
    """Ask for a stage. Needs EXECUTE on the model."""
    made = reviews.request(body.name, body.version, body.stage, body.comment or "")
    return io.RequestAnswer(request=io.ActivityBody.of(made))


@router.get("/transition-requests/list", response_model_exclude_none=True)
def list_transition_requests(reviews: Reviews, name: io.Name, version: io.Number) -> io.RequestsAnswer:
    """The open requests of a version, with what the asker may do about each. Needs EXECUTE on the model."""
    return io.RequestsAnswer(requests=[io.ActivityBody.of(one) for one in reviews.requests(name, version)])


@router.post("/transition-requests/approve", response_model_exclude_none=True)
def approve_transition_request(reviews: Reviews, body: io.StageChange) -> io.ActivityAnswer:
    """Approve what was asked: the version gets the stage. Needs what giving it needs."""
    done = reviews.approve(
        body.name, body.version, body.stage, archive=body.archive_existing_versions, comment=body.comment or ""
    )
    return io.ActivityAnswer(activity=io.ActivityBody.of(done))


@router.post("/transition-requests/reject", response_model_exclude_none=True)
def reject_transition_request(reviews: Reviews, body: io.StageRequest) -> io.ActivityAnswer:
    """Reject what was asked. Needs APPLY TAG on the model."""
    done = reviews.reject(body.name, body.version, body.stage, body.comment or "")
    return io.ActivityAnswer(activity=io.ActivityBody.of(done))


@router.delete("/transition-requests/delete", response_model_exclude_none=True)
def delete_transition_request(
    reviews: Reviews, name: io.Name, version: io.Number, stage: io.Stage, creator: str, comment: io.Text = ""
) -> io.ActivityAnswer:
    """Take a request back: one's own, or with MANAGE on the model anybody's."""
    return io.ActivityAnswer(activity=io.ActivityBody.of(reviews.cancel(name, version, stage, creator, comment)))


# --------------------------------------------------------------------------------------------------------- comments


@router.post("/comments/create", response_model_exclude_none=True)
def create_comment(reviews: Reviews, body: io.NewComment) -> io.CommentAnswer:
    """Comment on a version. Needs EXECUTE on the model."""
    return io.CommentAnswer(comment=io.ActivityBody.of(reviews.comment(body.name, body.version, body.comment)))


@router.patch("/comments/update", response_model_exclude_none=True)
def update_comment(reviews: Reviews, body: io.ChangedComment) -> io.CommentAnswer:
    """Say something else in a comment of one's own."""
    return io.CommentAnswer(comment=io.ActivityBody.of(reviews.change_comment(body.id, body.comment)))


@router.delete("/comments/delete")
def delete_comment(reviews: Reviews, id: str) -> dict[str, Any]:  # noqa: A002 - its name in the API
    """Delete a comment: one's own, or with MANAGE on the model anybody's."""
    reviews.delete_comment(id)
    return {}


# ------------------------------------------------------------------------------------------------------------ files


@router.get("/model-versions/list-artifacts", response_model_exclude_none=True)
def list_version_artifacts(registry: Registry, name: io.Name, version: io.Number, path: str = "") -> io.FilesAnswer:
    """What lies in a folder of a version; of a file it is the file itself. Needs EXECUTE on the model."""
    folder = registry.version_folder(name, version)
    found = resolve_under(folder, path) if path else folder
    entries = sorted(found.iterdir()) if found.is_dir() else [found] if found.is_file() else []
    return io.FilesAnswer(
        files=[
            io.FileInfo(
                path=entry.relative_to(folder).as_posix(),
                is_dir=entry.is_dir(),
                file_size=None if entry.is_dir() else entry.stat().st_size,
            )
            for entry in entries
            if not entry.is_symlink()
        ]
    )


@router.get("/model-versions/get-signed-download-uri")
def get_signed_download_uri(
    request: Request, registry: Registry, name: io.Name, version: io.Number, path: str, authorization: Authorization = ""
) -> io.SignedUri:
    """Where to read a version's file, with what the asker has asked with. Needs EXECUTE on the model."""
    known = registry.get_version(name, version)
    where = artifacts.ArtifactPath.parse(f"{artifacts.VERSIONS}/{known.name.replace('.', '/')}/{known.version}/{path}")
    rest = where.path.removeprefix(f"{artifacts.VERSIONS}/")
    uri = f"{str(request.base_url).rstrip('/')}/api/2.0/fs/files{MODELS}/{quote(rest)}"
    headers = [io.HttpHeader(name="Authorization", value=authorization)] if authorization else []
    return io.SignedUri(signed_uri=uri, headers=headers)
