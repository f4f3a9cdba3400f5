"""What can be wrong with contexts and commands."""

from boathouse.errors import BoathouseError, InvalidParameterValue, InvalidState
from boathouse.workspace.lab.errors import INSTALL


class CommandsMissing(BoathouseError):
    """What kernels need is not installed."""

    error_code = "FEATURE_DISABLED"
    status = 501

    def __init__(self) -> None:
        super().__init__(f"Commands run in Jupyter kernels, which are not installed on this server. Add them with {INSTALL}.")


class ContextNotFound(InvalidParameterValue):
    """No such context on the cluster, or one of somebody else."""

    def __init__(self, context_id: str) -> None:
        super().__init__(
            f"ContextNotFound: there is no context {context_id} on this cluster, or it is not yours.", field="contextId"
        )


class CommandNotFound(InvalidParameterValue):
    """No such command in the context."""

    def __init__(self, command_id: str) -> None:
        super().__init__(f"CommandNotFound: the context has no command {command_id}, or has forgotten it.", field="commandId")


class ContextNotRunning(InvalidState):
    """A context that has not started yet, or has ended."""

    def __init__(self, context_id: str, why: str) -> None:
        super().__init__(
            f"ContextNotRunning: the context {context_id} takes no commands: {why} Make another with contexts/create."
        )
