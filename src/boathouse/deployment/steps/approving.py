"""The step that waits for nobody: it passes if the version is approved, and fails if not; who approves lets the run go on."""

from typing import TYPE_CHECKING

from boathouse.deployment.steps.errors import NotApproved
from boathouse.deployment.steps.ledger import Ledger

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient


def approval(model: str, version: str | int, task: str = "approval", *, client: "WorkspaceClient | None" = None) -> str:
    """Go on only if a version is approved: by the tag of the task's name, or now by the model's policy.

    Args:
        model: Full name of the model.
        version: Which.
        task: Key of the job's task, ``{{task.name}}``, which begins with ``approval``.
        client: The server; by default the one that the environment names.

    Returns:
        Why it is.

    Raises:
        NotApproved: If it is not.
    """
    approved, message = Ledger(model, str(version), client).approval(task)
    if not approved:
        text = f"Version {version} of {model} is not approved. {message}"
        raise NotApproved(text)
    print(message)  # noqa: T201 - the task's log
    return message
