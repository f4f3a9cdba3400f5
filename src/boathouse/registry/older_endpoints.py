"""What clients of the older workspace registry ask and models of the catalog do not have: refused by name, with what there is instead.

Without this the answer would be that the route does not exist, which tells nobody of aliases, approvals and triggers.
"""

from fastapi import APIRouter

from boathouse.errors import NotImplementedHere
from boathouse.iam.api import CurrentPrincipal

router = APIRouter(prefix="/api/2.0/mlflow", include_in_schema=False)

_STAGES = (
    "Models of the catalog have no stages, and so no requests to change them: give a version an alias, and let a deployment job and "
    "approvals (tags that begin with 'approval') decide which version gets it."
)
_COMMENTS = (
    "Models of the catalog have no comments: a version has a description and tags, and who approves or rejects it says why "
    "(POST /api/boathouse/v1/deployments/{model}/versions/{version}/decision)."
)
_WEBHOOKS = (
    "Models of the catalog have webhooks in MLflow 3's form (MlflowClient.create_webhook, /api/2.0/mlflow/webhooks), and not in the older "
    "one. A job with the trigger 'model' hears of new models, versions and aliases too."
)


@router.api_route("/transition-requests/{action}", methods=["GET", "POST", "DELETE"])
@router.api_route("/databricks/model-versions/transition-stage", methods=["POST"])
def no_stages(_: CurrentPrincipal) -> None:
    """Stages are no more."""
    raise NotImplementedHere(_STAGES)


@router.api_route("/comments/{action}", methods=["POST", "PATCH", "DELETE"])
def no_comments(_: CurrentPrincipal) -> None:
    """Comments are no more."""
    raise NotImplementedHere(_COMMENTS)


@router.api_route("/registry-webhooks/{action}", methods=["GET", "POST", "PATCH", "DELETE"])
def no_webhooks(_: CurrentPrincipal) -> None:
    """Webhooks have another form, and jobs hear of models."""
    raise NotImplementedHere(_WEBHOOKS)
