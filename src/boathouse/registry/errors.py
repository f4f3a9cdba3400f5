"""What can be wrong with a model, a run or their files, and the way to and from MLflow's own exception."""

import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from boathouse.errors import (
    AlreadyExists,
    BoathouseError,
    Conflict,
    InternalError,
    InvalidParameterValue,
    InvalidState,
    NotFound,
    NotImplementedHere,
    PermissionDenied,
    TemporarilyUnavailable,
    Unauthenticated,
)

if TYPE_CHECKING:
    from mlflow.exceptions import MlflowException


class ModelNameInvalid(InvalidParameterValue):
    """A model's name that has not three levels."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"'{name}' is not a valid model name: specify all three levels, catalog.schema.model, such as main.default.{_last(name)}.",
            name=name,
        )


class ModelNotFound(NotFound):
    """No registered model of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Registered model '{name}' does not exist.", name=name)


class ModelExists(AlreadyExists):
    """A registered model has the name already."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Registered model '{name}' already exists.", name=name)


class ApprovalMissing(InvalidParameterValue):
    """A version that must not become champion yet."""

    # Not INVALID_STATE: MLflow's clients read it as a fault of the server and try again for minutes.

    def __init__(self, name: str, version: str, what: str, tag: str, value: str) -> None:
        said = f"its tag {tag} is '{value}'" if value else "nobody has approved it, which the model's policy asks for"
        super().__init__(
            f"Version {version} of '{name}' cannot {what}: {said}. "
            f"Who has APPLY TAG on the model approves it with the tag {tag}=approved.",
            name=name,
            version=version,
        )


class SourceInvalid(InvalidParameterValue):
    """A source of a version, or an artifact location, that is not in the lake."""

    def __init__(self, source: str) -> None:
        super().__init__(
            f"'{source}' is not a valid source: give runs:/<run_id>/<path>, models:/<model_id>, "
            "models:/<catalog.schema.model>/<version>, or an artifact URI of a run of this server.",
        )


class SignatureMissing(InvalidParameterValue):
    """A model that does not say what it takes and gives."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"Model passed for registration {problem}. All models of the catalog must be logged with a model signature containing both "
            "input and output type specifications: give log_model(..., input_example=X), or "
            "signature=infer_signature(X, model.predict(X)) of mlflow.models."
        )


class LocationRefused(InvalidParameterValue):
    """An experiment that wants its artifacts elsewhere."""

    def __init__(self, location: str) -> None:
        super().__init__(
            f"artifact_location '{location}' is not valid: leave it out, artifacts are kept with the lake.",
            field="artifact_location",
        )


class NotYours(PermissionDenied):
    """A run, experiment or logged model of somebody else."""

    def __init__(self, principal: str, what: str, owner: str) -> None:
        whose = f"belongs to '{owner}'" if owner else "belongs to nobody, so only an admin can change it"
        super().__init__(f"User '{principal}' cannot change {what}: it {whose}.")


class ExperimentRefused(PermissionDenied):
    """An experiment that somebody may not see, or not as much as is asked for."""

    def __init__(self, principal: str, experiment_id: str, needed: str) -> None:
        super().__init__(
            f"User '{principal}' does not have {needed} permission on experiment {experiment_id}. Who has CAN_MANAGE on it can give it.",
            experiment_id=experiment_id,
            needed=needed,
        )


class FolderRefused(PermissionDenied):
    """An experiment that would lie in another's folder."""

    def __init__(self, principal: str, name: str) -> None:
        super().__init__(
            f"User '{principal}' cannot have an experiment '{name}': it needs CAN_EDIT on the folder. "
            f"Give a name below /Users/{principal}, or one that is no path.",
            name=name,
        )


class StageInvalid(InvalidParameterValue):
    """A stage that there is not."""

    def __init__(self, stage: str, valid: Sequence[str]) -> None:
        super().__init__(f"stage is '{stage[:100]}'. Valid: {', '.join(valid)}.", field="stage")


class ArchivingRefused(InvalidParameterValue):
    """Versions are archived only for one that goes into use."""

    def __init__(self, stage: str, valid: Sequence[str]) -> None:
        super().__init__(
            f"archive_existing_versions cannot be true for the stage '{stage}'. Valid for: {', '.join(valid)}.",
            field="archive_existing_versions",
        )


class VersionPending(InvalidParameterValue):
    """A version without its files that would go into use."""

    def __init__(self, name: str, version: str, stage: str) -> None:
        super().__init__(
            f"Version {version} of '{name}' cannot go to the stage '{stage}': its files are not complete yet. "
            "Upload them and finalize it first."
        )


class AlreadyInStage(InvalidParameterValue):
    """A request for what is so already."""

    def __init__(self, name: str, version: str, stage: str) -> None:
        super().__init__(f"Version {version} of '{name}' is in the stage '{stage}' already.", field="stage")


class RequestExists(AlreadyExists):
    """Who asks has asked already."""

    def __init__(self, name: str, version: int, stage: str) -> None:
        super().__init__(f"You have asked for version {version} of '{name}' to go to the stage '{stage}' already.")


class RequestNotFound(NotFound):
    """Nobody has asked for it, or it was decided."""

    def __init__(self, name: str, version: int, stage: str, creator: str | None = None) -> None:
        who = f"'{creator}' does not ask" if creator else "Nobody asks"
        super().__init__(f"{who} for version {version} of '{name}' to go to the stage '{stage}': there is no open request.")


class NotYourRequest(PermissionDenied):
    """A request of another's."""

    def __init__(self, creator: str) -> None:
        super().__init__(
            f"Only '{creator}' can cancel this request, and who has MANAGE on the model. You can reject it with APPLY TAG."
        )


class WebhooksForAdmins(PermissionDenied):
    """A webhook that would hear of all models."""

    def __init__(self) -> None:
        super().__init__(
            "A webhook without model_name hears of all models, so it is an admin's. Name a model that you have MANAGE on."
        )


class WebhookNotFound(NotFound):
    """No webhook with this id that the asker may keep."""

    def __init__(self, webhook_id: str) -> None:
        super().__init__(f"Webhook '{webhook_id[:100]}' does not exist.")


class HookElsewhere(InvalidParameterValue):
    """An address that would become a job."""

    def __init__(self) -> None:
        super().__init__(
            "A webhook with http_url_spec gets no job_spec, and one with job_spec no http_url_spec: make another.",
            field="job_spec",
        )


class EventElsewhere(InvalidParameterValue):
    """A test of what a webhook does not hear."""

    def __init__(self, event: str, valid: Sequence[str]) -> None:
        super().__init__(f"event is '{event}', which the webhook does not hear. Valid: {', '.join(valid)}.", field="event")


class HookNotSent(InvalidParameterValue):
    """A request to an address that got no answer."""

    # Not a fault of the server: databricks-sdk would try again for minutes.

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The webhook's address did not answer: {reason}. It has to be public, unless BOATHOUSE_WEBHOOK_PRIVATE is set."
        )


class CommentNotFound(NotFound):
    """No comment with this id that the asker may read."""

    def __init__(self, comment_id: str) -> None:
        super().__init__(f"Comment '{comment_id[:100]}' does not exist.")


class NotYourComment(PermissionDenied):
    """A comment of another's."""

    def __init__(self, author: str, what: str) -> None:
        more = ", and who has MANAGE on the model" if what == "delete" else ""
        super().__init__(f"Only '{author}', who has written this comment, can {what} it{more}.")


class VersionIsFinal(InvalidState):
    """Files of a version that is complete."""

    def __init__(self, name: str, version: str) -> None:
        super().__init__(
            f"Version {version} of '{name}' is complete; its files do not change any more. Register a new version."
        )


class VersionServed(InvalidParameterValue):
    """Files that endpoints need."""

    # Not INVALID_STATE, for the same reason as ApprovalMissing.

    def __init__(self, name: str, version: str | None, endpoints: Sequence[str]) -> None:
        what = f"Version {version} of '{name}'" if version is not None else f"Model '{name}'"
        super().__init__(
            f"{what} cannot be deleted, as it is served by {' and '.join(endpoints)}. "
            "Have another version served there first, or delete the endpoint.",
            name=name,
        )


class MlflowNotLoaded(TemporarilyUnavailable):
    """MLflow did not start."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"MLflow did not start: {reason}. The server's log has the details; start the server again.")


_BY_STATUS: dict[int, type[BoathouseError]] = {
    400: InvalidParameterValue,
    401: Unauthenticated,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    501: NotImplementedHere,
    503: TemporarilyUnavailable,
}


def _last(name: str) -> str:
    # What MLflow takes in a name is more than what the catalog does.
    return re.sub(r"\W+", "_", name.rsplit(".", 1)[-1].strip().lower(), flags=re.ASCII).strip("_") or "model"


def to_mlflow(error: BoathouseError) -> "MlflowException":
    """MLflow's exception with our code, or with the nearest one that MLflow answers with our status."""
    from mlflow.exceptions import ERROR_CODE_TO_HTTP_STATUS, MlflowException  # noqa: PLC0415 - loaded late
    from mlflow.protos.databricks_pb2 import ErrorCode  # noqa: PLC0415

    code = error.error_code
    if isinstance(error, AlreadyExists):
        code = "RESOURCE_ALREADY_EXISTS"
    elif ERROR_CODE_TO_HTTP_STATUS.get(code) != error.status:
        code = _BY_STATUS.get(error.status, InternalError).error_code
    return MlflowException(error.message, error_code=ErrorCode.Value(code))


def from_mlflow(error: "MlflowException") -> BoathouseError:
    """Our error: the one that MLflow's exception was made from, if MLflow's clients know its code, or one with their code."""
    if isinstance(error.__cause__, BoathouseError) and error.__cause__.error_code == error.error_code:
        return error.__cause__
    if error.error_code in {"RESOURCE_ALREADY_EXISTS", "ALREADY_EXISTS"}:
        return AlreadyExists(error.message)
    found = _BY_STATUS.get(error.get_http_status_code(), InternalError)(error.message)
    found.error_code = error.error_code
    return found


@contextmanager
def mlflow_errors() -> Generator[None]:
    """For code that MLflow calls: our errors leave the block as MLflow's."""
    try:
        yield
    except BoathouseError as error:
        raise to_mlflow(error) from error


@contextmanager
def our_errors() -> Generator[None]:
    """For code that calls MLflow: its errors leave the block as ours."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - loaded late

    try:
        yield
    except MlflowException as error:
        raise from_mlflow(error) from error
