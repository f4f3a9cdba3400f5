"""Deployment over HTTP: what the page and the steps of deployment jobs ask."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request

from boathouse.deployment import schemas as io
from boathouse.deployment.service import Deploying
from boathouse.iam.api import CurrentPrincipal
from boathouse.registry.api import Registry

router = APIRouter(prefix="/api/boathouse/v1/deployments", tags=["deployments"])

Version = Annotated[int, Path(ge=1, le=2**31 - 1)]


async def _deploying(request: Request, principal: CurrentPrincipal, registry: Registry) -> Deploying:
    state = request.app.state
    return Deploying(state.database, state.layout, state.jobs, registry, principal)


Deployment = Annotated[Deploying, Depends(_deploying)]


@router.get("/{model}")
def get_deployment(deploying: Deployment, model: str) -> io.DeploymentBody:
    """A model's deployment job, policy and history. Needs EXECUTE on the model."""
    connection, policy, events = deploying.model(model)
    return io.DeploymentBody(
        deployment_job_id=connection.job_id,
        deployment_job_state=connection.state,
        policy=io.DeploymentPolicyBody.of(policy),
        events=[io.DeploymentEventBody.of(one) for one in events],
    )


@router.put("/{model}/policy")
def put_policy(deploying: Deployment, model: str, body: io.DeploymentPolicyBody) -> io.DeploymentPolicyBody:
    """Say who may decide, and what needs a decision. Needs MANAGE on the model's schema."""
    return io.DeploymentPolicyBody.of(deploying.set_policy(model, body.policy()))


@router.post("/{model}/rollback")
async def roll_back(request: Request, deploying: Deployment, model: str, body: io.RollbackBody) -> io.RollbackAnswer:
    """Point an alias back to the version before, and have the endpoints serve it if they are to. Needs MANAGE on the model, and CAN_MANAGE on these.

    An endpoint that cannot is named with its reason; the alias and the others have gone back all the same.
    """
    found = await deploying.roll_back_with(
        request.app.state.serving if body.endpoints else None, model, body.alias, body.version, body.reason
    )
    return io.RollbackAnswer(
        from_version=found.came,
        to_version=found.went,
        endpoints=[io.ReplacedBody(endpoint=one.endpoint, problem=one.problem) for one in found.endpoints],
    )


@router.get("/{model}/versions/{version}")
def get_version(deploying: Deployment, model: str, version: Version) -> io.VersionDeploymentBody:
    """A version's way to production: the run of its job, what was found, decided and done. Needs EXECUTE on the model."""
    return io.VersionDeploymentBody.of(deploying.version(model, version))


@router.post("/{model}/versions/{version}/run")
def start_run(deploying: Deployment, model: str, version: Version) -> io.DeploymentRunAnswer:
    """Start the deployment job for a version (again). Needs MANAGE on the model."""
    return io.DeploymentRunAnswer(run_id=deploying.start(model, version))


@router.post("/{model}/versions/{version}/evidence")
def add_evidence(deploying: Deployment, model: str, version: Version, body: io.EvidenceBody) -> io.DeploymentEventBody:
    """Keep what a step has found or done; it is never changed. Needs MANAGE on the model."""
    found = deploying.note(
        model,
        version,
        step=body.step,
        title=body.name,
        verdict=body.verdict,
        reason=body.reason,
        metrics=body.metrics,
        details=body.details,
    )
    return io.DeploymentEventBody.of(found)


@router.post("/{model}/versions/{version}/decision")
def decide(deploying: Deployment, model: str, version: Version, body: io.DecisionBody) -> io.DecisionAnswer:
    """Approve or reject a version; after a yes its job goes on. Needs APPLY TAG on the model, and what its policy asks for."""
    task, problem = deploying.decide(model, version, body.task, body.verdict, body.reason)
    return io.DecisionAnswer(task=task, problem=problem)


@router.post("/{model}/versions/{version}/approval")
def check_approval(deploying: Deployment, model: str, version: Version, body: io.ApprovalBody) -> io.ApprovalAnswer:
    """Whether an approval task may pass; the model's policy may approve now. Needs MANAGE on the model."""
    approved, message = deploying.check_approval(model, version, body.task)
    return io.ApprovalAnswer(approved=approved, message=message)


@router.post("/{model}/versions/{version}/alias")
def check_alias(deploying: Deployment, model: str, version: Version, body: io.AliasBody) -> io.AliasAnswer:
    """Whether a version may get an alias; it does not get it. Needs MANAGE on the model."""
    allowed, message = deploying.check_alias(model, version, body.alias)
    return io.AliasAnswer(allowed=allowed, message=message)
