"""What the Files API answers for a model version's folder itself: that a missing version is told by name."""

from fastapi import APIRouter, Response

from boathouse.iam.api import CurrentPrincipal

router = APIRouter(prefix="/api/2.0/fs/directories/Models", tags=["files"])


@router.head("/{catalog}/{schema}/{model}/{version}")
def version_metadata(_: CurrentPrincipal, catalog: str, schema: str, model: str, version: str) -> Response:
    """Always yes: to list the folder tells what is missing, and who may not read it.

    Answers to HEAD have no body. MLflow's ``databricks-uc`` client asks this before it lists the folder, takes a no for an empty model,
    and would tell of a missing file ``MLmodel`` where there is no such version.
    """
    del catalog, schema, model, version
    return Response()
