"""Steps of a deployment job, for its notebooks and files: each does one thing, keeps what it found with the version, and fails if it must.

    from boathouse.deployment import steps

    steps.evaluate(name, version, rows, target="progression", thresholds=[steps.Threshold("mae", at_most=55, most_worse=0.05)])
    steps.approval(name, version, "approval")
    steps.deploy(name, version, alias="champion")

They need what ``MLFLOW_REGISTRY_URI`` and ``databricks.sdk.WorkspaceClient()`` need, which tasks of jobs have.
"""

from boathouse.deployment.steps.approving import approval
from boathouse.deployment.steps.checks import Fairness, Finding, Limits, Threshold
from boathouse.deployment.steps.errors import NotApproved, NotDeployed, NotPassed
from boathouse.deployment.steps.evaluating import evaluate
from boathouse.deployment.steps.rollout import deploy, roll_back
from boathouse.deployment.steps.shadowing import shadow

__all__ = [
    "Fairness",
    "Finding",
    "Limits",
    "NotApproved",
    "NotDeployed",
    "NotPassed",
    "Threshold",
    "approval",
    "deploy",
    "evaluate",
    "roll_back",
    "shadow",
]
