"""Where MLflow clients of the second major version, with the tracking URI ``databricks``, put a run's files: addresses of the Files API."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Header, Request
from pydantic import BaseModel, Field

from boathouse.iam.api import CurrentPrincipal
from boathouse.registry.artifacts import ArtifactPath
from boathouse.registry.backend import MlflowBackend
from boathouse.registry.context import acting_as
from boathouse.registry.errors import our_errors
from boathouse.registry.files import INTERNAL

router = APIRouter(prefix="/api/2.0/mlflow/artifacts", tags=["mlflow_artifacts"])

# Clients send such a file by one PUT; that of another kind in parts, which the Files API does not take.
_ONE_REQUEST = "GCP_SIGNED_URL"


class AskCredentials(BaseModel):
    """Which files of a run."""

    run_id: str = Field(min_length=1)
    path: list[str] = Field(min_length=1, max_length=2000)


class HttpHeader(BaseModel):
    """A header to send."""

    name: str
    value: str


class CredentialInfo(BaseModel):
    """Where a file is, and what is to be sent with a request for it."""

    run_id: str
    path: str
    signed_uri: str
    headers: list[HttpHeader]
    type: str = _ONE_REQUEST


class Credentials(BaseModel):
    """One for each path, in order."""

    credential_infos: list[CredentialInfo]


Authorization = Annotated[str, Header(include_in_schema=False)]


@router.post("/credentials-for-read")
def credentials_for_read(
    request: Request, principal: CurrentPrincipal, body: AskCredentials, authorization: Authorization = ""
) -> Credentials:
    """Where to read files of a run, with what the asker has asked with."""
    return _credentials(request, principal, body, authorization, write=False)


@router.post("/credentials-for-write")
def credentials_for_write(
    request: Request, principal: CurrentPrincipal, body: AskCredentials, authorization: Authorization = ""
) -> Credentials:
    """Where to write files of a run of the asker's."""
    return _credentials(request, principal, body, authorization, write=True)


def _credentials(
    request: Request, principal: CurrentPrincipal, body: AskCredentials, authorization: str, *, write: bool
) -> Credentials:
    backend: MlflowBackend = request.app.state.mlflow
    loaded = backend.wait()
    with acting_as(principal), our_errors():
        experiment = loaded.tracking.get_run(body.run_id).info.experiment_id
        for path in body.path:
            loaded.tracking.require_artifact(ArtifactPath.parse(f"{experiment}/{body.run_id}/artifacts/{path}"), write=write)
    folder = f"{str(request.base_url).rstrip('/')}/api/2.0/fs/files{INTERNAL}/Mlflow/Artifacts/{experiment}/Runs/{body.run_id}"
    query = "?overwrite=true" if write else ""
    headers = [HttpHeader(name="Authorization", value=authorization)] if authorization else []
    infos = [
        CredentialInfo(run_id=body.run_id, path=path, signed_uri=f"{folder}/artifacts/{quote(path)}{query}", headers=headers)
        for path in body.path
    ]
    return Credentials(credential_infos=infos)
