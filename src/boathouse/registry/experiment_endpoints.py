"""Permissions on experiments: ``/api/2.0/permissions/experiments/{experiment_id}``."""

from typing import Any

from fastapi import APIRouter, Request

from boathouse.iam.api import AccessChange, CurrentPrincipal, Principal, told_access
from boathouse.registry.backend import MlflowBackend
from boathouse.registry.context import acting_as
from boathouse.registry.errors import our_errors

router = APIRouter(prefix="/api/2.0/permissions/experiments", tags=["mlflow_experiments"])


def _told(request: Request, principal: Principal, experiment_id: str, change: AccessChange | None, *, replace: bool) -> Any:
    backend: MlflowBackend = request.app.state.mlflow
    tracking = backend.wait().tracking
    with acting_as(principal), our_errors():
        found: Any = tracking.get_experiment(experiment_id)
        number = str(found.experiment_id)
        if change is not None:
            tracking.experiments.set_access(number, change.access_control_list, replace=replace)
        own, inherited = tracking.experiments.access(number)
    return told_access(f"/experiments/{number}", "mlflowExperiment", own, inherited)


@router.get("/{experiment_id}")
def get_experiment_permissions(request: Request, principal: CurrentPrincipal, experiment_id: str) -> dict[str, Any]:
    """Who may what in an experiment (CAN_READ)."""
    return _told(request, principal, experiment_id, None, replace=False)


@router.get("/{experiment_id}/permissionLevels")
def get_experiment_permission_levels(request: Request, principal: CurrentPrincipal, experiment_id: str) -> dict[str, Any]:
    """The levels of permission (CAN_READ)."""
    from boathouse.registry.experiments import LEVEL_TEXTS  # noqa: PLC0415 - with MLflow, which is loaded late

    _told(request, principal, experiment_id, None, replace=False)
    return {"permission_levels": [{"permission_level": level, "description": text} for level, text in LEVEL_TEXTS.items()]}


@router.put("/{experiment_id}")
def put_experiment_permissions(
    request: Request, principal: CurrentPrincipal, experiment_id: str, body: AccessChange
) -> dict[str, Any]:
    """Set who may what in an experiment (CAN_MANAGE); its owner manages it, and without entries it is as it was made."""
    return _told(request, principal, experiment_id, body, replace=True)


@router.patch("/{experiment_id}")
def patch_experiment_permissions(
    request: Request, principal: CurrentPrincipal, experiment_id: str, body: AccessChange
) -> dict[str, Any]:
    """Give those who are named a level on an experiment (CAN_MANAGE)."""
    return _told(request, principal, experiment_id, body, replace=False)
