"""What can be wrong with a pipeline."""

from collections.abc import Iterable

from boathouse.errors import (
    BoathouseError,
    Conflict,
    InvalidParameterValue,
    InvalidState,
    NotFound,
    PermissionDenied,
)
from boathouse.pipelines.model import Location


class DefinitionInvalid(InvalidParameterValue):
    """The source of a pipeline declares something that cannot be.

    Attributes:
        location: Where.
        condition: Stable name of what is wrong.
    """

    def __init__(self, condition: str, message: str, location: Location | None = None) -> None:
        where = f"{location}: " if location is not None else ""
        super().__init__(f"{where}[{condition}] {message}", condition=condition)
        self.location = location
        self.condition = condition


class GraphInvalid(InvalidParameterValue):
    """The source of a pipeline has one or more faults, all of which are told."""

    def __init__(self, faults: Iterable[DefinitionInvalid]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(fault.message for fault in self.faults))


class ExpectationFailed(InvalidState):
    """Rows do not meet an expectation that must hold, so nothing was written."""

    error_code = "EXPECTATION_VIOLATION"


class FlowFailed(BoathouseError):
    """A flow ended with an error of the engine."""

    error_code = "FLOW_FAILED"
    status = 400


class PipelineNotFound(NotFound):
    """No such pipeline, or none that the asker may know of."""

    def __init__(self, pipeline_id: str) -> None:
        super().__init__(f"The specified pipeline {pipeline_id} was not found.", pipeline_id=pipeline_id)


class UpdateNotFound(NotFound):
    """No such update."""

    def __init__(self, pipeline_id: str, update_id: str) -> None:
        super().__init__(f"The pipeline {pipeline_id} has no update {update_id}.", pipeline_id=pipeline_id, update_id=update_id)


class UpdateRunning(Conflict):
    """An update of the pipeline is under way."""

    def __init__(self, pipeline_id: str, update_id: str) -> None:
        super().__init__(
            f"An active update {update_id} already exists for pipeline '{pipeline_id}'. Wait until it ends, or stop it.",
            pipeline_id=pipeline_id,
            update_id=update_id,
        )


class PipelineNameTaken(Conflict):
    """The name is another pipeline's."""

    error_code = "RESOURCE_CONFLICT"
    retriable = False

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The pipeline name '{name}' is already used by another pipeline. "
            "Choose another name, or set allow_duplicate_names.",
            name=name,
        )


class PipelinePermissionMissing(PermissionDenied):
    """The asker lacks a level of permission on a pipeline."""

    def __init__(self, principal: str, name: str, level: str) -> None:
        super().__init__(
            f"User '{principal}' does not have {level} on pipeline '{name}'. Its owner or an admin can give it.",
            permission_level=level,
        )


class SpecInvalid(InvalidParameterValue):
    """A field of a pipeline's settings is not valid."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}", field=field)
