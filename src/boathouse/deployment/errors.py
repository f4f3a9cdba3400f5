"""What can be wrong with a deployment."""

from boathouse.errors import InvalidParameterValue, InvalidState, NotFound, PermissionDenied


class JobUnfit(InvalidParameterValue):
    """A job that cannot be a deployment job."""

    def __init__(self, job_id: str, problem: str) -> None:
        super().__init__(
            f"deployment_job_id '{job_id}' {problem}. Valid: the id of a job that you may start (CAN_MANAGE_RUN) and that has the "
            "parameters model_name and model_version.",
            field="deployment_job_id",
        )


class EventJobUnfit(InvalidParameterValue):
    """A job that a webhook cannot start."""

    def __init__(self, job_id: str, problem: str) -> None:
        super().__init__(
            f"job_spec.job_id '{job_id[:100]}' {problem}. Valid: the id of a job that you may start (CAN_MANAGE_RUN), with the parameter "
            "event_message or without any.",
            field="job_spec.job_id",
        )


class AuthorDecides(PermissionDenied):
    """Four eyes, and there are two."""

    def __init__(self, name: str, version: str, who: str) -> None:
        super().__init__(
            f"Version {version or 'that is new'} of '{name}' cannot be approved by {who}: the model's policy asks for four eyes."
        )


class ReasonMissing(InvalidParameterValue):
    """A decision, or a way back, without a reason."""

    def __init__(self, name: str, what: str = "Decide", path: str = "/versions/{version}/decision") -> None:
        super().__init__(
            f"reason is missing: the policy of '{name}' asks for one. {what} on the model's page, or with "
            f"POST /api/boathouse/v1/deployments/{{model}}{path}.",
            field="reason",
        )


class CommentMissing(InvalidParameterValue):
    """A stage, or a decision about one, without a reason."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"comment is missing: the policy of '{name}' asks for a reason. Move the version on its page, or with "
            "POST /api/2.0/mlflow/databricks/model-versions/transition-stage.",
            field="comment",
        )


class NotApproved(InvalidParameterValue):
    """An alias or a stage that only approved versions get."""

    # Not INVALID_STATE: MLflow's clients read it as a fault of the server and try again for minutes.

    def __init__(self, name: str, version: str, what: str, field: str) -> None:
        super().__init__(
            f"Version {version} of '{name}' cannot {what}: the model's policy wants it approved, and it is not. "
            "Who has APPLY TAG on the model may approve it.",
            field=field,
        )


class NothingBefore(InvalidState):
    """A way back that leads nowhere."""

    def __init__(self, name: str, alias: str) -> None:
        super().__init__(
            f"The alias '{alias}' of '{name}' has pointed to no other version that is still there: name the version."
        )


class NoDeploymentJob(NotFound):
    """A model without a job."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"'{name}' has no deployment job that could start: {problem}.")
