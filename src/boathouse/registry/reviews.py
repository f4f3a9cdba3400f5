"""The use cases around the stages of versions, for one principal: move, ask, decide, comment."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from boathouse.catalog.api import Privilege
from boathouse.errors import BoathouseError, NotFound, PermissionDenied
from boathouse.iam.api import Principal
from boathouse.registry.activities import CANCELLED, COMMENT, REJECTED, REQUEST
from boathouse.registry.backend import MlflowBackend
from boathouse.registry.context import acting_as
from boathouse.registry.errors import AlreadyInStage, CommentNotFound, NotYourComment, NotYourRequest, our_errors
from boathouse.registry.info import Activity, ModelVersionInfo, version_info
from boathouse.registry.older_webhooks import ASKED, COMMENT_CREATED, events_of

if TYPE_CHECKING:
    from boathouse.registry.registry_store import GovernedRegistryStore

APPROVE, REJECT, CANCEL = "APPROVE_TRANSITION_REQUEST", "REJECT_TRANSITION_REQUEST", "CANCEL_TRANSITION_REQUEST"
EDIT, DELETE = "EDIT_COMMENT", "DELETE_COMMENT"


@dataclass(frozen=True)
class Seen:
    """An activity, and what the principal may do about it.

    Attributes:
        activity: The activity.
        actions: In Databricks' words: ``APPROVE_TRANSITION_REQUEST``, ``EDIT_COMMENT`` ...
    """

    activity: Activity
    actions: tuple[str, ...] = ()


class ModelReviews:
    """Stages of versions, requests for them and comments, as a principal may see and change them.

    Each method raises ``PermissionDenied`` without the privilege on the model: EXECUTE to look, ask and comment, APPLY TAG (or
    MANAGE) to move and decide; ``NotFound`` for what does not exist, and ``InvalidParameterValue`` for a stage that is none.

    Args:
        backend: MLflow.
        principal: Who asks.
    """

    def __init__(self, backend: MlflowBackend, principal: Principal) -> None:
        self._backend = backend
        self._principal = principal
        self._activities = backend.activities
        self._hooks = backend.hooks

    @contextmanager
    def _store(self) -> Generator["GovernedRegistryStore"]:
        store = self._backend.wait().registry
        with acting_as(self._principal), our_errors():
            yield store

    # ------------------------------------------------------------------------------------------------------ stages

    def transition(self, name: str, version: str, stage: str, *, archive: bool, comment: str) -> ModelVersionInfo:
        """Give a version a stage; with ``archive`` all others that have it are archived."""
        with self._store() as store:
            store.transition(name, version, stage, archive=archive, comment=comment)
            return version_info(store.get_model_version(name, version))

    def latest_versions(self, name: str) -> list[ModelVersionInfo]:
        """The newest version of each stage."""
        with self._store() as store:
            return [version_info(entity) for entity in store.get_latest_versions(name)]

    def level(self, name: str) -> str:
        """What the principal may do with a model, in the older registry's words."""
        with self._store() as store:
            for privilege, level in (
                (Privilege.MANAGE, "CAN_MANAGE"),
                (Privilege.APPLY_TAG, "CAN_MANAGE_PRODUCTION_VERSIONS"),
                (Privilege.CREATE_MODEL_VERSION, "CAN_EDIT"),
            ):
                if _may(store, name, privilege):
                    return level
            store.require(name, Privilege.EXECUTE)
            return "CAN_READ"

    # ---------------------------------------------------------------------------------------------------- requests

    def request(self, name: str, version: str, stage: str, comment: str) -> Seen:
        """Ask for a stage.

        Raises:
            AlreadyInStage: If the version has it.
            AlreadyExists: If the principal has asked already.
        """
        from boathouse.registry.stages import stage_name  # noqa: PLC0415 - MLflow is loaded late

        with self._store() as store:
            known = store.get_model_version(name, version)
            target = stage_name(stage)
            if known.current_stage == target:
                raise AlreadyInStage(known.name, version, target)
            made = self._activities.ask(known.name, int(version), (known.current_stage, target), comment)
            text = f"{self._principal.name} asks for version {known.version} of the model '{known.name}' to go to {target}."
            stages = {"from_stage": made.from_stage, "to_stage": target}
            self._hooks.tell(
                events_of(ASKED, target), known.name, text, version=str(known.version), comment=comment or None, **stages
            )
            return next(self._seen(store, known, [made]))

    def requests(self, name: str, version: str) -> list[Seen]:
        """The open ones, the oldest first."""
        with self._store() as store:
            known = store.get_model_version(name, version)
            return list(self._seen(store, known, self._activities.open_requests(known.name, int(version))))

    def approve(self, name: str, version: str, stage: str, *, archive: bool, comment: str) -> Seen:
        """Approve what was asked: the version gets the stage.

        Raises:
            NotFound: If nobody asks for it.
        """
        with self._store() as store:
            return Seen(store.transition(name, version, stage, archive=archive, comment=comment, of_request=True))

    def reject(self, name: str, version: str, stage: str, comment: str) -> Seen:
        """Reject what was asked.

        Raises:
            NotFound: If nobody asks for it.
        """
        with self._store() as store:
            known = store.get_model_version(name, version)
            store.check_rejection(name, comment)
            return Seen(self._close(known, stage, REJECTED, comment, None))

    def cancel(self, name: str, version: str, stage: str, creator: str, comment: str) -> Seen:
        """Take a request back: one's own, or with MANAGE anybody's.

        Raises:
            NotFound: If that one does not ask for it.
        """
        with self._store() as store:
            known = store.get_model_version(name, version)
            if creator != self._principal.name and not _may(store, name, Privilege.MANAGE):
                raise NotYourRequest(creator)
            return Seen(self._close(known, stage, CANCELLED, comment, creator))

    def _close(self, known: Any, stage: str, kind: str, comment: str, creator: str | None) -> Activity:
        from boathouse.registry.stages import stage_name  # noqa: PLC0415 - MLflow is loaded late

        stages = (str(known.current_stage), stage_name(stage))
        return self._activities.close(known.name, int(known.version), stages, kind, comment, creator)

    # ---------------------------------------------------------------------------------------------------- comments

    def comment(self, name: str, version: str, text: str) -> Seen:
        """Comment on a version."""
        with self._store() as store:
            known = store.get_model_version(name, version)
            made = self._activities.say(known.name, int(version), text)
            told = f"{self._principal.name} has commented on version {known.version} of the model '{known.name}'."
            self._hooks.tell((COMMENT_CREATED,), known.name, told, version=str(known.version), comment=text)
            return next(self._seen(store, known, [made]))

    def change_comment(self, comment_id: str, text: str) -> Seen:
        """Say something else; only who has said it may."""
        with self._store() as store:
            known, found = self._commented(store, comment_id)
            if found.user_id != self._principal.id:
                raise NotYourComment(found.user, "change")
            return next(self._seen(store, known, [self._activities.change_comment(comment_id, text)]))

    def delete_comment(self, comment_id: str) -> None:
        """Delete a comment: one's own, or with MANAGE on the model anybody's."""
        with self._store() as store:
            known, found = self._commented(store, comment_id)
            if found.user_id != self._principal.id and not _may(store, known.name, Privilege.MANAGE):
                raise NotYourComment(found.user, "delete")
            self._activities.delete_comment(comment_id)

    def _commented(self, store: "GovernedRegistryStore", comment_id: str) -> tuple[Any, Activity]:
        """The version that a comment is about, and the comment; who may not read the version learns of neither."""
        model, found = self._activities.comment(comment_id)
        try:
            with our_errors():
                return store.get_model_version(model, str(found.version)), found
        except (NotFound, PermissionDenied) as error:
            raise CommentNotFound(comment_id) from error

    # -------------------------------------------------------------------------------------------------- activities

    def activities(self, name: str, version: str) -> tuple[ModelVersionInfo, list[Seen]]:
        """A version, and all that was said of it, asked for and done, the oldest first."""
        with self._store() as store:
            known = store.get_model_version(name, version)
            return version_info(known), list(self._seen(store, known, self._activities.of_version(known.name, int(version))))

    def _seen(self, store: "GovernedRegistryStore", known: Any, found: Iterable[Activity]) -> Generator[Seen]:
        manages: bool | None = None
        moves: dict[str, bool] = {}
        decides: bool | None = None
        for one in found:
            actions: list[str] = []
            own = one.user_id == self._principal.id
            if (one.kind == COMMENT or one.is_open) and manages is None:
                manages = _may(store, known.name, Privilege.MANAGE)
                decides = manages or _may(store, known.name, Privilege.APPLY_TAG)
            if one.kind == COMMENT:
                actions = [EDIT] * own + [DELETE] * (own or bool(manages))
            elif one.kind == REQUEST and one.is_open:
                if decides and one.to_stage not in moves:
                    moves[one.to_stage] = _passes(store, known, one.to_stage)
                actions = [APPROVE] * moves.get(one.to_stage, False) + [REJECT] * bool(decides)
                actions += [CANCEL] * (own or bool(manages))
            yield Seen(one, tuple(actions))


def _may(store: "GovernedRegistryStore", name: str, privilege: Privilege) -> bool:
    try:
        with our_errors():
            store.require(name, privilege)
    except (NotFound, PermissionDenied):
        return False
    return True


def _passes(store: "GovernedRegistryStore", known: Any, stage: str) -> bool:
    try:
        with our_errors():
            store.check_transition(known.name, str(known.version), stage)
    except BoathouseError:
        return False
    return True
