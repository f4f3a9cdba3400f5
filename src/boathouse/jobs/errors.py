"""What can be wrong with a job."""

from collections.abc import Sequence

from boathouse.errors import Conflict, InternalError, InvalidParameterValue, InvalidState, NotFound, PermissionDenied


class SettingsInvalid(InvalidParameterValue):
    """A field of a job's settings, or of what a run is asked for, is not valid."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}", field=field)


class KindUnknown(InvalidParameterValue):
    """A task is of a kind that this server does not know."""

    def __init__(self, field: str, known: Sequence[str]) -> None:
        super().__init__(f"{field} is no kind of task that this server knows. Known: {', '.join(known)}.", field=field)


class KindTaken(InternalError):
    """Two kinds of task have the same field."""

    def __init__(self, field: str) -> None:
        super().__init__(f"A task kind with the field {field} is registered already.")


class JobNotFound(NotFound):
    """No such job, or none that the asker may know of."""

    def __init__(self, job_id: int) -> None:
        super().__init__(f"Job {job_id} does not exist.", job_id=str(job_id))


class RunNotFound(NotFound):
    """No such run, or none that the asker may know of."""

    def __init__(self, run_id: int) -> None:
        super().__init__(f"Run {run_id} does not exist.", run_id=str(run_id))


class TaskValueNotFound(NotFound):
    """A task has set no value of a key, or has not run."""

    def __init__(self, task_key: str, key: str) -> None:
        super().__init__(f"Task '{task_key}' has set no value '{key}'.", task_key=task_key, key=key)


class JobPermissionMissing(PermissionDenied):
    """The asker lacks a level of permission on a job."""

    def __init__(self, principal: str, job_id: int, level: str) -> None:
        super().__init__(
            f"User '{principal}' does not have {level} on job {job_id}. Its owner or an admin can give it.",
            permission_level=level,
        )


class DestinationNotFound(NotFound):
    """No such notification destination."""

    def __init__(self, identifier: str) -> None:
        super().__init__(f"Notification destination '{identifier}' does not exist.", id=identifier)


class DestinationsAreAdmins(PermissionDenied):
    """Somebody who is no admin wants to change a notification destination."""

    def __init__(self) -> None:
        super().__init__("Only an admin may add, change and remove notification destinations; everybody may name them in jobs.")


class RunActive(InvalidState):
    """The run has not ended yet."""

    def __init__(self, run_id: int, action: str) -> None:
        super().__init__(f"Run {run_id} is active, so it cannot be {action}. Wait until it ends, or cancel it.")


class RepairOutdated(Conflict):
    """Somebody else has repaired the run since the asker looked."""

    def __init__(self, run_id: int, latest: int | None) -> None:
        last = "no repair" if latest is None else f"latest_repair_id {latest}"
        super().__init__(f"Run {run_id} has {last}: get it with include_history and try again.", field="latest_repair_id")
