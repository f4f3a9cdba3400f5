"""What can be wrong with a bundle, or keep it from being deployed."""

from collections.abc import Sequence

from boathouse.bundles.values import Place
from boathouse.errors import BoathouseError, Conflict, InvalidParameterValue


class BundleInvalid(InvalidParameterValue):
    """Something in a bundle's files is wrong; each problem says where."""

    def __init__(self, problems: Sequence[tuple[Place, str]]) -> None:
        super().__init__("\n".join(f"{place}: {text}" for place, text in problems))
        self.problems = tuple(problems)


class BundleMissing(InvalidParameterValue):
    """No ``databricks.yml`` where it was looked for."""

    def __init__(self, folder: str) -> None:
        super().__init__(f"There is no databricks.yml in {folder} or above it. Give the project's folder with --project.")


class NotConnected(InvalidParameterValue):
    """It is not known which server is meant, or with which token."""


class CallRefused(BoathouseError):
    """The server answered a call with an error, which this one has."""

    def __init__(self, what: str, error_code: str, message: str) -> None:
        super().__init__(f"{what}: {message}" if what else message)
        self.error_code = error_code

    @property
    def is_missing(self) -> bool:
        """Whether what was asked for is not there."""
        code = self.error_code
        return code.endswith(("DOES_NOT_EXIST", "NOT_FOUND")) and code != "ENDPOINT_NOT_FOUND"


class EndpointMissing(CallRefused):
    """The server has no such endpoint."""


class DeploymentLocked(Conflict):
    """Somebody else deploys."""

    error_code = "DEPLOYMENT_LOCKED"

    def __init__(self, who: str, since: str, path: str) -> None:
        super().__init__(
            f"{who} has been deploying this target since {since} ({path}). Try again when that is done; "
            "if it was broken off, take the lock with --force-lock."
        )


class RunsActive(Conflict):
    """Something runs of what would be changed, and the bundle says that this is not to be."""

    error_code = "RUNS_ACTIVE"

    def __init__(self, resource: str) -> None:
        super().__init__(
            f"resources.{resource} runs now, and bundle.deployment.fail_on_active_runs is true. Wait for its end, or cancel it."
        )


class StateUnreadable(Conflict):
    """The record of a deployment is not one of these."""

    error_code = "STATE_UNREADABLE"

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"The record of the deployment, {path}, cannot be read: {why}")
