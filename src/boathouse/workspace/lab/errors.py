"""What can be wrong with JupyterLab."""

from boathouse.errors import BoathouseError, InvalidParameterValue, InvalidState, NotFound, TemporarilyUnavailable

INSTALL = "pip install 'boathouse[lab]'"
"""How it is added."""


class LabMissing(BoathouseError):
    """JupyterLab is not installed."""

    error_code = "FEATURE_DISABLED"
    status = 501

    def __init__(self) -> None:
        super().__init__(f"JupyterLab is not installed on this server. Add it with {INSTALL} and start the server again.")


class LabFailed(TemporarilyUnavailable):
    """JupyterLab did not start, or has ended."""

    def __init__(self, why: str) -> None:
        super().__init__(f"JupyterLab {why} logs/lab.log in the lake tells more; it is started anew at the next request.")


class LabPathUnknown(NotFound):
    """A path of Jupyter's that is not served."""

    error_code = "ENDPOINT_NOT_FOUND"

    def __init__(self, method: str, path: str) -> None:
        super().__init__(f"No API found for '{method} {path}'.")


class RequestTooLarge(InvalidParameterValue):
    """More than is passed on at once."""

    def __init__(self, most: int) -> None:
        super().__init__(f"The body is too long: {most} bytes at most. Upload large files to a volume.", field="body")


class KernelNotFound(NotFound):
    """No such kernel, or one of somebody else."""

    def __init__(self, kernel_id: str) -> None:
        super().__init__(f"There is no kernel {kernel_id}, or it is not yours.", kernel_id=kernel_id)


class KernelFailed(InvalidState):
    """A kernel did not start."""

    def __init__(self, why: str) -> None:
        super().__init__(f"The kernel did not start: {why}")


class TooManyKernels(InvalidState):
    """More kernels than one principal may have."""

    def __init__(self, most: int) -> None:
        super().__init__(f"You have {most} kernels running, which is the most. Shut one down: Running Terminals and Kernels.")
